//! Says whether anybody may still write to a file, by the kernel's own account. Must answer "perhaps"
//! whenever it is not certain.
//!
//! A program that has ended may have left another running, in a group and a session of its own, with its
//! standard output. Neither a process number nor a lock tells of it. inotify does: one event for each time
//! the file is opened, one when the last holder of an open file lets go of it. A file that drctl opened once
//! for a program, that was opened by nobody since, and was let go of, has no writer.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// Bytes of events read at once.
const EVENTS_BYTES: usize = 4 * 1024;
/// Fewer events than this do not fill the buffer, so that they were all there were. An event of a file has 16
/// bytes.
const FEW: usize = EVENTS_BYTES / 32;

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

    /// Takes note of everything that has happened so far.
    pub(super) fn look(&self) {
        self.watching().drain();
    }

    /// Whether it was certain at the last look that nobody could write to the file.
    pub(super) fn had_none(&self, file: Watched) -> bool {
        self.watching().has_no_writer(file)
    }

    /// Takes note that the caller has opened the files again, each once, and still holds them.
    pub(super) fn opened_again(&self, files: &[Watched]) {
        let mut watching = self.watching();
        // What the caller did is not to be counted later.
        watching.drain();
        for file in files {
            if let Some(seen) = watching.files.get_mut(file) {
                *seen = Seen::default();
            }
        }
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
        let mut read_at_once = 0;
        loop {
            match events.next() {
                Ok(event) => {
                    note(files, Watched(event.wd()), event.events());
                    read_at_once += 1;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return,
                // Nothing is certain any more.
                Err(_) => return files.clear(),
            }
            if events.is_buffer_empty() {
                if read_at_once < FEW {
                    return;
                }
                read_at_once = 0;
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
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::path::PathBuf;

    use super::*;

    struct Fixture {
        _folder: tempfile::TempDir,
        path: PathBuf,
        writers: Writers,
    }

    impl Fixture {
        fn has_none(&self, file: Watched) -> bool {
            self.writers.look();
            self.writers.had_none(file)
        }
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
        assert!(!fixture.has_none(watched));
        let inherited = file.try_clone().unwrap();
        drop(file);
        assert!(!fixture.has_none(watched), "a copy of the open file can write");
        drop(inherited);
        assert!(fixture.has_none(watched));

        let again = append(&fixture.path).unwrap();
        fixture.writers.opened_again(&[watched]);
        assert!(!fixture.has_none(watched), "opened again");
        drop(again);
        assert!(fixture.has_none(watched));
    }

    #[test]
    fn a_file_that_was_opened_by_its_name_may_have_a_writer_for_ever() {
        let (fixture, file, watched) = fixture();
        // As a program does that logs to /dev/stdout.
        let other = append(&fixture.path).unwrap();
        drop(file);
        assert!(!fixture.has_none(watched));
        drop(other);
        assert!(!fixture.has_none(watched), "it could have been handed on");
    }

    #[test]
    fn a_file_that_is_not_watched_may_have_a_writer() {
        let (fixture, file, watched) = fixture();
        drop(file);
        fixture.writers.forget(watched);
        assert!(!fixture.has_none(watched));
        assert!(fixture.writers.watch(&fixture.path.with_extension("absent")).is_none());
    }

    #[test]
    fn what_happened_to_a_file_is_found_among_much_else() {
        let (fixture, file, watched) = fixture();
        let other = fixture.path.with_extension("other");
        let mut held = OpenOptions::new().create_new(true).append(true).open(&other).unwrap();
        let busy = fixture.writers.watch(&other).unwrap();
        for _ in 0..5 * EVENTS_BYTES / 16 {
            held = append(&other).unwrap();
        }
        drop(file);
        assert!(fixture.has_none(watched));
        assert!(!fixture.has_none(busy));
        drop(held);
    }

    #[test]
    fn nothing_is_certain_once_events_were_lost() {
        let mut files = HashMap::from([(Watched(1), Seen { opened: false, released: true })]);
        note(&mut files, Watched(-1), ReadFlags::QUEUE_OVERFLOW);
        assert!(files.is_empty());
    }
}
