//! Takes deliveries of webhooks: proves them, and keeps each once before it is answered. Does nothing about
//! them: that is for later, and for another task.

mod answer;
mod certificates;
mod keep;
mod known;
mod since;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use answer::Answer;
pub use known::Delivered;
pub(super) use since::sequence_before;

use certificates::Certificates;
use keep::Mounted;

use crate::model::time::{Duration, Timestamp};
use crate::model::trigger::TriggerSource;
use crate::ports::{Journal, Signers};
use crate::webhook::{Door, Envelope, Error, Headers, Letter};

/// Type of a kept delivery.
pub(super) const DELIVERED: &str = "webhook_delivered";

/// A webhook that deliveries arrive at.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// How they are proved and read.
    pub door: Door,
    /// What happened longer ago than this is kept and marked as old.
    pub max_age: Duration,
}

/// Takes the deliveries of all webhooks.
pub struct Intake {
    journal: Arc<dyn Journal>,
    certificates: Certificates,
    mounted: BTreeMap<String, Mounted>,
}

impl Intake {
    /// Makes an intake of webhooks by their names.
    #[must_use]
    pub fn new(
        journal: Arc<dyn Journal>,
        signers: Arc<dyn Signers>,
        webhooks: BTreeMap<String, Webhook>,
    ) -> Self {
        let mounted = webhooks.into_iter().map(|(name, webhook)| {
            let mounted = Mounted::new(&name, webhook);
            (name, mounted)
        });
        let mounted = mounted.collect();
        let certificates = Certificates::new(Arc::clone(&journal), signers);
        Self { journal, certificates, mounted }
    }

    /// Whose deliveries a webhook takes.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<TriggerSource> {
        self.mounted.get(name).map(|mounted| mounted.webhook().door.source())
    }

    /// Takes one delivery. What is answered with 202 is in the journal.
    pub async fn accept(&self, name: &str, headers: &Headers, body: &[u8], now: Timestamp) -> Answer {
        let Some(mounted) = self.mounted.get(name) else { return Answer::unknown() };
        let delivery = match mounted.webhook().door.open(headers, body, now) {
            Err(error) => return Answer::refused(&error),
            Ok(Letter::Proved(delivery)) => delivery,
            Ok(Letter::Sealed(envelope)) => match self.unsealed(&envelope).await {
                Ok(()) => envelope.delivery(),
                Err(answer) => return answer,
            },
        };
        mounted.keep(self.journal.as_ref(), delivery, now).await
    }

    /// Proves what SNS has signed, and confirms a subscription that was asked for.
    async fn unsealed(&self, envelope: &Envelope) -> Result<(), Answer> {
        let certificate = self.certificates.get(&envelope.certificate).await?;
        envelope.prove(&certificate).map_err(|error: Error| Answer::refused(&error))?;
        self.certificates.keep(&envelope.certificate, certificate).await;
        match &envelope.confirm {
            Some(address) => self.certificates.confirm(address).await,
            None => Ok(()),
        }
    }
}
