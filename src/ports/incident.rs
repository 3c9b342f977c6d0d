//! What is asked of whoever sends webhooks. Nothing here knows HTTP; whoever implements it gives up after a
//! few seconds.

use super::BoxFuture;
use crate::model::run::words;

words! {
    /// Whether an incident stands.
    IncidentState {
        /// It does.
        Open = "open",
        /// It is over.
        Resolved = "resolved",
    }
}

/// A sender could not be asked or told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OutsideError {
    /// What went wrong, without any secret.
    pub message: String,
}

/// Asks whether incidents stand.
pub trait Incidents: Send + Sync {
    /// Says whether an incident stands.
    fn state<'a>(&'a self, incident: &'a str) -> BoxFuture<'a, Result<IncidentState, OutsideError>>;
}

/// Writes notes into incidents.
pub trait Notes: Send + Sync {
    /// Adds a note to an incident.
    fn note<'a>(&'a self, incident: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), OutsideError>>;
}

/// Fetches what it takes to believe Amazon SNS. The addresses were checked to be of SNS.
pub trait Signers: Send + Sync {
    /// Fetches a certificate, as PEM.
    fn certificate<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Vec<u8>, OutsideError>>;

    /// Confirms a subscription.
    fn confirm<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<(), OutsideError>>;
}
