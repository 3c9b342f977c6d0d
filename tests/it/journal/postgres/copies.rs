//! Copies between SQLite and PostgreSQL.

use drctl::app::{CopyError, copy};
use drctl::ports::{Append, JournalAdmin, RunFilter, StreamName};

use super::super::{at, create, end, open_sqlite, request, run_id, sound, to, to_run};
use super::{Databases, open};

/// Some of everything.
async fn fill(journal: &dyn JournalAdmin) {
    let (old, open) = (run_id("shop-1"), run_id("pay-1"));
    let token = create(journal, &old).await;
    end(journal, &old, token).await.unwrap();
    journal.prune(at(9_001), at(20_000)).await.unwrap();
    create(journal, &open).await;
    let token = journal.grant(&open).await.unwrap();
    for id in ["r1", "r2"] {
        journal.submit(&open, &request(id)).await.unwrap();
    }
    let blob = (drctl::journal::record::hex(&drctl::journal::record::digest(b"big")), b"big"[..].into());
    let append = to_run(&open, token, 3, &["{\"b\": 1,  \"ä\": \"\\u0000\"}"]);
    let append = Append { answers: vec!["r1".to_owned()], blobs: vec![blob], ..append };
    journal.append(vec![append, to(StreamName::typed("service/shop"), None, &["x"])]).await.unwrap();
}

async fn everything(journal: &dyn JournalAdmin) -> String {
    let records = journal.read_after(0, 1_000).await.unwrap();
    let runs = journal.runs(&RunFilter::default()).await.unwrap();
    let inbox = journal.inbox(&run_id("pay-1")).await.unwrap();
    let lease = journal.lease(&run_id("pay-1")).await.unwrap().unwrap();
    let streams = journal.streams("").await.unwrap();
    format!(
        "{records:?}\n{runs:?}\n{inbox:?}\n{}\n{streams:?}\n{:?}",
        lease.token,
        journal.verify().await.unwrap()
    )
}

#[tokio::test]
async fn a_journal_moves_to_postgres_and_back_unchanged() {
    let (databases, folder) = (Databases::start(), tempfile::tempdir().unwrap());
    let first = open_sqlite(&folder.path().join("first.db"));
    fill(&first).await;
    let (url, kept) = (databases.url("copy").await, everything(&first).await);
    let database = open(&url);
    let copied = copy(&first, &database).await.unwrap();
    assert_eq!((copied.records, copied.driven), (10, vec!["pay-1".to_owned()]));
    for (line, before) in everything(&database).await.lines().zip(kept.lines()) {
        assert_eq!(line, before);
    }
    let second = open_sqlite(&folder.path().join("second.db"));
    copy(&database, &second).await.unwrap();
    assert_eq!(everything(&second).await, kept);
    // Both go on from there: a token rises, the chain goes on, an answered request stays answered.
    for journal in [&database as &dyn JournalAdmin, &second] {
        let run = run_id("pay-1");
        let token = journal.grant(&run).await.unwrap();
        assert_eq!(token, 3);
        journal.append(vec![to_run(&run, token, 4, &["{}"])]).await.unwrap();
        journal.submit(&run, &request("r1")).await.unwrap();
        assert_eq!(journal.inbox(&run).await.unwrap().len(), 1);
        assert_eq!(journal.prune(at(9_001), at(20_000)).await.unwrap(), 0);
        sound(journal).await;
    }
    assert!(matches!(copy(&first, &database).await, Err(CopyError::NotEmpty)));
}
