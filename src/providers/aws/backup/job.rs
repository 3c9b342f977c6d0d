//! Follows a job to its end. Must never take a job that is partly done for one that is done.

use serde_json::{Value, json};

use super::session::{Session, time};
use super::{Outputs, is_young, outputs, permanent};
use crate::engine::input::Observation;
use crate::model::action::aws::backup::StartBackup;
use crate::model::run::Failure;
use crate::model::time::Timestamp;
use crate::ports::Polled;
use crate::providers::aws::failure::{Asked, Error};
use crate::providers::excerpt;

/// What a job makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Backup,
    Copy,
    Restore,
}

/// A job as it is.
struct Job {
    state: String,
    percent: Option<String>,
    message: Option<String>,
    outputs: Outputs,
}

/// Looks at a job once.
pub(super) async fn poll(session: &Session<'_>, kind: Kind, handle: &Value) -> Result<Polled, Failure> {
    let id = handle["job_id"].as_str().unwrap_or_default();
    let job = read(session, kind, id, handle).await?;
    let state = excerpt::head(&job.state, 40);
    let message = job.message.map(|message| excerpt::head(&message, 300));
    match meaning(&job.state) {
        Meaning::Done => Ok(Polled::Done(job.outputs)),
        Meaning::Failed => {
            let why = message.unwrap_or_else(|| "no reason is given".to_owned());
            Err(permanent(format!("job {id} ended as {state}: {why}")))
        }
        Meaning::Runs => {
            let percent = job.percent.map(|percent| format!(", {} done", excerpt::head(&percent, 20)));
            let message = message.map(|message| format!(": {message}"));
            let line =
                format!("job {id} is {state}{}{}", percent.unwrap_or_default(), message.unwrap_or_default());
            Ok(Polled::Pending(Some(line)))
        }
    }
}

/// Looks what has become of a job; a failure too is told by following it.
pub(super) async fn observe(session: &Session<'_>, kind: Kind, handle: &Value) -> Observation {
    let id = handle["job_id"].as_str().unwrap_or_default();
    match read(session, kind, id, handle).await {
        Err(failure) => Observation::Unknown(failure.message),
        Ok(job) => match meaning(&job.state) {
            Meaning::Done => Observation::Applied(job.outputs),
            Meaning::Failed | Meaning::Runs => Observation::InProgress(handle.clone()),
        },
    }
}

enum Meaning {
    Done,
    Failed,
    Runs,
}

fn meaning(state: &str) -> Meaning {
    match state {
        "COMPLETED" => Meaning::Done,
        // PARTIAL: some of what belongs together is missing.
        "FAILED" | "ABORTED" | "EXPIRED" | "PARTIAL" => Meaning::Failed,
        // A copy stays CREATED while it is tried again, for up to two hours; or a state that came later.
        _ => Meaning::Runs,
    }
}

async fn read(session: &Session<'_>, kind: Kind, id: &str, handle: &Value) -> Result<Job, Failure> {
    match kind {
        Kind::Backup => backup(session, id, handle).await,
        Kind::Copy => copy(session, id, handle).await,
        Kind::Restore => restore(session, id, handle).await,
    }
}

/// A job that is not found may have been started only now.
fn unknown(error: Error, asked: &Asked, handle: &Value, now: Timestamp) -> Result<Job, Failure> {
    let is_missing = error.code() == Some("ResourceNotFoundException");
    if !is_missing || !is_young(handle, now, StartBackup::SPEC.settle) {
        return Err(asked.failure(error));
    }
    Ok(Job { state: "not listed yet".to_owned(), percent: None, message: None, outputs: Outputs::new() })
}

async fn backup(session: &Session<'_>, id: &str, handle: &Value) -> Result<Job, Failure> {
    let asked = session.read("DescribeBackupJob");
    let order = session.client.describe_backup_job().backup_job_id(id);
    let found = match order.send().await.map_err(Error::from) {
        Ok(found) => found,
        Err(error) => return unknown(error, &asked, handle, session.aws.now()),
    };
    let made = time(found.creation_date());
    Ok(Job {
        state: found.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        percent: found.percent_done().map(|percent| format!("{percent}%")),
        message: found.status_message().map(str::to_owned),
        outputs: outputs(json!({
            "backup_job_id": id,
            "recovery_point_arn": found.recovery_point_arn(),
            "recovery_point_at": made,
        })),
    })
}

async fn copy(session: &Session<'_>, id: &str, handle: &Value) -> Result<Job, Failure> {
    let asked = session.read("DescribeCopyJob");
    let order = session.client.describe_copy_job().copy_job_id(id);
    let found = match order.send().await.map_err(Error::from) {
        Ok(found) => found,
        Err(error) => return unknown(error, &asked, handle, session.aws.now()),
    };
    let found = found.copy_job.ok_or_else(|| permanent(format!("there is no copy job {id}")))?;
    Ok(Job {
        state: found.state().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        percent: None,
        message: found.status_message().map(str::to_owned),
        outputs: outputs(json!({
            "copy_job_id": id,
            "recovery_point_arn": found.destination_recovery_point_arn(),
            "recovery_point_at": handle["recovery_point_at"],
        })),
    })
}

async fn restore(session: &Session<'_>, id: &str, handle: &Value) -> Result<Job, Failure> {
    let asked = session.read("DescribeRestoreJob");
    let order = session.client.describe_restore_job().restore_job_id(id);
    let found = match order.send().await.map_err(Error::from) {
        Ok(found) => found,
        Err(error) => return unknown(error, &asked, handle, session.aws.now()),
    };
    let made = time(found.recovery_point_creation_date());
    Ok(Job {
        state: found.status().map(|state| state.as_str().to_owned()).unwrap_or_default(),
        percent: found.percent_done().map(str::to_owned),
        message: found.status_message().map(str::to_owned),
        outputs: outputs(json!({
            "restore_job_id": id,
            "resource_arn": found.created_resource_arn(),
            "recovery_point_at": made.map_or_else(|| handle["recovery_point_at"].clone(), |made| json!(made)),
        })),
    })
}
