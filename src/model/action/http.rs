//! Actions that speak HTTP.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spec::{ActionSpec, Doubt, DrillDefault, Effect, SPEC};
use crate::model::policy::Reversibility;
use crate::model::run::words;
use crate::model::time::Duration;

words! {
    /// Method of a request.
    Method {
        /// Reads.
        Get = "GET",
        /// Reads the headers only.
        Head = "HEAD",
        /// Changes something.
        Post = "POST",
        /// Replaces something.
        Put = "PUT",
        /// Changes a part of something.
        Patch = "PATCH",
        /// Removes something.
        Delete = "DELETE",
    }
}

/// Parameters of `http.request`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Absolute address, http or https.
    pub url: String,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Body, sent as JSON.
    pub json: Option<Value>,
    /// Body, sent as it is.
    pub body: Option<String>,
    /// Statuses that count as success; default: 200 to 299.
    #[serde(default)]
    pub expect: Vec<u16>,
    /// The service honours the `Idempotency-Key` header: sending again after a lost reply is harmless.
    #[serde(default)]
    pub idempotent: bool,
    /// A request whose success tells that the effect is already true.
    pub observe: Option<Check>,
}

impl Request {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sends one HTTP request that changes something, with an Idempotency-Key.",
        effect: Effect::Mutate,
        reversibility: Reversibility::Compensable,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        outputs: &[
            ("status", "HTTP status"),
            ("json", "body, when it is JSON"),
            ("body", "body, when it is text"),
        ],
        ..SPEC
    };
}

/// Parameters of `http.check`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Absolute address, http or https.
    pub url: String,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Statuses that count as healthy; default: 200 to 299.
    #[serde(default)]
    pub expect: Vec<u16>,
    /// JSON pointer into the body, such as `/status`, and the value it must have.
    #[serde(default)]
    pub json: BTreeMap<String, Value>,
    /// Longest time to the last byte.
    pub max_latency: Option<Duration>,
    /// Connect to each of these addresses in place of what the name resolves to; all must be healthy.
    #[serde(default)]
    pub addresses: Vec<String>,
}

impl Check {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Looks at an HTTP endpoint: status, JSON fields, latency.",
        timeout: Duration::from_secs(10),
        outputs: &[
            ("status", "HTTP status"),
            ("latency_ms", "time to the last byte"),
            ("json", "body, when it is JSON"),
        ],
        ..SPEC
    };
}
