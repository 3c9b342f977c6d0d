//! `aws.route53.change_records`: any records of a zone, all together or not at all. Must never leave behind
//! anything but what was there when it is taken back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::batch::{Change, Verb};
use super::follow::Sent;
use super::goal::{self, Aim, Goal};
use super::looks::Records;
use super::record::{Alias, Key, Record};
use super::session::Session;
use super::{Outputs, names, permanent};
use crate::engine::input::Direction;
use crate::model::action::aws::route53::{ChangeRecords, FailoverRole, RecordAction, RecordChange};
use crate::model::run::Failure;
use crate::ports::AttemptContext;

/// The changes of one attempt.
pub(super) struct Batch<'a> {
    it: &'a ChangeRecords,
    context: &'a AttemptContext,
    changes: Vec<Change>,
}

impl<'a> Batch<'a> {
    /// Reads the parameters.
    ///
    /// # Errors
    /// Permanent, when a change makes no sense, or two are about the same record.
    pub(super) fn new(it: &'a ChangeRecords, context: &'a AttemptContext) -> Result<Self, Failure> {
        let changes: Vec<Change> = it.changes.iter().map(wanted).collect::<Result<_, _>>()?;
        let mut keys = BTreeSet::new();
        for change in &changes {
            let key = change.record.key();
            if !keys.insert(key.clone()) {
                return Err(permanent(format!("{key} is changed twice: a change may name a record once")));
            }
        }
        Ok(Self { it, context, changes })
    }

    /// Reads what `undo` needs, and refuses what Route 53 would refuse.
    pub(super) async fn prepare(&self, session: &Session<'_>) -> Result<Value, Failure> {
        let current = session.look(self.names()).await?;
        session.check(&self.changes).await?;
        for change in &self.changes {
            let key = change.record.key();
            match (change.verb, current.get(&key)) {
                (Verb::Create, Some(_)) => return Err(permanent(format!("{key} exists already"))),
                (Verb::Delete, Some(found)) if !found.says_the_same(&change.record) => {
                    return Err(permanent(format!("{key} has other values than those to be deleted")));
                }
                (Verb::Delete, None) => return Err(permanent(format!("{key} does not exist"))),
                (Verb::Create, None) | (Verb::Delete, Some(_)) | (Verb::Upsert, _) => {}
            }
        }
        let keys = self.changes.iter().map(|change| change.record.key());
        Ok(goal::record(keys.filter_map(|key| current.get(&key).cloned())))
    }

    /// What the parameters ask for.
    fn after(&self) -> Goal {
        let wanted = |change: &Change| match change.verb {
            Verb::Delete => (change.record.key(), None),
            Verb::Upsert | Verb::Create => (change.record.key(), Some(change.record.clone())),
        };
        Goal(self.changes.iter().map(wanted).collect())
    }

    /// The same records as they were.
    fn before(&self, recorded: &Records) -> Goal {
        let keys = self.changes.iter().map(|change| change.record.key());
        Goal(keys.map(|key| (key.clone(), recorded.get(&key).cloned())).collect())
    }
}

impl Aim for Batch<'_> {
    fn names(&self) -> BTreeSet<String> {
        self.changes.iter().map(|change| names::normal(&change.record.name)).collect()
    }

    fn goal(&self, _: &Records) -> Result<Goal, Failure> {
        match self.context.direction {
            Direction::Do => Ok(self.after()),
            Direction::Undo => Ok(self.before(&goal::recorded_before(self.context)?)),
        }
    }

    fn is_ours(&self, current: &Records) -> Result<bool, Failure> {
        let before = self.before(&goal::recorded_before(self.context)?);
        Ok(self.after().is_met(current) || before.is_met(current))
    }

    fn changes(&self, goal: &Goal, current: &Records) -> Result<Vec<Change>, Failure> {
        Ok(match self.context.direction {
            Direction::Do => self.changes.clone(),
            Direction::Undo => goal.changes(current, false),
        })
    }

    fn waits(&self) -> bool {
        self.it.wait_ttl.unwrap_or(true)
    }

    fn remark(&self) -> Option<&str> {
        self.it.comment.as_deref()
    }

    fn outputs(&self, sent: Option<&Sent>) -> Outputs {
        let before = goal::recorded(self.context).ok().flatten();
        let previous = before.map(|before| {
            let before: BTreeMap<Key, Record> = before;
            before.iter().map(|(key, record)| (key.to_string(), json!(record))).collect::<Map<_, _>>()
        });
        Map::from_iter([
            ("change_id".to_owned(), json!(sent.and_then(|sent| sent.change_id.as_ref()))),
            ("previous".to_owned(), json!(previous)),
            ("previous_ttl_ms".to_owned(), goal::recorded_ttl(self.context)),
        ])
    }
}

/// The change a parameter asks for.
fn wanted(it: &RecordChange) -> Result<Change, Failure> {
    let key = Key::new(&it.name, it.record_type.as_str(), it.set_identifier.as_deref());
    let wrong = |why: &str| Err(permanent(format!("{key}: {why}")));
    let routed = it.weight.is_some() || it.failover.is_some() || it.latency_region.is_some();
    match (&it.alias, it.values.is_empty(), it.ttl) {
        (Some(_), true, None) | (None, false, Some(_)) => {}
        (None, false, None) => return wrong("`ttl` is missing"),
        (Some(_), true, Some(_)) => return wrong("an alias has no `ttl`: that of its target holds"),
        (Some(_), false, _) | (None, true, _) => return wrong("either `values` or `alias` must be given"),
    }
    if routed != it.set_identifier.is_some() {
        return wrong("`set_identifier` goes with one of `weight`, `failover` and `latency_region`");
    }
    if it.weight.is_some_and(|weight| weight > 255) {
        return wrong("a weight is at most 255");
    }
    let verb = match it.action {
        None | Some(RecordAction::Upsert) => Verb::Upsert,
        Some(RecordAction::Create) => Verb::Create,
        Some(RecordAction::Delete) => Verb::Delete,
    };
    let record = Record {
        name: it.name.clone(),
        kind: it.record_type.as_str().to_owned(),
        set: it.set_identifier.clone(),
        ttl: it.ttl.map(|ttl| ttl.as_millis() / 1_000),
        values: it.values.clone(),
        alias: it.alias.as_ref().map(|alias| Alias {
            zone: alias.zone_id.clone(),
            name: alias.name.clone(),
            evaluate: alias.evaluate_target_health,
        }),
        weight: it.weight,
        failover: it.failover.map(|role| {
            let role = match role {
                FailoverRole::Primary => "PRIMARY",
                FailoverRole::Secondary => "SECONDARY",
            };
            role.to_owned()
        }),
        region: it.latency_region.clone(),
        health_check: it.health_check_id.clone(),
        ..Record::default()
    };
    Ok(Change { verb, record })
}
