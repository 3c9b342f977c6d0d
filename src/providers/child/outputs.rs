//! The files that take what programs print. Must never hand a file to a program that another could still
//! write to, nor throw away what was printed.
//!
//! To create a file can take longer than to run a program, and most programs print nothing. A file that is
//! still empty when its program has ended, and that nobody can write to any more, is given to the next
//! attempt. Any other gets the name of its attempt, at the latest when the next driver finds it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;

use super::AttemptFiles;
use super::files::{beginning, ending};
use super::folder::{RunFolder, rename_new};
use super::notes::Notes;
use super::writers::Watched;

/// Ends the name of the file of what a program printed.
pub(in crate::providers) const STDOUT: &str = "stdout";
/// Ends the name of the file of what a program complained about.
pub(in crate::providers) const STDERR: &str = "stderr";
/// Most files a run holds ready.
const SPARES: usize = 64;

/// A file that takes what a program prints.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) name: String,
    /// Device and number of the file.
    identity: (u64, u64),
    pub(super) watched: Watched,
}

/// The output files of an attempt. Dropped before their time, they get the attempt's name: its program may go
/// on.
#[derive(Debug)]
pub(in crate::providers) struct Outputs {
    folder: Arc<RunFolder>,
    files: AttemptFiles,
    stdout: Option<Output>,
    stderr: Option<Output>,
}

/// Where to read what a program printed; `None` where it printed nothing.
#[derive(Debug, Default)]
pub(in crate::providers) struct Printed {
    stdout: Option<PathBuf>,
    stderr: Option<PathBuf>,
}

impl RunFolder {
    /// Opens two empty files for what the program of an attempt will print.
    ///
    /// # Errors
    /// When they cannot be created.
    pub(in crate::providers) fn outputs(
        self: &Arc<Self>,
        files: &AttemptFiles,
        token: u64,
    ) -> io::Result<(Outputs, File, File)> {
        self.writers.look();
        let (mut again, mut pair) = (Vec::new(), Vec::new());
        while pair.len() < 2
            && let Some(spare) = self.spare()
        {
            again.push(spare.0.watched);
            pair.push((Some(spare.0), spare.1));
        }
        self.writers.opened_again(&again);
        let mut take = |what| pair.pop().map_or_else(|| self.new_output(files, what, token), Ok);
        let (stdout, out) = take(STDOUT)?;
        let mut outputs = Outputs { folder: Arc::clone(self), files: files.clone(), stdout, stderr: None };
        let (stderr, err) = take(STDERR)?;
        outputs.stderr = stderr;
        Ok((outputs, out, err))
    }

    /// A file that is left and that nobody else can write to.
    fn spare(&self) -> Option<(Output, File)> {
        let mut state = self.state();
        while let Some(spare) = state.spares.pop() {
            if self.writers.had_none(spare.watched)
                && let Ok(file) = self.reopen(&spare)
            {
                return Some((spare, file));
            }
            self.writers.forget(spare.watched);
        }
        None
    }

    /// Creates a file that becomes one of an attempt, or, where it cannot be watched, is one at once.
    fn new_output(&self, files: &AttemptFiles, what: &str, token: u64) -> io::Result<(Option<Output>, File)> {
        // The directory may have been removed meanwhile.
        self.write(Notes::refresh)?;
        let mut state = self.state();
        let (name, file) = loop {
            let name = format!("output-{token}-{}", state.next);
            state.next += 1;
            let path = self.path.join(&name);
            match OpenOptions::new().create_new(true).append(true).mode(0o600).open(&path) {
                Ok(file) => break (name, file),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let path = self.path.join(&name);
        if let Some(watched) = self.writers.watch(&path) {
            let identity = identity(&file.metadata()?);
            return Ok((Some(Output { name, identity, watched }), file));
        }
        std::fs::remove_file(&path)?;
        Ok((None, files.append(what)?))
    }

    pub(super) fn reopen(&self, spare: &Output) -> io::Result<File> {
        let file = OpenOptions::new().append(true).open(self.path.join(&spare.name))?;
        let found = file.metadata()?;
        let same = identity(&found) == spare.identity && found.len() == 0;
        if same { Ok(file) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Keeps a file for the next attempt, or gives it the name of its own. Returns where to read what was
    /// printed.
    fn end(&self, output: Output, files: &AttemptFiles, what: &str) -> Option<PathBuf> {
        let (path, own) = (self.path.join(&output.name), files.path(what));
        let found = std::fs::metadata(&path).ok().filter(|found| identity(found) == output.identity);
        if found.as_ref().is_some_and(|found| found.len() == 0) && self.writers.had_none(output.watched) {
            let mut state = self.state();
            if state.spares.len() < SPARES {
                state.spares.push(output);
                return None;
            }
        }
        self.writers.forget(output.watched);
        // What is not there any more has its name from another driver.
        match found.map(|_| rename_new(&path, &own)) {
            Some(Err(_)) => Some(path),
            Some(Ok(())) | None => Some(own),
        }
    }
}

impl Outputs {
    /// Names of the files while the program runs.
    pub(in crate::providers) fn names(&self) -> (Option<String>, Option<String>) {
        let name = |output: &Option<Output>| output.as_ref().map(|output| output.name.clone());
        (name(&self.stdout), name(&self.stderr))
    }

    /// Takes note that the program has ended. Says where to read what it printed.
    pub(in crate::providers) fn end(mut self) -> Printed {
        self.folder.writers.look();
        let end = |output: Option<Output>, what| match output {
            Some(output) => self.folder.end(output, &self.files, what),
            None => Some(self.files.path(what)),
        };
        let (stdout, stderr) = (self.stdout.take(), self.stderr.take());
        Printed { stdout: end(stdout, STDOUT), stderr: end(stderr, STDERR) }
    }
}

impl Printed {
    /// What was printed to the files of an attempt that have its name.
    pub(in crate::providers) fn of(files: &AttemptFiles) -> Self {
        Self { stdout: Some(files.path(STDOUT)), stderr: Some(files.path(STDERR)) }
    }

    /// The first `limit` bytes of standard output and its whole length.
    pub(in crate::providers) fn beginning(&self, limit: usize) -> (Vec<u8>, u64) {
        self.stdout.as_deref().map(|path| beginning(path, limit)).unwrap_or_default()
    }

    /// The last 16 KiB of standard error.
    pub(in crate::providers) fn complaint(&self) -> Vec<u8> {
        self.stderr.as_deref().map(ending).unwrap_or_default()
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        if self.stdout.is_some() || self.stderr.is_some() {
            self.folder.writers.look();
        }
        for (output, what) in [(self.stdout.take(), STDOUT), (self.stderr.take(), STDERR)] {
            if let Some(output) = output {
                let _ = self.folder.end(output, &self.files, what);
            }
        }
    }
}

fn identity(file: &std::fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
