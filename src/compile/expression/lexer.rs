//! Splits expressions and templates into tokens. Knows the words of minijinja only as far as names must be
//! found.

/// One token and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::compile) struct Token<'t> {
    pub(in crate::compile) kind: Kind<'t>,
    pub(in crate::compile) from: usize,
    pub(in crate::compile) to: usize,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::compile) enum Kind<'t> {
    Word(&'t str),
    Text(&'t str),
    Number(&'t str),
    Sign(char),
    /// Between two tags of a template.
    Break,
}

/// Tokens of a bare expression.
pub(super) fn expression(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    scan(text, 0, None, &mut tokens);
    tokens
}

/// Tokens of all tags of a template; what is outside of them is not looked at.
pub(in crate::compile) fn template(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(open) = text.get(at..).and_then(|rest| rest.find('{')).map(|found| at + found) {
        let close = match text.as_bytes().get(open + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => {
                at = text
                    .get(open..)
                    .and_then(|rest| rest.find("#}"))
                    .map_or(text.len(), |found| open + found + 2);
                continue;
            }
            _ => {
                at = open + 1;
                continue;
            }
        };
        at = scan(text, open + 2, Some(close), &mut tokens);
        tokens.push(Token { kind: Kind::Break, from: at, to: at });
    }
    tokens
}

/// Scans up to `close` outside of quotes and brackets; returns where it went on.
fn scan<'t>(text: &'t str, mut at: usize, close: Option<&str>, tokens: &mut Vec<Token<'t>>) -> usize {
    let mut braces = 0_usize;
    while let Some(rest) = text.get(at..) {
        let Some(c) = rest.chars().next() else { break };
        if braces == 0 && close.is_some_and(|close| rest.starts_with(close)) {
            return at + 2;
        }
        let length = match c {
            '"' | '\'' => quoted(rest, c),
            c if c.is_alphabetic() || c == '_' => run(rest, |c| c.is_alphanumeric() || c == '_'),
            c if c.is_ascii_digit() => run(rest, |c| c.is_ascii_digit() || c == '_'),
            c => c.len_utf8(),
        };
        let slice = rest.get(..length).unwrap_or(rest);
        let kind = match c {
            '"' | '\'' => Some(Kind::Text(slice.get(1..length.saturating_sub(1)).unwrap_or(""))),
            c if c.is_alphabetic() || c == '_' => Some(Kind::Word(slice)),
            c if c.is_ascii_digit() => Some(Kind::Number(slice)),
            c if c.is_whitespace() => None,
            c => Some(Kind::Sign(c)),
        };
        match c {
            '{' => braces += 1,
            '}' => braces = braces.saturating_sub(1),
            _ => {}
        }
        tokens.extend(kind.map(|kind| Token { kind, from: at, to: at + length }));
        at += length;
    }
    text.len()
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// Length of a quoted text with its quotes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
