//! The sources as text, without comments, literals and tests. Knows Rust's tokens as far as that takes.

use std::path::{Path, PathBuf};

/// One file of `src/`.
pub(super) struct Source {
    /// Path below `src/`.
    pub(super) path: String,
    /// The text as it is.
    pub(super) text: String,
    /// The same number of lines, without comments, literals and test modules.
    pub(super) code: String,
}

impl Source {
    /// The top-level module the file belongs to.
    pub(super) fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or(&self.path);
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Whether the whole file is a test.
    pub(super) fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

/// The repository.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files of `src/`.
pub(super) fn sources() -> Vec<Source> {
    let base = root().join("src");
    rust_files(&base)
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = without_tests(&bare(&text));
            let path = path.strip_prefix(&base).unwrap().to_string_lossy().into_owned();
            Source { path, text, code }
        })
        .collect()
}

/// All Rust files below a folder, in order.
pub(super) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The text with comments and the insides of literals blanked; line breaks stay.
pub(super) fn bare(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest, &out);
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[length..];
        }
    }
    out
}

/// Length of the comment or literal that begins here; 0 where none does.
fn skipped(rest: &str, before: &str) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    let in_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let prefix = if in_word { 0 } else { rest.len() - rest.trim_start_matches(['b', 'c']).len() };
    let after = &rest[prefix.min(1)..];
    let hashes = after.strip_prefix('r').map(|raw| raw.len() - raw.trim_start_matches('#').len());
    if let Some(hashes) = hashes.filter(|count| !in_word && after[1 + count..].starts_with('"')) {
        let open = rest.len() - after.len() + hashes + 2;
        let close = format!("\"{}", "#".repeat(hashes));
        return rest[open..].find(&close).map_or(rest.len(), |at| open + at + close.len());
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    0
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> usize {
    let mut inside = rest.chars().skip(1);
    match (inside.next(), inside.next()) {
        (Some('\\'), _) => quoted(rest, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

/// The code without what stands under `#[cfg(test)]`.
fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(from) = out.find("#[cfg(test)]") {
        let item = &out[from..];
        let end = match (item.find('{'), item.find(';')) {
            (Some(open), semicolon) if semicolon.is_none_or(|at| open < at) => {
                from + braced(&item[open..]) + open
            }
            (_, Some(semicolon)) => from + semicolon + 1,
            (_, None) => out.len(),
        };
        let blank: String = out[from..end].chars().filter(|c| *c == '\n').collect();
        out.replace_range(from..end, &blank);
    }
    out
}

fn braced(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    text.len()
}

#[test]
fn comments_literals_and_tests_are_left_out() {
    let text = "use a; // use b\n/* x /* y */ use c */ let d = \"use e\\\" use f\"; let g = r#\"use \"h\"#;\n\
                let i = '\"'; fn j<'k>() { br\"use l\"; 'm'; '\\'' } use n;\n#[cfg(test)]\nmod o {\n fn p() {}\n}\nuse q;";
    let code = without_tests(&bare(text));
    let words: Vec<_> = code.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() == 1).collect();
    assert_eq!(words, ["a", "d", "g", "i", "j", "k", "n", "q"], "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
}
