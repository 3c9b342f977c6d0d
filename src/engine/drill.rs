//! The life of a drill: when it is wound up, in which order, and what becomes of it. Whatever happens, what
//! it changed is taken back, or somebody is told what was not.

use super::decide::Decision;
use super::event::{Applied, Attested, ClockMark, DrillOutcome, Event, SkipCause, Want};
use super::input::{Rejection, Request};
use super::state::{IndexedPlan, RunState};
use super::status::{address, failure_text};
use super::{clock, handover, left, ready, unwind};
use crate::model::drill::DrillLevel;
use crate::model::id::NodeAddress;
use crate::model::policy::{NotBy, Reversibility};
use crate::model::run::{Identity, NodeStatus, Phase, RunStatus};
use crate::plan::{DrillPlan, Node, NodeIndex, Section};

/// What makes the plan a drill that changes something; `None`: it is no such drill.
pub(super) fn of(plan: &IndexedPlan) -> Option<&DrillPlan> {
    plan.plan.drill.as_ref().filter(|drill| drill.changes())
}

/// Says whether a node may begin in the part of the drill's life that the run is in.
pub(super) fn may_begin(decision: &Decision<'_>, definition: &Node) -> bool {
    let Some(section) = definition.section() else { return true };
    match decision.state.want {
        Want::CleanUp => section.winds_up(),
        Want::Run if decision.state.drill.outcome.is_some() => {
            !section.winds_up() && !matches!(section, Section::Verify | Section::Hold)
        }
        Want::Run | Want::Pause | Want::Abort | Want::Fail | Want::Unwind => !section.winds_up(),
    }
}

/// Begins to wind the drill up when all before it is over, or has failed.
pub(super) fn look(decision: &mut Decision<'_>) {
    let Some(drill) = of(decision.plan) else { return };
    if decision.state.want != Want::Run || decision.state.status == RunStatus::Staged {
        return;
    }
    let failed = decision.state.failed.first().copied();
    let failed_in = failed.and_then(|node| decision.definition(node)).and_then(Node::section);
    let over = |section: fn(Section) -> bool| {
        let nodes = decision.plan.plan.nodes.iter().zip(&decision.state.nodes);
        let mut nodes = nodes.filter(|(node, _)| node.section().is_some_and(section));
        nodes.all(|(_, node)| node.status.is_settled())
    };
    let cut = decision.state.drill.outcome.is_some();
    let (outcome, reason) = match (failed, failed_in) {
        // What moved the service is a person's to judge; that it does not work is what drills are for.
        (Some(_), Some(Section::Operation | Section::Inject)) if drill.returns => return,
        (Some(node), _) => (DrillOutcome::Failed, Some(failure_text(decision.plan, &decision.state, node))),
        (None, _) if cut && over(|section| section == Section::Operation) => {
            (DrillOutcome::Aborted, decision.state.drill.reason.clone())
        }
        (None, _) if !cut && over(|section| !section.winds_up()) => (DrillOutcome::Passed, None),
        (None, _) => return,
    };
    begin_cleanup(decision, outcome, None, reason, Vec::new());
}

fn begin_cleanup(
    decision: &mut Decision<'_>,
    outcome: DrillOutcome,
    by: Option<Identity>,
    reason: Option<String>,
    keep: Vec<NodeIndex>,
) {
    // What was reached is looked at while it still stands.
    clock::mark_forward(decision);
    decision.emit(Event::CleanupBegan { outcome, by, reason, keep });
}

/// Says whether a node makes the fault of a drill that is being wound up.
pub(super) fn is_fault(decision: &Decision<'_>, node: NodeIndex) -> bool {
    let section = decision.definition(node).and_then(Node::section);
    decision.state.want == Want::CleanUp && section == Some(Section::Inject)
}

/// Turns a step's policy to give up, or to take back, into the end of the drill. Returns whether it did.
pub(super) fn gives_up(decision: &mut Decision<'_>, reason: &str) -> bool {
    let Some(drill) = of(decision.plan) else { return false };
    if !matches!(decision.state.want, Want::Run | Want::Pause) {
        return true;
    }
    if !(drill.returns && is_moved(decision.plan, &decision.state)) {
        begin_cleanup(decision, DrillOutcome::Failed, None, Some(reason.to_owned()), Vec::new());
    }
    true
}

/// A person ends the drill: it is wound up, whatever it was doing.
pub(super) fn abort(decision: &mut Decision<'_>, request: &Request) -> Result<bool, Rejection> {
    let Some(drill) = of(decision.plan).filter(|_| decision.state.status != RunStatus::Staged) else {
        return Ok(false);
    };
    if decision.state.want == Want::CleanUp || decision.state.drill.outcome.is_some() {
        return Err(refused(&ended_already(&decision.state)));
    }
    let (by, reason) = (request.by.clone(), request.reason.clone());
    if drill.returns && is_moved(decision.plan, &decision.state) && !is_operated(decision) {
        if decision.state.want == Want::Pause {
            let by = Some(request.by.clone());
            decision.emit(Event::WantChanged { want: Want::Run, by, reason: reason.clone() });
        }
        decision.emit(Event::DrillCut { by, reason });
        return Ok(true);
    }
    begin_cleanup(decision, DrillOutcome::Aborted, Some(by), reason, Vec::new());
    Ok(true)
}

/// Why a drill that was told to end is not told again, and what is left to do.
fn ended_already(state: &RunState) -> String {
    let run = &state.created.run;
    if state.status == RunStatus::AwaitingAttestation {
        return format!("the drill is cleaned up already, and waits for `drctl drill attest {run}`");
    }
    if state.status == RunStatus::CleanupIncomplete {
        return format!(
            "the drill has ended already: `drctl drill cleanup {run}` tries again what it left behind"
        );
    }
    format!("the drill is being cleaned up already: `drctl runs watch {run}` follows it")
}

/// The real operation takes over: what it uses stays, the rest is cleaned up.
pub(super) fn promote(
    decision: &mut Decision<'_>,
    keep: &[NodeAddress],
    request: &Request,
) -> Result<(), Rejection> {
    if of(decision.plan).is_none() {
        return Err(refused("the run is no drill with effects: there is nothing to promote"));
    }
    // Whoever was first counts on what it was told is kept, or on what it was told goes.
    if handover::is_made_real(&decision.state) {
        keep_more(decision, keep, request);
        return Ok(());
    }
    if let Some(node) = handover::returning(decision.plan, &decision.state) {
        let node = address(decision.plan, node);
        return Err(refused(&format!(
            "`{node}` is moving the service back, and half a move has no way back"
        )));
    }
    if !keep.is_empty() && decision.state.clock.return_shifted_at.is_some() {
        return Err(refused("the drill has moved the service back: nothing of it can be gone on from"));
    }
    let mut kept = Vec::new();
    for address in keep {
        let node = decision.plan.index.by_address.get(address).copied();
        kept.push(node.ok_or_else(|| refused(&format!("the plan has no node `{address}`")))?);
    }
    begin_cleanup(decision, DrillOutcome::Promoted, Some(request.by.clone()), request.reason.clone(), kept);
    Ok(())
}

/// Of a drill that was made real before, only what it could not take back is kept as well.
fn keep_more(decision: &mut Decision<'_>, keep: &[NodeAddress], request: &Request) {
    let known = &decision.plan.index.by_address;
    let mut all = decision.state.drill.keep.clone();
    let given_up = |node: &NodeIndex| handover::is_given_up(decision.node(*node));
    all.extend(keep.iter().filter_map(|address| known.get(address).copied()).filter(given_up));
    if all != decision.state.drill.keep {
        let (by, reason) = (Some(request.by.clone()), request.reason.clone());
        let keep = all.into_iter().collect();
        decision.emit(Event::CleanupBegan { outcome: DrillOutcome::Promoted, by, reason, keep });
    }
}

/// A person says whether the drill has passed.
pub(super) fn attest(decision: &mut Decision<'_>, passed: bool, request: &Request) -> Result<(), Rejection> {
    let Some(drill) = of(decision.plan) else {
        return Err(refused("only a drill is attested"));
    };
    if decision.state.want != Want::CleanUp {
        return Err(refused("the drill is not over: attest it when it is being cleaned up"));
    }
    let by = &request.by;
    let wanted = drill.attestation.clone().unwrap_or_default();
    if wanted.not_by.contains(&NotBy::Starter) && decision.state.was_begun_by(by) {
        return Err(refused("the person who started the drill may not attest it"));
    }
    if !wanted.roles.is_empty() && !wanted.roles.iter().any(|role| by.roles.contains(role)) {
        return Err(refused(&format!("this attestation needs one of the roles {}", wanted.roles.join(", "))));
    }
    let notes = request.reason.clone();
    if !passed && notes.as_deref().is_none_or(|notes| notes.trim().is_empty()) {
        return Err(refused("say with --notes why it has not passed"));
    }
    decision.emit(Event::Attested(Attested { passed, by: by.clone(), notes }));
    Ok(())
}

fn refused(text: &str) -> Rejection {
    Rejection::Refused(text.to_owned())
}

/// Says whether a live drill has begun to move its service, so that it must be returned. Where no step says
/// by its phase that it moves anything, every one counts: what it does is brought back by the failback alone.
#[must_use]
pub fn is_moved(plan: &IndexedPlan, state: &RunState) -> bool {
    if !of(plan).is_some_and(|drill| drill.returns) {
        return false;
    }
    let of_operation = |definition: &Node| {
        definition.section() == Some(Section::Operation)
            && !definition.is_left_out()
            && (unwind::is_effect(definition) || definition.interrupts())
    };
    let moves = |definition: &Node| {
        matches!(definition.phase, Some(Phase::Promote | Phase::Restore | Phase::Shift))
            || definition.reversibility == Reversibility::Irreversible
    };
    let nodes = &plan.plan.nodes;
    let is_said = nodes.iter().any(|definition| of_operation(definition) && moves(definition));
    nodes.iter().zip(&state.nodes).any(|(definition, node)| {
        of_operation(definition)
            && (moves(definition) || !is_said)
            && (node.applied != Applied::No || node.current.is_some())
    })
}

/// Says whether every step of the operation is over.
fn is_operated(decision: &Decision<'_>) -> bool {
    let nodes = decision.plan.plan.nodes.iter().zip(&decision.state.nodes);
    let mut nodes = nodes.filter(|(node, _)| node.section() == Some(Section::Operation));
    nodes.all(|(_, node)| node.status.is_settled())
}

/// Says whether an effect of the drill is to be taken back by its own undo.
pub(super) fn takes_back(decision: &Decision<'_>, node: NodeIndex) -> bool {
    if decision.state.want != Want::CleanUp {
        return true;
    }
    let section = decision.definition(node).and_then(Node::section);
    let own = match section {
        Some(Section::Inject) => true,
        // What was moved is brought back by the failback, step by step.
        Some(Section::Operation) => !is_moved(decision.plan, &decision.state),
        Some(Section::Guard | Section::Verify | Section::Hold | Section::Failback | Section::Cleanup)
        | None => false,
    };
    own && !decision.state.drill.keep.contains(&node)
}

/// Says whether a node is one of those that wind the drill up.
pub(super) fn winds_up(definition: &Node) -> bool {
    definition.section().is_some_and(Section::winds_up)
}

/// Winds the drill up: undo first, then the failback, then what has no undo.
pub(super) fn advance(decision: &mut Decision<'_>) {
    ready::give_up_waiting(decision);
    unwind::advance(decision);
    if !is_taken_back(decision) {
        return;
    }
    let moved = is_moved(decision.plan, &decision.state);
    let back = moved && decision.state.drill.keep.is_empty() && !is_promoted(decision);
    if back {
        mark_return(decision);
    } else {
        leave_out(decision, Section::Failback);
    }
    run(decision, Section::Failback);
    if !is_over(decision, Section::Failback) && !is_promoted(decision) {
        return;
    }
    let in_use = is_promoted(decision) && moved;
    let clean = decision.state.drill.keep.is_empty() && has_changed(decision) && !in_use;
    if !clean {
        leave_out(decision, Section::Cleanup);
    }
    run(decision, Section::Cleanup);
}

pub(super) fn is_promoted(decision: &Decision<'_>) -> bool {
    decision.state.drill.outcome == Some(DrillOutcome::Promoted)
}

fn mark_return(decision: &mut Decision<'_>) {
    if decision.state.clock.return_started_at.is_none() {
        decision.emit(Event::ClockMarked { mark: ClockMark::ReturnStarted });
    }
}

/// Says whether nothing is left to be taken back that could be: a failback or a sweep beside it could meet
/// it.
fn is_taken_back(decision: &Decision<'_>) -> bool {
    let waits = |node: &NodeIndex| {
        let winds = decision.definition(*node).is_some_and(winds_up);
        let in_doubt = decision.node(*node).person_needed;
        !winds && !in_doubt
    };
    let under_way = decision.state.active.iter().any(waits);
    let returns = is_moved(decision.plan, &decision.state) && !is_promoted(decision);
    let stuck =
        decision.state.failed.iter().any(|node| decision.node(*node).status == NodeStatus::UndoFailed)
            || decision.state.active.iter().any(|node| decision.node(*node).person_needed);
    !(under_way || (returns && stuck))
}

/// Begins what may begin of a section, until nothing changes.
fn run(decision: &mut Decision<'_>, section: Section) {
    loop {
        let before = decision.events.len();
        for node in decision.state.frontier.clone() {
            let mine = decision.definition(node).is_some_and(|node| node.section() == Some(section));
            if mine && decision.state.frontier.contains(&node) {
                ready::begin(decision, node);
            }
        }
        if decision.events.len() == before {
            return;
        }
    }
}

fn leave_out(decision: &mut Decision<'_>, section: Section) {
    for node in indexes(decision, section) {
        let asked = decision.state.drill.asked.contains(&node);
        if decision.node(node).status == NodeStatus::Pending && !asked {
            decision.emit(Event::NodeSkipped { node, why: SkipCause::Drill });
        }
    }
}

fn indexes(decision: &Decision<'_>, section: Section) -> Vec<NodeIndex> {
    let nodes = (0..).zip(&decision.plan.plan.nodes);
    nodes.filter(|(_, node)| node.section() == Some(section)).map(|(index, _)| index).collect()
}

fn is_over(decision: &Decision<'_>, section: Section) -> bool {
    indexes(decision, section).into_iter().all(|node| decision.node(node).status.is_settled())
}

/// Says whether the drill has begun to change anything.
fn has_changed(decision: &Decision<'_>) -> bool {
    let nodes = decision.plan.plan.nodes.iter().zip(&decision.state.nodes);
    let own = |node: &Node| matches!(node.section(), Some(Section::Inject | Section::Operation));
    nodes.filter(|(definition, _)| own(definition)).any(|(definition, node)| {
        node.attempts > 0 && unwind::is_effect(definition) || node.status == NodeStatus::MarkedDone
    })
}

/// What a drill is while it is wound up, and what becomes of it.
pub(super) fn status(
    decision: &Decision<'_>,
    under_way: bool,
    finished: (RunStatus, Option<String>),
) -> (RunStatus, Option<String>) {
    let drill = &decision.state.drill;
    if under_way {
        return (RunStatus::CleaningUp, drill.reason.clone());
    }
    if let Some(node) = waiting(decision) {
        return (RunStatus::AwaitingApproval, Some(address(decision.plan, node)));
    }
    if let Some(left) = left::told(decision) {
        return (RunStatus::CleanupIncomplete, Some(left));
    }
    let ran = matches!(drill.outcome, Some(DrillOutcome::Passed | DrillOutcome::Failed));
    let asked = of(decision.plan).is_some_and(|drill| drill.attestation.is_some());
    if asked && ran && drill.attestation.is_none() && has_changed(decision) {
        let what = match drill.outcome {
            Some(DrillOutcome::Failed) => format!("it failed: {}", drill.reason.as_deref().unwrap_or("")),
            Some(DrillOutcome::Passed | DrillOutcome::Aborted | DrillOutcome::Promoted) | None => {
                "it is cleaned up; has it passed".to_owned()
            }
        };
        return (RunStatus::AwaitingAttestation, Some(what));
    }
    match (drill.outcome, &drill.attestation) {
        (Some(DrillOutcome::Passed), Some(attested)) if !attested.passed => {
            let notes = attested.notes.as_deref().unwrap_or("no notes");
            (RunStatus::Failed, Some(format!("{} attested that it failed: {notes}", attested.by.name)))
        }
        (Some(DrillOutcome::Passed) | None, _) => finished,
        (Some(DrillOutcome::Failed), _) => (RunStatus::Failed, with_perhaps(decision)),
        (Some(DrillOutcome::Aborted), _) => (RunStatus::Aborted, with_perhaps(decision)),
        (Some(DrillOutcome::Promoted), _) => {
            let why = drill.reason.as_deref().unwrap_or("a real run took over");
            (RunStatus::Aborted, Some(format!("promoted: {why}")))
        }
    }
}

/// Why a drill ended short, with what it may have left behind although nobody knows.
fn with_perhaps(decision: &Decision<'_>) -> Option<String> {
    let reason = decision.state.drill.reason.clone();
    let Some(perhaps) = left::perhaps_left(decision) else { return reason };
    Some(reason.map_or_else(|| perhaps.clone(), |reason| format!("{reason}; {perhaps}")))
}

fn waiting(decision: &Decision<'_>) -> Option<NodeIndex> {
    let waits = |node: &&NodeIndex| decision.node(**node).status == NodeStatus::AwaitingApproval;
    decision.state.active.iter().find(waits).copied()
}

/// Why a drill with a red guard was not begun; `None`: no guard stopped it.
#[must_use]
pub fn red_guard(plan: &IndexedPlan, state: &RunState) -> Option<String> {
    let nodes = (0..).zip(&plan.plan.nodes).filter(|(_, node)| node.section() == Some(Section::Guard));
    let red = nodes.map(|(index, _)| index).find(|node| state.node(*node).status == NodeStatus::Failed);
    red.map(|node| failure_text(plan, state, node))
}

/// Nodes of a drill whose effect is there or may be, in the order of the plan: what a real run would find, or
/// meet while it is being taken back.
#[must_use]
pub fn there(plan: &IndexedPlan, state: &RunState) -> Vec<NodeIndex> {
    // Once the service is back, what moved it there is no more.
    let back = state.clock.return_shifted_at.is_some();
    let nodes = (0..).zip(plan.plan.nodes.iter().zip(&state.nodes));
    let there = nodes.filter(|(_, (definition, node))| {
        let own = match definition.section() {
            Some(Section::Inject) => true,
            Some(Section::Operation) => !back,
            Some(Section::Guard | Section::Verify | Section::Hold | Section::Failback | Section::Cleanup)
            | None => false,
        };
        own && unwind::is_effect(definition)
            && (node.applied != Applied::No || node.current.is_some())
            && node.status != NodeStatus::Undone
    });
    there.map(|(index, _)| index).collect()
}

/// Says whether a run locks its service like a real one: it moves it.
#[must_use]
pub fn locks_service(plan: &IndexedPlan) -> bool {
    plan.plan.drill.as_ref().is_some_and(|drill| drill.level == DrillLevel::Live)
}
