//! Fires of schedules, worked out by hand. These tables are the truth; nothing is to be made to fit the code.

use drctl::model::runbook::Schedule;
use drctl::model::schedule::{Fire, Problem, Shift, Timetable};
use drctl::model::time::{Duration, Timestamp};

use Shift::{First, None as Plain, Second, Skipped};

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule {
        cron: cron.to_owned(),
        timezone: Some(zone.to_owned()),
        jitter: None,
        blackout: Vec::new(),
        missed: None,
    }
}

fn timetable(schedule: &Schedule) -> Timetable {
    Timetable::new("shop", schedule).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Zone, expression, start, and what follows: UTC, and what the clock did.
type Row = (&'static str, &'static str, &'static str, &'static [(&'static str, Shift)]);

/// The clock is put forward: at what time of day it jumps is beside each zone.
const GAPS: [Row; 15] = [
    // 2026-03-08 02:00 EST -> 03:00 EDT, 07:00Z.
    (
        "America/New_York",
        "30 2 * * *",
        "2026-03-07T12:00:00Z",
        &[("2026-03-08T07:00:00Z", Skipped), ("2026-03-09T06:30:00Z", Plain)],
    ),
    (
        "America/New_York",
        "15 2 * * SUN",
        "2026-03-07T12:00:00Z",
        &[("2026-03-08T07:00:00Z", Skipped), ("2026-03-15T06:15:00Z", Plain)],
    ),
    // Two skipped times, one fire.
    (
        "America/New_York",
        "0,30 2 * * *",
        "2026-03-07T12:00:00Z",
        &[
            ("2026-03-08T07:00:00Z", Skipped),
            ("2026-03-09T06:00:00Z", Plain),
            ("2026-03-09T06:30:00Z", Plain),
        ],
    ),
    // The skipped time falls on one that is there anyway.
    (
        "America/New_York",
        "0 2,3 * * *",
        "2026-03-07T12:00:00Z",
        &[
            ("2026-03-08T07:00:00Z", Skipped),
            ("2026-03-09T06:00:00Z", Plain),
            ("2026-03-09T07:00:00Z", Plain),
        ],
    ),
    (
        "America/New_York",
        "30 2,3 * * *",
        "2026-03-07T12:00:00Z",
        &[
            ("2026-03-08T07:00:00Z", Skipped),
            ("2026-03-08T07:30:00Z", Plain),
            ("2026-03-09T06:30:00Z", Plain),
        ],
    ),
    // A job that runs every so often has nothing to do in an hour that is not there.
    (
        "America/New_York",
        "*/30 2 * * *",
        "2026-03-07T12:00:00Z",
        &[("2026-03-09T06:00:00Z", Plain), ("2026-03-09T06:30:00Z", Plain)],
    ),
    (
        "America/New_York",
        "0 * * * *",
        "2026-03-08T05:30:00Z",
        &[("2026-03-08T06:00:00Z", Plain), ("2026-03-08T07:00:00Z", Plain), ("2026-03-08T08:00:00Z", Plain)],
    ),
    // The start lies between the skipped time and the next day.
    ("America/New_York", "30 2 * * *", "2026-03-08T07:00:00Z", &[("2026-03-09T06:30:00Z", Plain)]),
    // 2026-04-24 00:00 -> 01:00, 22:00Z of the day before: midnight is not there.
    (
        "Africa/Cairo",
        "0 0 * * *",
        "2026-04-23T12:00:00Z",
        &[("2026-04-23T22:00:00Z", Skipped), ("2026-04-24T21:00:00Z", Plain)],
    ),
    // 2026-10-04 02:00 -> 02:30: half an hour.
    (
        "Australia/Lord_Howe",
        "15 2 * * *",
        "2026-10-03T12:00:00Z",
        &[("2026-10-03T15:30:00Z", Skipped), ("2026-10-04T15:15:00Z", Plain)],
    ),
    // 2027-03-28 02:00 CET -> 03:00 CEST, 01:00Z.
    (
        "Europe/Berlin",
        "30 2 * * SUN",
        "2027-03-27T12:00:00Z",
        &[("2027-03-28T01:00:00Z", Skipped), ("2027-04-04T00:30:00Z", Plain)],
    ),
    // 2026-03-29 01:00 GMT -> 02:00 IST: winter is the exception there.
    (
        "Europe/Dublin",
        "30 1 * * *",
        "2026-03-28T12:00:00Z",
        &[("2026-03-29T01:00:00Z", Skipped), ("2026-03-30T00:30:00Z", Plain)],
    ),
    // 2026-03-08 00:00 -> 01:00, 05:00Z.
    (
        "America/Havana",
        "0 0 * * *",
        "2026-03-07T12:00:00Z",
        &[("2026-03-08T05:00:00Z", Skipped), ("2026-03-09T04:00:00Z", Plain)],
    ),
    // 2026-03-29 01:00 -> 03:00: two hours.
    (
        "Antarctica/Troll",
        "30 1 * * *",
        "2026-03-28T12:00:00Z",
        &[("2026-03-29T01:00:00Z", Skipped), ("2026-03-29T23:30:00Z", Plain)],
    ),
    // 2011-12-30 was not there at all: from 24:00 of the 29th to 00:00 of the 31st, 10:00Z.
    (
        "Pacific/Apia",
        "0 3 * * *",
        "2011-12-29T14:00:00Z",
        &[("2011-12-30T10:00:00Z", Skipped), ("2011-12-30T13:00:00Z", Plain)],
    ),
];

/// The clock is put back.
const FOLDS: [Row; 11] = [
    // 2026-11-01 02:00 EDT -> 01:00 EST, 06:00Z.
    (
        "America/New_York",
        "30 1 * * *",
        "2026-10-31T12:00:00Z",
        &[("2026-11-01T05:30:00Z", First), ("2026-11-02T06:30:00Z", Plain)],
    ),
    // Between the first and the second 01:30: the day is done.
    ("America/New_York", "30 1 * * *", "2026-11-01T05:40:00Z", &[("2026-11-02T06:30:00Z", Plain)]),
    ("America/New_York", "30 1 * * *", "2026-11-01T06:10:00Z", &[("2026-11-02T06:30:00Z", Plain)]),
    // A job that runs every so often goes through both hours, in order.
    (
        "America/New_York",
        "*/30 1 * * *",
        "2026-10-31T12:00:00Z",
        &[
            ("2026-11-01T05:00:00Z", First),
            ("2026-11-01T05:30:00Z", First),
            ("2026-11-01T06:00:00Z", Second),
            ("2026-11-01T06:30:00Z", Second),
            ("2026-11-02T06:00:00Z", Plain),
        ],
    ),
    (
        "America/New_York",
        "0 * * * *",
        "2026-11-01T04:30:00Z",
        &[("2026-11-01T05:00:00Z", First), ("2026-11-01T06:00:00Z", Second), ("2026-11-01T07:00:00Z", Plain)],
    ),
    (
        "America/New_York",
        "*/30 * * * *",
        "2026-11-01T06:10:00Z",
        &[("2026-11-01T06:30:00Z", Second), ("2026-11-01T07:00:00Z", Plain)],
    ),
    // 2026-04-05 02:00 -> 01:30: half an hour.
    (
        "Australia/Lord_Howe",
        "45 1 * * *",
        "2026-04-04T12:00:00Z",
        &[("2026-04-04T14:45:00Z", First), ("2026-04-05T15:15:00Z", Plain)],
    ),
    (
        "Australia/Lord_Howe",
        "*/15 1 * * *",
        "2026-04-04T14:20:00Z",
        &[
            ("2026-04-04T14:30:00Z", First),
            ("2026-04-04T14:45:00Z", First),
            ("2026-04-04T15:00:00Z", Second),
            ("2026-04-04T15:15:00Z", Second),
            ("2026-04-05T14:30:00Z", Plain),
        ],
    ),
    // 2026-10-25 03:00 CEST -> 02:00 CET, 01:00Z.
    (
        "Europe/Berlin",
        "30 2 * * SUN",
        "2026-10-24T12:00:00Z",
        &[("2026-10-25T00:30:00Z", First), ("2026-11-01T01:30:00Z", Plain)],
    ),
    // 2026-11-01 01:00 -> 00:00, 05:00Z: midnight comes twice.
    (
        "America/Havana",
        "0 0 * * *",
        "2026-10-31T12:00:00Z",
        &[("2026-11-01T04:00:00Z", First), ("2026-11-02T05:00:00Z", Plain)],
    ),
    // 2026-10-25 03:00 -> 01:00: two hours.
    (
        "Antarctica/Troll",
        "30 1 * * *",
        "2026-10-24T12:00:00Z",
        &[("2026-10-24T23:30:00Z", First), ("2026-10-26T01:30:00Z", Plain)],
    ),
];

/// Where no clock is changed.
const PLAIN: [Row; 4] = [
    ("UTC", "0 3 * * SUN", "2026-11-22T03:00:00Z", &[("2026-11-29T03:00:00Z", Plain)]),
    ("Asia/Kolkata", "0 3 * * *", "2026-11-22T00:00:00Z", &[("2026-11-22T21:30:00Z", Plain)]),
    ("Asia/Kathmandu", "0 0 1 * *", "2026-11-22T00:00:00Z", &[("2026-11-30T18:15:00Z", Plain)]),
    ("America/Sao_Paulo", "15 4 * * 1-5", "2026-11-20T08:00:00Z", &[("2026-11-23T07:15:00Z", Plain)]),
];

#[test]
fn fires_are_those_of_the_tables() {
    for (zone, cron, start, expected) in GAPS.iter().chain(&FOLDS).chain(&PLAIN) {
        let table = timetable(&schedule(cron, zone));
        let found: Vec<(Timestamp, Shift)> =
            table.fires(time(start)).take(expected.len()).map(|fire| (fire.at, fire.shift)).collect();
        let expected: Vec<(Timestamp, Shift)> =
            expected.iter().map(|(at, shift)| (time(at), *shift)).collect();
        assert_eq!(found, expected, "{zone} `{cron}` from {start}");
    }
}

/// Whoever asks again from any fire gets the next one: a scheduler neither spins nor leaves one out.
#[test]
fn asking_again_from_a_fire_gives_the_one_after_it() {
    for (zone, cron, start, _) in GAPS.iter().chain(&FOLDS) {
        let table = timetable(&schedule(cron, zone));
        let at_once: Vec<Fire> = table.fires(time(start)).take(12).collect();
        let mut one_by_one = Vec::new();
        let mut from = time(start);
        for _ in 0..12 {
            let next = table.fires(from).next().unwrap();
            from = next.at;
            one_by_one.push(next);
        }
        assert_eq!(at_once, one_by_one, "{zone} `{cron}`");
        assert!(at_once.is_sorted_by(|one, next| one.at < next.at), "{zone} `{cron}`");
    }
}

#[test]
fn delays_are_bounded_and_the_same_for_everybody() {
    let jitter = Duration::from_secs(600);
    let written = Schedule { jitter: Some(jitter), ..schedule("0 3 * * *", "Europe/Berlin") };
    let (shop, again) = (timetable(&written), timetable(&written));
    let other = Timetable::new("payments", &written).unwrap();
    let start = time("2026-01-01T00:00:00Z");
    let delays = |table: &Timetable| -> Vec<u64> {
        table.fires(start).take(300).map(|fire| fire.begins.since(fire.at).as_millis()).collect()
    };
    let of_shop = delays(&shop);
    assert_eq!(of_shop, delays(&again));
    assert_ne!(of_shop, delays(&other));
    assert!(of_shop.iter().all(|delay| *delay <= jitter.as_millis() && delay % 1_000 == 0));
    // Spread over the whole of it, not bunched at one end.
    let mean = of_shop.iter().sum::<u64>() / 300;
    assert!((240_000..360_000).contains(&mean), "{mean}");
    assert!(of_shop.iter().any(|delay| *delay > 570_000) && of_shop.iter().any(|delay| *delay < 30_000));
}

#[test]
fn a_blackout_counts_in_the_zone_of_the_schedule_at_the_time_the_drill_begins() {
    let blackout = vec!["2026-12-20/2027-01-05".to_owned(), "Mon-Fri 08:00-18:00".to_owned()];
    let table = timetable(&Schedule { blackout, ..schedule("0 * * * *", "Asia/Tokyo") });
    let held = |at: &str| table.blackout(time(at)).map(ToString::to_string);
    // 00:00 of the 20th in Tokyo.
    assert_eq!(held("2026-12-19T15:00:00Z").as_deref(), Some("2026-12-20/2027-01-05"));
    assert_eq!(held("2026-12-19T14:59:59Z"), None);
    assert_eq!(held("2027-01-05T14:59:59Z").as_deref(), Some("2026-12-20/2027-01-05"));
    // Wednesday the 6th, 00:00 in Tokyo; at 08:00 the week's hours begin.
    assert_eq!(held("2027-01-05T15:00:00Z"), None);
    assert_eq!(held("2027-01-05T23:00:00Z").as_deref(), Some("Mon-Fri 08:00-18:00"));
    assert_eq!(held("2027-01-06T09:00:00Z"), None);
}

#[test]
fn what_cannot_be_meant_is_found() {
    let today = jiff::civil::date(2026, 11, 22);
    let problems = |change: fn(&mut Schedule)| {
        let mut written = schedule("0 3 * * SUN", "Europe/Berlin");
        change(&mut written);
        match Timetable::new("shop", &written) {
            Ok(table) => table.problems(today),
            Err(problems) => problems,
        }
    };
    assert_eq!(problems(|_| ()), []);
    assert_eq!(problems(|it| it.cron = "0 3 31 4 *".to_owned()), [Problem::NeverFires]);
    // Rare is not never.
    assert_eq!(problems(|it| it.cron = "0 3 29 2 *".to_owned()), []);
    assert_eq!(problems(|it| it.blackout = vec!["Sat-Sun".to_owned()]), [Problem::AlwaysBlackout]);
    assert_eq!(
        problems(|it| it.blackout = vec!["2026-01-01/2099-12-31".to_owned()]),
        [Problem::AlwaysBlackout]
    );
    assert_eq!(problems(|it| it.blackout = vec!["2026-01-01/2027-12-31".to_owned()]), []);
    // A week is an hour shorter when the clock is put forward.
    let reaching = problems(|it| it.jitter = Some(Duration::from_secs(7 * 86_400 - 3_600)));
    assert_eq!(reaching, [Problem::Jitter(Duration::from_secs(7 * 86_400 - 3_600))]);
    assert_eq!(problems(|it| it.jitter = Some(Duration::from_secs(6 * 86_400))), []);
    let several = problems(|it| {
        it.cron = "0 3 1 * SUN".to_owned();
        it.timezone = Some("Nowhere".to_owned());
        it.blackout = vec!["2026-12-24".to_owned(), "soon".to_owned()];
    });
    let [Problem::Cron(cron), Problem::Zone(_), Problem::Blackout(1, _)] = &several[..] else {
        panic!("{several:?}")
    };
    assert!(cron.both_days);
}
