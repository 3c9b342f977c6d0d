//! A real operation that begins in the middle of a drill, at every point of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use drctl::engine::input::Control;
use drctl::engine::{keep_all, takeover};
use drctl::journal::MemoryJournal;
use drctl::model::drill::DrillLevel;
use drctl::model::run::RunStatus;
use drctl::ports::{Journal, RunFilter};
use drctl::runtime::{NewRun, Stop};

use super::world::{Dying, PAY, Silent, World, ask, drill, drive, load, new, real, runtime};

/// A drill that dies at an append is promoted; the real run goes on from what it has done.
async fn promoted_at(level: DrillLevel, append: usize) -> Option<(RunStatus, RunStatus, Arc<World>)> {
    let world = World::new();
    let first = MemoryJournal::new();
    let dying = Arc::new(Dying::after(first.another_holder(), append, true));
    let runtime_of_first = runtime(Arc::clone(&dying) as Arc<dyn Journal>, &world);
    let begun = runtime_of_first.create(drill(PAY, level), new()).await.unwrap();
    if begun.drive(&Silent, Stop::AtPerson).await.is_ok() {
        return None;
    }
    dying.inner.kill_holder();
    let run = first.runs(&RunFilter { open: true, ..RunFilter::default() }).await.unwrap().pop()?.run;
    let loaded = load(&first, &run).await;
    let plan = real(PAY);
    let choice = match level {
        DrillLevel::Live => keep_all(&loaded.plan, &loaded.state),
        _ => takeover(&loaded.plan, &loaded.state, &plan),
    };
    ask(&first, &run, "take", Control::Promote { keep: choice.keep }).await;
    let second = runtime(Arc::new(first.another_holder()), &world);
    let ended = drive(second.take_over(&run, BTreeMap::new()).await.unwrap()).await;
    let begun = second.create(plan, NewRun { adopt: true, ..new() }).await.unwrap();
    Some((ended.status, drive(begun).await.status, world))
}

#[tokio::test]
async fn a_real_run_takes_over_from_an_isolated_drill_at_every_point() {
    let mut seen = 0;
    for append in 1..60 {
        let Some((drill, real, world)) = promoted_at(DrillLevel::Isolated, append).await else { continue };
        seen += 1;
        assert_eq!((drill, real), (RunStatus::Aborted, RunStatus::Succeeded), "append {append}");
        // What the real run wants is there, and nothing that was made only for the drill.
        let wanted = [
            "https://dns/west",
            "https://east/fenced",
            "https://west/data",
            "https://west/grown",
            "https://west/seed",
        ];
        let left: Vec<_> = world.left().into_iter().filter(|url| url != "https://drill/seed").collect();
        assert_eq!(left, wanted, "append {append}");
    }
    assert!(seen > 10, "only {seen}");
}

#[tokio::test]
async fn a_real_run_takes_over_from_a_live_drill_at_every_point() {
    let mut seen = 0;
    for append in 1..60 {
        let Some((drill, real, world)) = promoted_at(DrillLevel::Live, append).await else { continue };
        seen += 1;
        assert_eq!((drill, real), (RunStatus::Aborted, RunStatus::Succeeded), "append {append}");
        assert!(!world.left().contains(&"https://drill/broken".to_owned()), "append {append}");
        assert!(world.left().contains(&"https://dns/west".to_owned()), "append {append}");
    }
    assert!(seen > 10, "only {seen}");
}
