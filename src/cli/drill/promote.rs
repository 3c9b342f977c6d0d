//! `drctl drill promote`: the incident has come while it was rehearsed, and the real run goes on from there.

use clap::Args;

use crate::app::launch::promote::WantedPromotion;
use crate::cli::binding::typed;
use crate::cli::consents::ConsentFlags;
use crate::cli::session::{self, Session};
use crate::cli::{Error, Global, start};
use crate::model::run::Mode;
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
    let wanted = WantedPromotion {
        reason: session::reason("drill promote", arguments.reason.as_deref())?,
        mode: arguments.mode,
        incident_at: arguments.incident_at,
        consents: arguments.consents.consents(),
        values: typed(&arguments.set)?,
        trigger: "cli".to_owned(),
        idempotency_key: None,
    };
    let session = Session::open_existing(global)?;
    session::block_on(async {
        let drill = session.find_run(&arguments.run, true).await?;
        Box::pin(start::promoted(global, &session, &drill, wanted)).await
    })
}
