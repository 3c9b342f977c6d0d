//! `drctl simulate` as an operator types it.

use serde_json::Value;

use crate::support::binary::Drctl;

const PAY: &str = include_str!("../../fixtures/cli/pay.yaml");
const WARM: &str = include_str!("../../../runbooks/warm-standby.yaml");
const FLEET: &str = include_str!("../../../runbooks/fleet-evacuation.yaml");

fn json(drctl: &Drctl, line: &str) -> Value {
    let output = drctl.run(line);
    serde_json::from_str(&output.stdout)
        .unwrap_or_else(|error| panic!("{line}: {error}\n{}{}", output.stdout, output.stderr))
}

fn scenario(lines: &str) -> String {
    format!(
        "apiVersion: drctl/v1\nkind: Scenario\nmetadata: {{name: bad-day, description: it is one}}\n{lines}"
    )
}

#[test]
fn the_same_forecast_is_printed_twice_and_fits_its_schema() {
    let drctl = Drctl::with(&[("runbooks/warm.yaml", WARM)]);
    let line = "simulate runbooks/warm.yaml --runs 500 --seed 1 --output json";
    let (one, two) = (drctl.run(line), drctl.run(line));
    assert_eq!((one.code, &one.stdout), (0, &two.stdout), "{}", one.stderr);
    let other = drctl.run("simulate runbooks/warm.yaml --runs 500 --seed 2 --output json");
    assert_ne!(one.stdout, other.stdout);
    let schema = json(&drctl, "schema forecast");
    assert!(jsonschema::meta::is_valid(&schema));
    let report: Value = serde_json::from_str(&one.stdout).unwrap();
    jsonschema::validate(&schema, &report).unwrap();
    assert_eq!(report["scenarios"][0]["name"], "healthy");
    assert!(report["durations"].as_array().unwrap().iter().all(|it| it["basis"] != "history"));
    assert_eq!(report["scenarios"][0]["data_loss"]["basis"], Value::Null);
    assert!(!drctl.path(".drctl").exists());
}

#[test]
fn it_is_read_at_eighty_columns() {
    let drctl = Drctl::with(&[
        ("runbooks/warm.yaml", WARM),
        (
            "bad.yaml",
            &scenario(
                "rules: [{match: {node: \"*\"}, fail: permanent, probability: 1%}]\nreplication: {lag: 9s}",
            ),
        ),
    ]);
    let output = drctl.run("simulate runbooks/warm.yaml --runs 400 --scenario bad.yaml");
    assert_eq!(output.code, 0, "{}", output.stderr);
    let wide: Vec<_> = output.stdout.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    insta::assert_snapshot!(output.stdout);
}

#[test]
fn pictures_need_nothing_else() {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", PAY)]);
    let page = drctl.run("simulate pay --runs 200 --format html").stdout;
    let picture = drctl.run("simulate pay --runs 200 --format svg").stdout;
    for (drawn, root) in [(&page, "<!DOCTYPE html>"), (&picture, "<svg ")] {
        assert!(drawn.starts_with(root), "{drawn:.80}");
        let bare = drawn.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http:", "https:", "<script", "@import", "url("] {
            assert!(!bare.contains(outside), "{outside}");
        }
    }
    roxml(&picture);
}

/// What a picture viewer would refuse: tags that do not match.
fn roxml(text: &str) {
    let opened = text.matches("<text").count() + text.matches("<title").count();
    let closed = text.matches("</text>").count() + text.matches("</title>").count();
    assert_eq!(opened, closed);
    assert!(text.trim_end().ends_with("</svg>"));
}

/// A failover that really happens: it runs nothing but `true`.
const TRUE: &str = "apiVersion: drctl/v1
kind: Runbook
metadata: {name: tiny}
sites: {a: {role: active}, b: {role: standby}}
objectives: {rto: 1m}
workflows:
  failover:
    steps:
      - {id: one, uses: command.run, with: {argv: [\"true\"], idempotent: true}, drill: skip, phase: shift}
      - {id: two, uses: command.run, with: {argv: [\"true\"], idempotent: true}, drill: skip, phase: validate}
";

#[test]
fn what_real_runs_took_is_what_is_forecast() {
    let drctl = Drctl::with(&[("runbooks/tiny.yaml", TRUE)]);
    let before = json(&drctl, "simulate tiny -o json");
    assert_eq!((&before["history_runs"], &before["durations"][0]["basis"]), (&0.into(), &"estimate".into()));
    for run in 0..2 {
        let done = drctl.run(&format!("failover tiny --reason test --yes --idempotency-key {run}"));
        assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
        assert_eq!(drctl.run("service set tiny a --reason test").code, 0);
        drctl.run("failover tiny --simulate --yes");
    }
    let after = json(&drctl, "simulate tiny -o json");
    assert_eq!(after["history_runs"], 2);
    for step in after["durations"].as_array().unwrap() {
        assert_eq!((&step["basis"], &step["samples"]), (&"history".into(), &2.into()), "{step}");
        assert!(step["p50_ms"].as_u64().unwrap() < 20_000, "{step}");
    }
    assert!(drctl.run("simulate tiny").stdout.contains("2 nodes from history (2 earlier runs)"));
    // The next run forecasts by it, and a plan for reading stays as it was.
    assert!(!drctl.run("plan tiny -o json").stdout.contains("measured"));
    drctl.run("failover tiny --reason test --stage");
    let staged = json(&drctl, "runs show latest -o json");
    let estimate = before["scenarios"][0]["tornado"]["median_ms"].as_u64().unwrap();
    assert!(staged["rto"]["forecast_ms"].as_u64().unwrap() < estimate, "{staged}");
}

#[test]
fn a_continuous_integration_is_told_by_the_exit_code() {
    let drctl = Drctl::with(&[
        ("runbooks/pay.yaml", PAY),
        (
            "bad.yaml",
            &scenario("approvals: {never: true}\nrules: [{match: {node: \"promote*\"}, fail: permanent}]"),
        ),
    ]);
    assert_eq!(drctl.run("simulate pay --runs 200 --max-miss 50%").code, 0);
    let missed = drctl.run("simulate pay --runs 200 --max-miss 50% --scenario bad.yaml");
    assert_eq!(missed.code, 9, "{}", missed.stdout);
    assert_eq!(drctl.run("simulate pay --max-miss often").code, 2);
    assert_eq!(drctl.run("simulate pay --runs 0").code, 2);
}

#[test]
fn what_cannot_be_forecast_is_refused_and_says_why() {
    let bad = [
        ("probability: 1", "rules[0].probability"),
        ("take_p95: 3s", "rules[0]"),
        ("take: 9s, take_p95: 3s", "rules[0]"),
    ];
    let drctl = Drctl::with(&[("runbooks/pay.yaml", PAY), ("fleet.yaml", FLEET)]);
    for (rule, place) in bad {
        drctl.write("bad.yaml", &scenario(&format!("rules: [{{match: {{}}, fail: transient, {rule}}}]")));
        let refused = drctl.run("simulate pay --scenario bad.yaml");
        assert_eq!(refused.code, 3, "{rule}");
        assert!(
            refused.stderr.contains("bad.yaml: ") && refused.stderr.contains(place),
            "{}",
            refused.stderr
        );
    }
    let drctl = Drctl::new();
    for (name, text) in super::world::shipped() {
        drctl.write(&format!("runbooks/{name}.yaml"), &text);
    }
    drctl.write("runbooks/fleet-evacuation.yaml", FLEET);
}

/// A fleet is forecast as a runbook is: the same twice, by its schema, for terminals and as pictures.
#[test]
fn a_fleet_is_forecast_as_a_whole() {
    let drctl = Drctl::new();
    for (name, text) in super::world::shipped() {
        drctl.write(&format!("runbooks/{name}.yaml"), &text);
    }
    drctl.write("runbooks/fleet-evacuation.yaml", FLEET);
    drctl.write("slow.yaml", &scenario("approvals: {after: 10m, p95: 30m}"));
    let line = "simulate runbooks/fleet-evacuation.yaml --runs 60 --scenario slow.yaml";
    let (one, two) = (drctl.run(&format!("{line} -o json")), drctl.run(&format!("{line} -o json")));
    assert_eq!((one.code, &one.stdout), (0, &two.stdout), "{}", one.stderr);
    let report: Value = serde_json::from_str(&one.stdout).unwrap();
    let schema = json(&drctl, "schema fleet-forecast");
    assert!(jsonschema::meta::is_valid(&schema));
    jsonschema::validate(&schema, &report).unwrap();
    let it = &report["scenarios"][0];
    assert_eq!((&it["name"], &report["max_parallel"]), (&"bad-day".into(), &4.into()), "{report:#}");
    assert_eq!(it["members"].as_array().unwrap().len() as u64, report["members"].as_u64().unwrap());
    let text = drctl.run(line).stdout;
    let wide: Vec<_> = text.lines().filter(|line| line.chars().count() > 80).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(text.contains("stops early") && text.contains("bad-day"), "{text}");
    // What takes hours is read to its end.
    let rows = text.lines().skip_while(|line| !line.contains("Who sets the end")).skip(1);
    let rows: Vec<_> = rows.take_while(|line| !line.is_empty()).collect();
    assert!(!rows.is_empty() && rows.iter().any(|row| row.matches("h ").count() >= 2), "{text}");
    assert!(rows.iter().all(|row| row.ends_with(['s', 'm', 'h'])), "{rows:#?}");
    let page = drctl.run(&format!("{line} --format html")).stdout;
    let picture = drctl.run(&format!("{line} --format svg")).stdout;
    assert!(page.starts_with("<!DOCTYPE html>") && !page.contains("<script"), "{page:.80}");
    roxml(&picture);
    assert!(!drctl.path(".drctl").exists());
}

/// Where the objective of the whole is missed too often, the command says so to whoever called it.
#[test]
fn a_fleet_that_misses_its_objective_too_often_fails_where_that_was_asked_for() {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", PAY)]);
    let name = serde_saphyr::from_str::<Value>(PAY).unwrap()["metadata"]["name"].clone();
    let fleet = format!(
        "apiVersion: drctl/v1\nkind: Fleet\nmetadata: {{name: all}}\nobjectives: {{rto: 1s}}\n\
         members: [{{runbook: {}}}]\n",
        name.as_str().unwrap()
    );
    drctl.write("runbooks/fleet.yaml", &fleet);
    assert_eq!(drctl.run("simulate runbooks/fleet.yaml --runs 20").code, 0);
    assert_eq!(drctl.run("simulate runbooks/fleet.yaml --runs 20 --max-miss 5%").code, 9);
}

/// A fleet of that one, which asks for nothing itself.
const ALL: &str = "apiVersion: drctl/v1
kind: Fleet
metadata: {name: all}
members: [{runbook: tiny}]
";

/// A limit that nothing could be held against would always be kept.
#[test]
fn a_limit_of_misses_needs_an_objective_to_miss() {
    let drctl = Drctl::with(&[
        ("runbooks/tiny.yaml", &TRUE.replace("objectives: {rto: 1m}\n", "")),
        ("runbooks/all.yaml", ALL),
        ("bad.yaml", &scenario("rules: [{match: {node: \"*\"}, fail: permanent}]")),
    ]);
    for subject in ["tiny", "all"] {
        let line = format!("simulate {subject} --runs 20 --scenario bad.yaml");
        assert_eq!(drctl.run(&line).code, 0, "{subject}");
        let refused = drctl.run(&format!("{line} --max-miss 5%"));
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{subject}: {}", refused.stderr);
        assert!(refused.stderr.contains("--max-miss needs `objectives.rto`"), "{}", refused.stderr);
        assert!(refused.stderr.contains("leave out --max-miss"), "{}", refused.stderr);
        let json = drctl.run(&format!("{line} --max-miss 5% -o json"));
        assert!(format!("{}{}", json.stdout, json.stderr).contains("\"no_rto\""), "{}", json.stderr);
    }
}

/// What makes a run of the fleet exit 9 is what makes its forecast.
#[test]
fn a_member_that_misses_its_own_objective_too_often_fails_the_forecast_of_the_fleet() {
    let drctl = Drctl::with(&[
        ("runbooks/tiny.yaml", TRUE),
        ("runbooks/all.yaml", ALL),
        ("slow.yaml", &scenario("rules: [{match: {node: one}, take: 2m}]")),
    ]);
    let line = "simulate all --runs 20 --max-miss 5%";
    assert_eq!(drctl.run(line).code, 0);
    let missed = drctl.run(&format!("{line} --scenario slow.yaml"));
    assert_eq!(missed.code, 9, "{}{}", missed.stdout, missed.stderr);
    assert!(
        missed.stdout.contains("Who misses its own RTO\n       100 %           1m  tiny"),
        "{}",
        missed.stdout
    );
    let run = drctl.run("failover all --simulate --yes --scenario slow.yaml");
    assert_eq!(run.code, 9, "{}{}", run.stdout, run.stderr);
}
