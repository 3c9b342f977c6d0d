//! `drctl runs report`: the report of a run as Markdown, HTML or JSON, made of its records.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::app::report;
use crate::cli::session::Session;
use crate::cli::{Error, Format, Global, exit, output};

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
    let report = report::of(session.journal.as_ref(), &run).await?;
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
