//! Creates runs and takes them over.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::children::{Children, Desire};
use super::clock::Time;
use super::dispatch::Dispatcher;
use super::driver::{Driver, Opening, SimulatedOperator};
use super::lull::Awake;
use super::readings::earlier;
use super::{Error, Loaded, load, outputs};
use crate::engine::context::Confidential;
use crate::engine::event::{ParentRun, RunCreated};
use crate::engine::input::{Consents, Input};
use crate::engine::{IndexedPlan, RunState};
use crate::model::id::{RunId, SiteName};
use crate::model::run::{Identity, Intent, Mode};
use crate::model::time::{Duration, Timestamp};
use crate::model::values::Site;
use crate::plan::{self, Nested, Plan};
use crate::ports::{IdSource, Journal, Provider, SecretSource};

/// What drives runs on one journal.
#[derive(Clone)]
pub struct Runtime {
    /// Where runs are kept.
    pub journal: Arc<dyn Journal>,
    /// What performs actions.
    pub provider: Arc<dyn Provider>,
    /// What tells the time.
    pub time: Time,
    /// Where secrets come from.
    pub secrets: Arc<dyn SecretSource>,
    /// Where ids come from.
    pub ids: Arc<dyn IdSource>,
    /// Who drives, for people to read.
    pub holder: String,
    /// Name of this machine.
    pub host: String,
    /// Where programs leave their traces on it; absent: nobody can tell.
    pub traces: Option<String>,
    /// Answers approvals in a simulation.
    pub operator: Option<SimulatedOperator>,
}

/// What is known when a run is created, besides its plan.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The runbook's text.
    pub runbook: String,
    /// Why it is started.
    pub reason: Option<String>,
    /// Who starts it.
    pub started_by: Identity,
    /// From where.
    pub trigger: String,
    /// When the incident began.
    pub incident_at: Option<Timestamp>,
    /// When it was noticed.
    pub detected_at: Option<Timestamp>,
    /// Consents given with the start.
    pub consents: Consents,
    /// Observe every node before starting it.
    pub adopt: bool,
    /// Wait this long for a person to start it.
    pub staged_for: Option<Duration>,
    /// The same key starts a run once.
    pub idempotency_key: Option<String>,
    /// Sequence of the service record the plan was made with: the run is refused with a conflict when the
    /// record has gone on since. Absent: the plan does not depend on it.
    pub service_head: Option<u64>,
    /// Values of sensitive parameters.
    pub sensitive: BTreeMap<String, Value>,
    /// Further facts to keep.
    pub notes: BTreeMap<String, String>,
}

/// What is known of a run that a node of another one begins.
pub(super) struct NewChild {
    pub(super) run: RunId,
    pub(super) plan: Arc<IndexedPlan>,
    pub(super) plan_digest: String,
    pub(super) runbook_digest: String,
    pub(super) mode: Mode,
    pub(super) consents: Consents,
    pub(super) parent: ParentRun,
    pub(super) service_head: Option<u64>,
    pub(super) notes: BTreeMap<String, String>,
}

impl Runtime {
    /// Makes a run of a plan. Nothing is stored before the driver's first turn, which records its creation
    /// and its first
    /// attempts together.
    ///
    /// # Errors
    /// When a secret is missing, the plan is unusable, or the journal refuses.
    pub async fn create(&self, plan: Plan, new: NewRun) -> Result<Driver, Error> {
        self.create_with(plan, new, &Nested::new()).await
    }

    /// As [`Runtime::create`], for a plan that begins runs of its own: their plans are stored with it, and
    /// what they need from the start is fetched now.
    ///
    /// # Errors
    /// As [`Runtime::create`], also for what one of those runs needs.
    pub async fn create_with(&self, plan: Plan, new: NewRun, nested: &Nested) -> Result<Driver, Error> {
        let stored = self.nested_ready(nested).await?;
        let confidential = self.confidential(&plan, &new.sensitive).await?;
        let sites = Arc::new(plan.sites.clone());
        self.make_ready(&plan, &sites).await?;
        let now = self.time.clock().now();
        let text = serde_json::to_vec(&plan).map_err(|error| Error::Plan(error.to_string()))?;
        let (plan_digest, plan_bytes) = outputs::blob(&text);
        let (runbook_digest, runbook_bytes) = outputs::blob(new.runbook.as_bytes());
        let run = RunId::new(format!("{}-{}", short(plan.runbook.name.as_str()), self.ids.suffix()))
            .map_err(|error| Error::Plan(error.to_string()))?;
        let created = RunCreated {
            run: run.clone(),
            service: plan.runbook.name.clone(),
            operation: plan.operation,
            intent: plan.intent,
            mode: plan.mode,
            from: plan.from.clone(),
            to: plan.to.clone(),
            plan: plan_digest.clone(),
            runbook: runbook_digest.clone(),
            reason: new.reason,
            started_by: new.started_by,
            trigger: new.trigger,
            incident_at: new.incident_at,
            detected_at: new.detected_at,
            declared_at: now,
            consents: new.consents,
            adopt: new.adopt,
            staged_until: new.staged_for.map(|time| now.plus(time)),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            notes: new.notes,
            earlier: earlier(self.journal.as_ref(), &plan, now).await,
            parent: None,
        };
        let plan = Arc::new(IndexedPlan::new(plan).map_err(|error| Error::Plan(error.to_string()))?);
        let token = self.journal.grant(&run).await?;
        let state = RunState::new(&plan, created.clone(), now);
        let mut driver = self.driver(plan, state, token, confidential, sites);
        driver.opening = Opening::Create(Box::new(created), new.service_head);
        driver.idempotency_key = new.idempotency_key;
        driver.blobs = vec![(plan_digest, plan_bytes), (runbook_digest, runbook_bytes)];
        driver.blobs.extend(stored);
        self.take_lease(&mut driver, now);
        Ok(driver)
    }

    /// Says whether a run of a plan could be created now, without creating it.
    ///
    /// # Errors
    /// As [`Runtime::create_with`], but for what the journal would say.
    pub async fn ready(
        &self,
        plan: &Plan,
        sensitive: &BTreeMap<String, Value>,
        nested: &Nested,
    ) -> Result<(), Error> {
        self.nested_ready(nested).await?;
        self.confidential(plan, sensitive).await?;
        self.make_ready(plan, &Arc::new(plan.sites.clone())).await
    }

    /// Makes the run that a node of another one begins. Its plan and its runbook are stored already.
    pub(super) async fn create_child(&self, parent: &RunCreated, new: NewChild) -> Result<Driver, Error> {
        let NewChild { run, plan, .. } = new;
        let confidential = self.confidential(&plan.plan, &BTreeMap::new()).await?;
        let sites = Arc::new(plan.plan.sites.clone());
        self.make_ready(&plan.plan, &sites).await?;
        let now = self.time.clock().now();
        let created = RunCreated {
            run: run.clone(),
            service: plan.plan.runbook.name.clone(),
            operation: plan.plan.operation,
            intent: plan.plan.intent,
            mode: new.mode,
            from: plan.plan.from.clone(),
            to: plan.plan.to.clone(),
            plan: new.plan_digest,
            runbook: new.runbook_digest,
            reason: parent.reason.clone(),
            started_by: parent.started_by.clone(),
            trigger: format!("run {}", parent.run),
            incident_at: parent.incident_at,
            detected_at: parent.detected_at,
            declared_at: now,
            consents: new.consents,
            adopt: parent.adopt,
            staged_until: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            notes: new.notes,
            earlier: earlier(self.journal.as_ref(), &plan.plan, now).await,
            parent: Some(new.parent),
        };
        let token = self.journal.grant(&run).await?;
        let state = RunState::new(&plan, created.clone(), now);
        let mut driver = self.driver(plan, state, token, confidential, sites);
        driver.opening = Opening::Create(Box::new(created), new.service_head);
        self.take_lease(&mut driver, now);
        Ok(driver)
    }

    /// Takes an existing run over: its attempts under way are in doubt from here on.
    ///
    /// # Errors
    /// When another live process drives it, or it cannot be loaded.
    pub async fn take_over(&self, run: &RunId, sensitive: BTreeMap<String, Value>) -> Result<Driver, Error> {
        let token = self.journal.grant(run).await?;
        // Loaded after the grant: nobody else can append any more.
        let driver = match load(self.journal.as_ref(), run).await {
            Ok(loaded) => self.go_on(loaded, token, sensitive).await,
            Err(error) => Err(error),
        };
        if driver.is_err() {
            // A lease that nobody drives under would keep everybody else away.
            let _ = self.journal.release(run, token).await;
        }
        driver
    }

    /// Goes on with a run under a lease that was granted before the run was loaded.
    ///
    /// # Errors
    /// When something it needs from the start cannot be had; whoever was granted the lease gives it back.
    pub async fn go_on(
        &self,
        loaded: Loaded,
        token: u64,
        sensitive: BTreeMap<String, Value>,
    ) -> Result<Driver, Error> {
        let run = loaded.state.created.run.clone();
        let confidential = self.confidential(&loaded.plan.plan, &sensitive).await?;
        let sites = Arc::new(loaded.plan.plan.sites.clone());
        // A run that is under way is not held up: what cannot be had is said by the step that needs it.
        let _ = self.make_ready(&loaded.plan.plan, &sites).await;
        let now = self.time.clock().now();
        let mut driver = self.driver(loaded.plan, loaded.state, token, confidential, sites);
        driver.idempotency_key = self.key_of(&run).await?;
        self.take_lease(&mut driver, now);
        Ok(driver)
    }

    /// The key a run was started with: it stands in the list of runs only, which every driver writes anew.
    async fn key_of(&self, run: &RunId) -> Result<Option<String>, Error> {
        Ok(self.journal.summary(run).await?.and_then(|listed| listed.idempotency_key))
    }

    fn take_lease(&self, driver: &mut Driver, now: Timestamp) {
        let skew = driver.state.last_at.since(now);
        let (holder, host, traces) = (self.holder.clone(), self.host.clone(), self.traces.clone());
        driver.feed(Input::TookOver { token: driver.token, holder, host, traces, skew });
    }

    fn driver(
        &self,
        plan: Arc<IndexedPlan>,
        state: RunState,
        token: u64,
        confidential: Confidential,
        sites: Arc<BTreeMap<SiteName, Site>>,
    ) -> Driver {
        let (sender, reports) = Driver::channel(&self.time);
        let clock = self.time.clock();
        let (desire, desired) = watch::channel(Desire::of(&state));
        let (leave, left) = watch::channel(false);
        let children = Children {
            runtime: self.clone(),
            parent: Arc::clone(&state.created),
            began: state.created_at,
            desire: desired,
            leave: left,
        };
        let dispatcher = Dispatcher::new(
            Arc::clone(&self.provider),
            Arc::new(children),
            sender.clone(),
            Arc::new(confidential),
            sites,
        );
        Driver {
            presence: self.time.presence(true),
            looks: Driver::LOOKS,
            awake: Awake::now(),
            desire,
            leave,
            last_checkpoint: state.sequence,
            last_listed: None,
            plan,
            state,
            journal: Arc::clone(&self.journal),
            time: self.time.clone(),
            clock,
            token,
            dispatcher,
            sender,
            reports,
            operator: self.operator,
            opening: Opening::None,
            idempotency_key: None,
            pending: Vec::new(),
            untold: Vec::new(),
            blobs: Vec::new(),
        }
    }

    /// Fetches what must not be looked for once a site is lost.
    async fn make_ready(&self, plan: &Plan, sites: &Arc<BTreeMap<SiteName, Site>>) -> Result<(), Error> {
        if plan.intent == Intent::Simulate {
            return Ok(());
        }
        let ready = self.provider.make_ready(&plan.actions(), sites, plan.to.as_ref()).await;
        ready.map_err(|failure| Error::NotReady(failure.message))
    }

    /// Looks that every run inside this one will have what it needs, and returns what is stored of them.
    async fn nested_ready(&self, nested: &Nested) -> Result<Vec<outputs::Blob>, Error> {
        let mut looked = Vec::new();
        let mut blobs = BTreeMap::new();
        for (digest, planned) in nested {
            let plan = &planned.plan;
            let needs = (&plan.secrets, plan.actions(), &plan.sites, &plan.to);
            if !looked.contains(&needs) {
                self.make_ready(plan, &Arc::new(plan.sites.clone())).await?;
                self.confidential(plan, &BTreeMap::new()).await?;
                looked.push(needs);
            }
            blobs.insert(digest.clone(), Arc::from(planned.bytes.as_slice()));
            blobs.insert(planned.runbook.clone(), Arc::from(planned.text.as_bytes()));
        }
        Ok(blobs.into_iter().collect())
    }

    async fn confidential(
        &self,
        plan: &Plan,
        sensitive: &BTreeMap<String, Value>,
    ) -> Result<Confidential, Error> {
        let mut parameters = BTreeMap::new();
        for (name, digest) in &plan.sensitive {
            let given = sensitive.get(name).ok_or_else(|| Error::ParameterMissing(name.clone()))?;
            let value = plan::sensitive_value(given, digest);
            parameters.insert(name.clone(), value.ok_or_else(|| Error::ParameterChanged(name.clone()))?);
        }
        // A simulation touches nothing real and is not given anything real.
        let secrets = if plan.secrets.is_empty() || plan.intent == Intent::Simulate {
            plan.secrets.keys().map(|name| (name.clone(), "simulated-secret".to_owned())).collect()
        } else {
            self.secrets.resolve(&plan.secrets).await?
        };
        Ok(Confidential { secrets, parameters })
    }
}

impl Driver {
    /// Values of sensitive parameters, which stand in no journal: whoever is to go on needs them again.
    #[must_use]
    pub fn sensitive(&self) -> BTreeMap<String, Value> {
        self.dispatcher.sensitive().clone()
    }
}

/// A service's name, short enough to stand before a random suffix.
pub(super) fn short(name: &str) -> &str {
    name.get(..name.len().min(crate::model::limits::ID_CHARS - 9)).unwrap_or(name)
}
