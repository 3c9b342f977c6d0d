//! Instances, nodes and automations that take time, against the fake.

use drctl::engine::input::Observation;
use drctl::model::run::FailureClass;
use drctl::ports::Provider as _;
use serde_json::{Value, json};

use crate::aws::attempts::Attempt;
use crate::aws::estate::certify;
use crate::aws::fake::capacity::FakeCapacity;

fn group(min: u32, max: u32, desired: u32) -> Value {
    json!({"region": "us-west-2", "group": "g", "min": min, "max": max, "desired": desired})
}

fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("no object: {more}") };
    base.as_object_mut().unwrap().extend(more);
    base
}

fn capacity(fake: &FakeCapacity, with: Value) -> Attempt {
    Attempt::new(&fake.fake.caller(), "aws.autoscaling.set_capacity", with)
}

fn nodes(fake: &FakeCapacity, desired: u32) -> Attempt {
    let with = json!({
        "region": "us-west-2", "cluster": "c", "nodegroup": "n", "min": 2, "max": 6, "desired": desired,
    });
    Attempt::new(&fake.fake.caller(), "aws.eks.scale_nodegroup", with)
}

fn automation(fake: &FakeCapacity, document: &str) -> Attempt {
    let with = json!({
        "region": "us-west-2",
        "document": document,
        "parameters": {"Cluster": ["payments"]},
        "tags": {"run": "1"},
    });
    Attempt::new(&fake.fake.caller(), "aws.ssm.run_automation", with)
}

#[test]
fn the_fake_satisfies_the_vendors_own_sdk() {
    let fake = FakeCapacity::start();
    certify("certify_capacity.py", &fake.fake.caller());
}

#[tokio::test]
async fn a_group_grows_until_all_instances_serve_and_shrinks_back() {
    let fake = FakeCapacity::start();
    let mut attempt = capacity(&fake, group(3, 6, 4));
    let outputs = attempt.perform().await.unwrap();
    assert_eq!((&outputs["in_service"], &outputs["desired"]), (&json!(4), &json!(4)));
    assert_eq!(outputs["previous"], json!({"min": 1, "max": 4, "desired": 1}));
    assert!(
        attempt.lines[0].starts_with("1 of 4 instances in service") || attempt.lines[0].starts_with("2 of 4")
    );
    let prepared = attempt.context.prepared.clone().unwrap();
    assert_eq!(prepared["headroom"]["free_vcpus"], json!(62.0), "{prepared}");
    assert_eq!(fake.fake.count("UpdateAutoScalingGroup"), 1);
    attempt.undo().await.unwrap();
    assert_eq!(fake.size(), (1, 4, 1));
}

#[tokio::test]
async fn enough_instances_are_enough_and_missing_capacity_is_said() {
    let fake = FakeCapacity::start();
    fake.change(|world| world.room = 3);
    let mut attempt = capacity(&fake, with(group(3, 6, 4), json!({"min_success": 3})));
    assert_eq!(attempt.perform().await.unwrap()["in_service"], json!(3));
    let mut attempt = capacity(&fake, group(3, 6, 5));
    attempt.prepare().await.unwrap();
    attempt.start().await.unwrap();
    let polled = attempt.provider.poll(&attempt.action, &attempt.context, &Value::Null).await.unwrap();
    let text = format!("{polled:?}");
    assert!(text.contains("3 of 5") && text.contains("do not have sufficient m5.large capacity"), "{text}");
}

#[tokio::test]
async fn writers_are_at_zero_only_when_the_last_instance_is_gone() {
    let fake = FakeCapacity::start();
    fake.change(|world| (world.desired, world.serving) = (3, 3));
    let mut attempt = capacity(&fake, group(0, 0, 0));
    let outputs = attempt.perform().await.unwrap();
    assert_eq!((&outputs["in_service"], attempt.lines.len()), (&json!(0), 3), "{:?}", attempt.lines);
    attempt.undo().await.unwrap();
    assert_eq!(fake.size(), (1, 4, 3));
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_anything_is_changed() {
    let fake = FakeCapacity::start();
    for (change, what) in [
        (Box::new(|w: &mut _| set(w, 3, 64.0, &[])) as Box<dyn Fn(&mut _)>, "3 free addresses"),
        (Box::new(|w: &mut _| set(w, 250, 64.0, &["Launch"])), "process Launch"),
    ] {
        fake.change(|world| change(world));
        let failure = capacity(&fake, group(5, 8, 5)).perform().await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(failure.message.contains(what), "{failure}");
    }
    let failure = capacity(&fake, group(5, 8, 9)).perform().await.unwrap_err();
    assert!(failure.message.contains("not between"), "{failure}");
    let nobody = with(group(1, 2, 1), json!({"group": "x"}));
    let failure = capacity(&fake, nobody).perform().await.unwrap_err();
    assert!(failure.message.contains("no Auto Scaling group `x` in us-west-2"), "{failure}");
    assert_eq!(fake.fake.count("UpdateAutoScalingGroup"), 0);
}

#[tokio::test]
async fn a_short_quota_of_vcpus_is_said_and_refuses_nothing() {
    let fake = FakeCapacity::start();
    fake.change(|world| set(world, 250, 6.0, &[]));
    let mut attempt = capacity(&fake, group(5, 8, 5));
    attempt.perform().await.unwrap();
    assert!(attempt.lines.iter().any(|line| line.contains("quota has 4 vCPUs left")), "{:?}", attempt.lines);
    let prepared = attempt.context.prepared.clone().unwrap();
    assert!(prepared["headroom"]["warning"].as_str().unwrap().contains("4 more instances of 2 vCPUs"));
}

fn set(
    world: &mut crate::aws::fake::capacity::World,
    addresses: u32,
    quota: f64,
    suspended: &[&'static str],
) {
    (world.addresses, world.quota_vcpus, world.suspended) = (addresses, quota, suspended.to_vec());
}

#[tokio::test]
async fn a_lost_reply_is_observed_and_nothing_is_repeated() {
    let fake = FakeCapacity::start();
    let mut attempt = capacity(&fake, group(3, 6, 4));
    attempt.prepare().await.unwrap();
    assert_eq!(attempt.observe(None).await, Observation::NotApplied);
    fake.fake.lose_answer("UpdateAutoScalingGroup");
    assert_eq!(attempt.start().await.unwrap_err().class, FailureClass::InDoubt);
    let handle = attempt.under_way().await;
    attempt.follow(&handle).await.unwrap();
    assert_eq!(attempt.applied().await["in_service"], json!(4));
    assert_eq!(fake.fake.count("UpdateAutoScalingGroup"), 1);
}

#[tokio::test]
async fn somebody_elses_limits_end_the_wait() {
    let fake = FakeCapacity::start();
    let mut attempt = capacity(&fake, group(3, 6, 4));
    attempt.prepare().await.unwrap();
    attempt.start().await.unwrap();
    fake.change(|world| world.max = 2);
    let failure = attempt.follow(&Value::Null).await.unwrap_err();
    assert!(failure.message.contains("by somebody else"), "{failure}");
}

#[tokio::test]
async fn what_an_autoscaler_raises_under_load_is_neither_waited_for_nor_lowered() {
    let fake = FakeCapacity::start();
    let mut attempt = capacity(&fake, group(3, 6, 4));
    attempt.prepare().await.unwrap();
    attempt.start().await.unwrap();
    fake.change(|world| world.desired = 6);
    attempt.start().await.unwrap();
    assert_eq!((fake.fake.count("UpdateAutoScalingGroup"), fake.size()), (1, (3, 6, 6)));
    attempt.follow(&Value::Null).await.unwrap();
    attempt.applied().await;
    let fake = FakeCapacity::start();
    let mut attempt = nodes(&fake, 3);
    attempt.prepare().await.unwrap();
    let Ok(drctl::ports::Started::Handle(handle)) = attempt.start().await else { panic!("no handle") };
    fake.change(|world| world.desired = 6);
    attempt.follow(&handle).await.unwrap();
    attempt.start().await.unwrap();
    assert_eq!(fake.fake.count("POST /clusters/c/node-groups/n/update-config"), 1);
}

#[tokio::test]
async fn a_size_that_somebody_else_has_set_since_is_not_taken_back() {
    let fake = FakeCapacity::start();
    let mut attempt = capacity(&fake, group(3, 6, 4));
    attempt.perform().await.unwrap();
    fake.change(|world| world.max = 9);
    let failure = attempt.undo().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("min 3, max 9, desired 4"), "{failure}");
    assert_eq!(fake.size(), (3, 9, 4));
    let fake = FakeCapacity::start();
    let mut attempt = nodes(&fake, 3);
    attempt.perform().await.unwrap();
    fake.change(|world| world.max = 9);
    assert_eq!(attempt.undo().await.unwrap_err().class, FailureClass::Refused);
    let fake = FakeCapacity::start();
    let mut attempt = tasks(&fake, 3);
    attempt.perform().await.unwrap();
    fake.change(|world| world.tasks.0 = 9);
    let failure = attempt.undo().await.unwrap_err();
    assert!(failure.message.contains("9 tasks wanted"), "{failure}");
    assert_eq!(failure.class, FailureClass::Refused);
}

#[tokio::test]
async fn a_look_that_does_not_know_of_the_order_yet_is_nobodys_doing() {
    let fake = FakeCapacity::start();
    let mut attempt = capacity(&fake, group(3, 6, 4));
    attempt.prepare().await.unwrap();
    let Ok(drctl::ports::Started::Handle(handle)) = attempt.start().await else { panic!("no handle") };
    fake.change(|world| world.max = 4);
    let polled = attempt.provider.poll(&attempt.action, &attempt.context, &handle).await.unwrap();
    assert!(format!("{polled:?}").contains("group g still has min 3, max 4"), "{polled:?}");
    let mut attempt = nodes(&fake, 3);
    attempt.prepare().await.unwrap();
    let Ok(drctl::ports::Started::Handle(handle)) = attempt.start().await else { panic!("no handle") };
    fake.fake.refuse_once("GET /clusters/c/updates/", 404, "ResourceNotFoundException");
    attempt.follow(&handle).await.unwrap();
    let mut attempt = automation(&fake, "Drain");
    let Ok(drctl::ports::Started::Handle(handle)) = attempt.start().await else { panic!("no handle") };
    fake.fake.refuse_once("GetAutomationExecution", 400, "AutomationExecutionNotFoundException");
    attempt.follow(&handle).await.unwrap();
    assert!(attempt.lines[0].contains("does not show yet"), "{:?}", attempt.lines);
    // Later it is as it says.
    fake.fake.refuse_once("GetAutomationExecution", 400, "AutomationExecutionNotFoundException");
    let failure = attempt.follow(&json!({"execution_id": handle["execution_id"]})).await.unwrap_err();
    assert!(failure.message.contains("knows no execution"), "{failure}");
}

#[tokio::test]
async fn a_node_group_is_scaled_and_its_update_followed() {
    let fake = FakeCapacity::start();
    let mut attempt = nodes(&fake, 3);
    let outputs = attempt.perform().await.unwrap();
    assert_eq!(outputs["in_service"], json!(3));
    assert_eq!(outputs["previous"], json!({"min": 1, "max": 4, "desired": 1}));
    assert!(
        outputs["update_id"].is_string() && attempt.lines[0].contains("under way"),
        "{:?}",
        attempt.lines
    );
    attempt.undo().await.unwrap();
    assert_eq!(fake.size(), (1, 4, 1));
}

#[tokio::test]
async fn a_node_groups_lost_reply_is_observed() {
    let fake = FakeCapacity::start();
    let mut attempt = nodes(&fake, 3);
    attempt.prepare().await.unwrap();
    fake.fake.lose_answer("POST /clusters/c/node-groups/n/update-config");
    assert_eq!(attempt.start().await.unwrap_err().class, FailureClass::InDoubt);
    let handle = attempt.under_way().await;
    assert_eq!(attempt.follow(&handle).await.unwrap()["in_service"], json!(3));
    assert_eq!(fake.fake.count("POST /clusters/c/node-groups/n/update-config"), 1);
}

#[tokio::test]
async fn an_update_that_fails_says_why() {
    let fake = FakeCapacity::start();
    fake.change(|world| world.fails = true);
    let failure = nodes(&fake, 3).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("Instances failed to join"), "{failure}");
}

#[tokio::test]
async fn an_automation_is_followed_to_its_end() {
    let fake = FakeCapacity::start();
    let mut attempt = automation(&fake, "Drain");
    let outputs = attempt.perform().await.unwrap();
    assert_eq!(
        (&outputs["status"], &outputs["outputs"]),
        (&json!("Success"), &json!({"drain.Count": ["3"]}))
    );
    assert!(attempt.lines.iter().any(|line| line.ends_with("at step drain")), "{:?}", attempt.lines);
    let failure = attempt.undo().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    fake.change(|world| world.fails = true);
    let mut failing = automation(&fake, "Drain");
    failing.context.idempotency_key = "another".to_owned();
    let failure = failing.perform().await.unwrap_err();
    assert!(failure.message.contains("Failed: Step drain timed out"), "{failure}");
    let failure = automation(&fake, "nobody").perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
}

#[tokio::test]
async fn an_automation_whose_id_was_lost_is_found_by_the_same_token() {
    let fake = FakeCapacity::start();
    let mut attempt = automation(&fake, "Drain");
    fake.fake.lose_answer("StartAutomationExecution");
    assert_eq!(attempt.start().await.unwrap_err().class, FailureClass::InDoubt);
    assert!(matches!(attempt.observe(None).await, Observation::Unknown(_)));
    let Ok(drctl::ports::Started::Handle(first)) = attempt.start().await else { panic!("no handle") };
    let Ok(drctl::ports::Started::Handle(again)) = attempt.start().await else { panic!("no handle") };
    assert_eq!(first["execution_id"], again["execution_id"]);
    assert_eq!(attempt.observe(Some(&first)).await, Observation::InProgress(first.clone()));
    attempt.follow(&first).await.unwrap();
}

fn tasks(fake: &FakeCapacity, desired: u32) -> Attempt {
    let with = json!({"region": "us-west-2", "cluster": "c", "service": "s", "desired": desired});
    Attempt::new(&fake.fake.caller(), "aws.ecs.set_desired_count", with)
}

#[tokio::test]
async fn tasks_count_when_they_run_and_the_deployment_is_over() {
    let fake = FakeCapacity::start();
    let mut attempt = tasks(&fake, 4);
    let outputs = attempt.perform().await.unwrap();
    assert_eq!((&outputs["running"], attempt.lines.len()), (&json!(4), 3), "{:?}", attempt.lines);
    assert!(attempt.lines[0].starts_with("1 of 4 tasks run, 3 pending; (service s)"), "{:?}", attempt.lines);
    let mut zero = tasks(&fake, 0);
    assert_eq!(zero.perform().await.unwrap()["running"], json!(0));
    fake.change(|world| world.fails = true);
    let failure = tasks(&fake, 2).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("circuit breaker"), "{failure}");
}

#[tokio::test]
async fn room_for_instances_and_documents_is_looked_at_before_anything_is_started() {
    let fake = FakeCapacity::start();
    let seen = capacity(&fake, group(2, 8, 4)).ask().await.unwrap();
    let found = seen.found.join("\n");
    assert!(found.contains("250 free addresses") && found.contains("62 vCPUs left of the quota"), "{found}");
    assert!(seen.unknown.join("\n").contains("only a reservation guarantees"), "{seen:?}");
    fake.change(|world| world.addresses = 1);
    let failure = capacity(&fake, group(2, 8, 4)).ask().await.unwrap_err();
    assert!(failure.message.contains("3 more instances are needed"), "{failure}");
    fake.change(|world| (world.addresses, world.suspended) = (250, vec!["Launch"]));
    let failure = capacity(&fake, group(2, 8, 4)).ask().await.unwrap_err();
    assert!(failure.message.contains("process Launch"), "{failure}");
    assert_eq!(fake.fake.count("UpdateAutoScalingGroup"), 0);
    assert!(nodes(&fake, 4).ask().await.unwrap().found[0].contains("in a state for it"));
    let seen = automation(&fake, "drain").ask().await.unwrap();
    assert!(seen.found[0].contains("document `drain` is an active automation"), "{seen:?}");
    let failure = automation(&fake, "nobody").ask().await.unwrap_err();
    assert!(failure.message.contains("there is no document `nobody` in us-west-2"), "{failure}");
    let without = json!({"region": "us-west-2", "document": "drain"});
    let without = Attempt::new(&fake.fake.caller(), "aws.ssm.run_automation", without);
    let failure = without.ask().await.unwrap_err();
    assert!(failure.message.contains("needs its parameter `Cluster`"), "{failure}");
    assert_eq!(fake.fake.count("StartAutomationExecution"), 0);
}

#[tokio::test]
async fn tasks_that_autoscaling_adds_under_load_are_welcome() {
    let fake = FakeCapacity::start();
    fake.change(|world| world.limits = Some((1, 8)));
    let mut attempt = tasks(&fake, 4);
    attempt.prepare().await.unwrap();
    attempt.start().await.unwrap();
    fake.change(|world| world.tasks.0 = 6);
    // Another send leaves what autoscaling asks for.
    attempt.start().await.unwrap();
    assert_eq!((fake.fake.count("UpdateService"), fake.fake.count("RegisterScalableTarget")), (1, 1));
    let outputs = attempt.follow(&Value::Null).await.unwrap();
    assert_eq!(outputs["desired"], json!(6));
    assert_eq!(attempt.undo().await.unwrap()["desired"], json!(1));
    fake.change(|world| assert_eq!(world.limits, Some((1, 8))));
}

#[tokio::test]
async fn a_number_that_is_refused_after_the_limits_were_set_is_in_doubt() {
    let fake = FakeCapacity::start();
    fake.change(|world| (world.limits, world.refuses) = (Some((1, 2)), true));
    let mut attempt = tasks(&fake, 4);
    attempt.prepare().await.unwrap();
    let failure = attempt.start().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
    assert!(
        failure.message.contains("limits were set") && failure.message.contains("AccessDenied"),
        "{failure}"
    );
    fake.change(|world| world.refuses = false);
    attempt.undo().await.unwrap();
    fake.change(|world| assert_eq!(world.limits, Some((1, 2))));
    // Where the limits are right already, a refusal is only that.
    fake.change(|world| (world.limits, world.refuses) = (Some((4, 8)), true));
    let mut attempt = tasks(&fake, 4);
    attempt.prepare().await.unwrap();
    assert_eq!(attempt.start().await.unwrap_err().class, FailureClass::Permanent);
}

#[tokio::test]
async fn a_deployment_that_had_failed_before_does_not_fail_the_step() {
    let fake = FakeCapacity::start();
    fake.change(|world| (world.fails, world.tasks) = (true, (2, 1)));
    let mut attempt = tasks(&fake, 3);
    attempt.prepare().await.unwrap();
    attempt.start().await.unwrap();
    let polled = attempt.provider.poll(&attempt.action, &attempt.context, &Value::Null).await.unwrap();
    assert!(format!("{polled:?}").contains("1 of 3 tasks run"), "{polled:?}");
    fake.change(|world| world.deployment = "ecs-svc/2");
    let failure = attempt.follow(&Value::Null).await.unwrap_err();
    assert!(failure.message.contains("circuit breaker"), "{failure}");
}
