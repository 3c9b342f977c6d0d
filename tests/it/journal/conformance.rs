//! What every journal must do, run on each of them.

use std::sync::Arc;

use drctl::journal::record::{digest, hex};
use drctl::model::id::ServiceName;
use drctl::model::limits;
use drctl::model::run::{Intent, RunStatus};
use drctl::model::time::Duration;
use drctl::ports::{Append, Checkpoint, JournalAdmin, JournalError, NewRecord, RunFilter, StreamName};
use proptest::prelude::*;

use super::{World, at, bodies, create, end, fact, request, run_id, sound, summary, to, to_run};

/// Runs each test on every journal.
macro_rules! conformance {
    ($($name:ident),+ $(,)?) => {
        mod memory {
            use super::super::World;
            $(#[tokio::test] async fn $name() { super::$name(&World::memory()).await; })+
        }
        mod sqlite {
            use super::super::World;
            $(#[tokio::test] async fn $name() { super::$name(&World::sqlite()).await; })+
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            use super::super::postgres::Databases;
            /// All in one test: they share the server.
            #[tokio::test]
            async fn every_promise_is_kept() {
                let databases = Databases::start();
                $(
                    let began = std::time::Instant::now();
                    super::$name(&databases.world(stringify!($name)).await).await;
                    eprintln!("{}: {:?}", stringify!($name), began.elapsed());
                )+
            }
        }
    };
}

conformance!(
    appended_facts_are_read_back_in_order,
    a_wrong_expectation_writes_nothing,
    an_expectation_by_itself_is_checked_and_leaves_nothing,
    only_the_current_token_appends,
    an_append_over_several_streams_is_all_or_nothing,
    one_real_run_works_on_a_service,
    runs_that_others_began_can_be_left_out,
    an_idempotency_key_starts_one_run,
    malformed_appends_are_refused,
    the_inbox_keeps_order_and_answers_once,
    a_full_inbox_refuses,
    a_lease_has_one_holder,
    a_dead_holder_loses_its_leases_at_once,
    a_lease_given_back_is_free,
    blobs_and_checkpoints_are_kept,
    times_never_go_backwards,
    read_after_misses_nothing_while_others_write,
    runs_are_listed_newest_first,
    streams_are_found_by_the_beginning_of_their_name,
    changes_wake_those_who_wait,
    pruned_runs_keep_their_chain,
    pruned_streams_keep_their_chain_and_their_newest_records,
    many_appends_at_once_keep_every_chain,
);

async fn appended_facts_are_read_back_in_order(world: &World) {
    let journal = world.open();
    let run = run_id("shop-1");
    let token = create(&*journal, &run).await;
    let stream = StreamName::run(&run);
    let heads =
        journal.append(vec![to_run(&run, token, 3, &["{\"n\":4}"]), to(StreamName::journal(), None, &["x"])]);
    let heads = heads.await.unwrap();
    assert_eq!(heads.iter().map(|head| head.sequence).collect::<Vec<_>>(), [4, 1]);
    let records = world.open().read(&stream, 0, 100).await.unwrap();
    let seen: Vec<_> = records.iter().map(|r| (r.position, r.sequence, r.token, r.body.as_str())).collect();
    assert_eq!(
        seen,
        [(1, 1, 1, "{\"n\":1}"), (2, 2, 1, "{\"n\":2}"), (3, 3, 1, "{\"n\":3}"), (4, 4, 1, "{\"n\":4}")]
    );
    assert_eq!((records[3].hash, records[3].recorded_at), (heads[0].hash, heads[0].recorded_at));
    assert_eq!(
        (records[0].kind.as_str(), records[0].version, records[0].recorded_at),
        ("noted", 1, at(5_000))
    );
    assert_eq!(journal.read(&stream, 2, 1).await.unwrap(), records[2..3]);
    assert_eq!(journal.read(&stream, 4, 10).await.unwrap(), []);
    assert_eq!(journal.read(&stream, 99, 10).await.unwrap(), []);
    assert_eq!(journal.read(&StreamName::typed("run/nobody"), 0, 10).await.unwrap(), []);
    assert_eq!(journal.append(Vec::new()).await.unwrap(), []);
    let found = journal.verify().await.unwrap();
    assert_eq!((found.streams, found.records, found.pruned, found.damage.len()), (2, 5, 0, 0));
}

async fn a_wrong_expectation_writes_nothing(world: &World) {
    let journal = world.open();
    let run = run_id("shop-1");
    let token = create(&*journal, &run).await;
    let stream = StreamName::run(&run);
    for expected in [0, 2, 4] {
        let error = journal.append(vec![to_run(&run, token, expected, &["x"])]).await.unwrap_err();
        assert_eq!(error, JournalError::Conflict { stream: stream.clone(), expected, actual: 3 });
    }
    assert_eq!(bodies(&*journal, &stream).await.len(), 3);
    let whatever = Append { expected: None, ..to_run(&run, token, 0, &["x"]) };
    assert_eq!(journal.append(vec![whatever]).await.unwrap()[0].sequence, 4);
}

async fn an_expectation_by_itself_is_checked_and_leaves_nothing(world: &World) {
    let journal = world.open();
    let service = StreamName::service(&ServiceName::new("shop").unwrap());
    let only = |expected| to(service.clone(), Some(expected), &[]);
    let other = || to(StreamName::journal(), None, &["x"]);
    journal.append(vec![other(), only(0)]).await.unwrap();
    journal.append(vec![other(), to(service.clone(), Some(0), &["moved"])]).await.unwrap();
    let error = journal.append(vec![other(), only(0)]).await.unwrap_err();
    assert_eq!(error, JournalError::Conflict { stream: service.clone(), expected: 0, actual: 1 });
    journal.append(vec![other(), only(1)]).await.unwrap();
    assert_eq!(bodies(&*journal, &service).await.len(), 1);
    assert_eq!(bodies(&*journal, &StreamName::journal()).await.len(), 3);
    sound(&*world.open()).await;
}

async fn only_the_current_token_appends(world: &World) {
    let journal = world.open();
    let run = run_id("shop-1");
    let stream = StreamName::run(&run);
    let none = journal.append(vec![to_run(&run, 1, 0, &["x"])]).await.unwrap_err();
    assert_eq!(none, JournalError::Fenced { stream: stream.clone(), held: 1, current: 0 });
    let zero = journal.append(vec![to_run(&run, 0, 0, &["x"])]).await.unwrap_err();
    assert_eq!(zero, JournalError::Fenced { stream: stream.clone(), held: 0, current: 0 });
    let first = create(&*journal, &run).await;
    let second = journal.grant(&run).await.unwrap();
    assert!(second > first);
    let stale = journal.append(vec![to_run(&run, first, 3, &["x"])]).await.unwrap_err();
    assert_eq!(stale, JournalError::Fenced { stream: stream.clone(), held: first, current: second });
    let without = to(stream.clone(), Some(3), &["x"]);
    let without = journal.append(vec![without]).await.unwrap_err();
    assert_eq!(without, JournalError::Fenced { stream, held: 0, current: second });
    journal.append(vec![to_run(&run, second, 3, &["x"])]).await.unwrap();
}

async fn an_append_over_several_streams_is_all_or_nothing(world: &World) {
    let journal = world.open();
    let run = run_id("shop-1");
    let token = create(&*journal, &run).await;
    journal.submit(&run, &request("r1")).await.unwrap();
    let service = StreamName::service(&ServiceName::new("shop").unwrap());
    let before = journal.verify().await.unwrap();
    let blob = digest(b"big");
    let good = Append {
        blobs: vec![(hex(&blob), Arc::from(&b"big"[..]))],
        answers: vec!["r1".into()],
        summary: Some(summary(&run, "shop-1", RunStatus::Failed)),
        checkpoint: Some(Checkpoint { sequence: 4, engine: 1, body: Arc::from(&b"state"[..]) }),
        ..to_run(&run, token, 3, &["x"])
    };
    let bad = to(service.clone(), Some(7), &["y"]);
    let error = journal.append(vec![good.clone(), bad]).await.unwrap_err();
    assert!(matches!(error, JournalError::Conflict { actual: 0, .. }), "{error}");
    assert_eq!(journal.verify().await.unwrap(), before);
    assert_eq!(bodies(&*journal, &service).await, Vec::<String>::new());
    assert_eq!(journal.blob(&hex(&blob)).await.unwrap(), None);
    assert_eq!(journal.checkpoint(&run).await.unwrap(), None);
    assert_eq!(journal.inbox(&run).await.unwrap().len(), 1);
    assert_eq!(journal.runs(&RunFilter::default()).await.unwrap()[0].status, RunStatus::Running);

    let again = to_run(&run, token, 4, &["z"]);
    let heads = journal.append(vec![good, to(service.clone(), Some(0), &["y"]), again]).await.unwrap();
    assert_eq!(heads.iter().map(|head| head.sequence).collect::<Vec<_>>(), [4, 1, 5]);
    assert_eq!(journal.inbox(&run).await.unwrap(), []);
    assert_eq!(journal.runs(&RunFilter::default()).await.unwrap()[0].status, RunStatus::Failed);
    sound(&*journal).await;
}

async fn one_real_run_works_on_a_service(world: &World) {
    let (journal, other) = (world.open(), world.open());
    let (first, second, drill) = (run_id("shop-1"), run_id("shop-2"), run_id("shop-3"));
    let start = async |journal: &dyn JournalAdmin, run, locks_service| {
        let token = journal.grant(run).await.unwrap();
        let mut append = to_run(run, token, 0, &["x"]);
        append.summary =
            Some(drctl::ports::RunSummary { locks_service, ..summary(run, "shop", RunStatus::Running) });
        journal.append(vec![append]).await.map(|_| token)
    };
    let token = start(&*journal, &first, true).await.unwrap();
    let service = ServiceName::new("shop").unwrap();
    let locked = JournalError::ServiceLocked { service, run: first.clone() };
    assert_eq!(start(&*other, &second, true).await, Err(locked));
    assert_eq!(bodies(&*other, &StreamName::run(&second)).await, Vec::<String>::new());
    start(&*other, &drill, false).await.unwrap();
    let mut over = to_run(&first, token, 1, &["y"]);
    over.summary = Some(summary(&first, "shop", RunStatus::Stuck));
    journal.append(vec![over]).await.unwrap();
    start(&*other, &second, true).await.unwrap_err();
    let mut over = to_run(&first, token, 2, &["z"]);
    over.summary = Some(summary(&first, "shop", RunStatus::Aborted));
    journal.append(vec![over]).await.unwrap();
    start(&*other, &second, true).await.unwrap();
    sound(&*journal).await;
}

/// Whoever looks for the newest run does not mean the last of five hundred members.
async fn runs_that_others_began_can_be_left_out(world: &World) {
    let journal = world.open();
    for (id, service, parent) in [("all-1", "all", None), ("pay-2", "pay", Some("all-1"))] {
        let run = run_id(id);
        let token = journal.grant(&run).await.unwrap();
        let line = drctl::ports::RunSummary {
            parent: parent.map(run_id),
            ..summary(&run, service, RunStatus::Running)
        };
        let append = Append { summary: Some(line), ..to_run(&run, token, 0, &["x"]) };
        journal.append(vec![append]).await.unwrap();
    }
    assert_eq!(journal.runs(&RunFilter::default()).await.unwrap().len(), 2);
    let outermost = journal.runs(&RunFilter { outermost: true, ..RunFilter::default() }).await.unwrap();
    assert_eq!(outermost.iter().map(|run| run.run.as_str()).collect::<Vec<_>>(), ["all-1"]);
}

async fn an_idempotency_key_starts_one_run(world: &World) {
    let journal = world.open();
    let key = |run, service| drctl::ports::RunSummary {
        idempotency_key: Some("page-77".into()),
        ..summary(run, service, RunStatus::Running)
    };
    let (first, second) = (run_id("shop-1"), run_id("pay-2"));
    let token = journal.grant(&first).await.unwrap();
    let one = Append { summary: Some(key(&first, "shop")), ..to_run(&first, token, 0, &["x"]) };
    journal.append(vec![one]).await.unwrap();
    let token2 = journal.grant(&second).await.unwrap();
    let two = Append { summary: Some(key(&second, "pay")), ..to_run(&second, token2, 0, &["x"]) };
    let error = journal.append(vec![two.clone()]).await.unwrap_err();
    assert_eq!(error, JournalError::DuplicateStart { run: first.clone() });
    // The first may go on being summed up, and its end does not free the key.
    let over = drctl::ports::RunSummary { status: RunStatus::Succeeded, ..key(&first, "shop") };
    let over = Append { summary: Some(over), ..to_run(&first, token, 1, &["y"]) };
    journal.append(vec![over]).await.unwrap();
    assert_eq!(journal.append(vec![two]).await, Err(JournalError::DuplicateStart { run: first }));
    assert_eq!(journal.runs(&RunFilter::default()).await.unwrap().len(), 1);
}

async fn malformed_appends_are_refused(world: &World) {
    let journal = world.open();
    let run = run_id("shop-1");
    let token = create(&*journal, &run).await;
    let blob = (hex(&digest(b"other")), Arc::from(&b"big"[..]));
    let foreign = summary(&run_id("pay-1"), "pay", RunStatus::Running);
    for append in [
        Append { records: vec![fact("x")], ..Append::default() },
        Append { answers: vec!["r1".into()], ..to(StreamName::journal(), None, &["x"]) },
        Append { blobs: vec![blob], ..to_run(&run, token, 3, &["x"]) },
        Append { summary: Some(foreign), ..to_run(&run, token, 3, &["x"]) },
    ] {
        let error = journal.append(vec![append]).await.unwrap_err();
        assert!(
            matches!(&error, JournalError::Unavailable(why) if why.contains("nothing was written")),
            "{error}"
        );
    }
    assert_eq!(journal.verify().await.unwrap().records, 3);
}

async fn the_inbox_keeps_order_and_answers_once(world: &World) {
    let (driver, terminal) = (world.open(), world.open());
    let run = run_id("shop-1");
    let unknown = terminal.submit(&run, &request("r1")).await.unwrap_err();
    assert_eq!(unknown, JournalError::UnknownRun("shop-1".into()));
    let token = create(&*driver, &run).await;
    for id in ["r2", "r1", "r3", "r1"] {
        terminal.submit(&run, &request(id)).await.unwrap();
    }
    let inbox = driver.inbox(&run).await.unwrap();
    assert_eq!(inbox, [request("r2"), request("r1"), request("r3")]);
    let answer = Append { answers: vec!["r2".into(), "r1".into()], ..to_run(&run, token, 3, &["x"]) };
    driver.append(vec![answer]).await.unwrap();
    terminal.submit(&run, &request("r1")).await.unwrap();
    assert_eq!(driver.inbox(&run).await.unwrap(), [request("r3")]);
    assert_eq!(driver.inbox(&run_id("pay-1")).await.unwrap(), []);
}

async fn a_full_inbox_refuses(world: &World) {
    let journal = world.open();
    let run = run_id("shop-1");
    create(&*journal, &run).await;
    let requests: Vec<_> = (0..limits::INBOX).map(|n| request(&format!("r{n}"))).collect();
    let mut all = tokio::task::JoinSet::new();
    for request in requests {
        let (journal, run) = (Arc::clone(&journal), run.clone());
        all.spawn(async move { journal.submit(&run, &request).await });
    }
    for submitted in all.join_all().await {
        submitted.unwrap();
    }
    let error = journal.submit(&run, &request("one-more")).await.unwrap_err();
    assert_eq!(error, JournalError::InboxFull(run.clone()));
    journal.submit(&run, &request("r7")).await.unwrap();
    assert_eq!(journal.inbox(&run).await.unwrap().len(), limits::INBOX);
}

async fn a_lease_has_one_holder(world: &World) {
    let (first, second) = (world.open(), world.open());
    let run = run_id("shop-1");
    assert_eq!(first.lease(&run).await.unwrap(), None);
    let token = first.grant(&run).await.unwrap();
    let error = second.grant(&run).await.unwrap_err();
    let lease = second.lease(&run).await.unwrap().unwrap();
    assert_eq!((lease.token, lease.alive), (token, true));
    assert_eq!(error, JournalError::Held { run: run.clone(), holder: lease.holder.unwrap() });
    assert_eq!(first.grant(&run).await.unwrap(), token + 1);
    second.grant(&run_id("pay-1")).await.unwrap();
}

async fn a_dead_holder_loses_its_leases_at_once(world: &World) {
    let (first, second) = (world.open(), world.open());
    let run = run_id("shop-1");
    let token = create(&*first, &run).await;
    drop(first);
    let lease = second.lease(&run).await.unwrap().unwrap();
    assert_eq!((lease.token, lease.alive, lease.holder.is_some()), (token, false, true));
    let next = second.grant(&run).await.unwrap();
    assert!(next > token);
    let stale = second.append(vec![to_run(&run, token, 3, &["x"])]).await.unwrap_err();
    assert!(matches!(stale, JournalError::Fenced { .. }), "{stale}");
    second.append(vec![to_run(&run, next, 3, &["x"])]).await.unwrap();
    assert!(second.lease(&run).await.unwrap().unwrap().alive);
}

async fn a_lease_given_back_is_free(world: &World) {
    let (first, second) = (world.open(), world.open());
    let run = run_id("shop-1");
    assert_eq!(first.release(&run, 1).await, Err(JournalError::UnknownRun("shop-1".into())));
    let token = first.grant(&run).await.unwrap();
    first.release(&run, token).await.unwrap();
    first.release(&run, token).await.unwrap();
    let lease = second.lease(&run).await.unwrap().unwrap();
    assert_eq!((lease.token, lease.holder, lease.alive), (token, None, false));
    let next = second.grant(&run).await.unwrap();
    assert!(next > token);
    let stream = StreamName::run(&run);
    assert_eq!(
        first.release(&run, token).await,
        Err(JournalError::Fenced { stream, held: token, current: next })
    );
    assert!(second.lease(&run).await.unwrap().unwrap().alive);
}

async fn blobs_and_checkpoints_are_kept(world: &World) {
    let (journal, other) = (world.open(), world.open());
    let run = run_id("shop-1");
    let token = create(&*journal, &run).await;
    let name = hex(&digest(b"big"));
    assert_eq!(journal.checkpoint(&run).await.unwrap(), None);
    for sequence in [3, 4] {
        let checkpoint = Checkpoint { sequence: sequence + 1, engine: 7, body: Arc::from(&b"state"[..]) };
        let append = Append {
            blobs: vec![(name.clone(), Arc::from(&b"big"[..]))],
            checkpoint: Some(checkpoint.clone()),
            ..to_run(&run, token, sequence, &["x"])
        };
        journal.append(vec![append]).await.unwrap();
        assert_eq!(other.checkpoint(&run).await.unwrap(), Some(checkpoint));
    }
    assert_eq!(other.blob(&name).await.unwrap(), Some(b"big".to_vec()));
    assert_eq!(other.blob(&hex(&digest(b"none"))).await.unwrap(), None);
}

async fn times_never_go_backwards(world: &World) {
    let journal = world.open();
    let timed = |stream: &str, time: Option<i64>| Append {
        at: time.map(at),
        ..to(StreamName::typed(stream), None, &["x"])
    };
    let mut recorded = Vec::new();
    for append in [
        timed("service/a", Some(5_000)),
        timed("service/a", Some(4_000)),
        timed("service/b", Some(3_000)),
        timed("service/b", None),
        timed("service/a", Some(6_000)),
    ] {
        recorded.push(journal.append(vec![append]).await.unwrap()[0].recorded_at.as_millis());
    }
    assert_eq!(recorded, [5_000, 5_000, 3_000, 5_000, 6_000]);
    sound(&*journal).await;
}

async fn read_after_misses_nothing_while_others_write(world: &World) {
    let reader = world.open();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let journal = world.open();
        writers.spawn(async move {
            for n in 0..25 {
                let body = format!("{writer}-{n}");
                let stream = StreamName::typed(format!("service/s{writer}"));
                journal.append(vec![to(stream, Some(2 * n), &[&body, "y"])]).await.unwrap();
            }
        });
    }
    let (mut position, mut seen) = (0, Vec::new());
    while seen.len() < 200 {
        let records = reader.read_after(position, 7).await.unwrap();
        for record in records {
            assert_eq!(record.position, position + 1);
            position = record.position;
            seen.push((record.stream, record.sequence));
        }
        tokio::task::yield_now().await;
    }
    writers.join_all().await;
    assert_eq!(reader.read_after(position, 10).await.unwrap(), []);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 200);
}

async fn runs_are_listed_newest_first(world: &World) {
    let journal = world.open();
    let all = [
        ("shop-1", 1_000, RunStatus::Succeeded, Intent::Real),
        ("shop-2", 3_000, RunStatus::Running, Intent::Simulate),
        ("pay-1", 2_000, RunStatus::Running, Intent::Real),
    ];
    for (id, created, status, intent) in all {
        let run = run_id(id);
        let token = journal.grant(&run).await.unwrap();
        let service = id.split('-').next().unwrap();
        let summary =
            drctl::ports::RunSummary { created_at: at(created), intent, ..summary(&run, service, status) };
        let append = Append { summary: Some(summary), ..to_run(&run, token, 0, &["x"]) };
        journal.append(vec![append]).await.unwrap();
    }
    let list = async |filter: RunFilter| {
        let runs = journal.runs(&filter).await.unwrap();
        runs.iter().map(|run| run.run.to_string()).collect::<Vec<_>>().join(" ")
    };
    let simulated = RunFilter { simulated: true, ..RunFilter::default() };
    assert_eq!(list(RunFilter::default()).await, "pay-1 shop-1");
    assert_eq!(list(simulated.clone()).await, "shop-2 pay-1 shop-1");
    assert_eq!(list(RunFilter { limit: 2, ..simulated.clone() }).await, "shop-2 pay-1");
    assert_eq!(list(RunFilter { open: true, ..RunFilter::default() }).await, "pay-1");
    assert_eq!(list(RunFilter { prefix: Some("shop".into()), ..simulated.clone() }).await, "shop-2 shop-1");
    assert_eq!(list(RunFilter { prefix: Some("%".into()), ..simulated.clone() }).await, "");
    let pay = ServiceName::new("pay").unwrap();
    assert_eq!(list(RunFilter { service: Some(pay), ..simulated }).await, "pay-1");
    let one = journal.summary(&run_id("shop-2")).await.unwrap().unwrap();
    assert_eq!((one.run, one.intent), (run_id("shop-2"), Intent::Simulate));
    assert_eq!(journal.summary(&run_id("shop")).await.unwrap(), None, "the whole id, no beginning of it");
}

async fn streams_are_found_by_the_beginning_of_their_name(world: &World) {
    let journal = world.open();
    for name in ["service/shop", "service/a%", "services", "service/Ö"] {
        journal.append(vec![to(StreamName::typed(name), None, &["x"])]).await.unwrap();
    }
    let found = async |prefix: &str| {
        let names = journal.streams(prefix).await.unwrap();
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(found("service/").await, "service/a% service/shop service/Ö");
    assert_eq!(found("service/%").await, "");
    assert_eq!(found("").await, "service/a% service/shop service/Ö services");
}

async fn changes_wake_those_who_wait(world: &World) {
    let (journal, other) = (world.open(), world.open());
    let long = Duration::from_secs(60);
    let started = std::time::Instant::now();
    let append = || vec![to(StreamName::journal(), None, &["x"])];
    tokio::join!(journal.changed(long), async { journal.append(append()).await.unwrap() });
    // Between two calls: not missed either.
    journal.append(append()).await.unwrap();
    journal.changed(long).await;
    tokio::join!(journal.changed(long), async { other.append(append()).await.unwrap() });
    assert!(started.elapsed().as_secs() < 30, "nobody was woken");
    // Nothing more happens: the call ends all the same.
    for _ in 0..3 {
        journal.changed(Duration::from_millis(1)).await;
    }
}

async fn pruned_runs_keep_their_chain(world: &World) {
    let journal = world.open();
    let (old, open) = (run_id("shop-1"), run_id("pay-1"));
    let token = create(&*journal, &old).await;
    end(&*journal, &old, token).await.unwrap();
    create(&*journal, &open).await;
    let before = journal.read(&StreamName::run(&old), 0, 10).await.unwrap();
    assert_eq!(journal.prune(at(9_000), at(20_000)).await.unwrap(), 0);
    assert_eq!(journal.prune(at(9_001), at(20_000)).await.unwrap(), 1);
    assert_eq!(journal.prune(at(9_001), at(20_000)).await.unwrap(), 0);
    let after = journal.read(&StreamName::run(&old), 0, 10).await.unwrap();
    assert_eq!(after.len(), 4);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(*after, drctl::ports::Record { body: String::new(), ..before.clone() });
    }
    assert_eq!(bodies(&*journal, &StreamName::run(&open)).await.len(), 3);
    let record = &journal.read(&StreamName::journal(), 0, 10).await.unwrap()[0];
    assert_eq!((record.kind.as_str(), record.recorded_at), ("pruned", at(20_000)));
    assert!(record.body.contains("shop-1") && !record.body.contains("pay-1"), "{}", record.body);
    let found = journal.verify().await.unwrap();
    assert_eq!((found.records, found.pruned, found.damage), (8, 4, Vec::new()));
    assert_eq!(journal.runs(&RunFilter::default()).await.unwrap().len(), 2);
}

async fn pruned_streams_keep_their_chain_and_their_newest_records(world: &World) {
    const DAY: i64 = 24 * 3_600_000;
    let journal = world.open();
    let names = ["webhook/pd", "trigger/pay", "readings", "readiness/pay", "schedule/pay", "webhook/new"];
    let streams = names.map(StreamName::typed);
    for stream in &streams {
        let day = if stream.as_str() == "webhook/new" { 95 } else { 0 };
        for number in 0..70 {
            let record = NewRecord { kind: "x", version: 1, body: format!("{{\"number\":{number}}}") };
            let (name, at) = (Some(stream.clone()), Some(at(day * DAY + number)));
            journal
                .append(vec![Append { stream: name, at, records: vec![record], ..Append::default() }])
                .await
                .unwrap();
        }
    }
    let now = at(100 * DAY);
    assert_eq!(journal.prune_streams(at(0), now).await.unwrap(), 0, "nothing is that old");
    // A week is kept, whatever is asked for.
    assert_eq!(journal.prune_streams(now, now).await.unwrap(), 4 * 6);
    assert_eq!(journal.prune_streams(now, now).await.unwrap(), 0);
    for (stream, gone) in streams.iter().zip([6, 6, 6, 6, 0, 0]) {
        let records = journal.read(stream, 0, 100).await.unwrap();
        let empty = records.iter().take_while(|record| record.body.is_empty()).count();
        assert_eq!((records.len(), empty), (70, gone), "{stream}");
        assert!(records.iter().skip(gone).all(|record| !record.body.is_empty()), "{stream}");
    }
    let found = journal.verify().await.unwrap();
    assert_eq!((found.pruned, found.damage), (24, Vec::new()));
}

async fn many_appends_at_once_keep_every_chain(world: &World) {
    let journals = [world.open(), world.open()];
    let mut all = tokio::task::JoinSet::new();
    for n in 0..60_usize {
        let journal = Arc::clone(&journals[n % 2]);
        all.spawn(async move {
            let run = run_id(&format!("shop{n}-1"));
            let token = create(&*journal, &run).await;
            for sequence in 3..8 {
                journal.append(vec![to_run(&run, token, sequence, &["x"])]).await.unwrap();
                let refused = journal.append(vec![to_run(&run, token, sequence, &["y"])]).await;
                assert!(matches!(refused, Err(JournalError::Conflict { .. })), "{refused:?}");
            }
        });
    }
    all.join_all().await;
    let found = journals[1].verify().await.unwrap();
    assert_eq!((found.streams, found.records, found.damage), (60, 480, Vec::new()));
}

/// One call of a random script: appends to up to three streams, some with a wrong expectation.
fn script() -> impl Strategy<Value = Vec<Vec<(u8, u8, bool)>>> {
    let part = (0_u8..4, 0_u8..4, proptest::bool::weighted(0.85));
    proptest::collection::vec(proptest::collection::vec(part, 1..4), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Both journals answer a random script alike, keep sequences contiguous, and end with the same hashes.
    #[test]
    fn both_journals_agree(script in script()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (memory, sqlite) = runtime.block_on(async {
            (play(&World::memory(), &script).await, play(&World::sqlite(), &script).await)
        });
        prop_assert_eq!(memory, sqlite);
    }
}

/// Plays a script; returns every answer and the head over everything at the end.
async fn play(world: &World, script: &[Vec<(u8, u8, bool)>]) -> (Vec<String>, String) {
    let journal = world.open();
    let mut last = [0_u64; 4];
    let mut answers = Vec::new();
    for (time, call) in script.iter().enumerate() {
        let mut next = last;
        let appends = call.iter().map(|(stream, count, right)| {
            let stream_last = &mut next[usize::from(*stream)];
            let expected = if *right { *stream_last } else { *stream_last + 1 };
            *stream_last += u64::from(*count);
            let bodies = vec!["{}"; usize::from(*count)];
            let append = to(StreamName::typed(format!("service/s{stream}")), Some(expected), &bodies);
            Append { at: Some(at(i64::try_from(time).unwrap() * 10)), ..append }
        });
        let answer = journal.append(appends.collect()).await;
        if answer.is_ok() {
            last = next;
        }
        answers.push(format!("{answer:?}"));
    }
    for (stream, last) in last.iter().enumerate() {
        let records = journal.read(&StreamName::typed(format!("service/s{stream}")), 0, 1_000).await.unwrap();
        let sequences: Vec<u64> = records.iter().map(|record| record.sequence).collect();
        assert_eq!(sequences, (1..=*last).collect::<Vec<_>>());
    }
    sound(&*journal).await;
    (answers, journal.verify().await.unwrap().head)
}
