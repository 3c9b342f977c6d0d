//! What the runtime needs from the world, as traits. Adapters implement them; nothing here knows SQL, HTTP
//! or an SDK.

mod afar;
mod identity;
mod incident;
mod journal;
mod nodes;
mod provider;
mod record;
pub mod trace;

pub use afar::{Refusal, RefusalKind};
pub use identity::IdentityProvider;
pub use incident::{IncidentState, Incidents, Notes, OutsideError, Signers};
pub use journal::{Holder, Journal, JournalAdmin, JournalError, Lease, Part, RunFilter, Verification};
pub use nodes::{Node, NodeFacts, Takeover};
pub use provider::{
    AttemptContext, Began, CancelSignal, CancelSwitch, ChildOf, Polled, Precheck, Provider, Started,
};
pub use record::{Append, Checkpoint, Head, NewRecord, Record, RunSummary, StreamName};

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use crate::model::time::Timestamp;

/// A boxed future, so that ports can be used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tells the time and waits.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Waits until a time has come.
    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()>;
}

/// Draws what must not be guessed or repeated.
pub trait IdSource: Send + Sync {
    /// Eight random characters of a-z and 2-7.
    fn suffix(&self) -> String;
}

/// Resolves secrets by name.
pub trait SecretSource: Send + Sync {
    /// Reads every secret; called once, before the first step.
    fn resolve<'a>(
        &'a self,
        secrets: &'a BTreeMap<String, crate::model::values::Secret>,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, SecretError>>;
}

/// A secret could not be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("secret `{name}` could not be read: {message}")]
pub struct SecretError {
    /// Its name.
    pub name: String,
    /// What went wrong, without the value.
    pub message: String,
}
