//! Actions of `aws.backup`: recovery points, backups, copies, restores. Must never start a job without the
//! token of its intent, nor call a job done that is not.

mod actions;
mod copies;
mod find;
mod job;
mod orders;
mod plans;
mod policy;
mod precheck;
mod schedule;
mod session;

use serde_json::Value;

use super::{Outputs, is_young, permanent};
use crate::model::run::{Failure, FailureClass};

pub(super) use actions::{observe, poll, precheck, prepare, start};

fn outputs(fields: Value) -> Outputs {
    match fields {
        Value::Object(fields) => fields,
        _ => Outputs::new(),
    }
}

/// Something that is not as it must be, and may become so.
fn unhealthy(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Transient, message)
}
