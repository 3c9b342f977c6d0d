//! Actions on Kubernetes clusters.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spec::{ActionSpec, Adapter, Doubt, DrillDefault, Effect, Plane, SPEC};
use crate::model::run::words;
use crate::model::time::Duration;

words! {
    /// Kind of a workload that has replicas.
    WorkloadKind {
        /// Interchangeable pods.
        Deployment = "deployment",
        /// Pods with names and storage of their own.
        StatefulSet = "statefulset",
        /// One pod on each node; cannot be scaled, only waited for.
        DaemonSet = "daemonset",
    }
}

/// Parameters of `kubernetes.scale`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Context of the kubeconfig that names the cluster.
    pub context: String,
    /// Path of the kubeconfig; default: `KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<String>,
    /// Namespace.
    pub namespace: String,
    /// Kind of the workload: deployment or statefulset.
    pub kind: WorkloadKind,
    /// Name of the workload.
    pub name: String,
    /// Number of replicas afterwards.
    pub replicas: u32,
    /// Horizontal pod autoscaler whose minimum is set to `replicas` too, so that it does not scale back in.
    pub autoscaler: Option<String>,
    /// Replicas that must be ready before the step is done; default: all.
    pub min_ready: Option<u32>,
}

impl Scale {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sets the number of replicas of a workload and waits until they are ready.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        drill: DrillDefault::MustDeclare,
        adapter: Adapter::SimulatedOnly,
        prepares: true,
        timeout: Duration::from_secs(900),
        poll_interval: Duration::from_secs(5),
        estimate: Duration::from_secs(90),
        settle: Duration::from_secs(5),
        outputs: &[
            ("previous", "replicas before"),
            ("replicas", "replicas asked for"),
            ("ready", "replicas that are ready"),
        ],
        ..SPEC
    };
}

/// Parameters of `kubernetes.wait_ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitReady {
    /// Context of the kubeconfig that names the cluster.
    pub context: String,
    /// Path of the kubeconfig; default: `KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<String>,
    /// Namespace.
    pub namespace: String,
    /// Kind of the workloads.
    pub kind: WorkloadKind,
    /// Name of the workload; either this or `selector`.
    pub name: Option<String>,
    /// Labels the workloads have; all that match must be ready, and at least one must match.
    #[serde(default)]
    pub selector: BTreeMap<String, String>,
    /// Replicas of each workload that must be ready; default: as many as it asks for, and at least one.
    pub min_ready: Option<u32>,
}

impl WaitReady {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Waits until the newest generation of workloads is rolled out and ready.",
        plane: Plane::Control,
        adapter: Adapter::SimulatedOnly,
        timeout: Duration::from_secs(900),
        poll_interval: Duration::from_secs(5),
        estimate: Duration::from_secs(60),
        outputs: &[
            ("workloads", "how many workloads were looked at"),
            ("ready", "replicas that are ready, over all of them"),
            ("wanted", "replicas asked for, over all of them"),
        ],
        ..SPEC
    };
}

words! {
    /// How a patch is read.
    PatchType {
        /// JSON merge patch: given fields replace, null removes.
        Merge = "merge",
        /// Strategic merge patch: lists merge by their key; built-in kinds only.
        Strategic = "strategic",
        /// JSON patch: a list of operations.
        Json = "json",
    }
}

/// Parameters of `kubernetes.patch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Context of the kubeconfig that names the cluster.
    pub context: String,
    /// Path of the kubeconfig; default: `KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<String>,
    /// Namespace; absent for objects of the whole cluster.
    pub namespace: Option<String>,
    /// API group and version, such as `v1` or `apps/v1`.
    pub api_version: String,
    /// Kind of the object, such as `ConfigMap`.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// How the patch is read; default `merge`.
    pub patch_type: Option<PatchType>,
    /// The patch: an object, or a list of operations with `patch_type: json`.
    pub patch: Value,
}

impl Patch {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Patches one Kubernetes object; undo restores the fields it touched.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        adapter: Adapter::SimulatedOnly,
        prepares: true,
        estimate: Duration::from_secs(2),
        outputs: &[
            ("resource_version", "version of the object afterwards"),
            ("changed", "whether the patch changed anything"),
        ],
        ..SPEC
    };
}

/// Parameters of `kubernetes.suspend_cronjobs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendCronjobs {
    /// Context of the kubeconfig that names the cluster.
    pub context: String,
    /// Path of the kubeconfig; default: `KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<String>,
    /// Namespace.
    pub namespace: String,
    /// Names of the CronJobs; empty: all that `selector` matches.
    #[serde(default)]
    pub names: Vec<String>,
    /// Labels the CronJobs have; with `names` empty as well: every CronJob of the namespace.
    #[serde(default)]
    pub selector: BTreeMap<String, String>,
    /// True suspends, false resumes.
    pub suspend: bool,
    /// Wait until no job that these CronJobs started is running any more.
    #[serde(default)]
    pub wait_for_jobs: bool,
}

impl SuspendCronjobs {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Suspends or resumes CronJobs; undo restores each to what it was.",
        effect: Effect::Mutate,
        plane: Plane::Control,
        drill: DrillDefault::MustDeclare,
        adapter: Adapter::SimulatedOnly,
        prepares: true,
        timeout: Duration::from_secs(300),
        estimate: Duration::from_secs(3),
        outputs: &[
            ("changed", "names of the CronJobs that were changed"),
            ("unchanged", "names of those that already were as wanted"),
            ("running_jobs", "jobs of theirs that are still running"),
        ],
        ..SPEC
    };
}
