//! What a compilation depends on beside the text: the day, the site that is taken for lost, and how much each
//! finding matters here. Never lets a finding about safety be turned off.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::diagnostic::{Code, Severity};
use super::reporter::Reporter;
use crate::model::id::SiteName;
use crate::model::run::words;

words! {
    /// What becomes of findings of a code.
    Level {
        /// They keep the runbook from being used.
        Error = "error",
        /// They are shown.
        Warning = "warning",
        /// They are not looked for.
        Off = "off",
    }
}

/// What a compilation depends on beside the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Day on which acceptances are judged.
    pub today: Date,
    /// Site that is taken for lost; default: each that is active, one after the other.
    pub assume_down: Option<SiteName>,
    /// How much findings matter where they do not matter as usual.
    pub severities: Severities,
    /// Codes of errors that a person accepts for one run: those that an author could accept become warnings.
    pub consented: BTreeSet<Code>,
}

impl Options {
    /// Everything as usual, on a day.
    #[must_use]
    pub fn new(today: Date) -> Self {
        Self { today, assume_down: None, severities: Severities::default(), consented: BTreeSet::new() }
    }
}

impl Options {
    /// Whether all findings of a code are looked for, so that one that is not found is not there.
    pub(super) fn looks_for(&self, code: Code) -> bool {
        let elsewhere = self.assume_down.is_some() && code.is_survivability();
        !elsewhere && self.severities.0.get(&code) != Some(&Level::Off)
    }
}

/// Levels by code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Severities(BTreeMap<Code, Level>);

/// Why a level cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such code.
    #[error("there is no code `{0}`; `drctl explain` lists all codes")]
    UnknownCode(String),
    /// There is no such level.
    #[error("{0} cannot be `{1}`: use `error`, `warning` or `off`")]
    UnknownLevel(Code, String),
    /// The code may not be that.
    #[error("{0} ({title}) cannot be `{1}`; {2}", title = .0.entry().title)]
    Refused(Code, Level, &'static str),
}

impl Severities {
    /// Reads levels by code, as a configuration gives them.
    ///
    /// # Errors
    /// When there is no such code or level, or a code may not have that level.
    pub fn new<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Error> {
        let mut levels = BTreeMap::new();
        for (code, level) in given {
            let code: Code = code.parse().map_err(|_| Error::UnknownCode(code.to_owned()))?;
            let level: Level =
                level.parse().map_err(|_| Error::UnknownLevel(code, level.chars().take(20).collect()))?;
            if let Some(reason) = refusal(code, level) {
                return Err(Error::Refused(code, level, reason));
            }
            levels.insert(code, level);
        }
        Ok(Self(levels))
    }

    /// Gives findings their severity here, or takes them away.
    pub(super) fn apply(&self, reporter: &mut Reporter<'_>) {
        for (code, level) in &self.0 {
            match level {
                Level::Off => reporter.drop_all(*code),
                Level::Error => reporter.set_severity(*code, Severity::Error),
                Level::Warning => reporter.set_severity(*code, Severity::Warning),
            }
        }
    }
}

/// Why a code cannot have a level.
fn refusal(code: Code, level: Level) -> Option<&'static str> {
    let entry = code.entry();
    let about_the_text = code < Code::PromoteBeforeFence;
    match (entry.severity, level) {
        (Severity::Error, Level::Error) | (Severity::Warning, Level::Warning) => None,
        _ if about_the_text => Some("codes about the text itself are as they are"),
        (Severity::Warning, _) => None,
        (Severity::Error, _) if !entry.acceptable => {
            Some("it cannot be accepted either: it has to be put right")
        }
        (Severity::Error, Level::Off) => {
            Some("an error can be accepted in the runbook, with a reason and an end")
        }
        (Severity::Error, Level::Warning) if code.is_survivability() => None,
        (Severity::Error, Level::Warning) => {
            Some("what keeps data safe can be accepted only in the runbook, with a reason and an end")
        }
        (Severity::Note, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_changed_is_changed() {
        for (code, level, allowed) in [
            ("DR0601", "off", true),
            ("DR0601", "error", true),
            ("DR0402", "warning", true),
            ("DR0402", "off", false),
            ("DR0301", "warning", false),
            ("DR0301", "off", false),
            ("DR0301", "error", true),
            ("DR0801", "warning", false),
            ("DR0110", "warning", false),
            ("DR0501", "off", false),
            ("dr0701", "error", true),
        ] {
            assert_eq!(Severities::new([(code, level)]).is_ok(), allowed, "{code} {level}");
        }
        let error = |code, level| Severities::new([(code, level)]).unwrap_err().to_string();
        assert!(error("DR9999", "off").contains("DR9999"));
        assert!(error("DR0601", "loud").contains("`error`, `warning` or `off`"));
        assert!(error("DR0801", "warning").contains("put right"));
        assert!(error("DR0301", "off").contains("with a reason and an end"), "{}", error("DR0301", "off"));
    }
}
