//! Runs as they are listed, shown, reported and verified.

use super::{json, pay, session, simulated};

#[test]
fn a_simulated_run_is_listed_and_shown() {
    let (drctl, run) = simulated();
    insta::assert_snapshot!(session(
        &drctl,
        &[
            &["runs", "list"],
            &["runs", "list", "--simulated"],
            &["runs", "show", &run],
            &["runs", "verify", &run],
            &["runs", "events", &run, "--after", "20"],
            &["runs", "watch", &run],
        ]
    ));
}

#[test]
fn the_report_says_what_was_measured_and_who_did_what() {
    let (drctl, run) = simulated();
    insta::assert_snapshot!(drctl.transcript(&["runs", "report", &run]));
}

#[test]
fn the_json_of_a_run_is_the_contract() {
    let (drctl, run) = simulated();
    let view = json(&drctl, &format!("runs show {run} -o json"));
    let names: Vec<_> = view.as_object().unwrap().keys().map(String::as_str).collect();
    insta::assert_snapshot!(names.join(" "));
    assert_eq!((&view["status"], &view["intent"]), (&"succeeded".into(), &"simulate".into()));
    // A unique beginning names the run as well.
    let part = &run[..run.len() - 3];
    assert_eq!(json(&drctl, &format!("runs show {part} -o json"))["id"], run.as_str());
}

#[test]
fn what_does_not_exist_is_a_usage_error() {
    let drctl = pay();
    assert_eq!(drctl.run("failover pay --simulate --seed 7").code, 0);
    insta::assert_snapshot!(session(
        &drctl,
        &[
            &["runs", "show", "nothing"],
            &["runs", "show", "latest"],
            &["pause", "nothing"],
            &["runs", "list", "--service", "Not A Name"],
            &["failover", "pay"],
        ]
    ));
}

#[test]
fn a_run_that_waits_says_who_drives_it_and_how_to_go_on() {
    let drctl = pay();
    let staged = drctl.run("failover pay --simulate --seed 7 --stage");
    assert_eq!(staged.code, 6, "{}", staged.stderr);
    let runs = json(&drctl, "runs list --simulated --open -o json");
    let run = runs[0]["id"].as_str().unwrap();
    assert_eq!(runs[0]["driver"], serde_json::Value::Null);
    insta::assert_snapshot!(session(
        &drctl,
        &[
            &["runs", "list", "--simulated", "--open"],
            &["runs", "show", run],
            &["abort", run],
            &["abort", run, "--reason", "not needed"],
        ]
    ));
}

/// A failure of several lines takes one in a table, and stands below it as a whole.
#[test]
fn a_long_failure_does_not_break_the_table() {
    let drctl = super::moves::real();
    drctl.write_program("effect", "#!/bin/sh\nprintf 'one\\ntwo\\nthree\\n' >&2\nexit 1\n");
    let paused = drctl.run("failover pay --reason drill --accept-loss unmeasured");
    assert_eq!(paused.code, 6, "{}", paused.stderr);
    let shown = drctl.run("runs show latest").stdout;
    let (head, table) = shown.split_once("PHASE").unwrap();
    let row = table.lines().find(|line| line.contains("fence")).unwrap();
    assert!(row.ends_with("exit code 1: one … (permanent)"), "{shown}");
    let status = head.lines().find(|line| line.starts_with("  status")).unwrap();
    assert!(status.ends_with("exit code 1: one …"), "{shown}");
    let (_, below) = table.split_once("fence, failed:\n").unwrap();
    let below: Vec<_> = below.lines().map(str::trim_start).collect();
    assert_eq!(below, ["the command ended with exit code 1: one", "two", "three"], "{shown}");
    assert!(shown.lines().all(|line| line.is_empty() || line.starts_with(' ') || line.starts_with("pay ")));
    let whole = json(&drctl, "runs show latest -o json");
    let failure = whole["steps"].as_array().unwrap().iter().find(|step| step["id"] == "fence").unwrap();
    assert!(failure["failure"]["message"].as_str().unwrap().ends_with("one\ntwo\nthree"), "{failure:#}");
}

/// Nothing is wider than the terminal but what is to be typed; names of steps and states are whole.
#[test]
fn a_narrow_terminal_shows_whole_steps_and_states() {
    let drctl = super::moves::real();
    drctl.write_program(
        "effect",
        "#!/bin/sh\necho a long explanation of all that is wrong here >&2\nexit 1\n",
    );
    assert_eq!(drctl.run("failover pay --reason drill --accept-loss unmeasured").code, 6);
    let (simulated, run) = simulated();
    let shown = [
        drctl.run_narrow(60, "runs show latest").stdout,
        drctl.run_narrow(60, "runs list").stdout,
        drctl.run_narrow(60, "doctor").stdout,
        drctl.run_narrow(60, "actions postgres").stdout,
        simulated.run_narrow(60, &format!("runs show {run}")).stdout,
        simulated.run_narrow(60, "runs list --simulated").stdout,
    ];
    let typed = |line: &&str| line.trim_start().starts_with("drctl ");
    for text in &shown {
        let wide = text.lines().filter(|line| !typed(line)).find(|line| line.chars().count() > 60);
        assert_eq!(wide, None, "{text}");
    }
    assert!(shown[0].contains("fence    failed"), "{}", shown[0]);
    assert!(shown[1].contains("paused"), "{}", shown[1]);
    assert!(shown[4].contains("gate/point-of-no-return  succeeded"), "{}", shown[4]);
    assert!(shown[5].contains(&run) && shown[5].contains("succeeded"), "{}", shown[5]);
    // Where there is room nothing is cut.
    let whole = drctl.run("runs show latest").stdout;
    assert!(whole.contains("a long explanation of all that is wrong here (permanent)"), "{whole}");
}

#[test]
fn a_check_says_ready_or_not() {
    let drctl = pay();
    insta::assert_snapshot!(session(&drctl, &[&["check", "pay", "--simulate"]]));
    // Nothing listens there: the check is made, and says so.
    let runbook =
        super::PAY.replace("host=west}", "\"host=127.0.0.1 port=1 user=x dbname=x connect_timeout=1\"}");
    drctl.write("runbooks/pay.yaml", &runbook);
    let not = drctl.run("check pay -o json");
    let result: serde_json::Value = serde_json::from_str(&not.stdout).unwrap();
    assert_eq!(
        (not.code, &result["ready"], &result["simulated"]),
        (7, &false.into(), &false.into()),
        "{}",
        not.stderr
    );
    assert_eq!(json(&drctl, "runs list -o json")[0]["intent"], "check");
}
