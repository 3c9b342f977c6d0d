//! The forecast lives by the rules of the engine: with the same durations both recover at the same time.

use std::path::Path;
use std::sync::Arc;

use drctl::engine::RunState;
use drctl::journal::MemoryJournal;
use drctl::model::run::{Intent, Mode, Operation};
use drctl::model::time::Duration;
use drctl::providers::simulated::Scenario;

use super::world::{Counting, bound, compiled, exact, lived, shipped, study_under};

fn recovery(state: &RunState) -> Option<u64> {
    state.clock.healthy_at.map(|at| at.since(state.clock_zero()).as_millis())
}

fn scenario(name: &str) -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("chaos/scenarios/{name}.yaml"));
    Scenario::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Recovery times of forecast and engine for every operation of every shipped runbook in both modes.
async fn compared(base: &Scenario) -> Vec<(String, Option<u64>, Option<u64>)> {
    let mut all = Vec::new();
    for (name, text) in shipped() {
        let runbook = compiled(&text);
        for &operation in Operation::ALL {
            for &mode in Mode::ALL {
                let plan = bound(&runbook, operation, Some(mode), Intent::Simulate);
                let mut scenario = exact(&plan, base.clone());
                // All consents were given before the engine began.
                scenario.approvals.gate = Some(Duration::ZERO);
                let report = study_under(&plan, &scenario, 1);
                let told = report.scenarios[0].recovery_time.p50_ms;
                let ids = Arc::new(Counting(0.into()));
                let state = lived(Arc::new(MemoryJournal::new()), ids, plan, &text, &scenario).await;
                all.push((format!("{name} {operation} {mode}"), told, recovery(&state)));
            }
        }
    }
    all
}

#[tokio::test]
async fn with_the_same_durations_both_recover_at_the_same_time() {
    let all = compared(&Scenario::healthy()).await;
    let recovered = all.iter().filter(|(_, _, engine)| engine.is_some()).count();
    let wrong: Vec<_> = all.iter().filter(|(_, told, engine)| told != engine).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), all.len());
    assert!(recovered >= 40, "only {recovered} of {} recover at all", all.len());
}

/// How far both may lie apart where they draw differently: how long nobody answers, and how a pause is
/// spread.
fn agree(told: Option<u64>, engine: Option<u64>) -> bool {
    match (told, engine) {
        (Some(told), Some(engine)) => told.abs_diff(engine) <= 2_000 + engine / 50,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[tokio::test]
async fn what_goes_wrong_goes_wrong_in_both() {
    let mut wrong = Vec::new();
    let mut recovered = 0;
    for name in
        ["region-loss", "split-brain", "slow-promotion", "throttled-dns", "approver-absent", "reply-lost"]
    {
        for (case, told, engine) in compared(&scenario(name)).await {
            recovered += usize::from(engine.is_some());
            if !agree(told, engine) {
                wrong.push(format!("{name}: {case}: forecast {told:?}, engine {engine:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!((100..=250).contains(&recovered), "{recovered} of 288 recover");
}
