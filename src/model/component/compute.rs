//! Components that run the service.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SiteValue;
use crate::model::action::kubernetes::WorkloadKind;

/// How large a site's part is. Whole numbers, or templates that give one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Size in a site that serves everybody.
    pub active: Value,
    /// Size in a site that waits; in `active_active`, while all sites serve. Default 0; in
    /// `active_active` that of `active`.
    pub standby: Option<Value>,
    /// Size with which the recovery may go on while the rest still starts; default: all of it.
    pub enough: Option<Value>,
}

/// An ECS service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EcsService {
    /// Name or ARN of each site's cluster.
    pub cluster: SiteValue,
    /// Name of the service.
    pub service: SiteValue,
    /// Number of tasks.
    pub capacity: Capacity,
    /// Whether the tasks write by themselves, so that stopping them is a fence; default false.
    #[serde(default)]
    pub writes: bool,
}

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AutoscalingGroup {
    /// Name of each site's group.
    pub group: SiteValue,
    /// Number of instances.
    pub capacity: Capacity,
    /// Largest number of instances the group may ever have.
    pub max: Value,
    /// Whether the instances write by themselves, so that stopping them is a fence; default false.
    #[serde(default)]
    pub writes: bool,
}

/// A managed node group of an EKS cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeGroup {
    /// Name of each site's cluster.
    pub cluster: SiteValue,
    /// Name of the node group.
    pub nodegroup: SiteValue,
    /// Number of nodes.
    pub capacity: Capacity,
    /// Largest number of nodes the group may ever have.
    pub max: Value,
}

/// A deployment or stateful set of Kubernetes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Context of the kubeconfig that names each site's cluster.
    pub context: SiteValue,
    /// Path of the kubeconfig; default: `KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<String>,
    /// Namespace.
    pub namespace: String,
    /// Kind of the workload: deployment or statefulset.
    pub workload: WorkloadKind,
    /// Name of the workload.
    pub name: String,
    /// Number of replicas.
    pub capacity: Capacity,
    /// Horizontal pod autoscaler whose minimum follows.
    pub autoscaler: Option<String>,
    /// Whether it writes by itself, so that stopping it is a fence; default false.
    #[serde(default)]
    pub writes: bool,
}

/// A virtual machine scale set of Azure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleSet {
    /// Subscription id.
    pub subscription_id: String,
    /// Resource group of each site's scale set.
    pub resource_group: SiteValue,
    /// Name of each site's scale set.
    pub scale_set: SiteValue,
    /// Number of instances.
    pub capacity: Capacity,
    /// Autoscale setting whose limits follow.
    pub autoscale_setting: Option<String>,
    /// Whether it writes by itself, so that stopping it is a fence; default false.
    #[serde(default)]
    pub writes: bool,
}

/// A managed instance group of Google Cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceGroup {
    /// Project id.
    pub project: String,
    /// Name of each site's group.
    pub group: SiteValue,
    /// Zone of each site's group; absent for regional groups.
    pub zone: Option<SiteValue>,
    /// Number of instances.
    pub capacity: Capacity,
    /// Autoscaler whose limits follow.
    pub autoscaler: Option<String>,
    /// Whether it writes by itself, so that stopping it is a fence; default false.
    #[serde(default)]
    pub writes: bool,
}

/// A service that programs start and stop, such as `systemctl` over SSH. Running either twice must be
/// harmless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProgramService {
    /// Program and arguments that start it in each site.
    pub start: SiteValue,
    /// Program and arguments that stop it in each site.
    pub stop: SiteValue,
    /// Whether it writes by itself, so that stopping it is a fence; default false.
    #[serde(default)]
    pub writes: bool,
}
