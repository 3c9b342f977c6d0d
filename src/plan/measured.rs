//! How long the steps of a plan took in earlier runs: samples, and what is told of them. Pure; whoever reads
//! the journal gathers them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::node::{Node, NodeKind, Plan};
use crate::model::action::ActionName;
use crate::model::id::NodeAddress;
use crate::model::run::{Intent, Mode, Operation};
use crate::model::time::Duration;

/// Newest samples that are kept of one node: what was true years ago says little.
pub(super) const SAMPLES: usize = 100;

/// How long a node took in earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// How many times it was measured.
    pub samples: u32,
    /// Half of them took longer.
    pub p50: Duration,
    /// One in twenty took longer; of fewer than twenty the longest.
    pub p95: Duration,
}

/// What a sample is of: the same step doing the same thing in the same direction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// Whether the run was a failback, whose steps are others.
    pub back: bool,
    /// The node.
    pub node: NodeAddress,
    /// What it did; absent for approvals and the gate.
    pub action: Option<ActionName>,
}

/// How long something took once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// How long.
    pub took: Duration,
    /// It was taken in a drill, where a step may do something else under the same name.
    pub drill: bool,
    /// With which parameters; absent for approvals and the gate.
    pub with: Option<Map<String, Value>>,
}

/// What earlier runs of a service took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// Durations, the newest first.
    pub samples: BTreeMap<Kept, Vec<Sample>>,
    /// Data losses of the runs of each operation that measured one, the newest first.
    pub losses: BTreeMap<Operation, Vec<Duration>>,
    /// Runs they are from.
    pub runs: u32,
}

impl Kept {
    /// What the samples of a node are kept under.
    #[must_use]
    pub fn of(operation: Operation, node: &Node, mode: Mode) -> Self {
        let action = node.call(mode).map(|call| call.action);
        Self { back: operation == Operation::Failback, node: node.address.clone(), action }
    }
}

impl Sample {
    /// A sample of a node of a plan, in a mode.
    #[must_use]
    pub fn of(plan: &Plan, node: &Node, mode: Mode, took: Duration) -> Self {
        let with = node.call(mode).map(|call| call.with.clone());
        Self { took, drill: plan.intent == Intent::Drill, with }
    }
}

impl History {
    /// Adds a sample that is older than those before it.
    pub fn add(&mut self, kept: Kept, sample: Sample) {
        let samples = self.samples.entry(kept).or_default();
        // Samples of drills leave room for those of real runs, which may be rarer.
        if samples.iter().filter(|it| it.drill == sample.drill).count() < SAMPLES {
            samples.push(sample);
        }
    }

    /// What was measured of the nodes of a plan in its mode. Between drills and real runs only what was done
    /// with the very same parameters counts: a drill may have replaced it.
    #[must_use]
    pub fn of(&self, plan: &Plan) -> BTreeMap<NodeAddress, Measured> {
        let of = |node: &Node| {
            let samples = self.samples.get(&Kept::of(plan.operation, node, plan.mode))?;
            let own = node.call(plan.mode).map(|call| &call.with);
            let same = |it: &&Sample| (plan.drill.is_none() && !it.drill) || it.with.as_ref() == own;
            let took: Vec<Duration> = samples.iter().filter(same).map(|it| it.took).take(SAMPLES).collect();
            Some((node.address.clone(), told(&took)?))
        };
        plan.nodes.iter().filter(|node| is_measurable(node)).filter_map(of).collect()
    }
}

/// Says whether a node takes time of its own that may differ from run to run.
#[must_use]
pub const fn is_measurable(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Effect { .. }
        | NodeKind::Check { .. }
        | NodeKind::Reading { .. }
        | NodeKind::Approval { .. }
        | NodeKind::Manual { .. } => true,
        NodeKind::Wait { .. } | NodeKind::Assert { .. } | NodeKind::Gate | NodeKind::Group { .. } => false,
    }
}

/// What samples tell; `None` of none.
#[must_use]
pub fn told(samples: &[Duration]) -> Option<Measured> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    // The smallest sample that so many percent do not exceed.
    let at = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    Some(Measured { samples: u32::try_from(sorted.len()).unwrap_or(u32::MAX), p50: at(50)?, p95: at(95)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_that_were_taken() {
        let of = |seconds: &[u64]| {
            told(&seconds.iter().map(|it| Duration::from_secs(*it)).collect::<Vec<_>>())
                .map(|it| (it.samples, it.p50.as_millis() / 1_000, it.p95.as_millis() / 1_000))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((1, 7, 7)));
        assert_eq!(of(&[9, 1, 5]), Some((3, 5, 9)));
        let twenty: Vec<u64> = (1..=20).rev().collect();
        assert_eq!(of(&twenty), Some((20, 10, 19)));
    }

    #[test]
    fn the_newest_samples_are_kept() {
        let mut history = History::default();
        let kept = Kept { back: false, node: NodeAddress::typed("promote"), action: None };
        let sample = |second, drill| Sample { took: Duration::from_secs(second), drill, with: None };
        for second in 0..150 {
            history.add(kept.clone(), sample(second, false));
        }
        let samples = &history.samples[&kept];
        assert_eq!((samples.len(), samples.last()), (100, Some(&sample(99, false))));
        history.add(kept.clone(), sample(7, true));
        assert_eq!(history.samples[&kept].last(), Some(&sample(7, true)));
    }
}
