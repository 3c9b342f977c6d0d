//! Finds a runbook by path or name, compiles it, and shows what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) use super::files::Broken;
use super::files::compiled::compiled as compile_once;
use super::files::texts;
use super::shelf::{self, Shelf};
use super::{Binding, files};
use crate::app::{Error, Voice, exit};
use crate::compile::{self, Code, Diagnostic, Severity};
use crate::config::{Config, LintLevel};
use crate::engine::overrides::ACCEPTED_FINDING;
use crate::model::fleet::Roster;
use crate::model::id::ServiceName;
use crate::model::runbook::Runbook;
use crate::plan::Plan;

/// Longest note that a report shows, in characters.
const NOTE: usize = 190;
/// Most names that are listed for somebody who names another one.
const NAMED: usize = 20;

/// A compiled runbook with its text.
#[derive(Debug, Clone)]
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

impl Source {
    /// The values of the sensitive parameters of a plan, which its journal does not keep: the defaults, and
    /// over them what was given.
    #[must_use]
    pub(crate) fn sensitive(&self, plan: &Plan, given: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        let declared = self.runbook.parameters.iter();
        let mut values: BTreeMap<_, _> = declared
            .filter_map(|(name, parameter)| Some((name.clone(), parameter.default.clone()?)))
            .collect();
        values.extend(given);
        values.retain(|name, _| plan.sensitive.contains_key(name));
        values
    }
}

/// The runbooks of the configured folders whose texts may have something, and those of them that cannot be
/// used: what they ask for would silently not be done.
///
/// # Errors
/// When the configuration sets a level that cannot be set.
pub(crate) fn with(
    config: &Config,
    may_have: impl Fn(&str) -> bool,
) -> Result<(Vec<Source>, Vec<Broken>), Error> {
    let options = options(config)?;
    let found = files::all(&config.runbooks, None);
    let (mut sound, mut broken) = (Vec::new(), unreadable(config, found.unreadable));
    for path in found.files {
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) => {
                let Broken { path, why } = files::unread(&path, &error);
                broken.push(Broken { path: config.shown(&path), why });
                continue;
            }
        };
        if files::is_scenario(&text) || files::is_fleet(&text) || !may_have(&text) {
            continue;
        }
        let (runbook, findings) = compile_once(&text, &options);
        let Some(runbook) = runbook else {
            let path = config.shown(&path);
            let why = format!("it does not compile: see `drctl validate {}`", path.display());
            broken.push(Broken { path, why });
            continue;
        };
        sound.push(Source { path, text, runbook, findings });
    }
    Ok((sound, broken))
}

/// What cannot be read, as it is told to people, and what a server could not read of the runbooks it lent.
pub(crate) fn unreadable(config: &Config, here: Vec<Broken>) -> Vec<Broken> {
    let here = here.into_iter().map(|Broken { path, why }| Broken { path: config.shown(&path), why });
    let afar = config.unlent.iter().flatten();
    here.chain(afar.map(|(path, why)| Broken { path: path.clone(), why: why.clone() })).collect()
}

/// Says behind which folders there may be more runbooks than were found by a name.
fn warn_of_unseen(config: &Config, voice: &dyn Voice) {
    for Broken { path, why } in unreadable(config, files::all(&config.runbooks, None).unreadable) {
        let path = path.display();
        voice.say(&format!("\x1b[33mwarning\x1b[0m: {path} {why}: no runbook there is found"));
    }
}

/// The runbooks of the configured folders that have triggers, as [`with`].
///
/// # Errors
/// As [`with`].
pub(crate) fn with_triggers(config: &Config) -> Result<(Vec<Runbook>, Vec<Broken>), Error> {
    let (sources, broken) = with(config, |text| text.contains("triggers"))?;
    let runbooks = sources.into_iter().map(|source| source.runbook);
    Ok((runbooks.filter(|runbook| !runbook.triggers.is_empty()).collect(), broken))
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
pub(crate) fn subject(config: &Config, binding: &Binding, voice: &dyn Voice) -> Result<Subject, Error> {
    at(config, looked_up(config, &binding.runbook, voice)?, binding, voice)
}

/// As [`subject`], of a name only: who asks from elsewhere has no paths here.
///
/// # Errors
/// As [`subject`].
pub(crate) fn named(config: &Config, binding: &Binding, voice: &dyn Voice) -> Result<Subject, Error> {
    let name = &binding.runbook;
    let path = find_named(config, name).map_err(|error| match error.reason {
        Some("unknown_runbook") => match names_like(config, name) {
            Some(names) => error.help(names),
            None => error.help("there is no runbook at all in the folders of the server"),
        },
        Some(_) | None => error,
    })?;
    warn_of_unseen(config, voice);
    at(config, path, binding, voice)
}

/// As [`find`]; what was looked up by name may be somewhere else as well.
fn looked_up(config: &Config, name: &str, voice: &dyn Voice) -> Result<PathBuf, Error> {
    let path = find(config, name)?;
    if path != Path::new(name) {
        warn_of_unseen(config, voice);
    }
    Ok(path)
}

fn at(config: &Config, path: PathBuf, binding: &Binding, voice: &dyn Voice) -> Result<Subject, Error> {
    let text = read(&path)?;
    if !files::is_fleet(&text) {
        return Ok(Subject::One(Box::new(compiled(config, path, text, Some(&binding.accept_lint), voice)?)));
    }
    if let Some(code) = binding.accept_lint.first() {
        let message = format!("--accept-lint {code}: a fleet has no findings of its own to accept");
        return Err(Error::new(exit::USAGE, message)
            .help("start the member it is about by itself, or write `accept` into its runbook"));
    }
    let shelf = Shelf::of(config, &path)?;
    let roster = shelf::fleet(&shelf, &path, &text, voice)?;
    Ok(Subject::Fleet(Box::new(FleetSource { path, text, roster, shelf })))
}

/// Finds and compiles a runbook. Warnings are shown and do not stop.
///
/// # Errors
/// When it cannot be found or read, or does not compile.
pub(crate) fn load(config: &Config, name: &str, voice: &dyn Voice) -> Result<Source, Error> {
    let path = looked_up(config, name, voice)?;
    let text = read(&path)?;
    refuse_fleet(&path, &text)?;
    compiled(config, path, text, None, voice)
}

/// Finds and compiles the runbook of a binding; errors that it accepts for this once do not stop.
///
/// # Errors
/// When it cannot be found or read, is a fleet, or does not compile.
pub(crate) fn bound(config: &Config, binding: &Binding, voice: &dyn Voice) -> Result<Source, Error> {
    let path = looked_up(config, &binding.runbook, voice)?;
    let text = read(&path)?;
    refuse_fleet(&path, &text)?;
    compiled(config, path, text, Some(&binding.accept_lint), voice)
}

/// A code of errors that may be accepted.
///
/// # Errors
/// When there is none of this name, or it cannot be accepted.
pub(crate) fn acceptable(text: &str) -> Result<Code, String> {
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

/// Refuses a fleet where one service is meant.
///
/// # Errors
/// When it is one.
pub(crate) fn refuse_fleet(path: &Path, text: &str) -> Result<(), Error> {
    if files::is_fleet(text) { Err(is_fleet(path)) } else { Ok(()) }
}

/// Says that one service is meant, and that this is a fleet.
pub(crate) fn is_fleet(path: &Path) -> Error {
    let what = format!("{} is a fleet, and this command is about the runbook of one service", path.display());
    Error::new(exit::USAGE, what)
        .help("name the runbooks of its members, one after the other")
        .reason("is_fleet")
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
    voice: &dyn Voice,
) -> Result<Source, Error> {
    let (may_consent, told) = (consented.is_some(), config.shown(&path));
    let consented: BTreeSet<Code> = consented.into_iter().flatten().copied().collect();
    let options = compile::Options { consented, ..options(config)? };
    let (runbook, diagnostics) = compile_once(&text, &options);
    let is_shown = |found: &&Diagnostic| found.severity != Severity::Note && found.code != Code::Placeholder;
    let shown: Vec<_> = diagnostics.iter().filter(is_shown).cloned().collect();
    let unfilled = diagnostics.iter().filter(|found| found.code == Code::Placeholder).count();
    if unfilled > 0 {
        voice.say(&format!(
            "\x1b[1;33mwarning[{}]\x1b[0m: {}: values to fill in: {unfilled}; `drctl validate` shows each",
            Code::Placeholder,
            told.display()
        ));
    }
    if !shown.is_empty() {
        let colour = voice.is_coloured();
        voice.say(compile::render(&told.display().to_string(), &text, &shown, colour).trim_end());
    }
    let Some(runbook) = runbook else {
        let refused = Error::new(exit::INVALID, format!("{} does not compile", told.display()))
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
    notes.keys().filter_map(|name| name.strip_prefix(ACCEPTED_FINDING)?.parse().ok()).collect()
}

/// What a run's journal keeps of the findings that are accepted for it alone; one note for each code.
#[must_use]
pub(crate) fn accepted_lints(source: &Source, consented: &[Code]) -> BTreeMap<String, String> {
    let mut notes = BTreeMap::new();
    for finding in source.findings.iter().filter(|finding| consented.contains(&finding.code)) {
        let line = finding.span.map_or(0, |span| span.line);
        let text: String = format!("line {line}: {}", finding.message).chars().take(NOTE).collect();
        notes
            .entry(format!("{ACCEPTED_FINDING}{}", finding.code.as_str().to_ascii_lowercase()))
            .or_insert(text);
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
/// When it cannot be read, is too large, is not UTF-8, or is being written all the time.
pub(crate) fn read(path: &Path) -> Result<String, Error> {
    Ok(texts::read(path)?.as_str().to_owned())
}

/// Today, by the system's clock; acceptances of findings end on a day.
#[must_use]
pub(crate) fn today() -> jiff::civil::Date {
    let now = crate::ports::Clock::now(&crate::runtime::SystemClock::real());
    now.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date()
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
    find_named(config, name).map_err(|error| match error.reason {
        Some("unknown_runbook") => error.help(where_to_look(config, name)),
        Some(_) | None => error,
    })
}

/// What somebody may have meant who names a runbook that is not there.
fn where_to_look(config: &Config, name: &str) -> String {
    if let Some(names) = names_like(config, name) {
        return format!("{names}; or give a path");
    }
    if config.unlent.is_some() {
        return "the server has no runbook in its folders".to_owned();
    }
    let here = std::path::absolute(".").unwrap_or_default();
    let is_there = config.runbooks.iter().all(|folder| folder.is_dir());
    let seen = if is_there { "holds no runbook" } else { "does not exist" };
    let folders: Vec<_> =
        config.runbooks.iter().map(|folder| config.shown(folder).display().to_string()).collect();
    format!(
        "{} {seen}, seen from {}: give a path, go where your runbooks are, or name their folder as `paths` in \
         [runbooks] of drctl.toml",
        folders.join(", "),
        here.display()
    )
}

/// The names there are, and which of them is like the one that is not; absent where there are none.
fn names_like(config: &Config, name: &str) -> Option<String> {
    let there: Vec<&PathBuf> = config.runbooks.iter().filter(|folder| folder.is_dir()).collect();
    let known: BTreeSet<ServiceName> = files::all(&config.runbooks, None)
        .files
        .iter()
        .filter_map(|path| ServiceName::new(texts::read(path).ok()?.name()?).ok())
        .collect();
    if known.is_empty() {
        return None;
    }
    let near = compile::nearest(name, known.iter().map(ServiceName::as_str));
    let near = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    let listed: Vec<_> = known.iter().take(NAMED).map(ServiceName::as_str).collect();
    let more = if known.len() > NAMED { ", …" } else { "" };
    let folders: Vec<_> =
        there.into_iter().map(|folder| config.shown(folder).display().to_string()).collect();
    Some(format!("{near}in {} there are: {}{more}", folders.join(", "), listed.join(", ")))
}

/// As [`find`], of a name only: who asks from elsewhere has no paths here.
///
/// # Errors
/// As [`find`].
pub(crate) fn find_named(config: &Config, name: &str) -> Result<PathBuf, Error> {
    let all = files::all(&config.runbooks, None);
    let found: Vec<_> = all.files.iter().filter(|path| is_called(config, path, name)).collect();
    match found.as_slice() {
        [path] => Ok(PathBuf::from(path)),
        [] => {
            let shown = |folder: &PathBuf| config.shown(folder).display().to_string();
            let folders: Vec<_> = config.runbooks.iter().map(shown).collect();
            let where_from = folders.join(", ");
            let unseen = unseen(config, &all);
            Err(Error::new(exit::USAGE, format!("there is no runbook `{name}`{unseen}"))
                .help(format!("give a path, or the name of a service or of a file in {where_from}"))
                .reason("unknown_runbook"))
        }
        several => {
            let shown = |path: &&PathBuf| config.shown(path).display().to_string();
            let paths: Vec<_> = several.iter().map(shown).collect();
            Err(Error::new(exit::USAGE, format!("`{name}` may mean {}", paths.join(" or ")))
                .help("give the path"))
        }
    }
}

/// What a runbook that was not found may be in.
fn unseen(config: &Config, all: &files::Found) -> String {
    let files = all.files.iter().filter_map(|path| Some(files::unread(path, &texts::read(path).err()?)));
    let mut unseen = unreadable(config, all.unreadable.iter().cloned().chain(files).collect());
    unseen.truncate(NAMED);
    let told: Vec<_> = unseen.iter().map(|it| format!("{} {}", it.path.display(), it.why)).collect();
    if told.is_empty() { String::new() } else { format!(" in what can be read: {}", told.join("; ")) }
}

fn is_called(config: &Config, path: &Path, name: &str) -> bool {
    let inside = config.runbooks.iter().find_map(|folder| path.strip_prefix(folder).ok());
    if inside.is_some_and(|inside| inside.with_extension("") == Path::new(name)) {
        return true;
    }
    // Whatever else is wrong with it is told once it was found.
    texts::read(path).is_ok_and(|text| {
        let about = text.as_str();
        about.contains(name) && !files::is_scenario(about) && text.name() == Some(name)
    })
}
