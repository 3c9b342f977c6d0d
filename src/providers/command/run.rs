//! Starts the program of an attempt and waits for it. Must write down the intent before the start and the
//! process right after it, so that a later driver on this host can tell what became of it.

use std::ffi::OsString;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::process::Child;

use super::call::Call;
use super::outcome::{self, Exit, Keep};
use super::{CommandProvider, file, supervise};
use crate::model::action::command::Run;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, Started};
use crate::providers::child::{
    AttemptFiles, Launch, ProcessRecord, Signal, boot_id, signal_group, stop_group, unwritable,
    why_not_started,
};

/// Pause between two looks for a record the supervisor is about to write.
const LOOK: std::time::Duration = std::time::Duration::from_millis(5);

/// What is written before anything is started.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Intent {
    /// Key the program is given; a live one is found by it.
    pub key: String,
    /// Fencing token of the driver.
    pub token: u64,
    /// Boot of the host.
    pub boot: Option<String>,
}

/// A handle that finds the program of an attempt again.
pub(super) fn process_handle(process: &ProcessRecord) -> Value {
    json!({ "process": process })
}

impl CommandProvider {
    /// Runs the program to its end.
    pub(super) async fn run(&self, run: &Run, context: &AttemptContext) -> Result<Started, Failure> {
        let call = Call::of_attempt(run, context)?;
        let files = self.files.attempt(context);
        let (grace, supervised, keep) = (call.grace, call.supervised, Keep::new(call.capture));
        let mut child = self.launch(call, &files, context)?;
        let pid = child.id().unwrap_or_default();
        // Unsynced, and allowed to fail: without it a later driver still finds the program by its key.
        let record = if supervised { file::SUPERVISOR } else { file::PROCESS };
        let _ = files.publish(record, &ProcessRecord::of(pid));

        let ended = tokio::select! {
            ended = child.wait() => ended,
            () = context.cancelled.cancelled() => {
                if supervised {
                    stop_supervised(&mut child, &files, grace).await;
                    let _ = child.wait().await;
                } else {
                    // What has ended counts as there until it is waited for.
                    let _ = tokio::join!(stop_group(pid, grace), child.wait());
                }
                return Err(given_up());
            }
        };
        let status = ended.map_err(|error| {
            Failure::new(FailureClass::InDoubt, format!("the end of the command was missed: {error}"))
        })?;
        let exit = if supervised { supervised_exit(&files) } else { Some(Exit::of(status)) };
        match exit {
            Some(exit) => outcome::settle(&exit, &files, keep).map(Started::Done),
            None => orphaned(&files),
        }
    }

    fn launch(&self, call: Call, files: &AttemptFiles, context: &AttemptContext) -> Result<Child, Failure> {
        files.create().map_err(|error| unwritable(&error))?;
        let program = call.argv.first().cloned().unwrap_or_default();
        let directory = call.directory.as_ref().map(|directory| directory.to_string_lossy().into_owned());
        let launch = self.prepare_launch(call, files).map_err(|error| unwritable(&error))?;
        // The last thing before the start: a crash between the two leaves doubt where there need be none.
        note_intent(files, context)?;
        launch.spawn().map_err(|error| {
            files.remove(file::INTENT);
            Failure::new(FailureClass::Permanent, why_not_started(&program, directory.as_deref(), &error))
        })
    }

    fn prepare_launch(&self, call: Call, files: &AttemptFiles) -> io::Result<Launch> {
        let output = |name| call.capture.then(|| files.append(name)).transpose();
        let argv = if call.supervised {
            let mut argv: Vec<OsString> = vec![self.executable.clone().into()];
            argv.extend(supervise::arguments(files.base()));
            argv.extend(call.argv.iter().cloned());
            argv
        } else {
            call.argv.clone()
        };
        Ok(Launch {
            argv,
            stdin: call.stdin.as_deref().map(|bytes| files.anonymous(bytes)).transpose()?,
            stdout: output(file::STDOUT)?,
            stderr: output(file::STDERR)?,
            environment: call.environment,
            directory: call.directory,
        })
    }
}

/// Writes down that the program is about to be started.
fn note_intent(files: &AttemptFiles, context: &AttemptContext) -> Result<(), Failure> {
    let intent = Intent {
        key: context.idempotency_key.clone(),
        token: context.fencing_token,
        boot: boot_id().map(str::to_owned),
    };
    files.write_once(file::INTENT, &intent).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(
            FailureClass::InDoubt,
            "this attempt was begun before on this host; it is not started a second time",
        ),
        _ => unwritable(&error),
    })
}

/// How a supervised program ended, once its supervisor has said so.
pub(super) fn supervised_exit(files: &AttemptFiles) -> Option<Exit> {
    files.record(file::EXIT)
}

/// What is said when the attempt was given up while the program ran.
pub(super) fn given_up() -> Failure {
    Failure::new(
        FailureClass::InDoubt,
        "the command was stopped when its attempt was given up or ran out of time; \
         what it had done by then is not known",
    )
}

/// The supervisor has gone without a word. Its program is followed when it lives, else nobody knows how it
/// ended.
fn orphaned(files: &AttemptFiles) -> Result<Started, Failure> {
    match files.record::<ProcessRecord>(file::PROCESS) {
        Some(process) if process.is_alive() => Ok(Started::Handle(process_handle(&process))),
        _ => Err(Failure::new(
            FailureClass::InDoubt,
            "the command's supervisor was killed; its exit status is not known",
        )),
    }
}

/// Ends the program behind a supervisor, then lets the supervisor end by itself.
async fn stop_supervised(supervisor: &mut Child, files: &AttemptFiles, grace: std::time::Duration) {
    let started = async {
        loop {
            if let Some(process) = files.record::<ProcessRecord>(file::PROCESS) {
                break process;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        process = started => stop_group(process.pid, grace).await,
        _ = supervisor.wait() => return,
        () = tokio::time::sleep(grace) => {}
    }
    if tokio::time::timeout(grace, supervisor.wait()).await.is_err()
        && let Some(pid) = supervisor.id()
    {
        signal_group(pid, Signal::KILL);
    }
}
