//! What a failover calls while a site is gone: the actions of its steps and checks, with where they stand.
//! Leaves out what need not succeed then.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::scene::Scene;
use crate::compile::outline::{Entry, Outline, StepIndex};
use crate::compile::tree::escape;
use crate::model::action::{ActionName, Role};
use crate::model::policy::OnFailure;
use crate::model::run::Phase;
use crate::model::step::{Step, Variant};

/// An action that must succeed although the site is gone.
pub(super) struct Call<'r> {
    /// The step it belongs to.
    pub(super) step: StepIndex,
    pub(super) action: ActionName,
    /// Parameters as written.
    pub(super) with: Cow<'r, Map<String, Value>>,
    /// Where the action is named.
    pub(super) uses: String,
    /// Where each parameter stands: those of a variant first.
    places: Vec<(String, Vec<String>)>,
}

impl Call<'_> {
    /// Where a parameter stands, else the action.
    pub(super) fn place(&self, key: &str) -> String {
        let found = self.places.iter().find(|(_, keys)| keys.iter().any(|own| own == key));
        found.map_or_else(|| self.uses.clone(), |(with, _)| format!("{with}/{}", escape(key)))
    }
}

/// All calls of a workflow that a failover cannot do without in a scene.
pub(super) fn needed<'r>(outline: &Outline<'r>, scene: &Scene<'_>) -> Vec<Call<'r>> {
    let mut calls = Vec::new();
    for (index, entry) in outline.leaves() {
        if !is_spared(outline, index, entry) && !is_left_out(outline, index, scene) {
            of_step(entry.step, index, &outline.pointer(index), &mut calls);
        }
    }
    calls
}

/// A fence may stay unconfirmed; what stands after the recovery can wait; what may fail does not stop it.
fn is_spared(outline: &Outline<'_>, index: StepIndex, entry: &Entry<'_>) -> bool {
    let later = matches!(entry.phase, Some(Phase::Commit | Phase::Cleanup | Phase::Reprotect));
    let fences = entry.phase == Some(Phase::Fence) || entry.role() == Role::Fence;
    let may_fail = outline.chain(index).any(|entry| {
        entry.step.on_failure == Some(OnFailure::Continue)
            || entry.step.min_success.is_some()
            || matches!(&entry.step.ungraceful, Some(Variant::Other(other)) if other.min_success.is_some())
    });
    later || fences || may_fail
}

/// Whether a step is certainly not performed in a scene.
pub(super) fn is_left_out(outline: &Outline<'_>, index: StepIndex, scene: &Scene<'_>) -> bool {
    outline.chain(index).any(|entry| {
        entry.step.ungraceful == Some(Variant::Skip)
            || entry.step.when.as_ref().is_some_and(|when| scene.is_never(when))
    })
}

fn of_step<'r>(step: &'r Step, index: StepIndex, pointer: &str, calls: &mut Vec<Call<'r>>) {
    let Some(action) = step.uses else { return };
    let keys = |with: &Map<String, Value>| with.keys().cloned().collect::<Vec<_>>();
    let own = (format!("{pointer}/with"), keys(&step.with));
    let uses = format!("{pointer}/uses");
    calls.push(match &step.ungraceful {
        Some(Variant::Other(other)) => {
            let variant = (format!("{pointer}/ungraceful/with"), keys(&other.with));
            if let Some(action) = other.uses {
                Call {
                    step: index,
                    action,
                    with: Cow::Borrowed(&other.with),
                    uses: format!("{pointer}/ungraceful/uses"),
                    places: vec![variant],
                }
            } else {
                let mut with = step.with.clone();
                with.extend(other.with.clone());
                Call { step: index, action, with: Cow::Owned(with), uses, places: vec![variant, own] }
            }
        }
        Some(Variant::Run | Variant::Skip) | None => {
            Call { step: index, action, with: Cow::Borrowed(&step.with), uses, places: vec![own] }
        }
    });
    for (key, checks) in [("precheck", &step.precheck), ("verify", &step.verify)] {
        for (at, check) in checks.iter().enumerate() {
            let pointer = format!("{pointer}/{key}/{at}");
            calls.push(Call {
                step: index,
                action: check.uses,
                with: Cow::Borrowed(&check.with),
                uses: format!("{pointer}/uses"),
                places: vec![(format!("{pointer}/with"), keys(&check.with))],
            });
        }
    }
}
