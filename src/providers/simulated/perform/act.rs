//! What one action does: a change, and a function that tells its outputs or why it fails. Never runs by
//! itself.

use serde_json::{Map, Value};

use super::super::change::Change;
use super::scene::Scene;
use crate::model::run::{Failure, FailureClass};
use crate::model::time::Duration;

type Outputs<'a> = Box<dyn Fn(&Scene<'_>) -> Result<Value, Failure> + 'a>;

/// What an action does.
pub(in super::super) struct Act<'a> {
    /// What it changes.
    pub(in super::super) change: Change,
    /// What it is doing while it is under way, for people.
    pub(in super::super) doing: &'static str,
    /// It also waits until caches have forgotten the old value of a setting, or that long after a TTL.
    pub(in super::super) caches: Option<(String, Option<Duration>)>,
    outputs: Outputs<'a>,
}

impl<'a> Act<'a> {
    /// An action that changes something and always succeeds.
    pub(super) fn new(
        doing: &'static str,
        change: Change,
        outputs: impl Fn(&Scene<'_>) -> Value + 'a,
    ) -> Self {
        Self::may_fail(doing, change, move |scene| Ok(outputs(scene)))
    }

    /// An action that changes something unless it is refused.
    pub(super) fn may_fail(
        doing: &'static str,
        change: Change,
        outputs: impl Fn(&Scene<'_>) -> Result<Value, Failure> + 'a,
    ) -> Self {
        Self { change, doing, caches: None, outputs: Box::new(outputs) }
    }

    /// An action that only looks, or whose effect the model does not know.
    pub(super) fn plain(doing: &'static str, outputs: impl Fn(&Scene<'_>) -> Value + 'a) -> Self {
        Self::new(doing, Change::Nothing, outputs)
    }

    /// A look that fails when it sees something unhealthy.
    pub(super) fn look(outputs: impl Fn(&Scene<'_>) -> Result<Value, Failure> + 'a) -> Self {
        Self::may_fail("looking", Change::Nothing, outputs)
    }

    /// What it returns, or why it fails without having changed anything.
    pub(in super::super) fn outputs(&self, scene: &Scene<'_>) -> Result<Map<String, Value>, Failure> {
        match (self.outputs)(scene)? {
            Value::Object(outputs) => Ok(outputs),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Ok(Map::new())
            }
        }
    }
}

/// A look at something that is not healthy, or not yet.
pub(super) fn unhealthy(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Transient, message)
}
