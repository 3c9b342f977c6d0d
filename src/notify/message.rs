//! A notice: what happened, how much it matters, what to type. The same for every target; holds no secret.

use serde::Serialize;

use crate::model::notice::{NoticeKind, Severity};
use crate::model::time::Timestamp;

/// Name under which a run's notes hold the PagerDuty incident it came from.
pub const INCIDENT: &str = "pagerduty_incident";

/// What people are told about one record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// The same every time it is sent: who has it already can drop it.
    pub id: String,
    /// What it is about.
    pub kind: NoticeKind,
    /// How much it matters.
    pub severity: Severity,
    /// When it was recorded.
    pub at: Timestamp,
    /// What belongs together: all notices of a run have the same.
    pub thread: String,
    /// The service.
    pub service: String,
    /// The run.
    pub run: Option<String>,
    /// What the run does.
    pub operation: Option<&'static str>,
    /// Why it exists.
    pub intent: Option<&'static str>,
    /// Its status.
    pub status: Option<&'static str>,
    /// Site it leaves.
    pub from: Option<String>,
    /// Site it moves to.
    pub to: Option<String>,
    /// One line.
    pub title: String,
    /// Some lines.
    pub text: String,
    /// What to type, most urgent first.
    pub commands: Vec<String>,
    /// What only some kinds of notice have.
    pub about: About,
    /// How the run ended; only of its last notice.
    pub ending: Option<Ending>,
    /// The PagerDuty incident the run came from.
    pub incident: Option<String>,
    /// Another run began this one.
    pub child: bool,
}

/// What only some kinds of notice have. Names that templates can use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// Why the run was started.
    pub reason: Option<String>,
    /// Who started it, or began it.
    pub by: Option<String>,
    /// When a staged run expires.
    pub until: Option<Timestamp>,
    /// Part of the recovery time objective that is used up.
    pub percent: Option<u32>,
    /// Time since the recovery clock began.
    pub elapsed: Option<String>,
    /// The objective it is about.
    pub objective: Option<String>,
    /// Expected recovery time.
    pub forecast: Option<String>,
    /// The forecast is within the objective again.
    pub recovered: bool,
    /// The node it is about.
    pub step: Option<String>,
    /// What a person should read about it.
    pub message: Option<String>,
    /// Why the run has its status.
    pub cause: Option<String>,
    /// What the run has changed so far.
    pub changed: Option<String>,
    /// The same with the ways that lead out.
    pub ways_out: Option<String>,
    /// How far the standby's data was behind.
    pub lag: Option<String>,
    /// Measured recovery time.
    pub recovery_time: Option<String>,
    /// Upper bound of the data lost.
    pub data_loss: Option<String>,
    /// Objectives against what was measured.
    pub verdict: Option<String>,
    /// When the drill was due.
    pub fire: Option<Timestamp>,
}

/// How a run ended, as far as an alert about it is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Nobody has to do anything about it any more.
    Settled,
    /// It is over, and what it was for is not done.
    Unsettled,
}

impl Notice {
    /// A notice with which somebody tries a target out.
    #[must_use]
    pub fn trial(id: &str, by: &str, at: Timestamp) -> Self {
        let message =
            format!("{by} tries this target out. Nothing has happened, and nothing has to be done.");
        Self {
            id: format!("test/{id}"),
            kind: NoticeKind::Test,
            severity: Severity::Info,
            at,
            thread: format!("drctl/test/{id}"),
            service: "drctl".to_owned(),
            run: None,
            operation: None,
            intent: None,
            status: None,
            from: None,
            to: None,
            title: String::new(),
            text: String::new(),
            commands: Vec::new(),
            about: About { by: Some(by.to_owned()), message: Some(message), ..About::default() },
            ending: None,
            incident: None,
            child: false,
        }
    }
}
