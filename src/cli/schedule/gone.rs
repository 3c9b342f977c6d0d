//! Schedules that the journal knows and that nothing keeps any more, because their runbook is gone. Changes
//! nothing.

use std::collections::BTreeSet;

use crate::app::launch::board::unscheduled;
use crate::cli::session::Session;
use crate::cli::{Error, output};
use crate::config::Config;
use crate::model::id::ServiceName;
use crate::runtime;

/// What is gone.
#[derive(Default)]
pub(super) struct Gone {
    /// The services.
    pub(super) services: Vec<String>,
    /// There is no runbook at all: all of them are out of sight, and not one of them taken away.
    pub(super) all: bool,
}

/// The services with a schedule in the journal and without a runbook in the folders of a configuration,
/// which may be those of a server. One whose runbook is there and says nothing of a schedule any more is
/// none: somebody wanted that.
///
/// # Errors
/// When the configuration or the journal cannot be used.
pub(super) async fn gone(session: &Session, config: &Config) -> Result<Gone, Error> {
    let shelf = unscheduled::shelf(config)?;
    let there: BTreeSet<&ServiceName> = shelf.services().into_iter().map(|(name, _, _)| name).collect();
    let mut services = Vec::new();
    let known = unscheduled::known(session).await?;
    for name in known.into_iter().filter(|name| !there.contains(name)) {
        let (record, _) = runtime::schedule_record(session.journal.as_ref(), &name).await?;
        if record.schedule.is_some() || record.taken_out.is_some() {
            services.push(name.to_string());
        }
    }
    Ok(Gone { all: there.is_empty() && !services.is_empty(), services })
}

/// Says which they are.
pub(super) fn say_gone(gone: &[String]) {
    for name in gone {
        output::say(&format!(
            "\x1b[33mwarning\x1b[0m: {name} had a drill schedule, and there is no runbook of it any more: none of its drills run"
        ));
    }
}
