//! Questions and orders of this group, in one place. Must never send anything twice.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::model::run::Failure;
use crate::ports::AttemptContext;
use crate::providers::aws::call::{Answer, Call};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::{Asked, Error};
use crate::providers::aws::place::Place;

/// A token for an order, the same for all sends of one intent, in the form of a UUID.
pub(super) fn token(context: &AttemptContext) -> String {
    let digest = Sha256::digest(context.idempotency_key.as_bytes());
    let hex = digest.iter().take(16).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let at = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    [at(0, 8), at(8, 12), at(12, 16), at(16, 20), at(20, 32)].join("-")
}

/// A place, for one attempt.
pub(super) struct Session<'a> {
    pub(super) aws: &'a Aws,
    pub(super) place: Place,
    pub(super) context: &'a AttemptContext,
}

impl<'a> Session<'a> {
    /// Opens a session in the place an action names.
    ///
    /// # Errors
    /// When the region or account makes no sense.
    pub(super) fn open(
        aws: &'a Aws,
        region: &str,
        account: Option<&String>,
        context: &'a AttemptContext,
    ) -> Result<Self, Failure> {
        Ok(Self { aws, place: Place::of(region, account, context)?, context })
    }

    /// The same account in another region.
    ///
    /// # Errors
    /// When the region makes no sense.
    pub(super) fn elsewhere(&self, region: &str) -> Result<Self, Failure> {
        Self::open(self.aws, region, self.place.account.as_ref(), self.context)
    }

    /// Names a question. `service` is its prefix in permissions.
    pub(super) fn read(&self, service: &'static str, operation: &'static str) -> Asked {
        self.aws.read(service, operation, &self.place, self.context)
    }

    /// Names an order.
    pub(super) fn change(&self, service: &'static str, operation: &'static str) -> Asked {
        self.aws.change(service, operation, &self.place, self.context)
    }

    /// Makes a call.
    pub(super) async fn ask(&self, call: &Call, asked: &Asked) -> Result<Answer, Failure> {
        self.aws.call(call, asked, &self.place, self.context).await
    }

    /// Makes a call that is answered in JSON.
    pub(super) async fn json(&self, call: &Call, asked: &Asked) -> Result<Value, Failure> {
        self.ask(call, asked).await?.json().map_err(|error| asked.failure(error))
    }

    /// The same, where the service may know of no such thing.
    pub(super) async fn json_if_there(
        &self,
        call: &Call,
        asked: &Asked,
        absent: &str,
    ) -> Result<Option<Value>, Failure> {
        match self.aws.try_call(call, &self.place, self.context).await? {
            Ok(answer) => answer.json().map(Some).map_err(|error| asked.failure(error)),
            Err(error) if error.code() == Some(absent) => Ok(None),
            Err(error) => Err(asked.failure(error)),
        }
    }

    /// Makes a call of the query protocol and reads its answer.
    pub(super) async fn query<T>(
        &self,
        call: &Call,
        asked: &Asked,
        read: impl FnOnce(&str) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let answer = self.ask(call, asked).await?;
        answer.text().and_then(read).map_err(|error| asked.failure(error))
    }
}
