//! What a status means, in one table. Must never read anything but status and headers.

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::model::run::FailureClass;
use crate::model::time::Duration;

/// How much is at stake when a request may have been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stake {
    /// The request only reads.
    Read,
    /// It changes something, and the service tells a repeated one by its key.
    Repeatable,
    /// It changes something, and sending it again may change it twice.
    Once,
}

/// Longest time a service can ask to be left alone.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The class of a status that was not expected. A change is known not to have been made with 503 only where
/// the service says when to come back: proxies also say it of requests that were delivered. An answer such as
/// 202, "see elsewhere" (302, 303) or a conflict (409) may mean that the request was carried out, or is.
pub(super) fn class_of(status: u16, stake: Stake, says_when: bool) -> FailureClass {
    match (status, stake) {
        (429, _) | (503, Stake::Read) => FailureClass::Throttled,
        (503, Stake::Once | Stake::Repeatable) if says_when => FailureClass::Throttled,
        (408 | 500..=599, Stake::Once) => FailureClass::InDoubt,
        (200..=299 | 302 | 303 | 409, Stake::Once | Stake::Repeatable) => FailureClass::InDoubt,
        (408 | 500..=599, Stake::Read | Stake::Repeatable) => FailureClass::Transient,
        _ => FailureClass::Permanent,
    }
}

/// Says whether a status is one of those expected; none named: 200 to 299.
pub(super) fn is_expected(status: u16, expect: &[u16]) -> bool {
    if expect.is_empty() { (200..300).contains(&status) } else { expect.contains(&status) }
}

/// What was expected, in words.
pub(super) fn expected(expect: &[u16]) -> String {
    if expect.is_empty() {
        return "200 to 299".to_owned();
    }
    expect.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// How long the service asks to be left alone: seconds, or a date compared with the answer's own `Date`. At
/// most an hour.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let millis = if let Ok(seconds) = text.parse::<u64>() {
        seconds.saturating_mul(1_000)
    } else {
        let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp());
        let now = headers.get(DATE).and_then(|now| date(now.to_str().ok()?))?;
        u64::try_from(date(text)?.as_millisecond().saturating_sub(now.as_millisecond())).unwrap_or(0)
    };
    Some(Duration::from_millis(millis.min(LONGEST.as_millis())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        for (status, stake, class) in [
            (429, Stake::Once, FailureClass::Throttled),
            (503, Stake::Once, FailureClass::InDoubt),
            (503, Stake::Repeatable, FailureClass::Transient),
            (202, Stake::Once, FailureClass::InDoubt),
            (409, Stake::Repeatable, FailureClass::InDoubt),
            (503, Stake::Read, FailureClass::Throttled),
            (500, Stake::Once, FailureClass::InDoubt),
            (502, Stake::Once, FailureClass::InDoubt),
            (504, Stake::Once, FailureClass::InDoubt),
            (408, Stake::Once, FailureClass::InDoubt),
            (500, Stake::Repeatable, FailureClass::Transient),
            (504, Stake::Repeatable, FailureClass::Transient),
            (408, Stake::Repeatable, FailureClass::Transient),
            (502, Stake::Read, FailureClass::Transient),
            (408, Stake::Read, FailureClass::Transient),
            (400, Stake::Once, FailureClass::Permanent),
            (404, Stake::Read, FailureClass::Permanent),
            (302, Stake::Once, FailureClass::InDoubt),
            (302, Stake::Read, FailureClass::Permanent),
        ] {
            assert_eq!(class_of(status, stake, false), class, "{status} {stake:?}");
        }
        assert_eq!(class_of(503, Stake::Once, true), FailureClass::Throttled);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let headers = |pairs: &[(&'static str, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
        };
        let after = |pairs: &[_]| retry_after(&headers(pairs)).map(Duration::as_millis);
        let date = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
        assert_eq!(after(&[("retry-after", "7")]), Some(7_000));
        assert_eq!(after(&[("retry-after", "Sat, 21 Nov 2026 10:00:30 GMT"), date]), Some(30_000));
        assert_eq!(after(&[("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT"), date]), Some(0));
        assert_eq!(after(&[("retry-after", "999999999999")]), Some(3_600_000));
        assert_eq!(after(&[("retry-after", "soon")]), None);
        assert_eq!(after(&[]), None);
    }
}
