//! Against moto and ministack, as far as they are faithful.

use drctl::engine::input::Observation;
use drctl::model::action::Action;
use drctl::model::run::FailureClass;
use drctl::ports::Provider as _;
use serde_json::{Value, json};

use super::perform;
use crate::aws::client::Caller;
use crate::aws::estate::{Estate, provider};
use crate::aws::faults::Faults;
use crate::support::attempt::{action, context};

async fn instance(caller: &Caller, region: &str, name: &str) {
    let parameters = [
        ("DBInstanceIdentifier", name),
        ("DBInstanceClass", "db.t3.medium"),
        ("Engine", "postgres"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "root"),
        ("MasterUserPassword", "not-a-secret"),
        ("BackupRetentionPeriod", "7"),
    ];
    caller.rds(region, "CreateDBInstance", &parameters).await;
}

async fn outputs(caller: &Caller, action: &Action) -> serde_json::Map<String, Value> {
    let (mut context, _switch) = context();
    perform(&provider(caller), action, &mut context).await.unwrap().0
}

#[tokio::test]
async fn a_snapshot_is_copied_to_another_region_and_restored_there() {
    let estate = Estate::up().await;
    let moto = &estate.moto;
    instance(moto, "us-east-1", "payments").await;
    let parameters = [("DBInstanceIdentifier", "payments"), ("DBSnapshotIdentifier", "nightly")];
    let made = moto.rds("us-east-1", "CreateDBSnapshot", &parameters).await;
    let arn = made.element("DBSnapshotArn").unwrap().to_owned();
    let copy = json!({
        "region": "us-west-2",
        "source_region": "us-east-1",
        "source_snapshot_arn": arn,
        "snapshot": "nightly-copy",
    });
    let copied = outputs(moto, &action("aws.rds.copy_snapshot", copy)).await;
    assert!(copied["snapshot_arn"].as_str().unwrap().contains("us-west-2"), "{copied:?}");
    let restore =
        json!({"region": "us-west-2", "snapshot": "nightly-copy", "identifier": "payments-restored"});
    let restored = outputs(moto, &action("aws.rds.restore_from_snapshot", restore)).await;
    assert!(restored["endpoint"].is_string() && restored["recovery_point_at"].is_string(), "{restored:?}");
}

#[tokio::test]
async fn an_encrypted_snapshot_needs_a_key_of_the_other_region() {
    let estate = Estate::up().await;
    let moto = &estate.moto;
    let key = async |region| {
        let made = moto.json("kms", region, "TrentService.CreateKey", &json!({})).await;
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    };
    let (east, west) = (key("us-east-1").await, key("us-west-2").await);
    let parameters = [
        ("DBInstanceIdentifier", "payments"),
        ("DBInstanceClass", "db.t3.medium"),
        ("Engine", "postgres"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "root"),
        ("MasterUserPassword", "not-a-secret"),
        ("StorageEncrypted", "true"),
        ("KmsKeyId", &east),
    ];
    moto.rds("us-east-1", "CreateDBInstance", &parameters).await;
    let parameters = [("DBInstanceIdentifier", "payments"), ("DBSnapshotIdentifier", "nightly")];
    let made = moto.rds("us-east-1", "CreateDBSnapshot", &parameters).await;
    let mut copy = json!({
        "region": "us-west-2",
        "source_region": "us-east-1",
        "source_snapshot_arn": made.element("DBSnapshotArn").unwrap(),
        "snapshot": "nightly-copy",
    });
    let (mut context, _switch) = context();
    let without = action("aws.rds.copy_snapshot", copy.clone());
    let failure = perform(&provider(moto), &without, &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("`kms_key_id`"), "{failure}");
    copy["kms_key_id"] = json!(west);
    outputs(moto, &action("aws.rds.copy_snapshot", copy)).await;
    let found = moto.rds("us-west-2", "DescribeDBSnapshots", &[]).await;
    assert!(found.text.contains(&west), "{}", found.text);
}

#[tokio::test]
async fn a_restore_whose_answer_was_cut_by_a_proxy_is_observed_and_not_repeated() {
    let estate = Estate::up().await;
    instance(&estate.moto, "us-east-1", "payments").await;
    let parameters = [("DBInstanceIdentifier", "payments"), ("DBSnapshotIdentifier", "nightly")];
    estate.moto.rds("us-east-1", "CreateDBSnapshot", &parameters).await;
    let faults = Faults::before(&estate.moto).await;
    faults.set(Faults::lost_answer("rds", "RestoreDBInstanceFromDBSnapshot")).await;
    let with = json!({"region": "us-east-1", "snapshot": "nightly", "identifier": "payments-restored"});
    let restore = action("aws.rds.restore_from_snapshot", with);
    let (context, _switch) = context();
    let provider = provider(&faults.caller());
    let failure = provider.start(&restore, &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt, "{failure}");
    let seen = provider.observe(&restore, &context, None).await;
    assert!(matches!(seen, Observation::Applied(_)), "{seen:?}");
    assert_eq!(faults.fired().await.as_array().map_or(0, Vec::len), 1, "{}", faults.fired().await);
}

#[tokio::test]
async fn a_replica_is_made_across_regions() {
    let estate = Estate::up().await;
    instance(&estate.moto, "us-west-2", "payments").await;
    let arn = format!("arn:aws:rds:us-west-2:{}:db:payments", estate.moto.account);
    let with = json!({"region": "us-east-1", "source_arn": arn, "instance": "payments-east"});
    let replica = outputs(&estate.moto, &action("aws.rds.create_read_replica", with)).await;
    assert!(replica["arn"].as_str().unwrap().contains("us-east-1"), "{replica:?}");
}

#[tokio::test]
async fn backups_are_restored_to_a_point_in_time() {
    let estate = Estate::up().await;
    instance(&estate.moto, "us-east-1", "payments").await;
    let with = json!({
        "region": "us-east-1",
        "source_kind": "instance",
        "source": "payments",
        "identifier": "payments-rewound",
        "restore_at": "2020-01-01T00:00:00Z",
    });
    let rewound = outputs(&estate.moto, &action("aws.rds.restore_to_point_in_time", with.clone())).await;
    assert_eq!(rewound["recovery_point_at"], "2020-01-01T00:00:00.000Z");
    assert!(rewound["endpoint"].is_string(), "{rewound:?}");
    let mut later = with;
    later["restore_at"] = json!("2100-01-01T00:00:00Z");
    later["identifier"] = json!("payments-later");
    let (mut context, _switch) = context();
    let later = action("aws.rds.restore_to_point_in_time", later);
    let failure = perform(&provider(&estate.moto), &later, &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("`restore_at`"), "{failure}");
}

#[tokio::test]
async fn a_cluster_is_restored_with_its_instances() {
    let estate = Estate::up().await;
    let cluster = [
        ("DBClusterIdentifier", "payments"),
        ("Engine", "aurora-postgresql"),
        ("MasterUsername", "root"),
        ("MasterUserPassword", "not-a-secret"),
    ];
    estate.moto.rds("us-east-1", "CreateDBCluster", &cluster).await;
    let with = json!({
        "region": "us-east-1",
        "source_kind": "cluster",
        "source": "payments",
        "identifier": "payments-rewound",
        "cluster_instances": ["rewound-1", "rewound-2"],
        "settings": {"instance_class": "db.r6g.large"},
    });
    let restored = outputs(&estate.moto, &action("aws.rds.restore_to_point_in_time", with)).await;
    assert!(restored["arn"].as_str().unwrap().ends_with(":cluster:payments-rewound"), "{restored:?}");
    let found = estate.moto.rds("us-east-1", "DescribeDBInstances", &[]).await;
    assert!(found.text.contains("rewound-1") && found.text.contains("rewound-2"), "{}", found.text);
}

#[tokio::test]
async fn the_lag_of_a_replica_is_its_last_measurement_with_its_age() {
    let estate = Estate::up().await;
    let moto = &estate.moto;
    instance(moto, "us-west-2", "payments").await;
    let check = |more: Value| {
        let mut with = json!({"region": "us-west-2", "kind": "read_replica", "identifier": "payments"});
        with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        action("aws.rds.check_replication", with)
    };
    let nothing = outputs(moto, &check(json!({}))).await;
    assert_eq!((&nothing["lag_ms"], &nothing["recovery_point_at"]), (&Value::Null, &Value::Null));

    let now = jiff::Timestamp::now().as_second();
    for (age, value) in [(600, "4"), (300, "7"), (240, "-1")] {
        let at = jiff::Timestamp::from_second(now - age).unwrap().to_string();
        let parameters = [
            ("Namespace", "AWS/RDS"),
            ("MetricData.member.1.MetricName", "ReplicaLag"),
            ("MetricData.member.1.Value", value),
            ("MetricData.member.1.Timestamp", at.as_str()),
            ("MetricData.member.1.Dimensions.member.1.Name", "DBInstanceIdentifier"),
            ("MetricData.member.1.Dimensions.member.1.Value", "payments"),
        ];
        moto.query("monitoring", "us-west-2", "2010-08-01", "PutMetricData", &parameters).await;
    }
    let read = outputs(moto, &check(json!({"max_lag": "10s"}))).await;
    assert_eq!(read["lag_ms"], json!(7_000), "{read:?}");
    let at = |name: &str| read[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(at("measured_at") - at("recovery_point_at"), 7);
    assert!((now - 360..=now - 240).contains(&at("measured_at")), "{read:?}");
    for more in [json!({"max_lag": "5s"}), json!({"max_metric_age": "2m"})] {
        let (mut context, _switch) = context();
        let failure = perform(&provider(moto), &check(more), &mut context).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Transient, "{failure}");
    }
}

type Parameters = Vec<(&'static str, String)>;

/// A global database of two regions.
async fn global(caller: &Caller) -> (String, String) {
    let found = caller.rds("us-east-1", "DescribeDBEngineVersions", &[("Engine", "aurora-postgresql")]).await;
    let version = found.element("EngineVersion").unwrap_or("16.4").to_owned();
    let base = [("Engine", "aurora-postgresql"), ("EngineVersion", version.as_str())];
    let with = |more: &[(&'static str, &'static str)]| -> Vec<(&'static str, String)> {
        let base = base.iter().map(|(name, value)| (*name, (*value).to_owned()));
        base.chain(more.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
    };
    let arn = |region: &str, name: &str| format!("arn:aws:rds:{region}:{}:cluster:{name}", caller.account);
    let (east, west) = (arn("us-east-1", "payments-east"), arn("us-west-2", "payments-west"));
    let create = |region: &'static str, action: &'static str, parameters: Parameters| async move {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        caller.rds(region, action, &parameters).await;
    };
    let user = [("MasterUsername", "root"), ("MasterUserPassword", "not-a-secret")];
    let primary = [("DBClusterIdentifier", "payments-east"), user[0], user[1]];
    create("us-east-1", "CreateDBCluster", with(&primary)).await;
    let global =
        vec![("GlobalClusterIdentifier", "payments".to_owned()), ("SourceDBClusterIdentifier", east.clone())];
    create("us-east-1", "CreateGlobalCluster", global).await;
    let secondary = [("DBClusterIdentifier", "payments-west"), ("GlobalClusterIdentifier", "payments")];
    create("us-west-2", "CreateDBCluster", with(&secondary)).await;
    (east, west)
}

#[tokio::test]
async fn a_global_database_fails_over_while_its_old_region_is_lost() {
    let estate = Estate::up().await;
    let (east, west) = global(&estate.ministack).await;
    let faults = Faults::before(&estate.ministack).await;
    faults.set(Faults::lost_region("us-east-1")).await;
    let failover = json!({
        "region": "us-west-2",
        "global_cluster": "payments",
        "target": west,
        "allow_data_loss": true,
    });
    let moved = outputs(&faults.caller(), &action("aws.rds.failover_global_cluster", failover)).await;
    assert_eq!((&moved["writer"], &moved["previous_writer"]), (&json!(west), &json!(east)));
    // The way back needs the region that is lost, and says so.
    let switchover = json!({"region": "us-east-1", "global_cluster": "payments", "target": east});
    let (mut context, _switch) = context();
    let back = action("aws.rds.switchover_global_cluster", switchover);
    let failure = perform(&provider(&faults.caller()), &back, &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable);
    assert!(failure.message.starts_with("unreachable us-east-1: rds does not answer"), "{failure}");
}

#[tokio::test]
async fn a_global_database_switches_over_and_is_there_already_the_second_time() {
    let estate = Estate::up().await;
    let (_, west) = global(&estate.ministack).await;
    let with = json!({"region": "us-east-1", "global_cluster": "payments", "target": west});
    let switchover = action("aws.rds.switchover_global_cluster", with);
    let moved = outputs(&estate.ministack, &switchover).await;
    assert_eq!((&moved["writer"], &moved["already"]), (&json!(west), &json!(false)));
    let again = outputs(&estate.ministack, &switchover).await;
    assert_eq!(again["already"], json!(true));
}

#[tokio::test]
async fn the_writer_of_a_cluster_moves() {
    let estate = Estate::up().await;
    let moto = &estate.moto;
    let cluster = [
        ("DBClusterIdentifier", "payments"),
        ("Engine", "aurora-postgresql"),
        ("MasterUsername", "root"),
        ("MasterUserPassword", "not-a-secret"),
    ];
    moto.rds("us-east-1", "CreateDBCluster", &cluster).await;
    for name in ["one", "two"] {
        let parameters = [
            ("DBInstanceIdentifier", name),
            ("DBInstanceClass", "db.r6g.large"),
            ("Engine", "aurora-postgresql"),
            ("DBClusterIdentifier", "payments"),
        ];
        moto.rds("us-east-1", "CreateDBInstance", &parameters).await;
    }
    let with = json!({"region": "us-east-1", "cluster": "payments", "target": "two"});
    let moved = outputs(moto, &action("aws.rds.failover_cluster", with)).await;
    assert_eq!((&moved["writer"], &moved["previous_writer"]), (&json!("two"), &json!("one")));
}

#[tokio::test]
async fn a_throttled_order_is_throttled_and_not_applied() {
    let estate = Estate::up().await;
    instance(&estate.moto, "us-east-1", "payments").await;
    let faults = Faults::before(&estate.moto).await;
    let error = json!({"code": "ThrottlingException", "message": "Rate exceeded"});
    faults.set(json!([{"service": "rds", "operation": "StopDBInstance", "times": 1, "error": error}])).await;
    let with = json!({"region": "us-east-1", "kind": "instance", "identifier": "payments", "method": "stop"});
    let stop = action("aws.rds.fence", with);
    let (mut context, _switch) = context();
    let provider = provider(&faults.caller());
    let failure = perform(&provider, &stop, &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Throttled, "{failure}");
    assert!(failure.message.contains("Rate exceeded"), "{failure}");
    let (fenced, _) = perform(&provider, &stop, &mut context).await.unwrap();
    assert_eq!(fenced["confirmed"], json!(true));
}
