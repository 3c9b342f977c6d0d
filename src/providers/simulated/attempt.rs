//! One attempt on the estate: what it would do, when, and what it leaves behind. Synchronous; the provider
//! waits.

use serde_json::{Map, Value, json};

use super::chance::Chance;
use super::change::{Before, Change};
use super::estate::Estate;
use super::faults::Faults;
use super::ledger::Effect as Applied;
use super::perform::{self, Act, Scene, View};
use super::places::{Place, Reach};
use super::provider::{SimulatedProvider, parameters, recorded, reply_lost_failure};
use super::scenario::Rule;
use crate::engine::input::{Direction, Observation};
use crate::model::action::{Action, ActionName, Effect, traits};
use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};
use crate::ports::{AttemptContext, Started};

/// Longest time an answer takes that says no, or that it was done before.
const QUICK: Duration = Duration::from_secs(1);
/// Expected duration from which on an operation is started and then followed.
const LONG: Duration = Duration::from_secs(10);

/// What an attempt does next.
pub(super) enum Step {
    /// It ends at a time.
    At {
        /// When.
        at: Timestamp,
        /// How.
        outcome: Outcome,
    },
    /// It never answers.
    Never {
        /// The effect is applied all the same.
        applies: Option<Twist>,
    },
}

/// How an attempt ends.
pub(super) enum Outcome {
    /// It fails, and nothing is applied.
    Fails(Failure),
    /// All that there is to do has been done.
    Ends(Result<Started, Failure>),
    /// The effect is applied only then.
    Applies(Twist),
}

/// How a rule of the scenario changes an attempt that does not fail.
#[derive(Default)]
pub(super) struct Twist {
    /// The answer is lost.
    pub(super) reply_lost: bool,
    /// It takes exactly as long as the rule says, even when there is nothing left to do.
    exact: bool,
    /// Outputs in place of those of the model.
    outputs: Map<String, Value>,
}

#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) provider: &'a SimulatedProvider,
    pub(super) action: &'a Action,
    pub(super) context: &'a AttemptContext,
}

impl SimulatedProvider {
    pub(super) fn faults<'a>(&'a self, started_at: Timestamp, context: &'a AttemptContext) -> Faults<'a> {
        Faults {
            scenario: &self.scenario,
            places: &self.places,
            started_at,
            from: context.from.as_ref().or(self.from.as_ref()),
            to: context.to.as_ref().or(self.to.as_ref()),
        }
    }
}

impl Attempt<'_> {
    /// Decides how the attempt goes on. A long operation has begun when this returns.
    pub(super) fn begin(&self, estate: &mut Estate, now: Timestamp) -> Step {
        let mutates = self.mutates();
        let at = |duration: Duration, outcome| Step::At { at: now.plus(duration), outcome };
        if mutates && self.is_stale(estate) {
            let message = "a newer driver of this run has taken over (simulated fencing token)";
            return at(QUICK, Outcome::Fails(Failure::new(FailureClass::Refused, message)));
        }
        if let Some(known) = self.known_effect(estate) {
            estate.ledger.resent(&self.context.idempotency_key, now, self.context.fencing_token);
            let settled = known.settled;
            let started = if settled { Started::Done(known.outputs) } else { Started::Handle(self.handle()) };
            return at(QUICK, Outcome::Ends(Ok(started)));
        }
        let rule = self.rule(estate);
        let takes = self.drawn(rule);
        if let Some((rule, fail)) = rule.and_then(|rule| rule.fail.map(|fail| (rule, fail))) {
            let message = rule.message.clone().unwrap_or_else(|| format!("{fail} failure (simulated)"));
            let failure = Failure { class: fail.class(), message, retry_after: rule.retry_after };
            return at(rule.take.unwrap_or(takes.min(QUICK)), Outcome::Fails(failure));
        }
        let twist = Twist {
            reply_lost: mutates && rule.is_some_and(|rule| rule.reply_lost),
            exact: rule.is_some_and(|rule| rule.take.is_some()),
            outputs: rule.map(|rule| rule.outputs.clone()).unwrap_or_default(),
        };
        if rule.is_some_and(|rule| rule.hang) {
            let applies = twist.reply_lost.then_some(twist);
            return Step::Never { applies };
        }
        if mutates && self.is_long() {
            return self.begin_long(estate, now, takes, &twist);
        }
        at(self.with_caches(estate, now, takes), Outcome::Applies(twist))
    }

    fn begin_long(&self, estate: &mut Estate, now: Timestamp, takes: Duration, twist: &Twist) -> Step {
        let done_at = now.plus(takes);
        let outcome = match self.record(estate, now, done_at, twist) {
            Err(failure) => Outcome::Fails(failure),
            Ok(_) if twist.reply_lost => Outcome::Ends(Err(reply_lost_failure())),
            Ok(_) => return Step::At { at: now, outcome: Outcome::Ends(Ok(Started::Handle(self.handle()))) },
        };
        Step::At { at: now.plus(takes.min(QUICK)), outcome }
    }

    /// Applies a short action, or one that never answers, and returns its outputs.
    pub(super) fn apply(
        &self,
        estate: &mut Estate,
        now: Timestamp,
        twist: &Twist,
    ) -> Result<Map<String, Value>, Failure> {
        if !self.mutates() {
            let place = self.place();
            let act = self.act(estate, &place, now);
            let mut outputs =
                act.outputs(&self.scene(estate, &place, &Before::Nothing, (false, now, now)))?;
            outputs.extend(twist.outputs.clone());
            return Ok(outputs);
        }
        let takes = if self.is_long() { self.drawn(None) } else { Duration::ZERO };
        let outputs = self.record(estate, now, now.plus(takes), twist);
        estate.settle(now);
        outputs
    }

    /// Writes an effect into the ledger and begins what begins at once.
    fn record(
        &self,
        estate: &mut Estate,
        now: Timestamp,
        done_at: Timestamp,
        twist: &Twist,
    ) -> Result<Map<String, Value>, Failure> {
        let place = self.place();
        let change = self.change(&self.act(estate, &place, now))?;
        estate.mention(&change, now);
        let already = estate.is_true(&change, now);
        let before = estate.before(&change);
        let quick = already && !twist.exact && !matches!(change, Change::Scale { .. });
        let done_at = if quick { done_at.min(now.plus(QUICK)) } else { done_at };
        let mut effect = Applied {
            run: self.context.run.clone(),
            node: self.context.node.clone(),
            action: self.action.name(),
            direction: self.context.direction,
            fencing_token: self.context.fencing_token,
            first_at: now,
            last_at: now,
            times: 1,
            doubles: 0,
            done_at: Some(done_at),
            settled: false,
            change,
            outputs: Map::new(),
        };
        // A refusal must leave no trace: the outputs of a size need the new size, and a size is never
        // refused.
        if let Change::Scale { group, size, enough } = &effect.change {
            let share = self.provider.scenario.capacity.available;
            let running = estate.capacities.get(group).map_or(0, |it| it.in_service(now));
            let arrives =
                if size.wanted > running { share.of(size.wanted).max(running) } else { size.wanted };
            estate.begin_scale(group, *size, arrives, now, done_at);
            effect.done_at = (arrives >= *enough).then_some(done_at);
        }
        if self.context.direction == Direction::Do {
            let act = self.act(estate, &place, now);
            effect.outputs = act.outputs(&self.scene(estate, &place, &before, (already, now, done_at)))?;
            effect.outputs.extend(twist.outputs.clone());
        }
        let outputs = effect.outputs.clone();
        estate.ledger.record(&self.context.idempotency_key, effect);
        Ok(outputs)
    }

    /// Makes the estate know of what a place that does not answer was asked about.
    pub(super) fn mention(&self, estate: &mut Estate, now: Timestamp) {
        let change = self.act(estate, &self.place(), now).change;
        estate.mention(&change, now);
    }

    /// Looks whether the effect is there.
    pub(super) fn observe(&self, estate: &mut Estate, now: Timestamp) -> Observation {
        if let Some(effect) = estate.ledger.get(&self.context.idempotency_key) {
            return if effect.settled {
                Observation::Applied(effect.outputs.clone())
            } else {
                Observation::InProgress(self.handle())
            };
        }
        let place = self.place();
        let act = self.act(estate, &place, now);
        let Ok(change) = self.change(&act) else { return Observation::NotApplied };
        estate.mention(&change, now);
        if !estate.is_true(&change, now) {
            return Observation::NotApplied;
        }
        if self.context.direction == Direction::Undo {
            return Observation::Applied(Map::new());
        }
        let before = estate.before(&change);
        match self.act(estate, &place, now).outputs(&self.scene(estate, &place, &before, (true, now, now))) {
            Ok(outputs) => Observation::Applied(outputs),
            Err(failure) => Observation::Unknown(failure.message),
        }
    }

    /// What undo will need.
    pub(super) fn before(&self, estate: &mut Estate, now: Timestamp) -> Before {
        let change = self.act(estate, &self.place(), now).change;
        estate.mention(&change, now);
        estate.before(&change)
    }

    /// A line for people about an operation under way.
    pub(super) fn progress(&self, effect: &Applied, done_at: Timestamp, now: Timestamp) -> String {
        let whole = done_at.since(effect.first_at).as_millis().max(1);
        let percent = now.since(effect.first_at).as_millis().min(whole) * 100 / whole;
        format!("{}, {percent} %", self.doing())
    }

    /// A line for people about a size that is never reached.
    pub(super) fn lacking(&self, estate: &Estate, effect: &Applied, now: Timestamp) -> String {
        let Change::Scale { group, enough, .. } = &effect.change else { return "under way".to_owned() };
        let running = estate.capacities.get(group).map_or(0, |it| it.in_service(now));
        format!("{}, {running} of {enough}, not enough capacity for the rest", self.doing())
    }

    fn doing(&self) -> &'static str {
        let place = self.place();
        let estate = Estate::default();
        self.act(&estate, &place, Timestamp::from_millis(0)).doing
    }

    fn mutates(&self) -> bool {
        traits::effect(self.action.name(), &parameters(self.action)) == Effect::Mutate
    }

    /// Says whether a driver with a newer token has been here; remembers the newest.
    fn is_stale(&self, estate: &mut Estate) -> bool {
        let newest = estate.tokens.entry(self.context.run.clone()).or_default();
        *newest = self.context.fencing_token.max(*newest);
        self.context.fencing_token < *newest
    }

    /// Programs are always followed, so that a live one is adopted and not started twice.
    fn is_long(&self) -> bool {
        let name = self.action.name();
        name.spec().estimate >= LONG || name == ActionName::CommandRun
    }

    /// The effect under this key, where sending it again is the same as asking for it.
    fn known_effect(&self, estate: &Estate) -> Option<Applied> {
        let known = estate.ledger.get(&self.context.idempotency_key)?;
        traits::may_resend(self.action.name(), &parameters(self.action)).then(|| known.clone())
    }

    fn handle(&self) -> Value {
        json!({"simulated": self.action.name(), "key": self.context.idempotency_key})
    }

    /// The first rule about this attempt that is not used up; counts its use.
    fn rule(&self, estate: &mut Estate) -> Option<&Rule> {
        let rules = self.provider.scenario.rules.iter().enumerate();
        let mut matching = rules.filter(|(_, rule)| self.fits(rule));
        matching.find_map(|(index, rule)| {
            if !self.counts(rule, index) {
                return None;
            }
            let Some(times) = rule.times else { return Some(rule) };
            let place = format!("{index}/{}/{}", self.context.run, self.context.node);
            let hits = estate.rule_hits.entry(place).or_default();
            if *hits >= times {
                return None;
            }
            *hits += 1;
            Some(rule)
        })
    }

    /// Says whether a rule that is only likely counts for this attempt.
    fn counts(&self, rule: &Rule, index: usize) -> bool {
        let (node, attempt) = (self.context.node.as_str(), self.context.attempt.to_string());
        rule.probability.is_none_or(|share| {
            let question = ["rule", &index.to_string(), node, &attempt];
            share.holds(Chance::of(self.provider.scenario.seed, &question).number())
        })
    }

    fn fits(&self, rule: &Rule) -> bool {
        let context = self.context;
        let (service, node) = (context.service.as_str(), context.node.as_str());
        rule.matches(self.action.name().as_str(), service, node, context.attempt)
    }

    /// How long the attempt takes.
    fn drawn(&self, rule: Option<&Rule>) -> Duration {
        if let Some(takes) = rule.and_then(|rule| rule.take) {
            return takes;
        }
        if let Action::WaitFor(wait) = self.action {
            return wait.duration;
        }
        let known = self.provider.estimates.get(&self.context.node).copied();
        let estimate = known.unwrap_or(self.action.name().spec().estimate);
        let attempt = self.context.attempt.to_string();
        let question = [self.context.node.as_str(), &attempt, self.context.direction.as_str()];
        Chance::of(self.provider.scenario.seed, &question).around(estimate)
    }

    /// The duration, longer where caches have to forget first.
    fn with_caches(&self, estate: &Estate, now: Timestamp, takes: Duration) -> Duration {
        let place = self.place();
        let Some((name, old_ttl)) = self.act(estate, &place, now).caches else { return takes };
        let forgotten = match old_ttl {
            Some(ttl) => Some(now.plus(ttl)),
            None => estate.settings.get(&name).and_then(|it| it.cached_until),
        };
        forgotten.map_or(takes, |at| takes.max(at.since(now)))
    }

    /// Where the action works: the one place that must answer, or the first of several.
    fn place(&self) -> Place {
        let from = self.context.from.as_ref().or(self.provider.from.as_ref());
        match self.provider.places.reach(self.action, from) {
            Reach::All(places) | Reach::Any(places) => places.into_iter().next().unwrap_or(Place::Outside),
        }
    }

    fn view<'a>(&'a self, estate: &'a Estate, place: &'a Place, now: Timestamp) -> View<'a> {
        let started_at = estate.runs.get(&self.context.run).copied().unwrap_or(now);
        let faults = self.provider.faults(started_at, self.context);
        View { estate, faults, place, node: self.context.node.as_str(), now }
    }

    fn act(&self, estate: &Estate, place: &Place, now: Timestamp) -> Act<'_> {
        perform::act(self.action, &self.view(estate, place, now))
    }

    fn scene<'a>(
        &'a self,
        estate: &'a Estate,
        place: &'a Place,
        before: &'a Before,
        (already, now, at): (bool, Timestamp, Timestamp),
    ) -> Scene<'a> {
        Scene { view: self.view(estate, place, now), before, already, at }
    }

    /// What the attempt changes, in its direction.
    fn change(&self, act: &Act<'_>) -> Result<Change, Failure> {
        if self.context.direction == Direction::Do || !self.action.name().spec().prepares {
            return Ok(act.change.clone());
        }
        let before = recorded(self.context.prepared.as_ref());
        before.and_then(|before| act.change.reversed(&before)).ok_or_else(|| {
            Failure::new(FailureClass::Permanent, "nothing was recorded that could be restored")
        })
    }
}
