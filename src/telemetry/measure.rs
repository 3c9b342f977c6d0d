//! What facts do to metrics. Counts each fact once, as it is followed.

use super::metrics::{Metrics, seconds};
use crate::engine::clock;
use crate::engine::event::Event;
use crate::engine::schedule::ScheduleEvent;
use crate::evidence::verdict;
use crate::model::run::Verdict;
use crate::model::time::Timestamp;
use crate::plan::{NodeIndex, NodeKind};
use crate::ports::Record;
use crate::tail::{Fact, Run};

impl Metrics {
    /// Counts a fact.
    pub fn count(&self, record: &Record, fact: &Fact<'_>) {
        match fact {
            Fact::OfRun { run, event, .. } => self.of_run(run, event, record.recorded_at),
            Fact::OfSchedule { event, .. } => {
                let outcome = match event {
                    ScheduleEvent::Fired { .. } => "fired",
                    ScheduleEvent::Refused { reason, .. } => reason.as_str(),
                    ScheduleEvent::Seen { .. }
                    | ScheduleEvent::Unseen { .. }
                    | ScheduleEvent::SetBack { .. }
                    | ScheduleEvent::Ended { .. } => {
                        return;
                    }
                };
                self.fires.get_or_create(&[("outcome", outcome.into())]).inc();
            }
            // What is known now is set by who looks.
            Fact::OfReadings { .. } | Fact::OfReadiness { .. } => {}
            Fact::Other if record.kind == "prune_requested" => {
                self.prunes.inc();
            }
            Fact::Other => self.of_target(record),
        }
    }

    fn of_target(&self, record: &Record) {
        let Some(target) = record.stream.as_str().strip_prefix("notify/") else { return };
        let counters = match record.kind.as_str() {
            "notify_sent" => &self.sent,
            "notify_given_up" => &self.given_up,
            _ => return,
        };
        counters.get_or_create(&[("target", target.to_owned().into())]).inc();
    }

    fn of_run(&self, run: &Run, event: &Event, at: Timestamp) {
        let created = &run.state.created;
        let (operation, intent) = (created.operation.as_str(), created.intent.as_str());
        let service = || self.service(created.service.as_str());
        match event {
            Event::RunCreated(_) => {
                let objectives = run.plan.plan.objectives;
                for (name, objective) in [("rto", objectives.rto), ("rpo", objectives.rpo)] {
                    if let Some(objective) = objective {
                        let labels = [("service", service()), ("objective", name.into())];
                        self.objective.get_or_create(&labels).set(seconds(objective));
                    }
                }
                if created.staged_until.is_none() {
                    self.started(operation, intent);
                }
            }
            Event::RunStarted { .. } => self.started(operation, intent),
            Event::TookOver { token, .. } if *token > 1 => {
                self.runs_taken_over.get_or_create(&[("intent", intent.into())]).inc();
            }
            Event::StatusChanged { status, .. } if status.is_terminal() => self.ended(run),
            Event::NodeSucceeded(done) => self.step(run, done.node, "succeeded", at),
            Event::NodeFailed { node, .. } => self.step(run, *node, "failed", at),
            Event::NodeUndone { node } => self.step(run, *node, "undone", at),
            Event::UndoFailed { node, .. } => self.step(run, *node, "undo_failed", at),
            Event::RetryScheduled { node, failure, .. } => {
                let labels =
                    [("action", action(run, *node).into()), ("class", failure.class.as_str().into())];
                self.retries.get_or_create(&labels).inc();
            }
            Event::AttemptInDoubt { attempt, .. } => {
                let labels = [("action", action(run, attempt.node).into())];
                self.doubts.get_or_create(&labels).inc();
            }
            Event::ReadingTaken(reading) => {
                let lag = reading.recovery_point_at.map(|reached| at.since(reached)).or(reading.lag);
                if let Some(lag) = lag {
                    let labels = [("service", service()), ("point", reading.point.as_str().into())];
                    self.lag.get_or_create(&labels).set(seconds(lag));
                }
            }
            _ => {}
        }
    }

    fn started(&self, operation: &'static str, intent: &'static str) {
        self.runs_started.get_or_create(&[("operation", operation.into()), ("intent", intent.into())]).inc();
    }

    fn ended(&self, run: &Run) {
        let (plan, state) = (&run.plan, &run.state);
        let created = &state.created;
        let (operation, intent) = (created.operation.as_str(), created.intent.as_str());
        let verdict: Verdict = verdict(plan, state);
        let labels = [
            ("operation", operation.into()),
            ("intent", intent.into()),
            ("status", state.status.as_str().into()),
            ("verdict", verdict.as_str().into()),
        ];
        self.runs_ended.get_or_create(&labels).inc();
        if let Some(healthy) = clock::recovered_at(plan, state) {
            let labels = [("operation", operation.into()), ("intent", intent.into())];
            let took = seconds(healthy.since(state.clock_zero()));
            self.recovery.get_or_create(&labels).observe(took);
        }
        if let Some(loss) = clock::data_loss(plan, state) {
            let labels = [("service", self.service(created.service.as_str()))];
            self.loss.get_or_create(&labels).set(seconds(loss));
        }
    }

    fn step(&self, run: &Run, node: NodeIndex, outcome: &'static str, at: Timestamp) {
        let Some(began) = run.state.node(node).started_at else { return };
        let labels = [("action", action(run, node).into()), ("outcome", outcome.into())];
        self.steps.get_or_create(&labels).observe(seconds(at.since(began)));
    }

    /// Sets what is about the runs that are not over.
    pub fn open<'a>(&self, runs: impl Iterator<Item = &'a Run>, now: Timestamp) {
        self.runs_open.clear();
        self.burn.clear();
        self.forecast.clear();
        let mut waiting = 0;
        for Run { plan, state } in runs.filter(|run| !run.state.status.is_terminal()) {
            let intent = state.created.intent.as_str();
            let labels = [("status", state.status.as_str().into()), ("intent", intent.into())];
            self.runs_open.get_or_create(&labels).inc();
            waiting += i64::from(state.status.needs_person());
            let objective = plan.plan.objectives.rto.filter(|_| state.clock.healthy_at.is_none());
            if let Some(objective) = objective {
                let service = self.service(state.created.service.as_str());
                let labels = [("service", service), ("intent", intent.into())];
                let now = now.max(state.last_at);
                self.burn.get_or_create(&labels).set(seconds(state.elapsed(now)) / seconds(objective));
                if let Some((forecast, _)) = clock::forecast(plan, state, now) {
                    self.forecast.get_or_create(&labels).set(seconds(forecast) / seconds(objective));
                }
            }
        }
        self.runs_waiting.set(waiting);
    }
}

/// What a node does, as the value of a label: its action, or the kind of node it is.
pub(super) fn action(run: &Run, node: NodeIndex) -> &'static str {
    let Some(definition) = run.plan.plan.nodes.get(node as usize) else { return "unknown" };
    match &definition.kind {
        NodeKind::Gate => "gate",
        NodeKind::Group { .. } => "group",
        NodeKind::Approval { .. } => "approval.request",
        _ => definition.call(run.state.mode).map_or("none", |call| call.action.as_str()),
    }
}
