//! Fetches what identity providers publish. One try, within seconds; must never follow a redirect, nor read
//! without end.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Client;

use crate::dial::http::told;
use crate::ports::{BoxFuture, IdentityProvider, OutsideError};

/// Longest time of one request, with everything.
const WITHIN: Duration = Duration::from_secs(8);
/// Longest time to establish a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// Largest answer that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Identity providers, over HTTP. A `rustls` crypto provider must be installed before its first use.
#[derive(Debug, Default)]
pub struct HttpIdentityProvider(OnceLock<Client>);

impl HttpIdentityProvider {
    fn client(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.0.get() {
            return Ok(client);
        }
        let builder = Client::builder()
            .user_agent(concat!("drctl/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .timeout(WITHIN);
        let client = builder.build()?;
        Ok(self.0.get_or_init(|| client))
    }

    async fn fetch(&self, address: &str) -> Result<Vec<u8>, OutsideError> {
        let failed = |error: reqwest::Error| OutsideError { message: told(error) };
        let mut answer = self.client().map_err(failed)?.get(address).send().await.map_err(failed)?;
        let status = answer.status();
        if status != reqwest::StatusCode::OK {
            return Err(OutsideError { message: format!("it answered {}", status.as_u16()) });
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > LARGEST {
                return Err(OutsideError { message: "its answer is larger than 1 MiB".to_owned() });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

impl IdentityProvider for HttpIdentityProvider {
    fn document<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Vec<u8>, OutsideError>> {
        Box::pin(self.fetch(address))
    }
}
