//! Which fact is worth a notice, and what it says. Pure; decides by the fact and the run, never by a target.

use super::message::{About, Ending, INCIDENT, Notice};
use super::watched;
use crate::engine::clock;
use crate::engine::event::{Event, Reading, Want};
use crate::engine::schedule::ScheduleEvent;
use crate::evidence::{first_line, needs_person, verdict, ways_out};
use crate::model::id::ServiceName;
use crate::model::notice::{NoticeKind, Severity};
use crate::model::run::{Intent, RunStatus, Verdict};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{NodeIndex, NodeKind};
use crate::ports::Record;
use crate::tail::{Before, Fact, Run};

/// The notice of a record, without its words; `None`: it is worth none. Checks and simulated runs have none,
/// and runs that another one began only where they wait for a person.
#[must_use]
pub fn tell(record: &Record, fact: &Fact<'_>) -> Option<Notice> {
    match fact {
        Fact::Other => None,
        Fact::OfSchedule { service, event } => refused(record, service, event),
        Fact::OfReadings { event } => watched::of_readings(record, event),
        Fact::OfReadiness { service, changed } => watched::of_readiness(record, service, changed),
        Fact::OfRun { run, before, event } => {
            let intent = run.state.created.intent;
            if matches!(intent, Intent::Simulate | Intent::Check) {
                return None;
            }
            let notice = of_run(run, *before, event, record)?;
            let waits = matches!(notice.kind, NoticeKind::Approval | NoticeKind::Stuck);
            (waits || !notice.child).then_some(notice)
        }
    }
}

fn of_run(run: &Run, before: Before, event: &Event, record: &Record) -> Option<Notice> {
    let state = &run.state;
    let notice = |kind, severity| Some(blank(run, record, kind, severity));
    match event {
        Event::RunCreated(created) => {
            let about = About {
                reason: created.reason.clone(),
                by: Some(created.started_by.name.clone()),
                until: created.staged_until,
                ..About::default()
            };
            let (kind, severity) = match created.staged_until {
                Some(_) => (NoticeKind::Staged, Severity::Critical),
                None => (NoticeKind::Started, Severity::Warning),
            };
            let commands = match created.staged_until {
                Some(_) => vec![format!("drctl start {}", created.run)],
                None => vec![format!("drctl runs watch {}", created.run)],
            };
            Some(Notice { commands, about, ..notice(kind, severity)? })
        }
        Event::RunStarted { by } => {
            let reason = state.created.reason.clone();
            let about = About { by: Some(by.name.clone()), reason, ..About::default() };
            let commands = vec![format!("drctl runs watch {}", state.created.run)];
            Some(Notice { commands, about, ..notice(NoticeKind::Started, Severity::Warning)? })
        }
        Event::BurnReached { percent, elapsed } => {
            let severity = match percent {
                0..=50 => Severity::Info,
                51..=75 => Severity::Warning,
                _ => Severity::Critical,
            };
            let forecast = clock::forecast(&run.plan, state, record.recorded_at);
            let about = About {
                percent: Some(*percent),
                elapsed: shown(Some(*elapsed)),
                objective: shown(run.plan.plan.objectives.rto),
                forecast: shown(forecast.map(|(forecast, _)| forecast)),
                step: forecast.and_then(|(_, node)| address(run, node)),
                ..About::default()
            };
            Some(Notice { about, ..notice(NoticeKind::RtoBurn, severity)? })
        }
        Event::ForecastBreached { forecast, objective, node } => {
            let about = About {
                forecast: shown(Some(*forecast)),
                objective: shown(Some(*objective)),
                step: node.and_then(|node| address(run, node)),
                ..About::default()
            };
            Some(Notice { about, ..notice(NoticeKind::Forecast, Severity::Critical)? })
        }
        Event::ForecastRecovered { forecast } => {
            let about = About {
                forecast: shown(Some(*forecast)),
                objective: shown(run.plan.plan.objectives.rto),
                recovered: true,
                ..About::default()
            };
            Some(Notice { about, ..notice(NoticeKind::Forecast, Severity::Info)? })
        }
        Event::ReadingTaken(reading) => {
            let about = behind(run, reading, record.recorded_at)?;
            Some(Notice { about, ..notice(NoticeKind::Rpo, Severity::Critical)? })
        }
        Event::GateReached { .. } if !before.asked => asked(run, run.plan.index.gate?, None, record),
        Event::ApprovalRequested { node, message, .. } => asked(run, *node, message.as_deref(), record),
        Event::StatusChanged { status, cause } => changed(run, before, *status, cause.as_deref(), record),
        _ => None,
    }
}

/// A person is asked about a node.
fn asked(run: &Run, node: NodeIndex, message: Option<&str>, record: &Record) -> Option<Notice> {
    let step = address(run, node)?;
    let mut needed = needs_person(&run.plan, &run.state);
    needed.retain(|needed| needed.step.as_deref() == Some(&step));
    let text = needed.first().map(|needed| needed.text.clone());
    let message = message.filter(|text| !text.is_empty()).map(str::to_owned).or(text);
    let id = &run.state.created.run;
    let mut commands: Vec<_> = needed.into_iter().map(|needed| needed.command).collect();
    let kind = run.plan.plan.nodes.get(node as usize).map(|node| &node.kind);
    match kind {
        Some(NodeKind::Approval { .. }) => commands.push(format!("drctl deny {id} {step} --reason …")),
        Some(NodeKind::Gate) => commands.push(format!("drctl deny {id} --reason …")),
        _ => {}
    }
    let about = About { step: Some(step), message, ..About::default() };
    Some(Notice { commands, about, ..blank(run, record, NoticeKind::Approval, Severity::Critical) })
}

/// The run has another status.
fn changed(
    run: &Run,
    before: Before,
    status: RunStatus,
    cause: Option<&str>,
    record: &Record,
) -> Option<Notice> {
    let asked_for = run.state.want == Want::Pause;
    match status {
        RunStatus::Stuck | RunStatus::CleanupIncomplete => Some(stuck(run, cause, record)),
        // What is about to stand still because something failed is told at once, and not again when it does.
        RunStatus::Pausing if run.state.want == Want::Run => Some(stuck(run, cause, record)),
        RunStatus::Paused if !asked_for && before.status != RunStatus::Pausing => {
            Some(stuck(run, cause, record))
        }
        RunStatus::AwaitingAttestation => {
            let commands = needs_person(&run.plan, &run.state).into_iter().map(|it| it.command).collect();
            let message = Some("the drill is over: say whether it has passed".to_owned());
            let about = About { message, ..About::default() };
            let notice = blank(run, record, NoticeKind::Approval, Severity::Warning);
            Some(Notice { commands, about, ..notice })
        }
        RunStatus::Running | RunStatus::Unwinding | RunStatus::AwaitingApproval => {
            let stood = matches!(before.status, RunStatus::Stuck | RunStatus::Paused | RunStatus::Pausing);
            stood.then(|| blank(run, record, NoticeKind::Resumed, Severity::Info))
        }
        RunStatus::Succeeded
        | RunStatus::SucceededWithWarnings
        | RunStatus::Unwound
        | RunStatus::Failed
        | RunStatus::Aborted
        | RunStatus::Expired => Some(ended(run, status, cause, record)),
        RunStatus::Pending
        | RunStatus::Staged
        | RunStatus::Pausing
        | RunStatus::Paused
        | RunStatus::CleaningUp => None,
    }
}

fn stuck(run: &Run, cause: Option<&str>, record: &Record) -> Notice {
    let ways = ways_out(&run.plan, &run.state);
    let mut commands = ways.forward.clone();
    commands.extend(ways.undo.clone());
    commands.extend([ways.hold.clone()]);
    let cause = cause.map(first_line);
    let text = ways.text();
    let changed = text.split("\n\n").next().map(str::to_owned);
    let about = About { cause, changed, ways_out: Some(text), ..About::default() };
    Notice { commands, about, ..blank(run, record, NoticeKind::Stuck, Severity::Critical) }
}

fn ended(run: &Run, status: RunStatus, cause: Option<&str>, record: &Record) -> Notice {
    let (plan, state) = (&run.plan, &run.state);
    let verdict = verdict(plan, state);
    let succeeded = matches!(status, RunStatus::Succeeded | RunStatus::SucceededWithWarnings);
    let severity = match (succeeded, verdict) {
        (true, Verdict::Missed) => Severity::Warning,
        (true, _) => Severity::Info,
        (false, _) if status == RunStatus::Expired => Severity::Warning,
        (false, _) => Severity::Critical,
    };
    let healthy = clock::recovered_at(plan, state).map(|healthy| healthy.since(state.clock_zero()));
    let about = About {
        cause: cause.map(first_line),
        recovery_time: shown(healthy),
        objective: shown(plan.plan.objectives.rto),
        data_loss: shown(clock::data_loss(plan, state)),
        verdict: Some(verdict.as_str().replace('_', " ")),
        ..About::default()
    };
    let settled = succeeded || status == RunStatus::Expired;
    let ending = Some(if settled { Ending::Settled } else { Ending::Unsettled });
    let commands = vec![format!("drctl runs report {}", state.created.run)];
    Notice { commands, about, ending, ..blank(run, record, NoticeKind::Ended, severity) }
}

/// A reading beyond the objective, where no earlier one of the run was.
fn behind(run: &Run, reading: &Reading, at: Timestamp) -> Option<About> {
    let objective = run.plan.plan.objectives.rpo?;
    let lag = |at: Timestamp, reading: &Reading| {
        reading.recovery_point_at.map(|reached| at.since(reached)).or(reading.lag)
    };
    let now = lag(at, reading).filter(|lag| *lag > objective)?;
    let (_, earlier) = run.state.readings.split_last()?;
    let told = earlier.iter().any(|(at, reading)| lag(*at, reading).is_some_and(|lag| lag > objective));
    (!told).then(|| About {
        lag: shown(Some(now)),
        objective: shown(Some(objective)),
        step: address(run, reading.node),
        message: Some(format!("read {} by {}", reading.point, reading.source)),
        ..About::default()
    })
}

/// A drill that was due and was not begun.
fn refused(record: &Record, service: &ServiceName, event: &ScheduleEvent) -> Option<Notice> {
    let ScheduleEvent::Refused { fire, reason, detail, count } = event else { return None };
    let many = if *count > 1 { format!(" ({count} fires in a row)") } else { String::new() };
    Some(Notice {
        id: format!("{}/{}", record.stream, record.sequence),
        kind: NoticeKind::DrillRefused,
        severity: Severity::Warning,
        at: record.recorded_at,
        thread: format!("drctl/schedule/{service}/{fire}"),
        service: service.to_string(),
        run: None,
        operation: None,
        intent: Some(Intent::Drill.as_str()),
        status: None,
        from: None,
        to: None,
        title: String::new(),
        text: String::new(),
        commands: vec!["drctl schedule list".to_owned()],
        about: About {
            fire: Some(*fire),
            cause: Some(reason.as_str().replace('_', " ")),
            message: Some(format!("{}{many}", first_line(detail))),
            ..About::default()
        },
        ending: None,
        incident: None,
        child: false,
    })
}

/// A notice of a run without what its kind adds.
fn blank(run: &Run, record: &Record, kind: NoticeKind, severity: Severity) -> Notice {
    let (state, created) = (&run.state, &run.state.created);
    // Nobody is woken at night for an exercise.
    let severity = if created.intent == Intent::Real { severity } else { severity.min(Severity::Warning) };
    Notice {
        id: format!("{}/{}", record.stream, record.sequence),
        kind,
        severity,
        at: record.recorded_at,
        thread: format!("drctl/{}", created.run),
        service: created.service.to_string(),
        run: Some(created.run.to_string()),
        operation: Some(created.operation.as_str()),
        intent: Some(created.intent.as_str()),
        status: Some(state.status.as_str()),
        from: created.from.as_ref().map(ToString::to_string),
        to: created.to.as_ref().map(ToString::to_string),
        title: String::new(),
        text: String::new(),
        commands: Vec::new(),
        about: About::default(),
        ending: None,
        incident: created.notes.get(INCIDENT).cloned(),
        child: created.parent.is_some(),
    }
}

fn address(run: &Run, node: NodeIndex) -> Option<String> {
    run.plan.plan.nodes.get(node as usize).map(|node| node.address.to_string())
}

fn shown(duration: Option<Duration>) -> Option<String> {
    duration.map(|duration| duration.to_string())
}
