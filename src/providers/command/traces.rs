//! What an attempt has left on this host: what was noted before its program was started, and which process
//! that is. Must know every place where that may be, also those of earlier versions, and must never take what
//! cannot be read for what is not there.

use std::io;
use std::sync::Arc;

use super::{CommandProvider, file};
use crate::ports::AttemptContext;
use crate::providers::child::{AttemptFiles, Begun, Noted, ProcessRecord, RunFolder};

/// The traces of one attempt.
#[derive(Debug)]
pub(super) struct Traces {
    /// Its files.
    pub files: AttemptFiles,
    folder: Arc<RunFolder>,
}

impl CommandProvider {
    /// The traces of an attempt; creates nothing.
    pub(super) fn traces(&self, context: &AttemptContext) -> Traces {
        let files = self.files.attempt(context);
        Traces { folder: self.folders.of(&context.run, &files), files }
    }
}

impl Traces {
    /// The directory of the run.
    pub(super) fn folder(&self) -> &Arc<RunFolder> {
        &self.folder
    }

    /// Fails when the notes of the run are there and cannot be read.
    pub(super) fn are_readable(&self) -> io::Result<()> {
        self.folder.noted(&self.files).map(drop)
    }

    /// What was noted before the program was started.
    pub(super) fn begun(&self) -> Option<Begun> {
        self.files.record(file::INTENT).or_else(|| self.noted().begun)
    }

    /// The program.
    pub(super) fn process(&self) -> Option<ProcessRecord> {
        self.files.record(file::PROCESS).or_else(|| self.noted().process)
    }

    /// The supervisor of the program.
    pub(super) fn supervisor(&self) -> Option<ProcessRecord> {
        self.files.record(file::SUPERVISOR)
    }

    fn noted(&self) -> Noted {
        self.folder.noted(&self.files).unwrap_or_default()
    }
}
