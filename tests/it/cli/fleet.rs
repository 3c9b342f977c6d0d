//! Fleets from the command line: the shipped one, what is refused before anything begins, what lists show.

use super::json;
use crate::support::binary::Drctl;

/// A folder with the shipped runbooks.
fn shipped() -> Drctl {
    let drctl = Drctl::new();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("runbooks/{}", path.file_name().unwrap().to_str().unwrap());
        drctl.write(&name, &std::fs::read_to_string(path).unwrap());
    }
    drctl
}

#[test]
fn the_shipped_fleet_evacuates_in_the_simulation() {
    let drctl = shipped();
    let valid = drctl.run("validate runbooks --deny-warnings");
    assert_eq!(valid.code, 0, "{}{}", valid.stdout, valid.stderr);
    let done = drctl.run("failover evacuate --simulate --speed max");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(
        done.stdout.contains("evacuate failover evacuate-") && done.stdout.contains(" services"),
        "{}",
        done.stdout
    );
    let runs = json(&drctl, "runs list --simulated -o json");
    let [fleet] = runs.as_array().unwrap().as_slice() else { panic!("{runs}") };
    assert_eq!((&fleet["service"], &fleet["verdict"]), (&"evacuate".into(), &"met".into()));
    let all = json(&drctl, "runs list --simulated --children --limit 0 -o json");
    let members: Vec<_> = all.as_array().unwrap().iter().filter(|run| run["parent"] == fleet["id"]).collect();
    assert!(members.len() >= 8 && members.len() + 1 == all.as_array().unwrap().len(), "{all}");
    let ledger = members.iter().find(|run| run["service"] == "ledger").unwrap();
    for run in members.iter().filter(|run| run["service"] == "payments") {
        assert!(run["created_at"].as_str() >= ledger["ended_at"].as_str(), "{run}");
    }
    let one = json(&drctl, "runs list --simulated --service ledger -o json");
    assert_eq!(one[0]["parent"], fleet["id"], "who asks for a service sees all of its runs");
    let shown = json(&drctl, &format!("runs show {} -o json", ledger["id"].as_str().unwrap()));
    assert_eq!((&shown["parent"]["run"], &shown["parent"]["node"]), (&fleet["id"], &"ledger".into()));
}

#[test]
fn a_plan_of_a_fleet_names_the_plan_of_each_member() {
    let drctl = shipped();
    let plan = json(&drctl, "plan evacuate --simulate -o json");
    for node in plan["nodes"].as_array().unwrap() {
        let child = &node["kind"]["effect"]["call"]["child"];
        assert_eq!(child["service"], node["address"]);
        assert_eq!(child["plan"].as_str().map(str::len), Some(64), "{node}");
    }
    let roster = drctl.run("plan evacuate --expand");
    assert!(roster.code == 0 && roster.stdout.contains("service: bookings"), "{}", roster.stdout);
    let again = json(&drctl, "plan evacuate --simulate -o json");
    assert_eq!(plan, again);
}

#[test]
fn what_cannot_be_planned_or_understood_begins_nothing() {
    let drctl = shipped();
    let fleet = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: some}\nmembers:\n";
    drctl.write(
        "runbooks/fleet-some.yaml",
        &format!("{fleet}  - {{runbook: catalog}}\n  - {{runbook: ledger, with: {{size: 3}}}}\n"),
    );
    let refused = drctl.run("failover some --simulate");
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    // All of it at once, for each member.
    for what in ["`catalog`: catalog: ", "`ledger`: ledger: there is no parameter `size`"] {
        assert!(refused.stderr.contains(what), "{what}\n{}", refused.stderr);
    }
    let confirmed = drctl.run("failover evacuate --simulate --confirm payments:west");
    assert_eq!(confirmed.code, 2);
    assert!(confirmed.stderr.contains("--confirm evacuate:all"), "{}", confirmed.stderr);
    let set = drctl.run("failover evacuate --simulate --set tasks=3");
    assert!(set.code == 2 && set.stderr.contains("under its `with`"), "{}", set.stderr);
    let check = drctl.run("check evacuate");
    assert!(check.code == 3 && check.stderr.contains("DR0191"), "{}", check.stderr);
    assert_eq!(json(&drctl, "runs list --simulated -o json").as_array().map(Vec::len), Some(0));
}

#[test]
fn a_selection_beside_a_broken_runbook_is_refused_and_names_it() {
    let sound = include_str!("../../fixtures/declared/warm-standby.yaml");
    let broken =
        include_str!("../../fixtures/declared/pilot-light.yaml").replace("pilot_light", "pilot_lite");
    let fleet = "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: all}\n\
                 members: [{select: {labels: {tier: \"1\"}}}]\n";
    let drctl = Drctl::with(&[("all.yaml", fleet), ("pay.yaml", sound), ("orders.yaml", &broken)]);
    for line in ["validate all.yaml", "failover all.yaml --simulate"] {
        let output = drctl.run(line);
        assert_eq!(output.code, 3, "{line}: {}{}", output.stdout, output.stderr);
        assert!((output.stdout + &output.stderr).contains("orders.yaml"), "{line}");
    }
}
