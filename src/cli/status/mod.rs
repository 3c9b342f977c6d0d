//! `drctl status`: one line for each service of the configured folders: how ready it is, and what was
//! measured.

mod line;
mod services;

use clap::Args;
use line::Line;

use super::session;
use super::{Error, Format, Global, exit, output};
use crate::app;
use crate::app::launch::policy;
use crate::cli::output::Terminal;
use crate::config::JournalPlace;
use crate::evidence::readiness::Readiness;
use crate::journal::OpenMode;

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
    let mut config = session::config(global)?;
    let found = services::found(&config, &arguments.services)?;
    let rules = policy::load(config.policy.as_deref(), &config.lints, &Terminal)?;
    if session::new_journal(&config).is_some() {
        config.journal = JournalPlace::Memory;
    }
    let journal = app::open_journal(&config, OpenMode::ReadOnly)?;
    let lines = session::block_on(async {
        let only = match found.services.as_slice() {
            [one] => Some(one.name.clone()),
            _ => None,
        };
        let listed = app::Listed::read(journal.as_ref(), only).await?;
        let now = session::now();
        let mut lines = Vec::new();
        for service in &found.services {
            let subject = app::Subject {
                service: &service.name,
                definition: service.definition(),
                runbook: service.runbook(),
                policy: rules.as_ref().map(policy::Rules::policy),
            };
            let standing = app::standing(journal.as_ref(), &listed, &subject, now).await?;
            lines.push(Line::of(service, standing, now));
        }
        Ok(lines)
    })?;
    if lines.is_empty() && global.output == Format::Text {
        output::say("no runbook is in the configured folders; `drctl init` writes one");
    }
    found.say_nameless();
    if !lines.is_empty() || global.output != Format::Text {
        let why = arguments.why || lines.len() == 1;
        output::print(global.output, &lines, || line::render(&lines, why))?;
    }
    let acts = !found.nameless.is_empty() || lines.iter().any(|line| line.judgement.needs_person());
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
