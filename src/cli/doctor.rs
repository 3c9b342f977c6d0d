//! `drctl doctor`: looks whether this machine could run a failover now. Changes nothing; a scratch journal
//! is removed.

mod outside;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::session::{self, Session};
use super::table::{Table, Yield::Wrap};
use super::{Error, Global, exit, output, runs};
use crate::app;
use crate::app::launch::shelf::Shelf;
use crate::app::launch::{
    files,
    source::{self, Broken},
};
use crate::compile;
use crate::config::{Config, JournalPlace};
use crate::evidence;
use crate::journal::{MISSING, OLDER, OpenMode};
use crate::model::time::Timestamp;
use crate::ports::{Append, NewRecord, RunFilter, StreamName};
use crate::runtime;

/// Commits whose time is taken.
const COMMITS: usize = 20;
/// A commit slower than this deserves a word, in microseconds.
const SLOW_US: u128 = 50_000;
/// drctl was not built before this day: a clock that says so is wrong.
const BUILT_AFTER: i64 = 1_767_225_600_000;

/// Arguments of `doctor`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Note,
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

#[derive(Debug, Default)]
struct Findings {
    list: Vec<Finding>,
    journal_unusable: bool,
}

impl Findings {
    fn add(&mut self, what: &'static str, state: State, text: impl Into<String>) {
        self.list.push(Finding { what, state, text: text.into(), help: None });
    }

    fn help(&mut self, help: impl Into<String>) {
        if let Some(last) = self.list.last_mut() {
            last.help = Some(help.into());
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the configuration cannot be used.
pub(crate) fn run(global: &Global, _: &Arguments) -> Result<u8, Error> {
    let config = session::config(global)?;
    let mut findings = Findings::default();
    let file = config
        .file
        .as_ref()
        .map_or_else(|| "no file, defaults".to_owned(), |file| file.display().to_string());
    findings.add("configuration", State::Ok, file);
    findings.add(
        "who",
        State::Ok,
        format!("{} on {}", session::identity(global, &config).name, app::host_name()),
    );
    journal(global, &config, &mut findings);
    folders(&config, &mut findings);
    outside::look(&config, &mut findings);
    let problems = findings.list.iter().filter(|finding| finding.state == State::Problem).count();
    output::print(global.output, &findings.list, || render(&findings.list))?;
    output::say(&match problems {
        0 => "nothing stands in the way of a failover from here".to_owned(),
        1 => "1 problem".to_owned(),
        more => format!("{more} problems"),
    });
    Ok(if findings.journal_unusable { exit::UNREACHABLE } else { exit::SUCCESS })
}

fn render(findings: &[Finding]) -> String {
    let mut table = Table::default();
    for finding in findings {
        let word = match finding.state {
            State::Ok => "\x1b[32mok\x1b[0m",
            State::Note => "\x1b[33mnote\x1b[0m",
            State::Problem => "\x1b[1;31mPROBLEM\x1b[0m",
        };
        table.row([word, finding.what, &finding.text]);
        if let Some(help) = &finding.help {
            table.row(["", "", help]);
        }
    }
    table.fit("", output::width(), &[Wrap(2)])
}

fn journal(global: &Global, config: &Config, findings: &mut Findings) {
    if matches!(config.journal, JournalPlace::Postgres(_)) {
        return database(global, config, findings);
    }
    if matches!(config.journal, JournalPlace::Server(_)) {
        let newest = server(global, findings);
        return clock(newest, findings);
    }
    let JournalPlace::Sqlite(path) = &config.journal else {
        findings.add("journal", State::Note, "in memory: gone with the process; use it for simulations only");
        return clock(None, findings);
    };
    let folder = existing_folder(path);
    let newest = if path.exists() {
        opened(global, findings)
    } else {
        findings.add("journal", State::Ok, format!("{}: none yet, the first run makes it", path.display()));
        None
    };
    file_system(&folder, findings);
    match commit_times(config, &folder) {
        Ok(times) => {
            let advice = "every step of a run waits for one: keep the journal on a local, faster disk";
            commit(&times, "each synced to the disk", advice, findings);
        }
        Err(error) => {
            findings.journal_unusable = true;
            findings.add(
                "commit",
                State::Problem,
                format!("nothing can be recorded in {}: {}", folder.display(), error.message),
            );
            findings.help("`--journal PATH` uses another place");
        }
    }
    clock(newest, findings);
}

/// A server: whether it answers to this token, and what is open there; returns the newest time it knows.
fn server(global: &Global, findings: &mut Findings) -> Option<Timestamp> {
    let asked = Session::open_as(global, OpenMode::ReadOnly).and_then(|session| {
        let version = session::block_on(async {
            match &session.server {
                Some(server) => Ok(server.version().await?),
                None => Err(Error::new(exit::BUG, "there is no server to ask")),
            }
        })?;
        Ok((session, version))
    });
    match asked {
        Ok((session, version)) => {
            let text = format!("{}, drctl {version}", session.journal.describe());
            let same = version == env!("CARGO_PKG_VERSION");
            findings.add("journal", if same { State::Ok } else { State::Note }, text);
            if !same {
                findings.help(format!("this is drctl {}: use the same version", env!("CARGO_PKG_VERSION")));
            }
            open_runs(&session, findings)
        }
        Err(error) => {
            findings.journal_unusable = true;
            findings.add("journal", State::Problem, error.message);
            findings.help(error.help.unwrap_or_default());
            None
        }
    }
}

/// What is open in the journal; returns the newest time it knows.
fn opened(global: &Global, findings: &mut Findings) -> Option<Timestamp> {
    looked_into(global, findings).and_then(|session| open_runs(&session, findings))
}

/// Opens the journal for reading, and says what it is.
fn looked_into(global: &Global, findings: &mut Findings) -> Option<Session> {
    match Session::open_as(global, OpenMode::ReadOnly) {
        Ok(session) => {
            let described = session.journal.describe();
            let sound = !described.contains("NOT DURABLE");
            findings.add("journal", if sound { State::Ok } else { State::Problem }, described);
            Some(session)
        }
        Err(error) if error.message.contains(MISSING) => {
            findings.add("journal", State::Note, error.message);
            findings.help("the first command that writes makes it, with a user who may create a schema");
            None
        }
        Err(error) if error.message.contains(OLDER) => {
            findings.add("journal", State::Note, error.message);
            findings
                .help("nodes of the version before refuse it from then on: bring them up to date as well");
            None
        }
        Err(error) => {
            findings.journal_unusable = true;
            findings.add("journal", State::Problem, error.message);
            findings.help(error.help.unwrap_or_default());
            None
        }
    }
}

/// A journal in PostgreSQL.
fn database(global: &Global, config: &Config, findings: &mut Findings) {
    // Opened for writing, one that is missing would be made, and an older one brought up to date.
    let Some(session) = looked_into(global, findings) else { return clock(None, findings) };
    let newest = open_runs(&session, findings);
    let measured = session::block_on(async { Ok(app::commit_times(config, COMMITS).await?) });
    match measured {
        Ok(times) => {
            let advice = "every step of a run waits for one: keep drctl near the primary and its standby";
            commit(
                &times.unwrap_or_default(),
                "one round trip each, as durable as an append",
                advice,
                findings,
            );
        }
        Err(error) => {
            findings.journal_unusable = true;
            findings.add("commit", State::Problem, format!("nothing can be recorded: {}", error.message));
            findings.help(error.help.unwrap_or_default());
        }
    }
    clock(newest, findings);
}

fn commit(times: &[u128], what: &str, advice: &str, findings: &mut Findings) {
    let median = times.get(times.len() / 2).copied().unwrap_or(0);
    let worst = times.last().copied().unwrap_or(0);
    let text =
        format!("{} median, {} worst of {} commits, {what}", millis(median), millis(worst), times.len());
    findings.add("commit", if median > SLOW_US { State::Note } else { State::Ok }, text);
    if median > SLOW_US {
        findings.help(advice);
    }
}

fn millis(micros: u128) -> String {
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}

/// The nearest folder above a file that exists.
fn existing_folder(path: &Path) -> PathBuf {
    let above = path.ancestors().skip(1).find(|folder| folder.is_dir());
    above.filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Microseconds of real appends to a scratch journal on the same file system, in order.
fn commit_times(config: &Config, folder: &Path) -> Result<Vec<u128>, Error> {
    let scratch = folder.join(format!(".drctl-doctor-{}", std::process::id()));
    std::fs::create_dir(&scratch)?;
    let config = Config { journal: JournalPlace::Sqlite(scratch.join("journal.db")), ..config.clone() };
    let measured = measure(&config);
    // What is left of a scratch journal harms nobody; what was measured matters more.
    let _ = std::fs::remove_dir_all(&scratch);
    measured
}

fn measure(config: &Config) -> Result<Vec<u128>, Error> {
    let journal = app::open_journal(config, OpenMode::ReadWrite)?;
    let mut times = session::block_on(async {
        let mut times = Vec::with_capacity(COMMITS);
        for _ in 0..COMMITS {
            let records = vec![NewRecord { kind: "doctor", version: 1, body: "{}".to_owned() }];
            let (stream, at) = (Some(StreamName::typed("doctor")), Some(session::now()));
            let began = Instant::now();
            journal.append(vec![Append { stream, at, records, ..Append::default() }]).await?;
            times.push(began.elapsed().as_micros());
        }
        Ok(times)
    })?;
    times.sort_unstable();
    Ok(times)
}

fn file_system(folder: &Path, findings: &mut Findings) {
    let Ok(found) = rustix::fs::statfs(folder) else { return };
    let (name, state) = match found.f_type.cast_unsigned() & 0xffff_ffff {
        0xef53 => ("ext4", State::Ok),
        0x5846_5342 => ("xfs", State::Ok),
        0x9123_683e => ("btrfs", State::Ok),
        0x2fc1_2fc1 => ("zfs", State::Ok),
        0x794c_7630 => ("overlay", State::Note),
        0x0102_1994 => ("tmpfs, gone with the machine", State::Note),
        0x6969 => ("nfs", State::Problem),
        0xff53_4d42 | 0xfe53_4d42 | 0x517b => ("smb", State::Problem),
        0x0102_1997 => ("9p", State::Note),
        0x6573_5546 => ("fuse", State::Note),
        _ => ("unknown", State::Note),
    };
    findings.add("file system", state, format!("{name} below {}", folder.display()));
    if state == State::Problem {
        findings.help("locks are not reliable there: keep the journal on a local disk");
    }
}

fn clock(newest: Option<Timestamp>, findings: &mut Findings) {
    let now = session::now();
    let (state, text) = match newest {
        _ if now.as_millis() < BUILT_AFTER => (State::Problem, format!("{now} is before drctl was built")),
        Some(newest) if newest > now => {
            (State::Problem, format!("{now} is {} before the newest record", newest.since(now)))
        }
        Some(_) | None => (State::Ok, now.to_string()),
    };
    findings.add("clock", state, text);
    if state == State::Problem {
        findings.help("set this machine's clock: recovery times and deadlines are counted by it");
    }
}

/// Every run that is not over, with what it waits for. Returns the time of the newest run.
fn open_runs(session: &Session, findings: &mut Findings) -> Option<Timestamp> {
    let read = session::block_on(async {
        let all = session.journal.runs(&RunFilter { limit: 1, ..RunFilter::default() }).await?;
        let open = session.journal.runs(&RunFilter { open: true, ..RunFilter::default() }).await?;
        let mut lines = Vec::new();
        for run in &open {
            let driver = runs::driver(session, &run.run).await?;
            let loaded = runtime::load(session.journal.as_ref(), &run.run).await?;
            let needed = evidence::needs_person(&loaded.plan, &loaded.state).into_iter().next();
            let (mut text, mut help) = (format!("{} is {}", run.run, run.status), None);
            if let Some(needed) = needed {
                text = format!("{text}: {}", needed.text);
                help = Some(needed.command);
            } else if driver.is_none() {
                help = Some(format!("drctl resume {}", run.run));
            }
            let by =
                driver.map_or_else(|| "nobody drives it".to_owned(), |driver| format!("driven by {driver}"));
            lines.push((format!("{text}; {by}"), help));
        }
        Ok((all.first().map(|run| run.ended_at.unwrap_or(run.created_at)), lines))
    });
    match read {
        Ok((newest, lines)) => {
            if lines.is_empty() {
                findings.add("open runs", State::Ok, "none");
            }
            for (text, help) in lines {
                findings.add("open run", State::Note, text);
                if let Some(help) = help {
                    findings.help(help);
                }
            }
            newest
        }
        Err(error) => {
            findings.journal_unusable = true;
            findings.add("open runs", State::Problem, error.message);
            findings.help(error.help.unwrap_or_default());
            None
        }
    }
}

fn folders(config: &Config, findings: &mut Findings) {
    let options = match source::options(config) {
        Ok(options) => options,
        Err(error) => return findings.add("lints", State::Problem, error.message),
    };
    for folder in &config.runbooks {
        if !folder.is_dir() {
            findings.add("runbooks", State::Note, format!("{}: no such folder", folder.display()));
            continue;
        }
        let files::Found { files, unreadable } = files::within(folder);
        for Broken { path, why } in unreadable {
            findings.add("runbooks", State::Problem, format!("{} {why}", path.display()));
        }
        if files.is_empty() {
            findings.add(
                "runbooks",
                State::Note,
                format!("{}: no *.yaml or *.yml is there", folder.display()),
            );
            continue;
        }
        let broken: Vec<_> = files
            .iter()
            .filter(|file| !compiles(config, &options, file))
            .map(|file| file.display().to_string())
            .collect();
        let text = format!("{}: {} of {} compile", folder.display(), files.len() - broken.len(), files.len());
        let state = if broken.is_empty() { State::Ok } else { State::Problem };
        findings.add("runbooks", state, text);
        if !broken.is_empty() {
            findings.help(format!("drctl validate {}", broken.join(" ")));
        }
    }
}

fn compiles(config: &Config, options: &compile::Options, path: &Path) -> bool {
    let Ok(text) = source::read(path) else { return false };
    if files::is_fleet(&text) {
        let shelf = Shelf::read(&config.runbooks, options, path);
        return compile::fleet(&text, &shelf.directory()).0.is_some();
    }
    files::is_scenario(&text) || compile::compile_with(&text, options).0.is_some()
}
