//! Actions of `aws.rds`: fences, promotions, failovers, restores, replicas, replication. Must tell by the
//! state of the database, never by a reply, whether something has been done.

mod actions;
mod cluster;
mod copy;
mod fence;
mod fence_doubt;
mod fence_target;
mod global;
mod precheck;
mod promote;
mod quarantine;
mod reboot;
mod replica;
mod replication;
mod restore;
mod restore_source;
mod session;
mod settings;
mod snapshot;
mod state;
mod tags;

use super::{Outputs, permanent};
use crate::model::run::{Failure, FailureClass};

pub(super) use actions::{observe, poll, precheck, prepare, start};

fn refused(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Refused, message)
}
