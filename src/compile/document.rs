//! Text to document: limits, forbidden characters, YAML errors with their place, numbers that are not what
//! they look like.

use serde_json::Value;
use serde_saphyr::Error;

use super::diagnostic::{Code, Diagnostic, Label, Span};
use super::tree::{self, Kind, Node, Places, escape};
use crate::model::limits;

/// Most findings about single characters and numbers; beyond that the text is not worth listing.
const MOST: usize = 100;

/// A document that could be read.
pub(super) struct Document {
    pub(super) value: Value,
    pub(super) places: Places,
}

/// Reads a text. The document is there whenever further checks make sense, even with findings.
pub(super) fn read(text: &str) -> (Option<Document>, Vec<Diagnostic>) {
    if text.len() > limits::RUNBOOK_BYTES {
        let message =
            format!("the text has {} bytes; at most {} are read", text.len(), limits::RUNBOOK_BYTES);
        return (
            None,
            vec![with_help(Diagnostic::new(Code::TooLarge, "", None, message), "split the service")],
        );
    }
    let mut findings = forbidden(text);
    if !findings.is_empty() {
        return (None, findings);
    }
    let root = match tree::read(text, false) {
        Ok(root) => root,
        Err(error) => {
            let Some(root) = repeated(text, &error, &mut findings) else {
                findings.push(explain(text, &error));
                return (None, findings);
            };
            root
        }
    };
    let mut walk = Walk { text, pointer: String::new(), findings };
    walk.node(&root);
    let (value, places) = root.split();
    (Some(Document { value, places }), walk.findings)
}

/// Control characters, and marks that turn the direction of writing.
fn is_forbidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn forbidden(text: &str) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (line, (start, content)) in lines(text).enumerate() {
        for (column, (at, c)) in content.char_indices().enumerate().filter(|(_, (_, c))| is_forbidden(*c)) {
            if findings.len() == MOST {
                return findings;
            }
            let (from, to) = (start + at, start + at + c.len_utf8());
            let span = Span {
                line: narrow(line + 1),
                column: narrow(column + 1),
                start: narrow(from),
                end: narrow(to),
            };
            findings.push(character(c, "", span));
        }
    }
    findings
}

fn character(c: char, pointer: &str, span: Span) -> Diagnostic {
    let message = format!("the character U+{:04X} is not allowed in a runbook", u32::from(c));
    with_help(Diagnostic::new(Code::ForbiddenCharacter, pointer, Some(span), message), "remove it")
}

/// Lines with the byte they begin at.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    })
}

/// When the trouble is keys that appear twice: names them all, and reads the document with the last of each.
fn repeated(text: &str, error: &Error, findings: &mut Vec<Diagnostic>) -> Option<Node> {
    let Error::DuplicateMappingKey { key, .. } = error else { return None };
    let root = tree::read(text, true).ok()?;
    duplicates(&root, &mut String::new(), findings);
    if findings.is_empty() {
        let name = key.as_deref().unwrap_or("");
        findings.push(duplicate(name, "", error.location().map(|location| tree::span(&location)), None));
    }
    Some(root)
}

fn duplicates(node: &Node, pointer: &mut String, findings: &mut Vec<Diagnostic>) {
    match &node.kind {
        Kind::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                nested(pointer, &index.to_string(), |pointer| duplicates(item, pointer, findings));
            }
        }
        Kind::Mapping(entries) => {
            let mut first = std::collections::HashMap::new();
            for (key, span, value) in entries {
                match first.get(key) {
                    Some(earlier) if findings.len() < MOST => {
                        let at = format!("{pointer}/{}", escape(key));
                        findings.push(duplicate(key, &at, Some(*span), Some(*earlier)));
                    }
                    Some(_) => {}
                    None => {
                        first.insert(key, *span);
                    }
                }
                nested(pointer, &escape(key), |pointer| duplicates(value, pointer, findings));
            }
        }
        Kind::Null | Kind::Bool(_) | Kind::Signed(_) | Kind::Unsigned(_) | Kind::Float(_) | Kind::Text(_) => {
        }
    }
}

fn duplicate(key: &str, pointer: &str, span: Option<Span>, first: Option<Span>) -> Diagnostic {
    let message = format!("the key `{key}` appears twice in one mapping");
    let mut finding = Diagnostic::new(Code::DuplicateKey, pointer, span, message);
    finding.labels.extend(first.map(|span| Label { span, text: "first here".to_owned() }));
    with_help(finding, "keep one of them")
}

fn nested<R>(pointer: &mut String, token: &str, inside: impl FnOnce(&mut String) -> R) -> R {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(token);
    let result = inside(pointer);
    pointer.truncate(length);
    result
}

/// Looks at every scalar of a document that could be read.
struct Walk<'a> {
    text: &'a str,
    pointer: String,
    findings: Vec<Diagnostic>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node) {
        match &node.kind {
            Kind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.inside(&index.to_string(), |walk| walk.node(item));
                }
            }
            Kind::Mapping(entries) => {
                for (key, span, value) in entries {
                    self.characters(key, *span);
                    self.inside(&escape(key), |walk| walk.node(value));
                }
            }
            Kind::Text(text) => {
                self.characters(text, node.span);
                if matches!(text.as_str(), ".inf" | "-.inf" | ".nan") && !self.is_quoted(node.span) {
                    self.number(node.span, "is not a finite number");
                }
            }
            Kind::Signed(_) | Kind::Unsigned(_) | Kind::Float(_) => self.looks(node),
            Kind::Null | Kind::Bool(_) => {}
        }
    }

    fn inside(&mut self, token: &str, then: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(token);
        then(self);
        self.pointer.truncate(length);
    }

    fn characters(&mut self, text: &str, span: Span) {
        if let Some(c) = text.chars().find(|c| is_forbidden(*c)) {
            self.push(|pointer| character(c, pointer, span));
        }
    }

    fn raw(&self, span: Span) -> &str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }

    fn is_quoted(&self, span: Span) -> bool {
        self.raw(span).starts_with(['"', '\''])
    }

    fn looks(&mut self, node: &Node) {
        let raw = self.raw(node.span);
        let digits = raw.trim_start_matches(['+', '-']);
        let whole = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit() || c == b'_');
        if whole && digits.len() > 1 && digits.starts_with('0') {
            let read = match node.kind {
                Kind::Float(value) => value.to_string(),
                _ => digits.trim_start_matches('0').to_owned(),
            };
            self.number(node.span, &format!("begins with 0 and would be read as {read}"));
        } else if whole && matches!(node.kind, Kind::Float(_)) {
            self.number(node.span, "has too many digits and would lose some of them");
        }
    }

    fn number(&mut self, span: Span, why: &str) {
        let raw: String = self.raw(span).chars().take(40).collect();
        let message = format!("the number `{raw}` {why}");
        let help = format!("quote it if it is text: \"{raw}\"");
        self.push(|pointer| {
            with_help(Diagnostic::new(Code::AmbiguousNumber, pointer, Some(span), message), &help)
        });
    }

    fn push(&mut self, make: impl FnOnce(&str) -> Diagnostic) {
        if self.findings.len() < MOST {
            let finding = make(&self.pointer);
            self.findings.push(finding);
        }
    }
}

/// A YAML error in the words of this tool.
fn explain(text: &str, error: &Error) -> Diagnostic {
    let inner = match error {
        Error::AliasError { error, .. } => error.as_ref(),
        other => other,
    };
    let span = error.location().map(|location| placed(text, tree::span(&location)));
    let (code, message, help) = match inner {
        Error::Budget { breach, .. } => return breached(breach, span),
        // Beyond a limit as well, so that only the first is known.
        Error::DuplicateMappingKey { key, .. } => {
            return duplicate(key.as_deref().unwrap_or_default(), "", span, None);
        }
        Error::MultipleDocuments { .. } => {
            (Code::ManyDocuments, "a second document begins here".to_owned(), "one file holds one runbook")
        }
        Error::UnsupportedTag { .. } => (
            Code::UnsupportedTag,
            plain(inner),
            "leave the tag out; use a parameter or a secret for values from outside",
        ),
        Error::UnknownAnchor { .. } => (
            Code::BrokenAlias,
            "this alias has no anchor before it".to_owned(),
            "define it first with `&name`",
        ),
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            (Code::BrokenAlias, "this alias stands inside its own anchor".to_owned(), "write the value out")
        }
        Error::MergeValueNotMapOrSeqOfMaps { .. } => {
            (Code::BrokenAlias, "`<<` needs a mapping, or a list of mappings".to_owned(), "write `<<: *name`")
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (
            Code::TooLarge,
            "the aliases of this document expand to too much".to_owned(),
            "write the values out",
        ),
        other => {
            let message = plain(other);
            if message.starts_with(tree::TOO_MANY_KEYS) {
                (Code::TooLarge, message, "a runbook of one service stays far below")
            } else if message.contains("recursion limit") {
                (
                    Code::TooLarge,
                    "the document is nested too deep".to_owned(),
                    "a runbook of one service stays far below",
                )
            } else {
                let help = advice(&message);
                (Code::Unreadable, message, help)
            }
        }
    };
    with_help(Diagnostic::new(code, "", span, message), help)
}

fn breached(breach: &serde_saphyr::budget::BudgetBreach, span: Option<Span>) -> Diagnostic {
    use serde_saphyr::budget::BudgetBreach as Breach;
    let message = match breach {
        Breach::Documents { .. } => {
            let finding = Diagnostic::new(Code::ManyDocuments, "", span, "a second document begins here");
            return with_help(finding, "one file holds one runbook");
        }
        Breach::Depth { .. } => {
            format!("the document is nested deeper than {} levels", limits::DOCUMENT_DEPTH)
        }
        Breach::Nodes { .. } => format!("the document has more than {} values", limits::DOCUMENT_NODES),
        Breach::Aliases { .. } => format!("the document has more than {} aliases", limits::DOCUMENT_ALIASES),
        _ => "the document is too large once its aliases are followed".to_owned(),
    };
    with_help(Diagnostic::new(Code::TooLarge, "", span, message), "a runbook of one service stays far below")
}

/// The message of a YAML error without its place, which is shown anyway.
fn plain(error: &Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.chars().take(text[..end].chars().count().min(300)).collect()
}

fn advice(message: &str) -> &'static str {
    if message.contains("mapping values are not allowed") {
        "a value with `: ` in it needs quotes; or the line is indented too far"
    } else if message.contains("tab") {
        "indent with spaces"
    } else if message.contains("unclosed quote") {
        "close the quote on the same line"
    } else if message.contains("string scalar") || message.contains("null into string") {
        "keys are plain texts"
    } else {
        "look for a missing quote or bracket, or wrong indentation, at or above this line"
    }
}

/// Fills in the bytes of a place of which only line and column are known.
fn placed(text: &str, span: Span) -> Span {
    if span.end > span.start {
        return span;
    }
    let Some((start, line)) = lines(text).nth((span.line as usize).saturating_sub(1)) else {
        let end = narrow(text.len());
        return Span { start: end, end, ..span };
    };
    let line = line.trim_end_matches(['\n', '\r']);
    let mut rest = line.char_indices().skip((span.column as usize).saturating_sub(1));
    let (from, to) = rest.next().map_or((line.len(), line.len()), |(at, c)| (at, at + c.len_utf8()));
    Span { start: narrow(start + from), end: narrow(start + to), ..span }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn with_help(mut diagnostic: Diagnostic, help: &str) -> Diagnostic {
    diagnostic.help = Some(help.to_owned());
    diagnostic
}
