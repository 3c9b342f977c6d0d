//! Runs that nodes of a run begin: created once, driven beside their parent, followed to their end. Must
//! never begin a second run for one intent, whatever dies in between.

mod begin;
mod desire;
mod drive;
mod outcome;
mod watcher;

use std::sync::Arc;

use tokio::sync::watch;

pub(super) use self::desire::Desire;
use super::create::Runtime;
use super::task::Landing;
use crate::engine::event::RunCreated;
use crate::engine::input::Consents;
use crate::model::time::Timestamp;
use crate::plan::ChildPlan;

/// What the children of one run share.
pub(super) struct Children {
    pub(super) runtime: Runtime,
    /// The parent's first fact.
    pub(super) parent: Arc<RunCreated>,
    /// When it was recorded.
    pub(super) began: Timestamp,
    pub(super) desire: watch::Receiver<Desire>,
    /// The parent is left to others, and its children with it.
    pub(super) leave: watch::Receiver<bool>,
}

/// One attempt of a node that begins a run.
pub(super) struct ChildTask {
    pub(super) children: Arc<Children>,
    pub(super) plan: ChildPlan,
    pub(super) landing: Landing,
    /// What the parent has accepted so far.
    pub(super) consents: Consents,
    /// The parent's plan is one of many services.
    pub(super) of_fleet: bool,
}
