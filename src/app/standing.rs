//! What the journal knows about the recovery of a service, and how ready that makes it. Reads the list of
//! runs first and loads only those that matter; writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::history::{History, LOADED, newest};
use super::launch::Binding;
use super::launch::promoted::{is_begun, may_be_made_real, may_have_begun};
use super::launch::route;
use crate::engine::service::ServiceRecord;
use crate::engine::state::NodeState;
use crate::engine::{handed_over, is_handed_over};
use crate::evidence::coverage::{Window, coverage};
use crate::evidence::readiness::{
    self, Checked, Definition, Facts, Judgement, MadeReal, OpenFinding, OpenRun,
};
use crate::evidence::{Exercise, exercises, first_line, is_exercise, needs_person};
use crate::model::evidence::EvidenceFact;
use crate::model::governance::Policy;
use crate::model::id::{RunId, ServiceName, SiteName};
use crate::model::run::{Intent, NodeStatus, Operation, RunStatus};
use crate::model::runbook::{Runbook, Strategy};
use crate::model::time::{Duration, Timestamp};
use crate::model::values::SiteRole;
use crate::plan::{self, Node};
use crate::policy::{self, Exercised, Finding};
use crate::ports::{Journal, JournalAdmin, JournalError, RunFilter, RunSummary, StreamName};
use crate::runtime::{self, Error, Loaded};

/// How the names of streams begin that hold what people added to the record of a run.
const EVIDENCE: &str = "evidence/";
/// Most runs that are loaded to find one that has begun: those whose guards are red every time never have.
const LOOKED_AT: usize = 50;

/// A service that is asked about.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// Its name.
    pub service: &'a ServiceName,
    /// Its runbook as far as readiness needs it.
    pub definition: Definition,
    /// Its runbook, where it compiles.
    pub runbook: Option<&'a Runbook>,
    /// The policy in force.
    pub policy: Option<&'a Policy>,
}

/// How a service stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Where it is.
    pub record: ServiceRecord,
    /// Its last drill with effects, as far as it is over.
    pub drill: Option<Exercise>,
    /// Its last real run that is over.
    pub real: Option<Exercise>,
    /// The last failover or switchover, real or drilled, that succeeded.
    pub shown: Option<Exercise>,
    /// How ready it is.
    pub judgement: Judgement,
}

/// What the journal lists: read once for all services.
#[derive(Debug, Default)]
pub struct Listed {
    /// All runs but simulated ones, newest first.
    runs: BTreeMap<ServiceName, Vec<RunSummary>>,
    /// Streams of what people added to the record of runs.
    told: BTreeSet<StreamName>,
}

impl Listed {
    /// Reads the list of runs, of one service or of all.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn read(
        journal: &dyn JournalAdmin,
        service: Option<ServiceName>,
    ) -> Result<Self, JournalError> {
        let mut listed = Self::default();
        for run in journal.runs(&RunFilter { service, ..RunFilter::default() }).await? {
            listed.runs.entry(run.service.clone()).or_default().push(run);
        }
        listed.told = journal.streams(EVIDENCE).await?.into_iter().collect();
        Ok(listed)
    }
}

/// Asks the journal about a service.
///
/// # Errors
/// When the journal cannot be read. A run that cannot be read is a reason, not an error.
pub async fn standing(
    journal: &dyn Journal,
    listed: &Listed,
    subject: &Subject<'_>,
    now: Timestamp,
) -> Result<Standing, Error> {
    let record = runtime::service_record(journal, subject.service).await?;
    let runs: Vec<&RunSummary> = listed.runs.get(subject.service).into_iter().flatten().collect();
    let runs = runs.as_slice();
    let mut desk =
        Desk { journal, listed, loaded: HashMap::new(), told: BTreeMap::new(), unreadable: Vec::new() };
    let mut over: Vec<&RunSummary> = runs.iter().copied().filter(|run| is_over(run.status)).collect();
    over.sort_by_key(|run| std::cmp::Reverse(run.ended_at.unwrap_or(run.created_at)));
    let open = desk.open(runs).await?;
    let check = desk.check(&over).await?;
    let begun = |run: &&RunSummary| exercises(run.intent) && run.status != RunStatus::Expired;
    let ended = |run: &&RunSummary| begun(run) && run.status.is_terminal();
    let last = desk.newest(&over, ended).await?;
    let made_real = desk.made_real(runs).await?;
    let drill = desk.newest(&over, |run| begun(run) && run.intent == Intent::Drill).await?;
    let real = desk.newest(&over, |run| begun(run) && run.intent == Intent::Real).await?;
    // An active-active service is in several sites; which of them is left only a person knows.
    let single = |runbook: &&Runbook| runbook.strategy != Some(Strategy::ActiveActive);
    let single = subject.runbook.filter(single);
    let active = single.and_then(|runbook| record.active.clone().or_else(|| home(runbook)));
    let Shown { exercise: shown, pruned, hollow } = desk.shown(&over, active.as_ref()).await?;
    let findings = desk.findings(runs, now).await?;
    let demands = demands(journal, subject, runs, now).await?;
    let target = single.filter(|_| active.is_some()).and_then(|runbook| target(runbook, &record));
    let has_schedule = |runbook: &Runbook| runbook.drill.as_ref().is_some_and(|it| it.schedule.is_some());
    let schedule = match subject.runbook.filter(|runbook| has_schedule(runbook)) {
        Some(_) => Some(runtime::schedule_record(journal, subject.service).await?.0),
        None => None,
    };
    let judgement = readiness::judge(&Facts {
        service: subject.service,
        definition: subject.definition.clone(),
        quarantined: &record.quarantined,
        open: &open,
        check: check.as_ref(),
        last: last.as_ref(),
        made_real: made_real.as_ref(),
        shown: shown.as_ref(),
        pruned: pruned.as_ref(),
        hollow: hollow.as_ref(),
        active: active.as_ref(),
        target: target.as_ref(),
        schedule: schedule.as_ref(),
        unreadable: &desk.unreadable,
        findings: &findings,
        demands: &demands,
        now,
    });
    Ok(Standing { record, drill, real, shown, judgement })
}

/// What the policy has against how a service is exercised.
///
/// # Errors
/// When the journal cannot be read.
pub async fn exercise_findings(
    journal: &dyn Journal,
    policy: &Policy,
    runbook: &Runbook,
    operation: Operation,
    now: Timestamp,
) -> Result<Vec<Finding>, Error> {
    if policy.drills.is_empty() {
        return Ok(Vec::new());
    }
    let filter = RunFilter { service: Some(runbook.metadata.name.clone()), ..RunFilter::default() };
    let runs = journal.runs(&filter).await?;
    let runs: Vec<&RunSummary> = runs.iter().collect();
    findings(journal, policy, runbook, operation, &runs, now).await
}

async fn findings(
    journal: &dyn Journal,
    policy: &Policy,
    runbook: &Runbook,
    operation: Operation,
    runs: &[&RunSummary],
    now: Timestamp,
) -> Result<Vec<Finding>, Error> {
    let last = runs.iter().copied().filter(|run| shows(run)).filter_map(|run| run.ended_at).max();
    let judged = |covered: &dyn Fn(Duration) -> Option<usize>| {
        policy::exercise(policy, runbook, operation, Exercised { last, covered }, now)
    };
    // Whole runs are read only where their steps are asked for, and no more than it takes: a further run
    // never takes anything away from what is covered.
    let longest = policy.drills.iter().filter(|demand| demand.coverage.is_some());
    let Some(longest) = longest.map(|demand| demand.freshness).max() else {
        return Ok(judged(&|within| covered(runbook, &History::default(), within, now)));
    };
    let all = |within: Duration| covered(runbook, &History::default(), within, now).map(|_| 100);
    let best = judged(&all);
    let mut most = LOOKED_AT;
    loop {
        let history = newest(journal, &runbook.metadata.name, now.minus(longest), most).await?;
        let found = judged(&|within| covered(runbook, &history, within, now));
        if found == best || history.left_out == 0 || most >= LOADED {
            return Ok(found);
        }
        most = most.saturating_mul(5).min(LOADED);
    }
}

fn covered(runbook: &Runbook, history: &History, within: Duration, now: Timestamp) -> Option<usize> {
    let window = Window { since: now.minus(within), until: now };
    coverage(runbook, &history.past(), window).of(Operation::Failover)
}

async fn demands(
    journal: &dyn Journal,
    subject: &Subject<'_>,
    runs: &[&RunSummary],
    now: Timestamp,
) -> Result<Vec<String>, Error> {
    let (Some(policy), Some(runbook)) = (subject.policy, subject.runbook) else { return Ok(Vec::new()) };
    if policy.drills.is_empty() {
        return Ok(Vec::new());
    }
    let found = findings(journal, policy, runbook, Operation::Failover, runs, now).await?;
    Ok(found.into_iter().map(|finding| format!("{} ({})", finding.message, finding.rule)).collect())
}

/// Where the runbook says that the service runs.
#[must_use]
pub fn home(runbook: &Runbook) -> Option<SiteName> {
    let mut sites = runbook.sites.iter().filter(|(_, site)| site.role == SiteRole::Active);
    match (sites.next(), sites.next()) {
        (Some((name, _)), None) => Some(name.clone()),
        _ => None,
    }
}

fn shows(run: &RunSummary) -> bool {
    is_exercise(run.intent, run.operation, run.status)
}

/// Whether a run has come to its end, and at most people's words are missing.
const fn is_over(status: RunStatus) -> bool {
    status.is_terminal() || matches!(status, RunStatus::AwaitingAttestation)
}

/// Where a failover would go by itself, or why that cannot be said.
fn target(runbook: &Runbook, record: &ServiceRecord) -> Option<Result<SiteName, String>> {
    let choices = route::wanted(&Binding::default(), Operation::Failover, Intent::Real, runbook, record);
    match plan::destination(runbook, &choices) {
        Ok(to) => to.map(Ok),
        Err(problems) => problems.first().map(|problem| Err(problem.to_string())),
    }
}

/// What was shown last, and what only seems to have shown something.
#[derive(Default)]
struct Shown {
    exercise: Option<Exercise>,
    pruned: Option<RunId>,
    hollow: Option<RunId>,
}

/// Runs that are looked at, each loaded once.
struct Desk<'a> {
    journal: &'a dyn Journal,
    listed: &'a Listed,
    /// `None`: pruned, or it cannot be read.
    loaded: HashMap<RunId, Option<Loaded>>,
    told: BTreeMap<RunId, Vec<EvidenceFact>>,
    unreadable: Vec<(RunId, String)>,
}

impl Desk<'_> {
    async fn load(&mut self, run: &RunId) -> Result<Option<&Loaded>, Error> {
        if !self.loaded.contains_key(run) {
            let loaded = match runtime::load(self.journal, run).await {
                Ok(loaded) => Some(loaded),
                Err(Error::Pruned { .. }) => None,
                Err(error @ Error::Unusable { .. }) => {
                    self.unreadable.push((run.clone(), error.to_string()));
                    None
                }
                Err(error) => return Err(error),
            };
            self.loaded.insert(run.clone(), loaded);
        }
        Ok(self.loaded.get(run).and_then(Option::as_ref))
    }

    async fn exercise(&mut self, run: &RunId) -> Result<Option<Exercise>, Error> {
        let found = self.load(run).await?.and_then(|loaded| Exercise::of(&loaded.plan, &loaded.state));
        let Some(exercise) = found else { return Ok(None) };
        Ok(Some(exercise))
    }

    /// The newest exercise that left the site the service is in, else the newest of all.
    async fn shown(&mut self, over: &[&RunSummary], active: Option<&SiteName>) -> Result<Shown, Error> {
        let mut found = Shown::default();
        for summary in over.iter().copied().filter(|run| shows(run)).take(LOOKED_AT) {
            let elsewhere = |from: Option<&SiteName>| active.is_some() && from.is_some() && from != active;
            if found.exercise.is_some() && elsewhere(summary.from.as_ref()) {
                continue;
            }
            match self.exercise(&summary.run).await? {
                Some(exercise) if exercise.hollow => {
                    found.hollow.get_or_insert_with(|| summary.run.clone());
                }
                Some(exercise) if found.exercise.is_none() || !elsewhere(exercise.from.as_ref()) => {
                    let here = !elsewhere(exercise.from.as_ref());
                    found.exercise = Some(exercise);
                    if here {
                        break;
                    }
                }
                Some(_) => {}
                None if found.exercise.is_some() => {}
                None if self.is_unreadable(&summary.run) => break,
                None => {
                    found.pruned = Some(summary.run.clone());
                    break;
                }
            }
        }
        Ok(found)
    }

    fn is_unreadable(&self, run: &RunId) -> bool {
        self.unreadable.iter().any(|(unreadable, _)| unreadable == run)
    }

    /// What people added to the record of a run.
    async fn told(&mut self, run: &RunId) -> Result<&[EvidenceFact], Error> {
        if !self.told.contains_key(run) {
            let there = self.listed.told.contains(&StreamName::evidence(run));
            let told = if there { runtime::told(self.journal, run).await? } else { Vec::new() };
            self.told.insert(run.clone(), told.into_iter().map(|told| told.fact).collect());
        }
        Ok(self.told.get(run).map_or(&[], Vec::as_slice))
    }

    /// What was found in runs of the service and is not put right.
    async fn findings(&mut self, runs: &[&RunSummary], now: Timestamp) -> Result<Vec<OpenFinding>, Error> {
        let today = now.to_jiff().to_zoned(TimeZone::UTC).date();
        let mut open = Vec::new();
        for summary in runs {
            let mut own: BTreeMap<u32, OpenFinding> = BTreeMap::new();
            for fact in self.told(&summary.run).await? {
                match fact {
                    EvidenceFact::FindingOpened { id, text, owner, due, .. } => {
                        let overdue = i64::from((today - *due).get_days());
                        let (run, text, owner) = (summary.run.clone(), text.clone(), owner.clone());
                        own.insert(*id, OpenFinding { run, id: *id, text, owner, overdue });
                    }
                    EvidenceFact::FindingClosed { id, .. } => {
                        own.remove(id);
                    }
                }
            }
            open.extend(own.into_values());
        }
        Ok(open)
    }

    /// The newest run of some that has begun.
    async fn newest(
        &mut self,
        over: &[&RunSummary],
        wanted: impl Fn(&&RunSummary) -> bool,
    ) -> Result<Option<Exercise>, Error> {
        for summary in over.iter().copied().filter(|run| wanted(run)).take(LOOKED_AT) {
            if let Some(exercise) = self.exercise(&summary.run).await? {
                return Ok(Some(exercise));
            }
        }
        Ok(None)
    }

    /// The newest drill that was told to make way for a real run which never began, and that has left it
    /// something to go on from.
    async fn made_real(&mut self, runs: &[&RunSummary]) -> Result<Option<MadeReal>, Error> {
        for summary in runs.iter().take(LOOKED_AT) {
            match summary.intent {
                Intent::Check | Intent::Simulate => {}
                Intent::Drill if !may_be_made_real(summary.status) => {}
                Intent::Drill => {
                    let loaded = self.load(&summary.run).await?;
                    if let Some(loaded) = loaded.filter(|it| is_handed_over(&it.plan, &it.state)) {
                        return Ok(Some(made_real(loaded)));
                    }
                }
                Intent::Real => {
                    let begun = match may_have_begun(summary.status) {
                        Some(begun) => begun,
                        None => is_begun(self.load(&summary.run).await?),
                    };
                    if begun {
                        break;
                    }
                }
            }
        }
        Ok(None)
    }

    async fn open(&mut self, runs: &[&RunSummary]) -> Result<Vec<OpenRun>, Error> {
        let mut open = Vec::new();
        let wanted = |run: &&&RunSummary| !run.status.is_terminal() && exercises(run.intent);
        for summary in runs.iter().filter(wanted) {
            let lease = self.journal.lease(&summary.run).await?;
            let driven = lease.is_some_and(|lease| lease.alive && lease.holder.is_some());
            let loaded = self.load(&summary.run).await?;
            let needed = loaded.and_then(|it| needs_person(&it.plan, &it.state).into_iter().next());
            open.push(OpenRun {
                run: summary.run.clone(),
                operation: summary.operation,
                intent: summary.intent,
                status: summary.status,
                cause: loaded.and_then(|it| it.state.cause.as_deref().map(first_line)),
                command: needed.map(|needed| needed.command),
                driven,
            });
        }
        Ok(open)
    }

    /// The newest check that is over. Every check is made whatever comes of the others, so that a red one
    /// makes a success with warnings.
    async fn check(&mut self, over: &[&RunSummary]) -> Result<Option<Checked>, Error> {
        let told = |run: &&&RunSummary| run.intent == Intent::Check && run.status != RunStatus::Aborted;
        let Some(summary) = over.iter().find(told) else { return Ok(None) };
        let at = summary.ended_at.unwrap_or(summary.created_at);
        let red = match summary.status {
            RunStatus::Succeeded => Vec::new(),
            _ => self
                .load(&summary.run)
                .await?
                .map_or_else(|| vec![format!("{} (its details are gone)", summary.status)], red),
        };
        Ok(Some(Checked { run: summary.run.clone(), at, red }))
    }
}

fn made_real(Loaded { plan, state, .. }: &Loaded) -> MadeReal {
    let (run, operation) = (state.created.run.clone(), state.created.operation);
    let stands = handed_over(plan, state).kept().iter().map(ToString::to_string).collect();
    MadeReal { run, operation, at: state.clock.ended_at.unwrap_or(state.last_at), stands }
}

/// The checks of a run that did not hold.
fn red(loaded: &Loaded) -> Vec<String> {
    let nodes = loaded.plan.plan.nodes.iter().zip(&loaded.state.nodes);
    let red = nodes.filter(|(_, node)| {
        !matches!(node.status, NodeStatus::Succeeded | NodeStatus::Skipped | NodeStatus::MarkedDone)
    });
    let line = |(definition, node): (&Node, &Arc<NodeState>)| {
        let address = definition.address.as_str();
        let name = address.trim_start_matches("start/").trim_start_matches("ready/");
        let why =
            node.failure.as_ref().map_or_else(String::new, |why| format!(": {}", first_line(&why.message)));
        format!("{name}{why}")
    };
    red.map(line).collect()
}
