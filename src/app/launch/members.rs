//! What a forecast of a fleet is made of: the plans of its members, what is known of them, and what each
//! scenario means for each.

use std::collections::BTreeMap;

use crate::app::{self, Error, Session, exit};
use crate::forecast::Conditions;
use crate::forecast::fleet::{FleetQuestion, FleetReport, Member, fleet_study};
use crate::model::id::SiteName;
use crate::model::values::Site;
use crate::plan::{History, Nested, Node, Plan, PlanIndex};
use crate::providers::simulated::Scenario;
use crate::runtime;

/// The plans of the members of a fleet, in the order of its own.
pub(crate) struct Members(Vec<Plan>);

impl Members {
    /// Takes them from what a start of the fleet would store.
    ///
    /// # Errors
    /// When one is missing, which is a bug.
    pub(crate) fn of(fleet: &Plan, nested: &Nested) -> Result<Self, Error> {
        let child = |node: &Node| {
            let child = node.call(fleet.mode)?.child.as_ref()?;
            Some(nested.get(&child.plan)?.plan.clone())
        };
        let plans: Option<Vec<Plan>> = fleet.nodes.iter().map(child).collect();
        plans.map(Self).ok_or_else(|| Error::new(exit::BUG, "a member of the fleet has no plan"))
    }

    /// The plans.
    pub(crate) fn plans(&self) -> &[Plan] {
        &self.0
    }

    /// Nodes of all of them together.
    pub(crate) fn nodes(&self) -> usize {
        self.0.iter().map(|plan| plan.nodes.len()).sum()
    }

    /// The sites that any of them names.
    pub(crate) fn sites(&self) -> BTreeMap<SiteName, Site> {
        self.0.iter().flat_map(|plan| plan.sites.clone()).collect()
    }

    /// What earlier runs of each took.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) async fn histories(&self, session: &Session) -> Result<Vec<History>, Error> {
        let mut known = Vec::with_capacity(self.0.len());
        for plan in &self.0 {
            known.push(runtime::history(session.journal.as_ref(), &plan.runbook.name).await?);
        }
        Ok(known)
    }

    /// What each scenario means for each of them; without a scenario nothing goes wrong.
    pub(crate) fn conditions(&self, scenarios: &[Scenario]) -> Vec<Vec<Conditions>> {
        if scenarios.is_empty() {
            return vec![self.0.iter().map(|plan| Conditions::healthy(plan.nodes.len())).collect()];
        }
        let of = |scenario: &Scenario| self.0.iter().map(|plan| app::conditions(scenario, plan)).collect();
        scenarios.iter().map(of).collect()
    }

    /// Lives all of them together. `known`: what earlier runs of each took, in their order; absent: nothing
    /// is known of any.
    ///
    /// # Errors
    /// When a plan is not sound, which is a bug of the planner.
    pub(crate) fn study(
        mut self,
        fleet: &Plan,
        known: Option<&[History]>,
        scenarios: &[Vec<Conditions>],
        (runs, seed): (u32, u64),
    ) -> Result<FleetReport, Error> {
        for (plan, history) in self.0.iter_mut().zip(known.unwrap_or_default()) {
            plan.measured = history.of(plan);
        }
        let unsound = |error| Error::new(exit::BUG, format!("the plan is not sound: {error}"));
        let indexes = self.0.iter().map(PlanIndex::new).collect::<Result<Vec<_>, _>>().map_err(unsound)?;
        let has_history = |at| known.and_then(|known| known.get(at)).is_some_and(|it: &History| it.runs > 0);
        let member = |(at, (plan, index))| Member { plan, index, has_history: has_history(at) };
        let members: Vec<Member<'_>> = self.0.iter().zip(&indexes).enumerate().map(member).collect();
        Ok(fleet_study(&FleetQuestion { plan: fleet, members: &members, scenarios, runs, seed }))
    }
}
