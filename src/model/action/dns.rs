//! Actions on DNS servers of one's own: RFC 2136 updates and looks at answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spec::{ActionSpec, Adapter, Doubt, DrillDefault, Effect, Role, SPEC};
use crate::model::run::words;
use crate::model::time::Duration;

words! {
    /// Type of a DNS record.
    RecordType {
        /// IPv4 addresses.
        A = "A",
        /// IPv6 addresses.
        Aaaa = "AAAA",
        /// Another name for the same thing; nothing else may exist at its name.
        Cname = "CNAME",
        /// Text.
        Txt = "TXT",
        /// Host and port of a service.
        Srv = "SRV",
        /// Mail servers.
        Mx = "MX",
        /// Name servers.
        Ns = "NS",
        /// Reverse name of an address.
        Ptr = "PTR",
        /// Who may issue certificates.
        Caa = "CAA",
    }
}

words! {
    /// Algorithm of a TSIG key.
    TsigAlgorithm {
        /// HMAC with SHA-256.
        HmacSha256 = "hmac-sha256",
        /// HMAC with SHA-384.
        HmacSha384 = "hmac-sha384",
        /// HMAC with SHA-512.
        HmacSha512 = "hmac-sha512",
    }
}

/// Key that signs DNS updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TsigKey {
    /// Name of the key, as the server knows it.
    pub name: String,
    /// Algorithm; default `hmac-sha256`.
    pub algorithm: Option<TsigAlgorithm>,
    /// The key in base64; refer to a secret, never write it here.
    pub secret: String,
}

/// Parameters of `dns.update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// Server that takes updates, as `host` or `host:port`; default port 53.
    pub server: String,
    /// Zone, such as `example.com`.
    pub zone: String,
    /// Full name of the record, such as `app.example.com`.
    pub name: String,
    /// Type of the record.
    pub record_type: RecordType,
    /// Values the record has afterwards, in place of all it had.
    #[schemars(length(min = 1))]
    pub values: Vec<String>,
    /// TTL of the record afterwards, in whole seconds; default: the TTL it has, else 60s.
    pub ttl: Option<Duration>,
    /// Values the record must have now, or nothing is changed; empty: those read just before.
    #[serde(default)]
    pub expect: Vec<String>,
    /// Change only when the record does not exist yet; excludes `expect`.
    #[serde(default)]
    pub expect_absent: bool,
    /// Key that signs the update; without it the update is unsigned.
    pub tsig: Option<TsigKey>,
    /// Authoritative servers that must all give the new answer; empty: every NS of the zone.
    #[serde(default)]
    pub authoritative: Vec<String>,
}

impl Update {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Replaces a DNS record by RFC 2136 if it is as expected; reads it back from every server.",
        effect: Effect::Mutate,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        role: Role::Shift,
        adapter: Adapter::SimulatedOnly,
        prepares: true,
        timeout: Duration::from_secs(120),
        estimate: Duration::from_secs(5),
        settle: Duration::from_secs(30),
        outputs: &[
            ("previous", "values before the change"),
            ("previous_ttl_ms", "TTL before the change: how long caches may still give the old answer"),
            ("serial", "serial of the zone on the updated server"),
            ("servers", "authoritative servers that give the new answer"),
        ],
        ..SPEC
    };
}

/// Parameters of `dns.check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Full name to ask for.
    pub name: String,
    /// Type to ask for.
    pub record_type: RecordType,
    /// Values every answer must have, in any order.
    #[schemars(length(min = 1))]
    pub expect: Vec<String>,
    /// Authoritative servers to ask, as `host` or `host:port`; empty: every NS of the zone.
    #[serde(default)]
    pub authoritative: Vec<String>,
    /// Recursive resolvers to ask as well, as `host` or `host:port`.
    #[serde(default)]
    pub resolvers: Vec<String>,
    /// Longest TTL that counts as healthy.
    pub max_ttl: Option<Duration>,
    /// TTL before a change: the check passes this long after the first right answer, not sooner.
    pub old_ttl: Option<Duration>,
}

impl Check {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Asks authoritative and recursive DNS servers for a record; can wait out the old TTL.",
        adapter: Adapter::SimulatedOnly,
        timeout: Duration::from_secs(600),
        estimate: Duration::from_secs(2),
        outputs: &[
            ("answers", "values by server"),
            ("ttl_ms", "longest TTL an answer still has"),
            ("agree", "whether every server gives the expected answer"),
        ],
        ..SPEC
    };
}
