//! Draws findings for a terminal: message, place, excerpt, help. Never prints more of the text than the
//! lines concerned.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Code, Diagnostic, Severity, Span};

/// Longest line shown as an excerpt, in bytes; of longer ones only the place is named.
const EXCERPT_BYTES: usize = 1_000;

/// Draws all findings, one after the other, with the excerpts of the text they are about. What looks like a
/// secret is blotted out: the drawing ends up in the logs of a build.
#[must_use]
pub fn render(source_name: &str, text: &str, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let text = blotted(text, diagnostics);
    let mut drawn = String::new();
    for diagnostic in diagnostics {
        drawn.push_str(&renderer.render(&[group(source_name, &text, diagnostic)]));
        drawn.push_str("\n\n");
    }
    drawn
}

/// The text with its secrets as asterisks, every byte in its place.
fn blotted<'t>(text: &'t str, diagnostics: &[Diagnostic]) -> Cow<'t, str> {
    let secrets = diagnostics.iter().filter(|diagnostic| diagnostic.code == Code::SecretInText);
    secrets.filter_map(|diagnostic| diagnostic.span).fold(Cow::Borrowed(text), |text, span| {
        let range = span.start as usize..span.end as usize;
        let Some(secret) = text.get(range.clone()) else { return text };
        let stars: String = secret.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
        let mut text = text.into_owned();
        text.replace_range(range, &stars);
        Cow::Owned(text)
    })
}

fn group<'a>(source_name: &'a str, text: &'a str, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
    let mut group = match diagnostic.span {
        None => title.element(Origin::path(source_name)),
        Some(span) => place(Group::with_title(title), source_name, text, span, None),
    };
    for label in &diagnostic.labels {
        group = place(group, source_name, text, label.span, Some(&label.text));
    }
    if let Some(accepted) = &diagnostic.accepted {
        let words = format!("accepted until {}: {}", accepted.until, accepted.reason);
        group = group.element(Level::NOTE.message(words));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

fn place<'a>(
    group: Group<'a>,
    name: &'a str,
    text: &'a str,
    span: Span,
    label: Option<&'a str>,
) -> Group<'a> {
    let (start, end) = (span.start as usize, span.end as usize);
    let excerpt = excerpt(text, start..end);
    match excerpt {
        Some((from, lines)) => {
            let kind = if label.is_some() { AnnotationKind::Context } else { AnnotationKind::Primary };
            let end = end.max(start).min(from + lines.trim_end().len()).max(start);
            let annotation = kind.span(start - from..end - from).label(label);
            let snippet =
                Snippet::source(lines).line_start(span.line as usize).path(name).annotation(annotation);
            group.element(snippet)
        }
        None => group.element(Origin::path(name).line(span.line as usize).char_column(span.column as usize)),
    }
}

/// The line a place begins on, and where it begins in the text.
fn excerpt(text: &str, span: Range<usize>) -> Option<(usize, &str)> {
    let before = text.get(..span.start)?;
    let from = before.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(from..)?;
    let line = rest.split_inclusive('\n').next().unwrap_or("");
    (line.len() <= EXCERPT_BYTES).then_some((from, line))
}

#[cfg(test)]
mod tests {
    use super::super::Label;
    use super::*;

    fn span(line: u32, column: u32, start: u32, end: u32) -> Span {
        Span { line, column, start, end }
    }

    #[test]
    fn a_finding_shows_its_place_and_help() {
        let mut one = Diagnostic::new(Code::UnknownKey, "/b", Some(span(2, 1, 5, 6)), "unknown key `b`");
        one.help = Some("use `c`".to_owned());
        one.labels.push(Label { span: span(1, 1, 0, 1), text: "here".to_owned() });
        let drawn = render("x.yaml", "a: 1\nb: 2\n", &[one], false);
        for part in ["error[DR0110]: unknown key `b`", "x.yaml:2:1", "2 | b: 2", "here", "help: use `c`"] {
            assert!(drawn.contains(part), "{part} in\n{drawn}");
        }
    }

    #[test]
    fn secrets_are_blotted_out_of_every_excerpt() {
        let text = "a: {password: hunt\u{e9}r2, c: 1}\n";
        let secret = Diagnostic::new(Code::SecretInText, "", Some(span(1, 15, 14, 22)), "m");
        let other = Diagnostic::new(Code::UnknownKey, "", Some(span(1, 24, 24, 25)), "m");
        let drawn = render("x.yaml", text, &[other, secret], false);
        assert!(!drawn.contains("hunt") && drawn.contains("password: ********, c: 1"), "{drawn}");
    }

    #[test]
    fn places_outside_the_text_and_very_long_lines_are_only_named() {
        let text = "x".repeat(1 << 20);
        let far = Diagnostic::new(Code::WrongType, "", Some(span(9, 9, u32::MAX, 0)), "m");
        let long = Diagnostic::new(Code::WrongType, "", Some(span(1, 500_001, 500_000, 500_002)), "m");
        let drawn = render("x.yaml", &text, &[far, long], true);
        assert!(drawn.len() < 2_000 && drawn.contains("1:500001"), "{drawn}");
    }
}
