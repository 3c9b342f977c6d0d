//! Approvals: those on steps, and `approval.request`. Whether silence may lead to something that cannot be
//! taken back.

use serde_json::{Map, Value};

use crate::compile::diagnostic::Code;
use crate::compile::graph::Graph;
use crate::compile::outline::{Entry, Outline};
use crate::compile::reporter::Reporter;
use crate::model::action::ActionName;
use crate::model::policy::OnExpiry;

const NO_END: &str = "add `expires`, or leave `on_expiry` out";

/// Checks `approval` of a step.
pub(super) fn check(entry: &Entry<'_>, pointer: &str, reporter: &mut Reporter<'_>) {
    let Some(approval) = &entry.step.approval else { return };
    if approval.expires.is_none() && approval.on_expiry != OnExpiry::Hold {
        let message =
            format!("`on_expiry: {}` has no effect: the approval never expires", approval.on_expiry);
        reporter.key(Code::BrokenApproval, &format!("{pointer}/approval/on_expiry"), message).help(NO_END);
    }
}

/// Checks the parameters of `approval.request`. `pointer` is that of `with`.
pub(super) fn check_request(with: &Map<String, Value>, pointer: &str, reporter: &mut Reporter<'_>) {
    let on_expiry = with.get("on_expiry").and_then(Value::as_str).unwrap_or("hold");
    if on_expiry != "hold" && !with.contains_key("expires") {
        let message = format!("`on_expiry: {on_expiry}` has no effect: the approval never expires");
        reporter.key(Code::BrokenApproval, &format!("{pointer}/on_expiry"), message).help(NO_END);
    }
    if with.get("quorum").and_then(Value::as_u64).is_some_and(|quorum| !(1..=20).contains(&quorum)) {
        let message = "`quorum` must be between 1 and 20";
        reporter
            .value(Code::BrokenApproval, &format!("{pointer}/quorum"), message)
            .help("say how many must agree");
    }
}

/// Refuses approvals that go on by themselves towards something irreversible.
pub(super) fn check_expiry(outline: &Outline<'_>, graph: &Graph, reporter: &mut Reporter<'_>) {
    let proceeds: Vec<_> =
        outline.entries.iter().enumerate().filter_map(|(at, entry)| Some((at, proceeds(entry)?))).collect();
    if proceeds.is_empty() {
        return;
    }
    let irreversible: Vec<bool> = outline.entries.iter().map(Entry::is_irreversible).collect();
    let leads = graph.leads_to(&irreversible);
    for (index, place) in proceeds {
        let inside = || {
            outline
                .entries
                .iter()
                .enumerate()
                .any(|(at, other)| irreversible[at] && other.group == Some(index))
        };
        if leads.get(index) == Some(&true) || inside() {
            let pointer = format!("{}/{place}", outline.pointer(index));
            let message =
                "when nobody answers, this approval goes on towards a step that cannot be taken back";
            reporter
                .value(Code::ProceedBeforeIrreversible, &pointer, message)
                .help("use `hold`, `deny` or `escalate`");
        }
    }
}

/// Where a step says that it goes on without an answer.
fn proceeds(entry: &Entry<'_>) -> Option<&'static str> {
    if entry.step.approval.as_ref().is_some_and(|approval| approval.on_expiry == OnExpiry::Proceed) {
        return Some("approval/on_expiry");
    }
    let requests = entry.step.uses == Some(ActionName::ApprovalRequest);
    // A template could say it too.
    let word = entry.step.with.get("on_expiry").and_then(Value::as_str).unwrap_or("");
    (requests && (word == "proceed" || word.contains("{{"))).then_some("with/on_expiry")
}
