//! A point of a recorded run: after a record, at a time, or after a stretch of the recovery clock.

use crate::cli::{Error, exit};
use crate::engine::RunState;
use crate::model::time::{Duration, Timestamp};
use crate::seal::{Entry, Retold};

/// A point of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    /// After this record.
    Sequence(u64),
    /// At this time.
    Time(Timestamp),
    /// This long after the recovery clock began.
    After(Duration),
}

impl std::str::FromStr for Point {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(after) = text.strip_prefix('+') {
            return after
                .parse()
                .map(Self::After)
                .map_err(|error: crate::model::time::InvalidDuration| error.to_string());
        }
        if let Ok(sequence) = text.parse() {
            return Ok(Self::Sequence(sequence));
        }
        let wrong =
            || format!("`{text}` is no point: write a sequence, a time like 2026-11-21T03:04:05Z, or +5m");
        text.parse().map(Self::Time).map_err(|_| wrong())
    }
}

/// The state of a run at a point, the record that led to it, and the time it is looked at.
///
/// # Errors
/// When the point lies outside of the run.
pub(super) fn at(run: &Retold, point: Point) -> Result<(RunState, Option<&Entry>, Timestamp), Error> {
    let mut state = run.begin();
    let mut last = run.entries.first();
    let count = run.entries.len() as u64;
    let until = match point {
        Point::Sequence(sequence) if sequence == 0 || sequence > count => {
            return Err(Error::new(
                exit::USAGE,
                format!("there is no record {sequence}: the run has {count}"),
            ));
        }
        Point::Sequence(_) => None,
        Point::Time(time) => Some(time),
        Point::After(after) => {
            let mut whole = run.begin();
            while run.advance(&mut whole).is_some() {}
            Some(whole.clock_zero().plus(after))
        }
    };
    if let Some(until) = until.filter(|until| *until < state.last_at) {
        let began = state.last_at;
        return Err(Error::new(
            exit::USAGE,
            format!("at {until} the run did not exist: it began at {began}"),
        ));
    }
    loop {
        let next = usize::try_from(state.sequence).ok().and_then(|index| run.entries.get(index));
        let goes_on = next.is_some_and(|next| match (point, until) {
            (Point::Sequence(sequence), _) => next.sequence <= sequence,
            (Point::Time(_) | Point::After(_), Some(until)) => next.at <= until,
            (Point::Time(_) | Point::After(_), None) => false,
        });
        if !goes_on {
            break;
        }
        last = run.advance(&mut state);
    }
    let over = state.status.is_terminal();
    let now = until.filter(|_| !over).unwrap_or(state.last_at);
    Ok((state, last, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_sequences_times_or_stretches() {
        assert_eq!("12".parse(), Ok(Point::Sequence(12)));
        assert_eq!("+5m".parse(), Ok(Point::After(Duration::from_secs(300))));
        let time = "2026-11-21T03:04:05Z";
        assert_eq!(time.parse(), Ok(Point::Time(time.parse().unwrap())));
        for wrong in ["", "+", "yesterday", "-3"] {
            assert!(wrong.parse::<Point>().is_err(), "{wrong}");
        }
    }
}
