//! What the errors of a PostgreSQL server mean, in one table. Must never show a connection string, nor what a
//! server says about values where a secret is involved.

use tokio_postgres::Error;

use crate::model::run::{Failure, FailureClass};
use crate::providers::excerpt;

/// Whether a statement may have changed something when its answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stake {
    /// It only reads, or doing it twice is harmless.
    Read,
    /// It changes something.
    Write,
}

/// SQLSTATE or its beginning, class, and a hint. The first row that fits counts.
const TABLE: &[(&str, FailureClass, &str)] = &[
    ("08", FailureClass::Transient, ""),
    ("25006", FailureClass::Permanent, "is the server still a standby, or fenced?"),
    ("28", FailureClass::Permanent, "check user, password and pg_hba.conf"),
    ("3D000", FailureClass::Permanent, "check the database's name"),
    ("40001", FailureClass::Transient, ""),
    ("40P01", FailureClass::Transient, ""),
    ("42501", FailureClass::Permanent, "the user lacks a privilege"),
    ("42", FailureClass::Permanent, ""),
    ("53300", FailureClass::Throttled, "the server has no connection left"),
    ("53", FailureClass::Transient, "the server is short of resources"),
    ("55006", FailureClass::Transient, ""),
    ("55P03", FailureClass::Transient, ""),
    ("57014", FailureClass::TimedOut, "the statement took too long and was rolled back"),
    ("57P01", FailureClass::Transient, "the server is shutting down or ended the session"),
    ("57P02", FailureClass::Transient, "the server has crashed and restarts"),
    ("57P03", FailureClass::Transient, "the server is starting up or shutting down"),
    ("58", FailureClass::Transient, ""),
];

/// States after which nobody knows whether the statement under way was committed.
const SESSION_LOST: &[&str] = &["08", "57P01", "57P02"];

/// Class and hint of a SQLSTATE.
fn meaning(code: &str, stake: Stake) -> (FailureClass, &'static str) {
    let (class, hint) = TABLE
        .iter()
        .find(|(beginning, _, _)| code.starts_with(beginning))
        .map_or((FailureClass::Permanent, ""), |(_, class, hint)| (*class, *hint));
    let lost = SESSION_LOST.iter().any(|beginning| code.starts_with(beginning));
    (if lost && stake == Stake::Write { FailureClass::InDoubt } else { class }, hint)
}

/// What an error of a statement means. `place` names the server.
pub(super) fn failure(error: &Error, place: &str, stake: Stake, sensitive: bool) -> Failure {
    let Some(database) = error.as_db_error() else {
        return without_answer(error, place, stake);
    };
    let code = database.code().code();
    let (class, hint) = meaning(code, stake);
    // The server's text may quote values.
    let said = if sensitive { "(not shown)" } else { database.message() };
    let mut message = format!("{place}: {} {code}: {said}", database.severity());
    if !hint.is_empty() {
        message = format!("{message} ({hint})");
    }
    Failure::new(class, excerpt::message(&message))
}

/// What it means that a statement got no answer.
fn without_answer(error: &Error, place: &str, stake: Stake) -> Failure {
    let lost = error.is_closed() || source_is_io(error);
    let (class, what) = match (lost, stake) {
        (true, Stake::Write) => {
            (FailureClass::InDoubt, "the connection was lost after the statement was sent")
        }
        (true, Stake::Read) => (FailureClass::Transient, "the connection was lost"),
        (false, _) => (FailureClass::Permanent, "the statement could not be sent or its answer not be read"),
    };
    let detail = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Failure::new(
        class,
        excerpt::message(&format!("{place}: {what}{}", if lost { detail } else { String::new() })),
    )
}

fn source_is_io(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        use FailureClass::{InDoubt, Permanent, Throttled, TimedOut, Transient};
        for (code, read, write) in [
            ("08006", Transient, InDoubt),
            ("22P02", Permanent, Permanent),
            ("23505", Permanent, Permanent),
            ("25006", Permanent, Permanent),
            ("28P01", Permanent, Permanent),
            ("3D000", Permanent, Permanent),
            ("40001", Transient, Transient),
            ("40P01", Transient, Transient),
            ("42501", Permanent, Permanent),
            ("42P01", Permanent, Permanent),
            ("53100", Transient, Transient),
            ("53300", Throttled, Throttled),
            ("55000", Permanent, Permanent),
            ("55006", Transient, Transient),
            ("55P03", Transient, Transient),
            ("57014", TimedOut, TimedOut),
            ("57P01", Transient, InDoubt),
            ("57P02", Transient, InDoubt),
            ("57P03", Transient, Transient),
            ("58030", Transient, Transient),
            ("XX000", Permanent, Permanent),
        ] {
            assert_eq!(meaning(code, Stake::Read).0, read, "{code} read");
            assert_eq!(meaning(code, Stake::Write).0, write, "{code} write");
        }
        assert!(meaning("25006", Stake::Write).1.contains("still a standby"));
    }

    #[test]
    fn every_row_can_be_reached() {
        for (at, (beginning, class, hint)) in TABLE.iter().enumerate() {
            let first = TABLE.iter().position(|(earlier, _, _)| beginning.starts_with(earlier));
            assert_eq!(first, Some(at), "{beginning} {class} {hint}");
        }
    }
}
