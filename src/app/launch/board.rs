//! Every runbook of the configured folders that has a drill schedule. One that does not compile is named: its
//! drills would silently stop.

pub(crate) mod unscheduled;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::source::{self, Broken, Source};
use crate::app::{Error, Voice};
use crate::config::Config;
use crate::engine::schedule::Place;
use crate::journal::HolderFacts;
use crate::model::id::ServiceName;
use crate::model::runbook::Runbook;
use crate::model::schedule::{Fire, Timetable};
use crate::model::time::Timestamp;
use crate::runtime::Scheduled;

/// How many fires are looked at for one that no blackout stops.
const LOOKED_AT: usize = 2_000;

/// A service with a drill schedule.
pub(crate) struct Entry {
    pub(crate) source: Source,
    pub(crate) scheduled: Scheduled,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) entries: BTreeMap<ServiceName, Entry>,
    /// What should have a schedule and cannot be used, and why.
    pub(crate) broken: Vec<Broken>,
}

impl Board {
    /// Reads the configured folders.
    ///
    /// # Errors
    /// When the configuration sets a level that cannot be set.
    pub(crate) fn read(config: &Config) -> Result<Self, Error> {
        let (sources, broken) = source::with(config, may_have_schedule)?;
        let mut board = Self { broken, ..Self::default() };
        let host = host();
        for source in sources {
            let place = place(&host, &source.path);
            board.put(Source { path: config.shown(&source.path), ..source }, place);
        }
        Ok(board)
    }

    fn put(&mut self, source: Source, place: Place) {
        let Some(timetable) = timetable(&source.runbook) else { return };
        let service = source.runbook.metadata.name.clone();
        if let Some(other) = self.entries.get(&service) {
            let why = format!("{} has a schedule for {service} as well", other.source.path.display());
            return self.broken.push(Broken { path: source.path, why });
        }
        let scheduled = Scheduled { service: service.clone(), timetable, place };
        self.entries.insert(service, Entry { source, scheduled });
    }

    /// Says what cannot be used.
    pub(crate) fn say_broken(&self, voice: &dyn Voice) {
        for Broken { path, why } in &self.broken {
            voice.say(&format!("\x1b[33mwarning\x1b[0m: {}: no drill of it runs: {why}", path.display()));
        }
    }
}

/// The name of this machine.
pub(crate) fn host() -> String {
    HolderFacts::here("").host
}

/// Where a runbook is looked at.
pub(crate) fn place(host: &str, path: &Path) -> Place {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Place { host: host.to_owned(), path: path.display().to_string() }
}

/// When the drills of a runbook run, if it says so.
pub(crate) fn timetable(runbook: &Runbook) -> Option<Timetable> {
    let schedule = runbook.drill.as_ref().and_then(|drill| drill.schedule.as_ref())?;
    Timetable::new(runbook.metadata.name.as_str(), schedule).ok()
}

/// The next fire that no blackout stops.
pub(crate) fn next(table: &Timetable, now: Timestamp) -> Option<Fire> {
    let mut open = table.fires(now.minus(table.jitter())).take(LOOKED_AT).filter(|fire| fire.begins > now);
    open.find(|fire| table.blackout(fire.begins).is_none())
}

/// When the next drill of a runbook begins by its schedule.
#[must_use]
pub(crate) fn next_drill(runbook: &Runbook, now: Timestamp) -> Option<Timestamp> {
    next(&timetable(runbook)?, now).map(|fire| fire.begins)
}

/// A runbook that cannot be read may have had one.
fn may_have_schedule(text: &str) -> bool {
    if !text.contains("schedule") {
        return false;
    }
    serde_saphyr::from_str::<Value>(text)
        .map_or(text.contains("drill"), |document| document.pointer("/drill/schedule").is_some())
}

/// A time as clocks in a zone show it.
pub(crate) fn shown(timetable: &Timetable, at: Timestamp) -> String {
    timetable.zone().local(at).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string()
}

/// A time in UTC, without what is always the same.
pub(crate) fn utc(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Path of a runbook, for people.
pub(crate) fn file(path: &Path) -> String {
    path.display().to_string()
}
