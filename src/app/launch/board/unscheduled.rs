//! Schedules that were taken out of their runbooks: recorded, so that one which is put back counts from then.
//! What nobody can read is never taken for taken out.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Board, host, place};
use crate::app::launch::shelf::Shelf;
use crate::app::{Error, Session};
use crate::config::Config;
use crate::engine::schedule::{Place, ScheduleRecord};
use crate::model::id::{RunId, ServiceName};
use crate::model::run::RunStatus;
use crate::model::time::Timestamp;
use crate::runtime;

/// How the names of streams of schedules begin.
const SCHEDULE: &str = "schedule/";

/// All runbooks of the configured folders.
///
/// # Errors
/// When the configuration sets a level that cannot be set.
pub(crate) fn shelf(config: &Config) -> Result<Shelf, Error> {
    let beside =
        config.runbooks.first().map_or_else(|| PathBuf::from("runbooks/any"), |path| path.join("any"));
    Shelf::of(config, &beside)
}

/// The services whose schedules are in the journal.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn known(session: &Session) -> Result<Vec<ServiceName>, Error> {
    let streams = session.journal.streams(SCHEDULE).await?;
    let name = |stream: &str| stream.strip_prefix(SCHEDULE).and_then(|name| ServiceName::new(name).ok());
    Ok(streams.iter().filter_map(|stream| name(stream.as_str())).collect())
}

/// Records of each schedule of the journal that it was taken out, where that is sure, and says of which
/// services it did.
///
/// # Errors
/// When the journal or the configuration cannot be used.
pub(crate) async fn record(
    session: &Session,
    board: &Board,
    now: Timestamp,
) -> Result<Vec<ServiceName>, Error> {
    let journal = session.journal.as_ref();
    let mut in_force = Vec::new();
    for service in known(session).await? {
        if !board.entries.contains_key(&service) {
            let (record, _) = runtime::schedule_record(journal, &service).await?;
            if record.schedule.is_some() {
                in_force.push((service, record));
            }
        }
    }
    let mut taken_out = Vec::new();
    if in_force.is_empty() {
        return Ok(taken_out);
    }
    let here = Here { shelf: shelf(&session.config)?, host: host(), config: &session.config };
    for (service, record) in in_force {
        if let Some(place) = here.place_without(&service, record)
            && runtime::take_out(journal, &service, &place, now).await?
        {
            taken_out.push(service);
        }
    }
    Ok(taken_out)
}

/// A drill that a schedule has begun, that is not over, that nobody drives, and that no look goes on with
/// because the schedule is not there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Left {
    pub(crate) service: ServiceName,
    pub(crate) run: RunId,
    pub(crate) status: RunStatus,
}

/// The drills that are left lying: of schedules that were taken out, and of those last seen on this machine
/// that cannot be used now. What they have changed is not taken back until somebody goes on with them.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn left(session: &Session, board: &Board) -> Result<Vec<Left>, Error> {
    let (journal, host) = (session.journal.as_ref(), host());
    let mut left = Vec::new();
    for service in known(session).await? {
        if board.entries.contains_key(&service) {
            continue;
        }
        let (record, _) = runtime::schedule_record(journal, &service).await?;
        // One that is in force on another machine is gone on with there.
        let is_elsewhere = record.place.as_ref().is_some_and(|place| place.host != host);
        if record.schedule.is_some() && is_elsewhere {
            continue;
        }
        if let Some((run, status)) = runtime::opened_run(journal, &service, &record).await? {
            left.push(Left { service, run, status });
        }
    }
    Ok(left)
}

/// What is looked at here.
struct Here<'a> {
    shelf: Shelf,
    host: String,
    config: &'a Config,
}

impl Here<'_> {
    /// The place here that has no schedule of a service any more, where that is sure.
    fn place_without(&self, service: &ServiceName, record: ScheduleRecord) -> Option<Place> {
        let all = self.shelf.services();
        let Some((_, paths, source)) = all.into_iter().find(|(name, _, _)| *name == service) else {
            return record.place.filter(|place| self.is_gone(place));
        };
        let drill = source?.runbook.drill.as_ref();
        let is_out = paths.len() == 1 && drill.is_none_or(|drill| drill.schedule.is_none());
        is_out.then(|| place(&self.host, paths[0]))
    }

    /// Says whether the file of a service of which there is no runbook here was removed. Other machines have
    /// other folders, and a folder with nothing in it may be one whose disk is not there.
    fn is_gone(&self, place: &Place) -> bool {
        let is_whole = self.shelf.unreadable().is_empty() && self.shelf.nameless().is_empty();
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let was_in = |folder: &&PathBuf| Path::new(&place.path).starts_with(absolute(folder));
        let mut folders = self.config.runbooks.iter().filter(was_in);
        let all = self.shelf.services();
        let holds = |folder: &PathBuf| all.iter().any(|(_, paths, _)| paths[0].starts_with(folder));
        is_whole && place.host == self.host && folders.any(holds)
    }
}
