//! Which files are looked at, and what kind of document each is.

pub(crate) mod compiled;
pub(super) mod texts;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::app::{Error, exit};
use crate::config::Config;

/// Deepest folder that is looked into.
const DEPTH: usize = 16;
/// What a file system keeps for itself: no runbook is in it, and only its owner may look.
const OF_THE_FILE_SYSTEM: &str = "lost+found";
/// How it is said of a file or folder that it cannot be read.
const UNREADABLE: &str = "cannot be read: ";
/// What to do about what cannot be read.
pub(super) const TO_BE_READ: &str = "mend it or its permissions, or move it elsewhere; folders that begin with a \
                                     dot are passed over";

/// A file or folder with something in it that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Broken {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// What folders hold, as far as they can be looked into.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Files, in order.
    pub files: Vec<PathBuf>,
    /// Folders, and links to files, behind which there may be more.
    pub unreadable: Vec<Broken>,
}

impl Found {
    fn unreadable(&mut self, path: &Path, why: impl std::fmt::Display) {
        self.unreadable.push(Broken { path: path.to_owned(), why: format!("{UNREADABLE}{why}") });
    }
}

/// The YAML files of a path, in order.
///
/// # Errors
/// When the path does not exist, cannot be read as a whole, or holds none.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let refuse =
        |path: &Path, message: &str| Error::new(exit::USAGE, format!("{}: {message}", path.display()));
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let found = within(path);
    if let Some(Broken { path, why }) = found.unreadable.first() {
        return Err(refuse(path, why.strip_prefix(UNREADABLE).unwrap_or(why)));
    }
    if found.files.is_empty() {
        return Err(refuse(path, "no *.yaml or *.yml is there"));
    }
    Ok(found.files)
}

/// The YAML files of a folder, and what of it cannot be looked into.
#[must_use]
pub(crate) fn within(folder: &Path) -> Found {
    let mut found = Found::default();
    match std::fs::read_dir(folder) {
        Ok(entries) => walk(folder, entries, &mut found, 0),
        Err(error) => found.unreadable(folder, error),
    }
    found.files.sort();
    found
}

/// What vanishes while it is looked at is not there; everything else that keeps from looking is told, and
/// keeps nothing else from being found.
fn walk(
    folder: &Path,
    entries: impl Iterator<Item = std::io::Result<std::fs::DirEntry>>,
    found: &mut Found,
    depth: usize,
) {
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return found.unreadable(folder, error),
        };
        let path = entry.path();
        if passes_over(&entry.file_name().to_string_lossy()) {
            continue;
        }
        // A link to a folder may lead in circles.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            match std::fs::read_dir(&path) {
                _ if depth >= DEPTH => found.unreadable(&path, "it lies too deep"),
                Ok(entries) => walk(&path, entries, found, depth + 1),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => found.unreadable(&path, error),
            }
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            match std::fs::metadata(&path) {
                Ok(about) if about.is_file() => found.files.push(path),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => {}
                Err(error) => found.unreadable(&path, error),
            }
        }
    }
}

fn passes_over(name: &str) -> bool {
    name.starts_with('.') || name == OF_THE_FILE_SYSTEM
}

/// The YAML files of the configured folders and of one more, each once, however often it is reached; and
/// what cannot be looked into, a folder that is not there with it: nobody knows what it held.
#[must_use]
pub(crate) fn all(folders: &[PathBuf], own: Option<&Path>) -> Found {
    let (mut files, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
    for folder in wanted(folders).chain(own.filter(|own| own.is_dir())) {
        let found = within(folder);
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        for file in found.files {
            files.entry(real(&file)).or_insert(file);
        }
        for broken in found.unreadable {
            unreadable.entry(real(&broken.path)).or_insert(broken);
        }
    }
    Found { files: files.into_values().collect(), unreadable: unreadable.into_values().collect() }
}

/// The configured folders without one that is not there and that nobody has asked for: it is only looked for
/// where nothing is configured, and then stands here as the default is written.
pub(crate) fn wanted(folders: &[PathBuf]) -> impl Iterator<Item = &Path> {
    let asked_for = folders != [PathBuf::from(Config::RUNBOOKS)];
    folders.iter().map(PathBuf::as_path).filter(move |folder| asked_for || folder.exists())
}

/// What is wrong with a file that was not read.
pub(crate) fn unread(path: &Path, error: &Error) -> Broken {
    let why = error.message.strip_prefix(&format!("{}: ", path.display())).unwrap_or(&error.message);
    Broken { path: path.to_owned(), why: format!("{UNREADABLE}{why}") }
}

/// The word after a top-level `kind:`.
#[must_use]
pub(crate) fn kind(text: &str) -> Option<&str> {
    let kind = text.lines().find_map(|line| line.strip_prefix("kind:"));
    kind.map(|rest| rest.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']))
}

/// Says whether a text is about a simulation.
#[must_use]
pub(crate) fn is_scenario(text: &str) -> bool {
    kind(text) == Some("Scenario")
}

/// Says whether a text is about many services together.
#[must_use]
pub(crate) fn is_fleet(text: &str) -> bool {
    kind(text) == Some("Fleet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_looked_into_keeps_nothing_else_from_being_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("lost+found")).unwrap();
        for file in ["a.yaml", "sub/b.yml", "lost+found/c.yaml", ".kept/d.yaml", "sub/notes.txt"] {
            std::fs::create_dir_all(at(file).parent().unwrap()).unwrap();
            std::fs::write(at(file), "").unwrap();
        }
        std::os::unix::fs::symlink(at("nowhere"), at("gone.yaml")).unwrap();
        std::os::unix::fs::symlink(at("sub"), at("linked")).unwrap();
        let deep = (0..=DEPTH).fold(at("deep"), |path, _| path.join("x"));
        std::fs::create_dir_all(&deep).unwrap();
        let found = within(folder.path());
        assert_eq!(found.files, [at("a.yaml"), at("sub/b.yml")]);
        let mut told: Vec<_> = found.unreadable.iter().map(|broken| broken.path.clone()).collect();
        told.sort();
        assert_eq!(told, [(0..DEPTH).fold(at("deep"), |path, _| path.join("x")), at("gone.yaml")]);
        assert!(files(folder.path()).is_err(), "who wants all of them is refused");
        let missing = all(&[at("missing"), at("sub")], None);
        assert_eq!((missing.files.len(), missing.unreadable.len()), (1, 1));
        assert_eq!(missing.unreadable[0].path, at("missing"));
    }

    #[test]
    fn an_entry_that_fails_is_told_and_one_that_has_vanished_is_not() {
        let fails = |kind: ErrorKind| {
            let mut found = Found::default();
            walk(Path::new("runbooks"), [Err(kind.into())].into_iter(), &mut found, 0);
            found.unreadable
        };
        assert_eq!(fails(ErrorKind::NotFound), []);
        let told = fails(ErrorKind::PermissionDenied);
        assert_eq!(told[0].path, Path::new("runbooks"));
        assert!(told[0].why.contains("permission denied"), "{}", told[0].why);
    }
}
