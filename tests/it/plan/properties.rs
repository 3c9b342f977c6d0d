//! What holds for every plan, and for what damage makes of one.

use std::collections::HashSet;

use drctl::model::run::{Intent, Operation};
use drctl::model::runbook::Runbook;
use drctl::model::time::Duration;
use drctl::plan::{EdgeKind, Plan, PlanIndex, bind, digest, render};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{bound, choices, runbook};

/// One generated step: kind, phase, needs as distances back, fan-out, checks.
type Draw = (u8, u8, Option<Vec<u8>>, u8, u8, u8);

fn step(number: usize, draw: &Draw) -> Value {
    let (kind, phase, needs, items, checks, extra) = draw;
    let phases = ["assess", "freeze", "fence", "promote", "scale", "verify", "shift", "validate", "cleanup"];
    let check = json!([{"uses": "http.check", "with": {"url": "https://x"}}]);
    let mut step = json!({"id": format!("s{number}"), "phase": phases[usize::from(*phase) % phases.len()]});
    match kind % 6 {
        0 => step["uses"] = json!("postgres.promote"),
        1 => step["uses"] = json!("postgres.fence"),
        _ => step["uses"] = json!("command.run"),
    }
    step["with"] = match kind % 6 {
        0 => json!({"standby": "x"}),
        1 => json!({"primary": "x", "method": "read_only"}),
        _ => json!({"argv": ["{{ to.name }}"]}),
    };
    if let Some(needs) = needs {
        let ids: HashSet<usize> =
            needs.iter().filter_map(|back| number.checked_sub(usize::from(*back) + 1)).collect();
        step["needs"] = ids.into_iter().map(|id| json!(format!("s{id}"))).collect();
    }
    if *items > 0 {
        step["for_each"] = (0..*items).map(|item| json!(item)).collect();
        step["max_parallel"] = json!(2);
    }
    if checks % 2 == 1 {
        step["precheck"] = check.clone();
    }
    if checks % 3 == 1 {
        step["verify"] = check;
    }
    if extra % 4 == 1 {
        step["ungraceful"] = json!("skip");
    }
    if extra % 5 == 1 {
        step["approval"] = json!({});
    }
    step
}

fn draws() -> impl Strategy<Value = Vec<Draw>> {
    let needs = prop::option::weighted(0.4, prop::collection::vec(0_u8..6, 0..3));
    prop::collection::vec((0_u8..12, 0_u8..9, needs, 0_u8..4, 0_u8..6, 0_u8..20), 0..14)
}

/// The steps, every third run of them inside a group.
fn generated(draws: &[Draw]) -> Runbook {
    let mut steps: Vec<Value> = Vec::new();
    for (number, draw) in draws.iter().enumerate() {
        let step = step(number, draw);
        let grouped = draw.5 % 3 == 0 && draw.2.is_none();
        match steps.last_mut().filter(|_| grouped) {
            Some(last) if last.get("parallel").is_some() => {
                last["parallel"].as_array_mut().unwrap().push(step);
            }
            _ if grouped => {
                steps.push(json!({"id": format!("g{number}"), "parallel": [step], "min_success": 1}));
            }
            _ => steps.push(step),
        }
    }
    let mut runbook = runbook("recovery_point: [{uses: postgres.heartbeat, with: {connection: x}}]");
    runbook.workflows = serde_json::from_value(json!({"failover": {"steps": steps}})).unwrap();
    runbook
}

/// For each node, whether it comes after another one by edges that always hold.
fn after(plan: &Plan, start: u32) -> Vec<bool> {
    let mut after = vec![false; plan.nodes.len()];
    for (index, node) in plan.nodes.iter().enumerate() {
        let held = node.needs.iter().filter(|edge| edge.kind != EdgeKind::Graceful);
        after[index] = held.into_iter().any(|edge| edge.node == start || after[edge.node as usize]);
    }
    after
}

proptest! {
    #[test]
    fn plans_are_ordered_gated_and_named_by_their_content(draws in draws(), graceful: bool) {
        let operation = if graceful { Operation::Switchover } else { Operation::Failover };
        let runbook = generated(&draws);
        let plan = bound(&runbook, &choices(operation));
        let index = PlanIndex::new(&plan).unwrap();
        for (number, node) in plan.nodes.iter().enumerate() {
            let needs: Vec<_> = node.needs.iter().map(|edge| edge.node as usize).collect();
            prop_assert!(needs.iter().all(|need| *need < number), "{} needs {needs:?}", node.address);
            prop_assert!(needs.windows(2).all(|pair| pair[0] < pair[1]), "{} needs {needs:?}", node.address);
        }
        prop_assert_eq!(index.gate.is_some(), !index.irreversible.is_empty());
        if let Some(gate) = index.gate {
            let after = after(&plan, gate);
            for irreversible in &index.irreversible {
                prop_assert!(after[*irreversible as usize], "{}", plan.nodes[*irreversible as usize].address);
            }
        }
        prop_assert!(index.tail.iter().all(|tail| *tail <= index.estimate));
        let text = render::text(&plan, &index);
        prop_assert!(text.lines().all(|line| line.chars().count() <= 100), "{}", text);
        let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        prop_assert_eq!(&again, &plan);
        prop_assert_eq!(digest(&again), digest(&plan));
        prop_assert_eq!(bind(&runbook, &choices(operation)), Ok(plan));
    }

    #[test]
    fn every_change_gives_another_digest(draws in draws(), which: prop::sample::Index, what in 0_u8..5) {
        let plan = bind(&generated(&draws), &choices(Operation::Failover)).unwrap();
        let mut other = plan.clone();
        let at = which.index(plan.nodes.len());
        match what {
            0 => other.nodes[at].title.push('!'),
            1 => other.nodes[at].estimate = other.nodes[at].estimate.plus(Duration::from_millis(1)),
            2 => other.intent = Intent::Real,
            3 => other.runbook.digest.push('0'),
            _ => { other.nodes.remove(at); }
        }
        prop_assert_ne!(digest(&plan), digest(&other));
    }

    #[test]
    fn a_damaged_plan_is_refused_or_used_but_never_a_panic(
        draws in draws(),
        wounds in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..6, any::<u32>()), 1..6),
    ) {
        let mut plan = bind(&generated(&draws), &choices(Operation::Failover)).unwrap();
        for (which, wound, number) in wounds {
            if plan.nodes.is_empty() {
                break;
            }
            let at = which.index(plan.nodes.len());
            let mut node = serde_json::to_value(&plan.nodes[at]).unwrap();
            match wound {
                0 => { plan.nodes.remove(at); }
                1 => { let copy = plan.nodes[at].clone(); plan.nodes.push(copy); }
                2 => { plan.nodes.swap(at, number as usize % draws.len().max(1) % (at + 1)); }
                3 => {
                    let edge = |node: u32, kind: &str| json!({"node": node, "kind": kind});
                    node["needs"] = json!([edge(number % 40, "safety"), edge(number, "ordinary")]);
                }
                4 => node["lane"] = json!({"id": 1, "width": number % 3}),
                _ => node["kind"] = json!({"group": {"members": [number % 50, 0, 0], "stragglers": "run"}}),
            }
            if wound > 2 {
                plan.nodes[at] = serde_json::from_value(node).unwrap();
            }
        }
        if let Ok(index) = PlanIndex::new(&plan) {
            prop_assert_eq!(index.successors.len(), plan.nodes.len());
            prop_assert!(!render::text(&plan, &index).is_empty());
            prop_assert!(render::mermaid(&plan, &index).starts_with("flowchart TD"));
        }
        prop_assert!(render::manual(&plan).starts_with("failover of pay by hand"));
    }
}
