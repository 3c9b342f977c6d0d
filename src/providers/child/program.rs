//! Runs a short program on behalf of an action, such as a server's stop command, and says how it ended. Must
//! never decide what that means.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::{Launch, ProcessRecord, RunFiles, environment, stop_group, why_not_started};
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;
use crate::providers::excerpt;

/// Time between SIGTERM and SIGKILL when a program takes too long.
const GRACE: Duration = Duration::from_secs(5);

/// Runs programs for actions; keeps what they print beside the attempt's other files.
#[derive(Debug, Clone)]
pub struct ProgramRunner {
    files: RunFiles,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::providers) struct ProgramEnd {
    /// Exit status 0.
    pub success: bool,
    /// Exit status and the end of what it printed, for people.
    pub account: String,
}

impl ProgramRunner {
    /// Makes a runner that keeps its files in `run_directory` (`<state>/runs`).
    #[must_use]
    pub fn new(run_directory: PathBuf) -> Self {
        Self { files: RunFiles::new(run_directory) }
    }

    /// Runs a program to its end, at most for `limit`. A program that could not be started, or was cut short,
    /// is an end without success. A program goes on when the future
    /// is dropped, and is found again by [`Self::live`].
    ///
    /// # Errors
    /// When the attempt's files cannot be written; nothing was started.
    pub(in crate::providers) async fn run(
        &self,
        name: &'static str,
        argv: &[String],
        limit: Option<Duration>,
        context: &AttemptContext,
    ) -> Result<ProgramEnd, Failure> {
        let files = self.files.attempt(context);
        let output = format!("{name}-output");
        let open = || -> std::io::Result<_> {
            files.create()?;
            let stdout = files.append(&output)?;
            Ok((stdout.try_clone()?, stdout))
        };
        let (stderr, stdout) = open().map_err(|error| unwritable(&error))?;
        let launch = Launch {
            argv: argv.iter().map(OsString::from).collect(),
            environment: environment(context)
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            directory: None,
            stdin: None,
            stdout: Some(stdout),
            stderr: Some(stderr),
        };
        let mut child = match launch.spawn() {
            Ok(child) => child,
            Err(error) => {
                let program = argv.first().map(OsString::from).unwrap_or_default();
                return Ok(ProgramEnd { success: false, account: why_not_started(&program, None, &error) });
            }
        };
        let pid = child.id().unwrap_or_default();
        // Unsynced and allowed to fail: it only helps a later driver on this host not to start the program
        // twice.
        let _ = files.publish(&format!("{name}-process"), &ProcessRecord::of(pid));
        let ended = tokio::select! {
            status = child.wait() => Some(status),
            () = expired(limit) => None,
            () = context.cancelled.cancelled() => None,
        };
        let _ = files.publish(&format!("{name}-end"), &matches!(&ended, Some(Ok(_))));
        let said = || if context.sensitive { String::new() } else { excerpt::tail(&files.ending(&output)) };
        match ended {
            Some(Ok(status)) => {
                Ok(ProgramEnd { success: status.success(), account: account(status, &said()) })
            }
            Some(Err(error)) => {
                Ok(ProgramEnd { success: false, account: format!("its end was missed: {error}") })
            }
            None => {
                // What has ended counts as there until it is waited for.
                let _ = tokio::join!(stop_group(pid, GRACE), child.wait());
                Ok(ProgramEnd {
                    success: false,
                    account: with_words("it took too long and was stopped", &said()),
                })
            }
        }
    }

    /// Whether an earlier attempt of the same step started a program of that name, and nobody saw it end by
    /// itself.
    pub(in crate::providers) fn was_cut_off(&self, name: &str, context: &AttemptContext) -> bool {
        (1..context.attempt).any(|attempt| {
            let files = self.files.attempt(&AttemptContext { attempt, ..context.clone() });
            files.record::<ProcessRecord>(&format!("{name}-process")).is_some()
                && files.record::<bool>(&format!("{name}-end")) != Some(true)
        })
    }

    /// The program of that name that was started by this attempt and still runs.
    pub(in crate::providers) fn live(&self, name: &str, context: &AttemptContext) -> Option<ProcessRecord> {
        let record: ProcessRecord = self.files.attempt(context).record(&format!("{name}-process"))?;
        record.is_alive().then_some(record)
    }
}

async fn expired(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

fn account(status: ExitStatus, said: &str) -> String {
    // ExitStatus prints "exit status: 3" or "signal: 9 (SIGKILL)".
    with_words(&status.to_string(), said)
}

fn with_words(account: &str, said: &str) -> String {
    if said.is_empty() { account.to_owned() } else { format!("{account}: {said}") }
}

/// A failure because the attempt's files cannot be written; nothing was started.
pub(in crate::providers) fn unwritable(error: &std::io::Error) -> Failure {
    let message = format!("the files of the attempt cannot be written, so nothing was started: {error}");
    Failure::new(FailureClass::Refused, message)
}
