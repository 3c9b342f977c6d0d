//! Creates the drill that somebody wants. Never starts a real run.

use std::collections::BTreeMap;

use super::estate::{Simulated, runtime_for};
use super::planned::checks;
use super::policy::Manner;
use super::source::{self, Source};
use super::start::created;
use super::{Began, Binding, policy, quarantine, route, unfilled, warnings};
use crate::app::{Error, Session, exit};
use crate::engine::input::Consents;
use crate::engine::service::ServiceRecord;
use crate::engine::{IndexedPlan, RunState};
use crate::model::action::ActionName;
use crate::model::drill::DrillLevel;
use crate::model::id::ServiceName;
use crate::model::run::{Intent, Operation};
use crate::plan::{self, DrillChoices, Nested, Plan};
use crate::ports::RunFilter;
use crate::runtime::{self, Loaded, NewRun};

/// Somebody wants a drill.
#[derive(Debug, Clone, Default)]
pub(crate) struct WantedDrill {
    /// With what.
    pub binding: Binding,
    /// How far it goes; absent: as the runbook says, else simulate.
    pub level: Option<DrillLevel>,
    /// Absent: as the runbook says, else failover.
    pub operation: Option<Operation>,
    /// Why.
    pub reason: Option<String>,
    /// What asked for it.
    pub trigger: String,
    /// What is accepted before the point of no return.
    pub consents: Consents,
    /// How a drill of level simulate runs.
    pub simulated: Simulated,
    /// The same key starts a drill once.
    pub idempotency_key: Option<String>,
    /// Notes of the run.
    pub notes: BTreeMap<String, String>,
}

/// A drill as it would run now.
pub(crate) struct PlannedDrill {
    /// Its plan.
    pub plan: Plan,
    /// What was chosen for it.
    pub choices: DrillChoices,
    /// Sequence of the service record that a drill which moves the service depends on.
    pub service_head: Option<u64>,
}

/// The reason of a drill whose effects are real: at the other levels there may be none.
///
/// # Errors
/// When it needs one and has none, or it is too long.
pub(crate) fn reason(level: DrillLevel, given: Option<String>) -> Result<Option<String>, Error> {
    if !matches!(level, DrillLevel::Isolated | DrillLevel::Live) {
        return Ok(given);
    }
    let reason = crate::app::reason(&format!("a drill of level {level}"), given.as_deref());
    reason.map(Some).map_err(|error| match error.help {
        Some(_) => {
            error.help("add --reason \"what is rehearsed\"; it stands in the journal and in the report")
        }
        None => error,
    })
}

impl WantedDrill {
    /// What is chosen by who wants it.
    #[must_use]
    pub(crate) fn choices(&self) -> DrillChoices {
        DrillChoices {
            level: self.level,
            operation: self.operation,
            mode: self.binding.mode,
            from: None,
            to: None,
            unready: BTreeMap::new(),
            parameters: BTreeMap::new(),
        }
    }
}

/// Plans a drill by where its service is.
///
/// # Errors
/// When it cannot be planned, or goes to a site that is quarantined, or the journal cannot be read.
pub(crate) async fn planned(
    session: &Session,
    wanted: &WantedDrill,
    source: &Source,
) -> Result<PlannedDrill, Error> {
    let choices = wanted.choices();
    let level = choices.level(&source.runbook);
    let (record, service_head) = match level {
        DrillLevel::Simulate => (ServiceRecord::default(), None),
        DrillLevel::Check | DrillLevel::Isolated | DrillLevel::Live => {
            let (journal, service) = (session.journal.as_ref(), &source.runbook.metadata.name);
            let (record, head) = runtime::service_record_and_head(journal, service).await?;
            (record, (level == DrillLevel::Live).then_some(head))
        }
    };
    let (choices, plan) = bound(source, &wanted.binding, &choices, &record)?;
    if level == DrillLevel::Live {
        quarantine::refuse(&record, &plan)?;
    }
    Ok(PlannedDrill { plan, choices, service_head })
}

/// What is chosen for a drill, given where the service is.
///
/// # Errors
/// As [`route::choices`].
pub(crate) fn bound(
    source: &Source,
    binding: &Binding,
    wanted: &DrillChoices,
    record: &ServiceRecord,
) -> Result<(DrillChoices, Plan), Error> {
    let runbook = &source.runbook;
    let (operation, intent) = (wanted.operation(runbook), wanted.intent(runbook));
    let found = route::choices(binding, operation, intent, runbook, record)?;
    let choices = DrillChoices {
        from: found.from,
        to: found.to,
        unready: found.unready,
        parameters: found.parameters,
        ..wanted.clone()
    };
    let plan = plan::bind_drill(runbook, &choices).map_err(|problems| {
        Error::new(exit::INVALID, format!("no drill of {} can be planned", source.path.display()))
            .reason("invalid_plan")
            .details(problems)
    })?;
    Ok((choices, plan))
}

/// Creates the drill.
///
/// # Errors
/// When it cannot be planned, the policy refuses it, or the journal does.
pub(crate) async fn start(session: &Session, wanted: &WantedDrill, source: &Source) -> Result<Began, Error> {
    let PlannedDrill { plan, choices, service_head } = planned(session, wanted, source).await?;
    unfilled::refuse(&plan, &Nested::new())?;
    if plan.intent == Intent::Drill {
        unless_moved_by_others(session, &plan.runbook.name).await?;
    }
    let mut new = new_run(session, wanted, source, &plan);
    new.sensitive = source.sensitive(&plan, choices.parameters);
    new.service_head = service_head;
    let plan = if plan.intent == Intent::Check {
        checks(plan, false)
    } else {
        new.notes.extend(policy::ruled(session, source, &plan, Manner::default()).await?);
        new.notes.extend(warnings::noted(&source.findings));
        plan
    };
    let simulated = (plan.intent == Intent::Simulate).then_some(&wanted.simulated);
    let runtime = runtime_for(session, &plan, simulated, &mut new.notes)?;
    created(&runtime, plan, new, &Nested::new(), None).await
}

/// A real run of many services locks each of them only once it comes to it: until then no drill of one begins
/// that the run would meet.
async fn unless_moved_by_others(session: &Session, service: &ServiceName) -> Result<(), Error> {
    let filter = RunFilter { open: true, ..RunFilter::default() };
    for line in session.journal.runs(&filter).await? {
        if line.intent != Intent::Real || line.service == *service {
            continue;
        }
        let Loaded { plan, state, .. } = runtime::load(session.journal.as_ref(), &line.run).await?;
        if will_begin(&plan, &state, service) {
            let (run, status) = (&line.run, line.status);
            return Err(Error::new(
                exit::HELD,
                format!("run {run} is about to move {service}: it is {status}"),
            )
            .help(format!("drill {service} when it is over: `drctl runs show {run}`"))
            .reason("service_locked"));
        }
    }
    Ok(())
}

/// Says whether a step of a run that is not over begins a run of a service.
fn will_begin(plan: &IndexedPlan, state: &RunState, service: &ServiceName) -> bool {
    plan.plan.nodes.iter().zip(&state.nodes).any(|(definition, node)| {
        let call = definition.call(state.mode).filter(|call| call.action == ActionName::RunbookRun);
        let named = call.and_then(|call| call.with.get("runbook")).and_then(serde_json::Value::as_str);
        named == Some(service.as_str()) && !node.status.is_settled()
    })
}

/// What a drill begins with.
#[must_use]
pub(crate) fn new_run(session: &Session, wanted: &WantedDrill, source: &Source, plan: &Plan) -> NewRun {
    let mut consents = wanted.consents.clone();
    if plan.intent == Intent::Simulate {
        consents.confirm = Some(plan.confirmation());
    }
    let mut notes = source::accepted_lints(source, &wanted.binding.accept_lint);
    notes.extend(wanted.notes.clone());
    let mut trusted: Vec<_> = plan::drill::unenforced(plan).into_iter().map(|it| it.address).collect();
    trusted.dedup();
    if !trusted.is_empty() {
        let list = trusted.join(", ");
        session.say(&format!("the boundary is not enforced for {list}: their author answers for them"));
        notes.insert("boundary_not_enforced".to_owned(), list);
    }
    NewRun {
        runbook: source.text.clone(),
        reason: wanted.reason.clone(),
        started_by: session.identity.clone(),
        trigger: wanted.trigger.clone(),
        incident_at: None,
        detected_at: None,
        consents,
        adopt: false,
        staged_for: None,
        idempotency_key: wanted.idempotency_key.clone(),
        service_head: None,
        sensitive: BTreeMap::new(),
        notes,
    }
}
