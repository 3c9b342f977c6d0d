//! Puts a first runbook where it belongs: whole, or not at all.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::cli::{Error, exit};

/// Why a file cannot be written, as far as can be known before anything else is asked.
pub(super) fn refusal(path: &Path, force: bool) -> Option<Error> {
    if path.as_os_str() == "-" {
        return None;
    }
    if path.is_dir() {
        let error = Error::new(exit::USAGE, format!("{} is a folder; nothing was written", path.display()));
        return Some(error.help("name a file in it with --write"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let message =
            format!("{} cannot be written: there is no folder {}", path.display(), folder.display());
        return Some(
            Error::new(exit::USAGE, message).help("make the folder, or name another file with --write"),
        );
    }
    (path.exists() && !force).then(|| is_there(path))
}

fn is_there(path: &Path) -> Error {
    Error::new(exit::REFUSED, format!("{} is there already; nothing was written", path.display()))
        .help("name another file with --write, or overwrite it with --force")
        .reason("file_exists")
}

/// Writes a file that is not there; by force, over one that is: it stays as it was until the new one is
/// whole.
///
/// # Errors
/// When it is there, or cannot be written.
pub(super) fn store(path: &Path, text: &str, force: bool) -> Result<(), Error> {
    if let Some(error) = refusal(path, force) {
        return Err(error);
    }
    let refuse = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => is_there(path),
        _ => Error::new(exit::USAGE, format!("{} cannot be written: {error}", path.display()))
            .help("name another file with --write, or print it with `--write -`"),
    };
    if !path.exists() {
        let file = File::create_new(path).map_err(refuse)?;
        // Half a file would be taken for the runbook.
        return fill(file, text).map_err(refuse).inspect_err(|_| drop(std::fs::remove_file(path)));
    }
    // A link stays a link.
    let place = std::fs::canonicalize(path).map_err(refuse)?;
    let mut beside = place.clone().into_os_string();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = File::create_new(&beside).and_then(|file| {
        file.set_permissions(std::fs::metadata(&place)?.permissions())?;
        fill(file, text)?;
        std::fs::rename(&beside, &place)
    });
    written.map_err(refuse).inspect_err(|_| drop(std::fs::remove_file(&beside)))
}

fn fill(mut file: File, text: &str) -> std::io::Result<()> {
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())
}
