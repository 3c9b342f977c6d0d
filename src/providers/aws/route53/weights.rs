//! `aws.route53.drain_site` and `aws.route53.set_weights`: moves weights, at once or in stages. Must never
//! go on over weights that somebody else has set in between: where a move stands is read from the weights
//! themselves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::follow::{Sent, Step, follow};
use super::goal::{self, Aim, Goal};
use super::looks::Records;
use super::record::Record;
use super::session::Session;
use super::stages::{self, Stage, Weights};
use super::{Outputs, names, permanent};
use crate::engine::input::{Direction, Observation};
use crate::model::action::aws::route53::{DrainSite, SetWeights};
use crate::model::run::Failure;
use crate::model::time::Duration;
use crate::ports::{AttemptContext, Polled, Started};

/// What one attempt wants of some weights.
pub(super) struct Shift<'a> {
    name: &'a str,
    kind: &'static str,
    wanted: Wanted<'a>,
    percents: &'a [u8],
    pause: Option<Duration>,
    waits: bool,
    context: &'a AttemptContext,
}

enum Wanted<'a> {
    Drained(&'a str),
    Weights(&'a BTreeMap<String, u32>),
}

impl<'a> Shift<'a> {
    pub(super) fn draining(it: &'a DrainSite, context: &'a AttemptContext) -> Self {
        Self {
            name: &it.name,
            kind: it.record_type.as_str(),
            wanted: Wanted::Drained(&it.site),
            percents: &it.stages,
            pause: it.stage_pause,
            waits: it.wait_ttl.unwrap_or(true),
            context,
        }
    }

    pub(super) fn moving(it: &'a SetWeights, context: &'a AttemptContext) -> Self {
        Self {
            name: &it.name,
            kind: it.record_type.as_str(),
            wanted: Wanted::Weights(&it.weights),
            percents: &it.stages,
            pause: it.stage_pause,
            waits: it.wait_ttl.unwrap_or(true),
            context,
        }
    }

    /// Reads what `undo` needs, and refuses what cannot be done.
    pub(super) async fn prepare(&self, session: &Session<'_>) -> Result<Value, Failure> {
        let current = session.look(self.names()).await?;
        let (own, weights) = self.own(&current);
        if weights.is_empty() {
            return Err(permanent(format!("there are no weighted records {} {}", self.name, self.kind)));
        }
        let stages = self.stages(&weights)?;
        for stage in &stages {
            session.check(&weighed(&own, &stage.weights).changes(&own, false)).await?;
        }
        Ok(goal::record(own.into_values()))
    }

    pub(super) async fn start(&self, session: &Session<'_>) -> Result<Started, Failure> {
        let before = goal::recorded_before(self.context)?;
        if self.context.direction == Direction::Undo {
            return goal::start(session, &Back { shift: self, before: &before }).await;
        }
        let stages = self.stages(&self.own(&before).1)?;
        let (own, now) = self.look(session, self.context.attempt == 1).await?;
        let next = match self.stands(&stages, &before, &now)? {
            None => 0,
            Some(reached) => reached + 1,
        };
        match stages.get(next) {
            // Another attempt brought it this far: the rest is waiting.
            None if !stages.is_empty() => {
                let then = self.then(&stages, next - 1, &own);
                let now = session.account.budget.now();
                let sent = Sent { stage: Some(next - 1), ..Sent::new(now, then) };
                Ok(Started::Handle(sent.to_handle()))
            }
            None => Ok(Started::Handle(self.already(session, &own))),
            Some(_) => {
                let sent = self.go(session, &stages, next, &own, Vec::new()).await?;
                Ok(Started::Handle(sent.to_handle()))
            }
        }
    }

    pub(super) async fn poll(&self, session: &Session<'_>, handle: &Value) -> Result<Polled, Failure> {
        let before = goal::recorded_before(self.context)?;
        if self.context.direction == Direction::Undo {
            return goal::poll(session, &Back { shift: self, before: &before }, handle).await;
        }
        let stages = self.stages(&self.own(&before).1)?;
        if stages.is_empty() {
            return match follow(session, &Sent::from_handle(handle)?).await? {
                Step::Waits(line) | Step::Stranded(line) => Ok(Polled::Pending(Some(line))),
                Step::Done => Ok(Polled::Done(self.outputs(&stages, None, &self.own(&before).1))),
            };
        }
        let sent = self.latest(session, &stages, &before, handle).await?;
        let at = sent.stage.unwrap_or_default();
        let Some(stage) = stages.get(at) else {
            return Err(permanent("the handle in the journal names a stage that is not there"));
        };
        let percent = stage.percent;
        match follow(session, &sent).await? {
            Step::Waits(line) => Ok(Polled::Pending(Some(format!("{percent} %: {line}")))),
            Step::Stranded(why) => {
                let aim = At { shift: self, stage };
                goal::send_again(session, &aim, &sent, &why).await
            }
            Step::Done if at + 1 < stages.len() => {
                let (own, now) = self.look(session, false).await?;
                if stages::reached(&stages, &now) != Some(at) {
                    return Err(self.meddled(&now));
                }
                let sent = self.go(session, &stages, at + 1, &own, sent.ids).await?;
                let id = sent.change_id.as_deref().unwrap_or_default();
                let percent = stages.get(at + 1).map_or(100, |stage| stage.percent);
                Ok(Polled::Pending(Some(format!("{percent} %: change {id} was sent"))))
            }
            Step::Done => {
                session.account.changes.forget(&self.context.idempotency_key);
                Ok(Polled::Done(self.outputs(&stages, Some(&sent), &stage.weights)))
            }
        }
    }

    pub(super) async fn observe(
        &self,
        session: &Session<'_>,
        handle: Option<&Value>,
    ) -> Result<Observation, Failure> {
        let (own, now) = self.look(session, false).await?;
        let Some(before) = goal::recorded(self.context)? else {
            // Nothing was recorded: it can only be seen whether somebody has done it already.
            let outputs = || self.outputs(&[], None, &now);
            return Ok(if self.is_there(&now) {
                Observation::Applied(outputs())
            } else {
                Observation::NotApplied
            });
        };
        if self.context.direction == Direction::Undo {
            let back = Back { shift: self, before: &before };
            return goal::observe(session, &back, handle).await;
        }
        let stages = self.stages(&self.own(&before).1)?;
        let Some(at) = self.stands(&stages, &before, &now)? else {
            return Ok(if stages.is_empty() {
                Observation::InProgress(handle.cloned().unwrap_or_else(|| self.already(session, &own)))
            } else {
                Observation::NotApplied
            });
        };
        let known = handle.map(Sent::from_handle).transpose()?;
        let latest = session.account.changes.latest(&self.context.idempotency_key).or(known);
        let (now, then) = (session.account.budget.now(), self.then(&stages, at, &own));
        let lost = |ids| Sent { stage: Some(at), ids, ..Sent::new(now, then) };
        Ok(Observation::InProgress(match latest {
            Some(sent) if sent.stage == Some(at) => sent.to_handle(),
            Some(sent) => lost(sent.ids).to_handle(),
            None => lost(Vec::new()).to_handle(),
        }))
    }

    /// What was sent last. In another process than the one that sent it, the weights tell how far it came.
    async fn latest(
        &self,
        session: &Session<'_>,
        stages: &[Stage],
        before: &Records,
        handle: &Value,
    ) -> Result<Sent, Failure> {
        let key = &self.context.idempotency_key;
        if let Some(sent) = session.account.changes.latest(key) {
            return Ok(sent);
        }
        let first = Sent::from_handle(handle)?;
        let (own, now) = self.look(session, false).await?;
        let sent = match self.stands(stages, before, &now)? {
            Some(at) if first.stage == Some(at) => first,
            Some(at) => Sent {
                stage: Some(at),
                ids: first.ids,
                ..Sent::new(session.account.budget.now(), self.then(stages, at, &own))
            },
            None => return Err(self.meddled(&now)),
        };
        session.account.changes.set_latest(key.clone(), sent.clone());
        Ok(sent)
    }

    /// Sends a stage.
    async fn go(
        &self,
        session: &Session<'_>,
        stages: &[Stage],
        at: usize,
        own: &Records,
        mut ids: Vec<String>,
    ) -> Result<Sent, Failure> {
        let Some(stage) = stages.get(at) else { return Err(permanent("there is no such stage")) };
        let changes = weighed(own, &stage.weights).changes(own, false);
        let now = session.account.budget.now();
        let receipt = session.order(changes, &format!("drctl run {}", self.context.run)).await?;
        ids.push(receipt.id.clone());
        let then = self.then(stages, at, own);
        let change_id = Some(receipt.id);
        let sent = Sent { change_id, stage: Some(at), ids, ..Sent::new(now, then) };
        session.account.changes.set_latest(self.context.idempotency_key.clone(), sent.clone());
        Ok(sent)
    }

    /// The handle of weights that were as wanted, perhaps by a change that is still under way.
    fn already(&self, session: &Session<'_>, own: &Records) -> Value {
        let then = self.then(&[], 0, own);
        Sent { already: true, ..Sent::new(session.account.budget.now(), then) }.to_handle()
    }

    /// Whether the weights are those that were found, or those of a stage.
    fn is_own(&self, current: &Records) -> Result<bool, Failure> {
        let before = self.own(&goal::recorded_before(self.context)?).1;
        let now = self.own(current).1;
        Ok(now == before || stages::reached(&self.stages(&before)?, &now).is_some())
    }

    /// What is waited for after a stage has reached every server.
    fn then(&self, stages: &[Stage], at: usize, own: &Records) -> Duration {
        let ttl = own.values().map(Record::ttl_ms).max().unwrap_or_default();
        let ttl = Duration::from_millis(ttl);
        if at + 1 < stages.len() {
            self.pause.unwrap_or(ttl)
        } else if self.waits {
            ttl
        } else {
            Duration::ZERO
        }
    }

    /// The weighted records of the name and type, as they are.
    async fn look(&self, session: &Session<'_>, just_prepared: bool) -> Result<(Records, Weights), Failure> {
        let recorded = if just_prepared { goal::recorded(self.context)? } else { None };
        match recorded {
            Some(records) => Ok(self.own(&records)),
            None => Ok(self.own(session.look(self.names()).await?.as_ref())),
        }
    }

    fn own(&self, records: &Records) -> (Records, Weights) {
        let name = names::normal(self.name);
        let own = records.iter().filter(|(key, record)| {
            key.name == name && key.kind == self.kind && key.set.is_some() && record.weight.is_some()
        });
        let own: Records = own.map(|(key, record)| (key.clone(), record.clone())).collect();
        let weights = own.iter().filter_map(|(key, record)| Some((key.set.clone()?, record.weight?)));
        let weights = weights.collect();
        (own, weights)
    }

    fn stages(&self, before: &Weights) -> Result<Vec<Stage>, Failure> {
        let stages = match self.wanted {
            Wanted::Drained(site) => stages::draining(before, site, self.percents),
            Wanted::Weights(targets) => stages::moving(before, targets, self.percents),
        };
        stages.map_err(|why| permanent(format!("{} {}: {why}", self.name, self.kind)))
    }

    /// The stage that is reached; none where everything is as before.
    fn stands(&self, stages: &[Stage], before: &Records, now: &Weights) -> Result<Option<usize>, Failure> {
        match stages::reached(stages, now) {
            Some(at) => Ok(Some(at)),
            None if self.own(before).1 == *now => Ok(None),
            None => Err(self.meddled(now)),
        }
    }

    fn is_there(&self, now: &Weights) -> bool {
        match self.wanted {
            Wanted::Drained(site) => {
                self.percents.last().is_none_or(|last| *last == 100) && now.get(site) == Some(&0)
            }
            Wanted::Weights(targets) => targets.iter().all(|(set, weight)| now.get(set) == Some(weight)),
        }
    }

    fn meddled(&self, now: &Weights) -> Failure {
        let now: Vec<String> = now.iter().map(|(set, weight)| format!("{set} {weight}")).collect();
        permanent(format!(
            "the weights of {} {} are those of no stage ({}): somebody else changes them",
            self.name,
            self.kind,
            now.join(", ")
        ))
    }

    fn names(&self) -> BTreeSet<String> {
        BTreeSet::from([names::normal(self.name)])
    }

    fn outputs(&self, stages: &[Stage], sent: Option<&Sent>, now: &Weights) -> Outputs {
        let before = goal::recorded(self.context).ok().flatten();
        let stage = sent.and_then(|sent| stages.get(sent.stage?)).map(|stage| stage.percent);
        let stage = stage.or_else(|| self.percents.last().copied()).unwrap_or(100);
        Map::from_iter([
            ("change_ids".to_owned(), json!(sent.map(|sent| sent.ids.clone()).unwrap_or_default())),
            ("previous".to_owned(), json!(before.map(|before| self.own(&before).1))),
            ("weights".to_owned(), json!(now)),
            ("stage".to_owned(), json!(stage)),
        ])
    }
}

/// The records with other weights.
fn weighed(own: &Records, weights: &Weights) -> Goal {
    let weighed = own.iter().filter_map(|(key, record)| {
        let weight = weights.get(key.set.as_ref()?)?;
        Some((key.clone(), Some(Record { weight: Some(*weight), ..record.clone() })))
    });
    Goal(weighed.collect())
}

/// One stage.
struct At<'a> {
    shift: &'a Shift<'a>,
    stage: &'a Stage,
}

impl Aim for At<'_> {
    fn names(&self) -> BTreeSet<String> {
        self.shift.names()
    }

    fn goal(&self, current: &Records) -> Result<Goal, Failure> {
        Ok(weighed(&self.shift.own(current).0, &self.stage.weights))
    }

    fn is_ours(&self, current: &Records) -> Result<bool, Failure> {
        self.shift.is_own(current)
    }

    fn waits(&self) -> bool {
        self.shift.waits
    }

    fn outputs(&self, sent: Option<&Sent>) -> Outputs {
        self.shift.outputs(&[], sent, &self.stage.weights)
    }
}

/// The way back to the weights that were found; everything else of the records stays as it is now.
struct Back<'a> {
    shift: &'a Shift<'a>,
    before: &'a Records,
}

impl Aim for Back<'_> {
    fn names(&self) -> BTreeSet<String> {
        self.shift.names()
    }

    fn goal(&self, current: &Records) -> Result<Goal, Failure> {
        Ok(weighed(&self.shift.own(current).0, &self.shift.own(self.before).1))
    }

    fn is_ours(&self, current: &Records) -> Result<bool, Failure> {
        self.shift.is_own(current)
    }

    fn waits(&self) -> bool {
        self.shift.waits
    }

    fn outputs(&self, sent: Option<&Sent>) -> Outputs {
        self.shift.outputs(&[], sent, &self.shift.own(self.before).1)
    }
}
