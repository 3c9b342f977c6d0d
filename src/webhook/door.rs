//! How deliveries of one webhook are proved and read. The one place that knows every sender.

use super::sns::Envelope;
use super::{BODY_BYTES, Delivery, Error, Headers, Key, alertmanager, cloudwatch, generic, pagerduty};
use crate::model::time::Timestamp;
use crate::model::trigger::TriggerSource;

/// What a webhook knows its sender by.
#[derive(Debug, Clone)]
pub enum Door {
    /// PagerDuty: any of these secrets.
    Pagerduty(Vec<Key>),
    /// Alertmanager.
    Alertmanager {
        /// Bearer tokens.
        tokens: Vec<Key>,
        /// Passwords, by user.
        passwords: Vec<(String, Key)>,
    },
    /// CloudWatch through SNS: these topics.
    Cloudwatch(Vec<String>),
    /// Any sender: any of these secrets.
    Webhook(Vec<Key>),
}

/// A delivery that arrived, as far as it can be judged without asking anybody.
#[derive(Debug, Clone, PartialEq)]
pub enum Letter {
    /// It comes from its sender.
    Proved(Delivery),
    /// It comes from its sender if SNS signed it: that takes a certificate.
    Sealed(Box<Envelope>),
}

impl Door {
    /// Whose deliveries they are.
    #[must_use]
    pub const fn source(&self) -> TriggerSource {
        match self {
            Self::Pagerduty(_) => TriggerSource::Pagerduty,
            Self::Alertmanager { .. } => TriggerSource::Alertmanager,
            Self::Cloudwatch(_) => TriggerSource::Cloudwatch,
            Self::Webhook(_) => TriggerSource::Webhook,
        }
    }

    /// Proves and reads what has arrived.
    ///
    /// # Errors
    /// When it is too large, not proved, or cannot be read. It is read only once it is proved.
    pub fn open(&self, headers: &Headers, body: &[u8], now: Timestamp) -> Result<Letter, Error> {
        if body.len() > BODY_BYTES {
            return Err(Error::TooLarge);
        }
        match self {
            Self::Pagerduty(keys) => {
                pagerduty::prove(keys, headers, body)?;
                pagerduty::read(headers, body).map(Letter::Proved)
            }
            Self::Alertmanager { tokens, passwords } => {
                alertmanager::prove(tokens, passwords, headers)?;
                alertmanager::read(body).map(Letter::Proved)
            }
            Self::Cloudwatch(topics) => {
                let envelope = Envelope::read(body)?;
                if !topics.contains(&envelope.topic) {
                    return Err(Error::Unproved("the topic is none that is configured"));
                }
                Ok(Letter::Sealed(Box::new(envelope)))
            }
            Self::Webhook(keys) => {
                generic::prove(keys, headers, body, now)?;
                generic::read(headers, body).map(Letter::Proved)
            }
        }
    }
}

impl Envelope {
    /// What is in it. To be asked once it is proved.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        cloudwatch::read(self)
    }
}

/// Reads a body as its sender would send it, without any proof: for trying out triggers, never for acting.
///
/// # Errors
/// When it cannot be read.
pub fn read_unproved(source: TriggerSource, body: &[u8]) -> Result<Delivery, Error> {
    if body.len() > BODY_BYTES {
        return Err(Error::TooLarge);
    }
    let none = Headers::default();
    match source {
        TriggerSource::Pagerduty => pagerduty::read(&none, body),
        TriggerSource::Alertmanager => alertmanager::read(body),
        TriggerSource::Cloudwatch => Envelope::read(body).map(|envelope| envelope.delivery()),
        TriggerSource::Webhook => generic::read(&none, body),
    }
}
