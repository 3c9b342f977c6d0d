//! Weights: in stages, over the end of a process, back to what they were.

use drctl::engine::input::Observation;
use drctl::model::action::Action;
use drctl::model::run::FailureClass;
use drctl::model::time::Duration;
use drctl::ports::Provider as _;
use serde_json::{Value, json};

use super::{Scene, applied, handle, under_way};
use crate::support::attempt::action;

fn drain(stages: &[u8]) -> Action {
    let with = json!({
        "zone_id": "Z1", "name": "www.example.com", "record_type": "A", "site": "east", "stages": stages,
        "stage_pause": "60s",
    });
    action("aws.route53.drain_site", with)
}

fn set(weights: &Value, stages: &[u8]) -> Action {
    let with = json!({
        "zone_id": "Z1", "name": "www.example.com", "record_type": "A", "weights": weights, "stages": stages,
    });
    action("aws.route53.set_weights", with)
}

fn three() -> Scene {
    let scene = Scene::new();
    for (name, weight) in [("east", 100), ("west", 60), ("south", 40)] {
        scene.fake.weighted("www.example.com", name, weight);
    }
    scene.fake.address("www.example.org.example.com", "192.0.2.1");
    scene
}

fn weights(scene: &Scene) -> [String; 3] {
    ["east", "west", "south"].map(|set| scene.fake.field("www.example.com", set, "Weight").unwrap())
}

#[tokio::test]
async fn a_site_is_drained_in_stages_and_filled_again() {
    let scene = three();
    let action = drain(&[25, 50, 100]);
    let mut step = scene.step(&action);
    step.prepare().await.unwrap();
    let began = scene.clock.state_now();
    let (outputs, lines) = step.run().await.unwrap();
    assert_eq!(weights(&scene), ["0", "60", "40"]);
    assert_eq!(outputs["change_ids"], json!(["C1", "C2", "C3"]));
    assert_eq!(outputs["previous"], json!({"east": 100, "west": 60, "south": 40}));
    assert_eq!(outputs["weights"], json!({"east": 0, "west": 60, "south": 40}));
    assert_eq!(outputs["stage"], json!(100));
    assert!(lines.iter().any(|line| line == "50 %: change C2 was sent"), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("25 %: change C1: waiting")), "{lines:?}");
    // Two pauses of a minute and the TTL at the end.
    assert!(scene.clock.state_now().since(began) >= Duration::from_secs(150));
    // Only the site's own record is written: the others keep their proportion by themselves.
    assert_eq!(scene.fake.world().applied, [1, 1, 1]);
    step.undo().await.unwrap();
    assert_eq!(weights(&scene), ["100", "60", "40"]);
}

#[tokio::test]
async fn another_process_goes_on_where_the_weights_stand() {
    let mut scene = three();
    let action = drain(&[25, 50, 100]);
    let mut step = scene.step(&action);
    step.prepare().await.unwrap();
    let handle = handle(step.start().await.unwrap());
    while weights(&scene)[0] != "50" {
        scene.provider.poll(&action, &step.context, &handle).await.unwrap();
        scene.clock.advance(20);
    }
    let context = step.context.clone();
    scene.restart();
    let mut step = scene.step(&action);
    step.context = context;
    // Doubt after the driver was lost: the second stage is under way, whatever the handle says.
    let seen = under_way(step.observe(Some(&handle)).await);
    assert_eq!((&seen["stage"], &seen["change_id"]), (&json!(1), &Value::Null));
    let (outputs, _) = step.follow(&handle).await.unwrap();
    assert_eq!(weights(&scene), ["0", "60", "40"]);
    assert_eq!(outputs["stage"], json!(100));
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 3);
}

#[tokio::test]
async fn weights_that_somebody_else_sets_stop_the_move() {
    let scene = three();
    let action = drain(&[50, 100]);
    let mut step = scene.step(&action);
    step.prepare().await.unwrap();
    let handle = handle(step.start().await.unwrap());
    scene.fake.weighted("www.example.com", "west", 7);
    let failure = step.follow(&handle).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("somebody else changes them"), "{failure}");
    assert!(failure.message.contains("east 50, south 40, west 7"), "{failure}");
    let seen = step.observe(None).await;
    assert!(matches!(&seen, Observation::Unknown(why) if why.contains("somebody else")), "{seen:?}");
    assert_eq!(weights(&scene), ["50", "7", "40"]);
}

#[tokio::test]
async fn weights_that_somebody_else_has_set_since_stay() {
    let scene = three();
    let action = drain(&[50, 100]);
    let mut step = scene.step(&action);
    step.prepare().await.unwrap();
    let handle = handle(step.start().await.unwrap());
    scene.fake.world().strand();
    scene.fake.weighted("www.example.com", "west", 7);
    let failure = step.follow(&handle).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("not sent again"), "{failure}");
    let failure = step.undo().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("[west] is 192.0.2.9, weight 7"), "{failure}");
    assert_eq!(weights(&scene), ["50", "7", "40"]);
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 1);
}

#[tokio::test]
async fn a_stage_whose_answer_is_lost_is_not_repeated() {
    let scene = three();
    let action = set(&json!({"east": 0, "west": 100}), &[]);
    let mut step = scene.step(&action);
    step.prepare().await.unwrap();
    assert_eq!(step.observe(None).await, Observation::NotApplied);
    scene.fake.world().lose = 1;
    assert_eq!(step.start().await.unwrap_err().class, FailureClass::InDoubt);
    let handle = under_way(step.observe(None).await);
    let (outputs, _) = step.follow(&handle).await.unwrap();
    assert_eq!(outputs["weights"], json!({"east": 0, "west": 100, "south": 40}));
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 1);
    // Seen by a run that has done nothing yet, it is simply there.
    assert_eq!(applied(scene.step(&action).observe(None).await)["stage"], json!(100));
    // An attempt that begins anew finds nothing left to do but to wait.
    step.context.attempt = 2;
    handle_of_second(&step).await;
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 1);
}

async fn handle_of_second(step: &super::Step<'_>) {
    let handle = handle(step.start().await.unwrap());
    assert_eq!(handle["stage"], json!(0));
}

#[tokio::test]
async fn weights_as_they_are_and_weights_that_cannot_be_are_told_at_once() {
    let scene = three();
    let same = set(&json!({"west": 60}), &[50, 100]);
    let began = scene.clock.state_now();
    let mut step = scene.step(&same);
    let outputs = step.perform().await.unwrap();
    assert_eq!(outputs["change_ids"], json!([]));
    // Somebody may have set them just now.
    assert!(scene.clock.state_now().since(began) >= Duration::from_secs(90));
    assert_eq!(under_way(step.observe(None).await)["already"], json!(true));
    for (action, said) in [
        (set(&json!({"north": 60}), &[]), "no weighted record `north`"),
        (set(&json!({"east": 0, "west": 0, "south": 0}), &[]), "traffic to all of them"),
        (set(&json!({"east": 0}), &[50]), "must be 100"),
        (drain(&[100, 50]), "must rise"),
    ] {
        let failure = scene.step(&action).prepare().await.unwrap_err();
        assert!(failure.message.contains(said), "{failure}");
    }
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 0);
}
