//! The closed list of actions, made from one table.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spec::{ActionSpec, Adapter};
use super::{aws, azure, command, core, dns, gcp, http, kubernetes, network, postgres};

/// Why parameters do not fit an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{action}: {message}")]
pub struct ParameterError {
    /// The action.
    pub action: ActionName,
    /// What does not fit.
    pub message: String,
}

/// Makes [`ActionName`] and [`Action`] from `Variant = "family.verb", family::Struct;` lines.
macro_rules! actions {
    ($($variant:ident = $text:literal, $($path:ident)::+;)+) => {
        /// Name of an action, `family.verb`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ActionName { $(#[doc = concat!("`", $text, "`")] #[serde(rename = $text)] $variant),+ }

        impl ActionName {
            /// Every action, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name as written in a runbook.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// What is declared about the action.
            #[must_use]
            pub const fn spec(self) -> &'static ActionSpec {
                match self { $(Self::$variant => &$($path)::+::SPEC),+ }
            }

            /// Whether this very build can perform the action on real systems: what is real may have been
            /// left out of it.
            #[must_use]
            pub fn adapter(self) -> Adapter {
                if is_left_out(self.as_str()) { Adapter::SimulatedOnly } else { self.spec().adapter }
            }

            /// JSON Schema of the action's parameters.
            #[must_use]
            pub fn schema(self, generator: &mut SchemaGenerator) -> Schema {
                match self { $(Self::$variant => <$($path)::+ as JsonSchema>::json_schema(generator)),+ }
            }
        }

        /// An action with its typed parameters, every template rendered. May hold secrets: never print or
        /// store it.
        #[derive(Clone, PartialEq)]
        pub enum Action { $(#[doc = concat!("`", $text, "`")] $variant($($path)::+)),+ }

        impl Action {
            /// Types rendered parameters.
            ///
            /// # Errors
            /// When a parameter is missing, unknown or of the wrong type. The message names the field,
            /// never a value.
            pub fn new(name: ActionName, with: Value) -> Result<Self, ParameterError> {
                match name {
                    $(ActionName::$variant => match serde_json::from_value(with.clone()) {
                        Ok(parameters) => Ok(Self::$variant(parameters)),
                        Err(error) => {
                            let message = describe::<$($path)::+>(&with, &error);
                            Err(ParameterError { action: name, message })
                        }
                    }),+
                }
            }

            /// The action's name.
            #[must_use]
            pub const fn name(&self) -> ActionName {
                match self { $(Self::$variant(_) => ActionName::$variant),+ }
            }

            /// The parameters as JSON; may hold secrets.
            #[must_use]
            pub fn parameters(&self) -> Value {
                match self {
                    $(Self::$variant(parameters) => serde_json::to_value(parameters).unwrap_or_default()),+
                }
            }
        }
    };
}

actions! {
    ApprovalRequest = "approval.request", core::ApprovalRequest;
    ManualTask = "manual.task", core::ManualTask;
    WaitFor = "wait.for", core::WaitFor;
    AssertThat = "assert.that", core::AssertThat;
    RunbookRun = "runbook.run", core::RunbookRun;
    NotifySend = "notify.send", core::NotifySend;
    CommandRun = "command.run", command::Run;
    HttpRequest = "http.request", http::Request;
    HttpCheck = "http.check", http::Check;
    DnsUpdate = "dns.update", dns::Update;
    DnsCheck = "dns.check", dns::Check;
    PostgresCheckReplication = "postgres.check_replication", postgres::CheckReplication;
    PostgresFence = "postgres.fence", postgres::Fence;
    PostgresPromote = "postgres.promote", postgres::Promote;
    PostgresRejoin = "postgres.rejoin", postgres::Rejoin;
    PostgresQuery = "postgres.query", postgres::Query;
    PostgresHeartbeat = "postgres.heartbeat", postgres::Heartbeat;
    AwsRoute53ChangeRecords = "aws.route53.change_records", aws::route53::ChangeRecords;
    AwsRoute53SetFailover = "aws.route53.set_failover", aws::route53::SetFailover;
    AwsRoute53DrainSite = "aws.route53.drain_site", aws::route53::DrainSite;
    AwsRoute53SetWeights = "aws.route53.set_weights", aws::route53::SetWeights;
    AwsRoute53SetHealthCheck = "aws.route53.set_health_check", aws::route53::SetHealthCheck;
    AwsRoute53CheckChange = "aws.route53.check_change", aws::route53::CheckChange;
    AwsArcSetRoutingControls = "aws.arc.set_routing_controls", aws::arc::SetRoutingControls;
    AwsArcStartRegionSwitch = "aws.arc.start_region_switch", aws::arc::StartRegionSwitch;
    AwsRdsFence = "aws.rds.fence", aws::rds::Fence;
    AwsRdsPromoteReadReplica = "aws.rds.promote_read_replica", aws::rds::PromoteReadReplica;
    AwsRdsFailoverGlobalCluster = "aws.rds.failover_global_cluster", aws::rds::FailoverGlobalCluster;
    AwsRdsSwitchoverGlobalCluster = "aws.rds.switchover_global_cluster", aws::rds::SwitchoverGlobalCluster;
    AwsRdsFailoverCluster = "aws.rds.failover_cluster", aws::rds::FailoverCluster;
    AwsRdsRebootWithFailover = "aws.rds.reboot_with_failover", aws::rds::RebootWithFailover;
    AwsRdsRestoreFromSnapshot = "aws.rds.restore_from_snapshot", aws::rds::RestoreFromSnapshot;
    AwsRdsRestoreToPointInTime = "aws.rds.restore_to_point_in_time", aws::rds::RestoreToPointInTime;
    AwsRdsCreateReadReplica = "aws.rds.create_read_replica", aws::rds::CreateReadReplica;
    AwsRdsCopySnapshot = "aws.rds.copy_snapshot", aws::rds::CopySnapshot;
    AwsRdsCheckReplication = "aws.rds.check_replication", aws::rds::CheckReplication;
    AwsBackupFindRecoveryPoint = "aws.backup.find_recovery_point", aws::backup::FindRecoveryPoint;
    AwsBackupStartBackup = "aws.backup.start_backup", aws::backup::StartBackup;
    AwsBackupCopyRecoveryPoint = "aws.backup.copy_recovery_point", aws::backup::CopyRecoveryPoint;
    AwsBackupRestore = "aws.backup.restore", aws::backup::Restore;
    AwsBackupCheckCopies = "aws.backup.check_copies", aws::backup::CheckCopies;
    AwsBackupCheckPolicy = "aws.backup.check_policy", aws::backup::CheckPolicy;
    AwsAutoscalingSetCapacity = "aws.autoscaling.set_capacity", aws::compute::SetCapacity;
    AwsEcsSetDesiredCount = "aws.ecs.set_desired_count", aws::compute::SetDesiredCount;
    AwsEksScaleNodegroup = "aws.eks.scale_nodegroup", aws::compute::ScaleNodegroup;
    AwsLambdaInvoke = "aws.lambda.invoke", aws::compute::Invoke;
    AwsLambdaSetEventSource = "aws.lambda.set_event_source", aws::compute::SetEventSource;
    AwsSsmRunAutomation = "aws.ssm.run_automation", aws::compute::RunAutomation;
    AwsCloudwatchCheckAlarms = "aws.cloudwatch.check_alarms", aws::compute::CheckAlarms;
    AwsDynamodbCheckReplication = "aws.dynamodb.check_replication", aws::compute::DynamodbCheckReplication;
    AwsS3CheckReplication = "aws.s3.check_replication", aws::compute::S3CheckReplication;
    KubernetesScale = "kubernetes.scale", kubernetes::Scale;
    KubernetesWaitReady = "kubernetes.wait_ready", kubernetes::WaitReady;
    KubernetesPatch = "kubernetes.patch", kubernetes::Patch;
    KubernetesSuspendCronjobs = "kubernetes.suspend_cronjobs", kubernetes::SuspendCronjobs;
    AzureSqlFailover = "azure.sql.failover", azure::SqlFailover;
    AzureSqlCheckReplication = "azure.sql.check_replication", azure::SqlCheckReplication;
    AzurePostgresPromote = "azure.postgres.promote", azure::PostgresPromote;
    AzurePostgresCheckReplication = "azure.postgres.check_replication", azure::PostgresCheckReplication;
    AzureTrafficManagerSetEndpoint = "azure.traffic_manager.set_endpoint", azure::SetEndpoint;
    AzureDnsSetRecord = "azure.dns.set_record", azure::SetRecord;
    AzureVmssSetCapacity = "azure.vmss.set_capacity", azure::SetCapacity;
    AzureSiteRecoveryFailover = "azure.site_recovery.failover", azure::SiteRecoveryFailover;
    GcpSqlPromote = "gcp.sql.promote", gcp::SqlPromote;
    GcpSqlSwitchover = "gcp.sql.switchover", gcp::SqlSwitchover;
    GcpSqlFailover = "gcp.sql.failover", gcp::SqlFailover;
    GcpSqlCheckReplication = "gcp.sql.check_replication", gcp::SqlCheckReplication;
    GcpDnsChange = "gcp.dns.change", gcp::DnsChange;
    GcpComputeResize = "gcp.compute.resize", gcp::Resize;
    NetworkCheckPath = "network.check_path", network::CheckPath;
    NetworkSwitchRoute = "network.switch_route", network::SwitchRoute;
}

/// Whether the cargo feature of an action's group is off.
fn is_left_out(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("aws.") else { return false };
    match rest.split('.').next() {
        Some("route53") => cfg!(not(feature = "aws-route53")),
        Some("arc") => cfg!(not(feature = "aws-arc")),
        Some("rds") => cfg!(not(feature = "aws-rds")),
        Some("backup") => cfg!(not(feature = "aws-backup")),
        _ => cfg!(not(feature = "aws-compute")),
    }
}

/// Says what does not fit without any value, which may be a secret: serde's own messages quote values.
fn describe<T: serde::de::DeserializeOwned>(with: &Value, error: &serde_json::Error) -> String {
    let text = error.to_string();
    if text.starts_with("missing field `") || text.starts_with("unknown field `") {
        return text;
    }
    let Some(fields) = with.as_object() else { return "the parameters are not a mapping".to_owned() };
    let culprit = fields.keys().find(|key| {
        let rest: serde_json::Map<_, _> = fields
            .iter()
            .filter(|(name, _)| name != key)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        match serde_json::from_value::<T>(Value::Object(rest)) {
            Ok(_) => true,
            Err(error) => error.to_string().starts_with(&format!("missing field `{key}`")),
        }
    });
    match culprit {
        Some(key) => format!("parameter `{key}` has the wrong type or a value that is not allowed"),
        None => "several parameters have the wrong type or a value that is not allowed".to_owned(),
    }
}

impl fmt::Display for ActionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for ActionName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|name| name.as_str() == text);
        found.ok_or_else(|| format!("there is no action `{text}`; `drctl actions` lists them"))
    }
}

impl JsonSchema for ActionName {
    fn schema_name() -> Cow<'static, str> {
        "ActionName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<_> = Self::ALL.iter().map(|name| name.as_str()).collect();
        json_schema!({"type": "string", "enum": names})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_variants_agree() {
        for &name in ActionName::ALL {
            assert_eq!(name.as_str().parse::<ActionName>(), Ok(name));
            assert_eq!(serde_json::to_value(name).unwrap(), json!(name.as_str()));
        }
    }

    #[test]
    fn a_wrong_parameter_is_named_and_its_value_is_not() {
        let cases = [
            (ActionName::HttpRequest, json!({"method": "hunter2", "url": "x"}), "`method`"),
            (ActionName::WaitFor, json!({"duration": "hunter2, expected"}), "`duration`"),
            (ActionName::WaitFor, json!({}), "missing field `duration`"),
            (ActionName::WaitFor, json!({"duration": "1s", "more": "hunter2"}), "unknown field `more`"),
            (ActionName::WaitFor, json!("hunter2"), "not a mapping"),
        ];
        for (name, with, expected) in cases {
            let error = Action::new(name, with).err().map(|error| error.to_string()).unwrap();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }
}
