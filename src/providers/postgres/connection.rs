//! Connections to PostgreSQL servers. Must never print a connection string: it may hold a password, also
//! where it is malformed.

use std::io;
use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::permanent;
use super::sqlstate::{self, Stake};
use crate::dial;
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;
use crate::providers::excerpt;

/// Longest time to establish a session unless the connection string says otherwise.
const CONNECT: Duration = Duration::from_secs(3);

/// A server named by a connection string.
pub(super) struct Server {
    config: Config,
    shown: String,
    statement_timeout: u128,
    sensitive: bool,
    tls: Option<MakeRustlsConnect>,
}

/// Why there is no session.
#[derive(Debug)]
pub(super) enum Unconnected {
    /// Nobody listens there: the host answered, and no server did.
    Stopped(String),
    /// Nobody answered.
    Unreachable(String),
    /// A server answered and refused the session.
    Rejected(Failure),
}

/// An open session. The connection ends when it is dropped.
pub(super) struct Session {
    /// The client.
    pub client: Client,
    place: Place,
}

/// How errors of a session are told.
#[derive(Debug, Clone)]
pub(super) struct Place {
    shown: String,
    sensitive: bool,
}

impl Place {
    /// What an error means.
    pub(super) fn failure(&self, error: &tokio_postgres::Error, stake: Stake) -> Failure {
        sqlstate::failure(error, &self.shown, stake, self.sensitive)
    }
}

impl Server {
    /// Reads a connection string: `host=… port=… dbname=… user=…` or `postgresql://…`.
    ///
    /// # Errors
    /// Permanent, when it cannot be read. The message holds nothing of it.
    pub(super) fn read(text: &str, context: &AttemptContext) -> Result<Self, Failure> {
        let dial::Target { mut config, tls } = dial::read(text).map_err(permanent)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        let name = format!("drctl/{}/{}", context.run, context.fencing_token);
        config.application_name(name);
        Ok(Self {
            shown: shown(&config),
            config,
            statement_timeout: time_left(context).as_millis(),
            sensitive: context.sensitive,
            tls,
        })
    }

    /// Reads a connection string that must name one server, because its role is about to be changed.
    ///
    /// # Errors
    /// Permanent, when it cannot be read or names several hosts.
    pub(super) fn one(text: &str, context: &AttemptContext) -> Result<Self, Failure> {
        let server = Self::read(text, context)?;
        if server.config.get_hosts().len().max(server.config.get_hostaddrs().len()) > 1 {
            return Err(permanent(
                "the connection string must name one host: with several, the wrong one might be changed",
            ));
        }
        Ok(server)
    }

    /// `host:port/dbname`.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Opens a session.
    ///
    /// # Errors
    /// When there is no server, no answer, or the server refuses.
    pub(super) async fn connect(&self) -> Result<Session, Unconnected> {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(1).max(1);
        // The configured time covers the socket alone; a server that was frozen accepts and stays silent.
        let limit = self.config.get_connect_timeout().copied().unwrap_or(CONNECT).saturating_mul(hosts);
        let opened = tokio::time::timeout(limit, self.open()).await;
        let client = match opened {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(self.unconnected(&error)),
            Err(_) => {
                let message = format!("{}: no answer within {} ms", self.shown, limit.as_millis());
                return Err(Unconnected::Unreachable(message));
            }
        };
        let place = Place { shown: self.shown.clone(), sensitive: self.sensitive };
        Ok(Session { client, place })
    }

    async fn open(&self) -> Result<Client, tokio_postgres::Error> {
        let client = if let Some(tls) = self.tls.clone() {
            let (client, connection) = self.config.connect(tls).await?;
            tokio::spawn(async move { connection.await.ok() });
            client
        } else {
            let (client, connection) = self.config.connect(NoTls).await?;
            tokio::spawn(async move { connection.await.ok() });
            client
        };
        let timeout = self.statement_timeout.min(i32::MAX.unsigned_abs().into());
        client.batch_execute(&format!("SET statement_timeout = {timeout}")).await?;
        Ok(client)
    }

    fn unconnected(&self, error: &tokio_postgres::Error) -> Unconnected {
        if error.as_db_error().is_some() {
            return Unconnected::Rejected(sqlstate::failure(error, &self.shown, Stake::Read, self.sensitive));
        }
        let cause = std::error::Error::source(error);
        let message = match cause {
            Some(cause) => format!("{}: {cause}", self.shown),
            None => format!("{}: no session: {error}", self.shown),
        };
        let message = excerpt::message(&message);
        match cause.and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Unconnected::Stopped(message),
            // A server answered, with a certificate that is not to be trusted.
            Some(io::ErrorKind::InvalidData) => Unconnected::Rejected(permanent(message)),
            Some(_) => Unconnected::Unreachable(message),
            None if error.is_closed() => Unconnected::Unreachable(message),
            None => Unconnected::Rejected(permanent(message)),
        }
    }
}

impl Session {
    /// Runs a statement that returns one row.
    ///
    /// # Errors
    /// By SQLSTATE; a lost connection is transient for a read and in doubt for a write.
    pub(super) async fn one(
        &self,
        stake: Stake,
        sql: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, Failure> {
        self.client.query_one(sql, values).await.map_err(|error| self.failure(&error, stake))
    }

    /// Reads a column of a row.
    ///
    /// # Errors
    /// Permanent, when it has another type.
    pub(super) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
        &self,
        row: &'a Row,
        at: usize,
    ) -> Result<T, Failure> {
        let other_type = || format!("{}: column {} of the answer has another type", self.place.shown, at + 1);
        row.try_get(at).map_err(|_| permanent(other_type()))
    }

    /// What an error means.
    pub(super) fn failure(&self, error: &tokio_postgres::Error, stake: Stake) -> Failure {
        self.place.failure(error, stake)
    }

    /// How errors are told, for use while the client is borrowed.
    pub(super) fn place(&self) -> Place {
        self.place.clone()
    }
}

impl Unconnected {
    /// The failure of an attempt that needs the server.
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Stopped(message) | Self::Unreachable(message) => {
                Failure::new(FailureClass::Unreachable, message)
            }
            Self::Rejected(failure) => failure,
        }
    }

    /// What happened, for people.
    pub(super) fn message(&self) -> &str {
        match self {
            Self::Stopped(message) | Self::Unreachable(message) => message,
            Self::Rejected(failure) => &failure.message,
        }
    }
}

/// Time until the deadline; never none, which PostgreSQL would take for no limit.
#[expect(
    clippy::disallowed_methods,
    reason = "a timeout is a length and the deadline a point; nothing is recorded"
)]
pub(super) fn time_left(context: &AttemptContext) -> Duration {
    let left = context.deadline.as_millis().saturating_sub(jiff::Timestamp::now().as_millisecond());
    Duration::from_millis(u64::try_from(left).unwrap_or(0).max(1))
}

/// `host:port/dbname` of a configuration, without anything secret.
fn shown(config: &Config) -> String {
    excerpt::head(&dial::shown(config), 200)
}
