//! The boundary of an isolated drill: asked when it is planned, and again before every effect with every
//! value known.

use std::sync::Arc;

use drctl::journal::MemoryJournal;
use drctl::model::drill::DrillLevel;
use drctl::model::run::RunStatus;
use drctl::plan::bind_drill;

use super::world::{PAY, World, at, drill, drive, new, runbook, runtime};

#[test]
fn what_is_known_to_lie_outside_is_refused_when_the_drill_is_planned() {
    for (from, to, expected) in [
        ("hosts: [west, drill]", "hosts: [drill]", "`grow` (http.request) is outside"),
        (
            "method: DELETE, url: \"https://drill/seed\"",
            "method: DELETE, url: \"https://pay/seed\"",
            "`cleanup/sweep`",
        ),
        (
            "method: POST, url: \"https://drill/broken\"",
            "method: POST, url: \"https://pay/broken\"",
            "`inject/break`",
        ),
        (
            "with: {method: DELETE, url: \"https://west/grown\"",
            "with: {method: DELETE, url: \"https://pay/grown\"",
            "`grow`",
        ),
    ] {
        assert!(PAY.contains(from), "{from}");
        let problems = bind_drill(&runbook(&PAY.replace(from, to)), &at(DrillLevel::Isolated)).unwrap_err();
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.contains(expected)), "{to}: {told:?}");
    }
}

#[tokio::test]
async fn what_is_found_to_lie_outside_is_not_done() {
    // Where the address comes from the run itself, only the last look can tell.
    let text = PAY.replace(
        "url: \"https://west/grown\", observe",
        "url: \"https://{{ 'we' ~ 'st' if run.token > 99 else 'east' }}/grown\", observe",
    );
    assert_ne!(text, PAY);
    let world = World::new();
    let runtime = runtime(Arc::new(MemoryJournal::new()), &world);
    let state = drive(runtime.create(drill(&text, DrillLevel::Isolated), new()).await.unwrap()).await;
    assert_eq!(state.status, RunStatus::Failed);
    let cause = state.cause.unwrap();
    assert!(cause.contains("outside the boundary") && cause.contains("`east`"), "{cause}");
    assert_eq!(world.called("https://east"), 0);
    assert_eq!(world.left(), [""; 0]);
}
