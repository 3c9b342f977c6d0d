//! What a comparison consists of: plain data, for people and programs.

use serde::Serialize;
use serde_json::Value;

use crate::model::run::words;
use crate::plan::Case;

words! {
    /// What a change is about.
    Topic {
        /// Which operations can be planned.
        Operation = "operation",
        /// What stops the old primary from accepting writes.
        Fence = "fence",
        /// What cannot be taken back.
        Irreversible = "irreversible",
        /// The first thing that cannot be taken back, and the gate before it.
        PointOfNoReturn = "point_of_no_return",
        /// Who must agree.
        Approval = "approval",
        /// What waits for what.
        Order = "order",
        /// Steps that are there or not.
        Step = "step",
        /// What a step does.
        Action = "action",
        /// When a step is left out.
        Condition = "condition",
        /// How an effect is taken back.
        Undo = "undo",
        /// How doubt about an effect is resolved.
        Observe = "observe",
        /// What is looked at before a step.
        Precheck = "precheck",
        /// What is looked at after a step.
        Verify = "verify",
        /// How often a failed attempt is tried again.
        Retry = "retry",
        /// What follows when a step has failed for good.
        OnFailure = "on_failure",
        /// Which services a fleet moves, and how many at once.
        Members = "members",
        /// How many members of a group must succeed.
        MinSuccess = "min_success",
        /// Timeouts and deadlines.
        Times = "times",
        /// How the data loss is measured.
        RecoveryPoint = "recovery_point",
        /// Expected recovery time.
        CriticalPath = "critical_path",
        /// What the business asked for.
        Objectives = "objectives",
        /// Where the service can run.
        Sites = "sites",
        /// Where the data may go.
        Residency = "residency",
        /// How much a drill exercises.
        Drill = "drill",
        /// Findings that are accepted.
        Accept = "accept",
        /// Where secrets come from.
        Secrets = "secrets",
        /// What the caller gives.
        Parameters = "parameters",
        /// What the recovery needs from outside.
        Dependencies = "dependencies",
        /// What starts a run.
        Triggers = "triggers",
        /// What the service is called and how its standby is kept.
        Service = "service",
    }
}

words! {
    /// How something differs.
    Sign {
        /// Only the new version has it.
        Added = "added",
        /// Only the old version had it.
        Removed = "removed",
        /// Both have it, but not the same.
        Changed = "changed",
    }
}

words! {
    /// What a change means for safety.
    Weight {
        /// The new version is more dangerous.
        Worse = "worse",
        /// The new version is safer.
        Better = "better",
        /// Neither can be said.
        Neutral = "neutral",
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What it is about.
    pub topic: Topic,
    /// How it differs.
    pub sign: Sign,
    /// What it means for safety.
    pub weight: Weight,
    /// The step, site or other thing it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The difference in one sentence.
    pub message: String,
    /// What the old version said, where that is one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// What the new version says, where that is one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
    /// Operations it was seen in; empty: it does not depend on the operation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<Case>,
}

/// All differences of two runbooks.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// The differences, the dangerous ones first.
    pub changes: Vec<Change>,
    /// What was compared.
    pub cases: Vec<Case>,
    /// What could not be compared, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
}

impl Comparison {
    /// How many differences are of a weight.
    #[must_use]
    pub fn count(&self, weight: Weight) -> usize {
        self.changes.iter().filter(|change| change.weight == weight).count()
    }
}

impl Change {
    pub(super) fn new(topic: Topic, subject: Option<&str>, message: impl Into<String>) -> Self {
        Self {
            topic,
            sign: Sign::Changed,
            weight: Weight::Neutral,
            subject: subject.map(str::to_owned),
            message: message.into(),
            old: None,
            new: None,
            cases: Vec::new(),
        }
    }

    /// About a named thing.
    pub(super) fn of(topic: Topic, subject: &str, message: impl Into<String>) -> Self {
        Self::new(topic, Some(subject), message)
    }

    pub(super) fn added(self) -> Self {
        Self { sign: Sign::Added, ..self }
    }

    pub(super) fn removed(self) -> Self {
        Self { sign: Sign::Removed, ..self }
    }

    pub(super) fn worse(self) -> Self {
        self.weighing(Weight::Worse)
    }

    pub(super) fn better(self) -> Self {
        self.weighing(Weight::Better)
    }

    pub(super) fn weighing(self, weight: Weight) -> Self {
        Self { weight, ..self }
    }

    /// With the two values as data.
    pub(super) fn values(self, old: impl Serialize, new: impl Serialize) -> Self {
        let data = |value: Value| Some(value).filter(|value| !value.is_null());
        Self {
            old: serde_json::to_value(old).ok().and_then(data),
            new: serde_json::to_value(new).ok().and_then(data),
            ..self
        }
    }

    /// Says whether two changes say the same, wherever they were seen.
    pub(super) fn says_as(&self, other: &Self) -> bool {
        let said = |change: &Self| (change.topic, change.sign, change.weight);
        said(self) == said(other)
            && self.subject == other.subject
            && self.message == other.message
            && self.old == other.old
            && self.new == other.new
    }
}

/// Worse when something grew, better when it shrank.
pub(super) fn grown<T: PartialOrd>(old: &T, new: &T) -> Weight {
    if new > old {
        Weight::Worse
    } else if new < old {
        Weight::Better
    } else {
        Weight::Neutral
    }
}
