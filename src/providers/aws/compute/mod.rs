//! Actions on capacity, functions, automation, alarms and replicated stores, by signed calls without an SDK.
//! Must tell by what is there, never by a reply, whether something has been done.

mod actions;
mod alarms;
mod autoscaling;
mod dynamodb;
mod ecs;
mod ecs_limits;
mod eks;
mod event_source;
mod group;
mod headroom;
mod lambda;
mod precheck;
mod s3;
mod session;
mod size;
mod ssm;

use serde_json::Value;

use super::{Outputs, is_young, permanent};
use crate::model::run::{Failure, FailureClass};
use crate::providers::excerpt;

pub(super) use actions::{observe, poll, precheck, prepare, start};

/// Characters shown of what a service says.
const SHOWN: usize = 300;

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

/// A text field of an answer; empty where it is missing.
fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A number of an answer; nothing where it is missing or negative.
fn number(value: &Value, name: &str) -> Option<u32> {
    u32::try_from(value[name].as_u64()?).ok()
}

fn shown(text: &str) -> String {
    excerpt::head(text, SHOWN)
}
