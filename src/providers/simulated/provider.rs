//! The provider: decides when an action of a run happens on the simulated estate, and how it fails. It waits
//! by the clock alone, one sleep at a time, and does everything else at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::attempt::{Attempt, Outcome, Step};
use super::chance::Chance;
use super::change::Before;
use super::estate::Estate;
use super::places::{Place, Places, Reach};
use super::scenario::Scenario;
use super::store::EstateStore;
use crate::engine::input::{Direction, Observation};
use crate::model::action::{Action, Doubt, traits};
use crate::model::id::{NodeAddress, SiteName};
use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};
use crate::model::values::Site;
use crate::ports::{AttemptContext, BoxFuture, ChildOf, Clock, Polled, Precheck, Provider, Started};

/// How long it takes to see that nobody answers.
const NO_ANSWER: Duration = Duration::from_secs(5);
/// How long a sleep lasts that is not meant to end.
const FOR_EVER: Duration = Duration::from_secs(30 * 86_400);

/// Performs every action of the catalogue on a simulated estate.
pub struct SimulatedProvider {
    pub(super) store: EstateStore,
    pub(super) scenario: Scenario,
    pub(super) places: Places,
    pub(super) from: Option<SiteName>,
    pub(super) to: Option<SiteName>,
    pub(super) estimates: BTreeMap<NodeAddress, Duration>,
    clock: Arc<dyn Clock>,
}

impl SimulatedProvider {
    /// Simulates the given sites under a scenario. `from` and `to` count where an attempt does not name its
    /// own.
    #[must_use]
    pub fn new(
        sites: BTreeMap<SiteName, Site>,
        from: Option<SiteName>,
        to: Option<SiteName>,
        scenario: Scenario,
        store: EstateStore,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (places, estimates) = (Places::new(sites), BTreeMap::new());
        Self { store, scenario, places, from, to, estimates, clock }
    }

    /// Takes these durations for nodes in place of the estimates of their actions, such as those of a plan.
    #[must_use]
    pub fn with_estimates(mut self, estimates: BTreeMap<NodeAddress, Duration>) -> Self {
        self.estimates = estimates;
        self
    }

    /// The estate it works on.
    #[must_use]
    pub fn store(&self) -> &EstateStore {
        &self.store
    }

    /// Waits; ends early, with a failure, when the attempt is to be given up.
    async fn wait_until(&self, at: Timestamp, context: &AttemptContext) -> Result<(), Failure> {
        tokio::select! {
            biased;
            () = context.cancelled.cancelled() => {
                Err(Failure::new(FailureClass::InDoubt, "given up before it had ended"))
            }
            () = self.clock.sleep_until(at) => Ok(()),
        }
    }

    async fn wait(&self, duration: Duration, context: &AttemptContext) -> Result<(), Failure> {
        self.wait_until(self.clock.now().plus(duration), context).await
    }

    /// Works on the estate as it is now.
    fn with_estate<T>(&self, work: impl FnOnce(&mut Estate, Timestamp) -> T) -> T {
        let now = self.clock.now();
        self.store.with(|estate| {
            estate.settle(now);
            work(estate, now)
        })
    }

    /// The failure of an action when a place that must answer does not. A mere look asks only the first of
    /// them: where the effect would be.
    fn unreachable(&self, action: &Action, context: &AttemptContext, look: bool) -> Option<Failure> {
        let (started_at, now) = self.with_estate(|estate, now| (estate.run_started(&context.run, now), now));
        let faults = self.faults(started_at, context);
        let plane = action.name().spec().plane;
        let answers = |place: &Place| faults.answers(place, plane, now);
        let silent = match self.places.reach(action, faults.from) {
            Reach::All(places) if look => places.into_iter().take(1).find(|place| !answers(place)),
            Reach::All(places) => places.into_iter().find(|place| !answers(place)),
            Reach::Any(places) if places.iter().any(answers) => None,
            Reach::Any(places) => places.into_iter().next(),
        }?;
        let shown = match silent {
            Place::Site(site) => format!("site {site}"),
            Place::Region(region) => format!("region {region}"),
            Place::Outside => "the service".to_owned(),
        };
        Some(Failure::new(FailureClass::Unreachable, format!("{shown} does not answer (simulated)")))
    }

    fn no_answer(&self, context: &AttemptContext) -> Duration {
        let attempt = context.attempt.to_string();
        let question = [context.node.as_str(), &attempt, "no answer"];
        Chance::of(self.scenario.seed, &question).around(NO_ANSWER)
    }

    async fn make(&self, action: &Action, context: &AttemptContext) -> Result<Started, Failure> {
        let attempt = Attempt { provider: self, action, context };
        if let Some(failure) = self.unreachable(action, context, false) {
            self.with_estate(|estate, now| attempt.mention(estate, now));
            self.wait(self.no_answer(context), context).await?;
            return Err(failure);
        }
        let step = self.with_estate(|estate, now| attempt.begin(estate, now));
        let (until, outcome) = match step {
            Step::At { at, outcome } => (at, outcome),
            Step::Never { applies } => {
                if let Some(twist) = applies {
                    self.with_estate(|estate, now| attempt.apply(estate, now, &twist).map(drop))?;
                    self.save()?;
                }
                return self.hang(context).await;
            }
        };
        self.wait_until(until, context).await?;
        let result = match outcome {
            Outcome::Fails(failure) => return Err(failure),
            Outcome::Ends(result) => result,
            Outcome::Applies(twist) => {
                let outputs = self.with_estate(|estate, now| attempt.apply(estate, now, &twist))?;
                if twist.reply_lost { Err(reply_lost_failure()) } else { Ok(Started::Done(outputs)) }
            }
        };
        self.save()?;
        result
    }

    /// Whether what an action needs answers; the model knows of no permissions or quotas.
    async fn look_ahead(&self, action: &Action, context: &AttemptContext) -> Result<Precheck, Failure> {
        if let Some(failure) = self.unreachable(action, context, false) {
            self.wait(self.no_answer(context), context).await?;
            return Err(failure);
        }
        Ok(Precheck {
            found: vec!["everything it needs answers (simulated)".to_owned()],
            ..Precheck::default()
        })
    }

    /// Gives no answer until the attempt is given up.
    async fn hang(&self, context: &AttemptContext) -> Result<Started, Failure> {
        loop {
            self.wait(FOR_EVER, context).await?;
        }
    }

    fn save(&self) -> Result<(), Failure> {
        self.store.save().map_err(|error| Failure::new(FailureClass::InDoubt, error.to_string()))
    }

    async fn look(
        &self,
        action: &Action,
        context: &AttemptContext,
        handle: &Value,
    ) -> Result<Polled, Failure> {
        let key = handle.get("key").and_then(Value::as_str).unwrap_or(&context.idempotency_key);
        let found = self.with_estate(|estate, now| (estate.ledger.get(key).cloned(), now));
        let (Some(effect), now) = found else {
            let message = "the simulated estate knows nothing of this operation";
            return Err(Failure::new(FailureClass::InDoubt, message));
        };
        if let Some(silent) = self.unreachable(action, context, false) {
            return Ok(Polled::Pending(Some(silent.message)));
        }
        let attempt = Attempt { provider: self, action, context };
        let Some(done_at) = effect.done_at else {
            return Ok(Polled::Pending(Some(
                self.with_estate(|estate, now| attempt.lacking(estate, &effect, now)),
            )));
        };
        if done_at.since(now) > action.name().spec().poll_interval {
            return Ok(Polled::Pending(Some(attempt.progress(&effect, done_at, now))));
        }
        // It ends before anybody would look again: wait for it, so that it takes no longer than it has to.
        self.wait_until(done_at, context).await?;
        self.with_estate(|_, _| ());
        self.save()?;
        Ok(Polled::Done(effect.outputs))
    }
}

pub(super) fn reply_lost_failure() -> Failure {
    Failure::new(FailureClass::InDoubt, "the reply was lost (simulated); it may have been applied")
}

/// What was there before, as `prepare` recorded it.
pub(super) fn recorded(prepared: Option<&Value>) -> Option<Before> {
    serde_json::from_value(prepared?.clone()).ok()
}

/// The parameters as written, without those that are absent.
pub(super) fn parameters(action: &Action) -> Map<String, Value> {
    let Value::Object(mut with) = action.parameters() else { return Map::new() };
    with.retain(|_, value| !value.is_null());
    with
}

impl Provider for SimulatedProvider {
    /// Every service has an estate of its own: what two of them name alike is not the same thing. What the
    /// scenario loses is lost when the run around them says so.
    fn of_child(&self, child: &ChildOf<'_>) -> Result<Option<Arc<dyn Provider>>, Failure> {
        let plan = child.plan;
        let refused = |error: super::store::Error| Failure::new(FailureClass::Permanent, error.to_string());
        let store = self.store.of_child(child.run).map_err(refused)?;
        store.with(|estate| estate.run_started(child.run, child.began));
        let (from, to, clock) = (plan.from.clone(), plan.to.clone(), Arc::clone(&self.clock));
        let estimates = plan.nodes.iter().map(|node| (node.address.clone(), node.estimate)).collect();
        let mut scenario = self.scenario.clone();
        // Members with the same steps must not draw the same.
        scenario.seed = Chance::of(scenario.seed, &[plan.runbook.name.as_str()]).number();
        let provider = Self::new(plan.sites.clone(), from, to, scenario, store, clock);
        Ok(Some(Arc::new(provider.with_estimates(estimates))))
    }

    fn precheck<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Precheck, Failure>> {
        Box::pin(self.look_ahead(action, context))
    }

    fn prepare<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async move {
            if !action.name().spec().prepares {
                return Ok(None);
            }
            if let Some(failure) = self.unreachable(action, context, true) {
                self.wait(self.no_answer(context), context).await?;
                return Err(failure);
            }
            let attempt = Attempt { provider: self, action, context };
            let before = self.with_estate(|estate, now| attempt.before(estate, now));
            Ok(serde_json::to_value(before).ok())
        })
    }

    fn start<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(self.make(action, context))
    }

    fn poll<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(self.look(action, context, handle))
    }

    fn observe<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        _handle: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(async move {
            if let Some(failure) = self.unreachable(action, context, true) {
                return match self.wait(self.no_answer(context), context).await {
                    Ok(()) => Observation::Unknown(failure.message),
                    Err(failure) => Observation::Unknown(failure.message),
                };
            }
            if context.direction == Direction::Do
                && traits::doubt(action.name(), &parameters(action)) == Doubt::Ask
            {
                return Observation::Unknown("only a person can tell".to_owned());
            }
            let attempt = Attempt { provider: self, action, context };
            self.with_estate(|estate, now| attempt.observe(estate, now))
        })
    }
}
