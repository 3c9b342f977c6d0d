//! Names of records: the one form they are compared in, and the order Route 53 lists them in. Must never
//! fail, whatever a name looks like.

use std::cmp::Ordering;

/// A name in the form in which names are compared: lower case, without the last dot, with characters in place
/// of the escapes that Route 53 answers with (`\052` for `*`).
pub(super) fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    let mut rest = name.strip_suffix('.').unwrap_or(name).chars();
    while let Some(c) = rest.next() {
        let escaped = (c == '\\').then(|| rest.as_str().get(..3)).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(u8::is_ascii_graphic) {
            // A dot inside a label is not one between labels.
            Some(byte) if byte != b'.' && byte != b'\\' => {
                normal.push(char::from(byte));
                rest.nth(2);
            }
            _ => normal.push(c),
        }
    }
    normal.make_ascii_lowercase();
    normal
}

/// The order in which Route 53 lists names in normal form: by their labels, the last one first.
pub(super) fn order(one: &str, other: &str) -> Ordering {
    one.rsplit('.').cmp(other.rsplit('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_equal_however_they_are_written() {
        assert_eq!(normal("WWW.Example.com."), "www.example.com");
        assert_eq!(normal("\\052.example.com."), "*.example.com");
        assert_eq!(normal("a\\056b.example.com"), "a\\056b.example.com");
        for odd in ["", ".", "\\", "\\05", "\\é12.x", "é\\052", "\\999"] {
            normal(odd);
        }
    }

    #[test]
    fn the_order_goes_from_the_last_label_to_the_first() {
        let mut names = ["www.example.com", "example.com", "a.b.example.com", "b.example.com", "example.org"];
        names.sort_by(|one, other| order(one, other));
        assert_eq!(
            names,
            ["example.com", "b.example.com", "a.b.example.com", "www.example.com", "example.org"]
        );
    }
}
