//! What counts as exercised, and what does not.

use std::sync::Arc;

use drctl::evidence::coverage::{Past, Window, coverage};
use drctl::model::drill::DrillLevel;
use drctl::model::run::Intent;
use drctl::model::time::Timestamp;

use super::recorded::{Service, now, steps};
use crate::drills::world::{PAY, drill, load, real, runbook};

#[tokio::test]
async fn an_isolated_drill_exercises_only_what_it_does_not_replace() {
    let pay = Service::new();
    pay.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    let found = pay.covered(PAY, 0).await;
    assert_eq!(
        steps(&found, "failover"),
        [
            "fence never 0",
            "grow exercised 1",
            "restore replaced 0",
            "seed replaced 0",
            "shift never 0",
            "works exercised 1"
        ]
    );
    assert!(steps(&found, "failback").iter().all(|line| line.ends_with("never 0")), "{found:#?}");
    assert_eq!((found.exercised, found.steps_total, found.percent), (2, 12, Some(16)));
    let undone = |step: &str| found.undo.iter().find(|it| it.step == step).unwrap().seen.times;
    assert_eq!((undone("grow"), undone("fence"), undone("sweep")), (1, 0, 1));
    let way = &found.directions[0];
    assert_eq!((way.seen.times, way.moved), (1, false), "it never moved: {way:?}");
}

#[tokio::test]
async fn a_live_drill_exercises_both_ways() {
    let pay = Service::new();
    pay.play(PAY, drill(PAY, DrillLevel::Live)).await;
    pay.play(PAY, drill(PAY, DrillLevel::Live)).await;
    let found = pay.covered(PAY, 0).await;
    assert_eq!(found.percent, Some(100), "{:#?}", found.steps);
    assert!(found.steps.iter().all(|step| step.seen.times == 2), "{:#?}", found.steps);
    let ways: Vec<_> =
        found.directions.iter().map(|way| (way.from.clone(), way.seen.times, way.moved)).collect();
    assert_eq!(ways.iter().map(|way| (way.1, way.2)).collect::<Vec<_>>(), [(2, true), (2, true)]);
    let modes: Vec<_> =
        found.modes.iter().map(|it| format!("{} {} {}", it.operation, it.mode, it.seen.times)).collect();
    assert_eq!(
        modes,
        ["failover graceful 2", "failover ungraceful 0", "switchover graceful 0", "failback graceful 2"]
    );
    // Long ago is not lately.
    assert_eq!(pay.covered(PAY, 91).await.percent, Some(0));
}

#[tokio::test]
async fn a_step_that_was_changed_since_does_not_count() {
    let pay = Service::new();
    pay.play(PAY, drill(PAY, DrillLevel::Live)).await;
    let found = pay.covered(&PAY.replace("\"https://west/grown\"", "\"https://west/bigger\""), 0).await;
    assert_eq!(
        steps(&found, "failover"),
        [
            "fence exercised 1",
            "grow changed 0",
            "restore exercised 1",
            "seed exercised 1",
            "shift exercised 1",
            "works exercised 1"
        ]
    );
    assert!(steps(&found, "failback").contains(&"shrink changed 0".to_owned()));
    assert!(found.runs.iter().all(|run| !run.same_runbook));
    // A text that people read changes nothing that is done.
    let named = pay.covered(&PAY.replace("{id: grow, ", "{id: grow, name: Grow it, "), 0).await;
    assert_eq!(named.percent, Some(100));
}

#[tokio::test]
async fn each_variant_of_a_step_counts_for_itself() {
    let pay = Service::new();
    let text = PAY.replace(
        "{id: grow, phase: scale,",
        "{id: grow, phase: scale, ungraceful: {with: {url: \"https://west/ungraceful\"}},",
    );
    let text = text.replace("{id: seed, ", "{id: seed, when: \"mode == 'graceful'\", ");
    let (_, state) = pay.play(&text, real(&text)).await;
    assert!(state.status.is_terminal(), "{:?}", state.cause);
    let found = pay.covered(&text, 0).await;
    let lines = steps(&found, "failover");
    assert_eq!(
        lines[1..4],
        ["grow graceful never 0", "grow ungraceful exercised 1", "restore exercised 1"],
        "{lines:?}"
    );
    let seed = found.branches.iter().find(|branch| branch.step.as_str() == "seed").unwrap();
    assert_eq!((seed.taken.times, seed.left_out.times), (0, 1), "{:?}", found.branches);
    assert_eq!(lines[4], "seed never 0");
}

#[tokio::test]
async fn neither_simulations_nor_checks_nor_other_times_count() {
    let pay = Service::new();
    let (run, _) = pay.play(PAY, drill(PAY, DrillLevel::Live)).await;
    let loaded = load(&pay.journal, &run).await;
    let runbook = runbook(PAY);
    let window = Window { since: Timestamp::from_millis(0), until: now() };
    let percent = |intent: Intent, window: Window| {
        let mut state = loaded.state.clone();
        Arc::make_mut(&mut state.created).intent = intent;
        coverage(&runbook, &[Past { plan: &loaded.plan, state: &state }], window).percent
    };
    assert_eq!(percent(Intent::Drill, window), Some(100));
    assert_eq!(percent(Intent::Simulate, window), Some(0));
    assert_eq!(percent(Intent::Check, window), Some(0));
    assert_eq!(percent(Intent::Drill, Window { until: window.since, ..window }), Some(0));
}

#[tokio::test]
async fn what_was_there_already_was_not_exercised() {
    let pay = Service::new();
    let (run, _) = pay.play(PAY, drill(PAY, DrillLevel::Live)).await;
    let loaded = load(&pay.journal, &run).await;
    let mut state = loaded.state.clone();
    let grow = loaded.plan.plan.nodes.iter().position(|node| node.address.as_str() == "grow").unwrap();
    Arc::make_mut(&mut state.nodes[grow]).adopted = true;
    let window = Window { since: Timestamp::from_millis(0), until: now() };
    let found = coverage(&runbook(PAY), &[Past { plan: &loaded.plan, state: &state }], window);
    let lines = steps(&found, "failover");
    assert!(lines[0] == "fence exercised 1" && lines[1].starts_with("grow never"), "{lines:?}");
}
