//! Plain DNS records that hold the address of the site that serves; in `active_active` those of all sites.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EachSite;
use crate::model::action::dns::{RecordType, TsigKey};
use crate::model::time::Duration;

/// A record on DNS servers that take updates by RFC 2136.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsRecord {
    /// Server that takes updates, as `host` or `host:port`.
    pub server: String,
    /// Zone, such as `example.com`.
    pub zone: String,
    /// Full name of the record.
    pub name: String,
    /// Type of the record.
    pub record_type: RecordType,
    /// What the record says for each site.
    pub address: EachSite<String>,
    /// TTL of the record; default: the TTL it has, else 60s.
    pub ttl: Option<Duration>,
    /// Key that signs updates.
    pub tsig: Option<TsigKey>,
    /// Authoritative servers that must all give the new answer; empty: every NS of the zone.
    #[serde(default)]
    pub authoritative: Vec<String>,
}

/// A record of Azure DNS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureDnsRecord {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of the zone; it should live outside the regions of the application.
    pub resource_group: String,
    /// Zone, such as `example.com`.
    pub zone: String,
    /// Name of the record inside the zone; `@` for the zone itself.
    pub name: String,
    /// Type of the record.
    pub record_type: RecordType,
    /// What the record says for each site.
    pub address: EachSite<String>,
    /// TTL of the record; default: the TTL it has, else 60s.
    pub ttl: Option<Duration>,
}

/// A record of Cloud DNS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudDnsRecord {
    /// Project id.
    pub project: String,
    /// Name of the managed zone, which is not its DNS name.
    pub managed_zone: String,
    /// Full name of the record.
    pub name: String,
    /// Type of the record.
    pub record_type: RecordType,
    /// What the record says for each site.
    pub address: EachSite<String>,
    /// TTL of the record; default: the TTL it has, else 60s.
    pub ttl: Option<Duration>,
}
