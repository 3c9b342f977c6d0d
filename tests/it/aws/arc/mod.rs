//! The actions of `aws.arc`, against a fake that the vendor's SDK agrees with.

use drctl::engine::input::Observation;
use drctl::model::run::FailureClass;
use drctl::ports::Started;
use serde_json::{Value, json};

use crate::aws::attempts::Attempt;
use crate::aws::estate::certify;
use crate::aws::fake::arc::{FakeArc, PLAN, REGIONS, RULE, arn};

fn controls(fake: &FakeArc, east: &str, west: &str) -> Attempt {
    controls_with(fake, east, west, &[])
}

fn controls_with(fake: &FakeArc, east: &str, west: &str, rules: &[&str]) -> Attempt {
    let with = json!({
        "cluster_endpoints": fake.endpoints(),
        "controls": {arn("east"): east, arn("west"): west},
        "safety_rules_to_override": rules,
    });
    Attempt::new(&fake.fake.caller(), "aws.arc.set_routing_controls", with)
}

fn switch(fake: &FakeArc) -> Attempt {
    let with = json!({
        "region": "us-west-2",
        "plan_arn": PLAN,
        "target_region": "us-west-2",
        "action": "activate",
        "mode": "ungraceful",
        "comment": "failover by drctl",
    });
    Attempt::new(&fake.fake.caller(), "aws.arc.start_region_switch", with)
}

#[test]
fn the_fake_satisfies_the_vendors_own_sdk() {
    let fake = FakeArc::start();
    certify("certify_arc.py", &fake.fake.caller());
}

#[tokio::test]
async fn controls_change_together_and_go_back() {
    let fake = FakeArc::start();
    let mut attempt = controls(&fake, "off", "on");
    let outputs = attempt.perform().await.unwrap();
    assert_eq!((fake.state("east").as_str(), fake.state("west").as_str()), ("Off", "On"));
    assert_eq!(outputs["previous"], json!({arn("east"): "On", arn("west"): "Off"}));
    assert_eq!((&outputs["already"], fake.fake.count("UpdateRoutingControlStates")), (&json!(false), 1));
    assert_eq!(attempt.applied().await["already"], json!(false));
    attempt.undo().await.unwrap();
    assert_eq!((fake.state("east").as_str(), fake.state("west").as_str()), ("On", "Off"));
    let outputs = controls(&fake, "on", "off").perform().await.unwrap();
    assert_eq!(outputs["already"], json!(true));
}

#[tokio::test]
async fn endpoints_that_do_not_answer_are_passed_over() {
    let fake = FakeArc::start();
    fake.fake.lose_region(REGIONS[0]);
    fake.change(|world| world.unavailable = vec![REGIONS[1], REGIONS[2]]);
    controls(&fake, "off", "on").perform().await.unwrap();
    assert_eq!(fake.fake.region_of("UpdateRoutingControlStates").as_deref(), Some(REGIONS[3]));
    // The next attempt begins with another endpoint.
    fake.change(|world| world.unavailable.clear());
    let mut third = controls(&fake, "on", "off");
    third.context.attempt = 3;
    third.perform().await.unwrap();
    assert_eq!(fake.fake.region_of("UpdateRoutingControlStates").as_deref(), Some(REGIONS[2]));
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_seen_at_the_next_endpoint_and_not_repeated() {
    let fake = FakeArc::start();
    let mut attempt = controls(&fake, "off", "on");
    attempt.prepare().await.unwrap();
    assert_eq!(attempt.observe(None).await, Observation::NotApplied);
    fake.fake.lose_answer("UpdateRoutingControlStates");
    let Ok(Started::Done(outputs)) = attempt.start().await else { panic!("not done") };
    assert_eq!(fake.fake.count("UpdateRoutingControlStates"), 1);
    assert_eq!(outputs["already"], json!(false));
}

#[tokio::test]
async fn a_cluster_that_is_lost_altogether_is_unreachable() {
    let fake = FakeArc::start();
    let mut attempt = controls(&fake, "off", "on");
    attempt.prepare().await.unwrap();
    for region in REGIONS {
        fake.fake.lose_region(region);
    }
    let failure = controls(&fake, "off", "on").perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable, "{failure}");
    assert!(failure.message.contains("none of 5 cluster endpoints"), "{failure}");
    // An order was sent and no answer came: it may have been applied.
    assert_eq!(attempt.start().await.unwrap_err().class, FailureClass::InDoubt);
}

#[tokio::test]
async fn a_safety_rule_refuses_unless_it_is_named() {
    let fake = FakeArc::start();
    let failure = controls(&fake, "off", "off").perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("Safety rule one-on would be violated"), "{failure}");
    assert_eq!(fake.state("east"), "On");
    controls_with(&fake, "off", "off", &[RULE]).perform().await.unwrap();
    assert_eq!(fake.state("east"), "Off");
}

#[tokio::test]
async fn an_address_that_is_not_encrypted_gets_nothing() {
    let fake = FakeArc::start();
    let with = json!({
        "cluster_endpoints": [{"region": "us-east-1", "url": "http://cluster.example/v1"}],
        "controls": {arn("east"): "off"},
    });
    let mut attempt = Attempt::new(&fake.fake.caller(), "aws.arc.set_routing_controls", with);
    let failure = attempt.perform().await.unwrap_err();
    assert!(failure.message.contains("must begin with https://"), "{failure}");
}

#[tokio::test]
async fn a_plan_is_run_and_followed_to_its_end() {
    let fake = FakeArc::start();
    let mut attempt = switch(&fake);
    let outputs = attempt.perform().await.unwrap();
    assert_eq!((&outputs["state"], &outputs["exceptions"]), (&json!("completed"), &json!(false)));
    assert!(attempt.lines[1].ends_with("is inProgress at step promote"), "{:?}", attempt.lines);
    assert!(attempt.lines[2].contains("waits for a person"), "{:?}", attempt.lines);
    assert_eq!(attempt.undo().await.unwrap_err().class, FailureClass::Permanent);

    let fake = FakeArc::start();
    fake.change(|world| world.course = vec!["inProgress", "completedWithExceptions"]);
    assert_eq!(switch(&fake).perform().await.unwrap()["exceptions"], json!(true));
    let fake = FakeArc::start();
    fake.change(|world| world.course = vec!["inProgress", "failed"]);
    let failure = switch(&fake).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("ended as failed at step promote"), "{failure}");
}

#[tokio::test]
async fn an_execution_that_does_not_show_yet_is_waited_for() {
    let fake = FakeArc::start();
    let mut attempt = switch(&fake);
    let Ok(Started::Handle(handle)) = attempt.start().await else { panic!("no handle") };
    fake.fake.refuse_once("GetPlanExecution", 404, "ResourceNotFoundException");
    attempt.follow(&handle).await.unwrap();
    assert!(attempt.lines[0].contains("does not show yet"), "{:?}", attempt.lines);
    fake.fake.refuse_once("GetPlanExecution", 404, "ResourceNotFoundException");
    let failure = attempt.follow(&json!({"execution_id": handle["execution_id"]})).await.unwrap_err();
    assert!(failure.message.contains("the plan has no execution"), "{failure}");
}

#[tokio::test]
async fn what_is_rebuilt_after_a_recovery_names_the_recovery() {
    let fake = FakeArc::start();
    let post = |action: &str, recovery: Option<&str>| {
        let with = json!({
            "region": "us-east-1", "plan_arn": PLAN, "target_region": "us-east-1", "action": action,
            "mode": "graceful", "recovery_execution_id": recovery,
        });
        Attempt::new(&fake.fake.caller(), "aws.arc.start_region_switch", with)
    };
    let failure = post("post_recovery", None).start().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("needs `recovery_execution_id`"), "{failure}");
    let failure = post("activate", Some("us-west-2/7")).start().await.unwrap_err();
    assert!(failure.message.contains("goes with `post_recovery` only"), "{failure}");
    assert_eq!(fake.fake.count("StartPlanExecution"), 0);
    post("post_recovery", Some("us-west-2/7")).start().await.unwrap();
    fake.change(|world| assert_eq!(world.executions[0]["recoveryExecutionId"], "us-west-2/7"));
}

#[tokio::test]
async fn a_plan_that_was_started_is_found_and_never_started_twice() {
    let fake = FakeArc::start();
    let mut attempt = switch(&fake);
    assert_eq!(attempt.observe(None).await, Observation::NotApplied);
    fake.fake.lose_answer("StartPlanExecution");
    assert_eq!(attempt.start().await.unwrap_err().class, FailureClass::InDoubt);
    let handle = attempt.under_way().await;
    let Ok(Started::Handle(again)) = attempt.start().await else { panic!("no handle") };
    assert_eq!((&again, fake.fake.count("StartPlanExecution")), (&handle, 1));
    attempt.follow(&handle).await.unwrap();
    assert_eq!(attempt.applied().await["state"], json!("completed"));
}

#[tokio::test]
async fn somebody_elses_execution_is_not_disturbed() {
    let fake = FakeArc::start();
    let other: Value =
        json!({"executionId": "us-west-2/7", "executionState": "pausedByOperator", "comment": "x"});
    fake.change(|world| world.executions.push(other));
    let failure = switch(&fake).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("execution us-west-2/7 of the plan is pausedByOperator"), "{failure}");
    assert_eq!(fake.fake.count("StartPlanExecution"), 0);
}

#[tokio::test]
async fn controls_and_plans_are_looked_at_and_left_alone() {
    let fake = FakeArc::start();
    assert!(controls(&fake, "off", "on").ask().await.unwrap().found[0].contains("in a state for it"));
    let seen = switch(&fake).ask().await.unwrap();
    assert!(seen.found[0].contains("the plan is there") && seen.warnings.is_empty(), "{seen:?}");
    switch(&fake).start().await.unwrap();
    let seen = switch(&fake).ask().await.unwrap();
    assert!(seen.warnings[0].contains("of the plan is under way"), "{seen:?}");
    assert_eq!(fake.fake.count("UpdateRoutingControlStates"), 0);
}
