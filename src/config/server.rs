//! What a configuration says about how `drctl serve` listens.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::time::Duration;

/// How the server listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// Address and port; default `127.0.0.1:8480`.
    pub listen: String,
    /// What this node is called among those on the same journal; default: the name of the machine.
    pub node: Option<String>,
    /// Runs that this node drives at once; further ones are left to other nodes, or wait. Default 500.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_runs: usize,
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
    /// How often the recovery point of every service is read, as its runbook says; default 1m; 0s: never.
    pub readings_every: Duration,
    /// How many services are read at once; default 8.
    #[schemars(range(min = 1, max = 100))]
    pub readings_at_once: usize,
    /// How often what was read is kept in the journal; what changes is kept at once. Default 5m.
    pub readings_kept_every: Duration,
    /// How often the readiness of every service is judged; default 1m; 0s: never.
    pub readiness_every: Duration,
}

impl Default for ServerSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8480".to_owned(),
            node: None,
            max_runs: 500,
            public_url: None,
            tls: None,
            max_connections: 2_048,
            max_body_bytes: 1 << 20,
            requests_per_second: 200,
            drain: Duration::from_secs(25),
            schedules_every: Duration::from_secs(15),
            readings_every: Duration::from_secs(60),
            readings_at_once: 8,
            readings_kept_every: Duration::from_secs(300),
            readiness_every: Duration::from_secs(60),
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
