//! Whatever is changed in the file behind the journal's back is found.

use std::path::Path;

use drctl::journal::{OpenMode, SqliteJournal};
use drctl::ports::{Journal, JournalAdmin, JournalError, StreamName};

use super::{at, create, end, facts, open_sqlite, run_id, to};

/// Makes a journal of two runs and a service record.
async fn fill(path: &Path) {
    let journal = open_sqlite(path);
    for run in [run_id("shop-1"), run_id("pay-1")] {
        create(&journal, &run).await;
    }
    journal.append(vec![to(StreamName::typed("service/shop"), Some(0), &["x", "y"])]).await.unwrap();
}

/// Runs SQL on a fresh journal behind its back; returns what `verify` finds and what reading `run/shop-1`
/// answers.
async fn tamper(sql: &str) -> (String, Result<usize, JournalError>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    fill(&path).await;
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let journal = SqliteJournal::open(&path, facts(), OpenMode::ReadOnly).unwrap();
    let read = journal.read(&StreamName::run(&run_id("shop-1")), 0, 100).await.map(|records| records.len());
    (journal.verify().await.unwrap().damage.join("\n"), read)
}

const SHOP: &str = "stream = (select id from stream where name = 'run/shop-1')";

#[tokio::test]
async fn what_was_changed_is_found_by_verify_and_by_reading() {
    for (change, line, read_line) in [
        (
            "update event set body = '{\"n\":9}' where sequence = 2 and ",
            "run/shop-1: record 2 was changed",
            "record 2",
        ),
        (
            "update event set token = 9 where sequence = 1 and ",
            "run/shop-1: record 1 was changed",
            "record 1",
        ),
        (
            "update event set recorded_at = 1 where sequence = 3 and ",
            "run/shop-1: record 3 was changed",
            "record 3",
        ),
        (
            "update event set kind = 'n' where sequence = 3 and ",
            "run/shop-1: record 3 was changed",
            "record 3",
        ),
        (
            "update event set hash = zeroblob(32) where sequence = 3 and ",
            "run/shop-1: record 3 was changed",
            "record 3",
        ),
        (
            "delete from event where sequence = 2 and ",
            "run/shop-1: records 2 to 2 are missing",
            "record 2 is missing",
        ),
        (
            "delete from event where sequence = 3 and ",
            "run/shop-1: records 3 to 3 are missing at its end",
            "record 3",
        ),
        (
            "delete from event where ",
            "run/shop-1: records 1 to 3 are missing at its end",
            "record 1 is missing",
        ),
    ] {
        let (damage, read) = tamper(&format!("{change}{SHOP}")).await;
        assert!(damage.contains(line), "{change}: {damage}");
        let error = read.unwrap_err();
        assert!(
            matches!(&error, JournalError::Damaged(what) if what.contains(read_line)),
            "{change}: {error}"
        );
        assert!(error.to_string().contains("drctl journal verify"), "{error}");
    }
}

#[tokio::test]
async fn what_was_removed_without_a_trace_in_its_stream_is_found_by_the_whole() {
    let erase = "delete from event where stream = (select id from stream where name = 'run/shop-1'); \
                 delete from run where id = 'shop-1'; delete from stream where name = 'run/shop-1';";
    let (damage, read) = tamper(erase).await;
    assert_eq!(damage, "journal: positions 1 to 3 are missing");
    assert_eq!(read, Ok(0));

    let forget = "update stream set sequence = 2, \
                  hash = (select hash from event where sequence = 2 and stream = stream.id) \
                  where name = 'run/pay-1'; delete from event where position = 6;";
    assert_eq!(tamper(forget).await.0, "journal: position 6 is missing");

    // The very end, with both heads set back: only the chain over everything is left to tell.
    let tail = "delete from event where position = 8; update stream set sequence = 7 where id = 0; \
                update stream set sequence = 1, hash = (select hash from event where position = 7) \
                where name = 'service/shop';";
    assert!(tamper(tail).await.0.contains("journal: its records are not those"));

    // Everything moved up after the deletion of a run.
    let closed = format!(
        "{erase} update event set position = position - 3; update stream set sequence = 5 where id = 0;"
    );
    assert!(tamper(&closed).await.0.contains("journal: its records are not those"));
}

#[tokio::test]
async fn other_damage_is_found() {
    for (change, line) in [
        ("delete from stream where name = 'run/pay-1'", "which has no name"),
        ("insert into checkpoint values ('ghost-1', 1, 1, x'00')", "checkpoint: run ghost-1 has no records"),
        ("insert into checkpoint values ('shop-1', 9, 1, x'00')", "checkpoint: run shop-1 has no record 9"),
        (
            "insert into inbox(run, id, body) values ('ghost-1', 'r', '{}')",
            "inbox: run ghost-1 has no records",
        ),
        ("update run set id = 'ghost-1' where id = 'shop-1'", "list of runs: run ghost-1 has no records"),
        ("insert into blob values ('00ff', x'aa')", "blob 00ff: its content has another SHA-256"),
        (
            "update event set body = '', pruned = zeroblob(32) where position = 1",
            "run/shop-1: record 1 was changed",
        ),
    ] {
        let (damage, _) = tamper(change).await;
        assert!(damage.contains(line), "{change}: {damage}");
    }
}

#[tokio::test]
async fn bodies_are_gone_only_where_a_record_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let journal = open_sqlite(&path);
    let run = run_id("shop-1");
    let token = create(&journal, &run).await;
    end(&journal, &run, token).await.unwrap();
    journal.prune(at(10_000), at(20_000)).await.unwrap();
    assert_eq!(journal.verify().await.unwrap().pruned, 4);
    drop(journal);
    let other = folder.path().join("other.db");
    fill(&other).await;
    let connection = rusqlite::Connection::open(&other).unwrap();
    // A forger who keeps the right digests, but cannot write the record without breaking the chain.
    let bodies: Vec<(i64, String)> = connection
        .prepare(&format!("select position, body from event where {SHOP}"))
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (position, body) in bodies {
        let digest = drctl::journal::record::digest(body.as_bytes());
        let blank = "update event set body = '', pruned = ?2 where position = ?1";
        connection.execute(blank, rusqlite::params![position, digest]).unwrap();
    }
    let journal = SqliteJournal::open(&other, facts(), OpenMode::ReadOnly).unwrap();
    let damage = journal.verify().await.unwrap().damage;
    assert_eq!(damage, ["run/shop-1: 3 bodies are gone, but no record says they were pruned"]);
}

#[tokio::test]
async fn a_file_full_of_noise_is_damage_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    fill(&path).await;
    // Pages overwritten in the middle, as a failing disk leaves them.
    let mut bytes = std::fs::read(&path).unwrap();
    for byte in bytes.iter_mut().skip(4_096).take(3 * 4_096) {
        *byte = byte.wrapping_mul(31).wrapping_add(7);
    }
    std::fs::write(&path, bytes).unwrap();
    let found = match SqliteJournal::open(&path, facts(), OpenMode::ReadOnly) {
        Ok(journal) => journal.verify().await.map(|found| found.damage.len()),
        Err(error) => Err(error),
    };
    assert!(matches!(found, Ok(1..) | Err(JournalError::Damaged(_))), "{found:?}");
}
