//! `aws.dynamodb.check_replication`: whether a replica of a global table is active and how late it is. Must
//! never invent a lag where the source's measurements cannot be read.

use serde_json::{Value, json};

use super::session::Session;
use super::{Outputs, outputs, permanent, shown, text, unhealthy};
use crate::model::action::aws::compute::DynamodbCheckReplication;
use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};
use crate::ports::AttemptContext;
use crate::providers::aws::call::Call;
use crate::providers::aws::clients::Aws;
use crate::providers::aws::metrics::{self, Metric, Point};
use crate::providers::excerpt;

pub(super) async fn check(
    aws: &Aws,
    it: &DynamodbCheckReplication,
    context: &AttemptContext,
) -> Result<Outputs, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context)?;
    let table = table(&session, &it.table).await?;
    let status = status(it, &table)?;
    if status != "ACTIVE" {
        return Err(unhealthy(format!(
            "the replica of `{}` in {} is {}",
            it.table,
            it.region,
            shown(&status)
        )));
    }
    let strong = text(&table, "MultiRegionConsistency") == "STRONG";
    let (lag, at) = if strong {
        (Some(Duration::ZERO), Some(aws.now()))
    } else {
        let point = measured(&session, it).await?;
        within(it, point, aws.now())?;
        (point.map(|point| metrics::millis(point.value)), point.map(|point| point.at))
    };
    let point = at.zip(lag).map(|(at, lag)| at.minus(lag));
    Ok(outputs(json!({
        "lag_ms": lag.map(Duration::as_millis),
        "measured_at": at,
        "recovery_point_at": point,
        "status": status,
        "consistency": if strong { "STRONG" } else { "EVENTUAL" },
    })))
}

async fn table(session: &Session<'_>, name: &str) -> Result<Value, Failure> {
    let asked = session.read("dynamodb", "DescribeTable");
    let body = json!({"TableName": name});
    let call = Call::json("dynamodb", "1.0", "DynamoDB_20120810.DescribeTable", &body);
    let found = session.json_if_there(&call, &asked, "ResourceNotFoundException").await?;
    let region = &session.place.region;
    let missing = || permanent(format!("there is no table `{}` in {region}", excerpt::head(name, 80)));
    Ok(found.ok_or_else(missing)?["Table"].clone())
}

/// State of the replica that is recovered to.
fn status(it: &DynamodbCheckReplication, table: &Value) -> Result<String, Failure> {
    let none = Vec::new();
    let replicas = table["Replicas"].as_array().unwrap_or(&none);
    let of = |region: &str| replicas.iter().find(|replica| text(replica, "RegionName") == region);
    if of(&it.source_region).is_none() {
        let (table, source) = (&it.table, &it.source_region);
        return Err(permanent(format!("table `{table}` in {} has no replica in {source}", it.region)));
    }
    // The region that is asked may be missing in the list of replicas: then the table's own state is its.
    let own = of(&it.region).map_or_else(|| text(table, "TableStatus"), |own| text(own, "ReplicaStatus"));
    Ok(own.to_owned())
}

/// The newest latency, which is measured where the writes come from; nothing when that region is lost and no
/// limit depends on it.
async fn measured(session: &Session<'_>, it: &DynamodbCheckReplication) -> Result<Option<Point>, Failure> {
    let source = session.elsewhere(&it.source_region)?;
    let metric = Metric {
        namespace: "AWS/DynamoDB",
        name: "ReplicationLatency",
        dimensions: vec![("TableName", it.table.clone()), ("ReceivingRegion", it.region.clone())],
        statistic: "Maximum",
    };
    match metrics::newest(source.aws, &[metric], &source.place, source.context).await {
        Ok(found) => Ok(found.into_iter().flatten().next()),
        Err(failure) if failure.class == FailureClass::Unreachable && !is_limited(it) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn is_limited(it: &DynamodbCheckReplication) -> bool {
    it.max_lag.is_some() || it.max_metric_age.is_some()
}

fn within(it: &DynamodbCheckReplication, point: Option<Point>, now: Timestamp) -> Result<(), Failure> {
    let Some(point) = point else {
        if is_limited(it) {
            return Err(unhealthy(format!("the replication latency of `{}` is not measured", it.table)));
        }
        return Ok(());
    };
    let measured = (point.at, metrics::millis(point.value));
    metrics::within(&format!("table `{}`", it.table), measured, it.max_lag, it.max_metric_age, now)
}
