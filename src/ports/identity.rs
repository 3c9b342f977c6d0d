//! What is asked of identity providers. Nothing here knows HTTP; whoever implements it gives up after a few
//! seconds.

use super::{BoxFuture, OutsideError};

/// Fetches what an identity provider publishes: where its keys are, and the keys.
pub trait IdentityProvider: Send + Sync {
    /// Fetches a document that anybody may read, and that is not larger than 1 MiB.
    fn document<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Vec<u8>, OutsideError>>;
}
