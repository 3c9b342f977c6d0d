//! The HTTP client and what its errors mean. Must never keep connections for later: a stale one would make a
//! request doubtful that was never sent.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Url};

use super::permanent;
use crate::dial;
use crate::model::run::{Failure, FailureClass};
use crate::providers::excerpt;

/// Longest time to establish a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// A client made at its first use.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared(Arc<OnceLock<Client>>);

impl Shared {
    /// The client.
    ///
    /// # Errors
    /// Permanent, when TLS cannot be set up.
    pub(super) fn get(&self) -> Result<Client, Failure> {
        if let Some(client) = self.0.get() {
            return Ok(client.clone());
        }
        let client = build(builder())?;
        Ok(self.0.get_or_init(|| client).clone())
    }
}

/// A client that connects to one address in place of what a name resolves to.
///
/// # Errors
/// Permanent, when the address is not an IP address with or without a port, or TLS cannot be set up.
pub(super) fn pinned(host: &str, address: &str) -> Result<Client, Failure> {
    // Port 0 stands for the port of the URL.
    let bare = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 0));
    let target = address.parse::<SocketAddr>().or_else(|_| bare(address)).map_err(|_| {
        permanent(&format!(
            "`{}` in `addresses` is not an IP address such as 192.0.2.1 or 192.0.2.1:443",
            excerpt::head(address, 60)
        ))
    })?;
    build(builder().no_proxy().resolve(host, target))
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("drctl/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT)
}

fn build(builder: ClientBuilder) -> Result<Client, Failure> {
    builder.build().map_err(|error| {
        permanent(&format!("the HTTP client could not be set up: {}", dial::http::told(error)))
    })
}

/// Reads an absolute http or https address.
///
/// # Errors
/// Permanent, when it is anything else.
pub(super) fn address(text: &str) -> Result<Url, Failure> {
    let url =
        Url::parse(text).map_err(|error| permanent(&format!("`url` is not an absolute address: {error}")))?;
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(_)) => Ok(url),
        _ => Err(permanent("`url` must begin with http:// or https:// and name a host")),
    }
}

/// An address fit to be shown: never its user part or query, and only scheme and host where a secret is
/// involved.
pub(super) fn shown(url: &Url, sensitive: bool) -> String {
    let mut text = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        text = format!("{text}:{port}");
    }
    if !sensitive {
        text.push_str(url.path());
    }
    excerpt::head(&text, 200)
}

/// Reads headers.
///
/// # Errors
/// Permanent, when a name or value is not one; the value is not shown.
pub(super) fn headers(headers: &BTreeMap<String, String>) -> Result<HeaderMap, Failure> {
    let mut read = HeaderMap::new();
    for (name, value) in headers {
        let bad =
            |what: &str| permanent(&format!("header `{}` has an invalid {what}", excerpt::head(name, 60)));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("name"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| bad("value"))?;
        value.set_sensitive(true);
        read.insert(name, value);
    }
    Ok(read)
}

/// What an error of the client means. `doubtful`: the request changes something and cannot be sent again at
/// will.
pub(super) fn failure(error: reqwest::Error, place: &str, doubtful: bool) -> Failure {
    let (class, what) = if error.is_builder() {
        (FailureClass::Permanent, "the request could not be built")
    } else if error.is_connect() {
        (FailureClass::Unreachable, "no connection, nothing was sent")
    } else if doubtful {
        (FailureClass::InDoubt, "the request was sent and its answer was lost")
    } else {
        (FailureClass::Transient, "no complete answer")
    };
    Failure::new(class, excerpt::message(&format!("{place}: {what}: {}", dial::http::told(error))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_an_address_holds_no_secret() {
        let url = address("https://user:hunter2@example.com:8443/hooks/T0/abc?token=s3cret").unwrap();
        assert_eq!(shown(&url, false), "https://example.com:8443/hooks/T0/abc");
        assert_eq!(shown(&url, true), "https://example.com:8443");
    }

    #[test]
    fn only_absolute_web_addresses_are_taken() {
        for text in ["", "/health", "ftp://example.com/", "file:///etc/passwd", "http://"] {
            assert_eq!(address(text).unwrap_err().class, FailureClass::Permanent, "{text}");
        }
    }

    #[test]
    fn a_bad_header_is_named_and_its_value_is_not() {
        let bad = [("X-Key".to_owned(), "s3cret\n".to_owned())].into_iter().collect();
        let failure = headers(&bad).unwrap_err();
        assert!(failure.message.contains("X-Key") && !failure.message.contains("s3cret"), "{failure}");
    }
}
