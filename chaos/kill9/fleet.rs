//! A fleet whose process is killed at random moments: whoever resumes it goes on with every member, begins
//! none a second time, and keeps their order.

use std::collections::BTreeMap;
use std::time::Duration;

use drctl::model::id::ServiceName;
use drctl::model::run::RunStatus;
use drctl::ports::{Journal as _, JournalAdmin as _, RunFilter};
use drctl::runtime::service_record;

use super::killer::Killer;
use super::service::Service;
use crate::case::block_on;

/// Kills this test must make.
const SHARE: u32 = 25;
/// About how long an undisturbed evacuation takes.
const LENGTH: Duration = Duration::from_millis(500);
/// Most kills of one evacuation.
const KILLS: u64 = 6;
/// The members, each after those it needs.
const MEMBERS: [(&str, &[&str]); 5] = [
    ("identity", &[]),
    ("network", &[]),
    ("payments", &["identity", "network"]),
    ("orders", &["payments"]),
    ("mail", &["payments"]),
];
const STEPS: [&str; 3] = ["fence", "promote", "check"];

fn runbook(service: &str) -> String {
    let step = |id: &str, phase: &str, seconds: &str| {
        format!(
            "      - {{id: {id}, phase: {phase}, uses: command.run, drill: skip, \
             reversibility: {{class: compensable, reason: it writes a line}}, \
             with: {{argv: [./step, {id}, \"{seconds}\"], observes: true}}}}\n"
        )
    };
    let steps =
        [step("fence", "fence", "0.01"), step("promote", "promote", "0.05"), step("check", "validate", "0")];
    format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: {service}}}\n\
         sites: {{east: {{role: active}}, west: {{role: standby}}}}\nworkflows:\n  failover:\n    steps:\n{}",
        steps.concat()
    )
}

fn fleet() -> String {
    let member = |(service, needs): &(&str, &[&str])| {
        format!("  - {{runbook: {service}, needs: [{}]}}\n", needs.join(", "))
    };
    let members: String = MEMBERS.iter().map(member).collect();
    format!(
        "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {{name: evacuate}}\nobjectives: {{rto: 1h}}\n\
         max_parallel: 3\nmembers:\n{members}"
    )
}

fn made() -> Service {
    let service = Service::new(&runbook("pay"));
    std::fs::remove_file(service.path("runbooks/pay.yaml")).unwrap();
    for (member, _) in MEMBERS {
        std::fs::write(service.path(&format!("runbooks/{member}.yaml")), runbook(member)).unwrap();
    }
    std::fs::write(service.path("runbooks/evacuate.yaml"), fleet()).unwrap();
    service
}

/// The command that goes on: the start, until it is recorded.
fn next(service: &Service) -> Vec<String> {
    let run = block_on(service.run_of("bad-day"));
    let words = match &run {
        Some(run) => vec!["resume", run.as_str()],
        None => vec!["failover", "evacuate", "--reason", "drill", "--idempotency-key", "bad-day"],
    };
    words.into_iter().map(str::to_owned).collect()
}

fn evacuate(killer: &mut Killer) {
    let service = made();
    for _ in 0..killer.random.up_to(KILLS) {
        let words = next(&service);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        killer.strike(&service, &words, LENGTH);
    }
    let words = next(&service);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = service.run(&words);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.said, service.account());
    let runs = verified(&service);
    in_order(&service, &runs);
}

/// One run of each member, begun by the fleet, and every service where it belongs. Returns the members' runs.
fn verified(service: &Service) -> BTreeMap<String, String> {
    block_on(async {
        let journal = service.look().unwrap();
        let runs = journal.runs(&RunFilter::default()).await.unwrap();
        assert_eq!(runs.len(), MEMBERS.len() + 1, "{runs:#?}\n{}", service.account());
        let fleet = runs.iter().find(|run| run.service.as_str() == "evacuate").unwrap();
        let mut members = BTreeMap::new();
        for run in &runs {
            assert_eq!(run.status, RunStatus::Succeeded, "{}\n{}", run.run, service.account());
            if run.run != fleet.run {
                assert_eq!(run.parent.as_ref(), Some(&fleet.run));
                members.insert(run.service.to_string(), run.run.to_string());
            }
        }
        for (member, _) in MEMBERS {
            let name = ServiceName::new(member).unwrap();
            let record = service_record(&journal, &name).await.unwrap();
            assert_eq!(record.active.map(|site| site.to_string()).as_deref(), Some("west"), "{member}");
        }
        let sound = journal.verify().await.unwrap();
        assert!(sound.damage.is_empty(), "{:?}", sound.damage);
        members
    })
}

/// Every step of every member happened once, and after those of the members it needs.
fn in_order(service: &Service, runs: &BTreeMap<String, String>) {
    let effects = service.effects();
    let lines: Vec<&str> = effects.lines().collect();
    let at = |member: &str, verb: &str, step: &str| {
        let mine = format!("{verb} {} {step} ", runs[member]);
        let found: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with(&mine)).collect();
        assert_eq!(found.len(), 1, "{verb} {step} of {member}\n{}", service.account());
        found[0]
    };
    for (member, needs) in MEMBERS {
        let times = STEPS.map(|step| (at(member, "begin", step), at(member, "end", step)));
        assert!(times.is_sorted() && times.iter().all(|(begin, end)| begin < end), "{member}: {times:?}");
        for need in needs {
            assert!(at(need, "end", "check") < times[0].0, "{member} before {need}\n{}", service.account());
        }
    }
}

#[test]
fn a_fleet_survives_its_process() {
    let mut killer = Killer::new("fleet");
    while killer.made() < SHARE {
        evacuate(&mut killer);
    }
    killer.tell();
}

/// What is asked of the whole reaches every member: nobody goes on while the fleet is paused.
#[test]
fn a_fleet_is_paused_resumed_and_aborted_as_a_whole() {
    let service = made();
    for slow in ["identity", "network", "payments"] {
        let text = runbook(slow).replace("promote, \"0.05\"", "promote, \"1\"");
        std::fs::write(service.path(&format!("runbooks/{slow}.yaml")), text).unwrap();
    }
    let words = next(&service);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut driver = service.start(&words);
    let promotes = |effects: &str| {
        effects.lines().filter(|line| line.starts_with("begin") && line.contains(" promote ")).count()
    };
    service.wait_until("both members promote", |effects| promotes(effects) == 2);
    let run = block_on(service.run_of("bad-day")).unwrap();
    let said = service.run(&["pause", run.as_str(), "--reason", "look"]);
    assert_eq!(said.code, Some(0), "{}", said.said);
    driver.wait().unwrap();
    assert_eq!(
        statuses(&service),
        [("evacuate", "paused"), ("identity", "paused"), ("network", "paused")].map(owned)
    );
    assert!(!service.effects().contains(" check "), "{}", service.account());

    let mut driver = service.start(&["resume", run.as_str(), "--reason", "go on"]);
    service.wait_until("payments has begun", |effects| promotes(effects) == 3);
    let said = service.run(&["abort", run.as_str(), "--reason", "enough"]);
    assert_eq!(said.code, Some(0), "{}", said.said);
    driver.wait().unwrap();
    // Those that were paused in between were helped along.
    let aborted = [
        ("evacuate", "aborted"),
        ("identity", "succeeded_with_warnings"),
        ("network", "succeeded_with_warnings"),
        ("payments", "aborted"),
    ];
    assert_eq!(statuses(&service), aborted.map(owned), "{}", service.account());
}

fn owned((service, status): (&str, &str)) -> (String, String) {
    (service.to_owned(), status.to_owned())
}

fn statuses(service: &Service) -> Vec<(String, String)> {
    let runs = block_on(async { service.look().unwrap().runs(&RunFilter::default()).await.unwrap() });
    let mut statuses: Vec<_> =
        runs.iter().map(|run| (run.service.to_string(), run.status.to_string())).collect();
    statuses.sort();
    statuses
}
