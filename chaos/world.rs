//! A world for one run: estate, virtual time, a journal that crashes on demand, an engine that can be
//! replaced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use drctl::compile;
use drctl::engine::event::Event;
use drctl::engine::input::{Consents, Control, Request};
use drctl::engine::{IndexedPlan, RunState};
use drctl::journal::MemoryJournal;
use drctl::model::id::RunId;
use drctl::model::run::{Identity, Intent, Operation};
use drctl::model::time::{Duration, Timestamp};
use drctl::plan::{self, Choices, NodeIndex, Plan};
use drctl::ports::{
    Append, BoxFuture, Checkpoint, Head, IdSource, Journal, JournalError, Lease, Node, NodeFacts, Provider,
    Record, RunFilter, RunSummary, SecretError, SecretSource, StreamName, Takeover,
};
use drctl::providers::simulated::{EstateStore, Scenario, SimulatedProvider};
use drctl::runtime::{Follower, NewRun, Recorded, Runtime, SimulatedOperator, Stop, Time, VirtualClock};

use crate::estate::{Found, Watched};

/// Where this repository is.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every runbook that is shipped, with the operations it can be planned for.
pub(crate) fn shipped() -> Vec<(PathBuf, Operation)> {
    let mut files: Vec<_> =
        std::fs::read_dir(root().join("runbooks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    // A fleet is no runbook of one service.
    files.retain(|file| !file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fleet-")));
    files.sort();
    let mut all = Vec::new();
    for file in files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "yaml"))
    {
        for operation in [Operation::Failover, Operation::Switchover, Operation::Failback] {
            if plan_of(&file, operation).is_some() {
                all.push((file.clone(), operation));
            }
        }
    }
    assert!(all.len() >= 10, "five runbooks, at least two operations each: {all:?}");
    all
}

/// The plan of a shipped runbook on the simulated estate; `None` when it has no workflow for the operation.
pub(crate) fn plan_of(path: &Path, operation: Operation) -> Option<(Plan, String)> {
    let text = std::fs::read_to_string(path).unwrap();
    let (runbook, diagnostics) = compile::compile(&text, jiff::civil::date(2026, 11, 21));
    let runbook =
        runbook.unwrap_or_else(|| panic!("{}", compile::render("runbook", &text, &diagnostics, false)));
    if operation == Operation::Failback && runbook.workflows.failback.is_none() {
        return None;
    }
    // Where every site is active, the first one is lost, and later taken back in.
    let active: Vec<_> = runbook.sites.iter().filter(|(_, site)| site.role.as_str() == "active").collect();
    let first = (active.len() > 1).then(|| active[0].0.clone());
    let (from, to) = if operation == Operation::Failback { (None, first) } else { (first, None) };
    let parameters = runbook.parameters.iter().filter(|(_, parameter)| parameter.default.is_none());
    let parameters = parameters.map(|(name, parameter)| (name.clone(), sample(parameter))).collect();
    let choices = Choices {
        operation,
        mode: None,
        intent: Intent::Simulate,
        from,
        to,
        unready: BTreeMap::new(),
        parameters,
    };
    match plan::bind(&runbook, &choices) {
        Ok(plan) => Some((plan, text)),
        Err(problems) => panic!("{} {operation}: {problems:?}", path.display()),
    }
}

fn sample(parameter: &drctl::model::values::Parameter) -> serde_json::Value {
    use drctl::model::values::ParameterType;
    match parameter.kind {
        ParameterType::String => "sample".into(),
        ParameterType::Integer | ParameterType::Number => {
            serde_json::from_str(&parameter.minimum.unwrap_or(3.0).round().to_string()).unwrap()
        }
        ParameterType::Boolean => true.into(),
        ParameterType::Duration => "30s".into(),
        ParameterType::List => serde_json::json!(["sample"]),
        ParameterType::Map => serde_json::json!({}),
    }
}

/// When the journal fails, counted in appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Never.
    Never,
    /// Just before this append becomes durable.
    Before(u64),
    /// Just after it, before the engine hears of it.
    After(u64),
}

/// A journal whose process dies at a chosen append.
pub(crate) struct CrashingJournal {
    inner: MemoryJournal,
    crash: Crash,
    pub(crate) appends: AtomicU64,
}

fn dead() -> JournalError {
    JournalError::Unavailable("the process was killed here".to_owned())
}

impl Journal for CrashingJournal {
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<Vec<Head>, JournalError>> {
        Box::pin(async move {
            let number = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
            match self.crash {
                Crash::Before(at) if number >= at => Err(dead()),
                Crash::After(at) if number > at => Err(dead()),
                Crash::After(at) if number == at => {
                    self.inner.append(appends).await?;
                    Err(dead())
                }
                Crash::Never | Crash::Before(_) | Crash::After(_) => self.inner.append(appends).await,
            }
        })
    }
    fn read<'a>(
        &'a self,
        stream: &'a StreamName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Record>, JournalError>> {
        self.inner.read(stream, after, limit)
    }
    fn read_after(&self, position: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Record>, JournalError>> {
        self.inner.read_after(position, limit)
    }
    fn checkpoint<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Checkpoint>, JournalError>> {
        self.inner.checkpoint(run)
    }
    fn blob<'a>(&'a self, digest: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, JournalError>> {
        self.inner.blob(digest)
    }
    fn grant<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<u64, JournalError>> {
        self.inner.grant(run)
    }
    fn confirm<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        self.inner.confirm(run, token)
    }
    fn undriven(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>> {
        self.inner.undriven(limit)
    }
    fn free(&self, limit: usize) -> BoxFuture<'_, Result<Vec<RunSummary>, JournalError>> {
        self.inner.free(limit)
    }
    fn announce<'a>(&'a self, node: &'a NodeFacts) -> BoxFuture<'a, Result<(), JournalError>> {
        self.inner.announce(node)
    }
    fn withdraw(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.inner.withdraw()
    }
    fn nodes(&self) -> BoxFuture<'_, Result<Vec<Node>, JournalError>> {
        self.inner.nodes()
    }
    fn takeovers(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Takeover>, JournalError>> {
        self.inner.takeovers(limit)
    }
    fn release<'a>(&'a self, run: &'a RunId, token: u64) -> BoxFuture<'a, Result<(), JournalError>> {
        self.inner.release(run, token)
    }
    fn lease<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<Lease>, JournalError>> {
        self.inner.lease(run)
    }
    fn submit<'a>(&'a self, run: &'a RunId, request: &'a Request) -> BoxFuture<'a, Result<(), JournalError>> {
        self.inner.submit(run, request)
    }
    fn inbox<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Vec<Request>, JournalError>> {
        self.inner.inbox(run)
    }
    fn summary<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<Option<RunSummary>, JournalError>> {
        self.inner.summary(run)
    }
    fn runs<'a>(&'a self, filter: &'a RunFilter) -> BoxFuture<'a, Result<Vec<RunSummary>, JournalError>> {
        self.inner.runs(filter)
    }
    fn changed(&self, within: Duration) -> BoxFuture<'_, ()> {
        self.inner.changed(within)
    }
}

struct OneId;

impl IdSource for OneId {
    fn suffix(&self) -> String {
        "aaaaaaaa".to_owned()
    }
}

struct NoSecrets;

impl SecretSource for NoSecrets {
    fn resolve<'a>(
        &'a self,
        _: &'a BTreeMap<String, drctl::model::values::Secret>,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, SecretError>> {
        Box::pin(async { Ok(BTreeMap::new()) })
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<Recorded>>);

impl Follower for Seen {
    fn recorded(&self, _: &IndexedPlan, _: &RunState, facts: &[Recorded]) {
        self.0.lock().unwrap().extend_from_slice(facts);
    }
    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}
}

/// The world of one run.
pub(crate) struct World {
    pub(crate) plan: Plan,
    text: String,
    scenario: Scenario,
    pub(crate) journal: MemoryJournal,
    pub(crate) estate: EstateStore,
    now: Timestamp,
    pub(crate) run: RunId,
    /// The estate as it was before anything was changed; looked at only where it is asked for.
    pub(crate) found: Option<Found>,
    asked: u32,
    /// Where the service record was when the plan was made; absent: nobody asks.
    pub(crate) service_head: Option<u64>,
}

impl World {
    pub(crate) fn new(plan: Plan, text: String, scenario: Scenario) -> Self {
        let run = RunId::new(format!("{}-aaaaaaaa", plan.runbook.name)).unwrap();
        let now = "2026-11-21T03:00:00Z".parse().unwrap();
        Self {
            plan,
            text,
            scenario,
            journal: MemoryJournal::new(),
            estate: EstateStore::in_memory(),
            now,
            run,
            found: None,
            asked: 0,
            service_head: None,
        }
    }

    /// Notes what is there before it is changed. Takes a look before each attempt.
    pub(crate) fn watched(self) -> Self {
        Self { found: Some(Found::default()), ..self }
    }

    /// From the next engine on, the world is under another scenario.
    pub(crate) fn under(&mut self, scenario: Scenario) {
        self.scenario = scenario;
    }

    /// Puts a request of a person into the inbox, for the next engine.
    pub(crate) async fn ask(&mut self, control: Control) {
        self.asked += 1;
        let request = Request {
            id: format!("asked-{}", self.asked),
            by: Identity::asserted("ann"),
            from: "chaos".to_owned(),
            reason: Some("the fault is understood".to_owned()),
            control,
        };
        self.journal.submit(&self.run, &request).await.unwrap();
    }

    /// Drives the run with a new engine process until it ends, waits for a person, or dies. Returns the
    /// state, if it
    /// lived, and the number of appends it made.
    pub(crate) async fn live(&mut self, crash: Crash) -> (Option<RunState>, u64) {
        let holder = self.journal.another_holder();
        let journal = Arc::new(CrashingJournal { inner: holder, crash, appends: AtomicU64::new(0) });
        let clock = VirtualClock::starting_at(self.now);
        let time = Time::Virtual(Arc::clone(&clock));
        let provider = SimulatedProvider::new(
            self.plan.sites.clone(),
            self.plan.from.clone(),
            self.plan.to.clone(),
            self.scenario.clone(),
            self.estate.clone(),
            time.clock(),
        );
        let provider: Arc<dyn Provider> = match &self.found {
            Some(found) => Arc::new(Watched { provider, estate: self.estate.clone(), found: found.clone() }),
            None => Arc::new(provider),
        };
        let runtime = Runtime {
            journal: Arc::clone(&journal) as Arc<dyn Journal>,
            provider,
            time: time.clone(),
            secrets: Arc::new(NoSecrets),
            ids: Arc::new(OneId),
            holder: "engine".to_owned(),
            host: "here".to_owned(),
            traces: None,
            operator: Some(SimulatedOperator { approval_delay: self.scenario.approval_delay() }),
        };
        let state = self.drive(&runtime).await;
        self.now = time.clock().now();
        journal.inner.kill_holder();
        (state, journal.appends.load(Ordering::SeqCst))
    }

    async fn drive(&self, runtime: &Runtime) -> Option<RunState> {
        let exists = !self.events().await.is_empty();
        let driver = if exists {
            runtime.take_over(&self.run, BTreeMap::new()).await
        } else {
            runtime.create(self.plan.clone(), self.new_run()).await
        };
        let driver = driver.unwrap_or_else(|error| panic!("the run cannot be driven: {error}"));
        driver.drive(&Seen::default(), Stop::AtPerson).await.ok().map(|(_, state)| state)
    }

    fn new_run(&self) -> NewRun {
        let to = self.plan.to.as_ref().map_or("all", |site| site.as_str());
        let consents = Consents {
            confirm: Some(format!("{}:{to}", self.plan.runbook.name)),
            accept_loss: Some(Duration::from_secs(86_400)),
            accept_unmeasured_loss: true,
            accept_unfenced: true,
        };
        NewRun {
            runbook: self.text.clone(),
            reason: Some("chaos".to_owned()),
            started_by: Identity::asserted("chaos"),
            trigger: "test".to_owned(),
            incident_at: Some(self.now),
            detected_at: None,
            consents,
            adopt: false,
            staged_for: None,
            idempotency_key: None,
            service_head: self.service_head,
            sensitive: BTreeMap::new(),
            notes: BTreeMap::new(),
        }
    }

    /// Every fact of the run so far.
    pub(crate) async fn events(&self) -> Vec<Fact> {
        let records = self.journal.read(&StreamName::run(&self.run), 0, 100_000).await.unwrap();
        records.iter().map(fact_of).collect()
    }
}

/// Reads a record of a run.
pub(crate) fn fact_of(record: &Record) -> Fact {
    Fact {
        sequence: record.sequence,
        token: record.token,
        at: record.recorded_at,
        event: serde_json::from_str(&record.body).unwrap(),
    }
}

/// A fact as the journal holds it.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) sequence: u64,
    pub(crate) token: u64,
    pub(crate) at: Timestamp,
    pub(crate) event: Event,
}
