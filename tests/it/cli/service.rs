//! `drctl service` and `drctl stop-all`.

use super::{json, pay, session};

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
