//! Turns the parameters of `command.run` into what is started: argv for a verb, environment, standard input.
//! Must never start anything.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::engine::input::Direction;
use crate::model::action::command::Run;
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;
use crate::providers::child::environment;

/// Time between SIGTERM and SIGKILL unless the step says otherwise.
const GRACE: Duration = Duration::from_secs(5);
/// Variable that tells an `undo` what was read before the effect, as JSON.
const PREPARED_VARIABLE: &str = "DRCTL_PREPARED";

/// What a program is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// To have its effect.
    Do,
    /// To take it back.
    Undo,
    /// To say whether the effect is there.
    Observe,
}

/// One call of a program.
#[derive(Debug)]
pub(super) struct Call {
    /// Program and arguments; never empty.
    pub argv: Vec<OsString>,
    /// Variables added to the environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Working directory.
    pub directory: Option<PathBuf>,
    /// Bytes for standard input.
    pub stdin: Option<Vec<u8>>,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Whether anything it prints may be kept.
    pub capture: bool,
    /// Whether its exit status must survive drctl.
    pub supervised: bool,
}

impl Call {
    /// Makes the call that an attempt asks for.
    ///
    /// # Errors
    /// Refused, when there is no program or it has no undo.
    pub(super) fn of_attempt(run: &Run, context: &AttemptContext) -> Result<Self, Failure> {
        match context.direction {
            Direction::Do => Self::new(run, Verb::Do, context),
            Direction::Undo if run.undoes => Self::new(run, Verb::Undo, context),
            Direction::Undo => Err(Failure::new(
                FailureClass::Refused,
                "the command has no undo (`undoes` is not set); take its effect back by hand",
            )),
        }
    }

    /// Makes the call for a verb.
    ///
    /// # Errors
    /// Refused, when there is no program.
    pub(super) fn new(run: &Run, verb: Verb, context: &AttemptContext) -> Result<Self, Failure> {
        if run.argv.first().is_none_or(String::is_empty) {
            return Err(Failure::new(FailureClass::Refused, "`argv` names no program; nothing was started"));
        }
        let mut words = run.argv.clone();
        match verb {
            Verb::Do => {}
            Verb::Undo => words.push("undo".to_owned()),
            Verb::Observe => words.push("observe".to_owned()),
        }
        if run.shell {
            words = vec!["/bin/sh".to_owned(), "-c".to_owned(), words.join(" ")];
        }
        let mut variables: Vec<(OsString, OsString)> =
            run.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        // Ours come last: a step must not be able to present another key or token.
        variables.extend(environment(context).into_iter().map(|(name, value)| (name.into(), value.into())));
        if let Some(prepared) = &context.prepared {
            variables.push((PREPARED_VARIABLE.into(), prepared.to_string().into()));
        }
        Ok(Self {
            argv: words.into_iter().map(OsString::from).collect(),
            environment: variables,
            directory: run.cwd.as_ref().map(PathBuf::from),
            stdin: run.stdin.as_ref().map(|json| json.to_string().into_bytes()),
            grace: run.grace.map_or(GRACE, crate::model::time::Duration::to_std),
            capture: run.capture.unwrap_or(!context.sensitive),
            supervised: verb != Verb::Observe && is_supervised(run),
        })
    }
}

/// Whether only its exit status can tell what became of the program.
pub(super) fn is_supervised(run: &Run) -> bool {
    !run.idempotent && !run.observes
}
