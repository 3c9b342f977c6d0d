//! How other machines are reached, and how it is told that they were not: connection strings and TLS of
//! PostgreSQL servers, failed HTTP calls. Must never print a connection string or an address, nor a part
//! of one that could be a password, also where it is malformed.

pub(crate) mod hosts;
pub mod http;
pub mod options;
mod tls;

use std::fmt::Write as _;
use std::path::Path;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A connection string that was read.
#[derive(Clone)]
pub struct Target {
    /// What the driver is told.
    pub config: Config,
    /// How sessions are encrypted; absent where they are not.
    pub tls: Option<MakeRustlsConnect>,
}

/// Reads a connection string: `host=… port=… dbname=… user=…` or `postgresql://…`. With `sslmode=require`,
/// `verify-ca` or `verify-full` the certificate and the name are verified.
///
/// # Errors
/// When it cannot be read, in words that hold nothing of it.
pub fn read(text: &str) -> Result<Target, String> {
    if is_torn(text) {
        return Err("the `@`, `/`, `?`, `#` and `%` of a password are written as %40, %2F, %3F, %23 and %25"
            .to_owned());
    }
    let (text, authorities) = options::take(text, "sslrootcert");
    let (text, mode) = options::take(&text, "sslmode");
    let unreadable = || {
        "the connection string cannot be read; write `host=… port=… dbname=… user=…` \
         or `postgresql://…` (service files are not supported)"
            .to_owned()
    };
    let mut config: Config = text.parse().map_err(|_| unreadable())?;
    let tls = match mode.as_deref() {
        None | Some("prefer" | "allow" | "disable") if authorities.is_none() => None,
        None | Some("prefer" | "allow" | "disable") => {
            return Err("sslrootcert needs sslmode=verify-full beside it".to_owned());
        }
        // The certificate and the name are always verified, so these differ in name only.
        Some("require" | "verify-ca" | "verify-full") => {
            Some(tls::connector(authorities.as_deref().map(Path::new))?)
        }
        Some(_) => return Err(unreadable()),
    };
    config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err("the connection string names no host".to_owned());
    }
    Ok(Target { config, tls })
}

/// Whether a password that is not encoded would be read as host, port or database: those are shown.
fn is_torn(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = place.split_once('/').unwrap_or((place, ""));
    let marks = authority.matches('@').count();
    marks > 1 || database.contains('@') || (marks == 0 && options.contains('@'))
}

/// `host:port/dbname` of a configuration, without anything secret.
#[must_use]
pub fn shown(config: &Config) -> String {
    let mut text = String::new();
    for (at, host) in config.get_hosts().iter().enumerate() {
        let host = match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.to_string_lossy().into_owned(),
        };
        let ports = config.get_ports();
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let _ = write!(text, "{}{host}:{port}", if at > 0 { "," } else { "" });
    }
    if text.is_empty() {
        text = config.get_hostaddrs().first().map(ToString::to_string).unwrap_or_default();
    }
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{text}/{database}")
}
