//! `drctl diff`: what a change of a runbook or a fleet means for safety, for pull requests. Reads two
//! files, starts nothing.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::binding::values;
use super::output::Terminal;
use super::{Error, Format, Global, exit, output, session};
use crate::app::launch::shelf::{self, Shelf};
use crate::app::launch::{files, source};
use crate::compile;
use crate::config::{Config, Flags};
use crate::model::fleet::Roster;
use crate::model::id::SiteName;
use crate::model::limits;
use crate::model::run::{Mode, Operation};
use crate::model::runbook::Runbook;
use crate::plan;
use crate::plan::diff::{self, Chosen, Comparison, Weight};

/// Arguments of `diff`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// The old runbook: a path, `-` for standard input, or a name in the configured folders.
    old: String,
    /// The new runbook: the same.
    new: String,
    /// Compare this operation only.
    #[arg(long)]
    operation: Option<Operation>,
    /// Compare this mode only.
    #[arg(long)]
    mode: Option<Mode>,
    /// Compare runs that leave this site only.
    #[arg(long, value_name = "SITE")]
    from: Option<SiteName>,
    /// Compare runs that move to this site only.
    #[arg(long, value_name = "SITE")]
    to: Option<SiteName>,
    /// Value of a parameter, for both; those asked for and not given get stand-ins.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// YAML or JSON file with values of parameters.
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// Exit 7 when there is such a change.
    #[arg(long, value_enum, value_name = "CHANGE")]
    fail_on: Option<FailOn>,
    /// Draw lines, or a Markdown table for a comment on a pull request.
    #[arg(long, value_enum, default_value = "text")]
    format: Drawing,
}

/// Which changes end in exit code 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// A change that is more dangerous.
    Worse,
    /// Any change that matters for safety.
    Any,
}

/// How a comparison is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    /// One line for each change.
    Text,
    /// A Markdown table.
    Markdown,
}

/// Runs the command.
///
/// # Errors
/// When a runbook cannot be read or does not compile, or a value cannot be read.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    if arguments.old == "-" && arguments.new == "-" {
        return Err(Error::new(exit::USAGE, "only one of the runbooks can come from standard input"));
    }
    let old = load(global, &arguments.old)?;
    let new = load(global, &arguments.new)?;
    let comparison = match (&old.about, &new.about) {
        (About::One(old), About::One(new)) => diff::runbooks(old, new, &chosen(arguments)?),
        (About::Fleet(old), About::Fleet(new)) => {
            refuse_choices(arguments)?;
            diff::fleets(old, new)
        }
        (About::One(_), About::Fleet(_)) | (About::Fleet(_), About::One(_)) => {
            let what = "one of the two is a fleet, the other the runbook of one service";
            return Err(Error::new(exit::USAGE, what).reason("is_fleet"));
        }
    };
    if let (true, Some(why)) = (comparison.cases.is_empty(), comparison.not_compared.first()) {
        return Err(Error::new(exit::INVALID, format!("neither of the two can be planned: {why}"))
            .help("give the values they need with --set or --values")
            .reason("invalid_plan"));
    }
    let (worse, better) = (comparison.count(Weight::Worse), comparison.count(Weight::Better));
    if global.output == Format::Text {
        let drawn = match arguments.format {
            Drawing::Text => diff::text(&comparison),
            Drawing::Markdown => diff::markdown(&comparison),
        };
        output::line(drawn.trim_end())?;
    } else {
        let side = |side: &Side| {
            let (name, digest) = match &side.about {
                About::One(runbook) => (&runbook.metadata.name, plan::of_runbook(runbook)),
                About::Fleet(roster) => (&roster.metadata.name, plan::of_value(&json!(roster))),
            };
            json!({"source": side.name, "name": name, "digest": digest})
        };
        let document = json!({
            "old": side(&old), "new": side(&new), "worse": worse, "better": better,
            "neutral": comparison.count(Weight::Neutral), "changes": comparison.changes,
            "cases": comparison.cases, "not_compared": comparison.not_compared,
        });
        output::print(global.output, &document, String::new)?;
    }
    Ok(code(arguments.fail_on, &comparison))
}

fn code(fail_on: Option<FailOn>, comparison: &Comparison) -> u8 {
    let fails = match fail_on {
        None => false,
        Some(FailOn::Worse) => comparison.count(Weight::Worse) > 0,
        Some(FailOn::Any) => !comparison.changes.is_empty(),
    };
    if fails { exit::REFUSED } else { exit::SUCCESS }
}

fn chosen(arguments: &Arguments) -> Result<Chosen, Error> {
    Ok(Chosen {
        parameters: values(arguments.values.as_deref(), &arguments.set)?,
        operation: arguments.operation,
        mode: arguments.mode,
        from: arguments.from.clone(),
        to: arguments.to.clone(),
    })
}

/// One of the two.
struct Side {
    /// What it was called.
    name: String,
    about: About,
}

/// What it is about.
enum About {
    /// One service.
    One(Box<Runbook>),
    /// Many.
    Fleet(Box<Roster>),
}

/// Refuses what can be said of plans only: fleets are compared by their members.
fn refuse_choices(arguments: &Arguments) -> Result<(), Error> {
    let plans = arguments.operation.is_some() || arguments.mode.is_some();
    let way = arguments.from.is_some() || arguments.to.is_some();
    if plans || way || arguments.values.is_some() || !arguments.set.is_empty() {
        let what =
            "two fleets are compared by their members: there is no operation, way or parameter to choose";
        return Err(Error::new(exit::USAGE, what).help(
            "leave the flags away; the runbooks of the members can be compared with them, one by one",
        ));
    }
    Ok(())
}

/// Compiles one of the two. A pipe (`<(git show main:pay.yaml)`) and standard input count as paths.
fn load(global: &Global, name: &str) -> Result<Side, Error> {
    let text = match name {
        "-" => limited(&mut std::io::stdin().lock(), "standard input")?,
        path if Path::new(path).exists() && !Path::new(path).is_dir() => {
            let refuse = |error: std::io::Error| Error::new(exit::INVALID, format!("{path}: {error}"));
            limited(&mut std::fs::File::open(path).map_err(refuse)?, path)?
        }
        name => {
            let path = source::find(&session::config(global)?, name)?;
            return load(global, &path.display().to_string());
        }
    };
    let about = if files::is_fleet(&text) {
        About::Fleet(Box::new(roster(global, Path::new(name), &text)?))
    } else {
        About::One(Box::new(runbook(global, name, &text)?))
    };
    Ok(Side { name: name.to_owned(), about })
}

/// Resolves a fleet among the runbooks beside it, and those of the configured folders where it is one of
/// these or a pipe: one in another checkout selects among what is there.
fn roster(global: &Global, path: &Path, text: &str) -> Result<Roster, Error> {
    let config = session::config(global)?;
    let real = |path: &Path| path.canonicalize().ok();
    let folder = path.parent().and_then(real).filter(|_| path.is_file());
    let configured =
        |folder: &PathBuf| config.runbooks.iter().any(|it| real(it).is_some_and(|it| folder.starts_with(it)));
    let folders = if folder.as_ref().is_none_or(configured) { config.runbooks.as_slice() } else { &[] };
    let shelf = Shelf::read(folders, &source::options(&config)?, path);
    shelf::fleet(&shelf, path, text, &Terminal)
}

fn runbook(global: &Global, name: &str, text: &str) -> Result<Runbook, Error> {
    let flags = Flags { config: global.config.clone(), ..Flags::default() };
    let rules = Config::rules(&flags)?;
    let options = source::options_of(rules.file.as_deref(), &rules.lints)?;
    let (runbook, found) = compile::compile_with(text, &options);
    runbook.ok_or_else(|| {
        let errors: Vec<_> = found.into_iter().filter(compile::Diagnostic::is_error).collect();
        output::say(compile::render(name, text, &errors, output::is_terminal()).trim_end());
        Error::new(exit::INVALID, format!("{name} does not compile")).reason("invalid_runbook")
    })
}

/// Reads at most as much as a runbook may have.
fn limited(from: &mut dyn Read, name: &str) -> Result<String, Error> {
    let refuse = |message: String| Error::new(exit::INVALID, format!("{name}: {message}"));
    let mut text = String::new();
    let most = limits::RUNBOOK_BYTES as u64;
    from.take(most + 1).read_to_string(&mut text).map_err(|error| refuse(error.to_string()))?;
    if text.len() > limits::RUNBOOK_BYTES {
        return Err(refuse("larger than 1 MiB".to_owned()));
    }
    Ok(text)
}
