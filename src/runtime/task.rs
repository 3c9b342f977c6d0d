//! One thing in flight: an attempt, a look, or what is read before an attempt. Must report its end exactly
//! once, whatever happens to it, and never anything secret.

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedSender;

use super::clock::{Time, Token};
use super::redact::Redactor;
use crate::engine::command::Command;
use crate::engine::input::{AttemptKey, Input, Observation};
use crate::model::action::{Action, Role};
use crate::model::run::{Failure, FailureClass, Mode};
use crate::model::time::{Duration, Timestamp};
use crate::plan::NodeIndex;
use crate::ports::{AttemptContext, Clock, Journal, Polled, Precheck, Provider, Started};

/// How long a provider may take to clean up after its program's own grace, before its attempt is dropped.
const GRACE: Duration = Duration::from_secs(10);

/// What tasks send to the driver.
pub(super) enum Report {
    /// An input for the engine.
    Input(Input),
    /// The task of a node has ended, with what it has to say. One report: between two, the driver could find
    /// an attempt that nobody makes any more and that has no outcome yet, and would make it again.
    Landed(NodeIndex, Option<Input>),
    /// Nothing has happened: time to look around.
    Glance,
    /// A line for people; not stored.
    Progress(NodeIndex, String),
}

/// Sends reports to a driver. Virtual time stands still until they are taken.
#[derive(Clone)]
pub(super) struct Reporter {
    sender: UnboundedSender<Sent>,
    time: Time,
}

/// A report on its way.
pub(super) struct Sent {
    pub(super) report: Report,
    pub(super) token: Token,
}

impl Reporter {
    pub(super) fn new(sender: UnboundedSender<Sent>, time: Time) -> Self {
        Self { sender, time }
    }

    /// Sends a report. A driver that is gone needs none.
    pub(super) fn send(&self, report: Report) {
        let _ = self.sender.send(Sent { report, token: self.time.token() });
    }
}

/// Reports the end of a task, whatever happens to it.
pub(super) struct Landing {
    pub(super) reports: Reporter,
    pub(super) node: NodeIndex,
    /// What is reported when the task ends without a word.
    pub(super) lost: Option<Input>,
}

impl Landing {
    /// Ends the task with what it has to say.
    pub(super) fn end(mut self, input: Input) {
        self.lost = Some(input);
    }

    fn send(&self, report: Report) {
        self.reports.send(report);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let outcome = self.lost.take();
        self.send(Report::Landed(self.node, outcome));
    }
}

/// One flight.
pub(super) struct Task {
    /// The action is only asked whether it could work.
    pub(super) asks: bool,
    pub(super) provider: Arc<dyn Provider>,
    /// Where the lease is that an effect is begun under.
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) redactor: Redactor,
    pub(super) landing: Landing,
    /// The action reads what it needs before it starts.
    pub(super) reads_first: bool,
}

impl Task {
    /// Does what the command says, and reports.
    pub(super) async fn run(self, command: Command, action: Action, context: AttemptContext) {
        let input = match command {
            Command::Prepare { node } => {
                let prepared = tokio::select! {
                    prepared = self.provider.prepare(&action, &context) => prepared,
                    () = context.cancelled.cancelled() => Err(given_up()),
                };
                let result = prepared.map(|record| record.map(|value| self.redactor.value(value)));
                Input::Prepared { node, result: result.map_err(|failure| self.redactor.failure(failure)) }
            }
            Command::Start { attempt, .. } => match self.first_read(&action, context).await {
                Ok(context) => self.attempt(attempt, &action, &context, None).await,
                Err(failure) => Input::AttemptEnded { attempt, result: Err(self.redactor.failure(failure)) },
            },
            Command::Poll { attempt, handle, .. } => {
                self.attempt(attempt, &action, &context, Some(handle)).await
            }
            Command::Observe { attempt, handle, .. } => {
                // Real time, also in a simulation: a virtual clock counts one sleeper for each task.
                let limit = tokio::time::sleep(action.name().spec().timeout.to_std());
                let observation = tokio::select! {
                    observation = self.provider.observe(&action, &context, handle.as_ref()) => observation,
                    () = context.cancelled.cancelled() => Observation::Unknown("given up".to_owned()),
                    () = limit => Observation::Unknown("no answer in time".to_owned()),
                };
                Input::Observed { attempt, observation: self.redact_observation(observation) }
            }
        };
        self.landing.end(input);
    }

    /// An action that makes up for another was not prepared by the engine: it reads what it needs here.
    async fn first_read(&self, action: &Action, context: AttemptContext) -> Result<AttemptContext, Failure> {
        if !self.reads_first || !action.name().spec().prepares {
            return Ok(context);
        }
        let prepared = tokio::select! {
            prepared = self.provider.prepare(action, &context) => prepared,
            () = context.cancelled.cancelled() => Err(given_up()),
        };
        Ok(AttemptContext { prepared: prepared?, ..context })
    }

    async fn attempt(
        &self,
        attempt: AttemptKey,
        action: &Action,
        context: &AttemptContext,
        handle: Option<Value>,
    ) -> Input {
        let result = tokio::select! {
            result = self.make(attempt, action, context, handle) => result,
            () = self.given_up(action, context) => Err(given_up()),
        };
        let result = result
            .map(|outputs| self.redactor.map(outputs))
            .map_err(|failure| self.redactor.failure(failure));
        Input::AttemptEnded { attempt, result }
    }

    async fn make(
        &self,
        attempt: AttemptKey,
        action: &Action,
        context: &AttemptContext,
        handle: Option<Value>,
    ) -> Result<Map<String, Value>, Failure> {
        if self.asks {
            return self.ask(action, context).await;
        }
        let handle = match handle {
            Some(handle) => handle,
            None => match self.start(action, context).await? {
                Started::Done(outputs) => return Ok(outputs),
                Started::Handle(handle) => {
                    let kept = self.redactor.value(handle.clone());
                    self.landing.send(Report::Input(Input::HandleReturned { attempt, handle: kept }));
                    handle
                }
            },
        };
        loop {
            match self.provider.poll(action, context, &handle).await? {
                Polled::Done(outputs) => return Ok(outputs),
                Polled::Pending(progress) => {
                    if let Some(line) = progress {
                        self.landing.send(Report::Progress(attempt.node, self.redactor.text(line)));
                    }
                }
            }
            let next: Timestamp = self.clock.now().plus(action.name().spec().poll_interval);
            self.clock.sleep_until(next).await;
        }
    }

    /// Begins the effect, unless the lease is about to run out: then whoever drives on begins it.
    async fn start(&self, action: &Action, context: &AttemptContext) -> Result<Started, Failure> {
        if let Err(error) = self.journal.confirm(&context.run, context.fencing_token).await {
            return Err(Failure::new(FailureClass::Transient, format!("not begun: {error}")));
        }
        self.provider.start(action, context).await
    }

    /// Asks an action whether it could work. That a lost source cannot be fenced does not stop an ungraceful
    /// run, and so it is only said.
    async fn ask(&self, action: &Action, context: &AttemptContext) -> Result<Map<String, Value>, Failure> {
        let may_be_lost = context.mode == Mode::Ungraceful && action.name().spec().role == Role::Fence;
        match self.provider.precheck(action, context).await {
            Ok(seen) => Ok(seen.outputs()),
            Err(failure) if may_be_lost && failure.class == FailureClass::Unreachable => {
                let warnings = vec![format!("the fence could not be confirmed now: {}", failure.message)];
                Ok(Precheck { warnings, ..Precheck::default() }.outputs())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Ends when the attempt has been given up and its provider has had time to clean up.
    async fn given_up(&self, action: &Action, context: &AttemptContext) {
        context.cancelled.cancelled().await;
        // Only a program has to be ended in an orderly way; any other future is simply dropped.
        let own = match action {
            Action::CommandRun(run) => run.grace.unwrap_or(Duration::from_secs(5)),
            Action::PostgresFence(_) | Action::PostgresRejoin(_) => Duration::from_secs(20),
            _ => return,
        };
        self.clock.sleep_until(self.clock.now().plus(own).plus(GRACE)).await;
    }

    fn redact_observation(&self, observation: Observation) -> Observation {
        match observation {
            Observation::Applied(outputs) => Observation::Applied(self.redactor.map(outputs)),
            Observation::NotApplied => Observation::NotApplied,
            Observation::NeverBegan(why) => Observation::NeverBegan(self.redactor.text(why)),
            Observation::InProgress(handle) => Observation::InProgress(self.redactor.value(handle)),
            Observation::Failed(failure) => Observation::Failed(self.redactor.failure(failure)),
            Observation::Unknown(why) => Observation::Unknown(self.redactor.text(why)),
        }
    }
}

fn given_up() -> Failure {
    Failure::new(FailureClass::InDoubt, "given up before it had ended")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_task_and_its_outcome_arrive_together() {
        let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
        let reports = Reporter::new(sender, Time::System(crate::runtime::SystemClock::real()));
        let input = || Input::Prepared { node: 3, result: Ok(None) };
        for end in [Landing::end as fn(Landing, Input), |landing, _| drop(landing)] {
            let landing = Landing { reports: reports.clone(), node: 3, lost: Some(input()) };
            end(landing, input());
            let report = received.try_recv().map(|sent| sent.report);
            assert!(matches!(report, Ok(Report::Landed(3, Some(Input::Prepared { .. })))));
            assert!(received.try_recv().is_err());
        }
    }
}
