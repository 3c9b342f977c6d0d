//! Actions on AWS capacity, functions and automation, and looks at alarms and replicated stores.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::spec::{ActionSpec, ApiHome, Doubt, DrillDefault, Effect, Plane, Role, SPEC};
use crate::model::policy::Reversibility;
use crate::model::time::Duration;

/// What every look here has in common.
const LOOK: ActionSpec = ActionSpec {
    plane: Plane::Control,
    home: ApiHome::Parameter("region"),
    timeout: Duration::from_secs(60),
    poll_interval: Duration::from_secs(5),
    estimate: Duration::from_secs(2),
    ..SPEC
};

/// What every change of capacity has in common: setting it again is harmless, undo restores what was there.
const CAPACITY: ActionSpec = ActionSpec {
    prechecks: true,
    effect: Effect::Mutate,
    doubt: Doubt::Idempotent,
    drill: DrillDefault::MustDeclare,
    prepares: true,
    timeout: Duration::from_secs(900),
    estimate: Duration::from_secs(180),
    settle: Duration::from_secs(10),
    ..LOOK
};

/// Parameters of `aws.autoscaling.set_capacity`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCapacity {
    /// Region of the group.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Name of the Auto Scaling group.
    pub group: String,
    /// Smallest number of instances afterwards.
    pub min: u32,
    /// Largest number of instances afterwards.
    pub max: u32,
    /// Number of instances wanted now, between `min` and `max`.
    pub desired: u32,
    /// Instances that must be in service and healthy before the step is done; default: `desired`.
    pub min_success: Option<u32>,
}

impl SetCapacity {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sets min, max and desired size of an Auto Scaling group in one call; waits for InService.",
        timeout: Duration::from_secs(1_800),
        poll_interval: Duration::from_secs(10),
        estimate: Duration::from_secs(300),
        outputs: &[
            ("previous", "min, max and desired before"),
            ("in_service", "instances in service and healthy"),
            ("desired", "instances asked for"),
        ],
        permissions: &[
            "autoscaling:DescribeAutoScalingGroups",
            "autoscaling:DescribeScalingActivities",
            "autoscaling:UpdateAutoScalingGroup",
            "cloudwatch:GetMetricData",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeLaunchTemplateVersions",
            "ec2:DescribeSubnets",
            "servicequotas:GetServiceQuota",
        ],
        ..CAPACITY
    };
}

/// Parameters of `aws.ecs.set_desired_count`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetDesiredCount {
    /// Region of the service.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Name or ARN of the cluster.
    pub cluster: String,
    /// Name of the service.
    pub service: String,
    /// Number of tasks afterwards.
    pub desired: u32,
    /// Minimum of Application Auto Scaling afterwards; default: `desired` where the service is scaled by it.
    pub autoscaling_min: Option<u32>,
    /// Maximum of Application Auto Scaling afterwards; default: raised to `desired` where it is lower.
    pub autoscaling_max: Option<u32>,
    /// Tasks that must run before the step is done; default: `desired`, with the deployment completed.
    pub min_success: Option<u32>,
}

impl SetDesiredCount {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sets the number of tasks of an ECS service and its autoscaling limits; waits for them.",
        outputs: &[
            ("previous", "desired count and autoscaling limits before"),
            ("running", "tasks that run"),
            ("desired", "tasks asked for"),
        ],
        permissions: &[
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:RegisterScalableTarget",
            "ecs:DescribeServices",
            "ecs:UpdateService",
        ],
        ..CAPACITY
    };
}

/// Parameters of `aws.eks.scale_nodegroup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleNodegroup {
    /// Region of the cluster.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Name of the cluster.
    pub cluster: String,
    /// Name of the managed node group.
    pub nodegroup: String,
    /// Smallest number of nodes afterwards.
    pub min: u32,
    /// Largest number of nodes afterwards.
    #[schemars(range(min = 1))]
    pub max: u32,
    /// Number of nodes wanted now, between `min` and `max`.
    pub desired: u32,
    /// Nodes that must be in service before the step is done; default: `desired`.
    pub min_success: Option<u32>,
}

impl ScaleNodegroup {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Sets minimum, maximum and desired size of an EKS node group and follows the update.",
        timeout: Duration::from_secs(1_800),
        poll_interval: Duration::from_secs(10),
        estimate: Duration::from_secs(300),
        outputs: &[
            ("update_id", "id of the update"),
            ("previous", "min, max and desired before"),
            ("in_service", "nodes in service"),
        ],
        permissions: &[
            "autoscaling:DescribeAutoScalingGroups",
            "eks:DescribeNodegroup",
            "eks:DescribeUpdate",
            "eks:UpdateNodegroupConfig",
        ],
        ..CAPACITY
    };
}

/// Parameters of `aws.lambda.invoke`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invoke {
    /// Region of the function.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Name or ARN of the function.
    pub function: String,
    /// Version or alias; default: the unpublished version.
    pub qualifier: Option<String>,
    /// What the function receives, as JSON.
    pub payload: Option<Value>,
    /// Running it again after a lost reply is harmless.
    #[serde(default)]
    pub idempotent: bool,
    /// Payload on which the function only tells whether its effect is there, as `{"state": "applied"}`,
    /// `not_applied`, `in_progress` or `unknown`.
    pub observe: Option<Value>,
    /// Payload on which the function takes its effect back.
    pub undo: Option<Value>,
}

impl Invoke {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Invokes a Lambda function and waits for its answer, 15 minutes at most.",
        effect: Effect::Mutate,
        prechecks: true,
        check_permissions: &["lambda:GetFunctionConfiguration"],
        plane: Plane::Data,
        reversibility: Reversibility::Compensable,
        doubt: Doubt::Observable,
        drill: DrillDefault::MustDeclare,
        timeout: Duration::from_secs(900),
        estimate: Duration::from_secs(10),
        outputs: &[
            ("status", "HTTP status of the invocation"),
            ("json", "what the function returned"),
            ("version", "version that ran"),
        ],
        permissions: &["lambda:InvokeFunction"],
        ..LOOK
    };
}

/// Parameters of `aws.lambda.set_event_source`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetEventSource {
    /// Region of the function.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// UUID of the event source mapping; either this, or `function` and `event_source_arn`.
    pub mapping_id: Option<String>,
    /// Name or ARN of the function.
    pub function: Option<String>,
    /// ARN of the queue or stream.
    pub event_source_arn: Option<String>,
    /// Whether the function consumes from it afterwards.
    pub enabled: bool,
}

impl SetEventSource {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Enables or disables a Lambda event source mapping and waits until it has taken effect.",
        timeout: Duration::from_secs(300),
        estimate: Duration::from_secs(60),
        settle: Duration::from_secs(30),
        outputs: &[
            ("mapping_id", "UUID of the mapping"),
            ("state", "state of the mapping"),
            ("previous_enabled", "whether it was enabled before"),
        ],
        permissions: &[
            "lambda:GetEventSourceMapping",
            "lambda:ListEventSourceMappings",
            "lambda:UpdateEventSourceMapping",
        ],
        ..CAPACITY
    };
}

/// Parameters of `aws.ssm.run_automation`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunAutomation {
    /// Region the automation runs in.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Name or ARN of the automation document.
    pub document: String,
    /// Version of the document; default: its default version.
    pub document_version: Option<String>,
    /// Parameters of the document, each a list of values.
    #[serde(default)]
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Tags of the execution.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl RunAutomation {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Runs a Systems Manager automation document and follows it to the end.",
        effect: Effect::Mutate,
        prechecks: true,
        check_permissions: &["ssm:DescribeDocument"],
        reversibility: Reversibility::Compensable,
        doubt: Doubt::Idempotent,
        drill: DrillDefault::MustDeclare,
        timeout: Duration::from_secs(3_600),
        poll_interval: Duration::from_secs(10),
        estimate: Duration::from_secs(300),
        settle: Duration::from_secs(10),
        outputs: &[
            ("execution_id", "id of the execution"),
            ("status", "its last status"),
            ("outputs", "outputs of the document, each a list of values"),
        ],
        permissions: &[
            "iam:PassRole",
            "ssm:AddTagsToResource",
            "ssm:GetAutomationExecution",
            "ssm:StartAutomationExecution",
        ],
        ..LOOK
    };
}

/// Parameters of `aws.cloudwatch.check_alarms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckAlarms {
    /// Region of the alarms.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Names of the alarms; metric and composite alarms alike.
    #[serde(default)]
    pub names: Vec<String>,
    /// Beginning of the names of further alarms.
    pub prefix: Option<String>,
    /// Count alarms without enough data as healthy.
    #[serde(default)]
    pub allow_insufficient_data: bool,
    /// How long every alarm must have been OK.
    pub ok_for: Option<Duration>,
}

impl CheckAlarms {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Looks whether CloudWatch alarms are OK; an alarm that does not exist counts as failing.",
        plane: Plane::Data,
        outputs: &[
            ("ok", "how many alarms are OK"),
            ("alarming", "names of those that are not, with reasons"),
            ("insufficient", "names of those without enough data"),
        ],
        permissions: &["cloudwatch:DescribeAlarms"],
        ..LOOK
    };
}

/// Parameters of `aws.dynamodb.check_replication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DynamodbCheckReplication {
    /// Region of the replica that is recovered to.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Name of the global table.
    pub table: String,
    /// Region the writes come from, where their replication latency is measured.
    pub source_region: String,
    /// Largest latency that counts as healthy.
    pub max_lag: Option<Duration>,
    /// Oldest age of the newest measurement that counts as healthy.
    pub max_metric_age: Option<Duration>,
}

impl DynamodbCheckReplication {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Reads whether a DynamoDB global table replica is active, and its replication latency.",
        role: Role::Reading,
        outputs: &[
            ("lag_ms", "last measured replication latency; 0 with strong consistency"),
            ("measured_at", "when that was measured"),
            ("recovery_point_at", "how far the replica's data reaches: measured_at less the lag"),
            ("status", "state of the replica"),
            ("consistency", "EVENTUAL or STRONG, between regions"),
        ],
        permissions: &["cloudwatch:GetMetricData", "dynamodb:DescribeTable"],
        ..LOOK
    };
}

/// Parameters of `aws.s3.check_replication`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3CheckReplication {
    /// Region whose replication metrics are read.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Source bucket.
    pub source_bucket: String,
    /// Destination bucket.
    pub destination_bucket: String,
    /// Ids of the replication rules, which must publish metrics.
    #[schemars(length(min = 1))]
    pub rule_ids: Vec<String>,
    /// Largest replication latency that counts as healthy.
    pub max_lag: Option<Duration>,
    /// Most operations that may be pending.
    pub max_pending_operations: Option<u64>,
    /// Most bytes that may be pending.
    pub max_pending_bytes: Option<u64>,
    /// Failed operations that are tolerated over the last hour; default 0.
    pub max_failed_operations: Option<u64>,
    /// Oldest age of the newest measurement that counts as healthy.
    pub max_metric_age: Option<Duration>,
}

impl S3CheckReplication {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Reads how far S3 replication between two buckets is behind.",
        plane: Plane::Data,
        role: Role::Reading,
        outputs: &[
            ("lag_ms", "longest last measured replication latency; absent where a rule has none"),
            ("measured_at", "when that was measured"),
            ("recovery_point_at", "how far the copies of every rule reach: measured_at less the lag"),
            ("pending_operations", "operations not replicated yet"),
            ("pending_bytes", "bytes not replicated yet"),
            ("failed_operations", "operations that failed over the last hour"),
        ],
        permissions: &["cloudwatch:GetMetricData"],
        ..LOOK
    };
}
