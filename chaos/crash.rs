//! The engine dies at every append, before and after it becomes durable, in every shipped runbook: the next
//! engine comes
//! to the same end, and no effect happens twice.

use drctl::engine::{IndexedPlan, RunState};
use drctl::model::run::Operation;
use drctl::providers::simulated::Scenario;

use crate::case::block_on;
use crate::checker;
use crate::replies::applied;
use crate::world::{Crash, World, plan_of, root, shipped};

fn scenario(name: &str) -> Scenario {
    match name {
        "healthy" => Scenario::healthy(),
        name => {
            let path = root().join("chaos/scenarios").join(format!("{name}.yaml"));
            Scenario::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
        }
    }
}

/// What of an end must be the same however often the engine died: times and attempts may differ.
pub(crate) fn essence(plan: &IndexedPlan, state: &RunState) -> Vec<String> {
    let nodes = plan.plan.nodes.iter().zip(&state.nodes);
    let mut lines: Vec<_> = nodes.map(|(node, it)| format!("{} {}", node.address, it.status)).collect();
    lines.push(format!("run {}", state.status));
    lines
}

/// Tries every point, or every `stride`-th of them; `CHAOS_ALL=1` always tries every point.
fn crash_everywhere(scenario_name: &str, stride: usize) {
    #[expect(clippy::disallowed_methods, reason = "a test reads its own switch")]
    let stride = if std::env::var_os("CHAOS_ALL").is_some() { 1 } else { stride };
    let mut points = 0;
    for (file, operation) in shipped() {
        let (plan, text) = plan_of(&file, operation).unwrap();
        let what = format!("{} {operation} under {scenario_name}", file.file_name().unwrap().display());
        let indexed = IndexedPlan::new(plan.clone()).unwrap();
        let (expected, effects, appends) = block_on(async {
            let mut world = World::new(plan.clone(), text.clone(), scenario(scenario_name));
            let (state, appends) = world.live(Crash::Never).await;
            let state = state.unwrap_or_else(|| panic!("{what}: the undisturbed run did not end"));
            verify(&indexed, &world, &state, &what).await;
            (essence(&indexed, &state), applied(&world.estate.snapshot()), appends)
        });
        for number in (1..=appends).step_by(stride) {
            for crash in [Crash::Before(number), Crash::After(number)] {
                let what = format!("{what}, killed {crash:?}");
                let (state, made) = block_on(async {
                    let mut world = World::new(plan.clone(), text.clone(), scenario(scenario_name));
                    let (state, _) = world.live(crash).await;
                    assert!(state.is_none() || crash == Crash::After(appends), "{what}: it lived on");
                    let (state, _) = world.live(Crash::Never).await;
                    let state =
                        state.unwrap_or_else(|| panic!("{what}: the second engine did not come to an end"));
                    verify(&indexed, &world, &state, &what).await;
                    (state, applied(&world.estate.snapshot()))
                });
                assert_eq!(essence(&indexed, &state), expected, "{what}");
                // Under whatever key: one that was not applied and begins anew has another.
                assert_eq!(made, effects, "{what}: effects of each step");
                points += 1;
            }
        }
    }
    assert!(points * stride > 400, "only {points} points were tried");
}

async fn verify(plan: &IndexedPlan, world: &World, state: &RunState, what: &str) {
    let events = world.events().await;
    checker::check(plan, &events, state).unwrap_or_else(|error| panic!("{what}: {error}"));
    let estate = world.estate.snapshot();
    let doubles = estate.ledger().doubles();
    assert!(doubles.is_empty(), "{what}: effects happened twice: {doubles:?}");
}

#[test]
fn killed_at_every_append_on_a_healthy_estate() {
    crash_everywhere("healthy", 1);
}

#[test]
fn killed_at_every_append_when_the_region_is_lost() {
    crash_everywhere("region-loss", 3);
}

#[test]
fn killed_at_every_append_when_every_first_reply_is_lost() {
    crash_everywhere("reply-lost", 3);
}

/// The checker is not blind: a history whose order is broken is refused.
#[test]
fn a_broken_history_is_noticed() {
    let (file, operation) =
        shipped().into_iter().find(|(_, operation)| *operation == Operation::Failover).unwrap();
    let (plan, text) = plan_of(&file, operation).unwrap();
    let indexed = IndexedPlan::new(plan.clone()).unwrap();
    block_on(async {
        let mut world = World::new(plan, text, Scenario::healthy());
        let state = world.live(Crash::Never).await.0.unwrap();
        let mut events = world.events().await;
        checker::check(&indexed, &events, &state).unwrap();
        let last = events.iter().rposition(|fact| fact.event.kind() == "node_succeeded").unwrap();
        events.remove(last);
        assert!(checker::check(&indexed, &events, &state).is_err());
        assert!(!checker::effects(&indexed).is_empty());
    });
}
