//! `postgres.promote`: makes a standby a primary. Must read its role first: a second `pg_promote` is an
//! error, and the server's role, not a reply, says whether the promotion took place.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::connection::{Server, Session};
use super::role::{self, Found};
use super::sqlstate::Stake;
use super::{Outputs, permanent};
use crate::engine::input::Observation;
use crate::model::action::postgres::Promote;
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;

/// Pause between two looks at a server that leaves recovery.
const LOOK: Duration = Duration::from_millis(50);
/// Longest time a server may take to leave recovery unless the step says otherwise.
const WAIT: Duration = Duration::from_mins(1);

/// Promotes the server and waits until it has left recovery.
pub(super) async fn apply(promote: &Promote, context: &AttemptContext) -> Result<Outputs, Failure> {
    let server = Server::one(&promote.standby, context)?;
    let session = match role::find(&server).await {
        Found::Standby(session) => session,
        Found::Primary(session) => return outputs(&session, true).await,
        Found::Nobody(why) => return Err(why.into_failure()),
        Found::Unclear(failure) => return Err(failure),
    };
    let requested = session.one(Stake::Write, "SELECT pg_promote(false)", &[]).await;
    match requested.and_then(|row| session.column::<bool>(&row, 0)) {
        Ok(true) => {}
        Ok(false) => {
            return Err(permanent(format!("{} did not take the request to be promoted", server.shown())));
        }
        // Somebody else may have promoted it between the two statements: the role decides.
        Err(failure) => {
            if let Ok(false) = role::in_recovery(&session).await {
                return outputs(&session, true).await;
            }
            return Err(failure);
        }
    }
    let wait = promote.wait.map_or(WAIT, crate::model::time::Duration::to_std);
    wait_until_promoted(&server, session, Instant::now() + wait).await
}

/// Waits on one session, or on a new one where that is lost.
async fn wait_until_promoted(server: &Server, session: Session, until: Instant) -> Result<Outputs, Failure> {
    let mut session = Some(session);
    let mut last = "it is still in recovery".to_owned();
    while Instant::now() < until {
        let current = match session.take() {
            Some(current) => Ok(current),
            None => server.connect().await,
        };
        match current {
            Ok(current) => match role::in_recovery(&current).await {
                Ok(false) => return outputs(&current, false).await,
                Ok(true) => session = Some(current),
                Err(failure) => last = failure.message,
            },
            Err(why) => why.message().clone_into(&mut last),
        }
        tokio::time::sleep(LOOK).await;
    }
    let message = format!("{} was asked to leave recovery and has not in time: {last}", server.shown());
    Err(Failure::new(FailureClass::InDoubt, message))
}

/// Looks whether the server has left recovery.
pub(super) async fn observe(promote: &Promote, context: &AttemptContext) -> Observation {
    let server = match Server::one(&promote.standby, context) {
        Ok(server) => server,
        Err(failure) => return Observation::Unknown(failure.message),
    };
    match role::find(&server).await {
        Found::Standby(_) => Observation::NotApplied,
        // Whether this run promoted it or somebody else: the effect is there.
        Found::Primary(session) => match outputs(&session, false).await {
            Ok(outputs) => Observation::Applied(outputs),
            Err(failure) => Observation::Unknown(failure.message),
        },
        Found::Nobody(why) => Observation::Unknown(why.message().to_owned()),
        Found::Unclear(failure) => Observation::Unknown(failure.message),
    }
}

/// Timeline of a primary: the first eight digits of its WAL file's name. `pg_control_checkpoint()` shows the
/// old one until the checkpoint at the end of recovery.
async fn outputs(session: &Session, already: bool) -> Result<Outputs, Failure> {
    let sql = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";
    let row = session.one(Stake::Read, sql, &[]).await?;
    let digits: String = session.column(&row, 0)?;
    let timeline = u32::from_str_radix(&digits, 16).map_or(Value::Null, |timeline| json!(timeline));
    Ok([("timeline".to_owned(), timeline), ("already".to_owned(), json!(already))].into_iter().collect())
}
