//! What the author accepts: turns findings into notes, and watches over the acceptances themselves.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::diagnostic::{Acceptance, Code, Severity};
use super::options::Options;
use super::reporter::Reporter;
use super::schema::Gaps;
use crate::model::runbook::Runbook;

/// Applies `accept`. Today is the last day on which an acceptance that ends then still holds.
pub(super) fn apply(runbook: &Runbook, gaps: &Gaps, options: &Options, reporter: &mut Reporter<'_>) {
    if gaps.touches("/accept") {
        return;
    }
    let mut seen = BTreeSet::new();
    for (at, accept) in runbook.accept.iter().enumerate() {
        let pointer = format!("/accept/{at}");
        let Ok(code) = accept.code.parse::<Code>() else {
            let message = format!("there is no code `{}`", accept.code);
            let pointer = format!("{pointer}/code");
            reporter.value(Code::BrokenAcceptance, &pointer, message).help("`drctl explain` lists all codes");
            continue;
        };
        if !code.entry().acceptable {
            let message = format!("{code} cannot be accepted: {}", code.entry().title);
            reporter
                .value(Code::BrokenAcceptance, &format!("{pointer}/code"), message)
                .help("put the finding right");
            continue;
        }
        if accept.reason.trim().is_empty() {
            let message = format!("the acceptance of {code} has no reason");
            reporter
                .value(Code::BrokenAcceptance, &format!("{pointer}/reason"), message)
                .help("say why; the report shows it");
            continue;
        }
        let Ok(until) = accept.until.parse::<Date>() else {
            let message = format!("`{}` is not a day", accept.until);
            reporter
                .value(Code::BrokenAcceptance, &format!("{pointer}/until"), message)
                .help("write it like 2027-01-01");
            continue;
        };
        if until < options.today {
            let message = format!("the acceptance of {code} ended on {until}");
            reporter
                .value(Code::ExpiredAcceptance, &format!("{pointer}/until"), message)
                .help("put the finding right, or decide again and give a new day");
            continue;
        }
        if !seen.insert(code) {
            let message = format!("{code} is accepted twice, so nobody knows which reason and day hold");
            reporter
                .value(Code::BrokenAcceptance, &format!("{pointer}/code"), message)
                .help("keep one of the two: it holds for every finding of the code");
            continue;
        }
        let acceptance = Acceptance { reason: accept.reason.clone(), until: until.to_string() };
        if !take(code, &acceptance, reporter) && options.looks_for(code) {
            let message = format!("there is no finding {code} to accept");
            reporter.key(Code::IdleAcceptance, &pointer, message).help("leave the acceptance out");
        }
    }
}

/// Turns errors that a person accepts for one run into warnings: they stay in sight.
pub(super) fn for_one_run(options: &Options, reporter: &mut Reporter<'_>) {
    for code in options.consented.iter().filter(|code| code.entry().acceptable) {
        reporter.set_severity(*code, Severity::Warning);
        reporter.accept_left_out(*code);
    }
}

/// Turns all findings of a code into accepted notes; says whether there were any.
fn take(code: Code, acceptance: &Acceptance, reporter: &mut Reporter<'_>) -> bool {
    let mut any = reporter.accept_left_out(code);
    for finding in reporter.findings_mut().iter_mut().filter(|finding| finding.code == code) {
        finding.severity = Severity::Note;
        finding.accepted = Some(acceptance.clone());
        any = true;
    }
    any
}
