//! `drctl validate`: compiles runbooks and scenarios and shows every problem of every file at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::policy::{self, Rules};
use super::shelf::Shelf;
use super::{Error, Format, Global, exit, output, runbook};
use crate::compile::{self, Diagnostic, Severity};
use crate::config::{Config, Flags, RuleFiles};
use crate::model::id::{ServiceName, SiteName};
use crate::providers::simulated::Scenario;

/// Deepest folder that is looked into.
const DEPTH: usize = 16;

/// Arguments of `validate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Files, or folders with all *.yaml and *.yml below.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Exit 3 for warnings as well.
    #[arg(long)]
    deny_warnings: bool,
    /// Site that is taken for lost; default: each that is active.
    #[arg(long, value_name = "SITE")]
    assume_down: Option<SiteName>,
    /// Like --output, and `sarif` for code scanning.
    #[arg(long, value_enum)]
    format: Option<ReportFormat>,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// With excerpts, for people.
    Text,
    /// One JSON document.
    Json,
    /// One SARIF 2.1.0 log.
    Sarif,
}

/// What was found in one file.
struct Report {
    path: String,
    text: String,
    found: Vec<Diagnostic>,
    /// Errors that have no code: unreadable files, scenarios, names used twice.
    other: Vec<String>,
    service: Option<ServiceName>,
}

/// Runs the command.
///
/// # Errors
/// When a path does not exist or nothing was found in it.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let flags = Flags { config: global.config.clone(), ..Flags::default() };
    let RuleFiles { file, lints, policy, runbooks } = Config::rules(&flags)?;
    let mut options = runbook::options_of(file.as_deref(), &lints)?;
    options.assume_down.clone_from(&arguments.assume_down);
    let rules = policy::load(policy.as_deref(), &lints)?;
    let mut reports = Vec::new();
    for path in &arguments.paths {
        let files = files(path)?;
        let mut of_path: Vec<_> =
            files.iter().map(|file| look(file, &options, rules.as_ref(), &runbooks)).collect();
        refuse_same_names(&mut of_path);
        reports.append(&mut of_path);
    }
    if let Some(site) = &arguments.assume_down {
        refuse_unknown_site(site, &reports)?;
    }
    let count = |severity: Severity| {
        let coded = |report: &Report| report.found.iter().filter(|found| found.severity == severity).count();
        reports.iter().map(coded).sum::<usize>()
    };
    let errors = count(Severity::Error) + reports.iter().map(|report| report.other.len()).sum::<usize>();
    let warnings = count(Severity::Warning);
    let failed = errors > 0 || (arguments.deny_warnings && warnings > 0);
    match (arguments.format, global.output) {
        (Some(ReportFormat::Sarif), _) => output::print(Format::Json, &sarif(&reports), String::new)?,
        (Some(ReportFormat::Text), _) | (None, Format::Text) => {
            let text = text(&reports);
            if !text.is_empty() {
                output::line(text.trim_end())?;
            }
        }
        (Some(ReportFormat::Json), _) | (None, Format::Json | Format::Yaml) => {
            let format = if global.output == Format::Yaml { Format::Yaml } else { Format::Json };
            let found: Vec<Value> = reports.iter().flat_map(json).collect();
            let document = json!({
                "valid": !failed, "files": reports.len(), "errors": errors, "warnings": warnings, "diagnostics": found
            });
            output::print(format, &document, String::new)?;
        }
    }
    let coded = reports.iter().any(|report| !report.found.is_empty());
    let more = if coded { "; `drctl explain CODE` says more" } else { "" };
    output::say(&format!("{}{more}", summary(reports.len(), errors, warnings)));
    Ok(if failed { exit::INVALID } else { exit::SUCCESS })
}

fn summary(files: usize, errors: usize, warnings: usize) -> String {
    let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let problems = match (errors, warnings) {
        (0, 0) => return format!("{}: no problems", many(files, "file")),
        (0, _) => many(warnings, "warning"),
        (_, 0) => many(errors, "error"),
        (_, _) => format!("{}, {}", many(errors, "error"), many(warnings, "warning")),
    };
    format!("{}: {problems}", many(files, "file"))
}

/// The YAML files of a path, in order.
///
/// # Errors
/// When the path does not exist, cannot be read, or holds none.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let refuse = |message: String| Error::new(exit::USAGE, format!("{}: {message}", path.display()));
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    collect(path, &mut files, 0).map_err(|error| refuse(error.to_string()))?;
    files.sort();
    if files.is_empty() {
        return Err(refuse("no *.yaml or *.yml is there".to_owned()));
    }
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        // A link to a folder may lead in circles.
        if path.is_dir() && !path.is_symlink() && depth < DEPTH {
            collect(&path, files, depth + 1)?;
        } else if path.is_file() && path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            files.push(path);
        }
    }
    Ok(())
}

fn look(path: &Path, options: &compile::Options, rules: Option<&Rules>, runbooks: &[PathBuf]) -> Report {
    let name = path.display().to_string();
    let mut report =
        Report { path: name, text: String::new(), found: Vec::new(), other: Vec::new(), service: None };
    match runbook::read(path) {
        Err(error) => report.other.push(error.message),
        Ok(text) if is_scenario(&text) => {
            report.other.extend(Scenario::parse(&text).err().map(|error| format!("scenario: {error}")));
            report.text = text;
        }
        Ok(text) if kind(&text) == Some("Policy") => {
            (report.found, report.text) = (compile::policy(&text).1, text);
        }
        Ok(text) if is_fleet(&text) => {
            let shelf = Shelf::read(runbooks, options, path);
            report.found = compile::fleet(&text, &shelf.directory()).1;
            report.other.extend(shelf.unsure(&text));
            report.text = text;
        }
        Ok(text) => {
            let (runbook, mut found) = compile::compile_with(&text, options);
            if let (Some(rules), Some(runbook)) = (rules, &runbook) {
                found.extend(rules.to_runbook(&text, runbook, &found));
            }
            report.service = runbook.map(|runbook| runbook.metadata.name);
            (report.text, report.found) = (text, found);
        }
    }
    report
}

/// The word after a top-level `kind:`.
#[must_use]
pub(crate) fn kind(text: &str) -> Option<&str> {
    let kind = text.lines().find_map(|line| line.strip_prefix("kind:"));
    kind.map(|rest| rest.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']))
}

/// Says whether a text is about a simulation.
#[must_use]
pub(crate) fn is_scenario(text: &str) -> bool {
    kind(text) == Some("Scenario")
}

/// Says whether a text is about many services together.
#[must_use]
pub(crate) fn is_fleet(text: &str) -> bool {
    kind(text) == Some("Fleet")
}

/// A mistyped site would be survived by every runbook.
fn refuse_unknown_site(site: &SiteName, reports: &[Report]) -> Result<(), Error> {
    let mut known = BTreeSet::new();
    for report in reports {
        let document = serde_saphyr::from_str::<Value>(&report.text).unwrap_or_default();
        let sites = document.get("sites").and_then(Value::as_object);
        known.extend(sites.into_iter().flat_map(|sites| sites.keys().cloned()));
    }
    if known.contains(site.as_str()) {
        return Ok(());
    }
    let known: Vec<_> = known.into_iter().collect();
    let error = Error::new(exit::USAGE, format!("--assume-down: no runbook here has a site `{site}`"));
    Err(error.help(format!("there are: {}", known.join(", "))))
}

/// A name is what people type: in one folder it must lead to one runbook.
fn refuse_same_names(reports: &mut [Report]) {
    let mut first: BTreeMap<ServiceName, String> = BTreeMap::new();
    for report in reports {
        let Some(service) = &report.service else { continue };
        if let Some(other) = first.get(service) {
            report
                .other
                .push(format!("the name `{service}` is taken by {other}; names are unique in a folder"));
        } else {
            first.insert(service.clone(), report.path.clone());
        }
    }
}

fn text(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports {
        text.push_str(&compile::render(&report.path, &report.text, &report.found, true));
        for message in &report.other {
            let _ = write!(text, "\x1b[1;31merror\x1b[0m: {message}\n  --> {}\n\n", report.path);
        }
    }
    text
}

fn json(report: &Report) -> Vec<Value> {
    let mut found = match compile::to_json(&report.path, &report.found) {
        Value::Array(found) => found,
        other => vec![other],
    };
    let other = |message: &String| json!({"code": null, "severity": Severity::Error, "message": message, "file": report.path});
    found.extend(report.other.iter().map(other));
    found
}

/// One log with the rules and results of all files.
fn sarif(reports: &[Report]) -> Value {
    let mut log = compile::to_sarif("", &[]);
    let mut rules: BTreeMap<String, Value> = BTreeMap::new();
    let mut results = Vec::new();
    for report in reports {
        let mut one = compile::to_sarif(&report.path, &report.found);
        for rule in one["runs"][0]["tool"]["driver"]["rules"].as_array().into_iter().flatten() {
            rules.insert(rule["id"].to_string(), rule.clone());
        }
        if let Value::Array(found) = one["runs"][0]["results"].take() {
            results.extend(found);
        }
        results.extend(report.other.iter().map(|message| {
            json!({
                "level": "error",
                "message": {"text": message},
                "locations": [{"physicalLocation": {"artifactLocation": {"uri": report.path}}}]
            })
        }));
    }
    log["runs"][0]["tool"]["driver"]["rules"] = rules.into_values().collect();
    log["runs"][0]["results"] = Value::Array(results);
    log
}
