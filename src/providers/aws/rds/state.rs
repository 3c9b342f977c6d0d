//! What the states of RDS mean, and how failures speak of them. Must never take a state it does not know for
//! a good one.

use serde_json::{Map, Value};

use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};
use crate::providers::excerpt;

/// Pause before something that is busy is tried again.
const PAUSE: Duration = Duration::from_secs(15);

/// What the status of an instance or a cluster means for those who wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It serves.
    Ready,
    /// It was stopped.
    Stopped,
    /// It will not become ready by itself.
    Broken,
    /// Something is under way, also where the status is not known.
    Busy,
}

/// Reads a status of an instance or a cluster. Source: the vendor's lists of both.
pub(super) fn state(status: &str) -> State {
    match status {
        // The last three serve while storage is worked on.
        "available" | "storage-optimization" | "storage-initialization" | "storage-config-upgrade" => {
            State::Ready
        }
        "stopped" => State::Stopped,
        "cloning-failed"
        | "deleted"
        | "deleting"
        | "delete-precheck"
        | "failed"
        | "insufficient-capacity"
        | "migration-failed"
        | "restore-error"
        | "storage-full" => State::Broken,
        status if status.starts_with("inaccessible-encryption-credentials") => State::Broken,
        status if status.starts_with("incompatible-") => State::Broken,
        _ => State::Busy,
    }
}

/// Whether it can be used: an instance that is new, or newly promoted, serves while its first backup is made.
pub(super) fn serves(status: &str) -> bool {
    state(status) == State::Ready || status == "backing-up"
}

/// A failure for a thing that is busy: tried again, without using up an attempt, until the step's deadline.
pub(super) fn busy(message: impl Into<String>) -> Failure {
    let mut failure = Failure::new(FailureClass::Throttled, message);
    failure.retry_after = Some(PAUSE);
    failure
}

/// A failure for a thing that is not there.
pub(super) fn none_such(kind: &str, identifier: &str, region: &str) -> Failure {
    let identifier = excerpt::head(identifier, 120);
    let message = format!("there is no {kind} `{identifier}` in {region}, in the account of the credentials");
    Failure::new(FailureClass::Permanent, message)
}

/// A failure for a thing that will not become ready.
pub(super) fn broken(kind: &str, identifier: &str, status: &str) -> Failure {
    let (identifier, status) = (excerpt::head(identifier, 120), excerpt::head(status, 60));
    let message = format!("{kind} `{identifier}` is `{status}` and does not become available by itself");
    Failure::new(FailureClass::Permanent, message)
}

/// Checks that a thing can be worked on now.
pub(super) fn must_be_ready(kind: &str, identifier: &str, status: Option<&str>) -> Result<(), Failure> {
    let status = status.unwrap_or("unknown");
    match state(status) {
        State::Ready => Ok(()),
        State::Broken => Err(broken(kind, identifier, status)),
        State::Stopped => {
            let identifier = excerpt::head(identifier, 120);
            Err(super::permanent(format!("{kind} `{identifier}` is stopped: start it first")))
        }
        State::Busy => {
            let (identifier, status) = (excerpt::head(identifier, 120), excerpt::head(status, 60));
            Err(busy(format!("{kind} `{identifier}` is `{status}`: RDS refuses this until it is available")))
        }
    }
}

/// A time as RDS gives it.
pub(super) fn time(at: Option<&aws_smithy_types::DateTime>) -> Option<Timestamp> {
    Some(Timestamp::from_millis(at?.to_millis().ok()?))
}

/// Outputs out of a JSON object.
pub(super) fn outputs(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Whether two identifiers mean the same: RDS keeps them in lower case, however they were written.
pub(super) fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// The last part of an ARN; an identifier stays as it is.
pub(super) fn identifier_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// The region in an ARN.
pub(super) fn region_of(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2)).filter(|region| !region.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_meaning_and_an_unknown_one_is_waited_for() {
        for (status, expected) in [
            ("available", State::Ready),
            ("storage-optimization", State::Ready),
            ("stopped", State::Stopped),
            ("failed", State::Broken),
            ("storage-full", State::Broken),
            ("incompatible-network", State::Broken),
            ("inaccessible-encryption-credentials-recoverable", State::Broken),
            ("backing-up", State::Busy),
            ("failing-over", State::Busy),
            ("some-status-of-2031", State::Busy),
        ] {
            assert_eq!(state(status), expected, "{status}");
        }
        assert_eq!(
            must_be_ready("instance", "db", Some("backing-up")).unwrap_err().class,
            FailureClass::Throttled
        );
        assert_eq!(
            must_be_ready("instance", "db", Some("failed")).unwrap_err().class,
            FailureClass::Permanent
        );
        assert!(must_be_ready("instance", "db", None).is_err());
    }

    #[test]
    fn identifiers_are_the_same_however_they_are_written() {
        assert!(same("Payments-West", "payments-west") && !same("payments", "payments-west"));
        assert!(serves("backing-up") && serves("available") && !serves("creating"));
    }

    #[test]
    fn parts_of_an_arn() {
        let arn = "arn:aws:rds:us-west-2:111122223333:cluster:payments-west";
        assert_eq!((identifier_of(arn), region_of(arn)), ("payments-west", Some("us-west-2")));
        assert_eq!((identifier_of("payments"), region_of("payments")), ("payments", None));
        assert_eq!(region_of("arn:aws:rds::111122223333:global-cluster:payments"), None);
    }
}
