//! Alarms and replicated stores: measurements planted in moto, a global table of ministack.

use drctl::model::run::FailureClass;
use drctl::model::time::{Duration, Timestamp};
use serde_json::{Map, Value, json};

use crate::aws::attempts::Attempt;
use crate::aws::client::Caller;
use crate::aws::estate::Estate;
use crate::aws::fake::Fake;
use crate::aws::faults::Faults;

/// How long ago a time is.
fn age(at: &Value) -> Duration {
    let at: Timestamp = at.as_str().unwrap().parse().unwrap();
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond()).since(at)
}

const VERSION: &str = "2010-08-01";

/// Plants a measurement some seconds old.
async fn plant(
    caller: &Caller,
    region: &str,
    metric: (&str, &str),
    dimensions: &[(&str, &str)],
    age: i64,
    value: &str,
) {
    let at = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - age).unwrap().to_string();
    let mut parameters = vec![
        ("Namespace".to_owned(), metric.0.to_owned()),
        ("MetricData.member.1.MetricName".to_owned(), metric.1.to_owned()),
        ("MetricData.member.1.Value".to_owned(), value.to_owned()),
        ("MetricData.member.1.Timestamp".to_owned(), at),
    ];
    for (at, (name, value)) in (1..).zip(dimensions) {
        parameters.push((format!("MetricData.member.1.Dimensions.member.{at}.Name"), (*name).to_owned()));
        parameters.push((format!("MetricData.member.1.Dimensions.member.{at}.Value"), (*value).to_owned()));
    }
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    caller.query("monitoring", region, VERSION, "PutMetricData", &parameters).await;
}

async fn alarm(caller: &Caller, name: &str, state: &str) {
    let parameters = [
        ("AlarmName", name),
        ("ComparisonOperator", "GreaterThanThreshold"),
        ("EvaluationPeriods", "1"),
        ("MetricName", "5xx"),
        ("Namespace", "web"),
        ("Period", "60"),
        ("Statistic", "Sum"),
        ("Threshold", "1"),
    ];
    caller.query("monitoring", "us-west-2", VERSION, "PutMetricAlarm", &parameters).await;
    let parameters = [("AlarmName", name), ("StateValue", state), ("StateReason", "planted")];
    caller.query("monitoring", "us-west-2", VERSION, "SetAlarmState", &parameters).await;
}

async fn check(caller: &Caller, name: &str, base: Value, more: Value) -> Result<Map<String, Value>, String> {
    let mut with = base;
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    match Attempt::new(caller, name, with).perform().await {
        Ok(outputs) => Ok(outputs),
        Err(failure) => {
            assert_eq!(failure.class, FailureClass::Transient, "{failure}");
            Err(failure.message)
        }
    }
}

#[tokio::test]
async fn alarms_are_healthy_when_all_of_them_are_there_and_ok() {
    let estate = Estate::up().await;
    let moto = &estate.moto;
    for (name, state) in
        [("web-5xx", "OK"), ("web-latency", "OK"), ("db-cpu", "ALARM"), ("db-new", "INSUFFICIENT_DATA")]
    {
        alarm(moto, name, state).await;
    }
    let check = async |more: Value| {
        check(moto, "aws.cloudwatch.check_alarms", json!({"region": "us-west-2"}), more).await
    };
    assert_eq!(check(json!({"prefix": "web-"})).await.unwrap()["ok"], json!(2));
    assert_eq!(check(json!({"names": ["web-5xx"]})).await.unwrap()["ok"], json!(1));
    for (more, what) in [
        (json!({"names": ["web-5xx", "db-cpu"]}), "1 alarms are not OK: db-cpu: planted"),
        (json!({"names": ["web-5xx", "gone"]}), "gone: there is no such alarm"),
        (json!({"names": ["db-new"]}), "not enough data: db-new"),
        (json!({"prefix": "nothing"}), "no alarm's name begins with `nothing`"),
        (json!({"prefix": "web-", "ok_for": "1h"}), "not OK for 1h yet"),
    ] {
        let message = check(more).await.unwrap_err();
        assert!(message.contains(what), "{message}");
    }
    let lenient = json!({"names": ["db-new"], "allow_insufficient_data": true});
    assert_eq!(check(lenient).await.unwrap()["insufficient"], json!(["db-new"]));
}

#[tokio::test]
async fn replication_of_buckets_is_read_rule_by_rule() {
    let estate = Estate::up().await;
    let moto = &estate.moto;
    for (rule, metric, age, value) in [
        ("all", "ReplicationLatency", 120, "7"),
        ("all", "ReplicationLatency", 600, "90"),
        ("all", "OperationsPendingReplication", 120, "3"),
        ("all", "BytesPendingReplication", 120, "4096"),
        ("all", "OperationsFailedReplication", 300, "1"),
        ("all", "OperationsFailedReplication", 600, "1"),
        ("all", "OperationsFailedReplication", 7_000, "40"),
    ] {
        let dimensions = [("SourceBucket", "east"), ("DestinationBucket", "west"), ("RuleId", rule)];
        plant(moto, "us-east-1", ("AWS/S3", metric), &dimensions, age, value).await;
    }
    let base = json!({
        "region": "us-east-1", "source_bucket": "east", "destination_bucket": "west", "rule_ids": ["all"],
        "max_failed_operations": 2,
    });
    let check = async |more: Value| check(moto, "aws.s3.check_replication", base.clone(), more).await;
    let read = check(json!({"max_lag": "10s", "max_pending_bytes": 5000})).await.unwrap();
    assert_eq!((&read["lag_ms"], &read["pending_operations"]), (&json!(7_000), &json!(3)), "{read:?}");
    assert!(age(&read["recovery_point_at"]) >= Duration::from_secs(127), "{read:?}");
    assert_eq!((&read["pending_bytes"], &read["failed_operations"]), (&json!(4_096), &json!(2)), "{read:?}");
    for (more, what) in [
        (json!({"max_lag": "5s"}), "7s behind"),
        (json!({"max_metric_age": "1m"}), "old, allowed are 1m"),
        (json!({"max_pending_operations": 2}), "3 operations pending"),
        (json!({"max_failed_operations": 0}), "2 operations failed"),
        (json!({"rule_ids": ["all", "other"], "max_lag": "1h"}), "rule `other` has no measured latency"),
    ] {
        let message = check(more).await.unwrap_err();
        assert!(message.contains(what), "{message}");
    }
}

#[tokio::test]
async fn measurements_are_read_to_the_last_page() {
    let fake = Fake::start(Box::new(|request| {
        let at = jiff::Timestamp::now();
        let one = |id: &str, value: u32| {
            format!(
                "<member><Id>{id}</Id><Timestamps><member>{at:.0}</member></Timestamps>\
                 <Values><member>{value}</member></Values></member>"
            )
        };
        let (results, next) = match request.get("NextToken") {
            "" => (one("m1", 7), "<NextToken>two</NextToken>"),
            _ => (one("m4", 3), ""),
        };
        let body = format!(
            "<R><GetMetricDataResult><MetricDataResults>{results}</MetricDataResults>{next}</GetMetricDataResult></R>"
        );
        (200, body)
    }));
    let base = json!({
        "region": "us-east-1", "source_bucket": "east", "destination_bucket": "west", "rule_ids": ["all"],
    });
    let message = check(&fake.caller(), "aws.s3.check_replication", base, json!({})).await.unwrap_err();
    assert!(message.contains("3 operations failed"), "{message}");
    assert_eq!(fake.count("GetMetricData"), 2);
}

async fn global_table(caller: &Caller) {
    let key = json!({"AttributeName": "id", "AttributeType": "S"});
    let body = json!({
        "TableName": "ledger",
        "AttributeDefinitions": [key],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    });
    caller.json("dynamodb", "us-east-1", "DynamoDB_20120810.CreateTable", &body).await;
    let body = json!({"TableName": "ledger", "ReplicaUpdates": [{"Create": {"RegionName": "us-west-2"}}]});
    caller.json("dynamodb", "us-east-1", "DynamoDB_20120810.UpdateTable", &body).await;
}

#[tokio::test]
async fn a_replica_of_a_global_table_is_read_and_its_latency_where_the_writes_are() {
    let estate = Estate::up().await;
    let ministack = &estate.ministack;
    global_table(ministack).await;
    let base = json!({"region": "us-west-2", "table": "ledger", "source_region": "us-east-1"});
    let run = async |caller: &Caller, more: Value| {
        check(caller, "aws.dynamodb.check_replication", base.clone(), more).await
    };
    let unmeasured = run(ministack, json!({})).await.unwrap();
    assert_eq!((&unmeasured["lag_ms"], &unmeasured["status"]), (&Value::Null, &json!("ACTIVE")));
    let dimensions = [("TableName", "ledger"), ("ReceivingRegion", "us-west-2")];
    plant(ministack, "us-east-1", ("AWS/DynamoDB", "ReplicationLatency"), &dimensions, 120, "850").await;
    let read = run(ministack, json!({"max_lag": "1s"})).await.unwrap();
    assert_eq!((&read["lag_ms"], &read["consistency"]), (&json!(850), &json!("EVENTUAL")), "{read:?}");
    assert!(age(&read["recovery_point_at"]) >= Duration::from_millis(120_850), "{read:?}");
    let message = run(ministack, json!({"max_lag": "500ms"})).await.unwrap_err();
    assert!(message.contains("850ms behind"), "{message}");

    let faults = Faults::before(ministack).await;
    faults.set(Faults::lost_region("us-east-1")).await;
    let alone = run(&faults.caller(), json!({})).await.unwrap();
    assert_eq!((&alone["lag_ms"], &alone["status"]), (&Value::Null, &json!("ACTIVE")), "{alone:?}");
    let mut limited = base.clone();
    limited["max_lag"] = json!("1s");
    let mut limited = Attempt::new(&faults.caller(), "aws.dynamodb.check_replication", limited);
    assert_eq!(limited.perform().await.unwrap_err().class, FailureClass::Unreachable);
}
