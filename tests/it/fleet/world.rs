//! Services of a few steps, a fleet of them, and a runtime that simulates both with one virtual clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use drctl::engine::RunState;
use drctl::engine::input::{Control, Request};
use drctl::journal::MemoryJournal;
use drctl::model::id::{RunId, ServiceName};
use drctl::model::run::{Identity, Intent, Operation};
use drctl::model::time::Timestamp;
use drctl::plan::{self, FleetChoices, Known, Library, Nested, Plan};
use drctl::ports::{Journal, RunFilter, RunSummary};
use drctl::providers::simulated::{EstateStore, Scenario, SimulatedProvider};
use drctl::runtime::{Driver, Runtime, SimulatedOperator, Stop, Time, VirtualClock};

use crate::support::runtime::{Counting, NoSecrets, Silent, new_run};

/// The runbook of a service: a program, where it is asked for an approval, and a program that validates.
pub(crate) fn runbook(service: &str, approval: bool) -> String {
    let run = "uses: command.run, with: {argv: [x], idempotent: true}, drill: skip, estimate: 1m";
    let ask = if approval { "      - {id: ask, uses: approval.request}\n" } else { "" };
    format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: {service}}}\n\
         sites: {{east: {{role: active}}, west: {{role: standby}}}}\nworkflows:\n  failover:\n    steps:\n\
         \x20     - {{id: move, {run}}}\n{ask}      - {{id: check, phase: validate, {run}}}\n"
    )
}

pub(crate) fn known(text: &str) -> (ServiceName, Known) {
    let (runbook, findings) = drctl::compile::compile(text, jiff::civil::date(2026, 11, 21));
    let shown = drctl::compile::render("x.yaml", text, &findings, false);
    let runbook = runbook.unwrap_or_else(|| panic!("{shown}"));
    (
        runbook.metadata.name.clone(),
        Known { runbook, text: text.to_owned(), from: None, to: None, unready: BTreeMap::new() },
    )
}

pub(crate) fn library(texts: &[String]) -> Library {
    texts.iter().map(|text| known(text)).collect()
}

/// The plan of a fleet with those of its members.
pub(crate) fn planned(fleet: &str, library: &Library) -> (Plan, Nested) {
    let directory = library.iter().map(|(name, known)| {
        (name.clone(), drctl::compile::Listed::of(&known.runbook, plan::runs(&known.runbook)))
    });
    let (roster, findings) = drctl::compile::fleet(fleet, &directory.collect());
    let shown = drctl::compile::render("fleet.yaml", fleet, &findings, false);
    let roster = roster.unwrap_or_else(|| panic!("{shown}"));
    let choices = FleetChoices {
        operation: Operation::Failover,
        mode: None,
        intent: Intent::Simulate,
        from: None,
        to: None,
    };
    plan::nest(plan::bind_fleet(&roster, &choices).unwrap(), library).unwrap()
}

pub(crate) struct World {
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) runtime: Runtime,
}

impl World {
    /// A world in which what the scenario says goes wrong.
    pub(crate) fn new(scenario: &str) -> Self {
        let text = format!("apiVersion: drctl/v1\nkind: Scenario\nmetadata: {{name: test}}\n{scenario}");
        let scenario = Scenario::parse(&text).unwrap();
        let clock = VirtualClock::starting_at(Timestamp::from_millis(1_000_000));
        let time = Time::Virtual(Arc::clone(&clock));
        let operator = Some(SimulatedOperator { approval_delay: scenario.approval_delay() });
        let store = EstateStore::in_memory();
        let provider = SimulatedProvider::new(BTreeMap::new(), None, None, scenario, store, time.clock());
        let journal = Arc::new(MemoryJournal::new());
        let runtime = Runtime {
            journal: Arc::clone(&journal) as Arc<dyn Journal>,
            provider: Arc::new(provider),
            time,
            secrets: Arc::new(NoSecrets),
            ids: Arc::new(Counting::default()),
            holder: "test".to_owned(),
            host: "here".to_owned(),
            traces: None,
            operator,
        };
        Self { journal, clock, runtime }
    }

    /// A run of a fleet that has not begun.
    pub(crate) async fn start(&self, fleet: &str, services: &[String]) -> Driver {
        let (plan, nested) = planned(fleet, &library(services));
        self.create(plan, &nested, fleet).await
    }

    pub(crate) async fn create(&self, plan: Plan, nested: &Nested, text: &str) -> Driver {
        self.runtime.create_with(plan, new_run(text), nested).await.unwrap()
    }

    /// Drives a run that exists until a person is needed or it is over.
    pub(crate) async fn go_on(&self, run: &RunId) -> RunState {
        let driver = self.runtime.take_over(run, BTreeMap::new()).await.unwrap();
        driver.drive(&Silent, Stop::AtPerson).await.unwrap().1
    }

    /// Asks something of a run, whoever drives it.
    pub(crate) async fn ask(&self, run: &RunId, control: Control) {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let id = format!("test-{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let (by, reason) = (Identity::asserted("person"), Some("because".to_owned()));
        let request = Request { id, by, from: "test".to_owned(), reason, control };
        self.journal.submit(run, &request).await.unwrap();
    }

    /// The runs of the members, by service and the time they began.
    pub(crate) async fn members(&self) -> Vec<RunSummary> {
        let filter = RunFilter { simulated: true, ..RunFilter::default() };
        let runs = self.journal.runs(&filter).await.unwrap();
        let mut members: Vec<_> = runs.into_iter().filter(|run| run.parent.is_some()).collect();
        members.sort_by(|a, b| (&a.service, a.created_at).cmp(&(&b.service, b.created_at)));
        members
    }

    /// Service and status of the members' runs.
    pub(crate) async fn statuses(&self) -> Vec<String> {
        self.members().await.iter().map(|run| format!("{} {}", run.service, run.status)).collect()
    }

    /// The newest run of a member.
    pub(crate) async fn run_of(&self, service: &str) -> RunId {
        let members = self.members().await;
        members.iter().rfind(|run| run.service.as_str() == service).unwrap().run.clone()
    }
}
