//! `drctl service` and `drctl stop-all`.

use super::{json, pay, runbook, session};
use crate::support::binary::Drctl;

#[test]
fn a_person_says_where_a_service_is_and_plans_follow() {
    let drctl = pay();
    insta::assert_snapshot!(session(
        &drctl,
        &[
            &["service", "set", "pay", "west"],
            &["service", "set", "pay", "wset", "--reason", "typo"],
            &["service", "set", "pay", "west", "--reason", "moved by hand"],
            &["service", "set", "other", "north", "--reason", "no runbook here"],
            &["service", "show", "pay"],
            &["service", "list"],
            &["service", "set", "pay", "--reprotected", "east", "--reason", "rebuilt"],
            &["failover", "pay", "--reason", "again"],
        ]
    ));
    let shown = json(&drctl, "service show pay -o json");
    assert_eq!((&shown["service"], &shown["active"]), (&"pay".into(), &"west".into()));
    assert_eq!(json(&drctl, "service list -o json").as_array().unwrap().len(), 2);
}

#[test]
fn the_stop_switch_is_recorded_with_its_reason() {
    let drctl = pay();
    assert_eq!(drctl.run("runs list").code, 10, "looking makes no journal");
    insta::assert_snapshot!(session(
        &drctl,
        &[
            &["stop-all", "on"],
            &["stop-all", "on", "--reason", "storm", "--as", "bob"],
            &["stop-all", "status"],
            &["stop-all", "off", "--reason", "over"],
        ]
    ));
    assert_eq!(json(&drctl, "stop-all status -o json")["stopped"], false);
}

const SHORT: &str = "      - {id: fence, phase: fence, uses: command.run, with: {argv: [./work], idempotent: true}, drill: skip}
      - {id: move, phase: promote, uses: command.run, drill: skip, with: {argv: [./GO], idempotent: true}}
      - {id: shift, phase: shift, uses: command.run, with: {argv: [./fail], idempotent: true}, drill: skip}
";

/// Between the promotion and the move of the users nobody but a person can tell where the service is.
#[test]
fn a_run_that_was_left_after_the_promotion_is_told_with_the_record() {
    for promote in ["work", "fail"] {
        let drctl = Drctl::with(&[("runbooks/pay.yaml", &runbook("pay", &SHORT.replace("GO", promote)))]);
        drctl.write_program("work", "#!/bin/sh\ntouch done\n");
        drctl.write_program("fail", "#!/bin/sh\nexit 1\n");
        let line = "failover pay --yes --confirm pay:west --accept-loss unmeasured --reason outage";
        let begun = drctl.run(line);
        assert_eq!(begun.code, 6, "{}", begun.stderr);
        assert_eq!(json(&drctl, "service show pay -o json").get("left_between"), None, "it is not over");
        assert_eq!(drctl.run("abort latest --reason hold").code, 4);
        let shown = drctl.run("service show pay").stdout;
        for words in ["was left aborted: `move`", "users were not moved", "drctl service set pay west"] {
            assert!(shown.contains(words), "{promote}: {shown}");
        }
        let left = &json(&drctl, "service show pay -o json")["left_between"];
        assert_eq!((&left["step"], &left["to"]), (&"move".into(), &"west".into()));
        assert!(drctl.run("service list").stdout.contains("? see `service show`"));
        let status = drctl.run("status pay").stdout;
        assert!(status.contains("`move` was or may have been done"), "{status}");
        // Another try that came to nothing says nothing of that.
        drctl.write_program("work", "#!/bin/sh\nexit 1\n");
        assert_eq!(drctl.run(line).code, 6);
        assert_eq!(drctl.run("abort latest --reason hold").code, 4);
        assert!(drctl.run("service show pay").stdout.contains("users were not moved"));
        assert_eq!(drctl.run("service set pay west --reason looked").code, 0);
        assert_eq!(json(&drctl, "service show pay -o json").get("left_between"), None, "a person has said");
    }
}
