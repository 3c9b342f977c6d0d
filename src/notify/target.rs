//! A target: where notices go, which ones, and in which words. Decides nothing about when.

use std::collections::{BTreeMap, BTreeSet};

use super::message::Notice;
use super::send::Sender;
use super::template::{Templates, Wording};
use super::{Error, tell};
use crate::model::notice::NoticeKind;
use crate::model::time::Duration;
use crate::ports::Record;
use crate::tail::Fact;

/// How long after the fact a notice is tried, where nothing else is said.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(2 * 60 * 60);

/// Which notices a target gets, and in which words.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Kinds it gets; empty: all.
    pub events: BTreeSet<NoticeKind>,
    /// Services it hears of, `*` standing for any letters; `None`: all.
    pub services: Option<Vec<String>>,
    /// It does not hear of drills.
    pub without_drills: bool,
    /// How long after the fact a notice is tried; absent: [`GIVE_UP_AFTER`].
    pub give_up_after: Option<Duration>,
    /// Words in place of the built-in ones.
    pub wording: BTreeMap<NoticeKind, Wording>,
}

/// Where notices go.
pub struct Target {
    name: String,
    settings: Settings,
    templates: Templates,
    sender: Sender,
}

impl Target {
    /// Makes a target.
    ///
    /// # Errors
    /// When a template cannot be used.
    pub fn new(name: impl Into<String>, settings: Settings, sender: Sender) -> Result<Self, Error> {
        let templates = Templates::new(&settings.wording)?;
        Ok(Self { name: name.into(), settings, templates, sender })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What sends to it.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// How long after the fact a notice is tried.
    #[must_use]
    pub fn give_up_after(&self) -> Duration {
        self.settings.give_up_after.unwrap_or(GIVE_UP_AFTER)
    }

    /// The notice of a record in the words of this target; `None`: it gets none.
    #[must_use]
    pub fn notice(&self, record: &Record, fact: &Fact<'_>) -> Option<Notice> {
        let notice = tell(record, fact).filter(|notice| self.wants(notice))?;
        Some(self.templates.render(notice))
    }

    /// A notice in the words of this target.
    #[must_use]
    pub fn worded(&self, notice: Notice) -> Notice {
        self.templates.render(notice)
    }

    fn wants(&self, notice: &Notice) -> bool {
        let Settings { events, services, without_drills, .. } = &self.settings;
        let kind = events.is_empty() || events.contains(&notice.kind);
        let named = |services: &Vec<String>| services.iter().any(|pattern| fits(pattern, &notice.service));
        let service = services.as_ref().is_none_or(named);
        let drill = *without_drills && notice.intent == Some("drill");
        kind && service && !drill && self.sender.takes(notice)
    }
}

/// Says whether a name is as a pattern says; `*` stands for any letters, none included.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(head) else { return false };
    let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    let mut tails = ends.filter_map(|at| name.get(at..));
    tails.any(|tail| fits(rest, tail))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name, fit) in [
            ("payments", "payments", true),
            ("payments", "payments-eu", false),
            ("payments*", "payments", true),
            ("*-eu", "payments-eu", true),
            ("pay*-e*", "payments-eu", true),
            ("pay*-us", "payments-eu", false),
            ("*", "", true),
        ] {
            assert_eq!(super::fits(pattern, name), fit, "{pattern} {name}");
        }
    }
}
