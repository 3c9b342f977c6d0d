//! Follows the run of an attempt to its end: drives it, or looks at it while another process does.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::driver::{Driver, Stop};
use super::super::task::{Report, Reporter};
use super::super::{Error, load};
use super::ChildTask;
use super::begin::child_id;
use super::outcome::{described, failure_of, left, outcome};
use super::watcher::Watcher;
use crate::engine::command::Command;
use crate::engine::event::ChildRun;
use crate::engine::input::{AttemptKey, Input, Observation};
use crate::engine::{IndexedPlan, RunState};
use crate::model::id::RunId;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, BoxFuture, JournalError};

/// Pause between two looks at a child that another process drives.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// How it goes on with a child.
enum Next {
    Ended(Result<Map<String, Value>, Failure>),
    Drive(Box<Driver>),
    /// Another process drives it.
    Elsewhere(ChildRun),
}

impl ChildTask {
    /// Does what the command says, and reports.
    pub(in crate::runtime) async fn run(self, command: Command, context: AttemptContext) {
        let input = match command {
            Command::Prepare { node } => Input::Prepared { node, result: Ok(None) },
            Command::Start { attempt, .. } | Command::Poll { attempt, .. } => {
                let known = matches!(command, Command::Poll { .. });
                let result = self.follow(attempt, &context, known).await;
                Input::AttemptEnded { attempt, result }
            }
            Command::Observe { attempt, .. } => {
                Input::Observed { attempt, observation: self.observe(&context).await }
            }
        };
        self.landing.end(input);
    }

    /// Looks for the child of an attempt in doubt, or of the one before it.
    async fn observe(&self, context: &AttemptContext) -> Observation {
        let run = match child_id(&self.plan.service, &context.idempotency_key) {
            Ok(run) => run,
            Err(failure) => return Observation::Unknown(failure.message),
        };
        let loaded = match load(self.children.runtime.journal.as_ref(), &run).await {
            Ok(loaded) => loaded,
            Err(Error::Journal(JournalError::UnknownRun(_))) => {
                return Observation::NeverBegan("the journal knows of no run that it began".to_owned());
            }
            Err(error) => return Observation::Unknown(error.to_string()),
        };
        let made_by = loaded.state.created.parent.as_ref().map_or(0, |parent| parent.attempt);
        match outcome(&loaded.plan, &loaded.state) {
            Some(Ok(outputs)) => Observation::Applied(outputs),
            // It was the child of an earlier try, whose failure is known.
            Some(Err(_)) if made_by < context.attempt => {
                Observation::NeverBegan(format!("the run {run} was begun by an earlier try"))
            }
            Some(Err(_)) | None => Observation::InProgress(json!({"run": run})),
        }
    }

    /// Drives the child of an attempt to its end, having made it where it does not exist.
    fn follow<'a>(
        &'a self,
        attempt: AttemptKey,
        context: &'a AttemptContext,
        known: bool,
    ) -> BoxFuture<'a, Result<Map<String, Value>, Failure>> {
        Box::pin(async move {
            let run = child_id(&self.plan.service, &context.idempotency_key)?;
            let watcher = Watcher::new(self, attempt, known);
            loop {
                match self.next(&run, context).await? {
                    Next::Ended(result) => return result,
                    Next::Elsewhere(child) => {
                        watcher.tell(child);
                        tokio::select! {
                            () = tokio::time::sleep(LOOK) => {}
                            () = self.left(context) => return Err(left()),
                        }
                    }
                    Next::Drive(driver) => {
                        let (plan, state) = self.drive(*driver, &watcher, context).await?;
                        return outcome(&plan, &state).unwrap_or_else(|| Err(left()));
                    }
                }
            }
        })
    }

    async fn drive(
        &self,
        driver: Driver,
        watcher: &Watcher<'_>,
        context: &AttemptContext,
    ) -> Result<(Arc<IndexedPlan>, RunState), Failure> {
        let (run, mailbox) = (driver.state().created.run.clone(), driver.mailbox());
        watcher.keep(driver.state());
        let driving = driver.drive(watcher, Stop::Never);
        tokio::pin!(driving);
        let passing = self.pass_on(&run, &mailbox, watcher);
        tokio::pin!(passing);
        let leaving = self.left(context);
        tokio::pin!(leaving);
        let mut leaves = false;
        loop {
            tokio::select! {
                result = &mut driving => {
                    return result.map_err(|error| failure_of(&error));
                }
                () = &mut passing => {}
                () = &mut leaving, if !leaves => {
                    leaves = true;
                    watcher.leave();
                    mailbox.send(Report::Glance);
                }
            }
        }
    }

    /// Ends when the child is to be left to others.
    async fn left(&self, context: &AttemptContext) {
        let mut leave = self.children.leave.clone();
        let gone = async {
            // A parent that is gone without a word leaves nothing to wait for: its tasks are dropped.
            if leave.wait_for(|leave| *leave).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = context.cancelled.cancelled() => {}
            () = gone => {}
        }
    }

    async fn next(&self, run: &RunId, context: &AttemptContext) -> Result<Next, Failure> {
        let runtime = &self.children.runtime;
        let loaded = match load(runtime.journal.as_ref(), run).await {
            Ok(loaded) => loaded,
            Err(Error::Journal(JournalError::UnknownRun(_))) => {
                let driver = self.create(run, context).await?;
                return Ok(Next::Drive(Box::new(driver)));
            }
            Err(error) => return Err(failure_of(&error)),
        };
        let parent = loaded.state.created.parent.as_ref();
        if parent.is_none_or(|parent| parent.run != self.children.parent.run) {
            let message = format!("there is another run {run}, which this one has not begun");
            return Err(Failure::new(FailureClass::Permanent, message));
        }
        if let Some(ended) = outcome(&loaded.plan, &loaded.state) {
            return Ok(Next::Ended(ended));
        }
        let own = self.runtime(run, &loaded.plan.plan)?;
        match own.take_over(run, std::collections::BTreeMap::new()).await {
            Ok(driver) => Ok(Next::Drive(Box::new(driver.beside_its_parent()))),
            Err(Error::Journal(JournalError::Held { .. })) => {
                let waits = loaded.state.status.needs_person();
                Ok(Next::Elsewhere(described(&loaded.state, waits)))
            }
            Err(error) => Err(failure_of(&error)),
        }
    }

    /// Asks of the child what is wanted of its parent, each change once.
    async fn pass_on(&self, run: &RunId, mailbox: &Reporter, watcher: &Watcher<'_>) {
        let mut desires = self.children.desire.clone();
        let parent = &self.children.parent.run;
        let journal = &self.children.runtime.journal;
        loop {
            let desire = desires.borrow_and_update().clone();
            for request in watcher.requests(parent, &desire) {
                let mut submitted = journal.submit(run, &request).await;
                while matches!(submitted, Err(JournalError::UnknownRun(_))) {
                    // Its first facts are still on their way.
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    submitted = journal.submit(run, &request).await;
                }
                match submitted {
                    // The child finds it in its inbox too, and answers it once.
                    Ok(()) => mailbox.send(Report::Input(Input::Request(request))),
                    Err(error) => tracing::warn!(%error, %run, "a request could not be passed on"),
                }
            }
            if desires.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            // The parent takes nothing it knew for granted any more.
            watcher.forget();
            mailbox.send(Report::Glance);
        }
    }
}
