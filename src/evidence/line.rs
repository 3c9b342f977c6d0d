//! Text from outside on one line for a person. Pure; the whole text is left to programs.

/// Longest form of a value on a line, in characters.
const VALUE_CHARS: usize = 96;

/// The first line that says something, with `…` where more follow. What moves a terminal's cursor or colours
/// it becomes a space.
#[must_use]
pub fn first_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let plain: String = first.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if lines.next().is_some() { format!("{plain} …") } else { plain }
}

/// A value as compact JSON, cut where it is long.
#[must_use]
pub(super) fn brief(value: &serde_json::Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lines_become_one_that_says_so() {
        assert_eq!(first_line("one"), "one");
        assert_eq!(first_line("\n  one\x1b[31m\t!\ntwo\n"), "one [31m ! …");
        assert_eq!(first_line(""), "");
    }

    #[test]
    fn long_values_are_cut_between_letters() {
        let short = serde_json::json!({"pid": 7});
        assert_eq!(brief(&short), r#"{"pid":7}"#);
        let long = brief(&serde_json::json!("ä".repeat(200)));
        assert_eq!((long.chars().count(), long.chars().last()), (VALUE_CHARS + 1, Some('…')));
    }
}
