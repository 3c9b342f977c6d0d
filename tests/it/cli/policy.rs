//! A policy in force: what `validate`, `plan` and the start of a run make of it.

use super::moves::real;
use super::{json, session};
use crate::support::binary::Drctl;

const POLICY: &str = "apiVersion: drctl/v1
kind: Policy
metadata: {name: company}
approvals: [{quorum: 2, select: {operations: [failover]}}]
deny:
  - id: no-programs
    when: \"'command.run' in plan.actions\"
    message: \"{{ plan.steps | map(attribute='id') | join(', ') }} run programs\"
    help: use an action that can be observed
    severity: warning
drills: [{freshness: 1d}]
";

/// A folder with a service whose steps can be run for real, and a policy.
fn governed(policy: &str) -> Drctl {
    let drctl = real();
    drctl.write("drctl.toml", "[policy]\nfile = \"rules/policy.yaml\"\n");
    drctl.write("rules/policy.yaml", policy);
    drctl
}

#[test]
fn findings_of_the_policy_stand_beside_those_of_the_compiler() {
    let drctl = governed(POLICY);
    insta::assert_snapshot!(session(
        &drctl,
        &[&["validate", "runbooks"], &["validate", "rules"], &["plan", "pay", "--format", "mermaid"]]
    ));
    let found = json(&drctl, "validate runbooks -o json");
    assert_eq!((&found["errors"], &found["warnings"]), (&1.into(), &4.into()));
}

#[test]
fn a_run_is_refused_and_goes_on_behind_broken_glass_which_is_recorded() {
    let drctl = governed(POLICY);
    let start = ["failover", "pay", "--reason", "fire", "--accept-loss", "unmeasured"];
    insta::assert_snapshot!(session(&drctl, &[&start]));
    assert!(!drctl.path("effects").exists(), "nothing was started");
    assert_eq!(json(&drctl, "runs list -o json"), serde_json::json!([]));

    let refused = drctl.run("failover pay --reason fire --accept-loss unmeasured -o json");
    let last: serde_json::Value = serde_json::from_str(refused.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((refused.code, &last["error"]["reason"]), (7, &"policy_refused".into()));

    let glass = drctl.run("failover pay --reason fire --accept-loss unmeasured --break-glass");
    assert_eq!(glass.code, 0, "{}", glass.stderr);
    assert!(glass.stderr.contains("BREAK GLASS: the policy refuses this run"), "{}", glass.stderr);
    let notes = json(&drctl, "runs show latest -o json")["notes"].clone();
    let digest = notes["policy"].as_str().unwrap().strip_prefix("company ").unwrap();
    assert_eq!(digest.len(), 64);
    let overridden = notes["policy_override_1"].as_str().unwrap();
    assert!(overridden.starts_with("DR0810 approvals[0]: 2 people must agree"), "{overridden}");
    let report = drctl.run("runs report latest").stdout;
    assert!(
        report.contains("| policy | company ") && report.contains("| policy_override_1 | DR0810"),
        "{report}"
    );

    // The move counts as an exercise; a failback needs no second person here.
    let back = drctl.run("failback pay --reason back --accept-loss unmeasured");
    assert_eq!(back.code, 0, "{}", back.stderr);
    assert!(!back.stderr.contains("DR0813"), "{}", back.stderr);
}

#[test]
fn a_simulation_is_told_and_not_refused() {
    let drctl = governed(POLICY);
    let output = drctl.run("failover pay --simulate");
    assert_eq!(output.code, 0, "{}", output.stderr);
    assert!(
        output.stderr.contains("error[DR0810]") && output.stderr.contains("would refuse this run for real")
    );
}

#[test]
fn a_planned_move_waits_for_its_window_also_when_it_was_staged() {
    // Closed on every day there is.
    let closed = "apiVersion: drctl/v1\nkind: Policy\nmetadata: {name: company}\nwindows:\n  \
                  - {id: never, timezone: UTC, blackout: [2000-01-01/2999-01-01]}\n";
    let drctl = governed(closed);
    let given = "--reason move --accept-loss unmeasured";
    assert_eq!(drctl.run(&format!("switchover pay {given}")).code, 7);
    assert!(drctl.run("plan pay --operation switchover").stderr.contains("error[DR0811]"));
    let staged = drctl.run(&format!("switchover pay {given} --stage"));
    assert_eq!(staged.code, 6, "{}", staged.stderr);
    let begun = drctl.run("start latest");
    assert_eq!(begun.code, 7, "{}", begun.stderr);
    assert!(begun.stderr.contains("DR0811") && !drctl.path("effects").exists(), "{}", begun.stderr);
    assert_eq!(drctl.run("abort latest --reason again").code, 4);
    assert_eq!(drctl.run(&format!("switchover pay {given} --stage --break-glass")).code, 6);
    let begun = drctl.run("start latest");
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    let notes = json(&drctl, "runs show latest -o json")["notes"].clone();
    assert_eq!(notes["policy_override_windows"], "may begin outside of its window");
    // In an incident nobody waits for a window.
    drctl.run("service set pay east --reason again");
    let failover = drctl.run(&format!("failover pay {given}"));
    assert!(!failover.stderr.contains("DR0811"), "{}", failover.stderr);
}

#[test]
fn a_policy_that_cannot_be_read_refuses_and_does_not_stand_in_the_way_of_broken_glass() {
    let drctl = governed("kind: Policy\nmetadata: {name: x}\nlint: {}\n");
    let given = "failover pay --reason fire --accept-loss unmeasured";
    insta::assert_snapshot!(session(
        &drctl,
        &[&["validate", "runbooks"], &["failover", "pay", "--reason", "fire"]]
    ));
    assert_eq!(drctl.run(&format!("{given} --break-glass")).code, 0);
    let notes = json(&drctl, "runs show latest -o json")["notes"].clone();
    assert!(notes["policy_override"].as_str().unwrap().contains("does not compile"), "{notes}");
    // Another file by the environment.
    drctl.write("other.yaml", POLICY);
    let other = drctl.run_with(&[("DRCTL_POLICY", "other.yaml")], "validate runbooks");
    assert!(other.stdout.contains("other.yaml: approvals[0]"), "{}", other.stdout);
    assert_eq!(drctl.run_with(&[("DRCTL_POLICY", "nowhere.yaml")], "validate runbooks").code, 3);
}
