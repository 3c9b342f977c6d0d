//! Notices of what a server has seen between runs: how far the data of a service reaches, and how ready it
//! is. Pure; as the notices of runs.

use super::message::{About, Ending, Notice};
use crate::engine::readings::{ReadingChange, ReadingsEvent, ServiceReadings};
use crate::model::id::ServiceName;
use crate::model::notice::{NoticeKind, Severity};
use crate::model::readiness::{Readiness, ReadinessChanged};
use crate::model::time::Duration;
use crate::ports::Record;

/// Most reasons that are told.
const REASONS: usize = 5;

/// The notice of what was read.
pub(super) fn of_readings(record: &Record, event: &ReadingsEvent) -> Option<Notice> {
    let ReadingsEvent::Changed { service, change, readings, objective } = event else { return None };
    let objective = objective.map(|objective| objective.to_string());
    let severity = match change {
        ReadingChange::Behind => Severity::Critical,
        ReadingChange::Silent => Severity::Warning,
        ReadingChange::CaughtUp | ReadingChange::Heard => Severity::Info,
    };
    let about = match change {
        ReadingChange::Behind => About { objective, message: Some(read(readings)), ..lag(readings) },
        ReadingChange::CaughtUp => {
            About { objective, recovered: true, message: Some(read(readings)), ..lag(readings) }
        }
        ReadingChange::Heard => About { recovered: true, message: Some(read(readings)), ..lag(readings) },
        ReadingChange::Silent => About {
            cause: readings.silent.as_ref().map(|silent| silent.why.clone()),
            message: Some(before(readings)),
            ..About::default()
        },
    };
    let settled = matches!(change, ReadingChange::CaughtUp | ReadingChange::Heard);
    let notice = blank(record, service, NoticeKind::Rpo, severity, settled);
    Some(Notice { commands: vec![format!("drctl status {service}")], about, ..notice })
}

fn lag(readings: &ServiceReadings) -> About {
    About { lag: readings.lag().map(|lag: Duration| lag.to_string()), ..About::default() }
}

fn read(readings: &ServiceReadings) -> String {
    let sources: Vec<_> = readings.last.iter().map(|reading| reading.source.as_str()).collect();
    match readings.reaches() {
        Some(reaches) => format!("read by {}: the data reaches {reaches}", sources.join(", ")),
        None => "nothing was read".to_owned(),
    }
}

/// What was known before nothing was heard any more.
fn before(readings: &ServiceReadings) -> String {
    match (readings.at(), readings.lag()) {
        (Some(at), Some(lag)) => format!("when it was last read, at {at}, the data was {lag} behind"),
        _ => "it was never read".to_owned(),
    }
}

/// The notice of a service that is not as ready as it was.
pub(super) fn of_readiness(
    record: &Record,
    service: &ServiceName,
    changed: &ReadinessChanged,
) -> Option<Notice> {
    let from = changed.from?;
    let ready = changed.to == Readiness::Ready;
    let told = ready || from == Readiness::Ready || changed.to == Readiness::ActionRequired;
    if !told || from == changed.to {
        return None;
    }
    let severity = match changed.to {
        Readiness::Ready => Severity::Info,
        Readiness::NeedsDrill | Readiness::NeedsVerification | Readiness::ActionRequired => Severity::Warning,
    };
    let reasons = changed.reasons.iter().take(REASONS).map(|reason| reason.text.clone());
    let message = reasons.collect::<Vec<_>>().join("\n");
    let about = About {
        recovered: ready,
        changed: Some(changed.to.as_str().replace('_', " ")),
        message: Some(message).filter(|text| !text.is_empty()),
        ..About::default()
    };
    let mut commands: Vec<_> =
        changed.reasons.iter().filter_map(|reason| reason.command.clone()).take(REASONS).collect();
    commands.push(format!("drctl status {service}"));
    Some(Notice { commands, about, ..blank(record, service, NoticeKind::Readiness, severity, ready) })
}

fn blank(
    record: &Record,
    service: &ServiceName,
    kind: NoticeKind,
    severity: Severity,
    settled: bool,
) -> Notice {
    Notice {
        id: format!("{}/{}", record.stream, record.sequence),
        kind,
        severity,
        at: record.recorded_at,
        thread: format!("drctl/{kind}/{service}"),
        service: service.to_string(),
        run: None,
        operation: None,
        intent: None,
        status: None,
        from: None,
        to: None,
        title: String::new(),
        text: String::new(),
        commands: Vec::new(),
        about: About::default(),
        ending: settled.then_some(Ending::Settled),
        incident: None,
        child: false,
    }
}
