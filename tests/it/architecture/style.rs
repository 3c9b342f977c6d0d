//! Sizes, names and habits of files.

use std::path::Path;

use super::source::{bare, root, rust_files, sources};

/// Longest file, in lines without its tests.
const FILE: usize = 600;
/// Longest `mod.rs`: it says what is inside, others do the work.
const MODULE: usize = 120;
/// Files with a limit of their own, and why.
const EXCEPTIONS: [(&str, usize, &str); 1] =
    [("cli/mod.rs", 280, "the list of all commands with their help")];
/// Longest line, in characters.
const LINE: usize = 110;
/// Names that say nothing about what is inside.
const NAMES: [&str; 5] = ["utils", "helpers", "common", "misc", "types"];

/// Lines of code and comments outside tests.
fn length(text: &str) -> usize {
    let tests = text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..tests].lines().count()
}

#[test]
fn no_file_grows_without_bound() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        let limit = match EXCEPTIONS.iter().find(|(path, ..)| *path == source.path) {
            Some((_, limit, _)) => *limit,
            None if source.path.ends_with("mod.rs") => MODULE,
            None => FILE,
        };
        let lines = length(&source.text);
        if lines > limit {
            wrong.push(format!("src/{} has {lines} lines, at most {limit} are allowed", source.path));
        }
    }
    assert!(wrong.is_empty(), "split along nouns:\n{}", wrong.join("\n"));
}

/// Longest line that holds a text or, in a test, a row of YAML.
const TEXT_LINE: usize = 150;

fn is_data(line: &str) -> bool {
    line.starts_with("- {") || line.starts_with("  verify:")
}

#[test]
fn no_line_is_too_long() {
    let mut wrong = Vec::new();
    for path in all() {
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            let length = line.chars().count();
            // The formatter cannot break a text: a line that holds one may be a little longer.
            let limit = if line.contains('"') || is_data(line) { TEXT_LINE } else { LINE };
            if length > limit {
                wrong.push(format!("{}:{} has {length} characters", shown(&path), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_have_telling_names_and_say_what_they_are_for() {
    let mut wrong = Vec::new();
    for path in all() {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if NAMES.contains(&stem.as_str()) {
            wrong.push(format!("{}: name it after what is inside", shown(&path)));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        // The two shims hold nothing but a call.
        if !first.starts_with("//! ") && text.lines().count() > 5 {
            wrong.push(format!("{}: the first line must say what the file is for (`//! …`)", shown(&path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let mut wrong = Vec::new();
    for path in all() {
        let code = bare(&std::fs::read_to_string(&path).unwrap());
        for (number, line) in code.lines().enumerate() {
            if line.contains("#[allow") || line.contains("#![allow") {
                wrong.push(format!("{}:{}: use `#[expect(…, reason = \"…\")]`", shown(&path), number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A new variant must make the compiler show every place that has to know it.
#[test]
fn the_engine_names_every_case() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| source.module() == "engine") {
        for (number, line) in source.code.lines().enumerate() {
            if line.trim_start().starts_with("_ =>") {
                wrong.push(format!("src/{}:{}: name the cases instead of `_`", source.path, number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Everything is read by people who were not there: no path of a developer's machine, no tool's name.
#[test]
fn no_document_leads_out_of_the_repository() {
    let mut wrong = Vec::new();
    let texts = files(&root().join("docs"), "md").into_iter().chain(files(&root().join("runbooks"), "yaml"));
    for path in texts.chain([root().join("README.md")]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for target in links(&text) {
            let file = target.split('#').next().unwrap_or(target);
            if !file.is_empty() && !path.parent().unwrap().join(file).exists() {
                wrong.push(format!("{} links to {target}, which is not there", shown(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Relative targets of Markdown links.
fn links(text: &str) -> Vec<&str> {
    let ends = text.match_indices("](").filter_map(|(at, _)| {
        let rest = &text[at + 2..];
        rest.find(')').map(|end| &rest[..end])
    });
    ends.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

fn files(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Rust files of the program, its tests and its chaos.
fn all() -> Vec<std::path::PathBuf> {
    ["src", "tests", "chaos"].iter().flat_map(|folder| rust_files(&root().join(folder))).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
