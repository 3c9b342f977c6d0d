//! `DR0327`: steps that the recovery rests on and that are left out in every run of a mode. Judges no order.

use serde_json::Value;

use super::fences::Fences;
use super::scene::Scene;
use crate::compile::class::{Class, classes};
use crate::compile::diagnostic::Code;
use crate::compile::outline::{Entry, Outline, StepIndex};
use crate::compile::reporter::Reporter;
use crate::model::action::meaning::{Meaning, meaning};
use crate::model::expression::Context;
use crate::model::run::{Mode, Phase};
use crate::model::step::{ForEach, OtherUse, Variant};

const MODES: [Mode; 2] = [Mode::Ungraceful, Mode::Graceful];

/// What a step is there for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Of(Class),
    Scales,
}

/// Checks the failover.
pub(super) fn workflow(
    outline: &Outline<'_>,
    scenes: &[Scene<'_>],
    judge: &Fences<'_>,
    reporter: &mut Reporter<'_>,
) {
    let leaves: Vec<(StepIndex, &Entry<'_>, Vec<Part>)> = outline
        .leaves()
        .map(|(index, entry)| (index, entry, parts(entry, judge)))
        .filter(|(_, entry, parts)| !parts.is_empty() || !entry.step.verify.is_empty())
        .collect();
    let runs: Vec<[bool; 2]> = leaves
        .iter()
        .map(|(index, entry, parts)| {
            // What runs in some sites only is judged where its sites are.
            let items = parts.as_slice() != [Part::Scales];
            MODES.map(|mode| runs(outline, (*index, *entry, items), scenes, mode))
        })
        .collect();
    for ((index, entry, parts), own) in leaves.iter().zip(&runs) {
        let Some(missing) = (0..MODES.len()).find(|mode| own.get(*mode) == Some(&false)) else { continue };
        let instead = |part: Part| {
            leaves.iter().zip(&runs).any(|((other, candidate, theirs), runs)| {
                let does = theirs.contains(&part)
                    || (part == Part::Of(Class::Verify) && !candidate.step.verify.is_empty());
                let is_other = matches!(part, Part::Of(Class::Promote | Class::Fence));
                // Another database that is promoted anyway does not promote this one.
                let fits = !is_other || runs.contains(&false);
                other != index && does && fits && runs.get(missing) == Some(&true)
            })
        };
        if parts.iter().all(|part| instead(*part)) {
            continue;
        }
        let id = entry.id();
        let message = if *own == [false, false] {
            format!("the recovery rests on `{id}`, which is never performed")
        } else {
            let mode = MODES.get(missing).copied().unwrap_or(Mode::Ungraceful);
            format!("the recovery rests on `{id}`, which does nothing in a run that is {mode}")
        };
        let key = ["ungraceful", "when", "for_each"].into_iter().find(|key| has(entry, key));
        let pointer = format!("{}/{}", outline.pointer(*index), key.unwrap_or("id"));
        reporter.value(Code::LeftOut, &pointer, message).help(
            "let it run in both modes, or add the step that does it instead; an operator who may choose \
             needs a default that is safe",
        );
    }
}

fn has(entry: &Entry<'_>, key: &str) -> bool {
    match key {
        "ungraceful" => matches!(entry.step.ungraceful, Some(Variant::Skip | Variant::Other(_))),
        "when" => entry.step.when.is_some(),
        _ => entry.step.for_each.is_some(),
    }
}

fn parts(entry: &Entry<'_>, judge: &Fences<'_>) -> Vec<Part> {
    let Some(action) = entry.step.uses else { return Vec::new() };
    // What starts the old site again has a finding of its own.
    if judge.revives(entry).is_some() {
        return Vec::new();
    }
    let bits = classes(entry, judge);
    let all = [Class::Fence, Class::Promote, Class::Verify, Class::Shift];
    let mut parts: Vec<Part> =
        all.into_iter().filter(|class| bits & class.bit() != 0).map(Part::Of).collect();
    let changes = meaning(action, &entry.step.with) != Meaning::Looks;
    if entry.phase == Some(Phase::Scale) && changes {
        parts.push(Part::Scales);
    }
    parts
}

/// Whether a step may do what it is there for in a run of a mode, as far as that is known.
fn runs(
    outline: &Outline<'_>,
    (index, entry, items): (StepIndex, &Entry<'_>, bool),
    scenes: &[Scene<'_>],
    mode: Mode,
) -> bool {
    if mode == Mode::Ungraceful && only_looks_then(entry) {
        return false;
    }
    let skipped =
        |entry: &Entry<'_>| mode == Mode::Ungraceful && matches!(entry.step.ungraceful, Some(Variant::Skip));
    let nothing = Context::new(&Value::Object(serde_json::Map::new()));
    let in_scene = |scene: &Scene<'_>| {
        outline.chain(index).all(|entry| {
            let never = entry.step.when.as_ref().is_some_and(|when| scene.is_never_in(when, mode));
            let list = || scene.known_items(entry.step.for_each.as_ref());
            !never && (!items || list().is_none_or(|list| !list.is_empty()))
        })
    };
    let plainly = |entry: &Entry<'_>| {
        let never = |when: &crate::model::expression::Expression| when.is_true(&nothing) == Ok(false);
        let empty = matches!(&entry.step.for_each, Some(ForEach::Items(items)) if items.is_empty());
        !empty && !entry.step.when.as_ref().is_some_and(never)
    };
    let simple = outline.chain(index).all(|entry| entry.step.when.is_none() && entry.step.for_each.is_none());
    !outline.chain(index).any(skipped)
        && outline.chain(index).all(plainly)
        && (simple || scenes.is_empty() || scenes.iter().any(in_scene))
}

/// Whether what stands in for a step that changes something changes nothing.
fn only_looks_then(entry: &Entry<'_>) -> bool {
    let Some(Variant::Other(OtherUse { uses: Some(other), with, .. })) = &entry.step.ungraceful else {
        return false;
    };
    let own = entry.step.uses.map(|action| meaning(action, &entry.step.with));
    own.is_some_and(|own| own != Meaning::Looks) && meaning(*other, with) == Meaning::Looks
}
