//! Runs that are not simulated: every step writes a line into a file, and the service record follows.

use std::time::{Duration, Instant};

use super::json;
use crate::support::binary::{Drctl, Output};

const REAL: &str = include_str!("../../fixtures/cli/real.yaml");

/// A folder with a service whose steps write into `effects`.
pub(super) fn real() -> Drctl {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", REAL)]);
    drctl.write_program("effect", "#!/bin/sh\necho \"$1\" >> effects\n");
    drctl
}

fn moves(drctl: &Drctl, line: &str) -> Output {
    let output = drctl.run(&format!("{line} --reason drill --accept-loss unmeasured"));
    assert_eq!(output.code, 0, "{line}\n{}{}", output.stdout, output.stderr);
    output
}

fn quarantined(drctl: &Drctl) -> Vec<String> {
    let record = json(drctl, "service show pay -o json");
    record["quarantined"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn only_steps_that_rebuild_the_site_left_release_it() {
    let drctl = real();
    moves(&drctl, "failover pay");
    assert_eq!(quarantined(&drctl), ["east"]);
    // The step before the move rebuilds east; nothing rebuilds west.
    let (unprotected, _) = REAL.split_once("      - id: protect").unwrap();
    drctl.write("runbooks/pay.yaml", unprotected);
    moves(&drctl, "failback pay");
    assert_eq!(quarantined(&drctl), ["west"]);
    drctl.run("service set pay --reprotected west --reason rebuilt");
    drctl.write("runbooks/pay.yaml", REAL);
    moves(&drctl, "failover pay");
    moves(&drctl, "failback pay");
    assert_eq!(quarantined(&drctl), Vec::<String>::new());
    let effects = std::fs::read_to_string(drctl.path("effects")).unwrap();
    let expected = "fence promote check rebuild fence promote check fence promote check rebuild fence promote check protect";
    assert_eq!(effects.split_whitespace().collect::<Vec<_>>().join(" "), expected);
}

/// Without a step that promotes or shifts, a run that succeeds has moved nothing, and says so three times.
#[test]
fn a_run_that_moves_nothing_says_so() {
    let drctl = real();
    drctl.write("runbooks/pay.yaml", &REAL.replace("phase: promote", "phase: scale"));
    assert!(drctl.run("plan pay").stdout.contains("Nothing here moves the service"));
    let output = drctl.run("failover pay --reason drill --accept-loss unmeasured -o json");
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(output.stderr.contains("the service record of pay will not move"), "{}", output.stderr);
    let warnings = json(&drctl, "runs show latest -o json")["warnings"].clone();
    assert!(warnings[0].as_str().unwrap().contains("has not moved"), "{warnings:#}");
    let shown = drctl.run("runs show latest").stdout;
    assert!(shown.contains("  warning        the service record of pay has not moved"), "{shown}");
    assert!(drctl.run("runs report latest").stdout.contains("| warning | the service record"));
    assert_eq!(json(&drctl, "service show pay -o json")["active"], serde_json::Value::Null);
    // One that moves it has nothing to warn of.
    drctl.write("runbooks/pay.yaml", REAL);
    moves(&drctl, "failover pay");
    assert_eq!(json(&drctl, "runs show latest -o json")["warnings"], serde_json::Value::Null);
    assert!(!drctl.run("plan pay").stdout.contains("Nothing here moves"));
}

/// Before anything is recorded the runbook says where the service is; who knows better says so first.
#[test]
fn a_first_move_starts_where_the_runbook_says() {
    let drctl = real();
    let refused = drctl.run("failover pay --from west --to east --reason drill");
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("its runbook says that it runs in east"), "{}", refused.stderr);
    assert!(refused.stderr.contains("drctl service set pay west"), "{}", refused.stderr);
    assert!(!drctl.path("effects").exists());
    assert_eq!(drctl.run("switchover pay --from west --to east --reason drill").code, 7);
    // Looking and trying are free, and what is said to run elsewhere may leave from there.
    assert!(drctl.run("plan pay --from west --to east").stderr.contains("would be refused now"));
    assert_eq!(drctl.run("failover pay --from west --to east --simulate --accept-loss unmeasured").code, 0);
    assert_eq!(drctl.run("service set pay west --reason told").code, 0);
    moves(&drctl, "failover pay --from west --to east");
    // The one it runs in by the runbook may be named.
    moves(&real(), "failover pay --from east");
}

/// Without `USER`, as below cron and systemd, the account itself says who drives a run.
#[test]
fn whoever_drives_a_run_has_a_name() {
    let drctl = real();
    let none = [("USER", ""), ("LOGNAME", "")];
    let output = drctl.run_with(&none, "failover pay --reason drill --accept-loss unmeasured");
    assert_eq!(output.code, 0, "{}", output.stderr);
    let by = json(&drctl, "runs show latest -o json")["started_by"]["name"].as_str().unwrap().to_owned();
    let uid = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let listed = accounts
        .lines()
        .any(|line| line.starts_with(&format!("{by}:")) && line.contains(&format!(":{uid}:")));
    assert!(listed || by == format!("uid {uid}"), "{by}");
}

/// Behind broken glass the end of the output says where the run is and what to type to go on with it.
#[test]
fn a_run_behind_broken_glass_says_where_it_stands_and_how_to_go_on() {
    let drctl = real();
    drctl.write_program("effect", "#!/bin/sh\n[ -e repaired ] || exit 1\necho \"$1\" >> effects\n");
    drctl.write("nowhere", "a file, where a folder is needed");
    let start = "failover pay --journal nowhere/j.db --break-glass --reason drill --accept-loss unmeasured";
    let paused = drctl.run(start);
    assert_eq!(paused.code, 6, "{}{}", paused.stdout, paused.stderr);
    let typed = |output: &Output| {
        let (_, end) = output.stdout.split_once("BREAK GLASS    recorded in ").unwrap();
        let command = end.lines().find_map(|line| line.trim_start().strip_prefix("drctl ")).unwrap();
        command.to_owned()
    };
    let command = typed(&paused);
    assert!(command.starts_with("--journal ") && command.contains(" resume pay-"), "{command}");
    drctl.write("repaired", "");
    let retry = command.replace(" resume ", " retry ") + " fence";
    assert_eq!(drctl.run(&retry).code, 0, "{retry}");
    assert!(typed(&drctl.run(&command)).contains(" runs show pay-"));
}

#[test]
fn a_quarantined_site_is_refused_unless_the_run_rebuilds_it_before_it_moves() {
    let drctl = real();
    moves(&drctl, "failover pay");
    let refused = drctl.run("failover pay --to east --reason back");
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("quarantined"), "{}", refused.stderr);
    moves(&drctl, "failback pay");
}

/// Rebuilding the other site takes its time while the service runs: that is no outage.
#[test]
fn the_clock_of_a_planned_move_starts_when_the_service_is_touched() {
    let drctl = real();
    moves(&drctl, "failover pay");
    drctl.write_program("effect", "#!/bin/sh\n[ \"$1\" != rebuild ] || sleep 0.4\necho \"$1\" >> effects\n");
    moves(&drctl, "failback pay");
    let view = json(&drctl, "runs show latest -o json");
    assert_eq!(view["rto"]["counts_from"], "interruption");
    let recovery = view["rto"]["recovery_time_ms"].as_u64().unwrap();
    assert!(recovery + 400 <= view["rto"]["execution_ms"].as_u64().unwrap(), "{view:#}");
    let interrupted = view["clock"]["interrupted_at"].as_str().unwrap();
    assert!(interrupted > view["clock"]["started_at"].as_str().unwrap(), "{view:#}");
}

#[test]
fn a_key_still_means_its_run_when_another_process_has_driven_it() {
    let drctl = real();
    let start = "failover pay --reason drill --accept-loss unmeasured --idempotency-key incident-7";
    assert_eq!(drctl.run(&format!("{start} --stage")).code, 6);
    assert_eq!(drctl.run("start latest").code, 0);
    let again = drctl.run(start);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(json(&drctl, "runs list -o json").as_array().unwrap().len(), 1);
    assert_eq!(json(&drctl, "runs list -o json")[0]["idempotency_key"], "incident-7");
}

#[test]
fn a_key_begins_nothing_else_and_does_not_say_that_it_had() {
    let drctl = real();
    let key = "--accept-loss unmeasured --idempotency-key incident-7";
    assert_eq!(drctl.run(&format!("failover pay --simulate --speed max --yes {key}")).code, 0);
    let real = drctl.run(&format!("failover pay --reason outage {key}"));
    assert_eq!(real.code, 7, "{}{}", real.stdout, real.stderr);
    for part in ["(simulate): it begins no failover of pay (real)", "nothing was begun", "a key of its own"] {
        assert!(real.stderr.contains(part), "{}", real.stderr);
    }
    assert_eq!(json(&drctl, "runs list --simulated -o json").as_array().unwrap().len(), 1);
}

/// Three sites that serve at once; what is done stands in a file.
const THREE: &str = r#"apiVersion: drctl/v1
kind: Runbook
metadata: {name: three}
strategy: active_active
sites:
  a: {role: active, provider: onprem, region: a}
  b: {role: active, provider: onprem, region: b}
  c: {role: active, provider: onprem, region: c}
components:
  - {id: svc, kind: command.service, start: [/bin/true], stop: [test, "1"], writes: true}
workflows:
  failover:
    steps:
      - {id: look, phase: assess, uses: command.run, for_each: "{{ survivors }}", with: {argv: [/bin/true], idempotent: true}, drill: skip}
      - {id: grow, phase: scale, uses: command.run, for_each: "{{ survivors }}", with: {argv: [test, "1"], idempotent: true}, drill: skip}
      - id: drain
        phase: shift
        uses: command.run
        with: {argv: [/bin/sh, -c, "echo {{ survivors | map(attribute='name') | join(',') }} >> users"], idempotent: true}
        undo: {uses: command.run, with: {argv: [/bin/true], idempotent: true}}
        drill: skip
      - {id: val, phase: validate, uses: command.run, with: {argv: ["true"], idempotent: true}, drill: skip}
  failback:
    steps:
      - id: drain
        phase: shift
        uses: command.run
        with: {argv: [/bin/sh, -c, "echo back {{ to.name }} beside {{ survivors | map(attribute='name') | join(',') }} >> users"], idempotent: true}
        undo: {uses: command.run, with: {argv: [/bin/true], idempotent: true}}
        drill: skip
      - {id: val, phase: validate, uses: command.run, with: {argv: ["true"], idempotent: true}, drill: skip}
"#;

#[test]
fn a_site_that_was_left_carries_nobody_until_it_is_taken_back() {
    let drctl = Drctl::new();
    drctl.write("three.yaml", &THREE.replace(">> users", &format!(">> {}", drctl.path("users").display())));
    let done = |line: &str| {
        let output = drctl.run(&format!("{line} --reason test"));
        assert_eq!(output.code, 0, "{line}: {}{}", output.stdout, output.stderr);
    };
    done("failover three.yaml --from a");
    done("failover three.yaml --from b");
    let refused = drctl.run("failover three.yaml --from c --reason test");
    assert_ne!(refused.code, 0, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("no site is left"), "{}", refused.stderr);
    assert!(drctl.run("service show three").stdout.contains("a is out since"));
    done("failback three.yaml --to a");
    done("failover three.yaml --from c");
    let users = std::fs::read_to_string(drctl.path("users")).unwrap();
    assert_eq!(users.lines().collect::<Vec<_>>(), ["b,c", "c", "back a beside a,c", "a"]);
}

#[test]
fn a_move_of_users_that_failed_and_was_ignored_is_no_success() {
    let drctl = Drctl::new();
    let design = include_str!("../../fixtures/designs/dr0508-traffic-failure-ignored.yaml");
    drctl.write("shop.yaml", design);
    drctl.write(
        "never.yaml",
        "apiVersion: drctl/v1\nkind: Scenario\nmetadata: {name: never}\nrules:\n  \
         - {match: {action: \"aws.arc.*\"}, fail: permanent, message: cannot}\n",
    );
    let output = drctl.run("failover shop.yaml --simulate --scenario never.yaml --accept-unfenced");
    assert_eq!(output.code, 4, "{}{}", output.stdout, output.stderr);
    let runs = json(&drctl, "runs list --simulated -o json");
    let shown = json(&drctl, &format!("runs show {} -o json", runs[0]["id"].as_str().unwrap()));
    assert_eq!(shown["status"], "failed");
    assert_eq!(shown["clock"]["healthy_at"], serde_json::Value::Null, "what is healthy is where it was");
}

/// The clock of a simulation runs ahead, and its facts stand in the same journal.
#[test]
fn a_move_is_on_record_at_its_own_time_whatever_was_simulated_before() {
    let drctl = real();
    drctl.write("runbooks/pay.yaml", REAL);
    let simulated = drctl.run("failover pay --simulate --speed max --reason drill --accept-loss unmeasured");
    assert_eq!(simulated.code, 0, "{}", simulated.stderr);
    moves(&drctl, "failover pay");
    let ended = &json(&drctl, "runs list -o json")[0];
    let since = json(&drctl, "service show pay -o json")["since"].clone();
    assert!(since.as_str() <= ended["ended_at"].as_str(), "{since} {ended}");
}

/// What a killed process had just forked keeps its lock for a moment: it looks alive, and never answers.
#[test]
fn a_driver_that_dies_while_it_is_asked_is_taken_over() {
    let drctl = real();
    drctl.write("runbooks/pay.yaml", &REAL.replace("argv: [./effect, check]", "argv: [sleep, '1']"));
    let mut driver = drctl.spawn("failover pay --reason outage --confirm pay:west --accept-loss unmeasured");
    let began = Instant::now();
    while !drctl.path("effects").exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing began");
        std::thread::sleep(Duration::from_millis(10));
    }
    driver.kill().unwrap();
    driver.wait().unwrap();
    let mut holders = std::fs::read_dir(drctl.path(".drctl/journal.db.holders")).unwrap();
    let lock = std::fs::File::open(holders.next().unwrap().unwrap().path()).unwrap();
    lock.lock().unwrap();
    let mut resumed = drctl.spawn("resume latest");
    std::thread::sleep(Duration::from_secs(1));
    assert!(resumed.try_wait().unwrap().is_none(), "it waits for an answer");
    drop(lock);
    assert_eq!(resumed.wait().unwrap().code(), Some(0));
}
