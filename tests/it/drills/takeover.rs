//! A real operation that begins in the middle of a drill, at every point of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use drctl::engine::event::Event;
use drctl::engine::input::{Control, Input, Request};
use drctl::engine::{
    IndexedPlan, RunState, apply, decide, in_the_way, keep_all, left_behind, returning, takeover,
};
use drctl::journal::MemoryJournal;
use drctl::model::drill::DrillLevel;
use drctl::model::id::NodeAddress;
use drctl::model::run::{Identity, NodeStatus, RunStatus};
use drctl::plan::Section;
use drctl::ports::{Journal, RunFilter, StreamName};
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
    ask(&first, &run, "take", Control::Promote { keep: choice.kept() }).await;
    let second = runtime(Arc::new(first.another_holder()), &world);
    let mut ended = drive(second.take_over(&run, BTreeMap::new()).await.unwrap()).await;
    if returning(&loaded.plan, &loaded.state).is_some() {
        // Half a move has no way back: the drill brings the service home.
        assert_eq!((ended.status, world.left()), (RunStatus::Succeeded, Vec::new()), "append {append}");
        return None;
    }
    let begun = second.create(plan, NewRun { adopt: true, ..new() }).await.unwrap();
    let real = drive(begun).await.status;
    // What stands only because of the drill is said, and goes when somebody asks for it.
    let seeded = world.left().contains(&"https://drill/seed".to_owned());
    assert_eq!(seeded, ended.status == RunStatus::CleanupIncomplete, "append {append}: {:?}", ended.cause);
    assert_eq!(seeded, !choice.left.is_empty(), "append {append}");
    if seeded {
        assert!(ended.cause.as_deref().unwrap().contains("seed is not taken back"), "{:?}", ended.cause);
        let loaded = load(&first, &run).await;
        for (number, node) in left_behind(&loaded.plan, &loaded.state).into_iter().enumerate() {
            let node = loaded.plan.plan.nodes[node as usize].address.clone();
            ask(&first, &run, &format!("sweep-{number}"), Control::Retry { node }).await;
        }
        ended = drive(second.take_over(&run, BTreeMap::new()).await.unwrap()).await;
    }
    Some((ended.status, real, world))
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
        assert_eq!(world.left(), wanted, "append {append}");
    }
    assert!(seen > 10, "only {seen}");
}

/// The state after every event of a drill, from its first on.
async fn states(level: DrillLevel) -> (IndexedPlan, Vec<RunState>) {
    let (world, journal) = (World::new(), MemoryJournal::new());
    let on = runtime(Arc::new(journal.another_holder()), &world);
    let driver = on.create(drill(PAY, level), new()).await.unwrap();
    let run = driver.state().created.run.clone();
    assert_eq!(drive(driver).await.status, RunStatus::Succeeded);
    let plan = IndexedPlan::new(drill(PAY, level)).unwrap();
    let mut states: Vec<RunState> = Vec::new();
    for record in journal.read(&StreamName::run(&run), 0, 10_000).await.unwrap() {
        let event: Event = serde_json::from_str(&record.body).unwrap();
        let next = match (&event, states.last()) {
            (Event::RunCreated(created), None) => {
                RunState::new(&plan, created.as_ref().clone(), record.recorded_at)
            }
            (_, Some(before)) => {
                let mut state = before.clone();
                apply(&plan, &mut state, &event, record.recorded_at);
                state
            }
            (_, None) => panic!("{event:?} before the run"),
        };
        states.push(next);
    }
    (plan, states)
}

/// What a drill answers to a real run that begins.
fn told_to_end(plan: &IndexedPlan, state: &RunState, keep: Vec<NodeAddress>) -> Result<RunState, String> {
    let request = Request {
        id: format!("take-{}", state.answered.len()),
        by: Identity::asserted("ann"),
        from: "test".to_owned(),
        reason: Some("outage".to_owned()),
        control: Control::Promote { keep },
    };
    let mut after = state.clone();
    for event in decide(plan, state, Input::Request(request), state.last_at).unwrap() {
        if let Event::RequestAnswered { refused: Some(why), .. } = &event {
            return Err(why.clone());
        }
        apply(plan, &mut after, &event, state.last_at);
    }
    Ok(after)
}

/// At every point of a drill: what is under way, or is being taken back, and what the real run would do, is
/// waited for; a fault is; and nothing is refused but in the middle of the move back.
#[tokio::test]
async fn a_real_run_never_begins_beside_what_a_drill_has_under_way() {
    for level in [DrillLevel::Isolated, DrillLevel::Live] {
        let (plan, states) = states(level).await;
        let real = real(PAY);
        let (mut refused, mut waited, mut undone) = (0, 0, 0);
        for state in states.iter().filter(|state| !state.status.is_terminal()) {
            let choice = match level {
                DrillLevel::Live => keep_all(&plan, state),
                _ => takeover(&plan, state, &real),
            };
            undone += choice.undone.len();
            let after = match told_to_end(&plan, state, choice.kept()) {
                Ok(after) => after,
                Err(why) => {
                    assert!(returning(&plan, state).is_some(), "{why}");
                    refused += 1;
                    continue;
                }
            };
            assert_eq!(returning(&plan, state), None, "half a move back was cut off");
            let holds: Vec<_> = in_the_way(&plan, &after, &real).into_iter().map(|hold| hold.node).collect();
            waited += holds.len();
            for (number, node) in plan.plan.nodes.iter().enumerate() {
                let it = &after.nodes[number];
                let same = real.nodes.iter().any(|other| {
                    other.address == node.address && other.kind == node.kind && node.undo.is_some()
                });
                if same && it.current.is_some() {
                    assert!(holds.contains(&node.address), "{} is under way", node.address);
                }
                let fault = node.section() == Some(Section::Inject);
                let stands = fault && (it.status == NodeStatus::Succeeded || it.current.is_some());
                assert!(!stands || holds.contains(&node.address), "{}", node.address);
            }
            // What was moved is not said to be there once it is back.
            if after.clock.return_shifted_at.is_some() {
                assert!(!choice.promotes(), "{choice:?}");
            }
        }
        assert!(waited > 5, "only {waited} at level {level}");
        assert_eq!(refused > 0, level == DrillLevel::Live, "{refused}");
        assert_eq!(undone > 0, level == DrillLevel::Isolated, "{undone}");
    }
}

/// Whoever comes second, with whatever in mind, neither takes back what the first goes on from nor keeps what
/// it waits for to be gone.
#[tokio::test]
async fn what_a_drill_keeps_is_settled_by_the_first_who_interrupts_it() {
    let (plan, states) = states(DrillLevel::Isolated).await;
    let (real, mut seen) = (real(PAY), 0);
    for state in states.iter().filter(|state| !state.status.is_terminal()) {
        let some = takeover(&plan, state, &real).kept();
        for (first, second) in [(some.clone(), Vec::new()), (Vec::new(), some.clone())] {
            let once = told_to_end(&plan, state, first).unwrap();
            if once.status.is_terminal() {
                continue;
            }
            let twice = told_to_end(&plan, &once, second).unwrap();
            assert_eq!((&twice.drill, &twice.nodes), (&once.drill, &once.nodes));
            seen += usize::from(!some.is_empty());
        }
    }
    assert!(seen > 4, "only {seen}");
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
