//! `drctl trigger list`: what each trigger listens to and starts, and what came of it last.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use super::webhooks;
use crate::app::launch::source::{self, Broken};
use crate::cli::session::{self, Session};
use crate::cli::table::Table;
use crate::cli::table::Yield::{Cut, Wrap};
use crate::cli::{Error, Global, exit, output};
use crate::engine::trigger::{Last, Red, TriggerRecord};
use crate::journal::OpenMode;
use crate::model::id::ServiceName;
use crate::model::time::Duration;
use crate::model::trigger::{HowToStart, Listening, Trigger, TriggerSource};
use crate::runtime::trigger_record;

/// All triggers.
#[derive(Debug, Serialize)]
struct Report {
    triggers: Vec<Line>,
    broken: Vec<Broken>,
}

/// One trigger.
#[derive(Debug, Serialize)]
struct Line {
    service: String,
    trigger: String,
    /// What it listens to.
    listens: Vec<String>,
    /// What it listens to and there is no webhook of.
    unheard: Vec<String>,
    how: HowToStart,
    start: String,
    shadow: bool,
    quorum: usize,
    dwell: Duration,
    cooldown: Option<Duration>,
    /// What is red, by incident.
    red: Vec<String>,
    /// What came of it last.
    last: Option<Last>,
}

/// Runs the command.
///
/// # Errors
/// When the configuration or the journal cannot be used.
pub(super) fn run(global: &Global) -> Result<u8, Error> {
    let (config, _borrowed) = session::config_and_runbooks(global)?;
    let (runbooks, broken) = source::with_triggers(&config)?;
    let session = match session::new_journal(&config) {
        Some(_) => None,
        None => Some(Session::open_as(global, OpenMode::ReadOnly)?),
    };
    let hooks = webhooks(&config, session.as_ref())?;
    let mut triggers = Vec::new();
    for runbook in &runbooks {
        let service = &runbook.metadata.name;
        let record = record_of(session.as_ref(), service)?;
        triggers.extend(runbook.triggers.iter().map(|trigger| line(&hooks, service, trigger, &record)));
    }
    let report = Report { triggers, broken };
    output::print(global.output, &report, || render(&report))?;
    Ok(if report.broken.is_empty() { exit::SUCCESS } else { exit::INVALID })
}

/// Where the triggers of a service stand; without a journal, nowhere.
///
/// # Errors
/// When the journal cannot be read.
pub(super) fn record_of(session: Option<&Session>, service: &ServiceName) -> Result<TriggerRecord, Error> {
    let Some(session) = session else { return Ok(TriggerRecord::default()) };
    session::block_on(async { Ok(trigger_record(session.journal.as_ref(), service).await?) })
}

fn line(
    hooks: &BTreeMap<String, TriggerSource>,
    service: &ServiceName,
    trigger: &Trigger,
    record: &TriggerRecord,
) -> Line {
    let name = trigger.name.to_string();
    let listens = |listening: &Listening<'_>| {
        let webhook = listening.webhook.map_or_else(String::new, |webhook| format!(" {webhook}"));
        format!("{}{webhook}", listening.on)
    };
    let heard = |listening: &Listening<'_>| hooks.iter().any(|(name, source)| listening.hears(*source, name));
    let listening = trigger.listening();
    let mode = trigger.start.mode.map_or_else(String::new, |mode| format!(" {mode}"));
    let to = trigger.start.to.as_ref().map_or_else(String::new, |to| format!(" to {to}"));
    Line {
        service: service.to_string(),
        listens: listening.iter().map(listens).collect(),
        unheard: listening.iter().filter(|one| !heard(one)).map(listens).collect(),
        how: trigger.how(),
        start: format!("{}{mode}{to}", trigger.start.operation),
        shadow: trigger.shadow,
        quorum: trigger.quorum(),
        dwell: trigger.dwell(),
        cooldown: trigger.cooldown,
        red: record.red.iter().filter(|red| red.trigger == name).map(Red::episode).collect(),
        last: record.last.get(&name).cloned(),
        trigger: name,
    }
}

fn render(report: &Report) -> String {
    let mut lines = String::new();
    for Broken { path, why } in &report.broken {
        let path = path.display();
        // Writing into a string cannot fail.
        let _ = writeln!(lines, "\x1b[33mwarning\x1b[0m: {path}: none of its triggers listens: {why}");
    }
    if report.triggers.is_empty() {
        lines.push_str("no runbook in the configured folders has triggers");
        return lines;
    }
    let mut table = Table::new(&["SERVICE", "TRIGGER", "LISTENS TO", "STARTS", "RED", "LAST"]);
    for line in &report.triggers {
        let mut listens = line.listens.join(", ");
        if line.listens.len() > 1 {
            listens = format!("{} of {listens}", line.quorum);
        }
        if line.dwell.as_millis() > 0 {
            listens = format!("{listens} for {}", line.dwell);
        }
        if !line.unheard.is_empty() {
            listens = format!("{listens} \x1b[33m(no such webhook: {})\x1b[0m", line.unheard.join(", "));
        }
        let how = if line.shadow { "shadow".to_owned() } else { line.how.to_string() };
        let last = line.last.as_ref().map_or_else(String::new, |last| {
            format!("{} {}: {}", last.at.to_jiff().strftime("%Y-%m-%d %H:%M"), last.what, last.detail)
        });
        let starts = format!("{} ({how})", line.start);
        let red = line.red.join(", ");
        table.row([line.service.clone(), line.trigger.clone(), listens, starts, red, last]);
    }
    lines.push_str(&table.fit("", output::width(), &[Wrap(5), Cut(4), Cut(2)]));
    lines
}
