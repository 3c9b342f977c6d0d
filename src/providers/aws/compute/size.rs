//! Smallest, largest and wanted number of something. Must never accept a wanted number outside the limits.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::permanent;
use crate::engine::input::Direction;
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;

/// Three numbers that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Size {
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) desired: u32,
}

impl Size {
    /// A size somebody asks for.
    ///
    /// # Errors
    /// Permanent, when `desired` is not between `min` and `max`.
    pub(super) fn new(min: u32, max: u32, desired: u32) -> Result<Self, Failure> {
        if min <= desired && desired <= max {
            return Ok(Self { min, max, desired });
        }
        let message = format!("`desired` {desired} is not between `min` {min} and `max` {max}");
        Err(permanent(format!("{message}; nothing was sent")))
    }
}

impl Size {
    /// What an autoscaler keeps to.
    fn limits(self) -> (u32, u32) {
        (self.min, self.max)
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { min, max, desired } = self;
        write!(f, "min {min}, max {max}, desired {desired}")
    }
}

/// What is to be there, and how much of it is enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) size: Size,
    /// Members that must serve before it counts as done.
    pub(super) enough: u32,
    /// Members beyond `desired` must be gone before it counts as done.
    pub(super) shrinks: bool,
    /// More than `desired` are welcome: an autoscaler may ask for them under load.
    pub(super) grows: bool,
}

impl Wanted {
    /// What an attempt wants: the size it names, or going back, the one that was found.
    ///
    /// # Errors
    /// Permanent, when the size makes no sense, or what was found before is not known.
    pub(super) fn of(
        named: Result<Size, Failure>,
        min_success: Option<u32>,
        context: &AttemptContext,
    ) -> Result<Self, Failure> {
        let before = Before::of(context);
        match context.direction {
            Direction::Do => {
                let size = named?;
                let enough = min_success.unwrap_or(size.desired).min(size.desired);
                let shrinks = size.desired == 0 || before.is_some_and(|it| it.size.desired > size.desired);
                Ok(Self { size, enough, shrinks, grows: !shrinks })
            }
            Direction::Undo => {
                let Some(Before { size, serving }) = before else {
                    return Err(permanent("the size it had before is not recorded; set it by hand"));
                };
                // What did not serve before need not serve again.
                let shrinks = size.desired == 0;
                Ok(Self { size, enough: serving.min(size.desired), shrinks, grows: false })
            }
        }
    }

    /// Whether this is set. What an autoscaler has raised since is not lowered again.
    pub(super) fn is_set(&self, now: Size) -> bool {
        let enough = if self.grows { now.desired >= self.size.desired } else { now == self.size };
        now.limits() == self.size.limits() && enough
    }

    /// Whether going back may begin: only from what this step has set, or from what it found.
    ///
    /// # Errors
    /// Refused, when somebody else has set other limits since.
    pub(super) fn may_be_set(
        &self,
        now: Size,
        named: Result<Size, Failure>,
        context: &AttemptContext,
    ) -> Result<(), Failure> {
        let ours = named.is_ok_and(|named| named.limits() == now.limits());
        if context.direction == Direction::Do || ours || self.size.limits() == now.limits() {
            return Ok(());
        }
        let message = format!("it has {now}, which this step has not set; nothing was taken back");
        Err(Failure::new(FailureClass::Refused, message))
    }
}

/// What was found before the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Before {
    pub(super) size: Size,
    /// How many members served.
    pub(super) serving: u32,
}

impl Before {
    /// What was recorded.
    pub(super) fn of(context: &AttemptContext) -> Option<Self> {
        serde_json::from_value(context.prepared.clone()?).ok()
    }

    /// The size that was recorded, for the outputs.
    pub(super) fn size_of(context: &AttemptContext) -> Value {
        context.prepared.as_ref().map_or(Value::Null, |prepared| prepared["size"].clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_must_make_sense() {
        assert!(Size::new(1, 3, 2).is_ok() && Size::new(0, 0, 0).is_ok());
        for (min, max, desired) in [(2, 3, 1), (1, 3, 4), (3, 1, 2)] {
            assert!(Size::new(min, max, desired).is_err(), "{min} {max} {desired}");
        }
    }
}
