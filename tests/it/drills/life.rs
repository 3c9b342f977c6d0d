//! The life of a drill: guards, cleanup after whatever happens, what is left behind, attestation.

use std::collections::BTreeMap;
use std::sync::Arc;

use drctl::engine::drill::red_guard;
use drctl::engine::input::Control;
use drctl::engine::{IndexedPlan, RunState};
use drctl::journal::MemoryJournal;
use drctl::model::drill::DrillLevel;
use drctl::model::id::{NodeAddress, RunId, ServiceName};
use drctl::model::run::{Intent, NodeStatus, RunStatus, Verdict};
use drctl::model::time::Duration;
use drctl::ports::{Clock as _, Journal, JournalError, RunFilter, StreamName};
use drctl::runtime::{self, NewRun, SystemClock};

use super::world::{PAY, World, ask, drill, drive, load, new, real, runtime as on};

fn status(plan: &IndexedPlan, state: &RunState, address: &str) -> NodeStatus {
    state.node(plan.index.by_address[&NodeAddress::typed(address)]).status
}

/// A drill driven until it needs a person, on a journal of its own.
async fn played(text: &str, level: DrillLevel, world: &Arc<World>) -> (MemoryJournal, RunId, RunState) {
    let journal = MemoryJournal::new();
    let runtime = on(Arc::new(journal.another_holder()), world);
    let driver = runtime.create(drill(text, level), new()).await.unwrap();
    let run = driver.state().created.run.clone();
    let state = drive(driver).await;
    (journal, run, state)
}

/// Goes on with a run after something was asked of it.
async fn then(
    journal: &MemoryJournal,
    world: &Arc<World>,
    run: &RunId,
    id: &str,
    control: Control,
) -> RunState {
    ask(journal, run, id, control).await;
    let runtime = on(Arc::new(journal.another_holder()), world);
    drive(runtime.take_over(run, BTreeMap::new()).await.unwrap()).await
}

#[tokio::test]
async fn an_isolated_drill_touches_nothing_real_and_leaves_nothing_behind() {
    let world = World::new();
    let (journal, run, state) = played(PAY, DrillLevel::Isolated, &world).await;
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.cause);
    assert_eq!(world.left(), [""; 0]);
    assert_eq!(world.called("https://east") + world.called("https://dns"), 0);
    assert_eq!((world.called("POST https://west/grown"), world.called("DELETE https://west/grown")), (1, 1));
    assert_eq!((world.called("POST https://drill/data"), world.called("https://west/data")), (1, 0));
    let loaded = load(&journal, &run).await;
    assert_eq!(status(&loaded.plan, &state, "fence"), NodeStatus::Skipped);
    assert_eq!(drctl::evidence::verdict(&loaded.plan, &state), Verdict::Met);
    // The fault is made before the operation and taken back after everything built on it.
    let calls = world.calls.lock().unwrap();
    let at = |call: &str| calls.iter().position(|made| made == call).unwrap();
    assert!(at("POST https://drill/broken") < at("POST https://west/grown"));
    assert!(at("DELETE https://west/grown") < at("DELETE https://drill/broken"));
    assert_eq!(calls.last().map(String::as_str), Some("DELETE https://drill/seed"));
}

#[tokio::test]
async fn a_live_drill_moves_the_service_and_brings_it_back() {
    let world = World::new();
    let (journal, run, state) = played(PAY, DrillLevel::Live, &world).await;
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.cause);
    assert_eq!(world.left(), [""; 0]);
    let clock = state.clock;
    assert!(clock.shifted_at.is_some() && clock.shifted_at <= clock.healthy_at);
    assert!(clock.healthy_at <= clock.return_started_at);
    assert!(
        clock.return_started_at <= clock.return_shifted_at && clock.return_shifted_at <= clock.returned_at
    );
    let service = ServiceName::new("pay").unwrap();
    let record = runtime::service_record(&journal, &service).await.unwrap();
    assert_eq!(record.active.as_ref().map(drctl::model::id::SiteName::as_str), Some("east"));
    assert_eq!(record.run, Some(run));
    assert!(record.quarantined.is_empty(), "{:?}", record.quarantined);
}

#[tokio::test]
async fn a_red_guard_stops_a_drill_before_it_changes_anything() {
    let world = World::new();
    world.there.lock().unwrap().clear();
    let (journal, run, state) = played(PAY, DrillLevel::Isolated, &world).await;
    assert_eq!(state.status, RunStatus::Failed);
    let loaded = load(&journal, &run).await;
    assert!(red_guard(&loaded.plan, &state).unwrap().contains("drill/guard-1"));
    assert_eq!(world.called("POST") + world.called("DELETE"), 0);
}

#[tokio::test]
async fn a_drill_whose_checks_fail_has_failed_and_is_cleaned_up() {
    let world = World::new();
    // The guard and the validation of the runbook pass, what the drill itself asks does not.
    let text = PAY.replace(
        "checks: [{uses: http.check, with: {url: \"https://drill/ok\"}}]",
        "checks: [{uses: http.check, with: {url: \"https://drill/never\"}}]",
    );
    for level in [DrillLevel::Isolated, DrillLevel::Live] {
        let (_, _, state) = played(&text, level, &world).await;
        assert_eq!(state.status, RunStatus::Failed, "{level}");
        assert!(state.cause.as_deref().unwrap().contains("drill/verify-1"), "{:?}", state.cause);
        assert_eq!(state.clock.healthy_at, None, "what was not validated has no recovery time");
        assert_eq!(world.left(), [""; 0], "{level}");
    }
}

#[tokio::test]
async fn what_cannot_be_cleaned_up_is_told_and_can_be_tried_again() {
    let world = World::new();
    world.fail("DELETE https://west/grown", 1);
    world.fail("DELETE https://drill/seed", 1);
    let (journal, run, state) = played(PAY, DrillLevel::Isolated, &world).await;
    assert_eq!(state.status, RunStatus::CleanupIncomplete);
    let cause = state.cause.clone().unwrap();
    assert!(cause.contains("grow") && cause.contains("cleanup/sweep"), "{cause}");
    // What stands on what could not be taken back is left alone, everything else is gone: the fault, too.
    assert_eq!(world.left(), ["https://drill/seed", "https://west/grown"]);
    let retry = |node: &str| Control::Retry { node: NodeAddress::typed(node) };
    let state = then(&journal, &world, &run, "r1", retry("grow")).await;
    assert_eq!(state.status, RunStatus::CleanupIncomplete, "{:?}", state.cause);
    assert_eq!(world.left(), ["https://drill/seed"]);
    let by_hand =
        Control::Done { node: NodeAddress::typed("cleanup/sweep"), outputs: serde_json::Map::new() };
    let state = then(&journal, &world, &run, "r2", by_hand).await;
    assert_eq!(state.status, RunStatus::SucceededWithWarnings, "{:?}", state.cause);
}

/// What was built on is kept for what could not be taken back, and is named with it.
#[tokio::test]
async fn what_is_kept_standing_by_a_failed_undo_is_told() {
    let world = World::new();
    world.fail("DELETE https://drill/data", 1);
    let (journal, run, state) = played(PAY, DrillLevel::Isolated, &world).await;
    assert_eq!(state.status, RunStatus::CleanupIncomplete);
    let cause = state.cause.clone().unwrap();
    assert!(cause.contains("undo of restore failed"), "{cause}");
    assert!(cause.contains("grow is not taken back: what was built on it is still there"), "{cause}");
    assert_eq!(world.left(), ["https://drill/data", "https://west/grown"]);
    let state =
        then(&journal, &world, &run, "r1", Control::Retry { node: NodeAddress::typed("restore") }).await;
    assert!(state.status.is_terminal(), "{:?}", state.cause);
    assert_eq!(world.left(), [""; 0]);
}

/// Without a phase on any step the failback is what brings back what they did.
#[tokio::test]
async fn a_live_drill_whose_steps_have_no_phase_is_returned() {
    let text = r#"
apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: a, uses: http.request, with: {method: POST, url: "https://west/a", idempotent: true}, drill: run}
      - {id: b, uses: http.request, with: {method: POST, url: "https://west/b", idempotent: true}, drill: run}
  failback:
    steps:
      - {id: b, uses: http.request, with: {method: DELETE, url: "https://west/b", idempotent: true}, drill: run}
      - {id: a, uses: http.request, with: {method: DELETE, url: "https://west/a", idempotent: true}, drill: run}
drill: {level: live}
"#;
    let world = World::new();
    let (_, _, state) = played(text, DrillLevel::Live, &world).await;
    assert_eq!(state.status, RunStatus::Succeeded, "{:?}", state.cause);
    assert_eq!((world.called("DELETE"), world.left()), (2, Vec::new()));
}

/// A fence without an undo, before anything has moved: the failback would return what never left.
#[tokio::test]
async fn what_has_no_way_back_before_the_move_is_left_behind_in_plain_words() {
    let text = r#"
apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: http.request, with: {method: POST, url: "https://east/fenced", idempotent: true}, drill: run}
      - {id: look, phase: decide, uses: manual.task, with: {instructions: Look}, drill: run}
      - {id: shift, phase: shift, uses: http.request, with: {method: POST, url: "https://dns/west", idempotent: true}, drill: run}
  failback:
    steps:
      - {id: shift, phase: shift, uses: http.request, with: {method: DELETE, url: "https://dns/west", idempotent: true}, drill: run}
drill: {level: live}
"#;
    let world = World::new();
    let (journal, run, state) = played(text, DrillLevel::Live, &world).await;
    assert_eq!(state.status, RunStatus::AwaitingApproval, "{:?}", state.cause);
    let state = then(&journal, &world, &run, "r1", Control::Abort).await;
    assert_eq!(state.status, RunStatus::CleanupIncomplete, "{:?}", state.cause);
    assert!(state.cause.as_deref().unwrap().contains("fence is not taken back: it has no undo"));
    assert_eq!((world.left(), world.called("https://dns")), (vec!["https://east/fenced".to_owned()], 0));
    let by_hand = Control::Done { node: NodeAddress::typed("fence"), outputs: serde_json::Map::new() };
    let state = then(&journal, &world, &run, "r2", by_hand).await;
    assert_eq!(state.status, RunStatus::Aborted, "{:?}", state.cause);
}

#[tokio::test]
async fn a_drill_is_attested_by_whom_it_asks_for() {
    let world = World::new();
    let text = format!("{PAY}  attestation: {{not_by: [starter]}}\n");
    let (journal, run, state) = played(&text, DrillLevel::Isolated, &world).await;
    assert_eq!(state.status, RunStatus::AwaitingAttestation, "{:?}", state.cause);
    // A drill that only waits for a word stands in nobody's way.
    let another = on(Arc::new(journal.another_holder()), &world);
    let second = drive(another.create(drill(PAY, DrillLevel::Isolated), new()).await.unwrap()).await;
    assert_eq!(second.status, RunStatus::Succeeded);
    let state = then(&journal, &world, &run, "r1", Control::Attest { passed: false }).await;
    assert_eq!(state.status, RunStatus::Failed);
    assert!(state.cause.as_deref().unwrap().contains("because"), "{:?}", state.cause);
}

#[tokio::test]
async fn a_drill_keeps_other_drills_out_but_never_a_real_run() {
    let world = World::new();
    let text = PAY.replace("  cleanup:", "  decide: {}\n  cleanup:");
    let (journal, run, state) = played(&text, DrillLevel::Isolated, &world).await;
    assert_eq!(state.status, RunStatus::AwaitingApproval);
    let other = on(Arc::new(journal.another_holder()), &world);
    let begun = other.create(drill(PAY, DrillLevel::Isolated), new()).await.unwrap();
    let refused = begun.drive(&super::world::Silent, runtime::Stop::AtPerson).await.err().unwrap();
    assert!(
        matches!(
            &refused,
            runtime::Error::Journal(JournalError::ServiceLocked { run: by, .. }) if *by == run
        ),
        "{refused}"
    );
    let real = drive(other.create(real(PAY), new()).await.unwrap()).await;
    assert_eq!(real.status, RunStatus::Succeeded, "{:?}", real.cause);
    let listed = journal.runs(&RunFilter { open: true, ..RunFilter::default() }).await.unwrap();
    assert!(listed.iter().all(|run| run.intent == Intent::Drill && !run.locks_service));
    let state = then(&journal, &world, &run, "r1", Control::Abort).await;
    assert_eq!(state.status, RunStatus::Aborted);
}

/// A fault that is still there would meet the service on its way back.
#[tokio::test]
async fn a_live_drill_does_not_return_before_its_fault_is_taken_back() {
    let world = World::new();
    world.fail("DELETE https://drill/broken", 1);
    let (journal, run, state) = played(PAY, DrillLevel::Live, &world).await;
    assert_eq!(state.status, RunStatus::CleanupIncomplete);
    assert_eq!(
        (world.called("DELETE https://drill/broken"), world.called("DELETE https://dns/west")),
        (1, 0)
    );
    let retry = Control::Retry { node: NodeAddress::typed("inject/break") };
    let state = then(&journal, &world, &run, "r1", retry).await;
    assert!(state.status.is_terminal() && state.clock.returned_at.is_some(), "{:?}", state.cause);
    assert_eq!(world.left(), [""; 0]);
}

/// Half of it, three quarters, nine tenths and all of it are recorded, each once, and nothing afterwards.
#[tokio::test]
async fn the_objective_of_a_drill_burns_like_any_other() {
    for level in [DrillLevel::Isolated, DrillLevel::Live] {
        for (seconds, burn, verdict) in [
            (60, 0, Verdict::Met),
            (360, 50, Verdict::Met),
            (550, 90, Verdict::Met),
            (700, 100, Verdict::Missed),
        ] {
            let (world, journal) = (World::new(), MemoryJournal::new());
            let began = SystemClock::real().now().minus(Duration::from_secs(seconds));
            let runtime = on(Arc::new(journal.another_holder()), &world);
            let wanted = NewRun { incident_at: Some(began), ..new() };
            let driver = runtime.create(drill(PAY, level), wanted).await.unwrap();
            let run = driver.state().created.run.clone();
            let state = drive(driver).await;
            let loaded = load(&journal, &run).await;
            assert_eq!(
                (state.burn, drctl::evidence::verdict(&loaded.plan, &state)),
                (burn, verdict),
                "{level} {seconds}"
            );
            let records = journal.read(&StreamName::run(&run), 0, 1_000).await.unwrap();
            let burnt = records.iter().filter(|record| record.kind == "burn_reached").count();
            assert_eq!(burnt, usize::from(burn > 0), "{level} {seconds}: only what is new is told");
        }
    }
}
