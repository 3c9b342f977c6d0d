//! Moves inside one region: another writer in a cluster, another zone for an instance.

use drctl::engine::input::{Direction, Observation};
use drctl::model::action::Action;
use drctl::model::run::FailureClass;
use drctl::ports::{AttemptContext, Provider as _, Started};
use serde_json::json;

use super::{applied, follow, perform, under_way};
use crate::aws::estate::provider;
use crate::aws::fake::rds::FakeRds;
use crate::support::attempt::{action, context};

fn failover(target: Option<&str>) -> Action {
    let with = json!({"region": "us-east-1", "cluster": "payments", "target": target});
    action("aws.rds.failover_cluster", with)
}

fn reboot(zone: Option<&str>) -> Action {
    let with = json!({"region": "us-east-1", "instance": "payments", "to_availability_zone": zone});
    action("aws.rds.reboot_with_failover", with)
}

fn multi_az() -> FakeRds {
    let rds = FakeRds::start();
    let zones = json!({"AvailabilityZone": "us-east-1a", "SecondaryAvailabilityZone": "us-east-1b"});
    rds.instance("us-east-1", "payments", json!({"MultiAZ": true}));
    rds.change("us-east-1", "instance", "payments", zones, &[]);
    rds
}

#[tokio::test]
async fn the_writer_moves_and_its_undo_moves_it_back() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    rds.cluster("us-east-1", "payments", &["one", "two"]);
    let provider = provider(&rds.fake.caller());
    let (outputs, lines) = perform(&provider, &failover(None), &mut context).await.unwrap();
    assert_eq!((&outputs["writer"], &outputs["previous_writer"]), (&json!("two"), &json!("one")));
    assert!(lines.iter().any(|line| line.contains("failing-over")), "{lines:?}");
    let undo = AttemptContext { direction: Direction::Undo, ..context.clone() };
    let Started::Handle(handle) = provider.start(&failover(None), &undo).await.unwrap() else {
        panic!("over at once");
    };
    let (back, _) = follow(&provider, &failover(None), &undo, &handle).await.unwrap();
    assert_eq!(back["writer"], json!("one"));
}

#[tokio::test]
async fn a_failover_whose_answer_was_lost_is_not_sent_again() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    rds.cluster("us-east-1", "payments", &["one", "two"]);
    let provider = provider(&rds.fake.caller());
    context.prepared = provider.prepare(&failover(None), &context).await.unwrap();
    rds.fake.lose_answer("FailoverDBCluster");
    let failure = provider.start(&failover(None), &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
    let handle = under_way(provider.observe(&failover(None), &context, None).await);
    follow(&provider, &failover(None), &context, &handle).await.unwrap();
    assert_eq!(
        applied(provider.observe(&failover(None), &context, None).await)["previous_writer"],
        json!("one")
    );
    assert_eq!(rds.fake.count("FailoverDBCluster"), 1);
}

#[tokio::test]
async fn a_target_that_writes_already_is_done_and_a_stranger_is_refused() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    rds.cluster("us-east-1", "payments", &["one", "two"]);
    let provider = provider(&rds.fake.caller());
    let (outputs, _) = perform(&provider, &failover(Some("one")), &mut context).await.unwrap();
    assert_eq!(outputs["already"], json!(true));
    // However it is written.
    let (outputs, _) = perform(&provider, &failover(Some("One")), &mut context).await.unwrap();
    assert_eq!(outputs["already"], json!(true));
    let failure = perform(&provider, &failover(Some("three")), &mut context).await.unwrap_err();
    assert!(failure.message.contains("one, two"), "{failure}");
    rds.cluster("us-east-1", "payments", &["one"]);
    let failure = perform(&provider, &failover(None), &mut context).await.unwrap_err();
    assert!(failure.message.contains("no second instance"), "{failure}");
    assert_eq!(rds.fake.count("FailoverDBCluster"), 0);
}

#[tokio::test]
async fn a_reboot_changes_the_zone_and_its_undo_changes_it_back() {
    let (rds, (mut context, _switch)) = (multi_az(), context());
    let provider = provider(&rds.fake.caller());
    let (outputs, _) = perform(&provider, &reboot(None), &mut context).await.unwrap();
    assert_eq!(outputs["availability_zone"], json!("us-east-1b"));
    assert_eq!(outputs["previous_availability_zone"], json!("us-east-1a"));
    let undo = AttemptContext { direction: Direction::Undo, ..context.clone() };
    let Started::Handle(handle) = provider.start(&reboot(None), &undo).await.unwrap() else {
        panic!("over at once");
    };
    let (back, _) = follow(&provider, &reboot(None), &undo, &handle).await.unwrap();
    assert_eq!(back["availability_zone"], json!("us-east-1a"));
    assert_eq!(rds.fake.count("RebootDBInstance"), 2);
}

#[tokio::test]
async fn a_zone_that_serves_already_and_a_lost_answer_cause_no_second_reboot() {
    let (rds, (mut context, _switch)) = (multi_az(), context());
    let provider = provider(&rds.fake.caller());
    let there = reboot(Some("us-east-1a"));
    perform(&provider, &there, &mut context).await.unwrap();
    assert_eq!(rds.fake.count("RebootDBInstance"), 0);
    rds.fake.lose_answer("RebootDBInstance");
    assert_eq!(provider.observe(&reboot(None), &context, None).await, Observation::NotApplied);
    let failure = provider.start(&reboot(None), &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
    let handle = under_way(provider.observe(&reboot(None), &context, None).await);
    follow(&provider, &reboot(None), &context, &handle).await.unwrap();
    assert_eq!(rds.fake.count("RebootDBInstance"), 1);
}

#[tokio::test]
async fn an_instance_without_a_standby_is_not_rebooted() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    rds.instance("us-east-1", "payments", json!({"MultiAZ": false}));
    let failure = perform(&provider(&rds.fake.caller()), &reboot(None), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("not Multi-AZ"), "{failure}");
    assert_eq!(rds.fake.count("RebootDBInstance"), 0);
}
