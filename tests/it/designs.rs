//! Wrong designs, one or more for each rule: each is found by its own code at its own line, and by no other.

#![expect(clippy::unwrap_used, reason = "parts of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use drctl::compile::{self, Code, Diagnostic, Options, Severities, Severity};
use drctl::model::id::SiteName;
use drctl::plan;

fn today() -> jiff::civil::Date {
    jiff::civil::date(2026, 11, 21)
}

/// Name and text of every wrong design.
fn designs() -> Vec<(String, String)> {
    texts("designs")
}

fn texts(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// What its first line says of a design: a code, and a line.
fn expected(text: &str) -> (String, u32) {
    let first = text.lines().next().unwrap().strip_prefix("# expect: ").unwrap();
    let (code, line) = first.split_once(' ').unwrap();
    (code.to_owned(), line.parse().unwrap())
}

fn found(findings: &[Diagnostic]) -> BTreeSet<(String, u32)> {
    findings.iter().map(|found| (found.code.to_string(), found.span.map_or(0, |span| span.line))).collect()
}

#[test]
fn every_wrong_design_is_found_by_its_code_at_its_line_and_nothing_else() {
    let mut wrong = Vec::new();
    for (name, text) in designs() {
        let (runbook, findings) = compile::compile(&text, today());
        let (code, line) = expected(&text);
        assert!(name.starts_with(&code.to_ascii_lowercase()), "{name} is named after another code");
        if found(&findings) != BTreeSet::from([(code.clone(), line)]) {
            let drawn = compile::render(&name, &text, &findings, false);
            wrong.push(format!("{name}: expected {code} at line {line}\n{drawn}"));
        }
        let severity = code.parse::<Code>().unwrap().entry().severity;
        assert_eq!(runbook.is_none(), severity == Severity::Error, "{name}");
        assert!(findings.iter().all(|finding| finding.help.is_some()), "{name} does not say what to do");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What only looks wrong: a false alarm is worse than a finding less.
#[test]
fn nothing_is_said_about_sound_designs() {
    let sound = texts("sound");
    assert!(sound.len() >= 10, "{}", sound.len());
    for (name, text) in sound {
        let (runbook, findings) = compile::compile(&text, today());
        assert_eq!(findings, [], "{name}:\n{}", compile::render(&name, &text, &findings, false));
        assert!(runbook.is_some(), "{name}");
    }
}

#[test]
fn there_are_designs_for_every_rule_and_in_both_forms() {
    let designs = designs();
    let declared = designs.iter().filter(|(_, text)| text.contains("\ncomponents:")).count();
    assert!(designs.len() >= 60 && declared >= 30, "{} designs, {declared} of them declared", designs.len());
    let seen: BTreeSet<String> = designs.iter().map(|(_, text)| expected(text).0).collect();
    let about_design = Code::ALL.iter().filter(|code| **code >= Code::PromoteBeforeFence);
    // Those of a policy are about more than one text: `policy.rs` has them.
    let about_design = about_design.filter(|code| !code.as_str().starts_with("DR081"));
    let missing: Vec<_> = about_design.filter(|code| !seen.contains(code.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The same runbook survives the loss of one site and not of the other.
#[test]
fn what_is_lost_decides() {
    let text =
        designs().into_iter().find(|(name, _)| name == "dr0402-record-edit-without-us-east-1").unwrap().1;
    let with = |site: &str| {
        let options = Options { assume_down: Some(SiteName::new(site).unwrap()), ..Options::new(today()) };
        found(&compile::compile_with(&text, &options).1)
    };
    assert_eq!(with("east"), BTreeSet::from([expected(&text)]));
    assert_eq!(with("west"), BTreeSet::new());
    // A site of some other runbook: as usual.
    assert_eq!(with("north"), BTreeSet::from([expected(&text)]));
}

#[test]
fn levels_change_what_a_finding_means() {
    let designs = designs();
    let text = |wanted: &str| {
        let found = designs.iter().find(|(name, _)| name == wanted);
        found.unwrap_or_else(|| panic!("no design {wanted}")).1.clone()
    };
    let with = |text: &str, code: &str, level: &str| {
        let severities = Severities::new([(code, level)]).unwrap();
        compile::compile_with(text, &Options { severities, ..Options::new(today()) })
    };
    let drill = text("dr0601-drill-not-said");
    let (runbook, findings) = with(&drill, "DR0601", "error");
    assert!(runbook.is_none() && findings[0].is_error());
    let (runbook, findings) = with(&drill, "DR0601", "off");
    assert!(runbook.is_some() && findings.is_empty());
    let record = text("dr0402-record-edit-without-us-east-1");
    let (runbook, findings) = with(&record, "DR0402", "warning");
    assert!(runbook.is_some() && findings[0].severity == Severity::Warning);
    // What the author accepted stays accepted.
    let accepted = drill.replacen(
        "metadata:",
        "accept: [{code: DR0601, reason: first drill in March, until: \"2027-03-31\"}]\nmetadata:",
        1,
    );
    let (runbook, findings) = with(&accepted, "DR0601", "error");
    assert!(runbook.is_some() && findings[0].accepted.is_some());
    assert_eq!(with(&accepted, "DR0601", "off").1, []);
}

/// An acceptance is idle when its finding is gone, not when nobody looked for it.
#[test]
fn an_acceptance_is_not_idle_because_another_site_is_assumed_lost() {
    let text =
        designs().into_iter().find(|(name, _)| name == "dr0402-record-edit-without-us-east-1").unwrap().1;
    let accept = "accept: [{code: DR0402, reason: ordered, until: \"2027-03-31\"}]\nmetadata:";
    let accepted = text.replacen("metadata:", accept, 1);
    let with = |assume_down: Option<&str>, text: &str| {
        let assume_down = assume_down.map(|site| SiteName::new(site).unwrap());
        let findings = compile::compile_with(text, &Options { assume_down, ..Options::new(today()) }).1;
        findings.iter().map(|found| found.code.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(with(None, &accepted), ["DR0402"]);
    assert_eq!(with(Some("west"), &accepted), Vec::<&str>::new());
    assert_eq!(with(Some("west"), &accepted.replace("DR0402", "DR0601")), ["DR0137"]);
}

/// What is accepted stops being refused, by the compiler and by the planner; what would be refused
/// all the same
/// cannot be accepted.
#[test]
fn an_acceptance_has_its_effect_or_is_refused() {
    for (name, text) in designs() {
        let code: Code = expected(&text).0.parse().unwrap();
        let accept = format!("accept: [{{code: {code}, reason: known, until: \"2027-03-31\"}}]\nmetadata:");
        let accepted = text.replacen("metadata:", &accept, 1);
        let (runbook, findings) = compile::compile(&accepted, today());
        if !code.entry().acceptable {
            assert!(runbook.is_none(), "{name} is used although {code} cannot be accepted");
            continue;
        }
        let drawn = compile::render(&name, &accepted, &findings, false);
        assert!(findings.iter().all(|finding| finding.accepted.is_some()), "{drawn}");
        let runbook = runbook.unwrap();
        for case in plan::cases(&runbook) {
            let planned = plan::plan_of(&runbook, &case, &BTreeMap::new());
            assert!(planned.is_ok(), "{name}: {case:?}: {:?}", planned.err());
        }
    }
}
