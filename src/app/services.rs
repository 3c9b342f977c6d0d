//! The services a journal knows.

use std::collections::BTreeSet;

use serde::Serialize;

use super::launch::source;
use super::{Error, Session, exit, now};
use crate::engine::clock;
use crate::engine::service::{ServiceEvent, ServiceRecord};
use crate::evidence::Exercise;
use crate::model::id::{RunId, ServiceName, SiteName};
use crate::model::run::{Intent, RunStatus};
use crate::model::time::Timestamp;
use crate::ports::{Append, JournalAdmin, JournalError, NewRecord, RunFilter, StreamName};
use crate::runtime;

/// How the names of services' streams begin.
const STREAMS: &str = "service/";

/// Most runs that are looked at to find where a service was left.
const LOOKED_AT: usize = 20;

/// Services that have a record, or a run that was not simulated. A fleet is none: its members are.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn names(journal: &dyn JournalAdmin) -> Result<BTreeSet<ServiceName>, JournalError> {
    let streams = journal.streams(STREAMS).await?;
    let recorded = streams.iter().filter_map(|stream| stream.as_str().strip_prefix(STREAMS));
    let mut names: BTreeSet<_> = recorded.filter_map(|name| ServiceName::new(name).ok()).collect();
    let mut fleets = BTreeSet::new();
    for run in journal.runs(&RunFilter::default()).await? {
        if names.contains(&run.service) || fleets.contains(&run.service) {
            continue;
        }
        // One that cannot be read is listed: what it was of may be a service.
        let is_fleet = runtime::load(journal, &run.run).await.is_ok_and(|loaded| loaded.plan.plan.is_fleet());
        if is_fleet {
            fleets.insert(run.service)
        } else {
            names.insert(run.service)
        };
    }
    Ok(names)
}

/// A real run that ended between its point of no return and the move of the users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LeftBetween {
    run: RunId,
    status: RunStatus,
    /// The irreversible step that has begun, or may have.
    step: String,
    to: Option<SiteName>,
}

impl LeftBetween {
    /// What it means for a person who asks where the service is.
    pub(crate) fn told(&self, service: &ServiceName) -> String {
        let Self { run, status, step, to } = self;
        let to = to.as_ref().map_or("SITE", SiteName::as_str);
        format!(
            "{run} was left {}: `{step}`, which cannot be taken back, was or may have been done, and the users were \
             not moved.\n  Look where data can be written. To go on: drctl failover {service} --reason \"…\"\n  To say \
             where it is: drctl service set {service} {to} --reason \"…\"",
            status.as_str()
        )
    }
}

/// The last real run of a service, where it ended between its point of no return and the move of the users,
/// and nobody has said since where the service is.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn left_between(
    journal: &dyn JournalAdmin,
    service: &ServiceName,
    record: &ServiceRecord,
) -> Result<Option<LeftBetween>, Error> {
    let filter = RunFilter { service: Some(service.clone()), ..RunFilter::default() };
    let runs = journal.runs(&filter).await?;
    let real = runs.iter().filter(|run| run.intent == Intent::Real && run.status != RunStatus::Expired);
    let is_later = |ended: Timestamp| record.since.is_none_or(|since| since <= ended);
    for last in real.take(LOOKED_AT) {
        if !last.ended_at.is_some_and(is_later) {
            return Ok(None);
        }
        // One that was pruned or is damaged says nothing of its steps, and must not hide the record.
        let Ok(loaded) = runtime::load(journal, &last.run).await else { return Ok(None) };
        let step = Exercise::of(&loaded.plan, &loaded.state).and_then(|run| run.left_between);
        if let Some(step) = step {
            let (run, status, to) = (last.run.clone(), last.status, last.to.clone());
            return Ok(Some(LeftBetween { run, status, step, to }));
        }
        // What changed nothing says nothing of where the service is.
        if !clock::ended_unmoved(&loaded.plan, &loaded.state) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// What a person says about a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// It runs in this site.
    RunsIn(SiteName),
    /// This site was protected again by hand.
    Reprotected(SiteName),
}

/// Records what a person says about a service, and returns its record then.
///
/// # Errors
/// When it makes no sense, or the journal refuses.
pub(crate) async fn set(
    session: &Session,
    name: &ServiceName,
    said: &Said,
    reason: String,
) -> Result<ServiceRecord, Error> {
    let (Said::RunsIn(site) | Said::Reprotected(site)) = said;
    refuse_unknown_site(session, name, site)?;
    let by = session.identity.clone();
    let journal = session.journal.as_ref();
    let (before, head) = runtime::service_record_and_head(journal, name).await?;
    let event = match said {
        Said::RunsIn(site) => ServiceEvent::Set { site: site.clone(), by, reason },
        Said::Reprotected(site) => ServiceEvent::ReprotectedByHand { site: site.clone(), by, reason },
    };
    let body = serde_json::to_string(&event).map_err(|error| Error::new(exit::BUG, error.to_string()))?;
    let stream = StreamName::service(name);
    // The same words of the same person right after them: a request whose answer was lost.
    let last = journal.read(&stream, head.saturating_sub(1), 1).await?;
    if last.first().is_some_and(|last| last.body == body) {
        return Ok(before);
    }
    match said {
        Said::Reprotected(site) if !before.unready().contains_key(site) => {
            return Err(Error::new(exit::REFUSED, format!("{site} is not quarantined for {name}"))
                .help(format!("`drctl service show {name}` shows what is"))
                .reason("not_quarantined"));
        }
        Said::Reprotected(_) | Said::RunsIn(_) => {}
    }
    warn_about_runs(session, name).await?;
    let records = vec![NewRecord { kind: event.kind(), version: 1, body }];
    let (stream, at) = (Some(stream), Some(now()));
    journal.append(vec![Append { stream, at, records, ..Append::default() }]).await?;
    Ok(runtime::service_record(journal, name).await?)
}

/// A mistyped site would be believed at the next failover. Where the runbook is at hand, it knows the sites.
fn refuse_unknown_site(session: &Session, name: &ServiceName, site: &SiteName) -> Result<(), Error> {
    let Ok(path) = source::find(&session.config, name.as_str()) else {
        session.say(&format!("note: no runbook `{name}` is at hand, so that {site} was not checked"));
        return Ok(());
    };
    let text = source::read(&path)?;
    let options = source::options(&session.config)?;
    let (Some(found), _) = crate::compile::compile_with(&text, &options) else {
        return Ok(());
    };
    if found.metadata.name != *name || found.sites.contains_key(site) {
        return Ok(());
    }
    let sites: Vec<_> = found.sites.keys().map(SiteName::as_str).collect();
    Err(Error::new(exit::USAGE, format!("{name} has no site {site}"))
        .help(format!("{} knows {}", path.display(), sites.join(", ")))
        .reason("unknown_site"))
}

async fn warn_about_runs(session: &Session, name: &ServiceName) -> Result<(), Error> {
    let filter = RunFilter { service: Some(name.clone()), open: true, ..RunFilter::default() };
    for run in session.journal.runs(&filter).await?.iter().filter(|run| run.locks_service) {
        session.say(&format!("note: {} is under way for {name} and may move it again", run.run));
    }
    Ok(())
}
