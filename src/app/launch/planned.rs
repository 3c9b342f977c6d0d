//! The plan of a run that somebody wants, with what its journal is to know from the beginning.

use std::collections::BTreeMap;

use super::interrupt::Standing;
use super::shelf::Shelf;
use super::source::{self, FleetSource, Source};
use super::{Binding, Wanted, incident, policy, quarantine, route, unfilled, warnings};
use crate::app::{Error, Session, exit};
use crate::engine::service::ServiceRecord;
use crate::model::id::NodeAddress;
use crate::model::policy::OnFailure;
use crate::model::run::{Intent, Operation};
use crate::plan::{self, Choices, FleetChoices, Nested, Plan};
use crate::runtime::{self, NewRun};

/// A plan that is to be run.
pub(crate) struct Planned {
    /// The plan.
    pub plan: Plan,
    /// The plans of the runs inside it.
    pub nested: Nested,
    /// What the run begins with.
    pub new: NewRun,
}

/// Plans a run of one service. `standing`: the drill that has moved it for a while; a run that goes where the
/// drill went is planned by where the service was before.
///
/// # Errors
/// When the service record, the policy or the plan refuse, or the journal cannot be read.
pub(crate) async fn one(
    session: &Session,
    wanted: &Wanted,
    source: &Source,
    standing: Option<&Standing>,
) -> Result<Planned, Error> {
    let (record, head) = if wanted.intent() == Intent::Simulate {
        (ServiceRecord::default(), None)
    } else {
        let (journal, service) = (session.journal.as_ref(), &source.runbook.metadata.name);
        let (record, head) = runtime::service_record_and_head(journal, service).await?;
        let record = match standing {
            Some(drill) => drill.seen_by(wanted, record),
            None => record,
        };
        (record, Some(head))
    };
    // Behind broken glass nothing is recorded and nothing can be: there a person's word is all there is.
    let (binding, operation, intent) = (&wanted.binding, wanted.operation, wanted.intent());
    let choices = if wanted.broken_glass.is_some() {
        route::wanted(binding, operation, intent, &source.runbook, &record)
    } else {
        route::choices(binding, operation, intent, &source.runbook, &record)?
    };
    let mut plan = bind(source, &choices)?;
    let asked = "without it drctl asks when everything before the point of no return is done";
    refuse_other_confirmation(wanted, &plan, asked)?;
    if plan.moves_nothing() {
        session.say(&format!(
            "\x1b[33mwarning\x1b[0m: no step is of phase shift, promote or restore: the service record of {} will not move",
            plan.runbook.name
        ));
    }
    quarantine::refuse(&record, &plan)?;
    let (mut nested, mut inside) = (Nested::new(), BTreeMap::new());
    if !plan::begun(&plan).is_empty() {
        let shelf = Shelf::of(&session.config, &source.path)?;
        let records = shelf.records(session, &plan).await?;
        (plan, nested) = shelf.nest(&source.path, plan, &records)?;
        inside = ruled_inside(session, wanted, &shelf, &nested).await?;
    }
    plan.measured = measured(session, &plan).await;
    let mut notes = policy::ruled(session, source, &plan, wanted.manner()).await?;
    notes.extend(inside);
    notes.extend(source::accepted_lints(source, &wanted.binding.accept_lint));
    unfilled::refuse(&plan, &nested)?;
    notes.extend(warnings::noted(&source.findings));
    let mut new = new_run(session, wanted, &source.text, &plan, notes)?;
    new.sensitive = source.sensitive(&plan, choices.parameters);
    new.service_head = head;
    Ok(Planned { plan, nested, new })
}

/// Plans a run of many services.
///
/// # Errors
/// As [`one`].
pub(crate) async fn fleet(
    session: &Session,
    wanted: &Wanted,
    source: &FleetSource,
) -> Result<Planned, Error> {
    let plan = fleet_plan(source, &wanted.binding, wanted.operation, wanted.intent())?;
    refuse_other_confirmation(
        wanted,
        &plan,
        "it confirms that of every member; without it each is asked for",
    )?;
    let records = source.shelf.records(session, &plan).await?;
    let (mut plan, nested) = source.shelf.nest(&source.path, plan, &records)?;
    plan.measured = measured(session, &plan).await;
    let notes = ruled_inside(session, wanted, &source.shelf, &nested).await?;
    unfilled::refuse(&plan, &nested)?;
    let new = new_run(session, wanted, &source.text, &plan, notes)?;
    Ok(Planned { plan, nested, new })
}

/// What confirms nothing here was meant for something else: at the point of no return it would be missing.
fn refuse_other_confirmation(wanted: &Wanted, plan: &Plan, more: &str) -> Result<(), Error> {
    let whole = plan.confirmation();
    let other = wanted.consents.confirm.as_ref().filter(|confirmed| **confirmed != whole);
    other.map_or(Ok(()), |other| {
        Err(Error::new(exit::USAGE, format!("--confirm {other} confirms no point of no return here"))
            .help(format!("nothing was started; this run takes --confirm {whole}: {more}")))
    })
}

/// The plan as one that only looks: every check is made, whatever comes of the others.
pub(crate) fn checks(mut plan: Plan, simulate: bool) -> Plan {
    for node in &mut plan.nodes {
        node.on_failure = OnFailure::Continue;
    }
    if simulate {
        plan.intent = Intent::Simulate;
    }
    plan
}

/// What earlier runs of the service took, for the forecast of this one. Not knowing it stops nothing.
async fn measured(session: &Session, plan: &Plan) -> BTreeMap<NodeAddress, plan::Measured> {
    if plan.intent != Intent::Real {
        return BTreeMap::new();
    }
    match runtime::history(session.journal.as_ref(), &plan.runbook.name).await {
        Ok(history) => history.of(plan),
        Err(error) => {
            session.say(&format!("note: what earlier runs took is not known ({error}); estimates count"));
            BTreeMap::new()
        }
    }
}

/// The policy holds for every run inside a run as if it were started by itself.
async fn ruled_inside(
    session: &Session,
    wanted: &Wanted,
    shelf: &Shelf,
    nested: &Nested,
) -> Result<BTreeMap<String, String>, Error> {
    let mut notes = BTreeMap::new();
    for planned in nested.values() {
        let Some(source) = shelf.source(&planned.plan.runbook.name) else { continue };
        let ruled = policy::ruled(session, source, &planned.plan, wanted.manner()).await?;
        // What was broken is told of each service.
        notes.extend(ruled.into_iter().map(|(note, text)| match note.strip_prefix(policy::OVERRIDE) {
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                (format!("{note}_{}", planned.plan.runbook.name), text)
            }
            Some(_) | None => (note, text),
        }));
    }
    Ok(notes)
}

/// The plan of a fleet, without those of its members.
///
/// # Errors
/// When it cannot be made, or something was given that is about one service.
pub(crate) fn fleet_plan(
    source: &FleetSource,
    binding: &Binding,
    operation: Operation,
    intent: Intent,
) -> Result<Plan, Error> {
    refuse_values(binding)?;
    let (from, to) = (binding.from.clone(), binding.to.clone());
    let choices = FleetChoices { operation, mode: binding.mode, intent, from, to };
    plan::bind_fleet(&source.roster, &choices).map_err(|problems| {
        Error::new(exit::INVALID, format!("{} cannot be planned", source.path.display()))
            .reason("invalid_plan")
            .details(problems)
    })
}

/// A fleet takes no values.
///
/// # Errors
/// When some were given.
pub(crate) fn refuse_values(binding: &Binding) -> Result<(), Error> {
    if binding.values.is_empty() {
        return Ok(());
    }
    Err(Error::new(exit::USAGE, "a fleet has no parameters of its own")
        .help("write the values of a member under its `with`"))
}

/// Binds a runbook; the error names every problem.
///
/// # Errors
/// When it cannot be bound.
pub(crate) fn bind(source: &Source, choices: &Choices) -> Result<Plan, Error> {
    plan::bind(&source.runbook, choices).map_err(|problems| {
        Error::new(exit::INVALID, format!("{} cannot be planned", source.path.display()))
            .reason("invalid_plan")
            .details(problems)
    })
}

fn new_run(
    session: &Session,
    wanted: &Wanted,
    text: &str,
    plan: &Plan,
    mut notes: BTreeMap<String, String>,
) -> Result<NewRun, Error> {
    let mut consents = wanted.consents.clone();
    if wanted.intent() == Intent::Simulate {
        consents.confirm = Some(plan.confirmation());
    }
    notes.extend(wanted.notes.clone());
    let told = incident::told(session, wanted, &mut notes)?;
    Ok(NewRun {
        runbook: text.to_owned(),
        reason: wanted.reason.clone(),
        started_by: session.identity.clone(),
        trigger: wanted.trigger.clone(),
        incident_at: told.incident_at,
        detected_at: told.detected_at,
        consents,
        adopt: wanted.adopt,
        staged_for: wanted.staged_for,
        idempotency_key: wanted.idempotency_key.clone(),
        service_head: None,
        sensitive: BTreeMap::new(),
        notes,
    })
}
