//! `drctl completions` and `drctl man`: made from the definition of the command line, so that they cannot
//! be stale.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Error, exit, output};

/// Arguments of `completions`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ManArguments {
    /// Folder; made where it is missing.
    dir: PathBuf,
}

/// Prints completions for a shell.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(arguments: &Arguments) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "drctl", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(exit::SUCCESS)
}

/// Writes one man page for each command into a folder.
///
/// # Errors
/// When a page cannot be written.
pub(crate) fn man(arguments: &ManArguments) -> Result<u8, Error> {
    std::fs::create_dir_all(&arguments.dir)
        .map_err(|error| Error::new(exit::UNREACHABLE, format!("{}: {error}", arguments.dir.display())))?;
    clap_mangen::generate_to(Cli::command(), &arguments.dir)?;
    output::say(&format!("man pages written to {}", arguments.dir.display()));
    Ok(exit::SUCCESS)
}
