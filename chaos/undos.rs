//! Every undo of every shipped runbook fails once, or gets no answer: what was applied is taken back all the
//! same, or a person has a way out.

use drctl::engine::RunState;
use drctl::engine::input::Control;
use drctl::model::policy::{OnFailure, Reversibility};
use drctl::model::run::{NodeStatus, RunStatus};
use drctl::plan::{NodeIndex, PlannedUndo};
use drctl::providers::simulated::{Fail, Rule, Scenario};

use crate::case::{Case, block_on, cases, only};
use crate::unwound::Applied;
use crate::world::World;

/// What goes wrong with an undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// It was taken back, and the reply was lost.
    Lost,
    /// It was taken back, and nothing is heard until its time is over.
    Late,
    /// It was not taken back, and nothing is heard.
    Nothing,
    /// It fails and may be tried again.
    Transient,
    /// It fails for good.
    Permanent,
}

impl Trouble {
    fn change(self, rule: &mut Rule) {
        rule.reply_lost = matches!(self, Self::Lost | Self::Late);
        rule.hang = matches!(self, Self::Late | Self::Nothing);
        rule.fail = match self {
            Self::Lost | Self::Late | Self::Nothing => None,
            Self::Transient => Some(Fail::Transient),
            Self::Permanent => Some(Fail::Permanent),
        };
    }
}

/// The first step that cannot be taken back, else the last one that stops a run: when it fails, most can be
/// unwound.
fn last_before_return(case: &Case) -> NodeIndex {
    let effects = case.effects();
    let irreversible = effects
        .iter()
        .find(|(_, node)| node.reversibility == Reversibility::Irreversible && case.mutates(node));
    let stops = effects.iter().rfind(|(_, node)| node.on_failure == OnFailure::Pause);
    irreversible.or(stops).unwrap().0
}

/// An unwind in which the undo of one node has trouble.
struct Unwinding<'a> {
    case: &'a Case,
    node: NodeIndex,
    what: String,
    world: World,
    applied: Applied,
    state: RunState,
}

async fn unwinding(case: &Case, node: NodeIndex, trouble: Trouble) -> Unwinding<'_> {
    let (stop, definition) = (last_before_return(case), &case.plan.plan.nodes[node as usize]);
    let what = format!("{}, undo of {} {trouble:?}", case.name, definition.address);
    let stops = only(&case.plan.plan.nodes[stop as usize], |rule| rule.fail = Some(Fail::Permanent));
    let troubled = only(definition, |rule| {
        trouble.change(rule);
        rule.matching.attempt = Some(case.end.node(node).attempts + 1);
    });
    let rules = [stops.rules, troubled.rules].concat();
    let mut world = case.world(Scenario { rules, ..Scenario::healthy() }).watched();
    let before = case.settle(&mut world, &what).await;
    let applied = Applied::before(case, &before);
    let (state, refused) = case.ask(&mut world, Control::Unwind, &what).await;
    assert_eq!(refused, None, "{what}");
    Unwinding { case, node, what, world, applied, state }
}

impl Unwinding<'_> {
    fn status(&self) -> (RunStatus, NodeStatus) {
        (self.state.status, self.state.node(self.node).status)
    }

    fn is_stuck(&self) -> bool {
        self.status() == (RunStatus::Stuck, NodeStatus::UndoFailed)
    }

    async fn ask(&mut self, control: Control) {
        let (state, refused) = self.case.ask(&mut self.world, control, &self.what).await;
        assert_eq!(refused, None, "{}", self.what);
        self.state = state;
    }

    async fn retry(&mut self) {
        let node = self.case.plan.plan.nodes[self.node as usize].address.clone();
        self.ask(Control::Retry { node }).await;
    }

    /// Everything is taken back, and the undo took effect once.
    async fn is_over(&self) {
        let Self { case, what, world, state, .. } = self;
        assert_eq!(self.status(), (RunStatus::Unwound, NodeStatus::Undone), "{what}: {:?}", state.cause);
        self.applied.is_taken_back(case, world, state, what).await;
        let address = &case.plan.plan.nodes[self.node as usize].address;
        let estate = world.estate.snapshot();
        let undos = estate.ledger().iter();
        let undos = undos.filter(|(key, effect)| effect.node == *address && key.contains("/undo/"));
        assert_eq!(undos.count(), 1, "{what}: taken back once");
    }

    /// A person settles it without another attempt.
    async fn settled(mut self, control: Control, expected: (RunStatus, NodeStatus)) {
        assert!(self.is_stuck(), "{}: {:?}", self.what, self.status());
        self.ask(control).await;
        assert_eq!(self.status(), expected, "{}: {:?}", self.what, self.state.cause);
        if expected.1 == NodeStatus::Skipped {
            let address = &self.case.plan.plan.nodes[self.node as usize].address;
            let cause = self.state.cause.clone().unwrap_or_default();
            assert!(cause.contains(address.as_str()), "{}: what is left is named: {cause}", self.what);
        }
    }
}

/// Gives how many undos there were, and how many of them were other actions.
fn every_undo_fails(runbook: &str) -> (usize, usize) {
    let (mut undos, mut calls) = (0, 0);
    for case in &cases(runbook) {
        let stop = last_before_return(case);
        for (index, node) in case.effects() {
            let after = index == stop || case.dependents(stop).contains(&index);
            if node.undo.is_none() || after || !case.mutates(node) {
                continue;
            }
            block_on(one_undo_fails(case, index));
            undos += 1;
            calls += usize::from(matches!(node.undo, Some(PlannedUndo::Call(_))));
        }
    }
    (undos, calls)
}

async fn one_undo_fails(case: &Case, index: NodeIndex) {
    let definition = &case.plan.plan.nodes[index as usize];
    for trouble in [Trouble::Lost, Trouble::Late, Trouble::Nothing, Trouble::Transient, Trouble::Permanent] {
        let mut unwinding = unwinding(case, index, trouble).await;
        if unwinding.is_stuck() {
            let unknown = matches!(trouble, Trouble::Lost | Trouble::Late);
            let may_retry = definition.retry.attempts > 1 && trouble != Trouble::Permanent;
            assert!(!unknown && !may_retry, "{}: {:?}", unwinding.what, unwinding.state.cause);
            unwinding.retry().await;
        }
        unwinding.is_over().await;
    }
    let node = || definition.address.clone();
    let done = Control::Done { node: node(), outputs: serde_json::Map::new() };
    let skip = Control::Skip { node: node(), override_safety: false };
    let failed = || unwinding(case, index, Trouble::Permanent);
    failed().await.settled(done, (RunStatus::Unwound, NodeStatus::Undone)).await;
    failed().await.settled(skip, (RunStatus::Unwound, NodeStatus::Skipped)).await;
    failed().await.settled(Control::Abort, (RunStatus::Aborted, NodeStatus::UndoFailed)).await;
}

#[test]
fn active_active() {
    assert!(every_undo_fails("active-active").0 >= 5);
}

#[test]
fn backup_restore() {
    assert!(every_undo_fails("backup-restore").0 >= 2);
}

#[test]
fn pilot_light() {
    assert!(every_undo_fails("pilot-light").0 >= 6);
}

#[test]
fn postgres_switchover() {
    assert!(every_undo_fails("postgres-switchover").0 >= 3);
}

#[test]
fn warm_standby() {
    let (undos, calls) = every_undo_fails("warm-standby");
    assert!(undos >= 8 && calls >= 2, "{undos}, of which {calls} by another action");
}
