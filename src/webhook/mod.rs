//! What arrives at a webhook: proved to come from its sender, and read into events. Pure: bytes and a time
//! in, events out. Trusts nothing that arrives, keeps little of it, and never shows a secret.

mod alertmanager;
mod bounded;
mod cloudwatch;
mod door;
mod generic;
mod headers;
mod key;
mod pagerduty;
mod sns;

pub use door::{Door, Letter, read_unproved};
pub use headers::Headers;
pub use key::Key;
pub use sns::{Envelope, SnsKind};

use crate::model::trigger::Event;

/// Largest body that is read, in bytes. PagerDuty and SNS send at most 256 KiB.
pub const BODY_BYTES: usize = 512 * 1024;
/// Most events of one delivery that are kept.
pub const EVENTS: usize = 200;
/// How far the signed time of a delivery may be from now, where one is signed.
pub const SIGNED_WITHIN: crate::model::time::Duration = crate::model::time::Duration::from_secs(5 * 60);

/// What was read of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// What tells it from others: a repetition has the same.
    pub id: String,
    /// The events.
    pub events: Vec<Event>,
    /// How many more there were than are kept.
    pub left_out: usize,
}

/// Why a delivery is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is larger than anything a sender sends.
    #[error("the body is larger than {} KiB", BODY_BYTES / 1024)]
    TooLarge,
    /// Nothing proves that it comes from its sender.
    #[error("{0}")]
    Unproved(&'static str),
    /// It is proved, and cannot be read.
    #[error("the body cannot be read: {0}")]
    Malformed(String),
}

impl Error {
    fn malformed(why: impl Into<String>) -> Self {
        Self::Malformed(why.into())
    }
}
