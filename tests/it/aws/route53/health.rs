//! Inversion of health checks: never over a newer version, never of an endpoint that is down.

use drctl::engine::input::Observation;
use drctl::model::action::Action;
use drctl::model::run::FailureClass;
use drctl::ports::{Polled, Provider as _, Started};
use serde_json::json;

use super::{Scene, applied, handle, under_way};
use crate::aws::fake::route53::Check;
use crate::support::attempt::action;

fn healthy(healthy: bool) -> Action {
    action("aws.route53.set_health_check", json!({"health_check_id": "east", "healthy": healthy}))
}

fn scene(inverted: bool, up: bool) -> Scene {
    let scene = Scene::new();
    let check = Check { version: 4, inverted, up, kind: "HTTPS", threshold: 2 };
    scene.fake.world().checks.insert("east".to_owned(), check);
    scene
}

#[tokio::test]
async fn a_check_is_inverted_and_back() {
    let scene = scene(false, true);
    let action = healthy(false);
    let mut step = scene.step(&action);
    assert_eq!(step.observe(None).await, Observation::NotApplied);
    let outputs = step.perform().await.unwrap();
    let expected = json!({"inverted": true, "previous_inverted": false, "version": 5, "status": "unhealthy", "lasting": false});
    assert_eq!(json!(outputs), expected);
    assert!(scene.fake.world().checks["east"].inverted);
    assert_eq!(applied(step.observe(None).await)["status"], "unhealthy");
    step.undo().await.unwrap();
    assert!(!scene.fake.world().checks["east"].inverted);
    assert_eq!(scene.fake.count("UpdateHealthCheck"), 2);
    step.undo().await.unwrap();
    assert_eq!(scene.fake.count("UpdateHealthCheck"), 2);
}

#[tokio::test]
async fn the_check_of_an_endpoint_that_is_down_is_left_alone() {
    let scene = scene(false, false);
    let action = healthy(false);
    let failure = scene.step(&action).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("would send users there"), "{failure}");
    assert!(!scene.fake.world().checks["east"].inverted);
    assert_eq!(scene.fake.count("UpdateHealthCheck"), 0);
}

#[tokio::test]
async fn a_newer_version_is_never_overwritten() {
    let scene = scene(false, true);
    let action = healthy(false);
    scene.fake.world().change_after_look = true;
    let failure = scene.step(&action).start().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient);
    assert!(failure.message.contains("HealthCheckVersionMismatch"), "{failure}");
    assert!(!scene.fake.world().checks["east"].inverted);
    // The next attempt reads the new version.
    scene.fake.world().change_after_look = false;
    handle(scene.step(&action).start().await.unwrap());
}

#[tokio::test]
async fn clearing_an_inversion_waits_for_the_endpoint() {
    let scene = scene(true, false);
    let action = healthy(true);
    let mut step = scene.step(&action);
    step.prepare().await.unwrap();
    let handle = handle(step.start().await.unwrap());
    let looked = scene.provider.poll(&action, &step.context, &handle).await.unwrap();
    assert_eq!(looked, Polled::Pending(Some("0 of 3 checkers reach the endpoint".to_owned())));
    under_way(step.observe(Some(&handle)).await);
    scene.fake.world().checks.get_mut("east").unwrap().up = true;
    let (outputs, _) = step.follow(&handle).await.unwrap();
    assert_eq!((&outputs["inverted"], &outputs["status"]), (&json!(false), &json!("healthy")));
}

#[tokio::test]
async fn a_check_without_checkers_is_not_waited_for() {
    let scene = scene(false, true);
    scene.fake.world().checks.get_mut("east").unwrap().kind = "CLOUDWATCH_METRIC";
    let action = healthy(false);
    let outputs = scene.step(&action).perform().await.unwrap();
    assert_eq!((&outputs["inverted"], &outputs["status"]), (&json!(true), &json!("not_reported")));
    assert_eq!(scene.fake.count("GetHealthCheckStatus"), 0);
    let missing = action_of_missing();
    let failure = scene.step(&missing).prepare().await.unwrap_err();
    assert!(failure.message.contains("no health check west"), "{failure}");
}

#[tokio::test]
async fn a_calculated_check_needs_more_children_than_it_has_and_goes_back() {
    let scene = scene(false, true);
    scene.fake.world().checks.get_mut("east").unwrap().kind = "CALCULATED";
    let drain = healthy(false);
    let mut step = scene.step(&drain);
    let outputs = step.perform().await.unwrap();
    assert_eq!((&outputs["inverted"], &outputs["lasting"]), (&json!(false), &json!(true)));
    let told = || {
        let world = scene.fake.world();
        (world.checks["east"].inverted, world.checks["east"].threshold)
    };
    assert_eq!(told(), (false, 4));
    applied(step.observe(None).await);
    step.undo().await.unwrap();
    assert_eq!(told(), (false, 2));
    // A later run does not know what it needed before: all of them, or as many as are named.
    let children = |number: Option<u32>| {
        let with = json!({"health_check_id": "east", "healthy": true, "healthy_children": number});
        action("aws.route53.set_health_check", with)
    };
    scene.step(&drain).perform().await.unwrap();
    scene.step(&children(None)).perform().await.unwrap();
    assert_eq!(told(), (false, 3));
    scene.step(&children(Some(1))).perform().await.unwrap();
    scene.step(&children(None)).perform().await.unwrap();
    assert_eq!(told(), (false, 1));
    let failure = scene.step(&children(Some(4))).prepare().await.unwrap_err();
    assert!(failure.message.contains("not between 1 and the 3 it has"), "{failure}");
    // Inverted, it would be healthy when it needs more than it has.
    scene.fake.world().checks.get_mut("east").unwrap().inverted = true;
    scene.step(&drain).perform().await.unwrap();
    assert_eq!(told(), (false, 4));
}

fn action_of_missing() -> Action {
    let with = json!({"health_check_id": "west", "healthy": false, "wait_status": false});
    action("aws.route53.set_health_check", with)
}

#[tokio::test]
async fn without_waiting_it_is_over_at_once() {
    let scene = scene(false, true);
    let with = json!({"health_check_id": "east", "healthy": false, "wait_status": false});
    let action = action("aws.route53.set_health_check", with);
    let started = scene.step(&action).start().await.unwrap();
    let Started::Done(outputs) = started else { panic!("{started:?}") };
    assert_eq!(outputs["version"], json!(5));
}
