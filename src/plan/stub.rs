//! stub
#![allow(missing_docs)]
use super::{NodeIndex, Plan};
use crate::model::id::NodeAddress;
use crate::model::time::Duration;
use std::collections::HashMap;
#[derive(Debug)]
pub struct PlanIndex {
    pub successors: Vec<Vec<NodeIndex>>,
    pub by_address: HashMap<NodeAddress, NodeIndex>,
    pub tail: Vec<Duration>,
    pub gate: Option<NodeIndex>,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct InvalidPlan;
impl PlanIndex {
    pub fn new(_p: &Plan) -> Result<Self, InvalidPlan> {
        Err(InvalidPlan)
    }
    pub fn group_of(&self, _n: NodeIndex) -> Option<NodeIndex> {
        None
    }
}
