//! What people ask of runs: through the inbox, so that it works whoever drives them.

use std::sync::Arc;

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields::{Node, Reason, object};
use super::runs::{find, settle};
use crate::app::launch::inbox::{self, Answer};
use crate::app::launch::interrupt::Interrupted;
use crate::app::{Error, Session, exit};
use crate::engine::input::{Consents, Control};
use crate::model::id::{NodeAddress, RunId};
use crate::model::run::Mode;
use crate::plan::NodeKind;
use crate::runtime;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, Path};
use crate::server::state::Said;

/// Registers a control: its path, its id, what it does, who may ask for it, and what is sent along.
macro_rules! control {
    ($verb:literal, $summary:literal, $right:expr, $body:ty) => {
        Endpoint::new(
            Method::POST,
            concat!("/api/v1/runs/{run}/", $verb),
            concat!($verb, "_run"),
            $summary,
            post(|caller: Caller, Path(run): Path<String>, Body(body): Body<$body>| async move {
                ask(&caller, &run, $verb, body.control($verb)).await
            }),
        )
        .right_for_service($right)
        .body::<$body>()
        .answers::<Heard>(StatusCode::OK, "It was granted.")
        .answers::<Heard>(StatusCode::ACCEPTED, "It is in the inbox; nobody has answered yet.")
    };
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        control!("start", "Begins a staged run.", Right::Operate, Why),
        control!("pause", "Starts no new step.", Right::Operate, Why),
        control!("resume", "Goes on after a pause.", Right::Operate, Why),
        control!("abort", "Stops, and holds everything as it stands.", Right::Operate, Reasoned),
        control!("unwind", "Takes back what was applied, in reverse.", Right::Operate, Reasoned),
        control!("mode", "Treats the source as lost from here on.", Right::Operate, ToMode),
        control!("retry", "Tries a failed or doubtful step again.", Right::Operate, OfNode),
        control!("skip", "Leaves a step out.", Right::Operate, Skip),
        control!("done", "Says that a person did a step by hand.", Right::Operate, Done),
        control!("approve", "Agrees to what waits for approval.", Right::Approve, Approve),
        control!("deny", "Refuses what waits for approval.", Right::Approve, Deny),
        control!("attest", "Says whether a drill has passed.", Right::Approve, Attest),
    ]
}

/// What became of a request.
#[derive(Debug, Serialize, JsonSchema)]
struct Heard {
    /// Id of the request in the run's inbox.
    request: String,
    /// `accepted`, or `pending` while nobody has answered.
    answer: &'static str,
    /// What matters beside it.
    notes: Vec<String>,
}

type Wanted = (Control, Option<String>);

/// A reason, where there is one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Why {
    /// Why.
    reason: Option<Reason>,
}

impl Why {
    fn control(self, verb: &str) -> Wanted {
        let control = match verb {
            "start" => Control::Start,
            "pause" => Control::Pause,
            _ => Control::Resume,
        };
        (control, self.reason.map(Reason::into_text))
    }
}

/// A reason for what cannot be undone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reasoned {
    /// Why.
    reason: Reason,
}

impl Reasoned {
    fn control(self, verb: &str) -> Wanted {
        let control = if verb == "abort" { Control::Abort } else { Control::Unwind };
        (control, Some(self.reason.into_text()))
    }
}

/// Another mode.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ToMode {
    /// Only `ungraceful` is possible during a run.
    mode: Mode,
    /// Why.
    reason: Reason,
}

impl ToMode {
    fn control(self, _: &str) -> Wanted {
        (Control::Mode(self.mode), Some(self.reason.into_text()))
    }
}

/// A step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfNode {
    /// Node, such as `promote` or `scale[web]`.
    node: Node,
    /// Why.
    #[serde(default)]
    reason: Option<Reason>,
}

impl OfNode {
    fn control(self, _: &str) -> Wanted {
        (Control::Retry { node: self.node.into_address() }, self.reason.map(Reason::into_text))
    }
}

/// A step to be left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Skip {
    /// Node, such as `promote` or `scale[web]`.
    node: Node,
    /// Why.
    reason: Reason,
    /// Let what needs the node for its safety go on all the same; stands in the report.
    #[serde(default, rename = "override")]
    override_safety: bool,
}

impl Skip {
    fn control(self, _: &str) -> Wanted {
        let node = self.node.into_address();
        let control = Control::Skip { node, override_safety: self.override_safety };
        (control, Some(self.reason.into_text()))
    }
}

/// A step that was done by hand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Done {
    /// Node, such as `promote` or `scale[web]`.
    node: Node,
    /// Why.
    reason: Reason,
    /// Its outputs.
    #[serde(default)]
    outputs: Map<String, Value>,
}

impl Done {
    fn control(self, _: &str) -> Wanted {
        let control = Control::Done { node: self.node.into_address(), outputs: self.outputs };
        (control, Some(self.reason.into_text()))
    }
}

/// An approval, or the consents of the point of no return.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Approve {
    /// The node; absent: the only one that waits.
    node: Option<Node>,
    /// What is accepted before the point of no return.
    #[serde(deserialize_with = "object")]
    consents: Consents,
    /// Why.
    reason: Option<Reason>,
}

impl Approve {
    fn control(self, _: &str) -> Wanted {
        let node = self.node.map(Node::into_address);
        (Control::Approve { node, consents: self.consents }, self.reason.map(Reason::into_text))
    }
}

/// A refusal.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Deny {
    /// The node; absent: the only one that waits.
    node: Option<Node>,
    /// Why.
    reason: Option<Reason>,
}

impl Deny {
    fn control(self, _: &str) -> Wanted {
        let node = self.node.map(Node::into_address);
        (Control::Deny { node }, self.reason.map(Reason::into_text))
    }
}

/// What somebody has seen of a drill.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"properties": {"passed": {"const": true}}},
    {"required": ["notes"], "properties": {"notes": {"type": "string"}}},
]))]
struct Attest {
    /// Whether it has passed.
    passed: bool,
    /// What was seen; required when it has not passed.
    #[serde(default)]
    notes: Option<Reason>,
}

impl Attest {
    fn control(self, _: &str) -> Wanted {
        (Control::Attest { passed: self.passed }, self.notes.map(Reason::into_text))
    }
}

async fn ask(caller: &Caller, run: &str, verb: &str, (control, reason): Wanted) -> Result<Response, Problem> {
    let run = find(caller.server().session(), run, true).await?;
    let (session, said) = asking(caller, &run, &control).await?;
    let mut interrupted = Interrupted::default();
    let asked = inbox::ask(&session, &run, control, reason, &mut interrupted).await;
    settle(session.clone(), interrupted);
    let asked = asked?;
    let heard = |answer| Json(Heard { request: asked.id.clone(), answer, notes: said.lines() });
    // Where nobody drives the run, the keeper takes it over at once and answers.
    match inbox::answer(&session, &run, &asked.id).await? {
        Answer::Accepted => Ok(heard("accepted").into_response()),
        Answer::Refused(why) => Err(Problem::from(Error::new(exit::REFUSED, why).reason("refused"))),
        Answer::None => {
            tracing::warn!(%run, verb, "nobody has answered a request in time");
            Ok((StatusCode::ACCEPTED, heard("pending")).into_response())
        }
    }
}

/// The session of who asks something of a run.
///
/// # Errors
/// When the caller may not, or the run cannot be loaded.
pub(super) async fn asking(
    caller: &Caller,
    run: &RunId,
    control: &Control,
) -> Result<(Session, Arc<Said>), Problem> {
    // Going on without an approval is as much as giving it.
    if let Control::Skip { node, .. } = control
        && is_approval(caller.server().session(), run, node).await?
    {
        caller.acting_on(Right::Approve, run).await?;
    }
    caller.acting_on(right(control), run).await
}

async fn is_approval(session: &Session, run: &RunId, node: &NodeAddress) -> Result<bool, Problem> {
    let loaded = runtime::load(session.journal.as_ref(), run).await?;
    let index = loaded.plan.index.by_address.get(node);
    let node = index.and_then(|index| loaded.plan.plan.nodes.get(*index as usize));
    Ok(node.is_some_and(|node| matches!(node.kind, NodeKind::Approval { .. })))
}

/// What asking for something needs.
fn right(control: &Control) -> Right {
    match control {
        Control::Approve { .. } | Control::Deny { .. } | Control::Attest { .. } => Right::Approve,
        Control::Start
        | Control::Pause
        | Control::Resume
        | Control::Abort
        | Control::Unwind
        | Control::Mode(_)
        | Control::Retry { .. }
        | Control::Skip { .. }
        | Control::Done { .. }
        | Control::Adopt
        | Control::Promote { .. } => Right::Operate,
    }
}
