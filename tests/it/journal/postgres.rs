//! What only the journal in PostgreSQL can be asked: lost connections and answers, leases that run out, a
//! standby that takes over, copies.

mod copies;
mod failover;
mod leases;
mod nodes;
mod owners;
mod proxy;
mod speed;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use drctl::journal::{OpenMode, PostgresJournal, PostgresUrl};
use drctl::model::time::Duration;
use drctl::ports::{Journal, JournalError, StreamName};

use self::proxy::Proxy;
use super::{World, bodies, create, facts, run_id, sound, to, to_run};
use crate::support::postgres::PostgresAlone;

/// Opens a journal.
pub(super) fn open(url: &str) -> PostgresJournal {
    open_as(url, OpenMode::ReadWrite).unwrap()
}

fn open_as(url: &str, mode: OpenMode) -> Result<PostgresJournal, JournalError> {
    PostgresJournal::open(&PostgresUrl::new(url, None), facts(), mode)
}

/// A server with a database for each world.
pub(super) struct Databases(PostgresAlone);

impl Databases {
    pub(super) fn start() -> Self {
        Self(PostgresAlone::start())
    }

    pub(super) async fn world(&self, name: &str) -> World {
        World::Postgres(self.url(name).await)
    }

    async fn url(&self, name: &str) -> String {
        let name: String = name.chars().take(60).collect();
        self.0.server.run(&format!("create database {name}")).await;
        self.0.server.url(&name)
    }
}

/// Appends one record after the other to a stream of its own, until told to stop; all are acknowledged.
async fn write_on(journal: Arc<PostgresJournal>, writer: usize, stop: Arc<AtomicBool>) -> (usize, u64) {
    let (stream, mut count) = (StreamName::typed(format!("service/s{writer}")), 0);
    while !stop.load(Ordering::SeqCst) {
        let body = format!("{writer}-{count}");
        let heads = journal.append(vec![to(stream.clone(), Some(count), &[&body])]).await.unwrap();
        count += 1;
        assert_eq!(heads[0].sequence, count);
    }
    (writer, count)
}

#[tokio::test]
async fn sessions_that_are_ended_lose_nothing_and_double_nothing() {
    let databases = Databases::start();
    let url = databases.url("ended").await;
    let journals = [Arc::new(open(&url)), Arc::new(open(&url))];
    let (mut writers, stop) = (tokio::task::JoinSet::new(), Arc::new(AtomicBool::new(false)));
    for writer in 0..6 {
        writers.spawn(write_on(Arc::clone(&journals[writer % 2]), writer, Arc::clone(&stop)));
    }
    let server = databases.0.server.client().await;
    let (mut ended, began) = (0, std::time::Instant::now());
    while ended < 8 {
        // Only those in the middle of an append.
        let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                   where state = 'active' and query like 'select drctl.append(%'";
        let now: i64 = server.query_one(sql, &[]).await.unwrap().get(0);
        ended += now;
        assert!(began.elapsed().as_secs() < 60, "only {ended} sessions were ended");
        tokio::time::sleep(std::time::Duration::from_millis(if now > 0 { 100 } else { 1 })).await;
    }
    stop.store(true, Ordering::SeqCst);
    for (writer, count) in writers.join_all().await {
        let stream = StreamName::typed(format!("service/s{writer}"));
        let (mut found, mut after) = (Vec::new(), 0);
        while let Some(last) = journals[0].read(&stream, after, 500).await.unwrap().last().cloned() {
            found.extend(journals[0].read(&stream, after, 500).await.unwrap().into_iter().map(|it| it.body));
            after = last.sequence;
        }
        let expected: Vec<_> = (0..count).map(|n| format!("{writer}-{n}")).collect();
        assert_eq!(found, expected);
    }
    sound(&*journals[1]).await;
}

#[tokio::test]
async fn an_append_whose_answer_was_lost_is_written_once() {
    let databases = Databases::start();
    let url = databases.url("lost").await;
    let proxy = Proxy::start(databases.0.server.port());
    let journal =
        open(&url.replace(&format!(":{}/", databases.0.server.port()), &format!(":{}/", proxy.port())));
    let stream = StreamName::typed("service/shop");
    journal.append(vec![to(stream.clone(), Some(0), &["0"])]).await.unwrap();
    for n in 1..=5 {
        proxy.swallow_next_answer();
        let body = n.to_string();
        let heads = journal.append(vec![to(stream.clone(), Some(n), &[&body])]).await.unwrap();
        assert_eq!(heads[0].sequence, n + 1);
    }
    assert_eq!(proxy.swallowed(), 5);
    assert_eq!(bodies(&journal, &stream).await, ["0", "1", "2", "3", "4", "5"]);
    sound(&journal).await;
}

/// A call of the function that appends, with one record for a stream believed to be at 7, which is not, in
/// a journal that is rightly believed to be empty.
const STALE: &str = "\
    select drctl.append('p', 1, 'h', false, 5, 0, decode(repeat('00', 32), 'hex'), 0, '\\x02', false, false, \
    array['service/shop'], array[7]::bigint[], array['\\x00'::bytea], array[null]::bigint[], \
    array[8]::bigint[], array['\\x01'::bytea], array[5]::bigint[], array[true], \
    array[1], array[8]::bigint[], array[0]::bigint[], array[5]::bigint[], array['x'], array[1], array['{}'], \
    array['\\x01'::bytea], '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', null, '{}')";

#[tokio::test]
async fn a_batch_that_was_refused_is_never_answered_as_written() {
    let databases = Databases::start();
    let url = databases.url("burned").await;
    let journal = open(&url);
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    // Sent again and again, as where every answer is lost.
    for _ in 0..3 {
        let answer: String = client.query_one(STALE, &[]).await.unwrap().get(0);
        assert_eq!(answer, "stale");
    }
    assert_eq!(journal.read_after(0, 10).await.unwrap(), []);
    sound(&journal).await;
    journal.append(vec![to(StreamName::typed("service/shop"), None, &["x"])]).await.unwrap();
    sound(&journal).await;
}

#[tokio::test]
async fn two_processes_that_take_turns_chain_the_whole_journal() {
    let databases = Databases::start();
    let url = databases.url("turns").await;
    let journals = [open(&url), open(&url)];
    for n in 0..24_u64 {
        // Alone, then both in turn, then the other alone; one record or many.
        let turn = match n {
            ..8 => 0,
            8..16 => usize::from(n % 2 == 0),
            16.. => 1,
        };
        let (journal, stream) = (&journals[turn], |at| StreamName::typed(format!("service/s{at}")));
        let streams = (0..=n % 3).map(|at| to(stream(at), None, &["a", "b"]));
        journal.append(streams.collect()).await.unwrap();
        journal.append(vec![to(StreamName::typed("service/one"), None, &["x"])]).await.unwrap();
        sound(journal).await;
    }
}

#[tokio::test]
async fn a_batch_with_one_refusal_takes_the_others() {
    let databases = Databases::start();
    let journal = Arc::new(open(&databases.url("refusal").await));
    let mut all = tokio::task::JoinSet::new();
    for n in 0..40_u64 {
        let journal = Arc::clone(&journal);
        all.spawn(async move {
            let stream = StreamName::typed(format!("service/s{n}"));
            let expected = if n % 4 == 0 { 7 } else { 0 };
            (n, journal.append(vec![to(stream, Some(expected), &["x"])]).await)
        });
    }
    for (n, appended) in all.join_all().await {
        let stream = StreamName::typed(format!("service/s{n}"));
        match appended {
            Ok(heads) => assert_eq!((n % 4 != 0, heads[0].sequence), (true, 1)),
            Err(error) => {
                assert_eq!(error, JournalError::Conflict { stream, expected: 7, actual: 0 });
                assert_eq!(n % 4, 0);
            }
        }
    }
    assert_eq!(journal.read_after(0, 100).await.unwrap().len(), 30);
    sound(&*journal).await;
}

#[tokio::test]
async fn what_a_newer_drctl_wrote_and_what_is_no_journal_is_refused() {
    let databases = Databases::start();
    let url = databases.url("formats").await;
    let none = open_as(&url, OpenMode::ReadOnly).unwrap_err();
    assert!(none.to_string().contains("there is no journal here"), "{none}");
    let journal = open(&url);
    create(&journal, &run_id("shop-1")).await;
    drop(journal);
    let reader = open_as(&url, OpenMode::ReadOnly).unwrap();
    assert_eq!(bodies(&reader, &StreamName::run(&run_id("shop-1"))).await.len(), 3);
    let refused = reader.append(vec![to(StreamName::journal(), None, &["x"])]).await.unwrap_err();
    assert!(refused.to_string().contains("reading only"), "{refused}");
    reader.grant(&run_id("shop-1")).await.unwrap_err();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("update drctl.format set version = 99").await.unwrap();
    for mode in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
        assert_eq!(open_as(&url, mode).unwrap_err(), JournalError::TooNew { found: 99, known: 3 });
    }
}

#[tokio::test]
async fn processes_that_begin_together_on_an_empty_database_make_one_journal() {
    let databases = Databases::start();
    for round in 0..4 {
        let url = databases.url(&format!("together{round}")).await;
        let all: Vec<_> = (0..6)
            .map(|n| {
                let url = url.clone();
                std::thread::spawn(move || (n, open_as(&url, OpenMode::ReadWrite)))
            })
            .collect();
        for opened in all {
            let (n, journal) = opened.join().unwrap();
            let stream = StreamName::typed(format!("service/s{n}"));
            journal.unwrap().append(vec![to(stream, Some(0), &["x"])]).await.unwrap();
        }
        sound(&open(&url)).await;
    }
}

#[tokio::test]
async fn no_message_holds_the_password() {
    let databases = Databases::start();
    let server = &databases.0.server;
    let gone = format!("postgres://ann:hunter2@127.0.0.1:{}/nowhere?connect_timeout=1", server.port());
    let closed = "postgres://ann:hunter2@127.0.0.1:1/dr?connect_timeout=1";
    let unencrypted = format!("postgres://ann:hunter2@127.0.0.1:{}/dr?sslmode=require", server.port());
    for url in [&gone, closed, &unencrypted] {
        let error = open_as(url, OpenMode::ReadWrite).unwrap_err();
        assert!(
            !error.to_string().contains("hunter2") && matches!(error, JournalError::Unavailable(_)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_inbox_that_was_empty_is_looked_into_when_the_server_tells() {
    let databases = Databases::start();
    let url = databases.url("inbox").await;
    let (driver, terminal) = (open(&url), open(&url));
    let run = run_id("shop-1");
    create(&driver, &run).await;
    for n in 0..3 {
        // Until the server tells, and longer: then nothing is asked for.
        while !driver.inbox(&run).await.unwrap().is_empty() {}
        driver.changed(Duration::from_millis(300)).await;
        assert_eq!(driver.inbox(&run).await.unwrap(), []);
        let id = format!("r{n}");
        terminal.submit(&run, &super::request(&id)).await.unwrap();
        let began = std::time::Instant::now();
        while driver.inbox(&run).await.unwrap().is_empty() {
            driver.changed(Duration::from_millis(20)).await;
        }
        assert!(began.elapsed().as_millis() < 1_500, "nobody told");
        let answer = drctl::ports::Append { answers: vec![id], ..to_run(&run, 1, 3 + n, &["x"]) };
        driver.append(vec![answer]).await.unwrap();
    }
}
