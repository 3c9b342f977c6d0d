//! The rules of the source tree: who may import whom, what pure modules never touch, how large a file may
//! grow.
//! Reads the sources as text; what a rule names in words is in `docs/design/0002-architecture.md`.

#![expect(clippy::unwrap_used, reason = "parts of tests")]

mod layers;
mod source;
mod style;

use std::collections::BTreeSet;

use source::root;

/// Everything that may lie at the top of the repository.
const TOP_LEVEL: [&str; 12] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "chaos",
    "docs",
    "runbooks",
    "schemas",
    "src",
    "tests",
    "target",
];

#[test]
fn the_top_of_the_repository_holds_what_it_should_and_nothing_else() {
    let entries: BTreeSet<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        // Tool configuration is hidden.
        .filter(|name| !name.starts_with('.'))
        .collect();
    let allowed: BTreeSet<String> = TOP_LEVEL.iter().map(|name| (*name).to_owned()).collect();
    let strange: Vec<_> = entries.difference(&allowed).collect();
    assert!(strange.is_empty(), "these belong below docs/, tests/ or chaos/: {strange:?}");
    for needed in TOP_LEVEL.iter().filter(|name| **name != "target") {
        assert!(entries.contains(*needed), "{needed} is missing");
    }
}
