//! The shipped runbooks: each compiles without an error, fits the published schema, and is planned for every
//! operation it defines.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "parts of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use drctl::compile::{self, Severity};
use drctl::model::action::{Effect, traits};
use drctl::model::id::SiteName;
use drctl::model::run::{Intent, Operation, Phase};
use drctl::model::runbook::{Runbook, Strategy};
use drctl::model::time::Duration;
use drctl::plan::{Choices, NodeKind, Plan, PlanIndex, bind, render};
use serde_json::Value;

/// One operation of one shipped runbook.
struct Case {
    name: String,
    runbook: Runbook,
    choices: Choices,
}

impl Case {
    fn plan(&self) -> (Plan, PlanIndex) {
        let plan = bind(&self.runbook, &self.choices)
            .unwrap_or_else(|problems| panic!("{}: {problems:#?}", self.name));
        let index = PlanIndex::new(&plan).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        (plan, index)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks")
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fleet-")));
    files.sort();
    files
}

fn compiled(path: &Path) -> Runbook {
    let text = std::fs::read_to_string(path).unwrap();
    let (runbook, findings) = compile::compile(&text, jiff::civil::date(2026, 1, 1));
    let shown: Vec<_> = findings.iter().filter(|found| found.severity != Severity::Note).cloned().collect();
    let name = path.file_name().unwrap().to_string_lossy();
    assert!(shown.is_empty(), "{}", compile::render(&name, &text, &shown, false));
    runbook.expect("a runbook without findings")
}

/// Every operation of every shipped runbook. Where a person must name a site, one is named.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for path in files() {
        let runbook = compiled(&path);
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        for &operation in Operation::ALL {
            let workflow = match operation {
                Operation::Failover | Operation::Switchover => &runbook.workflows.failover,
                Operation::Failback => &runbook.workflows.failback,
            };
            if workflow.is_none() {
                continue;
            }
            let mut choices = Choices {
                operation,
                mode: None,
                intent: Intent::Simulate,
                from: None,
                to: None,
                unready: BTreeMap::new(),
                parameters: BTreeMap::new(),
            };
            if runbook.strategy == Some(Strategy::ActiveActive) {
                let lost = if runbook.sites.contains_key("oregon") { "oregon" } else { "azure" };
                let lost = Some(SiteName::new(lost).unwrap());
                match operation {
                    Operation::Failover | Operation::Switchover => choices.from = lost,
                    Operation::Failback => choices.to = lost,
                }
            }
            cases.push(Case { name: format!("{stem}-{operation}"), runbook: runbook.clone(), choices });
        }
    }
    cases
}

#[test]
fn eight_runbooks_are_shipped_and_each_goes_out_and_back() {
    let names: Vec<_> = cases().into_iter().map(|case| case.name).collect();
    let stems: BTreeSet<_> = files().iter().map(|path| path.file_stem().unwrap().to_owned()).collect();
    let shipped = [
        "active-active",
        "backup-restore",
        "hybrid-postgres",
        "multi-cloud",
        "pilot-light",
        "postgres-switchover",
        "warm-standby",
        "warm-standby-aurora",
    ];
    assert_eq!(stems, shipped.iter().map(std::ffi::OsString::from).collect());
    assert_eq!(names.len(), shipped.len() * Operation::ALL.len(), "{names:?}");
}

#[test]
fn the_published_schema_takes_every_runbook() {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/runbook.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap();
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        let errors: Vec<_> =
            schema.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
        assert!(text.starts_with("# yaml-language-server: $schema=../schemas/runbook.schema.json\n"));
    }
}

#[test]
fn every_operation_has_a_plan() {
    for case in cases() {
        let (plan, index) = case.plan();
        insta::assert_snapshot!(case.name.clone(), render::text(&plan, &index));
    }
}

/// What the RTO of a failover is worth: the estimates alone must not use it up.
#[test]
fn estimates_of_a_failover_leave_a_third_of_the_objective() {
    for case in cases().iter().filter(|case| case.choices.operation == Operation::Failover) {
        let (plan, index) = case.plan();
        let objective = plan.objectives.rto.expect("a recovery time objective");
        let expected = index.estimate;
        assert!(
            expected.as_millis() * 3 <= objective.as_millis() * 2,
            "{}: {expected} of {objective}",
            case.name
        );
        assert!(expected > Duration::ZERO, "{}", case.name);
    }
}

#[test]
fn what_cannot_be_taken_back_stands_behind_a_gate_and_recovery_is_measured_and_validated() {
    for case in cases() {
        let (plan, index) = case.plan();
        let phases: BTreeSet<_> = plan.nodes.iter().filter_map(|node| node.phase).collect();
        for phase in [Phase::Validate, Phase::Verify, Phase::Fence] {
            let active_active = case.runbook.strategy == Some(Strategy::ActiveActive);
            let exempt = active_active && phase != Phase::Validate;
            assert!(exempt || phases.contains(&phase), "{} has no {phase}", case.name);
        }
        let measured = plan.nodes.iter().any(|node| matches!(node.kind, NodeKind::Reading { .. }));
        assert!(measured, "{} reads no recovery point", case.name);
        let active_active = case.runbook.strategy == Some(Strategy::ActiveActive);
        assert_eq!(index.gate.is_some(), !active_active, "{}", case.name);
    }
}

#[test]
fn newcomers_see_how_to_undo_what_can_be_undone() {
    for case in cases().iter().filter(|case| case.choices.operation == Operation::Failover) {
        let (plan, _) = case.plan();
        let undoes = plan.nodes.iter().filter(|node| node.undo.is_some()).count();
        let by_hand = render::manual(&plan);
        let commands =
            ["aws ", "psql ", "curl ", "printf ", "gcloud ", "az ", "kubectl ", "nsupdate", "/dev/null"];
        let is_command = |line: &&str| commands.iter().any(|command| line.contains(command));
        assert!(undoes > 0, "{}", case.name);
        assert!(by_hand.lines().filter(is_command).count() > 2, "{}: {by_hand}", case.name);
        let mutating = plan.nodes.iter().filter(|node| match &node.kind {
            NodeKind::Effect { call } => traits::effect(call.action, &call.with) == Effect::Mutate,
            _ => false,
        });
        assert!(mutating.count() >= 2, "{}", case.name);
    }
}
