//! The supervisor: a second drctl that runs one program, waits for it and writes down how it ended, whatever
//! becomes of the first. Must do nothing else: no configuration, no journal, no async runtime.
//!
//! drctl starts it as the leader of its own process group, with the program's own environment, working
//! directory and standard streams, so that it inherits nothing that ties it to drctl's terminal and passes on
//! exactly what it was given. Parameters reach it as arguments and never touch a file.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use super::file;
use super::outcome::Exit;
use crate::providers::child::{AttemptFiles, ProcessRecord, why_not_started};

/// First argument of drctl that makes it a supervisor; hidden from help.
pub const ARGUMENT: &str = "supervise-command";

/// Becomes a supervisor when the process was started as one, with [`ARGUMENT`] first. To be called first
/// thing in `main`, with all arguments; `None` means this is an ordinary drctl.
pub fn from_arguments(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != OsStr::new(ARGUMENT) {
        return None;
    }
    let base = arguments.next().unwrap_or_default();
    let separator = arguments.next();
    let argv: Vec<OsString> = arguments.collect();
    if separator.as_deref() != Some(OsStr::new("--")) || argv.is_empty() {
        return Some(ExitCode::from(2));
    }
    Some(run(Path::new(&base), &argv))
}

/// Runs a program and writes its process record and exit status beside the other files of its attempt, whose
/// paths begin with `base`.
#[expect(clippy::disallowed_methods, reason = "one of the two places that start programs")]
pub fn run(base: &Path, argv: &[OsString]) -> ExitCode {
    let files = AttemptFiles::at(base);
    let [program, arguments @ ..] = argv else { return ExitCode::from(2) };
    let exit = match Command::new(program).args(arguments).process_group(0).spawn() {
        Err(error) => {
            Exit { code: None, signal: None, not_started: Some(why_not_started(program, None, &error)) }
        }
        Ok(mut child) => {
            // Without the record drctl cannot cancel the program, but the program has begun: go on and wait.
            let _ = files.publish(file::PROCESS, &ProcessRecord::of(child.id()));
            match child.wait() {
                Ok(status) => Exit::of(status),
                Err(_) => return ExitCode::FAILURE,
            }
        }
    };
    match files.publish(file::EXIT, &exit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Arguments that make drctl a supervisor for an attempt; the program's argv follows.
pub(super) fn arguments(base: &Path) -> [OsString; 3] {
    [ARGUMENT.into(), base.into(), "--".into()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn only_its_own_argument_makes_a_supervisor() {
        assert!(from_arguments(words(&["drctl"])).is_none());
        assert!(from_arguments(words(&["drctl", "plan", ARGUMENT])).is_none());
        assert_eq!(from_arguments(words(&["drctl", ARGUMENT, "/nowhere"])), Some(ExitCode::from(2)));
    }

    #[test]
    fn the_end_of_a_program_is_written_down() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().join("step-1");
        let files = AttemptFiles::at(&base);
        assert_eq!(run(&base, &words(&["/bin/sh", "-c", "exit 7"])), ExitCode::SUCCESS);
        let exit: Exit = files.record(file::EXIT).unwrap();
        assert_eq!((exit.code, exit.not_started), (Some(7), None));
        assert!(files.record::<ProcessRecord>(file::PROCESS).is_some());

        assert_eq!(run(&base, &words(&["/nowhere/program"])), ExitCode::SUCCESS);
        let exit: Exit = files.record(file::EXIT).unwrap();
        assert!(exit.not_started.unwrap().contains("/nowhere/program"));
    }
}
