//! Gives each action of `postgres.*` to the file that performs it. Must never try twice.

use serde_json::Value;

use super::{
    Outputs, fence, given_up, heartbeat, not_ours, permanent, promote, query, rejoin, replication,
    unless_cancelled,
};
use crate::engine::input::{Direction, Observation};
use crate::model::action::Action;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, BoxFuture, Polled, Provider, Started};
use crate::providers::child::ProgramRunner;

/// Performs `postgres.*`.
#[derive(Debug, Clone)]
pub struct PostgresProvider {
    programs: ProgramRunner,
}

impl PostgresProvider {
    /// Makes a provider that runs stop, start and rewind commands with `programs`.
    #[must_use]
    pub fn new(programs: ProgramRunner) -> Self {
        Self { programs }
    }

    async fn apply(&self, action: &Action, context: &AttemptContext) -> Result<Outputs, Failure> {
        match action {
            Action::PostgresCheckReplication(check) => {
                unless_cancelled(context, FailureClass::TimedOut, replication::check(check, context)).await
            }
            Action::PostgresFence(fence) => fence::apply(&self.programs, fence, context).await,
            Action::PostgresPromote(promote) => {
                unless_cancelled(context, FailureClass::InDoubt, promote::apply(promote, context)).await
            }
            Action::PostgresRejoin(rejoin) => rejoin::apply(&self.programs, rejoin, context).await,
            Action::PostgresQuery(query) => {
                let class = if query.write { FailureClass::InDoubt } else { FailureClass::TimedOut };
                unless_cancelled(context, class, query::run(query, context)).await
            }
            Action::PostgresHeartbeat(heartbeat) => {
                unless_cancelled(context, FailureClass::TimedOut, heartbeat::run(heartbeat, context)).await
            }
            other => Err(not_ours(other)),
        }
    }

    async fn undo(&self, action: &Action, context: &AttemptContext) -> Result<Outputs, Failure> {
        match action {
            Action::PostgresFence(fence) => fence::undo(&self.programs, fence, context).await,
            Action::PostgresPromote(_) => Err(permanent(
                "a promotion cannot be taken back: fence the new primary and rejoin it with postgres.rejoin",
            )),
            other => Err(permanent(format!("{} has no undo", other.name()))),
        }
    }

    async fn look(&self, action: &Action, context: &AttemptContext) -> Observation {
        match action {
            Action::PostgresFence(fence) => fence::observe(&self.programs, fence, context).await,
            Action::PostgresPromote(promote) => promote::observe(promote, context).await,
            Action::PostgresRejoin(rejoin) => rejoin::observe(&self.programs, rejoin, context).await,
            Action::PostgresQuery(query) if query.write => Observation::Unknown(
                "a statement that writes cannot be observed; look into the database".to_owned(),
            ),
            // What only reads, and a heartbeat, can be done again.
            Action::PostgresQuery(_) | Action::PostgresCheckReplication(_) | Action::PostgresHeartbeat(_) => {
                Observation::NeverBegan("it can be done again, and is not looked for".to_owned())
            }
            other => Observation::Unknown(not_ours(other).message),
        }
    }
}

impl Provider for PostgresProvider {
    fn prepare<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async move {
            match action {
                Action::PostgresFence(fence) if context.direction == Direction::Do => {
                    unless_cancelled(context, FailureClass::TimedOut, fence::prepare(fence, context))
                        .await
                        .map(Some)
                }
                _ => Ok(None),
            }
        })
    }

    fn start<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(async move {
            match context.direction {
                Direction::Do => self.apply(action, context).await,
                Direction::Undo => self.undo(action, context).await,
            }
            .map(Started::Done)
        })
    }

    fn poll<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(async move {
            let name = handle.get("program").and_then(Value::as_str).unwrap_or_default();
            if self.programs.live(name, context).is_some() {
                return Ok(Polled::Pending(Some(format!(
                    "the {name} command of {} still runs",
                    action.name()
                ))));
            }
            let message = format!("the {name} command has ended while nobody watched");
            Err(Failure::new(FailureClass::InDoubt, message))
        })
    }

    fn observe<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        _: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(async move {
            tokio::select! {
                seen = self.look(action, context) => seen,
                () = context.cancelled.cancelled() => given_up(),
            }
        })
    }
}
