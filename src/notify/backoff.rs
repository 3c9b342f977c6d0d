//! How long to wait before a notice is tried again. Pure: chance comes in as a number.

use crate::model::time::Duration;

/// Pause after the first try.
const FIRST_MS: u64 = 1_000;
/// Longest pause that drctl chooses.
const LONGEST_MS: u64 = 5 * 60_000;
/// Longest pause that a target may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// The pause after `tries` failed tries: doubled each time, between half and all of it by `chance`, and never
/// shorter than what the target asked for, as far as that is an hour at most.
#[must_use]
pub fn delay(tries: u32, chance: u32, asked: Option<Duration>) -> Duration {
    let doubled = FIRST_MS.saturating_mul(1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX));
    let whole = doubled.min(LONGEST_MS);
    let part = (whole / 2) * u64::from(chance) / u64::from(u32::MAX);
    let own = Duration::from_millis(whole / 2 + part);
    own.max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_and_differ_by_chance() {
        let longest: Vec<_> =
            [1, 2, 3, 9, 10, 80].map(|tries| delay(tries, u32::MAX, None).as_millis()).into();
        assert_eq!(longest, [1_000, 2_000, 4_000, 256_000, 300_000, 300_000]);
        assert_eq!(delay(3, 0, None).as_millis(), 2_000);
    }

    #[test]
    fn what_the_target_asks_for_is_kept_to_within_an_hour() {
        assert_eq!(delay(1, 0, Some(Duration::from_secs(30))), Duration::from_secs(30));
        assert_eq!(delay(10, 0, Some(Duration::from_secs(30))), Duration::from_secs(150));
        assert_eq!(delay(1, 0, Some(Duration::from_secs(86_400))), Duration::from_secs(3_600));
    }
}
