//! Text to runbook, with everything that is wrong with it at once. Pure: no clock, no file, no environment.

mod accept;
mod address;
mod check;
mod class;
mod diagnostic;
mod document;
mod expression;
mod fleet;
mod graph;
mod lint;
mod lower;
mod options;
mod order;
mod outline;
mod placeholder;
mod policy;
mod reporter;
pub mod scaffold;
mod schema;
mod strategy;
mod suggest;
mod tree;

use jiff::civil::Date;

use crate::model::runbook::Runbook;

pub use diagnostic::{
    Acceptance, Code, Diagnostic, Entry, Label, Severity, Span, reference, render, sarif_location, to_json,
    to_sarif,
};
pub use fleet::{Directory, Listed, Twice, fleet};
pub use options::{Level, Options, Severities};
pub use placeholder::holds_placeholder;
pub use policy::{policy, policy_schema};
pub use schema::{fleet_schema, schema};
pub use suggest::nearest;

/// Where something stands in a text, by its JSON pointer; `None` when the text cannot be read.
#[must_use]
pub fn locate(text: &str, pointer: &str) -> Option<Span> {
    let (document, _) = document::read(text);
    Some(document?.places.locate(pointer, tree::Part::Value))
}

/// Compiles the text of a runbook. The runbook is there only when no finding is an error; findings are in
/// the order of the text. `today` decides whether acceptances still hold.
#[must_use]
pub fn compile(text: &str, today: Date) -> (Option<Runbook>, Vec<Diagnostic>) {
    compile_with(text, &Options::new(today))
}

/// As [`compile`], with more to choose.
#[must_use]
pub fn compile_with(text: &str, options: &Options) -> (Option<Runbook>, Vec<Diagnostic>) {
    let (document, findings) = document::read(text);
    let Some(document) = document else { return (None, findings) };
    let mut reporter = reporter::Reporter::new(text, document.places, findings);
    placeholder::check(&document.value, &mut reporter);
    address::check(&document.value, &mut reporter);
    let strategy::Expanded { document, whole, origin } = strategy::expand(document.value, &mut reporter);
    let runbook = lower::lower(document, &mut reporter).map(|(runbook, gaps)| {
        // What the other steps wait for and read is not known before every component is sound.
        if whole {
            let assumed = check::Assumed {
                today: options.today,
                down: options.assume_down.as_ref(),
                users_follow: origin.users_follow(),
            };
            check::check(&runbook, &gaps, &assumed, &mut reporter);
            origin.advise(&mut reporter);
        }
        options.severities.apply(&mut reporter);
        accept::apply(&runbook, &gaps, options, &mut reporter);
        accept::for_one_run(options, &mut reporter);
        runbook
    });
    let sound = !reporter.has_errors();
    (runbook.filter(|_| sound), reporter.finish())
}
