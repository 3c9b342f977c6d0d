//! `drctl status`: one line for each service of the configured folders: how ready it is, and what was
//! measured.

mod line;

use clap::Args;

use super::session;
use super::{Error, Format, Global, exit, output};
use crate::app::launch::policy;
use crate::app::{self, status};
use crate::cli::output::Terminal;
use crate::config::JournalPlace;
use crate::evidence::readiness::Readiness;
use crate::journal::OpenMode;
use crate::runtime;

/// Arguments of `status`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Services, or paths of runbooks; default: all in the configured folders.
    services: Vec<String>,
    /// Say why, and what helps; a single service always says so.
    #[arg(long)]
    why: bool,
}

/// Runs the command. Looking makes no journal: without one nothing was ever exercised.
///
/// # Errors
/// When a service is not known, or the journal cannot be read.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let (mut config, _borrowed) = session::config_and_runbooks(global)?;
    let found = status::found(&config, &arguments.services)?;
    let rules = policy::load(config.policy.as_deref(), &config.lints, &Terminal)?;
    if session::new_journal(&config).is_some() {
        config.journal = JournalPlace::Memory;
    }
    let journal = app::open_journal(&config, OpenMode::ReadOnly)?;
    let (lines, switch) = session::block_on(async {
        let switch = runtime::stop_switch(journal.as_ref()).await?;
        let known = runtime::known_readings(journal.as_ref()).await?.readings;
        let now = session::now();
        let lines = status::lines(journal.as_ref(), &found.services, rules.as_ref(), &known, now).await?;
        Ok((lines, switch))
    })?;
    if lines.is_empty() && found.is_whole() && global.output == Format::Text {
        output::say("no runbook is in the configured folders; `drctl init` writes one");
    }
    if switch.stopped {
        let by = switch.by.map_or_else(String::new, |by| format!(" by {}", by.name));
        let why = switch.reason.map_or_else(String::new, |reason| format!(": {reason}"));
        output::say(&format!("\x1b[33mstopped\x1b[0m{by}: triggers and schedules start nothing{why}"));
    }
    found.say_nameless(&Terminal);
    if !lines.is_empty() || global.output != Format::Text {
        let why = arguments.why || lines.len() == 1;
        output::print(global.output, &lines, || line::render(&lines, why))?;
    }
    let acts = !found.is_whole() || lines.iter().any(|line| line.judgement.needs_person());
    Ok(if acts { exit::NEEDS_PERSON } else { exit::SUCCESS })
}

/// A word of readiness in the colour it has everywhere.
fn coloured(readiness: Readiness) -> String {
    let colour = match readiness {
        Readiness::Ready => "32",
        Readiness::NeedsDrill | Readiness::NeedsVerification => "33",
        Readiness::ActionRequired => "1;31",
    };
    format!("\x1b[{colour}m{}\x1b[0m", readiness.as_str().replace('_', " "))
}
