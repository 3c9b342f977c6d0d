//! Runs on a journal in memory, and what is said about their service afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use drctl::app::{self, History, Listed, Standing, Subject};
use drctl::compile;
use drctl::engine::RunState;
use drctl::engine::input::Control;
use drctl::engine::schedule::ScheduleEvent;
use drctl::engine::service::ServiceEvent;
use drctl::evidence::coverage::{Coverage, StepUse, Window, coverage};
use drctl::evidence::readiness::{Definition, FRESHNESS, Readiness};
use drctl::journal::MemoryJournal;
use drctl::model::governance::Policy;
use drctl::model::id::{RunId, ServiceName};
use drctl::model::run::Identity;
use drctl::model::time::{Duration, Timestamp};
use drctl::plan::{self, Plan};
use drctl::ports::{Append, Journal, NewRecord, StreamName};
use drctl::runtime::{NewRun, SystemClock};

use crate::drills::world::{World, ask, drive, new, runbook, runtime};

/// A service, its history and its world.
pub(super) struct Service {
    pub(super) journal: MemoryJournal,
    pub(super) world: Arc<World>,
}

impl Service {
    pub(super) fn new() -> Self {
        Self { journal: MemoryJournal::new(), world: World::new() }
    }

    /// Runs a plan of a runbook until a person is needed.
    pub(super) async fn play(&self, text: &str, plan: Plan) -> (RunId, RunState) {
        let runtime = runtime(Arc::new(self.journal.another_holder()), &self.world);
        let driver = runtime.create(plan, NewRun { runbook: text.to_owned(), ..new() }).await.unwrap();
        let run = driver.state().created.run.clone();
        (run, drive(driver).await)
    }

    /// Goes on with a run after something was asked of it.
    pub(super) async fn then(&self, run: &RunId, id: &str, control: Control) -> RunState {
        ask(&self.journal, run, id, control).await;
        let runtime = runtime(Arc::new(self.journal.another_holder()), &self.world);
        drive(runtime.take_over(run, BTreeMap::new()).await.unwrap()).await
    }

    /// Somebody says where the service is.
    pub(super) async fn set(&self, site: &str) {
        let site = drctl::model::id::SiteName::new(site).unwrap();
        let event = ServiceEvent::Set { site, by: Identity::asserted("ann"), reason: "moved".to_owned() };
        self.facts(StreamName::service(&service()), event.kind(), &event).await;
    }

    /// Something came of its drill schedule.
    pub(super) async fn scheduled(&self, events: &[ScheduleEvent]) {
        for event in events {
            self.facts(StreamName::schedule(&service()), event.kind(), event).await;
        }
    }

    async fn facts(&self, stream: StreamName, kind: &'static str, fact: &impl serde::Serialize) {
        let records = vec![NewRecord { kind, version: 1, body: serde_json::to_string(fact).unwrap() }];
        let (stream, at) = (Some(stream), Some(now()));
        self.journal.append(vec![Append { stream, at, records, ..Append::default() }]).await.unwrap();
    }

    /// How the service of a runbook stands some days from now.
    pub(super) async fn stands(&self, text: &str, days: u64, policy: Option<&str>) -> Standing {
        let runbook = runbook(text);
        let policy: Option<Policy> = policy.map(|parts| {
            let text = format!("apiVersion: drctl/v1\nkind: Policy\nmetadata: {{name: company}}\n{parts}");
            compile::policy(&text).0.unwrap()
        });
        let service = ServiceName::new("pay").unwrap();
        let drill = runbook.drill.as_ref();
        let definition = Definition::Sound {
            digest: plan::of_runbook(&runbook),
            freshness: drill.and_then(|drill| drill.freshness).unwrap_or(FRESHNESS),
            level: drill.map(|drill| drill.level),
            bounded: drill.is_some_and(|drill| drill.boundary.is_some()),
        };
        let subject =
            Subject { service: &service, definition, runbook: Some(&runbook), policy: policy.as_ref() };
        let listed = Listed::read(&self.journal, None).await.unwrap();
        app::standing(&self.journal, &listed, &subject, now().plus(days_of(days))).await.unwrap()
    }

    /// The word of readiness and the codes of its reasons.
    pub(super) async fn judged(&self, text: &str) -> (Readiness, Vec<&'static str>) {
        said(&self.stands(text, 0, None).await)
    }

    /// What of a runbook was exercised in the last days, some days from now.
    pub(super) async fn covered(&self, text: &str, later: u64) -> Coverage {
        let until = now().plus(days_of(later));
        let window = Window { since: until.minus(days_of(90)), until };
        let service = ServiceName::new("pay").unwrap();
        let history: History = app::history(&self.journal, &service, window.since).await.unwrap();
        coverage(&runbook(text), &history.past(), window)
    }
}

fn service() -> ServiceName {
    ServiceName::new("pay").unwrap()
}

pub(super) fn said(standing: &Standing) -> (Readiness, Vec<&'static str>) {
    let judgement = &standing.judgement;
    (judgement.readiness, judgement.reasons.iter().map(|reason| reason.code).collect())
}

fn days_of(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

pub(super) fn now() -> Timestamp {
    drctl::ports::Clock::now(&SystemClock::real())
}

/// Each step of a workflow with what became of it.
pub(super) fn steps(found: &Coverage, workflow: &str) -> Vec<String> {
    let line = |step: &StepUse| {
        let mode = step.mode.map_or_else(String::new, |mode| format!(" {mode}"));
        format!("{}{mode} {} {}", step.step, step.state, step.seen.times)
    };
    let own = found.steps.iter().filter(|step| step.workflow.as_str() == workflow);
    own.map(line).collect()
}
