//! `drctl drill`: what an isolated drill gets into accounts with, and what its evidence says about its
//! boundary.

use serde_json::{Value, json};

use super::json as output;
use crate::support::binary::Drctl;

/// Two programs that nobody can look into, one request that is checked, and a step that is left out.
const PAY: &str = r#"apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: command.run, with: {argv: [test, "1"], idempotent: true}, drill: skip}
      - id: restore
        phase: restore
        uses: command.run
        with: {argv: ["true"], idempotent: true}
        undo: {uses: command.run, with: {argv: ["true"], idempotent: true}}
        drill: {boundary: trusted}
      - {id: look, phase: validate, uses: wait.for, with: {duration: 10ms}, drill: {boundary: trusted}}
drill:
  level: isolated
  credentials: drill
  boundary: {sites: [west], names: ["drill-*", "a|b"]}
"#;

const CONFIGURED: &str = "[aws.credentials.drill]\nprofile = \"drill\"\n";

fn drilled(text: &str) -> Drctl {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", text), ("drctl.toml", CONFIGURED)]);
    let drill = drctl.run("drill pay --reason test");
    assert_eq!(drill.code, 0, "{}{}", drill.stdout, drill.stderr);
    drctl
}

#[test]
fn a_drill_whose_credentials_are_not_configured_does_not_begin() {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", PAY), ("drctl.toml", "[aws]\nprofile = \"real\"\n")]);
    let refused = drctl.run("drill pay --reason test");
    assert_eq!(refused.code, 7, "{}{}", refused.stdout, refused.stderr);
    let told = "not ready: there are no credentials `drill` for this drill";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    assert!(refused.stderr.contains("add [aws.credentials.drill]"), "{}", refused.stderr);
    assert_eq!(output(&drctl, "runs list -o json"), json!([]));
    // Only what is real and bounded has credentials of its own.
    assert_eq!(drctl.run("drill pay --level simulate").code, 0);
    assert!(drctl.run("plan pay --drill isolated").stdout.contains("with the credentials `drill`"));
}

#[test]
fn a_drill_is_not_gone_on_with_by_other_credentials() {
    let held = PAY.replace("  boundary:", "  decide: {roles: [operator], expires: 1h}\n  boundary:");
    let drctl = Drctl::with(&[
        ("runbooks/pay.yaml", held.as_str()),
        ("drctl.toml", &format!("{CONFIGURED}[roles]\noperator = [\"alice\"]\n")),
    ]);
    assert_eq!(drctl.run("drill pay --reason test").code, 6);
    drctl.write("drctl.toml", "[roles]\noperator = [\"alice\"]\n");
    let resumed = drctl.run("resume latest");
    assert_eq!(resumed.code, 7, "{}{}", resumed.stdout, resumed.stderr);
    assert!(resumed.stderr.contains("no credentials `drill`"), "{}", resumed.stderr);
}

#[test]
fn the_report_says_for_what_the_boundary_was_not_enforced() {
    let drctl = drilled(PAY);
    let report = output(&drctl, "runs report latest --format json");
    assert_eq!(
        report["drill"],
        json!({
            "level": "isolated",
            "is_real": true,
            "boundary": {"sites": ["west"], "names": ["drill-*", "a|b"]},
            "credentials": "drill",
            "not_enforced": [
                {"step": "restore", "action": "command.run", "undo": false, "effect": "taken back"},
                {"step": "restore", "action": "command.run", "undo": true, "effect": "taken back"},
            ],
        })
    );
    let text = drctl.run("runs report latest").stdout;
    assert!(text.contains("| names | drill-\\*, a\\|b |"), "{text}");
    assert!(text.contains("| accounts | none |\n"), "{text}");
    assert!(text.contains("| credentials | drill |"), "{text}");
    assert!(text.contains("**Not enforced for the steps below**"), "{text}");
    assert!(text.contains("| `restore` | `command.run` | takes it back | taken back |"), "{text}");
    let page = drctl.run("runs report latest --format html").stdout;
    assert!(page.contains("<h2>Boundary of the drill</h2>"), "{page}");
    assert!(
        page.contains("<tr><td><code>restore</code></td><td>command.run</td><td>takes it back</td>"),
        "{page}"
    );
    // What is taken back in the end was exercised all the same.
    let controls = report["controls"].as_array().unwrap();
    let tested = controls.iter().find(|control| control["control"] == "A1.3").unwrap();
    assert_eq!(
        (&tested["evidence"], &tested["because"]),
        (&json!(true), &json!("a drill was carried out; it ended succeeded"))
    );
    assert_eq!(report["run"]["notes"]["boundary_not_enforced"], "restore");
}

#[test]
fn the_report_shows_a_step_and_how_it_was_taken_back() {
    // The first try of the step fails.
    let before = "with: {argv: [\"true\"], idempotent: true}\n        \
                  undo: {uses: command.run, with: {argv: [\"true\"]";
    let after = "with: {argv: [./twice, do], idempotent: true}\n        \
                 retry: {attempts: 2, backoff: 1ms}\n        \
                 undo: {uses: command.run, with: {argv: [sleep, '0.1']";
    let text = PAY.replace(before, after);
    assert_ne!(text, PAY);
    let drctl = Drctl::with(&[("runbooks/pay.yaml", text.as_str()), ("drctl.toml", CONFIGURED)]);
    drctl.write_program("twice", "#!/bin/sh\nif [ -e once ]; then exit 0; fi\ntouch once\nexit 75\n");
    let drill = drctl.run("drill pay --reason test");
    assert_eq!(drill.code, 0, "{}{}", drill.stdout, drill.stderr);
    let report = output(&drctl, "runs report latest --format json");
    let steps = report["run"]["steps"].as_array().unwrap();
    let restore = steps.iter().find(|step| step["id"] == "restore").unwrap();
    let did = &restore["did"];
    assert_eq!((&restore["status"], &did["status"]), (&json!("undone"), &json!("succeeded")));
    assert_eq!((&restore["attempts"], &did["attempts"]), (&json!(3), &json!(2)), "{restore:#}");
    assert_eq!(did["undone_by"], "command.run");
    let at = |value: &Value| value.as_str().unwrap().to_owned();
    assert!(at(&did["started_at"]) <= at(&did["ended_at"]), "{restore:#}");
    assert!(at(&did["ended_at"]) <= at(&restore["started_at"]), "{restore:#}");
    assert!(at(&restore["started_at"]) < at(&restore["ended_at"]), "{restore:#}");
    // What was taken back in the end was done before.
    assert_eq!(report["plan"]["done"], report["plan"]["nodes"].as_u64().unwrap() - 1);
    let text = drctl.run("runs report latest").stdout;
    assert!(text.contains("| `restore` | restore | `command.run` | succeeded | 2 | "), "{text}");
    assert!(text.contains("| `restore` (undo) | restore | `command.run` | undone | 1 | "), "{text}");
    for line in ["restore: started", "restore: succeeded", "restore: undoing", "restore: undone"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let page = drctl.run("runs report latest --format html").stdout;
    assert!(page.contains("restore</code> (undo)</td>"), "{page}");
    for bar in ["<title>restore: succeeded, ", "<title>restore (undo): undone, "] {
        assert!(page.contains(bar), "{bar}: {page}");
    }
    // Nothing of it is lost to whoever opens the run by a stored state.
    let shown = output(&drctl, "runs show latest -o json");
    let shown = shown["steps"].as_array().unwrap().iter().find(|step| step["id"] == "restore").unwrap();
    assert_eq!(&shown["did"], did);
}

#[test]
fn a_drill_without_such_steps_says_that_all_was_checked() {
    let (before, rest) = PAY.split_once("      - id: restore\n").unwrap();
    let (_, after) = rest.split_once("drill: {boundary: trusted}\n").unwrap();
    let checked = before.to_owned() + after;
    assert_ne!(checked, PAY);
    let drctl = drilled(&checked.replace("  credentials: drill\n", ""));
    let report = output(&drctl, "runs report latest --format json");
    assert_eq!(
        (&report["drill"]["credentials"], &report["drill"]["not_enforced"]),
        (&Value::Null, &json!([]))
    );
    let text = drctl.run("runs report latest").stdout;
    assert!(text.contains("| credentials | those of real runs |"), "{text}");
    assert!(text.contains("Every action that changed something was checked against it."), "{text}");
    // What is no drill has no such part, and what changes nothing real says no more than that.
    drctl.run("drill pay --level simulate");
    let simulated = output(&drctl, "runs list --simulated -o json")[0]["id"].as_str().unwrap().to_owned();
    let text = drctl.run(&format!("runs report {simulated}")).stdout;
    assert!(text.contains("A drill of level simulate: nothing real could be changed."), "{text}");
    assert!(!text.contains("those of real runs"), "{text}");
}

/// What the shipped runbooks say about live drills: nothing that makes the move safe is left out, and the way
/// back is there. The whole of it is lived on the simulated estate.
#[test]
fn shipped_runbooks_can_be_drilled_live() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks");
    for name in
        ["warm-standby", "warm-standby-aurora", "pilot-light", "hybrid-postgres", "postgres-switchover"]
    {
        let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
        let drctl = Drctl::with(&[("runbooks/pay.yaml", text.as_str())]);
        let planned = drctl.run("plan runbooks/pay.yaml --drill live").stderr;
        let told = planned.lines().filter(|line| line.starts_with("error: "));
        // Which actions this build can perform is another matter.
        let wrong: Vec<_> = told
            .filter(|line| !line.contains("can only simulate") && !line.contains("can be planned"))
            .collect();
        assert_eq!(wrong, [""; 0], "{name}");
        let live = if text.contains("  level: isolated") {
            text.replacen("  level: isolated", "  level: live", 1)
        } else {
            text + "drill: {level: live}\n"
        };
        drctl.write("runbooks/pay.yaml", &live);
        let drill = drctl.run("drill runbooks/pay.yaml --level simulate --seed 1 -o json");
        assert_eq!(drill.code, 0, "{name}: {}{}", drill.stdout, drill.stderr);
        let id = output(&drctl, "runs list --simulated -o json")[0]["id"].as_str().unwrap().to_owned();
        let report = output(&drctl, &format!("runs report {id} --format json"));
        let clock = report["clock"].as_array().unwrap();
        let returned = clock.iter().find(|point| point["point"] == "returned");
        assert!(returned.is_some_and(|point| !point["at"].is_null()), "{name}: {clock:#?}");
    }
}

/// Waits for a person after it has grown the standby and broken something on purpose.
pub(crate) const HELD: &str = r"apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - id: grow
        phase: scale
        uses: command.run
        with: {argv: [./grow], observes: true}
        undo: {uses: command.run, with: {argv: [rm, grown], idempotent: true}}
        drill: {boundary: trusted}
      - {id: shift, phase: shift, uses: command.run, drill: skip,
         with: {argv: [touch, shifted], idempotent: true}}
      - {id: works, phase: validate, uses: wait.for, with: {duration: 1ms}}
drill:
  level: isolated
  boundary: {sites: [west]}
  inject:
    - id: break
      uses: command.run
      with: {argv: [touch, broken], idempotent: true}
      undo: {uses: command.run, with: {argv: [rm, broken], idempotent: true}}
      drill: {boundary: trusted}
  decide: {roles: [operator], expires: 1h}
";

/// The program of [`HELD`] that grows, and says whether it has.
pub(crate) const GROW: &str = "#!/bin/sh\nif [ \"$1\" != observe ]; then touch grown; exit; fi\n\
    if [ -e grown ]; then state=applied; else state=not_applied; fi\necho \"{\\\"state\\\": \\\"$state\\\"}\"\n";

/// A drill of [`HELD`] that waits for its decision, and its id.
fn held() -> (Drctl, String) {
    let drctl =
        Drctl::with(&[("runbooks/pay.yaml", HELD), ("drctl.toml", "[roles]\noperator = [\"bob\"]\n")]);
    drctl.write_program("grow", GROW);
    assert_eq!(drctl.run("drill pay --reason quarterly").code, 6);
    let drill = output(&drctl, "runs list -o json")[0]["id"].as_str().unwrap().to_owned();
    (drctl, drill)
}

#[test]
fn a_staged_run_that_starts_interrupts_the_drill_and_goes_on_from_it() {
    let (drctl, _) = held();
    let consents = "--confirm pay:west --accept-loss unmeasured --accept-unfenced";
    assert_eq!(drctl.run(&format!("failover pay --stage --reason outage {consents}")).code, 6);
    let staged = output(&drctl, "runs list -o json")[0]["id"].as_str().unwrap().to_owned();
    assert!(drctl.path("grown").exists() && drctl.path("broken").exists());
    let started = drctl.run(&format!("start {staged}"));
    assert_eq!(started.code, 0, "{}{}", started.stdout, started.stderr);
    assert!(started.stderr.contains("interrupting drill"), "{}", started.stderr);
    assert!(started.stderr.contains("taken back: inject/break"), "{}", started.stderr);
    let all = output(&drctl, "runs list -o json");
    let status = |intent: &str| {
        let run = all.as_array().unwrap().iter().find(|run| run["intent"] == intent).unwrap();
        run["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status("drill"), "aborted", "{all:#}");
    assert!(status("real").starts_with("succeeded"), "{all:#}");
    let kept = (drctl.path("grown").exists(), drctl.path("broken").exists(), drctl.path("shifted").exists());
    assert_eq!(kept, (true, false, true));
    let shown = output(&drctl, &format!("runs report {staged} --format json"));
    let grow = shown["run"]["steps"].as_array().unwrap().iter().find(|step| step["id"] == "grow").unwrap();
    assert_eq!(grow["adopted"], true, "{grow:#}");
}

/// What is asked of a drill in the wrong state is answered with where it stands and what can be typed now.
#[test]
fn a_drill_that_was_made_real_names_the_run_that_went_on_from_it() {
    let (drctl, drill) = held();
    let waits = drctl.run(&format!("drill cleanup {drill}"));
    assert_eq!(waits.code, 7, "{}", waits.stderr);
    assert!(waits.stderr.contains("is not over (awaiting approval)"), "{}", waits.stderr);
    assert!(waits.stderr.contains(&format!("drctl drill abort {drill} --reason")), "{}", waits.stderr);
    let consents = "--confirm pay:west --accept-loss unmeasured --accept-unfenced";
    let promote = format!("drill promote {drill} --reason outage {consents}");
    let promoted = drctl.run(&promote);
    assert_eq!(promoted.code, 0, "{}{}", promoted.stdout, promoted.stderr);
    let all = output(&drctl, "runs list -o json");
    let real = all.as_array().unwrap().iter().find(|run| run["intent"] == "real").unwrap();
    let real = real["id"].as_str().unwrap();
    for command in [promote, format!("drill cleanup {drill}")] {
        let again = drctl.run(&command);
        assert_eq!(again.code, 7, "{command}: {}", again.stderr);
        let what = format!("{drill} was made real before: {real} has gone on from it, and is succeeded");
        assert!(again.stderr.contains(&what), "{command}: {}", again.stderr);
        assert!(again.stderr.contains(&format!("`drctl runs show {real}`")), "{command}: {}", again.stderr);
    }
    for command in [format!("drill promote {real} --reason x"), format!("drill cleanup {real}")] {
        let none = drctl.run(&command);
        assert_eq!(none.code, 2, "{command}: {}", none.stderr);
        assert!(none.stderr.contains("is no drill"), "{command}: {}", none.stderr);
        assert!(!none.stderr.contains("drctl abort"), "{command}: {}", none.stderr);
    }
    assert_eq!(output(&drctl, "runs list -o json").as_array().unwrap().len(), 2);
}

#[test]
fn a_drill_that_is_over_has_nothing_to_promote_or_to_clean_up() {
    let (drctl, drill) = held();
    assert_eq!(drctl.run(&format!("drill abort {drill} --reason enough")).code, 4);
    let refused = |command: &str, what: &str, help: &str| {
        let output = drctl.run(command);
        assert_eq!(output.code, 7, "{command}: {}", output.stderr);
        assert!(output.stderr.contains(what) && output.stderr.contains(help), "{command}: {}", output.stderr);
        assert!(!output.stderr.contains("drill drill"), "{command}: {}", output.stderr);
    };
    let start = "`drctl failover pay --reason \"…\"` starts the real run";
    refused(&format!("drill promote {drill} --reason x"), "is over (aborted): nothing of it is left", start);
    let report = format!("`drctl runs report {drill}`");
    refused(&format!("drill cleanup {drill}"), "is over (aborted): nothing is left to clean up", &report);
    refused(
        &format!("drill abort {drill} --reason x"),
        "is over: aborted",
        &format!("drctl runs show {drill}"),
    );
    refused(&format!("drill attest {drill} --pass"), "is over: aborted", &format!("drctl runs show {drill}"));
    // What only waits for a verdict, or for a cleanup, is not driven on.
    let held = HELD.replace("  decide: {roles: [operator], expires: 1h}", "  attestation: {}");
    drctl.write("runbooks/pay.yaml", &held);
    let attested = drctl.run("drill pay --reason quarterly");
    assert_eq!(attested.code, 6, "{}{}", attested.stdout, attested.stderr);
    let drill = output(&drctl, "runs list -o json")[0]["id"].as_str().unwrap().to_owned();
    let shows = format!("not recorded; `drctl runs show {drill}`");
    refused(&format!("drill abort {drill} --reason x"), "is cleaned up already, and waits for", &shows);
    let attest = format!("`drctl drill attest {drill} --pass`");
    refused(&format!("drill cleanup {drill}"), "is cleaned up: nothing is left", &attest);
    refused(&format!("drill promote {drill} --reason x"), "is over (awaiting attestation)", start);
    drctl.run("drill pay --level simulate");
    let simulated = output(&drctl, "runs list --simulated -o json")[0]["id"].as_str().unwrap().to_owned();
    let what = "has changed nothing real (simulate): there is nothing to go on from";
    refused(&format!("drill promote {simulated} --reason x"), what, start);
}

/// A program that failed half-way and has no undo for that is not called cleaned up.
#[test]
fn what_a_drill_may_have_left_behind_is_named() {
    let step = |name: &str, exit: u8| {
        let with = |name: &str, exit: u8| format!("{{argv: [./work, {name}, '{exit}'], idempotent: true}}");
        format!(
            "      - {{id: {name}, uses: command.run, with: {}, drill: {{boundary: trusted}},\n         \
             undo: {{uses: command.run, with: {}}}}}\n",
            with(name, exit),
            with(&format!("un{name}"), 0)
        )
    };
    let text = format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: shop}}\n\
         sites: {{east: {{role: active}}, west: {{role: standby}}}}\n\
         drill: {{level: isolated, boundary: {{sites: [west]}}}}\nworkflows:\n  failover:\n    steps:\n{}{}",
        step("scale", 0),
        step("warm", 1)
    );
    let drctl = Drctl::with(&[("runbooks/shop.yaml", &text)]);
    drctl.write_program("work", "#!/bin/sh\necho $1 >> log\nexit $2\n");
    let drilled = drctl.run("drill shop --reason yearly");
    assert_eq!(drilled.code, 4, "{}{}", drilled.stdout, drilled.stderr);
    assert!(
        drilled.stdout.contains("may have left something behind, look at it: warm"),
        "{}",
        drilled.stdout
    );
    assert_eq!(std::fs::read_to_string(drctl.path("log")).unwrap(), "scale\nwarm\nunscale\n");
}
