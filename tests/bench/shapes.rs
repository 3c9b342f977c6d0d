//! The shapes: chain, fan, fleet, command steps, recovery, compilation.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use drctl::compile;
use drctl::engine::input::{Consents, Observation};
use drctl::engine::{IndexedPlan, RunState};
use drctl::journal::{HolderFacts, OpenMode, SqliteJournal};
use drctl::model::action::Action;
use drctl::model::run::{Failure, Identity, Intent, Operation};
use drctl::model::runbook::Runbook;
use drctl::plan::{self, Choices, NodeIndex, Plan};
use drctl::ports::{
    AttemptContext, BoxFuture, IdSource, Journal, Polled, Provider, RunFilter, SecretError, SecretSource,
    Started,
};
use drctl::providers::command::CommandProvider;
use drctl::runtime::{Follower, NewRun, Recorded, Runtime, Stop, SystemClock, Time, load};
use serde_json::{Map, Value, json};

use crate::floor;

const ROUNDS: usize = 5;

/// Does nothing, at once.
pub(crate) struct Nothing;

impl Provider for Nothing {
    fn prepare<'a>(
        &'a self,
        _: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async { Ok(None) })
    }
    fn start<'a>(&'a self, _: &'a Action, _: &'a AttemptContext) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(async { Ok(Started::Done(Map::new())) })
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
        _: &'a Action,
        _: &'a AttemptContext,
        _: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(async { Observation::NotApplied })
    }
}

struct Counting(AtomicU64);

impl IdSource for Counting {
    fn suffix(&self) -> String {
        format!("{:08}", self.0.fetch_add(1, Ordering::Relaxed))
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

pub(crate) struct Silent;

impl Follower for Silent {
    fn recorded(&self, _: &IndexedPlan, _: &RunState, _: &[Recorded]) {}
    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}
}

/// A runbook of steps that all use one harmless program.
pub(crate) fn runbook_text(steps: usize, parallel: bool) -> String {
    let mut text = String::from(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {name: bench}\n\
         sites:\n  a: {role: active}\n  b: {role: standby}\nworkflows:\n  failover:\n    steps:\n",
    );
    for step in 0..steps {
        let needs = if parallel { " needs: []," } else { "" };
        writeln!(
            text,
            "      - {{id: s{step},{needs} uses: command.run, with: {{argv: [/bin/true], idempotent: true}}, drill: run}}"
        )
        .unwrap();
    }
    text
}

pub(crate) fn compiled(text: &str) -> Runbook {
    let (runbook, diagnostics) = compile::compile(text, jiff::civil::date(2026, 11, 21));
    runbook.unwrap_or_else(|| panic!("{}", compile::render("bench", text, &diagnostics, false)))
}

pub(crate) fn bound(text: &str) -> Plan {
    let choices = Choices {
        operation: Operation::Failover,
        mode: None,
        // A simulated run would wait for no disk.
        intent: Intent::Real,
        from: None,
        to: None,
        unready: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    plan::bind(&compiled(text), &choices).unwrap()
}

pub(crate) fn new_run(text: &str) -> NewRun {
    NewRun {
        runbook: text.to_owned(),
        reason: None,
        started_by: Identity::asserted("bench"),
        trigger: "bench".to_owned(),
        incident_at: None,
        detected_at: None,
        consents: Consents::default(),
        adopt: false,
        staged_for: None,
        idempotency_key: None,
        service_head: None,
        sensitive: BTreeMap::new(),
        notes: BTreeMap::new(),
    }
}

pub(crate) fn journal(folder: &Path, name: &str) -> Arc<SqliteJournal> {
    let facts = HolderFacts { name: "bench".to_owned(), host: "bench".to_owned() };
    Arc::new(SqliteJournal::open(folder.join(format!("{name}.db")), facts, OpenMode::ReadWrite).unwrap())
}

pub(crate) fn runtime(journal: Arc<SqliteJournal>, provider: Arc<dyn Provider>) -> Runtime {
    Runtime {
        journal,
        provider,
        time: Time::System(SystemClock::real()),
        secrets: Arc::new(NoSecrets),
        ids: Arc::new(Counting(AtomicU64::new(0))),
        holder: "bench".to_owned(),
        host: "here".to_owned(),
        traces: None,
        operator: None,
    }
}

pub(crate) fn ms(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1_000.0
}

pub(crate) fn round(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}

pub(crate) async fn one_run(runtime: &Runtime, plan: Plan, text: &str) -> f64 {
    let start = Instant::now();
    let driver = runtime.create(plan, new_run(text)).await.unwrap();
    let (_, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    assert!(state.status.is_terminal(), "{:?}: {:?}", state.status, state.cause);
    ms(start)
}

/// 200 steps, one after the other.
pub(crate) async fn chain(folder: &Path) -> Value {
    const STEPS: usize = 200;
    let text = runbook_text(STEPS, false);
    let plan = bound(&text);
    let journal = journal(folder, "chain");
    let runtime = runtime(Arc::clone(&journal), Arc::new(Nothing));
    one_run(&runtime, plan.clone(), &text).await;
    let (mut times, mut floors, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before_it = floor::commit_ms(folder);
        let before = journal.sync_count();
        times.push(one_run(&runtime, plan.clone(), &text).await / STEPS as f64);
        syncs.push((journal.sync_count() - before) as f64 / STEPS as f64);
        // The disk changes its mind from second to second: the floor is taken on both sides.
        floors.push(f64::midpoint(before_it, floor::commit_ms(folder)));
    }
    let (step, commit) = (floor::median(times), floor::median(floors));
    json!({
        "steps": STEPS, "ms_per_step": round(step), "sqlite_commit_ms": round(commit), "ratio": round(step / commit),
        "syncs_per_step": round(floor::median(syncs)),
    })
}

/// 200 steps at once.
pub(crate) async fn fan(folder: &Path) -> Value {
    let text = runbook_text(200, true);
    let plan = bound(&text);
    let journal = journal(folder, "fan");
    let runtime = runtime(Arc::clone(&journal), Arc::new(Nothing));
    one_run(&runtime, plan.clone(), &text).await;
    let mut times = Vec::new();
    let before = journal.sync_count();
    for _ in 0..ROUNDS {
        times.push(one_run(&runtime, plan.clone(), &text).await);
    }
    let syncs = (journal.sync_count() - before) as f64 / ROUNDS as f64;
    json!({"steps": 200, "ms": round(floor::median(times)), "syncs": round(syncs)})
}

/// Plans of as many services: a service has one real run at a time.
pub(crate) fn services(count: usize, text: &str) -> Vec<(Plan, String)> {
    (0..count)
        .map(|at| text.replacen("{name: bench}", &format!("{{name: bench-{at}}}"), 1))
        .map(|text| (bound(&text), text))
        .collect()
}

/// 200 runs of 10 steps, concurrently.
pub(crate) async fn fleet(folder: &Path) -> Value {
    const RUNS: usize = 200;
    const STEPS: usize = 10;
    let services = services(RUNS, &runbook_text(STEPS, false));
    let journal = journal(folder, "fleet");
    let runtime = runtime(Arc::clone(&journal), Arc::new(Nothing));
    let (mut times, mut floors, mut syncs, mut bodies) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut last = 0;
    for _ in 0..ROUNDS {
        let before = (journal.sync_count(), last);
        let start = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for (plan, text) in services.iter().cloned() {
            let runtime = runtime.clone();
            tasks.spawn(async move { one_run(&runtime, plan, &text).await });
        }
        tasks.join_all().await;
        times.push(ms(start));
        let commits = journal.sync_count() - before.0;
        let bytes;
        (last, bytes) = end(&journal, last).await;
        let rows = (last - before.1) as usize;
        syncs.push(commits as f64 / (RUNS * STEPS) as f64);
        bodies.push((bytes / rows) as f64);
        floors.push(floor::batched_ms(folder, rows, commits as usize, bytes / rows));
    }
    let (whole, plain) = (floor::median(times), floor::median(floors));
    json!({
        "runs": RUNS, "steps": STEPS, "ms": round(whole), "plain_batched_write_ms": round(plain),
        "ratio": round(whole / plain), "syncs_per_step": round(floor::median(syncs)),
        "steps_per_second": ((RUNS * STEPS) as f64 / whole * 1_000.0).round(), "peak_memory_mib": peak_memory_mib(),
        "bytes_per_row": floor::median(bodies),
    })
}

/// Last position of the journal, which is the number of its records, and the bytes of the bodies that came
/// after a position.
async fn end(journal: &SqliteJournal, mut position: u64) -> (u64, usize) {
    let mut bytes = 0;
    loop {
        let records = journal.read_after(position, 500).await.unwrap();
        let Some(last) = records.last() else { return (position, bytes) };
        position = last.position;
        bytes += records.iter().map(|record| record.body.len()).sum::<usize>();
    }
}

/// Peak resident memory of this process so far, floor figures and measuring included.
fn peak_memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(f64::NAN);
    round(kib / 1_024.0)
}

/// 50 steps that each run `/bin/true`.
pub(crate) async fn commands(folder: &Path) -> Value {
    const STEPS: usize = 50;
    let text = runbook_text(STEPS, false);
    let plan = bound(&text);
    let journal = journal(folder, "commands");
    let provider = CommandProvider::new(folder.join("runs"), std::env::current_exe().unwrap());
    let runtime = runtime(Arc::clone(&journal), Arc::new(provider));
    one_run(&runtime, plan.clone(), &text).await;
    let (mut times, mut floors, mut apart) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        apart.push(floor::spawn_ms() + floor::commit_ms(folder));
        floors.push(floor::commit_and_spawn_ms(folder));
        times.push(one_run(&runtime, plan.clone(), &text).await / STEPS as f64);
    }
    let (step, floor, apart) = (floor::median(times), floor::median(floors), floor::median(apart));
    json!({
        "steps": STEPS, "ms_per_step": round(step), "commit_and_spawn_ms": round(floor),
        "ratio": round(step / floor), "each_alone_ms": round(apart), "ratio_to_each_alone": round(step / apart),
    })
}

/// Loading and taking over 1,000 runs that stopped half-way through 50 steps.
pub(crate) async fn recovery(folder: &Path) -> Value {
    const RUNS: usize = 1_000;
    let approval = "      - {id: stop, uses: approval.request}\n";
    let text =
        runbook_text(50, false).replacen("      - {id: s25,", &format!("{approval}      - {{id: s25,"), 1);
    {
        let journal = journal(folder, "recovery");
        let runtime = runtime(Arc::clone(&journal), Arc::new(Nothing));
        let mut tasks = tokio::task::JoinSet::new();
        for (plan, text) in services(RUNS, &text) {
            let runtime = runtime.clone();
            tasks.spawn(async move {
                let driver = runtime.create(plan, new_run(&text)).await.unwrap();
                driver.drive(&Silent, Stop::AtPerson).await.unwrap();
            });
        }
        tasks.join_all().await;
    }
    let journal = journal(folder, "recovery");
    let runtime = runtime(Arc::clone(&journal), Arc::new(Nothing));
    let start = Instant::now();
    let filter = RunFilter { open: true, simulated: true, ..RunFilter::default() };
    let open = journal.runs(&filter).await.unwrap();
    let listed = ms(start);
    let loads = Instant::now();
    for run in &open {
        load(journal.as_ref(), &run.run).await.unwrap();
    }
    let loaded = ms(loads);
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for run in &open {
        let (runtime, run) = (runtime.clone(), run.run.clone());
        tasks.spawn(async move {
            let driver = runtime.take_over(&run, BTreeMap::new()).await.unwrap();
            driver.drive(&Silent, Stop::AtPerson).await.unwrap();
        });
    }
    tasks.join_all().await;
    json!({
        "runs": open.len(), "list_ms": round(listed), "load_ms": round(loaded), "take_over_ms": round(ms(start)),
    })
}

/// A runbook of 10,000 steps, compiled and planned.
pub(crate) fn compile() -> Value {
    let text = runbook_text(10_000, false);
    let mut compile_ms = Vec::new();
    let mut plan_ms = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let runbook = compiled(&text);
        compile_ms.push(ms(start));
        let start = Instant::now();
        let choices = Choices {
            operation: Operation::Failover,
            mode: None,
            intent: Intent::Simulate,
            from: None,
            to: None,
            unready: BTreeMap::new(),
            parameters: BTreeMap::new(),
        };
        let plan = plan::bind(&runbook, &choices).unwrap();
        let indexed = IndexedPlan::new(plan).unwrap();
        assert!(indexed.plan.nodes.len() >= 10_000);
        plan_ms.push(ms(start));
    }
    let (compile, plan) = (floor::median(compile_ms), floor::median(plan_ms));
    json!({
        "steps": 10_000, "bytes": text.len(), "compile_ms": round(compile), "plan_ms": round(plan),
        "both_ms": round(compile + plan),
    })
}

/// Hostile documents: how long each refusal takes.
pub(crate) fn hostile() -> Value {
    let nested = |open: &str, count: usize| open.repeat(count);
    let bomb = {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let parts = vec![format!("*a{}", level - 1); 9].join(", ");
            writeln!(text, "a{level}: &a{level} [{parts}]").unwrap();
        }
        text
    };
    let mut many_keys = String::new();
    for key in 0..60_000 {
        writeln!(many_keys, "k{key}: 1").unwrap();
    }
    let documents = [
        ("brackets_1_mib", nested("[", 1024 * 1024)),
        ("braces_500_kib", nested("{a: ", 125_000)),
        ("bomb", bomb),
        ("nul", "apiVersion: \0\n".to_owned()),
        ("huge_number", format!("apiVersion: {}\n", "9".repeat(500_000))),
        ("duplicate_keys", "a: 1\na: 2\n".repeat(1_000)),
        ("many_keys", many_keys),
        ("one_scalar", format!("a: {}\n", "x".repeat(1_000_000))),
        ("two_mib", "x".repeat(2 * 1024 * 1024)),
    ];
    let mut figures = Map::new();
    for (name, text) in documents {
        let start = Instant::now();
        let (runbook, diagnostics) = compile::compile(&text, jiff::civil::date(2026, 11, 21));
        figures.insert(format!("{name}_ms"), json!(round(ms(start))));
        assert!(runbook.is_none() && !diagnostics.is_empty(), "{name} was accepted");
    }
    Value::Object(figures)
}
