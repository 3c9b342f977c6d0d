//! `postgres.check_replication`: how far a standby is behind. Must change nothing, and must not call an idle
//! primary's standby late.

use serde_json::json;

use super::Outputs;
use super::connection::{Server, Session};
use super::role;
use super::sqlstate::Stake;
use crate::model::action::postgres::CheckReplication;
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;

/// Lag of a standby.
struct Lag {
    millis: Option<i64>,
    bytes: Option<i64>,
    streaming: bool,
}

/// Reads the lag and compares it with what is allowed.
pub(super) async fn check(check: &CheckReplication, context: &AttemptContext) -> Result<Outputs, Failure> {
    let standby = Server::read(&check.standby, context)?;
    let primary = check.primary.as_deref().map(|text| Server::read(text, context)).transpose()?;
    // The primary is asked first: what the standby then has replayed can only be more.
    let written = match &primary {
        Some(primary) => written_by(primary).await,
        None => None,
    };
    let session = standby.connect().await.map_err(super::connection::Unconnected::into_failure)?;
    let mut outputs = Outputs::new();
    if !role::in_recovery(&session).await? {
        if check.max_lag.is_some() {
            return Err(unhealthy(format!("{} is not a standby: it is not in recovery", standby.shown())));
        }
        outputs.insert("in_recovery".to_owned(), json!(false));
        outputs.insert("streaming".to_owned(), json!(false));
        return Ok(outputs);
    }
    let lag = read(&session, written.as_deref()).await?;
    outputs.insert("in_recovery".to_owned(), json!(true));
    outputs.insert("streaming".to_owned(), json!(lag.streaming));
    if let Some(millis) = lag.millis {
        outputs.insert("lag_ms".to_owned(), json!(millis));
    }
    if let Some(bytes) = lag.bytes {
        outputs.insert("lag_bytes".to_owned(), json!(bytes));
    }
    judge(check, &lag, standby.shown())?;
    Ok(outputs)
}

/// Position up to which the primary has written; `None` when it cannot be asked, as a lost one cannot.
async fn written_by(primary: &Server) -> Option<String> {
    let session = primary.connect().await.ok()?;
    let row = session.one(Stake::Read, "SELECT pg_current_wal_lsn()::text", &[]).await.ok()?;
    session.column(&row, 0).ok()
}

/// Lag is zero when all that was received is replayed and the receiver runs; otherwise the age of the last
/// transaction replayed, which also grows while the primary is idle and therefore counts only then.
async fn read(session: &Session, written: Option<&str>) -> Result<Lag, Failure> {
    // After a start, or a rewind, what lies in its own log is replayed beyond what the receiver has brought.
    let sql = "SELECT coalesce(pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(), false), \
               (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint, \
               pg_wal_lsn_diff($1::text::pg_lsn, pg_last_wal_replay_lsn())::bigint";
    let streaming = role::is_streaming(session).await?;
    let row = session.one(Stake::Read, sql, &[&written]).await?;
    let replayed: bool = session.column(&row, 0)?;
    let age: Option<i64> = session.column(&row, 1)?;
    let bytes: Option<i64> = session.column(&row, 2)?;
    let (age, bytes) = (age.map(|age| age.max(0)), bytes.map(|bytes| bytes.max(0)));
    let behind = !streaming || !replayed || bytes.is_some_and(|bytes| bytes > 0);
    let millis = if behind { age } else { Some(0) };
    Ok(Lag { millis, bytes, streaming })
}

fn judge(check: &CheckReplication, lag: &Lag, shown: &str) -> Result<(), Failure> {
    let Some(allowed) = check.max_lag else { return Ok(()) };
    match lag.millis.map(|millis| u64::try_from(millis).unwrap_or(0)) {
        None => Err(unhealthy(format!("{shown}: its lag cannot be told; it has replayed nothing yet"))),
        Some(millis) if millis > allowed.as_millis() => {
            let receiver = if lag.streaming { "" } else { ", and it receives nothing" };
            Err(unhealthy(format!("{shown} is {millis} ms behind, allowed are {allowed}{receiver}")))
        }
        Some(_) => Ok(()),
    }
}

fn unhealthy(message: String) -> Failure {
    Failure::new(FailureClass::Transient, message)
}
