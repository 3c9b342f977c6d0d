//! The journal where a server keeps it: read, and asked for things, over HTTP. Never appends, never drives a
//! run, and believes nothing of an answer that it can check itself.
//!
//! What a person may do is for the server to decide, by the token: what it refuses comes back as
//! [`crate::ports::JournalError::Afar`], in the server's own words.

mod admin;
mod answer;
mod chain;
mod events;
mod journal;
mod link;
mod server;
mod stream;
mod wire;

use std::path::Path;

pub use self::events::{Events, Fact, Heard};
pub use self::server::{Begun, CheckBegun, ChecksBegun, RemoteJournal};
pub use self::wire::Sheet;

/// The header, and its value, by which a server is asked to speak in commands and flags: its own words are
/// those of its API.
pub const IN_COMMANDS: (&str, &str) = ("drctl-words", "commands");

/// How a server is spoken to.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// Its address.
    pub url: &'a str,
    /// Token that proves who asks.
    pub token: Option<&'a str>,
    /// File with the authorities that are trusted in place of those of this machine.
    pub ca_file: Option<&'a Path>,
}
