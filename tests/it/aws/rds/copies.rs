//! What makes new databases and snapshots: it takes long, loses answers, and must not be done twice or be
//! taken from somebody else.

use drctl::engine::input::Observation;
use drctl::model::action::Action;
use drctl::model::run::FailureClass;
use drctl::ports::Provider as _;
use serde_json::{Value, json};

use super::{applied, follow, perform, under_way};
use crate::aws::estate::provider;
use crate::aws::fake::rds::FakeRds;
use crate::support::attempt::{action, context};

const TAKEN: &str = "2026-11-20T03:00:00Z";

fn restore() -> Action {
    let with = json!({
        "region": "us-west-2",
        "snapshot": "nightly",
        "identifier": "payments-restored",
        "settings": {"subnet_group": "dr", "security_group_ids": ["sg-app"], "tags": {"team": "payments"}},
    });
    action("aws.rds.restore_from_snapshot", with)
}

fn replica(backups: Option<u32>) -> Action {
    let with = json!({
        "region": "us-east-1",
        "source_arn": "arn:aws:rds:us-west-2:111122223333:db:payments-west",
        "instance": "payments-rebuilt",
        "backup_retention_days": backups,
    });
    action("aws.rds.create_read_replica", with)
}

fn copy(arn: &str) -> Action {
    let with = json!({
        "region": "us-west-2",
        "source_region": "us-east-1",
        "source_snapshot_arn": arn,
        "snapshot": "nightly-copy",
    });
    action("aws.rds.copy_snapshot", with)
}

#[tokio::test]
async fn a_restore_is_followed_to_its_end_and_says_how_far_the_data_reaches() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    rds.snapshot("us-west-2", "nightly", TAKEN);
    let provider = provider(&rds.fake.caller());
    let (outputs, lines) = perform(&provider, &restore(), &mut context).await.unwrap();
    assert_eq!(outputs["endpoint"], "payments-restored.us-west-2.rds.example");
    assert_eq!(
        outputs["recovery_point_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap(),
        TAKEN.parse().unwrap()
    );
    assert!(lines.iter().any(|line| line.contains("creating")), "{lines:?}");
    let tags = rds.field("us-west-2", "instance", "payments-restored", "TagList/Tag");
    // Whose it is, and who drove the run when it was asked for.
    for (key, value) in
        [("team", "payments"), ("drctl:run", "payments-abcdefgh"), ("drctl:fencing-token", "7")]
    {
        assert!(tags.as_array().unwrap().contains(&json!({"Key": key, "Value": value})), "{tags}");
    }
}

#[tokio::test]
async fn a_restore_whose_answer_was_lost_is_found_by_its_tags() {
    let (rds, (context, _switch)) = (FakeRds::start(), context());
    rds.snapshot("us-west-2", "nightly", TAKEN);
    let provider = provider(&rds.fake.caller());
    assert_eq!(provider.observe(&restore(), &context, None).await, Observation::NotApplied);
    rds.fake.lose_answer("RestoreDBInstanceFromDBSnapshot");
    let failure = provider.start(&restore(), &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
    let handle = under_way(provider.observe(&restore(), &context, None).await);
    let (outputs, _) = follow(&provider, &restore(), &context, &handle).await.unwrap();
    assert!(outputs["recovery_point_at"].is_string(), "{outputs:?}");
    applied(provider.observe(&restore(), &context, None).await);
    // A new driver that begins the step again finds it too, whatever token it was made under.
    let context = drctl::ports::AttemptContext { fencing_token: 8, ..context };
    let drctl::ports::Started::Handle(handle) = provider.start(&restore(), &context).await.unwrap() else {
        panic!("over at once");
    };
    follow(&provider, &restore(), &context, &handle).await.unwrap();
    assert_eq!(rds.fake.count("RestoreDBInstanceFromDBSnapshot"), 1);
}

#[tokio::test]
async fn a_database_of_somebody_else_is_never_taken_over() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    rds.snapshot("us-west-2", "nightly", TAKEN);
    rds.instance("us-west-2", "payments-restored", json!({}));
    let provider = provider(&rds.fake.caller());
    let failure = perform(&provider, &restore(), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("was not made by this step"), "{failure}");
    assert!(matches!(provider.observe(&restore(), &context, None).await, Observation::Unknown(_)));
    assert_eq!(rds.fake.count("RestoreDBInstanceFromDBSnapshot"), 0);
}

#[tokio::test]
async fn settings_that_cannot_be_given_are_refused_and_never_left_out() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    let provider = provider(&rds.fake.caller());
    let base = json!({"region": "us-west-2", "snapshot": "nightly", "identifier": "x"});
    for (more, expected) in [
        (json!({"settings": {"engine_version": "16.4"}}), "engine_version"),
        (json!({"kms_key_id": "alias/x"}), "kms_key_id"),
        (json!({"kind": "cluster", "settings": {"multi_az": true}}), "multi_az"),
        (json!({"kind": "cluster", "cluster_instances": ["a"]}), "instance_class"),
    ] {
        let mut with = base.clone();
        with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let action = action("aws.rds.restore_from_snapshot", with);
        let failure = perform(&provider, &action, &mut context).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(failure.message.contains(expected), "{failure}");
    }
    assert_eq!(rds.fake.count("RestoreDBInstanceFromDBSnapshot"), 0);
}

#[tokio::test]
async fn a_replica_is_done_when_it_replicates_and_has_its_backups() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    rds.instance("us-west-2", "payments-west", json!({}));
    let provider = provider(&rds.fake.caller());
    let (outputs, lines) = perform(&provider, &replica(Some(7)), &mut context).await.unwrap();
    assert_eq!(outputs["status"], "replicating");
    assert!(lines.iter().any(|line| line.contains("replication is connecting")), "{lines:?}");
    let days = rds.field("us-east-1", "instance", "payments-rebuilt", "BackupRetentionPeriod");
    assert_eq!(days, json!(7));
    assert_eq!((rds.fake.count("CreateDBInstanceReadReplica"), rds.fake.count("ModifyDBInstance")), (1, 1));
    assert_eq!(rds.fake.region_of("CreateDBInstanceReadReplica").unwrap(), "us-east-1");
}

#[tokio::test]
async fn a_source_without_backups_or_key_cannot_have_a_replica() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    let provider = provider(&rds.fake.caller());
    for (fields, expected) in [
        (json!({"BackupRetentionPeriod": 0}), "automated backups"),
        (json!({"StorageEncrypted": true}), "kms_key_id"),
    ] {
        rds.instance("us-west-2", "payments-west", fields);
        let failure = perform(&provider, &replica(None), &mut context).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(failure.message.contains(expected), "{failure}");
    }
    rds.fake.lose_region("us-west-2");
    let failure = perform(&provider, &replica(None), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable);
    assert_eq!(rds.fake.count("CreateDBInstanceReadReplica"), 0);
}

#[tokio::test]
async fn a_copy_between_regions_keeps_the_time_of_the_original() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    let arn = rds.snapshot("us-east-1", "nightly", TAKEN);
    let provider = provider(&rds.fake.caller());
    let (outputs, lines) = perform(&provider, &copy(&arn), &mut context).await.unwrap();
    assert_eq!(outputs["snapshot_arn"], "arn:aws:rds:us-west-2:111122223333:snapshot:nightly-copy");
    let point: jiff::Timestamp = outputs["recovery_point_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(point, TAKEN.parse().unwrap());
    assert!(lines.iter().any(|line| line.contains("40 % copied")), "{lines:?}");
}

#[tokio::test]
async fn a_copy_whose_answer_was_lost_is_not_made_again() {
    let (rds, (context, _switch)) = (FakeRds::start(), context());
    let arn = rds.snapshot("us-east-1", "nightly", TAKEN);
    let provider = provider(&rds.fake.caller());
    rds.fake.lose_answer("CopyDBSnapshot");
    let failure = provider.start(&copy(&arn), &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
    let handle: Value = under_way(provider.observe(&copy(&arn), &context, None).await);
    follow(&provider, &copy(&arn), &context, &handle).await.unwrap();
    assert_eq!(rds.fake.count("CopyDBSnapshot"), 1);
}

#[tokio::test]
async fn a_cluster_snapshot_becomes_a_cluster_with_instances_even_when_answers_are_lost() {
    let (rds, (context, _switch)) = (FakeRds::start(), context());
    rds.cluster_snapshot("us-west-2", "nightly", TAKEN);
    let with = json!({
        "region": "us-west-2",
        "kind": "cluster",
        "snapshot": "arn:aws:rds:us-west-2:111122223333:cluster-snapshot:nightly",
        "identifier": "payments",
        "cluster_instances": ["payments-1", "payments-2"],
        "settings": {"instance_class": "db.r6g.large"},
    });
    let restore = action("aws.rds.restore_from_snapshot", with);
    let provider = provider(&rds.fake.caller());
    rds.fake.lose_answer("RestoreDBClusterFromSnapshot");
    assert_eq!(provider.start(&restore, &context).await.unwrap_err().class, FailureClass::InDoubt);
    let handle = under_way(provider.observe(&restore, &context, None).await);
    rds.fake.lose_answer("CreateDBInstance");
    let failure = follow(&provider, &restore, &context, &handle).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt, "{failure}");
    let handle = under_way(provider.observe(&restore, &context, None).await);
    let (outputs, _) = follow(&provider, &restore, &context, &handle).await.unwrap();
    assert_eq!(outputs["endpoint"], "payments.us-west-2.rds.example");
    assert!(outputs["recovery_point_at"].as_str().unwrap().starts_with("2026-11-20T03:00:00"), "{outputs:?}");
    assert_eq!((rds.fake.count("RestoreDBClusterFromSnapshot"), rds.fake.count("CreateDBInstance")), (1, 2));
    let engine = rds.field("us-west-2", "cluster", "payments", "Engine");
    assert_eq!(engine, "aurora-postgresql");
}

#[tokio::test]
async fn a_replica_that_somebody_has_promoted_does_not_count_as_one() {
    let (rds, (mut context, _switch)) = (FakeRds::start(), context());
    rds.instance("us-west-2", "payments-west", json!({}));
    let provider = provider(&rds.fake.caller());
    perform(&provider, &replica(None), &mut context).await.unwrap();
    let promoted = json!({
        "ReadReplicaSourceDBInstanceIdentifier": null, "StatusInfos/DBInstanceStatusInfo": null,
    });
    rds.change("us-east-1", "instance", "payments-rebuilt", promoted, &[]);
    let seen = provider.observe(&replica(None), &context, None).await;
    assert!(matches!(&seen, Observation::Unknown(why) if why.contains("promoted it since")), "{seen:?}");
}
