//! Promotions: those that take time, were made before, are refused while a backup runs, lose their answer.

use drctl::engine::input::Observation;
use drctl::model::action::Action;
use drctl::model::run::FailureClass;
use drctl::ports::{Provider as _, Started};
use serde_json::json;

use super::{applied, follow, perform, under_way};
use crate::aws::estate::provider;
use crate::aws::fake::rds::FakeRds;
use crate::support::attempt::{action, context};

const SOURCE: &str = "arn:aws:rds:us-east-1:111122223333:db:payments-east";

fn promote() -> Action {
    let with = json!({"region": "us-west-2", "instance": "payments-west", "backup_retention_days": 7});
    action("aws.rds.promote_read_replica", with)
}

fn replica() -> FakeRds {
    let rds = FakeRds::start();
    let fields = json!({
        "ReadReplicaSourceDBInstanceIdentifier": SOURCE,
        "StatusInfos/DBInstanceStatusInfo": [{"StatusType": "read replication", "Status": "replicating"}],
    });
    rds.instance("us-west-2", "payments-west", fields);
    rds
}

#[tokio::test]
async fn a_promotion_is_over_when_it_serves_without_a_source() {
    let (rds, (mut context, _switch)) = (replica(), context());
    let provider = provider(&rds.fake.caller());
    let (outputs, lines) = perform(&provider, &promote(), &mut context).await.unwrap();
    assert_eq!(outputs["endpoint"], "payments-west.us-west-2.rds.example");
    assert_eq!((&outputs["port"], &outputs["already"]), (&json!(5432), &json!(false)));
    assert_eq!(outputs["arn"], "arn:aws:rds:us-west-2:111122223333:db:payments-west");
    assert!(
        lines.iter().any(|line| line.contains("rebooting") && line.contains("still a replica")),
        "{lines:?}"
    );
    // It serves while its first backup is made, which is not waited for.
    assert!(lines.iter().all(|line| !line.contains("backing-up")), "{lines:?}");
    assert_eq!(rds.fake.count("PromoteReadReplica"), 1);
    let retention = rds.field("us-west-2", "instance", "payments-west", "BackupRetentionPeriod");
    assert_eq!(retention, json!(7));
}

#[tokio::test]
async fn a_replica_that_was_busy_for_another_reason_is_not_followed_for_ever() {
    let (rds, (context, _switch)) = (replica(), context());
    let provider = provider(&rds.fake.caller());
    rds.change("us-west-2", "instance", "payments-west", json!({"DBInstanceStatus": "modifying"}), &[]);
    let mut handle = under_way(provider.observe(&promote(), &context, None).await);
    rds.change("us-west-2", "instance", "payments-west", json!({"DBInstanceStatus": "available"}), &[]);
    let polled = provider.poll(&promote(), &context, &handle).await.unwrap();
    assert!(matches!(polled, drctl::ports::Polled::Pending(_)), "{polled:?}");
    handle["at"] = json!("2026-01-01T00:00:00Z");
    let failure = provider.poll(&promote(), &context, &handle).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
    assert!(failure.message.contains("no promotion has begun"), "{failure}");
    assert_eq!(provider.observe(&promote(), &context, None).await, Observation::NotApplied);
}

#[tokio::test]
async fn what_was_promoted_before_is_done_and_nothing_is_sent() {
    let rds = FakeRds::start();
    rds.instance("us-west-2", "payments-west", json!({}));
    let (mut context, _switch) = context();
    let (outputs, _) = perform(&provider(&rds.fake.caller()), &promote(), &mut context).await.unwrap();
    assert_eq!(outputs["already"], json!(true));
    assert_eq!(rds.fake.count("PromoteReadReplica"), 0);
}

#[tokio::test]
async fn a_backup_is_waited_for() {
    let (rds, (mut context, _switch)) = (replica(), context());
    let busy = json!({"DBInstanceStatus": "backing-up"});
    rds.change("us-west-2", "instance", "payments-west", busy, &[json!({"DBInstanceStatus": "available"})]);
    let provider = provider(&rds.fake.caller());
    let failure = perform(&provider, &promote(), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Throttled, "{failure}");
    assert!(failure.retry_after.is_some() && failure.message.contains("backing-up"), "{failure}");
    assert_eq!(rds.fake.count("PromoteReadReplica"), 0);
    perform(&provider, &promote(), &mut context).await.unwrap();
}

#[tokio::test]
async fn a_lost_answer_is_in_doubt_and_observing_finds_the_promotion_under_way() {
    let (rds, (context, _switch)) = (replica(), context());
    let provider = provider(&rds.fake.caller());
    assert_eq!(provider.observe(&promote(), &context, None).await, Observation::NotApplied);
    rds.fake.lose_answer("PromoteReadReplica");
    let failure = provider.start(&promote(), &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt, "{failure}");
    assert!(failure.message.contains("it may have been applied"), "{failure}");
    // The order does not show at once: the settle time of the action keeps that from being believed.
    assert_eq!(provider.observe(&promote(), &context, None).await, Observation::NotApplied);
    let handle = under_way(provider.observe(&promote(), &context, None).await);
    let (outputs, _) = follow(&provider, &promote(), &context, &handle).await.unwrap();
    assert_eq!(outputs["already"], json!(false));
    assert_eq!(applied(provider.observe(&promote(), &context, None).await)["port"], json!(5432));
    assert_eq!(rds.fake.count("PromoteReadReplica"), 1);
}

#[tokio::test]
async fn an_instance_that_cannot_become_available_fails_at_once() {
    let (rds, (context, _switch)) = (replica(), context());
    let provider = provider(&rds.fake.caller());
    let Started::Handle(handle) = provider.start(&promote(), &context).await.unwrap() else {
        panic!("over at once");
    };
    rds.change("us-west-2", "instance", "payments-west", json!({"DBInstanceStatus": "storage-full"}), &[]);
    let failure = provider.poll(&promote(), &context, &handle).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("storage-full"), "{failure}");
    let unknown = provider.observe(&promote(), &context, None).await;
    assert!(matches!(unknown, Observation::Unknown(_)), "{unknown:?}");
}

#[tokio::test]
async fn a_missing_instance_and_a_lost_region_are_told_apart() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    let provider = provider(&rds.fake.caller());
    let failure = perform(&provider, &promote(), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("no instance `payments-west` in us-west-2"), "{failure}");
    rds.fake.lose_region("us-west-2");
    let failure = perform(&provider, &promote(), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable);
    assert!(failure.message.starts_with("unreachable us-west-2: rds"), "{failure}");
}

#[tokio::test]
async fn a_promotion_is_never_taken_back() {
    let (rds, (mut context, _switch)) = (replica(), context());
    context.direction = drctl::engine::input::Direction::Undo;
    let failure = provider(&rds.fake.caller()).start(&promote(), &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert_eq!(rds.fake.count("PromoteReadReplica") + rds.fake.count("DescribeDBInstances"), 0);
}

#[tokio::test]
async fn giving_up_while_the_order_is_under_way_is_doubtful() {
    let (rds, (context, switch)) = (replica(), context());
    switch.cancel();
    let failure = provider(&rds.fake.caller()).start(&promote(), &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
}
