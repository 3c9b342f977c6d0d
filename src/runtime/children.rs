//! Runs that nodes of a run begin: created once, driven beside their parent, followed to their end. Must
//! never begin a second run for one intent, whatever dies in between.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::clock::Time;
use super::create::{NewChild, Runtime};
use super::driver::{Driver, Follower, Recorded, Stop};
use super::task::{Landing, Report, Reporter};
use super::{Error, load, service_record_and_head};
use crate::engine::command::Command;
use crate::engine::event::{ChildRun, ParentRun, RunCreated, Want};
use crate::engine::input::{AttemptKey, Consents, Control, Input, Observation, Request};
use crate::engine::{IndexedPlan, RunState};
use crate::model::id::{RunId, ServiceName};
use crate::model::run::{Failure, FailureClass, Identity, Intent, Mode, RunStatus};
use crate::model::time::Timestamp;
use crate::plan::{ChildPlan, NodeIndex, Plan, Protection};
use crate::ports::{AttemptContext, BoxFuture, ChildOf, JournalError};

/// Pause between two looks at a child that another process drives.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// What is wanted of a run, for those it began.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Desire {
    want: Want,
    /// How often it has changed.
    number: u32,
    mode: Mode,
    by: Identity,
    reason: Option<String>,
}

impl Desire {
    /// What is wanted of a run in this state.
    pub(super) fn of(state: &RunState) -> Self {
        let verb = match state.want {
            Want::Run => "resume",
            Want::Pause => "pause",
            Want::Abort | Want::Fail => "abort",
            Want::Unwind => "unwind",
        };
        let asked = state.interventions.iter().rev().find(|asked| asked.verb == verb);
        Self {
            want: state.want,
            number: state.wants,
            mode: state.mode,
            by: asked.map_or(&state.created.started_by, |asked| &asked.by).clone(),
            reason: state.want_reason.clone(),
        }
    }
}

/// What the children of one run share.
pub(super) struct Children {
    pub(super) runtime: Runtime,
    /// The parent's first fact.
    pub(super) parent: Arc<RunCreated>,
    /// When it was recorded.
    pub(super) began: Timestamp,
    pub(super) desire: watch::Receiver<Desire>,
    /// The parent is left to others, and its children with it.
    pub(super) leave: watch::Receiver<bool>,
}

/// One attempt of a node that begins a run.
pub(super) struct ChildTask {
    pub(super) children: Arc<Children>,
    pub(super) plan: ChildPlan,
    pub(super) landing: Landing,
    /// What the parent has accepted so far.
    pub(super) consents: Consents,
    /// The parent's plan is one of many services.
    pub(super) of_fleet: bool,
}

/// How it goes on with a child.
enum Next {
    Ended(Result<Map<String, Value>, Failure>),
    Drive(Box<Driver>),
    /// Another process drives it.
    Elsewhere(ChildRun),
}

/// The id of the run that an attempt begins: the same for every send of one intent.
///
/// # Errors
/// Never for a service's name.
fn child_id(service: &ServiceName, key: &str) -> Result<RunId, Failure> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let letters = Sha256::digest(key.as_bytes()).into_iter().take(8);
    let letters = letters.filter_map(|byte| LETTERS.get(usize::from(byte % 32)).copied());
    let suffix: String = letters.map(char::from).collect();
    RunId::new(format!("{}-{suffix}", super::create::short(service.as_str())))
        .map_err(|error| Failure::new(FailureClass::Permanent, error.to_string()))
}

impl ChildTask {
    /// Does what the command says, and reports.
    pub(super) async fn run(self, command: Command, context: AttemptContext) {
        let input = match command {
            Command::Prepare { node } => Input::Prepared { node, result: Ok(None) },
            Command::Start { attempt, .. } | Command::Poll { attempt, .. } => {
                let known = matches!(command, Command::Poll { .. });
                let result = self.follow(attempt, &context, known).await;
                Input::AttemptEnded { attempt, result }
            }
            Command::Observe { attempt, .. } => {
                Input::Observed { attempt, observation: self.observe(&context).await }
            }
        };
        self.landing.end(input);
    }

    /// Looks for the child of an attempt in doubt, or of the one before it.
    async fn observe(&self, context: &AttemptContext) -> Observation {
        let run = match child_id(&self.plan.service, &context.idempotency_key) {
            Ok(run) => run,
            Err(failure) => return Observation::Unknown(failure.message),
        };
        let loaded = match load(self.children.runtime.journal.as_ref(), &run).await {
            Ok(loaded) => loaded,
            Err(Error::Journal(JournalError::UnknownRun(_))) => return Observation::NotApplied,
            Err(error) => return Observation::Unknown(error.to_string()),
        };
        let made_by = loaded.state.created.parent.as_ref().map_or(0, |parent| parent.attempt);
        match outcome(&loaded.state) {
            Some(Ok(outputs)) => Observation::Applied(outputs),
            // It was the child of an earlier try, whose failure is known.
            Some(Err(_)) if made_by < context.attempt => Observation::NotApplied,
            Some(Err(_)) | None => Observation::InProgress(json!({"run": run})),
        }
    }

    /// Drives the child of an attempt to its end, having made it where it does not exist.
    fn follow<'a>(
        &'a self,
        attempt: AttemptKey,
        context: &'a AttemptContext,
        known: bool,
    ) -> BoxFuture<'a, Result<Map<String, Value>, Failure>> {
        Box::pin(async move {
            let run = child_id(&self.plan.service, &context.idempotency_key)?;
            let watcher = Watcher::new(self, attempt, known);
            loop {
                match self.next(&run, context).await? {
                    Next::Ended(result) => return result,
                    Next::Elsewhere(child) => {
                        watcher.tell(child);
                        tokio::select! {
                            () = tokio::time::sleep(LOOK) => {}
                            () = self.left(context) => return Err(left()),
                        }
                    }
                    Next::Drive(driver) => {
                        let state = self.drive(*driver, &watcher, context).await?;
                        return outcome(&state).unwrap_or_else(|| Err(left()));
                    }
                }
            }
        })
    }

    async fn drive(
        &self,
        driver: Driver,
        watcher: &Watcher<'_>,
        context: &AttemptContext,
    ) -> Result<RunState, Failure> {
        let (run, mailbox) = (driver.state().created.run.clone(), driver.mailbox());
        watcher.keep(driver.state());
        let driving = driver.drive(watcher, Stop::Never);
        tokio::pin!(driving);
        let passing = self.pass_on(&run, &mailbox, watcher);
        tokio::pin!(passing);
        let leaving = self.left(context);
        tokio::pin!(leaving);
        let mut leaves = false;
        loop {
            tokio::select! {
                result = &mut driving => {
                    return result.map(|(_, state)| state).map_err(|error| failure_of(&error));
                }
                () = &mut passing => {}
                () = &mut leaving, if !leaves => {
                    leaves = true;
                    watcher.leave();
                    mailbox.send(Report::Glance);
                }
            }
        }
    }

    /// Ends when the child is to be left to others.
    async fn left(&self, context: &AttemptContext) {
        let mut leave = self.children.leave.clone();
        let gone = async {
            // A parent that is gone without a word leaves nothing to wait for: its tasks are dropped.
            if leave.wait_for(|leave| *leave).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = context.cancelled.cancelled() => {}
            () = gone => {}
        }
    }

    async fn next(&self, run: &RunId, context: &AttemptContext) -> Result<Next, Failure> {
        let runtime = &self.children.runtime;
        let loaded = match load(runtime.journal.as_ref(), run).await {
            Ok(loaded) => loaded,
            Err(Error::Journal(JournalError::UnknownRun(_))) => {
                let driver = self.create(run, context).await?;
                return Ok(Next::Drive(Box::new(driver)));
            }
            Err(error) => return Err(failure_of(&error)),
        };
        let parent = loaded.state.created.parent.as_ref();
        if parent.is_none_or(|parent| parent.run != self.children.parent.run) {
            let message = format!("there is another run {run}, which this one has not begun");
            return Err(Failure::new(FailureClass::Permanent, message));
        }
        if let Some(ended) = outcome(&loaded.state) {
            return Ok(Next::Ended(ended));
        }
        let own = self.runtime(run, &loaded.plan.plan)?;
        match own.take_over(run, std::collections::BTreeMap::new()).await {
            Ok(driver) => Ok(Next::Drive(Box::new(driver.beside_its_parent()))),
            Err(Error::Journal(JournalError::Held { .. })) => {
                let waits = loaded.state.status.needs_person();
                Ok(Next::Elsewhere(described(&loaded.state, waits)))
            }
            Err(error) => Err(failure_of(&error)),
        }
    }

    /// The runtime of a child: its parent's, with a provider of its own where that needs one.
    fn runtime(&self, run: &RunId, plan: &Plan) -> Result<Runtime, Failure> {
        let shared = &self.children.runtime;
        let child = ChildOf { run, plan, began: self.children.began };
        let provider = shared.provider.of_child(&child)?;
        Ok(Runtime { provider: provider.unwrap_or_else(|| Arc::clone(&shared.provider)), ..shared.clone() })
    }

    async fn create(&self, run: &RunId, context: &AttemptContext) -> Result<Driver, Failure> {
        let (shared, parent) = (&self.children.runtime, &self.children.parent);
        let plan = super::load_plan(shared.journal.as_ref(), &parent.run, &self.plan.plan).await;
        let plan = plan.map_err(|error| failure_of(&error))?;
        let head = self.head(&plan.plan).await?;
        let mut notes = parent.notes.clone();
        if let Some(estate) = notes.get_mut("estate") {
            *estate = format!("{estate}.d/{run}");
        }
        let new = NewChild {
            run: run.clone(),
            plan: Arc::clone(&plan),
            plan_digest: self.plan.plan.clone(),
            runbook_digest: self.plan.runbook.clone(),
            mode: if context.mode == Mode::Ungraceful { context.mode } else { plan.plan.mode },
            consents: self.accepted(&plan.plan),
            parent: ParentRun {
                run: parent.run.clone(),
                node: context.node.clone(),
                attempt: context.attempt,
            },
            service_head: head,
            notes,
        };
        let own = self.runtime(run, &plan.plan)?;
        let driver = own.create_child(parent, new).await.map_err(|error| failure_of(&error))?;
        Ok(driver.beside_its_parent())
    }

    /// What was accepted for the parent holds for the child as well. The point of no return of a member is
    /// confirmed only by who has confirmed that of the whole fleet.
    fn accepted(&self, plan: &Plan) -> Consents {
        let whole = format!("{}:all", self.children.parent.service);
        let confirmed = self.of_fleet && self.consents.confirm.as_deref() == Some(whole.as_str());
        let to = plan.to.as_ref().map_or("all", |to| to.as_str());
        let confirm =
            (confirmed || plan.intent == Intent::Simulate).then(|| format!("{}:{to}", plan.runbook.name));
        Consents { confirm, ..self.consents.clone() }
    }

    /// Looks whether the service still is where the plan leaves from. Returns how far its record reaches.
    async fn head(&self, plan: &Plan) -> Result<Option<u64>, Failure> {
        if plan.intent != Intent::Real {
            return Ok(None);
        }
        let service = &self.plan.service;
        let record = service_record_and_head(self.children.runtime.journal.as_ref(), service).await;
        let (record, head) = record.map_err(|error| failure_of(&error))?;
        let refuse = |message: String| Err(Failure::new(FailureClass::Refused, message));
        if let Some(active) = record.active.as_ref().filter(|active| plan.to.as_ref() == Some(*active)) {
            return refuse(format!("{service} is already active in {active}"));
        }
        let moved =
            |active: &&crate::model::id::SiteName| plan.from.as_ref().is_some_and(|from| from != *active);
        if let Some(active) = record.active.as_ref().filter(moved) {
            return refuse(format!("{service} was moved since this was planned: it runs in {active} now"));
        }
        let quarantined = plan.to.as_ref().filter(|to| record.quarantined.contains_key(*to));
        if let Some(to) = quarantined.filter(|_| Protection::of(&plan.nodes).of_target.is_empty()) {
            return refuse(format!("{to} is quarantined: {service} was not protected again there"));
        }
        Ok(Some(head))
    }

    /// Asks of the child what is wanted of its parent, each change once.
    async fn pass_on(&self, run: &RunId, mailbox: &Reporter, watcher: &Watcher<'_>) {
        let mut desires = self.children.desire.clone();
        let parent = &self.children.parent.run;
        let journal = &self.children.runtime.journal;
        loop {
            let desire = desires.borrow_and_update().clone();
            for request in watcher.requests(parent, &desire) {
                let mut submitted = journal.submit(run, &request).await;
                while matches!(submitted, Err(JournalError::UnknownRun(_))) {
                    // Its first facts are still on their way.
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    submitted = journal.submit(run, &request).await;
                }
                match submitted {
                    // The child finds it in its inbox too, and answers it once.
                    Ok(()) => mailbox.send(Report::Input(Input::Request(request))),
                    Err(error) => tracing::warn!(%error, %run, "a request could not be passed on"),
                }
            }
            if desires.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            // The parent takes nothing it knew for granted any more.
            watcher.forget();
            mailbox.send(Report::Glance);
        }
    }
}

/// Tells the parent what becomes of a child.
struct Watcher<'a> {
    task: &'a ChildTask,
    attempt: AttemptKey,
    seen: Mutex<Seen>,
}

struct Seen {
    /// What the parent knows.
    told: Option<ChildRun>,
    /// The parent knows how to find the child.
    found: bool,
    leaves: bool,
    settled: u32,
    want: Want,
    mode: Option<Mode>,
    /// Requests the child has answered.
    answered: BTreeSet<String>,
}

impl<'a> Watcher<'a> {
    fn new(task: &'a ChildTask, attempt: AttemptKey, found: bool) -> Self {
        let answered = BTreeSet::new();
        let seen =
            Seen { told: None, found, leaves: false, settled: 0, want: Want::Run, mode: None, answered };
        Self { task, attempt, seen: Mutex::new(seen) }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self) {
        self.seen().leaves = true;
    }

    fn forget(&self) {
        self.seen().told = None;
    }

    fn keep(&self, state: &RunState) {
        let mut seen = self.seen();
        (seen.want, seen.mode) = (state.want, Some(state.mode));
        if seen.answered.len() != state.answered.len() {
            seen.answered.clone_from(&state.answered);
        }
    }

    /// Tells the parent, where it is news to it.
    fn tell(&self, child: ChildRun) {
        let mut seen = self.seen();
        let reports = &self.task.landing.reports;
        let attempt = self.attempt;
        if !seen.found {
            seen.found = true;
            let handle = json!({"run": child.run});
            reports.send(Report::Input(Input::HandleReturned { attempt, handle }));
        }
        let is_news = seen.told.as_ref().is_none_or(|told| {
            let waits = child.waits && (told.status, &told.cause) != (child.status, &child.cause);
            waits || (told.waits, told.trouble) != (child.waits, child.trouble)
        });
        if is_news && !child.status.is_terminal() {
            seen.told = Some(child.clone());
            reports.send(Report::Input(Input::ChildReported { attempt, child }));
        }
    }

    /// What is to be asked of the child. Ids are made of the parent's change, so that each is asked once.
    fn requests(&self, parent: &RunId, desire: &Desire) -> Vec<Request> {
        let seen = self.seen();
        let id = |number: u32| format!("{parent}/{number}");
        let control = match desire.want {
            Want::Run => {
                // Who paused a member alone resumes it alone.
                let paused = desire.number.checked_sub(1).map(id);
                paused.filter(|id| seen.answered.contains(id)).map(|_| Control::Resume)
            }
            Want::Pause => (seen.want == Want::Run).then_some(Control::Pause),
            Want::Abort | Want::Fail => Some(Control::Abort),
            Want::Unwind => Some(Control::Unwind),
        };
        let mode = (desire.mode == Mode::Ungraceful && seen.mode == Some(Mode::Graceful))
            .then_some((format!("{parent}/mode"), Control::Mode(Mode::Ungraceful)));
        let wanted = control.map(|control| (id(desire.number), control)).into_iter().chain(mode);
        let fresh = wanted.filter(|(id, _)| !seen.answered.contains(id));
        let reason = desire.reason.clone().unwrap_or_else(|| format!("asked of {parent}"));
        fresh
            .map(|(id, control)| Request {
                id,
                by: desire.by.clone(),
                from: format!("run {parent}"),
                reason: Some(reason.clone()),
                control,
            })
            .collect()
    }
}

impl Follower for Watcher<'_> {
    fn recorded(&self, plan: &IndexedPlan, state: &RunState, _: &[Recorded]) {
        self.keep(state);
        let mut seen = self.seen();
        // With virtual time nobody could read it.
        if seen.settled != state.settled && matches!(self.task.children.runtime.time, Time::System(_)) {
            seen.settled = state.settled;
            let (run, all) = (&state.created.run, plan.plan.nodes.len());
            let line = format!("{run}: {} of {all} steps", state.settled);
            self.task.landing.reports.send(Report::Progress(self.attempt.node, line));
        }
    }

    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}

    fn stands(&self, _: &IndexedPlan, state: &RunState, waits: bool) {
        // One that has yet to hear what is wanted of its parent does not wait for a person.
        let children = &self.task.children;
        let unheard = waits && {
            let desire = children.desire.borrow().clone();
            !self.requests(&children.parent.run, &desire).is_empty()
        };
        self.tell(described(state, waits && !unheard));
    }

    fn wants_to_leave(&self) -> bool {
        self.seen().leaves
    }
}

fn described(state: &RunState, waits: bool) -> ChildRun {
    let by_failure = state.status == RunStatus::Paused && state.want == Want::Run;
    ChildRun {
        run: state.created.run.clone(),
        status: state.status,
        cause: state.cause.clone().filter(|_| state.status.needs_person()),
        waits,
        trouble: state.status == RunStatus::Stuck || by_failure,
    }
}

/// What a child that is over means for its parent.
fn outcome(state: &RunState) -> Option<Result<Map<String, Value>, Failure>> {
    if !state.status.is_terminal() {
        return None;
    }
    let run = &state.created.run;
    let succeeded = matches!(state.status, RunStatus::Succeeded | RunStatus::SucceededWithWarnings);
    if !succeeded {
        let why = state.cause.as_deref().map_or_else(String::new, |cause| format!(": {cause}"));
        let message = format!("run {run} is {}{why}", state.status);
        return Some(Err(Failure::new(FailureClass::Permanent, message)));
    }
    let mut outputs = Map::new();
    outputs.insert("run".to_owned(), run.as_str().into());
    outputs.insert("status".to_owned(), state.status.as_str().into());
    if let Some(healthy) = state.clock.healthy_at {
        let time = healthy.since(state.clock_zero()).as_millis();
        outputs.insert("recovery_time_ms".to_owned(), time.into());
    }
    Some(Ok(outputs))
}

fn left() -> Failure {
    Failure::new(FailureClass::InDoubt, "left to others before it had ended")
}

fn failure_of(error: &Error) -> Failure {
    let class = match error {
        Error::Journal(JournalError::ServiceLocked { .. }) => FailureClass::Refused,
        Error::Journal(JournalError::Conflict { stream, .. }) if stream.as_str().starts_with("service/") => {
            FailureClass::Refused
        }
        Error::Journal(JournalError::Unavailable(_)) => FailureClass::InDoubt,
        Error::Journal(_)
        | Error::Secret(_)
        | Error::NotReady(_)
        | Error::Unusable { .. }
        | Error::Pruned { .. }
        | Error::ParameterMissing(_)
        | Error::ParameterChanged(_)
        | Error::Plan(_) => FailureClass::Permanent,
    };
    Failure::new(class, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_child_follows_from_its_intent() {
        let service = ServiceName::new("payments").unwrap();
        let id = |key: &str| child_id(&service, key).unwrap().to_string();
        assert_eq!(id("all-aaaaaaaa/payments/do/0"), id("all-aaaaaaaa/payments/do/0"));
        assert_ne!(id("all-aaaaaaaa/payments/do/0"), id("all-aaaaaaaa/payments/do/1"));
        assert!(id("x").starts_with("payments-") && id("x").len() == "payments-".len() + 8);
    }
}
