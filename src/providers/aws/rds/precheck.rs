//! What can be told of a database before its action: it is there, in a state for it, and nothing is about to
//! get in the way. Must never change anything, nor fail because of what is only a nuisance.

use aws_sdk_rds::types::{DbCluster, DbInstance, ResourcePendingMaintenanceActions};

use super::restore_source::{self, Restore};
use super::session::Session;
use super::snapshot::Snapshot;
use super::state::{self, State, identifier_of, none_such, region_of};
use super::{cluster, fence, global, permanent, reboot};
use crate::model::action::Action;
use crate::model::action::aws::rds::{CopySnapshot, CreateReadReplica, PromoteReadReplica};
use crate::model::run::Failure;
use crate::model::time::Timestamp;
use crate::ports::{AttemptContext, Precheck};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::kms;
use crate::providers::excerpt;

/// Looks at everything an action needs.
///
/// # Errors
/// When the action would not work.
pub(super) async fn check(aws: &Aws, action: &Action, context: &AttemptContext) -> Result<Precheck, Failure> {
    let mut seen = Precheck::default();
    match action {
        Action::AwsRdsFence(it) => {
            fence::prepare(aws, it, context).await?;
            seen.found.push(format!("`{}` is there and can be fenced", it.identifier));
        }
        Action::AwsRdsPromoteReadReplica(it) => promote(aws, it, context, &mut seen).await?,
        Action::AwsRdsFailoverGlobalCluster(it) => {
            writer(aws, global::Move::failover(it)?, &it.target, context, &mut seen).await?;
        }
        Action::AwsRdsSwitchoverGlobalCluster(it) => {
            writer(aws, global::Move::switchover(it), &it.target, context, &mut seen).await?;
        }
        Action::AwsRdsFailoverCluster(it) => {
            cluster::prepare(aws, it, context).await?;
            let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
            let found = session.present_cluster(&it.cluster).await?;
            if found.db_cluster_members().len() < 2 {
                return Err(permanent(format!(
                    "cluster `{}` has no second instance to fail over to",
                    it.cluster
                )));
            }
            of_cluster(&session, &found, &mut seen).await?;
        }
        Action::AwsRdsRebootWithFailover(it) => {
            reboot::prepare(aws, it, context).await?;
            let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
            of_instance(&session, &session.present_instance(&it.instance).await?, &mut seen).await?;
        }
        Action::AwsRdsRestoreFromSnapshot(it) => restore(aws, &it.into(), context, &mut seen).await?,
        Action::AwsRdsRestoreToPointInTime(it) => restore(aws, &it.into(), context, &mut seen).await?,
        Action::AwsRdsCreateReadReplica(it) => replica(aws, it, context, &mut seen).await?,
        Action::AwsRdsCopySnapshot(it) => copy(aws, it, context, &mut seen).await?,
        _ => {}
    }
    Ok(seen)
}

async fn promote(
    aws: &Aws,
    it: &PromoteReadReplica,
    context: &AttemptContext,
    seen: &mut Precheck,
) -> Result<(), Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let found = session.present_instance(&it.instance).await?;
    let source = found.read_replica_source_db_instance_identifier();
    let source = source.or(found.read_replica_source_db_cluster_identifier()).filter(|it| !it.is_empty());
    match source {
        Some(source) => {
            let source = excerpt::head(source, 120);
            seen.found.push(format!("`{}` is a replica of {source}", it.instance));
        }
        None => seen
            .warnings
            .push(format!("`{}` has no source: it was promoted before, or never was a replica", it.instance)),
    }
    let replication = found.status_infos().iter().find(|info| info.status_type() == Some("read replication"));
    if let Some(status) = replication.and_then(|info| info.status()).filter(|status| *status != "replicating")
    {
        let status = excerpt::head(status, 60);
        seen.warnings.push(format!("replication of `{}` is `{status}`: its data may be old", it.instance));
    }
    if it.backup_retention_days == 0 {
        seen.warnings.push(format!("`{}` will have no backups after its promotion", it.instance));
    }
    of_instance(&session, &found, seen).await
}

async fn writer(
    aws: &Aws,
    it: global::Move<'_>,
    target: &str,
    context: &AttemptContext,
    seen: &mut Precheck,
) -> Result<(), Failure> {
    seen.found.extend(global::precheck(aws, it, context).await?);
    let Some(region) = region_of(target) else {
        return Err(permanent("`target` is not the ARN of a cluster; nothing was asked"));
    };
    let account = target.split(':').nth(4).map(str::to_owned);
    let session = Session::open(aws, region, account.as_ref(), context).await?;
    let found = session.present_cluster(identifier_of(target)).await?;
    of_cluster(&session, &found, seen).await
}

async fn restore(
    aws: &Aws,
    it: &Restore<'_>,
    context: &AttemptContext,
    seen: &mut Precheck,
) -> Result<(), Failure> {
    let session = Session::open(aws, it.region, it.account, context).await?;
    let found = restore_source::look(&session, it).await?;
    seen.found.push(format!("what is restored reaches to {}", found.point));
    let there = if it.cluster {
        session.cluster(it.identifier).await?.is_some()
    } else {
        session.instance(it.identifier).await?.is_some()
    };
    must_be_free(there, it.identifier, it.region)?;
    key(&session, it.kms_key_id, seen).await?;
    if let Some(group) = &it.settings.subnet_group {
        subnet_group(&session, group, seen).await?;
    }
    let instances = if it.cluster { it.cluster_instances.len() } else { 1 };
    quota(&session, "DBInstances", instances, seen).await?;
    quota(&session, "DBClusters", usize::from(it.cluster), seen).await
}

async fn replica(
    aws: &Aws,
    it: &CreateReadReplica,
    context: &AttemptContext,
    seen: &mut Precheck,
) -> Result<(), Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    must_be_free(session.instance(&it.instance).await?.is_some(), &it.instance, &it.region)?;
    let region = region_of(&it.source_arn)
        .ok_or_else(|| permanent("`source_arn` is not the ARN of an instance; nothing was asked"))?;
    super::replica::check_source(&session, it, region).await?;
    seen.found.push(format!("the source in {region} is there, with backups and a key for the replica"));
    key(&session, it.kms_key_id.as_ref(), seen).await?;
    if let Some(group) = &it.settings.subnet_group {
        subnet_group(&session, group, seen).await?;
    }
    quota(&session, "DBInstances", 1, seen).await
}

async fn copy(
    aws: &Aws,
    it: &CopySnapshot,
    context: &AttemptContext,
    seen: &mut Precheck,
) -> Result<(), Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    must_be_free(Snapshot::find(&session, it.kind, &it.snapshot).await?.is_some(), &it.snapshot, &it.region)?;
    let there = session.elsewhere(&it.source_region).await?;
    let source = Snapshot::find(&there, it.kind, &it.source_snapshot_arn).await?;
    let source = source.ok_or_else(|| none_such("snapshot", &it.source_snapshot_arn, &it.source_region))?;
    super::copy::check_source(it, &source)?;
    seen.found.push(format!("the snapshot in {} can be copied", it.source_region));
    key(&session, it.kms_key_id.as_ref(), seen).await?;
    quota(&session, "ManualSnapshots", 1, seen).await
}

fn must_be_free(taken: bool, identifier: &str, region: &str) -> Result<(), Failure> {
    if !taken {
        return Ok(());
    }
    let name = excerpt::head(identifier, 120);
    Err(permanent(format!("`{name}` exists in {region} already: give another name, or delete it")))
}

async fn key(session: &Session<'_>, key: Option<&String>, seen: &mut Precheck) -> Result<(), Failure> {
    match key {
        Some(key) => kms::check(session.aws, key, &session.place, session.context, seen).await,
        None => Ok(()),
    }
}

async fn subnet_group(session: &Session<'_>, name: &str, seen: &mut Precheck) -> Result<(), Failure> {
    let asked = session.read("DescribeDBSubnetGroups");
    let sent = session.client.describe_db_subnet_groups().db_subnet_group_name(name).send().await;
    let shown = excerpt::head(name, 80);
    match sent.map_err(crate::providers::aws::failure::Error::from) {
        Ok(_) => seen.found.push(format!("subnet group `{shown}` is there")),
        Err(error) if error.code().is_some_and(|code| code.starts_with("DBSubnetGroupNotFound")) => {
            return Err(none_such("subnet group", name, &session.place.region));
        }
        Err(error) => {
            let why = asked.failure(error).message;
            seen.unknown.push(format!("subnet group `{shown}` could not be looked at: {why}"));
        }
    }
    Ok(())
}

/// Whether the account may have that many more of something.
async fn quota(
    session: &Session<'_>,
    name: &'static str,
    more: usize,
    seen: &mut Precheck,
) -> Result<(), Failure> {
    let more = i64::try_from(more).unwrap_or(i64::MAX);
    if more == 0 {
        return Ok(());
    }
    let asked = session.read("DescribeAccountAttributes");
    let sent = session.client.describe_account_attributes().send().await;
    let found = match sent.map_err(crate::providers::aws::failure::Error::from) {
        Ok(found) => found,
        Err(error) => {
            let why = asked.failure(error).message;
            seen.unknown.push(format!("the quota of {name} could not be looked at: {why}"));
            return Ok(());
        }
    };
    let region = &session.place.region;
    let quota = found.account_quotas().iter().find(|quota| quota.account_quota_name() == Some(name));
    let Some((used, max)) = quota.and_then(|quota| Some((quota.used()?, quota.max()?))) else {
        seen.unknown.push(format!("{region} tells no quota of {name}"));
        return Ok(());
    };
    if used.saturating_add(more) > max {
        let what =
            format!("{region} has {used} of {max} {name}, and {more} more are needed: raise the quota");
        return Err(permanent(what));
    }
    seen.found.push(format!("{region} has {used} of {max} {name}"));
    Ok(())
}

async fn of_instance(session: &Session<'_>, found: &DbInstance, seen: &mut Precheck) -> Result<(), Failure> {
    let name = excerpt::head(found.db_instance_identifier().unwrap_or("the instance"), 80);
    in_state("instance", &name, found.db_instance_status(), seen)?;
    if found.backup_retention_period().is_some_and(|days| days > 0) {
        window(&name, found.preferred_backup_window(), session.aws.now(), seen);
    }
    maintenance(session, &name, found.db_instance_arn(), seen).await;
    Ok(())
}

async fn of_cluster(session: &Session<'_>, found: &DbCluster, seen: &mut Precheck) -> Result<(), Failure> {
    let name = excerpt::head(found.db_cluster_identifier().unwrap_or("the cluster"), 80);
    in_state("cluster", &name, found.status(), seen)?;
    if found.db_cluster_members().is_empty() {
        seen.warnings.push(format!("cluster `{name}` has no instance: it serves nobody until it has one"));
    }
    maintenance(session, &name, found.db_cluster_arn(), seen).await;
    Ok(())
}

/// What is busy now may be ready later, and is only said.
fn in_state(kind: &str, name: &str, status: Option<&str>, seen: &mut Precheck) -> Result<(), Failure> {
    match state::state(status.unwrap_or("unknown")) {
        State::Ready => seen.found.push(format!("{kind} `{name}` is available")),
        State::Busy => {
            let status = excerpt::head(status.unwrap_or("unknown"), 60);
            seen.warnings
                .push(format!("{kind} `{name}` is `{status}` now, and is refused until it is available"));
        }
        State::Broken | State::Stopped => return state::must_be_ready(kind, name, status),
    }
    Ok(())
}

/// Promotions and failovers wait while a backup runs.
fn window(name: &str, window: Option<&str>, now: Timestamp, seen: &mut Precheck) {
    if let Some(window) = window.filter(|window| is_open(window, now)) {
        let window = excerpt::head(window, 20);
        seen.warnings.push(format!(
            "the backup window of `{name}`, {window} UTC, is open now: the step waits while a backup runs"
        ));
    }
}

/// Whether a daily window such as `23:30-00:30` holds a time.
fn is_open(window: &str, now: Timestamp) -> bool {
    let minutes = |text: &str| {
        let (hours, minutes) = text.trim().split_once(':')?;
        Some(hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?)
    };
    let Some((begin, end)) = window.split_once('-').and_then(|(a, b)| minutes(a).zip(minutes(b))) else {
        return false;
    };
    let now = now.as_millis().div_euclid(60_000).rem_euclid(24 * 60);
    if begin <= end { (begin..end).contains(&now) } else { now >= begin || now < end }
}

/// Maintenance that waits for a thing: it may begin in the middle of a recovery.
async fn maintenance(session: &Session<'_>, name: &str, arn: Option<&str>, seen: &mut Precheck) {
    let Some(arn) = arn else { return };
    let asked = session.read("DescribePendingMaintenanceActions");
    let sent = session.client.describe_pending_maintenance_actions().resource_identifier(arn).send().await;
    let found = match sent.map_err(crate::providers::aws::failure::Error::from) {
        Ok(found) => found,
        Err(error) => {
            let why = asked.failure(error).message;
            seen.unknown.push(format!("pending maintenance of `{name}` could not be looked at: {why}"));
            return;
        }
    };
    let all = found.pending_maintenance_actions().iter();
    let details = ResourcePendingMaintenanceActions::pending_maintenance_action_details;
    for pending in all.flat_map(details) {
        let what = excerpt::head(pending.action().unwrap_or("something"), 60);
        let dates = [
            ("applied in the window after", pending.current_apply_date()),
            ("applied by itself after", pending.auto_applied_after_date()),
            ("forced at", pending.forced_apply_date()),
        ];
        let when = dates.iter().find_map(|(how, at)| Some(format!("{how} {}", state::time(*at)?)));
        let when = when.unwrap_or_else(|| "no date is set".to_owned());
        seen.warnings.push(format!("maintenance of `{name}` is pending: {what}, {when}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_go_over_midnight() {
        let at = |time: &str| format!("2026-11-21T{time}:00Z").parse::<Timestamp>().unwrap();
        for (window, time, expected) in [
            ("03:00-04:00", "03:00", true),
            ("03:00-04:00", "03:59", true),
            ("03:00-04:00", "04:00", false),
            ("03:00-04:00", "02:59", false),
            ("23:30-00:30", "23:45", true),
            ("23:30-00:30", "00:10", true),
            ("23:30-00:30", "12:00", false),
            ("nonsense", "12:00", false),
        ] {
            assert_eq!(is_open(window, at(time)), expected, "{window} {time}");
        }
    }
}
