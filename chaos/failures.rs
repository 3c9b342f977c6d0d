//! Every step of every shipped runbook fails once: the run stops where it must, and each way out that the
//! engine offers leads to an end.

use drctl::engine::RunState;
use drctl::engine::event;
use drctl::engine::input::Control;
use drctl::model::id::NodeAddress;
use drctl::model::policy::Reversibility;
use drctl::model::run::{NodeStatus, RunStatus};
use drctl::plan::{EdgeKind, Node, NodeIndex, NodeKind};
use drctl::providers::simulated::{Fail, Scenario};

use crate::case::{Case, block_on, cases, only};
use crate::estate::facts;
use crate::unwound::Applied;
use crate::world::World;

/// A step that has failed for good, and the run as it was left.
struct Broken<'a> {
    case: &'a Case,
    index: NodeIndex,
    node: &'a Node,
    what: String,
    world: World,
    state: RunState,
}

async fn broken<'a>(case: &'a Case, index: NodeIndex, node: &'a Node, way: &str) -> Broken<'a> {
    let what = format!("{}, {} failed, {way}", case.name, node.address);
    let mut world = case.world(only(node, |rule| rule.fail = Some(Fail::Permanent))).watched();
    let state = case.settle(&mut world, &what).await;
    Broken { case, index, node, what, world, state }
}

/// What came of the steps of one runbook, so that no proof is empty.
#[derive(Default)]
struct Tally {
    steps: usize,
    waited: usize,
    taken_back: usize,
    refused: usize,
}

fn every_step_fails(runbook: &str) -> Tally {
    let mut tally = Tally::default();
    for case in &cases(runbook) {
        for (index, node) in case.effects() {
            tally.steps += 1;
            block_on(async {
                if !broken(case, index, node, "left alone").await.is_stopped() {
                    return;
                }
                tally.waited += 1;
                broken(case, index, node, "retried").await.retry().await;
                broken(case, index, node, "skipped").await.skip().await;
                broken(case, index, node, "done by hand").await.done().await;
                broken(case, index, node, "aborted").await.abort().await;
                match broken(case, index, node, "unwound").await.unwind().await {
                    Some(nodes) => tally.taken_back += nodes,
                    None => tally.refused += 1,
                }
            });
        }
    }
    assert!(tally.steps >= 12 && tally.waited >= 8, "{runbook}: {} of {}", tally.waited, tally.steps);
    tally
}

impl Broken<'_> {
    fn address(&self) -> NodeAddress {
        self.node.address.clone()
    }

    fn status(&self, node: NodeIndex) -> NodeStatus {
        self.state.node(node).status
    }

    fn nodes(&self) -> impl Iterator<Item = (NodeIndex, &Node)> {
        (0..).zip(&self.case.plan.plan.nodes)
    }

    /// The run waits for a person, or went on because the failure is ignored. Nothing that needs the failed
    /// step has begun.
    fn is_stopped(&self) -> bool {
        let Self { case, state, what, .. } = self;
        let held = match self.status(self.index) {
            NodeStatus::Failed => true,
            NodeStatus::FailedIgnored => false,
            status => panic!("{what}: it is {status}"),
        };
        let expected = if held { RunStatus::Paused } else { RunStatus::SucceededWithWarnings };
        assert_eq!(state.status, expected, "{what}: {:?}", state.cause);
        for dependent in case.dependents(self.index) {
            let node = &case.plan.plan.nodes[dependent as usize];
            let safety = |edge: &drctl::plan::Edge| edge.node == self.index && edge.kind == EdgeKind::Safety;
            if held || node.needs.iter().any(safety) {
                assert_eq!(self.status(dependent), NodeStatus::Pending, "{what}: {}", node.address);
            }
        }
        held
    }

    /// Asks for something once the fault is gone.
    async fn ask(&mut self, control: Control) -> Option<String> {
        self.world.under(Scenario::healthy());
        let (state, refused) = self.case.ask(&mut self.world, control, &self.what).await;
        self.state = state;
        refused
    }

    async fn retry(mut self) {
        let refused = self.ask(Control::Retry { node: self.address() }).await;
        let Self { case, state, what, .. } = &self;
        assert_eq!(refused, None, "{what}");
        // The numbers of a run that was helped along are marked.
        assert_eq!(state.status, RunStatus::SucceededWithWarnings, "{what}: {:?}", state.cause);
        assert_eq!(case.statuses(state), case.statuses(&case.end), "{what}");
        assert_eq!(facts(&self.world.estate.snapshot()), facts(&case.estate), "{what}");
    }

    /// What safety needs is only skipped by an override.
    async fn skip(mut self) {
        let needed = self.nodes().any(|(_, node)| {
            node.needs.iter().any(|edge| edge.node == self.index && edge.kind == EdgeKind::Safety)
        });
        let refused = self.ask(Control::Skip { node: self.address(), override_safety: false }).await;
        assert_eq!(refused.is_some(), needed, "{}: {refused:?}", self.what);
        if let Some(why) = refused {
            assert!(why.contains("must not begin") && why.contains("--override"), "{}: {why}", self.what);
            assert_eq!(self.state.status, RunStatus::Paused, "{}", self.what);
            let refused = self.ask(Control::Skip { node: self.address(), override_safety: true }).await;
            assert_eq!(refused, None, "{}", self.what);
        }
        assert_eq!(self.status(self.index), NodeStatus::Skipped, "{}", self.what);
        self.goes_on();
    }

    async fn done(mut self) {
        let outputs = self.case.end.node(self.index).outputs.clone();
        let refused = self.ask(Control::Done { node: self.address(), outputs }).await;
        assert_eq!(refused, None, "{}", self.what);
        assert_eq!(self.status(self.index), NodeStatus::MarkedDone, "{}", self.what);
        self.goes_on();
        let noticed = |node: &NodeIndex| {
            matches!(self.case.plan.plan.nodes[*node as usize].kind, NodeKind::Check { .. })
        };
        assert!(
            self.state.failed.iter().all(noticed),
            "{}: only a check may see that it is not so",
            self.what
        );
    }

    /// The run comes to its end, or to a step that misses what was left out.
    fn goes_on(&self) {
        let Self { case, state, what, .. } = self;
        let misses = case.dependents(self.index);
        match state.status {
            RunStatus::SucceededWithWarnings => {}
            RunStatus::Paused if !state.failed.is_empty() => {
                let all = state.failed.iter().all(|node| misses.contains(node));
                assert!(all, "{what}: {:?}", state.cause);
            }
            status => panic!("{what}: {status} {:?}", state.cause),
        }
    }

    /// Everything stays as it is, for good.
    async fn abort(mut self) {
        let before = facts(&self.world.estate.snapshot());
        let attempts = |state: &RunState| state.nodes.iter().map(|node| node.attempts).sum::<u32>();
        let made = attempts(&self.state);
        assert_eq!(self.ask(Control::Abort).await, None, "{}", self.what);
        assert_eq!(self.state.status, RunStatus::Aborted, "{}", self.what);
        let why = self.ask(Control::Retry { node: self.address() }).await;
        assert!(why.is_some_and(|why| why.contains("the run is over")), "{}", self.what);
        assert_eq!(
            (before, made),
            (facts(&self.world.estate.snapshot()), attempts(&self.state)),
            "{}",
            self.what
        );
    }

    /// Takes back what was applied and says how many steps that were; `None`: the point of no return is
    /// behind.
    async fn unwind(mut self) -> Option<usize> {
        let before = self.state.clone();
        let applied = |index| before.node(index).applied != event::Applied::No;
        let no_return = self.nodes().any(|(index, node)| {
            node.reversibility == Reversibility::Irreversible && self.case.mutates(node) && applied(index)
        });
        let refused = self.ask(Control::Unwind).await;
        if no_return {
            let why = refused.unwrap_or_else(|| panic!("{}: it was not refused", self.what));
            assert!(why.contains("the point of no return is behind") && why.contains("drctl abort"), "{why}");
            assert_eq!(self.case.statuses(&self.state), self.case.statuses(&before), "{}", self.what);
            assert_eq!(self.state.status, RunStatus::Paused, "{}", self.what);
            return None;
        }
        assert_eq!(refused, None, "{}", self.what);
        assert_eq!(self.state.status, RunStatus::Unwound, "{}: {:?}", self.what, self.state.cause);
        let applied = Applied::before(self.case, &before);
        for index in &applied.with_way {
            assert_eq!(self.status(*index), NodeStatus::Undone, "{}: node {index}", self.what);
        }
        applied.is_taken_back(self.case, &self.world, &self.state, &self.what).await;
        Some(applied.with_way.len())
    }
}

/// Each step fails as often as its retries allow, and nobody notices.
fn every_step_stumbles(runbook: &str) {
    let mut steps = 0;
    for case in &cases(runbook) {
        for (_, node) in case.effects().into_iter().filter(|(_, node)| node.retry.attempts > 1) {
            let what = format!("{}, {} stumbles", case.name, node.address);
            let mut world = case.world(only(node, |rule| {
                (rule.fail, rule.times) = (Some(Fail::Transient), Some(node.retry.attempts - 1));
            }));
            let state = block_on(case.settle(&mut world, &what));
            assert_eq!(state.status, case.end.status, "{what}: {:?}", state.cause);
            assert_eq!(case.statuses(&state), case.statuses(&case.end), "{what}");
            assert_eq!(facts(&world.estate.snapshot()), facts(&case.estate), "{what}");
            steps += 1;
        }
    }
    assert!(steps > 0, "{runbook}: no step may be tried again");
}

#[test]
fn active_active() {
    let tally = every_step_fails("active-active");
    assert!(tally.taken_back > 0 && tally.refused == 0, "it has no point of no return");
    every_step_stumbles("active-active");
}

#[test]
fn backup_restore() {
    let tally = every_step_fails("backup-restore");
    assert!(tally.taken_back > 0 && tally.refused > 0);
    every_step_stumbles("backup-restore");
}

#[test]
fn pilot_light() {
    let tally = every_step_fails("pilot-light");
    assert!(tally.taken_back > 0 && tally.refused > 0);
    every_step_stumbles("pilot-light");
}

#[test]
fn postgres_switchover() {
    let tally = every_step_fails("postgres-switchover");
    assert!(tally.taken_back > 0 && tally.refused > 0);
    every_step_stumbles("postgres-switchover");
}

#[test]
fn warm_standby() {
    let tally = every_step_fails("warm-standby");
    assert!(tally.taken_back > 0 && tally.refused > 0);
    every_step_stumbles("warm-standby");
}
