//! What came of the checks of one service, for people and programs.

use serde::Serialize;

use crate::cli::output;
use crate::cli::table::Yield::{Drop, Wrap};
use crate::cli::table::{Table, short};
use crate::engine::{IndexedPlan, RunState};
use crate::evidence::{self, StepView, first_line};
use crate::model::run::{Intent, NodeStatus};

/// What came of the checks.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    pub(super) service: String,
    pub(super) run: String,
    operation: &'static str,
    simulated: bool,
    pub(super) ready: bool,
    /// What may become a hindrance, over all checks.
    pub(super) warnings: usize,
    /// What could not be looked at, over all checks.
    pub(super) unknown: usize,
    pub(super) checks: Vec<StepView>,
}

/// Sentences of a kind among what an action said beforehand.
fn told<'a>(check: &'a StepView, kind: &str) -> impl Iterator<Item = &'a str> {
    let asked = check.id.starts_with("ready/");
    let lines = check.outputs.get(kind).filter(|_| asked).and_then(serde_json::Value::as_array);
    lines.into_iter().flatten().filter_map(serde_json::Value::as_str)
}

impl Readiness {
    pub(super) fn of(plan: &IndexedPlan, state: &RunState) -> Self {
        let view = evidence::view(plan, state, None, state.last_at);
        let held = |status: NodeStatus| matches!(status, NodeStatus::Succeeded | NodeStatus::Skipped);
        Self {
            service: view.runbook,
            run: view.id,
            operation: view.operation,
            simulated: plan.plan.intent == Intent::Simulate,
            ready: state.status.is_terminal() && state.nodes.iter().all(|node| held(node.status)),
            warnings: view.steps.iter().map(|check| told(check, "warnings").count()).sum(),
            unknown: view.steps.iter().map(|check| told(check, "unknown").count()).sum(),
            checks: view.steps,
        }
    }

    /// The checks that did not succeed.
    pub(super) fn failed(&self) -> impl Iterator<Item = &StepView> {
        self.checks.iter().filter(|check| !matches!(check.status, "succeeded" | "skipped"))
    }

    pub(super) fn render(&self) -> String {
        let mut table = Table::default();
        let mut notes: Vec<String> = Vec::new();
        for check in &self.checks {
            let (warned, unknown) = (told(check, "warnings").count(), told(check, "unknown").count());
            let word = match check.status {
                "succeeded" if warned > 0 => "\x1b[33mwarning\x1b[0m",
                "succeeded" if unknown > 0 && told(check, "found").count() == 0 => "\x1b[33m?\x1b[0m",
                "succeeded" => "\x1b[32mok\x1b[0m",
                "skipped" => "-",
                _ => "\x1b[31mFAILED\x1b[0m",
            };
            let took = match (check.started_at, check.ended_at) {
                (Some(start), Some(end)) => short(end.since(start)),
                _ => String::new(),
            };
            let why = check.failure.as_ref().map_or_else(String::new, |failure| first_line(&failure.message));
            let id = check.id.trim_start_matches("start/").trim_start_matches("ready/");
            table.row([word, id, check.action.unwrap_or(""), &took, &why]);
            let lines = told(check, "warnings").chain(told(check, "unknown"));
            notes.extend(lines.map(|line| format!("  {id}: {line}")));
        }
        let simulated = if self.simulated { " (simulated)" } else { "" };
        let failed =
            self.checks.iter().filter(|check| !matches!(check.status, "succeeded" | "skipped")).count();
        let mut aside = Vec::new();
        if self.warnings > 0 {
            aside.push(format!("{} warnings", self.warnings));
        }
        if self.unknown > 0 {
            aside.push(format!("{} things could not be checked", self.unknown));
        }
        let aside = if aside.is_empty() { String::new() } else { format!(": {}", aside.join(", ")) };
        let verdict = if self.ready {
            format!("\x1b[1;32mready\x1b[0m for a {}{simulated}{aside}", self.operation)
        } else {
            format!(
                "\x1b[1;31mnot ready\x1b[0m for a {}{simulated}: {failed} of {} failed",
                self.operation,
                self.checks.len()
            )
        };
        if !notes.is_empty() {
            notes.insert(0, String::new());
            notes.push(String::new());
        }
        let notes: String = notes.into_iter().map(|line| line + "\n").collect();
        let table = table.fit("", output::width(), &[Drop(2), Wrap(4)]);
        format!("{}\n{notes}{} is {verdict}\n", table.trim_end(), self.service).trim_start().to_owned()
    }
}
