//! Plans to forecast, and one simulated run of the engine on the same plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drctl::app;
use drctl::compile;
use drctl::engine::input::Consents;
use drctl::engine::{IndexedPlan, RunState};
use drctl::forecast::{self, Conditions, Question, Report};
use drctl::journal::MemoryJournal;
use drctl::model::run::{Identity, Intent, Mode, Operation};
use drctl::model::runbook::Runbook;
use drctl::model::time::{Duration, Timestamp};
use drctl::plan::{self, Choices, History, NodeIndex, NodeKind, Plan, PlanIndex};
use drctl::ports::{BoxFuture, IdSource, Journal, SecretError, SecretSource};
use drctl::providers::simulated::{EstateStore, Match, Rule, Scenario, SimulatedProvider, outlook};
use drctl::runtime::{Follower, NewRun, Recorded, Runtime, SimulatedOperator, Stop, Time, VirtualClock};

pub(crate) fn compiled(text: &str) -> Runbook {
    let (runbook, found) = compile::compile(text, jiff::civil::date(2026, 11, 21));
    runbook.unwrap_or_else(|| panic!("{}", compile::render("runbook", text, &found, false)))
}

pub(crate) fn bound(runbook: &Runbook, operation: Operation, mode: Option<Mode>, intent: Intent) -> Plan {
    // Where every site is active, the first one is lost, and later taken back in.
    let active: Vec<_> = runbook.sites.iter().filter(|(_, site)| site.role.as_str() == "active").collect();
    let first = (active.len() > 1).then(|| active[0].0.clone());
    let (from, to) = if operation == Operation::Failback { (None, first) } else { (first, None) };
    let choices =
        Choices { operation, mode, intent, from, to, unready: BTreeMap::new(), parameters: BTreeMap::new() };
    plan::bind(runbook, &choices).unwrap_or_else(|problems| panic!("{operation}: {problems:?}"))
}

/// A failover with these steps.
pub(crate) fn steps(steps: &str) -> Plan {
    bound(&compiled(&runbook(steps)), Operation::Failover, None, Intent::Simulate)
}

pub(crate) fn runbook(steps: &str) -> String {
    let steps = steps.replace('\n', "\n      ");
    format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: shop}}\n\
         sites: {{a: {{role: active}}, b: {{role: standby}}}}\nobjectives: {{rto: 10m}}\n\
         workflows:\n  failover:\n    steps:\n      {steps}\n"
    )
}

/// Every shipped runbook of one service, with its text.
pub(crate) fn shipped() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let named = files.into_iter().map(|file| {
        (file.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(&file).unwrap())
    });
    named.filter(|(name, _)| !name.starts_with("fleet-")).collect()
}

/// The same scenario, with every node taking exactly what is expected of it and people answering after a
/// minute.
pub(crate) fn exact(plan: &Plan, mut scenario: Scenario) -> Scenario {
    let minute = Some(Duration::from_secs(60));
    if !scenario.approvals.never {
        (scenario.approvals.after, scenario.approvals.p95) = (minute, minute);
    }
    let rules = std::mem::take(&mut scenario.rules);
    let about = outlook(&Scenario { rules: rules.clone(), ..scenario.clone() }, plan);
    for (node, about) in plan.nodes.iter().zip(about) {
        let Some(call) = node.call(plan.mode) else { continue };
        let look = matches!(node.kind, NodeKind::Check { .. });
        let take = if look { call.action.spec().estimate } else { node.estimate };
        let address = Some(node.address.to_string());
        scenario.rules.extend(about.rules.iter().map(|rule| {
            let rule = rules[*rule].clone();
            let matching =
                Match { node: address.clone(), attempt: rule.matching.attempt, ..Match::default() };
            let take = rule.take.or_else(|| rule.fail.is_none().then_some(take));
            Rule { matching, take, ..rule }
        }));
        scenario.rules.push(Rule {
            matching: Match { node: address, ..Match::default() },
            take: Some(take),
            take_p95: None,
            probability: None,
            fail: None,
            message: None,
            retry_after: None,
            times: None,
            reply_lost: false,
            hang: false,
            outputs: serde_json::Map::new(),
        });
    }
    scenario
}

pub(crate) fn study(plan: &Plan, conditions: Conditions, runs: u32) -> Report {
    let index = PlanIndex::new(plan).unwrap();
    let scenarios = [conditions];
    let history = History::default();
    forecast::study(&Question {
        plan,
        index: &index,
        scenarios: &scenarios,
        history: &history,
        runs,
        seed: 1,
    })
}

pub(crate) fn study_under(plan: &Plan, scenario: &Scenario, runs: u32) -> Report {
    study(plan, app::conditions(scenario, plan), runs)
}

struct Silent;

impl Follower for Silent {
    fn recorded(&self, _: &IndexedPlan, _: &RunState, _: &[Recorded]) {}
    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}
}

/// Ids that count.
pub(crate) struct Counting(pub(crate) std::sync::atomic::AtomicU32);

impl IdSource for Counting {
    fn suffix(&self) -> String {
        format!("aaaa{:04}", self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
}

struct NoSecrets;

impl SecretSource for NoSecrets {
    fn resolve<'a>(
        &'a self,
        secrets: &'a BTreeMap<String, drctl::model::values::Secret>,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, SecretError>> {
        Box::pin(async { Ok(secrets.keys().map(|name| (name.clone(), "secret".to_owned())).collect()) })
    }
}

/// Lets the engine run a plan on the simulated estate, in virtual time, until it ends or needs a person.
/// Every consent was given.
pub(crate) async fn lived(
    journal: Arc<MemoryJournal>,
    ids: Arc<Counting>,
    plan: Plan,
    text: &str,
    scenario: &Scenario,
) -> RunState {
    let start: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
    let clock = VirtualClock::starting_at(start);
    let time = Time::Virtual(clock);
    let estate = EstateStore::in_memory();
    let (sites, from, to) = (plan.sites.clone(), plan.from.clone(), plan.to.clone());
    let provider = SimulatedProvider::new(sites, from, to, scenario.clone(), estate, time.clock());
    let runtime = Runtime {
        journal: journal as Arc<dyn Journal>,
        provider: Arc::new(provider),
        time,
        secrets: Arc::new(NoSecrets),
        ids,
        holder: "test".to_owned(),
        host: "here".to_owned(),
        traces: None,
        operator: Some(SimulatedOperator { approval_delay: scenario.approval_delay() }),
    };
    let to = plan.to.as_ref().map_or("all", |site| site.as_str());
    let consents = Consents {
        confirm: Some(format!("{}:{to}", plan.runbook.name)),
        accept_loss: Some(Duration::from_secs(86_400)),
        accept_unmeasured_loss: true,
        accept_unfenced: true,
    };
    let new = NewRun {
        runbook: text.to_owned(),
        reason: Some("test".to_owned()),
        started_by: Identity::asserted("test"),
        trigger: "test".to_owned(),
        incident_at: None,
        detected_at: None,
        consents,
        adopt: false,
        staged_for: None,
        idempotency_key: None,
        service_head: None,
        sensitive: BTreeMap::new(),
        notes: BTreeMap::new(),
    };
    let driver = runtime.create(plan, new).await.unwrap();
    driver.drive(&Silent, Stop::AtPerson).await.unwrap().1
}
