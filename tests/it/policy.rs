//! The policy: what it refuses to be, and what it says to runbooks, plans and beginnings.

#![expect(clippy::panic, clippy::disallowed_methods, reason = "parts of tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use drctl::compile::{self, Code, Diagnostic, Severity};
use drctl::model::governance::{
    APPROVAL_FIELDS, DEPENDENCY_FIELDS, OBJECTIVE_FIELDS, PLAN_FIELDS, Policy, SITE_FIELDS, STEP_FIELDS,
};
use drctl::model::run::{Intent, Mode, Operation};
use drctl::model::runbook::Runbook;
use drctl::model::time::{Duration, Timestamp};
use drctl::plan::{self, Plan};
use drctl::policy::{self, Begin, Exercised, Finding};
use serde_json::Value;

use crate::plan::{PAIR, bound, choices, runbook};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A policy of some parts, which must compile.
fn of(parts: &str) -> Policy {
    let text = format!("apiVersion: drctl/v1\nkind: Policy\nmetadata: {{name: company}}\n{parts}");
    let (policy, found) = compile::policy(&text);
    policy.unwrap_or_else(|| panic!("{}", compile::render("policy.yaml", &text, &found, false)))
}

fn pair() -> Runbook {
    let mut runbook = runbook(PAIR);
    runbook.metadata.labels.insert("tier".to_owned(), "1".to_owned());
    runbook
}

fn real(runbook: &Runbook, operation: Operation, mode: Mode) -> Plan {
    let chosen = plan::Choices { mode: Some(mode), ..choices(operation) };
    Plan { intent: Intent::Real, ..bound(runbook, &chosen) }
}

/// What a policy says to the failover of a runbook.
fn says(policy: &Policy, runbook: &Runbook) -> Vec<Finding> {
    policy::plan(policy, runbook, &real(runbook, Operation::Failover, Mode::Ungraceful))
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn wrong_policies_are_refused_with_every_place() {
    let mut names: Vec<PathBuf> = std::fs::read_dir(root().join("tests/fixtures/policy"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    assert!(names.len() >= 6);
    for path in names {
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (policy, found) = compile::policy(&text);
        let expected = text.lines().next().unwrap().strip_prefix("# expect: ").unwrap();
        let expected: BTreeSet<&str> = expected.split(' ').filter(|word| *word != "nothing").collect();
        let drawn = compile::render(&format!("{name}.yaml"), &text, &found, false);
        let codes: BTreeSet<&str> = found.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, expected, "{name}\n{drawn}");
        assert_eq!(policy.is_some(), !found.iter().any(Diagnostic::is_error), "{name}");
        assert!(found.iter().all(|finding| finding.span.is_some()), "{name}\n{drawn}");
        insta::assert_snapshot!(format!("policy-{name}"), drawn);
    }
}

#[test]
fn the_schema_is_fresh_and_takes_what_the_compiler_takes() {
    let schema = compile::policy_schema();
    let path = root().join("schemas/policy.schema.json");
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("DRCTL_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{} is stale: run the tests with DRCTL_BLESS=1", path.display());
    let schema = jsonschema::draft202012::new(&schema).unwrap();
    for (name, sound) in [("good", true), ("shape", false), ("list", false)] {
        let text =
            std::fs::read_to_string(root().join(format!("tests/fixtures/policy/{name}.yaml"))).unwrap();
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(schema.is_valid(&value), sound, "{name}");
    }
}

/// The page of documents shows a policy that compiles, and names everything that rules can read.
#[test]
fn the_page_about_policies_is_true() {
    let page = std::fs::read_to_string(root().join("docs/reference/policy.md")).unwrap();
    let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let (policy, found) = compile::policy(example);
    assert!(policy.is_some() && found.is_empty(), "{}", compile::render("page", example, &found, false));
    let all = [PLAN_FIELDS, STEP_FIELDS, SITE_FIELDS, APPROVAL_FIELDS, OBJECTIVE_FIELDS, DEPENDENCY_FIELDS];
    let missing: Vec<_> =
        all.concat().into_iter().filter(|field| !page.contains(&format!("`{field}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn rules_read_what_is_listed_and_no_secret() {
    let mut runbook = pair();
    let dependency = serde_json::json!({"kind": "sso", "name": "okta", "site": "outside"});
    runbook.dependencies.push(serde_json::from_value(dependency).unwrap());
    let facts = plan::facts(&runbook, &real(&runbook, Operation::Failover, Mode::Graceful));
    let keys = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let listed =
        |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    assert_eq!(keys(&facts), listed(PLAN_FIELDS));
    assert_eq!(keys(&facts["to"]), listed(SITE_FIELDS));
    assert_eq!(keys(&facts["objectives"]), listed(OBJECTIVE_FIELDS));
    assert_eq!(keys(&facts["dependencies"][0]), listed(DEPENDENCY_FIELDS));
    for step in facts["steps"].as_array().unwrap() {
        assert_eq!(keys(step), listed(STEP_FIELDS), "{step}");
    }
    // The call that carries a token shows none of its parameters.
    let freeze = facts["steps"].as_array().unwrap().iter().find(|step| step["id"] == "freeze").unwrap();
    assert_eq!((&freeze["with"], &freeze["action"]), (&serde_json::json!({}), &"http.request".into()));
    insta::assert_json_snapshot!(facts["steps"]);
}

#[test]
fn as_many_people_agree_as_the_policy_wants() {
    let two = of(
        "approvals: [{select: {labels: {tier: '1'}}, quorum: 2, roles: [dba, sre], not_by_starter: true}]",
    );
    let asks = |approval: &str| {
        let text = PAIR.replace(
            "        phase: fence\n",
            &format!("        phase: fence\n        approval: {approval}\n"),
        );
        assert!(text != PAIR);
        let mut runbook = runbook(&text);
        runbook.metadata.labels.insert("tier".to_owned(), "1".to_owned());
        codes(&says(&two, &runbook))
    };
    for (approval, met) in [
        ("{roles: [dba], quorum: 2, not_by: [starter]}", true),
        ("{roles: [sre, dba], quorum: 3, not_by: [starter]}", true),
        ("{roles: [dba], quorum: 1, not_by: [starter]}", false),
        ("{roles: [dba, intern], quorum: 2, not_by: [starter]}", false),
        ("{quorum: 2, not_by: [starter]}", false),
        ("{roles: [dba], quorum: 2}", false),
    ] {
        assert_eq!(asks(approval).is_empty(), met, "{approval}");
    }
    let nobody = says(&two, &pair());
    assert_eq!(codes(&nobody), ["DR0810"]);
    assert!(nobody[0].message.ends_with("before the point of no return; nobody is asked"), "{nobody:?}");
    let mut other = pair();
    other.metadata.labels.clear();
    assert!(says(&two, &other).is_empty(), "another tier");

    // An approval that may be left out, or that stands behind the gate, is none.
    let skipped = PAIR
        .replace("phase: fence\n", "phase: fence\n        ungraceful: skip\n        approval: {quorum: 2}\n");
    let behind = PAIR.replace("phase: shift\n", "phase: shift\n        approval: {quorum: 2}\n");
    let any = of("approvals: [{quorum: 2}]");
    for (text, graceful, ungraceful) in [(skipped, 0, 1), (behind, 1, 1)] {
        let runbook = runbook(&text);
        let count = |mode| policy::plan(&any, &runbook, &real(&runbook, Operation::Failover, mode)).len();
        assert_eq!((count(Mode::Graceful), count(Mode::Ungraceful)), (graceful, ungraceful), "{text}");
    }
}

#[test]
fn rules_deny_and_what_cannot_be_decided_is_denied() {
    let rule = |when: &str, message: &str| {
        of(&format!("deny: [{{id: r, when: \"{when}\", message: \"{message}\"}}]"))
    };
    let lost = "{{ plan.steps | selectattr('irreversible') | map(attribute='id') | join(', ') }} cannot be taken back";
    let denied = says(&rule("plan.steps | selectattr('irreversible') | list | length > 0", lost), &pair());
    assert_eq!(codes(&denied), ["DR0814"]);
    assert_eq!(
        (denied[0].message.as_str(), denied[0].rule.as_str()),
        ("promote cannot be taken back", "deny r")
    );
    for quiet in [
        "plan.mode == 'graceful'",
        "plan.objectives.rto is none",
        "'command.run' not in plan.actions",
        "plan.intent != 'real'",
        "plan.steps | selectattr('phase', 'equalto', 'fence') | selectattr('before_gate') | list | length == 0",
        "plan.point_of_no_return != 'promote'",
        "plan.to.region == plan.from.region",
        "plan.steps | selectattr('id', 'equalto', 'scale') | map(attribute='needs') | first != ['fence']",
    ] {
        assert_eq!(codes(&says(&rule(quiet, "no"), &pair())), Vec::<&str>::new(), "{quiet}");
    }
    // What is missing, of the wrong type, or too much to work out.
    for broken in ["plan.labels.owner > 1", "plan.steps[99].id == 'x'"] {
        let found = says(&rule(broken, "no"), &pair());
        assert_eq!(codes(&found), ["DR0816"], "{broken}: {found:?}");
        assert!(found[0].is_error());
    }
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    assert_eq!(codes(&says(&rule("true", endless), &pair())), ["DR0816"]);
    let warns =
        of("deny: [{id: w, when: 'true', message: x, severity: warning, select: {services: [other, 'p*']}}]");
    assert!(says(&warns, &pair()).iter().all(|finding| finding.severity == Severity::Warning));
    let other = of("deny: [{id: w, when: 'true', message: x, select: {operations: [failback]}}]");
    assert!(says(&other, &pair()).is_empty());
}

#[test]
fn a_drill_is_judged_as_a_drill_and_a_simulation_as_what_it_stands_for() {
    use drctl::policy::stands_for;
    assert_eq!(stands_for(Intent::Drill), Intent::Drill);
    for intent in [Intent::Real, Intent::Check, Intent::Simulate] {
        assert_eq!(stands_for(intent), Intent::Real);
    }
    assert_eq!(stands_for(Intent::Drill).as_str(), "drill", "what rules read as `plan.intent`");
}

#[test]
fn a_runbook_is_judged_in_every_operation_and_mode() {
    let policy = of("deny: [{id: loss, when: \"plan.mode == 'ungraceful'\", message: may lose data},
                     {id: all, when: plan.readings > 0, message: reads},
                     {id: f, when: \"plan.operation == 'failover'\", message: waits}]");
    let found = policy::runbook(&policy, &pair());
    let said: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        said,
        ["reads", "waits (failover)", "may lose data (failover ungraceful, switchover ungraceful)"]
    );
}

#[test]
fn windows_know_zones_nights_and_days_off_and_never_hold_a_failover() {
    let policy = of("windows:
  - id: office
    timezone: Europe/Berlin
    operations: [switchover, failback]
    allow: [{days: [mon, tue], from: '09:00', to: '16:00'}, {days: [fri], from: '22:00', to: '02:00'}]
    blackout: [2026-12-20/2027-01-05]");
    let found = |at: &str, operation: Operation, intent: Intent| {
        let at: Timestamp = at.parse().unwrap();
        policy::window(&policy, &pair(), Begin { operation, intent, at })
    };
    for (at, open) in [
        ("2026-11-23T08:00:00Z", true),
        ("2026-11-23T07:59:59Z", false),
        ("2026-11-23T15:00:00Z", false),
        // Summer: an hour earlier in UTC.
        ("2026-07-06T07:00:00Z", true),
        ("2026-07-06T06:59:00Z", false),
        // Friday night goes on into Saturday, and no other night does.
        ("2026-11-28T00:30:00Z", true),
        ("2026-11-28T01:00:00Z", false),
        ("2026-11-27T00:30:00Z", false),
        ("2026-12-21T10:00:00Z", false),
        ("2027-01-11T10:00:00Z", true),
    ] {
        assert_eq!(found(at, Operation::Switchover, Intent::Real).is_empty(), open, "{at}");
        assert_eq!(found(at, Operation::Failback, Intent::Real).is_empty(), open, "{at}");
        assert!(found(at, Operation::Failover, Intent::Real).is_empty(), "{at}");
        assert!(found(at, Operation::Switchover, Intent::Simulate).is_empty(), "{at}");
        // This window is not about drills.
        assert!(found(at, Operation::Failover, Intent::Drill).is_empty(), "{at}");
    }
    let closed = found("2026-12-19T10:00:00Z", Operation::Switchover, Intent::Real);
    assert_eq!(codes(&closed), ["DR0811"]);
    assert!(closed[0].message.contains("Sat 2026-12-19 11:00 in Europe/Berlin"), "{closed:?}");
    assert_eq!(closed[0].help.as_deref(), Some("the window opens Fri 2027-01-08 22:00 CET"));
    let drills =
        of("windows: [{id: d, timezone: UTC, operations: [drill], blackout: [2026-01-01/2030-01-01]}]");
    let at: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    let drill = Begin { operation: Operation::Failover, intent: Intent::Drill, at };
    let closed = policy::window(&drills, &pair(), drill);
    assert_eq!(closed[0].help.as_deref(), Some("the window does not open within 400 days"));
}

#[test]
fn required_findings_are_neither_accepted_nor_lowered() {
    let policy = of("lints: {required: [DR05, DR0801]}");
    let accepted = |code: Code| {
        let mut finding = Diagnostic::new(code, "/workflows", None, "m");
        finding.severity = Severity::Note;
        let (reason, until) = ("later".to_owned(), "2027-01-01".to_owned());
        finding.accepted = Some(compile::Acceptance { reason, until });
        finding
    };
    let lowered =
        Diagnostic { severity: Severity::Note, ..Diagnostic::new(Code::MissingUndo, "/x", None, "m") };
    let as_it_is = Diagnostic::new(Code::DoubtNeedsPerson, "/y", None, "m");
    let all = [accepted(Code::DoubtNeedsPerson), accepted(Code::DrillUndeclared), lowered, as_it_is];
    let found = policy::lints(&policy, &all, &["DR0503".to_owned(), "DR0601".to_owned()]);
    let said: Vec<_> =
        found.iter().map(|it| (it.code.as_str(), it.pointer.as_str(), it.message.as_str())).collect();
    assert_eq!(
        said,
        [
            ("DR0812", "/metadata/name", "DR0503 may not be off"),
            ("DR0812", "/workflows", "DR0502 may not be accepted: m"),
            ("DR0812", "/x", "DR0503 may not be made less of: m")
        ]
    );
}

#[test]
fn an_old_exercise_is_said_and_never_refuses_a_failover() {
    let policy = of("drills: [{freshness: 90d, severity: error, select: {labels: {tier: '1'}}}]");
    let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    let ago = |days: u64| Some(now.minus(Duration::from_secs(days * 24 * 3600)));
    let found = |operation, last| {
        let exercised = Exercised { last, covered: &|_| panic!("nobody asked for it") };
        policy::exercise(&policy, &pair(), operation, exercised, now)
    };
    assert!(found(Operation::Switchover, ago(90)).is_empty());
    for last in [ago(91), None] {
        assert_eq!(found(Operation::Switchover, last)[0].severity, Severity::Error);
        assert_eq!(found(Operation::Failover, last)[0].severity, Severity::Warning);
    }
    assert!(found(Operation::Failover, None)[0].message.starts_with("pay was never exercised"));
    assert_eq!(codes(&found(Operation::Failback, None)), ["DR0813"]);
}

#[test]
fn too_few_steps_are_said_for_the_time_the_policy_looks_at() {
    let policy = of("drills: [{freshness: 30d, coverage: 80}]");
    let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    let says = |percent: Option<usize>| {
        let within = Duration::from_secs(30 * 24 * 3600);
        let covered = move |asked: Duration| percent.filter(|_| asked == within);
        let exercised = Exercised { last: Some(now), covered: &covered };
        let found = policy::exercise(&policy, &pair(), Operation::Failover, exercised, now);
        found.into_iter().map(|finding| finding.message).collect::<Vec<_>>()
    };
    assert_eq!(says(Some(79)), ["79 % of the failover of pay was exercised in 30d; the policy wants 80 %"]);
    assert_eq!((says(Some(80)).len(), says(None).len()), (0, 0));
}

#[test]
fn a_policy_is_named_by_what_it_says() {
    let (one, other) =
        (of("lints: {required: [DR05]}"), of("# with a comment\nlints:\n  required:\n  - DR05\n"));
    assert_eq!(policy::digest(&one), policy::digest(&other));
    assert_ne!(policy::digest(&one), policy::digest(&of("lints: {required: [DR06]}")));
    assert!(Path::new(&policy::digest(&one)).to_str().is_some_and(|digest| digest.len() == 64));
}
