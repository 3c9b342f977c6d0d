//! `postgres.*`: replication, fence, promotion, rejoin, queries and heartbeats on PostgreSQL servers. Must
//! never show a connection string, act on a server in another role than the action is meant for, or call a
//! fence confirmed that a client could lift.

mod connection;
mod fence;
mod heartbeat;
mod promote;
mod provider;
mod query;
mod rejoin;
mod replication;
mod role;
mod rows;
mod sqlstate;

use std::future::Future;

use serde_json::{Map, Value};

use super::child::ProgramRunner;
use crate::engine::input::Observation;
use crate::model::action::Action;
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;

pub use provider::PostgresProvider;

/// Outputs of an action.
type Outputs = Map<String, Value>;

fn given_up() -> Observation {
    Observation::Unknown("the look was given up".to_owned())
}

/// Does some work until the attempt is given up; then it is a failure of the class.
async fn unless_cancelled<T>(
    context: &AttemptContext,
    class: FailureClass,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::select! {
        outcome = work => outcome,
        () = context.cancelled.cancelled() => {
            Err(Failure::new(class, "the attempt was given up or ran out of time without an answer"))
        }
    }
}

/// The program an earlier driver started for this attempt and that still runs, as something to follow.
fn live_program(programs: &ProgramRunner, names: &[&str], context: &AttemptContext) -> Option<Observation> {
    let name = names.iter().find(|name| programs.live(name, context).is_some())?;
    Some(Observation::InProgress(serde_json::json!({ "program": name })))
}

fn permanent(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Permanent, message)
}

fn refused(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Refused, message)
}

fn not_ours(action: &Action) -> Failure {
    permanent(format!("{} is not an action of the postgres provider; nothing was done", action.name()))
}
