//! Components that take work in by themselves: consumers, schedulers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SiteValue;

/// A Lambda event source mapping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventSource {
    /// UUID of each site's mapping.
    pub mapping_id: SiteValue,
}

/// Cron jobs of Kubernetes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CronJobs {
    /// Context of the kubeconfig that names each site's cluster.
    pub context: SiteValue,
    /// Path of the kubeconfig; default: `KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<String>,
    /// Namespace.
    pub namespace: String,
    /// Names of the cron jobs; empty: all that `selector` matches.
    #[serde(default)]
    pub names: Vec<String>,
    /// Labels the cron jobs have; with `names` empty as well: every cron job of the namespace.
    #[serde(default)]
    pub selector: BTreeMap<String, String>,
}

/// Consumers or a scheduler that programs start and stop. Running either twice must be harmless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramScheduler {
    /// Program and arguments that start it in each site.
    pub start: SiteValue,
    /// Program and arguments that stop it in each site.
    pub stop: SiteValue,
}
