//! Makes the nodes of one step that performs an action: approval, prechecks, the action itself, verifies.
//! Knows of no edges to other steps.

use serde_json::{Map, Value};

use super::calls::Caller;
use super::context::Scope;
use super::draft::{Class, Leaf, Setting};
use super::error::Problem;
use super::expand::{Expander, Span, is_counted};
use super::fan_out::Item;
use super::node::{Call, Node, NodeIndex, NodeKind, NodeVariant, PlannedUndo};
use crate::model::action::{Action, ActionName, meaning};
use crate::model::expression::Expression;
use crate::model::id::NodeAddress;
use crate::model::limits;
use crate::model::policy::{Approval, OnExpiry};
use crate::model::step::{Step, Undo, Variant};
use crate::model::time::Duration;

impl<'a> Expander<'a> {
    /// A step that performs one action once.
    pub(super) fn single(&mut self, step: &'a Step, uses: ActionName, setting: &Setting) -> Span {
        if matches!(&step.ungraceful, Some(Variant::Other(other)) if other.min_success.is_some())
            || step.min_success.is_some()
        {
            let help = "`min_success` belongs to `for_each` and `parallel`";
            self.problems.push(Problem::new(format!("step `{}` has no members to count", step.id), help));
        }
        let approval = self.approval(step, setting);
        let scope = self.scope;
        let mut span = self.unit(step, uses, &NodeAddress::step(&step.id), scope, setting);
        self.draft.connect(&span.entries, &approval);
        let main = span.exits.first().copied();
        self.leaf(setting, main.into_iter().collect(), span.exits.clone());
        if !approval.is_empty() {
            span.all.extend(&approval);
            span.entries = approval;
        }
        span
    }

    /// A step that performs one action for each item.
    pub(super) fn fan_out(
        &mut self,
        step: &'a Step,
        uses: ActionName,
        setting: &Setting,
        items: &[Item],
    ) -> Span {
        let approval = self.approval(step, setting);
        let (mut entries, mut members, mut gathered, mut mains) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let before = self.problems.len();
        for item in items {
            // What is wrong with one item is likely wrong with all; one is enough to say so.
            if self.problems.len() > before || self.draft.nodes.len() > limits::PLAN_NODES {
                break;
            }
            let scope = self.scope.of_item(&item.value);
            let title = format!("{} [{}]", setting.title, item.text);
            let setting = Setting { item: Some(item.value.clone()), title, ..setting.clone() };
            let mut span = self.unit(step, uses, &NodeAddress::item(&step.id, &item.text), &scope, &setting);
            mains.extend(span.exits.first());
            if is_counted(step) {
                span = self.as_one(step, span, &setting);
            }
            entries.extend(&span.entries);
            gathered.extend(&span.exits);
            members.extend(span.exits);
        }
        self.draft.connect(&entries, &approval);
        let group = self.join(step, setting, members, &gathered);
        self.leaf(setting, mains, vec![group]);
        if entries.is_empty() {
            self.draft.connect(&[group], &approval);
            entries.push(group);
        }
        let all = approval.iter().copied().chain([group]).collect();
        Span { entries: if approval.is_empty() { entries } else { approval }, exits: vec![group], all }
    }

    /// Prechecks, action and verifies at one address.
    fn unit(
        &mut self,
        step: &Step,
        uses: ActionName,
        address: &NodeAddress,
        scope: &Scope,
        setting: &Setting,
    ) -> Span {
        let prechecks = self.prechecks(step, address, scope, setting);
        let node = self.main(step, uses, address.clone(), scope, setting);
        let main = self.draft.push(node);
        self.draft.connect(&[main], &prechecks);
        let verifies = self.verifies(step, address, scope, setting);
        self.draft.connect(&verifies, &[main]);
        let exits: Vec<_> = std::iter::once(main).chain(verifies).collect();
        let all = prechecks.iter().chain(&exits).copied().collect();
        Span { entries: if prechecks.is_empty() { vec![main] } else { prechecks }, exits, all }
    }

    fn leaf(&mut self, setting: &Setting, mains: Vec<NodeIndex>, exits: Vec<NodeIndex>) {
        self.draft.leaves.push(Leaf { phase: setting.phase, class: Class::default(), mains, exits });
    }

    /// The node that performs the step's action.
    fn main(
        &mut self,
        step: &Step,
        uses: ActionName,
        address: NodeAddress,
        scope: &Scope,
        setting: &Setting,
    ) -> Node {
        let caller = Caller { scope, at: address.as_str() };
        let spec = uses.spec();
        let bound = caller.bind(uses, &step.with, self.problems);
        let call = bound.map_or_else(|| unbound(uses), |bound| bound.call);
        let by_itself =
            |call: &Call| meaning::reversibility(setting.phase, call.action, &call.with, step.undo.is_some());
        let reversibility = step.reversibility.as_ref().map_or_else(|| by_itself(&call), |given| given.class);
        let variant = self.variant(step, uses, &caller);
        let undo = match &step.undo {
            Some(Undo::Auto) => Some(PlannedUndo::Auto),
            Some(Undo::Use(undo)) => {
                caller.bind(undo.uses, &undo.with, self.problems).map(|bound| PlannedUndo::Call(bound.call))
            }
            None => None,
        };
        let waits = wait(&call);
        let kind = self.kind(step, call);
        let mut node = setting.node(address, setting.title.clone(), kind);
        node.timeout = step.timeout.unwrap_or(waits.map_or(spec.timeout, |waits| waits.max(spec.timeout)));
        node.deadline = step.deadline;
        node.estimate = step.estimate.or(waits).unwrap_or(spec.estimate);
        node.retry = step.retry.clone().unwrap_or_default();
        node.reversibility = reversibility;
        node.ungraceful = node.ungraceful.or(variant);
        node.undo = undo;
        node.undo_after_failure = step.undo_after_failure.unwrap_or(false);
        node.outputs = step.outputs.iter().map(|(name, value)| (name.clone(), output(value))).collect();
        node.manual = self.manual(step, scope);
        node
    }

    fn variant(&mut self, step: &Step, uses: ActionName, caller: &Caller<'_>) -> Option<NodeVariant> {
        let Some(Variant::Other(other)) = &step.ungraceful else { return None };
        if other.uses.is_none() && other.with.is_empty() {
            return None;
        }
        let action = other.uses.unwrap_or(uses);
        if family(action) != family(uses) || action == ActionName::ApprovalRequest {
            let help = "use `ungraceful: skip` here and a second step with a `when` on `mode`";
            let what = format!("`{}`: `ungraceful` cannot make {action} of {uses}", caller.at);
            self.problems.push(Problem::new(what, help));
            return None;
        }
        let mut with = if other.uses.is_some() { Map::new() } else { step.with.clone() };
        with.extend(other.with.clone());
        caller.bind(action, &with, self.problems).map(|bound| NodeVariant::Call(bound.call))
    }

    fn kind(&mut self, step: &Step, call: Call) -> NodeKind {
        match family(call.action) {
            Family::Effect => NodeKind::Effect { call },
            Family::Manual => NodeKind::Manual { call },
            Family::Wait => NodeKind::Wait { call },
            Family::Assert => NodeKind::Assert { call },
            Family::Approval => NodeKind::Approval { approval: self.requested(step, call.with) },
        }
    }

    /// The approval asked for by an `approval.request` step; its message may still hold templates.
    fn requested(&mut self, step: &Step, with: Map<String, Value>) -> Approval {
        let asked = match Action::new(ActionName::ApprovalRequest, Value::Object(with)) {
            Ok(Action::ApprovalRequest(asked)) => Some(asked),
            Ok(_) => None,
            Err(error) => {
                let help = "only its `message` may read what is known during the run";
                self.problems.push(Problem::new(format!("`{}`: {error}", step.id), help));
                None
            }
        };
        Approval {
            roles: asked.as_ref().map(|asked| asked.roles.clone()).unwrap_or_default(),
            quorum: asked.as_ref().and_then(|asked| asked.quorum).unwrap_or(1).max(1),
            expires: asked.as_ref().and_then(|asked| asked.expires),
            on_expiry: asked.as_ref().and_then(|asked| asked.on_expiry).unwrap_or(OnExpiry::Hold),
            not_by: asked.as_ref().map(|asked| asked.not_by.clone()).unwrap_or_default(),
            message: asked.and_then(|asked| asked.message),
        }
    }
}

/// What performs an action: a provider, or the engine in one of its ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Effect,
    Approval,
    Manual,
    Wait,
    Assert,
}

fn family(action: ActionName) -> Family {
    match action {
        ActionName::ApprovalRequest => Family::Approval,
        ActionName::ManualTask => Family::Manual,
        ActionName::WaitFor => Family::Wait,
        ActionName::AssertThat => Family::Assert,
        _ => Family::Effect,
    }
}

/// How long a `wait.for` waits, where that is known.
fn wait(call: &Call) -> Option<Duration> {
    if call.action != ActionName::WaitFor {
        return None;
    }
    call.with.get("duration")?.as_str()?.parse().ok()
}

/// Stands for a call that could not be bound; the plan is refused anyway.
fn unbound(action: ActionName) -> Call {
    Call { action, with: Map::new(), deferred: true, sensitive: false, child: None }
}

fn output(value: &Value) -> Expression {
    value.as_str().map_or_else(|| Expression::new(value.to_string()), Expression::new)
}
