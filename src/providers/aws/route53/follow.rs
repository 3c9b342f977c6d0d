//! Follows a change until every server has it and nobody can still hold the old answer. Must never call a
//! change done because its answer was lost, nor give one up because a look at it failed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::changes::Reach;
use super::permanent;
use super::session::Session;
use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};

/// Time after which a change whose id is not known is taken to have reached every server: "generally within 60
/// seconds" as the API reference has it.
const PROPAGATION: Duration = Duration::from_secs(60);
/// Time after which a change that is still pending is taken to be stranded: accepted by a control plane that
/// was then lost.
const STRANDED: Duration = Duration::from_secs(300);

/// What was sent, as it stands in a handle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sent {
    /// Absent where the answer was lost.
    pub(super) change_id: Option<String>,
    pub(super) at: Timestamp,
    /// Time to wait after every server has it.
    pub(super) then: Duration,
    /// Place in the stages, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<usize>,
    /// Ids of the stages up to this one, as far as they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ids: Vec<String>,
    /// Everything was as wanted before anything was sent, perhaps by a change that is still under way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) already: bool,
}

impl Sent {
    /// Something whose id is not known.
    pub(super) const fn new(at: Timestamp, then: Duration) -> Self {
        Self { change_id: None, at, then, stage: None, ids: Vec::new(), already: false }
    }

    /// Reads a handle.
    ///
    /// # Errors
    /// Permanent, when it is not one of ours.
    pub(super) fn from_handle(handle: &Value) -> Result<Self, Failure> {
        serde_json::from_value(handle.clone())
            .map_err(|_| permanent("the handle in the journal is not one of a Route 53 change"))
    }

    pub(super) fn to_handle(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn name(&self) -> &str {
        let unknown = if self.already { "of somebody else" } else { "whose answer was lost" };
        self.change_id.as_deref().unwrap_or(unknown)
    }
}

/// How far it has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Not there yet; a line for people.
    Waits(String),
    /// There, and the time after it has passed.
    Done,
    /// It has to be sent again; why.
    Stranded(String),
}

/// Looks once.
pub(super) async fn follow(session: &Session<'_>, sent: &Sent) -> Result<Step, Failure> {
    let name = sent.name();
    let reach = match &sent.change_id {
        Some(id) => match session.reach(id).await {
            Ok(reach) => reach,
            // That nobody answers says nothing about the change.
            Err(failure) if may_pass(failure.class) => return Ok(Step::Waits(failure.message)),
            Err(failure) => return Err(failure),
        },
        None => Reach::InSync(sent.at.plus(PROPAGATION)),
    };
    let now = session.account.budget.now();
    Ok(match reach {
        Reach::InSync(since) => {
            let from = since.plus(sent.then);
            match from.since(now) {
                Duration::ZERO => Step::Done,
                left => {
                    let left = left.as_millis().div_ceil(1_000);
                    Step::Waits(format!("change {name}: waiting {left} s for old answers to expire"))
                }
            }
        }
        Reach::Pending if now.since(sent.at) >= STRANDED => {
            let minutes = now.since(sent.at).as_millis() / 60_000;
            Step::Stranded(format!("change {name} is PENDING for {minutes} min"))
        }
        Reach::Pending => Step::Waits(format!("change {name} is PENDING")),
        Reach::Unknown => Step::Stranded(format!("Route 53 does not know change {name} any more")),
    })
}

fn may_pass(class: FailureClass) -> bool {
    match class {
        FailureClass::Transient
        | FailureClass::Throttled
        | FailureClass::Unreachable
        | FailureClass::TimedOut
        | FailureClass::InDoubt => true,
        FailureClass::Permanent | FailureClass::Refused => false,
    }
}
