//! Which server a connection string of PostgreSQL leads to. Never shows or keeps a password.

/// Keys that decide which server answers.
const KEYS: [&str; 4] = ["host", "hostaddr", "port", "service"];

/// What of a connection string says where it leads, in one form; nothing where it does not say.
pub(super) fn server(text: &str) -> Option<String> {
    let text = text.trim();
    let uri = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
    if let Some(rest) = uri {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let hosts = authority.rsplit('@').next().unwrap_or_default();
        let with_port = |host: &str| {
            let bracketed = host.rfind(']').map_or(0, |at| at + 1);
            let named = host.get(bracketed..).is_some_and(|rest| rest.contains(':'));
            if named { host.to_owned() } else { format!("{host}:5432") }
        };
        let hosts: Vec<_> = hosts.split(',').map(with_port).collect();
        return (!authority.is_empty()).then(|| hosts.join(",").to_ascii_lowercase());
    }
    let pairs: Vec<(&str, &str)> = text.split_whitespace().filter_map(|word| word.split_once('=')).collect();
    let value = |key: &str| {
        let found = pairs.iter().find(|(own, _)| own.eq_ignore_ascii_case(key));
        found.map(|(_, value)| value.trim_matches('\'').to_ascii_lowercase())
    };
    let [host, address, port, service] = KEYS.map(value);
    match (host.or(address), service) {
        (Some(host), _) => Some(format!("{host}:{}", port.unwrap_or_else(|| "5432".to_owned()))),
        (None, Some(service)) => Some(format!("service {service}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::server;

    #[test]
    fn a_server_is_the_same_however_it_is_written() {
        for (text, expected) in [
            ("host=db.east dbname=pay user=dr", Some("db.east:5432")),
            ("user=dr host='DB.east' port=6432", Some("db.east:6432")),
            ("postgres://dr@db.east/pay", Some("db.east:5432")),
            ("postgresql://dr:x@db.east:6432/pay?sslmode=require", Some("db.east:6432")),
            ("service=pay", Some("service pay")),
            ("dbname=pay", None),
            ("", None),
        ] {
            assert_eq!(server(text).as_deref(), expected, "{text}");
        }
    }
}
