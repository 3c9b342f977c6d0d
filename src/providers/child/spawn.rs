//! Starts a program as the leader of its own process group, with files for output. Must never run code
//! between fork and exec (`pre_exec`), which would cost the quick `posix_spawn`, and never a shell unless
//! asked.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;

/// Variables that are for drctl alone: they may hold the password of the journal, or a token. A step that
/// needs one names it in its own environment.
const OWN: [&str; 2] = ["DRCTL_JOURNAL", "DRCTL_TOKEN"];

/// What is needed to start a program.
#[derive(Debug)]
pub(in crate::providers) struct Launch {
    /// Program and arguments; not empty.
    pub argv: Vec<OsString>,
    /// Variables added to the environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Working directory; default: drctl's.
    pub directory: Option<PathBuf>,
    /// Standard input; default: empty.
    pub stdin: Option<File>,
    /// Standard output; default: thrown away.
    pub stdout: Option<File>,
    /// Standard error; default: thrown away.
    pub stderr: Option<File>,
}

impl Launch {
    /// Starts the program. It lives on when the returned child is dropped.
    #[expect(clippy::disallowed_methods, reason = "one of the two places that start programs")]
    pub(in crate::providers) fn spawn(self) -> io::Result<tokio::process::Child> {
        let [program, arguments @ ..] = self.argv.as_slice() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "argv is empty"));
        };
        let file = |file: Option<File>| file.map_or_else(Stdio::null, Stdio::from);
        let mut command = tokio::process::Command::new(program);
        for own in OWN {
            command.env_remove(own);
        }
        command.args(arguments).envs(self.environment).process_group(0);
        command.stdin(file(self.stdin)).stdout(file(self.stdout)).stderr(file(self.stderr));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.spawn()
    }
}

/// Says in words why a program could not be started. Nothing was done then.
pub(in crate::providers) fn why_not_started(
    program: &OsStr,
    directory: Option<&str>,
    error: &io::Error,
) -> String {
    let name = program.to_string_lossy();
    if let Some(directory) = directory.filter(|directory| !std::path::Path::new(directory).is_dir()) {
        return format!("working directory `{directory}` is not there; `{name}` was not started");
    }
    match error.kind() {
        io::ErrorKind::NotFound => format!("program `{name}` was not found; nothing was started"),
        io::ErrorKind::PermissionDenied => {
            format!("program `{name}` may not be executed; nothing was started")
        }
        _ => format!("program `{name}` could not be started: {error}"),
    }
}
