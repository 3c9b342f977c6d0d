//! `drctl validate`: compiles runbooks and scenarios and shows every problem of every file at once.

mod draw;
mod look;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use self::draw::{json, sarif, text};
use self::look::{Look, flat, refuse_same_names, refuse_unknown_site};
use super::{Error, Format, Global, exit, output};
use crate::app::launch::files::{files, is_fleet, is_scenario, kind};
use crate::app::launch::{policy, source};
use crate::cli::output::Terminal;
use crate::compile::Severity;
use crate::config::{Config, Flags, RuleFiles};
use crate::model::id::SiteName;

/// Arguments of `validate`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Files, or folders with all *.yaml and *.yml below.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Exit 3 for warnings as well.
    #[arg(long)]
    deny_warnings: bool,
    /// Site that is taken for lost, by the members of fleets too; may be given several times. Default: each
    /// that is active.
    #[arg(long, value_name = "SITE")]
    assume_down: Vec<SiteName>,
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

/// Runs the command.
///
/// # Errors
/// When a path does not exist or nothing was found in it.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let flags = Flags { config: global.config.clone(), ..Flags::default() };
    let RuleFiles { file, lints, policy, runbooks } = Config::rules(&flags)?;
    let options = source::options_of(file.as_deref(), &lints)?;
    let rules = policy::load(policy.as_deref(), &lints, &Terminal)?;
    let mut reports = Vec::new();
    for path in &arguments.paths {
        let files = files(path)?;
        let look = Look {
            options: &options,
            lost: &arguments.assume_down,
            rules: rules.as_ref(),
            runbooks: &runbooks,
        };
        let mut of_path: Vec<_> = files.iter().map(|file| look.at(file)).collect();
        refuse_same_names(&mut of_path);
        reports.append(&mut of_path);
    }
    for site in &arguments.assume_down {
        refuse_unknown_site(site, &reports)?;
    }
    let reports = flat(reports);
    let count = |severity: Severity| {
        let coded =
            |report: &look::Report| report.found.iter().filter(|found| found.severity == severity).count();
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
