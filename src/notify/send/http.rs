//! What all targets behind HTTP share: one client, one request, and what a status means.

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response, Url};

use super::{Answer, SHOWN, WITHIN};
use crate::dial;
use crate::model::time::Duration;

/// A client that sends a request once, to the address it is given and no other. A `rustls` crypto provider
/// must be installed before.
///
/// # Errors
/// When TLS cannot be set up.
pub fn client() -> Result<Client, String> {
    Client::builder()
        .user_agent(concat!("drctl/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .timeout(WITHIN)
        .build()
        .map_err(|error| format!("the HTTP client could not be set up: {}", dial::http::told(error)))
}

/// Host and port of an absolute http or https address.
///
/// # Errors
/// What is wrong with it, without it: the address itself may be a secret.
pub fn host_of(text: &str) -> Result<(String, u16), String> {
    let wrong = || "its `url` is no absolute http or https address".to_owned();
    let url = address(text).map_err(|_| wrong())?;
    Ok((url.host_str().ok_or_else(wrong)?.to_owned(), url.port_or_known_default().unwrap_or(443)))
}

/// Reads an absolute http or https address.
pub(super) fn address(text: &str) -> Result<Url, Answer> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| Answer::Refused("its url is no absolute http or https address".to_owned()))
}

/// Sends a request and reads the answer.
pub(super) async fn exchange(request: RequestBuilder) -> Answer {
    match request.send().await {
        Ok(response) => judged(response).await,
        Err(error) if error.is_builder() => Answer::Refused(dial::http::told(error)),
        Err(error) => Answer::Later { why: dial::http::told(error), after: None },
    }
}

async fn judged(mut response: Response) -> Answer {
    let status = response.status();
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = beginning(&mut response).await;
    let text = if body.is_empty() { status.to_string() } else { format!("{status}: {body}") };
    match status.as_u16() {
        200..=299 => Answer::Taken(text),
        408 | 425 | 429 | 500..=599 => Answer::Later { why: text, after: asked.map(Duration::from_secs) },
        300..=399 => Answer::Refused(format!("{text}; redirects are not followed")),
        _ => Answer::Refused(text),
    }
}

/// The beginning of a body, whatever comes of the rest.
async fn beginning(response: &mut Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= SHOWN {
            bytes.truncate(SHOWN);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
