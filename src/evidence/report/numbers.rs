//! The numbers of a report under the rules of honest numbers: what was not validated has no recovery time,
//! met needs both measured, and what stands beside a number is never left out.

use serde::Serialize;

use super::trail::Trail;
use super::{sentence, span, words};
use crate::engine::{IndexedPlan, RunState, is_made_real, overrides};
use crate::evidence::first_line;
use crate::evidence::view::RunView;
use crate::model::run::{Identity, Intent, RunStatus, Verdict};

/// Most things of one kind that a sentence names.
const NAMED: usize = 5;

/// One line of the table of verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What is judged.
    pub what: &'static str,
    /// What the business asked for; absent: nothing.
    pub objective: Option<String>,
    /// What was measured, in words; says so where nothing was.
    pub measured: String,
    /// Whether the number is an achievement: measured in the estate, by a run that passed its validation.
    pub achieved: bool,
    /// How they compare, in words.
    pub verdict: String,
}

/// Whether the run has an achieved recovery time at all.
pub(super) fn is_achieved(state: &RunState, run: &RunView) -> bool {
    let moved_for_good = match state.status {
        RunStatus::Unwound | RunStatus::Unwinding | RunStatus::Expired | RunStatus::Staged => false,
        RunStatus::Pending
        | RunStatus::Running
        | RunStatus::Pausing
        | RunStatus::Paused
        | RunStatus::AwaitingApproval
        | RunStatus::Stuck
        | RunStatus::CleaningUp
        | RunStatus::Succeeded
        | RunStatus::SucceededWithWarnings
        | RunStatus::Failed
        | RunStatus::Aborted
        | RunStatus::AwaitingAttestation
        | RunStatus::CleanupIncomplete => true,
    };
    moved_for_good && run.rto.recovery_time_ms.is_some() && is_exercise(state)
}

/// Whether anything was done to the estate at all.
pub(super) fn is_exercise(state: &RunState) -> bool {
    match state.created.intent {
        Intent::Real | Intent::Drill => true,
        Intent::Check | Intent::Simulate => false,
    }
}

/// The table of verdicts.
pub(super) fn rows(plan: &IndexedPlan, state: &RunState, run: &RunView) -> Vec<Row> {
    let achieved = is_achieved(state, run);
    let taken_back = matches!(state.status, RunStatus::Unwound | RunStatus::Unwinding);
    let simulated = state.created.intent == Intent::Simulate;
    let judged = |verdict: Verdict| match verdict {
        Verdict::Met | Verdict::Missed | Verdict::Partial if taken_back => words("not_validated"),
        Verdict::Met if simulated => "would be met".to_owned(),
        Verdict::Missed if simulated => "would be missed".to_owned(),
        other => words(other.as_str()),
    };
    let (rto, rpo) = (&run.rto, &run.rpo);
    let time = match rto.recovery_time_ms.filter(|_| !taken_back) {
        Some(time) if simulated => format!("{} on the simulated estate", span(time)),
        Some(time) => span(time),
        None => no_time(state, run),
    };
    let loss = match rpo.data_loss_ms {
        _ if rpo.not_moved => "none: the service was not moved".to_owned(),
        _ if run.members.is_some() => "by each member's own run".to_owned(),
        Some(loss) if simulated => format!("at most {} on the simulated estate", span(loss)),
        Some(loss) => format!("at most {}", span(loss)),
        None => "not measured".to_owned(),
    };
    let total = Row {
        what: "total recovery time",
        objective: rto.objective_ms.map(span),
        measured: time,
        achieved,
        verdict: if rto.objective_ms.is_none() { no_objective() } else { judged(rto.verdict) },
    };
    let execution = Row {
        what: "execution time",
        objective: None,
        measured: span(rto.execution_ms),
        achieved,
        verdict: "not judged".to_owned(),
    };
    let data = Row {
        what: "data loss",
        objective: rpo.objective_ms.map(span),
        measured: loss,
        achieved: achieved && rpo.data_loss_ms.is_some(),
        verdict: if rpo.objective_ms.is_none() { no_objective() } else { judged(rpo.verdict) },
    };
    let together = Row {
        what: "objectives together",
        objective: None,
        measured: String::new(),
        achieved: achieved && run.objective_verdict == Verdict::Met,
        verdict: judged(run.objective_verdict),
    };
    let mut rows = vec![total, execution, data];
    rows.extend(tolerable(plan, run, achieved));
    rows.push(together);
    rows
}

fn no_objective() -> String {
    "no objective".to_owned()
}

/// Maximum tolerable downtime, where the runbook names one.
fn tolerable(plan: &IndexedPlan, run: &RunView, achieved: bool) -> Option<Row> {
    let objective = plan.plan.objectives.mtd?;
    let time = run.rto.recovery_time_ms.filter(|_| achieved);
    Some(Row {
        what: "maximum tolerable downtime",
        objective: Some(objective.to_string()),
        measured: time.map_or_else(|| "no recovery time".to_owned(), span),
        achieved,
        verdict: match time {
            Some(time) if time <= objective.as_millis() => "within".to_owned(),
            Some(_) => "exceeded".to_owned(),
            None => "not measured".to_owned(),
        },
    })
}

fn no_time(state: &RunState, run: &RunView) -> String {
    let after = span(run.rto.elapsed_ms);
    match state.status {
        RunStatus::Failed => format!("no recovery time: the run failed after {after}"),
        RunStatus::Aborted => format!("no recovery time: the run was stopped after {after}"),
        RunStatus::Unwound => "no recovery time: the move was taken back".to_owned(),
        RunStatus::Expired => "no recovery time: the run never began".to_owned(),
        RunStatus::Succeeded | RunStatus::SucceededWithWarnings => {
            "no recovery time: validation has not passed".to_owned()
        }
        RunStatus::Pending
        | RunStatus::Staged
        | RunStatus::Running
        | RunStatus::Pausing
        | RunStatus::Paused
        | RunStatus::AwaitingApproval
        | RunStatus::Stuck
        | RunStatus::Unwinding
        | RunStatus::CleaningUp
        | RunStatus::AwaitingAttestation
        | RunStatus::CleanupIncomplete => {
            format!("no recovery time yet: validation has not passed, {after} so far")
        }
    }
}

/// What has to stand beside every number.
pub(super) fn marks(state: &RunState, run: &RunView) -> Vec<String> {
    let mut marks = Vec::new();
    match state.created.intent {
        Intent::Real => {}
        Intent::Drill => {
            let level = run.drill_level.as_deref().map_or_else(String::new, |level| format!(", {level}"));
            marks.push(format!("drill{level}"));
        }
        Intent::Check => marks.push("checks only: nothing was changed".to_owned()),
        Intent::Simulate => {
            marks.push("simulated: nothing real was touched, nothing was achieved".to_owned());
        }
    }
    if !state.status.is_terminal() {
        marks.push("not over: this is how it stands".to_owned());
    }
    marks.extend(run.not_clean.as_ref().map(|why| format!("not clean: {why}")));
    if run.rpo.by_earlier {
        marks.push("data loss by readings from before the run: nothing could be read in it".to_owned());
    }
    if run.notes.contains_key(overrides::BREAK_GLASS) {
        marks.push("break glass: recorded in a journal of its own".to_owned());
    }
    if run.notes.keys().any(|name| name.starts_with(overrides::AGAINST_POLICY)) {
        marks.push("against the policy".to_owned());
    }
    marks
}

/// What came of the run, in sentences.
pub(super) fn summary(state: &RunState, run: &RunView, trail: &Trail) -> Vec<String> {
    let mut told = vec![outcome(state, run)];
    told.extend(run.warnings.iter().map(|warning| format!("{}.", first_line(warning))));
    if is_exercise(state) {
        told.push(recovery(state, run));
        told.push(lost(run));
    }
    told.extend(helped(run, &agreed(trail)));
    told
}

fn outcome(state: &RunState, run: &RunView) -> String {
    let from = run.from.as_deref().unwrap_or("?");
    let to = run.to.as_deref().unwrap_or("the other sites");
    let service = &run.runbook;
    let what = match run.members {
        Some(members) => format!("the {} of {members} services", run.operation),
        None => format!("the {} of {service} from {from} to {to}", run.operation),
    };
    let why = run.cause.as_deref().map_or_else(String::new, |cause| format!(": {}", first_line(cause)));
    match state.status {
        RunStatus::Succeeded => format!("Succeeded: {what}."),
        RunStatus::SucceededWithWarnings => format!("Succeeded with warnings: {what}."),
        RunStatus::Failed => format!("Failed: {what}{why}."),
        RunStatus::Aborted if is_made_real(state) => format!("Made way for a real run: {what}{why}."),
        RunStatus::Aborted if state.created.intent == Intent::Drill => {
            format!("Stopped by a person and taken back: {what}{why}.")
        }
        RunStatus::Aborted => format!("Stopped by a person and held as it stood: {what}{why}."),
        RunStatus::Unwound => format!("Taken back: {what}{why}."),
        RunStatus::Expired => format!("Never begun: {what}{why}."),
        RunStatus::Pending
        | RunStatus::Staged
        | RunStatus::Running
        | RunStatus::Pausing
        | RunStatus::Paused
        | RunStatus::AwaitingApproval
        | RunStatus::Stuck
        | RunStatus::Unwinding
        | RunStatus::CleaningUp
        | RunStatus::AwaitingAttestation
        | RunStatus::CleanupIncomplete => format!("Not over ({}): {what}{why}.", words(run.status)),
    }
}

fn recovery(state: &RunState, run: &RunView) -> String {
    let Some(time) = run.rto.recovery_time_ms.filter(|_| is_achieved(state, run)) else {
        return format!("{}.", sentence(&no_time(state, run)));
    };
    let execution = span(run.rto.execution_ms);
    format!("Recovery took {} since the {}; {execution} of execution.", span(time), run.rto.counts_from)
}

fn lost(run: &RunView) -> String {
    match run.rpo.data_loss_ms {
        _ if run.rpo.not_moved => "No data was lost: the service was not moved.".to_owned(),
        _ if run.members.is_some() => "Data loss is measured by each member's own run.".to_owned(),
        Some(loss) => format!("At most {} of data were lost.", span(loss)),
        None => "Data loss was not measured.".to_owned(),
    }
}

/// How far the run came by itself. What people agreed to is no intervention, and not nothing either.
fn helped(run: &RunView, agreed: &[String]) -> Vec<String> {
    let list = few(agreed);
    let Some(why) = &run.not_clean else {
        return vec![match agreed {
            [] => "Nobody had to intervene.".to_owned(),
            _ => format!("Nobody had to do more than agree to {list}."),
        }];
    };
    let verbs = hands(run);
    let who = if verbs.is_empty() { String::new() } else { format!(" ({})", verbs.join(", ")) };
    let mut told = vec![format!("Not clean: {why}{who}.")];
    if !agreed.is_empty() {
        told.push(format!("Agreed to: {list}."));
    }
    told
}

/// What people agreed to, and who.
fn agreed(trail: &Trail) -> Vec<String> {
    let by = |by: &Identity| first_line(&by.name);
    let consents =
        trail.consents.iter().map(|given| format!("{} ({})", first_line(&given.to), by(&given.by)));
    let granted = trail.approvals.iter().filter(|vote| vote.granted);
    let approvals = granted.map(|vote| format!("`{}` ({})", vote.step, by(&vote.by)));
    consents.chain(approvals).collect()
}

/// The first few, and how many more.
fn few(all: &[String]) -> String {
    let more = all.len().saturating_sub(NAMED);
    let list = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ");
    if more > 0 { format!("{list}; {more} more") } else { list }
}

/// What people did to the run, the first few.
fn hands(run: &RunView) -> Vec<String> {
    run.interventions
        .iter()
        .filter(|done| !matches!(done.verb.as_str(), "start" | "approve" | "deny" | "attest"))
        .map(|done| format!("{} by {}", first_line(&done.verb), first_line(&done.by.name)))
        .take(NAMED)
        .collect()
}
