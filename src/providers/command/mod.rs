//! `command.run`: runs a program, once, and keeps its exit status even when drctl dies meanwhile. Must never
//! start a program a second time to find out how the first one ended.
//!
//! A program whose doubt can be resolved otherwise (`idempotent`, `observes`) is drctl's own child. Any other
//! runs under a supervisor, a small second drctl that outlives the first and writes the exit status beside
//! the output.

mod call;
mod doubt;
mod outcome;
mod run;
pub mod supervise;
mod traces;

use std::path::PathBuf;

use serde_json::Value;

use super::child::{RunFiles, RunFolders};
use crate::engine::input::Observation;
use crate::model::action::{Action, command};
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, BoxFuture, Polled, Provider, Started};

/// Names of the files of an attempt. Of a program that is drctl's own child, intent and process are in the
/// notes of the run instead.
mod file {
    pub(super) use crate::providers::child::{STDERR, STDOUT};

    /// Written before a supervisor is started.
    pub(super) const INTENT: &str = "intent";
    /// The program behind a supervisor, once it runs.
    pub(super) const PROCESS: &str = "process";
    /// The supervisor, once it runs.
    pub(super) const SUPERVISOR: &str = "supervisor";
    /// How the program ended, written by the supervisor.
    pub(super) const EXIT: &str = "exit";
    /// Written before drctl itself stops the program: how it ends is no word of its own then.
    pub(super) const GIVEN_UP: &str = "given-up";
}

/// Performs `command.run`.
#[derive(Debug, Clone)]
pub struct CommandProvider {
    files: RunFiles,
    folders: RunFolders,
    executable: PathBuf,
}

impl CommandProvider {
    /// Makes a provider that keeps the files of attempts in `run_directory` (`<state>/runs`). `executable` is
    /// drctl itself, as an absolute path; it is started again as supervisor.
    #[must_use]
    pub fn new(run_directory: PathBuf, executable: PathBuf) -> Self {
        Self { files: RunFiles::new(run_directory), folders: RunFolders::default(), executable }
    }

    /// Where programs leave their traces, see [`crate::ports::Began`].
    #[must_use]
    pub fn place(&self) -> Option<String> {
        self.files.place()
    }
}

impl Provider for CommandProvider {
    fn prepare<'a>(
        &'a self,
        _: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async { Ok(None) })
    }

    fn start<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(async move { self.run(parameters(action)?, context).await })
    }

    fn poll<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(async move { self.follow(parameters(action)?, context, handle).await })
    }

    fn observe<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(async move {
            match parameters(action) {
                Ok(parameters) => self.resolve_doubt(parameters, context, handle).await,
                Err(failure) => Observation::Unknown(failure.message),
            }
        })
    }
}

fn parameters(action: &Action) -> Result<&command::Run, Failure> {
    match action {
        Action::CommandRun(parameters) => Ok(parameters),
        other => {
            let message =
                format!("{} is not an action of the command provider; nothing was done", other.name());
            Err(Failure::new(FailureClass::Refused, message))
        }
    }
}
