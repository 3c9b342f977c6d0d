//! Looks how far the data of a service reaches, as a run does before its fence. Changes nothing, and keeps
//! nothing of the look itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::source::Source;
use super::{Binding, estate, route, unfilled};
use crate::app::{Error, Session, now};
use crate::engine::RunState;
use crate::engine::event::Reading;
use crate::engine::input::Consents;
use crate::engine::readings::{KnownReading, Look};
use crate::evidence::first_line;
use crate::journal::MemoryJournal;
use crate::model::id::NodeAddress;
use crate::model::run::{Intent, Operation};
use crate::model::time::Timestamp;
use crate::plan::{self, Nested, Node, NodeIndex, Plan};
use crate::runtime::{self, NewRun, Runtime, Silent, Stop};

/// How long a look may take: each of its readings has 5 s, and credentials may have to be fetched.
const WITHIN: std::time::Duration = std::time::Duration::from_secs(30);

/// Looks at services.
pub(crate) struct Sampler {
    session: Session,
    runtime: Runtime,
    /// Where programs leave what they print.
    runs: PathBuf,
}

impl Sampler {
    /// Makes one that gets into accounts as real runs do.
    ///
    /// # Errors
    /// When a provider cannot be set up.
    pub(crate) fn new(session: Session) -> Result<Self, Error> {
        let runtime = estate::real_runtime(&session, None)?;
        let runs = session.config.state.join("runs");
        Ok(Self { session, runtime, runs })
    }

    /// Takes the readings of a runbook once; `None`: it has none.
    pub(crate) async fn look(&self, source: &Source) -> Option<Look> {
        if source.runbook.recovery_point.is_empty() {
            return None;
        }
        let read = tokio::time::timeout(WITHIN, self.read(source)).await;
        let (read, failed) = match read.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(read) => read,
            Err(why) => (Vec::new(), Some(why)),
        };
        Some(Look { at: now(), read, failed, objective: source.runbook.objectives.rpo })
    }

    async fn read(&self, source: &Source) -> Result<(Vec<KnownReading>, Option<String>), String> {
        let Some(plan) = self.plan(source).await? else { return Err("there is nothing to read".to_owned()) };
        let runtime = Runtime { journal: Arc::new(MemoryJournal::new()), ..self.runtime.clone() };
        let new = self.new_run(source, &plan);
        let driver = runtime.create(plan, new).await.map_err(|error| error.to_string())?;
        let folder = Scratch(self.runs.join(driver.state().created.run.as_str()));
        let ended = driver.drive(&Silent, Stop::AtPerson).await;
        drop(folder);
        let (plan, state) = ended.map_err(|error| error.to_string())?;
        let (mut read, mut failed) = (Vec::new(), None);
        for (index, node) in (0..).zip(&plan.plan.nodes) {
            match state.readings.iter().find(|(_, reading)| reading.node == index) {
                Some((at, reading)) => read.push(known(&plan.plan, &node.address, *at, reading)),
                None => failed = failed.or_else(|| Some(why_not(&state, index, node))),
            }
        }
        read.sort_by_key(|reading| reading.number);
        Ok((read, failed))
    }

    /// The plan of the look: away from where the service is.
    async fn plan(&self, source: &Source) -> Result<Option<Plan>, String> {
        let runbook = &source.runbook;
        let journal = self.session.journal.as_ref();
        let record = runtime::service_record(journal, &runbook.metadata.name).await;
        let record = record.map_err(|error| error.to_string())?;
        let forth = (Operation::Failover, Binding::default());
        let wanted = |(operation, binding): &(Operation, Binding)| {
            route::wanted(binding, *operation, Intent::Check, runbook, &record)
        };
        let mut choices = wanted(&forth);
        // Who has moved to the standby is read on the way back.
        if choices.from.is_some() && choices.from == choices.to {
            choices = wanted(&(Operation::Failback, Binding::default()));
        }
        let plan = plan::bind_readings(runbook, &choices).map_err(|problems| {
            let told = problems.into_iter().map(|problem| problem.what);
            format!("its readings cannot be planned: {}", told.collect::<Vec<_>>().join("; "))
        })?;
        if let Some(plan) = &plan {
            unfilled::refuse(plan, &Nested::new()).map_err(|error| error.message)?;
        }
        Ok(plan)
    }

    fn new_run(&self, source: &Source, plan: &Plan) -> NewRun {
        NewRun {
            runbook: String::new(),
            reason: None,
            started_by: self.session.identity.clone(),
            trigger: "serve".to_owned(),
            incident_at: None,
            detected_at: None,
            consents: Consents::default(),
            adopt: false,
            staged_for: None,
            idempotency_key: None,
            service_head: None,
            sensitive: source.sensitive(plan, BTreeMap::new()),
            notes: BTreeMap::from([("command".to_owned(), "readings".to_owned())]),
        }
    }
}

/// A folder that is gone when the look is over: nobody asks what it printed.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn known(plan: &Plan, address: &NodeAddress, at: Timestamp, reading: &Reading) -> KnownReading {
    let number = address.as_str().rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(1);
    let (from, to) = (plan.from.clone(), plan.to.clone());
    let (lag, recovery_point_at) = (reading.lag, reading.recovery_point_at);
    KnownReading { number, at, source: reading.source.clone(), from, to, lag, recovery_point_at }
}

fn why_not(state: &RunState, index: NodeIndex, node: &Node) -> String {
    let action = node.call(state.mode).map_or("", |call| call.action.as_str());
    match &state.node(index).failure {
        Some(failure) => format!("{action}: {}", first_line(&failure.message)),
        None => format!("{action} has said neither `lag_ms` nor `recovery_point_at`"),
    }
}
