//! What a server keeps of what it has seen: found again from the end of its stream, also when old bodies are
//! gone.

use drctl::app;
use drctl::engine::readings::{KnownReading, Look, Readings, ReadingsEvent};
use drctl::journal::MemoryJournal;
use drctl::model::drill::DrillLevel;
use drctl::model::id::ServiceName;
use drctl::model::readiness::{Readiness, ReadinessChanged};
use drctl::model::time::{Duration, Timestamp};
use drctl::ports::JournalAdmin;
use drctl::runtime;

use super::recorded::Service;
use crate::drills::world::{PAY, drill};

const DAY: i64 = 24 * 3_600_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn pay() -> ServiceName {
    ServiceName::new("pay").unwrap()
}

fn read(readings: &mut Readings, time: Timestamp) {
    let reading = KnownReading {
        number: 1,
        at: time,
        source: "postgres.heartbeat".to_owned(),
        from: None,
        to: None,
        lag: Some(Duration::from_secs(1)),
        recovery_point_at: None,
    };
    readings.look(&pay(), &Look { at: time, read: vec![reading], failed: None, objective: None });
}

#[tokio::test]
async fn what_was_read_last_is_found_at_the_end_of_a_long_stream() {
    let journal = MemoryJournal::new();
    assert_eq!(runtime::known_readings(&journal).await.unwrap(), runtime::Known::default());
    let mut readings = Readings::default();
    for number in 0..200_i64 {
        read(&mut readings, at(number));
        let kept = [ReadingsEvent::Kept { services: readings.clone() }];
        let head = u64::try_from(number).unwrap();
        assert!(runtime::record_readings(&journal, &kept, head, at(number)).await.unwrap());
    }
    // Only changes since: what was kept lies further back than what is looked at first.
    for number in 200..240_i64 {
        read(&mut readings, at(number));
        let (service, change) = (pay(), drctl::engine::readings::ReadingChange::Heard);
        let state = readings.0[&pay()].clone();
        let event = [ReadingsEvent::Changed { service, change, readings: state, objective: None }];
        let head = u64::try_from(number).unwrap();
        assert!(runtime::record_readings(&journal, &event, head, at(number)).await.unwrap());
    }
    let stale = [ReadingsEvent::Kept { services: Readings::default() }];
    assert!(!runtime::record_readings(&journal, &stale, 239, at(240)).await.unwrap(), "somebody was faster");
    for _ in 0..2 {
        let known = runtime::known_readings(&journal).await.unwrap();
        assert_eq!((known.head, known.kept_at), (240, Some(at(199))));
        assert_eq!(known.readings.0[&pay()].at(), Some(at(239)));
        journal.prune_streams(at(99 * DAY), at(100 * DAY)).await.unwrap();
    }
    assert_eq!(journal.verify().await.unwrap().pruned, 240 - 64);
}

#[tokio::test]
async fn readiness_is_remembered_and_changed_by_one_at_a_time() {
    let (journal, pay) = (MemoryJournal::new(), pay());
    assert_eq!(runtime::last_readiness(&journal, &pay).await.unwrap(), (None, 0));
    for (head, to) in [(0, Readiness::Ready), (1, Readiness::NeedsDrill)] {
        let changed = ReadinessChanged { from: None, to, reasons: Vec::new() };
        assert!(runtime::record_readiness(&journal, &pay, &changed, head, at(0)).await.unwrap());
        assert!(!runtime::record_readiness(&journal, &pay, &changed, head, at(0)).await.unwrap());
        assert_eq!(runtime::last_readiness(&journal, &pay).await.unwrap(), (Some(to), head + 1));
    }
}

#[tokio::test]
async fn no_more_runs_are_loaded_than_are_asked_for_and_the_rest_is_named() {
    let service = Service::new();
    for _ in 0..3 {
        service.play(PAY, drill(PAY, DrillLevel::Isolated)).await;
    }
    let loaded = |most| {
        let (service, pay) = (&service, pay());
        async move {
            let history = app::newest(&service.journal, &pay, at(0), most).await.unwrap();
            (history.runs.len(), history.left_out)
        }
    };
    assert_eq!((loaded(2).await, loaded(3).await, loaded(0).await), ((2, 1), (3, 0), (0, 3)));
}
