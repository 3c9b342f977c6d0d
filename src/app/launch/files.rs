//! Which files are looked at, and what kind of document each is.

pub(crate) mod compiled;
pub(super) mod texts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::app::{Error, exit};

/// Deepest folder that is looked into.
const DEPTH: usize = 16;

/// The YAML files of a path, in order.
///
/// # Errors
/// When the path does not exist, cannot be read, or holds none.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let refuse = |message: String| Error::new(exit::USAGE, format!("{}: {message}", path.display()));
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    collect(path, &mut files, 0).map_err(|error| refuse(error.to_string()))?;
    files.sort();
    if files.is_empty() {
        return Err(refuse("no *.yaml or *.yml is there".to_owned()));
    }
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>, depth: usize) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        // A link to a folder may lead in circles.
        if path.is_dir() && !path.is_symlink() && depth < DEPTH {
            collect(&path, files, depth + 1)?;
        } else if path.is_file() && path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            files.push(path);
        }
    }
    Ok(())
}

/// The YAML files of folders, each once, however often it is reached. What cannot be read is left out.
#[must_use]
pub(crate) fn all<'a>(folders: impl IntoIterator<Item = &'a Path>) -> Vec<PathBuf> {
    let mut found = BTreeMap::new();
    for folder in folders.into_iter().filter(|folder| folder.is_dir()) {
        for file in files(folder).unwrap_or_default() {
            found.entry(std::fs::canonicalize(&file).unwrap_or_else(|_| file.clone())).or_insert(file);
        }
    }
    found.into_values().collect()
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
