//! Hands one notice to one target, once, and says what came of it. Must never show a secret, follow a
//! redirect, or take longer than [`WITHIN`].

mod http;
mod note;
mod pagerduty;
mod sender;
mod slack;
mod smtp;
mod webhook;

pub use http::{client, host_of};
pub use note::NoteDesk;
pub use pagerduty::PagerdutyDesk;
pub use sender::{Answer, Sender, Transport};
pub use slack::SlackDesk;
pub use smtp::{Mail, Protection};
pub use webhook::WebhookDesk;

use std::collections::BTreeMap;

/// Longest time of one try.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(10);
/// Longest text that is repeated of what a target says, in characters.
const SHOWN: usize = 300;

/// Values of secrets by what they are for: `url`, `routing_key`, `token`, `password`, `secret`.
type Values = BTreeMap<String, String>;

/// A value that is a secret, or stands in the configuration.
fn value<'a>(values: &'a Values, name: &str, plain: Option<&'a str>) -> Result<&'a str, Answer> {
    let value = values.get(name).map(String::as_str).or(plain);
    value.ok_or_else(|| Answer::Refused(format!("it has no {name}")))
}
