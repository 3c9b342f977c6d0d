//! Judges again and again how ready every service is, as `drctl status` does, and keeps what has changed.

use std::sync::Arc;

use super::{again, services};
use crate::app::launch::policy;
use crate::app::status::{self, Service};
use crate::app::{Error, Listed, now};
use crate::evidence::first_line;
use crate::evidence::readiness::{Judgement, Reason};
use crate::model::readiness::{Readiness, ReadinessChanged, ReasonKept};
use crate::runtime;
use crate::server::state::{Log, Server};

/// Judges until the server lets go of its runs.
pub(in crate::server) async fn watch(server: Arc<Server>) {
    again(&server, server.config().readiness_every, || turn(&server)).await;
}

async fn turn(server: &Server) {
    let journal = server.session().journal.as_ref();
    match runtime::stop_switch(journal).await {
        Ok(switch) => server.metrics.stopped(switch.stopped),
        Err(error) => tracing::error!(%error, "the stop switch cannot be read"),
    }
    if let Some(services) = services(server)
        && let Err(error) = judge(server, &services).await
    {
        tracing::error!(error = %error.message, "readiness is not judged");
    }
}

async fn judge(server: &Server, services: &[Service]) -> Result<(), Error> {
    let session = server.session();
    let (config, journal) = (&session.config, session.journal.as_ref());
    let rules = policy::load(config.policy.as_deref(), &config.lints, &Log)?;
    let listed = Listed::read(journal, None).await?;
    let mut judged = Vec::new();
    for service in services {
        let standing = status::stands(journal, &listed, service, rules.as_ref(), now()).await?;
        judged.push((service.name.clone(), standing.judgement));
    }
    server.metrics.forget_ready();
    for (service, judgement) in &judged {
        server.metrics.ready(service.as_str(), judgement.readiness);
    }
    for (service, judgement) in judged {
        let (before, head) = runtime::last_readiness(journal, &service).await?;
        if before != Some(judgement.readiness) {
            let changed = changed(before, judgement);
            // Who was faster has said the same, or will be answered by the next look.
            runtime::record_readiness(journal, &service, &changed, head, now()).await?;
        }
    }
    Ok(())
}

fn changed(from: Option<Readiness>, judgement: Judgement) -> ReadinessChanged {
    let to = judgement.readiness;
    let makes = |reason: &Reason| reason.makes != Readiness::Ready;
    let kept = |reason: Reason| ReasonKept {
        code: reason.code.to_owned(),
        text: first_line(&reason.text),
        command: reason.command,
    };
    let reasons = judgement.reasons.into_iter().filter(makes).map(kept).collect();
    ReadinessChanged { from, to, reasons }
}
