//! The primary is killed while a fleet appends, and its standby takes over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drctl::journal::PostgresJournal;
use drctl::ports::{Journal, StreamName};

use super::super::{bodies, create, run_id, sound, to_run};
use super::open;
use crate::support::faulty::{Faulty, Weather};
use crate::support::postgres::{PostgresAlone, PostgresPair};

const RUNS: usize = 24;

/// Appends to a run until told that the standby has taken over, and a few times more. Returns how much was
/// acknowledged.
async fn drive(
    journal: Arc<PostgresJournal>,
    number: usize,
    promoted: tokio::sync::watch::Receiver<bool>,
) -> u64 {
    let run = run_id(&format!("shop{number}-1"));
    let token = create(&*journal, &run).await;
    let (mut sequence, mut more) = (3, 5);
    while more > 0 {
        if *promoted.borrow() {
            more -= 1;
        }
        let body = format!("{{\"n\":{sequence}}}");
        let heads = journal.append(vec![to_run(&run, token, sequence, &[&body])]).await.unwrap();
        sequence += 1;
        assert_eq!(heads[0].sequence, sequence);
    }
    sequence
}

#[tokio::test]
async fn the_pair_loses_nothing_acknowledged_when_its_primary_is_killed_under_a_fleet() {
    let pair = PostgresPair::start().await;
    pair.primary.run("alter system set synchronous_standby_names = '*'").await;
    pair.primary.run("select pg_reload_conf()").await;
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", pair.primary.port(), pair.standby.port());
    let url = format!("postgres://postgres@{hosts}/postgres?lease_ttl=3s");
    let nodes = [Arc::new(open(&url)), Arc::new(open(&url))];
    assert!(drctl::ports::JournalAdmin::describe(&*nodes[0]).contains("postgres 127.0.0.1"));
    let (tell, promoted) = tokio::sync::watch::channel(false);
    let mut fleet = tokio::task::JoinSet::new();
    for number in 0..RUNS {
        fleet.spawn({
            let (journal, promoted) = (Arc::clone(&nodes[number % 2]), promoted.clone());
            async move { (number, drive(journal, number, promoted).await) }
        });
    }
    while nodes[0].read_after(400, 1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    pair.primary.kill9();
    pair.standby.promote().await;
    tell.send_replace(true);
    let began = Instant::now();
    for (number, acknowledged) in fleet.join_all().await {
        let stream = StreamName::run(&run_id(&format!("shop{number}-1")));
        let found = bodies(&*nodes[number % 2], &stream).await;
        assert_eq!(found.len() as u64, acknowledged, "of run {number}");
    }
    assert!(began.elapsed() < Duration::from_secs(30), "the nodes do not come back");
    sound(&*nodes[1]).await;
    // Tokens the old primary may have granted and not told of never come again.
    let token = nodes[0].grant(&run_id("shop0-1")).await.unwrap();
    assert!(token > 1_000, "{token}");
}

#[tokio::test]
async fn the_pair_says_when_the_database_has_lost_what_it_had_acknowledged() {
    let pair = PostgresPair::start().await;
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", pair.primary.port(), pair.standby.port());
    let journal = open(&format!("postgres://postgres@{hosts}/postgres?lease_ttl=3s"));
    let run = run_id("shop-1");
    let token = create(&journal, &run).await;
    pair.wait_until_replayed().await;
    // From here on the standby receives nothing, and nobody waits for it.
    pair.standby.stop();
    journal.append(vec![to_run(&run, token, 3, &["{\"n\":4}"])]).await.unwrap();
    pair.primary.kill9();
    pair.standby.start();
    pair.standby.promote().await;
    let lost = journal.append(vec![to_run(&run, token, 4, &["{\"n\":5}"])]).await.unwrap_err();
    assert!(
        matches!(&lost, drctl::ports::JournalError::Damaged(why) if why.contains("acknowledged record 4")),
        "{lost}"
    );
    assert_eq!(bodies(&journal, &StreamName::run(&run)).await.len(), 3);
}

#[tokio::test]
async fn a_host_that_accepts_and_stays_silent_keeps_nobody_from_the_next() {
    let alone = PostgresAlone::start();
    let frozen = Faulty::before(alone.server.port());
    frozen.turn(Weather::Silent);
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", frozen.port(), alone.server.port());
    let journal = open(&format!("postgres://postgres@{hosts}/postgres?connect_timeout=1"));
    let run = run_id("shop-1");
    let token = create(&journal, &run).await;
    journal.append(vec![to_run(&run, token, 3, &["{\"n\":4}"])]).await.unwrap();
    assert_eq!(bodies(&journal, &StreamName::run(&run)).await.len(), 4);
}

#[tokio::test]
async fn what_was_cut_off_while_it_waited_for_a_standby_is_not_told_done_before_one_has_it() {
    const WAITING: &str = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
    let alone = PostgresAlone::start();
    let journal = Arc::new(open(&format!("{}?lease_ttl=30s", alone.server.url("postgres"))));
    let run = run_id("shop-1");
    let token = create(&*journal, &run).await;
    alone.server.run("alter system set synchronous_standby_names = 'gone'").await;
    alone.server.run("select pg_reload_conf()").await;
    // The server takes a moment to know that.
    let mut known = 3;
    let mut append = 'waits: loop {
        let append = tokio::spawn({
            let (journal, run) = (Arc::clone(&journal), run.clone());
            async move { journal.append(vec![to_run(&run, token, known, &["{\"n\":4}"])]).await }
        });
        while !append.is_finished() {
            if alone.server.number(WAITING).await > 0 {
                break 'waits append;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        append.await.unwrap().unwrap();
        known += 1;
    };
    // The session is gone, and what it has written is there: nobody else has it.
    alone
        .server
        .run("select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
        .await;
    let told = tokio::time::timeout(Duration::from_secs(2), &mut append).await;
    assert!(told.is_err(), "told {told:?} while no standby has it");
    alone.server.run("alter system reset synchronous_standby_names").await;
    alone.server.run("select pg_reload_conf()").await;
    append.await.unwrap().unwrap();
    assert_eq!(bodies(&*journal, &StreamName::run(&run)).await.len() as u64, known + 1);
}

#[tokio::test]
async fn settings_of_the_database_do_not_change_what_is_written() {
    let alone = PostgresAlone::start();
    alone.server.run("alter database postgres set standard_conforming_strings = off").await;
    let journal = open(&alone.server.url("postgres"));
    let run = run_id("shop-1");
    let token = create(&journal, &run).await;
    journal.append(vec![to_run(&run, token, 3, &["{\"n\":4}"])]).await.unwrap();
    sound(&journal).await;
}
