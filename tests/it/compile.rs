//! Text in, findings out: every code has a fixture, hostile texts are refused quickly, generated files are
//! fresh.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test's helpers; DRCTL_BLESS is read here alone"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use drctl::compile::{self, Code, Diagnostic, Severity};
use drctl::model::runbook::Runbook;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn compile(text: &str) -> (Option<Runbook>, Vec<Diagnostic>) {
    compile::compile(text, jiff::civil::date(2026, 11, 21))
}

fn codes(findings: &[Diagnostic]) -> BTreeSet<&'static str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

fn fixtures() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("tests/fixtures/compile")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        found.push((name, std::fs::read_to_string(path).unwrap()));
    }
    found.sort();
    found
}

#[test]
fn every_fixture_gives_the_findings_it_names() {
    let mut wrong = Vec::new();
    for (name, text) in fixtures() {
        let (runbook, findings) = compile(&text);
        let expected: BTreeSet<&str> = text
            .lines()
            .next()
            .unwrap()
            .strip_prefix("# expect: ")
            .unwrap()
            .split(' ')
            .filter(|word| *word != "nothing")
            .collect();
        if codes(&findings) != expected {
            wrong.push(format!(
                "{name}: expected {expected:?}\n{}",
                compile::render(&name, &text, &findings, false)
            ));
        }
        assert_eq!(runbook.is_some(), !findings.iter().any(Diagnostic::is_error), "{name}");
        for finding in &findings {
            let placed = finding
                .span
                .is_some_and(|span| span.line > 0 && span.column > 0 && span.end as usize <= text.len());
            assert!(placed, "{name}: {finding:?}");
        }
        insta::assert_snapshot!(
            name.clone(),
            compile::render(&format!("{name}.yaml"), &text, &findings, false)
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_a_fixture() {
    let seen = fixtures().into_iter().flat_map(|(_, text)| codes(&compile(&text).1));
    let seen: BTreeSet<&str> = seen.chain(crate::fleet::codes_of_fixtures()).collect();
    // What can be wrong with a sound runbook has a folder of its own; another test holds it to its findings.
    let designed: BTreeSet<String> = std::fs::read_dir(root().join("tests/fixtures/designs"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .map(|text| text.split_whitespace().nth(2).unwrap().to_owned())
        .collect();
    // A text beyond its limits is no fixture to keep in a repository; the hostile set below has it.
    let missing: Vec<_> = Code::ALL
        .iter()
        .map(|code| code.as_str())
        // Those of a policy are about more than one text: `policy.rs` has them.
        .filter(|code| !code.starts_with("DR081"))
        // What cannot be planned is found by those who plan: `cli/validate.rs` has it.
        .filter(|code| *code != Code::Unplannable.as_str())
        .filter(|code| !seen.contains(code) && !designed.contains(*code) && *code != "DR0103")
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Where a committed file is not what the code makes of it; `DRCTL_BLESS=1` writes it.
fn fresh(path: &str, expected: &str) {
    let path: &Path = &root().join(path);
    if std::env::var_os("DRCTL_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, expected).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    assert!(found == expected, "{} is stale: run the tests with DRCTL_BLESS=1", path.display());
}

#[test]
fn the_schema_file_is_fresh() {
    fresh("schemas/runbook.schema.json", &(serde_json::to_string_pretty(&compile::schema()).unwrap() + "\n"));
}

#[test]
fn the_reference_of_diagnostics_is_fresh() {
    fresh("docs/reference/diagnostics.md", &compile::reference());
}

#[test]
fn the_editor_schema_agrees_with_the_compiler() {
    let schema = jsonschema::draft202012::new(&compile::schema()).unwrap();
    for (name, text) in fixtures() {
        let (_, findings) = compile(&text);
        // What cannot be read, or is read differently by another reader, is no document to compare.
        if findings.iter().any(|finding| finding.code < Code::UnknownKey) || name == "dr0191-fleet" {
            continue;
        }
        let document: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let shape = Code::UnknownKey..=Code::UnknownAction;
        let sound = !findings.iter().any(|finding| {
            shape.contains(&finding.code) && finding.pointer != "/workflows/failover/steps/1/min_success"
        });
        assert_eq!(
            schema.is_valid(&document),
            sound,
            "{name}: {:?}",
            schema.iter_errors(&document).map(|e| e.to_string()).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_good_runbook_is_typed_and_survives_a_round_trip() {
    let text = std::fs::read_to_string(root().join("tests/fixtures/compile/good-warm-standby.yaml")).unwrap();
    let runbook = compile(&text).0.unwrap();
    let steps = &runbook.workflows.failover.as_ref().unwrap().steps;
    assert_eq!((runbook.metadata.name.as_str(), steps.len(), steps[3].parallel.len()), ("payments", 10, 2));
    assert_eq!(steps[3].parallel[1].with["service"], "api");
    assert_eq!(steps[3].parallel[1].with["desired"], "{{ params.tasks }}");
    let again: Runbook = serde_json::from_value(serde_json::to_value(&runbook).unwrap()).unwrap();
    assert_eq!(again, runbook);
}

#[test]
fn findings_go_out_as_json_and_sarif() {
    let text = std::fs::read_to_string(root().join("tests/fixtures/compile/accepted.yaml")).unwrap();
    let (_, findings) = compile(&text);
    let json = compile::to_json("x.yaml", &findings);
    assert_eq!(
        (&json[0]["code"], &json[0]["file"], &json[0]["span"]["line"]),
        (&"DR0601".into(), &"x.yaml".into(), &9.into())
    );
    let sarif = compile::to_sarif("x.yaml", &findings);
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 2);
    let result = &run["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"DR0601".into(), &"note".into()));
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 9);
    assert_eq!(result["suppressions"][0]["justification"], "first drill in March (until 2026-11-21)");
}

#[test]
fn every_code_explains_itself() {
    for code in Code::ALL {
        let text = code.explanation();
        assert!(text.contains(code.as_str()) && text.contains("Wrong:") && text.contains("Right:"), "{text}");
        assert_eq!(code.as_str().parse::<Code>().unwrap(), *code);
        assert!(
            !code.entry().acceptable || code.as_str() > "DR0137" || *code == Code::IdleAcceptance,
            "{code}"
        );
    }
    let mut sorted: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    sorted.dedup();
    assert!(sorted.is_sorted() && sorted.len() == Code::ALL.len());
}

const HEAD: &str = "apiVersion: drctl/v1
kind: Runbook
metadata: {name: x}
sites: {a: {role: active}, b: {role: standby}}
";

fn workflow(steps: &str) -> String {
    format!("{HEAD}workflows: {{failover: {{steps: [\n{steps}]}}}}\n")
}

/// Name, the code it must get, and the text.
type Hostile = (&'static str, &'static str, String);

fn many(count: usize, line: &dyn Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// Texts made to cost time or memory, or to slip something past a reader, and the code each must get.
fn beyond_limits() -> Vec<Hostile> {
    let mut laughs = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for level in 1..10 {
        laughs.extend([
            format!("a{level}: &a{level} ["),
            vec![format!("*a{}", level - 1); 9].join(","),
            "]\n".to_owned(),
        ]);
    }
    let wide = format!("a: &a {{{}}}\nb:\n", many(1000, &|at| format!("k{at}: 1, ")));
    vec![
        ("brackets", "DR0103", "[".repeat(1 << 20)),
        ("braces", "DR0103", "{".repeat(1 << 20)),
        ("dashes", "DR0103", "- ".repeat(1 << 19)),
        ("question marks", "DR0103", "? ".repeat(1 << 19)),
        ("deep mappings", "DR0103", many(2000, &|at| format!("{}a:\n", " ".repeat(at.min(500))))),
        ("laughs", "DR0103", laughs),
        ("aliases", "DR0103", format!("a: &a '{}'\nb: [{}]", "x".repeat(3000), vec!["*a"; 3000].join(","))),
        (
            "big alias",
            "DR0103",
            format!("a: &a '{}'\nb: [{}]", "x".repeat(500_000), vec!["*a"; 999].join(",")),
        ),
        ("merges", "DR0103", wide + &many(900, &|at| format!("  - {{<<: *a, z{at}: 1}}\n"))),
        ("keys", "DR0103", many(10_001, &|at| format!("k{at}: 1\n"))),
        ("too long", "DR0103", "x".repeat((1 << 20) + 1)),
    ]
}

/// Texts that are refused for what they hold.
fn odd_texts() -> Vec<Hostile> {
    vec![
        ("self", "DR0108", "a: &a [*a]\n".to_owned()),
        ("nul", "DR0104", format!("{HEAD}\0")),
        ("escape sequence", "DR0104", format!("{HEAD}title: \u{1b}[2J\n")),
        ("right to left", "DR0104", format!("{HEAD}title: \u{202e}abc\n")),
        ("two documents", "DR0105", format!("{HEAD}---\n{HEAD}")),
        ("huge number", "DR0106", format!("a: {}", "9".repeat(1_000_000))),
        ("tag", "DR0107", "a: !!python/object:os.system x\n".to_owned()),
        ("duplicate keys", "DR0102", "k: 1\n".repeat(100_000)),
        ("duplicate numbers", "DR0102", "1: a\n1: b\n".to_owned()),
        ("keys", "DR0110", many(10_000, &|at| format!("k{at}: 1\n"))),
        ("anchors", "DR0110", many(10_000, &|at| format!("k{at}: &k{at} 1\n"))),
        ("one scalar", "DR0112", "x".repeat(1 << 20)),
        ("quotes", "DR0101", "\"".repeat(1 << 20)),
        ("spaces", "DR0112", " ".repeat(1 << 20)),
        ("nothing", "DR0112", String::new()),
        ("empty lines", "DR0112", "\n".repeat(1 << 20)),
        ("list", "DR0112", "- a\n".repeat(100_000)),
    ]
}

/// Workflows that are small to write and large to check.
fn hostile_workflows() -> Vec<Hostile> {
    vec![
        (
            "needs of one another",
            "DR0203",
            workflow(&many(5_000, &|at| {
                format!(
                    "{{id: s{at}, uses: wait.for, with: {{duration: 1s}}, needs: [s{}]}},\n",
                    (at + 1) % 5_000
                )
            })),
        ),
        (
            "everything needs everything",
            "DR0202",
            workflow(&many(300, &|at| {
                format!(
                    "{{id: s{at}, uses: wait.for, with: {{duration: 1s}}, needs: [{}]}},\n",
                    many(300, &|need| format!("n{need}, "))
                )
            })),
        ),
    ]
}

/// Expressions that would take a reader's stack.
fn hostile_expressions() -> Vec<Hostile> {
    vec![
        (
            "endless expression",
            "DR0120",
            workflow(&format!(
                "{{id: a, uses: wait.for, with: {{duration: 1s}}, when: \"{}\"}},\n",
                "(".repeat(500_000)
            )),
        ),
        (
            "braces in a text",
            "DR0120",
            workflow(&format!(
                "{{id: a, uses: manual.task, with: {{instructions: \"{}\"}}}},\n",
                "{{".repeat(400_000)
            )),
        ),
        (
            "chain of sums",
            "DR0120",
            workflow(&format!(
                "{{id: a, uses: manual.task, with: {{instructions: x}}, when: \"1{}\"}},\n",
                "+1".repeat(200_000)
            )),
        ),
        (
            "nested conditions",
            "DR0120",
            workflow(&format!(
                "{{id: a, uses: manual.task, with: {{instructions: \"{}\"}}}},\n",
                "{% if mode %}".repeat(20_000)
            )),
        ),
        (
            "long but allowed",
            "DR0121",
            workflow(&format!(
                "{{id: a, uses: manual.task, with: {{instructions: x}}, when: \"{}nope{}{}\"}},\n",
                "(".repeat(30),
                "+1".repeat(160),
                ")".repeat(30)
            )),
        ),
        (
            "nested but allowed",
            "DR0120",
            workflow(&format!(
                "{{id: a, uses: manual.task, with: {{instructions: \"{}\"}}}},\n",
                "{% if mode %}".repeat(200)
            )),
        ),
        (
            "long chain of names",
            "DR0120",
            workflow(&format!(
                "{{id: a, uses: manual.task, with: {{instructions: \"{{{{ params{} }}}}\"}}}},\n",
                ".a".repeat(20_000)
            )),
        ),
    ]
}

#[test]
fn hostile_texts_are_refused_quickly_and_by_name() {
    for (name, code, text) in
        [beyond_limits(), odd_texts(), hostile_workflows(), hostile_expressions()].concat()
    {
        let begun = Instant::now();
        let (runbook, findings) = compile(&text);
        let drawn = compile::render("x.yaml", &text, &findings, false);
        let took = begun.elapsed();
        assert!(runbook.is_none(), "{name}");
        assert!(codes(&findings).contains(code), "{name}: {:?}", codes(&findings));
        assert!(
            findings.len() <= 1_001 && drawn.len() < 4 << 20,
            "{name}: {} findings, {} bytes",
            findings.len(),
            drawn.len()
        );
        // An unoptimised build on a busy machine; the benchmark holds the real limit.
        assert!(took < Duration::from_secs(20), "{name}: {took:?}");
    }
}

#[test]
fn ten_thousand_steps_compile() {
    let step = |at: usize| match (at.checked_sub(1), at % 2) {
        (None, _) => "{id: s0, uses: wait.for, with: {duration: 1s}},\n".to_owned(),
        (Some(before), 0) => {
            let when = format!("steps.s{before}.status");
            format!(
                "{{id: s{at}, uses: wait.for, with: {{duration: 1s}}, needs: [s{before}], when: {when}}},\n"
            )
        }
        (Some(before), _) => format!(
            "{{id: s{at}, uses: wait.for, with: {{duration: \"{{{{ params.d }}}}\"}}, needs: [s{before}]}},\n"
        ),
    };
    let text = workflow(&(0..10_000).map(step).collect::<String>());
    let text = text.replace("workflows:", "parameters: {d: {type: duration, default: 1s}}\nworkflows:");
    let begun = Instant::now();
    let (runbook, findings) = compile(&text);
    let took = begun.elapsed();
    assert_eq!(
        findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>(),
        Vec::<&str>::new()
    );
    assert_eq!(runbook.unwrap().workflows.failover.unwrap().steps.len(), 10_000);
    assert!(took < Duration::from_secs(20), "{took:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..Default::default()
    })]

    /// Whatever becomes of a runbook in an editor, the compiler answers, and every finding has a place
    /// inside the text.
    #[test]
    fn no_edit_makes_the_compiler_panic(
        which in 0_usize..64,
        edits in proptest::collection::vec((0_usize..1_000, 0_usize..12, "[ -~\n\u{e9}\u{202e}]{0,6}"), 1..6),
    ) {
        let fixtures = fixtures();
        let mut text: Vec<char> = fixtures[which % fixtures.len()].1.chars().collect();
        for (place, length, insert) in edits {
            let from = place * text.len() / 1_000;
            let to = (from + length).min(text.len());
            text.splice(from..to, insert.chars());
        }
        let text: String = text.into_iter().collect();
        let (runbook, findings) = compile(&text);
        let broken = findings.iter().any(|finding| finding.severity == Severity::Error);
        proptest::prop_assert_eq!(runbook.is_none(), broken);
        for finding in &findings {
            if let Some(span) = finding.span {
                let place = span.start as usize..span.end as usize;
                proptest::prop_assert!(text.get(place).is_some(), "{:?}", finding);
            }
        }
        let drawn = compile::render("x.yaml", &text, &findings, true);
        proptest::prop_assert_eq!(drawn.is_empty(), findings.is_empty());
    }
}

/// Warnings beyond the most that are kept are counted, refuse nothing and hide no error.
#[test]
fn many_warnings_refuse_nothing_and_hide_no_error() {
    let step =
        |at: usize| format!("{{id: s{at}, uses: command.run, with: {{argv: [x], idempotent: true}}}},\n");
    let text = workflow(&many(1_200, &step));
    let (runbook, findings) = compile(&text);
    assert!(runbook.is_some());
    let last = findings.last().unwrap();
    assert_eq!((last.code.as_str(), last.severity), ("DR0103", Severity::Warning));
    assert!(last.message.starts_with("200 further"), "{}", last.message);
    let (runbook, findings) = compile(&text.replace("s1199, uses: command.run", "s1199, uses: command.rum"));
    assert!(runbook.is_none());
    assert!(findings.iter().any(|finding| finding.code.as_str() == "DR0116"));
}
