//! Which PostgreSQL servers a connection string may lead to, and which statements are known only to read.
//! Must never take a server for fewer than the driver may reach, and never names a user or a password.

use super::boundary::Touch;
use crate::model::connection;

/// Functions that only compute or read: what calls no other one changes nothing in a read-only transaction.
const READING: &[&str] = &[
    "abs",
    "age",
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "ceil",
    "char_length",
    "coalesce",
    "concat",
    "count",
    "current_database",
    "current_setting",
    "date_part",
    "date_trunc",
    "every",
    "extract",
    "floor",
    "greatest",
    "json_agg",
    "json_build_object",
    "jsonb_agg",
    "jsonb_build_object",
    "least",
    "length",
    "lower",
    "max",
    "min",
    "mod",
    "now",
    "nullif",
    "pg_current_wal_lsn",
    "pg_database_size",
    "pg_is_in_recovery",
    "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp",
    "pg_postmaster_start_time",
    "pg_size_pretty",
    "pg_wal_lsn_diff",
    "round",
    "row_number",
    "string_agg",
    "sum",
    "to_char",
    "to_regclass",
    "to_timestamp",
    "upper",
    "version",
];

/// Words of SQL after which a bracket opens something else than the arguments of a function.
const WORDS: &[&str] = &[
    "all",
    "and",
    "any",
    "as",
    "between",
    "by",
    "case",
    "else",
    "except",
    "exists",
    "filter",
    "from",
    "having",
    "in",
    "intersect",
    "is",
    "join",
    "like",
    "limit",
    "not",
    "offset",
    "on",
    "or",
    "over",
    "select",
    "some",
    "then",
    "union",
    "using",
    "values",
    "when",
    "where",
    "with",
];

/// The databases that a connection string may lead to: each of its hosts and addresses counts.
pub(super) fn databases(connection: &str) -> Vec<Touch> {
    let found = if connection::is_url(connection) { of_url(connection) } else { of_pairs(connection) };
    match found {
        Ok((servers, name)) if !servers.is_empty() => {
            servers.into_iter().map(|server| Touch::Database(format!("{server}/{name}"))).collect()
        }
        Ok(_) => vec![Touch::Anything("its connection string names no server")],
        Err(why) => vec![Touch::Anything(why)],
    }
}

type Found = Result<(Vec<String>, String), &'static str>;

fn of_url(connection: &str) -> Found {
    const UNREADABLE: &str = "its connection string is not plain enough to tell the server";
    let (_, rest) = connection.split_once("://").unwrap_or_default();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let names = |pair: &str| pair.starts_with("host") || pair.starts_with("dbname") || pair.contains('%');
    if query.split('&').any(names) {
        return Err("its connection string names the server among its options");
    }
    let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, hosts) = authority.split_once('@').unwrap_or(("", authority));
    // Parsers differ in what these mean.
    if hosts.contains(['@', '%', '#', '\\', ' ']) || name.contains(['%', '#', '\\']) {
        return Err(UNREADABLE);
    }
    let user = user.split(':').next().unwrap_or_default();
    let mut servers = Vec::new();
    for host in hosts.split(',') {
        let host = match host.strip_prefix('[') {
            Some(inside) => inside.split_once(']').ok_or(UNREADABLE)?.0,
            None => host.split(':').next().unwrap_or(host),
        };
        servers.push(host.to_ascii_lowercase());
    }
    Ok((servers, if name.is_empty() { user.to_owned() } else { name.to_owned() }))
}

fn of_pairs(connection: &str) -> Found {
    let pairs = connection::pairs(connection).ok_or("its connection string cannot be read")?;
    let last = |key: &str| pairs.iter().rev().find(|pair| pair.name == key).map(|pair| pair.value.clone());
    // The driver keeps all hosts, also where one is given twice, and dials the addresses where there are any.
    let all = |key: &'static str| {
        pairs.iter().filter(move |pair| pair.name == key).flat_map(|pair| pair.value.split(','))
    };
    let servers = all("host").chain(all("hostaddr")).map(str::to_ascii_lowercase).collect();
    Ok((servers, last("dbname").or(last("user")).unwrap_or_default()))
}

/// Says whether a statement changes nothing in a read-only transaction: it is a query, and calls no function
/// but such as only read. A read-only transaction itself keeps no function from acting on the server, such as
/// `pg_promote()` or `pg_terminate_backend()`. What a view or an operator of the database calls is not seen.
pub(super) fn only_reads(sql: &str) -> bool {
    let Some(bare) = without_literals(sql.trim().trim_end_matches(';')) else { return false };
    let mut words = Words { rest: &bare };
    let first = words.next();
    let is_query = first.is_some_and(|(word, _, _)| {
        ["select", "with", "values", "table", "show"].contains(&word.to_ascii_lowercase().as_str())
    });
    is_query
        && words.all(|(word, qualified, opens)| {
            let word = word.to_ascii_lowercase();
            let known = READING.contains(&word.as_str()) || WORDS.contains(&word.as_str());
            !opens || (known && !qualified)
        })
}

/// A statement without its literals; `None` where it holds what a simple reader could misread.
fn without_literals(sql: &str) -> Option<String> {
    if sql.contains(['"', '\\', ';']) || sql.contains("--") || sql.contains("/*") {
        return None;
    }
    let dollar = |at: usize| sql.get(at + 1..).and_then(|rest| rest.chars().next());
    if sql.match_indices('$').any(|(at, _)| !dollar(at).is_some_and(|next| next.is_ascii_digit())) {
        return None;
    }
    let parts: Vec<&str> = sql.split('\'').collect();
    // An open quote leaves an even number of parts.
    (parts.len() % 2 == 1).then(|| parts.into_iter().step_by(2).collect::<Vec<_>>().join(" '' "))
}

/// The words of a statement, with whether each is qualified by another one and whether a bracket follows.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Words<'a> {
    type Item = (&'a str, bool, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let is_word = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$');
        let begin = self.rest.find(is_word)?;
        let qualified = self.rest.get(..begin)?.trim_end().ends_with('.');
        let from = self.rest.get(begin..)?;
        let end = from.find(|character| !is_word(character)).unwrap_or(from.len());
        let (word, left) = from.split_at_checked(end)?;
        self.rest = left;
        Some((word, qualified, left.trim_start().starts_with('(')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(connection: &str) -> Vec<String> {
        let tell = |touch: Touch| match touch {
            Touch::Database(name) => name,
            other => format!("{other:?}"),
        };
        databases(connection).into_iter().map(tell).collect()
    }

    #[test]
    fn every_server_a_connection_may_lead_to_counts_and_nothing_secret_with_them() {
        for (text, expected) in [
            ("postgres://u:pw@db.example.com:5432/pay?sslmode=require", &["db.example.com/pay"][..]),
            ("host=DB.example.com port=5432 dbname=pay user=u password=pw", &["db.example.com/pay"]),
            ("dbname=drill dbname=pay host=a host=b", &["a/pay", "b/pay"]),
            ("host=drill hostaddr=10.0.0.1 dbname=pay user=u", &["drill/pay", "10.0.0.1/pay"]),
            ("host = prod dbname=pay host=drill", &["prod/pay", "drill/pay"]),
            ("host='prod' user='a b' host=drill", &["prod/a b", "drill/a b"]),
            ("postgres://u@prod:5432,drill:5432/pay", &["prod/pay", "drill/pay"]),
            ("postgresql://u@[::1]:5432/pay", &["::1/pay"]),
            ("postgres://u:pw@drill", &["drill/u"]),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        for text in [
            "postgres://drill/pay?host=prod",
            "postgres://drill/pay?hostaddr=10.0.0.1",
            "postgres://u@prod@drill/pay",
            "postgres://%70rod/pay",
            "host='prod",
            "dbname=pay",
            "prod",
        ] {
            assert!(told(text)[0].starts_with("Anything"), "{text}: {:?}", told(text));
        }
    }

    #[test]
    fn a_statement_only_reads_where_it_calls_nothing_unknown() {
        for sql in [
            "select 1",
            "SELECT count(*), max(at) from orders where state in ('paid (late)', 'it''s');",
            "select pg_is_in_recovery() as standby, pg_last_wal_replay_lsn() as replayed",
            "with a as (select 1) select * from a where exists (select 1) and $1 = 'x'",
            "show transaction_read_only",
        ] {
            assert!(only_reads(sql), "{sql}");
        }
        for sql in [
            "select pg_promote()",
            "select count(*), pg_reload_conf ()",
            "select pg_catalog.pg_reload_conf()",
            "select evil.count(1)",
            "select \"pg_promote\"()",
            "select pg_promote/**/()",
            "select pg_promote--\n()",
            "select 'it\\'s', pg_promote() '",
            "select $a$'$a$, pg_promote(), $a$'$a$",
            "commit; drop table x",
            "checkpoint",
            "copy (select 1) to program 'x'",
            "call x()",
            "delete from x",
            "",
        ] {
            assert!(!only_reads(sql), "{sql}");
        }
    }
}
