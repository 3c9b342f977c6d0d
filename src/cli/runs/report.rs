//! `drctl runs report`: the report of a run as Markdown, HTML or JSON, made of its records.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::session::{self, Session};
use crate::cli::{Error, Format, Global, exit, output};
use crate::engine::event::Event;
use crate::evidence::{self, Report, Trail};
use crate::journal::record::hex;
use crate::model::id::RunId;
use crate::ports::{JournalError, StreamName};
use crate::runtime;

/// Records read at once.
const PAGE: usize = 1_000;

/// Arguments of `runs report`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
    /// How the report is written.
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<Form>,
    /// File to write; must not exist. Default: standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Markdown.
    Md,
    /// One page that needs nothing but itself.
    Html,
    /// JSON, a stable contract.
    Json,
}

/// Runs the command.
///
/// # Errors
/// When the journal cannot be read or is damaged, or the file cannot be written.
pub(crate) async fn run(global: &Global, session: &Session, arguments: &Arguments) -> Result<u8, Error> {
    let run = session.find_run(&arguments.run, false).await?;
    let report = of(session, &run).await?;
    let form = arguments.format.unwrap_or(match global.output {
        Format::Text => Form::Md,
        Format::Json | Format::Yaml => Form::Json,
    });
    let yaml = arguments.format.is_none() && global.output == Format::Yaml;
    let text = match form {
        _ if yaml => serde_saphyr::to_string(&report)
            .map_err(|error| Error::new(exit::BUG, format!("the report cannot be printed: {error}")))?,
        Form::Md => report.markdown(),
        Form::Html => report.html(),
        Form::Json => report.json(),
    };
    match &arguments.out {
        Some(file) => write(file, text.as_bytes())?,
        None => output::line(text.trim_end())?,
    }
    Ok(exit::SUCCESS)
}

/// Writes a file that does not exist yet.
///
/// # Errors
/// When it exists or cannot be written.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::io::Write as _;
    let refuse = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::new(exit::USAGE, format!("{} exists already", file.display()))
                .help("nothing is overwritten: name a new file")
        }
        _ => Error::new(exit::UNREACHABLE, format!("{}: {error}", file.display())),
    };
    let mut out = std::fs::OpenOptions::new().write(true).create_new(true).open(file).map_err(refuse)?;
    out.write_all(bytes).and_then(|()| out.sync_all()).map_err(|error| {
        // Half a file must not lie around under the name of a whole one.
        let _ = std::fs::remove_file(file);
        refuse(error)
    })
}

/// The report of a run as it stands.
///
/// # Errors
/// When the journal cannot be read or is damaged.
pub(crate) async fn of(session: &Session, run: &RunId) -> Result<Report, Error> {
    let loaded = runtime::load(session.journal.as_ref(), run).await?;
    let stream = StreamName::run(run);
    let (mut trail, mut after) = (Trail::default(), 0);
    // No further than the state: what is appended meanwhile is for the next report.
    while after < loaded.state.sequence {
        let limit = usize::try_from(loaded.state.sequence - after).unwrap_or(PAGE).min(PAGE);
        let records = session.journal.read(&stream, after, limit).await?;
        for record in &records {
            let event: Event = serde_json::from_str(&record.body).map_err(|error| {
                JournalError::Damaged(format!("{stream} record {}: {error}", record.sequence))
            })?;
            trail.take(&loaded.plan, record.recorded_at, hex(&record.hash), &event);
            after = record.sequence;
        }
        if records.is_empty() {
            break;
        }
    }
    for told in runtime::told(session.journal.as_ref(), run).await? {
        trail.tell(told.at, hex(&told.hash), told.fact);
    }
    let last = loaded.state.last_at.max(trail.last_told().unwrap_or(loaded.state.last_at));
    let as_of = if loaded.state.status.is_terminal() { last } else { session::now().max(last) };
    Ok(evidence::report(&loaded.plan, &loaded.state, &trail, as_of))
}
