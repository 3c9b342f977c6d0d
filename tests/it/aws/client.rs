//! What a test itself says to an emulator: plain requests with a signature that nobody checks. The emulators
//! keep a state of their own for each account and region that signs.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;

/// Where a request goes and who sends it.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) endpoint: String,
    pub(super) account: String,
    /// Id of the key that signs; from it the emulator knows the account.
    pub(super) key: String,
}

/// Status and text of an answer.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Said {
    /// The text inside the first element of a name.
    pub(super) fn element(&self, name: &str) -> Option<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let begin = self.text.find(&open)? + open.len();
        let length = self.text[begin..].find(&close)?;
        Some(self.text[begin..begin + length].trim())
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Caller {
    /// Calls an operation of the query protocol; anything but success fails the test.
    pub(super) async fn query(
        &self,
        service: &str,
        region: &str,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Said {
        let form: Vec<_> = [("Action", action), ("Version", version)]
            .iter()
            .chain(parameters)
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let request = self
            .request(reqwest::Method::POST, "/", service, region)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.join("&"));
        succeeded(request, action).await
    }

    /// Calls an operation of the JSON protocol; anything but success fails the test.
    pub(super) async fn json(&self, service: &str, region: &str, target: &str, body: &Value) -> Value {
        let request = self
            .request(reqwest::Method::POST, "/", service, region)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .body(body.to_string());
        succeeded(request, target).await.json()
    }

    /// Calls an operation of RDS.
    pub(super) async fn rds(&self, region: &str, action: &str, parameters: &[(&str, &str)]) -> Said {
        self.query("rds", region, "2014-10-31", action, parameters).await
    }

    /// A request with the signature's outward form.
    pub(super) fn request(
        &self,
        method: reqwest::Method,
        path: &str,
        service: &str,
        region: &str,
    ) -> reqwest::RequestBuilder {
        let credential = format!("{}/20261121/{region}/{service}/aws4_request", self.key);
        let signature = "0".repeat(64);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={signature}"
        );
        client()
            .request(method, format!("{}{path}", self.endpoint))
            .header("authorization", authorization)
            .header("x-amz-date", "20261121T120000Z")
    }
}

/// The one client of a test process.
pub(super) fn client() -> reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap()
    });
    CLIENT.clone()
}

/// Sends a request and reads the answer, whatever its status.
pub(super) async fn said(request: reqwest::RequestBuilder) -> Said {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    Said { status, text: response.text().await.unwrap() }
}

async fn succeeded(request: reqwest::RequestBuilder, what: &str) -> Said {
    let said = said(request).await;
    assert!(said.status < 300, "{what}: {} {}", said.status, said.text);
    said
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
