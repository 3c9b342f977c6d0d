//! What the files of runbooks say: each is read once for as long as it stays as it is, and none while it is
//! being written. A change is seen at the next look: what was read before counts only where the file system
//! says that nothing has happened to the file since.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::app::{Error, exit, now};
use crate::model::limits::RUNBOOK_BYTES;
use crate::model::time::Timestamp;

/// A file that has changed less than this ago may not be whole: it is waited for.
const QUIET: Duration = Duration::from_millis(40);
/// How often a file that keeps changing is waited for.
const WAITS: u32 = 25;
/// A file that had changed less than this before it was read is read again: two changes within one tick of
/// the clock of a file system look like one. Some have ticks of two seconds.
const YOUNG: Duration = Duration::from_secs(3);
/// Bytes of texts that are kept; with more, reading begins anew.
const KEPT_BYTES: usize = 256 * 1024 * 1024;

/// The text of a file.
#[derive(Debug)]
pub(in crate::app::launch) struct Text {
    text: String,
    name: OnceLock<Option<String>>,
}

impl Text {
    fn new(text: String) -> Self {
        Self { text, name: OnceLock::new() }
    }

    /// The text.
    pub(in crate::app::launch) fn as_str(&self) -> &str {
        &self.text
    }

    /// What it says it is about, `metadata.name`, whether or not it compiles.
    pub(in crate::app::launch) fn name(&self) -> Option<&str> {
        self.name.get_or_init(|| name_in(&self.text)).as_deref()
    }
}

/// What a text says it is about.
fn name_in(text: &str) -> Option<String> {
    let document = serde_saphyr::from_str::<Value>(text).unwrap_or_default();
    document.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned)
}

/// A file as its file system knows it: whoever changes its text changes one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds; may be set to anything.
    modified: (i64, i64),
    /// The same, and nobody can set it.
    changed: (i64, i64),
}

impl Mark {
    fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }

    /// Whether what was read between two looks is the text of the file: it has not changed meanwhile, nor
    /// just before.
    fn is_whole(self, after: Self, now: Timestamp) -> bool {
        self == after && self.age(now).is_none_or(|age| age >= QUIET)
    }

    /// How long ago the file has changed; absent where by its own clock that is yet to come.
    fn age(self, now: Timestamp) -> Option<Duration> {
        let (seconds, nanoseconds) = self.modified.max(self.changed);
        let last = seconds.saturating_mul(1_000).saturating_add(nanoseconds / 1_000_000);
        u64::try_from(now.as_millis().saturating_sub(last)).ok().map(Duration::from_millis)
    }
}

#[derive(Default)]
struct Kept {
    by_path: HashMap<PathBuf, (Mark, Arc<Text>)>,
    bytes: usize,
}

impl Kept {
    fn get(&self, path: &Path, mark: Mark) -> Option<Arc<Text>> {
        self.by_path.get(path).filter(|(known, _)| *known == mark).map(|(_, text)| Arc::clone(text))
    }

    fn put(&mut self, path: &Path, mark: Mark, text: &Arc<Text>) {
        if self.bytes > KEPT_BYTES {
            *self = Self::default();
        }
        self.bytes += text.text.len();
        if let Some((_, before)) = self.by_path.insert(path.to_owned(), (mark, Arc::clone(text))) {
            self.bytes -= before.text.len();
        }
    }
}

/// Reads a file within the size limit of runbooks.
///
/// # Errors
/// When it cannot be read, is too large, is not UTF-8, or is being written all the time.
pub(in crate::app::launch) fn read(path: &Path) -> Result<Arc<Text>, Error> {
    static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);
    let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let there = std::fs::metadata(path).map_err(|error| unusable(path, &error))?;
    let known = kept().get(path, Mark::of(&there));
    if let Some(text) = known {
        return Ok(text);
    }
    for _ in 0..WAITS {
        let at = now();
        let Some((mark, text)) = once(path, at)? else {
            std::thread::sleep(QUIET);
            continue;
        };
        let text = Arc::new(Text::new(text));
        if let Some(mark) = mark.filter(|mark| mark.age(at).is_some_and(|age| age >= YOUNG)) {
            kept().put(path, mark, &text);
        }
        return Ok(text);
    }
    Err(Error::new(exit::INVALID, format!("{}: it is being written all the time", path.display()))
        .help("wait until it is whole; who writes it beside and moves it there is never waited for"))
}

/// Reads a file as it is now; absent where it is just being written. What is no file has no mark.
fn once(path: &Path, now: Timestamp) -> Result<Option<(Option<Mark>, String)>, Error> {
    let refuse = |message: String| Error::new(exit::INVALID, format!("{}: {message}", path.display()));
    let mut file = File::open(path).map_err(|error| unusable(path, &error))?;
    let about = file.metadata().map_err(|error| unusable(path, &error))?;
    let before = about.is_file().then(|| Mark::of(&about));
    if about.size() > RUNBOOK_BYTES as u64 {
        return Err(refuse("larger than 1 MiB".to_owned()));
    }
    let mut bytes = Vec::new();
    let most = RUNBOOK_BYTES as u64 + 1;
    file.by_ref().take(most).read_to_end(&mut bytes).map_err(|error| refuse(error.to_string()))?;
    let Some(before) = before else { return text(bytes, refuse).map(|text| Some((None, text))) };
    let after = Mark::of(&file.metadata().map_err(|error| unusable(path, &error))?);
    if !before.is_whole(after, now) {
        return Ok(None);
    }
    text(bytes, refuse).map(|text| Some((Some(before), text)))
}

fn text(bytes: Vec<u8>, refuse: impl Fn(String) -> Error) -> Result<String, Error> {
    if bytes.len() > RUNBOOK_BYTES {
        return Err(refuse("larger than 1 MiB".to_owned()));
    }
    // The words of the standard library for a file that is no text.
    String::from_utf8(bytes).map_err(|_| refuse("stream did not contain valid UTF-8".to_owned()))
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::new(exit::USAGE, format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aged(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        std::thread::sleep(YOUNG + QUIET);
    }

    #[test]
    fn what_is_kept_counts_for_as_long_as_nothing_happens_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        aged(&path, "metadata: {name: one}");
        let first = read(&path).unwrap();
        assert_eq!(first.name(), Some("one"));
        assert!(Arc::ptr_eq(&first, &read(&path).unwrap()), "read once");
        // As long as before, and as old as before.
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, "metadata: {name: two}").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_eq!(read(&path).unwrap().name(), Some("two"));
        // Young, so that it is not kept: a second change may look the same.
        assert!(!Arc::ptr_eq(&read(&path).unwrap(), &read(&path).unwrap()));
        let other = folder.path().join("b");
        std::fs::write(&other, "metadata: {name: new}").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(read(&path).unwrap().name(), Some("new"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(&path).unwrap_err().code, exit::USAGE);
    }

    #[test]
    fn a_file_that_is_being_written_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        std::fs::write(&path, "half").unwrap();
        let mark = Mark::of(&std::fs::metadata(&path).unwrap());
        let (seconds, nanoseconds) = mark.changed;
        let written = seconds * 1_000 + nanoseconds / 1_000_000;
        let read_at = |later: i64| once(&path, Timestamp::from_millis(written + later)).unwrap();
        let quiet = i64::try_from(QUIET.as_millis()).unwrap();
        assert!(read_at(0).is_none() && read_at(quiet - 1).is_none());
        assert_eq!(read_at(quiet).unwrap().1, "half");
        let at = Timestamp::from_millis(written + quiet);
        assert!(mark.is_whole(mark, at) && !mark.is_whole(Mark { size: mark.size + 1, ..mark }, at));
        // Of a file from another clock nobody knows.
        assert_eq!(read_at(-1_000).unwrap().1, "half");
    }

    #[test]
    fn what_changes_while_it_is_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        std::fs::write(&path, "").unwrap();
        let written = path.clone();
        let writer = std::thread::spawn(move || {
            use std::io::Write as _;
            let mut file = File::options().append(true).open(written).unwrap();
            for _ in 0..40 {
                file.write_all(b"part ").unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
            file.write_all(b"end").unwrap();
        });
        // A machine that stops the writer for long makes halves that nobody can tell from a whole.
        let first = read(&path).unwrap();
        writer.join().unwrap();
        let whole = read(&path).unwrap();
        assert!(whole.as_str().ends_with("end") && whole.as_str().starts_with(first.as_str()));
    }
}
