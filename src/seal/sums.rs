//! The manifest of a bundle: the SHA-256 of every file, in the form that `sha256sum -c` reads. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::archive::Files;
use super::names;
use crate::journal::record::{digest, hex, unhex};

/// Says whether a file is listed: the manifest cannot list itself, nor what signs it.
fn is_listed(name: &str) -> bool {
    name != names::SUMS && name != names::SIGNATURE
}

/// Writes the manifest of files.
pub(super) fn write(files: &Files) -> String {
    let listed = files.iter().filter(|(name, _)| is_listed(name));
    listed.fold(String::new(), |mut text, (name, bytes)| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}  {name}", hex(&digest(bytes)));
        text
    })
}

/// Compares files with a manifest; says what is wrong, one line each.
pub(super) fn compare(manifest: &str, files: &Files) -> Vec<String> {
    let (mut wrong, mut listed) = (Vec::new(), BTreeMap::new());
    for (number, line) in (1..).zip(manifest.lines()) {
        match line.split_once("  ").and_then(|(hash, name)| Some((unhex(hash)?, name))) {
            Some((hash, name)) => {
                if listed.insert(name, hash).is_some() {
                    wrong.push(format!("{}: line {number} lists {name} again", names::SUMS));
                }
            }
            None => wrong.push(format!("{}: line {number} is no line of a manifest", names::SUMS)),
        }
    }
    for (name, bytes) in files.iter().filter(|(name, _)| is_listed(name)) {
        match listed.remove(name.as_str()) {
            Some(hash) if hash == digest(bytes) => {}
            Some(_) => wrong.push(format!("{name}: its content is not the one that the manifest names")),
            None => wrong.push(format!("{name}: the manifest does not list it")),
        }
    }
    wrong.extend(listed.keys().map(|name| format!("{name}: it is missing")));
    wrong
}
