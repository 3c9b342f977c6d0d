//! Schedules that are taken out and put back, and places that look with several versions of one.

use drctl::engine::schedule::ScheduleEvent;
use drctl::model::time::Duration;
use drctl::ports::{Journal as _, StreamName};
use drctl::runtime::{Scheduled, Turn, take_out};

use super::world::{World, place, shop, time};

const NIGHTLY: &str = "0 3 * * *";
const LATER: &str = "0 5 * * *";

/// A machine that looks with a version of the schedule.
async fn look(world: &World, host: &str, cron: &str) -> Turn {
    let mut schedule = world.schedule.clone();
    schedule.cron = cron.to_owned();
    let timetable = drctl::model::schedule::Timetable::new("shop", &schedule).unwrap();
    let scheduled = Scheduled { service: shop(), timetable, place: place(host) };
    world.scheduler().turn(&scheduled).await.unwrap()
}

async fn without(world: &World, host: &str) -> bool {
    use drctl::ports::Clock as _;
    take_out(world.journal.as_ref(), &shop(), &place(host), world.clock.now()).await.unwrap()
}

/// How often each kind of fact was recorded.
async fn recorded(world: &World, kind: &str) -> usize {
    let records = world.journal.read(&StreamName::schedule(&shop()), 0, 10_000).await.unwrap();
    records.iter().filter(|record| record.kind == kind).count()
}

/// Lets machines look in turn, every so many seconds, for some time.
async fn in_turn(world: &World, from: &str, (every, hours): (u64, u64), versions: &[(&str, &str)]) {
    for (look_number, second) in (0..hours * 3_600).step_by(usize::try_from(every).unwrap()).enumerate() {
        world.clock.advance_to(time(from).plus(Duration::from_secs(second)));
        let (host, cron) = versions[look_number % versions.len()];
        look(world, host, cron).await;
    }
}

/// What fell due while a schedule was out is none of its, also where missed fires are run.
#[tokio::test]
async fn a_schedule_that_is_put_back_counts_from_then() {
    for missed in [false, true] {
        let world = World::new(NIGHTLY, "UTC", "2026-11-20T12:00:00Z");
        let world = if missed { world.running_missed_ones() } else { world };
        look(&world, "one", NIGHTLY).await;
        world.at("2026-11-20T13:00:00Z");
        assert!(without(&world, "one").await);
        assert!(!without(&world, "one").await, "it is recorded once");
        world.at("2026-11-22T03:00:10Z");
        let turn = look(&world, "one", NIGHTLY).await;
        assert!(matches!(&turn.recorded[..], [ScheduleEvent::Seen { .. }]), "{:?}", turn.recorded);
        assert!(world.begun().is_empty() && world.refusals().await.is_empty());
        world.at("2026-11-23T03:00:10Z");
        look(&world, "one", NIGHTLY).await;
        assert_eq!(world.fires(), ["2026-11-23T03:00:00.000Z"], "run_once: {missed}");
        assert!(world.refusals().await.is_empty(), "{:?}", world.refusals().await);
    }
}

/// A file that is being written, or one that is removed on one machine after the other, loses no fire.
#[tokio::test]
async fn a_schedule_that_is_out_for_a_moment_loses_no_fire() {
    for back in ["one", "two"] {
        let world = World::new(NIGHTLY, "UTC", "2026-11-20T12:00:00Z");
        look(&world, "one", NIGHTLY).await;
        world.at("2026-11-21T02:59:50Z");
        assert!(without(&world, "one").await);
        world.at("2026-11-21T03:00:05Z");
        look(&world, back, NIGHTLY).await;
        assert_eq!(world.fires(), ["2026-11-21T03:00:00.000Z"], "{back}");
    }
}

/// The delay of a fire may run for longer than whoever looks may be late.
#[tokio::test]
async fn a_schedule_that_is_out_for_a_moment_loses_no_fire_whose_delay_runs() {
    let world = World::new(NIGHTLY, "UTC", "2026-11-20T12:00:00Z").with_jitter(Duration::from_secs(7_200));
    let table = world.scheduled().timetable;
    let long = Duration::from_secs(20 * 60);
    let mut fires = table.fires(time("2026-11-20T12:00:00Z"));
    let fire = fires.find(|fire| fire.begins.since(fire.at) > long).unwrap();
    world.clock.advance_to(fire.at.minus(Duration::from_secs(3_600)));
    look(&world, "one", NIGHTLY).await;
    world.clock.advance_to(fire.begins.minus(Duration::from_secs(10)));
    assert!(without(&world, "one").await);
    world.clock.advance_to(fire.begins.plus(Duration::from_secs(5)));
    look(&world, "one", NIGHTLY).await;
    assert_eq!(world.fires(), [fire.at.to_string()]);
    assert!(!world.begun()[0].1.late && world.refusals().await.is_empty());
}

/// A machine with an older runbook, which has no schedule yet, does not take out what another has just set.
#[tokio::test]
async fn a_place_without_the_schedule_takes_it_out_rarely_and_loses_no_fire() {
    let world = World::new(NIGHTLY, "UTC", "2026-11-20T12:00:00Z");
    for minute in (0..7 * 24 * 60).step_by(2) {
        world.clock.advance_to(time("2026-11-20T12:00:00Z").plus(Duration::from_secs(minute * 60)));
        look(&world, "one", NIGHTLY).await;
        without(&world, "two").await;
    }
    let expected: Vec<_> = (21..28).map(|day| format!("2026-11-{day}T03:00:00.000Z")).collect();
    assert_eq!(world.fires(), expected);
    assert!(world.refusals().await.is_empty(), "{:?}", world.refusals().await);
    let taken_out = recorded(&world, "schedule_unseen").await;
    assert!((1..=14).contains(&taken_out), "{taken_out} in a week");
}

/// While a changed runbook is handed out, the change is recorded once, and only its fires count.
#[tokio::test]
async fn a_change_that_is_handed_out_is_recorded_once() {
    let world = World::new(NIGHTLY, "UTC", "2026-11-20T12:00:00Z");
    look(&world, "one", NIGHTLY).await;
    for second in (0..540).step_by(15) {
        world.clock.advance_to(time("2026-11-21T02:55:00Z").plus(Duration::from_secs(second)));
        look(&world, "one", LATER).await;
        let behind = look(&world, "two", NIGHTLY).await.behind.unwrap();
        assert_eq!(behind.schedule, "0 5 * * * UTC");
        assert_eq!(behind.place, Some(place("one")));
    }
    in_turn(&world, "2026-11-21T03:04:00Z", (15, 4), &[("one", LATER), ("two", LATER)]).await;
    assert_eq!(world.fires(), ["2026-11-21T05:00:00.000Z"], "one drill in that night");
    assert_eq!(recorded(&world, "schedule_seen").await, 2);
    assert!(world.refusals().await.is_empty(), "{:?}", world.refusals().await);
}

/// Nodes that never agree record that less and less often, and lose nothing of what both have.
#[tokio::test]
async fn two_versions_for_ever_are_few_records_and_every_fire_once() {
    let world = World::new(NIGHTLY, "UTC", "2026-11-20T12:00:00Z");
    // The same fires, by two expressions.
    let both = [("one", NIGHTLY), ("two", "00 3 * * *")];
    in_turn(&world, "2026-11-20T12:00:00Z", (120, 10 * 24), &both).await;
    let fires = world.fires();
    assert_eq!(fires.len(), 10, "{fires:?}");
    assert!(world.refusals().await.is_empty(), "{:?}", world.refusals().await);
    let seen = recorded(&world, "schedule_seen").await;
    assert!(seen <= 18, "{seen} in ten days");
    let again = recorded(&world, "schedule_seen").await;
    in_turn(&world, "2026-11-30T12:00:00Z", (120, 48), &both).await;
    assert!(recorded(&world, "schedule_seen").await - again <= 3, "once a day in the end");
}

/// Whoever takes an edit back where it was made need not wait, and what fell due in between is not owed.
#[tokio::test]
async fn an_edit_that_is_taken_back_where_it_was_made_counts_at_once() {
    let world = World::new(NIGHTLY, "UTC", "2026-11-20T12:00:00Z");
    look(&world, "one", NIGHTLY).await;
    world.at("2026-11-21T02:59:00Z");
    look(&world, "one", LATER).await;
    world.at("2026-11-21T03:01:00Z");
    let back = look(&world, "one", NIGHTLY).await;
    assert!(back.behind.is_none() && world.begun().is_empty(), "{back:?}");
    in_turn(&world, "2026-11-21T03:02:00Z", (60, 25), &[("one", NIGHTLY)]).await;
    assert_eq!(world.fires(), ["2026-11-22T03:00:00.000Z"]);
}

/// Going back is possible from anywhere: at once after a while, and within minutes otherwise.
#[tokio::test]
async fn an_earlier_version_comes_back_from_another_place() {
    let world = World::new(NIGHTLY, "UTC", "2026-11-20T12:00:00Z");
    look(&world, "one", NIGHTLY).await;
    world.at("2026-11-21T02:58:00Z");
    look(&world, "one", LATER).await;
    // The other machine is gone for good, with the newer version.
    in_turn(&world, "2026-11-21T02:59:00Z", (60, 1), &[("two", NIGHTLY)]).await;
    assert_eq!(world.fires(), ["2026-11-21T03:00:00.000Z"], "within ten minutes it is in force again");
    assert!(!world.begun()[0].1.late && world.refusals().await.is_empty());
    // Days later somebody changes it, and days after that goes back.
    world.at("2026-11-25T12:00:00Z");
    look(&world, "one", LATER).await;
    world.at("2026-11-27T12:00:00Z");
    let turn = look(&world, "two", NIGHTLY).await;
    assert!(turn.behind.is_none(), "{turn:?}");
    // The first still has the newer one for a while: it waits, and then has the same.
    assert!(look(&world, "one", LATER).await.behind.is_some());
    world.at("2026-11-28T03:00:10Z");
    look(&world, "one", NIGHTLY).await;
    assert_eq!(world.fires().last().unwrap(), "2026-11-28T03:00:00.000Z");
}

/// A drill that has begun is followed to its end also by whoever has an old version.
#[tokio::test]
async fn what_has_begun_is_looked_after_with_an_old_version_as_well() {
    use super::world::Drill;
    let world = World::new(NIGHTLY, "UTC", "2026-11-20T12:00:00Z");
    look(&world, "one", NIGHTLY).await;
    world.at("2026-11-21T03:00:00Z");
    world.next_drill(Drill::DiesWithin);
    world.fatal_turn().await;
    world.next_drill(Drill::Ends(drctl::model::run::RunStatus::Succeeded));
    // A change reaches the other machine, whose drill this is not.
    let mut event = None;
    for (host, cron) in [("two", LATER), ("one", NIGHTLY)] {
        let turn = look(&world, host, cron).await;
        event = event.or(turn.gone_on);
    }
    assert!(event.is_some() && world.gone_on() == 1);
    assert!(world.record().await.opened.is_none());
}

/// Two machines of one name do not make each other lose fires for ever.
#[tokio::test]
async fn two_places_of_one_name_settle_as_well() {
    let world = World::new(NIGHTLY, "UTC", "2026-11-20T12:00:00Z");
    let both = [("one", NIGHTLY), ("one", "00 3 * * *")];
    in_turn(&world, "2026-11-20T12:00:00Z", (120, 10 * 24), &both).await;
    assert_eq!(world.fires().len(), 10, "{:?}", world.fires());
    let seen = recorded(&world, "schedule_seen").await;
    assert!(seen <= 25, "{seen} in ten days");
}
