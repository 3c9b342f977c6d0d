//! What some records of a zone should be like, and the way from what they are like. Must never change a
//! record that is as it should be, except where a change may have been stranded.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::batch::{Change, Verb};
use super::follow::{Sent, Step, follow};
use super::looks::Records;
use super::record::{Key, Record};
use super::session::Session;
use super::{Outputs, permanent};
use crate::engine::input::{Direction, Observation};
use crate::model::run::{Failure, FailureClass};
use crate::model::time::Duration;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::excerpt;

/// Most records that are told in a failure.
const SHOWN: usize = 5;

/// Records as they should be; absent ones should not be there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Goal(pub(super) BTreeMap<Key, Option<Record>>);

impl Goal {
    pub(super) fn is_met(&self, current: &Records) -> bool {
        self.0.iter().all(|(key, wanted)| match (wanted, current.get(key)) {
            (Some(wanted), Some(current)) => wanted.says_the_same(current),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        })
    }

    /// Changes that lead there; also where a record says the right thing already, when they are `forced`.
    pub(super) fn changes(&self, current: &Records, forced: bool) -> Vec<Change> {
        let change = |(key, wanted): (&Key, &Option<Record>)| match (wanted, current.get(key)) {
            (Some(wanted), Some(current)) if wanted.says_the_same(current) && !forced => None,
            (Some(wanted), Some(_)) => Some(Change { verb: Verb::Upsert, record: wanted.clone() }),
            // Counts once where an upsert counts twice: what was deleted at once can be put back at once.
            (Some(wanted), None) => Some(Change { verb: Verb::Create, record: wanted.clone() }),
            (None, Some(current)) => Some(Change { verb: Verb::Delete, record: current.clone() }),
            (None, None) => None,
        };
        self.0.iter().filter_map(change).collect()
    }

    /// The longest TTL of the records it is about, in milliseconds.
    fn ttl_ms(&self, current: &Records) -> u64 {
        self.0.keys().filter_map(|key| current.get(key)).map(Record::ttl_ms).max().unwrap_or_default()
    }
}

/// What one attempt wants of a zone.
pub(super) trait Aim {
    /// Names of the records it is about, in normal form.
    fn names(&self) -> BTreeSet<String>;
    /// What they should be like, seen from what they are like.
    fn goal(&self, current: &Records) -> Result<Goal, Failure>;
    /// Whether they are as this step found or left them: only then are they taken back, or sent again.
    ///
    /// # Errors
    /// Permanent, when what was there before was not recorded.
    fn is_ours(&self, current: &Records) -> Result<bool, Failure>;
    /// Changes that lead there the first time.
    fn changes(&self, goal: &Goal, current: &Records) -> Result<Vec<Change>, Failure> {
        Ok(goal.changes(current, false))
    }
    /// Whether old answers are waited for.
    fn waits(&self) -> bool;
    /// Remark kept with the change.
    fn remark(&self) -> Option<&str> {
        None
    }
    /// Outputs, once it is true; without a change when nothing had to be sent.
    fn outputs(&self, sent: Option<&Sent>) -> Outputs;
}

/// What `undo` needs: records as they were.
pub(super) fn record(records: impl Iterator<Item = Record>) -> Value {
    let records: Vec<Record> = records.collect();
    let ttl_ms = records.iter().map(Record::ttl_ms).max().unwrap_or_default();
    json!({"records": records, "ttl_ms": ttl_ms})
}

/// The records as they were before, where that was recorded.
///
/// # Errors
/// Permanent, when the record in the journal is not one of ours.
pub(super) fn recorded(context: &AttemptContext) -> Result<Option<Records>, Failure> {
    let Some(prepared) = &context.prepared else { return Ok(None) };
    let records: Vec<Record> = serde_json::from_value(prepared["records"].clone())
        .map_err(|_| permanent("the record of what was there before cannot be read"))?;
    Ok(Some(records.into_iter().map(|record| (record.key(), record)).collect()))
}

/// The same, where it must have been recorded.
///
/// # Errors
/// The same, and when it was not.
pub(super) fn recorded_before(context: &AttemptContext) -> Result<Records, Failure> {
    recorded(context)?.ok_or_else(|| permanent("what was there before was not recorded"))
}

/// The longest TTL before the change, in milliseconds.
pub(super) fn recorded_ttl(context: &AttemptContext) -> Value {
    context.prepared.as_ref().map_or(Value::Null, |prepared| prepared["ttl_ms"].clone())
}

pub(super) async fn start(session: &Session<'_>, aim: &impl Aim) -> Result<Started, Failure> {
    let current = current(session, aim).await?;
    let goal = aim.goal(&current)?;
    if goal.is_met(&current) {
        // What is listed may be on its way to the servers, and may have been sent only now.
        return Ok(Started::Handle(lost(session, aim, goal.ttl_ms(&current), true)));
    }
    if session.context.direction == Direction::Undo && !aim.is_ours(&current)? {
        let what = foreign(&goal, &current);
        return Err(Failure::new(FailureClass::Refused, format!("{what}; nothing was taken back")));
    }
    let changes = aim.changes(&goal, &current)?;
    let now = session.account.budget.now();
    let receipt = session.order(changes, &remark(session, aim)).await?;
    let then = if aim.waits() { goal.ttl_ms(&current) } else { 0 };
    let then = Duration::from_millis(then);
    let sent = Sent { change_id: Some(receipt.id), ..Sent::new(now, then) };
    // What an earlier send of the same intent led to is no longer what is followed.
    session.account.changes.forget(&session.context.idempotency_key);
    Ok(Started::Handle(sent.to_handle()))
}

pub(super) async fn poll(session: &Session<'_>, aim: &impl Aim, handle: &Value) -> Result<Polled, Failure> {
    let first = Sent::from_handle(handle)?;
    let key = session.context.idempotency_key.as_str();
    let sent = session.account.changes.latest(key).unwrap_or(first);
    match follow(session, &sent).await? {
        Step::Waits(line) => Ok(Polled::Pending(Some(line))),
        Step::Done => {
            session.account.changes.forget(key);
            Ok(Polled::Done(aim.outputs(Some(&sent))))
        }
        Step::Stranded(why) => send_again(session, aim, &sent, &why).await,
    }
}

/// Sends what may have been lost with the control plane that accepted it, as seen from what is there now.
pub(super) async fn send_again(
    session: &Session<'_>,
    aim: &impl Aim,
    sent: &Sent,
    why: &str,
) -> Result<Polled, Failure> {
    let current = session.look(aim.names()).await?;
    let goal = aim.goal(&current)?;
    if !aim.is_ours(&current)? {
        return Err(permanent(format!("{why}, and {}; it was not sent again", foreign(&goal, &current))));
    }
    let changes = goal.changes(&current, true);
    if changes.is_empty() {
        // Only deletions, and what they delete is gone: nothing is left to be sent.
        let sent = Sent { change_id: None, at: session.account.budget.now(), ..sent.clone() };
        session.account.changes.set_latest(session.context.idempotency_key.clone(), sent);
        return Ok(Polled::Pending(Some(format!("{why}; the records are gone, as they should be"))));
    }
    let now = session.account.budget.now();
    let receipt = session.order(changes, &remark(session, aim)).await?;
    let line = format!("{why}: sent again as {}", receipt.id);
    let sent = Sent { change_id: Some(receipt.id), at: now, ..sent.clone() };
    session.account.changes.set_latest(session.context.idempotency_key.clone(), sent);
    Ok(Polled::Pending(Some(line)))
}

pub(super) async fn observe(
    session: &Session<'_>,
    aim: &impl Aim,
    handle: Option<&Value>,
) -> Result<Observation, Failure> {
    let current = session.look(aim.names()).await?;
    let goal = aim.goal(&current)?;
    if !goal.is_met(&current) {
        return Ok(Observation::NotApplied);
    }
    let Some(before) = recorded(session.context)? else {
        return Ok(Observation::Applied(aim.outputs(None)));
    };
    if let Some(handle) = handle {
        return Ok(Observation::InProgress(handle.clone()));
    }
    let already = session.context.direction == Direction::Do && goal.is_met(&before);
    Ok(Observation::InProgress(lost(session, aim, goal.ttl_ms(&before), already)))
}

/// The handle of a change whose id nobody knows: only time tells when every server has it.
fn lost(session: &Session<'_>, aim: &impl Aim, ttl_ms: u64, already: bool) -> Value {
    let then = Duration::from_millis(if aim.waits() { ttl_ms } else { 0 });
    Sent { already, ..Sent::new(session.account.budget.now(), then) }.to_handle()
}

/// Says what is there in place of what should be.
fn foreign(goal: &Goal, current: &Records) -> String {
    let told = goal.0.keys().take(SHOWN).map(|key| match current.get(key) {
        None => format!("{key} is gone"),
        Some(found) => format!("{key} is {}", excerpt::head(&found.told(), 120)),
    });
    let told: Vec<String> = told.collect();
    format!("somebody else has changed records since: {}", told.join(", "))
}

/// The records as they are: as just prepared, or by a look.
async fn current(session: &Session<'_>, aim: &impl Aim) -> Result<Records, Failure> {
    let context = session.context;
    let is_just_prepared = context.attempt == 1 && context.direction == Direction::Do;
    match recorded(context)?.filter(|_| is_just_prepared) {
        Some(records) => Ok(records),
        None => Ok(session.look(aim.names()).await?.as_ref().clone()),
    }
}

pub(super) fn remark(session: &Session<'_>, aim: &impl Aim) -> String {
    aim.remark().map_or_else(|| format!("drctl run {}", session.context.run), str::to_owned)
}
