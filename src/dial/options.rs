//! The options of a connection string that libpq knows and the driver does not. Must never print a value.

use percent_encoding::percent_decode_str;

/// Takes the last value of an option out of a connection string, a URL or `name=value …`. A string that is
/// neither is returned as it is: the driver says what is wrong with it.
#[must_use]
pub fn take(text: &str, option: &str) -> (String, Option<String>) {
    if text.starts_with("postgresql://") || text.starts_with("postgres://") {
        return take_from_url(text, option);
    }
    let Some(pairs) = pairs(text) else { return (text.to_owned(), None) };
    let mut value = None;
    let mut rest = String::with_capacity(text.len());
    for pair in pairs {
        if pair.name == option {
            value = Some(pair.value);
        } else {
            rest.push_str(pair.text);
            rest.push(' ');
        }
    }
    (rest, value)
}

fn take_from_url(text: &str, option: &str) -> (String, Option<String>) {
    let Some((before, query)) = text.split_once('?') else { return (text.to_owned(), None) };
    let mut value = None;
    let mut kept = Vec::new();
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some((name, found)) if name == option => {
                value = Some(percent_decode_str(found).decode_utf8_lossy().into_owned());
            }
            Some(_) | None => kept.push(pair),
        }
    }
    let separator = if kept.is_empty() { "" } else { "?" };
    (format!("{before}{separator}{}", kept.join("&")), value)
}

/// One `name=value`, as it stands in the text and taken apart.
struct Pair<'a> {
    text: &'a str,
    name: &'a str,
    value: String,
}

/// Takes `name=value …` apart, by the rules of libpq: blanks around `=`, single quotes, backslashes.
/// `None` when it is something else.
fn pairs(text: &str) -> Option<Vec<Pair<'_>>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, left) = value(after)?;
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
    use super::take;

    #[test]
    fn options_are_taken_out_of_either_form() {
        for (text, rest, value) in [
            ("host=a sslrootcert=/x/ca.pem port=1", "host=a port=1 ", Some("/x/ca.pem")),
            ("sslrootcert = '/a b/it\\'s' host = a", "host = a ", Some("/a b/it's")),
            ("sslrootcert=/one sslrootcert=/two", "", Some("/two")),
            ("password='x sslrootcert=/y' host=a", "password='x sslrootcert=/y' host=a ", None),
            (
                "postgresql://u@h/d?sslrootcert=%2Fx%20y&sslmode=require",
                "postgresql://u@h/d?sslmode=require",
                Some("/x y"),
            ),
            ("postgres://u@h/d?sslrootcert=/x", "postgres://u@h/d", Some("/x")),
            ("host=a 'sslrootcert", "host=a 'sslrootcert", None),
            ("password='unclosed sslrootcert=/x", "password='unclosed sslrootcert=/x", None),
        ] {
            assert_eq!(take(text, "sslrootcert"), (rest.to_owned(), value.map(str::to_owned)), "{text}");
        }
    }
}
