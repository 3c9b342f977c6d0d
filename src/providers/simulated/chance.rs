//! Chance that is the same for the same seed and the same question, however often and in whatever order it is
//! asked.

use crate::model::time::Duration;

/// How far a drawn duration may lie from what is expected, in percent.
const SPREAD: u64 = 20;

/// Draws from a seed and what the draw is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance {
    state: u64,
}

impl Chance {
    /// Chance for one question, such as the duration of one attempt of one node.
    pub(super) fn of(seed: u64, question: &[&str]) -> Self {
        // FNV-1a over the parts, with a separator that no part holds.
        let mut state = 0xcbf2_9ce4_8422_2325 ^ seed;
        for byte in question.iter().flat_map(|part| part.bytes().chain([0xff])) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Self { state }
    }

    /// The next number, by `SplitMix64`.
    pub(super) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A duration within a fifth of what is expected; zero stays zero.
    pub(super) fn around(&mut self, expected: Duration) -> Duration {
        let percent = 100 - SPREAD + self.number() % (2 * SPREAD + 1);
        Duration::from_millis(expected.as_millis().saturating_mul(percent) / 100)
    }

    /// Sixteen hexadecimal digits, for ids.
    pub(super) fn hex(&mut self) -> String {
        format!("{:016x}", self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_answer_and_stays_near_what_is_expected() {
        let expected = Duration::from_secs(100);
        let draw = |seed, node: &str| Chance::of(seed, &[node, "1"]).around(expected).as_millis();
        assert_eq!(draw(7, "promote"), draw(7, "promote"));
        let drawn: std::collections::BTreeSet<u64> = (0..200).map(|seed| draw(seed, "promote")).collect();
        assert!(drawn.len() > 30, "only {} different durations", drawn.len());
        assert!(drawn.iter().all(|millis| (80_000..=120_000).contains(millis)));
        assert_ne!(Chance::of(1, &["ab", "c"]).number(), Chance::of(1, &["a", "bc"]).number());
    }
}
