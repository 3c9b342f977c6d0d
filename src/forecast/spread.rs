//! How long something takes, as a distribution: lognormal, told by the middle and the p95. Knows no plan.

use schemars::JsonSchema;
use serde::Serialize;

use super::number;
use crate::model::run::words;
use crate::model::time::Duration;
use crate::plan::Measured;

/// Where the 95th percentile of a standard normal value lies.
pub(super) const P95: f64 = 1.644_853_626_951_472_2;
/// Of what is only estimated, one in twenty takes longer than this many times the estimate.
pub(super) const ESTIMATE_P95: f64 = 1.5;
/// Fewer samples than this tell a middle, but not how far they spread.
pub(super) const ENOUGH: u32 = 5;

words! {
    /// Where a duration is known from.
    Basis {
        /// Earlier runs of the service.
        History = "history",
        /// What the step's author or, where that one says nothing, the action expects.
        Estimate = "estimate",
        /// A scenario.
        Scenario = "scenario",
        /// It is written down, as that of a wait.
        Fixed = "fixed",
    }
}

/// A lognormal duration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Half of all take longer; milliseconds.
    middle: f64,
    /// Standard deviation of the logarithm.
    sigma: f64,
}

/// What is told about a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Told {
    /// Half of all take longer, in milliseconds.
    pub p50_ms: u64,
    /// One in twenty takes longer, in milliseconds.
    pub p95_ms: u64,
}

impl Spread {
    /// Always the same.
    #[must_use]
    pub fn fixed(duration: Duration) -> Self {
        Self { middle: millis(duration), sigma: 0.0 }
    }

    /// By the middle and by what one in twenty exceeds.
    #[must_use]
    pub fn between(p50: Duration, p95: Duration) -> Self {
        let (middle, high) = (millis(p50).max(1.0), millis(p95));
        Self { middle: millis(p50), sigma: if high > middle { number::ln(high / middle) / P95 } else { 0.0 } }
    }

    /// Of what is only estimated.
    #[must_use]
    pub fn estimated(estimate: Duration) -> Self {
        Self { middle: millis(estimate), sigma: number::ln(ESTIMATE_P95) / P95 }
    }

    /// As it was measured. A handful of samples says nothing about how far others may lie: then they spread
    /// as far as estimates do, if not further.
    #[must_use]
    pub fn measured(measured: &Measured) -> Self {
        let fitted = Self::between(measured.p50, measured.p95);
        let least = if measured.samples < ENOUGH { Self::estimated(measured.p50).sigma } else { 0.0 };
        Self { sigma: fitted.sigma.max(least), ..fitted }
    }

    /// The duration that lies this many standard deviations from the middle, in milliseconds.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, at most a year"
    )]
    pub(super) fn at(self, deviation: f64) -> u64 {
        if self.sigma == 0.0 {
            return self.middle as u64;
        }
        (self.middle * number::exp(self.sigma * deviation)).min(LONGEST).round() as u64
    }

    /// The same, this many times as long.
    #[must_use]
    pub(super) fn times(self, factor: f64) -> Self {
        Self { middle: self.middle * factor, ..self }
    }

    /// Whether it is always the same.
    #[must_use]
    pub(super) fn is_fixed(self) -> bool {
        self.sigma == 0.0 || self.middle == 0.0
    }

    /// Middle and p95.
    #[must_use]
    pub(super) fn told(self) -> Told {
        Told { p50_ms: self.at(0.0), p95_ms: self.at(P95) }
    }
}

/// Nothing is drawn that takes longer than a year, in milliseconds.
const LONGEST: f64 = 366.0 * 86_400_000.0;

#[expect(clippy::cast_precision_loss, reason = "a duration of at most a year has fewer than 53 bits")]
fn millis(duration: Duration) -> f64 {
    duration.as_millis() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(samples: u32, p50: u64, p95: u64) -> Measured {
        Measured { samples, p50: Duration::from_secs(p50), p95: Duration::from_secs(p95) }
    }

    #[test]
    fn the_middle_and_the_p95_are_those_that_were_given() {
        let spread = Spread::between(Duration::from_secs(100), Duration::from_secs(240));
        assert_eq!(spread.told(), Told { p50_ms: 100_000, p95_ms: 240_000 });
        // The other side of the middle is as far away, in proportion.
        assert_eq!(spread.at(-P95), 41_667);
        assert_eq!(
            Spread::estimated(Duration::from_secs(60)).told(),
            Told { p50_ms: 60_000, p95_ms: 90_000 }
        );
        assert_eq!(Spread::fixed(Duration::from_secs(7)).at(3.0), 7_000);
        assert!(Spread::estimated(Duration::ZERO).is_fixed());
    }

    #[test]
    fn few_samples_spread_at_least_as_far_as_an_estimate() {
        let p95 = |it: &Measured| Spread::measured(it).told().p95_ms;
        assert_eq!(p95(&measured(1, 100, 100)), 150_000);
        assert_eq!(p95(&measured(4, 100, 300)), 300_000);
        assert_eq!(p95(&measured(5, 100, 110)), 110_000);
    }
}
