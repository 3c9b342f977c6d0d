//! To whom leases were granted is kept, and `journal verify` judges by it.

use drctl::ports::{Journal as _, JournalAdmin as _};

use super::super::{bodies, create, run_id, sound, to_run};
use super::{Databases, open};

/// What is wrong, after something was changed behind the back of drctl.
async fn found_after(databases: &Databases, name: &str, sql: &str) -> Vec<String> {
    let url = databases.url(name).await;
    let (journal, run) = (open(&url), run_id("shop-1"));
    let token = create(&journal, &run).await;
    let next = journal.grant(&run).await.unwrap();
    assert!(next > token);
    journal.append(vec![to_run(&run, next, 3, &["{\"n\":4}"])]).await.unwrap();
    sound(&journal).await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap();
    journal.verify().await.unwrap().damage
}

#[tokio::test]
async fn a_record_by_somebody_who_did_not_own_its_run_is_found() {
    let databases = Databases::start();
    let earlier = "update drctl.granted set position = 1 where token = 2";
    let found = found_after(&databases, "earlier", earlier).await.join("\n");
    assert!(found.contains("record 2 was written with token 1 while"), "{found}");
    assert!(found.contains("record 3 was written with token 1 while"), "{found}");
    let third = "insert into drctl.granted select run, 3, position, 'x', name, pid, host, at from drctl.granted \
                 where token = 2";
    let found = found_after(&databases, "third", third).await.join("\n");
    assert!(found.contains("record 4 was written with token 2 while x held token 3"), "{found}");
    let before = "update drctl.granted set position = 9 where token = 1";
    let found = found_after(&databases, "before", before).await.join("\n");
    assert!(found.contains("token 2 was granted before token 1"), "{found}");
}

#[tokio::test]
async fn a_journal_of_the_first_format_is_brought_up_to_date() {
    let databases = Databases::start();
    let url = databases.url("first").await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let schema = include_str!("../../../../src/journal/postgres/schema.sql");
    let functions = include_str!("../../../../src/journal/postgres/functions.sql");
    let made = format!(
        "create schema drctl; {schema}; {functions}; insert into drctl.format(version) values (1); \
         insert into drctl.lease(run, token, holder, generation) values ('shop-2', 7, null, 0);"
    );
    client.batch_execute(&made).await.unwrap();
    let (journal, run) = (open(&url), run_id("shop-1"));
    assert!(journal.describe().contains("format 3"), "{}", journal.describe());
    create(&journal, &run).await;
    assert_eq!(bodies(&journal, &drctl::ports::StreamName::run(&run)).await.len(), 3);
    // Tokens go on from where they were.
    assert!(journal.grant(&run_id("shop-2")).await.unwrap() > 7);
    sound(&journal).await;
}
