//! Findings that the policy requires: neither accepted nor made less of.

use super::Finding;
use crate::compile::{Code, Diagnostic, Severity};
use crate::model::governance::Policy;

/// What the policy says to the findings of a runbook, as they stand after acceptances and configuration.
#[must_use]
pub fn lints(policy: &Policy, findings: &[Diagnostic]) -> Vec<Finding> {
    let required = |code: Code| {
        let lints = policy.lints.iter().flat_map(|lints| &lints.required);
        lints.into_iter().find(|prefix| code.as_str().starts_with(prefix.as_str()))
    };
    let mut breaches: Vec<Finding> = Vec::new();
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
