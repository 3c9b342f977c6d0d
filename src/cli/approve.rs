//! `drctl approve`: agrees to an approval, or gives the consents of the point of no return.

use clap::Args;

use super::binding::SensitiveFlags;
use super::control::Wish;
use super::session::{self, Session};
use super::start::ConsentFlags;
use super::{Error, Global, control, follow};
use crate::engine::input::Control;
use crate::model::id::NodeAddress;
use crate::model::run::NodeStatus;
use crate::runtime;

/// Arguments of `approve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Run: an id, a unique beginning of one, or `latest`.
    run: String,
    /// Node; absent: the only one that waits.
    node: Option<String>,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    consents: ConsentFlags,
    #[command(flatten)]
    sensitive: SensitiveFlags,
}

/// Runs the command.
///
/// # Errors
/// When the approval is refused, or a consent is missing and nobody can be asked.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let session = Session::open_existing(global)?;
    let sensitive = arguments.sensitive.values(&session)?;
    session::block_on(async {
        let run = session.find_run(&arguments.run, true).await?;
        let loaded = runtime::load(session.journal.as_ref(), &run).await?;
        let mut consents = arguments.consents.consents();
        let node = arguments.node.as_deref().map(NodeAddress::typed);
        let gate = loaded.plan.index.gate.filter(|gate| {
            let waits = loaded.state.node(*gate).status == NodeStatus::AwaitingApproval;
            waits && node.as_ref().is_none_or(|node| node.as_str() == NodeAddress::GATE)
        });
        if gate.is_some() {
            follow::ask_consents(&loaded.state.missing, &mut consents);
        }
        let control = Control::Approve { node, consents };
        let wish = Wish { control, reason: arguments.reason.clone(), sensitive };
        control::ask(global, &session, &run, wish).await
    })
}
