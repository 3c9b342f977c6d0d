//! Makes a report of a run's plan, its state and the trail of its records. Words only what is in them.

use super::trail::Trail;
use super::{
    ClockPoint, FORMAT, Finding, RecordFacts, Report, boundary, controls, numbers, plan as planned, sentence,
};
use crate::engine::{Blemish, IndexedPlan, RunState, blemishes};
use crate::evidence::view::{RunView, view};
use crate::model::evidence::EvidenceFact;
use crate::model::time::Timestamp;

/// Makes the report of a run as it stood at a time.
#[must_use]
pub fn report(plan: &IndexedPlan, state: &RunState, trail: &Trail, as_of: Timestamp) -> Report {
    // Who drives it is no part of what happened.
    let run = view(plan, state, None, as_of);
    let (attestations, findings) = (trail.attestations.clone(), found(trail));
    let verdicts = numbers::rows(plan, state, &run);
    let mut overrides = planned::overridden_at_start(state);
    overrides.extend(trail.overrides.iter().cloned());
    let title = plan.plan.runbook.title.clone().unwrap_or_else(|| run.runbook.clone());
    Report {
        report: FORMAT,
        title: format!("{} of {title}", sentence(run.operation)),
        as_of,
        over: state.status.is_terminal(),
        only_warned: !run.clean && blemishes(state).into_iter().all(is_warning),
        once_recovered: once_recovered(state, &run),
        summary: numbers::summary(state, &run, trail),
        marks: numbers::marks(state, &run),
        verdicts,
        clock: clock(state, &run),
        plan: planned::facts(plan, state),
        drill: boundary::facts(plan, state),
        resources: planned::touched(plan, state),
        warnings: planned::warnings(state),
        overrides,
        consents: trail.consents.clone(),
        approvals: trail.approvals.clone(),
        controls: controls::controls(state, &run, &attestations, &findings),
        attestations,
        findings,
        drivers: trail.drives.clone(),
        timeline: trail.moments.clone(),
        more_moments: trail.more_moments,
        record: RecordFacts {
            records: trail.records,
            last_hash: trail.last_hash.clone(),
            evidence_hash: Some(trail.last_told_hash.clone()).filter(|hash| !hash.is_empty()),
            drctl: state.created.version.clone(),
        },
        run,
    }
}

fn once_recovered(state: &RunState, run: &RunView) -> Option<u64> {
    let healthy = state.clock.healthy_at.filter(|_| run.rto.recovery_time_ms.is_none());
    healthy.map(|healthy| healthy.since(state.clock_zero()).as_millis())
}

fn is_warning(blemish: Blemish) -> bool {
    match blemish {
        Blemish::Unfenced | Blemish::Children => true,
        Blemish::Intervened | Blemish::Overridden | Blemish::Ignored => false,
    }
}

fn clock(state: &RunState, run: &RunView) -> Vec<ClockPoint> {
    let clock = &run.clock;
    let zero = state.clock_zero();
    let points = [
        ("incident", clock.incident_at),
        ("detected", clock.detected_at),
        ("declared", Some(clock.declared_at)),
        ("first step", clock.started_at),
        ("interrupted", clock.interrupted_at),
        ("point of no return", clock.pnr_at),
        ("traffic shifted", clock.shifted_at),
        ("healthy", clock.healthy_at),
        ("ended", clock.ended_at),
    ];
    let after = |at: Timestamp| at.as_millis().saturating_sub(zero.as_millis());
    let returns = [
        ("return began", state.clock.return_started_at),
        ("traffic back", state.clock.return_shifted_at),
        ("returned", state.clock.returned_at),
    ];
    // Only a live drill returns by itself; of all others a line about it would say nothing.
    let returns = returns.into_iter().filter(|(_, at)| at.is_some());
    let (ended, points) =
        points.split_last().map_or((None, &[][..]), |(ended, points)| (Some(*ended), points));
    let points = points.iter().copied().chain(returns).chain(ended);
    points.map(|(point, at)| ClockPoint { point, at, after_ms: at.map(after) }).collect()
}

fn found(trail: &Trail) -> Vec<Finding> {
    let mut findings = Vec::<Finding>::new();
    for (at, fact) in &trail.told {
        match fact {
            EvidenceFact::FindingOpened { id, text, owner, due, by, key: _ } => findings.push(Finding {
                id: *id,
                at: *at,
                text: text.clone(),
                owner: owner.clone(),
                due: due.to_string(),
                by: by.clone(),
                closed_at: None,
                closed_how: None,
                closed_by: None,
            }),
            EvidenceFact::FindingClosed { id, how, by, key: _ } => {
                for finding in findings.iter_mut().filter(|finding| finding.id == *id) {
                    finding.closed_at = Some(*at);
                    finding.closed_how = Some(how.clone());
                    finding.closed_by = Some(by.clone());
                }
            }
        }
    }
    findings
}
