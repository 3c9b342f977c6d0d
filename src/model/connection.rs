//! Connection strings of PostgreSQL in the form `name=value …`, by the rules of libpq. Never prints a value.

/// One `name=value`, as it stands in the text and taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Pair<'a> {
    /// As it stands in the text, quotes included.
    pub text: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its value, without quotes and backslashes.
    pub value: String,
}

/// Says whether a connection string is a URL, which this module does not take apart.
#[must_use]
pub fn is_url(text: &str) -> bool {
    text.starts_with("postgresql://") || text.starts_with("postgres://")
}

/// Takes `name=value …` apart: blanks around `=`, single quotes, backslashes. `None` when it is something
/// else.
#[must_use]
pub fn pairs(text: &str) -> Option<Vec<Pair<'_>>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, left) = value(after.trim_start())?;
        let length = rest.len() - left.len();
        pairs.push(Pair { text: rest.get(..length)?, name: name.trim_end(), value });
        rest = left.trim_start();
    }
    Some(pairs)
}

/// Reads a value; returns it with what follows.
fn value(text: &str) -> Option<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            '\'' if quoted => return Some((value, text.get(at + 1..)?)),
            blank if blank.is_whitespace() && !quoted => return Some((value, text.get(at..)?)),
            other => value.push(other),
        }
    }
    (!quoted).then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn pairs_are_read_as_libpq_reads_them() {
        for (text, expected) in [
            ("", &[][..]),
            ("host=a port=1", &[("host", "a", "host=a"), ("port", "1", "port=1")]),
            ("  host = a ", &[("host", "a", "host = a")]),
            (
                r"user='it\'s a' dbname=x",
                &[("user", "it's a", r"user='it\'s a'"), ("dbname", "x", "dbname=x")],
            ),
            (r"password=a\ b", &[("password", "a b", r"password=a\ b")]),
            ("password= host=a", &[("password", "host=a", "password= host=a")]),
        ] {
            let found = pairs(text).unwrap();
            let found: Vec<_> = found.iter().map(|it| (it.name, it.value.as_str(), it.text)).collect();
            assert_eq!(found, expected, "{text}");
        }
        for text in ["prod", "host='prod", "host=a b", r"host=a\"] {
            assert!(pairs(text).is_none(), "{text}");
        }
    }
}
