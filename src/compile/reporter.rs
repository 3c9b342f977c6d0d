//! Collects findings and gives each its place in the text. Never drops an error while it still counts.

use std::collections::BTreeMap;

use super::diagnostic::{Code, Diagnostic, Label, Severity, Span};
use super::tree::{Part, Places};

/// Most errors kept of one text, and most of all other findings.
const MOST: usize = 1_000;

/// Findings so far, and where things are.
pub(super) struct Reporter<'a> {
    text: &'a str,
    places: Places,
    findings: Vec<Diagnostic>,
    errors: usize,
    /// Findings that are only counted, by code.
    left_out: BTreeMap<Code, usize>,
    scratch: Diagnostic,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(text: &'a str, places: Places, findings: Vec<Diagnostic>) -> Self {
        let errors = findings.iter().filter(|finding| finding.is_error()).count();
        let scratch = Diagnostic::new(Code::TooLarge, "", None, "");
        Self { text, places, findings, errors, left_out: BTreeMap::new(), scratch }
    }

    /// Whether further findings of a code are only counted. Warnings never take the room of errors.
    pub(super) fn is_full(&self, code: Code) -> bool {
        let kept = if is_error(code) { self.errors } else { self.findings.len() - self.errors };
        kept >= MOST
    }

    /// Counts a finding that nobody will see.
    pub(super) fn leave_out(&mut self, code: Code) -> &mut Diagnostic {
        *self.left_out.entry(code).or_default() += 1;
        &mut self.scratch
    }

    /// Whether findings of a code were left out; they do not count any more.
    pub(super) fn accept_left_out(&mut self, code: Code) -> bool {
        self.left_out.remove(&code).is_some()
    }

    /// Reports something about a key.
    pub(super) fn key(&mut self, code: Code, pointer: &str, message: impl Into<String>) -> &mut Diagnostic {
        if self.is_full(code) {
            return self.leave_out(code);
        }
        let span = self.span(pointer, Part::Key);
        self.push(Diagnostic::new(code, pointer, Some(span), message))
    }

    /// Reports something about a value.
    pub(super) fn value(&mut self, code: Code, pointer: &str, message: impl Into<String>) -> &mut Diagnostic {
        if self.is_full(code) {
            return self.leave_out(code);
        }
        let span = self.span(pointer, Part::Value);
        self.push(Diagnostic::new(code, pointer, Some(span), message))
    }

    /// Reports something whose place is known already: it was moved within the document since.
    pub(super) fn at(
        &mut self,
        code: Code,
        pointer: &str,
        span: Span,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Diagnostic::new(code, pointer, Some(span), message))
    }

    /// Reports something about a part of a text, given by its first byte and its length within that text.
    pub(super) fn within(
        &mut self,
        code: Code,
        pointer: &str,
        text: &str,
        (from, length): (usize, usize),
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let span = self.span(pointer, Part::Value);
        let span = self.narrowed(span, text, from, length).unwrap_or(span);
        self.push(Diagnostic::new(code, pointer, Some(span), message))
    }

    /// The place of a value.
    pub(super) fn place(&self, pointer: &str) -> Span {
        self.span(pointer, Part::Value)
    }

    /// Where things are, for those who move them.
    pub(super) fn places_mut(&mut self) -> &mut Places {
        &mut self.places
    }

    /// The place of something, for a label.
    pub(super) fn label(&self, pointer: &str, part: Part, text: impl Into<String>) -> Label {
        Label { span: self.span(pointer, part), text: text.into() }
    }

    /// Says whether a value has a finding of a code already.
    pub(super) fn has(&self, code: Code, pointer: &str) -> bool {
        self.findings.iter().any(|finding| finding.code == code && finding.pointer == pointer)
    }

    /// Says whether there is any finding of a code.
    pub(super) fn has_any(&self, code: Code) -> bool {
        self.left_out.contains_key(&code) || self.findings.iter().any(|finding| finding.code == code)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.left_out.keys().any(|code| is_error(*code)) || self.findings.iter().any(Diagnostic::is_error)
    }

    /// Whether something is wrong with syntax, types, names or the graph: what follows from them is unknown.
    pub(super) fn is_unsound(&self) -> bool {
        let unsound = |code: Code| code < Code::PromoteBeforeFence;
        self.left_out.keys().any(|code| unsound(*code) && is_error(*code))
            || self.findings.iter().any(|finding| unsound(finding.code) && finding.is_error())
    }

    /// The findings, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.findings.sort_by_key(|finding| (finding.span, finding.code));
        if !self.left_out.is_empty() {
            let message = format!("{} further findings are not shown", self.left_out.values().sum::<usize>());
            let mut rest = Diagnostic::new(Code::TooLarge, "", None, message);
            if !self.left_out.keys().any(|code| is_error(*code)) {
                rest.severity = Severity::Warning;
            }
            rest.help = Some("put the ones above right first".to_owned());
            self.findings.push(rest);
        }
        self.findings
    }

    /// Takes all findings of a code away.
    pub(super) fn drop_all(&mut self, code: Code) {
        self.left_out.remove(&code);
        self.findings.retain(|finding| finding.code != code);
    }

    /// Gives all findings of a code a severity; a note stays one.
    pub(super) fn set_severity(&mut self, code: Code, severity: Severity) {
        let of_code = |finding: &&mut Diagnostic| finding.code == code && finding.severity != Severity::Note;
        self.findings.iter_mut().filter(of_code).for_each(|finding| finding.severity = severity);
    }

    /// The findings, for those who change them.
    pub(super) fn findings_mut(&mut self) -> &mut [Diagnostic] {
        &mut self.findings
    }

    fn span(&self, pointer: &str, part: Part) -> Span {
        self.places.locate(pointer, part)
    }

    fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        let (at, code) = (self.findings.len(), diagnostic.code);
        if self.is_full(code) {
            return self.leave_out(code);
        }
        self.errors += usize::from(is_error(code));
        self.findings.push(diagnostic);
        self.findings.get_mut(at).unwrap_or(&mut self.scratch)
    }

    /// A part of a scalar, where the text stands in the document as it is (plain, or quoted without escapes).
    fn narrowed(&self, span: Span, text: &str, from: usize, length: usize) -> Option<Span> {
        let raw = self.text.get(span.start as usize..span.end as usize)?;
        let (inner, quote) = match raw.as_bytes().first()? {
            b'"' | b'\'' => (raw.get(1..raw.len().checked_sub(1)?)?, 1),
            _ => (raw, 0),
        };
        if inner != text || text.contains('\n') {
            return None;
        }
        let before = raw.get(..quote + from)?.chars().count();
        let start = span.start + u32::try_from(quote + from).ok()?;
        let column = span.column + u32::try_from(before).ok()?;
        Some(Span { line: span.line, column, start, end: start + u32::try_from(length).ok()? })
    }
}

fn is_error(code: Code) -> bool {
    code.entry().severity == Severity::Error
}

impl Diagnostic {
    /// Adds what to do.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place.
    pub(super) fn also(&mut self, label: Label) -> &mut Self {
        self.labels.push(label);
        self
    }

    /// Sets another severity than the code has by default.
    pub(super) fn as_severity(&mut self, severity: Severity) -> &mut Self {
        self.severity = severity;
        self
    }
}
