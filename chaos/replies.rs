//! Every attempt of every shipped runbook gets no answer once, whether or not its effect was applied: the
//! engine looks, goes on, and comes to the end of an undisturbed run with each effect applied once.

use std::collections::BTreeMap;

use drctl::engine::event::Event;
use drctl::engine::input::Control;
use drctl::model::id::NodeAddress;
use drctl::model::run::RunStatus;
use drctl::plan::{Node, NodeIndex};
use drctl::providers::simulated::{Estate, Rule};

use crate::case::{Case, block_on, cases, only};
use crate::estate::facts;
use crate::world::World;

/// How an attempt gets no answer.
#[derive(Debug, Clone, Copy)]
enum Silence {
    /// It was applied, and the reply was lost.
    Lost,
    /// It was applied, and nothing is heard until its time is over.
    Late,
    /// It was not applied, and nothing is heard.
    Nothing,
}

impl Silence {
    fn change(self, rule: &mut Rule) {
        rule.times = Some(1);
        (rule.reply_lost, rule.hang) = match self {
            Self::Lost => (true, false),
            Self::Late => (true, true),
            Self::Nothing => (false, true),
        };
    }
}

fn every_reply_is_lost(runbook: &str) {
    let mut steps = 0;
    for case in &cases(runbook) {
        for (index, node) in case.effects().into_iter().filter(|(_, node)| case.mutates(node)) {
            for silence in [Silence::Lost, Silence::Late, Silence::Nothing] {
                block_on(no_answer(case, index, node, silence));
            }
            steps += 1;
        }
    }
    assert!(steps >= 5, "{runbook}: only {steps} steps change anything");
}

async fn no_answer(case: &Case, index: NodeIndex, node: &Node, silence: Silence) {
    let what = format!("{}, {} {silence:?}", case.name, node.address);
    let mut world = case.world(only(node, |rule| silence.change(rule)));
    let mut state = case.settle(&mut world, &what).await;
    assert!(was_in_doubt(&world, index).await, "{what}: it was never in doubt");
    if state.status == RunStatus::Paused {
        // Only what was not applied has failed, and only where it may not be tried again.
        let known = matches!(silence, Silence::Nothing) && node.retry.attempts == 1;
        assert!(known, "{what}: {:?}", state.cause);
        let (then, refused) =
            case.ask(&mut world, Control::Retry { node: node.address.clone() }, &what).await;
        assert_eq!(refused, None, "{what}");
        state = then;
    } else {
        assert_eq!(state.status, case.end.status, "{what}: {:?}", state.cause);
    }
    assert_eq!(case.statuses(&state), case.statuses(&case.end), "{what}: {:?}", state.cause);
    let estate = world.estate.snapshot();
    assert_eq!(facts(&estate), facts(&case.estate), "{what}");
    assert_eq!(applied(&estate), applied(&case.estate), "{what}");
}

async fn was_in_doubt(world: &World, index: NodeIndex) -> bool {
    let events = world.events().await;
    events.iter().any(|fact| match &fact.event {
        Event::AttemptInDoubt { attempt, .. } => attempt.node == index,
        _ => false,
    })
}

/// How many effects each node has had, over all keys.
pub(crate) fn applied(estate: &Estate) -> BTreeMap<NodeAddress, u32> {
    let mut counts = BTreeMap::new();
    for (_, effect) in estate.ledger().iter() {
        *counts.entry(effect.node.clone()).or_default() += 1 + effect.doubles;
    }
    counts
}

#[test]
fn active_active() {
    every_reply_is_lost("active-active");
}

#[test]
fn backup_restore() {
    every_reply_is_lost("backup-restore");
}

#[test]
fn pilot_light() {
    every_reply_is_lost("pilot-light");
}

#[test]
fn postgres_switchover() {
    every_reply_is_lost("postgres-switchover");
}

#[test]
fn warm_standby() {
    every_reply_is_lost("warm-standby");
}
