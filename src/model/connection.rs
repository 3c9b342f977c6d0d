//! Connection strings of PostgreSQL: `name=value …` by the rules of libpq, and where they lead. Never prints
//! a value.

/// Keys that decide which server answers.
const PLACE: [&str; 4] = ["host", "hostaddr", "port", "service"];

/// Options of a connection that can be used, beside those of TLS.
const OPTIONS: [&str; 18] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "host",
    "hostaddr",
    "port",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
    "sslnegotiation",
];

/// Stands in a connection string for what nobody knows yet.
pub const UNKNOWN: char = '\u{fffd}';

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

/// What keeps a connection string from being used, in words that hold nothing of it.
#[must_use]
pub fn fault(text: &str) -> Option<&'static str> {
    let mut ends_without_value = false;
    let options: Vec<(&str, String)> = if is_url(text) {
        text.split_once("://").map(|(_, rest)| options_of_url(rest)).unwrap_or_default()
    } else {
        let Some(pairs) = pairs(text) else {
            return Some("it is neither `name=value …` nor a postgresql:// address");
        };
        // An option without a value can only be the last one: any other takes what follows.
        ends_without_value =
            pairs.last().is_some_and(|last| last.value.is_empty() && !last.text.ends_with('\''));
        pairs.into_iter().map(|pair| (pair.name, pair.value)).collect()
    };
    if options.iter().any(|(name, _)| name.contains(UNKNOWN)) {
        return None;
    }
    let given = |key: &str| options.iter().any(|(name, value)| *name == key && !value.is_empty());
    let wrong = options.iter().find_map(|(name, value)| fault_of(name, value));
    wrong.or_else(|| (!given("host") && !given("hostaddr")).then_some("it names no host")).or_else(|| {
        let encrypted = |(name, value): &(&str, String)| {
            *name == "sslmode" && !["disable", "allow", "prefer"].contains(&value.as_str())
        };
        let uncertain = given("sslrootcert") && !options.iter().any(encrypted);
        uncertain
            .then_some("`sslrootcert` needs `sslmode=verify-full` beside it")
            .or_else(|| ends_without_value.then_some("its last option has no value"))
            .or_else(|| fault_of_counts(&options))
    })
}

/// Hosts, their addresses and their ports belong together by their places.
fn fault_of_counts(options: &[(&str, String)]) -> Option<&'static str> {
    let of = |key: &'static str| options.iter().filter(move |(name, _)| *name == key).map(|(_, value)| value);
    if ["host", "hostaddr", "port"].into_iter().flat_map(of).any(|value| value.contains([UNKNOWN, '%'])) {
        return None;
    }
    let count = |key| of(key).map(|value| value.split(',').count()).sum::<usize>();
    let (hosts, addresses, ports) = (count("host"), count("hostaddr"), count("port"));
    if hosts > 0 && addresses > 0 && hosts != addresses {
        return Some("it has not as many addresses (`hostaddr`) as hosts");
    }
    (ports > 1 && ports != hosts.max(addresses)).then_some("it has not as many ports as hosts")
}

fn fault_of(name: &str, value: &str) -> Option<&'static str> {
    let is_open = value.contains([UNKNOWN, '%']);
    let is_number = |range: std::ops::RangeInclusive<i64>| {
        is_open || value.parse::<i64>().is_ok_and(|number| range.contains(&number))
    };
    let is_one_of = |words: &[&str]| is_open || words.contains(&value);
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok_and(|port| port > 0);
    match name {
        "port" => {
            (!is_open && !value.split(',').all(is_port)).then_some("its port is no number from 1 to 65535")
        }
        "connect_timeout" | "tcp_user_timeout" | "keepalives_idle" | "keepalives_interval" => {
            (!is_number(i64::MIN..=i64::MAX)).then_some("one of its times is no whole number of seconds")
        }
        "keepalives" | "keepalives_retries" => {
            (!is_number(0..=i64::from(u32::MAX))).then_some("what it says of keepalives is no number")
        }
        "sslmode" => {
            let modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
            (!is_open && !modes.contains(&value)).then_some("its sslmode is none that libpq knows")
        }
        // Blanks may stand around `=`, so an empty value takes what follows.
        "host" | "hostaddr" => {
            value.contains('=').then_some("its host is empty: the next option is taken for it")
        }
        "sslrootcert" => None,
        "target_session_attrs" => (!is_one_of(&["any", "read-write", "read-only"]))
            .then_some("its target_session_attrs is none of any, read-write, read-only"),
        "channel_binding" => (!is_one_of(&["disable", "prefer", "require"]))
            .then_some("its channel_binding is none of disable, prefer, require"),
        "load_balance_hosts" => (!is_one_of(&["disable", "random"]))
            .then_some("its load_balance_hosts is neither disable nor random"),
        "sslnegotiation" => (!is_one_of(&["postgres", "direct"]))
            .then_some("its sslnegotiation is neither postgres nor direct"),
        "service" => Some("files of services are not looked at: name the host"),
        "passfile" => Some(
            "files of passwords are not looked at: declare the password under `secrets`, and write \
             `password={{ secrets.NAME }}` instead",
        ),
        other => (!OPTIONS.contains(&other)).then_some("it has an option that drctl does not know"),
    }
}

/// What a URL after its scheme says, by the names of options: hosts and ports first.
fn options_of_url(rest: &str) -> Vec<(&str, String)> {
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let hosts = before.split('/').next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    let mut options = Vec::new();
    for host in hosts.split(',').filter(|_| !hosts.is_empty()) {
        let name_ends = host.rfind(']').map_or(0, |at| at + 1);
        let port = host.get(name_ends..).and_then(|rest| rest.find(':')).map(|at| name_ends + at);
        let (host, port) = port.map_or((host, ""), |at| host.split_at(at));
        options.push(("host", host.to_owned()));
        options.push(("port", port.trim_start_matches(':').to_owned()));
    }
    let asked = query.split('&').filter_map(|pair| pair.split_once('='));
    options.extend(asked.map(|(name, value)| (name, value.to_owned())));
    options
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
    use super::{fault, pairs, server};

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

    #[test]
    fn what_cannot_be_used_is_told_without_any_of_it() {
        for text in [
            "host=db.east port=5432 dbname=pay user=dr",
            "host=/var/run/postgresql dbname=pay",
            "hostaddr=10.0.0.1 connect_timeout=3",
            "host=a,b port=5432,",
            "host=a,b port=5432 target_session_attrs=read-write load_balance_hosts=random",
            "host=a port='' channel_binding=require sslnegotiation=direct",
            "host=a hostaddr=10.0.0.1 target_session_attrs=\u{fffd} port=\u{fffd},5432",
            "postgresql://a:1,b/pay?target_session_attrs=any",
            "host=a password=\u{fffd} port=\u{fffd} sslmode=\u{fffd}",
            "\u{fffd} port=x",
            "host=a sslmode=verify-full sslrootcert=/x",
            "postgres://dr@db.east/pay",
            "postgresql://dr:x@[::1]:6432,b/pay?sslmode=require&connect_timeout=3",
            "postgresql:///pay?host=/tmp",
            "postgresql://dr:\u{fffd}@\u{fffd}/pay",
            "postgresql://\u{fffd}:\u{fffd}/pay",
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
        for (text, said) in [
            ("", "no host"),
            ("host=", "no host"),
            ("host= dbname=pay", "taken for it"),
            ("dbname=pay", "no host"),
            ("postgresql://dr@/pay", "no host"),
            ("prod", "neither"),
            ("host='a", "neither"),
            ("host=a port=abc", "port"),
            ("host=a port=70000", "port"),
            ("host=a port=0", "port"),
            ("postgres://dr@db:abc/pay", "port"),
            ("service=pay", "services"),
            ("host=a connect_timeout=soon", "times"),
            ("host=a sslmode=always", "sslmode"),
            ("host=a sslrootcert=/x", "verify-full"),
            ("host=a hunter2=x", "option that drctl does not know"),
            ("host=a passfile=/x", "password={{ secrets.NAME }}"),
            ("host=a target_session_attrs=primary", "target_session_attrs"),
            ("host=a target_session_attrs=prefer-standby", "read-only"),
            ("postgres://a/pay?target_session_attrs=primary", "target_session_attrs"),
            ("host=a channel_binding=maybe", "channel_binding"),
            ("host=a sslnegotiation=foo", "sslnegotiation"),
            ("host=a load_balance_hosts=yes", "load_balance_hosts"),
            ("host=a port=", "no value"),
            ("host=a password=", "no value"),
            ("host=a port=5432,", "ports"),
            ("host=a,b,c port=1,2", "ports"),
            ("postgres://a:1/pay?port=2", "ports"),
            ("host=a,b hostaddr=10.0.0.1", "addresses"),
        ] {
            let fault = fault(text).unwrap_or_else(|| panic!("{text}"));
            assert!(fault.contains(said) && !fault.contains("hunter2"), "{text}: {fault}");
        }
    }
}
