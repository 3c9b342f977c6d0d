//! Fires and refusals over a controlled clock.

use drctl::engine::schedule::{Answers, Last, Refusal, ScheduleEvent};
use drctl::model::run::{Intent, RunStatus};
use drctl::model::runbook::Schedule;
use drctl::model::schedule::Timetable;
use drctl::model::time::Duration;
use drctl::runtime::{Scheduled, take_out};

use super::world::{Drill, World, place, shop, time};

const SUNDAYS: &str = "30 2 * * SUN";

/// Lets the clock jump from fire to fire.
async fn pass(world: &World, turns: usize) {
    for _ in 0..turns {
        let next = world.turn().await.next.unwrap();
        world.clock.advance_to(next);
    }
    world.turn().await;
}

#[tokio::test]
async fn drills_run_at_their_time_of_day_whatever_the_clock_does() {
    let world = World::new(SUNDAYS, "Europe/Berlin", "2027-03-19T12:00:00Z");
    pass(&world, 3).await;
    // 02:30 CET; 03:00 CEST, because 02:30 is skipped; 02:30 CEST.
    let spring = ["2027-03-21T01:30:00.000Z", "2027-03-28T01:00:00.000Z", "2027-04-04T00:30:00.000Z"];
    assert_eq!(world.fires(), spring);
    world.at("2027-10-22T12:00:00Z");
    pass(&world, 3).await;
    // 02:30 CEST; 02:30 CEST, the first of two; 02:30 CET.
    let autumn = ["2027-10-24T00:30:00.000Z", "2027-10-31T00:30:00.000Z", "2027-11-07T01:30:00.000Z"];
    assert_eq!(world.fires()[3..], autumn);
    assert!(world.begun().iter().all(|(at, order)| *at == order.fire && !order.late));
    // Half a year in which nobody looked is told of, as far back as is looked.
    assert_eq!(world.refusals().await, ["2027-10-17T00:30:00.000Z missed 1"]);
    let last = world.record().await.last.unwrap();
    assert!(matches!(last, Last::Ended { status: RunStatus::Succeeded, .. }), "{last:?}");
}

#[tokio::test]
async fn a_drill_begins_after_its_delay_and_not_before() {
    let world = World::new(SUNDAYS, "UTC", "2027-03-20T12:00:00Z").with_jitter(Duration::from_secs(3_600));
    let fire = world.scheduled().timetable.fires(time("2027-03-20T12:00:00Z")).next().unwrap();
    assert!(fire.begins > fire.at, "another service would have another delay");
    world.turn().await;
    world.clock.advance_to(fire.at);
    assert_eq!(world.turn().await.next, Some(fire.begins));
    world.clock.advance_to(fire.begins.minus(Duration::from_secs(1)));
    world.turn().await;
    assert!(world.begun().is_empty());
    world.clock.advance_to(fire.begins);
    world.turn().await;
    assert_eq!(world.begun().len(), 1);
}

#[tokio::test]
async fn a_blackout_keeps_drills_from_running_and_the_next_one_runs() {
    let world =
        World::new(SUNDAYS, "Europe/Berlin", "2026-12-18T12:00:00Z").with_blackout("2026-12-20/2027-01-05");
    pass(&world, 4).await;
    assert_eq!(world.fires(), ["2027-01-10T01:30:00.000Z"]);
    assert_eq!(
        world.refusals().await,
        [
            "2026-12-20T01:30:00.000Z blackout 1",
            "2026-12-27T01:30:00.000Z blackout 1",
            "2027-01-03T01:30:00.000Z blackout 1"
        ]
    );
    // Nobody is asked about what cannot run anyway.
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn a_blackout_that_begins_during_the_delay_counts() {
    let world = World::new("59 23 * * SAT", "UTC", "2026-12-19T12:00:00Z")
        .with_jitter(Duration::from_secs(3_000))
        .with_blackout("2026-12-20");
    let fire = world.scheduled().timetable.fires(time("2026-12-19T12:00:00Z")).next().unwrap();
    assert!(fire.begins >= time("2026-12-20T00:00:00Z"), "another service would have another delay");
    pass(&world, 1).await;
    assert_eq!(world.refusals().await, ["2026-12-19T23:59:00.000Z blackout 1"]);
}

#[tokio::test]
async fn red_guards_and_the_policy_refuse_with_their_words() {
    let world = World::new(SUNDAYS, "UTC", "2026-11-20T12:00:00Z");
    let red = vec!["guard-1 (http.check): status 503".to_owned()];
    world.answers(Answers { policy: None, red: red.clone() });
    pass(&world, 1).await;
    let last = world.record().await.last.unwrap();
    let Last::Refused { reason, detail, in_a_row, .. } = last else { panic!("{last:?}") };
    assert_eq!((reason, detail.as_str(), in_a_row), (Refusal::GuardRed, red[0].as_str(), 1));
    // What the policy says weighs more than what the guards say.
    world.answers(Answers { policy: Some("quarter end".to_owned()), red });
    pass(&world, 1).await;
    world.answers(Answers::default());
    pass(&world, 1).await;
    assert_eq!(
        world.refusals().await,
        ["2026-11-22T02:30:00.000Z guard_red 1", "2026-11-29T02:30:00.000Z policy 1"]
    );
    assert_eq!(world.fires(), ["2026-12-06T02:30:00.000Z"]);
}

#[tokio::test]
async fn the_stop_switch_halts_schedules() {
    let world = World::new(SUNDAYS, "UTC", "2026-11-20T12:00:00Z");
    world.stop_all(true).await;
    pass(&world, 1).await;
    let last = world.record().await.last.unwrap();
    let stopped =
        matches!(&last, Last::Refused { reason: Refusal::Stopped, detail, .. } if detail.contains("audit"));
    assert!(stopped, "{last:?}");
    world.stop_all(false).await;
    pass(&world, 1).await;
    assert_eq!(world.fires(), ["2026-11-29T02:30:00.000Z"]);
}

#[tokio::test]
async fn a_drill_keeps_away_from_other_runs_of_its_service() {
    let world = World::new(SUNDAYS, "UTC", "2026-11-20T12:00:00Z");
    world.other_run("shop-real", Intent::Real, RunStatus::Running).await;
    pass(&world, 1).await;
    world.other_run("shop-real", Intent::Real, RunStatus::Succeeded).await;
    world.other_run("shop-hand", Intent::Drill, RunStatus::CleanupIncomplete).await;
    pass(&world, 1).await;
    world.other_run("shop-hand", Intent::Drill, RunStatus::Failed).await;
    // A check or a simulation is in nobody's way.
    world.other_run("shop-check", Intent::Check, RunStatus::Running).await;
    world.other_run("shop-simulated", Intent::Simulate, RunStatus::Paused).await;
    pass(&world, 1).await;
    assert_eq!(
        world.refusals().await,
        ["2026-11-22T02:30:00.000Z real_run_in_progress 1", "2026-11-29T02:30:00.000Z overlap 1"]
    );
    assert_eq!(world.fires(), ["2026-12-06T02:30:00.000Z"]);
}

#[tokio::test]
async fn drills_of_one_schedule_never_overlap() {
    let world = World::new(SUNDAYS, "UTC", "2026-11-20T12:00:00Z");
    world.next_drill(Drill::Ends(RunStatus::AwaitingAttestation));
    pass(&world, 3).await;
    assert_eq!(world.fires(), ["2026-11-22T02:30:00.000Z"]);
    let run = world.record().await.opened.unwrap();
    assert_eq!(run.fire, time("2026-11-22T02:30:00Z"));
    assert_eq!(
        world.refusals().await,
        ["2026-11-29T02:30:00.000Z overlap 1", "2026-12-06T02:30:00.000Z overlap 1"]
    );
    assert_eq!(world.gone_on(), 0, "a run that waits for a person is left to the person");
}

#[tokio::test]
async fn missed_fires_are_left_out_by_default() {
    let world = World::new("0 3 * * *", "UTC", "2026-11-20T12:00:00Z");
    world.turn().await;
    // Five minutes late is on time for those whom the system's cron calls.
    world.at("2026-11-21T03:05:00Z");
    world.turn().await;
    // Four nights: three, and the newest.
    world.at("2026-11-25T08:00:00Z");
    world.turn().await;
    assert_eq!(world.fires(), ["2026-11-21T03:00:00.000Z"]);
    let expected = ["2026-11-24T03:00:00.000Z missed 3", "2026-11-25T03:00:00.000Z missed 1"];
    assert_eq!(world.refusals().await, expected);
    let last = world.record().await.last.unwrap();
    assert!(matches!(last, Last::Refused { in_a_row: 4, .. }), "{last:?}");
    // Told once.
    world.turn().await;
    assert_eq!(world.refusals().await, expected);
}

#[tokio::test]
async fn the_newest_missed_fire_runs_where_the_schedule_says_so() {
    let world = World::new("0 3 * * *", "UTC", "2026-11-20T12:00:00Z")
        .running_missed_ones()
        .with_blackout("Mon-Fri 08:00-18:00");
    world.turn().await;
    world.at("2026-11-23T07:00:00Z");
    world.turn().await;
    let begun = world.begun();
    assert_eq!((begun.len(), begun[0].1.late), (1, true));
    assert_eq!(world.fires(), ["2026-11-23T03:00:00.000Z"]);
    assert_eq!(world.refusals().await, ["2026-11-22T03:00:00.000Z missed 2"]);
    // Late in the day the blackout of the day counts, not that of the night.
    world.at("2026-11-24T10:00:00Z");
    world.turn().await;
    assert_eq!(world.refusals().await[1], "2026-11-24T03:00:00.000Z blackout 1");
    assert_eq!(world.begun().len(), 1);
}

#[tokio::test]
async fn a_schedule_that_is_new_or_changed_owes_nothing() {
    let mut world = World::new("0 3 * * *", "UTC", "2026-11-20T12:00:00Z").running_missed_ones();
    let turn = world.turn().await;
    assert!(matches!(&turn.recorded[..], [ScheduleEvent::Seen { .. }]), "{:?}", turn.recorded);
    world.at("2026-11-21T12:00:00Z");
    world.schedule.cron = "0 9 * * *".to_owned();
    world.turn().await;
    assert!(world.begun().is_empty() && world.refusals().await.is_empty());
    world.at("2026-11-22T09:00:00Z");
    world.turn().await;
    assert_eq!(world.fires(), ["2026-11-22T09:00:00.000Z"]);
}

/// Nothing that lay before the first look is owed, however short it is ago: nor is it told as missed.
#[tokio::test]
async fn a_schedule_counts_from_the_moment_it_is_first_seen() {
    for (jitter, missed) in [(0, false), (0, true), (6 * 3_600, false), (6 * 3_600, true)] {
        let world = World::new("0 3 * * *", "UTC", "2026-11-21T03:00:30Z");
        let mut world = world.with_jitter(Duration::from_secs(jitter));
        world = if missed { world.running_missed_ones() } else { world };
        world.turn().await;
        world.at("2026-11-21T11:00:00Z");
        world.turn().await;
        assert!(world.begun().is_empty(), "{jitter} {missed}: {:?}", world.begun());
        assert!(world.refusals().await.is_empty(), "{jitter} {missed}: {:?}", world.refusals().await);
        pass(&world, 1).await;
        assert_eq!(world.fires(), ["2026-11-22T03:00:00.000Z"], "{jitter} {missed}");
    }
}

/// An edit takes nothing from what is due afterwards, and adds nothing that was due before.
#[tokio::test]
async fn an_edited_schedule_counts_from_its_edit() {
    let mut world = World::new("0 3 * * *", "UTC", "2026-11-20T12:00:00Z");
    world.turn().await;
    world.at("2026-11-20T12:10:00Z");
    world.schedule.cron = "5 12 * * *".to_owned();
    world.turn().await;
    assert!(world.begun().is_empty() && world.refusals().await.is_empty(), "{:?}", world.refusals().await);
    pass(&world, 1).await;
    assert_eq!(world.fires(), ["2026-11-21T12:05:00.000Z"]);
    assert!(world.refusals().await.is_empty(), "{:?}", world.refusals().await);
}

/// While a changed runbook is handed out, nodes with both versions look in turn: no fire is lost over it.
#[tokio::test]
async fn two_versions_of_a_schedule_that_look_in_turn_lose_no_fire() {
    let mut world = World::new("0 3 * * *", "UTC", "2026-11-21T02:59:00Z");
    for second in (0..240).step_by(15) {
        world.clock.advance_to(time("2026-11-21T02:59:00Z").plus(Duration::from_secs(second)));
        let (zone, host) = if second % 30 == 0 { ("UTC", "one") } else { ("Etc/UTC", "two") };
        world.schedule.timezone = Some(zone.to_owned());
        let scheduled = Scheduled { place: place(host), ..world.scheduled() };
        world.scheduler().turn(&scheduled).await.unwrap();
    }
    assert_eq!(world.fires(), ["2026-11-21T03:00:00.000Z"], "once, whoever looked");
    assert!(world.refusals().await.is_empty(), "{:?}", world.refusals().await);
}

/// Of a schedule that was known before, what fell due while nobody looked is on time within the grace.
#[tokio::test]
async fn a_known_schedule_runs_what_fell_due_while_nothing_was_up() {
    let world = World::new("0 3 * * *", "UTC", "2026-11-20T12:00:00Z");
    world.turn().await;
    world.at("2026-11-21T03:14:00Z");
    world.turn().await;
    assert_eq!(world.fires(), ["2026-11-21T03:00:00.000Z"]);
    assert!(world.refusals().await.is_empty() && !world.begun()[0].1.late);
}

#[tokio::test]
async fn many_schedulers_start_one_drill() {
    let world = World::new(SUNDAYS, "UTC", "2026-11-20T12:00:00Z");
    world.turn().await;
    world.at("2026-11-22T02:30:00Z");
    world.slow();
    let (one, two, three) = tokio::join!(world.turn(), world.turn(), world.turn());
    assert_eq!(world.begun().len(), 1);
    let fired = [one, two, three].into_iter().flat_map(|turn| turn.recorded);
    let fired = fired.filter(|event| matches!(event, ScheduleEvent::Fired { .. })).count();
    assert_eq!(fired, 1);
    assert!(world.refusals().await.is_empty(), "{:?}", world.refusals().await);
    assert!(world.record().await.opened.is_none());
}

#[tokio::test]
async fn a_crash_before_the_run_begins_is_healed_under_the_same_key() {
    let world = World::new(SUNDAYS, "UTC", "2026-11-20T12:00:00Z");
    world.turn().await;
    world.at("2026-11-22T02:30:00Z");
    world.next_drill(Drill::DiesBefore);
    world.fatal_turn().await;
    let opened = world.record().await.opened.unwrap();
    assert_eq!(opened.key, "schedule/shop/2026-11-22T02:30:00.000Z");
    world.next_drill(Drill::Ends(RunStatus::Succeeded));
    world.at("2026-11-22T02:35:00Z");
    world.turn().await;
    assert_eq!(world.begun()[0].1.key, opened.key);
    assert_eq!((world.begun().len(), world.record().await.opened), (1, None));
    assert!(world.refusals().await.is_empty());
}

#[tokio::test]
async fn a_crash_that_nobody_noticed_in_time_is_a_missed_fire() {
    let world = World::new(SUNDAYS, "UTC", "2026-11-20T12:00:00Z");
    world.turn().await;
    world.at("2026-11-22T02:30:00Z");
    world.next_drill(Drill::DiesBefore);
    world.fatal_turn().await;
    world.next_drill(Drill::Ends(RunStatus::Succeeded));
    world.at("2026-11-22T09:00:00Z");
    world.turn().await;
    assert!(world.begun().is_empty());
    assert_eq!(world.refusals().await, ["2026-11-22T02:30:00.000Z missed 1"]);
    pass(&world, 1).await;
    assert_eq!(world.fires(), ["2026-11-29T02:30:00.000Z"]);
}

#[tokio::test]
async fn a_drill_whose_process_died_is_gone_on_with() {
    let world = World::new(SUNDAYS, "UTC", "2026-11-20T12:00:00Z");
    world.turn().await;
    world.at("2026-11-22T02:30:00Z");
    world.next_drill(Drill::DiesWithin);
    world.fatal_turn().await;
    world.at("2026-11-22T05:00:00Z");
    let turn = world.turn().await;
    assert!(turn.gone_on.is_some());
    assert!(
        matches!(&turn.recorded[..], [ScheduleEvent::Ended { status: RunStatus::Succeeded, .. }]),
        "{:?}",
        turn.recorded
    );
    assert_eq!((world.begun().len(), world.gone_on()), (1, 1));
}

#[tokio::test]
async fn a_drill_that_cannot_be_planned_is_refused_and_not_tried_for_ever() {
    let world = World::new(SUNDAYS, "UTC", "2026-11-20T12:00:00Z");
    world.next_drill(Drill::CannotStart);
    pass(&world, 1).await;
    world.turn().await;
    let last = world.record().await.last.unwrap();
    let told = matches!(
        &last,
        Last::Refused { reason: Refusal::NotStarted, detail, in_a_row: 1, .. } if detail == "no such site"
    );
    assert!(told, "{last:?}");
}

#[tokio::test]
async fn a_preview_says_what_would_be_done_and_does_nothing() {
    let world = World::new(SUNDAYS, "UTC", "2026-11-20T12:00:00Z");
    let first = world.scheduler().preview(&world.scheduled()).await.unwrap();
    assert_eq!((first.order, first.next), (None, Some(time("2026-11-22T02:30:00Z"))));
    assert_eq!(world.record().await, drctl::engine::schedule::ScheduleRecord::default());
    world.turn().await;
    let seen = world.record().await;
    world.at("2026-11-22T02:31:00Z");
    let preview = world.scheduler().preview(&world.scheduled()).await.unwrap();
    assert_eq!(preview.order.unwrap().fire, time("2026-11-22T02:30:00Z"));
    assert_eq!(world.record().await, seen);
    assert!(world.begun().is_empty());
    world.answers(Answers { policy: None, red: vec!["no".to_owned()] });
    let preview = world.scheduler().preview(&world.scheduled()).await.unwrap();
    assert!(preview.order.is_none());
    let refused = preview.recorded.last().unwrap();
    assert!(matches!(refused, ScheduleEvent::Refused { reason: Refusal::GuardRed, .. }), "{refused:?}");
}

#[tokio::test]
async fn a_clock_that_was_ahead_keeps_no_drill_from_running_and_runs_none_twice() {
    let ahead = World::new(SUNDAYS, "UTC", "2028-06-02T12:00:00Z");
    pass(&ahead, 1).await;
    assert_eq!(ahead.fires(), ["2028-06-04T02:30:00.000Z"]);
    let world = ahead.with_clock_put_back("2027-06-04T12:00:00Z");
    let turn = world.turn().await;
    assert!(matches!(&turn.recorded[..], [ScheduleEvent::SetBack { .. }]), "{:?}", turn.recorded);
    let fire = time("2028-06-04T02:30:00Z");
    assert_eq!(world.record().await.decided_ahead(time("2027-06-04T12:00:00Z")), Some(fire));
    // It is said once, and then drills run by the clock as it is.
    assert!(world.turn().await.recorded.is_empty());
    pass(&world, 2).await;
    assert_eq!(world.fires(), ["2027-06-06T02:30:00.000Z", "2027-06-13T02:30:00.000Z"]);
    // What was drilled by the clock that was ahead is not drilled again when its time has come.
    world.at("2028-05-26T12:00:00Z");
    pass(&world, 3).await;
    assert_eq!(
        world.fires()[2..],
        ["2028-05-28T02:30:00.000Z", "2028-06-11T02:30:00.000Z"],
        "that of 2028-06-04 took place"
    );
    assert_eq!(world.record().await.decided_ahead(time("2028-06-11T02:30:00Z")), None);
}

#[tokio::test]
async fn a_clock_that_is_not_set_runs_nothing_and_says_so() {
    let right = World::new(SUNDAYS, "UTC", "2027-06-04T12:00:00Z");
    pass(&right, 1).await;
    let world = right.with_clock_put_back("2000-01-01T00:00:00Z");
    let turn = world.turn().await;
    assert_eq!((turn.ahead, turn.recorded.len()), (Some(time("2027-06-06T02:30:00Z")), 0));
    world.at("2000-01-02T02:30:00Z");
    world.turn().await;
    assert!(world.begun().is_empty());
    // Once it is set, all goes on as before.
    world.at("2027-06-07T00:00:00Z");
    pass(&world, 1).await;
    assert_eq!(world.fires(), ["2027-06-13T02:30:00.000Z"]);
    assert!(world.refusals().await.is_empty());
}

/// Nothing is recorded by it either, so that nothing of it is left once the clock is set: a machine whose
/// battery is empty, looking for the first time, or with a schedule that is changed or taken out meanwhile.
#[tokio::test]
async fn a_clock_that_is_not_set_decides_and_records_nothing() {
    for run_once in [false, true] {
        let world = World::new(SUNDAYS, "UTC", "1970-01-03T02:20:00Z");
        let world = if run_once { world.running_missed_ones() } else { world };
        for now in ["1970-01-03T02:20:00Z", "1970-01-04T02:30:30Z"] {
            world.at(now);
            let turn = world.turn().await;
            assert!(turn.unset && turn.ahead.is_none() && turn.recorded.is_empty(), "{turn:?}");
        }
        // It counts from the first look by a clock that is set.
        world.at("2027-06-06T02:40:00Z");
        assert!(!world.turn().await.unset);
        assert!(world.begun().is_empty() && world.refusals().await.is_empty(), "run_once: {run_once}");
    }
    let known = World::new(SUNDAYS, "UTC", "2027-06-04T12:00:00Z");
    known.turn().await;
    let world = known.with_clock_put_back("1970-01-01T00:00:00Z");
    let mut changed = world.scheduled();
    let other = Schedule { cron: "0 5 * * *".to_owned(), ..world.schedule.clone() };
    changed.timetable = Timetable::new("shop", &other).unwrap();
    let turn = world.scheduler().turn(&changed).await.unwrap();
    assert!(turn.unset && turn.recorded.is_empty(), "{turn:?}");
    let now = time("1970-01-01T00:00:00Z");
    assert!(!take_out(world.journal.as_ref(), &shop(), &place("one"), now).await.unwrap());
    assert!(world.record().await.schedule.is_some());
}

#[tokio::test]
async fn a_clock_that_is_corrected_by_minutes_changes_nothing() {
    let right = World::new(SUNDAYS, "UTC", "2027-06-04T12:00:00Z");
    pass(&right, 1).await;
    let world = right.with_clock_put_back("2027-06-06T02:20:00Z");
    assert!(world.turn().await.recorded.is_empty());
    pass(&world, 2).await;
    assert_eq!(world.fires(), ["2027-06-13T02:30:00.000Z"]);
}
