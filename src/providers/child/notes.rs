//! The notes of a run: which attempts were begun on this host, and which processes they are. One file for all
//! attempts, because to create a file can take longer than to run a program. Must never hold parameters,
//! which may be secrets, and must never lose a note to one that was cut off before it.
//!
//! Every note is one line of JSON, written at once behind everything else, with a line break before and after
//! it: what was cut off stays alone on its line, and is passed over. Unsynced, like all files of an attempt.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{ProcessRecord, STDERR, STDOUT};

/// Most bytes of notes that are read; more are not ours.
const BYTES: u64 = 256 * 1024 * 1024;

/// What is noted before a program is started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::providers) struct Begun {
    /// Key the program is given; a live one is found by it.
    pub key: String,
    /// Fencing token of the driver.
    pub token: u64,
    /// Boot of the host.
    pub boot: Option<String>,
    /// File that takes what it prints until the attempt has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// File that takes what it complains about until the attempt has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
enum Note {
    /// The program is about to be started.
    Begun { attempt: String, begun: Begun },
    /// The program runs.
    Process { attempt: String, process: ProcessRecord },
    /// The program could not be started after all.
    Withdrawn { attempt: String },
}

/// What is known of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::providers) struct Noted {
    /// What was noted before its program was started.
    pub begun: Option<Begun>,
    /// Its program.
    pub process: Option<ProcessRecord>,
    /// Place of the line that began it.
    at: u64,
}

/// The notes of one run, as far as they have been read.
#[derive(Debug)]
pub(super) struct Notes {
    file: File,
    /// Everything before was read.
    read_to: u64,
    attempts: HashMap<String, Noted>,
    /// The attempt that used an output file last, and for what.
    outputs: HashMap<String, (String, &'static str)>,
}

impl Notes {
    /// Opens the notes that are there and reads them.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with(path, OpenOptions::new().read(true).append(true))
    }

    /// Opens the notes, or begins them.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Self::with(path, OpenOptions::new().read(true).append(true).create(true).mode(0o600))
    }

    /// Notes that an attempt begins; refused with [`io::ErrorKind::AlreadyExists`] when it was begun before,
    /// also by another process at the same moment.
    pub(super) fn begin(&mut self, attempt: &str, begun: &Begun) -> io::Result<()> {
        self.refresh()?;
        if self.attempts.get(attempt).is_some_and(|noted| noted.begun.is_some()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let start = self.append(Note::Begun { attempt: attempt.to_owned(), begun: begun.clone() })?;
        match self.attempts.get(attempt) {
            Some(noted) if noted.begun.is_some() && noted.at == start => Ok(()),
            _ => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    /// Notes the program of an attempt.
    pub(super) fn process(&mut self, attempt: &str, process: &ProcessRecord) -> io::Result<()> {
        self.append(Note::Process { attempt: attempt.to_owned(), process: process.clone() }).map(drop)
    }

    /// Notes that the program of an attempt could not be started.
    pub(super) fn withdraw(&mut self, attempt: &str) -> io::Result<()> {
        self.append(Note::Withdrawn { attempt: attempt.to_owned() }).map(drop)
    }

    /// What is known of an attempt by now, whoever noted it.
    pub(super) fn of(&mut self, attempt: &str) -> io::Result<Noted> {
        self.refresh()?;
        Ok(self.attempts.get(attempt).cloned().unwrap_or_default())
    }

    /// Output files, each with the attempt that used it last, and for what.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (&str, &str, &'static str)> {
        self.outputs.iter().map(|(file, (attempt, what))| (file.as_str(), attempt.as_str(), *what))
    }

    /// Takes over what earlier versions noted in a file for each attempt, where the notes of the run are only
    /// begun now.
    pub(super) fn take_over(&mut self, attempt: &str, begun: Begun) -> io::Result<()> {
        self.append(Note::Begun { attempt: attempt.to_owned(), begun }).map(drop)
    }

    fn with(path: &Path, options: &OpenOptions) -> io::Result<Self> {
        let file = options.open(path)?;
        let mut notes = Self { file, read_to: 0, attempts: HashMap::new(), outputs: HashMap::new() };
        notes.refresh()?;
        Ok(notes)
    }

    /// Returns where the line begins. Everything before it has been read then.
    fn append(&mut self, note: Note) -> io::Result<u64> {
        let mut line = vec![b'\n'];
        serde_json::to_writer(&mut line, &note)?;
        line.push(b'\n');
        // Not `write_all`: the rest of a line would come behind what others have written meanwhile.
        if self.file.write(&line)? < line.len() {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk took a part of a note only"));
        }
        let end = self.file.stream_position()?;
        let start = end - line.len() as u64 + 1;
        if start == self.read_to + 1 {
            // Nobody has written in between.
            self.read_to = start;
            self.apply(note);
            self.read_to = end;
        } else {
            self.read_up_to(end)?;
        }
        Ok(start)
    }

    /// Reads what was added; fails with [`io::ErrorKind::NotFound`] when the file was removed since.
    pub(super) fn refresh(&mut self) -> io::Result<()> {
        let found = self.file.metadata()?;
        if found.nlink() == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.read_up_to(found.len())
    }

    fn read_up_to(&mut self, end: u64) -> io::Result<()> {
        if end > BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the notes of the run are too long"));
        }
        let length = usize::try_from(end.saturating_sub(self.read_to)).unwrap_or_default();
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, self.read_to)?;
        // What has no line break yet is being written, or was cut off: then the next note ends it.
        for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
            if let Ok(note) = serde_json::from_slice(line) {
                self.apply(note);
            }
            self.read_to += line.len() as u64;
        }
        Ok(())
    }

    fn apply(&mut self, note: Note) {
        let at = self.read_to;
        match note {
            Note::Begun { attempt, begun } => {
                let noted = self.attempts.entry(attempt.clone()).or_default();
                if noted.begun.is_some() {
                    return;
                }
                for (file, what) in [(&begun.stdout, STDOUT), (&begun.stderr, STDERR)] {
                    if let Some(file) = file {
                        self.outputs.insert(file.clone(), (attempt.clone(), what));
                    }
                }
                *noted = Noted { begun: Some(begun), process: None, at };
            }
            Note::Process { attempt, process } => {
                self.attempts.entry(attempt).or_default().process = Some(process);
            }
            Note::Withdrawn { attempt } => {
                self.attempts.remove(&attempt);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(token: u64) -> Begun {
        let file = |name: &str| Some(format!("output-{token}-{name}"));
        Begun { key: "run/work/do/0".to_owned(), token, boot: None, stdout: file("0"), stderr: file("1") }
    }

    fn refused(result: io::Result<()>) {
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn an_attempt_is_begun_once_whoever_asks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts");
        let (mut one, mut other) = (Notes::create(&path).unwrap(), Notes::create(&path).unwrap());
        one.begin("work-1", &begun(1)).unwrap();
        refused(one.begin("work-1", &begun(1)));
        refused(other.begin("work-1", &begun(2)));
        refused(Notes::open(&path).unwrap().begin("work-1", &begun(3)));
        other.begin("work-2", &begun(2)).unwrap();
        one.process("work-1", &ProcessRecord::of(std::process::id())).unwrap();
        for notes in [&mut one, &mut other, &mut Notes::open(&path).unwrap()] {
            let (first, second) = (notes.of("work-1").unwrap(), notes.of("work-2").unwrap());
            assert_eq!(first.begun.unwrap().token, 1);
            assert_eq!(first.process.unwrap().pid, std::process::id());
            assert_eq!((second.begun.unwrap().token, second.process), (2, None));
            assert_eq!(notes.of("work-3").unwrap(), Noted::default());
        }
    }

    #[test]
    fn of_two_that_begin_an_attempt_at_once_the_first_on_the_disk_wins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts");
        let mut slow = Notes::create(&path).unwrap();
        // Its look at the notes is over, its line not written yet, when the other begins.
        Notes::open(&path).unwrap().begin("work-1", &begun(2)).unwrap();
        let start = slow.append(Note::Begun { attempt: "work-1".to_owned(), begun: begun(1) }).unwrap();
        let noted = slow.of("work-1").unwrap();
        assert_eq!(noted.begun.unwrap().token, 2);
        assert!(noted.at < start);
    }

    #[test]
    fn what_was_withdrawn_may_begin_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts");
        let mut notes = Notes::create(&path).unwrap();
        notes.begin("work-1", &begun(1)).unwrap();
        notes.withdraw("work-1").unwrap();
        assert_eq!(Notes::open(&path).unwrap().of("work-1").unwrap(), Noted::default());
        notes.begin("work-1", &begun(2)).unwrap();
        assert_eq!(Notes::open(&path).unwrap().of("work-1").unwrap().begun.unwrap().token, 2);
    }

    #[test]
    fn a_note_that_was_cut_off_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attempts");
        Notes::create(&path).unwrap().begin("work-1", &begun(1)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut notes = Notes::open(&path).unwrap();
            // All but the line break is there: nobody can tell whether the program was started.
            let known = length + 1 == whole.len();
            assert!(notes.of("work-1").unwrap().begun.is_none(), "{length}");
            assert_eq!(notes.begin("work-1", &begun(2)).is_err(), known, "{length}");
            notes.begin("work-2", &begun(3)).unwrap();
            let token = |noted: Noted| noted.begun.unwrap().token;
            let mut notes = Notes::open(&path).unwrap();
            assert_eq!(token(notes.of("work-1").unwrap()), if known { 1 } else { 2 }, "{length}");
            assert_eq!(token(notes.of("work-2").unwrap()), 3, "{length}");
        }
        std::fs::write(&path, b"\0\0\0\n[]\n{\"note\": \"of a later version\"}\n").unwrap();
        Notes::open(&path).unwrap().begin("work-1", &begun(1)).unwrap();
    }
}
