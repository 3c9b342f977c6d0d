//! Finds a runbook by path or name, compiles it, and shows what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::shelf::{self, Shelf};
use super::{Error, exit, output, validate};
use crate::compile::{self, Code, Diagnostic, Severity};
use crate::config::{Config, LintLevel};
use crate::model::fleet::Roster;
use crate::model::id::{ServiceName, SiteName};
use crate::model::run::Mode;
use crate::model::runbook::Runbook;

/// Longest note that a report shows, in characters.
const NOTE: usize = 190;

/// How the name of a note begins that an accepted finding has in the journal; its code follows.
const ACCEPTED: &str = "accepted_";

/// A compiled runbook with its text.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where it was read.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// The runbook.
    pub runbook: Runbook,
    /// What was found in it, notes included.
    pub findings: Vec<Diagnostic>,
}

/// What a command that plans is about.
#[derive(Debug)]
pub(crate) enum Subject {
    /// One service.
    One(Box<Source>),
    /// Many services together.
    Fleet(Box<FleetSource>),
}

/// A compiled fleet with its text.
#[derive(Debug)]
pub(crate) struct FleetSource {
    /// Where it was read.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Its members.
    pub roster: Roster,
    /// Their runbooks, and all others there are.
    pub shelf: Shelf,
}

/// Finds and compiles the runbook or fleet of a binding. Warnings are shown and do not stop; nor do errors of
/// a runbook that are accepted for this once.
///
/// # Errors
/// When it cannot be found or read, or does not compile.
pub(crate) fn subject(config: &Config, binding: &Binding) -> Result<Subject, Error> {
    let path = find(config, &binding.runbook)?;
    let text = read(&path)?;
    if !validate::is_fleet(&text) {
        return Ok(Subject::One(Box::new(compiled(config, path, text, Some(&binding.accept_lint))?)));
    }
    if let Some(code) = binding.accept_lint.first() {
        let message = format!("--accept-lint {code}: a fleet has no findings of its own to accept");
        return Err(Error::new(exit::USAGE, message)
            .help("start the member it is about by itself, or write `accept` into its runbook"));
    }
    let shelf = Shelf::of(config, &path)?;
    let roster = shelf::fleet(&shelf, &path, &text)?;
    Ok(Subject::Fleet(Box::new(FleetSource { path, text, roster, shelf })))
}

/// What a plan is bound to, on the command line.
#[derive(Debug, Clone, Args)]
pub(crate) struct Binding {
    /// Runbook: a path, or the name of a service or file in the configured folders.
    pub runbook: String,
    /// graceful or ungraceful; default: ungraceful for a failover, else graceful.
    #[arg(long)]
    pub mode: Option<Mode>,
    /// Site the service leaves; default: where the service record says it is.
    #[arg(long, value_name = "SITE")]
    pub from: Option<SiteName>,
    /// Site the service moves to.
    #[arg(long, value_name = "SITE")]
    pub to: Option<SiteName>,
    /// Value of a parameter; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// YAML or JSON file with values of parameters.
    #[arg(long, value_name = "FILE")]
    pub values: Option<PathBuf>,
    /// Go on against an error that the runbook itself could accept, for this once; may be given often.
    /// Recorded, and shown in the report.
    #[arg(long, value_name = "CODE", value_parser = acceptable)]
    pub accept_lint: Vec<Code>,
}

/// A code that may be accepted.
fn acceptable(text: &str) -> Result<Code, String> {
    let code: Code = text.parse()?;
    if code.entry().severity == Severity::Error && code.entry().acceptable {
        return Ok(code);
    }
    let title = code.entry().title;
    Err(match code.entry().severity {
        Severity::Error => format!("{code} ({title}) cannot be accepted: put it right"),
        Severity::Warning | Severity::Note => format!("{code} ({title}) keeps nothing from being run"),
    })
}

impl std::str::FromStr for ServiceName {
    type Err = crate::model::id::InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

impl std::str::FromStr for SiteName {
    type Err = crate::model::id::InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// Finds and compiles a runbook. Warnings are shown and do not stop.
///
/// # Errors
/// When it cannot be found or read, or does not compile.
pub(crate) fn load(config: &Config, name: &str) -> Result<Source, Error> {
    let path = find(config, name)?;
    let text = read(&path)?;
    refuse_fleet(&path, &text)?;
    compiled(config, path, text, None)
}

/// Finds and compiles the runbook of a binding; errors that it accepts for this once do not stop.
///
/// # Errors
/// When it cannot be found or read, is a fleet, or does not compile.
pub(crate) fn bound(config: &Config, binding: &Binding) -> Result<Source, Error> {
    let path = find(config, &binding.runbook)?;
    let text = read(&path)?;
    refuse_fleet(&path, &text)?;
    compiled(config, path, text, Some(&binding.accept_lint))
}

/// Refuses a fleet where one service is meant.
///
/// # Errors
/// When it is one.
pub(crate) fn refuse_fleet(path: &Path, text: &str) -> Result<(), Error> {
    if !validate::is_fleet(text) {
        return Ok(());
    }
    let what = format!("{} is a fleet, and this command is about the runbook of one service", path.display());
    Err(Error::new(exit::USAGE, what)
        .help(
            "name the runbooks of its members, one after the other; two fleets are compared by their texts and, \
             member by member, by `drctl plan FLEET -o json`",
        )
        .reason("is_fleet"))
}

/// Compiles the text of a runbook. Warnings are shown and do not stop.
///
/// # Errors
/// When it does not compile, but for findings that are consented to.
pub(crate) fn compiled(
    config: &Config,
    path: PathBuf,
    text: String,
    consented: Option<&[Code]>,
) -> Result<Source, Error> {
    let may_consent = consented.is_some();
    let consented: BTreeSet<Code> = consented.into_iter().flatten().copied().collect();
    let options = compile::Options { consented, ..options(config)? };
    let (runbook, diagnostics) = compile::compile_with(&text, &options);
    let is_shown = |found: &&Diagnostic| found.severity != Severity::Note && found.code != Code::Placeholder;
    let shown: Vec<_> = diagnostics.iter().filter(is_shown).cloned().collect();
    let unfilled = diagnostics.iter().filter(|found| found.code == Code::Placeholder).count();
    if unfilled > 0 {
        output::say(&format!(
            "\x1b[1;33mwarning[{}]\x1b[0m: {}: values to fill in: {unfilled}; `drctl validate` shows each",
            Code::Placeholder,
            path.display()
        ));
    }
    if !shown.is_empty() {
        let colour = output::is_terminal();
        output::say(compile::render(&path.display().to_string(), &text, &shown, colour).trim_end());
    }
    let Some(runbook) = runbook else {
        let refused = Error::new(exit::INVALID, format!("{} does not compile", path.display()))
            .reason("invalid_runbook");
        return Err(match way_on(&diagnostics).filter(|_| may_consent) {
            Some(flags) => refused.help(format!(
                "put it right; or, where there is no time for that, go on against it this once with {flags}, which is \
                 recorded"
            )),
            None => refused,
        });
    };
    Ok(Source { path, text, runbook, findings: diagnostics })
}

/// The flags with which a run could go on, where every error is one that may be accepted.
fn way_on(found: &[Diagnostic]) -> Option<String> {
    let errors = || found.iter().filter(|finding| finding.is_error()).map(|finding| finding.code);
    let codes: BTreeSet<Code> = errors().collect();
    let flags: Vec<_> = codes.iter().map(|code| format!("--accept-lint {code}")).collect();
    (!codes.is_empty() && codes.iter().all(|code| code.entry().acceptable)).then(|| flags.join(" "))
}

/// The codes that were accepted for a run, by its notes.
#[must_use]
pub(crate) fn accepted_before(notes: &BTreeMap<String, String>) -> Vec<Code> {
    notes.keys().filter_map(|name| name.strip_prefix(ACCEPTED)?.parse().ok()).collect()
}

/// What a run's journal keeps of the findings that are accepted for it alone; one note for each code.
#[must_use]
pub(crate) fn accepted_lints(source: &Source, consented: &[Code]) -> BTreeMap<String, String> {
    let mut notes = BTreeMap::new();
    for finding in source.findings.iter().filter(|finding| consented.contains(&finding.code)) {
        let line = finding.span.map_or(0, |span| span.line);
        let text: String = format!("line {line}: {}", finding.message).chars().take(NOTE).collect();
        notes.entry(format!("{ACCEPTED}{}", finding.code.as_str().to_ascii_lowercase())).or_insert(text);
    }
    notes
}

/// How runbooks are compiled today, with the levels of findings that the configuration sets.
///
/// # Errors
/// When a level cannot be set.
pub(crate) fn options(config: &Config) -> Result<compile::Options, Error> {
    options_of(config.file.as_deref(), &config.lints)
}

/// As [`options`], of a file and its levels.
///
/// # Errors
/// When a level cannot be set.
pub(crate) fn options_of(
    file: Option<&Path>,
    lints: &BTreeMap<String, LintLevel>,
) -> Result<compile::Options, Error> {
    let levels = lints.iter().map(|(code, level)| (code.as_str(), level.as_str()));
    let severities = compile::Severities::new(levels).map_err(|error| {
        let file = file.map(|file| file.display().to_string()).unwrap_or_default();
        Error::new(exit::USAGE, format!("configuration {file}: [lints]: {error}"))
    })?;
    Ok(compile::Options { severities, ..compile::Options::new(today()) })
}

/// Reads a file within the size limit of runbooks.
///
/// # Errors
/// When it cannot be read, is too large or is not UTF-8.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    let refuse = |message: String| Error::new(exit::INVALID, format!("{}: {message}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if size > crate::model::limits::RUNBOOK_BYTES as u64 {
        return Err(refuse("larger than 1 MiB".to_owned()));
    }
    std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))
}

/// Today, by the system's clock; acceptances of findings end on a day.
#[must_use]
pub(crate) fn today() -> jiff::civil::Date {
    let now = crate::ports::Clock::now(&crate::runtime::SystemClock::real());
    now.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// SHA-256 in hex.
#[must_use]
pub(crate) fn digest(bytes: &[u8]) -> String {
    super::runs::hex(&Sha256::digest(bytes))
}

/// Finds the file of a runbook: a path, or, in the configured folders, the name of a file without its ending
/// or that of the service it is about.
///
/// # Errors
/// When there is none of this path or name, or more than one.
pub(crate) fn find(config: &Config, name: &str) -> Result<PathBuf, Error> {
    let direct = PathBuf::from(name);
    if direct.is_file() {
        return Ok(direct);
    }
    let folders = config.runbooks.iter().filter(|folder| folder.is_dir());
    let files: Vec<_> = folders.filter_map(|folder| validate::files(folder).ok()).flatten().collect();
    let found: Vec<_> = files.into_iter().filter(|path| is_called(config, path, name)).collect();
    match found.as_slice() {
        [path] => Ok(path.clone()),
        [] => {
            let folders: Vec<_> = config.runbooks.iter().map(|folder| folder.display().to_string()).collect();
            let where_from = folders.join(", ");
            Err(Error::new(exit::USAGE, format!("there is no runbook `{name}`"))
                .help(format!("give a path, or the name of a service or of a file in {where_from}")))
        }
        several => {
            let paths: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            Err(Error::new(exit::USAGE, format!("`{name}` may mean {}", paths.join(" or ")))
                .help("give the path"))
        }
    }
}

fn is_called(config: &Config, path: &Path, name: &str) -> bool {
    let inside = config.runbooks.iter().find_map(|folder| path.strip_prefix(folder).ok());
    if inside.is_some_and(|inside| inside.with_extension("") == Path::new(name)) {
        return true;
    }
    // Whatever else is wrong with it is told once it was found.
    read(path).is_ok_and(|text| text.contains(name) && !validate::is_scenario(&text) && is_about(&text, name))
}

/// Says whether a runbook is about a service, whether or not it compiles.
fn is_about(text: &str, service: &str) -> bool {
    let document = serde_saphyr::from_str::<Value>(text).unwrap_or_default();
    document.pointer("/metadata/name").and_then(Value::as_str) == Some(service)
}

/// The values given by `--values` and `--set`, the latter winning.
///
/// # Errors
/// When a file cannot be read or a pair is not `name=value`.
pub(crate) fn values(binding: &Binding) -> Result<BTreeMap<String, Value>, Error> {
    let mut values = BTreeMap::new();
    if let Some(path) = &binding.values {
        let text = read(path)?;
        let file: BTreeMap<String, Value> = serde_saphyr::from_str(&text)
            .map_err(|error| Error::new(exit::USAGE, format!("{}: {error}", path.display())))?;
        values.extend(file);
    }
    for pair in &binding.set {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::new(exit::USAGE, format!("--set {pair}: write it as name=value")))?;
        values.insert(name.to_owned(), Value::String(value.to_owned()));
    }
    Ok(values)
}
