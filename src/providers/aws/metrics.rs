//! The newest values of CloudWatch metrics. Must never fill a gap: a metric that stopped keeps its last value
//! with the time it was measured.

use super::call::Call;
use super::clients::Aws;
use super::failure::Error;
use super::place::Place;
use super::xml;
use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};
use crate::ports::AttemptContext;

/// Version of the CloudWatch API.
const MONITORING: &str = "2010-08-01";
/// How far back a last value is looked for.
const BACK: Duration = Duration::from_secs(24 * 60 * 60);
/// Most values asked for of each metric on a page; the newest come first.
const VALUES: usize = 500;
/// Most pages that are read.
const PAGES: usize = 50;

/// One metric.
#[derive(Debug, Clone)]
pub(super) struct Metric {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
    pub(super) dimensions: Vec<(&'static str, String)>,
    /// How values of one minute are put together, such as `Maximum`.
    pub(super) statistic: &'static str,
}

/// A measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    pub(super) value: f64,
}

/// The newest value of each metric that is not negative, which stands for "cannot be measured"; absent where
/// the last day has none.
pub(super) async fn newest(
    aws: &Aws,
    metrics: &[Metric],
    place: &Place,
    context: &AttemptContext,
) -> Result<Vec<Option<Point>>, Failure> {
    let all = series(aws, metrics, place, context).await?;
    Ok(all.into_iter().map(|points| points.into_iter().max_by_key(|point| point.at)).collect())
}

/// The values of each metric in the last day.
pub(super) async fn series(
    aws: &Aws,
    metrics: &[Metric],
    place: &Place,
    context: &AttemptContext,
) -> Result<Vec<Vec<Point>>, Failure> {
    let now = aws.now();
    let from = Timestamp::from_millis(now.as_millis() - i64::try_from(BACK.as_millis()).unwrap_or_default());
    let mut parameters = vec![
        // The minute under way has values too.
        ("StartTime".to_owned(), from.to_string()),
        ("EndTime".to_owned(), now.plus(Duration::from_secs(60)).to_string()),
        ("ScanBy".to_owned(), "TimestampDescending".to_owned()),
        ("MaxDatapoints".to_owned(), (VALUES * metrics.len()).to_string()),
    ];
    for (at, metric) in (1..).zip(metrics) {
        let query = format!("MetricDataQueries.member.{at}");
        parameters.push((format!("{query}.Id"), format!("m{at}")));
        parameters.push((format!("{query}.ReturnData"), "true".to_owned()));
        let stat = format!("{query}.MetricStat");
        parameters.push((format!("{stat}.Period"), "60".to_owned()));
        parameters.push((format!("{stat}.Stat"), metric.statistic.to_owned()));
        parameters.push((format!("{stat}.Metric.Namespace"), metric.namespace.to_owned()));
        parameters.push((format!("{stat}.Metric.MetricName"), metric.name.to_owned()));
        for (at, (name, value)) in (1..).zip(&metric.dimensions) {
            let dimension = format!("{stat}.Metric.Dimensions.member.{at}");
            parameters.push((format!("{dimension}.Name"), (*name).to_owned()));
            parameters.push((format!("{dimension}.Value"), value.clone()));
        }
    }
    let asked = aws.read("cloudwatch", "GetMetricData", place, context);
    let (mut all, mut next) = (vec![Vec::new(); metrics.len()], None::<String>);
    for _ in 0..PAGES {
        let token = next.as_deref().map(|token| ("NextToken", token));
        let page: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let page: Vec<_> = page.into_iter().chain(token).collect();
        let call = Call::query("monitoring", MONITORING, "GetMetricData", &page);
        let answer = aws.call(&call, &asked, place, context).await?;
        let read = answer.text().and_then(|text| points(text, metrics.len()));
        let (found, more) = read.map_err(|error| asked.failure(error))?;
        for (all, found) in all.iter_mut().zip(found) {
            all.extend(found);
        }
        next = more;
        if next.is_none() {
            return Ok(all);
        }
    }
    // What was not read may be what matters.
    Err(asked.failure(Error::Unreadable(format!("more than {PAGES} pages"))))
}

/// A duration of that many milliseconds.
pub(super) fn millis(value: f64) -> Duration {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "values below zero and beyond a century are left out"
    )]
    let millis = value.clamp(0.0, 3e12) as u64;
    Duration::from_millis(millis)
}

/// Compares a lag and the age of its measurement with what is allowed.
///
/// # Errors
/// Transient, when one of them is too large.
pub(super) fn within(
    what: &str,
    measured: (Timestamp, Duration),
    max_lag: Option<Duration>,
    max_age: Option<Duration>,
    now: Timestamp,
) -> Result<(), Failure> {
    let (at, lag) = measured;
    let too_large = |message| Err(Failure::new(FailureClass::Transient, message));
    if let Some(allowed) = max_lag.filter(|allowed| lag > *allowed) {
        return too_large(format!("{what} is {lag} behind, allowed are {allowed}"));
    }
    let age = now.since(at);
    match max_age.filter(|allowed| age > *allowed) {
        Some(allowed) => {
            too_large(format!("the newest measurement of {what} is {age} old, allowed are {allowed}"))
        }
        None => Ok(()),
    }
}

/// The values of each metric on a page, and what the next page is asked for with.
fn points(text: &str, metrics: usize) -> Result<(Vec<Vec<Point>>, Option<String>), Error> {
    let document = xml::parse(text)?;
    let results = xml::members(document.root_element(), "GetMetricDataResult/MetricDataResults");
    let of = |id: String| {
        let Some(result) = results.iter().find(|result| xml::text(**result, "Id") == Some(id.as_str()))
        else {
            return Vec::new();
        };
        let times = xml::members(*result, "Timestamps");
        let values = xml::members(*result, "Values");
        let points = times.iter().zip(&values).filter_map(|(at, value)| {
            let at: jiff::Timestamp = at.text()?.trim().parse().ok()?;
            let value: f64 = value.text()?.trim().parse().ok()?;
            Some(Point { at: Timestamp::from_millis(at.as_millisecond()), value })
        });
        points.filter(|point| point.value >= 0.0 && point.value.is_finite()).collect()
    };
    let next = xml::text(document.root_element(), "GetMetricDataResult/NextToken");
    let next = next.filter(|token| !token.is_empty()).map(str::to_owned);
    Ok(((1..=metrics).map(|at| of(format!("m{at}"))).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_value_that_was_measured_counts() {
        let text = "<GetMetricDataResponse><GetMetricDataResult><MetricDataResults>\
            <member><Id>m1</Id><Timestamps><member>2026-11-21T10:00:00Z</member>\
            <member>2026-11-21T10:02:00Z</member><member>2026-11-21T10:01:00+00:00</member></Timestamps>\
            <Values><member>4.0</member><member>-1.0</member><member>7.5</member></Values></member>\
            <member><Id>m2</Id><Timestamps/><Values/></member>\
            </MetricDataResults></GetMetricDataResult></GetMetricDataResponse>";
        let newest = |points: &Vec<Point>| points.iter().copied().max_by_key(|point| point.at);
        let found: Vec<_> = points(text, 3).unwrap().0.iter().map(newest).collect();
        let at: jiff::Timestamp = "2026-11-21T10:01:00Z".parse().unwrap();
        let expected = Point { at: Timestamp::from_millis(at.as_millisecond()), value: 7.5 };
        assert_eq!(found, [Some(expected), None, None]);
        assert!(matches!(points("nonsense", 1), Err(Error::Unreadable(_))));
    }
}
