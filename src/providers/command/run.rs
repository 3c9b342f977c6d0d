//! Starts the program of an attempt and waits for it. Must write down the intent before the start and the
//! process right after it, so that a later driver on this host can tell what became of it.

use std::ffi::OsString;
use std::fs::File;
use std::io;

use serde_json::{Value, json};
use tokio::process::Child;

use super::call::Call;
use super::outcome::{self, Exit, Keep};
use super::traces::Traces;
use super::{CommandProvider, file, supervise};
use crate::model::action::command::Run;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, Started};
use crate::providers::child::{
    AttemptFiles, Begun, Launch, Outputs, Printed, ProcessRecord, Signal, Uptime, boot_id, signal_group,
    stop_group, unwritable, why_not_started,
};

/// Pause between two looks for a record the supervisor is about to write.
const LOOK: std::time::Duration = std::time::Duration::from_millis(5);

/// A handle that finds the program of an attempt again.
pub(super) fn process_handle(process: &ProcessRecord) -> Value {
    json!({ "process": process })
}

impl CommandProvider {
    /// Runs the program to its end.
    pub(super) async fn run(&self, run: &Run, context: &AttemptContext) -> Result<Started, Failure> {
        let call = Call::of_attempt(run, context)?;
        let traces = self.traces(context);
        if call.supervised {
            self.run_supervised(call, &traces.files, context).await
        } else {
            run_as_child(call, &traces, context).await
        }
    }

    async fn run_supervised(
        &self,
        call: Call,
        files: &AttemptFiles,
        context: &AttemptContext,
    ) -> Result<Started, Failure> {
        let (grace, keep) = (call.grace, Keep::new(call.capture));
        let mut supervisor = self.launch_supervised(call, files, context)?;
        // Unsynced, and allowed to fail: without it a later driver still finds the program by its key.
        let _ = files.publish(file::SUPERVISOR, &ProcessRecord::of(supervisor.id().unwrap_or_default()));
        let ended = tokio::select! {
            ended = supervisor.wait() => ended,
            () = context.cancelled.cancelled() => {
                note_given_up(files);
                stop_supervised(&mut supervisor, files, grace).await;
                let _ = supervisor.wait().await;
                return Err(given_up());
            }
        };
        ended.map_err(|error| missed(&error))?;
        match supervised_exit(files) {
            Some(exit) => outcome::settle(&exit, &Printed::of(files), keep).map(Started::Done),
            None => orphaned(files),
        }
    }

    fn launch_supervised(
        &self,
        call: Call,
        files: &AttemptFiles,
        context: &AttemptContext,
    ) -> Result<Child, Failure> {
        files.create().map_err(|error| unwritable(&error))?;
        let output = |name| call.capture.then(|| files.append(name)).transpose();
        let open = || Ok((output(file::STDOUT)?, output(file::STDERR)?));
        let outputs = open().map_err(|error| unwritable(&error))?;
        let named = Named::of(&call);
        let mut launch = launch(call, files, outputs).map_err(|error| unwritable(&error))?;
        let mut argv: Vec<OsString> = vec![self.executable.clone().into()];
        argv.extend(supervise::arguments(files.base()));
        argv.append(&mut launch.argv);
        launch.argv = argv;
        // The last thing before the start: a crash between the two leaves doubt where there need be none.
        files.write_once(file::INTENT, &begun(context)).map_err(|error| not_begun(&error))?;
        launch.spawn().map_err(|error| {
            files.remove(file::INTENT);
            named.not_started(&error)
        })
    }
}

async fn run_as_child(call: Call, traces: &Traces, context: &AttemptContext) -> Result<Started, Failure> {
    let (grace, keep) = (call.grace, Keep::new(call.capture));
    let (mut child, outputs) = launch_child(call, traces, context)?;
    let pid = child.id().unwrap_or_default();
    let ended = tokio::select! {
        ended = child.wait() => ended,
        () = context.cancelled.cancelled() => {
            // What has ended counts as there until it is waited for.
            let _ = tokio::join!(stop_group(pid, grace), child.wait());
            return Err(given_up());
        }
    };
    let exit = Exit::of(ended.map_err(|error| missed(&error))?);
    let printed = outputs.map(Outputs::end).unwrap_or_default();
    outcome::settle(&exit, &printed, keep).map(Started::Done)
}

/// Starts the program and notes its process.
fn launch_child(
    call: Call,
    traces: &Traces,
    context: &AttemptContext,
) -> Result<(Child, Option<Outputs>), Failure> {
    let (files, folder) = (&traces.files, traces.folder());
    let outputs = call.capture.then(|| folder.outputs(files, context.fencing_token)).transpose();
    let (outputs, stdout, stderr) = match outputs.map_err(|error| unwritable(&error))? {
        Some((outputs, stdout, stderr)) => (Some(outputs), Some(stdout), Some(stderr)),
        None => (None, None, None),
    };
    let named = Named::of(&call);
    let launch = launch(call, files, (stdout, stderr)).map_err(|error| unwritable(&error))?;
    let (stdout, stderr) = outputs.as_ref().map(Outputs::names).unwrap_or_default();
    // The last thing before the start: a crash between the two leaves doubt where there need be none.
    folder.begin(files, &Begun { stdout, stderr, ..begun(context) }).map_err(|error| not_begun(&error))?;
    let before = Uptime::now();
    match launch.spawn() {
        Ok(child) => {
            let process = ProcessRecord::of_child(child.id().unwrap_or_default(), before);
            // Allowed to fail: without it a later driver still finds the program by its key.
            let _ = folder.note_process(files, &process);
            Ok((child, outputs))
        }
        Err(error) => {
            let _ = folder.withdraw(files);
            Err(named.not_started(&error))
        }
    }
}

fn launch(
    call: Call,
    files: &AttemptFiles,
    (stdout, stderr): (Option<File>, Option<File>),
) -> io::Result<Launch> {
    let stdin = call.stdin.as_deref().map(|bytes| files.anonymous(bytes)).transpose()?;
    Ok(Launch {
        argv: call.argv,
        environment: call.environment,
        directory: call.directory,
        stdin,
        stdout,
        stderr,
    })
}

/// What a program is called when it could not be started.
struct Named {
    program: OsString,
    directory: Option<String>,
}

impl Named {
    fn of(call: &Call) -> Self {
        Self {
            program: call.argv.first().cloned().unwrap_or_default(),
            directory: call.directory.as_ref().map(|directory| directory.to_string_lossy().into_owned()),
        }
    }

    fn not_started(&self, error: &io::Error) -> Failure {
        let why = why_not_started(&self.program, self.directory.as_deref(), error);
        Failure::new(FailureClass::Refused, why)
    }
}

/// What is noted before the program is started.
fn begun(context: &AttemptContext) -> Begun {
    Begun {
        key: context.idempotency_key.clone(),
        token: context.fencing_token,
        boot: boot_id().map(str::to_owned),
        stdout: None,
        stderr: None,
    }
}

/// Says why nothing was started when it could not be noted.
fn not_begun(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(
            FailureClass::InDoubt,
            "this attempt was begun before on this host; it is not started a second time",
        ),
        _ => unwritable(error),
    }
}

fn missed(error: &io::Error) -> Failure {
    Failure::new(FailureClass::InDoubt, format!("the end of the command was missed: {error}"))
}

/// How a supervised program ended, once its supervisor has said so.
pub(super) fn supervised_exit(files: &AttemptFiles) -> Option<Exit> {
    files.record(file::EXIT)
}

/// Notes that drctl is about to stop the program of an attempt. Allowed to fail: the journal of an attempt
/// that ran out of time says so as well.
pub(super) fn note_given_up(files: &AttemptFiles) {
    let _ = files.publish(file::GIVEN_UP, &true);
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
