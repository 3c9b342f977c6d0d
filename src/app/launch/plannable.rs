//! What a runbook or a fleet can be asked to do and could not be planned, told before the bad day. Starts
//! nothing, and keeps nothing from being started.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::policy::Rules;
use super::shelf::{Records, Shelf};
use crate::compile::{self, Code, Diagnostic, Severity};
use crate::model::fleet::Roster;
use crate::model::run::{Intent, Operation};
use crate::model::runbook::Runbook;
use crate::model::step::Step;
use crate::plan::{self, Case, FleetChoices, Plan, Problem};

/// Most moves that one finding names.
const NAMED: usize = 4;

/// Where the runbooks are that a step may run.
pub(crate) struct Beside<'a> {
    pub folders: &'a [PathBuf],
    pub options: &'a compile::Options,
    pub path: &'a Path,
}

/// What the compiler found in a runbook, with what the policy says of it and what could not be planned: the
/// verdict of `drctl validate`, wherever it is asked for.
pub(crate) fn judged(
    text: &str,
    (runbook, mut found): (Option<Runbook>, Vec<Diagnostic>),
    rules: Option<&Rules>,
    beside: &Beside<'_>,
) -> (Option<Runbook>, Vec<Diagnostic>) {
    if let Some(sound) = &runbook {
        if let Some(rules) = rules {
            found.extend(rules.to_runbook(text, sound, &found));
        }
        found.extend(self::runbook(text, sound, &found, beside));
    }
    (runbook, found)
}

/// Plans everything that a sound runbook can be asked to do. `found`: what the compiler said already.
fn runbook(text: &str, runbook: &Runbook, found: &[Diagnostic], beside: &Beside<'_>) -> Vec<Diagnostic> {
    let place = Place::new(text, runbook);
    let shelf =
        (!plan::runs(runbook).is_empty()).then(|| Shelf::read(beside.folders, beside.options, beside.path));
    let mut refused: BTreeMap<Problem, Vec<Case>> = BTreeMap::new();
    let mut simulated = BTreeSet::new();
    for case in plan::cases(runbook) {
        let planned = plan::plan_of(runbook, &case, &BTreeMap::new()).and_then(|plan| match &shelf {
            Some(shelf) => nested(shelf, beside.path, plan),
            None => Ok(plan),
        });
        match planned {
            Ok(plan) => simulated.extend(plan::only_simulated(runbook, &plan)),
            Err(problems) => {
                for problem in problems {
                    refused.entry(problem).or_default().push(case.clone());
                }
            }
        }
    }
    // A site that may not hold the data has a finding of its own.
    let of_residency =
        found.iter().any(|found| matches!(found.code, Code::OutsideResidency | Code::ActiveOutsideResidency));
    let is_told = |problem: &Problem| of_residency && problem.what.starts_with("residency ");
    refused.retain(|problem, _| !(is_told(problem) || place.rests_on_a_stand_in(&problem.what)));
    let mut findings: Vec<_> =
        refused.into_iter().map(|(problem, cases)| place.finding(problem, &cases)).collect();
    findings.extend(only_simulated(&place, &simulated));
    findings
}

/// Plans the failover of a sound fleet.
pub(crate) fn fleet(text: &str, roster: &Roster, shelf: &Shelf, path: &Path) -> Vec<Diagnostic> {
    let choices = FleetChoices {
        operation: Operation::Failover,
        mode: None,
        intent: Intent::Simulate,
        from: None,
        to: None,
    };
    let planned = plan::bind_fleet(roster, &choices).and_then(|plan| nested(shelf, path, plan));
    let members = document(text).get("members").and_then(Value::as_array).cloned().unwrap_or_default();
    let at = |what: &str| {
        let named = quoted(what).next().unwrap_or_default();
        let at = members.iter().position(|member| member.get("runbook").is_some_and(|name| name == named));
        at.map_or_else(|| "/members".to_owned(), |at| format!("/members/{at}/runbook"))
    };
    let finding = |problem: Problem| {
        let message = format!("a failover of the fleet cannot be planned: {}", problem.what);
        diagnostic(text, at(&problem.what), message, problem.help)
    };
    planned.err().into_iter().flatten().map(finding).collect()
}

/// The plan with those of the runs inside it.
fn nested(shelf: &Shelf, path: &Path, plan: Plan) -> Result<Plan, Vec<Problem>> {
    match shelf.nest(path, plan, &Records::new()) {
        Ok((plan, _)) => Ok(plan),
        Err(error) if error.details.is_empty() => {
            Err(vec![Problem { what: error.message, help: error.help }])
        }
        Err(error) => Err(error.details),
    }
}

/// What can be planned and simulated, and not be run: worth knowing, and no fault of the runbook.
fn only_simulated(place: &Place<'_>, actions: &BTreeSet<&'static str>) -> Option<Diagnostic> {
    let names: Vec<_> = actions.iter().map(|action| format!("`{action}`")).collect();
    let message = format!("a real run cannot be planned: this build can only simulate {}", names.join(", "));
    let help = "run it with `--simulate`, or do the same with `command.run`".to_owned();
    (!names.is_empty()).then(|| {
        let mut note = diagnostic(place.text, place.all(), message, Some(help));
        note.severity = Severity::Note;
        note
    })
}

fn diagnostic(text: &str, pointer: String, message: String, help: Option<String>) -> Diagnostic {
    let span = compile::locate(text, &pointer);
    let mut diagnostic = Diagnostic::new(Code::Unplannable, pointer, span, message);
    diagnostic.help = help.or_else(|| Some("`drctl plan` shows the same".to_owned()));
    diagnostic
}

fn document(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_default()
}

/// The words in backticks of a message, each up to where the address of a node goes on.
fn quoted(what: &str) -> impl Iterator<Item = &str> {
    let words = what.split('`').skip(1).step_by(2);
    words.filter_map(|word| word.split(['/', '[']).next())
}

/// Where in the text something stands that a problem names.
struct Place<'a> {
    text: &'a str,
    document: Value,
    runbook: &'a Runbook,
    /// Parameters whose values only a run is given.
    stand_ins: Vec<&'a str>,
}

impl<'a> Place<'a> {
    fn new(text: &'a str, runbook: &'a Runbook) -> Self {
        let stands_in = runbook.parameters.iter().filter(|(_, it)| it.required && it.default.is_none());
        let stand_ins = stands_in.map(|(name, _)| name.as_str()).collect();
        Self { text, document: document(text), runbook, stand_ins }
    }

    fn finding(&self, problem: Problem, cases: &[Case]) -> Diagnostic {
        let mut moves: Vec<String> = Vec::new();
        for case in cases.iter().map(shown) {
            if !moves.contains(&case) {
                moves.push(case);
            }
        }
        let more = moves.len().saturating_sub(NAMED);
        moves.truncate(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let message = format!("{}{more} cannot be planned: {}", moves.join(", "), problem.what);
        let workflow = match cases.first().map(|case| case.operation) {
            Some(Operation::Failback) => "failback",
            _ => "failover",
        };
        let at = quoted(&problem.what).find_map(|name| self.named(workflow, name));
        diagnostic(self.text, at.unwrap_or_else(|| self.all()), message, problem.help)
    }

    /// What stands for the whole of the steps.
    fn all(&self) -> String {
        let keys = ["components", "workflows"];
        let key = keys.into_iter().find(|key| self.document.get(key).is_some());
        key.map_or_else(String::new, |key| format!("/{key}"))
    }

    /// A step, the component it was derived from, or a block of the runbook.
    fn named(&self, workflow: &str, name: &str) -> Option<String> {
        let base = format!("/workflows/{workflow}/steps");
        let own = self.document.pointer(&base).and_then(|steps| step_at(steps, name, &base));
        let components = self.document.get("components").and_then(Value::as_array);
        let derived = || {
            let ids = components?.iter().enumerate().filter_map(|(at, component)| {
                let id = component.get("id")?.as_str()?;
                let rest = name.strip_prefix(id)?;
                (rest.is_empty() || rest.starts_with('-')).then_some((id.len(), at))
            });
            ids.max().map(|(_, at)| format!("/components/{at}/id"))
        };
        let block = || {
            let parameter = format!("/parameters/{name}");
            let known = [parameter, format!("/{name}")];
            known.into_iter().find(|pointer| self.document.pointer(pointer).is_some())
        };
        own.or_else(derived).or_else(block)
    }

    /// Whether a problem is about something that reads a parameter only a run is given a value of: with the
    /// right one there may be no problem.
    fn rests_on_a_stand_in(&self, what: &str) -> bool {
        if self.stand_ins.is_empty() {
            return false;
        }
        let reads = |text: &str| {
            let name_ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
            text.contains("params[")
                || self
                    .stand_ins
                    .iter()
                    .any(|name| text.split(&format!("params.{name}")).skip(1).any(name_ends))
        };
        let workflows = [&self.runbook.workflows.failover, &self.runbook.workflows.failback];
        let steps: Vec<&Step> =
            workflows.into_iter().flatten().flat_map(|workflow| &workflow.steps).collect();
        quoted(what).any(|name| {
            // The condition of a group counts for its members: the whole step is read.
            let around = steps.iter().find(|step| holds(step, name));
            let reading = name == "recovery_point";
            let readings = || serde_json::to_string(&self.runbook.recovery_point).unwrap_or_default();
            around.is_some_and(|step| reads(&serde_json::to_string(step).unwrap_or_default()))
                || (reading && reads(&readings()))
        })
    }
}

/// Where a step of an id stands, groups searched too.
fn step_at(steps: &Value, id: &str, base: &str) -> Option<String> {
    steps.as_array()?.iter().enumerate().find_map(|(at, step)| {
        let here = format!("{base}/{at}");
        if step.get("id").is_some_and(|own| own == id) {
            return Some(format!("{here}/id"));
        }
        step_at(step.get("parallel")?, id, &format!("{here}/parallel"))
    })
}

fn holds(step: &Step, id: &str) -> bool {
    step.id.as_str() == id || step.parallel.iter().any(|inner| holds(inner, id))
}

/// A case, for people: `a failover to west`.
fn shown(case: &Case) -> String {
    let of = |word: &str, site: Option<&crate::model::id::SiteName>| {
        site.map_or_else(String::new, |site| format!(" {word} `{site}`"))
    };
    format!("a {}{}{}", case.operation, of("from", case.from.as_ref()), of("to", case.to.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_names_is_the_step_and_not_its_node() {
        let named: Vec<_> = quoted("`pay/precheck-1` (http.check): `with.url`: undefined").collect();
        assert_eq!(named, ["pay", "with.url"]);
        assert_eq!(quoted("step `pay[a/b]`: x").next(), Some("pay"));
    }
}
