//! Reports, findings, bundles and replays, as people and programs get them.

use serde_json::Value;

use super::moves::real;
use super::{json, simulated};
use crate::support::binary::Drctl;

const REAL: &str = include_str!("../../fixtures/cli/real.yaml");

/// The report of the newest run as data.
fn report(drctl: &Drctl) -> Value {
    json(drctl, "runs report latest --format json")
}

fn row<'a>(report: &'a Value, what: &str) -> &'a Value {
    let rows = report["verdicts"].as_array().unwrap();
    rows.iter().find(|row| row["what"] == what).unwrap()
}

fn control<'a>(report: &'a Value, control: &str) -> &'a Value {
    report["controls"].as_array().unwrap().iter().find(|row| row["control"] == control).unwrap()
}

/// A run whose program `bad` fails until it is skipped.
fn failing(phase: &str) -> Drctl {
    let step = format!(
        "      - {{id: bad, phase: {phase}, uses: command.run, with: {{argv: [./bad]}}, drill: skip}}\n  failback:"
    );
    let runbook = REAL
        .replacen("  failback:", &step, 1)
        .replace("owner: team-payments}", "owner: team-payments}\nobjectives: {rto: 15m, rpo: 1m}");
    let drctl = real();
    drctl.write("runbooks/pay.yaml", &runbook);
    drctl.write_program("bad", "#!/bin/sh\necho '</td><script>alert(1)</script>' >&2\nexit 1\n");
    let paused = drctl.run("failover pay --reason drill --accept-loss unmeasured");
    assert_eq!(paused.code, 6, "{}{}", paused.stdout, paused.stderr);
    drctl
}

fn run_of(drctl: &Drctl) -> String {
    json(drctl, "runs list -o json")[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_run_with_a_skipped_step_is_not_clean_beside_its_number() {
    let drctl = failing("commit");
    let run = run_of(&drctl);
    drctl.run_words(&["skip", &run, "bad", "--reason", "not needed"]);
    let report = report(&drctl);
    assert_eq!(report["run"]["status"], "succeeded_with_warnings", "{report:#}");
    assert_eq!(report["marks"][0], "not clean: people intervened");
    assert_eq!(report["overrides"][0]["what"], "bad was skipped");
    assert_eq!(report["overrides"][0]["reason"], "not needed");
    let time = row(&report, "total recovery time");
    assert_eq!((&time["verdict"], &time["achieved"]), (&"met".into(), &true.into()));
    // Recovery time alone does not meet what is asked for.
    assert_eq!(row(&report, "data loss")["measured"], "not measured");
    assert_eq!(row(&report, "objectives together")["verdict"], "partial");
    assert_eq!(control(&report, "Art. 12(6)")["evidence"], false);
    assert_eq!(control(&report, "A1.3")["evidence"], true);
    let text = drctl.run("runs report latest").stdout;
    assert!(text.contains("Beside every number: not clean: people intervened."), "{text}");
    let html = drctl.run("runs report latest --format html").stdout;
    assert!(html.contains("<p class=\"quiet\">not clean: people intervened</p>"), "{html}");
}

#[test]
fn a_run_whose_validation_failed_has_no_recovery_time() {
    let drctl = failing("validate");
    let run = run_of(&drctl);
    assert_eq!(drctl.run_words(&["abort", &run, "--reason", "not healthy"]).code, 4);
    let report = report(&drctl);
    let time = row(&report, "total recovery time");
    let measured = time["measured"].as_str().unwrap();
    assert!(measured.starts_with("no recovery time: the run was stopped after "), "{time}");
    assert_eq!((&time["verdict"], &time["achieved"]), (&"not validated".into(), &false.into()));
    assert_eq!(row(&report, "objectives together")["verdict"], "not validated");
    assert_eq!(control(&report, "Art. 12(7)")["evidence"], false);
    // The objective is nowhere shown as what was measured.
    let text = drctl.run("runs report latest").stdout;
    assert_eq!(text.matches("| 15m |").count(), 1, "{text}");
}

#[test]
fn a_simulation_achieves_nothing() {
    let (drctl, run) = simulated();
    let report = json(&drctl, &format!("runs report {run} --format json"));
    for row in report["verdicts"].as_array().unwrap() {
        assert_eq!(row["achieved"], false, "{row}");
        let verdict = row["verdict"].as_str().unwrap();
        assert!(!["met", "missed"].contains(&verdict), "{row}");
    }
    for control in report["controls"].as_array().unwrap() {
        assert_eq!(control["evidence"], false, "{control}");
        assert_eq!(control["because"], "the run is a simulation: nothing was exercised");
    }
}

#[test]
fn the_page_needs_nothing_but_itself_and_takes_no_markup_from_outside() {
    let drctl = failing("commit");
    let html = drctl.run("runs report latest --format html").stdout;
    let policy = "content=\"default-src &#x27;none&#x27;";
    assert!(html.contains("default-src 'none'; style-src 'sha256-") || html.contains(policy), "{html}");
    for markup in ["<script", "<img", "<iframe", "javascript:", " style=\"", " onload", "@import", "url("] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert!(html.contains("&lt;script&gt;alert(1)"), "{html}");
    // Only the icon, which is empty, is named by an address; links lead nowhere.
    let addresses: Vec<_> = html.match_indices("href=").collect();
    assert_eq!(addresses.len(), 1, "{addresses:?}");
    assert_eq!(html.matches("src=").count(), 0);
    assert!(html.contains("<svg class=\"picture gantt\"") && html.contains("<svg class=\"picture clock\""));
}

#[test]
fn what_was_wrong_with_the_runbook_at_the_start_is_in_the_report() {
    let drctl = real();
    let moved = drctl.run("failover pay --reason drill --accept-loss unmeasured");
    assert_eq!(moved.code, 0, "{}", moved.stderr);
    let warnings = report(&drctl)["warnings"].clone();
    let first = &warnings[0];
    assert!(first["code"].as_str().unwrap().starts_with("DR"), "{warnings:#}");
    assert!(moved.stderr.contains(first["message"].as_str().unwrap()), "{warnings:#}\n{}", moved.stderr);
}

#[test]
fn findings_have_an_owner_and_a_day_and_are_closed_once() {
    let drctl = real();
    assert_eq!(drctl.run("failover pay --reason drill --accept-loss unmeasured").code, 0);
    let run = run_of(&drctl);
    insta::assert_snapshot!(super::session(
        &drctl,
        &[
            &["runs", "finding", "list", &run],
            &[
                "runs",
                "finding",
                "add",
                &run,
                "the runbook | names an old host",
                "--owner",
                "bob",
                "--due",
                "2099-01-31"
            ],
            &["runs", "finding", "add", &run, "slow", "--owner", "carol", "--due", "2099-02-28"],
            &["runs", "finding", "add", &run, " ", "--owner", "carol", "--due", "2099-02-28"],
            &["runs", "finding", "add", "latest", "x", "--owner", "carol", "--due", "2099-02-28"],
            &["runs", "finding", "close", &run, "2"],
            &["runs", "finding", "close", &run, "2", "--reason", "as fast as it gets"],
            &["runs", "finding", "close", &run, "2", "--reason", "as fast as it gets"],
            &["runs", "finding", "close", &run, "2", "--reason", "again"],
            &["runs", "finding", "close", &run, "7", "--reason", "x"],
            &["runs", "finding", "list", &run],
        ]
    ));
    let over = drctl.run(&format!("runs finding add {run} late --owner bob --due 2020-02-29"));
    assert_eq!(over.code, 2, "{}", over.stdout);
    assert!(
        over.stderr.contains("2020-02-29 is over") && over.stderr.contains("give the last day"),
        "{}",
        over.stderr
    );
    let report = report(&drctl);
    assert_eq!(report["findings"][0]["closed_at"], Value::Null);
    assert_eq!(report["findings"][1]["closed_how"], "as fast as it gets");
    assert_eq!(control(&report, "CP-4 c")["because"], "3 recorded with owner and due date, 2 of them open");
    assert_eq!(json(&drctl, "journal verify -o json")["damage"], Value::Array(Vec::new()));
}

#[test]
fn a_bundle_is_made_checked_and_found_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let drctl = real();
    assert_eq!(drctl.run("failover pay --reason drill --accept-loss unmeasured").code, 0);
    assert_eq!(drctl.run("evidence bundle latest").code, 2);
    assert_eq!(drctl.run("evidence key --out k").code, 0);
    let mode = std::fs::metadata(drctl.path("k")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(drctl.run("evidence key --out k").code, 2);
    assert_eq!(drctl.run("evidence bundle latest --key k --out e.tar").code, 0);
    assert_eq!(drctl.run("evidence bundle latest --key k --out e.tar").code, 2);
    assert_eq!(drctl.run("evidence bundle latest --key k --out again.tar").code, 0);
    let bytes = std::fs::read(drctl.path("e.tar")).unwrap();
    assert_eq!(bytes, std::fs::read(drctl.path("again.tar")).unwrap());
    let unknown = drctl.run("evidence verify e.tar");
    assert_eq!(unknown.code, 0);
    assert!(unknown.stdout.starts_with("SOUND, KEY UNKNOWN: pay-"), "{}", unknown.stdout);
    let trusted = drctl.run("evidence verify e.tar --trust k.pub");
    assert!(trusted.stdout.starts_with("TRUSTED: pay-") && trusted.code == 0, "{}", trusted.stdout);
    let head = json(&drctl, "journal verify -o json")["head"].as_str().unwrap().to_owned();
    assert_eq!(drctl.run(&format!("evidence verify e.tar --head {head}")).code, 0);
    assert_eq!(drctl.run("evidence key --out other").code, 0);
    let other = drctl.run("evidence verify e.tar --trust other.pub");
    assert!(other.code == 7 && other.stderr.contains("another key has signed it"), "{}", other.stderr);
    let mut changed = bytes;
    let at = changed.windows(6).position(|part| part == b"# Fail").unwrap();
    changed[at + 2] = b'f';
    std::fs::write(drctl.path("e2.tar"), changed).unwrap();
    let damaged = drctl.run("evidence verify e2.tar --trust k.pub -o json");
    let found: Value = serde_json::from_str(&damaged.stdout).unwrap();
    assert_eq!((damaged.code, &found["sound"]), (12, &false.into()));
    assert_eq!(
        found["checks"][2]["found"][0],
        "report.md: its content is not the one that the manifest names"
    );
}

#[test]
fn no_secret_and_no_private_key_is_in_a_bundle() {
    let drctl = real();
    let runbook = REAL.replace("sites:", "secrets:\n  token: {from: file, path: token}\nsites:").replace(
        "argv: [./effect, check]",
        "argv: [./tell], capture: true, env: {T: \"{{ secrets.token }}\"}",
    );
    drctl.write("runbooks/pay.yaml", &runbook);
    drctl.write("token", "hunter2-hunter2");
    drctl.write_program("tell", "#!/bin/sh\necho \"the token is $T\"\necho \"again $T\" >&2\n");
    let moved = drctl.run("failover pay --reason drill --accept-loss unmeasured");
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert_eq!(drctl.run("evidence key --out k").code, 0);
    assert_eq!(drctl.run("evidence bundle latest --key k --out e.tar").code, 0);
    let bytes = std::fs::read(drctl.path("e.tar")).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("the token is "), "the output is not in it: the test proves nothing");
    let private = std::fs::read_to_string(drctl.path("k")).unwrap();
    assert!(!holds("hunter2") && !holds(private.lines().nth(1).unwrap()));
}

#[test]
fn a_run_is_replayed_from_journal_export_and_bundle_alike() {
    let (drctl, run) = simulated();
    drctl.run("evidence key --out k");
    assert_eq!(drctl.run(&format!("evidence bundle {run} --key k --out e.tar")).code, 0);
    let export = drctl.run(&format!("journal export --run {run} --blobs"));
    drctl.write("export.jsonl", &export.stdout);
    for point in ["--at 20", "--at +3m", "--step"] {
        let from = |source: &str| drctl.run(&format!("replay {source} {point} -o json"));
        let journal = from(&run);
        assert_eq!(journal.code, 0, "{point}: {}", journal.stderr);
        assert_eq!(journal.stdout, from("export.jsonl").stdout, "{point}");
        assert_eq!(journal.stdout, from("e.tar").stdout, "{point}");
    }
    let shown = json(&drctl, &format!("replay {run} --at 20 -o json"));
    assert_eq!((&shown["sequence"], &shown["run"]["status"]), (&20.into(), &"running".into()));
    // After the last fact the run is what it is now.
    let steps = drctl.run(&format!("replay {run} --step -o json")).stdout;
    let last: Value = serde_json::from_str(steps.lines().last().unwrap()).unwrap();
    let now = json(&drctl, &format!("runs show {run} -o json"));
    assert_eq!(last["run"]["steps"], now["steps"]);
    assert_eq!(last["run"]["rto"], now["rto"]);
    let followed = drctl.run(&format!("replay {run} --follow --speed max"));
    let events = drctl.run(&format!("runs watch {run}"));
    // Who watches joins after the creation.
    let (_, after) = followed.stderr.split_once('\n').unwrap();
    assert_eq!((after, followed.stdout), (events.stderr.as_str(), events.stdout));
}

#[test]
fn a_replay_of_what_was_changed_is_refused() {
    let (drctl, run) = simulated();
    let export = drctl.run(&format!("journal export --run {run} --blobs")).stdout;
    drctl.write("changed.jsonl", &export.replacen("\"trigger\":\"cli\"", "\"trigger\":\"web\"", 1));
    let changed = drctl.run("replay changed.jsonl");
    assert!(changed.code == 12 && changed.stderr.contains("record 1 was changed"), "{}", changed.stderr);
    drctl.write("plain.jsonl", &drctl.run(&format!("journal export --run {run}")).stdout);
    let plain = drctl.run("replay plain.jsonl");
    assert!(plain.code == 2 && plain.stderr.contains("--blobs"), "{}", plain.stderr);
    drctl.write("junk", "not a record\n");
    assert_eq!(drctl.run("replay junk").code, 2);
    assert_eq!(drctl.run(&format!("replay {run} --at 9999")).code, 2);
    let early = drctl.run(&format!("replay {run} --at 2020-01-01T00:00:00Z"));
    assert!(early.code == 2 && early.stderr.contains("it began at"), "{}", early.stderr);
}

#[test]
fn every_letter_that_was_changed_in_an_export_is_found() {
    let (drctl, run) = simulated();
    let export = drctl.run(&format!("journal export --run {run} --blobs")).stdout;
    let code = |text: &str| {
        drctl.write("changed.jsonl", text);
        drctl.run("replay changed.jsonl").code
    };
    assert_eq!(code(&export), 0);
    // Of the runbook, of the plan, of a record, and of what names them.
    for (from, to) in [
        ("kind: Runbook", "kind: Rumbook"),
        ("\\\"format\\\":", "\\\"fornat\\\":"),
        ("\"stream\":\"run/", "\"stream\":\"rum/"),
        ("\"data\":{\"run_created\"", "\"data\":{\"run_treated\""),
        ("{\"blob\":\"", "{\"blab\":\""),
        ("\"sequence\":1,", "\"sequense\":1,"),
        ("\"token\":1,", "\"token\":2,"),
    ] {
        assert!(export.contains(from), "{from}");
        assert_eq!(code(&export.replacen(from, to, 1)), 12, "{from}");
    }
    let mut seed = 7_u64;
    let mut tried = 0;
    while tried < 40 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(seed >> 33).unwrap() % export.len();
        let letter = export.as_bytes()[at];
        // The position is no part of what is hashed.
        let line = export[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let before = &export[line..at];
        if !letter.is_ascii_lowercase() || letter == b'z' || !before.contains("\"sequence\"") {
            continue;
        }
        let changed = format!("{}z{}", &export[..at], &export[at + 1..]);
        assert_eq!(code(&changed), 12, "at {at}: {}", &export[at.saturating_sub(40)..at + 20]);
        tried += 1;
    }
    let is_record = |line: &&str| line.contains("\"sequence\"");
    let kept = export.lines().filter(is_record).count() - 10;
    let (records, blobs): (Vec<&str>, Vec<&str>) = export.lines().partition(is_record);
    let cut = [&records[..kept], &blobs[..]].concat().join("\n");
    drctl.write("cut.jsonl", &cut);
    let cut = drctl.run("replay cut.jsonl");
    assert_eq!(cut.code, 0, "{}", cut.stderr);
    assert!(cut.stderr.contains("the run was not over then"), "{}", cut.stderr);
}

/// The source answers nobody, and its fence is accepted by name: the report must not say that all went well.
#[test]
fn a_fence_that_stayed_unconfirmed_is_said_wherever_the_run_is_judged() {
    let drctl = real();
    let fence = "{id: fence, phase: fence, uses: http.request, drill: skip, \
                 with: {method: POST, url: 'http://127.0.0.1:1/', idempotent: true}}";
    let (before, rest) = REAL.split_once("      - {id: fence").unwrap();
    let (_, after) = rest.split_once('\n').unwrap();
    let after = after.replace(", reversibility: {class: compensable, reason: it writes a line}", "");
    drctl.write("runbooks/pay.yaml", &format!("{before}      - {fence}\n{after}"));
    let consents = "--confirm pay:west --accept-loss unmeasured --accept-unfenced --as ada";
    let moved = drctl.run(&format!("failover pay --reason outage {consents}"));
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    let told = moved.stdout + &moved.stderr;
    assert!(told.contains("not clean      the fence could not be confirmed (fence)"), "{told}");
    let report = report(&drctl);
    assert_eq!(
        (&report["run"]["status"], &report["run"]["clean"]),
        (&"succeeded_with_warnings".into(), &false.into())
    );
    assert_eq!(report["marks"][0], "not clean: the fence could not be confirmed (fence)");
    let touched = report["resources"].as_array().unwrap().iter().find(|it| it["step"] == "fence").unwrap();
    assert_eq!(touched["effect"], "unconfirmed");
    let text = drctl.run("runs report latest").stdout;
    for line in [
        "| clean | **no**: the fence could not be confirmed (fence), see below |",
        "| `fence` | `http.request` | unconfirmed |",
        "Not clean: the fence could not be confirmed (fence). Agreed to: ",
        "that the old primary may still accept writes (ada)",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("Nobody had to"), "{text}");
    let html = drctl.run("runs report latest --format html").stdout;
    assert!(html.contains("<strong>no: the fence could not be confirmed (fence)</strong>"), "{html}");
    assert!(html.contains("<td>unconfirmed</td>") && !html.contains("Nobody had to"), "{html}");
}
