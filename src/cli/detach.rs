//! `--detach`: starts the same command in a process of its own that outlives this terminal.

use std::process::Stdio;

use super::session::{self, Session};
use super::{Error, Global, exit, output};
use crate::config::JournalPlace;
use crate::model::time::Duration;
use crate::ports::{Clock, IdSource, RunFilter};
use crate::runtime::SystemClock;

/// How long the new process may take to record its run.
const STARTS_WITHIN: Duration = Duration::from_secs(15);

/// Runs the command.
///
/// # Errors
/// When the process cannot be started, or does not record a run.
pub(crate) fn run(global: &Global, key: Option<&str>) -> Result<u8, Error> {
    let session = Session::open(global)?;
    let given = key.is_some();
    let key = key.map_or_else(|| format!("detached-{}", crate::app::RandomIds.suffix()), str::to_owned);
    let mut arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--detach").collect();
    if !given {
        arguments.extend(["--idempotency-key".to_owned(), key.clone()]);
    }
    let folder = session.config.state.join("detached");
    std::fs::create_dir_all(&folder)?;
    let log = folder.join(format!("{key}.log"));
    let file = std::fs::File::create(&log)?;
    let mut child = spawn(&arguments, None, &file)?;
    session::block_on(async {
        let clock = SystemClock::real();
        let until = clock.now().plus(STARTS_WITHIN);
        while clock.now() < until {
            let filter = RunFilter { simulated: true, limit: 50, ..RunFilter::default() };
            let runs = session.journal.runs(&filter).await?;
            if let Some(run) = runs.iter().find(|run| run.idempotency_key.as_deref() == Some(&key)) {
                output::line(run.run.as_str())?;
                output::say(&format!(
                    "driven by pid {}; `drctl runs watch {}` follows it",
                    child.id(),
                    run.run
                ));
                return Ok(exit::SUCCESS);
            }
            if let Some(status) = child.try_wait()? {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                output::say(text.trim_end());
                let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::BUG);
                return Err(Error::new(code, "the detached process ended before it had started a run"));
            }
            session.journal.changed(Duration::from_millis(50)).await;
        }
        Err(Error::new(exit::UNREACHABLE, format!("no run was recorded within {STARTS_WITHIN}"))
            .help(format!("see {}", log.display())))
    })
}

/// Starts a process that goes on with a run in the background.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn resume(session: &Session, run: &str) -> Result<u32, Error> {
    let folder = session.config.state.join("detached");
    std::fs::create_dir_all(&folder)?;
    let log = std::fs::File::create(folder.join(format!("{run}.log")))?;
    let mut arguments = vec!["resume".to_owned(), run.to_owned()];
    let mut address = None;
    match &session.config.journal {
        JournalPlace::Sqlite(path) => {
            arguments.extend(["--journal".to_owned(), format!("sqlite:{}", path.display())]);
        }
        // Everybody on this machine could read it among the arguments.
        JournalPlace::Postgres(url) => address = Some(url.text.as_str()),
        JournalPlace::Memory => {}
        JournalPlace::Server(_) => {
            return Err(Error::new(exit::BUG, "the runs of a server are driven there"));
        }
    }
    Ok(spawn(&arguments, address, &log)?.id())
}

/// Starts drctl again in a process group of its own, so that this terminal's signals do not reach it.
/// `journal`: address that must not stand among the arguments.
///
/// # Errors
/// When the process cannot be started.
#[expect(clippy::disallowed_methods, reason = "drctl starting itself again is no action of a runbook")]
fn spawn(
    arguments: &[String],
    journal: Option<&str>,
    log: &std::fs::File,
) -> Result<std::process::Child, Error> {
    use std::os::unix::process::CommandExt;
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.envs(journal.map(|address| ("DRCTL_JOURNAL", address)));
    command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log.try_clone()?);
    Ok(command.process_group(0).spawn()?)
}
