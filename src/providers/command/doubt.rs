//! Finds out what became of a program after drctl has died: by its record, its exit file, or by asking the
//! program itself. Must never start the effect again, and must say "unknown" rather than guess.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::call::{Call, Verb, is_supervised};
use super::outcome::{self, Exit, Keep};
use super::run::{given_up, note_given_up, process_handle, supervised_exit};
use super::traces::Traces;
use super::{CommandProvider, file};
use crate::engine::input::{Direction, Observation};
use crate::model::action::command::Run;
use crate::model::limits;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, Polled};
use crate::providers::child::{
    AttemptFiles, Begun, Launch, Printed, ProcessRecord, Search, boot_id, find_by_key, stop_group,
};
use crate::providers::excerpt;

/// How long one look at an adopted program may wait for its end, so that the end is noticed at once.
const LOOK: Duration = Duration::from_secs(1);
/// Pause between two reads of `/proc` within a look.
const PAUSE: Duration = Duration::from_millis(10);
/// How often a program without a record is looked for, where some process may become it.
const LOOKS: u32 = 5;
/// Longest time a program may take to answer `observe`.
const OBSERVE: Duration = Duration::from_secs(30);
/// File that takes the answer to `observe`.
const ANSWER: &str = "observe-stdout";

impl CommandProvider {
    /// Looks whether the effect of an attempt is there.
    pub(super) async fn resolve_doubt(
        &self,
        run: &Run,
        context: &AttemptContext,
        handle: Option<&Value>,
    ) -> Observation {
        let traces = self.traces(context);
        let files = &traces.files;
        let keep = Keep::new(run.capture.unwrap_or(!context.sensitive));
        if let Err(error) = traces.are_readable() {
            return Observation::Unknown(format!("the notes of the run cannot be read: {error}"));
        }
        // Before anything that lives: a supervisor that has written its last word takes a moment to go.
        if let Some(exit) = supervised_exit(files) {
            return ended(&exit, files, keep);
        }
        if let Some(process) = live(&traces, handle) {
            return Observation::InProgress(process_handle(&process));
        }
        let intent = traces.begun();
        // Before the program is asked: one that has only just begun would say that its effect is not there.
        if let Some(process) = unrecorded(run, &traces, intent.as_ref()).await {
            return Observation::InProgress(process_handle(&process));
        }
        // A supervisor may have written its last word between the two looks.
        if let Some(exit) = supervised_exit(files) {
            return ended(&exit, files, keep);
        }
        if run.observes && context.direction == Direction::Do {
            return self.ask(run, context, files).await;
        }
        let Some(intent) = intent else { return self.without_traces(context, handle) };
        // Also of one that may be started again: whoever takes everything back must not believe that nothing
        // is there.
        let why = if intent.boot.as_deref() == boot_id() {
            "the command has ended while nobody watched; its exit status is not known"
        } else {
            "the host was restarted while the command ran; how far it came is not known"
        };
        Observation::Unknown(why.to_owned())
    }

    /// What can be said of an attempt that is not noted here.
    fn without_traces(&self, context: &AttemptContext, handle: Option<&Value>) -> Observation {
        let unknown = |why: &str| Observation::Unknown(why.to_owned());
        if handle.is_some() {
            return unknown(
                "the command was started on another host or with another state folder, or its files are gone",
            );
        }
        let Some(began) = &context.began else {
            let why = "this run has not started its program before, and it cannot be asked";
            return Observation::NeverBegan(why.to_owned());
        };
        if self.files.hold_traces_of(began) {
            let why = "its program has left no trace on this host that it was started";
            return Observation::NeverBegan(why.to_owned());
        }
        // A driver with another folder for its state may have begun it beside this one.
        match find_by_key(&context.idempotency_key) {
            Search::Found(process) => Observation::InProgress(process_handle(&process)),
            Search::Nobody | Search::Unsure => unknown(
                "the command was to start on another host, with another state folder, or before a restart; \
                 whether it did is not known here",
            ),
        }
    }

    /// Looks at an adopted program.
    pub(super) async fn follow(
        &self,
        run: &Run,
        context: &AttemptContext,
        handle: &Value,
    ) -> Result<Polled, Failure> {
        let traces = self.traces(context);
        let files = &traces.files;
        let keep = Keep::new(run.capture.unwrap_or(!context.sensitive));
        if handle.get("observe").is_some() {
            return self.follow_by_asking(run, context, files).await;
        }
        let end = async {
            loop {
                if let Some(exit) = supervised_exit(files) {
                    return Some(exit);
                }
                if live(&traces, Some(handle)).is_none() {
                    // The supervisor may have written its last word between the two looks.
                    return supervised_exit(files);
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        tokio::select! {
            biased;
            () = context.cancelled.cancelled() => {
                note_given_up(files);
                if let Some(process) = live_program(&traces, handle) {
                    stop_group(process.pid, Call::of_attempt(run, context)?.grace).await;
                }
                Err(given_up())
            }
            end = tokio::time::timeout(LOOK, end) => match end {
                Err(_) => Ok(Polled::Pending(Some("the command still runs".to_owned()))),
                Ok(Some(exit)) => outcome::settle(&exit, &Printed::of(files), keep).map(Polled::Done),
                Ok(None) => Err(Failure::new(
                    FailureClass::InDoubt,
                    "the command has ended while nobody watched; its exit status is not known",
                )),
            },
        }
    }

    async fn follow_by_asking(
        &self,
        run: &Run,
        context: &AttemptContext,
        files: &AttemptFiles,
    ) -> Result<Polled, Failure> {
        match self.ask(run, context, files).await {
            Observation::Applied(outputs) => Ok(Polled::Done(outputs)),
            Observation::InProgress(_) => Ok(Polled::Pending(None)),
            Observation::Failed(failure) => Err(failure),
            Observation::NotApplied | Observation::NeverBegan(_) => Err(Failure::new(
                FailureClass::Transient,
                "the command's effect was in progress and is not there after all",
            )),
            Observation::Unknown(why) => Err(Failure::new(FailureClass::InDoubt, why)),
        }
    }

    /// Asks the program itself whether its effect is there.
    async fn ask(&self, run: &Run, context: &AttemptContext, files: &AttemptFiles) -> Observation {
        match self.answer(run, context, files).await {
            Ok(bytes) => read_answer(&bytes, run.capture.unwrap_or(!context.sensitive)),
            Err(why) => Observation::Unknown(why),
        }
    }

    async fn answer(
        &self,
        run: &Run,
        context: &AttemptContext,
        files: &AttemptFiles,
    ) -> Result<Vec<u8>, String> {
        let unable = |error: &dyn std::fmt::Display| format!("the command could not be asked: {error}");
        let call = Call::new(run, Verb::Observe, context).map_err(|failure| failure.message)?;
        files.create().map_err(|error| unable(&error))?;
        files.remove(ANSWER);
        let launch = Launch {
            argv: call.argv,
            environment: call.environment,
            directory: call.directory,
            stdin: call
                .stdin
                .as_deref()
                .map(|bytes| files.anonymous(bytes))
                .transpose()
                .map_err(|e| unable(&e))?,
            stdout: Some(files.append(ANSWER).map_err(|error| unable(&error))?),
            stderr: None,
        };
        let mut child = launch.spawn().map_err(|error| unable(&error))?;
        let pid = child.id().unwrap_or_default();
        let status = tokio::select! {
            status = child.wait() => Some(status),
            () = tokio::time::sleep(OBSERVE) => None,
            () = context.cancelled.cancelled() => None,
        };
        let (bytes, _) = files.beginning(ANSWER, limits::OUTPUT_BYTES);
        // What was printed may hold what must not be kept.
        files.remove(ANSWER);
        match status {
            Some(Ok(status)) if status.success() => Ok(bytes),
            Some(Ok(status)) => Err(format!("the command was asked for its state and failed: {status}")),
            Some(Err(error)) => Err(unable(&error)),
            None => {
                let _ = tokio::join!(stop_group(pid, call.grace), child.wait());
                Err("the command was asked for its state and did not answer in time".to_owned())
            }
        }
    }
}

/// The program or its supervisor, if one of them lives.
fn live(traces: &Traces, handle: Option<&Value>) -> Option<ProcessRecord> {
    handle
        .and_then(|handle| live_program(traces, handle))
        .or_else(|| alive(traces.process()))
        .or_else(|| alive(traces.supervisor()))
}

/// A live program that drctl had no time to record before it died. One whose record is there is not looked
/// for: what it has left running inherits its key.
async fn unrecorded(run: &Run, traces: &Traces, intent: Option<&Begun>) -> Option<ProcessRecord> {
    let incomplete = traces.process().is_none() || (is_supervised(run) && traces.supervisor().is_none());
    let intent = intent.filter(|intent| incomplete && intent.boot.as_deref() == boot_id())?;
    for _ in 0..LOOKS {
        match find_by_key(&intent.key) {
            Search::Found(process) => return Some(process),
            Search::Nobody => return None,
            // While a program is being loaded, nobody can read its environment.
            Search::Unsure => tokio::time::sleep(PAUSE).await,
        }
    }
    None
}

/// The program itself, if it lives.
fn live_program(traces: &Traces, handle: &Value) -> Option<ProcessRecord> {
    let named = handle.get("process").and_then(|process| serde_json::from_value(process.clone()).ok());
    alive(traces.process()).or_else(|| alive(named))
}

fn alive(process: Option<ProcessRecord>) -> Option<ProcessRecord> {
    process.filter(ProcessRecord::is_alive)
}

/// What a known exit status says: what it would have said had it been waited for. A program that drctl
/// stopped itself has not failed by itself, and how far it came is not known.
fn ended(exit: &Exit, files: &AttemptFiles, keep: Keep) -> Observation {
    if let Some(why) = &exit.not_started {
        return Observation::NeverBegan(excerpt::message(why));
    }
    match outcome::settle(exit, &Printed::of(files), keep) {
        Ok(outputs) => Observation::Applied(outputs),
        Err(failure) if failure.class == FailureClass::InDoubt || was_given_up(files) => {
            Observation::Unknown(failure.message)
        }
        Err(failure) => Observation::Failed(failure),
    }
}

fn was_given_up(files: &AttemptFiles) -> bool {
    files.record::<bool>(file::GIVEN_UP).is_some()
}

fn read_answer(bytes: &[u8], keep: bool) -> Observation {
    let answer: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let outputs = match answer.get("outputs") {
        Some(Value::Object(outputs)) if keep => outputs.clone(),
        _ => Map::new(),
    };
    match answer.get("state").and_then(Value::as_str) {
        Some("applied") => Observation::Applied(outputs),
        Some("not_applied") => Observation::NotApplied,
        Some("in_progress") => Observation::InProgress(json!({"observe": true})),
        Some("unknown") => Observation::Unknown("the command says that it does not know".to_owned()),
        _ => {
            let shown = if keep {
                excerpt::head(&String::from_utf8_lossy(bytes), 100)
            } else {
                "(not shown)".to_owned()
            };
            Observation::Unknown(format!(
                "the command was asked for its state and gave no valid answer: {shown}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_odd_ones_are_unknown() {
        let applied = read_answer(br#"{"state": "applied", "outputs": {"id": 7}}"#, true);
        assert_eq!(applied, Observation::Applied([("id".to_owned(), json!(7))].into_iter().collect()));
        assert_eq!(
            read_answer(br#"{"state": "applied", "outputs": {"id": 7}}"#, false),
            Observation::Applied(Map::new())
        );
        assert_eq!(read_answer(br#"{"state": "not_applied"}"#, true), Observation::NotApplied);
        assert_eq!(
            read_answer(br#"{"state": "in_progress"}"#, true),
            Observation::InProgress(json!({"observe": true}))
        );
        for odd in ["", "yes", r#"{"state": 1}"#, r#"{"state": "maybe"}"#] {
            assert!(matches!(read_answer(odd.as_bytes(), true), Observation::Unknown(_)), "{odd}");
        }
    }
}
