//! `drctl trigger test`: what each trigger of a runbook would do with an event, and why. Asks no sender.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::list::record_of;
use super::webhooks;
use crate::app;
use crate::app::launch::source;
use crate::cli::output::Terminal;
use crate::cli::session::{self, Session};
use crate::cli::table::Table;
use crate::cli::table::Yield::Wrap;
use crate::cli::{Error, Global, exit, output};
use crate::config::JournalPlace;
use crate::engine::schedule::RunLine;
use crate::engine::trigger::{Arrival, Facts, Hook, Outcome, Reported, Told, explain};
use crate::journal::OpenMode;
use crate::model::id::ServiceName;
use crate::model::time::Timestamp;
use crate::model::trigger::{Event, TriggerSource};
use crate::ports::{RunFilter, RunSummary};
use crate::runtime::stop_switch;
use crate::webhook::{self, Delivery};

/// Arguments of `trigger test`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Runbook: a path, or the name of a service or file in the configured folders.
    runbook: String,
    /// File with the body of a delivery, as its sender sends it.
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// Who sends it: pagerduty, alertmanager, cloudwatch or webhook; default: as it looks.
    #[arg(long)]
    source: Option<TriggerSource>,
    /// Webhook it arrives at; default: the first one of that sender in the configuration.
    #[arg(long, value_name = "NAME")]
    webhook: Option<String>,
    /// Leave out what the journal knows: what is red, what was decided, when it last fired.
    #[arg(long)]
    fresh: bool,
    /// Pretend that it is this time.
    #[arg(long, value_name = "TIME", hide = true)]
    now: Option<Timestamp>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    source: TriggerSource,
    webhook: String,
    events: Vec<Event>,
    triggers: Vec<Told>,
}

/// Runs the command.
///
/// # Errors
/// When the runbook has no triggers, the event cannot be read, or the journal cannot be used.
pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let (config, _borrowed) = session::config_and_runbooks(global)?;
    let source = source::load(&config, &arguments.runbook, &Terminal)?;
    let name = source.runbook.metadata.name.clone();
    let Some(watch) = app::watches([&source.runbook]).into_iter().next() else {
        return Err(Error::new(exit::USAGE, format!("the runbook of {name} has no triggers"))
            .help("docs/guides/triggers.md says how they are written"));
    };
    let (sender, delivery) = delivery(arguments)?;
    let is_asked = !arguments.fresh || matches!(config.journal, JournalPlace::Server(_));
    let journal = is_asked && session::new_journal(&config).is_none();
    let session = if journal { Some(Session::open_as(global, OpenMode::ReadOnly)?) } else { None };
    let hooks = webhooks(&config, session.as_ref())?;
    let first = hooks.iter().find(|(_, source)| **source == sender).map(|(name, _)| name.clone());
    let webhook = arguments.webhook.clone().or(first).unwrap_or_else(|| sender.to_string());
    let session = session.filter(|_| !arguments.fresh);
    let record = record_of(session.as_ref(), &name)?;
    let now = arguments.now.unwrap_or_else(session::now);
    let mut facts = facts(&webhook, sender, &delivery, now);
    if let Some(session) = &session {
        (facts.stopped, facts.runs) = session::block_on(standing(session, &name))?;
    }
    let triggers = explain(&watch, &record, &facts);
    let acts = |told: &Told| matches!(told.outcome, Outcome::Stages | Outcome::Starts | Outcome::Shadow);
    let code = if triggers.iter().any(acts) { exit::SUCCESS } else { exit::REFUSED };
    let report = Report { source: sender, webhook, events: delivery.events, triggers };
    output::print(global.output, &report, || render(&report))?;
    Ok(code)
}

fn delivery(arguments: &Arguments) -> Result<(TriggerSource, Delivery), Error> {
    let path = arguments.event.display();
    let body = std::fs::read(&arguments.event)
        .map_err(|error| Error::new(exit::USAGE, format!("{path}: {error}")))?;
    let sender = arguments.source.unwrap_or_else(|| as_it_looks(&body));
    let delivery = webhook::read_unproved(sender, &body).map_err(|error| {
        Error::new(exit::INVALID, format!("{path}: taken for a delivery of {sender}: {error}"))
            .help("give the body as it arrives, and --source where it is not clear who sends it")
    })?;
    Ok((sender, delivery))
}

/// Who has halted triggers, and the runs of a service that are not over.
async fn standing(session: &Session, name: &ServiceName) -> Result<(Option<String>, Vec<RunLine>), Error> {
    let journal = session.journal.as_ref();
    let stopped = stop_switch(journal).await?.stopped.then(|| "stop-all is on".to_owned());
    let filter = RunFilter { service: Some(name.clone()), open: true, ..RunFilter::default() };
    let line = |run: RunSummary| {
        let RunSummary { run, intent, status, verdict, idempotency_key: key, .. } = run;
        RunLine { run, intent, status, verdict, key, driven: false, due: false }
    };
    Ok((stopped, journal.runs(&filter).await?.into_iter().map(line).collect()))
}

/// Whose delivery it looks like.
fn as_it_looks(body: &[u8]) -> TriggerSource {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    if document.get("event").is_some_and(Value::is_object) {
        TriggerSource::Pagerduty
    } else if document.get("alerts").is_some() {
        TriggerSource::Alertmanager
    } else if document.get("TopicArn").is_some() {
        TriggerSource::Cloudwatch
    } else {
        TriggerSource::Webhook
    }
}

/// The delivery as if it arrived now.
fn facts(webhook: &str, source: TriggerSource, delivery: &Delivery, now: Timestamp) -> Facts {
    let hook = Hook { source, asks: false, notes: false, from: 0 };
    let reported = |event: &Event| Reported { event: event.clone(), stale: false, old: false };
    let arrival = Arrival {
        webhook: webhook.to_owned(),
        sequence: u64::MAX,
        at: now,
        events: delivery.events.iter().map(reported).collect(),
    };
    Facts {
        now,
        hooks: BTreeMap::from([(webhook.to_owned(), hook)]),
        arrivals: vec![arrival],
        stopped: None,
        runs: Vec::new(),
        answers: Vec::new(),
    }
}

fn render(report: &Report) -> String {
    let mut text = String::new();
    for event in &report.events {
        let incident = event.incident.as_ref().map_or("none", |incident| incident.id.as_str());
        let title = event.title.as_ref().map_or_else(String::new, |title| format!(": {title}"));
        let (kind, status) = (&event.kind, event.status);
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "{} {kind} at {}: {status}, incident {incident}{title}",
            report.source, report.webhook
        );
    }
    let several = report.events.len() > 1;
    let mut table = Table::new(&["EVENT", "TRIGGER", "WOULD", "WHY"]);
    for told in &report.triggers {
        let number = report.events.iter().position(|event| event.id == told.event).map_or(1, |at| at + 1);
        let event = if several { number.to_string() } else { "-".to_owned() };
        table.row([event, told.trigger.clone(), told.outcome.to_string(), told.why.clone()]);
    }
    text.push_str(&table.fit("", output::width(), &[Wrap(3)]));
    text
}
