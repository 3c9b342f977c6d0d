//! Declared runbooks: what components become, in which order, and that nobody needs to see it to trust it:
//! the printed expansion is the same plan.

#![expect(clippy::unwrap_used, clippy::panic, reason = "parts of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use drctl::compile;
use drctl::model::component::ComponentKind;
use drctl::model::id::SiteName;
use drctl::model::run::{Intent, Operation, Phase};
use drctl::model::runbook::{Runbook, Strategy};
use drctl::plan::{Choices, Plan, PlanIndex, bind, render};
use serde_json::{Value, json};

use crate::support::binary::Drctl;

/// Runbooks of at most thirty lines, one for each strategy.
const SHORT: [&str; 4] = ["backup-restore", "pilot-light", "warm-standby", "active-active"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn fixture(name: &str) -> String {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/declared/{name}.yaml")))
}

/// Every declared runbook there is: the fixtures and what is shipped.
fn declared() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["tests/fixtures/declared", "runbooks"] {
        let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = read(&path);
            if text.contains("\ncomponents:") {
                found.push((path.file_stem().unwrap().to_string_lossy().into_owned(), text));
            }
        }
    }
    found.sort();
    found
}

fn compiled(name: &str, text: &str) -> Runbook {
    let (runbook, findings) = compile::compile(text, jiff::civil::date(2026, 1, 1));
    assert!(findings.is_empty(), "{}", compile::render(name, text, &findings, false));
    runbook.unwrap()
}

fn plan(name: &str, runbook: &Runbook, operation: Operation) -> Plan {
    let lost = (runbook.strategy == Some(Strategy::ActiveActive))
        .then(|| runbook.sites.keys().next().cloned().unwrap());
    let back = operation == Operation::Failback;
    let (to, from) = if back { (lost, None) } else { (None::<SiteName>, lost) };
    let required = runbook.parameters.iter().filter(|(_, parameter)| parameter.required);
    let choices = Choices {
        operation,
        mode: None,
        intent: Intent::Simulate,
        from,
        to,
        unready: BTreeMap::new(),
        parameters: required.map(|(name, _)| (name.clone(), json!([]))).collect::<BTreeMap<_, Value>>(),
    };
    bind(runbook, &choices).unwrap_or_else(|problems| panic!("{name} {operation}: {problems:#?}"))
}

fn operations(runbook: &Runbook) -> Vec<Operation> {
    let all = Operation::ALL.iter().copied();
    all.filter(|it| *it != Operation::Failback || runbook.workflows.failback.is_some()).collect()
}

#[test]
fn thirty_lines_become_a_whole_workflow_in_the_safe_order() {
    let order = [
        Phase::Assess,
        Phase::Fence,
        Phase::Decide,
        Phase::Promote,
        Phase::Scale,
        Phase::Verify,
        Phase::Shift,
        Phase::Validate,
    ];
    for name in SHORT {
        let text = fixture(name);
        assert!(text.lines().count() <= 30, "{name} has {} lines", text.lines().count());
        let runbook = compiled(name, &text);
        let plan = plan(name, &runbook, Operation::Failover);
        let index = PlanIndex::new(&plan).unwrap();
        insta::assert_snapshot!(name, render::text(&plan, &index));
        if runbook.strategy == Some(Strategy::ActiveActive) {
            continue;
        }
        let phases: BTreeSet<Phase> = plan.nodes.iter().filter_map(|node| node.phase).collect();
        for phase in order {
            let other = if phase == Phase::Promote { Phase::Restore } else { phase };
            // A restore can be thrown away: only a promotion has a gate.
            let exempt = phase == Phase::Decide && phases.contains(&Phase::Restore);
            assert!(exempt || phases.contains(&phase) || phases.contains(&other), "{name} has no {phase}");
        }
    }
}

#[test]
fn what_is_printed_compiles_to_the_same_plan() {
    let all = declared();
    assert!(all.len() >= 8, "{}", all.len());
    for (name, text) in all {
        let runbook = compiled(&name, &text);
        let printed = serde_saphyr::to_string(&runbook).unwrap();
        assert!(!printed.contains("components:"), "{name}");
        let again = compiled(&format!("{name}, expanded"), &printed);
        for operation in operations(&runbook) {
            let (one, other) = (plan(&name, &runbook, operation), plan(&name, &again, operation));
            assert_eq!(drctl::plan::digest(&one), drctl::plan::digest(&other), "{name} {operation}");
        }
    }
}

/// The steps of the failover by their ids, members of groups as well.
fn steps(runbook: &Runbook) -> BTreeMap<String, Value> {
    let failover = serde_json::to_value(runbook.workflows.failover.as_ref().unwrap()).unwrap();
    let all = failover["steps"].as_array().unwrap().iter();
    let all = all.flat_map(|step| step["parallel"].as_array().into_iter().flatten().chain([step]));
    all.map(|step| (step["id"].as_str().unwrap().to_owned(), step.clone())).collect()
}

/// A stage is named by its id, whether it has one step, several or none but own ones.
#[test]
fn own_steps_stand_beside_a_stage_however_many_steps_it_has() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sound/declared.yaml");
    let one = read(&path);
    let two = one.replace(
        "  - {id: health",
        "  - {id: mail, kind: dns.record, server: ns1, zone: example.com, name: mail.example.com, record_type: A, \
         address: {east: 192.0.2.1, west: 192.0.2.2}}\n  - {id: health",
    );
    let own = "workflows:\n  failover:\n    steps:\n      - {id: deep, phase: verify, after: [promote], before: [shift], \
               uses: http.check, with: {url: \"https://deep.example.com\"}}\n      - {id: told, phase: commit, after: \
               [shift], uses: http.check, with: {url: \"https://told.example.com\"}}\n      - {id: beside, before: \
               [shift], uses: http.check, with: {url: \"https://beside.example.com\"}}\n";
    let needs = |name: &str, text: &str, id: &str| {
        let steps = steps(&compiled(name, &format!("{text}{own}")));
        let needs = steps[id]["needs"].as_array().cloned().unwrap_or_default();
        needs.iter().map(|need| need.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let both = &["users-shift", "mail-shift"][..];
    for (name, text, shifts, validates) in
        [("one", &one, &["users-shift"][..], "health-validate"), ("two", &two, both, "validate")]
    {
        assert_eq!(needs(name, text, "deep"), ["db-promote"], "{name}");
        assert_eq!(needs(name, text, "shift"), ["verify", "deep"], "{name}");
        assert_eq!(needs(name, text, "told"), [validates, "shift"], "{name}");
        for shift in shifts {
            assert_eq!(needs(name, text, shift), ["beside"], "{name}");
        }
    }
    // Alone in its stage it waits for what the stage waits for, and for what it says.
    let alone = own.split("      - {id: beside").next().unwrap();
    let steps = steps(&compiled("alone", &format!("{one}{alone}")));
    assert_eq!(steps["users-shift"]["needs"], json!(["verify", "deep"]));
    assert_eq!(steps["told"]["needs"], json!(["health-validate", "users-shift"]));
}

/// What a runbook lacks is said by what it would have come from.
#[test]
fn what_is_missing_is_named_by_its_components() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sound/declared.yaml");
    let (head, components) = {
        let text = read(&path);
        let (head, components) = text.split_once("components:\n").unwrap();
        (head.to_owned(), components.to_owned())
    };
    let parts: Vec<&str> = ["  - id: db", "  - {id: web", "  - id: users", "  - {id: health"]
        .map(|begin| components.find(begin).unwrap())
        .windows(2)
        .map(|pair| &components[pair[0]..pair[1]])
        .chain([&components[components.find("  - {id: health").unwrap()..]])
        .collect();
    for (missing, says, example) in [
        (0, "no component holds data", "`aws.rds.read_replica`"),
        (2, "no component sends users to a site", "`dns.record`"),
        (3, "no component says whether a site serves", "`http.endpoint`"),
    ] {
        let rest = parts.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, part)| *part);
        let text = format!("{head}components:\n{}", rest.collect::<String>());
        let (_, findings) = compile::compile(&text, jiff::civil::date(2026, 1, 1));
        let helps: Vec<_> = findings.iter().filter_map(|finding| finding.help.as_deref()).collect();
        assert!(
            helps.iter().any(|help| help.contains(says) && help.contains(example)),
            "{missing}: {helps:#?}"
        );
    }
}

/// Compute that writes has a fence: what is missing beside it is told as that.
#[test]
fn compute_that_writes_is_no_service_without_a_fence() {
    let text = |writes: &str| {
        format!(
            "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: shop}}\nstrategy: warm_standby\n\
             objectives: {{rto: 30m, rpo: 5m}}\n\
             sites: {{a: {{role: active, provider: onprem}}, b: {{role: standby, provider: onprem}}}}\n\
             components:\n\
             \x20 - {{id: web, kind: command.service, start: [./ctl, start, \"{{{{ site.name }}}}\"], \
             stop: [./ctl, stop, \"{{{{ site.name }}}}\"]{writes}}}\n"
        )
    };
    let helps = |writes: &str| {
        let (_, findings) = compile::compile(&text(writes), jiff::civil::date(2026, 1, 1));
        let missing = findings.into_iter().filter(|found| found.code.as_str() == "DR0308");
        missing.filter_map(|found| found.help).collect::<Vec<_>>().join("\n")
    };
    let (none, writes) = (helps(""), helps(", writes: true"));
    assert!(none.contains("neither a fence nor a promotion") && none.contains("`writes: true`"), "{none}");
    assert!(writes.contains("the fence is that of the compute") && !writes.contains("neither"), "{writes}");
}

/// A stop that does nothing is told where it stands, and does not count as the fence of the promotion.
#[test]
fn a_stop_that_does_nothing_is_no_fence() {
    let text =
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sound/postgres-declared.yaml"));
    let idle = text.replace(
        "stop: {hall-a: [./stop, a], hall-b: [./stop, b]}",
        "stop: {hall-a: [\"true\"], hall-b: [./stop]}",
    );
    let codes = |text: &str| {
        let (_, findings) = compile::compile(text, jiff::civil::date(2026, 1, 1));
        findings.iter().map(|found| found.code.to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(codes(&text), BTreeSet::new());
    assert_eq!(codes(&idle), BTreeSet::from(["DR0139".to_owned(), "DR0301".to_owned()]));
    let own = "      - {id: db-fence, phase: fence, uses: command.run, with: {argv: [./power-off], idempotent: true}, \
               undo: {uses: command.run, with: {argv: [./power-on], idempotent: true}}, drill: skip}\n";
    let replaced = idle.replacen("    steps:\n", &format!("    steps:\n{own}"), 1);
    assert!(!codes(&replaced).contains("DR0139"), "{:?}", codes(&replaced));
}

#[test]
fn every_kind_is_used_somewhere() {
    let all: Vec<String> = declared().into_iter().map(|(_, text)| text).collect();
    let unused: Vec<_> = ComponentKind::ALL
        .iter()
        .filter(|kind| !all.iter().any(|text| text.contains(&format!("kind: {kind}"))))
        .collect();
    assert!(unused.is_empty(), "no runbook here has {unused:?}");
}

#[test]
fn every_declared_runbook_succeeds_on_the_simulated_estate() {
    for (name, text) in declared() {
        let runbook = compiled(&name, &text);
        for operation in operations(&runbook) {
            let drctl = Drctl::new();
            drctl.write("runbook.yaml", &text);
            let lost = runbook.sites.keys().next().unwrap();
            let mut line = format!("{operation} runbook.yaml --simulate --speed max --accept-unfenced");
            if runbook.strategy == Some(Strategy::ActiveActive) {
                let flag = if operation == Operation::Failback { "--to" } else { "--from" };
                line = format!("{line} {flag} {lost}");
            }
            if runbook.parameters.get("endpoints").is_some_and(|it| it.required) {
                line.push_str(" --set endpoints=[]");
            }
            let output = drctl.run_with(&[("CLAIMS_DNS_KEY", "a2V5")], &line);
            assert_eq!(output.code, 0, "{name} {operation}\n{}\n{}", output.stdout, output.stderr);
        }
    }
}

/// What the help of DR0125 leads to, for a value that differs by site and holds a secret: one text for all.
#[test]
fn a_secret_in_what_differs_by_site_is_written_once_for_all_sites() {
    let page = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/components.md"));
    let written = "host={{ site.values.pg }} dbname=shop user=dr password={{ secrets.pw }}";
    assert!(page.contains(written), "the page shows the same");
    let text = read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/compile/dr0125-template-by-site.yaml"),
    );
    let (before, rest) = text.split_once("    connection:\n").unwrap();
    let (_, after) = rest.split_once("    stop: ").unwrap();
    let text = format!("{before}    connection: \"{written}\"\n    stop: {after}")
        .replace("url: \"https://a.", "values: {pg: pg-a}, url: \"https://a.")
        .replace("url: \"https://b.", "values: {pg: pg-b}, url: \"https://b.")
        .replace("[./stop, \"{{ site.name }}\"], hall-b", "[./stop, hall-a], hall-b")
        .replace("\"{{ params.door }}\"", "192.0.2.2");
    let (runbook, findings) = compile::compile(&text, jiff::civil::date(2026, 1, 1));
    assert!(findings.iter().all(|finding| !finding.is_error()), "{findings:?}");
    let expanded = serde_json::to_string(&runbook.unwrap()).unwrap();
    let rendered = "host={{ to.values.pg }} dbname=shop user=dr password={{ secrets.pw }}";
    assert!(expanded.contains(rendered), "{expanded}");
}
