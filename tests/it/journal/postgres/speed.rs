//! How fast appends are, beside what the same server does without a journal, measured in the same run.
//! Asserts nothing about time.

use std::sync::Arc;
use std::time::Instant;

use drctl::journal::PostgresJournal;
use drctl::ports::{Journal as _, StreamName};
use tokio_postgres::{Client, NoTls};

use super::super::{create, run_id, to};
use super::{Databases, open};

const COMMITS: usize = 400;
const RUNS: usize = 200;
const STEPS: u64 = 10;

fn median(mut times: Vec<u128>) -> u128 {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Appends one after the other, and single-row commits, in turns: what the disk does from second to second
/// is the same for both. Microseconds each.
async fn chain(client: &Client, journal: &PostgresJournal, stream: &str) -> (u128, u128) {
    let insert = client.prepare("insert into probe(body) values ($1)").await.unwrap();
    let (stream, mut floors, mut times) = (StreamName::typed(stream), Vec::new(), Vec::new());
    for n in 0..COMMITS as u64 {
        let (body, began) = (format!("{{\"n\":{n}}}"), Instant::now());
        client.execute(&insert, &[&body]).await.unwrap();
        floors.push(began.elapsed().as_micros());
        let began = Instant::now();
        journal.append(vec![to(stream.clone(), Some(n), &[&body])]).await.unwrap();
        times.push(began.elapsed().as_micros());
    }
    (median(floors), median(times))
}

/// The rows of a fleet, a hundred to a commit; rows a second.
async fn floor_of_a_fleet(client: &Client) -> f64 {
    let insert = client.prepare("insert into probe(body) select unnest($1::text[])").await.unwrap();
    let bodies: Vec<String> = (0..100).map(|n| format!("{{\"n\":{n}}}")).collect();
    let (began, commits) = (Instant::now(), RUNS * usize::try_from(STEPS).unwrap() / 100);
    for _ in 0..commits {
        client.execute(&insert, &[&bodies]).await.unwrap();
    }
    f64::from(u32::try_from(commits * 100).unwrap()) / began.elapsed().as_secs_f64()
}

async fn fleet(journal: &Arc<PostgresJournal>, prefix: &str) -> f64 {
    let mut tokens = Vec::new();
    for n in 0..RUNS {
        tokens.push(create(&**journal, &run_id(&format!("{prefix}{n}-1"))).await);
    }
    let (began, mut all) = (Instant::now(), tokio::task::JoinSet::new());
    for (n, token) in tokens.into_iter().enumerate() {
        let (journal, run) = (Arc::clone(journal), run_id(&format!("{prefix}{n}-1")));
        all.spawn(async move {
            for sequence in 3..3 + STEPS {
                journal.append(vec![super::to_run(&run, token, sequence, &["{\"n\":1}"])]).await.unwrap();
            }
        });
    }
    all.join_all().await;
    f64::from(u32::try_from(RUNS).unwrap() * u32::try_from(STEPS).unwrap()) / began.elapsed().as_secs_f64()
}

#[tokio::test]
#[ignore = "a measurement: `cargo nextest run --run-ignored only -E 'test(postgres::speed)' --no-capture`"]
#[expect(clippy::print_stderr, reason = "the numbers are what it is for")]
async fn appends_beside_plain_commits() {
    let databases = Databases::start();
    databases.0.server.run("alter system set fsync = on").await;
    databases.0.server.run("select pg_reload_conf()").await;
    let url = databases.url("speed").await;
    let journal = Arc::new(open(&url));
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("create table probe(id bigserial primary key, body text)").await.unwrap();
    for round in 0..3 {
        let (floor, chained) = chain(&client, &journal, &format!("service/c{round}")).await;
        let (rows, steps) = (floor_of_a_fleet(&client).await, fleet(&journal, &format!("f{round}x")).await);
        eprintln!(
            "chain {chained} us, plain commit {floor} us; fleet {steps:.0} steps/s, plain batches {rows:.0} rows/s"
        );
    }
}
