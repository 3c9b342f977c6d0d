//! A world of addresses that exist or do not: POST makes one, DELETE takes it away, a check looks. Real
//! time, and nothing waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use drctl::engine::input::{Consents, Control, Observation, Request};
use drctl::engine::{IndexedPlan, RunState};
use drctl::journal::MemoryJournal;
use drctl::model::action::{Action, http};
use drctl::model::drill::DrillLevel;
use drctl::model::id::RunId;
use drctl::model::run::{Failure, FailureClass, Identity};
use drctl::model::runbook::Runbook;
use drctl::plan::{Choices, DrillChoices, NodeIndex, Plan, bind, bind_drill};
use drctl::ports::{
    Append, AttemptContext, BoxFuture, Checkpoint, Head, IdSource, Journal, JournalError, Lease, Node,
    NodeFacts, Polled, Provider, Record, RunFilter, RunSummary, SecretError, SecretSource, Started,
    StreamName, Takeover,
};
use drctl::runtime::{self, Driver, Follower, Loaded, NewRun, Recorded, Runtime, Stop, SystemClock, Time};
use serde_json::{Map, Value};

/// A drill with something in every part of its life.
pub(crate) const PAY: &str = r#"
apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
objectives: {rto: 1h}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: http.request, with: {method: POST, url: "https://east/fenced", idempotent: true},
         undo: {uses: http.request, with: {method: DELETE, url: "https://east/fenced", idempotent: true}},
         drill: {isolated: skip, live: run}}
      - {id: grow, phase: scale, uses: http.request, with: {method: POST, url: "https://west/grown", observe: {url: "https://west/grown"}},
         undo: {uses: http.request, with: {method: DELETE, url: "https://west/grown", idempotent: true}}, drill: run}
      - {id: restore, phase: restore, uses: http.request, with: {method: POST, url: "https://west/data", idempotent: true},
         undo: {uses: http.request, with: {method: DELETE, url: "https://west/data", idempotent: true}},
         drill: {isolated: {with: {url: "https://drill/data"},
         undo: {uses: http.request, with: {method: DELETE, url: "https://drill/data", idempotent: true}}}, live: run}}
      - {id: seed, uses: http.request, with: {method: POST, url: "https://west/seed", idempotent: true},
         drill: {isolated: {with: {url: "https://drill/seed"}}, live: run}}
      - {id: shift, phase: shift, uses: http.request, with: {method: POST, url: "https://dns/west", idempotent: true},
         drill: {isolated: skip, live: run}}
      - {id: works, phase: validate, uses: http.check, with: {url: "https://drill/ok"}}
  failback:
    steps:
      - {id: shift, phase: shift, uses: http.request, with: {method: DELETE, url: "https://dns/west", idempotent: true}, drill: run}
      - {id: unfence, phase: reprotect, uses: http.request, with: {method: DELETE, url: "https://east/fenced", idempotent: true}, drill: run}
      - {id: shrink, uses: http.request, with: {method: DELETE, url: "https://west/grown", idempotent: true}, drill: run}
      - {id: drop, uses: http.request, with: {method: DELETE, url: "https://west/data", idempotent: true}, drill: run}
      - {id: unseed, uses: http.request, with: {method: DELETE, url: "https://west/seed", idempotent: true}, drill: run}
      - {id: works, phase: validate, uses: http.check, with: {url: "https://drill/ok"}}
drill:
  level: isolated
  boundary: {hosts: [west, drill]}
  guards: [{uses: http.check, with: {url: "https://drill/ok"}}]
  inject:
    - {id: break, uses: http.request, with: {method: POST, url: "https://drill/broken", idempotent: true},
       undo: {uses: http.request, with: {method: DELETE, url: "https://drill/broken", idempotent: true}}}
  success: {recovery_time: 10m, checks: [{uses: http.check, with: {url: "https://drill/ok"}}]}
  cleanup:
    - {id: sweep, uses: http.request, with: {method: DELETE, url: "https://drill/seed", idempotent: true}}
"#;

/// Compiles a runbook that has no errors.
pub(crate) fn runbook(text: &str) -> Runbook {
    let (runbook, found) = drctl::compile::compile(text, jiff::civil::date(2026, 11, 21));
    runbook.unwrap_or_else(|| panic!("{found:#?}"))
}

/// The choices of a drill of a level.
pub(crate) fn at(level: DrillLevel) -> DrillChoices {
    DrillChoices {
        level: Some(level),
        operation: None,
        mode: None,
        from: None,
        to: None,
        unready: BTreeMap::new(),
        parameters: BTreeMap::new(),
    }
}

/// The plan of a drill of a level.
pub(crate) fn drill(text: &str, level: DrillLevel) -> Plan {
    bind_drill(&runbook(text), &at(level)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// The plan of the real failover.
pub(crate) fn real(text: &str) -> Plan {
    let choices = Choices {
        operation: drctl::model::run::Operation::Failover,
        mode: None,
        intent: drctl::model::run::Intent::Real,
        from: None,
        to: None,
        unready: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    bind(&runbook(text), &choices).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// What exists, and what fails.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) there: Mutex<BTreeSet<String>>,
    /// Calls that fail for good, and how often.
    pub(crate) fails: Mutex<BTreeMap<String, u32>>,
    /// Every call made, as `POST https://…`.
    pub(crate) calls: Mutex<Vec<String>>,
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        let world = Self::default();
        world.there.lock().unwrap().insert("https://drill/ok".to_owned());
        Arc::new(world)
    }

    /// What exists beside what always does.
    pub(crate) fn left(&self) -> Vec<String> {
        self.there.lock().unwrap().iter().filter(|url| !url.ends_with("/ok")).cloned().collect()
    }

    pub(crate) fn fail(&self, call: &str, times: u32) {
        self.fails.lock().unwrap().insert(call.to_owned(), times);
    }

    pub(crate) fn called(&self, part: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| call.contains(part)).count()
    }

    fn perform(&self, action: &Action) -> Result<Started, Failure> {
        let (call, url) = match action {
            Action::HttpRequest(it) => (format!("{} {}", it.method, it.url), it.url.clone()),
            Action::HttpCheck(it) => (format!("CHECK {}", it.url), it.url.clone()),
            other => panic!("{} is not part of this world", other.name()),
        };
        self.calls.lock().unwrap().push(call.clone());
        if let Some(times) = self.fails.lock().unwrap().get_mut(&call).filter(|times| **times > 0) {
            *times -= 1;
            return Err(Failure::new(FailureClass::Permanent, "it does not work"));
        }
        let mut there = self.there.lock().unwrap();
        match action {
            Action::HttpRequest(it) if it.method == http::Method::Post => {
                there.insert(url);
            }
            Action::HttpRequest(_) => {
                there.remove(&url);
            }
            _ if there.contains(&url) => {}
            _ => return Err(Failure::new(FailureClass::Permanent, format!("{url} is not there"))),
        }
        Ok(Started::Done(Map::new()))
    }
}

impl Provider for World {
    fn prepare<'a>(
        &'a self,
        _: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async { Ok(None) })
    }
    fn start<'a>(
        &'a self,
        action: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(async move { self.perform(action) })
    }
    fn poll<'a>(
        &'a self,
        _: &'a Action,
        _: &'a AttemptContext,
        _: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(async { Ok(Polled::Done(Map::new())) })
    }
    fn observe<'a>(
        &'a self,
        action: &'a Action,
        _: &'a AttemptContext,
        _: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(async move {
            let Action::HttpRequest(it) = action else { return Observation::Unknown("no".to_owned()) };
            if self.there.lock().unwrap().contains(&it.url) {
                Observation::Applied(Map::new())
            } else {
                Observation::NotApplied
            }
        })
    }
}

/// A journal whose process dies at one of its appends: before it is written, or right after.
pub(crate) struct Dying {
    pub(crate) inner: MemoryJournal,
    left: AtomicUsize,
    written: bool,
}

impl Dying {
    pub(crate) fn after(inner: MemoryJournal, appends: usize, written: bool) -> Self {
        Self { inner, left: AtomicUsize::new(appends), written }
    }
}

impl Journal for Dying {
    fn append(&self, appends: Vec<Append>) -> BoxFuture<'_, Result<Vec<Head>, JournalError>> {
        Box::pin(async move {
            let dead = || JournalError::Unavailable("the process was killed".to_owned());
            match self.left.load(Ordering::SeqCst) {
                0 => return Err(dead()),
                left => self.left.store(left - 1, Ordering::SeqCst),
            }
            let last = self.left.load(Ordering::SeqCst) == 0;
            if last && !self.written {
                return Err(dead());
            }
            let heads = self.inner.append(appends).await?;
            if last { Err(dead()) } else { Ok(heads) }
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
    fn changed(&self, within: drctl::model::time::Duration) -> BoxFuture<'_, ()> {
        self.inner.changed(within)
    }
}

pub(crate) struct Silent;

impl Follower for Silent {
    fn recorded(&self, _: &IndexedPlan, _: &RunState, _: &[Recorded]) {}
    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}
}

/// Ids in a row, over all runtimes of the process.
struct Ids;

impl IdSource for Ids {
    fn suffix(&self) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(10_000_000);
        NEXT.fetch_add(1, Ordering::SeqCst).to_string()
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

/// A runtime on a journal.
pub(crate) fn runtime(journal: Arc<dyn Journal>, world: &Arc<World>) -> Runtime {
    Runtime {
        journal,
        provider: Arc::clone(world) as Arc<dyn Provider>,
        time: Time::System(SystemClock::real()),
        secrets: Arc::new(NoSecrets),
        ids: Arc::new(Ids),
        holder: "test".to_owned(),
        host: "here".to_owned(),
        traces: None,
        operator: None,
    }
}

/// A new run with the confirmation of its point of no return.
pub(crate) fn new() -> NewRun {
    NewRun {
        runbook: PAY.to_owned(),
        reason: Some("rehearsal".to_owned()),
        started_by: Identity::asserted("starter"),
        trigger: "test".to_owned(),
        incident_at: None,
        detected_at: None,
        consents: Consents { confirm: Some("pay:west".to_owned()), ..Consents::default() },
        adopt: false,
        staged_for: None,
        idempotency_key: None,
        service_head: None,
        sensitive: BTreeMap::new(),
        notes: BTreeMap::new(),
    }
}

/// Drives a run until a person is needed.
pub(crate) async fn drive(driver: Driver) -> RunState {
    driver.drive(&Silent, Stop::AtPerson).await.unwrap().1
}

/// Asks something of a run that nobody drives.
pub(crate) async fn ask(journal: &MemoryJournal, run: &RunId, id: &str, control: Control) {
    let request = Request {
        id: id.to_owned(),
        by: Identity::asserted("ann"),
        from: "test".to_owned(),
        reason: Some("because".to_owned()),
        control,
    };
    journal.submit(run, &request).await.unwrap();
}

/// A run as its journal has it.
pub(crate) async fn load(journal: &MemoryJournal, run: &RunId) -> Loaded {
    runtime::load(journal, run).await.unwrap()
}
