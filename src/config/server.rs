//! What a configuration says about `drctl serve`: where it listens, and who may do what.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::time::{Duration, Timestamp};

/// How the server listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// Address and port; default `127.0.0.1:8480`.
    pub listen: String,
    /// Address under which people and webhooks reach it, for links.
    pub public_url: Option<String>,
    /// Certificate and key; both are read again when they change.
    pub tls: Option<TlsFiles>,
    /// Connections that are open at once; further ones wait. Default 2,048.
    #[schemars(range(min = 1, max = 65_535))]
    pub max_connections: usize,
    /// Largest body of a request, in bytes; default 1 MiB.
    #[schemars(range(min = 1_024, max = 16_777_216))]
    pub max_body_bytes: usize,
    /// Requests that one address may send in a second, beyond a burst of ten times as many; default 200.
    #[schemars(range(min = 1, max = 100_000))]
    pub requests_per_second: u32,
    /// How long running steps are waited for after SIGTERM; default 25s.
    pub drain: Duration,
    /// How often schedules are looked at; default 15s.
    pub schedules_every: Duration,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8480".to_owned(),
            public_url: None,
            tls: None,
            max_connections: 2_048,
            max_body_bytes: 1 << 20,
            requests_per_second: 200,
            drain: Duration::from_secs(25),
            schedules_every: Duration::from_secs(15),
        }
    }
}

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Chain of certificates, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// Who may use the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSection {
    /// Tokens; `drctl token create` makes one.
    pub tokens: Vec<TokenEntry>,
}

/// A bearer token, of which only the digest is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// Whose it is; the journal names it.
    pub name: String,
    /// What it may do: viewer, operator, approver, admin, and roles that approvals ask for.
    pub roles: Vec<String>,
    /// SHA-256 of the token, in hex.
    pub sha256: String,
    /// From when on it is refused.
    #[serde(default)]
    pub expires: Option<Timestamp>,
}
