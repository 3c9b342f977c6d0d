//! Signals that decide together: enough of them, for long enough.

use drctl::engine::trigger::{Arrival, Facts, Hook, Outcome, Reported, TriggerRecord, Watch, explain};
use drctl::model::run::RunStatus;
use drctl::model::trigger::TriggerSource;
use drctl::webhook::read_unproved;

use super::world::{World, fixture, runbook, time};

/// Two of three, for five minutes.
const BOTH: &str = "  - name: together
    signals:
      - {name: pager, on: pagerduty, when: \"incident.priority == 'P1'\"}
      - {name: probes, on: alertmanager, when: \"event.labels.alertname == 'PaymentsDown'\"}
      - {name: alarm, on: cloudwatch, when: \"event.labels.alarm == 'payments-5xx'\"}
    quorum: 2
    dwell: 5m
    cooldown: 1h
    start: {operation: failover, to: west}
";
const NOW: &str = "2026-11-22T03:00:13Z";

#[tokio::test]
async fn enough_signals_for_long_enough_stage_one_run() {
    let world = World::new(BOTH, NOW);
    world.look().await;
    world.pages("pagerduty-triggered.json").await;
    assert_eq!(world.look().await.next, None);
    assert_eq!(world.told().await, ["red pager", "waiting quorum 1/2"]);
    world.at("2026-11-22T03:02:00Z");
    world.alerts("alertmanager-firing.json").await;
    assert_eq!(world.look().await.next, Some(time("2026-11-22T03:07:00Z")));
    assert_eq!(world.told().await[2..], ["red probes", "waiting dwell 2/2"]);
    world.at("2026-11-22T03:06:59.999Z");
    world.look().await;
    assert_eq!(world.runs().await, []);
    world.at("2026-11-22T03:07:00Z");
    world.look().await;
    // The third one joins: nothing more is decided.
    world.alarms("sns-alarm.json").await;
    world.look().await;
    assert_eq!(world.told().await[4..], ["fired staged", "launched staged", "red alarm"]);
    assert_eq!(world.runs().await, [RunStatus::Staged]);
    // The first one is over: two are red still, and it is the same matter.
    world.at("2026-11-22T03:10:00Z");
    world.alerts("alertmanager-resolved.json").await;
    world.look().await;
    assert_eq!(world.told().await[7..], ["green resolved"]);
    // One is red: the matter is over, and the staged run stays until nothing is red.
    world.at("2026-11-22T03:20:13Z");
    world.alarms("sns-ok.json").await;
    world.look().await;
    assert_eq!(world.told().await[8..], ["green resolved", "over", "waiting quorum 1/2"]);
    assert_eq!(world.runs().await, [RunStatus::Staged]);
    world.at("2026-11-22T03:30:01Z");
    world.pages("pagerduty-resolved.json").await;
    world.look().await;
    assert_eq!(world.told().await[11..], ["green resolved", "withdrawn withdrawn"]);
    assert_eq!(world.runs().await, [RunStatus::Aborted]);
}

/// The time starts anew when a signal was green in between, and is kept over a restart.
#[tokio::test]
async fn the_dwell_is_without_a_gap_and_survives_a_restart() {
    let mut world = World::new(BOTH, NOW);
    world.look().await;
    world.pages("pagerduty-triggered.json").await;
    world.alerts("alertmanager-firing.json").await;
    world.look().await;
    world.at("2026-11-22T03:04:00Z");
    world.alerts("alertmanager-resolved.json").await;
    world.look().await;
    world.at("2026-11-22T03:06:00Z");
    world.alarms("sns-alarm.json").await;
    assert_eq!(world.look().await.next, Some(time("2026-11-22T03:11:00Z")));
    assert_eq!(world.runs().await, []);
    world.restart();
    assert_eq!(world.look().await.next, Some(time("2026-11-22T03:11:00Z")));
    world.at("2026-11-22T03:11:00Z");
    world.restart();
    world.look().await;
    assert_eq!(world.runs().await, [RunStatus::Staged]);
}

/// A signal of which nothing was heard for days counts no more.
#[tokio::test]
async fn a_signal_fades() {
    let world = World::new(BOTH, NOW);
    world.look().await;
    world.pages("pagerduty-triggered.json").await;
    world.look().await;
    world.at("2026-11-25T03:00:14Z");
    world.alerts("alertmanager-firing.json").await;
    world.look().await;
    assert_eq!(world.told().await[2..], ["red probes", "green faded", "waiting quorum 1/2"]);
    world.at("2026-11-25T04:00:14Z");
    world.look().await;
    assert_eq!(world.runs().await, []);
}

#[test]
fn what_would_happen_is_explained() {
    let found = runbook(BOTH);
    let watch = Watch { service: found.metadata.name, triggers: found.triggers };
    let told = |name: &str, source: TriggerSource, record: &TriggerRecord| {
        let events = read_unproved(source, &fixture(name)).unwrap().events;
        let events = events.into_iter().map(|event| Reported { event, stale: false, old: false }).collect();
        let now = time(NOW);
        let hook = Hook { source, asks: false, notes: false, from: 0 };
        let facts = Facts {
            now,
            hooks: [("hook".to_owned(), hook)].into(),
            arrivals: vec![Arrival { webhook: "hook".to_owned(), sequence: 1, at: now, events }],
            stopped: None,
            runs: Vec::new(),
            answers: Vec::new(),
        };
        let told = explain(&watch, record, &facts);
        told.into_iter().map(|told| (told.outcome, told.why)).collect::<Vec<_>>()
    };
    let fresh = TriggerRecord::default();
    let pager = told("pagerduty-triggered.json", TriggerSource::Pagerduty, &fresh);
    let why = "signal pager is red; quorum: 1 of 2 red";
    assert_eq!(pager, [(Outcome::Waits, why.to_owned())]);
    let alerts = told("alertmanager-firing.json", TriggerSource::Alertmanager, &fresh);
    assert_eq!(alerts[0].0, Outcome::Waits);
    assert_eq!(alerts[1], (Outcome::NoMatch, "the condition of probes does not hold".to_owned()));
    assert_eq!(told("pagerduty-ping.json", TriggerSource::Pagerduty, &fresh)[0].0, Outcome::Ignored);
    assert_eq!(told("pagerduty-resolved.json", TriggerSource::Pagerduty, &fresh)[0].0, Outcome::Resolves);
    assert_eq!(told("canary.json", TriggerSource::Webhook, &fresh)[0].0, Outcome::NotListening);
}
