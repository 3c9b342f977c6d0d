//! Faults of the store that only the inside of the writer can bring about: a full disk, a commit that fails.

use super::*;
use crate::ports::{Append, Journal as _, JournalAdmin as _, NewRecord, StreamName};

fn open(folder: &tempfile::TempDir) -> SqliteJournal {
    let facts = HolderFacts { name: "tester".into(), host: "here".into() };
    SqliteJournal::open(folder.path().join("journal.db"), facts, OpenMode::ReadWrite).unwrap()
}

fn fact(stream: &str, body: String) -> Vec<Append> {
    vec![Append {
        stream: Some(StreamName::typed(stream)),
        records: vec![NewRecord { kind: "noted", version: 1, body }],
        ..Append::default()
    }]
}

async fn limit_pages(journal: &SqliteJournal, pages: i64) {
    let limit = move |ledger: &mut transaction::Ledger<'_>| {
        Ok(ledger.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?)
    };
    journal.write.as_ref().unwrap().writer.run(limit).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    let stream = StreamName::typed("service/a");
    journal.append(fact("service/a", "1".into())).await.unwrap();
    limit_pages(&journal, 1).await;
    let error = journal.append(fact("service/a", "x".repeat(100_000))).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, JournalError::Unavailable(_)), "{text}");
    assert!(
        text.contains("journal.db") && text.contains("disk is full") && text.contains("nothing was written")
    );
    assert_eq!(journal.read(&stream, 0, 10).await.unwrap().len(), 1);

    // The same when it shares a transaction with one that fits, whichever of the two SQLite spares.
    let (small, big) = tokio::join!(
        journal.append(fact("service/a", "2".into())),
        journal.append(fact("service/b", "x".repeat(100_000)))
    );
    big.unwrap_err();
    let kept = 1 + usize::from(small.is_ok());
    assert_eq!(journal.read(&stream, 0, 10).await.unwrap().len(), kept);

    limit_pages(&journal, 1_000_000).await;
    journal.append(fact("service/a", "x".repeat(100_000))).await.unwrap();
    assert_eq!(journal.read(&stream, 0, 10).await.unwrap().len(), kept + 1);
    assert_eq!(journal.verify().await.unwrap().damage, Vec::<String>::new());
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_written_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    journal.append(fact("service/a", "1".into())).await.unwrap();
    // A deferred constraint makes the commit itself fail, as a failed sync would.
    let spoil = |ledger: &mut transaction::Ledger<'_>| {
        Ok(ledger.connection.execute_batch(
            "create table parent(id integer primary key);
             create table child(parent references parent(id) deferrable initially deferred);
             insert into child values (1);",
        )?)
    };
    let error = journal.write.as_ref().unwrap().writer.run(spoil).await.unwrap_err();
    assert!(error.to_string().contains("a commit failed"), "{error}");
    let later = journal.append(fact("service/a", "2".into())).await.unwrap_err();
    assert_eq!(later, error);
    drop(journal);
    let journal = open(&folder);
    assert_eq!(journal.read(&StreamName::typed("service/a"), 0, 10).await.unwrap().len(), 1);
    journal.append(fact("service/a", "2".into())).await.unwrap();
    assert_eq!(journal.verify().await.unwrap().damage, Vec::<String>::new());
}

#[tokio::test]
async fn the_log_is_written_out_once_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let wal = folder.path().join("journal.db-wal");
    let journal = open(&folder);
    let size = std::fs::metadata(&wal).unwrap().len();
    assert!(size >= format::WAL_BYTES, "{size}");
    for _ in 0..1_500 {
        journal.append(fact("service/a", "x".repeat(1_000))).await.unwrap();
    }
    assert_eq!(std::fs::metadata(&wal).unwrap().len(), size);
    drop(journal);
    assert_eq!(std::fs::metadata(&wal).unwrap().len(), size);
    // Settled at the end: the file alone holds everything.
    let copy = folder.path().join("copy.db");
    std::fs::copy(folder.path().join("journal.db"), &copy).unwrap();
    let facts = HolderFacts { name: "tester".into(), host: "here".into() };
    let copy = SqliteJournal::open(&copy, facts, OpenMode::ReadOnly).unwrap();
    let found = copy.verify().await.unwrap();
    assert_eq!((found.records, found.damage), (1_500, Vec::new()));
}

/// An append to two streams whose second part is refused: its first part has been written by then.
fn half_refused() -> Vec<Append> {
    let mut appends = fact("service/half", "1".into());
    appends.extend(fact("service/a", "1".into()));
    if let Some(second) = appends.last_mut() {
        second.expected = Some(7);
    }
    appends
}

#[tokio::test]
async fn a_job_refused_half_way_leaves_nothing_and_hinders_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    let writer = &journal.write.as_ref().unwrap().writer;
    // The thread takes the first job and waits for the connection; the others share the next transaction.
    let held = writer.hold();
    let release = async {
        while writer.waiting() < 3 {
            tokio::task::yield_now().await;
        }
        drop(held);
    };
    let (first, good, bad, ()) = tokio::join!(
        journal.append(fact("service/first", "1".into())),
        journal.append(fact("service/good", "1".into())),
        journal.append(half_refused()),
        release
    );
    first.unwrap();
    good.unwrap();
    assert!(matches!(bad.unwrap_err(), JournalError::Conflict { expected: 7, actual: 0, .. }));
    for (stream, records) in [("service/good", 1), ("service/half", 0), ("service/a", 0)] {
        assert_eq!(journal.read(&StreamName::typed(stream), 0, 9).await.unwrap().len(), records, "{stream}");
    }
    assert_eq!(journal.verify().await.unwrap().damage, Vec::<String>::new());
}

#[tokio::test]
async fn appends_that_wait_share_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(open(&folder));
    let before = journal.sync_count();
    let mut all = tokio::task::JoinSet::new();
    {
        let writer = &journal.write.as_ref().unwrap().writer;
        let _held = writer.hold();
        for n in 0..200 {
            let journal = Arc::clone(&journal);
            all.spawn(async move { journal.append(fact(&format!("service/s{n}"), "1".into())).await });
        }
        while writer.waiting() < 200 {
            tokio::task::yield_now().await;
        }
    }
    assert!(all.join_all().await.iter().all(Result::is_ok));
    // The thread had taken some before the connection was free; the rest share the next.
    let commits = journal.sync_count() - before;
    assert!((1..=2).contains(&commits), "{commits} commits for 200 appends");
}

#[tokio::test]
async fn a_read_of_little_keeps_to_its_thread_only_while_that_is_quick() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    journal.append(fact("service/a", "1".into())).await.unwrap();
    let takes = |time: u64| {
        journal.readers.glance(move |connection, _| {
            std::thread::sleep(std::time::Duration::from_millis(time));
            let records: i64 = connection.query_row("select count(*) from event", [], |row| row.get(0))?;
            Ok((records, std::thread::current().id()))
        })
    };
    let own = std::thread::current().id();
    assert_eq!(takes(5).await.unwrap(), (1, own));
    // The disk is slow: whoever reads next keeps nobody from going on, until one was quick again.
    for time in [5, 0] {
        let (records, thread) = takes(time).await.unwrap();
        assert!(records == 1 && thread != own);
    }
    assert_eq!(takes(0).await.unwrap(), (1, own));
}
