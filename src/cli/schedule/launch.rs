//! Starts scheduled drills from the command line, and asks policy and guards about them. Decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::{self, Speed};
use crate::cli::estate::Simulated;
use crate::cli::follow::Silent;
use crate::cli::policy::{self, Manner};
use crate::cli::runbook::{Binding, Source};
use crate::cli::session::Session;
use crate::cli::{Error, check, drill, output, resume, start};
use crate::engine::input::Consents;
use crate::engine::schedule::{Answers, Order};
use crate::engine::service::ServiceRecord;
use crate::evidence::{self, first_line};
use crate::journal::MemoryJournal;
use crate::model::drill::DrillLevel;
use crate::model::id::{RunId, ServiceName, SiteName};
use crate::model::run::{Intent, NodeStatus};
use crate::plan::drill::{bind_guards, unenforced};
use crate::plan::{DrillChoices, Plan};
use crate::ports::{BoxFuture, JournalError};
use crate::runtime::{self, Launch, LaunchError, NewRun, Runtime, Stop};

/// Starts drills of the runbooks it knows.
pub(super) struct Launcher {
    pub(super) session: Arc<Session>,
    pub(super) sources: BTreeMap<ServiceName, Source>,
}

impl Launch for Launcher {
    fn ask<'a>(
        &'a self,
        service: &'a ServiceName,
        _: &'a Order,
    ) -> BoxFuture<'a, Result<Answers, runtime::Error>> {
        Box::pin(async move {
            // What cannot be planned is told when it is started.
            let Ok(Planned { source, plan, choices, .. }) = self.planned(service).await else {
                return Ok(Answers::default());
            };
            let manner = Manner { stage: false, break_glass: false };
            let policy = match plan.intent {
                Intent::Drill => policy::ruled(&self.session, source, &plan, manner).await.err(),
                Intent::Real | Intent::Check | Intent::Simulate => None,
            };
            let red = match bind_guards(&source.runbook, &choices) {
                Ok(None) => Vec::new(),
                Ok(Some(plan)) => self.red(source, plan).await,
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
            let Planned { source, plan, service_head, .. } = self.planned(service).await?;
            let mut new = self.new_run(source, &plan);
            let late = if order.late { ", late" } else { "" };
            new.reason = Some(format!("scheduled for {}{late}", order.fire));
            (new.idempotency_key, new.service_head) = (Some(order.key.clone()), service_head);
            let trusted = unenforced(&plan);
            if !trusted.is_empty() {
                new.notes.insert("boundary_not_enforced".to_owned(), trusted.join(", "));
            }
            if plan.intent == Intent::Drill {
                let manner = Manner { stage: false, break_glass: false };
                new.notes.extend(policy::ruled(&self.session, source, &plan, manner).await.map_err(refused)?);
            }
            let runtime = self.runtime(&plan, &mut new)?;
            let plan = if plan.intent == Intent::Check { check::prepared(plan, false) } else { plan };
            let driver = match runtime.create(plan, new).await {
                // Somebody else has started it.
                Err(runtime::Error::Journal(JournalError::DuplicateStart { .. })) => return Ok(()),
                Err(error @ runtime::Error::Journal(JournalError::ServiceLocked { .. })) => {
                    return Err(LaunchError::Refused(error.to_string()));
                }
                Err(error @ runtime::Error::Journal(_)) => return Err(error.into()),
                Err(error) => return Err(LaunchError::Refused(error.to_string())),
                Ok(driver) => driver,
            };
            output::say(&format!("{service}: drill {} begins", driver.state().created.run));
            driver.drive(&Silent, Stop::AtPerson).await?;
            Ok(())
        })
    }

    fn go_on<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<(), LaunchError>> {
        Box::pin(async move {
            output::say(&format!("nobody drives {run}: going on with it"));
            let driver = resume::take_over(&self.session, run, BTreeMap::new()).await.map_err(refused)?;
            driver.drive(&Silent, Stop::AtPerson).await?;
            Ok(())
        })
    }
}

impl Launcher {
    /// The drill of a service as it would run now.
    async fn planned(&self, service: &ServiceName) -> Result<Planned<'_>, LaunchError> {
        let unknown = || LaunchError::Refused(format!("there is no runbook of {service} any more"));
        let source = self.sources.get(service).ok_or_else(unknown)?;
        let wanted = nothing_chosen();
        let level = wanted.level(&source.runbook);
        let (record, head) = match level {
            DrillLevel::Simulate => (ServiceRecord::default(), None),
            DrillLevel::Check | DrillLevel::Isolated | DrillLevel::Live => {
                let journal = self.session.journal.as_ref();
                let (record, head) = runtime::service_record_and_head(journal, service).await?;
                (record, (level == DrillLevel::Live).then_some(head))
            }
        };
        let runbook = service.to_string();
        let binding = Binding {
            runbook,
            mode: None,
            from: None,
            to: None,
            set: Vec::new(),
            values: None,
            accept_lint: Vec::new(),
        };
        let (choices, plan) = drill::planned(source, &binding, &wanted, &record).map_err(refused)?;
        if level == DrillLevel::Live {
            start::refuse_quarantined(&record, &plan).map_err(refused)?;
        }
        Ok(Planned { source, plan, choices, service_head: head })
    }

    fn new_run(&self, source: &Source, plan: &Plan) -> NewRun {
        let mut consents = Consents::default();
        if plan.intent == Intent::Simulate {
            let to = plan.to.as_ref().map_or("all", SiteName::as_str);
            consents.confirm = Some(format!("{}:{to}", plan.runbook.name));
        }
        let declared = source.runbook.parameters.iter();
        let mut sensitive: BTreeMap<_, _> = declared
            .filter_map(|(name, parameter)| Some((name.clone(), parameter.default.clone()?)))
            .collect();
        sensitive.retain(|name, _| plan.sensitive.contains_key(name));
        NewRun {
            runbook: source.text.clone(),
            reason: None,
            started_by: self.session.identity.clone(),
            trigger: "schedule".to_owned(),
            incident_at: None,
            detected_at: None,
            consents,
            adopt: false,
            staged_for: None,
            idempotency_key: None,
            service_head: None,
            sensitive,
            notes: BTreeMap::from([("command".to_owned(), "schedule run".to_owned())]),
        }
    }

    fn runtime(&self, plan: &Plan, new: &mut NewRun) -> Result<Runtime, LaunchError> {
        if plan.intent == Intent::Simulate {
            let simulated = Simulated { scenario: None, speed: Speed::Max, seed: None };
            return simulated.runtime(&self.session, plan, &mut new.notes).map_err(refused);
        }
        self.real().map_err(LaunchError::Refused)
    }

    fn real(&self) -> Result<Runtime, String> {
        let journal = Arc::clone(&self.session.journal);
        app::real_runtime(&self.session.config, journal).map_err(|error| error.to_string())
    }

    /// The guards that are red. They are asked by a run that nobody keeps: it changes nothing.
    async fn red(&self, source: &Source, plan: Plan) -> Vec<String> {
        let mut new = self.new_run(source, &plan);
        new.notes.insert("command".to_owned(), "guards".to_owned());
        let asked = async {
            let runtime = Runtime { journal: Arc::new(MemoryJournal::new()), ..self.real()? };
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

/// A drill as it would run now.
struct Planned<'a> {
    source: &'a Source,
    plan: Plan,
    choices: DrillChoices,
    /// Sequence of the service record that a drill which moves the service depends on.
    service_head: Option<u64>,
}

/// A schedule chooses nothing: the runbook says it all.
fn nothing_chosen() -> DrillChoices {
    DrillChoices {
        level: None,
        operation: None,
        mode: None,
        from: None,
        to: None,
        unready: BTreeMap::new(),
        parameters: BTreeMap::new(),
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
