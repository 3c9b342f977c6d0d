//! What the runs of a study meet: when people answer, what does not, and how attempts differ from what is
//! expected. Plain data; whoever knows scenarios fills it in.

use super::spread::Spread;
use crate::model::run::FailureClass;
use crate::model::time::Duration;

/// The conditions of the runs of one study.
#[derive(Debug, Clone, PartialEq)]
pub struct Conditions {
    /// What they are called.
    pub name: String,
    /// What they are about.
    pub description: Option<String>,
    /// What of them is left out.
    pub notes: Vec<String>,
    /// When people answer; absent: as long as earlier runs took or the plan expects.
    pub people: Option<Person>,
    /// How long a person takes to confirm the point of no return; absent: it was confirmed when the run
    /// began.
    pub gate: Option<Spread>,
    /// How likely each fault is, from 0 to 1.
    pub faults: Vec<f64>,
    /// What each node of the plan meets, in the order of the plan.
    pub nodes: Vec<NodeConditions>,
    /// How far the standby is behind, where the conditions say so.
    pub lag: Option<Duration>,
}

/// When a person answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Person {
    /// After some time.
    After(Spread),
    /// Never.
    Never,
}

/// What one node meets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeConditions {
    /// How its attempts differ; the first that counts, counts alone.
    pub hazards: Vec<Hazard>,
    /// When what it talks to does not answer.
    pub silences: Vec<Silence>,
}

/// A time in which what a node talks to does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// The fault it follows from, by its place in [`Conditions::faults`].
    pub fault: usize,
    /// When it begins, since the run began.
    pub from: Duration,
    /// When it ends; absent: never.
    pub until: Option<Duration>,
}

/// How attempts of a node differ from what is expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hazard {
    /// Only this attempt.
    pub attempt: Option<u32>,
    /// Only so often for each node.
    pub times: Option<u32>,
    /// How likely it is, from 0 to 1.
    pub probability: f64,
    /// How long they take.
    pub takes: Option<Spread>,
    /// What happens.
    pub kind: Kind,
}

/// What happens to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing but that it takes as long as it is said.
    Slow,
    /// It fails, and nothing is applied.
    Fail {
        /// How.
        class: FailureClass,
        /// How long the service asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The effect is applied, and the answer is lost.
    ReplyLost,
    /// No answer ever comes.
    Hang {
        /// The effect is applied all the same.
        applied: bool,
    },
}

impl Conditions {
    /// Nothing goes wrong, for a plan of so many nodes.
    #[must_use]
    pub fn healthy(nodes: usize) -> Self {
        Self {
            name: "healthy".to_owned(),
            description: None,
            notes: Vec::new(),
            people: None,
            gate: None,
            faults: Vec::new(),
            nodes: vec![NodeConditions::default(); nodes],
            lag: None,
        }
    }
}
