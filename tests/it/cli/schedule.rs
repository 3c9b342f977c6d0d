//! `drctl schedule`, and drills that the system's cron runs.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::{json, session};
use crate::support::binary::{Drctl, Output};

/// Writes a line when it is done and one when it is taken back.
const SHOP: &str = r#"apiVersion: drctl/v1
kind: Runbook
metadata: {name: shop}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - id: grow
        phase: scale
        uses: command.run
        with: {argv: [sh, -c, "echo up >> FOLDER/log"], idempotent: true}
        undo: {uses: command.run, with: {argv: [sh, -c, "echo down >> FOLDER/log"], idempotent: true}}
        drill: {boundary: trusted}
drill:
  level: isolated
  boundary: {sites: [west]}
  guards:
    - {uses: http.check, with: {url: "http://127.0.0.1:PORT/ok"}}
  schedule:
    cron: "30 2 * * SUN"
    timezone: Europe/Berlin
    blackout: ["2027-04-01/2027-04-10"]
"#;

const CHECKED: &str = r#"apiVersion: drctl/v1
kind: Runbook
metadata: {name: ledger}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: call, uses: manual.task, with: {instructions: Call the team}, drill: skip}
drill:
  level: simulate
  schedule: {cron: "0 4 1 * *", timezone: America/New_York, jitter: 30m}
"#;

/// Answers every request with 200 or 503, until it is dropped.
struct Status {
    port: u16,
    green: Arc<AtomicBool>,
}

impl Status {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let green = Arc::new(AtomicBool::new(true));
        let known = Arc::clone(&green);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut request = [0; 1_024];
                let _ = stream.read(&mut request);
                let status = if known.load(Ordering::SeqCst) { "200 OK" } else { "503 No" };
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, green }
    }
}

fn shop() -> (Drctl, Status) {
    let status = Status::start();
    let drctl = Drctl::new();
    let folder = drctl.path("").display().to_string();
    let text = SHOP.replace("FOLDER", folder.trim_end_matches('/')).replace("PORT", &status.port.to_string());
    drctl.write("runbooks/shop.yaml", &text);
    (drctl, status)
}

fn log(drctl: &Drctl) -> String {
    std::fs::read_to_string(drctl.path("log")).unwrap_or_default()
}

fn at(drctl: &Drctl, now: &str) -> (Output, Value) {
    let output = drctl.run(&format!("schedule run --now {now} -o json"));
    let report =
        serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}{}", output.stdout, output.stderr));
    (output, report)
}

#[test]
fn a_drill_runs_when_it_is_due_cleans_up_and_reports() {
    let (drctl, status) = shop();
    let (looked, report) = at(&drctl, "2027-03-27T12:00:00Z");
    assert_eq!((looked.code, &report["schedules"][0]["what"]), (0, &"nothing_due".into()));
    // 02:30 is skipped that night: 03:00 CEST.
    assert_eq!(report["schedules"][0]["next"], "2027-03-28T01:00:00.000Z");
    let (ran, report) = at(&drctl, "2027-03-28T01:00:20Z");
    let line = &report["schedules"][0];
    assert_eq!((ran.code, &line["what"]), (0, &"ended".into()), "{report:#}{}", ran.stderr);
    assert_eq!(log(&drctl), "up\ndown\n", "what the drill has changed is taken back");
    // The same minute again, by another call of cron.
    let (again, report) = at(&drctl, "2027-03-28T01:00:40Z");
    assert_eq!((again.code, &report["schedules"][0]["what"]), (0, &"nothing_due".into()));
    let run = line["run"].as_str().unwrap();
    let shown = json(&drctl, &format!("runs show {run} -o json"));
    assert_eq!((&shown["intent"], &shown["trigger"]), (&"drill".into(), &"schedule".into()), "{shown:#}");
    assert_eq!(shown["reason"], "scheduled for 2027-03-28T01:00:00.000Z");
    let report = drctl.run(&format!("runs report {run}"));
    assert!(report.code == 0 && report.stdout.contains(run), "{}{}", report.stdout, report.stderr);
    // The guard turns red, then a blackout.
    status.green.store(false, Ordering::SeqCst);
    let (_, report) = at(&drctl, "2027-04-04T00:30:00Z");
    assert_eq!(report["schedules"][0]["reason"], "blackout");
    let (red, report) = at(&drctl, "2027-04-11T00:30:00Z");
    let line = &report["schedules"][0];
    assert_eq!((red.code, &line["reason"]), (7, &"guard_red".into()), "{report:#}");
    assert!(line["detail"].as_str().unwrap().contains("503"), "{line:#}");
    assert_eq!(log(&drctl), "up\ndown\n");
    let shown = json(&drctl, "schedule list -o json");
    let last = &shown["schedules"][0]["last"];
    assert_eq!((&last["reason"], &last["in_a_row"]), (&"guard_red".into(), &2.into()), "{shown:#}");
    let runs = json(&drctl, "runs list -o json");
    assert_eq!(runs.as_array().unwrap().len(), 1, "a guard that is red leaves no run behind");
}

/// The process is killed while a step runs. The program of the step is idempotent: it may be sent once more.
#[test]
fn the_next_call_goes_on_with_a_drill_whose_process_was_killed() {
    let (drctl, _status) = shop();
    let path = drctl.path("runbooks/shop.yaml");
    let slow = std::fs::read_to_string(&path).unwrap();
    let folder = drctl.path("").display().to_string();
    let wait = format!(
        "echo up >> {0}/log; until test -e {0}/go; do sleep 0.05; done",
        folder.trim_end_matches('/')
    );
    let from = format!("echo up >> {}/log", folder.trim_end_matches('/'));
    drctl.write("runbooks/shop.yaml", &slow.replace(&from, &wait));
    assert_eq!(drctl.run("schedule run --now 2027-03-27T12:00:00Z").code, 0, "from here on it counts");
    let mut first = drctl.spawn("schedule run --now 2027-03-28T01:00:20Z");
    let begun = (0..400).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        log(&drctl) == "up\n"
    });
    assert!(begun, "the drill has not begun");
    let under_way = drctl.run("schedule run --now 2027-03-28T01:00:40Z -o json");
    assert_eq!(under_way.code, 0, "another process drives it: {}", under_way.stdout);
    first.kill().unwrap();
    first.wait().unwrap();
    drctl.write("go", "");
    let (ran, report) = at(&drctl, "2027-03-28T01:05:00Z");
    let line = &report["schedules"][0];
    assert_eq!((ran.code, &line["what"]), (0, &"ended".into()), "{report:#}{}", ran.stderr);
    assert!(log(&drctl).ends_with("up\ndown\n"), "{}", log(&drctl));
    assert_eq!(json(&drctl, "runs list -o json").as_array().unwrap().len(), 1);
}

/// The process is killed while a step runs, and the schedule is taken out: no look goes on with the drill.
#[test]
fn a_drill_that_is_left_lying_by_a_schedule_taken_out_is_named_until_it_is_over() {
    let (drctl, _status) = shop();
    let text = std::fs::read_to_string(drctl.path("runbooks/shop.yaml")).unwrap();
    let folder = drctl.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    let from = format!("echo up >> {folder}/log");
    let slow = text.replace(&from, &format!("{from}; until test -e {folder}/go; do sleep 0.05; done"));
    drctl.write("runbooks/shop.yaml", &slow);
    assert_eq!(drctl.run("schedule run --now 2027-03-27T12:00:00Z").code, 0, "from here on it counts");
    let mut first = drctl.spawn("schedule run --now 2027-03-28T01:00:20Z");
    let begun = (0..400).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        log(&drctl) == "up\n"
    });
    assert!(begun, "the drill has not begun");
    // Somebody drives it still: it is in good hands.
    let (plain, _) = slow.split_once("  schedule:\n").unwrap();
    drctl.write("runbooks/shop.yaml", plain);
    let (driven, report) = at(&drctl, "2027-03-28T01:01:00Z");
    assert_eq!((driven.code, &report["taken_out"][0]), (0, &"shop".into()), "{report:#}");
    assert_eq!(report["left"], serde_json::json!([]));
    first.kill().unwrap();
    first.wait().unwrap();
    drctl.write("go", "");
    let run = json(&drctl, "runs list -o json")[0]["id"].as_str().unwrap().to_owned();
    // However often and however late somebody looks.
    for now in ["2027-03-28T01:05:00Z", "2027-03-29T12:00:00Z --dry-run", "2027-05-01T00:00:00Z"] {
        let (looked, report) = at(&drctl, now);
        assert_eq!((looked.code, &report["left"][0]["run"]), (6, &run.as_str().into()), "{now}: {report:#}");
    }
    let said = drctl.run("schedule run --now 2027-05-01T00:05:00Z");
    assert!(said.code == 6 && said.stderr.contains(&format!("drctl resume {run}")), "{}", said.stderr);
    let resumed = drctl.run(&format!("resume {run}"));
    assert!(log(&drctl).ends_with("up\ndown\n"), "{}{}", log(&drctl), resumed.stderr);
    let (over, report) = at(&drctl, "2027-05-01T00:10:00Z");
    assert_eq!((over.code, &report["left"]), (0, &serde_json::json!([])), "{report:#}");
}

#[test]
fn a_dry_run_asks_and_does_nothing() {
    let (drctl, status) = shop();
    assert_eq!(drctl.run("schedule run --now 2027-03-27T12:00:00Z").code, 0, "from here on it counts");
    let dry = || json(&drctl, "schedule run --now 2027-03-28T01:00:20Z --dry-run -o json");
    assert_eq!(dry()["schedules"][0]["what"], "would_begin");
    status.green.store(false, Ordering::SeqCst);
    let refused = drctl.run("schedule run --now 2027-03-28T01:00:20Z --dry-run -o json");
    let report: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!((refused.code, &report["schedules"][0]["reason"]), (7, &"guard_red".into()));
    assert_eq!(log(&drctl), "");
    assert_eq!(json(&drctl, "schedule list -o json")["schedules"][0]["last"], Value::Null);
}

#[test]
fn the_stop_switch_and_runbooks_that_do_not_compile_are_told() {
    let (drctl, _status) = shop();
    assert_eq!(drctl.run("schedule run --now 2027-03-27T12:00:00Z").code, 0, "from here on it counts");
    drctl.run_words(&["stop-all", "on", "--reason", "audit", "--as", "ada"]);
    let (stopped, report) = at(&drctl, "2027-03-28T01:00:20Z");
    assert_eq!((stopped.code, &report["schedules"][0]["reason"]), (0, &"stopped".into()));
    assert!(drctl.run("schedule list").stderr.contains("stopped"));
    let broken = CHECKED.replace("0 4 1 * *", "0 4 1 * MON");
    drctl.write("runbooks/ledger.yaml", &broken);
    let (ran, report) = at(&drctl, "2027-03-28T01:10:00Z");
    assert_eq!((ran.code, report["broken"].as_array().unwrap().len()), (3, 1), "{report:#}");
    drctl.write("runbooks/ledger.yaml", CHECKED);
    let (ran, report) = at(&drctl, "2027-03-28T01:20:00Z");
    assert_eq!((ran.code, report["schedules"].as_array().unwrap().len()), (0, 2), "{report:#}");
}

#[test]
fn fires_to_come_are_shown_with_what_is_left_out_and_why() {
    let drctl = Drctl::with(&[("runbooks/ledger.yaml", CHECKED)]);
    let shop = SHOP.replace("FOLDER", "/tmp").replace("PORT", "9");
    drctl.write("runbooks/shop.yaml", &shop);
    insta::assert_snapshot!(session(
        &drctl,
        &[
            &["schedule", "next", "shop", "-n", "4", "--now", "2027-03-20T12:00:00Z"],
            &["schedule", "next", "shop", "-n", "2", "--now", "2027-10-30T12:00:00Z", "-o", "json"],
            &["schedule", "next", "ledger", "-n", "3", "--now", "2027-02-20T12:00:00Z"],
            &["schedule", "next", "nobody"],
        ]
    ));
}

/// From "needs drill" to "ready" and back, with nobody but cron doing anything.
#[test]
fn a_scheduled_drill_makes_its_service_ready_until_the_runbook_changes() {
    let (drctl, _status) = shop();
    let text = std::fs::read_to_string(drctl.path("runbooks/shop.yaml")).unwrap();
    let validated = "      - {id: works, phase: validate, uses: wait.for, with: {duration: 1ms}}\ndrill:";
    let text = text.replacen("drill:\n", &format!("{validated}\n"), 1);
    drctl.write("runbooks/shop.yaml", &text);
    let standing = || {
        let shown = json(&drctl, "status shop -o json")[0].take();
        let reasons = shown["reasons"].as_array().unwrap().iter();
        let reasons: Vec<_> = reasons.map(|reason| reason["code"].as_str().unwrap().to_owned()).collect();
        (shown["readiness"].as_str().unwrap().to_owned(), reasons.join(" "))
    };
    let is = |readiness: &str, reasons: &str| (readiness.to_owned(), reasons.to_owned());
    assert_eq!(standing(), is("needs_drill", "never_exercised"));
    at(&drctl, "2027-03-27T12:00:00Z");
    assert_eq!(standing(), is("needs_drill", "never_exercised"), "nothing was due");
    let (ran, report) = at(&drctl, "2027-03-28T01:00:20Z");
    assert_eq!((ran.code, &report["schedules"][0]["what"]), (0, &"ended".into()), "{report:#}{}", ran.stderr);
    assert_eq!(standing(), is("ready", ""));
    let shown = json(&drctl, "status shop -o json");
    assert_eq!(shown[0]["last_drill"]["run"], report["schedules"][0]["run"], "{shown:#}");
    drctl.write("runbooks/shop.yaml", &text.replace("echo up >>", "echo up  >>"));
    assert_eq!(standing(), is("needs_verification", "runbook_changed"));
    // The next one that is due makes it ready again.
    let (ran, report) = at(&drctl, "2027-04-18T00:30:20Z");
    assert_eq!((ran.code, &report["schedules"][0]["what"]), (0, &"ended".into()), "{report:#}{}", ran.stderr);
    assert_eq!(standing(), is("ready", ""));
}

#[test]
fn a_schedule_whose_runbook_is_gone_is_said() {
    let drctl = Drctl::with(&[("runbooks/ledger.yaml", CHECKED)]);
    assert_eq!(drctl.run("schedule run").code, 0);
    std::fs::remove_file(drctl.path("runbooks/ledger.yaml")).unwrap();
    for line in ["schedule run", "schedule list"] {
        let output = drctl.run(line);
        assert!(output.stderr.contains("ledger had a drill schedule"), "{line}: {}", output.stderr);
    }
    assert_eq!(json(&drctl, "schedule run -o json")["gone"][0], "ledger");
    assert_eq!(drctl.run("schedule run").code, 3, "no runbook at all: not even one without a schedule");
    // Where the runbook only has no schedule any more, somebody wanted that.
    let (plain, _) = CHECKED.split_once("drill:\n  level").unwrap();
    drctl.write("runbooks/ledger.yaml", plain);
    assert_eq!(json(&drctl, "schedule run -o json")["gone"], serde_json::json!([]));
}

/// The default folder need not be there, unless somebody has asked for it.
#[test]
fn a_configured_folder_that_is_not_there_is_told_whatever_it_is_called() {
    let drctl = Drctl::new();
    assert_eq!(drctl.run("schedule run").code, 0, "nothing is configured, nothing was ever scheduled");
    for folder in ["runbooks", "others"] {
        drctl.write("drctl.toml", &format!("[runbooks]\npaths = [\"{folder}\"]\n"));
        let output = drctl.run("schedule run");
        assert_eq!(output.code, 3, "{folder}: {}", output.stderr);
        let told = output.stderr.contains("cannot be read") && output.stderr.contains(folder);
        assert!(told, "{folder}: {}", output.stderr);
    }
    drctl.write("drctl.toml", "[runbooks]\npaths = [\"runbooks\"]\n");
    drctl.write("runbooks/ledger.yaml", CHECKED);
    assert_eq!(drctl.run("schedule run").code, 0);
    std::fs::rename(drctl.path("runbooks"), drctl.path("runbooks.x")).unwrap();
    let output = drctl.run("schedule run");
    assert!(output.code == 3 && output.stderr.contains("no runbook at all"), "{}", output.stderr);
}

/// The facts of the journal about the schedule of the ledger.
fn kinds(drctl: &Drctl) -> Vec<String> {
    let exported = drctl.run("journal export");
    assert_eq!(exported.code, 0, "{}", exported.stderr);
    let records = exported.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_it = records.filter(|record| record["stream"] == "schedule/ledger");
    of_it.map(|record| record["type"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Taken out is what is there and says nothing of a schedule, or was removed from among others; never what
/// cannot be read.
#[test]
fn a_schedule_is_taken_out_only_where_that_is_sure() {
    let drctl = Drctl::with(&[("runbooks/ledger.yaml", CHECKED)]);
    let path = drctl.path("runbooks/ledger.yaml");
    assert_eq!(drctl.run("schedule run --now 2026-11-20T12:00:00Z").code, 0);
    let look = |now: &str| at(&drctl, now).1;
    // It cannot be read, does not compile, or its folder is empty: nothing is known.
    for unsure in [Some("\u{0}"), Some("kind: Runbook\nmetadata: {name: ledger}\n"), Some(""), None] {
        match unsure {
            Some(text) => drctl.write("runbooks/ledger.yaml", text),
            None => std::fs::remove_file(&path).unwrap(),
        }
        assert_eq!(look("2026-11-21T12:00:00Z")["taken_out"], serde_json::json!([]), "{unsure:?}");
    }
    assert_eq!(kinds(&drctl), ["schedule_seen"]);
    // A fire that is due when it can be read again is not lost.
    drctl.write("runbooks/ledger.yaml", CHECKED);
    let due = look("2026-12-01T09:40:00Z");
    assert_ne!(due["schedules"][0]["what"], "nothing_due", "{due:#}");
    // It was removed from among others.
    let other = CHECKED.replace("name: ledger", "name: other");
    let (plain, _) = other.split_once("drill:\n  level").unwrap();
    drctl.write("runbooks/other.yaml", plain);
    std::fs::remove_file(&path).unwrap();
    let gone = look("2026-12-02T12:00:00Z");
    assert_eq!((&gone["taken_out"][0], &gone["gone"][0]), (&"ledger".into(), &"ledger".into()), "{gone:#}");
    assert_eq!(look("2026-12-02T12:05:00Z")["taken_out"], serde_json::json!([]), "once");
    // Back two months later, it owes nothing.
    drctl.write("runbooks/ledger.yaml", CHECKED);
    let back = look("2027-02-01T12:00:00Z");
    assert_eq!(back["schedules"][0]["what"], "nothing_due", "{back:#}");
    // Its runbook is there, and has no schedule any more.
    let (plain, _) = CHECKED.split_once("drill:\n  level").unwrap();
    drctl.write("runbooks/ledger.yaml", plain);
    let dry = json(&drctl, "schedule run --dry-run --now 2027-02-01T12:30:00Z -o json");
    assert_eq!(dry["taken_out"], serde_json::json!([]), "a dry run records nothing");
    assert_eq!(look("2027-02-01T12:30:00Z")["taken_out"][0], "ledger");
    assert_eq!(kinds(&drctl).iter().filter(|kind| *kind == "schedule_unseen").count(), 2);
}
