//! What people ask of runs: through the inbox, so that it works whoever drives them.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::runs::find;
use crate::app::launch::inbox::{self, Answer};
use crate::app::{self, Error, exit};
use crate::engine::input::{Consents, Control};
use crate::model::id::NodeAddress;
use crate::model::run::Mode;
use crate::server::auth::Right;
use crate::server::openapi::Endpoint;
use crate::server::problem::Problem;
use crate::server::router::{Body, Caller, Path};

/// Registers a control: its path, its id, what it does, who may ask for it, and what is sent along.
macro_rules! control {
    ($verb:literal, $summary:literal, $right:expr, $body:ty) => {
        Endpoint::new(
            Method::POST,
            concat!("/api/v1/runs/{run}/", $verb),
            concat!($verb, "_run"),
            $summary,
            post(|caller: Caller, Path(run): Path<String>, Body(body): Body<$body>| async move {
                ask(&caller, &run, $verb, body.control($verb)?).await
            }),
        )
        .right($right)
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
        control!("abort", "Stops, and holds everything as it stands.", Right::Operate, Why),
        control!("unwind", "Takes back what was applied, in reverse.", Right::Operate, Why),
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

/// A reason.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Why {
    /// Why; required to abort and to unwind.
    reason: Option<String>,
}

impl Why {
    fn control(self, verb: &str) -> Result<Wanted, Error> {
        let control = match verb {
            "start" => Control::Start,
            "pause" => Control::Pause,
            "resume" => Control::Resume,
            "abort" => Control::Abort,
            _ => Control::Unwind,
        };
        let reason = match control {
            Control::Abort | Control::Unwind => Some(app::reason(verb, self.reason.as_deref())?),
            _ => self.reason,
        };
        Ok((control, reason))
    }
}

/// Another mode.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ToMode {
    /// Only `ungraceful` is possible during a run.
    mode: Mode,
    /// Why.
    reason: String,
}

impl ToMode {
    fn control(self, verb: &str) -> Result<Wanted, Error> {
        Ok((Control::Mode(self.mode), Some(app::reason(verb, Some(&self.reason))?)))
    }
}

/// A step.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfNode {
    /// Node, such as `promote` or `scale[web]`.
    node: String,
    /// Why.
    #[serde(default)]
    reason: Option<String>,
}

impl OfNode {
    fn control(self, _: &str) -> Result<Wanted, Error> {
        Ok((Control::Retry { node: node(&self.node)? }, self.reason))
    }
}

/// A step to be left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Skip {
    /// Node, such as `promote` or `scale[web]`.
    node: String,
    /// Why.
    reason: String,
    /// Let what needs the node for its safety go on all the same; stands in the report.
    #[serde(default, rename = "override")]
    override_safety: bool,
}

impl Skip {
    fn control(self, verb: &str) -> Result<Wanted, Error> {
        let reason = app::reason(verb, Some(&self.reason))?;
        let control = Control::Skip { node: node(&self.node)?, override_safety: self.override_safety };
        Ok((control, Some(reason)))
    }
}

/// A step that was done by hand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Done {
    /// Node, such as `promote` or `scale[web]`.
    node: String,
    /// Why.
    reason: String,
    /// Its outputs.
    #[serde(default)]
    outputs: Map<String, Value>,
}

impl Done {
    fn control(self, verb: &str) -> Result<Wanted, Error> {
        let reason = app::reason(verb, Some(&self.reason))?;
        Ok((Control::Done { node: node(&self.node)?, outputs: self.outputs }, Some(reason)))
    }
}

/// An approval, or the consents of the point of no return.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Approve {
    /// The node; absent: the only one that waits.
    node: Option<String>,
    /// What is accepted before the point of no return.
    consents: Consents,
    /// Why.
    reason: Option<String>,
}

impl Approve {
    fn control(self, _: &str) -> Result<Wanted, Error> {
        let node = self.node.as_deref().map(node).transpose()?;
        Ok((Control::Approve { node, consents: self.consents }, self.reason))
    }
}

/// A refusal.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Deny {
    /// The node; absent: the only one that waits.
    node: Option<String>,
    /// Why.
    reason: Option<String>,
}

impl Deny {
    fn control(self, _: &str) -> Result<Wanted, Error> {
        let node = self.node.as_deref().map(node).transpose()?;
        Ok((Control::Deny { node }, self.reason))
    }
}

/// What somebody has seen of a drill.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Attest {
    /// Whether it has passed.
    passed: bool,
    /// What was seen; required when it has not passed.
    #[serde(default)]
    notes: Option<String>,
}

impl Attest {
    fn control(self, _: &str) -> Result<Wanted, Error> {
        if !self.passed && self.notes.as_deref().is_none_or(|notes| notes.trim().is_empty()) {
            return Err(Error::new(exit::USAGE, "say why it has not passed").help("add `notes`"));
        }
        Ok((Control::Attest { passed: self.passed }, self.notes))
    }
}

fn node(text: &str) -> Result<NodeAddress, Error> {
    if text.trim().is_empty() || text.len() > 500 {
        return Err(Error::new(exit::USAGE, "node is empty or too long"));
    }
    Ok(NodeAddress::typed(text))
}

async fn ask(caller: &Caller, run: &str, verb: &str, (control, reason): Wanted) -> Result<Response, Problem> {
    let (session, said) = caller.session();
    let run = find(&session, run, true).await?;
    let asked = inbox::ask(&session, &run, control, reason).await?;
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
