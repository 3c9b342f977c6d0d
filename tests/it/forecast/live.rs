//! The forecast of a run under way: by what earlier runs took, and what has passed its p95.

use std::collections::BTreeMap;

use drctl::engine::event::{AttemptStarted, Event, RunCreated};
use drctl::engine::input::{AttemptKey, Consents, Direction};
use drctl::engine::{IndexedPlan, RunState, apply, clock};
use drctl::evidence;
use drctl::model::id::RunId;
use drctl::model::run::{Identity, Intent, Mode, Operation};
use drctl::model::time::{Duration, Timestamp};
use drctl::plan::{Measured, NodeIndex, Plan};

use super::world::steps;

const STEPS: &str = "- {id: slow, uses: command.run, with: {argv: [x]}, drill: skip, timeout: 1h, estimate: 1m}\n\
    - {id: last, uses: http.check, with: {url: \"https://b.example\"}, phase: validate, estimate: 30s}";

fn begun(plan: Plan) -> (IndexedPlan, RunState, Timestamp) {
    let at: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
    let plan = IndexedPlan::new(plan).unwrap();
    let created = RunCreated {
        run: RunId::new("shop-aaaaaaaa").unwrap(),
        service: plan.plan.runbook.name.clone(),
        operation: Operation::Failover,
        intent: Intent::Simulate,
        mode: Mode::Ungraceful,
        from: plan.plan.from.clone(),
        to: plan.plan.to.clone(),
        plan: "p".repeat(64),
        runbook: "r".repeat(64),
        reason: None,
        started_by: Identity::asserted("test"),
        trigger: "test".to_owned(),
        incident_at: None,
        detected_at: None,
        declared_at: at,
        consents: Consents::default(),
        adopt: false,
        staged_until: None,
        version: "0".to_owned(),
        notes: BTreeMap::new(),
        earlier: Vec::new(),
        parent: None,
    };
    let mut state = RunState::new(&plan, created, at);
    let slow = plan.plan.nodes.iter().position(|node| node.address.as_str() == "slow").unwrap();
    let started = AttemptStarted {
        attempt: AttemptKey { node: NodeIndex::try_from(slow).unwrap(), attempt: 1 },
        direction: Direction::Do,
        generation: 0,
        mode: Mode::Ungraceful,
        deadline: at.plus(Duration::from_secs(3_600)),
        prepared: None,
    };
    apply(&plan, &mut state, &Event::AttemptStarted(started), at);
    (plan, state, at)
}

fn measured(samples: u32) -> Plan {
    let mut plan = steps(STEPS);
    let slow = plan.nodes.iter().find(|node| node.address.as_str() == "slow").unwrap().address.clone();
    let (p50, p95) = (Duration::from_secs(300), Duration::from_secs(420));
    plan.measured.insert(slow, Measured { samples, p50, p95 });
    plan
}

fn forecast(plan: Plan, seconds: u64) -> u64 {
    let (plan, state, at) = begun(plan);
    clock::forecast(&plan, &state, at.plus(Duration::from_secs(seconds))).unwrap().0.as_millis() / 1_000
}

#[test]
fn what_was_measured_counts_more_than_what_was_estimated() {
    // A minute, or five by what was measured; then the rest of the plan.
    let rest = forecast(steps(STEPS), 0) - 60;
    assert_eq!(forecast(measured(9), 0), 300 + rest);
    assert_eq!(forecast(measured(9), 290), 300 + rest);
    assert_eq!(forecast(measured(9), 500), 500 + rest);
}

#[test]
fn a_step_past_its_p95_is_suspected_where_enough_was_measured() {
    let late = |plan: Plan, seconds: u64| {
        let (plan, state, at) = begun(plan);
        let view = evidence::view(&plan, &state, None, at.plus(Duration::from_secs(seconds)));
        view.steps.iter().find(|step| step.id == "slow").unwrap().past_p95_ms
    };
    assert_eq!(late(measured(5), 420), None);
    assert_eq!(late(measured(5), 421), Some(420_000));
    assert_eq!(late(measured(4), 3_000), None);
    assert_eq!(late(steps(STEPS), 3_000), None);
}
