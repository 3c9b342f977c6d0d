//! Links between sites.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::action::network::SwitchMethod;
use crate::model::time::Duration;

/// One way to the other side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// Name of the path, such as `direct-connect` or `vpn`.
    pub name: String,
    /// Destination reached over this path, as `host:port`; probed by TCP connections.
    pub address: String,
    /// Local address to connect from, where that selects the path.
    pub source: Option<String>,
    /// Id of the gateway or attachment (AWS methods); default: `name`.
    pub route: Option<String>,
}

/// A link with two paths, such as Direct Connect with a VPN behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Path that is used while it works.
    pub primary: Way,
    /// Path that takes over.
    pub standby: Way,
    /// Longest median round trip that counts as healthy.
    pub max_latency: Option<Duration>,
    /// Largest share of lost probes that counts as healthy, in percent; default 0.
    #[schemars(range(max = 100))]
    pub max_loss_percent: Option<u8>,
    /// How traffic is moved to the other path.
    pub method: SwitchMethod,
    /// Program and arguments that switch; the name of the path is added (`method: command`).
    #[serde(default)]
    pub switch_command: Vec<String>,
    /// Program and arguments that print the name of the path in use (`method: command`).
    #[serde(default)]
    pub current_command: Vec<String>,
    /// Region of the route tables (AWS methods).
    pub region: Option<String>,
    /// Ids of the route tables to change (AWS methods).
    #[serde(default)]
    pub route_table_ids: Vec<String>,
    /// Destinations in CIDR notation whose routes are replaced (AWS methods).
    #[serde(default)]
    pub destinations: Vec<String>,
}
