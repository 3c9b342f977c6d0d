//! Says whether anybody may still write to a file, by the kernel's own account. Must answer "perhaps"
//! whenever it is not certain.
//!
//! A program that has ended may have left another running, in a group and a session of its own, with its
//! standard output. Neither a process number nor a lock tells of it. inotify does: one event for each time
//! the file is opened, one when the last holder of an open file lets go of it. A file that drctl opened once
//! for a program, that was opened by nobody since, and was let go of, has no writer.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// Bytes of events read at once.
const EVENTS_BYTES: usize = 4 * 1024;

/// Watches files that are handed to programs.
#[derive(Debug, Default)]
pub(super) struct Writers {
    watching: Mutex<Watching>,
}

/// A watched file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Watched(i32);

#[derive(Debug, Default)]
struct Watching {
    /// Made at first use, where the kernel has one to give.
    queue: Option<OwnedFd>,
    files: HashMap<Watched, Seen>,
}

/// What has happened to a file since drctl opened it for a program.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    /// Somebody else opened it.
    opened: bool,
    /// A holder that could write has let go.
    released: bool,
}

impl Writers {
    /// Watches a file that was created and opened for writing, once, by the caller. `None` where that cannot
    /// be watched.
    pub(super) fn watch(&self, path: &Path) -> Option<Watched> {
        let mut watching = self.watching();
        let queue = watching.queue()?;
        let watched = inotify::add_watch(queue, path, WatchFlags::OPEN | WatchFlags::CLOSE_WRITE).ok()?;
        watching.files.insert(Watched(watched), Seen::default());
        Some(Watched(watched))
    }

    /// Whether it is certain that nobody can write to the file.
    pub(super) fn has_none(&self, file: Watched) -> bool {
        let mut watching = self.watching();
        watching.drain();
        watching.has_no_writer(file)
    }

    /// Opens the file for the next program, if it is certain that nobody else can write to it.
    pub(super) fn open(&self, file: Watched, open: impl FnOnce() -> io::Result<File>) -> Option<File> {
        let mut watching = self.watching();
        watching.drain();
        if !watching.has_no_writer(file) {
            return None;
        }
        let opened = open().ok()?;
        // Also takes note of the caller's own opening.
        watching.drain();
        watching.files.insert(file, Seen::default());
        Some(opened)
    }

    /// Watches the file no longer.
    pub(super) fn forget(&self, file: Watched) {
        let mut watching = self.watching();
        if watching.files.remove(&file).is_some()
            && let Some(queue) = watching.queue()
        {
            let _ = inotify::remove_watch(queue, file.0);
        }
    }

    fn watching(&self) -> MutexGuard<'_, Watching> {
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    fn queue(&mut self) -> Option<&OwnedFd> {
        if self.queue.is_none() {
            self.queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        }
        self.queue.as_ref()
    }

    fn has_no_writer(&self, file: Watched) -> bool {
        self.files.get(&file).is_some_and(|seen| seen.released && !seen.opened)
    }

    /// Takes note of everything that has happened so far.
    fn drain(&mut self) {
        let Self { queue: Some(queue), files } = self else { return };
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut events = inotify::Reader::new(queue, &mut buffer);
        loop {
            match events.next() {
                Ok(event) => note(files, Watched(event.wd()), event.events()),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                // Nothing is certain any more.
                Err(_) => return files.clear(),
            }
        }
    }
}

fn note(files: &mut HashMap<Watched, Seen>, file: Watched, events: ReadFlags) {
    if events.contains(ReadFlags::QUEUE_OVERFLOW) {
        files.clear();
    } else if events.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
        files.remove(&file);
    } else if let Some(seen) = files.get_mut(&file) {
        seen.opened |= events.contains(ReadFlags::OPEN);
        seen.released |= events.contains(ReadFlags::CLOSE_WRITE);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::path::PathBuf;

    use super::*;

    struct Fixture {
        _folder: tempfile::TempDir,
        path: PathBuf,
        writers: Writers,
    }

    fn fixture() -> (Fixture, File, Watched) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        let writers = Writers::default();
        let file = OpenOptions::new().create_new(true).append(true).open(&path).unwrap();
        let watched = writers.watch(&path).unwrap();
        (Fixture { _folder: folder, path, writers }, file, watched)
    }

    fn append(path: &Path) -> io::Result<File> {
        OpenOptions::new().append(true).open(path)
    }

    #[test]
    fn a_file_has_no_writer_when_its_last_holder_has_let_go() {
        let (fixture, file, watched) = fixture();
        assert!(!fixture.writers.has_none(watched));
        let inherited = file.try_clone().unwrap();
        drop(file);
        assert!(!fixture.writers.has_none(watched), "a copy of the open file can write");
        drop(inherited);
        assert!(fixture.writers.has_none(watched));

        let again = fixture.writers.open(watched, || append(&fixture.path)).unwrap();
        assert!(!fixture.writers.has_none(watched), "opened again");
        assert!(fixture.writers.open(watched, || append(&fixture.path)).is_none(), "one at a time");
        drop(again);
        assert!(fixture.writers.has_none(watched));
    }

    #[test]
    fn a_file_that_was_opened_by_its_name_may_have_a_writer_for_ever() {
        let (fixture, file, watched) = fixture();
        // As a program does that logs to /dev/stdout.
        let other = append(&fixture.path).unwrap();
        drop(file);
        assert!(!fixture.writers.has_none(watched));
        drop(other);
        assert!(!fixture.writers.has_none(watched), "it could have been handed on");
    }

    #[test]
    fn a_file_that_is_not_watched_may_have_a_writer() {
        let (fixture, file, watched) = fixture();
        drop(file);
        fixture.writers.forget(watched);
        assert!(!fixture.writers.has_none(watched));
        assert!(fixture.writers.watch(&fixture.path.with_extension("absent")).is_none());
    }

    #[test]
    fn nothing_is_certain_once_events_were_lost() {
        let mut files = HashMap::from([(Watched(1), Seen { opened: false, released: true })]);
        note(&mut files, Watched(-1), ReadFlags::QUEUE_OVERFLOW);
        assert!(files.is_empty());
    }
}
