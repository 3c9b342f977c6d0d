//! Many steps that change one zone at the same time: how few requests that takes, and that nobody pays for
//! another.

use std::collections::BTreeSet;

use drctl::engine::input::Observation;
use drctl::model::action::Action;
use drctl::model::run::FailureClass;
use drctl::model::time::{Duration, Timestamp};
use drctl::ports::Provider as _;
use serde_json::{Value, json};

use super::{Scene, all, handle, under_way};
use crate::support::attempt::action;

fn change(records: impl Iterator<Item = (String, &'static str, &'static str)>) -> Action {
    let changes: Vec<Value> = records
        .map(|(name, verb, value)| {
            json!({"name": name, "record_type": "A", "action": verb, "values": [value], "ttl": "30s"})
        })
        .collect();
    action("aws.route53.change_records", json!({"zone_id": "Z1", "changes": changes, "wait_ttl": false}))
}

fn name(step: usize, record: usize) -> String {
    format!("r{record}.s{step}.example.com")
}

/// Fails when more than so many requests came within any second.
fn at_most(rate: usize, seen: &[(Timestamp, &str)]) {
    for window in seen.windows(rate + 1) {
        let span = window[rate].0.since(window[0].0);
        assert!(span >= Duration::from_secs(1), "{} requests within {span}: {window:?}", rate + 1);
    }
}

#[tokio::test]
async fn a_thousand_records_of_fifty_steps_under_a_throttle_storm() {
    let scene = Scene::new();
    for (step, record) in (0..50).flat_map(|step| (0..20).map(move |record| (step, record))) {
        scene.fake.address(&name(step, record), "192.0.2.1");
    }
    let storm = ["Throttling", "Throttling", "PriorRequestNotComplete", "Throttling"];
    scene.fake.world().refuse = storm.to_vec();
    scene.fake.world().pending = 3;
    let actions: Vec<Action> = (0..50)
        .map(|step| change((0..20).map(move |record| (name(step, record), "upsert", "192.0.2.2"))))
        .collect();
    let mut steps: Vec<_> = actions.iter().map(|action| scene.step(action)).collect();
    for (at, step) in steps.iter_mut().enumerate() {
        step.context.idempotency_key = format!("run/step-{at}/do/1");
    }
    let ended = all(steps.iter_mut().map(super::Step::perform)).await;
    let mut ids = BTreeSet::new();
    for outputs in ended {
        ids.insert(outputs.unwrap()["change_id"].as_str().unwrap().to_owned());
    }
    for (step, record) in (0..50).flat_map(|step| (0..20).map(move |record| (step, record))) {
        let value = scene.fake.field(&name(step, record), "", "ResourceRecords/0/Value");
        assert_eq!(value.as_deref(), Some("192.0.2.2"));
    }
    let world = scene.fake.world();
    at_most(5, &world.seen);
    let count = |operation| world.seen.iter().filter(|(_, seen)| *seen == operation).count();
    // An upsert counts twice: a thousand of them are two full batches, and no fewer calls would do.
    assert_eq!(world.applied, [500, 500]);
    assert_eq!(ids.len(), 2);
    assert_eq!(count("ChangeResourceRecordSets"), 2 + storm.len());
    // A thousand records are four pages, asked for once for all steps.
    assert_eq!((count("ListResourceRecordSets"), count("ListResourceRecordSetProtections")), (4, 1));
    // Each change is pending for three looks, that of its answer not counted.
    assert_eq!(count("GetChange"), 2 * 4);
    assert_eq!(world.seen.len(), 19, "{:?}", world.seen);
}

#[tokio::test]
async fn while_one_request_is_under_way_the_others_gather() {
    let scene = Scene::new();
    let actions: Vec<Action> =
        (0..40).map(|step| change(std::iter::once((name(step, 0), "create", "192.0.2.2")))).collect();
    let steps: Vec<_> = actions.iter().map(|action| scene.step(action)).collect();
    let first = async { steps[0].start().await };
    let others = async {
        // The first order is on its way, or answered, when the others come.
        tokio::task::yield_now().await;
        all(steps[1..].iter().map(super::Step::start)).await
    };
    let (first, others) = tokio::join!(first, others);
    let mut ids = BTreeSet::from([handle(first.unwrap())["change_id"].clone().to_string()]);
    ids.extend(others.into_iter().map(|one| handle(one.unwrap())["change_id"].to_string()));
    let world = scene.fake.world();
    assert!(ids.len() <= 2 && world.applied.len() <= 2, "{:?}", world.applied);
    assert_eq!(world.applied.iter().sum::<usize>(), 40);
}

async fn nobody_fails_for_another(own_form: bool) {
    let scene = Scene::new();
    scene.fake.world().own_form = own_form;
    let taken = [3, 17];
    for step in taken {
        scene.fake.address(&name(step, 1), "192.0.2.1");
    }
    let records = |step: usize| (0..2).map(move |record| (name(step, record), "create", "192.0.2.2"));
    let actions: Vec<Action> = (0..20).map(|step| change(records(step))).collect();
    let steps: Vec<_> = actions.iter().map(|action| scene.step(action)).collect();
    let ended = all(steps.iter().map(super::Step::start)).await;
    for (step, started) in ended.into_iter().enumerate() {
        if taken.contains(&step) {
            let failure = started.unwrap_err();
            assert_eq!(failure.class, FailureClass::Permanent);
            assert!(failure.message.contains(&name(step, 1)), "{failure}");
            assert!(failure.message.contains("InvalidChangeBatch"), "{failure}");
            assert_eq!(scene.fake.field(&name(step, 0), "", "TTL"), None);
        } else {
            handle(started.unwrap());
            assert_eq!(scene.fake.field(&name(step, 0), "", "TTL").as_deref(), Some("30"));
        }
    }
    // The batch, those that were not named, and each that was.
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 4);
    at_most(5, &scene.fake.world().seen);
}

#[tokio::test]
async fn nobody_fails_for_the_record_of_another() {
    nobody_fails_for_another(false).await;
    nobody_fails_for_another(true).await;
}

#[tokio::test]
async fn who_gives_up_while_waiting_is_not_sent() {
    let scene = Scene::new();
    scene.fake.world().refuse = vec!["Throttling"];
    let (kept, given_up) = (
        change(std::iter::once((name(1, 0), "upsert", "192.0.2.2"))),
        change(std::iter::once((name(2, 0), "upsert", "192.0.2.2"))),
    );
    let (kept, given_up) = (scene.step(&kept), scene.step(&given_up));
    let cancel = async {
        while scene.fake.count("ChangeResourceRecordSets") == 0 {
            tokio::task::yield_now().await;
        }
        given_up.switch.cancel();
    };
    let (kept, given_up, ()) = tokio::join!(kept.start(), given_up.start(), cancel);
    handle(kept.unwrap());
    assert_eq!(given_up.unwrap_err().class, FailureClass::InDoubt);
    assert_eq!(scene.fake.world().applied, [1]);
    assert_eq!(scene.fake.field(&name(2, 0), "", "TTL"), None);
}

#[tokio::test]
async fn a_lost_answer_leaves_all_in_doubt_and_observing_repeats_nothing() {
    let scene = Scene::new();
    scene.fake.world().lose = 1;
    let actions: Vec<Action> = (0..10)
        .map(|step| change((0..3).map(move |record| (name(step, record), "create", "192.0.2.2"))))
        .collect();
    let mut steps: Vec<_> = actions.iter().map(|action| scene.step(action)).collect();
    for prepared in all(steps.iter_mut().map(super::Step::prepare)).await {
        prepared.unwrap();
    }
    let before = scene.provider.observe(&actions[0], &steps[0].context, None).await;
    assert_eq!(before, Observation::NotApplied);
    for started in all(steps.iter().map(super::Step::start)).await {
        let failure = started.unwrap_err();
        assert_eq!(failure.class, FailureClass::InDoubt, "{failure}");
        assert!(failure.message.contains("it may have been applied"), "{failure}");
    }
    let looks = scene.fake.count("ListResourceRecordSets");
    let began = scene.clock.state_now();
    for (step, seen) in steps.iter().zip(all(steps.iter().map(|step| step.observe(None))).await) {
        let handle = under_way(seen);
        let (outputs, lines) = step.follow(&handle).await.unwrap();
        assert_eq!(outputs["change_id"], Value::Null);
        assert!(lines.iter().all(|line| line.contains("whose answer was lost")), "{lines:?}");
    }
    // Nobody knows the id: a minute is what Route 53 takes to reach every server.
    assert!(scene.clock.state_now().since(began) >= Duration::from_secs(60));
    assert_eq!(scene.fake.count("ListResourceRecordSets"), looks + 1);
    assert_eq!((scene.fake.count("ChangeResourceRecordSets"), scene.fake.count("GetChange")), (1, 0));
}

#[tokio::test]
async fn throttling_without_end_is_said_after_a_minute() {
    let scene = Scene::new();
    scene.fake.world().refuse = vec!["Throttling"; 100];
    let action = change(std::iter::once((name(1, 0), "upsert", "192.0.2.2")));
    let began = scene.clock.state_now();
    let failure = scene.step(&action).start().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Throttled);
    let took = scene.clock.state_now().since(began);
    assert!(took >= Duration::from_secs(60) && took < Duration::from_secs(80), "{took}");
    assert!(scene.fake.count("ChangeResourceRecordSets") <= 13);
    // Whoever comes later finds the queue as it should be.
    scene.fake.world().refuse.clear();
    handle(scene.step(&action).start().await.unwrap());
}

#[tokio::test]
async fn the_rate_is_what_is_configured() {
    let scene = Scene::with_rate(Some(2));
    let check = |n: usize| action("aws.route53.check_change", json!({"change_id": format!("C{n}")}));
    let actions: Vec<Action> = (0..7).map(check).collect();
    let steps: Vec<_> = actions.iter().map(|action| scene.step(action)).collect();
    all(steps.iter().map(super::Step::start)).await;
    let world = scene.fake.world();
    assert_eq!(world.seen.len(), 7);
    at_most(2, &world.seen);
}
