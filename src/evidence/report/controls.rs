//! What controls a run is evidence towards, by its own facts. One run never meets a control: an auditor
//! decides, and this says what there is to look at, or why there is nothing.

use serde::Serialize;

use super::{Attestation, Finding, numbers};
use crate::engine::RunState;
use crate::evidence::view::RunView;
use crate::model::run::{Intent, NodeStatus, Verdict};

/// A control, and what the run is worth for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Control {
    /// Whose control it is.
    pub framework: &'static str,
    /// Its number there.
    pub control: &'static str,
    /// What it asks for.
    pub asks: &'static str,
    /// Whether the run is evidence towards it.
    pub evidence: bool,
    /// What of the run is, or why nothing is.
    pub because: String,
}

/// What the controls are judged by.
struct Facts<'a> {
    state: &'a RunState,
    run: &'a RunView,
    attestation: Option<&'a Attestation>,
    findings: &'a [Finding],
}

/// What the run is worth for each control.
pub(super) fn controls(
    state: &RunState,
    run: &RunView,
    attestations: &[Attestation],
    findings: &[Finding],
) -> Vec<Control> {
    let facts = Facts { state, run, attestation: attestations.last(), findings };
    let control = |framework, control, asks, found: Result<String, String>| Control {
        framework,
        control,
        asks,
        evidence: found.is_ok(),
        because: match found {
            Ok(because) | Err(because) => because,
        },
    };
    vec![
        control("DORA", "Art. 11(6)", "recovery plans are tested", facts.exercised()),
        control("DORA", "Art. 12(6)", "recovery time and point objectives hold", facts.measured()),
        control("DORA", "Art. 12(7)", "checks are made when recovering", facts.validated()),
        control("ISO 22301", "8.5", "exercises with a report on their outcome", facts.reported()),
        control("SOC 2", "A1.3", "recovery procedures are tested", facts.exercised()),
        control("NIST SP 800-53", "CP-4 a", "the contingency plan is tested", facts.exercised()),
        control("NIST SP 800-53", "CP-4 b", "the results are reviewed", facts.reviewed()),
        control("NIST SP 800-53", "CP-4 c", "corrective actions begin", facts.corrected()),
    ]
}

impl Facts<'_> {
    /// The recovery was carried out in the estate, whatever came of it.
    fn exercised(&self) -> Result<String, String> {
        if !numbers::is_exercise(self.state) {
            let word = if self.state.created.intent == Intent::Check { "check" } else { "simulation" };
            return Err(format!("the run is a {word}: nothing was exercised"));
        }
        if !self.state.status.is_terminal() {
            return Err("the run is not over".to_owned());
        }
        // What a drill takes back when it ends was carried out all the same.
        let acted = self.state.nodes.iter().filter(|node| {
            let carried_out =
                [NodeStatus::Succeeded, NodeStatus::Failed, NodeStatus::Undone, NodeStatus::UndoFailed];
            node.attempts > 0 && carried_out.contains(&node.status)
        });
        if self.run.clock.started_at.is_none() || acted.count() == 0 {
            return Err("no step was carried out".to_owned());
        }
        let what = match self.state.created.intent {
            Intent::Drill => "a drill",
            Intent::Real | Intent::Check | Intent::Simulate => "a real recovery, not a planned exercise,",
        };
        let helped = if self.run.clean { "" } else { ", not clean" };
        Ok(format!("{what} was carried out{helped}; it ended {}", self.run.status.replace('_', " ")))
    }

    /// Both objectives were measured against.
    fn measured(&self) -> Result<String, String> {
        self.exercised()?;
        match self.run.objective_verdict {
            _ if !numbers::is_achieved(self.state, self.run) => {
                Err("validation has not passed: there is no recovery time".to_owned())
            }
            Verdict::Met => Ok("what the objectives ask for was measured and met".to_owned()),
            Verdict::Missed => Ok("measured, and an objective was missed".to_owned()),
            Verdict::Partial => Err("only one of recovery time and data loss was measured".to_owned()),
            Verdict::NotMeasured => Err("there is no objective that was measured against".to_owned()),
            Verdict::NotValidated => Err("validation has not passed".to_owned()),
        }
    }

    fn validated(&self) -> Result<String, String> {
        self.exercised()?;
        match self.run.clock.healthy_at {
            Some(at) => Ok(format!("the validation of the recovered service passed at {at}")),
            None => Err("no validation of the recovered service passed".to_owned()),
        }
    }

    /// An exercise, and a person's word about its outcome.
    fn reported(&self) -> Result<String, String> {
        let exercised = self.exercised()?;
        let reviewed = self.reviewed()?;
        Ok(format!("{exercised}; {reviewed}"))
    }

    fn reviewed(&self) -> Result<String, String> {
        self.exercised()?;
        let attested = self.attestation.ok_or("nobody has attested the outcome yet")?;
        let word = if attested.passed { "passed" } else { "not passed" };
        Ok(format!(
            "attested as {word} by {} ({}) at {}",
            attested.by.name, attested.by.authentication, attested.at
        ))
    }

    fn corrected(&self) -> Result<String, String> {
        self.exercised()?;
        let open = self.findings.iter().filter(|finding| finding.closed_at.is_none()).count();
        match (self.findings.len(), self.attestation) {
            (0, Some(attested)) if attested.passed => {
                Ok("attested as passed, with nothing found to correct".to_owned())
            }
            (0, _) => Err("no finding is recorded, and nobody attested that there is none".to_owned()),
            (all, _) => Ok(format!("{all} recorded with owner and due date, {open} of them open")),
        }
    }
}
