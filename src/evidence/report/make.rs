//! Makes a report of a run's plan, its state and the trail of its records. Words only what is in them.

use super::trail::Trail;
use super::{
    Attestation, ClockPoint, FORMAT, Finding, RecordFacts, Report, controls, numbers, plan as planned,
    sentence,
};
use crate::engine::{IndexedPlan, RunState};
use crate::evidence::view::{RunView, view};
use crate::model::evidence::EvidenceFact;
use crate::model::time::Timestamp;

/// Makes the report of a run as it stood at a time.
#[must_use]
pub fn report(plan: &IndexedPlan, state: &RunState, trail: &Trail, as_of: Timestamp) -> Report {
    // Who drives it is no part of what happened.
    let run = view(plan, state, None, as_of);
    let (attestations, findings) = told(trail);
    let verdicts = numbers::rows(plan, state, &run);
    let mut overrides = planned::overridden_at_start(state);
    overrides.extend(trail.overrides.iter().cloned());
    let title = plan.plan.runbook.title.clone().unwrap_or_else(|| run.runbook.clone());
    Report {
        report: FORMAT,
        title: format!("{} of {title}", sentence(run.operation)),
        as_of,
        over: state.status.is_terminal(),
        summary: numbers::summary(state, &run),
        marks: numbers::marks(state, &run),
        verdicts,
        clock: clock(state, &run),
        plan: planned::facts(plan, state),
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
    points.into_iter().map(|(point, at)| ClockPoint { point, at, after_ms: at.map(after) }).collect()
}

fn told(trail: &Trail) -> (Vec<Attestation>, Vec<Finding>) {
    let (mut attestations, mut findings) = (Vec::new(), Vec::<Finding>::new());
    for (at, fact) in &trail.told {
        match fact {
            EvidenceFact::Attested { passed, notes, by } => {
                let (passed, notes, by) = (*passed, notes.clone(), by.clone());
                attestations.push(Attestation { at: *at, passed, notes, by });
            }
            EvidenceFact::FindingOpened { id, text, owner, due, by } => findings.push(Finding {
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
            EvidenceFact::FindingClosed { id, how, by } => {
                for finding in findings.iter_mut().filter(|finding| finding.id == *id) {
                    finding.closed_at = Some(*at);
                    finding.closed_how = Some(how.clone());
                    finding.closed_by = Some(by.clone());
                }
            }
        }
    }
    (attestations, findings)
}
