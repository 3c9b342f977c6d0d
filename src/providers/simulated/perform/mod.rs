//! What each action of the catalogue changes on the simulated estate and what it returns. Only says so: the
//! provider decides whether and when it happens. Nothing here waits.

mod act;
mod checks;
mod compute;
mod copies;
mod data;
mod rds;
mod records;
mod scene;
mod sql;
mod traffic;

use serde_json::json;

use crate::model::action::Action;
use crate::model::run::{Failure, FailureClass};

pub(super) use act::Act;
use act::unhealthy;
pub(super) use scene::{Scene, View};

/// Says what an action does.
pub(super) fn act<'a>(action: &'a Action, view: &View<'_>) -> Act<'a> {
    match action {
        Action::ApprovalRequest(_) => Act::plain("waiting", |_| json!({"approved_by": ["simulated"]})),
        Action::ManualTask(_) | Action::WaitFor(_) | Action::NotifySend(_) => {
            Act::plain("waiting", |_| json!({}))
        }
        Action::AssertThat(it) => checks::assert_that(it),
        Action::RunbookRun(it) => checks::runbook(it),
        Action::CommandRun(_) => Act::plain("running", |_| json!({"exit_code": 0, "stdout": ""})),
        Action::HttpRequest(it) => checks::http_request(it),
        Action::HttpCheck(it) => checks::http_check(it),
        Action::PostgresCheckReplication(it) => data::check_replication(it),
        Action::PostgresFence(it) => data::fence(it, view),
        Action::PostgresPromote(it) => data::promote(it, view),
        Action::PostgresRejoin(it) => data::rejoin(it, view),
        Action::PostgresQuery(it) => data::query(it),
        Action::PostgresHeartbeat(it) => data::heartbeat(it),
        Action::AwsCloudwatchCheckAlarms(it) => checks::alarms(it),
        Action::AwsDynamodbCheckReplication(it) => checks::dynamodb(it),
        Action::AwsS3CheckReplication(it) => checks::s3(it),
        Action::NetworkCheckPath(it) => checks::path(it),
        other => databases(other, view).or_else(|| settings(other, view)).unwrap_or_else(unknown),
    }
}

fn databases<'a>(action: &'a Action, view: &View<'_>) -> Option<Act<'a>> {
    Some(match action {
        Action::AwsRdsFence(it) => rds::fence(it, view),
        Action::AwsRdsPromoteReadReplica(it) => rds::promote_read_replica(it, view),
        Action::AwsRdsFailoverGlobalCluster(it) => rds::failover_global_cluster(it, view),
        Action::AwsRdsSwitchoverGlobalCluster(it) => rds::switchover_global_cluster(it, view),
        Action::AwsRdsFailoverCluster(it) => rds::failover_cluster(it),
        Action::AwsRdsRebootWithFailover(it) => rds::reboot_with_failover(it),
        Action::AwsRdsCheckReplication(it) => rds::check_replication(it),
        Action::AwsRdsRestoreFromSnapshot(it) => copies::restore_from_snapshot(it, view),
        Action::AwsRdsRestoreToPointInTime(it) => copies::restore_to_point_in_time(it, view),
        Action::AwsRdsCreateReadReplica(it) => copies::create_read_replica(it, view),
        Action::AwsRdsCopySnapshot(it) => copies::copy_snapshot(it, view),
        Action::AwsBackupFindRecoveryPoint(it) => copies::find_recovery_point(it),
        Action::AwsBackupStartBackup(it) => copies::start_backup(it, view),
        Action::AwsBackupCopyRecoveryPoint(it) => copies::copy_recovery_point(it, view),
        Action::AwsBackupRestore(it) => copies::restore(it, view),
        Action::AwsBackupCheckCopies(it) => copies::check_copies(it),
        Action::AwsBackupCheckPolicy(it) => copies::check_policy(it),
        Action::AzureSqlFailover(it) => data::azure_sql_failover(it, view),
        Action::AzureSqlCheckReplication(it) => data::azure_sql_replication(it),
        Action::AzurePostgresPromote(it) => data::azure_postgres_promote(it, view),
        Action::AzurePostgresCheckReplication(it) => data::azure_postgres_replication(it),
        Action::AzureSiteRecoveryFailover(it) => data::site_recovery(it),
        Action::GcpSqlPromote(it) => data::gcp_promote(it, view),
        Action::GcpSqlSwitchover(it) => data::gcp_switchover(it, view),
        Action::GcpSqlCheckReplication(it) => data::gcp_replication(it),
        Action::GcpSqlFailover(it) => data::gcp_failover(it),
        _ => return None,
    })
}

fn settings<'a>(action: &'a Action, view: &View<'_>) -> Option<Act<'a>> {
    Some(match action {
        Action::DnsUpdate(it) => records::dns_update(it, view),
        Action::DnsCheck(it) => records::dns_check(it),
        Action::AwsRoute53ChangeRecords(it) => traffic::change_records(it),
        Action::AwsRoute53SetFailover(it) => traffic::set_failover(it),
        Action::AwsRoute53DrainSite(it) => traffic::drain_site(it),
        Action::AwsRoute53SetWeights(it) => traffic::set_weights(it),
        Action::AwsRoute53SetHealthCheck(it) => traffic::set_health_check(it),
        Action::AwsRoute53CheckChange(_) => traffic::check_change(),
        Action::AwsArcSetRoutingControls(it) => traffic::set_routing_controls(it),
        Action::AwsArcStartRegionSwitch(_) => traffic::start_region_switch(),
        Action::AzureTrafficManagerSetEndpoint(it) => traffic::set_endpoint(it),
        Action::AzureDnsSetRecord(it) => records::azure_record(it, view),
        Action::GcpDnsChange(it) => records::gcp_record(it, view),
        Action::NetworkSwitchRoute(it) => traffic::switch_route(it),
        Action::AwsAutoscalingSetCapacity(it) => compute::auto_scaling(it),
        Action::AwsEcsSetDesiredCount(it) => compute::ecs(it, view),
        Action::AwsEksScaleNodegroup(it) => compute::nodegroup(it),
        Action::AwsLambdaInvoke(_) => compute::invoke(),
        Action::AwsLambdaSetEventSource(it) => compute::event_source(it),
        Action::AwsSsmRunAutomation(_) => compute::automation(),
        Action::KubernetesScale(it) => compute::kubernetes_scale(it),
        Action::KubernetesWaitReady(it) => compute::wait_ready(it),
        Action::KubernetesPatch(it) => compute::patch(it),
        Action::KubernetesSuspendCronjobs(it) => compute::cronjobs(it),
        Action::AzureVmssSetCapacity(it) => compute::scale_set(it),
        Action::GcpComputeResize(it) => compute::resize(it),
        _ => return None,
    })
}

fn unknown<'a>() -> Act<'a> {
    Act::look(|_| Err(Failure::new(FailureClass::Permanent, "the simulation does not know this action")))
}
