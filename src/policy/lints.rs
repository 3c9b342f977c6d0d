//! Findings that the policy requires: neither accepted nor made less of.

use super::Finding;
use crate::compile::{Code, Diagnostic, Severity};
use crate::model::governance::Policy;

/// What the policy says to the findings of a runbook, as they stand after acceptances and configuration, and
/// to the codes that are not looked for at all.
#[must_use]
pub fn lints(policy: &Policy, findings: &[Diagnostic], off: &[String]) -> Vec<Finding> {
    let by_text = |code: &str| {
        let lints = policy.lints.iter().flat_map(|lints| &lints.required);
        lints.into_iter().find(|prefix| code.starts_with(prefix.as_str()))
    };
    let required = |code: Code| by_text(code.as_str());
    let silent = off.iter().filter_map(|code| {
        let rule = format!("lints {}", by_text(code)?);
        let finding =
            Finding::new(Code::RequiredLint, Severity::Error, rule, format!("{code} may not be off"));
        Some(finding.help("take it out of [lints] in drctl.toml"))
    });
    let mut breaches: Vec<Finding> = silent.collect();
    for finding in findings {
        let Some(rule) = required(finding.code) else { continue };
        let lowered = weight(finding.severity) < weight(finding.code.entry().severity);
        if finding.accepted.is_none() && !lowered {
            continue;
        }
        let how = if finding.accepted.is_some() { "accepted" } else { "made less of" };
        let message = format!("{} may not be {how}: {}", finding.code, finding.message);
        let breach = Finding::new(Code::RequiredLint, Severity::Error, format!("lints {rule}"), message)
            .help("put it right");
        breaches.push(Finding { pointer: finding.pointer.clone(), ..breach });
    }
    breaches
}

const fn weight(severity: Severity) -> u8 {
    match severity {
        Severity::Note => 0,
        Severity::Warning => 1,
        Severity::Error => 2,
    }
}
