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
