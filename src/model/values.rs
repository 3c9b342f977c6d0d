//! Parameters, secrets, sites, objectives: what a runbook is bound to.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::run::words;
use super::time::Duration;

words! {
    /// Type of a parameter.
    ParameterType {
        /// Text.
        String = "string",
        /// Whole number.
        Integer = "integer",
        /// Number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
        /// Length of time such as `30s`.
        Duration = "duration",
        /// List of values.
        List = "list",
        /// Mapping of values.
        Map = "map",
    }
}

/// A value the caller gives when the runbook is bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Type of the value.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Refuse to bind without a value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Value when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What the parameter is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Smallest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Largest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The only values allowed.
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Value>,
    /// The journal keeps a digest, never the value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
}

words! {
    /// Where a secret comes from.
    SecretSourceKind {
        /// An environment variable.
        Env = "env",
        /// A file; one final line break is dropped.
        File = "file",
        /// The standard output of a command; one final line break is dropped.
        Command = "command",
    }
}

/// A secret: resolved when a run begins, never stored, never printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// Kind of source.
    pub from: SecretSourceKind,
    /// Name of the environment variable (`from: env`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Path of the file (`from: file`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Program and arguments (`from: command`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
}

words! {
    /// What a site is before anything has happened; afterwards the service record says.
    SiteRole {
        /// The service runs here.
        Active = "active",
        /// The service can be moved here.
        Standby = "standby",
    }
}

/// A place a service can run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Role before the first failover.
    pub role: SiteRole,
    /// Provider, such as `aws`, `azure`, `gcp`, `onprem`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Region, in the provider's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Account, subscription or project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Jurisdiction the data is in there, such as `US`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
    /// What fails together with this site, such as a power grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_domain: Option<String>,
    /// Base address of the service there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Share of the whole load the site can carry, 1 being all of it; higher is preferred.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub capacity: Option<f64>,
    /// Cost relative to the other sites; lower is preferred, default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_weight: Option<f64>,
    /// Further values that templates can read, as `from.values.…` or `to.values.…`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub values: serde_json::Map<String, Value>,
}

impl Site {
    /// The order in which sites are moved to: larger capacity first, then lower cost; `Less` is better.
    #[must_use]
    pub fn preferred_to(&self, other: &Self) -> Ordering {
        preference((self.capacity, self.cost_weight), (other.capacity, other.cost_weight))
    }
}

/// Cost of a site that does not say its own.
pub const USUAL_COST: f64 = 1.0;

/// The order of two capacities and costs, as in [`Site::preferred_to`].
#[must_use]
pub fn preference(left: (Option<f64>, Option<f64>), right: (Option<f64>, Option<f64>)) -> Ordering {
    // A site that does not say what it can carry was made to carry everything.
    let capacity = |share: Option<f64>| share.unwrap_or(1.0);
    // One that does not say what it costs, costs what sites usually do: silence ranks nobody last.
    let cost = |weight: Option<f64>| weight.unwrap_or(USUAL_COST);
    (capacity(right.0).total_cmp(&capacity(left.0))).then_with(|| cost(left.1).total_cmp(&cost(right.1)))
}

/// What the business asked for. Targets, never achievements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    /// Recovery time objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto: Option<Duration>,
    /// Recovery point objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo: Option<Duration>,
    /// Maximum tolerable downtime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtd: Option<Duration>,
}
