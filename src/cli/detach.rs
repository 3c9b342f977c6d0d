//! Processes of their own that outlive this terminal: `--detach` starts the same command in one, and a run
//! that is driven here can be handed on to one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use super::session::{self, Session};
use super::{Error, Global, exit, output};
use crate::app::launch::inbox;
use crate::config::JournalPlace;
use crate::model::id::RunId;
use crate::model::time::Duration;
use crate::ports::{Clock, IdSource, RunFilter, StreamName};
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
    let mut arguments: Vec<_> =
        std::env::args_os().skip(1).filter(|argument| argument != "--detach").collect();
    if !given {
        arguments.extend(["--idempotency-key".into(), key.clone().into()]);
    }
    let folder = session.config.state.join("detached");
    std::fs::create_dir_all(&folder)?;
    let log = folder.join(format!("{key}.log"));
    let file = std::fs::File::create(&log)?;
    let mut child = spawn(&arguments, None, &BTreeMap::new(), &file)?;
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

/// What another process needs to go on with the run of this one.
#[derive(Debug)]
pub(crate) struct HandedOn {
    /// Flags of this command.
    pub global: Global,
    /// Values of sensitive parameters, which stand in no journal.
    pub sensitive: BTreeMap<String, Value>,
}

impl HandedOn {
    /// The command for a run and a journal. Everybody on this machine can read it, so that neither values nor
    /// an address with a password stand in it.
    fn arguments(&self, run: &RunId, journal: Option<String>) -> Vec<OsString> {
        let Global { config, local, identity, verbose, .. } = &self.global;
        let mut arguments: Vec<OsString> = vec!["resume".into(), run.as_str().into()];
        arguments.extend(journal.into_iter().flat_map(|journal| ["--journal".into(), journal.into()]));
        arguments.extend(config.iter().flat_map(|file| ["--config".into(), file.into()]));
        arguments.extend(identity.iter().flat_map(|name| ["--as".into(), name.into()]));
        arguments.extend(local.then(|| "--local".into()));
        arguments.extend((0..*verbose).map(|_| "--verbose".into()));
        arguments.extend((!self.sensitive.is_empty()).then(|| "--handed-on".into()));
        arguments
    }
}

/// Values of sensitive parameters that the process which started this one has written to its standard input.
///
/// # Errors
/// When they cannot be read.
pub(super) fn handed_on() -> Result<BTreeMap<String, Value>, Error> {
    serde_json::from_reader(std::io::stdin().lock())
        .map_err(|error| Error::new(exit::USAGE, format!("--handed-on: {error}")))
}

/// Starts a process that goes on with a run in the background, and says what became of that. `after`: the
/// last fact that this process has recorded.
///
/// # Errors
/// When it cannot be started, or does not go on with the run.
pub(crate) async fn resume(
    session: &Session,
    run: &RunId,
    after: u64,
    handed: &HandedOn,
) -> Result<String, Error> {
    let folder = session.config.state.join("detached");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{run}.log"));
    let log = std::fs::File::create(&path)?;
    let (journal, address) = match &session.config.journal {
        JournalPlace::Sqlite(path) => (Some(format!("sqlite:{}", path.display())), None),
        JournalPlace::Postgres(url) => (None, Some(url.text.as_str())),
        JournalPlace::Memory => (None, None),
        JournalPlace::Server(_) => {
            return Err(Error::new(exit::BUG, "the runs of a server are driven there"));
        }
    };
    let child = spawn(&handed.arguments(run, journal), address, &handed.sensitive, &log)?;
    goes_on(session, (run, after), child, &path).await.map_err(|error| {
        let set: Vec<_> = handed.sensitive.keys().map(|name| format!(" --set {name}=…")).collect();
        let set = set.concat();
        error.help(format!(
            "what is under way goes on, nothing else is begun: `drctl resume {run}{set}` goes on with the run; \
             see {}",
            path.display()
        ))
    })
}

/// Waits until the new process has recorded that it drives the run.
async fn goes_on(
    session: &Session,
    (run, after): (&RunId, u64),
    mut child: Child,
    log: &Path,
) -> Result<String, Error> {
    let (clock, pid, stream) = (SystemClock::real(), child.id(), StreamName::run(run));
    let until = clock.now().plus(STARTS_WITHIN);
    while clock.now() < until {
        // Asked before the journal is read: one that goes on and ends at once is heard.
        let ended = child.try_wait()?;
        let holder = inbox::driven_by(session, run).await?;
        let recorded = !session.journal.read(&stream, after, 1).await?.is_empty();
        match (ended, holder) {
            (None, Some(holder)) if recorded && holder.pid == pid => {
                return Ok(format!(
                    "goes on in the background (pid {pid}); `drctl runs watch {run}` follows it"
                ));
            }
            (Some(_), Some(holder)) if recorded => {
                return Ok(format!("{holder} drives {run}; `drctl runs watch {run}` follows it"));
            }
            (Some(_), None) if recorded => {
                return Ok(format!(
                    "went on in the background as far as it could; `drctl runs show {run}` says where it stands"
                ));
            }
            (Some(status), _) => {
                output::say(std::fs::read_to_string(log).unwrap_or_default().trim_end());
                let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
                let what = format!("the background process ended before it went on: nobody drives {run}");
                return Err(Error::new(code.unwrap_or(exit::NEEDS_PERSON), what));
            }
            (None, _) => session.journal.changed(Duration::from_millis(50)).await,
        }
    }
    let what = format!("the background process (pid {pid}) has not gone on with {run} in {STARTS_WITHIN}");
    Err(Error::new(exit::NEEDS_PERSON, what))
}

/// Starts drctl again in a process group of its own, so that this terminal's signals do not reach it.
/// `journal`: address that must not stand among the arguments. `sensitive`: written to its standard input.
///
/// # Errors
/// When the process cannot be started.
#[expect(clippy::disallowed_methods, reason = "drctl starting itself again is no action of a runbook")]
fn spawn(
    arguments: &[OsString],
    journal: Option<&str>,
    sensitive: &BTreeMap<String, Value>,
    log: &std::fs::File,
) -> Result<Child, Error> {
    use std::os::unix::process::CommandExt;
    let mut command = std::process::Command::new(std::env::current_exe()?);
    if let Some(address) = journal {
        // Named beside a server it would be refused.
        command.env_remove("DRCTL_SERVER").env("DRCTL_JOURNAL", address);
    }
    command.args(arguments).stdout(log.try_clone()?).stderr(log.try_clone()?);
    command.stdin(if sensitive.is_empty() { Stdio::null() } else { Stdio::piped() });
    let mut child = command.process_group(0).spawn()?;
    if let Some(input) = child.stdin.take() {
        // One that does not read them says itself what it misses.
        let _ = serde_json::to_writer(input, sensitive);
    }
    Ok(child)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Format;

    /// Neither values nor an address with a password stand among the arguments, which everybody can read.
    #[test]
    fn all_flags_are_handed_on_and_no_value() {
        let global = Global {
            config: Some("other.toml".into()),
            journal: Some("postgres://a:hunter2@h/d".to_owned()),
            server: None,
            local: true,
            output: Format::Json,
            identity: Some("bob".to_owned()),
            verbose: 2,
        };
        let sensitive = BTreeMap::from([("word".to_owned(), Value::from("hunter2"))]);
        let run = RunId::new("pay-aaaaaaaa").unwrap();
        let arguments = HandedOn { global, sensitive }.arguments(&run, None);
        let arguments = arguments.iter().map(|argument| argument.to_str().unwrap()).collect::<Vec<_>>();
        let expected =
            "resume pay-aaaaaaaa --config other.toml --as bob --local --verbose --verbose --handed-on";
        assert_eq!(arguments.join(" "), expected);
    }
}
