//! Makes the run of an attempt, under an id that follows from the attempt. Must refuse a service that is not
//! where its plan leaves from.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::super::create::{NewChild, Runtime, short};
use super::super::driver::Driver;
use super::super::{load_plan, service_record_and_head};
use super::ChildTask;
use super::outcome::failure_of;
use crate::engine::event::ParentRun;
use crate::engine::input::Consents;
use crate::model::id::{RunId, ServiceName, SiteName};
use crate::model::run::{Failure, FailureClass, Intent, Mode};
use crate::plan::{Plan, Protection};
use crate::ports::{AttemptContext, ChildOf};

/// The id of the run that an attempt begins: the same for every send of one intent.
///
/// # Errors
/// Never for a service's name.
pub(super) fn child_id(service: &ServiceName, key: &str) -> Result<RunId, Failure> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let letters = Sha256::digest(key.as_bytes()).into_iter().take(8);
    let letters = letters.filter_map(|byte| LETTERS.get(usize::from(byte % 32)).copied());
    let suffix: String = letters.map(char::from).collect();
    RunId::new(format!("{}-{suffix}", short(service.as_str())))
        .map_err(|error| Failure::new(FailureClass::Permanent, error.to_string()))
}

impl ChildTask {
    /// The runtime of a child: its parent's, with a provider of its own where that needs one.
    pub(super) fn runtime(&self, run: &RunId, plan: &Plan) -> Result<Runtime, Failure> {
        let shared = &self.children.runtime;
        let child = ChildOf { run, plan, began: self.children.began };
        let provider = shared.provider.of_child(&child)?;
        Ok(Runtime { provider: provider.unwrap_or_else(|| Arc::clone(&shared.provider)), ..shared.clone() })
    }

    pub(super) async fn create(&self, run: &RunId, context: &AttemptContext) -> Result<Driver, Failure> {
        let (shared, parent) = (&self.children.runtime, &self.children.parent);
        let plan = load_plan(shared.journal.as_ref(), &parent.run, &self.plan.plan).await;
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
        let moved = |active: &&SiteName| plan.from.as_ref().is_some_and(|from| from != *active);
        if let Some(active) = record.active.as_ref().filter(moved) {
            return refuse(format!("{service} was moved since this was planned: it runs in {active} now"));
        }
        let quarantined = plan.to.as_ref().filter(|to| record.quarantined.contains_key(*to));
        if let Some(to) = quarantined.filter(|_| Protection::of(&plan.nodes).of_target.is_empty()) {
            return refuse(format!("{to} is quarantined: {service} was not protected again there"));
        }
        Ok(Some(head))
    }
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
