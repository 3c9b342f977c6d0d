//! `aws.s3.check_replication`: how far replication between two buckets is behind. Must never take a rule that
//! measures nothing for one that is up to date.

use serde_json::json;

use super::session::Session;
use super::{Outputs, outputs, permanent, unhealthy};
use crate::model::action::aws::compute::S3CheckReplication;
use crate::model::run::Failure;
use crate::model::time::{Duration, Timestamp};
use crate::ports::AttemptContext;
use crate::providers::aws::clients::Aws;
use crate::providers::aws::metrics::{self, Metric, Point};

/// How far back failures count.
const FAILURES: Duration = Duration::from_secs(60 * 60);
/// What is measured of each rule, and how a minute of it is put together.
const METRICS: [(&str, &str); 4] = [
    ("ReplicationLatency", "Maximum"),
    ("OperationsPendingReplication", "Maximum"),
    ("BytesPendingReplication", "Maximum"),
    ("OperationsFailedReplication", "Sum"),
];

/// What all rules together show.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    lag: Option<Duration>,
    /// Oldest of the rules' newest measurements.
    measured_at: Option<Timestamp>,
    /// How far the data of every rule reaches; none where one measures nothing.
    reaches_to: Option<Timestamp>,
    pending_operations: Option<u64>,
    pending_bytes: Option<u64>,
    failed: u64,
    /// Rules without a measured latency.
    silent: Vec<String>,
}

pub(super) async fn check(
    aws: &Aws,
    it: &S3CheckReplication,
    context: &AttemptContext,
) -> Result<Outputs, Failure> {
    if it.rule_ids.is_empty() {
        return Err(permanent("`rule_ids` is empty: name the replication rules; nothing was sent"));
    }
    let session = Session::open(aws, &it.region, it.account.as_ref(), context)?;
    let metrics: Vec<_> =
        it.rule_ids.iter().flat_map(|rule| METRICS.map(|of| metric(it, rule, of))).collect();
    let found = metrics::series(aws, &metrics, &session.place, context).await?;
    let reading = put_together(&it.rule_ids, &found, aws.now());
    judge(it, &reading, aws.now())?;
    Ok(outputs(json!({
        "lag_ms": reading.lag.map(Duration::as_millis),
        "measured_at": reading.measured_at,
        "recovery_point_at": reading.reaches_to,
        "pending_operations": reading.pending_operations,
        "pending_bytes": reading.pending_bytes,
        "failed_operations": reading.failed,
    })))
}

fn metric(it: &S3CheckReplication, rule: &str, (name, statistic): (&'static str, &'static str)) -> Metric {
    let dimensions = vec![
        ("SourceBucket", it.source_bucket.clone()),
        ("DestinationBucket", it.destination_bucket.clone()),
        ("RuleId", rule.to_owned()),
    ];
    Metric { namespace: "AWS/S3", name, dimensions, statistic }
}

fn put_together(rules: &[String], found: &[Vec<Point>], now: Timestamp) -> Reading {
    let newest = |points: &Vec<Point>| points.iter().copied().max_by_key(|point| point.at);
    let of = |which: usize| found.iter().skip(which).step_by(METRICS.len());
    let latencies: Vec<_> = of(0).map(newest).collect();
    let sum = |which: usize| {
        let values: Vec<_> = of(which).filter_map(newest).map(|point| whole(point.value)).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    };
    // This metric is in seconds, unlike those of other services.
    let lag = |point: &Point| metrics::millis(point.value * 1_000.0);
    let all: Option<Vec<Point>> = latencies.iter().copied().collect();
    let recent = |point: &&Point| now.since(point.at) <= FAILURES;
    Reading {
        // The lag of those that speak says nothing of the others.
        lag: all.as_ref().and_then(|all| all.iter().map(lag).max()),
        measured_at: latencies.iter().flatten().map(|point| point.at).min(),
        reaches_to: all.and_then(|all| all.iter().map(|point| point.at.minus(lag(point))).min()),
        pending_operations: sum(1),
        pending_bytes: sum(2),
        failed: of(3).flatten().filter(recent).map(|point| whole(point.value)).sum(),
        silent: rules
            .iter()
            .zip(&latencies)
            .filter(|(_, point)| point.is_none())
            .map(|(rule, _)| rule.clone())
            .collect(),
    }
}

fn whole(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count: never negative, and nobody replicates more"
    )]
    let value = value.clamp(0.0, 9e15) as u64;
    value
}

fn judge(it: &S3CheckReplication, reading: &Reading, now: Timestamp) -> Result<(), Failure> {
    let between = format!("replication from `{}` to `{}`", it.source_bucket, it.destination_bucket);
    let limited = it.max_lag.is_some() || it.max_metric_age.is_some();
    if let Some(rule) = reading.silent.first().filter(|_| limited) {
        return Err(unhealthy(format!(
            "{between}: rule `{rule}` has no measured latency; does it publish metrics?"
        )));
    }
    if let Some((lag, at)) = reading.lag.zip(reading.measured_at) {
        metrics::within(&between, (at, lag), it.max_lag, it.max_metric_age, now)?;
    }
    let over = [
        ("operations pending", reading.pending_operations, it.max_pending_operations),
        ("bytes pending", reading.pending_bytes, it.max_pending_bytes),
        (
            "operations failed in the last hour",
            Some(reading.failed),
            Some(it.max_failed_operations.unwrap_or(0)),
        ),
    ];
    for (what, there, allowed) in over {
        let Some(allowed) = allowed else { continue };
        match there {
            Some(there) if there > allowed => {
                return Err(unhealthy(format!("{between}: {there} {what}, allowed are {allowed}")));
            }
            None => return Err(unhealthy(format!("{between}: {what} are not measured"))),
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_rule_counts_and_old_failures_do_not() {
        let now = Timestamp::from_millis(10_000_000);
        let at = |seconds_ago: i64, value: f64| Point {
            at: Timestamp::from_millis(now.as_millis() - seconds_ago * 1_000),
            value,
        };
        let rules = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let found = vec![
            vec![at(60, 7.0), at(120, 99.0)],
            vec![at(60, 3.0)],
            vec![at(60, 1_000.0)],
            vec![at(60, 1.0), at(120, 2.0), at(4_000, 50.0)],
            vec![at(300, 2.5)],
            vec![at(60, 4.0)],
            vec![],
            vec![],
            vec![],
            vec![],
            vec![],
            vec![],
        ];
        let reading = put_together(&rules, &found, now);
        assert_eq!((reading.lag, reading.reaches_to), (None, None), "one rule measures nothing");
        assert_eq!(reading.measured_at, Some(at(300, 0.0).at));
        assert_eq!((reading.pending_operations, reading.pending_bytes), (Some(7), Some(1_000)));
        assert_eq!((reading.failed, reading.silent), (3, vec!["c".to_owned()]));
        let reading = put_together(&rules[..2], &found[..8], now);
        assert_eq!(reading.lag, Some(Duration::from_secs(7)));
        // The rule that is least behind was measured longest ago.
        assert_eq!(reading.reaches_to, Some(at(300, 0.0).at.minus(Duration::from_millis(2_500))));
    }
}
