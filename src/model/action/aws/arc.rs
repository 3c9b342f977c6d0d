//! Actions on AWS Application Recovery Controller: routing controls and Region switch.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::spec::{ActionSpec, ApiHome, Doubt, DrillDefault, Effect, Plane, Role, SPEC};
use crate::model::policy::Reversibility;
use crate::model::run::{Mode, words};
use crate::model::time::Duration;

words! {
    /// State of a routing control.
    ControlState {
        /// Traffic may flow.
        On = "on",
        /// Traffic may not flow.
        Off = "off",
    }
}

/// One of the five endpoints of a routing control cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterEndpoint {
    /// Region the endpoint is in, which requests to it are signed for.
    pub region: String,
    /// Address of the endpoint, as `DescribeCluster` shows it.
    pub url: String,
}

/// Parameters of `aws.arc.set_routing_controls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRoutingControls {
    /// All five endpoints of the cluster, tried in turn; a disaster is too late to look them up.
    #[schemars(length(min = 1, max = 5))]
    pub cluster_endpoints: Vec<ClusterEndpoint>,
    /// State by ARN of the routing control, at most ten, set all together or not at all.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 10))]
    pub controls: BTreeMap<String, ControlState>,
    /// ARNs of safety rules that may be broken; a rule that is not named here refuses the change.
    #[serde(default)]
    pub safety_rules_to_override: Vec<String>,
    /// Account it is in; default: that of the sites when they share one, else that of the credentials.
    pub account: Option<String>,
}

impl SetRoutingControls {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sets ARC routing controls together, through whichever cluster endpoint answers.",
        effect: Effect::Mutate,
        prechecks: true,
        plane: Plane::Data,
        drill: DrillDefault::MustDeclare,
        role: Role::Shift,
        prepares: true,
        timeout: Duration::from_secs(120),
        estimate: Duration::from_secs(5),
        settle: Duration::from_secs(10),
        outputs: &[
            ("endpoint", "endpoint that took the change"),
            ("previous", "state by control before the change"),
            ("already", "whether every control was as wanted before"),
        ],
        permissions: &[
            "route53-recovery-cluster:GetRoutingControlState",
            "route53-recovery-cluster:UpdateRoutingControlStates",
        ],
        ..SPEC
    };
}

words! {
    /// What a Region switch plan is to do.
    RegionSwitchAction {
        /// Bring the region into service.
        Activate = "activate",
        /// Take the region out of service.
        Deactivate = "deactivate",
        /// Rebuild protection afterwards.
        PostRecovery = "post_recovery",
    }
}

/// Parameters of `aws.arc.start_region_switch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRegionSwitch {
    /// Region whose API is called: the one being activated.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// ARN of the plan.
    pub plan_arn: String,
    /// Region the plan activates or deactivates.
    pub target_region: String,
    /// What the plan is to do.
    pub action: RegionSwitchAction,
    /// Whether the other region still cooperates; `ungraceful` skips or changes blocks.
    pub mode: Mode,
    /// Id of the execution that recovered, in the other region (`action: post_recovery`).
    pub recovery_execution_id: Option<String>,
    /// Version of the plan that must be the newest, or nothing starts.
    pub plan_version: Option<String>,
    /// Remark kept with the execution.
    pub comment: Option<String>,
}

impl StartRegionSwitch {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Runs an ARC Region switch plan and follows its execution to the end.",
        effect: Effect::Mutate,
        prechecks: true,
        plane: Plane::Data,
        home: ApiHome::Parameter("region"),
        reversibility: Reversibility::Compensable,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        role: Role::Shift,
        timeout: Duration::from_secs(7_200),
        poll_interval: Duration::from_secs(10),
        estimate: Duration::from_secs(900),
        settle: Duration::from_secs(30),
        outputs: &[
            ("execution_id", "id of the plan execution"),
            ("state", "its last state"),
            ("exceptions", "whether it completed with exceptions"),
        ],
        permissions: &[
            "arc-region-switch:GetPlanExecution",
            "arc-region-switch:ListPlanExecutions",
            "arc-region-switch:StartPlanExecution",
        ],
        ..SPEC
    };
}
