//! Which records of streams that never end may lose their bodies. Pure; never touches a store.

use crate::model::time::{Duration, Timestamp};

/// Streams that grow for as long as anything is delivered or watched.
pub(super) const ENDLESS: [&str; 3] = ["readiness/", "trigger/", "webhook/"];
/// The same, of one name.
pub(super) const READINGS: &str = "readings";
/// The newest records of each stream keep their bodies: they say how things stand.
pub(super) const LEFT: u64 = 64;
/// Younger records keep their bodies: deliveries are told from repetitions by them for two days, and what
/// they began may not be over.
const YOUNG: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Says whether a stream never ends.
pub(super) fn is_endless(stream: &str) -> bool {
    stream == READINGS || ENDLESS.iter().any(|family| stream.starts_with(family))
}

/// What was recorded before this may lose its body.
pub(super) fn cut(before: Timestamp, now: Timestamp) -> Timestamp {
    before.min(now.minus(YOUNG))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_by_itself_is_left_alone() {
        let endless = ["readings", "readiness/pay", "trigger/pay", "webhook/pd"];
        let others =
            ["run/a-b", "service/pay", "schedule/pay", "notify/chat", "journal", "control", "readings2"];
        assert!(endless.iter().all(|stream| is_endless(stream)));
        assert!(others.iter().all(|stream| !is_endless(stream)));
    }

    #[test]
    fn a_week_is_kept_whatever_is_asked_for() {
        let day = 24 * 3_600_000;
        let at = |days: i64| Timestamp::from_millis(days * day);
        assert_eq!((cut(at(99), at(100)), cut(at(10), at(100))), (at(93), at(10)));
    }
}
