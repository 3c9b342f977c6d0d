//! A drill whose process dies at every one of its appends ends cleaned up once it is resumed.

use std::sync::Arc;

use drctl::engine::input::Control;
use drctl::journal::MemoryJournal;
use drctl::model::drill::DrillLevel;
use drctl::model::id::RunId;
use drctl::model::run::RunStatus;
use drctl::ports::{Journal, RunFilter};
use drctl::runtime::Stop;

use super::world::{Dying, PAY, Silent, World, ask, drill, drive, new, runtime};

/// More appends than any of these drills makes.
const APPENDS: usize = 60;

async fn the_run(journal: &MemoryJournal) -> Option<RunId> {
    journal.runs(&RunFilter::default()).await.unwrap().into_iter().next().map(|run| run.run)
}

/// Runs a drill whose process dies at an append, resumes it, and says how it ended. `None`: it came to its
/// end before that append.
async fn killed_at(
    level: DrillLevel,
    append: usize,
    written: bool,
    world: &Arc<World>,
    then: Option<Control>,
) -> Option<RunStatus> {
    let first = MemoryJournal::new();
    let dying = Arc::new(Dying::after(first.another_holder(), append, written));
    let runtime_of_first = runtime(Arc::clone(&dying) as Arc<dyn Journal>, world);
    let driver = runtime_of_first.create(drill(PAY, level), new()).await.unwrap();
    let died = driver.drive(&Silent, Stop::AtPerson).await;
    if let Ok((_, state)) = died {
        return Some(state.status).filter(|_| false);
    }
    dying.inner.kill_holder();
    // What was never recorded never happened.
    let Some(run) = the_run(&first).await else {
        assert!(world.left().is_empty(), "{append}: {:?}", world.left());
        return Some(RunStatus::Pending);
    };
    if let Some(control) = then {
        ask(&first, &run, "r1", control).await;
    }
    let second = runtime(Arc::new(first.another_holder()), world);
    Some(drive(second.take_over(&run, std::collections::BTreeMap::new()).await.unwrap()).await.status)
}

async fn sweep(level: DrillLevel, ends: RunStatus) {
    let mut crashes = 0;
    for append in 1..APPENDS {
        for written in [false, true] {
            let world = World::new();
            let Some(status) = killed_at(level, append, written, &world, None).await else { continue };
            crashes += 1;
            if status != RunStatus::Pending {
                assert_eq!(status, ends, "append {append}, written: {written}");
            }
            assert_eq!(world.left(), [""; 0], "append {append}, written: {written}");
        }
    }
    assert!(crashes > 20, "only {crashes} crashes");
}

#[tokio::test]
async fn an_isolated_drill_that_dies_anywhere_is_cleaned_up() {
    sweep(DrillLevel::Isolated, RunStatus::Succeeded).await;
}

#[tokio::test]
async fn a_live_drill_that_dies_anywhere_is_returned() {
    sweep(DrillLevel::Live, RunStatus::Succeeded).await;
}

#[tokio::test]
async fn a_drill_that_died_and_is_aborted_is_cleaned_up() {
    let mut aborted = 0;
    for append in 1..APPENDS {
        let world = World::new();
        let then = Some(Control::Abort);
        let Some(status) = killed_at(DrillLevel::Isolated, append, true, &world, then).await else {
            continue;
        };
        assert_eq!(world.left(), [""; 0], "append {append}");
        aborted += usize::from(status == RunStatus::Aborted);
        assert!(matches!(status, RunStatus::Aborted | RunStatus::Succeeded), "append {append}: {status}");
    }
    assert!(aborted > 5, "only {aborted} were aborted");
}

#[tokio::test]
async fn a_drill_that_fails_anywhere_and_dies_anywhere_is_cleaned_up() {
    for fails in [
        "POST https://west/grown",
        "POST https://drill/data",
        "CHECK https://drill/ok",
        "POST https://drill/broken",
    ] {
        for append in 1..APPENDS {
            let world = World::new();
            world.fail(fails, 100);
            let Some(status) = killed_at(DrillLevel::Isolated, append, true, &world, None).await else {
                continue;
            };
            assert!(matches!(status, RunStatus::Failed), "{fails}, append {append}: {status}");
            assert_eq!(world.left(), [""; 0], "{fails}, append {append}");
        }
    }
}
