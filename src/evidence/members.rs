//! What became of the runs that a run began: whether each kept its own objectives.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::{IndexedPlan, Kept, RunState, kept};
use crate::model::run::Verdict;
use crate::model::time::Duration;

/// The runs that a run began and that have succeeded, against their own objectives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MembersView {
    /// How many of each verdict.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// Those that missed one.
    pub missed: Vec<MissedView>,
}

/// A run that missed an objective of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissedView {
    /// The node that began it; of a fleet, the service.
    pub step: String,
    /// Its id.
    pub run: String,
    /// Its recovery time, where it was measured.
    pub recovery_time_ms: Option<u64>,
    /// Its recovery time objective.
    pub rto_ms: Option<u64>,
    /// The most data it lost, where it was measured.
    pub data_loss_ms: Option<u64>,
    /// Its recovery point objective.
    pub rpo_ms: Option<u64>,
}

impl MembersView {
    /// Of a run; `None` when no run that it began has succeeded yet.
    pub(super) fn of(plan: &IndexedPlan, state: &RunState) -> Option<Self> {
        let kept = kept(plan, state);
        let mut verdicts = BTreeMap::new();
        for child in &kept {
            *verdicts.entry(child.verdict.as_str()).or_default() += 1;
        }
        let missed = kept.iter().filter(|child| child.verdict == Verdict::Missed);
        let missed = missed.filter_map(|child| {
            let step = plan.plan.nodes.get(child.node as usize)?.address.to_string();
            Some(MissedView::of(step, child))
        });
        (!kept.is_empty()).then(|| Self { verdicts, missed: missed.collect() })
    }
}

impl MissedView {
    fn of(step: String, child: &Kept) -> Self {
        let millis = |time: Option<Duration>| time.map(Duration::as_millis);
        Self {
            step,
            run: child.run.clone(),
            recovery_time_ms: millis(child.recovery_time),
            rto_ms: millis(child.rto),
            data_loss_ms: millis(child.data_loss),
            rpo_ms: millis(child.rpo),
        }
    }

    /// What was missed, for people.
    #[must_use]
    pub fn text(&self) -> String {
        let missed = [
            ("recovery time", self.recovery_time_ms, self.rto_ms),
            ("data loss", self.data_loss_ms, self.rpo_ms),
        ];
        let lines = missed.into_iter().filter_map(|(what, measured, objective)| {
            let (measured, objective) = (measured?, objective?);
            let span = Duration::from_millis;
            (measured > objective)
                .then(|| format!("{what} {}, objective {}", span(measured), span(objective)))
        });
        let lines: Vec<_> = lines.collect();
        // Else it is one of the runs that it began itself.
        if lines.is_empty() { "a run inside it missed an objective".to_owned() } else { lines.join("; ") }
    }
}
