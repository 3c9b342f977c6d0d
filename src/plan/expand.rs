//! Turns the steps of a workflow into nodes: actions, groups, fan-outs, checks, approvals. Orders nothing by
//! itself.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::context::Scope;
use super::draft::{Draft, Setting};
use super::error::{Problem, did_you_mean};
use super::fan_out;
use super::node::{CheckPurpose, Lane, Node, NodeIndex, NodeKind, NodeVariant};
use crate::model::expression::Expression;
use crate::model::id::{NodeAddress, StepId};
use crate::model::limits;
use crate::model::policy::Stragglers;
use crate::model::step::{Check, Step, Variant};

/// What became of a step, as far as other steps are concerned.
#[derive(Debug, Clone, Default)]
pub(super) struct Span {
    /// Nodes that wait for what the step needs.
    pub(super) entries: Vec<NodeIndex>,
    /// Nodes that whatever needs the step waits for.
    pub(super) exits: Vec<NodeIndex>,
    /// Every node of the step, but of a group's members only the group.
    pub(super) all: Vec<NodeIndex>,
}

/// A need that can be resolved only when every step is known.
struct Link<'a> {
    entries: Vec<NodeIndex>,
    need: &'a StepId,
    by: &'a StepId,
}

/// Makes nodes of steps.
pub(super) struct Expander<'a> {
    pub(super) scope: &'a Scope,
    pub(super) draft: Draft,
    pub(super) problems: &'a mut Vec<Problem>,
    pub(super) lanes: u32,
    links: Vec<Link<'a>>,
    exits: HashMap<&'a StepId, Vec<NodeIndex>>,
}

/// Makes the draft of steps, which take over what is around them.
pub(super) fn expand<'a>(
    steps: &'a [Step],
    scope: &'a Scope,
    around: &Setting,
    problems: &'a mut Vec<Problem>,
) -> Draft {
    let draft = Draft::default();
    let mut expander =
        Expander { scope, draft, problems, lanes: 0, links: Vec::new(), exits: HashMap::new() };
    let mut before: Vec<NodeIndex> = Vec::new();
    for step in steps {
        let span = expander.step(step, around, false);
        match &step.needs {
            None => expander.draft.connect(&span.entries, &before),
            Some(needs) => expander.link(&span.entries, needs, &step.id),
        }
        before = span.exits;
    }
    expander.resolve();
    let mut draft = expander.draft;
    let nodes = draft.nodes.iter().enumerate();
    let roots = nodes.filter(|(_, node)| node.needs.is_empty()).map(|(index, _)| NodeIndex::try_from(index));
    draft.roots = roots.filter_map(Result::ok).collect();
    draft
}

/// Makes nodes of checks that belong to no step, at `at-1` and so on.
pub(super) fn looks(
    checks: &[Check],
    at: &str,
    purpose: CheckPurpose,
    scope: &Scope,
    setting: &Setting,
    problems: &mut Vec<Problem>,
) -> Vec<Node> {
    let (links, exits) = (Vec::new(), HashMap::new());
    let mut expander = Expander { scope, draft: Draft::default(), problems, lanes: 0, links, exits };
    let numbered = (1..).zip(checks);
    let nodes = numbered.filter_map(|(number, check)| {
        let address = NodeAddress::typed(format!("{at}-{number}"));
        let title = format!("{} {number}", setting.title);
        expander.check(check, address, title, purpose, scope, setting).map(|(node, _)| node)
    });
    nodes.collect()
}

impl<'a> Expander<'a> {
    /// Makes nodes of one step. `counted`: the step is a member of a group that not all members need to pass.
    fn step(&mut self, step: &'a Step, around: &Setting, counted: bool) -> Span {
        if self.draft.nodes.len() > limits::PLAN_NODES {
            return Span::default();
        }
        let setting = self.setting(step, around);
        let span = match (step.uses, step.parallel.is_empty(), &step.for_each) {
            (Some(uses), true, None) => self.single(step, uses, &setting),
            (Some(uses), true, Some(for_each)) => {
                let items = fan_out::items(self.scope, step, for_each, self.problems);
                self.fan_out(step, uses, &setting, &items)
            }
            (None, false, None) => self.group(step, &setting),
            (_, _, _) => {
                let help = "a step has `uses`, alone or with `for_each`, or it has `parallel`";
                self.problems
                    .push(Problem::new(format!("step `{}` is neither an action nor a group", step.id), help));
                Span::default()
            }
        };
        if self.exits.insert(&step.id, span.exits.clone()).is_some() {
            let help = "give one of them another id";
            self.problems.push(Problem::new(format!("two steps have the id `{}`", step.id), help));
        }
        if counted { self.as_one(step, span, &setting) } else { span }
    }

    fn setting(&mut self, step: &Step, around: &Setting) -> Setting {
        let when = match (&around.when, &step.when) {
            (Some(outer), Some(inner)) => {
                Some(Expression::new(format!("({}) and ({})", outer.as_str(), inner.as_str())))
            }
            (one, other) => other.as_ref().or(one.as_ref()).cloned(),
        };
        let lane = step.max_parallel.map(|width| {
            self.lanes += 1;
            Lane { id: self.lanes, width: width.max(1) }
        });
        Setting {
            step: Some(step.id.clone()),
            title: step.name.clone().unwrap_or_else(|| step.id.to_string()),
            phase: step.phase.or(around.phase),
            when,
            on_failure: step.on_failure.or(around.on_failure),
            lane: lane.or(around.lane),
            item: None,
            skip: around.skip || step.ungraceful == Some(Variant::Skip),
            drill: around.drill.map(|place| place.inside(step)),
        }
    }

    /// A group of steps that start together.
    fn group(&mut self, step: &'a Step, setting: &Setting) -> Span {
        let address = NodeAddress::step(&step.id);
        let approval = self.approval(step, setting);
        let prechecks = self.prechecks(step, &address, self.scope, setting);
        self.draft.connect(&prechecks, &approval);
        let counted = is_counted(step);
        let inside: HashSet<&StepId> = ids(&step.parallel).collect();
        let mut members = Vec::new();
        let mut entries = Vec::new();
        let mut gathered = Vec::new();
        for member in &step.parallel {
            let span = self.step(member, setting, counted);
            let needs = member.needs.as_deref().unwrap_or_default();
            self.link(&span.entries, needs, &member.id);
            // A member that waits for another one waits for the group's needs through it.
            if !needs.iter().any(|need| inside.contains(need)) {
                entries.extend(&span.entries);
            }
            gathered.extend(&span.exits);
            members.extend(if counted { span.all } else { span.exits });
        }
        self.draft.connect(&entries, if prechecks.is_empty() { &approval } else { &prechecks });
        let group = self.join(step, setting, members, &gathered);
        let verifies = self.verifies(step, &address, self.scope, setting);
        self.draft.connect(&verifies, &[group]);
        if entries.is_empty() {
            entries.push(group);
        }
        let entries =
            [&approval, &prechecks].into_iter().find(|layer| !layer.is_empty()).unwrap_or(&entries).clone();
        let exits: Vec<_> = std::iter::once(group).chain(verifies).collect();
        let all = approval.into_iter().chain(prechecks).chain(exits.iter().copied()).collect();
        Span { entries, exits, all }
    }

    /// The node at which the members of a group come together.
    pub(super) fn join(
        &mut self,
        step: &Step,
        setting: &Setting,
        members: Vec<NodeIndex>,
        needs: &[NodeIndex],
    ) -> NodeIndex {
        let stragglers = step.stragglers.unwrap_or(Stragglers::Run);
        let kind = NodeKind::Group { members, min_success: step.min_success, stragglers };
        let mut node = setting.node(NodeAddress::step(&step.id), setting.title.clone(), kind);
        node.lane = None;
        node.deadline = step.deadline;
        // Of a fanned-out step each item has its own text, which may read `item`.
        node.manual = if step.for_each.is_none() { self.manual(step, self.scope) } else { None };
        if let Some(Variant::Other(other)) = &step.ungraceful {
            if !setting.skip {
                node.ungraceful = other.min_success.map(NodeVariant::MinSuccess);
            }
            if step.uses.is_none() && (other.uses.is_some() || !other.with.is_empty()) {
                let help = "write `ungraceful` on its members, or give it `skip` or `min_success`";
                let what = format!("group `{}` performs no action that `ungraceful` could replace", step.id);
                self.problems.push(Problem::new(what, help));
            }
        }
        let group = self.draft.push(node);
        self.draft.connect(&[group], needs);
        group
    }

    /// Gathers all nodes of a member under one, so that the group around it counts the member once.
    pub(super) fn as_one(&mut self, step: &Step, span: Span, setting: &Setting) -> Span {
        if span.all.len() <= 1 {
            return span;
        }
        let first = span.all.first().map(|index| self.draft.node(*index).item.clone());
        let mut setting = setting.clone();
        setting.item = first.flatten();
        let address = span
            .exits
            .first()
            .map_or_else(|| NodeAddress::step(&step.id), |exit| self.draft.node(*exit).address.clone());
        let kind = NodeKind::Group { members: span.all, min_success: None, stragglers: Stragglers::Run };
        let title = format!("all of {}", self.draft.node(span.exits[0]).title);
        let mut node = setting.node(address.part("all"), title, kind);
        node.lane = None;
        let whole = self.draft.push(node);
        self.draft.connect(&[whole], &span.exits);
        Span { entries: span.entries, exits: vec![whole], all: vec![whole] }
    }

    fn link(&mut self, entries: &[NodeIndex], needs: &'a [StepId], by: &'a StepId) {
        for need in needs {
            self.links.push(Link { entries: entries.to_vec(), need, by });
        }
    }

    fn resolve(&mut self) {
        for link in std::mem::take(&mut self.links) {
            if let Some(exits) = self.exits.get(link.need) {
                self.draft.connect(&link.entries, exits);
                continue;
            }
            let help = did_you_mean(link.need.as_str(), self.exits.keys().map(|id| id.as_str()));
            let what =
                format!("step `{}` needs `{}`, which is not a step of this workflow", link.by, link.need);
            self.problems.push(Problem::new(what, help));
        }
    }

    /// The text of `manual`, with what is known filled in.
    pub(super) fn manual(&mut self, step: &Step, scope: &Scope) -> Option<String> {
        let text = Value::String(step.manual.clone()?);
        match scope.render(&text, "manual") {
            Ok((Value::String(text), _)) => Some(text),
            Ok((other, _)) => Some(other.to_string()),
            Err(message) => {
                let help = "correct the template, or write the braces as `{{ '{{' }}`";
                self.problems.push(Problem::new(format!("step `{}`: {message}", step.id), help));
                None
            }
        }
    }
}

/// Says whether a group may go on without some of its members.
pub(super) fn is_counted(step: &Step) -> bool {
    let ungraceful = matches!(&step.ungraceful, Some(Variant::Other(other)) if other.min_success.is_some());
    step.min_success.is_some() || ungraceful
}

/// The ids of steps and of all steps inside them.
fn ids<'a>(steps: &'a [Step]) -> Box<dyn Iterator<Item = &'a StepId> + 'a> {
    Box::new(steps.iter().flat_map(|step| std::iter::once(&step.id).chain(ids(&step.parallel))))
}
