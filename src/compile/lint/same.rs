//! `DR0329` among steps: a promotion or a start of the very thing that a fence stops. Compares what calls
//! name while a site is lost.

use serde_json::Value;

use super::call::is_left_out;
use super::scene::Scene;
use super::thing::thing;
use crate::compile::diagnostic::Code;
use crate::compile::outline::{Entry, Outline, StepIndex};
use crate::compile::reporter::Reporter;
use crate::model::action::meaning::{self, Meaning};
use crate::model::run::Phase;

/// Checks the failover.
pub(super) fn workflow(outline: &Outline<'_>, scenes: &[Scene<'_>], reporter: &mut Reporter<'_>) {
    // Components are told so at their own place; what is aimed at the wrong side has findings of its own.
    if [Code::SameThing, Code::WrongSiteFenced, Code::OldSiteStarted]
        .into_iter()
        .any(|it| reporter.has_any(it))
    {
        return;
    }
    for scene in scenes {
        let there: Vec<(StepIndex, &Entry<'_>, Meaning, Vec<String>)> = outline
            .leaves()
            .filter(|(index, _)| !is_left_out(outline, *index, scene))
            .filter_map(|(index, entry)| {
                let (meaning, things) = named(entry, scene)?;
                Some((index, entry, meaning, things))
            })
            .collect();
        let stops = there.iter().filter(|(_, entry, meaning, _)| {
            *meaning == Meaning::Stops && matches!(entry.phase, None | Some(Phase::Fence))
        });
        let stops: Vec<_> = stops.collect();
        for (index, entry, meaning, things) in &there {
            let starts = matches!(meaning, Meaning::Promotes | Meaning::Grows | Meaning::Consumes);
            let after = matches!(entry.phase, Some(Phase::Cleanup | Phase::Reprotect | Phase::Commit));
            let fence = stops
                .iter()
                .find(|(_, _, _, stopped)| starts && !after && stopped.iter().any(|it| things.contains(it)));
            let Some((_, fence, ..)) = fence else { continue };
            let message =
                format!("`{}` starts or promotes the very thing that `{}` stops", entry.id(), fence.id());
            reporter.value(Code::SameThing, &format!("{}/id", outline.pointer(*index)), message).help(
                "aim the fence at what is `from`'s and this step at what is `to`'s; see whether the two sites name \
                 one and the same",
            );
            return;
        }
    }
}

/// What a step does, and the things it names while a site is lost.
fn named(entry: &Entry<'_>, scene: &Scene<'_>) -> Option<(Meaning, Vec<String>)> {
    let action = entry.step.uses?;
    let of_item = |item: &Option<Value>| {
        let with = scene.render(&entry.step.with, item.as_ref());
        Some((meaning::meaning(action, &with), thing(action, &with)?))
    };
    let found: Vec<_> = scene.items(entry.step.for_each.as_ref()).iter().filter_map(of_item).collect();
    let meaning = found.first()?.0;
    Some((meaning, found.into_iter().map(|(_, thing)| thing).collect()))
}
