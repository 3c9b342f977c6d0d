//! One incident after the other: staged once, withdrawn when it is over, refused with a reason, and nothing
//! is lost or done twice when the process dies.

use drctl::model::run::RunStatus;
use drctl::model::time::Duration;
use drctl::model::trigger::HowToStart;
use drctl::ports::IncidentState;

use super::world::{NEW, PAGER, World, fixture, paged, time};

const NOW: &str = "2026-11-22T03:00:02Z";
/// Starts by itself.
const AT_ONCE: &str = "  - {name: pager, on: pagerduty, cooldown: 2h,
     start: {operation: failover, to: west, how: immediate}, when: \"incident.priority == 'P1'\"}\n";

#[tokio::test]
async fn an_incident_stages_one_run_and_its_end_withdraws_it() {
    let world = World::new(PAGER, NOW);
    world.look().await;
    for _ in 0..3 {
        world.pages("pagerduty-triggered.json").await;
        world.look().await;
    }
    // News of the same incident are no reason for another run.
    world.at("2026-11-22T03:02:01Z");
    world.pages("pagerduty-acknowledged.json").await;
    world.pages("pagerduty-annotated.json").await;
    world.look().await;
    assert_eq!(world.told().await, ["red", "fired staged", "launched staged"]);
    assert_eq!(world.runs().await, [RunStatus::Staged]);
    let order = world.act.orders.lock().unwrap()[0].clone();
    assert_eq!(order.key, "trigger/payments/pager/PGR0VU2");
    assert_eq!(order.reason, "pager PGR0VU2: payments does not answer in us-east-1");
    assert_eq!(order.incident_at, Some(time("2026-11-22T03:00:00Z")));
    world.at("2026-11-22T03:30:01Z");
    world.pages("pagerduty-resolved.json").await;
    world.look().await;
    assert_eq!(world.told().await[3..], ["green resolved", "over", "withdrawn withdrawn"]);
    assert_eq!(world.runs().await, [RunStatus::Aborted]);
    // It opens again: that is something new.
    world.at("2026-11-22T04:00:01Z");
    world.pages("pagerduty-reopened.json").await;
    world.look().await;
    assert_eq!(world.told().await[6..], ["red", "fired staged", "launched staged"]);
    assert_eq!(world.runs().await, [RunStatus::Aborted, RunStatus::Staged]);
    assert!(world.act.orders.lock().unwrap()[1].key.ends_with("/PGR0VU2#2"));
}

/// What is about something else, tests, unknown and late news: nothing happens, and it is said where it might
/// have been meant.
#[tokio::test]
async fn what_is_not_meant_starts_nothing() {
    let triggers = format!(
        "{PAGER}  - {{name: broken, on: pagerduty, start: {{operation: failover}}, when: \"event.details.x.y == 1\"}}\n"
    );
    let world = World::new(&triggers, "2026-11-22T03:31:00Z");
    world.look().await;
    for name in ["pagerduty-ping.json", "pagerduty-resolved.json", "pagerduty-triggered.json"] {
        world.pages(name).await;
    }
    world.look().await;
    // The condition of the other one cannot be worked out: that is said, and nothing is started.
    assert_eq!(world.told().await, ["noted out_of_order", "noted condition_failed"]);
    let body = String::from_utf8(fixture("pagerduty-reopened.json")).unwrap().replace("\"P1\"", "\"P3\"");
    let headers = paged(body.as_bytes(), "p3", NEW);
    world.intake.accept("pager", &headers, body.as_bytes(), world.now()).await;
    world.look().await;
    assert_eq!(world.told().await[2..], ["noted condition_failed"]);
    assert_eq!(world.runs().await, []);
}

/// A kill at any moment: right after the answer, before the run exists, after it exists.
#[tokio::test]
async fn nothing_is_lost_or_doubled_when_the_process_dies() {
    for dies in 0..=2 {
        let mut world = World::asking(PAGER, NOW);
        if dies != 0 {
            world.look().await;
        }
        assert_eq!(world.pages("pagerduty-triggered.json").await.status, 202);
        *world.act.dies.lock().unwrap() = dies;
        if dies != 0 {
            let looked = world.processor.look(std::slice::from_ref(&world.watch)).await;
            assert_eq!(looked.failed.len(), 1, "{dies}");
        }
        world.restart();
        world.look().await;
        world.restart();
        assert_eq!(world.pages("pagerduty-triggered.json").await.what, "duplicate");
        world.look().await;
        let told = world.told().await;
        assert_eq!(told, ["red", "fired staged", "launched staged", "note sent"], "{dies}");
        assert_eq!(world.runs().await, [RunStatus::Staged], "{dies}");
        assert_eq!(world.act.orders.lock().unwrap().len(), 1, "{dies}");
    }
}

/// Two processes on one journal.
#[tokio::test]
async fn two_processes_stage_one_run() {
    let world = World::new(PAGER, NOW);
    let other = World::on(world.journal.clone(), PAGER, NOW, false);
    world.pages("pagerduty-triggered.json").await;
    let (one, two) = (std::slice::from_ref(&world.watch), std::slice::from_ref(&other.watch));
    let (one, two) = tokio::join!(world.processor.look(one), other.processor.look(two));
    assert!(one.failed.is_empty() && two.failed.is_empty(), "{one:?} {two:?}");
    assert_eq!(world.runs().await, [RunStatus::Staged]);
    let launched = world.told().await.iter().filter(|word| *word == "launched staged").count();
    assert_eq!(launched, 1);
}

#[tokio::test]
async fn refusals_are_recorded_once_with_their_reason() {
    let world = World::new(&PAGER.replace("on: pagerduty", "on: pagerduty, cooldown: 2h"), NOW);
    world.stop_all(true).await;
    world.pages("pagerduty-triggered.json").await;
    world.look().await;
    world.stop_all(false).await;
    world.look().await;
    assert_eq!(world.told().await, ["red", "refused stopped"]);
    // The incident of a moment ago is decided; another one is not.
    let next = |incident: &str, at: &str| {
        let body = String::from_utf8(fixture("pagerduty-triggered.json")).unwrap();
        body.replace("PGR0VU2", incident)
            .replace("01BTJS7QZB5QGKAVQFSM0PDZ6A", incident)
            .replace("2026-11-22T03:00:01.234Z", at)
    };
    let send = async |incident: &str| {
        let body = next(incident, &world.now().to_string());
        let headers = paged(body.as_bytes(), incident, NEW);
        let answer = world.intake.accept("pager", &headers, body.as_bytes(), world.now()).await;
        assert_eq!(answer.what, "accepted");
        world.look().await;
    };
    world.at("2026-11-22T03:10:00Z");
    send("P2").await;
    assert_eq!(world.told().await[2..], ["red", "fired staged", "launched staged"]);
    world.at("2026-11-22T03:20:00Z");
    send("P3").await;
    world.at("2026-11-22T05:20:00Z");
    send("P4").await;
    assert_eq!(world.told().await[5..], ["red", "refused cooldown", "red", "refused run_in_progress"]);
    assert_eq!(world.runs().await, [RunStatus::Staged]);
    // The staged run stays while anything of its trigger is red.
    let body = String::from_utf8(fixture("pagerduty-resolved.json")).unwrap().replace("PGR0VU2", "P2");
    let body = body.replace("2026-11-22T03:30:00.000Z", "2026-11-22T05:21:00Z");
    let headers = paged(body.as_bytes(), "r2", NEW);
    world.intake.accept("pager", &headers, body.as_bytes(), world.now()).await;
    world.look().await;
    assert_eq!(world.runs().await, [RunStatus::Staged]);
    let last = world.record().await.last["pager"].clone();
    assert_eq!((last.what.as_str(), last.run), ("run_in_progress", None));
}

#[tokio::test]
async fn what_cannot_be_planned_is_refused_and_not_tried_again() {
    let world = World::new(PAGER, NOW);
    *world.act.refuses.lock().unwrap() = true;
    world.pages("pagerduty-triggered.json").await;
    world.look().await;
    *world.act.refuses.lock().unwrap() = false;
    world.look().await;
    assert_eq!(world.told().await, ["red", "fired staged", "refused not_started"]);
    assert_eq!(world.runs().await, []);
}

#[tokio::test]
async fn shadow_mode_says_what_it_would_have_done() {
    let world = World::asking(&AT_ONCE.replace("on: pagerduty", "on: pagerduty, shadow: true"), NOW);
    world.pages("pagerduty-triggered.json").await;
    world.look().await;
    assert_eq!(world.told().await, ["red", "would have immediate"]);
    assert_eq!((world.runs().await, world.outside.notes.lock().unwrap().len()), (vec![], 0));
}

/// Before anything is done the sender is asked: what it says decides.
#[tokio::test]
async fn the_sender_is_asked_first() {
    for (state, expected) in [
        (Some(IncidentState::Open), vec!["red", "fired immediate", "launched immediate", "note sent"]),
        (
            Some(IncidentState::Resolved),
            vec!["red", "refused incident_resolved", "green found_resolved", "over"],
        ),
        (None, vec!["red", "fired staged instead", "launched staged", "note sent"]),
    ] {
        let world = World::asking(AT_ONCE, NOW);
        *world.outside.state.lock().unwrap() = state;
        world.pages("pagerduty-triggered.json").await;
        world.look().await;
        assert_eq!(world.told().await, expected, "{state:?}");
        assert_eq!(*world.outside.asked.lock().unwrap(), 1, "{state:?}");
    }
}

/// PagerDuty sends again for two days: what is old starts nothing by itself, and stages only what the sender
/// confirms.
#[tokio::test]
async fn old_news_never_start_a_run_by_themselves() {
    let late = "2026-11-22T09:00:00Z";
    let world = World::new(AT_ONCE, late);
    world.pages("pagerduty-triggered.json").await;
    world.look().await;
    assert_eq!(world.told().await, ["red", "refused too_old"]);
    let world = World::asking(AT_ONCE, late);
    world.pages("pagerduty-triggered.json").await;
    world.look().await;
    assert_eq!(world.told().await[..2], ["red", "fired staged instead"]);
    let world = World::asking(AT_ONCE, late);
    *world.outside.state.lock().unwrap() = None;
    world.pages("pagerduty-triggered.json").await;
    world.look().await;
    assert_eq!(world.told().await, ["red", "refused too_old"]);
}

/// A decision whose process died is carried out late, but no longer without a person.
#[tokio::test]
async fn a_late_start_is_staged() {
    let mut world = World::new(AT_ONCE, NOW);
    world.pages("pagerduty-triggered.json").await;
    *world.act.dies.lock().unwrap() = 1;
    world.processor.look(std::slice::from_ref(&world.watch)).await;
    world.clock.advance_to(world.now().plus(Duration::from_secs(601)));
    world.restart();
    world.look().await;
    assert_eq!(world.told().await, ["red", "fired immediate", "launched staged"]);
    assert_eq!(world.act.orders.lock().unwrap()[0].how, HowToStart::Staged);
}

/// A note is tried again, later and later, and given up in the end; no run waits for it.
#[tokio::test]
async fn a_note_that_fails_is_tried_again() {
    let world = World::asking(PAGER, NOW);
    *world.outside.notes_fail.lock().unwrap() = true;
    world.pages("pagerduty-triggered.json").await;
    let mut next = world.look().await.next;
    assert_eq!(world.told().await, ["red", "fired staged", "launched staged", "note failed"]);
    assert_eq!(next, Some(world.now().plus(Duration::from_secs(20))));
    for _ in 0..3 {
        world.clock.advance_to(next.unwrap());
        next = world.look().await.next;
    }
    *world.outside.notes_fail.lock().unwrap() = false;
    world.clock.advance_to(next.unwrap());
    assert_eq!(world.look().await.next, None);
    assert_eq!(world.told().await[7..], ["note sent"]);
    let note = world.outside.notes.lock().unwrap()[0].clone();
    let run = world.record().await.staged.values().next().unwrap().run.to_string();
    assert!(note.starts_with("PGR0VU2: drctl has staged the failover to west"), "{note}");
    assert!(note.contains(&format!("Start it: drctl start {run}\n")), "{note}");
    let world = World::asking(PAGER, NOW);
    *world.outside.notes_fail.lock().unwrap() = true;
    world.pages("pagerduty-triggered.json").await;
    while let Some(next) = world.look().await.next {
        world.clock.advance_to(next);
    }
    let told = world.told().await;
    // 20 s, doubled six times.
    assert_eq!(world.now(), time(NOW).plus(Duration::from_secs(2_540)));
    assert_eq!(told.iter().filter(|word| *word == "note failed").count(), 7);
    assert_eq!(told.last().map(String::as_str), Some("note given_up"));
}

/// A person has started the run: its incident's end leaves it alone.
#[tokio::test]
async fn a_run_that_a_person_has_started_is_left_alone() {
    let world = World::new(PAGER, NOW);
    world.pages("pagerduty-triggered.json").await;
    world.look().await;
    let run = world.record().await.staged.values().next().unwrap().run.clone();
    world.act.start(&run).await;
    let before = world.runs().await;
    assert_ne!(before, [RunStatus::Staged]);
    world.at("2026-11-22T03:30:01Z");
    world.pages("pagerduty-resolved.json").await;
    world.look().await;
    assert_eq!(world.told().await.last().map(String::as_str), Some("withdrawn begun"));
    assert_eq!(world.runs().await, before);
}

/// The task itself: what arrives is seen without anybody asking, and it ends when it is told to.
#[tokio::test]
async fn the_task_looks_by_itself() {
    let world = World::new(PAGER, NOW);
    let (_, watches) = tokio::sync::watch::channel(std::sync::Arc::new(vec![world.watch.clone()]));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let processor = std::sync::Arc::clone(&world.processor);
    let task = tokio::spawn(processor.run(watches, async {
        let _ = stopped.await;
    }));
    world.pages("pagerduty-triggered.json").await;
    let within = tokio::time::Duration::from_secs(30);
    tokio::time::timeout(within, async {
        while world.runs().await != [RunStatus::Staged] {
            world.journal.changed(Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
    stop.send(()).unwrap();
    tokio::time::timeout(within, task).await.unwrap().unwrap();
}
