//! Makes the run that makes the checks of one service: those a failover would begin with. Changes nothing,
//! and takes no lock.

use std::collections::BTreeMap;

use serde_json::Value;

use super::estate::{real_runtime, simulated_runtime};
use super::planned::{self, checks};
use super::source::{FleetSource, Source};
use super::start::created;
use super::{Began, Binding, route, unfilled};
use crate::app::{Error, RandomIds, Session, exit};
use crate::engine::input;
use crate::engine::service::ServiceRecord;
use crate::model::fleet::Placed;
use crate::model::run::{Intent, Operation};
use crate::plan::{Nested, Plan};
use crate::ports::{Clock, IdSource};
use crate::runtime::{self, NewRun, SystemClock};

/// The simulated estate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Estate {
    /// What is wrong there: the text of a scenario.
    pub scenario: Option<String>,
}

/// Somebody wants to know whether a service is ready.
#[derive(Debug, Clone)]
pub(crate) struct WantedCheck {
    /// With what.
    pub binding: Binding,
    /// For which operation.
    pub operation: Operation,
    /// What asked for it.
    pub trigger: String,
    /// On the simulated estate.
    pub simulated: Option<Estate>,
    /// The same key makes the checks once.
    pub idempotency_key: Option<String>,
}

/// Checks as they would be made now.
pub(crate) struct PlannedCheck {
    /// Their plan.
    plan: Plan,
    /// Values that are not stored.
    sensitive: BTreeMap<String, Value>,
}

impl PlannedCheck {
    /// What there is to say when there is nothing to check.
    pub(crate) fn says_nothing(&self) -> Option<String> {
        let name = &self.plan.runbook.name;
        self.plan
            .nodes
            .is_empty()
            .then(|| format!("{name} has no checks to make; give its steps a `precheck`"))
    }
}

impl WantedCheck {
    /// Plans the checks of a service by where it is.
    ///
    /// # Errors
    /// When they cannot be planned.
    pub(crate) fn planned(&self, source: &Source, record: &ServiceRecord) -> Result<PlannedCheck, Error> {
        let runbook = &source.runbook;
        let choices = route::choices(&self.binding, self.operation, Intent::Check, runbook, record)?;
        let plan = checks(planned::bind(source, &choices)?, self.simulated.is_some());
        let sensitive = source.sensitive(&plan, choices.parameters);
        Ok(PlannedCheck { plan, sensitive })
    }

    /// Where a service is, as far as that matters: a simulation begins where its runbook says.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) async fn record(&self, session: &Session, source: &Source) -> Result<ServiceRecord, Error> {
        if self.simulated.is_some() {
            return Ok(ServiceRecord::default());
        }
        Ok(runtime::service_record(session.journal.as_ref(), &source.runbook.metadata.name).await?)
    }

    /// Creates the run of planned checks, which has not begun.
    ///
    /// # Errors
    /// When values are still to be filled in, a secret cannot be read, or the journal refuses.
    pub(crate) async fn begin(
        &self,
        session: &Session,
        source: &Source,
        planned: PlannedCheck,
    ) -> Result<Began, Error> {
        let PlannedCheck { plan, sensitive } = planned;
        if self.simulated.is_none() {
            unfilled::refuse(&plan, &Nested::new())?;
        }
        let mut new = NewRun {
            runbook: source.text.clone(),
            reason: None,
            started_by: session.identity.clone(),
            trigger: self.trigger.clone(),
            incident_at: None,
            detected_at: None,
            consents: input::Consents::default(),
            adopt: false,
            staged_for: None,
            idempotency_key: self.idempotency_key.clone(),
            service_head: None,
            sensitive,
            notes: BTreeMap::from([("command".to_owned(), "check".to_owned())]),
        };
        let runtime = match &self.simulated {
            None => real_runtime(session, None)?,
            Some(Estate { scenario }) => {
                let estate = format!("{}-check-{}", plan.runbook.name, RandomIds.suffix());
                new.notes.insert("estate".to_owned(), estate);
                if let Some(scenario) = scenario {
                    new.notes.insert("scenario".to_owned(), scenario.clone());
                }
                simulated_runtime(session, &plan, &new.notes, SystemClock::real().now())?
            }
        };
        created(&runtime, plan, new, &Nested::new(), None).await
    }

    /// Creates the run that makes the checks of one member of a fleet.
    ///
    /// # Errors
    /// As [`Self::planned`] and [`Self::begin`], or when the member has no runbook.
    pub(crate) async fn begin_member(
        &self,
        session: &Session,
        fleet: &FleetSource,
        placed: &Placed,
    ) -> Result<Began, Error> {
        let service = &placed.service;
        let Some(source) = fleet.shelf.source(service) else {
            return Err(Error::new(exit::INVALID, format!("there is no runbook `{service}`")));
        };
        let typed = &self.binding;
        let binding = Binding {
            runbook: service.to_string(),
            mode: typed.mode,
            from: placed.from.clone().or_else(|| typed.from.clone()),
            to: placed.to.clone().or_else(|| typed.to.clone()),
            values: placed.with.clone().into_iter().collect(),
            accept_lint: Vec::new(),
        };
        let idempotency_key = self.idempotency_key.as_ref().map(|key| format!("{key}/{service}"));
        let own = Self { binding, idempotency_key, ..self.clone() };
        let planned = own.planned(source, &own.record(session, source).await?)?;
        own.begin(session, source, planned).await
    }
}
