//! Amazon SNS, about its own signatures and subscriptions. The addresses were checked by whoever asks.

use super::{Shared, body, failed, wrong};
use crate::ports::{BoxFuture, OutsideError, Signers};

/// Fetches certificates and confirms subscriptions.
#[derive(Debug, Default)]
pub struct SnsSigners(Shared);

impl SnsSigners {
    async fn fetch(&self, address: &str) -> Result<Vec<u8>, OutsideError> {
        let answer = self.0.get()?.get(address).send().await;
        let answer = answer.map_err(|error| failed("SNS did not answer", error))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(wrong(format!("SNS answered {}", status.as_u16())));
        }
        body(answer).await
    }
}

impl Signers for SnsSigners {
    fn certificate<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Vec<u8>, OutsideError>> {
        Box::pin(self.fetch(address))
    }

    fn confirm<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<(), OutsideError>> {
        Box::pin(async { self.fetch(address).await.map(|_| ()) })
    }
}
