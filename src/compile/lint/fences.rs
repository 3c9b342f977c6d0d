//! Which steps stop the old primary from accepting writes, and which start it again, while a site is lost.
//! Takes an author's word for what only the author can know.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::scene::Scene;
use crate::compile::outline::Entry;
use crate::model::action::ActionName;
use crate::model::action::meaning::{self, Aim, Meaning};
use crate::model::expression::Context;
use crate::model::id::SiteName;
use crate::model::runbook::Runbook;
use crate::model::step::{OtherUse, Variant};
use crate::model::values::Site;

/// Why a step of phase `fence` is no fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::compile) enum NoFence<'r> {
    /// It only looks, copies, starts something or sends users elsewhere.
    StopsNothing,
    /// Its condition is false whatever happens.
    Never,
    /// It is fanned out over nothing.
    NoItems,
    /// It works on another site than the one that is left.
    WrongSite(&'r SiteName),
}

/// Judges steps; without scenes by what is written alone.
pub(in crate::compile) struct Fences<'a> {
    runbook: &'a Runbook,
    scenes: &'a [Scene<'a>],
}

impl<'a> Fences<'a> {
    pub(super) fn new(runbook: &'a Runbook, scenes: &'a [Scene<'a>]) -> Self {
        Self { runbook, scenes }
    }

    /// Judges steps of a workflow that leaves another site than the scenes say.
    pub(in crate::compile) fn unplaced(runbook: &'a Runbook) -> Self {
        Self { runbook, scenes: &[] }
    }

    /// Whether a step fences, in every scene.
    pub(in crate::compile) fn judge(&self, entry: &Entry<'_>) -> Result<(), NoFence<'a>> {
        let calls: Vec<_> = calls(entry).collect();
        if !calls.iter().any(|(action, with)| meaning::fences(entry.phase, *action, with)) {
            return Err(NoFence::StopsNothing);
        }
        let nothing = Context::new(&Value::Object(Map::new()));
        if entry.step.when.as_ref().is_some_and(|when| when.is_true(&nothing).is_ok_and(|truth| !truth)) {
            return Err(NoFence::Never);
        }
        self.scenes.iter().try_for_each(|scene| self.judge_in(scene, entry, &calls))
    }

    fn judge_in(
        &self,
        scene: &'a Scene<'a>,
        entry: &Entry<'_>,
        calls: &[(ActionName, Cow<'_, Map<String, Value>>)],
    ) -> Result<(), NoFence<'a>> {
        if entry.step.when.as_ref().is_some_and(|when| scene.is_never(when)) {
            return Err(NoFence::Never);
        }
        let Some(items) = scene.known_items(entry.step.for_each.as_ref()) else { return Ok(()) };
        if items.is_empty() {
            return Err(NoFence::NoItems);
        }
        let mut wrong = NoFence::StopsNothing;
        for (action, with) in calls {
            for item in &items {
                let with = scene.render(with, item.as_ref());
                match self.elsewhere(scene, *action, &with) {
                    Some(site) => wrong = NoFence::WrongSite(site),
                    None if meaning::fences(entry.phase, *action, &with) => return Ok(()),
                    None => {}
                }
            }
        }
        Err(wrong)
    }

    /// The site a call works on, when that is surely not the one that is left.
    fn elsewhere(
        &self,
        scene: &Scene<'_>,
        action: ActionName,
        with: &Map<String, Value>,
    ) -> Option<&'a SiteName> {
        let aim = |others: &[&Site]| meaning::aim(action, with, scene.site, others.iter().copied());
        let others: Vec<(&SiteName, &Site)> =
            self.runbook.sites.iter().filter(|(name, _)| *name != scene.lost).collect();
        let all: Vec<&Site> = others.iter().map(|(_, site)| *site).collect();
        if aim(&all) != Aim::Elsewhere {
            return None;
        }
        others.into_iter().find(|(_, site)| aim(&[site]) == Aim::Elsewhere).map(|(name, _)| name)
    }

    /// Where a step sends users: elsewhere in one of the scenes, to the site that is left in all of them, or
    /// nobody can tell.
    pub(in crate::compile) fn sends_to(&self, entry: &Entry<'_>) -> Aim {
        let Some(action) = entry.step.uses else { return Aim::Unknown };
        let mut aims = self.scenes.iter().map(|scene| scene.sends_to(action, &entry.step.with)).peekable();
        let (mut all_from, some) = (true, aims.peek().is_some());
        for aim in aims {
            match aim {
                Aim::Elsewhere => return Aim::Elsewhere,
                Aim::From => {}
                Aim::Unknown => all_from = false,
            }
        }
        if all_from && some { Aim::From } else { Aim::Unknown }
    }

    /// The site that a step starts again although the service leaves it, in one of the scenes.
    pub(in crate::compile) fn revives(&self, entry: &Entry<'_>) -> Option<&'a SiteName> {
        let calls: Vec<_> = calls(entry).collect();
        let starts = |action: ActionName, with: &Map<String, Value>| {
            matches!(meaning::meaning(action, with), Meaning::Consumes | Meaning::Grows)
        };
        let at_from = |scene: &&Scene<'_>| {
            let others = self.runbook.sites.iter().filter(|(name, _)| *name != scene.lost);
            let others: Vec<&Site> = others.map(|(_, site)| site).collect();
            let aims = |action: ActionName, with: &Map<String, Value>| {
                meaning::aim(action, with, scene.site, others.iter().copied()) == Aim::From
            };
            calls.iter().any(|(action, with)| {
                scene.items(entry.step.for_each.as_ref()).iter().any(|item| {
                    let with = scene.render(with, item.as_ref());
                    starts(*action, &with) && aims(*action, &with)
                })
            })
        };
        let never = |scene: &&Scene<'_>| entry.step.when.as_ref().is_some_and(|when| scene.is_never(when));
        // Most steps start nothing at all: those cost no rendering.
        let may = calls.iter().any(|(action, _)| meaning::can_start(*action));
        self.scenes.iter().filter(|scene| may && !never(scene)).find(at_from).map(|scene| scene.lost)
    }
}

/// What a step performs, and what it performs instead when the run is ungraceful.
fn calls<'e>(entry: &Entry<'e>) -> impl Iterator<Item = (ActionName, Cow<'e, Map<String, Value>>)> {
    let step = entry.step;
    let own = step.uses.map(|action| (action, Cow::Borrowed(&step.with)));
    let other = match (&step.ungraceful, step.uses) {
        (Some(Variant::Other(OtherUse { uses: Some(action), with, .. })), _) => {
            Some((*action, Cow::Borrowed(with)))
        }
        (Some(Variant::Other(OtherUse { uses: None, with, .. })), Some(action)) if !with.is_empty() => {
            let mut all = step.with.clone();
            all.extend(with.clone());
            Some((action, Cow::Owned(all)))
        }
        (Some(Variant::Other(_) | Variant::Run | Variant::Skip) | None, _) => None,
    };
    own.into_iter().chain(other)
}
