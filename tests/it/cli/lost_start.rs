//! A real start that is lost in the middle of a take-over, races another one, or cannot end the drill: what
//! is wanted is not lost, and nothing is done twice.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::Duration;

use super::json as output;
use super::takeover::{CONSENTS, ISOLATED, LIVE, folder, log, of, until_logged};
use crate::support::binary::Drctl;

/// Begins a real start and kills it once it has told the drill to end and waits for it.
fn lost_while_it_waits(drctl: &Drctl) {
    let mut start = drctl.spawn_talking(&[], &format!("failover pay --reason outage {CONSENTS}"));
    let told = BufReader::new(start.stderr.take().unwrap());
    let waits = told.lines().map_while(Result::ok).any(|line| line.contains("waiting for drill"));
    assert!(waits, "it waits for the drill: {:?}", log(drctl));
    kill(&mut start);
    assert_eq!(of(drctl, "real").len(), 0);
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn done(drctl: &Drctl, name: &str) -> usize {
    log(drctl).iter().filter(|line| **line == format!("do {name} begin")).count()
}

#[test]
fn a_start_that_is_lost_over_a_drill_that_has_moved_is_made_good_by_the_next() {
    let drctl = folder(&LIVE.replace("watch, '0.1'", "watch, '2'"));
    let mut drill = drctl.spawn("drill pay --reason yearly --confirm pay:west");
    until_logged(&drctl, "do watch begin");
    lost_while_it_waits(&drctl);
    drill.wait().unwrap();
    assert_eq!(of(&drctl, "drill")[0]["status"], "aborted", "it has ended for a run that never was");
    let moved = drctl.run(&format!("failover pay --reason outage {CONSENTS}"));
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    for name in ["fence", "shift", "watch", "rest"] {
        assert_eq!(done(&drctl, name), 1, "{name}: {:?}", log(&drctl));
    }
    assert!(!log(&drctl).iter().any(|line| line.starts_with("undo")), "{:?}", log(&drctl));
    assert!(drctl.run("service show pay").stdout.contains("west"));
    // Once a real run has gone on from it, it is nothing to go on from any more.
    let again = drctl.run(&format!("failover pay --reason outage {CONSENTS}"));
    assert_eq!(again.code, 7, "{}", again.stderr);
    assert!(again.stderr.contains("already active in west"), "{}", again.stderr);
}

#[test]
fn a_start_that_is_lost_over_an_isolated_drill_is_made_good_by_the_next() {
    for staged in [false, true] {
        let drctl = folder(&ISOLATED.replace("'DO'", "'2'"));
        let mut drill = drctl.spawn("drill pay --reason quarterly");
        until_logged(&drctl, "do grow begin");
        lost_while_it_waits(&drctl);
        drill.wait().unwrap();
        assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
        assert!(drctl.path("there-grow").exists() && !drctl.path("there-fault").exists());
        // Until a run has gone on from it, what it left is somebody's business.
        let drill = of(&drctl, "drill")[0]["id"].as_str().unwrap().to_owned();
        let reasons = |drctl: &Drctl| output(drctl, "status pay -o json")[0]["reasons"].take();
        let told = reasons(&drctl);
        let told = told.as_array().unwrap().iter().find(|reason| reason["code"] == "made_real_without_run");
        let text = told.unwrap()["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("the drill {drill} was made real")), "{text}");
        assert!(text.ends_with("no real run has gone on from it: its grow still stands"), "{text}");
        assert_eq!(told.unwrap()["command"], "drctl failover pay --reason \"…\"");
        let again = drctl.run(&format!("drill promote {drill} --reason outage {CONSENTS}"));
        assert_eq!(again.code, 7, "{}", again.stderr);
        assert!(again.stderr.contains("no run has gone on from it yet"), "{}", again.stderr);
        let cleaned = drctl.run("drill cleanup latest");
        assert_eq!(cleaned.code, 7, "{}", cleaned.stderr);
        assert!(cleaned.stderr.contains("no run has gone on from it yet"), "{}", cleaned.stderr);
        assert!(cleaned.stderr.contains("drctl failover pay --reason"), "{}", cleaned.stderr);
        if staged {
            assert_eq!(drctl.run(&format!("failover pay --stage --reason outage {CONSENTS}")).code, 6);
            let run = of(&drctl, "real")[0]["id"].as_str().unwrap().to_owned();
            let started = drctl.run(&format!("start {run}"));
            assert_eq!(started.code, 0, "{}{}", started.stdout, started.stderr);
        } else {
            let moved = drctl.run(&format!("failover pay --reason outage {CONSENTS}"));
            assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
        }
        assert_eq!(done(&drctl, "grow"), 1, "what the drill has left is adopted: {:?}", log(&drctl));
        assert!(drctl.path("there-shift").exists());
        assert!(!reasons(&drctl).to_string().contains("made_real_without_run"));
    }
}

#[test]
fn a_start_that_is_lost_while_it_ends_the_drill_itself_is_made_good_by_the_next() {
    let held = ISOLATED.replace("'DO'", "'0'").replace("fault, '1'", "fault, '2'");
    let drctl = folder(&held.replace("  inject:", "  decide: {roles: [operator]}\n  inject:"));
    assert_eq!(drctl.run("drill pay --reason quarterly").code, 6);
    lost_while_it_waits(&drctl);
    let moved = drctl.run(&format!("failover pay --reason outage {CONSENTS}"));
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert!(moved.stderr.contains("told before to make way"), "{}", moved.stderr);
    assert_eq!(done(&drctl, "grow"), 1, "{:?}", log(&drctl));
    assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
    let left = (drctl.path("there-grow").exists(), drctl.path("there-fault").exists());
    assert_eq!(left, (true, false), "{:?}", log(&drctl));
}

#[test]
fn two_starts_at_once_are_one_run_and_the_loser_takes_nothing_from_it() {
    let drctl = folder(&ISOLATED.replace("'DO'", "'1'"));
    let mut drill = drctl.spawn("drill pay --reason quarterly");
    until_logged(&drctl, "do grow begin");
    let starts = ["auto", "clean-up"]
        .map(|fate| drctl.spawn(&format!("failover pay --drill {fate} --reason outage {CONSENTS}")));
    let mut codes = starts.map(|mut start| start.wait().unwrap().code().unwrap());
    drill.wait().unwrap();
    codes.sort_unstable();
    // The one that comes last is refused: by the lock, or because the service is there already.
    assert!(codes[0] == 0 && matches!(codes[1], 7 | 8), "{codes:?}");
    assert_eq!(of(&drctl, "real").len(), 1);
    assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
    let there = ["grow", "shift", "fault"].map(|name| drctl.path(&format!("there-{name}")).exists());
    assert_eq!(there, [true, true, false], "{:?}", log(&drctl));
}

#[test]
fn a_drill_that_cannot_be_ended_from_here_keeps_no_real_run_out() {
    let text = ISOLATED.replace("'DO'", "'0'").replace(
        "  level: isolated",
        "  level: isolated\n  credentials: drill\n  decide: {roles: [operator]}",
    );
    let drctl = folder(&text);
    let roles = "[roles]\noperator = [\"bob\"]\n";
    drctl.write("drctl.toml", &format!("{roles}[aws.credentials.drill]\nprofile = \"drill\"\n"));
    assert_eq!(drctl.run("drill pay --reason quarterly").code, 6);
    drctl.write("drctl.toml", roles);
    let moved = drctl.run(&format!("failover pay --reason outage {CONSENTS}"));
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert!(moved.stderr.contains("cannot be ended from here"), "{}", moved.stderr);
    assert_eq!(done(&drctl, "grow"), 1, "{:?}", log(&drctl));
    assert!(drctl.path("there-fault").exists(), "nobody could take it back");
    // Where the credentials are it does what it was told.
    drctl.write("drctl.toml", &format!("{roles}[aws.credentials.drill]\nprofile = \"drill\"\n"));
    let drill = of(&drctl, "drill")[0]["id"].as_str().unwrap().to_owned();
    drctl.run(&format!("resume {drill}"));
    assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
    assert!(drctl.path("there-grow").exists() && !drctl.path("there-fault").exists());
}

#[test]
fn a_dead_drill_is_given_the_sensitive_values_of_the_run_that_interrupts_it() {
    let pin = "parameters: {pin: {type: string, required: true, sensitive: true}}\nsites: {east";
    let text = ISOLATED.replace("'DO'", "'0'").replace("sites: {east", pin);
    let drctl = folder(&text.replace("  inject:", "  decide: {roles: [operator]}\n  inject:"));
    assert_eq!(drctl.run("drill pay --set pin=1234 --reason quarterly").code, 6);
    let moved = drctl.run(&format!("failover pay --set pin=1234 --reason outage {CONSENTS}"));
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
    assert!(drctl.path("there-grow").exists() && !drctl.path("there-fault").exists());
}

#[test]
fn a_drill_that_begins_while_a_start_is_being_made_ready_is_met_all_the_same() {
    let key = "secrets: {key: {from: command, argv: [./key]}}\nsites: {east";
    let env = "'0'], env: {KEY: \"{{ secrets.key }}\"}, idempotent: true}}\ndrill:";
    let text = ISOLATED.replace("'DO'", "'4'").replace("sites: {east", key);
    let drctl = folder(&text.replace("'0'], idempotent: true}}\ndrill:", env));
    drctl.write_program("key", "#!/bin/sh\nif [ -e slow ]; then touch asked; sleep 2; fi\necho k\n");
    drctl.write("slow", "");
    let start = drctl.spawn_with(&[], &format!("failover pay --reason outage {CONSENTS}"));
    let began = std::time::Instant::now();
    while !drctl.path("asked").exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "it is never made ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::fs::remove_file(drctl.path("slow")).unwrap();
    let mut drill = drctl.spawn("drill pay --reason quarterly");
    until_logged(&drctl, "do grow begin");
    let start = start.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&start.stderr).into_owned();
    assert_eq!(start.status.code(), Some(0), "{told}");
    assert!(told.contains("interrupting drill"), "{told}");
    drill.wait().unwrap();
    assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
    assert_eq!(done(&drctl, "grow"), 1, "{:?}", log(&drctl));
    assert!(of(&drctl, "real")[0]["status"].as_str().unwrap().starts_with("succeeded"));
}

#[test]
fn no_drill_begins_of_a_service_that_a_fleet_is_about_to_move() {
    let first = "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {name: first}\n\
                 sites: {east: {role: active}, west: {role: standby}}\nworkflows:\n  failover:\n    steps:\n\
                 \x20     - {id: slow, phase: shift, uses: command.run,\n         \
                 with: {argv: [./eff, do, first, '3'], idempotent: true}}\n";
    let drctl = folder(&ISOLATED.replace("'DO'", "'0'"));
    drctl.write("runbooks/first.yaml", first);
    drctl.write(
        "runbooks/all.yaml",
        "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: all}\n\
         members: [{runbook: first}, {runbook: pay, needs: [first]}]\n",
    );
    let consents = "--confirm all:all --accept-loss unmeasured --accept-unfenced";
    let mut fleet = drctl.spawn(&format!("failover all --reason outage {consents}"));
    until_logged(&drctl, "do first begin");
    let refused = drctl.run("drill pay --reason quarterly");
    assert_eq!(refused.code, 8, "{}", refused.stderr);
    assert!(refused.stderr.contains("is about to move pay"), "{}", refused.stderr);
    assert_eq!(fleet.wait().unwrap().code(), Some(0));
    assert_eq!(of(&drctl, "drill").len(), 0);
}

#[test]
fn a_move_back_whose_process_was_lost_is_ended_by_the_real_start() {
    let text = LIVE
        .replace(", decide: {roles: [operator], expires: 1h}", "")
        .replace("undo, shift, '3']}", "undo, shift, '1'], idempotent: true}");
    // The standby is protected again on the way back, so that the service may go there once more.
    let text = text.replace("{id: fence, uses", "{id: fence, phase: reprotect, uses");
    let drctl = folder(&text);
    let mut drill = drctl.spawn("drill pay --reason yearly --confirm pay:west");
    until_logged(&drctl, "undo shift begin");
    kill(&mut drill);
    let moved = drctl.run(&format!("failover pay --reason outage {CONSENTS}"));
    assert!(moved.stderr.contains("was lost while it moved its service back"), "{}", moved.stderr);
    // Where the service is in the end is told by one run or the other, and never by half a move.
    match moved.code {
        0 => assert!(drctl.path("there-shift").exists()),
        7 => assert!(moved.stderr.contains("quarantined"), "{}", moved.stderr),
        code => panic!("{code}: {}", moved.stderr),
    }
    let open = of(&drctl, "drill")[0]["status"].as_str().unwrap().to_owned();
    assert!(matches!(open.as_str(), "succeeded" | "aborted"), "{open}");
}

/// That a program which may be started again has ended unseen says nothing about what it did.
#[test]
fn a_fault_whose_end_nobody_saw_is_taken_back() {
    for takes_over in [false, true] {
        let drctl = folder(&ISOLATED.replace("'DO'", "'0'").replace("do, fault, '0'", "do, fault, '1'"));
        let mut drill = drctl.spawn("drill pay --reason quarterly");
        until_logged(&drctl, "do fault begin");
        kill(&mut drill);
        until_logged(&drctl, "do fault end");
        if takes_over {
            let moved = drctl.run(&format!("failover pay --reason outage {CONSENTS}"));
            assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
        } else {
            let aborted = drctl.run("drill abort latest --reason enough");
            assert_eq!(aborted.code, 4, "{}{}", aborted.stdout, aborted.stderr);
        }
        assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
        assert!(!drctl.path("there-fault").exists(), "{:?}", log(&drctl));
    }
}

#[test]
fn a_drill_that_is_over_but_for_what_it_left_keeps_its_result() {
    let undo = "with: {argv: [./eff, undo, fault, '1'], idempotent: true}";
    let drctl = folder(&ISOLATED.replace("'DO'", "'0'").replace(undo, "with: {argv: [./mend]}"));
    drctl.write_program("mend", "#!/bin/sh\nif [ -e ok ]; then rm there-fault; else exit 3; fi\n");
    let drill = drctl.run("drill pay --reason quarterly");
    assert_eq!(drill.code, 6, "{}", drill.stderr);
    assert!(drill.stdout.contains("steps          2 of 3 done"), "{}", drill.stdout);
    let moved = drctl.run(&format!("failover pay --reason outage {CONSENTS}"));
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert!(moved.stderr.contains("is over: left behind: undo of inject/break failed"), "{}", moved.stderr);
    drctl.write("ok", "");
    let run = of(&drctl, "drill")[0]["id"].as_str().unwrap().to_owned();
    let cleaned = drctl.run(&format!("drill cleanup {run}"));
    assert_eq!(cleaned.code, 0, "{}{}", cleaned.stdout, cleaned.stderr);
    let status = of(&drctl, "drill")[0]["status"].as_str().unwrap().to_owned();
    assert!(status.starts_with("succeeded"), "what it has shown stays: {status}");
    assert!(!drctl.path("there-fault").exists() && drctl.path("there-shift").exists());
}

#[test]
fn what_a_drill_could_not_take_back_is_not_taken_from_the_run_that_uses_it() {
    let undo = "with: {argv: [./eff, undo, grow, '2'], idempotent: true}";
    let held = ISOLATED.replace("'DO'", "'0'").replace(undo, "with: {argv: [./mend]}");
    let drctl = folder(&held.replace("  inject:", "  decide: {roles: [operator]}\n  inject:"));
    drctl.write_program("mend", "#!/bin/sh\nif [ -e ok ]; then rm there-grow; else exit 3; fi\n");
    assert_eq!(drctl.run("drill pay --reason quarterly").code, 6);
    let moved = drctl.run(&format!("failover pay --drill clean-up --reason outage {CONSENTS}"));
    assert_eq!(moved.code, 0, "{}{}", moved.stdout, moved.stderr);
    assert!(moved.stderr.contains("could not take back grow"), "{}", moved.stderr);
    assert_eq!(done(&drctl, "grow"), 1, "{:?}", log(&drctl));
    drctl.write("ok", "");
    let run = of(&drctl, "drill")[0]["id"].as_str().unwrap().to_owned();
    drctl.run(&format!("drill cleanup {run}"));
    assert_eq!(of(&drctl, "drill")[0]["status"], "aborted");
    assert!(drctl.path("there-grow").exists() && !drctl.path("there-fault").exists());
}
