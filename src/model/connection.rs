//! Connection strings of PostgreSQL: `name=value …` by the rules of libpq, and where they lead. Never prints
//! a value.

/// Keys that decide which server answers.
const PLACE: [&str; 4] = ["host", "hostaddr", "port", "service"];

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

/// Says whether a connection string is a URL, which [`pairs`] does not take apart.
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

/// Which server a connection string leads to, in one form however it is written; `None` when it does not say.
#[must_use]
pub fn server(text: &str) -> Option<String> {
    let text = text.trim();
    if is_url(text) {
        return text.split_once("://").and_then(|(_, rest)| hosts_of_url(rest));
    }
    let pairs = pairs(text)?;
    let value = |key: &str| {
        let found = pairs.iter().find(|pair| pair.name.eq_ignore_ascii_case(key));
        found.map(|pair| pair.value.to_ascii_lowercase())
    };
    place(value)
}

/// The server that is named: by its address, where that is given beside a name.
fn place(value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let [host, address, port, service] = PLACE.map(|key| value(key).filter(|text| !text.is_empty()));
    match (address.or(host), service) {
        (Some(host), _) => Some(format!("{host}:{}", port.unwrap_or_else(|| "5432".to_owned()))),
        (None, service) => service.map(|service| format!("service {service}")),
    }
}

/// The hosts of a URL after its scheme, each with its port. What its query says of them counts more.
fn hosts_of_url(rest: &str) -> Option<String> {
    let rest = rest.split('#').next().unwrap_or_default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let asked: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let value = |key: &str| {
        asked
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.to_ascii_lowercase())
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    if hosts.is_empty() || value("hostaddr").is_some() {
        return place(value);
    }
    let with_port = |host: &str| {
        let bracketed = host.rfind(']').map_or(0, |at| at + 1);
        let named = host.get(bracketed..).is_some_and(|rest| rest.contains(':'));
        if named { host.to_owned() } else { format!("{host}:5432") }
    };
    let hosts: Vec<_> = hosts.split(',').map(with_port).collect();
    Some(hosts.join(",").to_ascii_lowercase())
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
    use super::{pairs, server};

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

    #[test]
    fn a_server_is_the_same_however_it_is_written() {
        for (text, expected) in [
            ("host=db.east dbname=pay user=dr", Some("db.east:5432")),
            ("user=dr host='DB.east' port=6432", Some("db.east:6432")),
            ("postgres://dr@db.east/pay", Some("db.east:5432")),
            ("postgresql://dr:x@db.east:6432/pay?sslmode=require", Some("db.east:6432")),
            ("host=pg.int hostaddr=10.0.0.1", Some("10.0.0.1:5432")),
            ("postgres://dr@pg.int/pay?hostaddr=10.0.0.1", Some("10.0.0.1:5432")),
            ("postgresql://dr@/pay?host=db.east&port=6432", Some("db.east:6432")),
            ("postgresql:///pay", None),
            ("host='' dbname=pay", None),
            ("service=pay", Some("service pay")),
            ("dbname=pay", None),
            ("", None),
        ] {
            assert_eq!(server(text).as_deref(), expected, "{text}");
        }
    }
}
