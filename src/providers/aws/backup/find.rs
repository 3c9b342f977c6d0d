//! `aws.backup.find_recovery_point`: the newest point that can be restored. Must never date a point by its
//! copy: how far the data reaches is when the original was made.

use aws_sdk_backup::primitives::DateTime;
use aws_sdk_backup::types::{RecoveryPointByBackupVault, RecoveryPointStatus};
use serde_json::json;

use super::session::{Session, is_usable, time};
use super::{Outputs, outputs, permanent, unhealthy};
use crate::model::action::aws::backup::FindRecoveryPoint;
use crate::model::run::Failure;
use crate::model::time::Timestamp;
use crate::ports::AttemptContext;
use crate::providers::aws::clients::Aws;
use crate::providers::excerpt;

/// Most pages of a thousand points that are read.
const PAGES: usize = 50;
/// Most points named as rejected.
const REJECTED: usize = 20;

pub(super) async fn newest(
    aws: &Aws,
    it: &FindRecoveryPoint,
    context: &AttemptContext,
) -> Result<Outputs, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let mut points: Vec<_> = all(&session, it)
        .await?
        .into_iter()
        .filter_map(|point| Some((time(point.creation_date())?, point)))
        .filter(|(made, _)| it.before.is_none_or(|before| *made < before))
        .collect();
    points.sort_by_key(|(made, _)| std::cmp::Reverse(*made));
    let mut rejected = Vec::new();
    for (made, point) in &points {
        match reason_against(it, point, aws.now()) {
            Some(why) => rejected.push(format!("{}: {why}", point.recovery_point_arn().unwrap_or_default())),
            None => return found(it, point, *made, rejected, aws.now()),
        }
    }
    let what =
        format!("vault `{}` in {} has no usable recovery point of {}", it.vault, it.region, it.resource_arn);
    match rejected.first() {
        None => Err(permanent(what)),
        Some(first) => {
            Err(unhealthy(format!("{what}; {} were rejected, the newest {first}", rejected.len())))
        }
    }
}

fn found(
    it: &FindRecoveryPoint,
    point: &RecoveryPointByBackupVault,
    made: Timestamp,
    mut rejected: Vec<String>,
    now: Timestamp,
) -> Result<Outputs, Failure> {
    let age = now.since(made);
    if let Some(allowed) = it.max_age.filter(|allowed| age > *allowed) {
        let newer =
            rejected.first().map(|first| format!("; newer, but rejected: {first}")).unwrap_or_default();
        let what = format!("the newest usable recovery point of {} is {age} old", it.resource_arn);
        return Err(unhealthy(format!("{what}, allowed are {allowed}{newer}")));
    }
    rejected.truncate(REJECTED);
    Ok(outputs(json!({
        "recovery_point_arn": point.recovery_point_arn(),
        "recovery_point_at": made,
        "lag_ms": age.as_millis(),
        "resource_type": point.resource_type(),
        "encrypted": point.is_encrypted(),
        "rejected": rejected,
    })))
}

async fn all(
    session: &Session<'_>,
    it: &FindRecoveryPoint,
) -> Result<Vec<RecoveryPointByBackupVault>, Failure> {
    let asked = session.read("ListRecoveryPointsByBackupVault");
    let (mut all, mut next) = (Vec::new(), None);
    for _ in 0..PAGES {
        let order = session
            .client
            .list_recovery_points_by_backup_vault()
            .backup_vault_name(&it.vault)
            .by_resource_arn(&it.resource_arn)
            .set_backup_vault_account_id(it.vault_account_id.clone())
            .set_by_created_before(it.before.map(|before| DateTime::from_millis(before.as_millis())))
            .max_results(1_000)
            .set_next_token(next.take());
        let page = order.send().await.map_err(|error| asked.failure(error))?;
        all.extend(page.recovery_points.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            return Ok(all);
        }
    }
    // The service does not list them in the order of their age.
    let (vault, resource) = (&it.vault, &it.resource_arn);
    Err(permanent(format!("vault `{vault}` has more recovery points of {resource} than {PAGES} pages hold")))
}

/// Why a point cannot be used.
fn reason_against(
    it: &FindRecoveryPoint,
    point: &RecoveryPointByBackupVault,
    now: Timestamp,
) -> Option<String> {
    if !is_usable(point.status()) {
        let status = point.status().map_or("without a status", RecoveryPointStatus::as_str);
        let why = point.status_message().map(|why| format!(" ({})", excerpt::head(why, 120)));
        return Some(format!("it is {status}{}", why.unwrap_or_default()));
    }
    let ends = point.calculated_lifecycle();
    let past = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    if past(time(ends.and_then(|ends| ends.delete_at()))) {
        return Some("it is to be deleted".to_owned());
    }
    if !it.allow_cold && past(time(ends.and_then(|ends| ends.move_to_cold_storage_at()))) {
        return Some("it lies in cold storage".to_owned());
    }
    if it.require_encrypted && !point.is_encrypted() {
        return Some("it is not encrypted".to_owned());
    }
    match (&it.kms_key_arn, point.encryption_key_arn()) {
        (Some(wanted), Some(key)) if wanted != key => Some(format!("it is encrypted with {key}")),
        (Some(_), None) => Some("it names no key".to_owned()),
        _ => None,
    }
}
