//! `drctl trigger`: what listens to webhooks, and what it would do with an event. Changes nothing.

mod list;
mod test;

use std::collections::BTreeMap;

use clap::Subcommand;

use super::session::{self, Session};
use super::{Error, Global};
use crate::app;
use crate::config::Config;
use crate::model::trigger::TriggerSource;

/// What to do with triggers.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// List the triggers of all runbooks: what they listen to, what they start, and what came of them last.
    List,
    /// Show what each trigger of a runbook would do with an event, and why. Exit 0: one of them would act.
    Test(test::Arguments),
}

/// Runs the command.
///
/// # Errors
/// When a runbook, an event, the configuration or the journal cannot be used.
pub(crate) fn run(global: &Global, command: &Command) -> Result<u8, Error> {
    match command {
        Command::List => list::run(global),
        Command::Test(arguments) => test::run(global, arguments),
    }
}

/// The webhooks that deliveries come to: by name, who delivers there. A server listens at its own, whatever
/// the configuration of this machine says.
///
/// # Errors
/// When the server refuses, or cannot be asked.
fn webhooks(config: &Config, session: Option<&Session>) -> Result<BTreeMap<String, TriggerSource>, Error> {
    if let Some(server) = session.and_then(|session| session.server.as_ref()) {
        return session::block_on(async { Ok(server.webhooks().await?) });
    }
    let configured = config.webhooks.iter();
    Ok(configured.map(|(name, hook)| (name.clone(), app::source_of(hook.kind))).collect())
}
