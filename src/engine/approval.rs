//! People's words: approvals with quorum and expiry, and the gate before the point of no return.

use std::collections::BTreeSet;

use serde_json::{Map, json};

use super::clock;
use super::decide::{Decision, timed_out};
use super::event::{Applied, ClockMark, Event, FenceResult, MissingConsent, NodeSucceeded, SkipCause, Want};
use super::input::{Consents, Direction, Rejection};
use super::ready;
use super::state::NodeState;
use crate::model::id::NodeAddress;
use crate::model::policy::{Approval, NotBy, OnExpiry};
use crate::model::run::{Failure, FailureClass, Identity, NodeStatus};
use crate::model::time::Duration;
use crate::plan::{Node, NodeIndex, NodeKind};

/// What stands between who refused the gate and why.
const REFUSED: &str = " refused the point of no return: ";

/// Asks people to agree.
pub(super) fn request(decision: &mut Decision<'_>, node: NodeIndex, definition: &Node, approval: &Approval) {
    let expires_at = approval.expires.map(|expires| decision.now.plus(expires));
    let message = approval.message.as_deref().map(serde_json::Value::from);
    let message = ready::rendered_text(decision, definition, message.as_ref());
    decision.emit(Event::ApprovalRequested { node, expires_at, message });
}

/// A person agrees.
pub(super) fn approve(
    decision: &mut Decision<'_>,
    node: Option<&NodeAddress>,
    consents: &Consents,
    by: &Identity,
) -> Result<(), Rejection> {
    let late = run_out(decision);
    let node = waiting_node(decision, node).map_err(|refusal| late.unwrap_or(refusal))?;
    let Some(definition) = decision.definition(node) else { return Err(refused("no such node")) };
    if decision.node(node).direction == Direction::Undo {
        return Err(refused(&format!(
            "`{}` is to be taken back by hand; say `drctl done` when it is",
            definition.address
        )));
    }
    match &definition.kind {
        NodeKind::Gate => {
            decision.emit(Event::ConsentsGiven { consents: consents.clone(), by: by.clone() });
            let missing = missing_consents(decision);
            if missing.is_empty() {
                pass_gate(decision, node);
                end_refusal(decision, by);
                return Ok(());
            }
            decision.emit(Event::GateReached { missing: missing.clone() });
            let flags: Vec<_> = missing.iter().map(consent_flag).collect();
            let unconfirmed = missing.iter().any(|consent| matches!(consent, MissingConsent::Confirm(_)));
            let wrong = consents.confirm.as_ref().filter(|_| unconfirmed);
            let wrong = wrong.map(|given| format!("`{given}` is not this move; ")).unwrap_or_default();
            Err(refused(&format!("{wrong}the gate needs {}", flags.join(" "))))
        }
        NodeKind::Approval { approval } => {
            allowed(decision, node, approval, by)?;
            decision.emit(Event::VoteCast { node, by: by.clone(), granted: true });
            let granted: BTreeSet<_> = decision
                .node(node)
                .votes
                .iter()
                .filter(|(_, yes)| *yes)
                .map(|(by, _)| by.name.clone())
                .collect();
            if granted.len() >= approval.quorum as usize {
                let mut outputs = Map::new();
                outputs.insert("approved_by".to_owned(), json!(granted));
                ready::finish(decision, NodeSucceeded { node, outputs, adopted: false, fence: None });
            }
            Ok(())
        }
        NodeKind::Manual { .. } => Err(refused(&format!(
            "`{}` is work to be done by hand; say `drctl done` when it is",
            definition.address
        ))),
        NodeKind::Effect { .. }
        | NodeKind::Check { .. }
        | NodeKind::Reading { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. }
        | NodeKind::Group { .. } => Err(refused("the node does not wait for an approval")),
    }
}

/// A person refuses. A refused gate holds the run; a refused approval fails its node.
pub(super) fn deny(
    decision: &mut Decision<'_>,
    node: Option<&NodeAddress>,
    by: &Identity,
    reason: Option<&str>,
) -> Result<(), Rejection> {
    let late = run_out(decision);
    let node = waiting_node(decision, node).map_err(|refusal| late.unwrap_or(refusal))?;
    let Some(definition) = decision.definition(node) else { return Err(refused("no such node")) };
    match &definition.kind {
        NodeKind::Gate => {
            let why = reason.unwrap_or("no reason given");
            let reason = Some(format!("{}{REFUSED}{why}", by.name));
            decision.emit(Event::WantChanged { want: Want::Pause, by: Some(by.clone()), reason });
        }
        NodeKind::Approval { approval } => {
            allowed(decision, node, approval, by)?;
            decision.emit(Event::VoteCast { node, by: by.clone(), granted: false });
            let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            let failure = Failure::new(FailureClass::Refused, format!("{} refused{why}", by.name));
            ready::fail(decision, node, failure, Applied::No);
        }
        NodeKind::Manual { .. }
        | NodeKind::Effect { .. }
        | NodeKind::Check { .. }
        | NodeKind::Reading { .. }
        | NodeKind::Wait { .. }
        | NodeKind::Assert { .. }
        | NodeKind::Group { .. } => {
            return Err(refused("the node does not wait for an approval"));
        }
    }
    Ok(())
}

/// Lets the run go on that was held by nothing but somebody's refusal of the gate, now that it is passed.
fn end_refusal(decision: &mut Decision<'_>, by: &Identity) {
    let state = &decision.state;
    let refused = state.want_reason.as_deref().is_some_and(|reason| reason.contains(REFUSED));
    let mut asked = state.interventions.iter().rev().take_while(|asked| asked.verb != "resume");
    // Who paused the run for another reason decides when it goes on.
    if state.want == Want::Pause && refused && !asked.any(|asked| asked.verb == "pause") {
        decision.emit(Event::WantChanged { want: Want::Run, by: Some(by.clone()), reason: None });
    }
}

fn refused(text: &str) -> Rejection {
    Rejection::Refused(text.to_owned())
}

/// Lets every approval whose time is over end as its author wants. An answer may come before the next look
/// at the clock, above all when nobody drove the run for a while: it does not bring an approval back.
/// Returns why an answer to one of them is refused.
fn run_out(decision: &mut Decision<'_>) -> Option<Rejection> {
    let now = decision.now;
    let due = |node: &NodeIndex| {
        let state = decision.node(*node);
        let until = state.until.filter(|until| *until <= now);
        until.filter(|_| state.status == NodeStatus::AwaitingApproval).map(|until| (*node, until))
    };
    let due: Vec<_> = decision.state.active.iter().filter_map(due).collect();
    let mut late = None;
    for (node, until) in due {
        expire(decision, node);
        let over = decision.node(node).status != NodeStatus::AwaitingApproval;
        if let Some(definition) = decision.definition(node).filter(|_| over) {
            late = Some(refused(&format!("`{}` could be answered until {until}", definition.address)));
        }
    }
    late
}

/// The node an answer is meant for: the one named, or the only one that waits.
fn waiting_node(decision: &Decision<'_>, named: Option<&NodeAddress>) -> Result<NodeIndex, Rejection> {
    let waits = |node: &NodeIndex| decision.node(*node).status == NodeStatus::AwaitingApproval;
    if let Some(address) = named {
        let node = decision.plan.index.by_address.get(address).copied();
        let node = node.ok_or_else(|| refused(&format!("the plan has no node `{address}`")))?;
        if waits(&node) {
            return Ok(node);
        }
        // `drctl approve RUN STEP` means the approval that stands before the step.
        let before = decision.plan.index.by_address.get(&address.part("approval")).copied();
        return before
            .filter(waits)
            .ok_or_else(|| refused(&format!("`{address}` does not wait for an approval")));
    }
    let manual = |node: &NodeIndex| {
        let of_kind = |node: &Node| matches!(node.kind, NodeKind::Manual { .. });
        decision.definition(*node).is_some_and(of_kind) || decision.node(*node).direction == Direction::Undo
    };
    let waiting: Vec<_> =
        decision.state.active.iter().copied().filter(|node| waits(node) && !manual(node)).collect();
    match waiting.as_slice() {
        [] => Err(refused("nothing waits for an approval")),
        [node] => Ok(*node),
        many => {
            let addresses =
                many.iter().filter_map(|node| decision.definition(*node)).map(|node| node.address.as_str());
            Err(refused(&format!(
                "several nodes wait, name one: {}",
                addresses.collect::<Vec<_>>().join(", ")
            )))
        }
    }
}

/// Says whether somebody has a say in an approval at all.
fn may_decide(decision: &Decision<'_>, approval: &Approval, by: &Identity) -> Result<(), Rejection> {
    if approval.not_by.contains(&NotBy::Starter) && decision.state.was_begun_by(by) {
        return Err(refused("the person who started the run may not approve this step"));
    }
    if !approval.roles.is_empty() && !approval.roles.iter().any(|role| by.roles.contains(role)) {
        return Err(refused(&format!("this approval needs one of the roles {}", approval.roles.join(", "))));
    }
    Ok(())
}

/// Refuses to pass an approval by in another way than by agreeing to it: nobody says that it is done, and
/// only who may decide leaves it out, which stands in the report as an override.
pub(super) fn guard(
    decision: &Decision<'_>,
    node: NodeIndex,
    by: &Identity,
    left_out: Option<bool>,
) -> Result<(), Rejection> {
    let Some(definition) = decision.definition(node) else { return Ok(()) };
    let NodeKind::Approval { approval } = &definition.kind else { return Ok(()) };
    let address = &definition.address;
    match left_out {
        None => {
            Err(refused(&format!("`{address}` is an approval: approve or deny it; nobody does it by hand")))
        }
        Some(false) => Err(refused(&format!(
            "`{address}` is an approval: approve or deny it; add --override to go on without it, and it will stand in the \
             report"
        ))),
        Some(true) => may_decide(decision, approval, by),
    }
}

fn allowed(
    decision: &Decision<'_>,
    node: NodeIndex,
    approval: &Approval,
    by: &Identity,
) -> Result<(), Rejection> {
    may_decide(decision, approval, by)?;
    if decision.node(node).votes.iter().any(|(earlier, granted)| *granted && earlier.name == by.name) {
        return Err(refused(&format!("{} has already approved", by.name)));
    }
    Ok(())
}

/// The time of an approval is over.
pub(super) fn expire(decision: &mut Decision<'_>, node: NodeIndex) {
    let Some(definition) = decision.definition(node) else { return };
    let NodeKind::Approval { approval } = &definition.kind else { return };
    decision.emit(Event::ApprovalExpired { node });
    match approval.on_expiry {
        OnExpiry::Hold | OnExpiry::Escalate => {}
        OnExpiry::Deny => {
            let failure = timed_out("the approval", approval.expires.unwrap_or_default());
            ready::fail(decision, node, Failure { class: FailureClass::Refused, ..failure }, Applied::No);
        }
        OnExpiry::Proceed => {
            let outputs = Map::new();
            ready::finish(decision, NodeSucceeded { node, outputs, adopted: false, fence: None });
        }
    }
}

/// Opens the gate when every consent is there, else says what is missing.
pub(super) fn try_gate(decision: &mut Decision<'_>, gate: NodeIndex) {
    let missing = missing_consents(decision);
    if missing.is_empty() {
        pass_gate(decision, gate);
    } else {
        decision.emit(Event::GateReached { missing });
    }
}

fn pass_gate(decision: &mut Decision<'_>, gate: NodeIndex) {
    let data_loss = clock::data_loss(decision.plan, &decision.state);
    decision.emit(Event::GatePassed { consents: decision.state.consents.clone(), data_loss });
    decision.emit(Event::ClockMarked { mark: ClockMark::PointOfNoReturn });
    ready::finish(decision, NodeSucceeded { node: gate, outputs: Map::new(), adopted: false, fence: None });
}

/// What a person must say before the point of no return, given what has been measured.
fn missing_consents(decision: &Decision<'_>) -> Vec<MissingConsent> {
    let consents = &decision.state.consents;
    let mut missing = Vec::new();
    let expected = decision.plan.plan.confirmation();
    if consents.confirm.as_deref() != Some(expected.as_str()) {
        missing.push(MissingConsent::Confirm(expected));
    }
    if let Some(objective) = decision.plan.plan.objectives.rpo {
        // Who accepts any loss accepts one that is bounded by what was read before the run.
        let any = consents.accept_unmeasured_loss && clock::rests_on_earlier(decision.plan, &decision.state);
        match clock::data_loss(decision.plan, &decision.state).filter(|_| !any) {
            Some(loss) if loss > objective && consents.accept_loss.is_none_or(|accepted| accepted < loss) => {
                missing.push(MissingConsent::AcceptLoss(askable(decision, loss)));
            }
            Some(_) => {}
            None if consents.accept_unmeasured_loss => {}
            None => missing.push(MissingConsent::AcceptUnmeasuredLoss),
        }
    }
    let unfenced = unconfirmed_fences(decision);
    let open = !unfenced.is_empty() || (needs_fence(decision) && !is_fenced(decision));
    if open && !consents.accept_unfenced {
        missing.push(MissingConsent::AcceptUnfenced(unfenced));
    }
    missing
}

fn needs_fence(decision: &Decision<'_>) -> bool {
    decision.plan.plan.needs_fence(decision.state.mode)
}

/// Whether anything has stopped the old primary, by the run or by hand.
fn is_fenced(decision: &Decision<'_>) -> bool {
    let plan = &decision.plan.plan;
    plan.nodes.iter().zip(&decision.state.nodes).any(|(definition, node)| {
        let by_hand = node.status == NodeStatus::MarkedDone;
        matches!(node.fence, Some(FenceResult::Confirmed))
            || (by_hand && plan.fences(definition, decision.state.mode))
    })
}

/// The loss to ask for: with some minutes more where it grows until the answer is there.
fn askable(decision: &Decision<'_>, loss: Duration) -> Duration {
    if !clock::loss_grows(decision.plan, &decision.state) {
        return loss;
    }
    Duration::from_secs((loss.as_millis().div_ceil(60_000) + 2) * 60)
}

fn unconfirmed_fences(decision: &Decision<'_>) -> Vec<String> {
    let (plan, mode) = (&decision.plan.plan, decision.state.mode);
    let nodes = plan.nodes.iter().zip(&decision.state.nodes);
    let passed_over = |definition: &Node, node: &NodeState| {
        let failed = matches!(node.status, NodeStatus::FailedIgnored | NodeStatus::TimedOut);
        let failed = failed || (node.status == NodeStatus::Failed && node.overridden);
        let left_out = matches!(node.skipped, Some(SkipCause::Person { .. }));
        (failed || left_out) && plan.fences(definition, mode)
    };
    nodes
        .filter(|(definition, node)| {
            matches!(node.fence, Some(FenceResult::Unconfirmed(_))) || passed_over(definition, node)
        })
        .map(|(definition, _)| definition.address.to_string())
        .collect()
}

/// Why the old primary may still accept writes, given the fences that are unconfirmed.
#[must_use]
pub fn why_unfenced(unconfirmed: &[String]) -> String {
    if unconfirmed.is_empty() {
        "nothing in this run fenced it".to_owned()
    } else {
        format!("{} unconfirmed", unconfirmed.join(", "))
    }
}

/// The flag that gives a consent on the command line.
#[must_use]
pub fn consent_flag(consent: &MissingConsent) -> String {
    match consent {
        MissingConsent::Confirm(text) => format!("--confirm {text}"),
        MissingConsent::AcceptLoss(loss) => format!("--accept-loss \"{loss}\""),
        MissingConsent::AcceptUnmeasuredLoss => "--accept-loss unmeasured".to_owned(),
        MissingConsent::AcceptUnfenced(_) => "--accept-unfenced".to_owned(),
    }
}
