//! What needs a person, with the exact command to type.

use schemars::JsonSchema;
use serde::Serialize;

use crate::engine::clock;
use crate::engine::event::{ChildRun, MissingConsent, Want};
use crate::engine::input::Direction;
use crate::engine::state::NodeState;
use crate::engine::{
    IndexedPlan, Remedy, RunState, call_of, consent_flag, is_half_done, is_unasked_fence, remedies,
    why_in_doubt, why_unfenced,
};
use crate::model::policy::{Approval, NotBy};
use crate::model::run::{NodeStatus, RunStatus};
use crate::model::shell;
use crate::plan::{NodeIndex, NodeKind};

/// Something only a person can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PersonNeeded {
    /// The node it is about; absent: the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What kind of word is needed: start, resume, approval, consent, manual, failure, doubt, attestation,
    /// cleanup.
    pub kind: &'static str,
    /// What it is about.
    pub text: String,
    /// What to type.
    pub command: String,
}

/// What is said of a step that is not taken back by itself.
const HALF_DONE: &str =
    "; it may have done a part of its work: look at it first. Nothing is taken back before that is known";

/// Said of a fence that could not be confirmed in a plan without a gate before the promotion.
const UNASKED: &str = "; no gate of this plan asks whether the old primary may still accept writes, so the run \
                       stops here: fence it by hand and say `done`, or `skip` it and risk two primaries";

/// Everything that waits for a person, most urgent first.
#[must_use]
pub fn needs_person(plan: &IndexedPlan, state: &RunState) -> Vec<PersonNeeded> {
    let run = state.created.run.as_str();
    if state.status.is_terminal() {
        return Vec::new();
    }
    if state.status == RunStatus::Staged {
        let (text, command) = ("the run waits to be started".to_owned(), format!("drctl start {run}"));
        return vec![PersonNeeded { step: None, kind: "start", text, command }];
    }
    let active = state.active.iter().chain(&state.failed);
    let mut needed: Vec<_> = active.filter_map(|node| of_node(plan, state, *node, run)).collect();
    if needed.is_empty() && state.status.needs_person() {
        let (kind, command) = match state.status {
            RunStatus::Paused => ("resume", format!("drctl resume {run}")),
            RunStatus::AwaitingAttestation => {
                ("attestation", format!("drctl drill attest {run} --pass --notes \"…\"   (or: --fail)"))
            }
            RunStatus::CleanupIncomplete => ("cleanup", format!("drctl drill cleanup {run}")),
            // What is left cannot be taken back, and nobody can change that.
            RunStatus::Stuck if state.want == Want::Unwind => {
                ("blocked", format!("drctl abort {run} --reason \"…\""))
            }
            _ => ("blocked", format!("drctl runs show {run}")),
        };
        let text = state.cause.clone().unwrap_or_else(|| "the run is paused".to_owned());
        needed.push(PersonNeeded { step: None, kind, text, command });
    }
    needed
}

/// Who may agree, and how many of them are still wanted.
fn by_whom(approval: &Approval, state: &RunState, it: &NodeState) -> String {
    let mut text = String::new();
    if approval.quorum > 1 {
        let granted = it.votes.iter().filter(|(_, granted)| *granted).count();
        text = format!(" of {} people ({granted} so far)", approval.quorum);
    }
    if !approval.roles.is_empty() {
        text = format!("{text}, by role {}", approval.roles.join(" or "));
    }
    if approval.not_by.contains(&NotBy::Starter) {
        let starter = state.begun_by.as_ref().unwrap_or(&state.created.started_by.name);
        text = format!("{text}, not by {starter}, who started the run");
    }
    text
}

fn of_node(plan: &IndexedPlan, state: &RunState, node: NodeIndex, run: &str) -> Option<PersonNeeded> {
    let definition = plan.plan.nodes.get(node as usize)?;
    let it = state.node(node);
    let address = definition.address.to_string();
    let typed = shell::word(&address);
    let failure = it.failure.as_ref().map_or_else(String::new, ToString::to_string);
    let (kind, text, command) = match it.status {
        NodeStatus::AwaitingApproval if it.direction == Direction::Undo => {
            let call = call_of(definition, it.mode.unwrap_or(state.mode), Direction::Undo);
            let how = call.and_then(|call| call.with.get("instructions")).and_then(|text| text.as_str());
            let text = format!("to be taken back by hand: {}", how.unwrap_or_default());
            ("manual", text, format!("drctl done {run} {typed} --reason \"…\""))
        }
        NodeStatus::AwaitingApproval => match &definition.kind {
            NodeKind::Gate => {
                let flags: Vec<_> = state.missing.iter().map(consent_flag).collect();
                ("consent", gate_text(plan, state), format!("drctl approve {run} {}", flags.join(" ")))
            }
            NodeKind::Manual { call } => {
                let text = call.with.get("instructions").and_then(|text| text.as_str()).unwrap_or_default();
                ("manual", text.to_owned(), format!("drctl done {run} {typed} --reason \"…\""))
            }
            NodeKind::Approval { approval } => {
                let text = format!("{} waits for approval{}", definition.title, by_whom(approval, state, it));
                ("approval", text, format!("drctl approve {run} {typed}"))
            }
            _ => return None,
        },
        NodeStatus::Failed => {
            let unasked = is_unasked_fence(plan, state, node);
            let more = match () {
                () if unasked => UNASKED,
                () if is_half_done(plan, state, node) => HALF_DONE,
                () => "",
            };
            ("failure", format!("{failure}{more}"), ways_out(plan, state, node)?)
        }
        NodeStatus::UndoFailed => ("undo", failure, ways_out(plan, state, node)?),
        NodeStatus::InDoubt if it.person_needed => {
            let what = match it.direction {
                Direction::Do => "applied",
                Direction::Undo => "taken back",
            };
            let why = why_in_doubt(it).map_or_else(String::new, |why| format!(": {why}"));
            let text = format!("nobody can tell whether it was {what}{why}");
            ("doubt", text, ways_out(plan, state, node)?)
        }
        NodeStatus::Running => of_child(state, node)?,
        _ => return None,
    };
    Some(PersonNeeded { step: Some(address), kind, text, command })
}

/// What the run of a node waits for. What exactly is missing is told by that run.
fn of_child(state: &RunState, node: NodeIndex) -> Option<(&'static str, String, String)> {
    // What was paused with this run goes on with it.
    let with_this = |child: &&ChildRun| state.want == Want::Pause && child.status == RunStatus::Paused;
    let child = state.waiting_child(node).filter(|child| !with_this(child))?;
    let why = child.cause.as_deref().map_or_else(String::new, |cause| format!(": {cause}"));
    let command = match child.status {
        RunStatus::AwaitingApproval => format!("drctl approve {}", child.run),
        _ => format!("drctl runs show {}", child.run),
    };
    Some(("child", format!("{} is {}{why}", child.run, child.status), command))
}

/// What to type about a node that cannot go on by itself; `None`: the run goes its way without a word.
fn ways_out(plan: &IndexedPlan, state: &RunState, node: NodeIndex) -> Option<String> {
    let run = &state.created.run;
    let address = shell::word(plan.plan.nodes.get(node as usize)?.address.as_str());
    let typed = |remedy: &Remedy| match remedy {
        Remedy::Retry => format!("drctl retry {run} {address}"),
        Remedy::Done => format!("drctl done {run} {address} --reason \"…\""),
        Remedy::Skip if state.node(node).status == NodeStatus::Failed => {
            format!("drctl skip {run} {address} --override --reason \"…\"")
        }
        Remedy::Skip => format!("drctl skip {run} {address} --reason \"…\""),
    };
    let ways: Vec<_> = remedies(plan, state, node).iter().map(typed).collect();
    let (best, others) = ways.split_first()?;
    let others = if others.is_empty() { String::new() } else { format!("   (or: {})", others.join(", ")) };
    Some(format!("{best}{others}"))
}

/// Where the loss comes from, when nothing could be read in the run itself.
fn told_by_earlier(plan: &IndexedPlan, state: &RunState) -> String {
    let oldest = state.created.earlier.iter().map(|reading| reading.at).min();
    let oldest = oldest.filter(|_| clock::rests_on_earlier(plan, state));
    oldest.map_or_else(String::new, |at| {
        let before = state.created.declared_at.since(at);
        format!(" (nothing could be read in this run; by the last reading, {before} before it)")
    })
}

fn gate_text(plan: &IndexedPlan, state: &RunState) -> String {
    let parts: Vec<_> = state
        .missing
        .iter()
        .map(|consent| match consent {
            MissingConsent::Confirm(text) => format!("confirm {text}"),
            MissingConsent::AcceptLoss(loss) => {
                format!("accept the loss of {loss} of data{}", told_by_earlier(plan, state))
            }
            MissingConsent::AcceptUnmeasuredLoss => "accept a data loss nobody could measure".to_owned(),
            MissingConsent::AcceptUnfenced(fences) => {
                format!("accept that the old primary may still accept writes ({})", why_unfenced(fences))
            }
        })
        .collect();
    format!("the point of no return: {}", parts.join("; "))
}
