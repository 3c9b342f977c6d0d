//! Where the journal is, by its address. An address may hold a password, and is never shown.

use std::path::{Path, PathBuf};

use super::{Error, ServerPlace, environment};

/// Where the journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalPlace {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// Nowhere: it is gone with the process.
    Memory,
    /// A PostgreSQL database.
    Postgres(DatabaseUrl),
    /// Wherever a server keeps it. Nothing is ever written to, or read from, a journal of this machine then.
    Server(ServerPlace),
}

impl JournalPlace {
    /// Reads an address: a path, `sqlite:PATH`, `memory:` or `postgres://…`, with the password in the address
    /// or in `PGPASSWORD`.
    ///
    /// # Errors
    /// When it is of no known kind.
    pub fn read(url: &str) -> Result<Self, Error> {
        place(url)
    }
}

impl std::fmt::Display for JournalPlace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "{}", path.display()),
            Self::Memory => formatter.write_str("the memory of this process"),
            Self::Postgres(_) => formatter.write_str("the configured database"),
            Self::Server(place) => formatter.write_str(&place.url),
        }
    }
}

/// Address of a database. It may hold a password, and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    /// As it was given.
    pub text: String,
    /// Password to use where it holds none.
    pub password: Option<String>,
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("DatabaseUrl(not shown)")
    }
}

pub(super) fn place(url: &str) -> Result<JournalPlace, Error> {
    match url.split_once(':') {
        Some(("sqlite", path)) => Ok(JournalPlace::Sqlite(PathBuf::from(path.trim_start_matches("//")))),
        Some(("memory", "")) => Ok(JournalPlace::Memory),
        Some(("postgres" | "postgresql", _)) => {
            let password = environment("PGPASSWORD");
            Ok(JournalPlace::Postgres(DatabaseUrl { text: url.to_owned(), password }))
        }
        Some((scheme, _)) if scheme.len() > 1 && scheme.bytes().all(|c| c.is_ascii_alphabetic()) => {
            // The rest may hold a password.
            Err(Error::Journal(format!("{scheme}:")))
        }
        Some(_) | None => match of_a_database(url) {
            Some(begins) => Err(Error::Journal(begins.to_owned())),
            None => Ok(JournalPlace::Sqlite(PathBuf::from(url))),
        },
    }
}

/// How an address begins that is meant for a database, and would be taken for a path: as such it would be
/// shown.
fn of_a_database(url: &str) -> Option<&str> {
    const WORDS: [&str; 6] = ["host=", "hostaddr=", "port=", "dbname=", "user=", "password="];
    if let Some(word) = WORDS.iter().find(|word| url.split_whitespace().any(|part| part.starts_with(**word)))
    {
        return Some(word);
    }
    let (scheme, rest) = url.split_once("//")?;
    let named = scheme.starts_with("postgres") || scheme.ends_with(':');
    (named && rest.contains('@')).then_some(scheme)
}

pub(super) fn state_directory(local: bool) -> Result<PathBuf, Error> {
    if local {
        return Ok(PathBuf::from(".drctl"));
    }
    if let Some(state) = environment("XDG_STATE_HOME") {
        return Ok(Path::new(&state).join("drctl"));
    }
    let home = environment("HOME").ok_or(Error::NoHome)?;
    Ok(Path::new(&home).join(".local/state/drctl"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_a_path_or_has_a_known_scheme() {
        assert_eq!(place("/var/lib/j.db").unwrap(), JournalPlace::Sqlite("/var/lib/j.db".into()));
        assert_eq!(place("sqlite:///var/lib/j.db").unwrap(), JournalPlace::Sqlite("/var/lib/j.db".into()));
        assert_eq!(place("memory:").unwrap(), JournalPlace::Memory);
        assert!(matches!(place("postgres://a:hunter2@h/d"), Ok(JournalPlace::Postgres(_))));
        assert!(!format!("{:?}", place("postgres://a:hunter2@h/d")).contains("hunter2"));
        let error = place("mysql://a:hunter2@host/db").unwrap_err().to_string();
        assert!(error.contains("`mysql:…`") && !error.contains("hunter2"), "{error}");
        for text in [
            "host=a password=hunter2",
            "dbname=d host=a",
            "postgres//ann:hunter2@host/db",
            "postgres+tls://ann:hunter2@host/db",
            "password=hunter2:x",
        ] {
            let error = place(text).unwrap_err().to_string();
            assert!(error.contains("no known kind") && !error.contains("hunter2"), "{error}");
        }
        for path in ["a=b.db", "my host.db", "/srv//a@b.db", "C:/x.db"] {
            assert!(matches!(place(path), Ok(JournalPlace::Sqlite(_))), "{path}");
        }
    }
}
