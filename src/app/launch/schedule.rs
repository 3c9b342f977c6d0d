//! Starts scheduled drills, and asks policy and guards about them. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::drill::{self, PlannedDrill, WantedDrill};
use super::estate::real_runtime;
use super::policy::{self, Manner};
use super::source::Source;
use super::{Began, Binding, takeover};
use crate::app::{Error, Session, exit};
use crate::engine::schedule::{Answers, Order};
use crate::evidence::{self, first_line};
use crate::journal::MemoryJournal;
use crate::model::id::{RunId, ServiceName};
use crate::model::run::{Intent, NodeStatus};
use crate::plan::Plan;
use crate::plan::drill::bind_guards;
use crate::ports::{BoxFuture, JournalError};
use crate::runtime::{self, Follower, Launch, LaunchError, Runtime, Silent, Stop};

/// Starts drills of the runbooks it knows.
pub(crate) struct Launcher {
    /// Configuration, journal and identity of who keeps the schedules.
    pub session: Arc<Session>,
    /// Told what drills do, and lets them go.
    pub follower: Arc<dyn Follower>,
    /// The runbooks.
    pub sources: BTreeMap<ServiceName, Source>,
}

impl Launch for Launcher {
    fn ask<'a>(
        &'a self,
        service: &'a ServiceName,
        _: &'a Order,
    ) -> BoxFuture<'a, Result<Answers, runtime::Error>> {
        Box::pin(async move {
            let Ok(source) = self.source(service) else { return Ok(Answers::default()) };
            // What cannot be planned is told when it is started.
            let planned = drill::planned(&self.session, &wanted(service), source).await;
            let Ok(PlannedDrill { plan, choices, .. }) = planned else { return Ok(Answers::default()) };
            let policy = match plan.intent {
                Intent::Drill => policy::ruled(&self.session, source, &plan, Manner::default()).await.err(),
                Intent::Real | Intent::Check | Intent::Simulate => None,
            };
            let red = match bind_guards(&source.runbook, &choices) {
                Ok(None) => Vec::new(),
                Ok(Some(plan)) => self.red(source, plan, choices.credentials(&source.runbook)).await,
                Err(problems) => problems.into_iter().map(|problem| problem.what).collect(),
            };
            Ok(Answers { policy: policy.map(told), red })
        })
    }

    fn start<'a>(
        &'a self,
        service: &'a ServiceName,
        order: &'a Order,
    ) -> BoxFuture<'a, Result<(), LaunchError>> {
        Box::pin(async move {
            let source = self.source(service)?;
            let late = if order.late { ", late" } else { "" };
            let wanted = WantedDrill {
                reason: Some(format!("scheduled for {}{late}", order.fire)),
                idempotency_key: Some(order.key.clone()),
                ..wanted(service)
            };
            match drill::start(&self.session, &wanted, source).await.map_err(failed)? {
                // Somebody else has started it.
                Began::Before(_) => Ok(()),
                Began::New(driver) => {
                    self.session.say(&format!("{service}: drill {} begins", driver.state().created.run));
                    driver.drive(self.follower.as_ref(), Stop::AtPerson).await?;
                    Ok(())
                }
            }
        })
    }

    fn go_on<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<(), LaunchError>> {
        Box::pin(async move {
            self.session.say(&format!("nobody drives {run}: going on with it"));
            let driver =
                takeover::take_over(&self.session, run, BTreeMap::new(), None).await.map_err(refused)?;
            driver.drive(self.follower.as_ref(), Stop::AtPerson).await?;
            Ok(())
        })
    }
}

impl Launcher {
    fn source(&self, service: &ServiceName) -> Result<&Source, LaunchError> {
        let unknown = || LaunchError::Refused(format!("there is no runbook of {service} any more"));
        self.sources.get(service).ok_or_else(unknown)
    }

    /// The guards that are red. They are asked by a run that nobody keeps: it changes nothing.
    async fn red(&self, source: &Source, plan: Plan, credentials: Option<String>) -> Vec<String> {
        let mut new = drill::new_run(&self.session, &wanted(&plan.runbook.name), source, &plan);
        new.notes.insert("command".to_owned(), "guards".to_owned());
        new.sensitive = source.sensitive(&plan, BTreeMap::new());
        let asked = async {
            let real = real_runtime(&self.session, credentials.as_deref());
            let real = real.map_err(|error| error.message)?;
            let runtime = Runtime { journal: Arc::new(MemoryJournal::new()), ..real };
            let driver = runtime.create(plan, new).await.map_err(|error| error.to_string())?;
            driver.drive(&Silent, Stop::AtPerson).await.map_err(|error| error.to_string())
        };
        let (plan, state) = match asked.await {
            Ok(ended) => ended,
            Err(why) => return vec![format!("the guards could not be asked: {why}")],
        };
        let view = evidence::view(&plan, &state, None, state.last_at);
        let green = [NodeStatus::Succeeded.as_str(), NodeStatus::Skipped.as_str()];
        let red = view.steps.iter().filter(|step| !green.contains(&step.status));
        red.map(|step| {
            let why =
                step.failure.as_ref().map_or(step.status.to_owned(), |failure| first_line(&failure.message));
            format!("{} ({}): {why}", step.id.trim_start_matches("drill/"), step.action.unwrap_or(""))
        })
        .collect()
    }
}

/// A schedule chooses nothing: the runbook says it all.
fn wanted(service: &ServiceName) -> WantedDrill {
    WantedDrill {
        binding: Binding { runbook: service.to_string(), ..Binding::default() },
        trigger: "schedule".to_owned(),
        notes: BTreeMap::from([("command".to_owned(), "schedule run".to_owned())]),
        ..WantedDrill::default()
    }
}

/// A journal that fails is no refusal, nor is a service that was moved meanwhile: the next look may find them
/// well again.
pub(super) fn failed(error: Error) -> LaunchError {
    match (error.code, error.reason) {
        (_, Some("service_changed")) => LaunchError::Failed(runtime::Error::NotReady(told(error))),
        (_, Some("journal_unavailable")) => {
            let why = error.message.trim_start_matches("journal unavailable: ").to_owned();
            LaunchError::Failed(JournalError::Unavailable(why).into())
        }
        (exit::DAMAGED, _) => LaunchError::Failed(JournalError::Damaged(told(error)).into()),
        _ => refused(error),
    }
}

fn refused(error: Error) -> LaunchError {
    LaunchError::Refused(told(error))
}

/// What is wrong, on one line.
fn told(error: Error) -> String {
    let details = error.details.into_iter().map(|problem| match problem.help {
        Some(help) => format!("{} ({help})", problem.what),
        None => problem.what,
    });
    std::iter::once(error.message).chain(details).collect::<Vec<_>>().join("; ")
}
