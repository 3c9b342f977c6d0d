//! The policy of those who answer for many services: what no runbook and no run may do. Data only; what
//! follows from it is in `policy`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expression::Expression;
use super::id::StepId;
use super::run::{Operation, words};
use super::runbook::{ApiVersion, Strategy};
use super::time::Duration;

words! {
    /// Kind of document.
    PolicyKind {
        /// A policy.
        Policy = "Policy",
    }
}

/// What no runbook and no run may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Version of the language.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// Kind of document.
    pub kind: PolicyKind,
    /// Name and description.
    pub metadata: PolicyMetadata,
    /// How many people must agree before the point of no return.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalDemand>,
    /// When planned moves and drills may begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// Findings that nobody may accept or make less of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lints: Option<LintDemand>,
    /// How old the last exercise may be, and how much of the failover must be exercised.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drills: Vec<DrillDemand>,
    /// What a plan must not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<DenyRule>,
}

/// What a policy is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyMetadata {
    /// Name; it stands in the journal of every run.
    pub name: StepId,
    /// What the policy is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// Which runs something is about: those that fit everything that is said. Nothing said: all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Labels the service has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Names of services; `*` stands for any characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// Operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
    /// Strategies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strategies: Vec<Strategy>,
}

words! {
    /// How much a breach matters.
    Weighs {
        /// The run is refused.
        Error = "error",
        /// It is said, and the run goes on.
        Warning = "warning",
        /// Worth knowing.
        Note = "note",
    }
}

/// How many people must agree before the point of no return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalDemand {
    /// Which runs.
    #[serde(default)]
    pub select: Selection,
    /// How many different people.
    #[schemars(range(min = 1, max = 20))]
    pub quorum: u32,
    /// Roles of which each of them must have one; empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Whether whoever starts the run must not be one of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_by_starter: bool,
}

words! {
    /// What a window is about. A failover never waits for one.
    WindowOperation {
        /// A planned move.
        Switchover = "switchover",
        /// The way back.
        Failback = "failback",
        /// An exercise.
        Drill = "drill",
    }
}

words! {
    /// A day of the week.
    Day {
        /// Monday.
        Mon = "mon",
        /// Tuesday.
        Tue = "tue",
        /// Wednesday.
        Wed = "wed",
        /// Thursday.
        Thu = "thu",
        /// Friday.
        Fri = "fri",
        /// Saturday.
        Sat = "sat",
        /// Sunday.
        Sun = "sun",
    }
}

/// When planned moves and drills may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Its name.
    pub id: StepId,
    /// Which services; its `operations` have no meaning here.
    #[serde(default)]
    pub select: Selection,
    /// What it is about; default: all three.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<WindowOperation>,
    /// IANA time zone of the times.
    pub timezone: String,
    /// Times in which a run may begin; empty: any time outside of `blackout`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<OpenTime>,
    /// Ranges of days in which no run may begin, such as `2026-12-20/2027-01-05`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blackout: Vec<String>,
}

/// Times of some days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenTime {
    /// Days on which it begins; default: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// Begin, such as `09:00`.
    #[schemars(regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub from: String,
    /// End, such as `17:00`; one before `from` is on the next day.
    #[schemars(regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub to: String,
}

/// Findings that nobody may accept or make less of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LintDemand {
    /// Codes, such as `DR0402`; `DR04` stands for all that begin like this.
    pub required: Vec<String>,
}

/// How old the last exercise may be, and how much of the failover must be exercised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DrillDemand {
    /// Which services.
    #[serde(default)]
    pub select: Selection,
    /// Greatest age of the last failover or switchover, real or drilled, that succeeded.
    pub freshness: Duration,
    /// Least part of the steps of the failover that were exercised within that time, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub coverage: Option<u8>,
    /// What follows when that is not so; a failover is never refused for it. Default `warning`.
    #[serde(default = "DrillDemand::default_severity")]
    pub severity: Weighs,
}

impl DrillDemand {
    const fn default_severity() -> Weighs {
        Weighs::Warning
    }
}

/// What a plan must not be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DenyRule {
    /// Its name.
    pub id: StepId,
    /// Which plans it looks at.
    #[serde(default)]
    pub select: Selection,
    /// Expression over `plan`: when it is true, the plan is denied.
    pub when: Expression,
    /// What is wrong then; may hold templates over `plan`.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What follows; default `error`.
    #[serde(default = "DenyRule::default_severity")]
    pub severity: Weighs,
}

impl DenyRule {
    const fn default_severity() -> Weighs {
        Weighs::Error
    }
}

/// What `plan` holds for the rules of a policy; a test compares it with what is given to them.
pub const PLAN_FIELDS: &[&str] = &[
    "service",
    "title",
    "owner",
    "labels",
    "strategy",
    "operation",
    "mode",
    "intent",
    "from",
    "to",
    "sites",
    "objectives",
    "residency",
    "estimate",
    "whole_estimate",
    "steps",
    "actions",
    "point_of_no_return",
    "readings",
    "secrets",
    "parameters",
    "dependencies",
    "accepted",
];

/// What each of `plan.steps` holds.
pub const STEP_FIELDS: &[&str] = &[
    "id",
    "name",
    "phase",
    "action",
    "with",
    "role",
    "effect",
    "plane",
    "simulated_only",
    "reversibility",
    "irreversible",
    "undo",
    "doubt",
    "timeout",
    "deadline",
    "estimate",
    "attempts",
    "on_failure",
    "prechecks",
    "verifies",
    "approval",
    "when",
    "skipped",
    "before_gate",
    "items",
    "needs",
];

/// What `approval` of a step holds, where it has one.
pub const APPROVAL_FIELDS: &[&str] = &["roles", "quorum", "expires", "on_expiry", "not_by_starter"];

/// What `plan.from`, `plan.to` and each of `plan.sites` hold.
pub const SITE_FIELDS: &[&str] = &[
    "name",
    "role",
    "provider",
    "region",
    "account",
    "jurisdiction",
    "failure_domain",
    "url",
    "cost_weight",
];

/// What `plan.objectives` holds, in seconds.
pub const OBJECTIVE_FIELDS: &[&str] = &["rto", "rpo", "mtd"];

/// What each of `plan.dependencies` holds.
pub const DEPENDENCY_FIELDS: &[&str] = &["kind", "name", "site"];
