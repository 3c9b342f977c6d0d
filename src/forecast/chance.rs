//! Draws that depend only on the seed, the run and what they are for: the same whatever happens around
//! them, so that two studies differ by what was changed and not by luck.

use super::number;

/// What a draw decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// How long something takes.
    Duration = 0,
    /// Whether a rule of the scenario counts.
    Rule = 1,
    /// Whether a fault of the scenario occurs.
    Fault = 2,
    /// How a pause is spread.
    Pause = 3,
}

/// The luck of one run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Luck {
    /// Whatever the key gives.
    Drawn {
        /// Follows from seed and run.
        key: u64,
    },
    /// Everything takes its median; what is less likely than not does not happen.
    Middling {
        /// The unit that does not.
        unit: u32,
        /// How far its durations lie from their median, in standard deviations.
        deviation: f64,
    },
}

impl Luck {
    /// The luck of a run of a study.
    #[must_use]
    pub(super) fn of(seed: u64, run: u32) -> Self {
        Self::Drawn { key: mixed(mixed(seed) ^ u64::from(run).wrapping_mul(STEP)) }
    }

    /// The luck of a run that is a part of another, by its name: who else there is changes nothing of it.
    #[must_use]
    pub(super) fn of_part(seed: u64, name: &str, run: u32) -> Self {
        // FNV-1a.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self::of(seed ^ mixed(name.bytes().fold(0xcbf2_9ce4_8422_2325, fold)), run)
    }

    /// A number between 0 and 1, both excluded.
    #[must_use]
    pub(super) fn share(self, purpose: Purpose, of: u32, number: u32) -> f64 {
        match self {
            Self::Middling { .. } => 0.5,
            Self::Drawn { key } => {
                // Nodes, attempts and purposes have bits of their own.
                let question = (u64::from(of) << 35) | (u64::from(number) << 3) | purpose as u64;
                let drawn = mixed(key.wrapping_add(question.wrapping_add(1).wrapping_mul(STEP)));
                #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
                let whole = (drawn >> 11) as f64;
                (whole + 0.5) / 9_007_199_254_740_992.0
            }
        }
    }

    /// How far a duration of a node lies from its median, in standard deviations.
    #[must_use]
    pub(super) fn deviation(self, unit: u32, node: u32, number: u32) -> f64 {
        match self {
            Self::Middling { unit: other, deviation } if other == unit => deviation,
            Self::Middling { .. } => 0.0,
            Self::Drawn { .. } => number::normal(self.share(Purpose::Duration, node, number)),
        }
    }
}

/// Golden ratio of 64 bits, the step of `SplitMix64`.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finalizer of `SplitMix64`: every bit of the result depends on every bit of the number.
fn mixed(number: u64) -> u64 {
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_and_independent() {
        let draws = 20_000_u32;
        let mut sums = [0.0_f64; 3];
        let mut product = 0.0;
        for run in 0..draws {
            let luck = Luck::of(7, run);
            let one = luck.share(Purpose::Duration, 3, 1);
            let two = luck.share(Purpose::Duration, 4, 1);
            let three = luck.share(Purpose::Rule, 3, 1);
            assert!(one > 0.0 && one < 1.0);
            for (sum, drawn) in sums.iter_mut().zip([one, two, three]) {
                *sum += drawn;
            }
            product += (one - 0.5) * (two - 0.5) + (one - 0.5) * (three - 0.5);
        }
        for sum in sums {
            assert!((sum / f64::from(draws) - 0.5).abs() < 0.01, "{sum}");
        }
        assert!((product / f64::from(draws)).abs() < 0.003, "{product}");
    }

    #[test]
    fn the_samples_of_a_seed_never_change() {
        let shown = |seed, run| Luck::of(seed, run).share(Purpose::Duration, 2, 1).to_bits();
        assert_eq!(shown(1, 0), shown(1, 0));
        assert_ne!(shown(1, 0), shown(2, 0));
        assert_ne!(shown(1, 0), shown(1, 1));
        // A report that is kept must be made again by every later version.
        kept(Luck::of(1, 0).share(Purpose::Duration, 2, 1));
    }

    fn kept(drawn: f64) {
        assert_eq!(format!("{drawn:.12}"), "0.316298423262");
    }
}
