//! Reads again and again how far the data of every service reaches. Keeps what changes at once and everything
//! from time to time, so that the last reading is known when nobody can be asked any more.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{again, services};
use crate::app::launch::sampler::Sampler;
use crate::app::launch::source::Source;
use crate::app::now;
use crate::engine::readings::{Look, Readings, ReadingsEvent};
use crate::model::id::ServiceName;
use crate::model::time::{Duration, Timestamp};
use crate::runtime::{self, Known};
use crate::server::state::Server;

/// What was not heard of for so long is not kept any more.
const FORGOTTEN: Duration = Duration::from_secs(30 * 24 * 3_600);

type Objectives = BTreeMap<ServiceName, Option<Duration>>;

/// Reads until the server lets go of its runs.
pub(in crate::server) async fn watch(server: Arc<Server>) {
    let sampler = match Sampler::new(server.session().clone()) {
        Ok(sampler) => Arc::new(sampler),
        Err(error) => return tracing::error!(error = %error.message, "no recovery point is read"),
    };
    // What was known before is known still, until something else is read.
    match runtime::known_readings(server.session().journal.as_ref()).await {
        Ok(known) => *lock(&server) = known.readings,
        Err(error) => tracing::error!(%error, "what was read before is not known"),
    }
    again(&server, server.config().readings_every, || turn(&server, &sampler)).await;
}

async fn turn(server: &Arc<Server>, sampler: &Arc<Sampler>) {
    let Some(services) = services(server) else { return };
    let sources = services.into_iter().filter_map(|service| service.source().cloned());
    let sources = sources.filter(|source| !source.runbook.recovery_point.is_empty()).collect();
    let objectives = looks(server, sampler, sources).await;
    let known = lock(server).clone();
    server.metrics.readings(&known, &objectives);
    if let Err(error) = keep(server, &objectives).await {
        tracing::error!(%error, "what was read is not kept");
    }
}

/// Looks at every service, at most so many at once.
async fn looks(server: &Arc<Server>, sampler: &Arc<Sampler>, sources: Vec<Source>) -> Objectives {
    let room = Arc::new(Semaphore::new(server.config().readings_at_once.max(1)));
    let mut looks: JoinSet<Option<(ServiceName, Look)>> = JoinSet::new();
    let mut objectives = Objectives::new();
    for source in sources {
        let service = source.runbook.metadata.name.clone();
        objectives.insert(service.clone(), source.runbook.objectives.rpo);
        let (room, sampler) = (Arc::clone(&room), Arc::clone(sampler));
        looks.spawn(async move {
            let _place = room.acquire().await.ok()?;
            Some((service, sampler.look(&source).await?))
        });
    }
    while let Some(looked) = looks.join_next().await {
        if let Ok(Some((service, look))) = looked {
            if let Some(why) = &look.failed {
                tracing::warn!(%service, why, "how far its data reaches cannot be read");
            }
            lock(server).look(&service, &look);
        }
    }
    objectives
}

/// Keeps what has changed, and everything when it is time.
async fn keep(server: &Server, objectives: &Objectives) -> Result<(), runtime::Error> {
    let journal = server.session().journal.as_ref();
    let known = runtime::known_readings(journal).await?;
    let own = lock(server).clone();
    let every = server.config().readings_kept_every;
    let at = now();
    let events = news(&own, &known, objectives, every, at);
    if events.is_empty() {
        return Ok(());
    }
    // Who was faster has said the same, or will be answered by the next look.
    runtime::record_readings(journal, &events, known.head, at).await.map(|_| ())
}

/// What is to be recorded.
fn news(
    own: &Readings,
    known: &Known,
    objectives: &Objectives,
    every: Duration,
    at: Timestamp,
) -> Vec<ReadingsEvent> {
    let stale = at.minus(every).minus(every).minus(every);
    let (mut events, mut all) = (Vec::new(), known.readings.clone());
    for (service, objective) in objectives {
        let Some(readings) = own.0.get(service) else { continue };
        let recorded = known.readings.0.get(service);
        if recorded.is_some_and(|recorded| !readings.outweighs(recorded, stale)) {
            continue;
        }
        all.0.insert(service.clone(), readings.clone());
        if let Some(change) = readings.changed(recorded) {
            let (service, readings, objective) = (service.clone(), readings.clone(), *objective);
            events.push(ReadingsEvent::Changed { service, change, readings, objective });
        }
    }
    let due = known.kept_at.is_none_or(|kept| at.since(kept) >= every);
    if due && !objectives.is_empty() {
        all.forget(at.minus(FORGOTTEN));
        events.push(ReadingsEvent::Kept { services: all });
    }
    events
}

fn lock(server: &Server) -> std::sync::MutexGuard<'_, Readings> {
    server.readings.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::readings::KnownReading;

    const EVERY: Duration = Duration::from_secs(300);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn pay() -> ServiceName {
        ServiceName::new("pay").unwrap()
    }

    fn read(readings: &mut Readings, seconds: i64) {
        let reading = KnownReading {
            number: 1,
            at: at(seconds),
            source: "x".to_owned(),
            from: None,
            to: None,
            lag: Some(Duration::from_secs(1)),
            recovery_point_at: None,
        };
        let look = Look { at: at(seconds), read: vec![reading], failed: None, objective: None };
        readings.look(&pay(), &look);
    }

    fn missed(readings: &mut Readings, seconds: i64) {
        let look =
            Look { at: at(seconds), read: Vec::new(), failed: Some("down".to_owned()), objective: None };
        readings.look(&pay(), &look);
    }

    fn recorded(known: &mut Known, events: &[ReadingsEvent], seconds: i64) {
        for event in events {
            known.readings.apply(event);
            known.head += 1;
            if matches!(event, ReadingsEvent::Kept { .. }) {
                known.kept_at = Some(at(seconds));
            }
        }
    }

    /// What is recorded, in a word each.
    fn told(events: &[ReadingsEvent]) -> Vec<&'static str> {
        let word = |event: &ReadingsEvent| match event {
            ReadingsEvent::Kept { .. } => "kept",
            ReadingsEvent::Changed { change, .. } => change.as_str(),
        };
        events.iter().map(word).collect()
    }

    #[test]
    fn little_is_recorded_and_the_last_reading_before_the_silence_among_it() {
        let (mut own, mut known) = (Readings::default(), Known::default());
        let objectives = Objectives::from([(pay(), None)]);
        let mut all = Vec::new();
        for minute in 0..10 {
            let now = minute * 60;
            if minute < 7 {
                read(&mut own, now);
            } else {
                missed(&mut own, now);
            }
            let events = news(&own, &known, &objectives, EVERY, at(now));
            recorded(&mut known, &events, now);
            all.extend(told(&events).into_iter().map(|word| (minute, word)));
        }
        assert_eq!(all, [(0, "kept"), (5, "kept"), (8, "silent")]);
        let last = &known.readings.0[&pay()];
        assert_eq!((last.at(), last.silent.as_ref().map(|it| it.since)), (Some(at(360)), Some(at(420))));
    }

    #[test]
    fn a_server_that_is_cut_off_does_not_speak_against_one_that_reads() {
        let (mut reads, mut deaf, mut known) = (Readings::default(), Readings::default(), Known::default());
        let objectives = Objectives::from([(pay(), None)]);
        let mut all = Vec::new();
        for minute in 0..12 {
            let now = minute * 60;
            read(&mut reads, now);
            missed(&mut deaf, now);
            for own in [&deaf, &reads] {
                let events = news(own, &known, &objectives, EVERY, at(now));
                recorded(&mut known, &events, now);
                all.extend(told(&events));
            }
        }
        assert_eq!(all, ["silent", "kept", "heard", "kept", "kept"]);
    }

    #[test]
    fn what_others_know_is_kept_with_it() {
        let (mut own, mut known) = (Readings::default(), Known::default());
        let other = ServiceName::new("other").unwrap();
        read(&mut own, 0);
        let theirs = own.0[&pay()].clone();
        known.readings.0.insert(other.clone(), theirs);
        let events = news(&own, &known, &Objectives::from([(pay(), None)]), EVERY, at(0));
        recorded(&mut known, &events, 0);
        assert!(known.readings.0.contains_key(&other) && known.readings.0.contains_key(&pay()));
        assert_eq!(told(&events), ["kept"]);
        let change = news(&own, &known, &Objectives::new(), EVERY, at(900));
        assert_eq!(told(&change), [] as [&str; 0], "who has nothing to read keeps nothing");
    }
}
