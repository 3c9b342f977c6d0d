//! Tells people what runs do, from the journal: which record is worth a notice, what it says, and sending it.
//! Never fails, holds up or changes a run: what cannot be sent is tried again, then given up and recorded.
//!
//! [`tell`] and [`Templates`] are pure: a record becomes a [`Notice`]. [`Outbox`] follows the journal for
//! each target on its own, behind a cursor kept in the stream `notify/<target>`, and hands notices to the
//! target's [`Sender`].

mod backoff;
mod cursor;
mod message;
mod outbox;
mod send;
mod target;
mod tell;
mod template;
mod watched;
mod worker;

pub use backoff::delay;
pub use cursor::{Cursor, OutboxEvent};
pub use message::{About, Ending, INCIDENT, Notice};
pub use outbox::{Observer, Outbox, Unobserved};
pub use send::{
    Answer, Mail, NoteDesk, PagerdutyDesk, Protection, Sender, SlackDesk, Transport, WebhookDesk, client,
    host_of,
};
pub use target::{GIVE_UP_AFTER, Settings, Target};
pub use tell::tell;
pub use template::{Templates, Wording};

/// Why a target cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template of a notice cannot be used.
    #[error("the {part} of `{kind}`: {message}")]
    Template {
        /// Which part: title or text.
        part: &'static str,
        /// Kind of notice.
        kind: crate::model::notice::NoticeKind,
        /// Where and what.
        message: String,
    },
    /// A setting of its kind cannot be used.
    #[error("{0}")]
    Setting(String),
}
