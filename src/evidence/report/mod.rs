//! The report of a run: what a review and an auditor read, as data, Markdown and HTML. Pure; never claims
//! what was not measured, and never shows a target as an achievement.

mod boundary;
mod clock_picture;
mod contents;
mod controls;
mod gantt;
mod html;
mod make;
mod markdown;
mod numbers;
mod picture;
mod plan;
mod trail;
mod work;

use crate::model::run::Identity;
use crate::model::time::Duration;

pub use boundary::{DrillFacts, NotEnforced};
pub use contents::{Attestation, ClockPoint, Finding, RecordFacts, Report};
pub use controls::Control;
pub use make::report;
pub use numbers::Row;
pub use plan::{PlanFacts, TargetFacts, Touched, WARNINGS, Warning};
pub use trail::{Approval, Consent, Drive, Moment, Override, Tone, Trail};

/// Version of the JSON of a report.
const FORMAT: u32 = 1;

/// Version of what all three forms of a report look like: raised with every change of a byte, so that an old
/// bundle is not called damaged because a new drctl words it otherwise.
pub const RENDERING: u32 = 5;

impl Report {
    /// The report as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::write(self)
    }

    /// The report as one HTML page that needs nothing but itself.
    #[must_use]
    pub fn html(&self) -> String {
        html::write(self)
    }

    /// The report as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        // A report has only strings as keys, and its numbers are finite.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// A word of drctl for people.
fn words(word: &str) -> String {
    word.replace('_', " ")
}

/// A text that begins with a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Milliseconds for people.
fn span(millis: u64) -> String {
    Duration::from_millis(millis).to_string()
}

/// Who, and how that is known.
fn who(by: &Identity) -> String {
    format!("{} ({})", by.name, by.authentication)
}
