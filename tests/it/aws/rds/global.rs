//! Aurora global databases: failover with its consent to data loss, switchover and its way back.

use drctl::engine::input::{Direction, Observation};
use drctl::model::action::Action;
use drctl::model::run::FailureClass;
use drctl::ports::{AttemptContext, Provider as _};
use serde_json::json;

use super::{applied, follow, perform, under_way};
use crate::aws::estate::provider;
use crate::aws::fake::rds::FakeRds;
use crate::support::attempt::{action, context};

struct Database {
    rds: FakeRds,
    east: String,
    west: String,
}

fn database() -> Database {
    let rds = FakeRds::start();
    let east = rds.cluster("us-east-1", "payments-east", &["east-1", "east-2"]);
    let west = rds.cluster("us-west-2", "payments-west", &["west-1"]);
    rds.global("payments", &[&east, &west]);
    Database { rds, east, west }
}

fn failover(it: &Database, allow_data_loss: bool) -> Action {
    let with = json!({
        "region": "us-west-2",
        "global_cluster": "payments",
        "target": it.west,
        "allow_data_loss": allow_data_loss,
    });
    action("aws.rds.failover_global_cluster", with)
}

fn switchover(target: &str) -> Action {
    let with = json!({"region": "us-east-1", "global_cluster": "payments", "target": target});
    action("aws.rds.switchover_global_cluster", with)
}

#[tokio::test]
async fn a_failover_needs_the_consent_that_makes_it_one() {
    let (it, (mut context, _switch)) = (database(), context());
    let provider = provider(&it.rds.fake.caller());
    let failure = perform(&provider, &failover(&it, false), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("allow_data_loss"), "{failure}");
    assert_eq!(it.rds.fake.count("FailoverGlobalCluster"), 0);
}

#[tokio::test]
async fn a_failover_is_over_when_the_target_writes_and_is_never_sent_twice() {
    let (it, (mut context, _switch)) = (database(), context());
    it.rds.fake.lose_region("us-east-1");
    let provider = provider(&it.rds.fake.caller());
    let fail = failover(&it, true);
    let (outputs, lines) = perform(&provider, &fail, &mut context).await.unwrap();
    assert_eq!(outputs["writer"], json!(it.west));
    assert_eq!((&outputs["previous_writer"], &outputs["already"]), (&json!(it.east), &json!(false)));
    assert!(lines.iter().any(|line| line.contains("does not show yet")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("failing-over, towards")), "{lines:?}");
    let (again, _) = perform(&provider, &fail, &mut context).await.unwrap();
    assert_eq!(again["already"], json!(true));
    assert_eq!(it.rds.fake.count("FailoverGlobalCluster"), 1);
    assert_eq!(it.rds.fake.region_of("FailoverGlobalCluster").unwrap(), "us-west-2");
}

#[tokio::test]
async fn a_failover_whose_answer_was_lost_is_found_under_way() {
    let (it, (context, _switch)) = (database(), context());
    let provider = provider(&it.rds.fake.caller());
    let fail = failover(&it, true);
    it.rds.fake.lose_answer("FailoverGlobalCluster");
    let failure = provider.start(&fail, &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
    // Not visible at once; the settle time keeps that from being believed.
    assert_eq!(provider.observe(&fail, &context, None).await, Observation::NotApplied);
    let handle = under_way(provider.observe(&fail, &context, None).await);
    let (outputs, _) = follow(&provider, &fail, &context, &handle).await.unwrap();
    // Nothing was recorded beforehand: of two members the other one was the writer.
    assert_eq!(outputs["previous_writer"], json!(it.east));
    assert_eq!(applied(provider.observe(&fail, &context, None).await)["writer"], json!(it.west));
    assert_eq!(it.rds.fake.count("FailoverGlobalCluster"), 1);
}

#[tokio::test]
async fn a_state_the_sdk_has_no_word_for_is_one_under_way() {
    let (it, (context, _switch)) = (database(), context());
    let state = json!({"Status": "levitating", "ToDbClusterArn": it.west, "FromDbClusterArn": it.east});
    it.rds.change("", "global", "payments", json!({"Status": "levitating", "FailoverState": state}), &[]);
    let provider = provider(&it.rds.fake.caller());
    under_way(provider.observe(&failover(&it, true), &context, None).await);
}

#[tokio::test]
async fn a_target_that_is_no_member_is_refused_with_the_members() {
    let (it, (mut context, _switch)) = (database(), context());
    let provider = provider(&it.rds.fake.caller());
    let other = "arn:aws:rds:us-west-2:111122223333:cluster:other";
    let failure = perform(&provider, &switchover(other), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains(&it.east) && failure.message.contains(&it.west), "{failure}");
}

#[tokio::test]
async fn a_switchover_goes_back_by_its_undo_through_the_new_writers_region() {
    let (it, (mut context, _switch)) = (database(), context());
    let provider = provider(&it.rds.fake.caller());
    let switch = switchover(&it.west);
    let (outputs, _) = perform(&provider, &switch, &mut context).await.unwrap();
    assert_eq!((&outputs["writer"], &outputs["previous_writer"]), (&json!(it.west), &json!(it.east)));
    assert_eq!(it.rds.fake.region_of("SwitchoverGlobalCluster").unwrap(), "us-east-1");
    let undo = AttemptContext { direction: Direction::Undo, ..context.clone() };
    let drctl::ports::Started::Handle(handle) = provider.start(&switch, &undo).await.unwrap() else {
        panic!("over at once");
    };
    let (back, _) = follow(&provider, &switch, &undo, &handle).await.unwrap();
    assert_eq!(back["writer"], json!(it.east));
    assert_eq!(it.rds.fake.region_of("SwitchoverGlobalCluster").unwrap(), "us-west-2");
}

#[tokio::test]
async fn a_switchover_waits_for_a_secondary_that_is_not_in_sync() {
    let (it, (mut context, _switch)) = (database(), context());
    let members = json!([
        {"DBClusterArn": it.east, "IsWriter": true, "SynchronizationStatus": "connected"},
        {"DBClusterArn": it.west, "IsWriter": false, "SynchronizationStatus": "pending-resync"},
    ]);
    let list = "GlobalClusterMembers/GlobalClusterMember";
    it.rds.change("", "global", "payments", json!({list: members}), &[]);
    let provider = provider(&it.rds.fake.caller());
    let failure = perform(&provider, &switchover(&it.west), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Throttled);
    assert!(failure.message.contains("pending-resync"), "{failure}");
    assert_eq!(it.rds.fake.count("SwitchoverGlobalCluster"), 0);
}
