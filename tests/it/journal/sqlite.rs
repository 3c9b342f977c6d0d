//! What only the journal in SQLite can be asked: files, formats, group commit, backup, read-only.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use drctl::journal::{FORMAT, HolderFacts, OpenMode, SqliteJournal};
use drctl::model::id::RunId;
use drctl::model::run::RunStatus;
use drctl::ports::{Append, Checkpoint, Journal, JournalAdmin, JournalError, RunFilter, StreamName};

use super::{at, bodies, create, end, fact, facts, open_sqlite, request, run_id, sound, summary, to, to_run};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn read_only(path: &Path) -> Result<SqliteJournal, JournalError> {
    SqliteJournal::open(path, facts(), OpenMode::ReadOnly)
}

#[tokio::test]
async fn files_are_for_this_user_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/journal.db");
    let journal = open_sqlite(&path);
    create(&journal, &run_id("shop-1")).await;
    assert_eq!((mode(&folder.path().join("a")), mode(&folder.path().join("a/b"))), (0o700, 0o700));
    assert_eq!((mode(&path), mode(&folder.path().join("a/b/journal.db-wal"))), (0o600, 0o600));
    let holders = folder.path().join("a/b/journal.db.holders");
    assert_eq!(mode(&holders), 0o700);
    let lock = std::fs::read_dir(&holders).unwrap().next().unwrap().unwrap().path();
    assert_eq!(mode(&lock), 0o600);
    assert!(journal.describe().contains("survives a power cut"), "{}", journal.describe());
}

#[tokio::test]
async fn holders_find_each_other_whatever_name_the_file_has() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("journal.db"), folder.path().join("link.db"));
    let first = open_sqlite(&path);
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let second = open_sqlite(&link);
    let run = run_id("shop-1");
    first.grant(&run).await.unwrap();
    assert!(matches!(second.grant(&run).await, Err(JournalError::Held { .. })));
    first.append(vec![to(StreamName::journal(), None, &["x"])]).await.unwrap();
    second.append(vec![to(StreamName::journal(), None, &["y"])]).await.unwrap();
    assert_eq!(bodies(&first, &StreamName::journal()).await, ["x", "y"]);
}

#[tokio::test]
async fn of_concurrent_appends_each_is_written_once_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(open_sqlite(&folder.path().join("journal.db")));
    let mut all = tokio::task::JoinSet::new();
    for n in 0..200 {
        let journal = Arc::clone(&journal);
        all.spawn(async move {
            let stream = StreamName::typed(format!("service/s{n}"));
            // Every tenth is refused, which must not touch those it shares a commit with.
            let expected = u64::from(n % 10 == 0);
            journal.append(vec![to(stream, Some(expected), &["x"])]).await.is_ok()
        });
    }
    let written = all.join_all().await.into_iter().filter(|written| *written).count();
    assert_eq!(written, 180);
    let found = journal.verify().await.unwrap();
    assert_eq!((found.streams, found.records, found.damage), (180, 180, Vec::new()));
}

#[tokio::test]
async fn one_append_is_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open_sqlite(&folder.path().join("journal.db"));
    let run = run_id("shop-1");
    let token = create(&journal, &run).await;
    let before = journal.sync_count();
    for n in 0..20 {
        let append = Append { token: Some(token), ..to(StreamName::run(&run), Some(3 + 2 * n), &["x", "y"]) };
        journal.append(vec![append]).await.unwrap();
    }
    assert_eq!(journal.sync_count() - before, 20);
    let refused = journal.append(vec![to_run(&run, token, 0, &["x"])]).await;
    assert!(refused.is_err() && journal.sync_count() - before == 20);
}

#[tokio::test]
async fn a_journal_opened_for_reading_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let missing = read_only(&path).unwrap_err().to_string();
    assert!(missing.contains("journal.db: there is no journal here"), "{missing}");
    assert!(!path.exists());
    let writer = open_sqlite(&path);
    let run = run_id("shop-1");
    create(&writer, &run).await;
    let reader = read_only(&path).unwrap();
    assert_eq!(bodies(&reader, &StreamName::run(&run)).await.len(), 3);
    assert!(reader.lease(&run).await.unwrap().unwrap().alive);
    for error in [
        reader.append(vec![to(StreamName::journal(), None, &["x"])]).await.unwrap_err(),
        reader.grant(&run).await.unwrap_err(),
        reader.submit(&run, &request("r1")).await.unwrap_err(),
        reader.prune(at(0), at(0)).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("opened for reading only"), "{error}");
    }
    sound(&reader).await;
}

#[tokio::test]
async fn a_file_marked_read_only_is_refused_for_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    create(&open_sqlite(&path), &run_id("shop-1")).await;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    let error = SqliteJournal::open(&path, facts(), OpenMode::ReadWrite).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, JournalError::Unavailable(_)), "{text}");
    assert!(text.contains("journal.db: it cannot be written, nothing was written; make the file"), "{text}");
    let reader = read_only(&path).unwrap();
    assert_eq!(bodies(&reader, &StreamName::run(&run_id("shop-1"))).await.len(), 3);
}

#[tokio::test]
async fn a_journal_whose_creation_was_cut_short_is_none_yet_and_is_completed() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (folder.path().join("whole.db"), folder.path().join("cut.db"));
    let connection = rusqlite::Connection::open(&whole).unwrap();
    connection.execute_batch("pragma cache_size = 1; begin; create table a(b);").unwrap();
    // More than the cache holds: the file is written to before the commit.
    connection.execute_batch("insert into a values (zeroblob(100000));").unwrap();
    std::fs::copy(&whole, &cut).unwrap();
    std::fs::copy(folder.path().join("whole.db-journal"), folder.path().join("cut.db-journal")).unwrap();
    let error = read_only(&cut).unwrap_err().to_string();
    assert!(error.contains("cut.db: the process that was creating it was killed"), "{error}");
    create(&open_sqlite(&cut), &run_id("shop-1")).await;
    assert_eq!(bodies(&read_only(&cut).unwrap(), &StreamName::run(&run_id("shop-1"))).await.len(), 3);
}

#[tokio::test]
async fn foreign_and_newer_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let newer = folder.path().join("newer.db");
    drop(open_sqlite(&newer));
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", FORMAT + 1).unwrap();
    for mode in [OpenMode::ReadOnly, OpenMode::ReadWrite] {
        let error = SqliteJournal::open(&newer, facts(), mode).unwrap_err();
        assert_eq!(error, JournalError::TooNew { found: FORMAT + 1, known: FORMAT });
    }
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("create table a(b)").unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(&text, "kind: Runbook\n".repeat(1_000)).unwrap();
    for mode in [OpenMode::ReadOnly, OpenMode::ReadWrite] {
        let error = SqliteJournal::open(&foreign, facts(), mode).unwrap_err().to_string();
        assert!(error.contains("another program"), "{error}");
        let error = SqliteJournal::open(&text, facts(), mode).unwrap_err();
        assert!(
            matches!(&error, JournalError::Damaged(what) if what.contains("not a SQLite database")),
            "{error}"
        );
    }
    assert_eq!(std::fs::read_to_string(&text).unwrap(), "kind: Runbook\n".repeat(1_000));
    let folder_itself = SqliteJournal::open(folder.path(), facts(), OpenMode::ReadWrite).unwrap_err();
    assert!(matches!(folder_itself, JournalError::Unavailable(_)), "{folder_itself}");
}

#[tokio::test]
async fn a_backup_is_a_journal_taken_while_work_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(open_sqlite(&folder.path().join("journal.db")));
    let run = run_id("shop-1");
    let token = create(&*journal, &run).await;
    let worker = Arc::clone(&journal);
    let work = tokio::spawn(async move {
        for sequence in 3..103 {
            worker.append(vec![to_run(&run_id("shop-1"), token, sequence, &["x"])]).await.unwrap();
        }
    });
    let copy = folder.path().join("copy.db");
    journal.backup(&copy).await.unwrap();
    work.await.unwrap();
    assert_eq!(mode(&copy), 0o600);
    assert!(!folder.path().join("copy.db-wal").exists());
    let found = read_only(&copy).unwrap().verify().await.unwrap();
    assert!(found.damage.is_empty() && (3..=103).contains(&found.records), "{found:?}");

    let error = journal.backup(&copy).await.unwrap_err().to_string();
    assert!(error.contains("copy.db: the backup cannot be written"), "{error}");
    // The copy can be worked on: whoever held the lease in the original does not live beside it.
    let restored = open_sqlite(&copy);
    assert_eq!(restored.grant(&run).await.unwrap(), token + 1);
    sound(&restored).await;
}

/// Writes the fixture of the current format, from fixed values only. To be run once per format, before its
/// release: `cargo nextest run --run-ignored only write_the_fixture`.
#[tokio::test]
#[ignore = "writes the committed fixture of the current format"]
async fn write_the_fixture() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let facts = HolderFacts { name: "ada".into(), host: "bastion".into() };
    let journal = SqliteJournal::open(&path, facts, OpenMode::ReadWrite).unwrap();
    let (old, open) = (run_id("shop-1"), run_id("pay-1"));
    let token = create(&journal, &old).await;
    end(&journal, &old, token).await.unwrap();
    journal.prune(at(9_001), at(20_000)).await.unwrap();
    let token = create(&journal, &open).await;
    let name = drctl::journal::record::hex(&drctl::journal::record::digest(b"big"));
    let append = Append {
        blobs: vec![(name, Arc::from(&b"big"[..]))],
        checkpoint: Some(Checkpoint { sequence: 4, engine: 1, body: Arc::from(&b"state"[..]) }),
        summary: Some(summary(&open, "pay-1", RunStatus::Stuck)),
        records: vec![fact("{\"n\":4,\"text\":\"\u{fc}\"}")],
        ..to_run(&open, token, 3, &[])
    };
    journal.append(vec![append, to(StreamName::typed("service/pay"), Some(0), &["{}"])]).await.unwrap();
    journal.submit(&open, &request("r1")).await.unwrap();
    journal.release(&open, token).await.unwrap();
    journal.backup(&fixture(FORMAT)).await.unwrap();
}

fn fixture(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/journal/v{format}.db"))
}

#[tokio::test]
async fn the_fixture_of_every_format_opens_verifies_and_goes_on() {
    for format in 1..=FORMAT {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        std::fs::copy(fixture(format), &path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let journal = open_sqlite(&path);
        let found = journal.verify().await.unwrap();
        assert_eq!((found.streams, found.records, found.pruned, found.damage), (4, 10, 4, Vec::new()));
        assert_eq!(found.head, "ea8efb38333c20e24e36a59e6ca50446a7106f2c67c45c15d69f3a84b0d3c728");
        let open: RunId = run_id("pay-1");
        let read = bodies(&journal, &StreamName::run(&open)).await;
        assert_eq!(read, ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}", "{\"n\":4,\"text\":\"\u{fc}\"}"]);
        assert_eq!(journal.inbox(&open).await.unwrap(), [request("r1")]);
        assert_eq!(journal.checkpoint(&open).await.unwrap().unwrap().sequence, 4);
        let runs = journal.runs(&RunFilter::default()).await.unwrap();
        assert_eq!(
            runs.iter().map(|run| run.status).collect::<Vec<_>>(),
            [RunStatus::Succeeded, RunStatus::Stuck]
        );
        let token = journal.grant(&open).await.unwrap();
        assert_eq!(token, 2);
        journal.append(vec![to_run(&open, token, 4, &["x"])]).await.unwrap();
        sound(&journal).await;
    }
}
