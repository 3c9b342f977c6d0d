//! What people ask of a run. Every request is answered by an event, granted or not.

use serde_json::Map;

use super::decide::Decision;
use super::event::{Event, NodeSucceeded, SkipCause, Want};
use super::input::{Control, Direction, Rejection, Request};
use super::remedy::{self, Remedy};
use super::{approval, drill, left, unwind};
use crate::model::id::NodeAddress;
use crate::model::run::{Identity, Mode, NodeStatus, RunStatus};
use crate::plan::{EdgeKind, NodeIndex, NodeKind};

/// Decides a request and records the answer.
pub(super) fn request(decision: &mut Decision<'_>, request: Request) -> Result<(), Rejection> {
    if decision.state.answered.contains(&request.id) {
        return Err(Rejection::Duplicate);
    }
    let before = decision.events.len();
    let result = if decision.state.status.is_terminal() {
        Err(Rejection::Refused(format!("the run is over: {}", decision.state.status)))
    } else {
        grant(decision, &request)
    };
    let refused = result.err().map(|rejection| rejection.to_string());
    debug_assert!(refused.is_none() || decision.events.len() >= before, "events are only added");
    let verb = request.control.verb().to_owned();
    decision.emit(Event::RequestAnswered {
        id: request.id,
        verb,
        by: request.by,
        from: Some(request.from),
        reason: request.reason,
        refused,
    });
    Ok(())
}

fn grant(decision: &mut Decision<'_>, request: &Request) -> Result<(), Rejection> {
    let by = &request.by;
    let staged = decision.state.status == RunStatus::Staged;
    if staged && !matches!(request.control, Control::Start | Control::Abort | Control::Adopt) {
        return Err(refused("the run is staged: start it or abort it"));
    }
    match &request.control {
        Control::Start if staged => decision.emit(Event::RunStarted { by: by.clone() }),
        Control::Start => return Err(refused("the run was started before")),
        Control::Pause => want(decision, Want::Pause, request)?,
        Control::Resume => resume(decision, request)?,
        Control::Abort => {
            reason(request)?;
            if !drill::abort(decision, request)? {
                want(decision, Want::Abort, request)?;
            }
        }
        Control::Unwind if drill::of(decision.plan).is_some() => {
            return Err(refused("a drill is not unwound but aborted: what it changed is taken back"));
        }
        Control::Unwind => {
            unwind::check(decision)?;
            want(decision, Want::Unwind, request)?;
        }
        Control::Mode(mode) => switch_mode(decision, *mode, request)?,
        Control::Retry { node } => retry(decision, node, by)?,
        Control::Skip { node, override_safety } => skip(decision, node, *override_safety, request)?,
        Control::Done { node, outputs } => done(decision, node, outputs, request)?,
        Control::Approve { node, consents } => approval::approve(decision, node.as_ref(), consents, by)?,
        Control::Deny { node } => approval::deny(decision, node.as_ref(), by, request.reason.as_deref())?,
        Control::Attest { passed } => drill::attest(decision, *passed, request)?,
        Control::Promote { keep } => drill::promote(decision, keep, request)?,
        Control::Adopt => decision.emit(Event::AdoptionRequested { by: by.clone() }),
    }
    Ok(())
}

fn refused(text: &str) -> Rejection {
    Rejection::Refused(text.to_owned())
}

fn reason(request: &Request) -> Result<String, Rejection> {
    request
        .reason
        .clone()
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| refused("a reason is required"))
}

/// What people want may become stricter, never looser: an abort is not taken back by a pause.
fn want(decision: &mut Decision<'_>, want: Want, request: &Request) -> Result<(), Rejection> {
    let allowed = match (decision.state.want, want) {
        (Want::Run, _) | (Want::Pause, Want::Abort | Want::Unwind | Want::Fail) => true,
        (Want::Unwind, Want::Abort) => true,
        (Want::Pause | Want::Abort | Want::Fail | Want::Unwind | Want::CleanUp, _) => false,
    };
    if !allowed {
        return Err(refused(&format!("the run was already asked to {}", decision.state.want)));
    }
    if want != Want::Pause {
        reason(request)?;
    }
    let reason = request.reason.clone();
    decision.emit(Event::WantChanged { want, by: Some(request.by.clone()), reason });
    Ok(())
}

fn resume(decision: &mut Decision<'_>, request: &Request) -> Result<(), Rejection> {
    if decision.state.want == Want::Pause {
        let (by, reason) = (Some(request.by.clone()), request.reason.clone());
        decision.emit(Event::WantChanged { want: Want::Run, by, reason });
        return Ok(());
    }
    let goes_on = decision.state.want == Want::Run;
    let failed: Vec<_> = decision.state.failed.iter().filter_map(|node| decision.definition(*node)).collect();
    match failed.first().filter(|_| goes_on) {
        Some(first) => {
            Err(refused(&format!("`{0}` failed: retry {0}, skip {0}, done {0}, or abort", first.address)))
        }
        None if goes_on => Err(refused("the run is not paused")),
        None => Err(refused(&format!("the run was asked to {}", decision.state.want))),
    }
}

fn switch_mode(decision: &mut Decision<'_>, mode: Mode, request: &Request) -> Result<(), Rejection> {
    let reason = reason(request)?;
    match (decision.state.mode, mode) {
        (Mode::Graceful, Mode::Ungraceful) => {
            decision.emit(Event::ModeSwitched { mode, by: request.by.clone(), reason });
            Ok(())
        }
        (Mode::Ungraceful, Mode::Graceful) => {
            Err(refused("an ungraceful run cannot become graceful: what was left out cannot be caught up"))
        }
        (Mode::Graceful, Mode::Graceful) | (Mode::Ungraceful, Mode::Ungraceful) => {
            Err(refused(&format!("the run already is {mode}")))
        }
    }
}

fn find(decision: &Decision<'_>, address: &NodeAddress) -> Result<NodeIndex, Rejection> {
    let node = decision.plan.index.by_address.get(address).copied();
    node.ok_or_else(|| refused(&format!("the plan has no node `{address}`; `drctl runs show` lists them")))
}

fn permitted(decision: &Decision<'_>, node: NodeIndex, remedy: Remedy) -> Result<(), Rejection> {
    remedy::refusal(decision.plan, &decision.state, node, remedy).map_or(Ok(()), |why| Err(refused(&why)))
}

fn retry(decision: &mut Decision<'_>, address: &NodeAddress, by: &Identity) -> Result<(), Rejection> {
    let node = find(decision, address)?;
    permitted(decision, node, Remedy::Retry)?;
    if decision.node(node).status == NodeStatus::Retrying {
        super::attempt::begin_next(decision, node);
    } else {
        reset_members(decision, node, by);
        let look = remedy::can_look(decision.plan, &decision.state, node);
        decision.emit(Event::NodeReset { node, by: by.clone(), look });
    }
    Ok(())
}

/// What failed of a group begins with it, each part with the checks that guard it.
fn reset_members(decision: &mut Decision<'_>, group: NodeIndex, by: &Identity) {
    let Some(NodeKind::Group { members, .. }) = decision.definition(group).map(|node| &node.kind) else {
        return;
    };
    for &member in members {
        reset_members(decision, member, by);
        let serves = (0..).zip(&decision.plan.index.serves);
        let of_member = serves.filter(|(_, step)| **step == Some(member)).map(|(node, _)| node);
        for node in of_member.chain([member]) {
            if has_failed(decision, node) {
                decision.emit(Event::NodeReset { node, by: by.clone(), look: false });
            }
        }
    }
}

/// Says whether a part of a group has failed, or was left out for a failure.
fn has_failed(decision: &Decision<'_>, node: NodeIndex) -> bool {
    let state = decision.node(node);
    let passed_over =
        matches!(state.status, NodeStatus::Failed | NodeStatus::FailedIgnored | NodeStatus::TimedOut);
    passed_over || (state.status == NodeStatus::Skipped && matches!(state.skipped, Some(SkipCause::Failed)))
}

fn skip(
    decision: &mut Decision<'_>,
    address: &NodeAddress,
    override_safety: bool,
    request: &Request,
) -> Result<(), Rejection> {
    let node = find(decision, address)?;
    let reason = reason(request)?;
    if address.as_str() == NodeAddress::GATE {
        return Err(refused("the point of no return cannot be skipped; approve it or abort"));
    }
    approval::guard(decision, node, &request.by, Some(override_safety))?;
    let status = decision.node(node).status;
    let left_out = matches!(status, NodeStatus::Skipped | NodeStatus::FailedIgnored | NodeStatus::TimedOut);
    if left_out && !override_safety {
        return Err(refused(&format!(
            "`{address}` is already {status}; add --override to let what needs it go on"
        )));
    }
    // Whoever takes back a fence has left the promotion behind it: what is left of the fence is no risk to
    // it.
    let goes_on = matches!(decision.state.want, Want::Run | Want::Pause);
    let guarded = if goes_on { needed_for_safety(decision, node) } else { Vec::new() };
    if !override_safety && !guarded.is_empty() {
        return Err(refused(&format!(
            "{} must not begin without `{address}`; add --override to take that risk, and it will stand in the report",
            guarded.join(", ")
        )));
    }
    if !left_out {
        permitted(decision, node, Remedy::Skip)?;
        let why = SkipCause::Person { by: request.by.clone(), reason: reason.clone() };
        decision.emit(Event::NodeSkipped { node, why });
    }
    if override_safety {
        decision.emit(Event::SafetyOverridden { node, by: request.by.clone(), reason });
    }
    Ok(())
}

/// Nodes that must not begin without this one, or without a group it belongs to, by address.
fn needed_for_safety(decision: &Decision<'_>, node: NodeIndex) -> Vec<String> {
    let group_of = |node: &NodeIndex| decision.plan.index.group_of.get(*node as usize).copied().flatten();
    let around = std::iter::successors(Some(node), group_of);
    around.flat_map(|node| directly_needed(decision, node)).collect()
}

fn directly_needed(decision: &Decision<'_>, node: NodeIndex) -> Vec<String> {
    let successors = decision.plan.index.successors.get(node as usize).map_or(&[][..], Vec::as_slice);
    let definitions = successors.iter().filter_map(|successor| decision.definition(*successor));
    definitions
        .filter(|successor| {
            successor.needs.iter().any(|edge| edge.node == node && edge.kind == EdgeKind::Safety)
        })
        .map(|successor| format!("`{}`", successor.address))
        .collect()
}

fn done(
    decision: &mut Decision<'_>,
    address: &NodeAddress,
    outputs: &Map<String, serde_json::Value>,
    request: &Request,
) -> Result<(), Rejection> {
    let node = find(decision, address)?;
    let reason = reason(request)?;
    if address.as_str() == NodeAddress::GATE {
        return Err(refused("the point of no return is approved, not done"));
    }
    approval::guard(decision, node, &request.by, None)?;
    permitted(decision, node, Remedy::Done)?;
    if left::is_open(&decision.state) && left::standing(decision.plan, &decision.state).contains(&node) {
        decision.emit(Event::NodeUndone { node });
        return Ok(());
    }
    let (state, outputs) = (decision.node(node), outputs.clone());
    match state.status {
        NodeStatus::UndoFailed => decision.emit(Event::NodeUndone { node }),
        NodeStatus::InDoubt | NodeStatus::Retrying | NodeStatus::AwaitingApproval
            if state.direction == Direction::Undo =>
        {
            decision.emit(Event::NodeUndone { node });
        }
        // It was applied, then; and like everything that was, it is taken back.
        NodeStatus::InDoubt if remedy::takes_back(decision.plan, &decision.state, node) => {
            decision.emit(Event::NodeSucceeded(NodeSucceeded { node, outputs, adopted: false, fence: None }));
        }
        NodeStatus::Failed
        | NodeStatus::InDoubt
        | NodeStatus::AwaitingApproval
        | NodeStatus::Retrying
        | NodeStatus::Pending
        | NodeStatus::Ready
        | NodeStatus::Waiting
        | NodeStatus::FailedIgnored
        | NodeStatus::Skipped
        | NodeStatus::TimedOut => {
            let by = request.by.clone();
            decision.emit(Event::NodeMarkedDone { node, outputs, by, reason });
        }
        // Refused above.
        NodeStatus::Running
        | NodeStatus::Succeeded
        | NodeStatus::MarkedDone
        | NodeStatus::Undone
        | NodeStatus::Cancelled => {}
    }
    Ok(())
}
