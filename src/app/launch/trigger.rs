//! Starts and withdraws the runs that triggers order. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::interrupt::{DrillFate, Interrupted};
use super::schedule::failed;
use super::{Began, Binding, STAGED_FOR, Wanted, source, start};
use crate::app::keeper::Keeper;
use crate::app::{self, Error, Session};
use crate::config::WebhookKind;
use crate::engine::input::Consents;
use crate::engine::trigger::{Order, WithdrawOutcome};
use crate::model::id::{RunId, ServiceName};
use crate::model::run::Identity;
use crate::model::trigger::HowToStart;
use crate::notify::INCIDENT;
use crate::ports::BoxFuture;
use crate::runtime::{self, Act, LaunchError, Silent};

/// Starts what triggers order, and has it driven.
pub(crate) struct Starter {
    /// Configuration and journal of the process.
    pub session: Session,
    /// Drives the runs.
    pub keeper: Arc<Keeper>,
}

impl Act for Starter {
    fn launch<'a>(
        &'a self,
        service: &'a ServiceName,
        order: &'a Order,
    ) -> BoxFuture<'a, Result<RunId, LaunchError>> {
        Box::pin(async move {
            let mut interrupted = Interrupted::default();
            let began = self.start(service, order, &mut interrupted).await;
            let session = self.session.clone();
            tokio::spawn(async move { interrupted.settle(&session).await });
            match began.map_err(failed)? {
                Began::Before(run) => Ok(run),
                Began::New(driver) => {
                    let run = driver.state().created.run.clone();
                    self.keeper.drive(*driver);
                    Ok(run)
                }
            }
        })
    }

    fn withdraw<'a>(
        &'a self,
        run: &'a RunId,
        why: &'a str,
    ) -> BoxFuture<'a, Result<WithdrawOutcome, LaunchError>> {
        Box::pin(async move {
            let runtime = app::real_runtime(&self.session.config, self.session.journal.clone())
                .map_err(|error| LaunchError::Refused(error.to_string()))?;
            Ok(runtime::withdraw(&runtime, &Silent, run, why).await?)
        })
    }
}

impl Starter {
    async fn start(
        &self,
        service: &ServiceName,
        order: &Order,
        interrupted: &mut Interrupted,
    ) -> Result<Began, Error> {
        let identity = Identity::asserted(format!("webhook {}", order.webhook));
        let session =
            Session { identity, from: format!("webhook@{}", order.webhook), ..self.session.clone() };
        let mut wanted = wanted(service, order);
        let hook = session.config.webhooks.get(&order.webhook);
        if hook.is_some_and(|hook| hook.kind == WebhookKind::Pagerduty) {
            wanted.notes.insert(INCIDENT.to_owned(), order.incident.clone());
        }
        let subject = source::named(&session.config, &wanted.binding, session.voice.as_ref())?;
        start(&session, &wanted, &subject, interrupted).await
    }
}

fn wanted(service: &ServiceName, order: &Order) -> Wanted {
    Wanted {
        operation: order.start.operation,
        binding: Binding {
            runbook: service.to_string(),
            mode: order.start.mode,
            to: order.start.to.clone(),
            ..Binding::default()
        },
        reason: Some(order.reason.clone()),
        trigger: format!("webhook {}", order.webhook),
        // A source whose clock is ahead must not keep its run from starting.
        incident_at: order.incident_at.map(|at| at.min(app::now())),
        detected_at: Some(order.detected_at.min(app::now())),
        consents: Consents::default(),
        staged_for: (order.how == HowToStart::Staged).then_some(STAGED_FOR),
        adopt: false,
        drill: DrillFate::Auto,
        break_glass: false,
        broken_glass: None,
        simulated: None,
        idempotency_key: Some(order.key.clone()),
        notes: BTreeMap::from([("trigger".to_owned(), order.trigger.clone())]),
    }
}
