//! Asks and tells those who send webhooks: PagerDuty's REST API, and Amazon SNS about its own signatures. One
//! try each, within seconds; must never follow a redirect or show a token.

mod pagerduty;
mod sns;

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, Response};

use super::excerpt;
use crate::ports::OutsideError;

pub use pagerduty::PagerDuty;
pub use sns::SnsSigners;

/// Longest time of one request, with everything.
const WITHIN: Duration = Duration::from_secs(8);
/// Longest time to establish a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Largest answer that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// A client made at its first use. A `rustls` crypto provider must be installed before.
#[derive(Debug, Default)]
struct Shared(OnceLock<Client>);

impl Shared {
    fn get(&self) -> Result<Client, OutsideError> {
        if let Some(client) = self.0.get() {
            return Ok(client.clone());
        }
        let builder = Client::builder()
            .user_agent(concat!("drctl/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .timeout(WITHIN);
        let client = builder.build().map_err(|error| failed("the client could not be set up", error))?;
        Ok(self.0.get_or_init(|| client).clone())
    }
}

/// What went wrong, without the address, which may hold a secret.
fn failed(what: &str, error: reqwest::Error) -> OutsideError {
    let error = error.without_url();
    let mut text = format!("{what}: {error}");
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    OutsideError { message: excerpt::head(&text, 300) }
}

fn wrong(message: impl Into<String>) -> OutsideError {
    OutsideError { message: message.into() }
}

/// The whole body of an answer.
async fn body(mut answer: Response) -> Result<Vec<u8>, OutsideError> {
    let mut bytes = Vec::new();
    loop {
        let chunk = answer.chunk().await.map_err(|error| failed("the answer broke off", error))?;
        let Some(chunk) = chunk else { return Ok(bytes) };
        if bytes.len() + chunk.len() > LARGEST {
            return Err(wrong("the answer is larger than 1 MiB"));
        }
        bytes.extend_from_slice(&chunk);
    }
}
