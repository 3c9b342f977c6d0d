//! A follower that shows nothing.

use crate::engine::{IndexedPlan, RunState};
use crate::plan::NodeIndex;
use crate::runtime::{Follower, Recorded};

/// A follower that shows nothing.
#[derive(Debug, Default)]
pub(crate) struct Silent;

impl Follower for Silent {
    fn recorded(&self, _: &IndexedPlan, _: &RunState, _: &[Recorded]) {}
    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}
}
