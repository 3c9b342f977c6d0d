//! The directory of a run while programs run in it, with the notes of its attempts. Must never begin an
//! attempt twice.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::notes::{Begun, Noted, Notes};
use super::outputs::Output;
use super::writers::Writers;
use super::{AttemptFiles, ProcessRecord};
use crate::model::id::RunId;

/// Name of the notes. No attempt has such a name.
const NOTES: &str = "attempts.log";
/// Most runs whose notes are held open.
const HELD_OPEN: usize = 64;
/// The directories of the runs that this process works for.
#[derive(Debug, Clone, Default)]
pub(in crate::providers) struct RunFolders {
    writers: Arc<Writers>,
    open: Arc<Mutex<Open>>,
}

/// The last used comes last.
type Open = Vec<(RunId, Arc<RunFolder>)>;

/// The directory of a run.
#[derive(Debug)]
pub(in crate::providers) struct RunFolder {
    pub(super) path: PathBuf,
    pub(super) writers: Arc<Writers>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    notes: Option<Notes>,
    pub(super) spares: Vec<Output>,
    /// Number in the name of the next file.
    pub(super) next: u64,
}

impl RunFolders {
    /// The directory that holds the files of an attempt of a run; creates nothing.
    pub(in crate::providers) fn of(&self, run: &RunId, files: &AttemptFiles) -> Arc<RunFolder> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = open.iter().rposition(|(other, _)| other == run) {
            let found = open.remove(place);
            let folder = Arc::clone(&found.1);
            open.push(found);
            return folder;
        }
        let folder = Arc::new(RunFolder {
            path: files.base().parent().unwrap_or_else(|| files.base()).to_owned(),
            writers: Arc::clone(&self.writers),
            state: Mutex::default(),
        });
        if open.len() >= HELD_OPEN {
            open.remove(0);
        }
        open.push((run.clone(), Arc::clone(&folder)));
        folder
    }
}

impl RunFolder {
    /// What is known of an attempt.
    ///
    /// # Errors
    /// When there are notes and they cannot be read.
    pub(in crate::providers) fn noted(&self, files: &AttemptFiles) -> io::Result<Noted> {
        match self.with(Notes::open, |notes| notes.of(files.name())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Noted::default()),
            known => known,
        }
    }

    /// Notes that an attempt begins.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when it was begun before; others when that cannot be written.
    pub(in crate::providers) fn begin(&self, files: &AttemptFiles, begun: &Begun) -> io::Result<()> {
        self.write(|notes| notes.begin(files.name(), begun))
    }

    /// Notes the program of an attempt.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(in crate::providers) fn note_process(
        &self,
        files: &AttemptFiles,
        process: &ProcessRecord,
    ) -> io::Result<()> {
        self.write(|notes| notes.process(files.name(), process))
    }

    /// Notes that the program of an attempt could not be started.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(in crate::providers) fn withdraw(&self, files: &AttemptFiles) -> io::Result<()> {
        self.write(|notes| notes.withdraw(files.name()))
    }

    pub(super) fn write<T>(&self, mut write: impl FnMut(&mut Notes) -> io::Result<T>) -> io::Result<T> {
        match self.with(|path| self.create(path), &mut write) {
            // Somebody has removed the directory.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.with(|path| self.create(path), write)
            }
            written => written,
        }
    }

    fn create(&self, path: &Path) -> io::Result<Notes> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let is_new = !path.exists();
        let mut notes = Notes::create(path)?;
        // Earlier versions had a file for each attempt.
        for entry in std::fs::read_dir(&self.path).ok().filter(|_| is_new).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if let Some(attempt) = name.to_str().and_then(|name| name.strip_suffix(".intent")) {
                let begun = AttemptFiles::at(&self.path.join(attempt)).record::<Begun>("intent");
                notes.take_over(attempt, begun.unwrap_or_default())?;
            }
        }
        Ok(notes)
    }

    fn with<T>(
        &self,
        open: impl FnOnce(&Path) -> io::Result<Notes>,
        act: impl FnOnce(&mut Notes) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state();
        let notes = match &mut state.notes {
            Some(notes) => notes,
            none => none.insert(self.open(open)?),
        };
        let done = act(notes);
        if matches!(&done, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            state.notes = None;
        }
        done
    }

    /// Opens the notes, and gives the files that an earlier driver had in use the names of their attempts.
    fn open(&self, open: impl FnOnce(&Path) -> io::Result<Notes>) -> io::Result<Notes> {
        let notes = open(&self.path.join(NOTES))?;
        for (file, attempt, what) in notes.outputs() {
            // Names come from a file.
            if !file.contains('/') && !attempt.contains('/') {
                let _ = rename_new(&self.path.join(file), &self.path.join(format!("{attempt}.{what}")));
            }
        }
        Ok(notes)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunFolder {
    /// Empty files that nobody can write to say nothing.
    fn drop(&mut self) {
        self.writers.look();
        for spare in std::mem::take(&mut self.state().spares) {
            if self.writers.had_none(spare.watched) && self.reopen(&spare).is_ok() {
                let _ = std::fs::remove_file(self.path.join(&spare.name));
            }
            self.writers.forget(spare.watched);
        }
    }
}

/// Renames a file unless the name is taken.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use super::super::Outputs;
    use super::*;

    fn folder(path: &Path) -> Arc<RunFolder> {
        let (path, writers) = (path.to_owned(), Arc::default());
        Arc::new(RunFolder { path, writers, state: Mutex::default() })
    }

    /// Begins an attempt of the run.
    fn begin(folder: &Arc<RunFolder>, name: &str) -> (Outputs, File, File) {
        let files = AttemptFiles::at(&folder.path.join(name));
        let (outputs, out, err) = folder.outputs(&files, 7).unwrap();
        let (stdout, stderr) = outputs.names();
        let begun = Begun { key: name.to_owned(), token: 7, boot: None, stdout, stderr };
        folder.begin(&files, &begun).unwrap();
        (outputs, out, err)
    }

    fn text(folder: &RunFolder, name: &str) -> Option<String> {
        std::fs::read_to_string(folder.path.join(name)).ok()
    }

    #[test]
    fn attempts_at_once_have_files_of_their_own() {
        let directory = tempfile::tempdir().unwrap();
        let folder = folder(directory.path());
        let (one, mut one_out, _) = begin(&folder, "a-1");
        let (other, mut other_out, _) = begin(&folder, "b-1");
        one_out.write_all(b"one").unwrap();
        other_out.write_all(b"other").unwrap();
        drop((one_out, other_out));
        assert_eq!(one.end().beginning(10), (b"one".to_vec(), 3));
        assert_eq!(other.end().beginning(10), (b"other".to_vec(), 5));
    }

    #[test]
    fn after_a_crash_files_get_the_names_of_the_attempts_that_used_them_last() {
        let directory = tempfile::tempdir().unwrap();
        let crashed = folder(directory.path());
        let (first, out, err) = begin(&crashed, "a-1");
        drop((out, err));
        first.end();
        let (second, mut out, err) = begin(&crashed, "b-1");
        assert_eq!(second.names().0.as_deref().map(|name| &name[..7]), Some("output-"));
        out.write_all(b"before").unwrap();
        // What a killed process does about its files: nothing.
        std::mem::forget((second, err, crashed));

        let next = folder(directory.path());
        next.noted(&AttemptFiles::at(&next.path.join("b-1"))).unwrap();
        assert_eq!(text(&next, "b-1.stdout").as_deref(), Some("before"));
        assert_eq!(text(&next, "a-1.stdout"), None, "it printed nothing");
        // The program goes on, and the next attempt has other files.
        let (third, mut third_out, _) = begin(&next, "c-1");
        third_out.write_all(b"third").unwrap();
        out.write_all(b" and after").unwrap();
        drop(third_out);
        assert_eq!(third.end().beginning(10), (b"third".to_vec(), 5));
        assert_eq!(text(&next, "b-1.stdout").as_deref(), Some("before and after"));
    }

    #[test]
    fn files_that_another_driver_has_named_are_read_under_their_new_name() {
        let directory = tempfile::tempdir().unwrap();
        let (slow, next) = (folder(directory.path()), folder(directory.path()));
        let (slows, mut out, _) = begin(&slow, "a-1");
        let (nexts, mut next_out, _) = begin(&next, "b-1");
        assert_eq!(slows.names(), nexts.names(), "the names are free again");
        next_out.write_all(b"next").unwrap();
        out.write_all(b"slow").unwrap();
        drop((out, next_out));
        assert_eq!(slows.end().beginning(10), (b"slow".to_vec(), 4));
        assert_eq!(nexts.end().beginning(10), (b"next".to_vec(), 4));
        assert_eq!(text(&next, "a-1.stdout").as_deref(), Some("slow"));
        assert_eq!(text(&next, "b-1.stdout").as_deref(), Some("next"));
    }

    #[test]
    fn what_an_attempt_has_printed_before_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let folder = folder(directory.path());
        std::fs::write(directory.path().join("a-1.stdout"), "before").unwrap();
        let (outputs, mut out, _) = begin(&folder, "a-1");
        out.write_all(b"now").unwrap();
        drop(out);
        assert_eq!(outputs.end().beginning(10), (b"now".to_vec(), 3));
        assert_eq!(text(&folder, "a-1.stdout").as_deref(), Some("before"));
    }

    #[test]
    fn runs_have_directories_of_their_own_and_few_are_held_open() {
        let directory = tempfile::tempdir().unwrap();
        let folders = RunFolders::default();
        let of = |number: usize| {
            let run = RunId::new(format!("bench-{number:08}")).unwrap();
            let files = AttemptFiles::at(&directory.path().join(run.as_str()).join("a-1"));
            folders.of(&run, &files)
        };
        let first = of(0);
        for number in 1..HELD_OPEN {
            of(number);
        }
        assert!(Arc::ptr_eq(&first, &of(0)));
        of(HELD_OPEN);
        assert!(Arc::ptr_eq(&first, &of(0)), "the least recently used goes first");
        assert!(of(1).path.ends_with("bench-00000001"));
        assert_eq!(folders.open.lock().unwrap().len(), HELD_OPEN);
    }
}
