//! When the incident began and was detected, as it was told: nothing that has yet to happen, and a word about
//! what was long ago. The recovery clock counts from there, so that a wrong time makes a wrong verdict.

use std::collections::BTreeMap;

use super::Wanted;
use crate::app::{self, Error, Session, exit};
use crate::model::time::{Duration, Timestamp};

/// How far the clock of who tells a time may be ahead of this one; such a time counts as now.
const SKEW: Duration = Duration::from_secs(60);
/// An incident that began longer ago is told of: more often than not the date is a slip.
const LONG_AGO: Duration = Duration::from_secs(7 * 86_400);
/// Note of a run whose incident began long before it.
const NOTE: &str = "incident";

/// The two times of a run.
pub(super) struct Told {
    pub(super) incident_at: Option<Timestamp>,
    pub(super) detected_at: Option<Timestamp>,
}

/// Takes the times of a run as they were told; adds a note where the incident began long ago.
///
/// # Errors
/// When one of them lies in the future by more than a minute.
pub(super) fn told(
    session: &Session,
    wanted: &Wanted,
    notes: &mut BTreeMap<String, String>,
) -> Result<Told, Error> {
    let now = app::now();
    let incident_at = at("incident", "--incident-at", wanted.incident_at, now)?;
    let detected_at = at("detection", "detected_at", wanted.detected_at, now)?;
    if let Some(age) = incident_at.map(|at| now.since(at)).filter(|age| *age > LONG_AGO) {
        let text = format!("it began {age} before the run: the recovery time counts from there");
        session.say(&format!("\x1b[33mwarning\x1b[0m: the incident is old: {text}"));
        notes.insert(NOTE.to_owned(), text);
    }
    Ok(Told { incident_at, detected_at })
}

fn at(what: &str, flag: &str, told: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let Some(at) = told else { return Ok(None) };
    if at > now.plus(SKEW) {
        let text = format!("the {what} lies in the future: {flag} {at}, and it is {now}");
        let help = format!("the clock of who tells the time may be ahead by {SKEW} at most");
        return Err(Error::new(exit::USAGE, text).help(help).reason("incident_in_future"));
    }
    Ok(Some(at.min(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_yet_to_happen_is_no_incident() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let told =
            |ahead: u64| at("incident", "--incident-at", Some(now.plus(Duration::from_secs(ahead))), now);
        assert_eq!(told(0).unwrap(), Some(now));
        assert_eq!(told(60).unwrap(), Some(now), "a clock that is a little ahead is no reason to wait");
        let error = told(61).unwrap_err();
        assert_eq!((error.code, error.reason), (exit::USAGE, Some("incident_in_future")));
        let past = now.minus(Duration::from_secs(600));
        assert_eq!(at("incident", "--incident-at", Some(past), now).unwrap(), Some(past));
    }
}
