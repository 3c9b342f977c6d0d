//! Cuts text that came from outside to a size and shape that is safe to show. Must never fail, whatever it is
//! given.

use crate::model::limits;

/// Lines kept of what a program said last.
const TAIL_LINES: usize = 10;

/// The last lines of a text, without control characters, at most [`limits::MESSAGE_CHARS`] characters.
pub(super) fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let kept = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n");
    let clean = printable(&kept);
    let surplus = clean.chars().count().saturating_sub(limits::MESSAGE_CHARS);
    clean.chars().skip(surplus).collect()
}

/// The beginning of a text, on one line, without control characters, at most `chars` characters.
pub(super) fn head(text: &str, chars: usize) -> String {
    let line = printable(text).replace('\n', " ");
    let line = line.trim();
    if line.chars().count() <= chars {
        return line.to_owned();
    }
    line.chars().take(chars).chain(std::iter::once('…')).collect()
}

/// A message of a failure: cut to [`limits::MESSAGE_CHARS`] characters, without control characters.
pub(super) fn message(text: &str) -> String {
    printable(text).chars().take(limits::MESSAGE_CHARS).collect()
}

/// Replaces control characters, so that nothing a server or program says can steer a terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => '\n',
        c if c.is_control() => ' ',
        c => c,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_last_lines_without_anything_that_steers_a_terminal() {
        let text = (1..=20).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let kept = tail(text.as_bytes());
        assert!(kept.starts_with("line 11\n") && kept.ends_with("line 20"), "{kept}");
        assert_eq!(tail(b"a\x1b[31mred\xff\n\n"), "a [31mred\u{fffd}");
        assert_eq!(tail("é".repeat(5_000).as_bytes()).chars().count(), limits::MESSAGE_CHARS);
    }

    #[test]
    fn the_head_is_one_short_line() {
        assert_eq!(head("  one\ntwo\u{7} ", 20), "one two");
        assert_eq!(head("abcdef", 3), "abc…");
    }
}
