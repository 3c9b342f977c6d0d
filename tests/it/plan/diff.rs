//! Two versions of a runbook are compared: each rule alone, in both directions.

use std::fmt::Write as _;
use std::path::Path;

use drctl::compile;
use drctl::model::run::{Mode, Operation};
use drctl::plan::diff::{self, Chosen, Comparison, Topic, Weight};

use super::whole;

const BASE: &str = include_str!("../../fixtures/diff/base.yaml");

/// Name of the rule, and texts to replace in the base: each must be there.
type Edit = (&'static str, &'static [(&'static str, &'static str)]);

const FENCE: &str = "      - id: fence
        phase: fence
        uses: postgres.fence
        with: {primary: \"{{ from.values.db }}\", method: stop, stop_command: [pg_ctl, stop]}
        approval: {roles: [dba], quorum: 2, expires: 30m, on_expiry: hold, not_by: [starter]}
        undo: auto
        drill: skip
";
const EARLY: &str = "      - id: early
        phase: promote
        uses: dns.update
        with: {server: \"192.0.2.1:53\", zone: \"{{ params.zone }}\", name: b.example.com, record_type: A, values: [\"192.0.2.9\"]}
        drill: skip
      - id: promote
        needs: [fence]
";
const AGAIN: &str = "      - id: again
        phase: fence
        uses: aws.ecs.set_desired_count
        with: {region: \"{{ from.region }}\", cluster: pay, service: web, desired: 4}
        drill: skip
      - id: promote
";
const APPROVAL: &str =
    "        approval: {roles: [dba], quorum: 2, expires: 30m, on_expiry: hold, not_by: [starter]}\n";
const SMOKE: &str = "      - id: smoke
        phase: verify
        needs: [promote, scale]
        uses: http.check
        with: {url: \"{{ to.url }}/health\"}
";

const EDITS: &[Edit] = &[
    (
        "the fence only looks",
        &[(FENCE, "      - {id: fence, phase: fence, uses: http.check, with: {url: \"https://x\"}}\n")],
    ),
    (
        "the fence of the target",
        &[("{primary: \"{{ from.values.db }}\"", "{primary: \"{{ to.values.db }}\"")],
    ),
    (
        "a promotion that only looks",
        &[(
            "        uses: postgres.promote\n        with: {standby: \"{{ to.values.db }}\"}\n",
            "        uses: postgres.check_replication\n        with: {standby: \"{{ to.values.db }}\"}\n",
        )],
    ),
    (
        "a promotion by a program",
        &[(
            "        uses: postgres.promote\n        with: {standby: \"{{ to.values.db }}\"}\n",
            "        uses: command.run\n        with: {argv: [pg_ctl, promote], idempotent: true}\n        \
             reversibility: {class: compensable, reason: it can be demoted}\n",
        )],
    ),
    (
        "another promotion without a gate",
        &[
            (
                "      - id: promote\n        phase: promote\n        uses: postgres.promote\n        with: {standby: \"{{ \
                 to.values.db }}\"}\n",
                "      - id: exchange\n        phase: restore\n        uses: command.run\n        with: {argv: [./promote]}\n",
            ),
            ("needs: [promote, scale]", "needs: [exchange, scale]"),
        ],
    ),
    ("users are sent away early", &[("      - id: promote\n", EARLY)]),
    ("what was fenced is started again", &[("      - id: promote\n", AGAIN)]),
    ("the fence is gone", &[(FENCE, ""), ("needs: [fence]", "needs: [freeze]")]),
    (
        "the fence has a condition",
        &[("uses: postgres.fence\n", "uses: postgres.fence\n        when: mode == 'graceful'\n")],
    ),
    (
        "the fence is left out when ungraceful",
        &[("uses: postgres.fence\n", "uses: postgres.fence\n        ungraceful: skip\n")],
    ),
    (
        "the promotion is left out when ungraceful",
        &[("phase: promote\n", "phase: promote\n        ungraceful: skip\n")],
    ),
    ("another fence", &[("method: stop, stop_command: [pg_ctl, stop]", "method: read_only")]),
    ("no approval", &[(APPROVAL, "")]),
    ("a lower quorum", &[("quorum: 2", "quorum: 1")]),
    ("other roles", &[("roles: [dba]", "roles: [dba, sre]")]),
    ("no roles", &[("roles: [dba], ", "")]),
    (
        "silence is agreement",
        &[
            ("on_expiry: hold", "on_expiry: proceed"),
            (
                "uses: postgres.promote\n",
                "uses: postgres.promote\n        reversibility: {class: compensable, reason: a copy}\n",
            ),
        ],
    ),
    ("the starter may agree", &[(", not_by: [starter]", "")]),
    (
        "a promise that is not kept by the action",
        &[(
            "uses: postgres.promote\n",
            "uses: postgres.promote\n        reversibility: {class: reversible, reason: a copy}\n",
        )],
    ),
    (
        "one more that cannot be taken back",
        &[(
            "uses: dns.update\n",
            "uses: dns.update\n        reversibility: {class: irreversible, reason: caches}\n",
        )],
    ),
    (
        "an earlier point of no return",
        &[(
            "uses: postgres.fence\n",
            "uses: postgres.fence\n        reversibility: {class: irreversible, reason: it is old}\n",
        )],
    ),
    (
        "no undo",
        &[(
            "[pg_ctl, stop]}\n        approval: {roles: [dba], quorum: 2, expires: 30m, \
                on_expiry: hold, not_by: [starter]}\n        undo: auto\n",
            "[pg_ctl, stop]}\n        approval: {roles: [dba], quorum: 2, expires: 30m, \
                on_expiry: hold, not_by: [starter]}\n",
        )],
    ),
    ("no undo after a failure", &[("        undo_after_failure: true\n", "")]),
    ("no observe", &[(", observes: true", "")]),
    (
        "no verify",
        &[(
            "        verify:\n          - {uses: postgres.query, with: {connection: \"{{ \
                to.values.db }}\", sql: select 1}, within: 30s, consecutive: 3}\n",
            "",
        )],
    ),
    ("a weaker verify", &[("consecutive: 3", "consecutive: 2")]),
    (
        "no precheck",
        &[(
            "        precheck:\n          - {uses: postgres.check_replication, with: {standby: \
                \"{{ to.values.db }}\", max_lag: 1m}}\n",
            "",
        )],
    ),
    ("no retry", &[("        retry: {attempts: 3}\n", "")]),
    (
        "failures are passed over",
        &[(
            "uses: http.check\n        with: {url: \"{{ to.url }}/health\"}\n",
            "uses: http.check\n        with: {url: \"{{ to.url }}/health\"}\n        on_failure: continue\n",
        )],
    ),
    ("fewer must succeed", &[("for_each: [web, api]", "for_each: [web, api]\n        min_success: 50%")]),
    ("more items", &[("[web, api]", "[web, api, admin]")]),
    (
        "traffic does not wait for the check",
        &[
            ("        needs: [promote, scale]\n", "        needs: [traffic]\n"),
            ("        phase: shift\n", "        phase: shift\n        needs: [promote, scale]\n"),
            ("        phase: validate\n", "        phase: validate\n        needs: [smoke]\n"),
        ],
    ),
    (
        "the check is gone",
        &[(SMOKE, ""), ("        phase: shift\n", "        phase: shift\n        needs: [promote, scale]\n")],
    ),
    ("scaling begins earlier", &[("needs: [fence]", "needs: [freeze]")]),
    ("a longer path", &[("phase: promote\n", "phase: promote\n        estimate: 6m\n")]),
    ("weaker objectives", &[("{rto: 5m, rpo: 30s}", "{rto: 15m}")]),
    (
        "a site more",
        &[(
            "residency: {allow: [US]}",
            "  north: {role: standby, provider: aws, region: us-west-2, jurisdiction: US, url: \
                \"https://n.example.com\", values: {db: host=n}}\nresidency: {allow: [US]}",
        )],
    ),
    ("both in one region", &[("region: us-west-2", "region: us-east-1")]),
    ("anywhere", &[("residency: {allow: [US]}\n", "")]),
    ("more places", &[("allow: [US]", "allow: [US, CA]")]),
    (
        "no reading",
        &[(
            "recovery_point:\n  - {uses: postgres.heartbeat, with: {connection: \"{{ to.values.db }}\"}}\n",
            "",
        )],
    ),
    ("a step leaves the drill", &[("drill: run", "drill: skip")]),
    (
        "one acceptance more",
        &[("accept:\n", "accept:\n  - {code: DR0601, reason: later, until: \"2027-02-01\"}\n")],
    ),
    ("a longer acceptance", &[("2027-01-01", "2028-01-01")]),
    ("a new secret", &[("secrets:\n", "secrets:\n  key: {from: file, path: /run/key}\n")]),
    ("a secret from elsewhere", &[("{from: env, name: TOKEN}", "{from: command, argv: [vault, read]}")]),
    (
        "a value asked for",
        &[("tasks: {type: integer, default: 12}", "tasks: {type: integer, required: true}")],
    ),
    ("another default", &[("default: 12", "default: 3")]),
    ("a dependency in the lost site", &[("site: outside", "site: east")]),
    ("another name", &[("name: pay,", "name: pay2,"), ("tier: \"1\"", "tier: \"2\"")]),
    ("a renamed step", &[("- id: smoke", "- id: probe")]),
    (
        "another action",
        &[(
            "uses: http.check\n        with: {url: \"https://pay.example.com/health\"}",
            "uses: http.request\n        with: {method: GET, url: \"https://pay.example.com/health\"}",
        )],
    ),
    (
        "a way back",
        &[(
            "workflows:\n",
            "workflows:\n  failback:\n    steps:\n      - {id: back, phase: shift, uses: \
                wait.for, with: {duration: 1s}}\n",
        )],
    ),
    ("a secret's parameters", &[("ci.example.com/freeze", "ci.example.com/stop")]),
    (
        "more time",
        &[(
            "        retry: {attempts: 3}\n",
            "        retry: {attempts: 3}\n        timeout: 9m\n        deadline: 30m\n",
        )],
    ),
];

fn compared(old: &str, new: &str) -> Comparison {
    diff::runbooks(&whole(old), &whole(new), &Chosen::default())
}

fn edited(edits: &[(&str, &str)]) -> String {
    let mut text = BASE.to_owned();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    text
}

#[test]
fn each_rule_in_both_directions() {
    let mut all = String::new();
    let same = compared(BASE, BASE);
    assert!(same.changes.is_empty() && same.not_compared.is_empty() && same.cases.len() == 4, "{same:#?}");
    for (name, edits) in EDITS {
        let new = edited(edits);
        let (forth, back) = (compared(BASE, &new), compared(&new, BASE));
        assert!(!forth.changes.is_empty() && !back.changes.is_empty(), "{name}");
        let _ = write!(all, "# {name}\n{}# and back\n{}\n", diff::text(&forth), diff::text(&back));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_makes_a_recovery_more_dangerous_is_called_so() {
    for (name, topic) in [
        ("the fence is gone", Topic::Fence),
        ("the fence only looks", Topic::Fence),
        ("the fence of the target", Topic::Fence),
        ("a promotion that only looks", Topic::Action),
        ("a promotion by a program", Topic::Irreversible),
        ("a promotion by a program", Topic::PointOfNoReturn),
        ("a promise that is not kept by the action", Topic::PointOfNoReturn),
        ("users are sent away early", Topic::Order),
        ("what was fenced is started again", Topic::Fence),
        ("the fence is left out when ungraceful", Topic::Condition),
        ("the promotion is left out when ungraceful", Topic::Condition),
        ("no approval", Topic::Approval),
        ("a lower quorum", Topic::Approval),
        ("a promise that is not kept by the action", Topic::Irreversible),
        ("one more that cannot be taken back", Topic::Irreversible),
        ("an earlier point of no return", Topic::PointOfNoReturn),
        ("no undo", Topic::Undo),
        ("no undo after a failure", Topic::Undo),
        ("no observe", Topic::Observe),
        ("no verify", Topic::Verify),
        ("no precheck", Topic::Precheck),
        ("no retry", Topic::Retry),
        ("failures are passed over", Topic::OnFailure),
        ("traffic does not wait for the check", Topic::Order),
        ("the check is gone", Topic::Step),
        ("a longer path", Topic::CriticalPath),
        ("weaker objectives", Topic::Objectives),
        ("both in one region", Topic::Sites),
        ("anywhere", Topic::Residency),
        ("no reading", Topic::RecoveryPoint),
        ("a step leaves the drill", Topic::Drill),
        ("one acceptance more", Topic::Accept),
    ] {
        let (_, edits) = EDITS.iter().find(|(known, _)| *known == name).unwrap();
        let forth = compared(BASE, &edited(edits));
        let is = |weight: Weight| forth.changes.iter().any(|it| it.topic == topic && it.weight == weight);
        assert!(is(Weight::Worse), "{name}: {}", diff::text(&forth));
        let back = compared(&edited(edits), BASE);
        let worse: Vec<_> =
            back.changes.iter().filter(|it| it.topic == topic && it.weight == Weight::Worse).collect();
        assert!(worse.is_empty(), "{name}, and back: {worse:#?}");
    }
}

#[test]
fn every_operation_and_mode_is_compared_and_named_where_it_matters() {
    let only = ("phase: promote\n", "phase: promote\n        ungraceful: {with: {wait: 10s}}\n");
    let new = edited(&[only]);
    let comparison = compared(BASE, &new);
    assert_eq!(comparison.cases.len(), 4, "failover and switchover in two modes; there is no failback");
    assert!(comparison.changes.iter().all(|it| it.cases.iter().all(|case| case.mode == Mode::Ungraceful)));
    let text = diff::text(&comparison);
    assert!(text.contains("[failover ungraceful, switchover ungraceful]"), "{text}");

    let chosen =
        Chosen { operation: Some(Operation::Failover), mode: Some(Mode::Ungraceful), ..Chosen::default() };
    let one = diff::runbooks(&whole(BASE), &whole(&new), &chosen);
    assert_eq!(one.cases.len(), 1);
    assert!(!diff::text(&one).contains('['), "{}", diff::text(&one));
}

#[test]
fn a_table_for_a_pull_request_holds_no_markup_of_the_runbook() {
    let new = edited(&[(FENCE, ""), ("needs: [fence]", "needs: [freeze]"), ("- id: smoke", "- id: probe")]);
    let new = new.replace("reason: the old script", "reason: '<img src=x> a|b `c`'");
    insta::assert_snapshot!(diff::markdown(&compared(BASE, &new)));
}

#[test]
fn a_runbook_is_no_different_from_itself_and_declared_ones_from_their_steps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    let mut runbooks = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let (runbook, _) = compile::compile(&text, jiff::civil::date(2026, 1, 1));
        runbooks.extend(runbook);
    }
    assert!(runbooks.len() >= 6);
    for runbook in &runbooks {
        let same = diff::runbooks(runbook, runbook, &Chosen::default());
        assert!(same.changes.is_empty(), "{}: {}", runbook.metadata.name, diff::text(&same));
        assert!(same.cases.len() >= 4 && same.not_compared.is_empty(), "{}", diff::text(&same));
        for other in &runbooks {
            // Whatever is compared with whatever: an answer, and the same one each time.
            let one = diff::text(&diff::runbooks(runbook, other, &Chosen::default()));
            assert_eq!(one, diff::text(&diff::runbooks(runbook, other, &Chosen::default())));
        }
    }
}
