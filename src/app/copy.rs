//! Journals in databases, and copies from one kind of journal to another. A copy that does not verify is no
//! copy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::RandomIds;
use crate::config::{Config, DatabaseUrl, JournalPlace};
use crate::journal::{HolderFacts, OpenMode, SqliteJournal};
use crate::ports::{IdSource as _, JournalAdmin, JournalError, Part, RunFilter};

/// Parts on their way at the same time.
const ON_THE_WAY: usize = 4;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Records.
    pub records: u64,
    /// Streams.
    pub streams: u64,
    /// Hash over all heads, in hex; the same in both journals.
    pub head: String,
    /// Runs that some process drove meanwhile: they go on in the old journal.
    pub driven: Vec<String>,
}

/// Why a copy came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The journal that is copied cannot be read.
    #[error("the journal to copy: {0}")]
    Source(JournalError),
    /// The new journal cannot be written.
    #[error("the new journal: {0}")]
    Target(JournalError),
    /// There is something in the new journal.
    #[error("the new journal has records already; a copy goes into an empty one")]
    NotEmpty,
    /// There is a file of this name, though with no records in it.
    #[error("the new journal: {0} exists already, and has no records")]
    Occupied(String),
    /// The copy is not sound, or not the same.
    #[error("the copy does not verify: {0}")]
    Unsound(String),
    /// It ended half-way, in a database.
    #[error("{0}; what is in the new journal is marked as unfinished: the same command begins anew")]
    Unfinished(Box<CopyError>),
}

/// Opens a journal in PostgreSQL.
#[cfg(feature = "postgres")]
pub(super) fn open_postgres(
    url: &DatabaseUrl,
    facts: HolderFacts,
    mode: OpenMode,
) -> Result<Arc<dyn JournalAdmin>, JournalError> {
    Ok(Arc::new(open_database(url, facts, mode)?))
}

#[cfg(feature = "postgres")]
fn open_database(
    url: &DatabaseUrl,
    facts: HolderFacts,
    mode: OpenMode,
) -> Result<crate::journal::PostgresJournal, JournalError> {
    use crate::journal::{PostgresJournal, PostgresUrl};
    PostgresJournal::open(&PostgresUrl::new(&url.text, url.password.clone()), facts, mode)
}

/// Says that this program has no journals in PostgreSQL.
#[cfg(not(feature = "postgres"))]
pub(super) fn open_postgres(
    _: &DatabaseUrl,
    _: HolderFacts,
    _: OpenMode,
) -> Result<Arc<dyn JournalAdmin>, JournalError> {
    let what = "this drctl was built without journals in PostgreSQL (feature `postgres`)";
    Err(JournalError::Unavailable(what.to_owned()))
}

/// Microseconds that commits take in a database that is the journal, in order; absent for other journals.
///
/// # Errors
/// When it cannot be opened or written.
#[cfg(feature = "postgres")]
pub async fn commit_times(config: &Config, count: usize) -> Result<Option<Vec<u128>>, JournalError> {
    let JournalPlace::Postgres(url) = &config.journal else { return Ok(None) };
    let journal = open_database(url, HolderFacts::here(&config.user), OpenMode::ReadWrite)?;
    journal.commit_times(count).await.map(Some)
}

/// As with PostgreSQL, which this program was built without.
///
/// # Errors
/// Never.
#[cfg(not(feature = "postgres"))]
pub async fn commit_times(_: &Config, _: usize) -> Result<Option<Vec<u128>>, JournalError> {
    Ok(None)
}

/// Removes the files of a journal that came to nothing: what nobody can trust must not lie around under the
/// name of a copy.
fn remove(file: &Path) {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        // What is left of it is told by what comes next: a copy overwrites nothing.
        let _ = std::fs::remove_file(name);
    }
}

/// Copies a journal into an empty one, and verifies the copy: every hash, position and token is the same.
///
/// # Errors
/// When one of them cannot be used, the new one is not empty, or the copy does not verify.
pub async fn copy(from: &dyn JournalAdmin, to: &dyn JournalAdmin) -> Result<Copied, CopyError> {
    if !to.streams("").await.map_err(CopyError::Target)?.is_empty() {
        return Err(CopyError::NotEmpty);
    }
    let (sender, mut parts) = tokio::sync::mpsc::channel::<Part>(ON_THE_WAY);
    // What goes wrong in the target ends the channel, and the source gives up: the target's word comes first.
    let filling = async move {
        while let Some(part) = parts.recv().await {
            to.fill(part).await.map_err(CopyError::Target)?;
        }
        Ok(())
    };
    let dumping = async { from.dump(sender).await.map_err(CopyError::Source) };
    let (filled, dumped) = tokio::join!(filling, dumping);
    filled?;
    let head = dumped?;
    let found = to.verify().await.map_err(CopyError::Target)?;
    if let Some(first) = found.damage.first() {
        return Err(CopyError::Unsound(first.clone()));
    }
    if found.head != head {
        return Err(CopyError::Unsound(
            "its records are not those of the journal it was made from".to_owned(),
        ));
    }
    let driven = driven(from).await.map_err(CopyError::Source)?;
    Ok(Copied { records: found.records, streams: found.streams, head, driven })
}

/// Runs of a journal that some process drives now.
///
/// # Errors
/// When the journal cannot be read.
pub async fn driven(journal: &dyn JournalAdmin) -> Result<Vec<String>, JournalError> {
    let mut driven = Vec::new();
    for run in journal.runs(&RunFilter { open: true, ..RunFilter::default() }).await? {
        if journal.lease(&run.run).await?.is_some_and(|lease| lease.alive) {
            driven.push(run.run.to_string());
        }
    }
    Ok(driven)
}

/// What a copy is called until it is whole: a name of its own for each try, so that no two write the same.
fn part_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}.part", RandomIds.suffix()));
    PathBuf::from(name)
}

/// Writes a consistent copy of a journal into a SQLite file, while work goes on. The file has its name only
/// once it is whole: whoever is killed before that leaves a `.part` beside it, which nobody takes for one.
///
/// # Errors
/// When the file exists or cannot be written, or the copy does not verify.
pub async fn backup(config: &Config, journal: &dyn JournalAdmin, file: &Path) -> Result<(), CopyError> {
    match &config.journal {
        // A server's is refused by whoever stands for it.
        JournalPlace::Memory | JournalPlace::Server(_) => {
            journal.backup(file).await.map_err(CopyError::Source)
        }
        JournalPlace::Sqlite(_) => {
            let part = part_of(file);
            let written = journal.backup(&part).await.map_err(CopyError::Source);
            written.and_then(|()| named(&part, file))
        }
        JournalPlace::Postgres(_) => copy_to_file(config, journal, file).await.map(|_| ()),
    }
}

/// Copies a journal into a SQLite file, as [`backup`] does.
///
/// # Errors
/// As [`copy`], and when the file exists.
pub async fn copy_to_file(
    config: &Config,
    from: &dyn JournalAdmin,
    file: &Path,
) -> Result<Copied, CopyError> {
    let open = |file: &Path, mode| {
        SqliteJournal::open(file, HolderFacts::here(&config.user), mode).map_err(CopyError::Target)
    };
    if file.exists() {
        let there = open(file, OpenMode::ReadOnly)?.streams("").await.map_err(CopyError::Target)?;
        let occupied = || CopyError::Occupied(file.display().to_string());
        return Err(if there.is_empty() { occupied() } else { CopyError::NotEmpty });
    }
    let part = part_of(file);
    let copied = match open(&part, OpenMode::ReadWrite) {
        Ok(target) => copy(from, &target).await,
        Err(error) => Err(error),
    };
    let copied = copied.and_then(|copied| named(&part, file).map(|()| copied));
    if copied.is_err() {
        remove(&part);
    }
    copied
}

/// Copies a journal into a database. Nobody can use that before the copy was verified; what a copy has left
/// unfinished is copied anew.
///
/// # Errors
/// As [`copy`], and when another copy is under way.
#[cfg(feature = "postgres")]
pub async fn copy_to_database(
    config: &Config,
    from: &dyn JournalAdmin,
    url: &DatabaseUrl,
) -> Result<Copied, CopyError> {
    use crate::journal::{PostgresJournal, PostgresUrl};
    let (url, facts) = (PostgresUrl::new(&url.text, url.password.clone()), HolderFacts::here(&config.user));
    let to = PostgresJournal::open_to_fill(&url, facts).map_err(CopyError::Target)?;
    match copy(from, &to).await {
        Ok(copied) => to.end_filling().await.map(|()| copied).map_err(CopyError::Target),
        Err(error) if to.is_being_filled().await => Err(CopyError::Unfinished(Box::new(error))),
        Err(error) => Err(error),
    }
}

/// Says that this program has no journals in PostgreSQL.
///
/// # Errors
/// Always.
#[cfg(not(feature = "postgres"))]
pub async fn copy_to_database(
    config: &Config,
    _: &dyn JournalAdmin,
    url: &DatabaseUrl,
) -> Result<Copied, CopyError> {
    let opened = open_postgres(url, HolderFacts::here(&config.user), OpenMode::ReadWrite);
    Err(CopyError::Target(opened.err().unwrap_or(JournalError::Unavailable(String::new()))))
}

/// Gives a whole copy its name.
fn named(part: &Path, file: &Path) -> Result<(), CopyError> {
    SqliteJournal::put_in_place(part, file).map_err(CopyError::Target)
}
