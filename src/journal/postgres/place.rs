//! Where a journal in PostgreSQL is, and how its failures are told. Must never show a connection string or a
//! password.

use std::fmt;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::dial;
use crate::model::time;
use crate::ports::JournalError;

/// How long a lease lasts without being renewed, unless the address says otherwise.
pub(super) const LEASE: Duration = Duration::from_secs(10);
/// A shorter lease would be lost to an ordinary pause of a process.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
/// Longest time to reach one host unless the address says otherwise.
const CONNECT: Duration = Duration::from_secs(3);
/// What to do about a server that takes no writes.
const READ_ONLY: &str = "; it is a standby, or read only: name the primary, or all hosts, as \
                         postgres://user@one,two/database";
/// Characters of a server's message that are shown.
const MESSAGE: usize = 400;

/// Address of a journal: `postgres://user@host,standby/database?sslmode=verify-full&lease_ttl=10s`.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    text: String,
    password: Option<String>,
}

impl PostgresUrl {
    /// Takes an address, and the password to use where it holds none.
    #[must_use]
    pub fn new(text: impl Into<String>, password: Option<String>) -> Self {
        Self { text: text.into(), password }
    }

    /// The address as it was given. It may hold a password: hand it on, never show it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PostgresUrl(not shown)")
    }
}

/// What the address says.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) config: Config,
    pub(super) tls: Option<MakeRustlsConnect>,
    /// How long a lease lasts without being renewed.
    pub(super) lease: Duration,
    shown: String,
}

impl Place {
    pub(super) fn read(url: &PostgresUrl, name: &str) -> Result<Self, JournalError> {
        let refuse = |why: String| JournalError::Unavailable(format!("address of the journal: {why}"));
        let (text, lease) = dial::options::take(&url.text, "lease_ttl");
        let lease = match lease.map(|text| text.parse::<time::Duration>()) {
            None => LEASE,
            Some(Ok(lease)) if lease.to_std() >= SHORTEST_LEASE => lease.to_std(),
            Some(_) => return Err(refuse("lease_ttl must be a time of 1s or more, such as 10s".to_owned())),
        };
        let dial::Target { mut config, tls } = dial::read(&text).map_err(refuse)?;
        if config.get_password().is_none()
            && let Some(password) = &url.password
        {
            config.password(password);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name(format!("drctl journal {name}"));
        }
        // A node that is cut off must notice before its lease has passed.
        config.keepalives_idle(lease).tcp_user_timeout(lease);
        let shown = printable(&dial::shown(&config), MESSAGE);
        Ok(Self { config, tls, lease, shown })
    }

    /// Longest time to open a session with one host.
    pub(super) fn patience(&self) -> Duration {
        self.config.get_connect_timeout().copied().unwrap_or(CONNECT)
    }

    /// What is told of a server that takes longer.
    pub(super) fn silent(&self) -> Fault {
        Fault::Lost(format!("no answer within {} ms", self.patience().as_millis()))
    }

    pub(super) fn unavailable(&self, what: &str) -> JournalError {
        JournalError::Unavailable(format!("postgres {self}: {what}"))
    }

    pub(super) fn damaged(&self, what: &str) -> JournalError {
        JournalError::Damaged(format!("postgres {self}: {what}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Place").field(&self.shown).finish()
    }
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum Fault {
    /// The journal does not do it.
    Refused(JournalError),
    /// The connection or the server went away, or is busy: to be tried again. What was sent may have been
    /// done.
    Lost(String),
}

impl From<JournalError> for Fault {
    fn from(error: JournalError) -> Self {
        Self::Refused(error)
    }
}

impl Place {
    /// What an error of the driver means.
    pub(super) fn fault(&self, error: &tokio_postgres::Error) -> Fault {
        let Some(database) = error.as_db_error() else {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            let cause = printable(&cause.unwrap_or_else(|| error.to_string()), MESSAGE);
            return match cause.as_str() {
                "password missing" => {
                    Fault::Refused(self.unavailable("the server asks for a password: give it in PGPASSWORD"))
                }
                // A standby may be promoted the next moment.
                "database does not allow writes" => Fault::Lost(format!("{cause}{READ_ONLY}")),
                _ => Fault::Lost(cause),
            };
        };
        let code = database.code().code();
        let said = format!("{} (SQLSTATE {code})", printable(database.message(), MESSAGE));
        // Lost connections; shutdown, crash and start; a server that was demoted; locks not had in time;
        // deadlocks; no connection left.
        let passing = ["08", "57P", "25006", "55P03", "40001", "40P01", "53300"];
        if passing.iter().any(|beginning| code.starts_with(beginning)) {
            return Fault::Lost(said);
        }
        let hint = match code {
            "28P01" | "28000" => "; check user, password and pg_hba.conf (PGPASSWORD is read)",
            "P0002" => "; a copy into it is under way, or was not finished",
            "3D000" => "; create the database first",
            "42501" => "; the user needs CREATE on the database once, and all rights on the schema drctl",
            _ => "",
        };
        Fault::Refused(self.unavailable(&format!("{said}{hint}")))
    }

    /// What to tell of a fault that is not tried again.
    pub(super) fn explain(&self, fault: Fault) -> JournalError {
        match fault {
            Fault::Refused(error) => error,
            Fault::Lost(why) => self.unavailable(&why),
        }
    }
}

/// Cuts what came from outside to a size and shape that is safe to show.
pub(super) fn printable(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let read = Place::read(&PostgresUrl::new(text, None), "x");
        read.map(|place| place.to_string()).unwrap_err().to_string()
    }

    #[test]
    fn an_address_is_read_and_shown_without_its_password() {
        let url = PostgresUrl::new("postgres://ann:hunter2@a:5433,b:5434/dr?lease_ttl=3s", None);
        let place = Place::read(&url, "x").unwrap();
        assert_eq!(place.to_string(), "a:5433,b:5434/dr");
        assert_eq!(place.lease, Duration::from_secs(3));
        assert_eq!(place.patience(), CONNECT);
        assert!(!format!("{url:?} {place:?} {}", place.unavailable("gone")).contains("hunter2"));
        let url = PostgresUrl::new("postgres://ann@a/dr", Some("hunter2".to_owned()));
        assert_eq!(Place::read(&url, "x").unwrap().config.get_password(), Some(&b"hunter2"[..]));
    }

    #[test]
    fn an_address_that_cannot_be_read_is_not_shown() {
        for text in [
            "postgres://ann:hunter2@a:port/dr",
            "postgres://ann:hunter2@a/dr?hunter2=1",
            "postgres://ann:hunter2@a/dr?lease_ttl=10ms",
            "postgres://ann:hunter2@a/dr?lease_ttl=hunter2",
            "postgres://ann:hunter2@a/dr?sslmode=hunter2",
            "postgres://ann:x@hunter2@a/dr",
            "postgres://ann:x@hunter2/y@a/dr",
            "postgres://ann:12/hunter2@a/dr",
            "postgres://ann:x/hunter2@a/dr",
            "postgres://ann:x?hunter2@a/dr",
            "postgres://ann:x#hunter2@a:1/d@r",
            "postgres://",
        ] {
            let said = refused(text);
            assert!(said.contains("address of the journal") && !said.contains("hunter2"), "{said}");
        }
    }
}
