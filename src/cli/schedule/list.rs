//! `drctl schedule list`: next fire, last fire and what came of it, for every service with a schedule.

use serde::Serialize;

use super::gone::{gone, say_gone};
use crate::app::launch::board::{Board, Entry, file, next, shown, utc};
use crate::app::launch::source::Broken;
use crate::cli::output::Terminal;
use crate::cli::session::{self, Session};
use crate::cli::table::Table;
use crate::cli::table::Yield::{Cut, Drop, Wrap};
use crate::cli::{Error, Format, Global, exit, output};
use crate::engine::schedule::{Last, Opened, ScheduleRecord};
use crate::journal::OpenMode;
use crate::model::time::Timestamp;
use crate::runtime::{self, StopSwitch};

/// All schedules.
#[derive(Debug, Serialize)]
struct List {
    schedules: Vec<Line>,
    /// The switch of `drctl stop-all`.
    stop_all: StopSwitch,
    /// Services the journal knows a schedule of, and of which there is no runbook any more.
    gone: Vec<String>,
    broken: Vec<Broken>,
}

/// One schedule.
#[derive(Debug, Serialize)]
struct Line {
    service: String,
    runbook: String,
    level: String,
    cron: String,
    timezone: String,
    /// The next fire that no blackout stops.
    next: Option<Next>,
    last_fire: Option<Timestamp>,
    opened: Option<Opened>,
    /// Fires up to here were decided by a clock that was ahead, and it is not yet as late.
    ahead: Option<Timestamp>,
    last: Option<Last>,
}

/// A fire to come.
#[derive(Debug, Serialize)]
struct Next {
    at: Timestamp,
    begins: Timestamp,
    local: String,
}

/// Runs the command. Without a journal there is nothing that came of schedules yet.
///
/// # Errors
/// When the configuration or the journal cannot be used.
pub(super) fn run(global: &Global) -> Result<u8, Error> {
    let (config, _borrowed) = session::config_and_runbooks(global)?;
    let board = Board::read(&config)?;
    let session = match session::new_journal(&config) {
        Some(_) => None,
        None => Some(Session::open_as(global, OpenMode::ReadOnly)?),
    };
    let now = session::now();
    let list = session::block_on(async {
        let mut schedules = Vec::new();
        for entry in board.entries.values() {
            let record = match &session {
                Some(session) => {
                    runtime::schedule_record(session.journal.as_ref(), &entry.scheduled.service).await?.0
                }
                None => ScheduleRecord::default(),
            };
            schedules.push(line(entry, record, now));
        }
        let stop_all = match &session {
            Some(session) => runtime::stop_switch(session.journal.as_ref()).await?,
            None => StopSwitch::default(),
        };
        let gone = match &session {
            Some(session) => gone(session, &config).await?.services,
            None => Vec::new(),
        };
        Ok(List { schedules, stop_all, gone, broken: board.broken.clone() })
    })?;
    if global.output == Format::Text {
        board.say_broken(&Terminal);
        say_gone(&list.gone);
        if list.stop_all.stopped {
            output::say("\x1b[1;31mstopped\x1b[0m: `drctl stop-all off` lets schedules work again");
        }
        if list.schedules.is_empty() {
            output::say("no runbook in the configured folders has a drill schedule");
            return Ok(exit::SUCCESS);
        }
    }
    output::print(global.output, &list, || render(&list))?;
    Ok(exit::SUCCESS)
}

fn line(entry: &Entry, record: ScheduleRecord, now: Timestamp) -> Line {
    let table = &entry.scheduled.timetable;
    let next = next(table, now);
    let drill = entry.source.runbook.drill.as_ref();
    let schedule = drill.and_then(|drill| drill.schedule.as_ref());
    Line {
        service: entry.scheduled.service.to_string(),
        runbook: file(&entry.source.path),
        level: drill.map_or_else(String::new, |drill| drill.level.to_string()),
        cron: schedule.map_or_else(String::new, |schedule| schedule.cron.clone()),
        timezone: table.zone().name().to_owned(),
        next: next.map(|fire| Next { at: fire.at, begins: fire.begins, local: shown(table, fire.begins) }),
        ahead: record.decided_ahead(now),
        last_fire: record.fired,
        opened: record.opened,
        last: record.last,
    }
}

fn render(list: &List) -> String {
    let mut table = Table::new(&["SERVICE", "LEVEL", "SCHEDULE", "NEXT", "UTC", "LAST FIRE", "OUTCOME"]);
    for line in &list.schedules {
        let next = line.next.as_ref();
        table.row([
            line.service.clone(),
            line.level.clone(),
            format!("{} {}", line.cron, line.timezone),
            next.map_or_else(|| "never".to_owned(), |next| next.local.clone()),
            next.map_or_else(String::new, |next| utc(next.begins)),
            line.last_fire.map_or_else(|| "none".to_owned(), utc),
            outcome(line),
        ]);
    }
    table.fit("", output::width(), &[Drop(2), Wrap(6), Drop(4), Cut(3)])
}

fn outcome(line: &Line) -> String {
    if let Some(ahead) = line.ahead {
        return format!("\x1b[33mthe clock was ahead\x1b[0m, or is behind: decided up to {}", utc(ahead));
    }
    if let Some(opened) = &line.opened {
        return format!("the drill of {} is not over", utc(opened.fire));
    }
    match &line.last {
        None => String::new(),
        Some(Last::Refused { fire, reason, detail, in_a_row }) => {
            let times = if *in_a_row > 1 { format!(", {in_a_row} in a row") } else { String::new() };
            format!("{} refused: {reason} ({detail}){times}", utc(*fire))
        }
        Some(Last::Ended { run, status, verdict, .. }) => {
            let verdict = verdict.map_or_else(String::new, |verdict| format!(", objectives {verdict}"));
            format!("{run} {status}{verdict}")
        }
    }
}
