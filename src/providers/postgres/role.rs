//! Reads whether a server is a primary or a standby. Must change nothing.

use super::connection::{Server, Session, Unconnected};
use super::sqlstate::Stake;
use crate::model::run::Failure;

/// Whether the server of a session is in recovery, that is, a standby.
pub(super) async fn in_recovery(session: &Session) -> Result<bool, Failure> {
    let row = session.one(Stake::Read, "SELECT pg_is_in_recovery()", &[]).await?;
    session.column(&row, 0)
}

/// Whether a standby receives from its primary.
pub(super) async fn is_streaming(session: &Session) -> Result<bool, Failure> {
    // Without the privilege to see it, the status is NULL while the receiver runs.
    let sql =
        "SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE coalesce(status, 'streaming') = 'streaming')";
    let row = session.one(Stake::Read, sql, &[]).await?;
    session.column(&row, 0)
}

/// What is found at an address.
pub(super) enum Found {
    /// A server that accepts writes, as far as its role goes.
    Primary(Session),
    /// A server in recovery.
    Standby(Session),
    /// No session.
    Nobody(Unconnected),
    /// A server that answered and could not say.
    Unclear(Failure),
}

/// Looks what is at an address.
pub(super) async fn find(server: &Server) -> Found {
    match server.connect().await {
        Err(why) => Found::Nobody(why),
        Ok(session) => match in_recovery(&session).await {
            Ok(true) => Found::Standby(session),
            Ok(false) => Found::Primary(session),
            Err(failure) => Found::Unclear(failure),
        },
    }
}
