//! `drctl journal`: verifies, copies, exports and prunes what was recorded. Never changes a hash.

mod nodes;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::session::{self, Session};
use super::table::local;
use super::{Error, Global, exit, follow, output};
use crate::app;
use crate::config::{Config, JournalPlace};
use crate::journal::{OpenMode, export};
use crate::model::time::Timestamp;
use crate::ports::{Append, JournalAdmin, NewRecord, Record, StreamName};

/// Records read at once.
const PAGE: usize = 1_000;
const DAY_MS: i64 = 86_400_000;

/// What to do with the journal.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Check every chain, head, digest and the store itself.
    Verify,
    /// Write a consistent copy while work goes on: a SQLite file, also of a journal in PostgreSQL.
    Backup(BackupArguments),
    /// Copy a journal into an empty one of another kind or place, and verify the copy.
    Copy(CopyArguments),
    /// Show who serves on it, and which runs passed from one node to another.
    Nodes,
    /// Print every record as JSON lines.
    Export(ExportArguments),
    /// Drop the contents of old runs, deliveries and readings; the list of runs and all hashes stay.
    Prune(PruneArguments),
}

/// Arguments of `journal backup`.
#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArguments {
    /// File; must not exist.
    file: PathBuf,
}

/// Arguments of `journal copy`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CopyArguments {
    /// The journal to copy: a path, `sqlite:PATH` or `postgres://…`.
    from: String,
    /// Where to: the same; must be empty, or not there yet.
    to: String,
    /// Copy although runs are being driven in the old journal: no `serve` may have the new one before they
    /// are over.
    #[arg(long)]
    while_driven: bool,
}

/// Arguments of `journal export`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExportArguments {
    /// Only this run: an id, a unique beginning of one, or `latest`.
    #[arg(long)]
    run: Option<String>,
    /// With --run: also its plan, its runbook and large outputs, so that `drctl replay` needs nothing else.
    #[arg(long, requires = "run")]
    blobs: bool,
}

/// Arguments of `journal prune`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PruneArguments {
    /// What ended or was recorded longer ago than this, such as 90d or 7y.
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: i64,
    /// Why; required.
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

/// Reads an age as milliseconds; unlike durations of a runbook it may be years long.
fn age(text: &str) -> Result<i64, String> {
    let invalid = || format!("`{text}` is not an age: write it like 90d, 7y or 36h");
    let long = [("y", 365 * DAY_MS), ("d", DAY_MS)].into_iter().find_map(|(unit, scale)| {
        let count: i64 = text.strip_suffix(unit)?.trim().parse().ok().filter(|count| *count >= 0)?;
        count.checked_mul(scale)
    });
    if let Some(millis) = long {
        return Ok(millis);
    }
    let short: crate::model::time::Duration = text.parse().map_err(|_| invalid())?;
    i64::try_from(short.as_millis()).map_err(|_| invalid())
}

/// Runs the command.
///
/// # Errors
/// When the journal cannot be used; damage has an exit code of its own.
pub(crate) fn run(global: &Global, command: &Command) -> Result<u8, Error> {
    let mode = match command {
        Command::Copy(arguments) => return copy(global, arguments),
        Command::Prune(_) => OpenMode::ReadWrite,
        Command::Verify | Command::Backup(_) | Command::Nodes | Command::Export(_) => OpenMode::ReadOnly,
    };
    let session = Session::open_as(global, mode).map_err(of_this_journal)?;
    let done = session::block_on(async {
        match command {
            Command::Verify => verify(global, &session).await,
            Command::Backup(arguments) => backup(global, &session, arguments).await,
            Command::Copy(_) => Ok(exit::BUG), // Handled above: it opens two journals of its own.
            Command::Nodes => nodes::show(global, &session).await,
            Command::Export(arguments) => export(&session, arguments).await,
            Command::Prune(arguments) => prune(global, &session, arguments).await,
        }
    });
    done.map_err(of_this_journal)
}

/// A run on a fresh journal is no help to who looks after this one.
fn of_this_journal(error: Error) -> Error {
    if error.reason != Some("journal_unavailable") {
        return error;
    }
    error.help("`--journal` names another one: a path, or `postgres://user@host/database`, the password in PGPASSWORD")
}

async fn verify(global: &Global, session: &Session) -> Result<u8, Error> {
    let found = session.journal.verify().await?;
    output::print(global.output, &found, || {
        let pruned =
            if found.pruned > 0 { format!(", {} of them pruned", found.pruned) } else { String::new() };
        let (records, streams) = (many(found.records, "record"), many(found.streams, "stream"));
        let head = format!("{records}{pruned} in {streams}\nhead {}", found.head);
        if found.damage.is_empty() {
            return format!("\x1b[32msound\x1b[0m: {head}");
        }
        format!("\x1b[1;31mDAMAGED\x1b[0m: {head}\n  {}", found.damage.join("\n  "))
    })?;
    if found.damage.is_empty() {
        return Ok(exit::SUCCESS);
    }
    output::say("keep the file as it is and copy it away; the last sound backup is `drctl journal backup`'s");
    Ok(exit::DAMAGED)
}

async fn backup(global: &Global, session: &Session, arguments: &BackupArguments) -> Result<u8, Error> {
    let file = &arguments.file;
    if file.exists() {
        return Err(Error::new(exit::USAGE, format!("{} exists already", file.display()))
            .help("a backup overwrites nothing: name a new file"));
    }
    app::backup(&session.config, session.journal.as_ref(), file).await?;
    let bytes = std::fs::metadata(file)?.len();
    let done = json!({"file": file, "bytes": bytes, "verified": true});
    output::print(global.output, &done, || {
        format!("{}: {} KiB, verified\nuse it with --journal {0}", file.display(), bytes.div_ceil(1024))
    })?;
    Ok(exit::SUCCESS)
}

fn many(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// An error of one of the two journals, which are not the configured one.
fn of_copy(error: Error, what: &str) -> Error {
    without_another(Error { message: format!("{what}: {}", error.message), ..error })
}

/// Another journal, or a fresh one, is no help to who copies this one.
fn without_another(error: Error) -> Error {
    if error.reason != Some("journal_unavailable") {
        return error;
    }
    error.help("each is named as a path, `sqlite:PATH` or `postgres://user@host/database`, the password in PGPASSWORD")
}

fn copy(global: &Global, arguments: &CopyArguments) -> Result<u8, Error> {
    let config = session::config(global)?;
    let place = |url: &str| JournalPlace::read(url).map_err(Error::from);
    let open = |journal: &JournalPlace, mode| -> Result<_, Error> {
        Ok(app::open_journal(&Config { journal: journal.clone(), ..config.clone() }, mode)?)
    };
    let told = |what: &'static str| move |error: Error| of_copy(error, what);
    let (old, new) = ("the journal to copy", "the new journal");
    let source = place(&arguments.from).map_err(told(old))?;
    let target = place(&arguments.to).map_err(told(new))?;
    let from = open(&source, OpenMode::ReadOnly).map_err(told(old))?;
    if !arguments.while_driven {
        none_driven(from.as_ref()).map_err(told(old))?;
    }
    let copied = match &target {
        JournalPlace::Sqlite(file) => {
            session::block_on(async { Ok(app::copy_to_file(&config, from.as_ref(), file).await) })?
        }
        JournalPlace::Postgres(url) => {
            session::block_on(async { Ok(app::copy_to_database(&config, from.as_ref(), url).await) })?
        }
        JournalPlace::Memory | JournalPlace::Server(_) => {
            let to = open(&target, OpenMode::ReadWrite).map_err(told(new))?;
            session::block_on(async { Ok(app::copy(from.as_ref(), to.as_ref()).await) })?
        }
    };
    let copied = copied.map_err(|error| without_another(error.into()))?;
    for run in &copied.driven {
        output::say(&format!(
            "note: {run} is being driven in the old journal, and what it does from now on is only there; whoever \
             serves the new one drives it as well: end it in one of them first (`drctl abort {run}`)"
        ));
    }
    output::print(global.output, &copied, || {
        let (records, streams) = (many(copied.records, "record"), many(copied.streams, "stream"));
        format!("copied and verified: {records} in {streams}\nhead {}", copied.head)
    })?;
    Ok(exit::SUCCESS)
}

/// Refuses to copy runs that are under way: whoever serves the new journal would drive them as well.
fn none_driven(from: &dyn JournalAdmin) -> Result<(), Error> {
    let driven = session::block_on(async { Ok(app::driven(from).await) })??;
    let Some(first) = driven.first() else { return Ok(()) };
    let (is, runs) = (if driven.len() == 1 { "is" } else { "are" }, driven.join(", "));
    let message = format!("{runs} {is} being driven; whoever serves the copy would drive the same as well");
    let help = format!(
        "let them end, or pause them (`drctl pause {first} --reason …`) and stop what drives them, `drctl serve` or \
         a terminal; copy then. With `--while-driven` the copy is made all the same: let no `serve` have it \
         before they are over. A copy to keep is `drctl journal backup`"
    );
    Err(Error::new(exit::HELD, message).help(help).reason("run_held"))
}

async fn export(session: &Session, arguments: &ExportArguments) -> Result<u8, Error> {
    let stream = match &arguments.run {
        Some(run) => Some(StreamName::run(&session.find_run(run, false).await?)),
        None => None,
    };
    let (mut after, mut known) = (0, BTreeSet::new());
    loop {
        let records = match &stream {
            Some(stream) => session.journal.read(stream, after, PAGE).await?,
            None => session.journal.read_after(after, PAGE).await?,
        };
        for record in &records {
            after = if stream.is_some() { record.sequence } else { record.position };
            output::line(&export::line(record))?;
            if arguments.blobs {
                export_blobs(session, record, &mut known).await?;
            }
        }
        if records.len() < PAGE {
            return Ok(exit::SUCCESS);
        }
    }
}

/// Prints the blobs that a record names and that were not printed yet.
async fn export_blobs(session: &Session, record: &Record, known: &mut BTreeSet<String>) -> Result<(), Error> {
    for name in export::blobs(&record.body) {
        if known.insert(name.clone())
            && let Some(bytes) = session.journal.blob(&name).await?
        {
            output::line(&export::blob_line(&name, &bytes))?;
        }
    }
    Ok(())
}

async fn prune(global: &Global, session: &Session, arguments: &PruneArguments) -> Result<u8, Error> {
    let reason = session::reason("journal prune", arguments.reason.as_deref())?;
    let now = session::now();
    let before = Timestamp::from_millis(now.as_millis().saturating_sub(arguments.older_than));
    if !arguments.yes {
        confirm(before)?;
    }
    let body = json!({"by": session.identity, "reason": reason, "before": before}).to_string();
    let records = vec![NewRecord { kind: "prune_requested", version: 1, body }];
    let (stream, at) = (Some(StreamName::journal()), Some(now));
    session.journal.append(vec![Append { stream, at, records, ..Append::default() }]).await?;
    let runs = session.journal.prune(before, now).await?;
    let records = session.journal.prune_streams(before, now).await?;
    let pruned = json!({"pruned_runs": runs, "pruned_records": records, "before": before});
    output::print(global.output, &pruned, || {
        let others = match records {
            0 => String::new(),
            some => format!(", and {some} records of deliveries, triggers, readings and readiness"),
        };
        format!(
            "pruned: {runs} runs that ended before {}{others}; the list of runs and all hashes stay",
            local(before)
        )
    })?;
    Ok(exit::SUCCESS)
}

fn confirm(before: Timestamp) -> Result<(), Error> {
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stdin());
    if !terminal {
        return Err(Error::new(exit::USAGE, "pruning cannot be taken back")
            .help("add --yes to do it without a question"));
    }
    let question =
        format!("Drop what runs that ended before {} did, for good? Type `prune`: ", local(before));
    if follow::ask(&question).as_deref() == Some("prune") {
        return Ok(());
    }
    Err(Error::new(exit::USAGE, "nothing was pruned"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_may_be_years_long() {
        assert_eq!(age("90d"), Ok(90 * DAY_MS));
        assert_eq!(age("7y"), Ok(7 * 365 * DAY_MS));
        assert_eq!(age("36h"), Ok(36 * 3_600_000));
        for text in ["", "x", "-3d", "99999999999999999y"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
