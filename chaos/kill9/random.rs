//! Random numbers from a seed that is printed, and can be given again as `CHAOS_SEED`.

use std::time::Duration;

/// The seed where none is given.
const SEED: u64 = 0x6b69_6c6c_2d39;

/// A stream of numbers (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    /// Starts a stream of its own for a test.
    #[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a test reads its own switch")]
    pub(crate) fn of(test: &str) -> Self {
        let given = std::env::var("CHAOS_SEED").ok();
        let seed = given.map_or(SEED, |text| text.parse().unwrap());
        println!("{test}: CHAOS_SEED={seed}; the kernel's scheduling is not in the seed");
        let stream =
            test.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(stream)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 1 to `most`.
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        1 + self.next() % most
    }

    /// A time shorter than `limit`.
    pub(crate) fn within(&mut self, limit: Duration) -> Duration {
        let micros = u64::try_from(limit.as_micros()).unwrap();
        Duration::from_micros(self.next() % micros.max(1))
    }
}
