//! Makes the nodes around a step: its approval, its prechecks with their copies for the start, its verifies.
//! Knows of no edges.

use serde_json::Value;

use super::calls::{BoundCall, Caller};
use super::context::Scope;
use super::draft::Setting;
use super::error::Problem;
use super::expand::Expander;
use super::node::{CheckPurpose, Node, NodeIndex, NodeKind};
use crate::model::action::ActionName;
use crate::model::id::NodeAddress;
use crate::model::policy::OnFailure;
use crate::model::run::{Mode, Phase};
use crate::model::step::{Check, Step};
use crate::model::time::Duration;

impl Expander<'_> {
    /// The approval before a step, as a list of none or one.
    pub(super) fn approval(&mut self, step: &Step, setting: &Setting) -> Vec<NodeIndex> {
        let Some(mut approval) = step.approval.clone() else { return Vec::new() };
        if let Some(message) = approval.message.take() {
            match self.scope.render(&Value::String(message), "message") {
                Ok((Value::String(message), _)) => approval.message = Some(message),
                Ok((other, _)) => approval.message = Some(other.to_string()),
                Err(error) => {
                    let what = format!("approval of step `{}`: {error}", step.id);
                    self.problems.push(Problem::new(what, "correct the template in its `message`"));
                }
            }
        }
        let address = NodeAddress::step(&step.id).part("approval");
        let title = format!("approval of {}", setting.title);
        let mut node = setting.node(address, title, NodeKind::Approval { approval });
        node.estimate = ActionName::ApprovalRequest.spec().estimate;
        node.lane = None;
        // A step nobody agreed to must not run, even one whose failure does not matter.
        if node.on_failure == OnFailure::Continue {
            node.on_failure = OnFailure::Pause;
        }
        vec![self.draft.push(node)]
    }

    /// The checks just before a step, and their copies for the start of the run.
    pub(super) fn prechecks(
        &mut self,
        step: &Step,
        at: &NodeAddress,
        scope: &Scope,
        setting: &Setting,
    ) -> Vec<NodeIndex> {
        let mut nodes = Vec::with_capacity(step.precheck.len());
        for (number, check) in (1..).zip(&step.precheck) {
            let address = at.part(&format!("precheck-{number}"));
            let title = format!("precheck {number} of {}", setting.title);
            let Some((node, early)) =
                self.check(check, address, title, CheckPurpose::Precheck, scope, setting)
            else {
                continue;
            };
            if early {
                self.draft.start.push(at_start(&node));
            }
            nodes.push(self.draft.push(node));
        }
        nodes
    }

    /// The checks after a step.
    pub(super) fn verifies(
        &mut self,
        step: &Step,
        at: &NodeAddress,
        scope: &Scope,
        setting: &Setting,
    ) -> Vec<NodeIndex> {
        let mut nodes = Vec::with_capacity(step.verify.len());
        for (number, check) in (1..).zip(&step.verify) {
            let address = at.part(&format!("verify-{number}"));
            let title = format!("verify {number} of {}", setting.title);
            if let Some((node, _)) = self.check(check, address, title, CheckPurpose::Verify, scope, setting) {
                nodes.push(self.draft.push(node));
            }
        }
        nodes
    }

    /// A check, and whether it can also be made before any step.
    pub(super) fn check(
        &mut self,
        check: &Check,
        address: NodeAddress,
        title: String,
        purpose: CheckPurpose,
        scope: &Scope,
        setting: &Setting,
    ) -> Option<(Node, bool)> {
        let caller = Caller { scope, at: address.as_str() };
        let BoundCall { call, reads } = caller.bind_read(check.uses, &check.with, self.problems)?;
        let spec = check.uses.spec();
        let every = check.every.unwrap_or(Duration::from_secs(2));
        let consecutive = check.consecutive.unwrap_or(1).max(1);
        let until = check.until.clone();
        let conditions = until.iter().chain(&setting.when);
        let early = !reads.steps
            && conditions.map(|it| scope.expression(it)).all(|it| it.is_ok_and(|reads| !reads.steps));
        let kind = NodeKind::Check { call, until, within: check.within, every, consecutive, purpose };
        let mut node = setting.node(address, title, kind);
        node.timeout = spec.timeout;
        let pauses = every.as_millis().saturating_mul(u64::from(consecutive - 1));
        node.estimate = spec.estimate.plus(Duration::from_millis(pauses));
        Some((node, early))
    }
}

/// The copy of a precheck for the start of the run: one look.
fn at_start(precheck: &Node) -> Node {
    let mut node = precheck.clone();
    node.address = NodeAddress::typed(format!("start/{}", precheck.address));
    node.title = format!("at the start: {}", precheck.title);
    if let NodeKind::Check { within, consecutive, purpose, .. } = &mut node.kind {
        *within = None;
        *consecutive = 1;
        *purpose = CheckPurpose::Start;
        node.estimate =
            precheck.call(Mode::Graceful).map_or(Duration::ZERO, |call| call.action.spec().estimate);
    }
    node.phase = Some(Phase::Assess);
    node.on_failure = OnFailure::Pause;
    node.lane = None;
    node
}
