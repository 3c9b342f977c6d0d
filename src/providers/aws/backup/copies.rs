//! `aws.backup.check_copies`: whether what was backed up has also left the region. Must never take a green
//! backup for a copy.

use std::collections::BTreeSet;

use aws_sdk_backup::primitives::DateTime;
use aws_sdk_backup::types::{BackupJob, BackupJobState, CopyJob, CopyJobState};
use serde_json::json;

use super::session::{Session, time};
use super::{Outputs, outputs, permanent, unhealthy};
use crate::model::action::aws::backup::CheckCopies;
use crate::model::run::Failure;
use crate::model::time::{Duration, Timestamp};
use crate::ports::AttemptContext;
use crate::providers::aws::clients::Aws;
use crate::providers::excerpt;

/// How far back to look unless the step says otherwise.
const WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
/// A backup younger than this may still wait for its copy, which is tried again for two hours.
const GRACE: Duration = Duration::from_secs(2 * 60 * 60);
/// Most pages of a thousand jobs that are read.
const PAGES: usize = 50;
/// How many complete copies are asked for the age of their originals.
const ASKED: usize = 5;

pub(super) async fn check(aws: &Aws, it: &CheckCopies, context: &AttemptContext) -> Result<Outputs, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
    let now = aws.now();
    let window = it.window.unwrap_or(WINDOW);
    let since = DateTime::from_millis(
        now.as_millis().saturating_sub(i64::try_from(window.as_millis()).unwrap_or(i64::MAX)),
    );
    let copies = copies(&session, it, since).await?;
    let failed = copies.iter().filter(|copy| has_failed(copy) && !is_repeated(copy, &copies));
    let mut gaps: Vec<_> = failed.map(told).collect();
    if let Some(resource) = &it.resource_arn {
        let arrived: BTreeSet<_> = copies.iter().filter_map(CopyJob::source_recovery_point_arn).collect();
        let backups = backups(&session, resource, since).await?;
        gaps.extend(backups.iter().filter(|backup| is_missing(backup, &arrived, now)).map(|backup| {
            format!("{} was not copied", backup.recovery_point_arn().unwrap_or("a recovery point"))
        }));
    }
    let done: Vec<_> = copies.iter().filter(|copy| copy.state() == Some(&CopyJobState::Completed)).collect();
    let running = copies.iter().filter(|copy| is_running(copy)).count();
    let newest = newest_original(&session, &done).await?;
    judge(it, &gaps, newest, now)?;
    Ok(outputs(json!({
        "completed": done.len(),
        "running": running,
        "failed": gaps,
        "newest_at": newest,
    })))
}

fn judge(
    it: &CheckCopies,
    failed: &[String],
    newest: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Failure> {
    if failed.len() > it.max_failed.unwrap_or(0) as usize {
        let list = excerpt::head(&failed.join("; "), 400);
        return Err(unhealthy(format!("{} copies failed or are missing: {list}", failed.len())));
    }
    let Some(allowed) = it.max_age else { return Ok(()) };
    match newest.map(|newest| now.since(newest)) {
        None => Err(unhealthy("no copy is complete, so that its age cannot be told")),
        Some(age) if age > allowed => {
            let what = format!("the newest original with a complete copy is {age} old");
            Err(unhealthy(format!("{what}, allowed are {allowed}")))
        }
        Some(_) => Ok(()),
    }
}

fn has_failed(copy: &CopyJob) -> bool {
    matches!(copy.state(), Some(CopyJobState::Failed | CopyJobState::Partial))
}

/// Whether a later copy of the same point to the same vault is complete.
fn is_repeated(failed: &CopyJob, all: &[CopyJob]) -> bool {
    all.iter().any(|other| {
        other.state() == Some(&CopyJobState::Completed)
            && other.source_recovery_point_arn() == failed.source_recovery_point_arn()
            && other.destination_backup_vault_arn() == failed.destination_backup_vault_arn()
            && time(other.creation_date()) > time(failed.creation_date())
    })
}

fn is_running(copy: &CopyJob) -> bool {
    !has_failed(copy) && copy.state() != Some(&CopyJobState::Completed)
}

fn told(copy: &CopyJob) -> String {
    let point = copy.source_recovery_point_arn().unwrap_or("a recovery point");
    format!("{point}: {}", excerpt::head(copy.status_message().unwrap_or("no reason is given"), 200))
}

fn is_missing(backup: &BackupJob, copied: &BTreeSet<&str>, now: Timestamp) -> bool {
    let old = time(backup.completion_date()).is_some_and(|done| now.since(done) > GRACE);
    old && backup.recovery_point_arn().is_some_and(|arn| !copied.contains(arn))
}

async fn copies(session: &Session<'_>, it: &CheckCopies, since: DateTime) -> Result<Vec<CopyJob>, Failure> {
    let asked = session.read("ListCopyJobs");
    let (mut all, mut next) = (Vec::new(), None);
    for _ in 0..PAGES {
        let order = session
            .client
            .list_copy_jobs()
            .by_created_after(since)
            .set_by_resource_arn(it.resource_arn.clone())
            .set_by_destination_vault_arn(it.destination_vault_arn.clone())
            .max_results(1_000)
            .set_next_token(next.take());
        let page = order.send().await.map_err(|error| asked.failure(error))?;
        all.extend(page.copy_jobs.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            return Ok(all);
        }
    }
    Err(too_many("copies"))
}

async fn backups(session: &Session<'_>, resource: &str, since: DateTime) -> Result<Vec<BackupJob>, Failure> {
    let asked = session.read("ListBackupJobs");
    let (mut all, mut next) = (Vec::new(), None);
    for _ in 0..PAGES {
        let order = session
            .client
            .list_backup_jobs()
            .by_created_after(since)
            .by_resource_arn(resource)
            .by_state(BackupJobState::Completed)
            .max_results(1_000)
            .set_next_token(next.take());
        let page = order.send().await.map_err(|error| asked.failure(error))?;
        all.extend(page.backup_jobs.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            return Ok(all);
        }
    }
    Err(too_many("backups"))
}

/// What was not read may have failed.
fn too_many(what: &str) -> Failure {
    permanent(format!("there are more {what} than {PAGES} pages hold: give a shorter `window`"))
}

/// When the newest of the originals was made: a copy job itself only knows when it was copied.
async fn newest_original(session: &Session<'_>, done: &[&CopyJob]) -> Result<Option<Timestamp>, Failure> {
    let mut done = done.to_vec();
    done.sort_by_key(|copy| std::cmp::Reverse(time(copy.creation_date())));
    let mut newest = None;
    for copy in done.iter().take(ASKED) {
        let vault = copy.source_backup_vault_arn().and_then(|arn| arn.rsplit(':').next());
        let Some((vault, arn)) = vault.zip(copy.source_recovery_point_arn()) else { continue };
        let asked = session.read("DescribeRecoveryPoint");
        let order = session.client.describe_recovery_point().backup_vault_name(vault).recovery_point_arn(arn);
        match order.send().await.map_err(crate::providers::aws::failure::Error::from) {
            Ok(point) => newest = newest.max(time(point.creation_date())),
            // Originals are often deleted sooner than their copies.
            Err(error) if error.code() == Some("ResourceNotFoundException") => {}
            Err(error) => return Err(asked.failure(error)),
        }
    }
    Ok(newest)
}
