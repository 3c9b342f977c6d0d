//! What every action touches, in one closed match: a new action does not compile before somebody has said it.
//! Names only what is changed; what is merely read, such as the snapshot of a restore, does not count.

use crate::model::action::Action;
use crate::model::action::aws;
use crate::model::action::network::SwitchMethod;

use super::boundary::Touch;
use super::databases::databases;

const PROGRAM: &str = "it runs a program";
const CODE: &str = "it runs code that drctl does not know";

/// What an action changes, or asks to change something.
#[must_use]
#[expect(clippy::too_many_lines, reason = "one closed table over all actions")]
pub(super) fn touches(action: &Action) -> Vec<Touch> {
    match action {
        Action::ApprovalRequest(_)
        | Action::ManualTask(_)
        | Action::WaitFor(_)
        | Action::AssertThat(_)
        | Action::DnsCheck(_)
        | Action::NetworkCheckPath(_)
        | Action::AwsRoute53CheckChange(_)
        | Action::AwsRdsCheckReplication(_)
        | Action::AwsBackupFindRecoveryPoint(_)
        | Action::AwsBackupCheckCopies(_)
        | Action::AwsBackupCheckPolicy(_)
        | Action::AwsCloudwatchCheckAlarms(_)
        | Action::AwsDynamodbCheckReplication(_)
        | Action::AwsS3CheckReplication(_)
        | Action::KubernetesWaitReady(_)
        | Action::AzureSqlCheckReplication(_)
        | Action::AzurePostgresCheckReplication(_)
        | Action::GcpSqlCheckReplication(_)
        | Action::PostgresCheckReplication(_)
        | Action::HttpCheck(_) => Vec::new(),
        Action::RunbookRun(_) => vec![Touch::Anything("it begins a run of another runbook")],
        Action::NotifySend(it) => vec![name(&it.channel)],
        Action::CommandRun(_) => vec![Touch::Anything(PROGRAM)],
        Action::HttpRequest(it) => {
            // Whoever answers at the address serves the host that the header names.
            let named = it.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host"));
            let named = named.map(|(_, value)| Touch::Host(host_of(value.trim())));
            std::iter::once(Touch::Host(host_of(&it.url))).chain(named).collect()
        }
        Action::DnsUpdate(it) => vec![Touch::Host(host_of(&it.server)), name(&it.name)],
        Action::PostgresFence(_)
        | Action::PostgresPromote(_)
        | Action::PostgresRejoin(_)
        | Action::PostgresQuery(_)
        | Action::PostgresHeartbeat(_) => postgres(action),
        Action::KubernetesScale(it) => cluster(&it.context, &it.namespace, &it.name),
        Action::KubernetesPatch(it) => {
            cluster(&it.context, it.namespace.as_deref().unwrap_or(&it.kind), &it.name)
        }
        Action::KubernetesSuspendCronjobs(it) if it.names.is_empty() => {
            cluster(&it.context, &it.namespace, "*")
        }
        Action::KubernetesSuspendCronjobs(it) => {
            it.names.iter().flat_map(|name| cluster(&it.context, &it.namespace, name)).collect()
        }
        Action::NetworkSwitchRoute(it) => match it.method {
            SwitchMethod::Command => vec![Touch::Anything(PROGRAM)],
            _ if it.route_table_ids.is_empty() => vec![Touch::Anything("it names no route table")],
            SwitchMethod::AwsRoute | SwitchMethod::AwsTransitGatewayRoute => {
                let region = it.region.iter().map(|region| Touch::Region(region.clone()));
                region.chain(it.route_table_ids.iter().map(|id| name(id))).collect()
            }
        },
        Action::AwsRoute53ChangeRecords(_)
        | Action::AwsRoute53SetFailover(_)
        | Action::AwsRoute53DrainSite(_)
        | Action::AwsRoute53SetWeights(_)
        | Action::AwsRoute53SetHealthCheck(_)
        | Action::AwsArcSetRoutingControls(_)
        | Action::AwsArcStartRegionSwitch(_) => aws_traffic(action),
        Action::AwsRdsFence(_)
        | Action::AwsRdsPromoteReadReplica(_)
        | Action::AwsRdsFailoverGlobalCluster(_)
        | Action::AwsRdsSwitchoverGlobalCluster(_)
        | Action::AwsRdsFailoverCluster(_)
        | Action::AwsRdsRebootWithFailover(_)
        | Action::AwsRdsRestoreFromSnapshot(_)
        | Action::AwsRdsRestoreToPointInTime(_)
        | Action::AwsRdsCreateReadReplica(_)
        | Action::AwsRdsCopySnapshot(_) => aws_databases(action),
        Action::AwsBackupStartBackup(_)
        | Action::AwsBackupCopyRecoveryPoint(_)
        | Action::AwsBackupRestore(_)
        | Action::AwsAutoscalingSetCapacity(_)
        | Action::AwsEcsSetDesiredCount(_)
        | Action::AwsEksScaleNodegroup(_)
        | Action::AwsLambdaInvoke(_)
        | Action::AwsLambdaSetEventSource(_)
        | Action::AwsSsmRunAutomation(_) => aws_others(action),
        Action::AzureSqlFailover(_)
        | Action::AzurePostgresPromote(_)
        | Action::AzureTrafficManagerSetEndpoint(_)
        | Action::AzureDnsSetRecord(_)
        | Action::AzureVmssSetCapacity(_)
        | Action::AzureSiteRecoveryFailover(_)
        | Action::GcpSqlPromote(_)
        | Action::GcpSqlSwitchover(_)
        | Action::GcpSqlFailover(_)
        | Action::GcpDnsChange(_)
        | Action::GcpComputeResize(_) => other_clouds(action),
    }
}

fn postgres(action: &Action) -> Vec<Touch> {
    match action {
        // Where a program does it, nobody knows which server it stops.
        Action::PostgresFence(it) if !it.stop_command.is_empty() => {
            databases(&it.primary).into_iter().chain([Touch::Anything(PROGRAM)]).collect()
        }
        Action::PostgresFence(it) => databases(&it.primary),
        Action::PostgresPromote(it) => databases(&it.standby),
        Action::PostgresRejoin(it) => {
            databases(&it.standby).into_iter().chain([Touch::Anything(PROGRAM)]).collect()
        }
        Action::PostgresQuery(it) => databases(&it.connection),
        Action::PostgresHeartbeat(it) => databases(&it.connection),
        _ => Vec::new(),
    }
}

fn aws_traffic(action: &Action) -> Vec<Touch> {
    match action {
        Action::AwsRoute53ChangeRecords(it) => {
            owned(it.account.as_ref(), it.changes.iter().map(|change| change.name.as_str()))
        }
        Action::AwsRoute53SetFailover(it) => owned(it.account.as_ref(), [it.name.as_str()]),
        Action::AwsRoute53DrainSite(it) => owned(it.account.as_ref(), [it.name.as_str()]),
        Action::AwsRoute53SetWeights(it) => owned(it.account.as_ref(), [it.name.as_str()]),
        Action::AwsRoute53SetHealthCheck(it) => owned(it.account.as_ref(), [it.health_check_id.as_str()]),
        Action::AwsArcSetRoutingControls(it) => {
            owned(it.account.as_ref(), it.controls.keys().map(String::as_str))
        }
        Action::AwsArcStartRegionSwitch(it) => {
            regional(&it.region, it.account.as_ref(), [it.plan_arn.as_str()])
        }
        _ => Vec::new(),
    }
}

fn aws_databases(action: &Action) -> Vec<Touch> {
    match action {
        Action::AwsRdsFence(it) => regional(&it.region, it.account.as_ref(), [it.identifier.as_str()]),
        Action::AwsRdsPromoteReadReplica(it) => {
            regional(&it.region, it.account.as_ref(), [it.instance.as_str()])
        }
        Action::AwsRdsFailoverGlobalCluster(it) => {
            regional(&it.region, it.account.as_ref(), [it.global_cluster.as_str(), it.target.as_str()])
        }
        Action::AwsRdsSwitchoverGlobalCluster(it) => {
            regional(&it.region, it.account.as_ref(), [it.global_cluster.as_str(), it.target.as_str()])
        }
        Action::AwsRdsFailoverCluster(it) => regional(&it.region, it.account.as_ref(), [it.cluster.as_str()]),
        Action::AwsRdsRebootWithFailover(it) => {
            regional(&it.region, it.account.as_ref(), [it.instance.as_str()])
        }
        Action::AwsRdsRestoreFromSnapshot(it) => {
            let made = std::iter::once(&it.identifier).chain(&it.cluster_instances);
            regional(&it.region, it.account.as_ref(), made.map(String::as_str))
        }
        Action::AwsRdsRestoreToPointInTime(it) => {
            let made = std::iter::once(&it.identifier).chain(&it.cluster_instances);
            regional(&it.region, it.account.as_ref(), made.map(String::as_str))
        }
        Action::AwsRdsCreateReadReplica(it) => {
            regional(&it.region, it.account.as_ref(), [it.instance.as_str()])
        }
        Action::AwsRdsCopySnapshot(it) => regional(&it.region, it.account.as_ref(), [it.snapshot.as_str()]),
        _ => Vec::new(),
    }
}

fn aws_others(action: &Action) -> Vec<Touch> {
    match action {
        Action::AwsBackupStartBackup(it) => {
            regional(&it.region, it.account.as_ref(), [it.vault.as_str(), it.resource_arn.as_str()])
        }
        Action::AwsBackupCopyRecoveryPoint(it) => {
            regional(&it.region, it.account.as_ref(), [it.destination_vault_arn.as_str()])
        }
        Action::AwsBackupRestore(it) => restored(it),
        Action::AwsAutoscalingSetCapacity(it) => {
            regional(&it.region, it.account.as_ref(), [it.group.as_str()])
        }
        Action::AwsEcsSetDesiredCount(it) => {
            let service = format!("{}/{}", it.cluster, it.service);
            regional(&it.region, it.account.as_ref(), [service.as_str()])
        }
        Action::AwsEksScaleNodegroup(it) => {
            let group = format!("{}/{}", it.cluster, it.nodegroup);
            regional(&it.region, it.account.as_ref(), [group.as_str()])
        }
        Action::AwsLambdaInvoke(it) => {
            let mut all = regional(&it.region, it.account.as_ref(), [it.function.as_str()]);
            all.push(Touch::Anything(CODE));
            all
        }
        Action::AwsLambdaSetEventSource(it) => {
            // A mapping is found by its id wherever it is given, whatever function stands beside it.
            let named = [&it.mapping_id, &it.function, &it.event_source_arn].into_iter().flatten().next();
            regional(&it.region, it.account.as_ref(), named.map(String::as_str))
        }
        Action::AwsSsmRunAutomation(it) => {
            let mut all = regional(&it.region, it.account.as_ref(), [it.document.as_str()]);
            all.push(Touch::Anything(CODE));
            all
        }
        _ => Vec::new(),
    }
}

/// What a restore makes stands in its metadata, under a key that differs by kind of resource.
fn restored(it: &aws::backup::Restore) -> Vec<Touch> {
    let is_new = |key: &str| {
        let key = key.to_ascii_lowercase();
        ["dbinstanceidentifier", "dbclusteridentifier", "targettablename", "newtablename", "creationtoken"]
            .contains(&key.as_str())
    };
    let made: Vec<&str> =
        it.metadata.iter().filter(|(key, _)| is_new(key)).map(|(_, value)| value.as_str()).collect();
    // A restore into a file system that is there makes nothing new, whatever token stands beside it.
    let into = it
        .metadata
        .iter()
        .any(|(key, value)| key.eq_ignore_ascii_case("newFileSystem") && value.eq_ignore_ascii_case("false"));
    let unnamed = made.is_empty() || into;
    let mut all = regional(&it.region, it.account.as_ref(), made);
    if unnamed {
        all.push(Touch::Anything("what it restores has no name that drctl knows"));
    }
    all
}

fn other_clouds(action: &Action) -> Vec<Touch> {
    let place = |account: &String, region: Option<&String>, resource: String| {
        let region = region.map(|region| Touch::Region(region.clone()));
        std::iter::once(Touch::Account(account.clone()))
            .chain(region)
            .chain([Touch::Name(resource)])
            .collect()
    };
    match action {
        Action::AzureSqlFailover(it) => place(
            &it.subscription_id,
            Some(&it.region),
            format!("{}/{}", it.resource_group, it.failover_group),
        ),
        Action::AzurePostgresPromote(it) => {
            place(&it.subscription_id, Some(&it.region), format!("{}/{}", it.resource_group, it.server))
        }
        Action::AzureTrafficManagerSetEndpoint(it) => {
            place(&it.subscription_id, None, format!("{}/{}/{}", it.resource_group, it.profile, it.endpoint))
        }
        Action::AzureDnsSetRecord(it) => {
            place(&it.subscription_id, None, format!("{}/{}/{}", it.resource_group, it.zone, it.name))
        }
        Action::AzureVmssSetCapacity(it) => {
            place(&it.subscription_id, Some(&it.region), format!("{}/{}", it.resource_group, it.scale_set))
        }
        Action::AzureSiteRecoveryFailover(it) => {
            place(&it.subscription_id, Some(&it.region), format!("{}/{}", it.resource_group, it.plan))
        }
        Action::GcpSqlPromote(it) => place(&it.project, Some(&it.region), it.instance.clone()),
        Action::GcpSqlSwitchover(it) => place(&it.project, Some(&it.region), it.instance.clone()),
        Action::GcpSqlFailover(it) => place(&it.project, Some(&it.region), it.instance.clone()),
        Action::GcpDnsChange(it) => place(&it.project, None, format!("{}/{}", it.managed_zone, it.name)),
        Action::GcpComputeResize(it) => place(&it.project, Some(&it.region), it.group.clone()),
        _ => Vec::new(),
    }
}

fn name(text: &str) -> Touch {
    Touch::Name(text.to_owned())
}

fn cluster(context: &str, namespace: &str, resource: &str) -> Vec<Touch> {
    vec![Touch::Host(context.to_owned()), Touch::Name(format!("{namespace}/{resource}"))]
}

fn owned<'a>(account: Option<&String>, names: impl IntoIterator<Item = &'a str>) -> Vec<Touch> {
    let account = account.map(|account| Touch::Account(account.clone()));
    account.into_iter().chain(names.into_iter().map(name)).collect()
}

fn regional<'a>(
    region: &str,
    account: Option<&String>,
    names: impl IntoIterator<Item = &'a str>,
) -> Vec<Touch> {
    std::iter::once(Touch::Region(region.to_owned())).chain(owned(account, names)).collect()
}

/// The host of an address, without scheme, user, port and path.
fn host_of(address: &str) -> String {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    // Browsers and HTTP libraries take a backslash for a slash.
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if let Some(inside) = host.strip_prefix('[') {
        return inside.split(']').next().unwrap_or(inside).to_owned();
    }
    let without_ports: Vec<&str> =
        host.split(',').map(|host| host.split(':').next().unwrap_or(host)).collect();
    without_ports.join(",").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_and_nothing_secret_with_them() {
        for (text, host) in [
            ("https://user:pw@Ops.example.com:8443/x?y=1", "ops.example.com"),
            ("ns1.example.com:53", "ns1.example.com"),
            ("http://[::1]:80/", "::1"),
            ("https://good.example.com@evil.example.com/", "evil.example.com"),
            ("https://evil.example.com?@good.example.com/", "evil.example.com"),
            ("https://evil.example.com\\@good.example.com/", "evil.example.com"),
        ] {
            assert_eq!(host_of(text), host, "{text}");
        }
    }
}
