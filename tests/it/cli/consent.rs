//! What stands between a file and a real run: errors that a person accepts for one run, in the open, and
//! values that nobody has filled in.

use std::path::Path;

use super::json;
use crate::support::binary::Drctl;

fn design(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/designs/{name}.yaml"));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn an_error_that_an_author_could_accept_is_accepted_for_one_run_and_stands_in_its_report() {
    let drctl = Drctl::new();
    drctl.write("shop.yaml", &design("dr0402-record-edit-without-us-east-1"));
    let refused = drctl.run("failover shop.yaml --simulate --accept-unfenced");
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("--accept-lint DR0402"), "{}", refused.stderr);
    // Another code is no answer to this one.
    assert_eq!(drctl.run("failover shop.yaml --simulate --accept-lint DR0401").code, 3);
    let done = drctl.run("failover shop.yaml --simulate --accept-unfenced --accept-lint dr0402");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(done.stderr.contains("warning[DR0402]"), "{}", done.stderr);
    let runs = json(&drctl, "runs list --simulated -o json");
    let run = runs[0]["id"].as_str().unwrap().to_owned();
    let report = drctl.run(&format!("runs report {run}"));
    assert!(report.stdout.contains("accepted_dr0402"), "{}", report.stdout);
    // Whoever reads its numbers must see that something was set aside for it.
    let shown = json(&drctl, &format!("runs show {run} -o json"));
    assert_eq!((&shown["status"], &shown["clean"]), (&"succeeded_with_warnings".into(), &false.into()));
    // A drill is a run as well.
    assert_eq!(drctl.run("drill shop.yaml --level simulate").code, 3);
    let drill = drctl.run("drill shop.yaml --level simulate --accept-unfenced --accept-lint DR0402");
    assert!(drill.stderr.contains("warning[DR0402]") && drill.code != 3, "{}", drill.stderr);
    // What cannot take the flag does not tell of it.
    let compared = drctl.run("diff shop.yaml shop.yaml");
    assert!(compared.code == 3 && !compared.stderr.contains("--accept-lint"), "{}", compared.stderr);
    // The file is as wrong as before.
    assert_eq!(drctl.run("validate shop.yaml").code, 3);
}

#[test]
fn what_nobody_may_accept_is_accepted_by_nobody() {
    let drctl = Drctl::new();
    drctl.write("shop.yaml", &design("dr0139-own-step-needs-nothing-declared"));
    let refused = drctl.run("failover shop.yaml --simulate");
    assert!(refused.code == 3 && !refused.stderr.contains("--accept-lint"), "{}", refused.stderr);
    for (code, says) in
        [("DR0139", "cannot be accepted"), ("DR0601", "keeps nothing"), ("DR9999", "there is no code")]
    {
        let refused = drctl.run(&format!("failover shop.yaml --simulate --accept-lint {code}"));
        assert!(refused.code == 2 && refused.stderr.contains(says), "{code}: {}", refused.stderr);
    }
}

/// An own way of doing things, so that every build could do it for real.
const SHOP: &str = r#"apiVersion: drctl/v1
kind: Runbook
metadata: {name: shop}
sites:
  east: {role: active, values: {script: ./east}}
  west: {role: standby, values: {script: "./TODO-west"}}
workflows:
  failover:
    steps:
      - id: promote
        phase: shift
        uses: command.run
        with: {argv: ["{{ to.values.script }}"], idempotent: true}
        precheck: [{uses: http.check, with: {url: "http://TODO.localhost:1/{{ to.name }}"}}]
        drill: skip
      - {id: call, uses: manual.task, with: {instructions: "TODO: call somebody"}, drill: skip}
"#;

#[test]
fn what_nobody_has_filled_in_is_simulated_and_never_handed_on() {
    let drctl = Drctl::new();
    drctl.write("shop.yaml", SHOP);
    for line in [
        "failover shop.yaml --reason test --detach",
        "failover shop.yaml --reason test",
        "check shop.yaml",
        "drill shop.yaml --level check",
    ] {
        let refused = drctl.run(line);
        assert_eq!(refused.code, 3, "{line}\n{}", refused.stderr);
        assert!(refused.stderr.contains("nobody has filled in"), "{line}\n{}", refused.stderr);
        assert!(!refused.stderr.contains("`call`"), "a person reads it: {}", refused.stderr);
    }
    let done = drctl.run("failover shop.yaml --simulate");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!(drctl.run("plan shop.yaml").code, 0);
    // Filled in, nothing is in the way any more.
    drctl.write("shop.yaml", &SHOP.replace("TODO-", "").replace("TODO.", ""));
    let staged = drctl.run("failover shop.yaml --reason test --stage");
    assert!(!staged.stderr.contains("filled in"), "{}", staged.stderr);
}
