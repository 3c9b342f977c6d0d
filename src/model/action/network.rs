//! Actions on links between sites, such as Direct Connect with a VPN behind it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spec::{ActionSpec, Adapter, ApiHome, Doubt, DrillDefault, Effect, Plane, SPEC};
use crate::model::run::words;
use crate::model::time::Duration;

/// One path to a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkPath {
    /// Name of the path, such as `direct-connect` or `vpn`.
    pub name: String,
    /// Destination reached over this path, as `host:port`; probed by TCP connections.
    pub address: String,
    /// Local address to connect from, where that selects the path.
    pub source: Option<String>,
    /// Longest round trip that counts as healthy on this path; default: `max_latency`.
    pub max_latency: Option<Duration>,
}

/// Parameters of `network.check_path`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckPath {
    /// Paths to probe.
    #[schemars(length(min = 1))]
    pub paths: Vec<NetworkPath>,
    /// Probes on each path; default 10.
    #[schemars(range(min = 1))]
    pub probes: Option<u32>,
    /// Time between two probes; default 200ms.
    pub interval: Option<Duration>,
    /// Longest median round trip that counts as healthy.
    pub max_latency: Option<Duration>,
    /// Largest share of lost probes that counts as healthy, in percent; default 0.
    #[schemars(range(max = 100))]
    pub max_loss_percent: Option<u8>,
    /// How many paths must be healthy; default: all.
    #[schemars(range(min = 1))]
    pub min_healthy: Option<u32>,
}

impl CheckPath {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Probes each network path to a site for latency and loss.",
        adapter: Adapter::SimulatedOnly,
        timeout: Duration::from_secs(60),
        estimate: Duration::from_secs(3),
        outputs: &[
            ("paths", "by path: healthy, latency_ms (median), loss_percent"),
            ("healthy", "how many paths are healthy"),
            ("latency_ms", "median round trip of the best path"),
            ("loss_percent", "share of lost probes on the best path"),
        ],
        ..SPEC
    };
}

words! {
    /// How traffic is moved to another path.
    SwitchMethod {
        /// Run `switch_command`, which talks to the router.
        Command = "command",
        /// Replace a route in an AWS VPC route table.
        AwsRoute = "aws_route",
        /// Replace a static route in an AWS transit gateway route table.
        AwsTransitGatewayRoute = "aws_transit_gateway_route",
    }
}

/// Parameters of `network.switch_route`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchRoute {
    /// How traffic is moved.
    pub method: SwitchMethod,
    /// Path that carries the traffic afterwards: id of a gateway or attachment, or a name for the command.
    pub to: String,
    /// Program and arguments that switch to `to` (`method: command`); no shell reads them.
    #[serde(default)]
    pub switch_command: Vec<String>,
    /// Program and arguments that print the name of the path in use (`method: command`).
    #[serde(default)]
    pub current_command: Vec<String>,
    /// Program and arguments that switch back, for undo (`method: command`).
    #[serde(default)]
    pub undo_command: Vec<String>,
    /// Region of the route table (AWS methods).
    pub region: Option<String>,
    /// Ids of the route tables to change (AWS methods).
    #[serde(default)]
    pub route_table_ids: Vec<String>,
    /// Destinations in CIDR notation whose routes are replaced (AWS methods).
    #[serde(default)]
    pub destinations: Vec<String>,
}

impl SwitchRoute {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sends traffic between sites over another path, by a command or by replacing cloud routes.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        home: ApiHome::Parameter("region"),
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        adapter: Adapter::SimulatedOnly,
        prepares: true,
        timeout: Duration::from_secs(300),
        estimate: Duration::from_secs(15),
        settle: Duration::from_secs(30),
        outputs: &[
            ("previous", "path in use before the switch"),
            ("current", "path in use now"),
            ("already", "whether it was in use before"),
        ],
        ..SPEC
    };
}
