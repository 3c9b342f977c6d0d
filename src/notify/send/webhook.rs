//! Any address that takes JSON. With a secret, the body is signed: `X-Drctl-Signature: v1=` and the
//! HMAC-SHA256 in hex over the value of `X-Drctl-Timestamp`, a full stop and the body.

use reqwest::Client;
use ring::hmac;
use serde_json::json;

use super::{Answer, Values, http, value};
use crate::model::time::Timestamp;
use crate::notify::message::Notice;

/// Version of the body's format.
const FORMAT: u32 = 1;

/// Posts JSON.
pub struct WebhookDesk {
    /// What sends.
    pub client: Client,
    /// Address, where it is no secret.
    pub url: Option<String>,
}

impl WebhookDesk {
    pub(super) async fn send(&self, notice: &Notice, values: &Values, now: Timestamp) -> Answer {
        let url = match value(values, "url", self.url.as_deref()).and_then(http::address) {
            Ok(url) => url,
            Err(answer) => return answer,
        };
        let body = json!({"version": FORMAT, "notice": notice}).to_string();
        let stamp = (now.as_millis() / 1_000).to_string();
        let mut request = self
            .client
            .post(url)
            .header("Content-Type", "application/json")
            .header("X-Drctl-Notice", &notice.id)
            .header("X-Drctl-Timestamp", &stamp);
        if let Some(secret) = values.get("secret") {
            request = request.header("X-Drctl-Signature", signature(secret, &stamp, &body));
        }
        http::exchange(request.body(body)).await
    }
}

fn signature(secret: &str, stamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{stamp}.{body}").as_bytes());
    tag.as_ref().iter().fold("v1=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    /// Made with `printf '1700000000.{}' | openssl dgst -sha256 -hmac key`.
    #[test]
    fn the_signature_is_what_other_tools_compute() {
        let signature = super::signature("key", "1700000000", "{}");
        assert_eq!(signature, "v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae");
    }
}
