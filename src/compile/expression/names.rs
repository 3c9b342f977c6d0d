//! Finds the names an expression reads, and the filters, tests and functions it uses. Does not judge them.

use std::collections::BTreeSet;

use super::lexer::{Kind, Token};

/// A dotted name, such as `steps['fence-db'].outputs.confirmed`.
#[derive(Debug, PartialEq)]
pub(super) struct Name<'t> {
    /// Its parts, from the left.
    pub(super) path: Vec<&'t str>,
    /// Whether a computed part follows.
    pub(super) computed: bool,
    /// Whether it may be undefined: a test or default stands right behind it.
    pub(super) guarded: bool,
    /// Where it stands: first byte, and length.
    pub(super) at: (usize, usize),
}

/// A filter, test or function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Tool<'t> {
    Filter(&'t str),
    Test(&'t str),
    Function(&'t str),
}

/// What stands in a text.
#[derive(Debug, Default)]
pub(super) struct Found<'t> {
    pub(super) names: Vec<Name<'t>>,
    pub(super) tools: Vec<(Tool<'t>, (usize, usize))>,
}

const KEYWORDS: [&str; 14] =
    ["and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None", "loop"];
const STATEMENTS: [&str; 26] = [
    "for",
    "endfor",
    "if",
    "elif",
    "else",
    "endif",
    "set",
    "endset",
    "with",
    "endwith",
    "filter",
    "endfilter",
    "block",
    "endblock",
    "raw",
    "endraw",
    "autoescape",
    "endautoescape",
    "macro",
    "endmacro",
    "call",
    "endcall",
    "do",
    "recursive",
    "include",
    "extends",
];

/// Looks through tokens. `free` are the names that are not set inside the text itself.
pub(super) fn find<'t>(tokens: &[Token<'t>], free: &BTreeSet<String>) -> Found<'t> {
    let mut found = Found::default();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let Kind::Word(word) = token.kind else {
            at += 1;
            continue;
        };
        let place = (token.from, token.to - token.from);
        match role(tokens, at) {
            Role::Filter => found.tools.push((Tool::Filter(word), place)),
            Role::Test => found.tools.push((Tool::Test(word), place)),
            Role::Function if !STATEMENTS.contains(&word) && !KEYWORDS.contains(&word) => {
                if free.contains(word) {
                    found.tools.push((Tool::Function(word), place));
                }
            }
            Role::Name if free.contains(word) => {
                let (name, next) = name(tokens, at, word);
                found.names.push(name);
                at = next;
                continue;
            }
            Role::Name | Role::Function | Role::Other => {}
        }
        at += 1;
    }
    found
}

enum Role {
    Name,
    Filter,
    Test,
    Function,
    Other,
}

fn role(tokens: &[Token<'_>], at: usize) -> Role {
    let before = at.checked_sub(1).and_then(|before| tokens.get(before)).map(|token| token.kind);
    let earlier = at.checked_sub(2).and_then(|before| tokens.get(before)).map(|token| token.kind);
    let after = tokens.get(at + 1).map(|token| token.kind);
    let second = tokens.get(at + 2).map(|token| token.kind);
    let word = tokens.get(at).map(|token| token.kind);
    match (before, after) {
        (Some(Kind::Sign('.')), _) => Role::Other,
        (Some(Kind::Sign('|')), _) => Role::Filter,
        (Some(Kind::Word("is")), _) if word == Some(Kind::Word("not")) => Role::Other,
        (Some(Kind::Word("is")), _) => Role::Test,
        (Some(Kind::Word("not")), _) if earlier == Some(Kind::Word("is")) => Role::Test,
        (_, Some(Kind::Sign('('))) => Role::Function,
        // `name=` inside a call names an argument.
        (Some(Kind::Sign('(' | ',')), Some(Kind::Sign('='))) if second != Some(Kind::Sign('=')) => {
            Role::Other
        }
        _ => Role::Name,
    }
}

/// Reads a name from its first word; returns it and the token after it.
fn name<'t>(tokens: &[Token<'t>], first: usize, word: &'t str) -> (Name<'t>, usize) {
    let kind = |at: usize| tokens.get(at).map(|token| token.kind);
    let from = tokens.get(first).map_or(0, |token| token.from);
    let mut to = tokens.get(first).map_or(0, |token| token.to);
    let mut path = vec![word];
    let mut at = first + 1;
    let mut computed = false;
    loop {
        let (part, length) = match (kind(at), kind(at + 1), kind(at + 2)) {
            // A method belongs to the value, not to its name.
            (Some(Kind::Sign('.')), Some(Kind::Word(_)), Some(Kind::Sign('('))) => break,
            (Some(Kind::Sign('.')), Some(Kind::Word(part) | Kind::Number(part)), _) => (part, 2),
            (Some(Kind::Sign('[')), Some(Kind::Text(part) | Kind::Number(part)), Some(Kind::Sign(']'))) => {
                (part, 3)
            }
            (Some(Kind::Sign('[')), ..) => {
                computed = true;
                break;
            }
            _ => break,
        };
        path.push(part);
        at += length;
        to = tokens.get(at - 1).map_or(to, |token| token.to);
    }
    let guarded = match (kind(at), kind(at + 1), kind(at + 2)) {
        (Some(Kind::Sign('|')), Some(Kind::Word("default" | "d")), _)
        | (Some(Kind::Word("is")), Some(Kind::Word("defined" | "undefined")), _) => true,
        (Some(Kind::Word("is")), Some(Kind::Word("not")), Some(Kind::Word(test))) => {
            matches!(test, "defined" | "undefined")
        }
        _ => false,
    };
    (Name { path, computed, guarded, at: (from, to - from) }, at)
}

impl Found<'_> {
    /// Says whether the text itself asks, anywhere, whether an output is there.
    pub(super) fn asks_about(&self, name: &Name<'_>) -> bool {
        let step = name.path.get(1);
        self.names.iter().any(|other| {
            let same = other.guarded && name.path.starts_with(&other.path) && other.path.len() > 1;
            let status = other.path.first() == Some(&"steps")
                && other.path.get(1) == step
                && other.path.get(2) == Some(&"status");
            same || status
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer;
    use super::*;

    fn paths(text: &str, is_template: bool, free: &[&str]) -> Vec<String> {
        let free = free.iter().map(|name| (*name).to_owned()).collect();
        let tokens = if is_template { lexer::template(text) } else { lexer::expression(text) };
        let show = |name: Name<'_>| {
            let marks = [(name.guarded, "?"), (name.computed, "[]")];
            name.path.join(".")
                + &marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark).collect::<String>()
        };
        find(&tokens, &free).names.into_iter().map(show).collect()
    }

    #[test]
    fn names_are_found_in_every_form() {
        let free = ["params", "steps", "a", "b", "item"];
        for (text, expected) in [
            ("params.zone == 'params.no'", vec!["params.zone"]),
            (
                "steps['fence-db'].outputs.x | default(params.y)",
                vec!["steps.fence-db.outputs.x?", "params.y"],
            ),
            ("steps.a.outputs.x is not defined or a[b].c", vec!["steps.a.outputs.x?", "a[]", "b"]),
            ("params.name.upper() in [a, b]", vec!["params.name", "a", "b"]),
            ("item|join(sep=a, d=b)", vec!["item", "a", "b"]),
            ("a is divisibleby(b)", vec!["a", "b"]),
            ("params.list[0].x if a else b", vec!["params.list.0.x", "a", "b"]),
            ("local.x", vec![]),
        ] {
            assert_eq!(paths(text, false, &free), expected, "{text}");
        }
        let text = "x {{ a }} {# b #} {% for q in params.l %}{{ q.z ~ '}}' ~ b }}{% endfor %} \
                    {{ {'k': a}['k'] }} params.no";
        assert_eq!(paths(text, true, &free), ["a", "params.l", "b", "a"]);
        for broken in ["{{", "{{ 'a", "{% ", "{#", "{", "\\"] {
            assert!(paths(broken, true, &free).is_empty() && paths(broken, false, &free).is_empty());
        }
    }
}
