//! Keeps the service record in step with what real runs do.

use super::Error;
use crate::engine::event::{ClockMark, Event};
use crate::engine::service::{ServiceEvent, ServiceRecord};
use crate::engine::{IndexedPlan, RunState, drill, is_taken_back};
use crate::model::id::{ServiceName, SiteName};
use crate::model::run::{Intent, NodeStatus};
use crate::model::runbook::Strategy;
use crate::model::time::Timestamp;
use crate::plan::NodeIndex;
use crate::ports::{Append, Journal, NewRecord, StreamName};

/// Reads where a service is.
///
/// # Errors
/// When the journal cannot be read or its record makes no sense.
pub async fn service_record(journal: &dyn Journal, service: &ServiceName) -> Result<ServiceRecord, Error> {
    service_record_and_head(journal, service).await.map(|(record, _)| record)
}

/// Reads where a service is, and the sequence of the last entry that says so: a run that is planned by the
/// record is created only while that is still the last one.
///
/// # Errors
/// As [`service_record`].
pub async fn service_record_and_head(
    journal: &dyn Journal,
    service: &ServiceName,
) -> Result<(ServiceRecord, u64), Error> {
    let stream = StreamName::service(service);
    let mut record = ServiceRecord::default();
    let mut after = 0;
    loop {
        let records = journal.read(&stream, after, 1_000).await?;
        for entry in &records {
            let event: ServiceEvent = serde_json::from_str(&entry.body).map_err(|error| {
                crate::ports::JournalError::Damaged(format!("{stream} record {}: {error}", entry.sequence))
            })?;
            record.apply(&event, entry.recorded_at);
            after = entry.sequence;
        }
        if records.len() < 1_000 {
            return Ok((record, after));
        }
    }
}

/// Refuses the append it travels with when the record has gone on since it was read.
pub(super) fn still_at(service: &ServiceName, head: u64) -> Append {
    Append { stream: Some(StreamName::service(service)), expected: Some(head), ..Append::default() }
}

/// What a run's new events mean for its service, as an append that travels with them, at the time of the run:
/// the latest that the journal knows may be that of a simulation, whose clock runs ahead.
pub(super) fn consequences(
    plan: &IndexedPlan,
    state: &RunState,
    at: Timestamp,
    events: &[Event],
) -> Option<Append> {
    let moves = match state.created.intent {
        Intent::Real => true,
        Intent::Drill => drill::locks_service(plan),
        Intent::Check | Intent::Simulate => false,
    };
    if !moves {
        return None;
    }
    let mut records = Vec::new();
    for event in events {
        match event {
            Event::ClockMarked { mark: ClockMark::Shifted } => {
                let ends = (plan.plan.from.clone(), plan.plan.to.clone());
                records.extend(moved(plan, state, ends));
            }
            Event::ClockMarked { mark: ClockMark::ReturnShifted } => {
                let ends = (plan.plan.to.clone(), plan.plan.from.clone());
                records.extend(moved(plan, state, ends));
            }
            Event::StatusChanged { status, .. } if status.is_terminal() => {
                records.extend(taken_back(plan, state));
                let returned = state.clock.return_shifted_at.is_some();
                let left = if returned { plan.plan.to.clone() } else { plan.plan.from.clone() };
                if let Some(site) = left.filter(|_| is_reprotected(plan, state, returned)) {
                    records.push(ServiceEvent::Reprotected { site, run: state.created.run.clone() });
                }
            }
            _ => {}
        }
    }
    if records.is_empty() {
        return None;
    }
    let new = |event: &ServiceEvent| {
        let body = serde_json::to_string(event).unwrap_or_default();
        NewRecord { kind: event.kind(), version: 1, body }
    };
    let stream = Some(StreamName::service(&state.created.service));
    let records = records.iter().map(new).collect();
    Some(Append { stream, at: Some(at), records, ..Append::default() })
}

/// What a move means. A service that runs in several sites at once is not moved: a site is taken out of it,
/// or back in.
fn moved(
    plan: &IndexedPlan,
    state: &RunState,
    (from, to): (Option<SiteName>, Option<SiteName>),
) -> Option<ServiceEvent> {
    let run = state.created.run.clone();
    let at_once = plan.plan.strategy == Some(Strategy::ActiveActive);
    match (from, to) {
        (_, Some(site)) if at_once => Some(ServiceEvent::Readmitted { site, run }),
        (Some(site), None) if at_once => Some(ServiceEvent::Left { site, run }),
        (from, Some(site)) => Some(ServiceEvent::Moved { site, from, run }),
        (_, None) => None,
    }
}

/// What it means that a run which is over took back all that had moved its service.
fn taken_back(plan: &IndexedPlan, state: &RunState) -> Option<ServiceEvent> {
    moved(plan, state, (plan.plan.from.clone(), plan.plan.to.clone()))
        .filter(|_| is_taken_back(plan, state))?;
    let at_once = plan.plan.strategy == Some(Strategy::ActiveActive);
    let site = plan.plan.from.clone().filter(|_| !at_once);
    Some(ServiceEvent::TakenBack { site, run: state.created.run.clone() })
}

/// Says whether every step that rebuilds the site the service left has truly succeeded. What a failback
/// rebuilds before it moves is the site it moves to, and releases nothing.
fn is_reprotected(plan: &IndexedPlan, state: &RunState, returned: bool) -> bool {
    let rebuilt =
        |node: &NodeIndex| matches!(state.node(*node).status, NodeStatus::Succeeded | NodeStatus::MarkedDone);
    let nodes =
        if returned { &plan.index.return_protection } else { &plan.index.protection }.of_source.as_slice();
    !nodes.is_empty() && nodes.iter().all(rebuilt)
}
