//! What is told of many runs: percentiles, shares with how sure they are, a histogram. Knows no plan.

use schemars::JsonSchema;
use serde::Serialize;

use super::spread::P95;

/// Where the 97.5th percentile of a standard normal value lies.
const P97_5: f64 = 1.959_963_984_540_054;
/// Bars of a histogram.
const BARS: u64 = 40;

/// A share of runs, and the interval that holds the true one with 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Share {
    /// The share that was seen, from 0 to 1.
    pub probability: f64,
    /// Lower end of the interval (Wilson's).
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Recovery times of a study. A percentile is of all runs: one that never recovers is later than any time,
/// so that a percentile beyond the last recovery is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the fields are the documented JSON contract")]
pub struct Times {
    /// Half of the runs take longer, in milliseconds.
    pub p50_ms: Option<u64>,
    /// One run in twenty takes longer, in milliseconds.
    pub p95_ms: Option<u64>,
    /// One run in a hundred takes longer, in milliseconds.
    pub p99_ms: Option<u64>,
    /// The shortest recovery, in milliseconds.
    pub least_ms: Option<u64>,
    /// The longest recovery, in milliseconds.
    pub most_ms: Option<u64>,
    /// Mean of those that recovered, in milliseconds.
    pub mean_ms: Option<u64>,
}

/// How recovery times are spread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Histogram {
    /// Where the first bar begins, in milliseconds.
    pub from_ms: u64,
    /// How wide each bar is, in milliseconds.
    pub width_ms: u64,
    /// Runs in each bar. What lies beyond the last one is in `beyond`.
    pub counts: Vec<u32>,
    /// Runs that recovered later than the last bar ends.
    pub beyond: u32,
}

impl Share {
    /// The share of runs.
    #[must_use]
    pub(super) fn of(seen: u32, runs: u32) -> Self {
        let (n, p) = (f64::from(runs.max(1)), f64::from(seen) / f64::from(runs.max(1)));
        let z = P97_5;
        let denominator = 1.0 + z * z / n;
        let middle = (p + z * z / (2.0 * n)) / denominator;
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / denominator;
        let low = if seen == 0 { 0.0 } else { (middle - half).max(0.0) };
        let high = if seen >= runs { 1.0 } else { (middle + half).min(1.0) };
        Self { probability: rounded(p), low: rounded(low), high: rounded(high) }
    }
}

/// Six digits: more would say nothing.
pub(super) fn rounded(share: f64) -> f64 {
    (share * 1e6).round() / 1e6
}

/// The time that so many thousandths of all runs do not exceed; `None` when too few recover.
#[must_use]
pub(super) fn percentile(sorted: &[u64], runs: u32, thousandths: u64) -> Option<u64> {
    let rank = (u64::from(runs) * thousandths).div_ceil(1_000).max(1);
    sorted.get(usize::try_from(rank - 1).ok()?).copied()
}

impl Times {
    /// Of the recovery times of so many runs, in order.
    #[must_use]
    pub(super) fn of(sorted: &[u64], runs: u32) -> Self {
        let at = |thousandths| percentile(sorted, runs, thousandths);
        let sum: u128 = sorted.iter().map(|time| u128::from(*time)).sum();
        let mean = sum.checked_div(sorted.len() as u128).and_then(|mean| u64::try_from(mean).ok());
        Self {
            p50_ms: at(500),
            p95_ms: at(950),
            p99_ms: at(990),
            least_ms: sorted.first().copied(),
            most_ms: sorted.last().copied(),
            mean_ms: mean,
        }
    }
}

impl Histogram {
    /// Of recovery times in order; `None` when there are none. The slowest half percent does not stretch it.
    #[must_use]
    pub(super) fn of(sorted: &[u64]) -> Option<Self> {
        let (least, counted) = (*sorted.first()?, u32::try_from(sorted.len()).unwrap_or(u32::MAX));
        let most = percentile(sorted, counted, 995)?;
        let width = nice((most - least) / BARS + 1);
        let from = least / width * width;
        let bars = (most - from) / width + 1;
        let mut counts = vec![0_u32; usize::try_from(bars).unwrap_or(1)];
        let mut beyond = 0;
        for time in sorted {
            let place = usize::try_from((time - from) / width).unwrap_or(usize::MAX);
            *counts.get_mut(place).unwrap_or(&mut beyond) += 1;
        }
        Some(Self { from_ms: from, width_ms: width, counts, beyond })
    }
}

/// The next width that a person can read, in milliseconds.
fn nice(width: u64) -> u64 {
    const WIDTHS: [u64; 22] = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000,
        300_000, 600_000, 900_000, 1_800_000, 3_600_000,
    ];
    WIDTHS.into_iter().find(|nice| *nice >= width).unwrap_or_else(|| width.div_ceil(3_600_000) * 3_600_000)
}

/// How far p5 and p95 lie from the middle, in standard deviations.
pub(super) const ENDS: [f64; 2] = [-P95, P95];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_never_recovers_is_later_than_any() {
        let nine: Vec<u64> = (1..=9).map(|it| it * 1_000).collect();
        let times = Times::of(&nine, 10);
        assert_eq!((times.p50_ms, times.p95_ms, times.p99_ms), (Some(5_000), None, None));
        assert_eq!((times.mean_ms, times.most_ms), (Some(5_000), Some(9_000)));
        let all = Times::of(&nine, 9);
        assert_eq!((all.p50_ms, all.p95_ms), (Some(5_000), Some(9_000)));
        assert_eq!(Times::of(&[], 10).p50_ms, None);
    }

    #[test]
    fn a_share_says_how_sure_it_is() {
        // Wilson's interval for 5 of 100, as in the tables.
        let share = Share::of(5, 100);
        assert_eq!((share.probability, share.low, share.high), (0.05, 0.021_544, 0.111_75));
        let none = Share::of(0, 10_000);
        assert_eq!((none.probability, none.low), (0.0, 0.0));
        assert!(none.high > 0.000_3 && none.high < 0.000_5, "{none:?}");
        assert!(Share::of(100, 100).high > 0.999_999);
    }

    #[test]
    fn a_histogram_counts_every_run_once() {
        let times: Vec<u64> = (0..1_000).map(|it| 61_000 + it * 37).collect();
        let histogram = Histogram::of(&times).unwrap_or_else(|| panic!("there are times"));
        assert_eq!((histogram.from_ms, histogram.width_ms), (61_000, 1_000));
        assert_eq!(histogram.counts.iter().sum::<u32>() + histogram.beyond, 1_000);
        assert_eq!(Histogram::of(&[]), None);
        let one = Histogram::of(&[5]).unwrap_or_else(|| panic!("there is a time"));
        assert_eq!((one.from_ms, one.width_ms, one.counts), (5, 1, vec![1]));
    }
}
