//! The options of a connection string that libpq knows and the driver does not. Must never print a value.

use percent_encoding::percent_decode_str;

use crate::model::connection;

/// Takes the last value of an option out of a connection string, a URL or `name=value …`. A string that is
/// neither is returned as it is: the driver says what is wrong with it.
#[must_use]
pub fn take(text: &str, option: &str) -> (String, Option<String>) {
    if connection::is_url(text) {
        return take_from_url(text, option);
    }
    let Some(pairs) = connection::pairs(text) else { return (text.to_owned(), None) };
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
