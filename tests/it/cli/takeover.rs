//! A real run that begins in the middle of a drill: real processes that write down when they begin and end.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::json as output;
use crate::support::binary::Drctl;

/// `eff do|undo NAME SECONDS`: makes or removes a file, slowly, and writes down when.
pub(super) const EFF: &str = "#!/bin/sh\n\
    if [ \"$4\" = observe ]; then\n\
    if [ -e \"there-$2\" ]; then state=applied; else state=not_applied; fi\n\
    echo \"{\\\"state\\\": \\\"$state\\\"}\"; exit\nfi\n\
    echo \"$1 $2 begin\" >> log\nsleep \"$3\"\n\
    case $1 in do) touch \"there-$2\";; undo) rm -f \"there-$2\";; esac\n\
    echo \"$1 $2 end\" >> log\n";

/// Moves, and then has something left to do; comes back slowly.
pub(super) const LIVE: &str = r"apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: command.run, with: {argv: [./eff, do, fence, '0'], observes: true},
         undo: {uses: command.run, with: {argv: [./eff, undo, fence, '0'], idempotent: true}}, drill: run}
      - {id: shift, phase: shift, uses: command.run, with: {argv: [./eff, do, shift, '0'], observes: true},
         drill: run}
      - {id: watch, phase: validate, uses: command.run,
         with: {argv: [./eff, do, watch, '0.1'], observes: true},
         drill: run}
      - {id: rest, phase: commit, uses: command.run, with: {argv: [./eff, do, rest, '0'], observes: true},
         drill: run}
  failback:
    steps:
      - {id: shift, phase: shift, uses: command.run, with: {argv: [./eff, undo, shift, '3']}, drill: run}
      - {id: fence, uses: command.run, with: {argv: [./eff, undo, fence, '0']}, drill: run}
drill: {level: live, decide: {roles: [operator], expires: 1h}}
";

/// Grows, slowly, with a fault in the way, and takes it all back slowly.
pub(super) const ISOLATED: &str = r"apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: grow, phase: scale, uses: command.run, with: {argv: [./eff, do, grow, 'DO'], observes: true},
         undo: {uses: command.run, with: {argv: [./eff, undo, grow, '2'], idempotent: true}},
            drill: {boundary: trusted}}
      - {id: shift, phase: shift, uses: command.run,
         drill: skip, with: {argv: [./eff, do, shift, '0'], idempotent: true}}
drill:
  level: isolated
  boundary: {sites: [west]}
  inject: [{id: break, uses: command.run, with: {argv: [./eff, do, fault, '0'], idempotent: true},
    undo: {uses: command.run, with: {argv: [./eff, undo, fault, '1'], idempotent: true}},
       drill: {boundary: trusted}}]
";

/// As [`ISOLATED`], with a fault that takes no time, and more said about its drills.
fn quick(more: &str) -> String {
    ISOLATED.replace("'DO'", "'0'").replace("  inject:", &format!("  {more}\n  inject:"))
}

pub(super) const CONSENTS: &str = "--confirm pay:west --accept-loss unmeasured --accept-unfenced";

pub(super) fn folder(text: &str) -> Drctl {
    let drctl = Drctl::with(&[
        ("runbooks/pay.yaml", text),
        ("drctl.toml", "[roles]\noperator = [\"bob\"]\nauditor = [\"eve\"]\n"),
    ]);
    drctl.write_program("eff", EFF);
    drctl
}

pub(super) fn log(drctl: &Drctl) -> Vec<String> {
    let text = std::fs::read_to_string(drctl.path("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Waits until the programs have written a line.
pub(super) fn until_logged(drctl: &Drctl, line: &str) {
    let began = Instant::now();
    while !log(drctl).iter().any(|written| written == line) {
        assert!(began.elapsed() < Duration::from_mins(1), "{line} never came: {:?}", log(drctl));
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn of(drctl: &Drctl, intent: &str) -> Vec<Value> {
    let all = output(drctl, "runs list -o json");
    all.as_array().unwrap().iter().filter(|run| run["intent"] == intent).cloned().collect()
}

#[test]
fn a_live_drill_that_has_moved_is_gone_on_from_and_the_rest_is_done() {
    let before = LIVE.replace("watch, '0.1'", "watch, '3'");
    for (text, line) in [(LIVE, "do rest end"), (before.as_str(), "do watch begin")] {
        let drctl = folder(text);
        let mut drill = drctl.spawn("drill pay --reason yearly --confirm pay:west");
        until_logged(&drctl, line);
        // What is refused interrupts nothing.
        let refused = drctl.run(&format!("failover pay --set nope=1 --reason outage {CONSENTS}"));
        assert_ne!(refused.code, 0, "{}", refused.stderr);
        assert!(!refused.stderr.contains("interrupting"), "{}", refused.stderr);
        let moved = drctl.run(&format!("failover pay --reason outage {CONSENTS}"));
        assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
        drill.wait().unwrap();
        let real = of(&drctl, "real");
        assert!(real[0]["status"].as_str().unwrap().starts_with("succeeded"), "{real:#?}");
        assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
        for name in ["fence", "shift", "watch", "rest"] {
            assert!(drctl.path(&format!("there-{name}")).exists(), "{name}");
            let done = log(&drctl).iter().filter(|line| **line == format!("do {name} begin")).count();
            assert_eq!(done, 1, "{name} is done once: {:?}", log(&drctl));
        }
        assert!(!log(&drctl).iter().any(|line| line.starts_with("undo")), "{:?}", log(&drctl));
        let service = drctl.run("service show pay").stdout;
        assert!(service.contains("west"), "{service}");
    }
}

#[test]
fn a_live_drill_that_moves_its_service_back_is_not_cut_off() {
    let drctl = folder(&LIVE.replace(", decide: {roles: [operator], expires: 1h}", ""));
    let mut drill = drctl.spawn("drill pay --reason yearly --confirm pay:west");
    until_logged(&drctl, "undo shift begin");
    for command in ["failover pay", "drill promote latest"] {
        let refused = drctl.run(&format!("{command} --reason outage {CONSENTS}"));
        assert_eq!(refused.code, 8, "{}", refused.stderr);
        assert!(refused.stderr.contains("is moving pay back just now"), "{}", refused.stderr);
    }
    drill.wait().unwrap();
    assert!(!drctl.path("there-shift").exists() && !drctl.path("there-fence").exists());
    assert_eq!((of(&drctl, "drill")[0]["status"].clone(), of(&drctl, "real").len()), ("succeeded".into(), 0));
}

#[test]
fn nothing_is_begun_beside_what_a_drill_does_or_takes_back() {
    for (seconds, line) in [("2", "do grow begin"), ("0", "undo grow begin")] {
        let drctl = folder(&ISOLATED.replace("'DO'", &format!("'{seconds}'")));
        let mut drill = drctl.spawn("drill pay --reason quarterly");
        until_logged(&drctl, line);
        let moved = drctl.run(&format!("failover pay --reason outage {CONSENTS}"));
        assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
        assert!(moved.stderr.contains("waiting for drill"), "{}", moved.stderr);
        let left = (drctl.path("there-grow").exists(), drctl.path("there-fault").exists());
        assert_eq!(left, (true, false), "{line}: {:?}", log(&drctl));
        // Whatever begins about the growing ends before the next begins, and the shift comes after the fault.
        let all = log(&drctl);
        let grow: Vec<_> = all.iter().filter(|line| line.contains(" grow ")).collect();
        for pair in grow.chunks(2) {
            assert_eq!(pair[0].replace("begin", "end"), *pair[1], "{all:?}");
        }
        let at = |wanted: &str| all.iter().position(|line| line == wanted).unwrap();
        assert!(at("undo fault end") < at("do shift begin"), "{all:?}");
        drill.wait().unwrap();
        assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
    }
}

#[test]
fn a_second_drill_is_told_that_a_drill_is_in_its_way() {
    let drctl = folder(&quick("decide: {roles: [operator]}"));
    assert_eq!(drctl.run("drill pay --reason quarterly").code, 6);
    let second = drctl.run("drill pay --reason again");
    assert_eq!(second.code, 8, "{}", second.stderr);
    assert!(second.stderr.contains("of pay is not over: it is awaiting"), "{}", second.stderr);
    assert!(!second.stderr.contains("real run"), "{}", second.stderr);
}

#[test]
fn the_scheduler_goes_on_with_a_drill_whose_time_to_decide_is_up() {
    for way in ["proceed", "deny"] {
        let drctl = folder(&quick(&format!(
            "decide: {{roles: [operator], expires: 1s, on_expiry: {way}}}\n  \
             schedule: {{cron: \"0 4 1 1 *\", timezone: UTC}}"
        )));
        assert_eq!(drctl.run("drill pay --reason quarterly").code, 6, "{way}");
        let began = Instant::now();
        let mut said = String::new();
        while of(&drctl, "drill")[0]["status"] == "awaiting_approval" {
            assert!(began.elapsed() < Duration::from_mins(1), "{way}: it waits for ever: {said}");
            std::thread::sleep(Duration::from_millis(200));
            let looked = drctl.run("schedule run");
            said = looked.stdout + &looked.stderr;
            assert!(looked.code == 0 || looked.code == 4 || looked.code == 6, "{said}");
        }
        assert!(!drctl.path("there-grow").exists() && !drctl.path("there-fault").exists(), "{way}");
    }
}

#[test]
fn a_verdict_that_is_refused_says_nothing_of_drivers() {
    let drctl = folder(&quick("attestation: {roles: [auditor]}"));
    assert_eq!(drctl.run("drill pay --reason quarterly").code, 6);
    let refused = drctl.run("drill attest latest --pass");
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("one of the roles auditor"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("nobody drives"), "{}", refused.stderr);
}

#[test]
fn a_fleet_takes_the_drill_of_a_member_back_before_it_begins() {
    let drctl = folder(&quick("decide: {roles: [operator]}"));
    drctl.write(
        "runbooks/fleet-all.yaml",
        "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: all}\nmembers:\n  - {runbook: pay}\n",
    );
    assert_eq!(drctl.run("drill pay --reason quarterly").code, 6);
    let consents = "--confirm all:all --accept-loss unmeasured --accept-unfenced";
    let moved = drctl.run(&format!("failover all --reason outage {consents}"));
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert!(moved.stderr.contains("nothing it did is used by this run"), "{}", moved.stderr);
    assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
    let (grown, fault) = (drctl.path("there-grow").exists(), drctl.path("there-fault").exists());
    assert_eq!((grown, fault), (true, false), "{:?}", log(&drctl));
    let all = log(&drctl);
    let at = |wanted: &str| all.iter().rposition(|line| line == wanted).unwrap();
    assert!(
        at("undo grow end") < at("do grow begin") && at("undo fault end") < at("do shift begin"),
        "{all:?}"
    );
}

/// What the run finds done and what it does once more are two things, and are said as two.
#[test]
fn what_is_found_done_and_what_is_done_again_are_said_apart() {
    let tune = "      - {id: tune, phase: scale, uses: command.run,\n         \
                with: {argv: [./eff, do, tune, '0'], idempotent: true},\n         \
                drill: {boundary: trusted},\n         \
                undo: {uses: command.run, with: {argv: [./eff, undo, tune, '0'], idempotent: true}}}\n";
    let text = quick("decide: {roles: [operator]}");
    let (before, after) = text.split_once("      - {id: shift").unwrap();
    let text = format!("{before}{tune}      - {{id: shift{after}");
    let again = "done again by this run, because nobody can look whether it is done: tune";
    for lost in [false, true] {
        let slow = if lost { text.replace("fault, '1'", "fault, '2'") } else { text.clone() };
        let drctl = folder(&slow);
        let drill = drctl.run("drill pay --reason quarterly");
        assert_eq!(drill.code, 6, "{}{}", drill.stdout, drill.stderr);
        let start = format!("failover pay --reason outage {CONSENTS}");
        if lost {
            let mut start = drctl.spawn(&start);
            until_logged(&drctl, "undo fault begin");
            start.kill().unwrap();
            start.wait().unwrap();
        }
        let moved = drctl.run(&start);
        assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
        let line = moved.stderr.lines().find(|line| line.contains("this run goes on from")).unwrap();
        assert!(line.contains("goes on from grow;") && line.contains(again), "{}", moved.stderr);
        assert_eq!(line.contains("told before to make way"), lost, "{}", moved.stderr);
        for (name, times) in [("grow", 1), ("tune", 2)] {
            let done = log(&drctl).iter().filter(|line| **line == format!("do {name} begin")).count();
            assert_eq!(done, times, "{name}: {:?}", log(&drctl));
        }
    }
}
