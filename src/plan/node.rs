//! What a plan consists of. Plain data: stored with the run, read by the engine, drawn by the renderers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::action::{ActionName, meaning};
use crate::model::expression::Expression;
use crate::model::id::{NodeAddress, ServiceName, SiteName, StepId};
use crate::model::policy::{Approval, MinSuccess, OnFailure, Retry, Reversibility, Stragglers};
use crate::model::run::{Intent, Mode, Operation, Phase, words};
use crate::model::runbook::Strategy;
use crate::model::time::Duration;
use crate::model::values::{Objectives, Secret, Site};
use crate::plan::drill::{DrillPlan, InDrill, Section};
use crate::plan::measured::Measured;
use crate::plan::targets::Target;

/// Position of a node in its plan.
pub type NodeIndex = u32;

/// A runbook bound to parameters and sites for one operation. Immutable; its digest names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Version of this format.
    pub format: u32,
    /// The runbook it was made of.
    pub runbook: RunbookReference,
    /// How the standby is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// What the run does.
    pub operation: Operation,
    /// Mode the run starts in; the nodes hold both variants.
    pub mode: Mode,
    /// Why the run exists.
    pub intent: Intent,
    /// Site the service leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SiteName>,
    /// Site the service moves to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<SiteName>,
    /// The sites it could have moved to, best first, where there was a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// Sites that were out before the run, and are none of its survivors.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub absent: BTreeSet<SiteName>,
    /// All sites.
    pub sites: BTreeMap<SiteName, Site>,
    /// What the business asked for.
    pub objectives: Objectives,
    /// Values of the parameters that may be stored.
    pub parameters: BTreeMap<String, Value>,
    /// SHA-256 of the values that may not be stored, so that a resumed run is given the same ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sensitive: BTreeMap<String, String>,
    /// Where secrets come from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Secret>,
    /// How many nodes may be in trouble before no other begins; only a fleet has such a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<u32>,
    /// What makes the plan a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<DrillPlan>,
    /// How long nodes took in earlier runs; of the others only estimates are known.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<NodeAddress, Measured>,
    /// The nodes, each after all it needs.
    pub nodes: Vec<Node>,
}

/// The runbook a plan was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunbookReference {
    /// Name of the service.
    pub name: ServiceName,
    /// Title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Team that answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// SHA-256 of what it says, in hex: neither comments nor layout nor the declared form count.
    pub digest: String,
}

/// One thing the run does, or one point it passes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Stable address.
    pub address: NodeAddress,
    /// What a person reads.
    pub title: String,
    /// The authored step it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// Where it stands in the recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// What it is.
    pub kind: NodeKind,
    /// What must be over before it begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Edge>,
    /// Skip the node when this is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// Longest time of one attempt.
    pub timeout: Duration,
    /// Longest time of the node with all its attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Duration>,
    /// Expected duration.
    pub estimate: Duration,
    /// When a failed attempt is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// What follows when it has failed for good.
    pub on_failure: OnFailure,
    /// What it takes to take the effect back.
    pub reversibility: Reversibility,
    /// What it does when the run is ungraceful; absent: the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ungraceful: Option<NodeVariant>,
    /// How the effect is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<PlannedUndo>,
    /// Take back also what an attempt may have done that failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo_after_failure: bool,
    /// Values for later nodes, over `result`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, Expression>,
    /// The item of a fanned-out step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Value>,
    /// At most this many nodes of the same group are under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// The same thing by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual: Option<String>,
    /// What it is in a drill; absent: the plan is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<InDrill>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NodeKind {
    /// Performs a step's action.
    Effect {
        /// The action.
        call: Call,
    },
    /// Looks until something is true.
    Check {
        /// The action; only reads, or is only asked ([`Node::only_asks`]).
        call: Call,
        /// What must be true of its result.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Expression>,
        /// How long it may take to come true; absent: one look.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        within: Option<Duration>,
        /// Pause between two looks.
        every: Duration,
        /// How many looks in a row must succeed.
        consecutive: u32,
        /// What the check is for.
        purpose: CheckPurpose,
    },
    /// Reads how far the standby's data reaches.
    Reading {
        /// The action; only reads.
        call: Call,
        /// When in the recovery it is taken.
        point: ReadingPoint,
    },
    /// Waits for people to agree.
    Approval {
        /// Who, how many, how long.
        approval: Approval,
    },
    /// Waits for a person to do something by hand.
    Manual {
        /// `manual.task` with its parameters.
        call: Call,
    },
    /// Waits for a time.
    Wait {
        /// `wait.for` with its parameters.
        call: Call,
    },
    /// Fails unless a condition holds.
    Assert {
        /// `assert.that` with its parameters.
        call: Call,
    },
    /// The barrier before the point of no return.
    Gate,
    /// Over when enough of its members are.
    Group {
        /// The members.
        members: Vec<NodeIndex>,
        /// How many must succeed; absent: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_success: Option<MinSuccess>,
        /// What happens to the others then.
        stragglers: Stragglers,
    },
}

words! {
    /// What a check is for.
    CheckPurpose {
        /// At the start of the run: is everything there that will be needed?
        Start = "start",
        /// Just before its step.
        Precheck = "precheck",
        /// After its step.
        Verify = "verify",
        /// Asks the action of a step whether it could work now, and never performs it.
        Ready = "ready",
    }
}

words! {
    /// When in the recovery a recovery point reading is taken.
    ReadingPoint {
        /// Before the fence.
        BeforeFence = "before-fence",
        /// After the fence, before promotion.
        AtFence = "at-fence",
        /// After promotion.
        AfterPromotion = "after-promotion",
    }
}

/// An action with parameters bound as far as they are known when the plan is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The action.
    pub action: ActionName,
    /// Its parameters; templates that need outputs, secrets or the run are left in.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// Whether templates are left in the parameters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deferred: bool,
    /// Whether a secret or a sensitive parameter goes into the parameters.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// The run that `runbook.run` begins, planned together with this plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub child: Option<Box<ChildPlan>>,
}

/// The run that a node begins. Its plan and its runbook are blobs, named by their digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildPlan {
    /// Its service.
    pub service: ServiceName,
    /// SHA-256 of its plan as it is stored, in hex.
    pub plan: String,
    /// SHA-256 of its runbook's text, in hex.
    pub runbook: String,
    /// Site the service leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<SiteName>,
    /// Site it moves to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<SiteName>,
}

/// Something a node needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The node needed.
    pub node: NodeIndex,
    /// How strictly.
    pub kind: EdgeKind,
}

words! {
    /// How strictly a need must be met.
    EdgeKind {
        /// The need must be over; skipped or ignored counts.
        Ordinary = "ordinary",
        /// The need must have been met in truth: skipped or ignored does not count.
        Safety = "safety",
        /// As ordinary, but only while the run is graceful.
        Graceful = "graceful",
    }
}

/// What a node does when the run is ungraceful.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeVariant {
    /// Nothing.
    Skip,
    /// Another action, or other parameters.
    Call(Call),
    /// Another threshold.
    MinSuccess(MinSuccess),
}

/// How an effect is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedUndo {
    /// The action restores what it found.
    Auto,
    /// Another action makes up for it.
    Call(Call),
}

/// Limits how many nodes of a group are under way at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// The group's number in the plan.
    pub id: u32,
    /// Most nodes under way at once.
    pub width: u32,
}

impl Plan {
    /// The site a node leaves and the one it moves to: of the way back of a drill, the other way round.
    #[must_use]
    pub fn ends(&self, node: &Node) -> (Option<&SiteName>, Option<&SiteName>) {
        let ends = (self.from.as_ref(), self.to.as_ref());
        if node.section() == Some(Section::Failback) { (ends.1, ends.0) } else { ends }
    }

    /// How long a node is expected to take: as in earlier runs, else as estimated.
    #[must_use]
    pub fn expected(&self, node: &Node) -> Duration {
        self.measured.get(&node.address).map_or(node.estimate, |measured| measured.p50)
    }

    /// Says whether the plan is one of many services together.
    #[must_use]
    pub const fn is_fleet(&self) -> bool {
        self.tolerance.is_some()
    }

    /// Says whether a run of the plan leaves its service where it was, although it has somewhere to go: only
    /// the end of a shift or, where there is none, of a promotion moves the service record.
    #[must_use]
    pub fn moves_nothing(&self) -> bool {
        let moves = |node: &Node| matches!(node.phase, Some(Phase::Promote | Phase::Restore | Phase::Shift));
        self.to.is_some() && !self.nodes.iter().any(moves)
    }

    /// What a person types to confirm the point of no return: `<service>:<to site>`, or `:all` where there
    /// is no one site.
    #[must_use]
    pub fn confirmation(&self) -> String {
        format!("{}:{}", self.runbook.name, self.to.as_ref().map_or("all", SiteName::as_str))
    }

    /// Every action the plan may perform, in either mode, with those that take back; each once, in order.
    #[must_use]
    pub fn actions(&self) -> Vec<ActionName> {
        let undo = |node: &Node| match &node.undo {
            Some(PlannedUndo::Call(call)) => Some(call.action),
            Some(PlannedUndo::Auto) | None => None,
        };
        let of = |node: &Node| {
            let calls = [node.call(Mode::Graceful), node.call(Mode::Ungraceful)];
            calls.into_iter().flatten().map(|call| call.action).chain(undo(node)).collect::<Vec<_>>()
        };
        let actions: BTreeSet<ActionName> = self.nodes.iter().flat_map(of).collect();
        actions.into_iter().collect()
    }
}

impl Node {
    /// The action the node performs in a mode; `None` when it performs none, or is skipped.
    #[must_use]
    pub fn call(&self, mode: Mode) -> Option<&Call> {
        if mode == Mode::Ungraceful {
            match &self.ungraceful {
                Some(NodeVariant::Skip) => return None,
                Some(NodeVariant::Call(call)) => return Some(call),
                Some(NodeVariant::MinSuccess(_)) | None => {}
            }
        }
        match &self.kind {
            NodeKind::Effect { call }
            | NodeKind::Check { call, .. }
            | NodeKind::Reading { call, .. }
            | NodeKind::Manual { call }
            | NodeKind::Wait { call }
            | NodeKind::Assert { call } => Some(call),
            NodeKind::Approval { .. } | NodeKind::Gate | NodeKind::Group { .. } => None,
        }
    }

    /// How far what the node does in a mode can be taken back. Another action of the mode, or one that only
    /// looks in the other mode, is as final as it is by itself.
    #[must_use]
    pub fn reversibility_in(&self, mode: Mode) -> Reversibility {
        let (Mode::Ungraceful, Some(NodeVariant::Call(variant))) = (mode, &self.ungraceful) else {
            return self.reversibility;
        };
        let for_good = |call: &Call| {
            let by_itself = meaning::reversibility(self.phase, call.action, &call.with, self.undo.is_some());
            by_itself == Reversibility::Irreversible
        };
        // What the author says of a promotion holds for its other words as well.
        let judged =
            self.call(Mode::Graceful).is_some_and(|call| call.action == variant.action && for_good(call));
        if for_good(variant) && !judged { Reversibility::Irreversible } else { self.reversibility }
    }

    /// Says whether the node only asks its action whether it could work: it must never be performed here.
    #[must_use]
    pub const fn only_asks(&self) -> bool {
        matches!(self.kind, NodeKind::Check { purpose: CheckPurpose::Ready, .. })
    }

    /// Says whether beginning the node touches the running service.
    #[must_use]
    pub fn interrupts(&self) -> bool {
        let of_child = matches!(&self.kind, NodeKind::Effect { call } if call.child.is_some());
        matches!(self.kind, NodeKind::Effect { .. } | NodeKind::Manual { .. })
            && self.phase.map_or(of_child, Phase::interrupts)
    }

    /// What the node is there for in a drill.
    #[must_use]
    pub fn section(&self) -> Option<Section> {
        self.drill.map(|place| place.section)
    }

    /// Says whether the node is left out in this drill.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        self.drill.is_some_and(|place| place.left_out)
    }

    /// Says whether the node is left out in a mode.
    #[must_use]
    pub fn is_skipped_in(&self, mode: Mode) -> bool {
        mode == Mode::Ungraceful && matches!(self.ungraceful, Some(NodeVariant::Skip))
    }
}
