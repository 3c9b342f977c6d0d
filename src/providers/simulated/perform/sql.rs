//! Makes up a plausible row for a statement, from its column list alone. Not a parser of SQL: it never fails.

use serde_json::{Map, Value, json};

/// One row with a value for each column that a statement selects or returns.
pub(super) fn row(sql: &str, in_recovery: bool) -> Map<String, Value> {
    let lower = sql.to_ascii_lowercase();
    let list = if let Some(at) = find_word(&lower, "returning") {
        sql.get(at + "returning".len()..)
    } else if let Some(at) = find_word(&lower, "select") {
        let rest = lower.get(at..).unwrap_or_default();
        let end = find_word(rest, "from").map_or(sql.len(), |from| at + from);
        sql.get(at + "select".len()..end)
    } else {
        None
    };
    columns(list.unwrap_or_default()).map(|column| value(column, in_recovery)).collect()
}

/// Where a keyword begins, outside parentheses.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let rest = text.get(at..).unwrap_or_default();
        let free = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        if depth == 0
            && rest.starts_with(word)
            && free(text.get(..at).and_then(|it| it.chars().next_back()))
            && free(rest.get(word.len()..).and_then(|it| it.chars().next()))
        {
            return Some(at);
        }
    }
    None
}

/// Columns of a list, split at commas outside parentheses.
fn columns(list: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    list.split(move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(|column| column.trim().trim_end_matches(';').trim())
    .filter(|column| !column.is_empty())
}

fn value(column: &str, in_recovery: bool) -> (String, Value) {
    let lower = column.to_ascii_lowercase();
    let (expression, alias) = match find_word(&lower, "as") {
        Some(at) => (column.get(..at), column.get(at + 2..).map(|alias| alias.trim().trim_matches('"'))),
        None => (Some(column), None),
    };
    let expression = expression.unwrap_or_default().trim().to_ascii_lowercase();
    let word = expression.split('(').next().unwrap_or_default();
    let bare = word.rsplit('.').next().unwrap_or_default().trim();
    let is_name = bare.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && bare.chars().all(|c| c.is_alphanumeric() || c == '_');
    let name =
        alias.map_or_else(|| if is_name { bare.to_owned() } else { "?column?".to_owned() }, str::to_owned);
    let value = if expression.starts_with("not ") && expression.contains("pg_is_in_recovery") {
        json!(!in_recovery)
    } else if expression.contains("pg_is_in_recovery") {
        json!(in_recovery)
    } else if let Ok(number) = expression.parse::<i64>() {
        json!(number)
    } else if let Some(text) = expression.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')) {
        json!(text)
    } else if matches!(bare, "count" | "sum" | "max" | "min" | "id" | "n") {
        json!(1)
    } else {
        json!(true)
    };
    (name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_columns_that_were_asked_for() {
        for (sql, expected) in [
            ("select 1 as ok, pg_is_in_recovery()", json!({"ok": 1, "pg_is_in_recovery": false})),
            ("SELECT count(*), coalesce(a, b) AS x FROM t WHERE a > 1", json!({"count": 1, "x": true})),
            ("insert into t (a) values (1) returning id", json!({"id": 1})),
            ("select not pg_is_in_recovery() as writable;", json!({"writable": true})),
            ("vacuum", json!({})),
        ] {
            assert_eq!(Value::Object(row(sql, false)), expected, "{sql}");
        }
    }
}
