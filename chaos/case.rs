//! One shipped runbook in one operation, and what its run is like when nothing goes wrong.

use std::collections::BTreeSet;
use std::time::Duration;

use drctl::engine::event::Event;
use drctl::engine::input::Control;
use drctl::engine::{IndexedPlan, RunState};
use drctl::model::action::{Effect, traits};
use drctl::model::run::NodeStatus;
use drctl::plan::{Node, NodeIndex, NodeKind};
use drctl::providers::simulated::{Estate, Match, Rule, Scenario};

use crate::checker;
use crate::world::{Crash, World, plan_of, root, shipped};

/// Real time after which a run is taken to hang.
const HANGS: Duration = Duration::from_secs(30);

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A shipped runbook in one operation, with the end of its undisturbed run.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) plan: IndexedPlan,
    text: String,
    pub(crate) end: RunState,
    pub(crate) estate: Estate,
}

/// Every operation of a shipped runbook.
pub(crate) fn cases(runbook: &str) -> Vec<Case> {
    let path = root().join("runbooks").join(format!("{runbook}.yaml"));
    let operations = shipped().into_iter().filter(|(file, _)| *file == path);
    let cases: Vec<_> = operations
        .map(|(file, operation)| {
            let (plan, text) = plan_of(&file, operation).unwrap();
            let name = format!("{runbook} {operation}");
            let mut world = World::new(plan.clone(), text.clone(), Scenario::healthy());
            let plan = IndexedPlan::new(plan).unwrap();
            let end = block_on(settle(&plan, &mut world, &name));
            assert!(end.status.is_terminal(), "{name}: the undisturbed run is {}", end.status);
            Case { name, plan, text, end, estate: world.estate.snapshot() }
        })
        .collect();
    assert!(cases.len() >= 2, "{runbook} has at least two operations");
    cases
}

impl Case {
    pub(crate) fn world(&self, scenario: Scenario) -> World {
        World::new(self.plan.plan.clone(), self.text.clone(), scenario)
    }

    /// Nodes that perform a step's action and are not left out in the mode of the run.
    pub(crate) fn effects(&self) -> Vec<(NodeIndex, &Node)> {
        let nodes = (0..).zip(&self.plan.plan.nodes);
        nodes
            .filter(|(index, node)| {
                matches!(node.kind, NodeKind::Effect { .. }) && self.end.node(*index).attempts > 0
            })
            .collect()
    }

    /// Whether a node's action changes something.
    pub(crate) fn mutates(&self, node: &Node) -> bool {
        node.call(self.end.mode).is_some_and(|call| traits::effect(call.action, &call.with) == Effect::Mutate)
    }

    /// Statuses of all nodes as if nobody had helped the run along.
    pub(crate) fn statuses(&self, state: &RunState) -> Vec<(String, NodeStatus)> {
        let nodes = self.plan.plan.nodes.iter().zip(&state.nodes);
        let as_if = |status| if status == NodeStatus::MarkedDone { NodeStatus::Succeeded } else { status };
        nodes.map(|(node, it)| (node.address.to_string(), as_if(it.status))).collect()
    }

    /// Nodes that need this one, by whatever way.
    pub(crate) fn dependents(&self, node: NodeIndex) -> BTreeSet<NodeIndex> {
        checker::descendants(&self.plan, node)
    }

    pub(crate) async fn settle(&self, world: &mut World, what: &str) -> RunState {
        settle(&self.plan, world, what).await
    }

    /// Asks for something, drives on, and says why it was refused, if it was.
    pub(crate) async fn ask(
        &self,
        world: &mut World,
        control: Control,
        what: &str,
    ) -> (RunState, Option<String>) {
        world.ask(control).await;
        let state = self.settle(world, what).await;
        let mut answers = world.events().await.into_iter().filter_map(|fact| match fact.event {
            Event::RequestAnswered { id, refused, .. } if id.starts_with("asked-") => Some(refused),
            _ => None,
        });
        (state, answers.next_back().unwrap_or_else(|| panic!("{what}: the request was not answered")))
    }
}

/// Drives a run until it ends or waits for a person, and checks its history.
async fn settle(plan: &IndexedPlan, world: &mut World, what: &str) -> RunState {
    let lived = tokio::time::timeout(HANGS, world.live(Crash::Never)).await;
    let (state, _) = lived.unwrap_or_else(|_| panic!("{what}: the run hangs"));
    let state = state.unwrap_or_else(|| panic!("{what}: the engine died"));
    assert!(state.status.is_terminal() || state.status.needs_person(), "{what}: left {}", state.status);
    let events = world.events().await;
    checker::check(plan, &events, &state).unwrap_or_else(|error| panic!("{what}: {error}"));
    let estate = world.estate.snapshot();
    let doubles = estate.ledger().doubles();
    assert!(doubles.is_empty(), "{what}: effects happened twice: {doubles:?}");
    state
}

/// A scenario in which only a rule about one node departs from what is expected.
pub(crate) fn only(node: &Node, change: impl FnOnce(&mut Rule)) -> Scenario {
    let mut rule = Rule {
        take_p95: None,
        probability: None,
        matching: Match { node: Some(node.address.to_string()), ..Match::default() },
        take: None,
        fail: None,
        message: None,
        retry_after: None,
        times: None,
        reply_lost: false,
        hang: false,
        outputs: serde_json::Map::new(),
    };
    change(&mut rule);
    Scenario { rules: vec![rule], ..Scenario::healthy() }
}
