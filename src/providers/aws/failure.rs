//! What it means when AWS says no, or says nothing, in one table. Must never show what may be a secret, call
//! a change harmless that may have been applied, or print a chain of the SDK's own words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::transport::NoAnswer;
use crate::model::run::{Failure, FailureClass};
use crate::model::time::Duration;
use crate::providers::excerpt;

/// Characters shown of what a service says.
const SHOWN: usize = 400;
/// Longest time a service can ask to be left alone.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Error code, class and hint. Codes that are not here are judged by their HTTP status.
const TABLE: &[(&str, FailureClass, &str)] = &[
    ("BandwidthLimitExceeded", FailureClass::Throttled, ""),
    ("EC2ThrottledException", FailureClass::Throttled, ""),
    ("PriorRequestNotComplete", FailureClass::Throttled, "another change of this zone is under way"),
    ("ProvisionedThroughputExceededException", FailureClass::Throttled, ""),
    ("RequestLimitExceeded", FailureClass::Throttled, ""),
    ("RequestThrottled", FailureClass::Throttled, ""),
    ("RequestThrottledException", FailureClass::Throttled, ""),
    ("SlowDown", FailureClass::Throttled, ""),
    ("ThrottledException", FailureClass::Throttled, ""),
    ("Throttling", FailureClass::Throttled, ""),
    ("ThrottlingException", FailureClass::Throttled, ""),
    ("TooManyRequestsException", FailureClass::Throttled, ""),
    ("TransactionInProgressException", FailureClass::Throttled, ""),
    // Credentials and permissions.
    ("AccessDenied", FailureClass::Permanent, MISSING_PERMISSION),
    ("AccessDeniedException", FailureClass::Permanent, MISSING_PERMISSION),
    ("AuthFailure", FailureClass::Permanent, CREDENTIALS),
    ("ExpiredToken", FailureClass::Transient, "the credentials ran out; new ones are fetched"),
    ("ExpiredTokenException", FailureClass::Transient, "the credentials ran out; new ones are fetched"),
    ("IncompleteSignature", FailureClass::Permanent, CREDENTIALS),
    ("InvalidAccessKeyId", FailureClass::Permanent, CREDENTIALS),
    ("InvalidClientTokenId", FailureClass::Permanent, CREDENTIALS),
    ("InvalidSignatureException", FailureClass::Permanent, CREDENTIALS),
    ("MissingAuthenticationToken", FailureClass::Permanent, CREDENTIALS),
    ("NotAuthorized", FailureClass::Permanent, MISSING_PERMISSION),
    ("OptInRequired", FailureClass::Permanent, "the account has not enabled this region or service"),
    ("RequestExpired", FailureClass::Permanent, "is this machine's clock right?"),
    ("RequestTimeTooSkewed", FailureClass::Permanent, "is this machine's clock right?"),
    ("SignatureDoesNotMatch", FailureClass::Permanent, CREDENTIALS),
    ("SubscriptionRequiredException", FailureClass::Permanent, "the account has not enabled this service"),
    ("UnauthorizedOperation", FailureClass::Permanent, MISSING_PERMISSION),
    ("UnrecognizedClientException", FailureClass::Permanent, CREDENTIALS),
    // Capacity and quotas.
    ("DBClusterQuotaExceededFault", FailureClass::Permanent, QUOTA),
    ("InstanceQuotaExceeded", FailureClass::Permanent, QUOTA),
    ("InsufficientCapacity", FailureClass::Transient, CAPACITY),
    ("InsufficientDBClusterCapacityFault", FailureClass::Transient, CAPACITY),
    ("InsufficientDBInstanceCapacity", FailureClass::Transient, CAPACITY),
    ("InsufficientInstanceCapacity", FailureClass::Transient, CAPACITY),
    ("InsufficientStorageClusterCapacity", FailureClass::Transient, CAPACITY),
    ("LimitExceededException", FailureClass::Permanent, QUOTA),
    ("ServiceQuotaExceededException", FailureClass::Permanent, QUOTA),
    ("SnapshotQuotaExceeded", FailureClass::Permanent, QUOTA),
    ("StorageQuotaExceeded", FailureClass::Permanent, QUOTA),
    // Things that are busy now and may not be later.
    ("HealthCheckVersionMismatch", FailureClass::Transient, "somebody else changed it in between"),
    ("InvalidDBClusterEndpointStateFault", FailureClass::Transient, BUSY),
    ("InvalidDBClusterSnapshotStateFault", FailureClass::Transient, BUSY),
    ("InvalidDBClusterStateFault", FailureClass::Transient, BUSY),
    ("InvalidDBInstanceState", FailureClass::Transient, BUSY),
    ("InvalidDBInstanceStateFault", FailureClass::Transient, BUSY),
    ("InvalidDBSnapshotState", FailureClass::Transient, BUSY),
    ("InvalidGlobalClusterStateFault", FailureClass::Transient, BUSY),
    ("OperationAborted", FailureClass::Transient, "another change of the same thing is under way"),
    ("ResourceContention", FailureClass::Transient, BUSY),
    ("ResourceInUseException", FailureClass::Transient, BUSY),
    ("ScalingActivityInProgress", FailureClass::Transient, BUSY),
    // Keys.
    (
        "KMSKeyNotAccessibleFault",
        FailureClass::Permanent,
        "may the credentials and the service use the KMS key?",
    ),
];

const MISSING_PERMISSION: &str = "a permission is missing; `drctl actions NAME` lists what an action needs";
const CREDENTIALS: &str = "check the credentials in force";
const QUOTA: &str = "raise the quota before the day it is needed";
const CAPACITY: &str = "AWS has no capacity for this at the moment";
const BUSY: &str = "it is busy, or not in a state in which this can be done";

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    /// Nobody answered.
    #[error(transparent)]
    Unanswered(NoAnswer),
    /// The service said no.
    #[error("{code}: {message}")]
    Service {
        /// HTTP status.
        status: u16,
        /// The service's code; empty where it gave none.
        code: String,
        /// What it says; untrusted.
        message: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The call was applied or refused, but its answer makes no sense.
    #[error("an answer that cannot be read: {0}")]
    Unreadable(String),
}

impl Error {
    /// The service's code, where it answered with one.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            Self::Unanswered(_) | Self::Unreadable(_) => None,
        }
    }
}

impl<E: ProvideErrorMetadata> From<SdkError<E, aws_smithy_runtime_api::http::Response>> for Error {
    fn from(error: SdkError<E, aws_smithy_runtime_api::http::Response>) -> Self {
        let lost = |text: &str| Self::Unanswered(NoAnswer::Lost(text.to_owned()));
        match error {
            SdkError::DispatchFailure(failure) => {
                let source = failure.as_connector_error().and_then(std::error::Error::source);
                match source.and_then(|source| source.downcast_ref::<NoAnswer>()) {
                    Some(why) => Self::Unanswered(why.clone()),
                    None => lost("the request came to nothing"),
                }
            }
            SdkError::TimeoutError(_) => lost("nothing came in time"),
            SdkError::ConstructionFailure(_) => {
                Self::Unanswered(NoAnswer::Unbuilt("a parameter is missing or cannot be sent".to_owned()))
            }
            SdkError::ResponseError(failure) => Self::unnamed(failure.raw()),
            SdkError::ServiceError(failure) => {
                let (error, raw) = (failure.err(), failure.raw());
                Self::Service {
                    status: raw.status().as_u16(),
                    code: error.code().unwrap_or_default().to_owned(),
                    message: error.message().unwrap_or_default().to_owned(),
                    retry_after: raw.headers().get("retry-after").and_then(seconds),
                }
            }
            _ => lost("the SDK reported an error of a kind it has not had so far"),
        }
    }
}

impl Error {
    /// An answer the SDK could not read: a failure where its status says so.
    fn unnamed(raw: &aws_smithy_runtime_api::http::Response) -> Self {
        match raw.status().as_u16() {
            status @ 400.. => {
                let (code, message) = (String::new(), format!("status {status} and no error code"));
                Self::Service { status, code, message, retry_after: None }
            }
            status => Self::Unreadable(format!("status {status} with a body of another form")),
        }
    }
}

/// Reads a `Retry-After` of seconds.
pub(super) fn seconds(header: &str) -> Option<Duration> {
    Some(Duration::from_secs(header.trim().parse().ok()?).min(LONGEST_WAIT))
}

/// One question or order to a service, as failures speak of it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Prefix of the service in permissions, such as `rds`.
    pub(super) service: &'static str,
    /// Name of the operation, such as `PromoteReadReplica`.
    pub(super) operation: &'static str,
    /// The region that is asked.
    pub(super) region: String,
    /// It may change something, so that a lost answer is doubtful.
    pub(super) changes: bool,
    /// A secret went into the parameters, and the service may quote them.
    pub(super) sensitive: bool,
    /// Told when the service says that the credentials are over.
    pub(super) expired: Expired,
}

/// Whether a service has said that credentials are over since this was asked last.
#[derive(Debug, Clone, Default)]
pub(super) struct Expired(Arc<AtomicBool>);

impl Expired {
    /// Says so once.
    pub(super) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    fn note(&self, code: &str) {
        if matches!(code, "ExpiredToken" | "ExpiredTokenException") {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Asked {
    /// What an error means.
    pub(super) fn failure(&self, error: impl Into<Error>) -> Failure {
        match error.into() {
            Error::Unanswered(why) => self.unanswered(&why),
            Error::Service { status, code, message, retry_after } => {
                self.expired.note(&code);
                let (class, hint) = meaning(&code, status, self.changes);
                let mut text = format!("{self}: {}", self.said(status, &code, &message));
                if !hint.is_empty() {
                    text = format!("{text} ({hint})");
                }
                let mut failure = Failure::new(class, excerpt::message(&text));
                failure.retry_after = retry_after.filter(|_| class == FailureClass::Throttled);
                failure
            }
            Error::Unreadable(what) => {
                let class = if self.changes { FailureClass::InDoubt } else { FailureClass::Transient };
                Failure::new(class, format!("{self}: {}", excerpt::head(&what, SHOWN)))
            }
        }
    }

    fn unanswered(&self, why: &NoAnswer) -> Failure {
        let Self { service, operation, region, .. } = self;
        match why {
            NoAnswer::NotSent(why) => {
                let why = excerpt::head(why, SHOWN);
                let message = format!(
                    "unreachable {region}: {service} takes no connection there ({why}); {operation} was not sent"
                );
                Failure::new(FailureClass::Unreachable, message)
            }
            NoAnswer::Lost(why) if self.changes => {
                let why = excerpt::head(why, SHOWN);
                let message = format!("{self}: sent, and no answer came ({why}); it may have been applied");
                Failure::new(FailureClass::InDoubt, message)
            }
            NoAnswer::Lost(why) => {
                let why = excerpt::head(why, SHOWN);
                let message = format!("unreachable {region}: {service} does not answer {operation} ({why})");
                Failure::new(FailureClass::Unreachable, message)
            }
            NoAnswer::Unbuilt(why) => {
                let why = if self.sensitive { "(not shown)".to_owned() } else { excerpt::head(why, SHOWN) };
                Failure::new(FailureClass::Permanent, format!("{self}: not sent, {why}"))
            }
        }
    }

    fn said(&self, status: u16, code: &str, message: &str) -> String {
        let code = match excerpt::head(code, 80) {
            code if code.is_empty() => format!("status {status}"),
            code => code,
        };
        // A refused signature is explained with the whole request, its session token included.
        let explains_request = meaning(&code, status, false).1 == CREDENTIALS;
        if self.sensitive || message.is_empty() || explains_request {
            return code;
        }
        // What is not an error of the service's own form may be a whole page.
        let message = if message.trim_start().starts_with('<') { "an answer in HTML" } else { message };
        format!("{code}: {}", excerpt::head(message, SHOWN).trim_end_matches('.'))
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} in {}", self.service, self.operation, self.region)
    }
}

/// Class and hint of a code and status. `changes`: the call may have changed something before it failed.
fn meaning(code: &str, status: u16, changes: bool) -> (FailureClass, &'static str) {
    if let Some((_, class, hint)) = TABLE.iter().find(|(known, ..)| *known == code) {
        return (*class, hint);
    }
    match status {
        429 => (FailureClass::Throttled, ""),
        408 | 500.. if changes => (FailureClass::InDoubt, "it may have been applied"),
        408 | 500.. => (FailureClass::Transient, ""),
        _ => (FailureClass::Permanent, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(changes: bool) -> Asked {
        let (service, operation, region) = ("rds", "PromoteReadReplica", "us-east-1".to_owned());
        Asked { service, operation, region, changes, sensitive: false, expired: Expired::default() }
    }

    fn said(status: u16, code: &str, message: &str) -> Error {
        Error::Service { status, code: code.to_owned(), message: message.to_owned(), retry_after: None }
    }

    #[test]
    fn every_row_of_the_table() {
        use FailureClass::{Permanent, Throttled, Transient};
        let expected = [
            (Throttled, 400, "BandwidthLimitExceeded EC2ThrottledException PriorRequestNotComplete"),
            (Throttled, 400, "ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled"),
            (Throttled, 400, "RequestThrottledException Throttling ThrottlingException ThrottledException"),
            (Throttled, 503, "SlowDown TooManyRequestsException TransactionInProgressException"),
            (Permanent, 403, "AccessDenied AccessDeniedException AuthFailure IncompleteSignature"),
            (Permanent, 403, "InvalidAccessKeyId InvalidClientTokenId InvalidSignatureException"),
            (Permanent, 403, "MissingAuthenticationToken NotAuthorized OptInRequired RequestExpired"),
            (Permanent, 403, "RequestTimeTooSkewed SignatureDoesNotMatch SubscriptionRequiredException"),
            (Permanent, 403, "UnauthorizedOperation UnrecognizedClientException"),
            (Transient, 403, "ExpiredToken ExpiredTokenException"),
            (Permanent, 400, "DBClusterQuotaExceededFault InstanceQuotaExceeded LimitExceededException"),
            (Permanent, 400, "ServiceQuotaExceededException SnapshotQuotaExceeded StorageQuotaExceeded"),
            (Transient, 400, "InsufficientCapacity InsufficientDBClusterCapacityFault"),
            (Transient, 400, "InsufficientDBInstanceCapacity InsufficientInstanceCapacity"),
            (Transient, 400, "InsufficientStorageClusterCapacity HealthCheckVersionMismatch"),
            (Transient, 400, "InvalidDBClusterEndpointStateFault InvalidDBClusterSnapshotStateFault"),
            (Transient, 400, "InvalidDBClusterStateFault InvalidDBInstanceState"),
            (Transient, 400, "InvalidDBInstanceStateFault InvalidDBSnapshotState"),
            (Transient, 400, "InvalidGlobalClusterStateFault OperationAborted ResourceContention"),
            (Transient, 400, "ResourceInUseException ScalingActivityInProgress"),
            (Permanent, 400, "KMSKeyNotAccessibleFault"),
        ];
        let mut tried = Vec::new();
        for (class, status, codes) in expected {
            for code in codes.split(' ') {
                let failure = asked(true).failure(said(status, code, "it is so"));
                assert_eq!(failure.class, class, "{code}");
                let shown = if failure.message.contains(CREDENTIALS) { "" } else { ": it is so" };
                let begins = format!("rds PromoteReadReplica in us-east-1: {code}{shown}");
                assert!(failure.message.starts_with(&begins), "{failure}");
                tried.push(code);
            }
        }
        for (code, ..) in TABLE {
            assert!(tried.contains(code), "{code} has no line in this test");
        }
        assert_eq!(tried.len(), TABLE.len());
    }

    #[test]
    fn a_code_nobody_knows_is_judged_by_its_status() {
        use FailureClass::{InDoubt, Permanent, Throttled, Transient};
        for (status, read, change) in [
            (400, Permanent, Permanent),
            (404, Permanent, Permanent),
            (408, Transient, InDoubt),
            (429, Throttled, Throttled),
            (500, Transient, InDoubt),
            (503, Transient, InDoubt),
        ] {
            assert_eq!(asked(false).failure(said(status, "Novel", "")).class, read, "{status} read");
            assert_eq!(asked(true).failure(said(status, "Novel", "")).class, change, "{status} change");
        }
    }

    #[test]
    fn silence_is_doubtful_only_where_something_may_have_changed() {
        let lost = || Error::Unanswered(NoAnswer::Lost("connection reset".to_owned()));
        let refused = || Error::Unanswered(NoAnswer::NotSent("connection refused".to_owned()));
        assert_eq!(asked(true).failure(lost()).class, FailureClass::InDoubt);
        let read = asked(false).failure(lost());
        assert_eq!(read.class, FailureClass::Unreachable);
        assert!(read.message.starts_with("unreachable us-east-1: rds does not answer"), "{read}");
        for changes in [true, false] {
            let failure = asked(changes).failure(refused());
            assert_eq!(failure.class, FailureClass::Unreachable);
            assert!(failure.message.contains("was not sent"), "{failure}");
        }
    }

    #[test]
    fn what_a_service_says_is_short_and_never_shown_beside_a_secret() {
        let long = "hunter2 ".repeat(500);
        let sensitive = Asked { sensitive: true, ..asked(true) };
        let failure = sensitive.failure(said(400, "InvalidParameterValue", &long));
        assert!(failure.message.ends_with(": InvalidParameterValue"), "{failure}");
        let failure = asked(true).failure(said(403, "SignatureDoesNotMatch", "x-amz-security-token:t0ken"));
        assert!(!failure.message.contains("t0ken") && failure.message.contains(CREDENTIALS), "{failure}");
        let failure = asked(true).failure(said(400, "InvalidParameterValue", &long));
        assert!(failure.message.chars().count() < 600, "{failure}");
        let page = asked(false).failure(said(500, "", "<!doctype html><title>500"));
        assert_eq!(page.message, "rds PromoteReadReplica in us-east-1: status 500: an answer in HTML");
    }

    #[test]
    fn a_throttled_call_waits_as_long_as_it_is_told() {
        assert_eq!(seconds("7"), Some(Duration::from_secs(7)));
        assert_eq!(seconds("99999999"), Some(LONGEST_WAIT));
        assert_eq!(seconds("soon"), None);
        let (code, message) = ("Throttling".to_owned(), "Rate exceeded".to_owned());
        let error = Error::Service { status: 400, code, message, retry_after: seconds("7") };
        assert_eq!(asked(true).failure(error).retry_after, Some(Duration::from_secs(7)));
    }
}
