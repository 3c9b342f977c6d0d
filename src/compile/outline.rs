//! The steps of a workflow in one list, with their place, group and effective phase. Never judges them.

use std::collections::HashMap;

use super::schema::Gaps;
use crate::model::action::{Effect, Role, meaning, traits};
use crate::model::policy::Reversibility;
use crate::model::run::Phase;
use crate::model::step::Step;

/// Position of a step in its [`Outline`].
pub(super) type StepIndex = usize;

/// A step and where it stands.
pub(super) struct Entry<'r> {
    pub(super) step: &'r Step,
    /// The group it is a member of.
    pub(super) group: Option<StepIndex>,
    /// The step before it in its list.
    pub(super) previous: Option<StepIndex>,
    pub(super) depth: usize,
    /// Its own phase, or that of the nearest group around it.
    pub(super) phase: Option<Phase>,
    /// Position in the authored list, which may hold broken steps as well.
    at: usize,
}

/// All steps of a workflow, groups before their members.
pub(super) struct Outline<'r> {
    pub(super) name: &'static str,
    pub(super) entries: Vec<Entry<'r>>,
    /// The first step of each id.
    pub(super) by_id: HashMap<&'r str, StepIndex>,
    /// Whether something that decides about order could not be read.
    pub(super) incomplete: bool,
    gaps: &'r Gaps,
    base: String,
}

impl<'r> Outline<'r> {
    pub(super) fn new(name: &'static str, steps: &'r [Step], gaps: &'r Gaps) -> Self {
        let mut outline = Self::at(name, format!("/workflows/{name}/steps"), steps, gaps);
        outline.incomplete |= gaps.contains(&format!("/workflows/{name}"));
        outline
    }

    /// As [`Outline::new`], for steps that stand elsewhere; `base` is the pointer of their list.
    pub(super) fn at(name: &'static str, base: String, steps: &'r [Step], gaps: &'r Gaps) -> Self {
        let (entries, by_id) = (Vec::new(), HashMap::new());
        let mut outline = Self { name, entries, by_id, incomplete: false, gaps, base };
        outline.list(steps, None);
        outline
    }

    fn list(&mut self, steps: &'r [Step], group: Option<StepIndex>) {
        let gaps = self.gaps;
        let list = group.map_or_else(|| self.base(), |group| format!("{}/parallel", self.pointer(group)));
        let depth = group.and_then(|group| self.entries.get(group)).map_or(0, |entry| entry.depth + 1);
        let around = group.and_then(|group| self.entries.get(group)).and_then(|entry| entry.phase);
        let (mut at, mut previous) = (0, None);
        for step in steps {
            while !gaps.is_empty() && gaps.contains(&format!("{list}/{at}")) {
                self.incomplete = true;
                at += 1;
            }
            let index = self.entries.len();
            self.entries.push(Entry { step, group, previous, depth, phase: step.phase.or(around), at });
            self.by_id.entry(step.id.as_str()).or_insert(index);
            if !gaps.is_empty() {
                self.incomplete |= self.lacks(index);
            }
            self.list(&step.parallel, Some(index));
            // Members of a group start together.
            previous = if group.is_none() { Some(index) } else { None };
            at += 1;
        }
        self.incomplete |= !gaps.is_empty() && gaps.contains(&format!("{list}/{at}"));
    }

    /// Says whether a key of a step was there but could not be read.
    pub(super) fn lost(&self, index: StepIndex, key: &str) -> bool {
        !self.gaps.is_empty() && self.gaps.contains(&format!("{}/{key}", self.pointer(index)))
    }

    fn lacks(&self, index: StepIndex) -> bool {
        let gone = |key: &str| self.lost(index, key);
        let phase = self.entries.get(index).and_then(|entry| entry.phase);
        gone("phase") || gone("needs") || gone("parallel") || (gone("uses") && phase.is_none())
    }

    fn base(&self) -> String {
        self.base.clone()
    }

    /// JSON pointer of a step.
    pub(super) fn pointer(&self, index: StepIndex) -> String {
        match self.entries.get(index) {
            None => self.base(),
            Some(Entry { group: None, at, .. }) => format!("{}/{at}", self.base()),
            Some(Entry { group: Some(group), at, .. }) => format!("{}/parallel/{at}", self.pointer(*group)),
        }
    }

    /// The step an expression means: by its id, or by its id with `_` for `-`, which reads like a name.
    pub(super) fn named(&self, name: &str) -> Option<StepIndex> {
        let found = self.by_id.get(name).copied();
        found.or_else(|| self.by_id.get(name.replace('_', "-").as_str()).copied())
    }

    /// Ids of all steps, in the order of the text.
    pub(super) fn ids(&self) -> impl Iterator<Item = &'r str> + '_ {
        self.entries.iter().map(|entry| entry.step.id.as_str())
    }

    /// The step and the groups around it, from the inside out.
    pub(super) fn chain(&self, index: StepIndex) -> impl Iterator<Item = &Entry<'r>> {
        std::iter::successors(self.entries.get(index), |entry| self.entries.get(entry.group?))
    }

    /// Steps that perform an action, with their position.
    pub(super) fn leaves(&self) -> impl Iterator<Item = (StepIndex, &Entry<'r>)> {
        self.entries.iter().enumerate().filter(|(_, entry)| entry.step.parallel.is_empty())
    }
}

impl Entry<'_> {
    pub(super) fn id(&self) -> &str {
        self.step.id.as_str()
    }

    pub(super) fn role(&self) -> Role {
        self.step.uses.map_or(Role::Ordinary, |action| action.spec().role)
    }

    /// Whether the step changes the estate.
    pub(super) fn changes(&self) -> bool {
        self.step.uses.is_some_and(|action| traits::effect(action, &self.step.with) == Effect::Mutate)
    }

    /// Whether what the step changes cannot be taken back.
    pub(super) fn is_irreversible(&self) -> bool {
        self.changes() && self.reversibility() == Reversibility::Irreversible
    }

    fn reversibility(&self) -> Reversibility {
        let step = self.step;
        let own = step.reversibility.as_ref().map(|own| own.class);
        let by_itself = |action| meaning::reversibility(self.phase, action, &step.with, step.undo.is_some());
        own.or(step.uses.map(by_itself)).unwrap_or(Reversibility::Reversible)
    }
}
