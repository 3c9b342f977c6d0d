//! `aws.route53.set_failover`: which of two failover records is primary. Must never write over what
//! somebody else changed in between: the records are deleted as they were read, and created anew, in one
//! batch.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::batch::{Change, Verb};
use super::follow::Sent;
use super::goal::{self, Aim, Goal};
use super::looks::Records;
use super::record::{Key, Record};
use super::session::Session;
use super::{Outputs, names, permanent};
use crate::engine::input::Direction;
use crate::model::action::aws::route53::SetFailover;
use crate::model::run::Failure;
use crate::ports::AttemptContext;

const PRIMARY: &str = "PRIMARY";
const SECONDARY: &str = "SECONDARY";

/// The roles one attempt wants.
pub(super) struct Roles<'a> {
    pub(super) it: &'a SetFailover,
    pub(super) context: &'a AttemptContext,
}

impl Roles<'_> {
    /// Reads what `undo` needs, and refuses what Route 53 would refuse.
    pub(super) async fn prepare(&self, session: &Session<'_>) -> Result<Value, Failure> {
        if self.it.primary == self.it.secondary {
            return Err(permanent("`primary` and `secondary` are the same record"));
        }
        let current = session.look(self.names()).await?;
        let goal = self.goal(&current)?;
        session.check(&self.changes(&goal, &current)?).await?;
        let keys = [self.key(&self.it.primary), self.key(&self.it.secondary)];
        Ok(goal::record(keys.iter().filter_map(|key| current.get(key).cloned())))
    }

    fn key(&self, set: &str) -> Key {
        Key::new(&self.it.name, self.it.record_type.as_str(), Some(set))
    }

    /// The record with a role, out of what is there.
    fn with_role(&self, current: &Records, set: &str, role: &str) -> Result<(Key, Option<Record>), Failure> {
        let key = self.key(set);
        let Some(found) = current.get(&key) else {
            return Err(permanent(format!("there is no record {key} in zone {}", self.it.zone_id)));
        };
        if found.failover.is_none() {
            return Err(permanent(format!("{key} is not a failover record")));
        }
        let evaluates = found.alias.as_ref().is_some_and(|alias| alias.evaluate);
        if role == PRIMARY && found.health_check.is_none() && !evaluates {
            return Err(permanent(format!(
                "{key} cannot be primary without a health check: Route 53 would never turn away from it"
            )));
        }
        Ok((key, Some(Record { failover: Some(role.to_owned()), ..found.clone() })))
    }

    fn primary_before(&self) -> Option<String> {
        let before = goal::recorded(self.context).ok().flatten()?;
        let primary = before.into_values().find(|record| record.failover.as_deref() == Some(PRIMARY));
        primary.and_then(|record| record.set)
    }
}

impl Aim for Roles<'_> {
    fn names(&self) -> BTreeSet<String> {
        BTreeSet::from([names::normal(&self.it.name)])
    }

    fn goal(&self, current: &Records) -> Result<Goal, Failure> {
        let (primary, secondary) = match self.context.direction {
            Direction::Do => (&self.it.primary, &self.it.secondary),
            Direction::Undo => match self.primary_before() {
                Some(before) if before == self.it.primary => (&self.it.primary, &self.it.secondary),
                Some(_) => (&self.it.secondary, &self.it.primary),
                None => return Err(permanent("which record was primary before was not recorded")),
            },
        };
        let primary = self.with_role(current, primary, PRIMARY)?;
        let secondary = self.with_role(current, secondary, SECONDARY)?;
        Ok(Goal([primary, secondary].into()))
    }

    /// Only the roles are written, which are as found or swapped; all else stays as it is.
    fn is_ours(&self, _: &Records) -> Result<bool, Failure> {
        Ok(true)
    }

    fn changes(&self, goal: &Goal, current: &Records) -> Result<Vec<Change>, Failure> {
        let changed: Vec<&Key> =
            goal.0.keys().filter(|key| goal.0.get(key) != Some(&current.get(key).cloned())).collect();
        let old = changed.iter().filter_map(|key| current.get(key));
        let new = changed.iter().filter_map(|key| goal.0.get(key)?.as_ref());
        let deletions = old.map(|record| Change { verb: Verb::Delete, record: record.clone() });
        let creations = new.map(|record| Change { verb: Verb::Create, record: record.clone() });
        Ok(deletions.chain(creations).collect())
    }

    fn waits(&self) -> bool {
        self.it.wait_ttl.unwrap_or(true)
    }

    fn outputs(&self, sent: Option<&Sent>) -> Outputs {
        Map::from_iter([
            ("change_id".to_owned(), json!(sent.and_then(|sent| sent.change_id.as_ref()))),
            ("previous_primary".to_owned(), json!(self.primary_before())),
            ("previous_ttl_ms".to_owned(), goal::recorded_ttl(self.context)),
            ("already".to_owned(), json!(sent.is_none_or(|sent| sent.already))),
        ])
    }
}
