//! What a processor needs from whoever runs it, and how a staged run is ended.

use std::collections::BTreeMap;

use crate::engine::input::{Control, Request};
use crate::engine::trigger::{Order, WithdrawOutcome};
use crate::model::id::{RunId, ServiceName};
use crate::model::run::{Identity, RunStatus};
use crate::ports::{BoxFuture, JournalError};
use crate::runtime::{Error, Follower, LaunchError, Runtime, Stop, load};

/// What a processor needs from whoever runs it.
pub trait Act: Send + Sync {
    /// Begins the run of an order under its key, staged or at once, and returns when it exists: not when it
    /// is over. Where a run of this key exists, that is returned.
    fn launch<'a>(
        &'a self,
        service: &'a ServiceName,
        order: &'a Order,
    ) -> BoxFuture<'a, Result<RunId, LaunchError>>;

    /// Ends a run that is still staged, as [`withdraw`] does.
    fn withdraw<'a>(
        &'a self,
        run: &'a RunId,
        why: &'a str,
    ) -> BoxFuture<'a, Result<WithdrawOutcome, LaunchError>>;
}

/// Ends a run that is still staged. One that a person has started, or is just starting, is left alone.
///
/// # Errors
/// When the run cannot be loaded or driven.
pub async fn withdraw(
    runtime: &Runtime,
    follower: &dyn Follower,
    run: &RunId,
    why: &str,
) -> Result<WithdrawOutcome, Error> {
    if let Some(outcome) = not_staged(runtime, run).await? {
        return Ok(outcome);
    }
    let driver = match runtime.take_over(run, BTreeMap::new()).await {
        // Somebody drives it: it is about to be started, or ended.
        Err(Error::Journal(JournalError::Held { .. })) => return Ok(WithdrawOutcome::Begun),
        other => other?,
    };
    // Nobody but this process can begin it from here on.
    let asked = !runtime.journal.inbox(run).await?.is_empty();
    if driver.state().status != RunStatus::Staged || asked {
        // What a person has asked of it meanwhile comes first.
        let over = driver.state().status.is_terminal();
        driver.let_go().await?;
        return Ok(if over { WithdrawOutcome::Over } else { WithdrawOutcome::Begun });
    }
    let request = Request {
        id: format!("withdraw-{run}"),
        by: Identity::asserted("drctl"),
        from: "trigger".to_owned(),
        reason: Some(why.to_owned()),
        control: Control::Abort,
    };
    runtime.journal.submit(run, &request).await?;
    let (_, state) = driver.drive(follower, Stop::AtPerson).await?;
    let over = state.status.is_terminal();
    Ok(if over { WithdrawOutcome::Withdrawn } else { WithdrawOutcome::Begun })
}

async fn not_staged(runtime: &Runtime, run: &RunId) -> Result<Option<WithdrawOutcome>, Error> {
    let status = load(runtime.journal.as_ref(), run).await?.state.status;
    Ok(match status {
        RunStatus::Staged => None,
        status if status.is_terminal() => Some(WithdrawOutcome::Over),
        _ => Some(WithdrawOutcome::Begun),
    })
}
