//! Copies between SQLite and PostgreSQL.

use drctl::app::{CopyError, copy};
use drctl::journal::{OpenMode, PostgresJournal, PostgresUrl};
use drctl::ports::{Append, Journal as _, JournalAdmin, JournalError, Part, RunFilter, StreamName};

use super::super::{at, bodies, create, end, facts, open_sqlite, request, run_id, sound, to, to_run};
use super::{Databases, open, open_as};

fn open_to_fill(url: &str) -> Result<PostgresJournal, JournalError> {
    PostgresJournal::open_to_fill(&PostgresUrl::new(url, None), facts())
}

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
    let database = open_to_fill(&url).unwrap();
    let copied = copy(&first, &database).await.unwrap();
    database.end_filling().await.unwrap();
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
    let again = open_to_fill(&url).unwrap();
    assert!(!again.is_being_filled().await && matches!(copy(&first, &again).await, Err(CopyError::NotEmpty)));
    sound(&database).await;
}

/// Sends the records of a journal and nothing else, as a copy that ends half-way.
async fn half(from: &dyn JournalAdmin, to: &PostgresJournal) {
    let (sender, mut parts) = tokio::sync::mpsc::channel(1);
    let filled = async {
        let part = parts.recv().await.unwrap();
        assert!(matches!(part, Part::Records(_)));
        to.fill(part).await.unwrap();
        drop(parts);
    };
    let (dumped, ()) = tokio::join!(from.dump(sender), filled);
    assert!(dumped.unwrap_err().to_string().contains("given up"));
}

#[tokio::test]
async fn a_part_of_a_copy_is_no_journal_and_is_copied_anew() {
    let (databases, folder) = (Databases::start(), tempfile::tempdir().unwrap());
    let first = open_sqlite(&folder.path().join("first.db"));
    fill(&first).await;
    let url = databases.url("part").await;
    let refused = |word: &str| {
        for mode in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
            let error = open_as(&url, mode).unwrap_err().to_string();
            assert!(error.contains(word), "{word}: {error}");
        }
    };
    let part = open_to_fill(&url).unwrap();
    refused("`drctl journal copy` is filling it");
    half(&first, &part).await;
    // Another copy empties nothing while this one lives.
    let second = open_to_fill(&url).unwrap_err().to_string();
    assert!(second.contains("is filling it") && second.contains("pg_terminate_backend("), "{second}");
    drop(part);
    refused("of a copy that was not finished");

    // One that has lost its session, and with it the lock, writes nothing more and declares nothing whole.
    let cut = open_to_fill(&url).unwrap();
    half(&first, &cut).await;
    let sql = "select pg_terminate_backend(pid)::integer::bigint from pg_locks where locktype = 'advisory'";
    assert_eq!(databases.0.server.number(sql).await, 1);
    let last = open_to_fill(&url).unwrap();
    assert!(cut.fill(Part::Blobs(vec![("x".to_owned(), b"x".to_vec())])).await.is_err());
    assert!(cut.end_filling().await.is_err());
    refused("is filling it");

    copy(&first, &last).await.unwrap();
    refused("is filling it");
    last.end_filling().await.unwrap();
    let whole = open(&url);
    assert_eq!(everything(&whole).await, everything(&first).await);
    let error = whole.fill(Part::Tokens(Vec::new())).await.unwrap_err();
    assert!(error.to_string().contains("not opened to be filled"), "{error}");
}

#[tokio::test]
async fn nobody_appends_to_a_database_while_a_copy_fills_it() {
    let (databases, folder) = (Databases::start(), tempfile::tempdir().unwrap());
    let first = open_sqlite(&folder.path().join("first.db"));
    fill(&first).await;
    let url = databases.url("beside").await;
    // It had opened the journal when that was empty.
    let beside = open(&url);
    let stream = StreamName::typed("service/beside");
    let filling = open_to_fill(&url).unwrap();
    let refused = beside.append(vec![to(stream.clone(), None, &["x"])]).await.unwrap_err();
    assert!(refused.to_string().contains("a copy into it is under way"), "{refused}");
    assert!(beside.grant(&run_id("pay-1")).await.unwrap_err().to_string().contains("a copy into it"));
    copy(&first, &filling).await.unwrap();
    filling.end_filling().await.unwrap();
    assert_eq!(everything(&filling).await, everything(&first).await);
    beside.append(vec![to(stream.clone(), None, &["x"])]).await.unwrap();
    assert_eq!(bodies(&beside, &stream).await, ["x"]);
    sound(&beside).await;

    // What has one record is no database for a copy, whatever is missing of the rest.
    let (url, kept) = (databases.url("kept").await, StreamName::typed("service/kept"));
    open(&url).append(vec![to(kept.clone(), None, &["x"])]).await.unwrap();
    let to = open_to_fill(&url).unwrap();
    assert!(matches!(copy(&first, &to).await, Err(CopyError::NotEmpty)));
    assert!(to.fill(Part::Tokens(Vec::new())).await.is_err());
    assert_eq!(bodies(&open(&url), &kept).await, ["x"]);
}
