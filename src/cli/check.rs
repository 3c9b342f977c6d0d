//! `drctl check`: runs the checks a failover would begin with, and changes nothing. Ready or not, and why.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::follow::Silent;
use super::runbook::{self, Binding, Source};
use super::session::{self, Session};
use super::table::Yield::{Drop, Wrap};
use super::table::{Table, short};
use super::{Error, Global, exit, output, plan, route, start, unfilled};
use crate::app::{self, RandomIds};
use crate::engine::service::ServiceRecord;
use crate::engine::{IndexedPlan, RunState, input};
use crate::evidence::{self, StepView, first_line};
use crate::model::policy::OnFailure;
use crate::model::run::{Intent, NodeStatus, Operation};
use crate::plan::{Nested, Plan};
use crate::ports::{Clock, IdSource};
use crate::runtime::{NewRun, Runtime, Stop, SystemClock};

/// Arguments of `check`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    binding: Binding,
    /// The operation to be ready for: failover, switchover or failback.
    #[arg(long, default_value = "failover")]
    operation: Operation,
    /// Check on the simulated estate.
    #[arg(long)]
    simulate: bool,
    /// What is wrong in the simulation.
    #[arg(long, value_name = "FILE", requires = "simulate")]
    scenario: Option<PathBuf>,
}

/// Runs the command. A check takes no lock: it may look while a run is under way.
///
/// # Errors
/// When the runbook cannot be planned, a secret cannot be read, or the journal refuses.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let config = session::config(global)?;
    let source = runbook::bound(&config, &arguments.binding)?;
    let name = &source.runbook.metadata.name;
    let record =
        if arguments.simulate { ServiceRecord::default() } else { plan::recorded(global, &config, name) };
    let choices =
        route::choices(&arguments.binding, arguments.operation, Intent::Check, &source.runbook, &record)?;
    let plan = prepared(start::bind(&source, &choices)?, arguments.simulate);
    if !arguments.simulate {
        unfilled::refuse(&plan, &Nested::new())?;
    }
    if plan.nodes.is_empty() {
        output::say(&format!("{name} has no checks to make; give its steps a `precheck`"));
    }
    let sensitive =
        choices.parameters.into_iter().filter(|(name, _)| plan.sensitive.contains_key(name)).collect();
    let session = Session::open(global)?;
    session::block_on(check(global, &session, arguments, &source, plan, sensitive))
}

/// Every check is made, whatever comes of the others.
fn prepared(mut plan: Plan, simulate: bool) -> Plan {
    for node in &mut plan.nodes {
        node.on_failure = OnFailure::Continue;
    }
    if simulate {
        plan.intent = Intent::Simulate;
    }
    plan
}

async fn check(
    global: &Global,
    session: &Session,
    arguments: &Arguments,
    source: &Source,
    plan: Plan,
    sensitive: BTreeMap<String, serde_json::Value>,
) -> Result<u8, Error> {
    let mut new = NewRun {
        runbook: source.text.clone(),
        reason: None,
        started_by: session.identity.clone(),
        trigger: "cli".to_owned(),
        incident_at: None,
        detected_at: None,
        consents: input::Consents::default(),
        adopt: false,
        staged_for: None,
        idempotency_key: None,
        service_head: None,
        sensitive,
        notes: BTreeMap::from([("command".to_owned(), "check".to_owned())]),
    };
    let runtime = runtime(session, arguments, &plan, &mut new)?;
    let driver = runtime.create(plan, new).await?;
    let (plan, state) = driver.drive(&Silent, Stop::AtPerson).await?;
    let result = Readiness::of(&plan, &state);
    output::print(global.output, &result, || result.render())?;
    Ok(if result.ready { exit::SUCCESS } else { exit::REFUSED })
}

fn runtime(
    session: &Session,
    arguments: &Arguments,
    plan: &Plan,
    new: &mut NewRun,
) -> Result<Runtime, Error> {
    if !arguments.simulate {
        return app::real_runtime(&session.config, session.journal.clone())
            .map_err(|error| Error::new(exit::BUG, error.to_string()));
    }
    let estate = format!("{}-check-{}", plan.runbook.name, RandomIds.suffix());
    new.notes.insert("estate".to_owned(), estate);
    if let Some(path) = &arguments.scenario {
        new.notes.insert("scenario".to_owned(), runbook::read(path)?);
    }
    start::simulated_runtime(session, plan, &new.notes, SystemClock::real().now())
}

/// What came of the checks.
#[derive(Debug, Serialize)]
struct Readiness {
    service: String,
    run: String,
    operation: &'static str,
    simulated: bool,
    ready: bool,
    /// What may become a hindrance, over all checks.
    warnings: usize,
    /// What could not be looked at, over all checks.
    unknown: usize,
    checks: Vec<StepView>,
}

/// Sentences of a kind among what an action said beforehand.
fn told<'a>(check: &'a StepView, kind: &str) -> impl Iterator<Item = &'a str> {
    let asked = check.id.starts_with("ready/");
    let lines = check.outputs.get(kind).filter(|_| asked).and_then(serde_json::Value::as_array);
    lines.into_iter().flatten().filter_map(serde_json::Value::as_str)
}

impl Readiness {
    fn of(plan: &IndexedPlan, state: &RunState) -> Self {
        let view = evidence::view(plan, state, None, state.last_at);
        let held = |status: NodeStatus| matches!(status, NodeStatus::Succeeded | NodeStatus::Skipped);
        Self {
            service: view.runbook,
            run: view.id,
            operation: view.operation,
            simulated: plan.plan.intent == Intent::Simulate,
            ready: state.status.is_terminal() && state.nodes.iter().all(|node| held(node.status)),
            warnings: view.steps.iter().map(|check| told(check, "warnings").count()).sum(),
            unknown: view.steps.iter().map(|check| told(check, "unknown").count()).sum(),
            checks: view.steps,
        }
    }

    fn render(&self) -> String {
        let mut table = Table::default();
        let mut notes: Vec<String> = Vec::new();
        for check in &self.checks {
            let (warned, unknown) = (told(check, "warnings").count(), told(check, "unknown").count());
            let word = match check.status {
                "succeeded" if warned > 0 => "\x1b[33mwarning\x1b[0m",
                "succeeded" if unknown > 0 && told(check, "found").count() == 0 => "\x1b[33m?\x1b[0m",
                "succeeded" => "\x1b[32mok\x1b[0m",
                "skipped" => "-",
                _ => "\x1b[31mFAILED\x1b[0m",
            };
            let took = match (check.started_at, check.ended_at) {
                (Some(start), Some(end)) => short(end.since(start)),
                _ => String::new(),
            };
            let why = check.failure.as_ref().map_or_else(String::new, |failure| first_line(&failure.message));
            let id = check.id.trim_start_matches("start/").trim_start_matches("ready/");
            table.row([word, id, check.action.unwrap_or(""), &took, &why]);
            let lines = told(check, "warnings").chain(told(check, "unknown"));
            notes.extend(lines.map(|line| format!("  {id}: {line}")));
        }
        let simulated = if self.simulated { " (simulated)" } else { "" };
        let failed =
            self.checks.iter().filter(|check| !matches!(check.status, "succeeded" | "skipped")).count();
        let mut aside = Vec::new();
        if self.warnings > 0 {
            aside.push(format!("{} warnings", self.warnings));
        }
        if self.unknown > 0 {
            aside.push(format!("{} things could not be checked", self.unknown));
        }
        let aside = if aside.is_empty() { String::new() } else { format!(": {}", aside.join(", ")) };
        let verdict = if self.ready {
            format!("\x1b[1;32mready\x1b[0m for a {}{simulated}{aside}", self.operation)
        } else {
            format!(
                "\x1b[1;31mnot ready\x1b[0m for a {}{simulated}: {failed} of {} failed",
                self.operation,
                self.checks.len()
            )
        };
        if !notes.is_empty() {
            notes.insert(0, String::new());
            notes.push(String::new());
        }
        let notes: String = notes.into_iter().map(|line| line + "\n").collect();
        let table = table.fit("", output::width(), &[Drop(2), Wrap(4)]);
        format!("{}\n{notes}{} is {verdict}\n", table.trim_end(), self.service).trim_start().to_owned()
    }
}
