//! The same fires worked out by another crate. Where the two differ, the tables of `calendar` are right, and
//! the difference is listed here.

use std::str::FromStr as _;

use drctl::model::runbook::Schedule;
use drctl::model::schedule::Timetable;
use drctl::model::time::Timestamp;
use jiff::tz::TimeZoneDatabase;

const ZONES: [&str; 11] = [
    "America/New_York",
    "Europe/London",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Beirut",
    "UTC",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Antarctica/Troll",
];

const CRONS: [&str; 19] = [
    "30 2 * * *",
    "0 0 * * *",
    "15 1 * * *",
    "45 1 * * *",
    "*/15 * * * *",
    "0 * * * *",
    "30 */2 * * *",
    "0 3 * * 0",
    "15 2 * * SUN",
    "30 1 1 * *",
    "0 4 * * 1-5",
    "10,50 1,2 * * *",
    "0 0 1 1 *",
    "5 0 * * 7",
    "*/20 2 * * *",
    "0 12 * 3 *",
    "59 23 31 * *",
    "1 2-4 * * *",
    "0 2 * 3,10,11 0",
];

/// Croner takes an hour or minute that is a list or a range for a job that runs every so often, as it does a
/// `*`; Vixie's cron and drctl take it for several times of day.
const DIFFERENT: [&str; 2] = ["1 2-4 * * *", "10,50 1,2 * * *"];

/// Around each change of the clock, in seconds.
const AROUND: [i64; 10] = [-26 * 3_600, -7_200, -3_601, -1_800, -1, 0, 900, 1_799, 5_400, 7_300];

fn starts(zone: &jiff::tz::TimeZone) -> Vec<jiff::Timestamp> {
    let from: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let until: jiff::Timestamp = "2027-12-31T00:00:00Z".parse().unwrap();
    let changes = zone.following(from).map(|change| change.timestamp()).take_while(|at| *at < until);
    let around = |at: jiff::Timestamp| AROUND.map(|by| at + jiff::SignedDuration::from_secs(by));
    let mut starts: Vec<_> = changes.flat_map(around).collect();
    starts.extend((0..8).map(|number| from + jiff::SignedDuration::from_hours(2_111 * number)));
    starts
}

#[test]
fn another_crate_agrees_but_for_what_is_listed() {
    let mut differing = std::collections::BTreeMap::<&str, usize>::new();
    let mut unexpected = Vec::new();
    for name in ZONES {
        let zone = TimeZoneDatabase::bundled().get(name).unwrap();
        for cron in CRONS {
            let schedule = Schedule {
                cron: cron.to_owned(),
                timezone: Some(name.to_owned()),
                jitter: None,
                blackout: Vec::new(),
                missed: None,
            };
            let ours = Timetable::new("shop", &schedule).unwrap();
            let other = croner::Cron::from_str(cron).unwrap();
            for start in starts(&zone) {
                let found = ours.fires(Timestamp::from_millis(start.as_millisecond())).next().unwrap();
                let found = found.at.to_jiff();
                let theirs = other.find_next_occurrence(&start.to_zoned(zone.clone()), false).unwrap();
                if found != theirs.timestamp() {
                    *differing.entry(cron).or_default() += 1;
                    if !DIFFERENT.contains(&cron) {
                        unexpected.push(format!("{name} `{cron}` from {start}: {found}, croner {theirs}"));
                    }
                }
            }
        }
    }
    assert!(
        unexpected.is_empty(),
        "{} differ:\n{}",
        unexpected.len(),
        unexpected[..unexpected.len().min(20)].join("\n")
    );
    // A difference that is listed and not there any more would hide another one.
    assert_eq!(differing.keys().copied().collect::<Vec<_>>(), DIFFERENT);
}
