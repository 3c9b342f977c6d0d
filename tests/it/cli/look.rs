//! Commands that only look at what is known: plan, actions, schema, doctor, bundle, completions.

use super::{pay, session};
use crate::support::binary::Drctl;

#[test]
fn a_plan_is_shown_even_where_it_can_only_be_simulated() {
    insta::assert_snapshot!(session(
        &pay(),
        &[
            &["plan", "pay"],
            &["plan", "pay", "--simulate", "--manual"],
            &["plan", "pay", "--operation", "failback"],
            &["plan", "nothing"],
        ]
    ));
}

#[test]
fn a_plan_is_json_or_a_chart_and_leaves_no_journal_behind() {
    let drctl = pay();
    let plan = super::json(&drctl, "plan pay --simulate -o json");
    assert_eq!((&plan["intent"], &plan["to"]), (&"simulate".into(), &"west".into()));
    let chart = drctl.run("plan pay --simulate --format mermaid");
    assert!(chart.stdout.starts_with("flowchart") && chart.stderr.is_empty(), "{}", chart.stdout);
    assert!(!drctl.path(".drctl").exists());
}

#[test]
fn actions_are_listed_and_described() {
    insta::assert_snapshot!(session(
        &Drctl::new(),
        &[&["actions", "postgres"], &["actions", "postgres.fence"], &["actions", "nothing"],]
    ));
    let all = super::json(&Drctl::new(), "actions -o json");
    let fence = all.as_array().unwrap().iter().find(|action| action["name"] == "postgres.fence").unwrap();
    assert_eq!(fence["parameters"]["properties"]["primary"]["type"], "string");
}

#[test]
fn every_schema_is_one_and_fits_what_is_printed() {
    let drctl = pay();
    for what in ["runbook", "config", "event", "scenario", "plan"] {
        let schema = super::json(&drctl, &format!("schema {what}"));
        assert!(jsonschema::meta::is_valid(&schema), "{what}");
    }
    let schema = super::json(&drctl, "schema plan");
    let plan = super::json(&drctl, "plan pay --simulate -o json");
    jsonschema::validate(&schema, &plan).unwrap();

    let (drctl, run) = super::simulated();
    let schema = super::json(&drctl, "schema event");
    let events = drctl.run(&format!("runs events {run} -o json")).stdout;
    assert!(events.lines().count() > 10);
    for line in events.lines() {
        jsonschema::validate(&schema, &serde_json::from_str(line).unwrap()).unwrap();
    }
}

#[test]
fn the_types_of_events_are_those_of_the_engine() {
    let source = include_str!("../../../src/engine/event.rs");
    let (_, body) = source.split_once("pub const fn kind(&self)").unwrap();
    let (body, _) = body.split_once("\n    }\n").unwrap();
    let known: Vec<_> = body.split('"').skip(1).step_by(2).collect();
    let schema = super::json(&Drctl::new(), "schema event");
    let told: Vec<_> = schema["properties"]["type"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|kind| kind.as_str())
        .collect();
    assert_eq!(told, known);
}

#[test]
fn the_doctor_says_what_stands_in_the_way() {
    let drctl = pay();
    let well = drctl.run("doctor");
    assert_eq!(well.code, 0, "{}", well.stdout);
    for part in ["no file, defaults", "none yet", "commits", "runbooks: 1 of 1 compile"] {
        assert!(well.stdout.contains(part), "{part} in\n{}", well.stdout);
    }
    assert!(!drctl.path(".drctl").exists(), "looking leaves nothing behind");
    drctl.write("runbooks/broken.yaml", "kind: Runbook\n");
    drctl.write("broken.db", "this is no database, but it is long enough to be taken for one");
    let ill = drctl.run("doctor --journal broken.db");
    assert_eq!(ill.code, 10, "{}", ill.stdout);
    assert!(
        ill.stdout.contains("PROBLEM  journal") && ill.stdout.contains("1 of 2 compile"),
        "{}",
        ill.stdout
    );
}

#[test]
fn the_doctor_looks_at_whom_drctl_speaks_with() {
    let drctl = pay();
    let section = "[server]\nlisten = \"127.0.0.1:0\"\ntls = {certificate = \"none.pem\", key = \"none.key\"}\n\
        [[auth.tokens]]\nname = \"ann\"\nroles = [\"viewer\"]\nsha256 = \"beef\"\nexpires = \"2020-01-01T00:00:00Z\"\n\
        [[notify]]\nname = \"chat\"\nkind = \"slack\"\nurl = \"env:CHAT_URL\"\n\
        [[notify]]\nname = \"bridge\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/x\"\nsecret = \"env:BRIDGE\"\n\
        [webhooks.pd]\nkind = \"pagerduty\"\nsecrets = [{env = \"PD\"}]\n";
    drctl.write("drctl.toml", section);
    let ill = drctl.run_with(&[("CHAT_URL", "hunter2")], "doctor").stdout;
    for part in [
        "chat (slack): its `url` is no absolute http or https address",
        "bridge (webhook): secret `secret` could not be read",
        "pd (pagerduty): ",
        "none.pem",
        "sha256 is not 64 hexadecimal digits",
        "expired tokens: ann",
    ] {
        let found = ill.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(found.contains(part), "{part} in\n{ill}");
    }
    assert!(!ill.contains("hunter2"), "{ill}");
    let environment = [("CHAT_URL", "http://localhost:9/hunter2"), ("BRIDGE", "hunter2"), ("PD", "hunter2")];
    let well = drctl.run_with(&environment, "doctor").stdout;
    for part in ["chat (slack): secrets are there, localhost:9", "bridge (webhook): secrets are there"] {
        assert!(well.contains(part), "{part} in\n{well}");
    }
    assert!(well.contains("pd (pagerduty): secrets are there") && !well.contains("hunter2"), "{well}");
}

#[test]
fn a_bundle_is_complete_and_overwrites_nothing() {
    let drctl = pay();
    let made = drctl.run("bundle b.tar");
    assert_eq!(made.code, 0, "{}", made.stderr);
    let mut archive = tar::Archive::new(std::fs::File::open(drctl.path("b.tar")).unwrap());
    let names: Vec<_> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    for name in [
        "drctl",
        "README.txt",
        "SHA256SUMS",
        "runbooks/pay.yaml",
        "plans/pay/failover.json",
        "plans/pay/failover-by-hand.txt",
    ] {
        assert!(names.contains(&format!("drctl-bundle/{name}")), "{name} in {names:?}");
    }
    insta::assert_snapshot!(session(&drctl, &[&["bundle", "b.tar"]]));
    assert_eq!(Drctl::new().run("bundle b.tar").code, 2);
}

/// Every command of the bundle's own instructions does what they say, with the names they give.
#[test]
fn the_commands_of_a_bundle_work() {
    let real = include_str!("../../fixtures/cli/real.yaml");
    let source = Drctl::with(&[("runbooks/east-to-west.yaml", real)]);
    assert_eq!(source.run("bundle b.tar").code, 0);
    let bundle = Drctl::new();
    tar::Archive::new(std::fs::File::open(source.path("b.tar")).unwrap()).unpack(bundle.path("")).unwrap();
    let bundle = bundle.within("drctl-bundle");
    bundle.write_program("effect", "#!/bin/sh\necho \"$1\" >> effects\n");
    let readme = std::fs::read_to_string(bundle.path("README.txt")).unwrap();
    assert!(readme.contains("NAME is that of a service: pay."), "{readme}");
    assert!(bundle.path("plans/pay/failover-by-hand.txt").is_file());
    let commands: Vec<_> =
        readme.lines().filter_map(|line| line.trim().strip_prefix("./drctl --local ")).collect();
    assert_eq!(commands.len(), 5, "{readme}");
    for command in commands {
        let output = bundle.run(&command.replace("NAME", "pay").replace("\"...\"", "drill"));
        assert_eq!(output.code, 0, "{command}\n{}{}", output.stdout, output.stderr);
    }
}

#[test]
fn a_runbook_is_found_by_its_service_or_its_file_and_never_by_guess() {
    let drctl = Drctl::with(&[("runbooks/east-to-west.yaml", super::PAY)]);
    for name in ["pay", "east-to-west", "runbooks/east-to-west.yaml"] {
        assert_eq!(drctl.run(&format!("plan {name} --simulate")).code, 0, "{name}");
    }
    let unknown = drctl.run("plan west");
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    // The file of another service has the name of this one.
    drctl.write("runbooks/pay.yaml", &super::PAY.replace("name: pay", "name: shop"));
    let both = drctl.run("plan pay --simulate");
    assert_eq!(both.code, 2, "{}", both.stderr);
    assert!(both.stderr.contains("east-to-west.yaml or runbooks/pay.yaml"), "{}", both.stderr);
}

#[test]
fn completions_and_man_pages_are_made() {
    let drctl = Drctl::new();
    assert!(drctl.run("completions bash").stdout.contains("failover"));
    assert_eq!(drctl.run("man pages").code, 0);
    assert!(drctl.path("pages/drctl-failover.1").is_file());
}
