//! Floors: the same work as bare SQLite commits, or as bare child processes.

use std::path::Path;
use std::time::Instant;

/// Rows written with the same size as an event of the chain.
pub(crate) const BODY: usize = 220;

fn open(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", "full").unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 100_000).unwrap();
    connection
        .execute_batch("create table row(position integer primary key, stream integer, body text, hash blob)")
        .unwrap();
    // The log is grown once, as the journal does it.
    connection.execute("insert into row(stream, body) values (0, zeroblob(6000000))", []).unwrap();
    connection.query_row("pragma wal_checkpoint(restart)", [], |_| Ok(())).unwrap();
    connection
}

/// Median time of a commit of one row, in milliseconds.
pub(crate) fn commit_ms(folder: &Path) -> f64 {
    let connection = open(&folder.join(format!("floor-{}.db", nonce())));
    let mut insert = connection.prepare("insert into row(stream, body, hash) values (1, ?1, ?2)").unwrap();
    let body = "x".repeat(BODY);
    let times = (0..400).map(|_| {
        let start = Instant::now();
        insert.execute((&body, [7_u8; 32])).unwrap();
        start.elapsed().as_secs_f64() * 1_000.0
    });
    median(times.collect())
}

/// Time to write rows in commits of a number of rows, in milliseconds.
pub(crate) fn batched_ms(folder: &Path, rows: usize, commits: usize, body: usize) -> f64 {
    let mut connection = open(&folder.join(format!("floor-{}.db", nonce())));
    let body = "x".repeat(body);
    let start = Instant::now();
    let each = rows.div_ceil(commits.max(1));
    let mut left = rows;
    while left > 0 {
        let transaction = connection.transaction().unwrap();
        {
            let mut insert =
                transaction.prepare_cached("insert into row(stream, body, hash) values (1, ?1, ?2)").unwrap();
            for _ in 0..each.min(left) {
                insert.execute((&body, [7_u8; 32])).unwrap();
            }
        }
        transaction.commit().unwrap();
        left -= each.min(left);
    }
    start.elapsed().as_secs_f64() * 1_000.0
}

/// Median time to start and reap `/bin/true`, in milliseconds.
pub(crate) fn spawn_ms() -> f64 {
    let times = (0..200).map(|_| {
        let start = Instant::now();
        std::process::Command::new("/bin/true").status().unwrap();
        start.elapsed().as_secs_f64() * 1_000.0
    });
    median(times.collect())
}

/// Median time of a commit and a `/bin/true` after it, in turns as a run has them, in milliseconds. Each
/// makes the other slower: more than the sum of both alone.
pub(crate) fn commit_and_spawn_ms(folder: &Path) -> f64 {
    let connection = open(&folder.join(format!("floor-{}.db", nonce())));
    let mut insert = connection.prepare("insert into row(stream, body, hash) values (1, ?1, ?2)").unwrap();
    let body = "x".repeat(BODY);
    let times = (0..200).map(|_| {
        let start = Instant::now();
        insert.execute((&body, [7_u8; 32])).unwrap();
        std::process::Command::new("/bin/true").status().unwrap();
        start.elapsed().as_secs_f64() * 1_000.0
    });
    median(times.collect())
}

/// Middle of a list of figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn nonce() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}
