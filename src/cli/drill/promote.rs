//! `drctl drill promote`: the incident has come while it was rehearsed, and the real run goes on from there.

use std::path::PathBuf;

use clap::Args;

use crate::app::launch::source;
use crate::cli::binding::typed;
use crate::cli::consents::ConsentFlags;
use crate::cli::output::Terminal;
use crate::cli::session::{self, Session};
use crate::cli::{Error, Global, exit, start};
use crate::model::run::{Intent, Mode};
use crate::model::time::Timestamp;

/// Arguments of `drill promote`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
    /// Why: what happened.
    #[arg(long)]
    reason: Option<String>,
    /// graceful or ungraceful; default: as the drill.
    #[arg(long)]
    mode: Option<Mode>,
    /// When the incident began; the recovery clock counts from here.
    #[arg(long, value_name = "TIME")]
    incident_at: Option<Timestamp>,
    #[command(flatten)]
    consents: ConsentFlags,
    /// Value of a sensitive parameter, which is not stored; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
}

/// Runs the command. The runbook is the one the drill was started with, whatever has become of its file.
///
/// # Errors
/// When the run is no drill with real effects, or the real run cannot be started.
pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let reason = session::reason("drill promote", arguments.reason.as_deref())?;
    let session = Session::open_existing(global)?;
    let (loaded, text) = session::block_on(async {
        let (run, loaded) = super::control::find(&session, &arguments.run).await?;
        let created = &loaded.state.created;
        if created.intent != Intent::Drill || loaded.state.status.is_terminal() {
            let what =
                format!("{run} has nothing to promote: {} drill, {}", created.intent, loaded.state.status);
            return Err(Error::new(exit::REFUSED, what)
                .help(format!("start the real run: drctl {} {}", created.operation, created.service))
                .reason("not_promotable"));
        }
        let text = session.journal.blob(&created.runbook).await?.unwrap_or_default();
        Ok((loaded, text))
    })?;
    let plan = &loaded.plan.plan;
    let text = String::from_utf8_lossy(&text).into_owned();
    // What was accepted for the drill is accepted for what it turns into.
    let accept_lint = source::accepted_before(&loaded.state.created.notes);
    let path = PathBuf::from(plan.runbook.name.as_str());
    let source = source::compiled(&session.config, path, text, Some(&accept_lint), &Terminal)?;
    let promotion = start::Promotion {
        reason,
        mode: arguments.mode,
        incident_at: arguments.incident_at,
        consents: arguments.consents.clone(),
        set: typed(&arguments.set)?,
        accept_lint,
    };
    start::promoted(global, &session, source, plan, promotion)
}
