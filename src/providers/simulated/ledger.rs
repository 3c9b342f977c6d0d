//! What was applied to the simulated estate, by idempotency key: the proof that no effect was applied twice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::change::Change;
use crate::engine::input::Direction;
use crate::model::action::ActionName;
use crate::model::id::{NodeAddress, RunId};
use crate::model::time::Timestamp;

/// One effect, under one idempotency key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// The run.
    pub run: RunId,
    /// The node.
    pub node: NodeAddress,
    /// The action.
    pub action: ActionName,
    /// Applied or taken back.
    pub direction: Direction,
    /// Highest fencing token it was sent with.
    pub fencing_token: u64,
    /// When it was first sent.
    pub first_at: Timestamp,
    /// When it was last sent.
    pub last_at: Timestamp,
    /// How often it was sent and accepted.
    pub times: u32,
    /// How often it took effect once more although it had taken effect under this key.
    pub doubles: u32,
    /// When it is complete; absent: it never will be, for lack of capacity.
    pub done_at: Option<Timestamp>,
    /// Whether the model has been changed.
    pub settled: bool,
    /// What it changes.
    pub change: Change,
    /// What it returns once complete.
    pub outputs: Map<String, Value>,
}

/// Every effect by idempotency key.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger(BTreeMap<String, Effect>);

impl Ledger {
    /// The effect under a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Effect> {
        self.0.get(key)
    }

    /// Every effect with its key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Effect)> {
        self.0.iter().map(|(key, effect)| (key.as_str(), effect))
    }

    /// Keys and effects that took effect more than once under one key. Must be empty after any run.
    #[must_use]
    pub fn doubles(&self) -> Vec<(&str, &Effect)> {
        self.iter().filter(|(_, effect)| effect.doubles > 0).collect()
    }

    /// Effects of a node in a direction, over all keys.
    pub fn of_node<'a>(
        &'a self,
        run: &'a RunId,
        node: &'a NodeAddress,
        direction: Direction,
    ) -> impl Iterator<Item = &'a Effect> {
        self.0
            .values()
            .filter(move |effect| effect.run == *run && effect.node == *node && effect.direction == direction)
    }

    /// Records an effect; one under a known key takes the place of the first and is counted.
    pub(super) fn record(&mut self, key: &str, mut effect: Effect) {
        if let Some(earlier) = self.0.get(key) {
            effect.first_at = earlier.first_at;
            effect.times = earlier.times + 1;
            effect.doubles = earlier.doubles + 1;
            effect.fencing_token = effect.fencing_token.max(earlier.fencing_token);
        }
        self.0.insert(key.to_owned(), effect);
    }

    /// Counts that an effect was sent again, which changed nothing.
    pub(super) fn resent(&mut self, key: &str, at: Timestamp, fencing_token: u64) {
        if let Some(effect) = self.0.get_mut(key) {
            effect.times += 1;
            effect.last_at = at;
            effect.fencing_token = effect.fencing_token.max(fencing_token);
        }
    }

    /// Takes the changes that have become true, oldest first.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<(Timestamp, Change)> {
        let is_due = |effect: &&mut Effect| !effect.settled && effect.done_at.is_some_and(|at| at <= now);
        let mut due: Vec<_> = self
            .0
            .values_mut()
            .filter(is_due)
            .map(|effect| {
                effect.settled = true;
                (effect.done_at.unwrap_or(now), effect.change.clone())
            })
            .collect();
        due.sort_by_key(|(at, _)| *at);
        due
    }
}
