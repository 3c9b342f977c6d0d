//! Actions on Amazon Route 53. Its control plane is in us-east-1; answers and health checks work everywhere.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::dns::RecordType;
use super::super::spec::{ActionSpec, ApiHome, Doubt, DrillDefault, Effect, Plane, Role, SPEC};
use crate::model::run::words;
use crate::model::time::Duration;

/// Permissions to change records and to follow that.
const RECORDS: &[&str] = &[
    "route53:ChangeResourceRecordSets",
    "route53:GetChange",
    "route53:ListResourceRecordSetProtections",
    "route53:ListResourceRecordSets",
];

/// What every mutating action here has in common.
const CHANGE: ActionSpec = ActionSpec {
    prechecks: true,
    effect: Effect::Mutate,
    plane: Plane::Control,
    home: ApiHome::Region("us-east-1"),
    doubt: Doubt::Observable,
    drill: DrillDefault::MustDeclare,
    role: Role::Shift,
    permissions: RECORDS,
    prepares: true,
    timeout: Duration::from_secs(600),
    poll_interval: Duration::from_secs(5),
    estimate: Duration::from_secs(60),
    settle: Duration::from_secs(10),
    ..SPEC
};

words! {
    /// What becomes of a record.
    RecordAction {
        /// Create it, or replace it.
        Upsert = "upsert",
        /// Create it; fails when it exists.
        Create = "create",
        /// Delete it; the values must be those it has.
        Delete = "delete",
    }
}

words! {
    /// Place of a record in failover routing.
    FailoverRole {
        /// Answers while it is healthy.
        Primary = "primary",
        /// Answers while the primary is not.
        Secondary = "secondary",
    }
}

/// Target of an alias record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasTarget {
    /// Hosted zone id of the target, such as that of a load balancer.
    pub zone_id: String,
    /// DNS name of the target.
    pub name: String,
    /// Treat the record as unhealthy when the target is.
    pub evaluate_target_health: bool,
}

/// One change of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordChange {
    /// What becomes of the record; default `upsert`.
    pub action: Option<RecordAction>,
    /// Full name of the record.
    pub name: String,
    /// Type of the record.
    pub record_type: RecordType,
    /// TTL in whole seconds; not for aliases.
    pub ttl: Option<Duration>,
    /// Values; either these or `alias`.
    #[serde(default)]
    pub values: Vec<String>,
    /// Target of an alias.
    pub alias: Option<AliasTarget>,
    /// Identifier among records of the same name and type, with any routing policy.
    pub set_identifier: Option<String>,
    /// Weight with weighted routing, 0 to 255.
    #[schemars(range(max = 255))]
    pub weight: Option<u32>,
    /// Place with failover routing.
    pub failover: Option<FailoverRole>,
    /// Region with latency routing.
    pub latency_region: Option<String>,
    /// Id of the health check the record depends on.
    pub health_check_id: Option<String>,
}

/// Parameters of `aws.route53.change_records`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRecords {
    /// Id of the hosted zone.
    pub zone_id: String,
    /// Changes, applied all together or not at all.
    #[schemars(length(min = 1, max = 1000))]
    pub changes: Vec<RecordChange>,
    /// Remark kept with the change.
    pub comment: Option<String>,
    /// Wait until the longest old TTL has passed as well; default true.
    pub wait_ttl: Option<bool>,
    /// Account it is in; default: that of the sites when they share one, else that of the credentials.
    pub account: Option<String>,
}

impl ChangeRecords {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Changes Route 53 records in one batch and waits for INSYNC; cannot work without us-east-1.",
        outputs: &[
            ("change_id", "id of the change"),
            ("previous", "the records before the change"),
            ("previous_ttl_ms", "longest TTL before the change"),
        ],
        ..CHANGE
    };
}

/// Parameters of `aws.route53.set_failover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetFailover {
    /// Id of the hosted zone.
    pub zone_id: String,
    /// Full name of the records.
    pub name: String,
    /// Type of the records.
    pub record_type: RecordType,
    /// Set identifier of the record that becomes primary.
    pub primary: String,
    /// Set identifier of the record that becomes secondary.
    pub secondary: String,
    /// Wait until the old TTL has passed as well; default true.
    pub wait_ttl: Option<bool>,
    /// Account it is in; default: that of the sites when they share one, else that of the credentials.
    pub account: Option<String>,
}

impl SetFailover {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sets which of two existing failover records is primary; cannot work without us-east-1.",
        outputs: &[
            ("change_id", "id of the change"),
            ("previous_primary", "set identifier of the record that was primary"),
            ("previous_ttl_ms", "longest TTL before the change"),
            ("already", "whether the records were as wanted before"),
        ],
        ..CHANGE
    };
}

/// Parameters of `aws.route53.drain_site`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainSite {
    /// Id of the hosted zone.
    pub zone_id: String,
    /// Full name of the weighted records.
    pub name: String,
    /// Type of the records.
    pub record_type: RecordType,
    /// Set identifier of the record of the site that is drained.
    pub site: String,
    /// Share of the site's present weight taken away at each stage, in percent, rising; empty: 100 at once.
    #[serde(default)]
    pub stages: Vec<u8>,
    /// Time at each stage before the next; default: the TTL of the record.
    pub stage_pause: Option<Duration>,
    /// Wait until the old TTL has passed as well; default true.
    pub wait_ttl: Option<bool>,
    /// Account it is in; default: that of the sites when they share one, else that of the credentials.
    pub account: Option<String>,
}

impl DrainSite {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Takes a site's weight away in stages; the others share it in proportion.",
        timeout: Duration::from_secs(1_800),
        outputs: &[
            ("change_ids", "ids of the changes, one for each stage"),
            ("previous", "weight by set identifier before"),
            ("weights", "weight by set identifier now"),
            ("stage", "percent of the last stage reached"),
        ],
        ..CHANGE
    };
}

/// Parameters of `aws.route53.set_weights`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetWeights {
    /// Id of the hosted zone.
    pub zone_id: String,
    /// Full name of the weighted records.
    pub name: String,
    /// Type of the records.
    pub record_type: RecordType,
    /// Weight by set identifier, 0 to 255; records that are not named keep theirs.
    #[schemars(extend("minProperties" = 1))]
    pub weights: BTreeMap<String, u32>,
    /// How far the weights have moved at each stage, in percent, rising to 100; empty: at once.
    #[serde(default)]
    pub stages: Vec<u8>,
    /// Time at each stage before the next; default: the TTL of the record.
    pub stage_pause: Option<Duration>,
    /// Wait until the old TTL has passed as well; default true.
    pub wait_ttl: Option<bool>,
    /// Account it is in; default: that of the sites when they share one, else that of the credentials.
    pub account: Option<String>,
}

impl SetWeights {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Moves the weights of weighted records to given values, at once or in stages.",
        timeout: Duration::from_secs(1_800),
        outputs: &[
            ("change_ids", "ids of the changes, one for each stage"),
            ("previous", "weight by set identifier before"),
            ("weights", "weight by set identifier now"),
            ("stage", "percent of the last stage reached"),
        ],
        ..CHANGE
    };
}

/// Parameters of `aws.route53.set_health_check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetHealthCheck {
    /// Id of the health check.
    pub health_check_id: String,
    /// False drains the site: a calculated health check asks for more healthy children than it has, which
    /// lasts; any other is inverted, which drains a healthy site, and only while its endpoint stays up. True
    /// clears that. `Disabled` is never used: it means always healthy.
    pub healthy: bool,
    /// Healthy children a calculated health check needs afterwards (`healthy: true`); default: as many as
    /// before, all of them where it needed more than it has.
    #[schemars(range(min = 1, max = 255))]
    pub healthy_children: Option<u32>,
    /// Wait until most checkers report what is wanted; default true.
    pub wait_status: Option<bool>,
    /// Account it is in; default: that of the sites when they share one, else that of the credentials.
    pub account: Option<String>,
}

impl SetHealthCheck {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Makes a health check push traffic away, or clears its inversion; never disables it.",
        estimate: Duration::from_secs(90),
        permissions: &["route53:GetHealthCheck", "route53:GetHealthCheckStatus", "route53:UpdateHealthCheck"],
        outputs: &[
            ("inverted", "whether the health check is inverted now"),
            ("previous_inverted", "whether it was before"),
            ("version", "version of the health check afterwards"),
            ("status", "what most checkers report"),
            ("lasting", "whether it stays so whatever becomes of the endpoint"),
        ],
        ..CHANGE
    };
}

/// Parameters of `aws.route53.check_change`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckChange {
    /// Id of the change, as an earlier step returned it.
    pub change_id: String,
    /// Account it is in; default: that of the sites when they share one, else that of the credentials.
    pub account: Option<String>,
}

impl CheckChange {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Looks whether a Route 53 change has reached every server (INSYNC).",
        plane: Plane::Control,
        home: ApiHome::Region("us-east-1"),
        permissions: &["route53:GetChange"],
        poll_interval: Duration::from_secs(5),
        outputs: &[
            ("status", "PENDING or INSYNC"),
            ("insync", "whether every server has the change"),
            ("submitted_at", "when the change was sent"),
        ],
        ..SPEC
    };
}
