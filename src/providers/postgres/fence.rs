//! `postgres.fence`: keeps an old primary from accepting writes. Must never fence a standby, nor call a fence
//! confirmed that it has not seen hold or that a client could lift.

use std::time::Duration;

use serde_json::{Value, json};

use super::connection::{Server, Session, Unconnected};
use super::role::{self, Found};
use super::sqlstate::Stake;
use super::{Outputs, live_program, permanent, refused, unless_cancelled};
use crate::engine::input::{Direction, Observation};
use crate::model::action::postgres::{Fence, FenceMethod};
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;
use crate::providers::child::{ProgramEnd, ProgramRunner};

/// Longest time of a stop or start command.
const COMMAND: Duration = Duration::from_secs(30);
/// Pause between two looks at a server that stops or starts.
const LOOK: Duration = Duration::from_millis(50);
/// How often in a row a server must not answer before it counts as stopped, where its host does not say so
/// itself.
const SILENCES: u32 = 3;
/// Names of the programs' files.
const STOP: &str = "stop";
const START: &str = "start";

/// Reads what `undo` needs. An unreachable server is no failure: the fence itself will tell.
pub(super) async fn prepare(fence: &Fence, context: &AttemptContext) -> Result<Value, Failure> {
    let server = Server::one(&fence.primary, context)?;
    let session = match server.connect().await {
        Ok(session) => session,
        Err(why) => return Ok(json!({"reachable": false, "why": why.message()})),
    };
    // Where the setting comes from is shown to privileged users alone; `sourcefile` is NULL for others.
    let sql = "SELECT pg_is_in_recovery(), setting = 'on', \
               coalesce(sourcefile LIKE '%postgresql.auto.conf', false) \
               FROM pg_settings WHERE name = 'default_transaction_read_only'";
    let row = session.one(Stake::Read, sql, &[]).await?;
    Ok(json!({
        "reachable": true,
        "in_recovery": session.column::<bool>(&row, 0)?,
        "read_only": session.column::<bool>(&row, 1)?,
        "set_by_alter_system": session.column::<bool>(&row, 2)?,
    }))
}

/// Fences the server.
pub(super) async fn apply(
    programs: &ProgramRunner,
    fence: &Fence,
    context: &AttemptContext,
) -> Result<Outputs, Failure> {
    let server = Server::one(&fence.primary, context)?;
    let found =
        unless_cancelled(context, FailureClass::TimedOut, async { Ok(role::find(&server).await) }).await?;
    match found {
        Found::Standby(_) => Err(refused(format!(
            "{} is a standby, not a primary; it was not fenced: check the connection string",
            server.shown()
        ))),
        Found::Unclear(failure) | Found::Nobody(Unconnected::Rejected(failure)) => Err(failure),
        Found::Primary(session) => match fence.method {
            FenceMethod::Stop => stop(programs, &server, fence, context).await,
            FenceMethod::ReadOnly => {
                unless_cancelled(context, FailureClass::InDoubt, make_read_only(&server, &session)).await
            }
        },
        Found::Nobody(why) => match fence.method {
            FenceMethod::Stop if !fence.stop_command.is_empty() => {
                stop_unseen(programs, &server, fence, why.message(), context).await
            }
            FenceMethod::Stop | FenceMethod::ReadOnly => Err(unreachable(why.message())),
        },
    }
}

fn unreachable(why: &str) -> Failure {
    Failure::new(FailureClass::Unreachable, format!("could not be fenced: not reachable ({why})"))
}

/// Stops a server that answers, and looks until it does not.
async fn stop(
    programs: &ProgramRunner,
    server: &Server,
    fence: &Fence,
    context: &AttemptContext,
) -> Result<Outputs, Failure> {
    if fence.stop_command.is_empty() {
        return Err(permanent("`method: stop` needs a `stop_command`; nothing was done"));
    }
    let end = programs.run(STOP, &fence.stop_command, Some(COMMAND), context).await?;
    if !end.success {
        let message = format!("the stop command of {} failed: {}", server.shown(), end.account);
        return Err(Failure::new(FailureClass::InDoubt, message));
    }
    unless_cancelled(context, FailureClass::InDoubt, wait_until_silent(server)).await?;
    Ok(confirmed())
}

/// Runs the stop command for a server that did not answer in the first place.
async fn stop_unseen(
    programs: &ProgramRunner,
    server: &Server,
    fence: &Fence,
    why: &str,
    context: &AttemptContext,
) -> Result<Outputs, Failure> {
    let ProgramEnd { success, account } =
        programs.run(STOP, &fence.stop_command, Some(COMMAND), context).await?;
    if !success {
        return Err(unreachable(&format!("{why}; the stop command failed: {account}")));
    }
    unless_cancelled(context, FailureClass::InDoubt, wait_until_silent(server)).await?;
    Ok(confirmed())
}

fn confirmed() -> Outputs {
    [("confirmed".to_owned(), json!(true)), ("advisory".to_owned(), json!(false))].into_iter().collect()
}

/// A server that shuts down still answers with an error; only no answer at all counts.
async fn wait_until_silent(server: &Server) -> Result<(), Failure> {
    let mut silences = 0;
    let until = tokio::time::Instant::now() + COMMAND;
    while tokio::time::Instant::now() < until {
        match server.connect().await {
            Err(Unconnected::Stopped(_)) => return Ok(()),
            Err(Unconnected::Unreachable(_)) => silences += 1,
            Ok(_) | Err(Unconnected::Rejected(_)) => silences = 0,
        }
        if silences >= SILENCES {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(permanent(format!(
        "{} still answers after its stop command has succeeded; it is not fenced",
        server.shown()
    )))
}

/// Defaults transactions to read-only and ends all other sessions. A client can set its session back:
/// advisory.
async fn make_read_only(server: &Server, session: &Session) -> Result<Outputs, Failure> {
    set_read_only(server, session, "SET default_transaction_read_only = on", true).await?;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    session.one(Stake::Read, sql, &[]).await?;
    Ok(advisory())
}

fn advisory() -> Outputs {
    [("confirmed".to_owned(), json!(false)), ("advisory".to_owned(), json!(true))].into_iter().collect()
}

/// Changes the setting, reloads, and waits until new sessions have it. Doing it twice is harmless.
async fn set_read_only(
    server: &Server,
    session: &Session,
    change: &str,
    wanted: bool,
) -> Result<(), Failure> {
    let failed = |error| session.failure(&error, Stake::Read);
    session.client.batch_execute(&format!("ALTER SYSTEM {change}")).await.map_err(failed)?;
    session.client.batch_execute("SELECT pg_reload_conf()").await.map_err(failed)?;
    let until = tokio::time::Instant::now() + COMMAND;
    while tokio::time::Instant::now() < until {
        let fresh = server.connect().await.map_err(Unconnected::into_failure)?;
        if is_read_only(&fresh).await? == wanted {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(permanent(format!(
        "{}: default_transaction_read_only does not follow; is it set for the role or the database?",
        server.shown()
    )))
}

async fn is_read_only(session: &Session) -> Result<bool, Failure> {
    let sql = "SELECT current_setting('default_transaction_read_only') = 'on'";
    let row = session.one(Stake::Read, sql, &[]).await?;
    session.column(&row, 0)
}

/// Lifts the fence.
pub(super) async fn undo(
    programs: &ProgramRunner,
    fence: &Fence,
    context: &AttemptContext,
) -> Result<Outputs, Failure> {
    let server = Server::one(&fence.primary, context)?;
    match fence.method {
        FenceMethod::ReadOnly => {
            let work = async {
                let session = server.connect().await.map_err(Unconnected::into_failure)?;
                let before =
                    |name| context.prepared.as_ref().and_then(|prepared| prepared.get(name)?.as_bool());
                let read_only = before("read_only").unwrap_or(false);
                let change = match (before("set_by_alter_system").unwrap_or(false), read_only) {
                    (false, _) => "RESET default_transaction_read_only",
                    (true, true) => "SET default_transaction_read_only = on",
                    (true, false) => "SET default_transaction_read_only = off",
                };
                set_read_only(&server, &session, change, read_only).await
            };
            unless_cancelled(context, FailureClass::InDoubt, work).await?;
        }
        FenceMethod::Stop => {
            if fence.start_command.is_empty() {
                return Err(permanent("the fence has no `start_command`; start the server by hand"));
            }
            let end = programs.run(START, &fence.start_command, Some(COMMAND), context).await?;
            if !end.success {
                let message = format!("the start command of {} failed: {}", server.shown(), end.account);
                return Err(Failure::new(FailureClass::InDoubt, message));
            }
            unless_cancelled(context, FailureClass::InDoubt, wait_until_it_answers(&server)).await?;
        }
    }
    Ok(Outputs::new())
}

async fn wait_until_it_answers(server: &Server) -> Result<(), Failure> {
    let until = tokio::time::Instant::now() + COMMAND;
    loop {
        match server.connect().await {
            Ok(_) => return Ok(()),
            Err(why) if tokio::time::Instant::now() >= until => return Err(why.into_failure()),
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// Looks whether the fence, or its undo, holds.
pub(super) async fn observe(
    programs: &ProgramRunner,
    fence: &Fence,
    context: &AttemptContext,
) -> Observation {
    if let Some(running) = live_program(programs, &[STOP, START], context) {
        return running;
    }
    let server = match Server::one(&fence.primary, context) {
        Ok(server) => server,
        Err(failure) => return Observation::Unknown(failure.message),
    };
    let doing = context.direction == Direction::Do;
    match (fence.method, role::find(&server).await) {
        (_, Found::Unclear(failure)) => Observation::Unknown(failure.message),
        (_, Found::Standby(_)) => Observation::Unknown(format!("{} is a standby now", server.shown())),
        (FenceMethod::Stop, Found::Primary(_)) if doing => Observation::NotApplied,
        (FenceMethod::Stop, Found::Primary(_)) => Observation::Applied(Outputs::new()),
        (FenceMethod::Stop, Found::Nobody(Unconnected::Stopped(_))) if !doing => Observation::NotApplied,
        // Only a server that had answered before can be said to have been stopped by the fence; one that was
        // lost already may come back.
        (FenceMethod::Stop, Found::Nobody(Unconnected::Stopped(_))) if was_reachable(context) => {
            Observation::Applied(confirmed())
        }
        (FenceMethod::ReadOnly, Found::Primary(session)) => match is_read_only(&session).await {
            Ok(true) if doing => Observation::Applied(advisory()),
            Ok(false) if !doing => Observation::Applied(Outputs::new()),
            Ok(_) => Observation::NotApplied,
            Err(failure) => Observation::Unknown(failure.message),
        },
        // A fence of a lost server may be tried again: it ends as unreachable, which the gate then asks
        // about.
        (_, Found::Nobody(Unconnected::Stopped(_) | Unconnected::Unreachable(_)))
            if doing && !was_reachable(context) =>
        {
            Observation::NotApplied
        }
        (_, Found::Nobody(why)) => Observation::Unknown(why.message().to_owned()),
    }
}

fn was_reachable(context: &AttemptContext) -> bool {
    let prepared = context.prepared.as_ref().and_then(|prepared| prepared.get("reachable"));
    prepared.and_then(Value::as_bool).unwrap_or(false)
}
