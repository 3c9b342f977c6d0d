//! A real run that fails and is taken back from another terminal: every undo runs once, in reverse, and one
//! that fails waits for a person.

use serde_json::Value;

use super::{json, runbook};
use crate::support::binary::{Drctl, Output};

const RUNBOOK: &str = include_str!("../../fixtures/cli/unwinds.yaml");
/// Writes down what it is asked for, and fails while a file of that name lies about.
const STEP: &str = "#!/bin/sh\necho \"$1\" >> effects\n[ ! -e \"broken-$1\" ]\n";

/// A run whose fence has failed, for good.
fn failed() -> (Drctl, String) {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", RUNBOOK), ("broken-fence", "")]);
    drctl.write_program("step", STEP);
    let ended = drctl.run("failover pay --reason drill --confirm pay:west --accept-loss unmeasured");
    assert_eq!(ended.code, 6, "{}{}", ended.stdout, ended.stderr);
    let run = json(&drctl, "runs list --open -o json")[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(effects(&drctl), "freeze drain warm fence");
    (drctl, run)
}

fn effects(drctl: &Drctl) -> String {
    let text = std::fs::read_to_string(drctl.path("effects")).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn ask(drctl: &Drctl, line: &str, code: i32) -> Output {
    let output = drctl.run(line);
    assert_eq!(output.code, code, "{line}\n{}{}", output.stdout, output.stderr);
    output
}

fn advice(drctl: &Drctl, run: &str) -> Vec<String> {
    let view = json(drctl, &format!("runs show {run} -o json"));
    let needed = view["needs_person"].as_array().unwrap().iter();
    needed.map(|needed| needed["command"].as_str().unwrap().to_owned()).collect()
}

/// A run that is being taken back and whose second undo has failed.
fn stuck() -> (Drctl, String) {
    let (drctl, run) = failed();
    drctl.write("broken-fill", "");
    ask(&drctl, &format!("unwind {run} --reason broken"), 6);
    assert_eq!(effects(&drctl), "freeze drain warm fence cool fill", "nothing before it is taken back");
    assert_eq!(json(&drctl, &format!("runs show {run} -o json"))["status"], "stuck");
    assert_eq!(advice(&drctl, &run), [format!("drctl retry {run} drain")]);
    (drctl, run)
}

#[test]
fn what_was_applied_is_taken_back_once_and_in_reverse() {
    let (drctl, run) = failed();
    assert_eq!(advice(&drctl, &run), [format!("drctl retry {run} fence")]);
    ask(&drctl, &format!("unwind {run} --reason broken"), 5);
    assert_eq!(effects(&drctl), "freeze drain warm fence cool fill thaw");
    assert_eq!(json(&drctl, &format!("runs show {run} -o json"))["status"], "unwound");
    // It is over: nothing begins any more.
    assert_ne!(drctl.run(&format!("retry {run} fence")).code, 0);
    assert_eq!(effects(&drctl), "freeze drain warm fence cool fill thaw");
    ask(&drctl, &format!("runs verify {run}"), 0);
}

#[test]
fn an_undo_that_failed_is_tried_again_and_the_rest_follows() {
    let (drctl, run) = stuck();
    let refused = drctl.run(&format!("retry {run} fence"));
    assert!(refused.stderr.contains("`fence` is not tried again"), "{}", refused.stderr);
    std::fs::remove_file(drctl.path("broken-fill")).unwrap();
    ask(&drctl, &format!("retry {run} drain"), 5);
    assert_eq!(effects(&drctl), "freeze drain warm fence cool fill fill thaw");
}

#[test]
fn an_undo_that_was_done_by_hand_is_not_made_again() {
    let (drctl, run) = stuck();
    let words = ["done", &run, "drain", "--reason", "filled by hand"];
    let ended = drctl.run_words(&words);
    assert_eq!(ended.code, 5, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(effects(&drctl), "freeze drain warm fence cool fill thaw");
}

#[test]
fn before_the_point_of_no_return_an_abort_shows_what_can_be_taken_back() {
    let (drctl, run) = failed();
    let ways = json(&drctl, &format!("abort {run} --dry-run -o json"));
    let applied: Vec<_> =
        ways["applied"].as_array().unwrap().iter().map(|it| (&it["step"], &it["undo"])).collect();
    let found: Vec<_> =
        applied.iter().map(|(step, undo)| (step.as_str().unwrap(), *undo == &Value::Bool(true))).collect();
    assert_eq!(found, [("freeze", true), ("drain", true), ("warm", true)], "a fence that failed did nothing");
    assert_eq!(ways["forward"], serde_json::json!([format!("drctl retry {run} fence")]));
    assert_eq!(ways["undo"], format!("drctl unwind {run} --reason …"));
    assert!(ways.get("failback").is_none() && ways.get("passed").is_none());
    assert_eq!(effects(&drctl), "freeze drain warm fence", "nothing was done");
    let text = drctl.run(&format!("abort {run} --dry-run")).stdout;
    assert!(text.contains("  warm    can be taken back") && text.contains("\nundo "), "{text}");
}

#[test]
fn behind_the_point_of_no_return_an_abort_offers_the_way_back_and_no_undo() {
    let runbook = RUNBOOK.replace(", reversibility: {class: compensable, reason: it writes a line}", "");
    let drctl = Drctl::with(&[("runbooks/pay.yaml", &runbook), ("broken-check", "")]);
    drctl.write_program("step", STEP);
    ask(&drctl, "failover pay --reason drill --confirm pay:west --accept-loss unmeasured", 6);
    let run = json(&drctl, "runs list --open -o json")[0]["id"].as_str().unwrap().to_owned();
    let ways = json(&drctl, &format!("abort {run} --dry-run -o json"));
    assert_eq!(ways["passed"], "promote", "{ways}");
    assert_eq!(ways["failback"], "drctl failback pay --reason …");
    assert!(ways.get("undo").is_none(), "{ways}");
    ask(&drctl, &format!("unwind {run} --reason back"), 7);
    ask(&drctl, &format!("abort {run} --reason enough"), 4);
    ask(&drctl, &format!("abort {run} --dry-run"), 7);
}

/// A failover whose every step can be taken back, and whose validation takes it back when it fails.
const MOVES: &str = "
apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
objectives: {rto: 5m}
sites:
  east: {role: active, provider: on_premises}
  west: {role: standby, provider: on_premises}
workflows:
  failover:
    steps:
      - id: fence
        phase: fence
        uses: command.run
        with: {argv: [./step, fence]}
        undo: {uses: command.run, with: {argv: [./step, unfence]}}
        drill: skip
      - id: promote
        phase: promote
        uses: command.run
        with: {argv: [./step, promote]}
        undo: {uses: command.run, with: {argv: [./step, demote]}}
        drill: skip
      - id: shift
        phase: shift
        uses: command.run
        with: {argv: [./step, shift]}
        undo: {uses: command.run, with: {argv: [./step, unshift]}}
        drill: skip
      - id: check
        phase: validate
        uses: command.run
        with: {argv: [./step, check], idempotent: true}
        on_failure: unwind
        drill: run
";
const DEMOTE: &str = "undo: {uses: command.run, with: {argv: [./step, demote]}}";

/// The runbook, and what breaks.
fn moving(runbook: &str, broken: &[&str]) -> Drctl {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", runbook)]);
    drctl.write_program("step", STEP);
    for broken in broken {
        drctl.write(&format!("broken-{broken}"), "");
    }
    drctl
}

/// Where the service is by its record, and the sites it has to stay away from.
fn recorded(drctl: &Drctl) -> (String, Vec<String>) {
    let record = json(drctl, "service show pay -o json");
    let quarantined = record["quarantined"].as_object().unwrap().keys().cloned().collect();
    (record["active"].as_str().unwrap().to_owned(), quarantined)
}

#[test]
fn a_move_that_was_taken_back_leaves_the_service_where_it_was() {
    let drctl = moving(MOVES, &["check"]);
    ask(&drctl, "failover pay --reason first", 5);
    assert_eq!(effects(&drctl), "fence promote shift check unshift demote unfence");
    assert_eq!(recorded(&drctl), ("east".to_owned(), vec![]));
    std::fs::remove_file(drctl.path("broken-check")).unwrap();
    // The next one moves it, and is not told that it is there already.
    ask(&drctl, "failover pay --reason second", 0);
    assert_eq!(recorded(&drctl), ("west".to_owned(), vec!["east".to_owned()]));
    ask(&drctl, "journal verify", 0);
}

#[test]
fn a_move_that_was_taken_back_in_part_is_still_on_record_and_says_so() {
    let compensable = "reversibility: {class: compensable, reason: it writes a line}";
    let drctl = moving(&MOVES.replace(DEMOTE, compensable), &["check"]);
    ask(&drctl, "failover pay --reason first", 5);
    assert_eq!(effects(&drctl), "fence promote shift check unshift unfence");
    assert_eq!(recorded(&drctl), ("west".to_owned(), vec!["east".to_owned()]));
    let cause = json(&drctl, "runs show latest -o json")["cause"].as_str().unwrap().to_owned();
    assert_eq!(
        cause,
        "may have changed something, look at it: check; without a way back, left as it is: promote; the service \
         record still says that pay runs in west, because of promote; `drctl service set pay SITE` corrects it"
    );
}

#[test]
fn a_move_that_was_taken_back_before_the_run_was_given_up_is_no_longer_on_record() {
    let drctl = moving(MOVES, &["check", "unfence"]);
    ask(&drctl, "failover pay --reason first", 6);
    assert_eq!(recorded(&drctl), ("west".to_owned(), vec!["east".to_owned()]), "while it is not over");
    ask(&drctl, "abort latest --reason enough", 4);
    assert_eq!(recorded(&drctl), ("east".to_owned(), vec![]));
    let drctl = moving(MOVES, &["check", "demote"]);
    ask(&drctl, "failover pay --reason first", 6);
    ask(&drctl, "abort latest --reason enough", 4);
    assert_eq!(recorded(&drctl), ("west".to_owned(), vec!["east".to_owned()]));
    let cause = json(&drctl, "runs show latest -o json")["cause"].as_str().unwrap().to_owned();
    assert!(cause.starts_with("enough; the service record still says that pay runs in west"), "{cause}");
}

#[test]
fn a_run_that_was_taken_back_has_no_recovery_time() {
    let clean = "      - {id: wipe, phase: cleanup, uses: command.run, with: {argv: [./step, wipe]}, \
                 reversibility: {class: irreversible, reason: it wipes}, drill: skip}\n";
    let drctl = moving(&format!("{MOVES}{clean}"), &[]);
    ask(&drctl, "failover pay --reason first", 6);
    let before = json(&drctl, "runs show latest -o json");
    assert_eq!(before["rto"]["verdict"], "met", "{before}");
    ask(&drctl, "unwind latest --reason back", 5);
    let after = json(&drctl, "runs show latest -o json");
    assert!(after["rto"]["recovery_time_ms"].is_null(), "{after}");
    assert_eq!(
        (&after["rto"]["verdict"], &after["objective_verdict"]),
        (&"not_validated".into(), &"not_validated".into())
    );
    let listed = json(&drctl, "runs list -o json")[0].to_string();
    assert!(listed.contains("not_validated") && !listed.contains("\"met\""), "{listed}");
    assert_eq!(recorded(&drctl), ("east".to_owned(), vec![]));
}

/// A step of a runbook, which notes what it does.
fn noting(name: &str, phase: &str, exit: u8, more: &str) -> String {
    let with = |name: &str, exit: u8| format!("{{argv: [./note, {name}, '{exit}'], idempotent: true}}");
    let undo = format!("undo: {{uses: command.run, with: {}}}", with(&format!("un{name}"), 0));
    let undo = if phase == "fence" { format!(", {undo}") } else { String::new() };
    format!(
        "      - {{id: {name}, phase: {phase}, uses: command.run, with: {}, drill: skip{undo}{more}}}\n",
        with(name, exit)
    )
}

/// The run inside it may be half behind its own point of no return: no policy opens the fence beside it.
#[test]
fn a_run_inside_that_was_left_half_way_opens_no_fence() {
    let inner =
        noting("fence-db", "fence", 0, "") + &noting("promote-db", "promote", 1, ", on_failure: abort");
    let inside = "      - {id: db, phase: promote, uses: runbook.run, with: {runbook: db}, on_failure: unwind, drill: skip}\n";
    let outer = noting("fence", "fence", 0, "") + inside;
    let drctl = Drctl::with(&[
        ("runbooks/db.yaml", &runbook("db", &inner)),
        ("runbooks/shop.yaml", &runbook("shop", &outer)),
    ]);
    drctl.write_program("note", "#!/bin/sh\necho $1 >> log\nexit $2\n");
    let begun = drctl.run("failover shop --reason x --confirm shop:west --accept-unfenced --accept-loss 1h");
    assert_eq!(begun.code, 6, "{}", begun.stderr);
    let mut words = begun.stdout.split_whitespace();
    let inside = words.rfind(|word| word.starts_with("db-")).unwrap().to_owned();
    drctl.run(&format!("approve {inside} --confirm db:west --accept-unfenced"));
    let shop = &json(&drctl, "runs list -o json")[0]["id"];
    let resumed = drctl.run(&format!("resume {}", shop.as_str().unwrap()));
    let log = std::fs::read_to_string(drctl.path("log")).unwrap();
    assert_eq!(log, "fence\nfence-db\npromote-db\n", "{}", resumed.stdout);
    assert_eq!(resumed.code, 6, "{}{}", resumed.stdout, resumed.stderr);
}

/// A promotion that another run has done is as final as one of its own.
#[test]
fn a_run_inside_that_has_promoted_opens_no_fence() {
    let inner = noting("fence-db", "fence", 0, "") + &noting("promote-db", "promote", 0, "");
    let inside = "      - {id: db, phase: promote, uses: runbook.run, with: {runbook: db}, drill: skip}\n";
    let outer =
        noting("fence", "fence", 0, "") + inside + &noting("scale", "scale", 1, ", on_failure: unwind");
    let drctl = Drctl::with(&[
        ("runbooks/db.yaml", &runbook("db", &inner)),
        ("runbooks/shop.yaml", &runbook("shop", &outer)),
    ]);
    drctl.write_program("note", "#!/bin/sh\necho $1 >> log\nexit $2\n");
    let begun = drctl.run("failover shop --reason x --confirm shop:west --accept-unfenced --accept-loss 1h");
    let words = begun.stdout.split_whitespace();
    if let Some(inside) = words.clone().find(|word| word.starts_with("db-")) {
        drctl.run(&format!("approve {inside} --confirm db:west --accept-unfenced"));
        drctl.run("resume latest");
    }
    let log = || std::fs::read_to_string(drctl.path("log")).unwrap();
    assert_eq!(log(), "fence\nfence-db\npromote-db\nscale\n");
    let refused = drctl.run("unwind latest --reason back");
    assert_eq!(refused.code, 7, "{}", refused.stdout);
    assert!(refused.stderr.contains("the point of no return is behind: `db`"), "{}", refused.stderr);
    assert_eq!(log(), "fence\nfence-db\npromote-db\nscale\n");
}

/// What the run inside has done meanwhile is heard of only while all is being taken back.
#[test]
fn a_run_inside_that_promotes_amid_an_unwind_opens_no_fence() {
    let inner = noting("fence-db", "fence", 0, "") + &noting("promote-db", "promote", 0, "");
    let inside = "      - {id: db, phase: promote, uses: runbook.run, with: {runbook: db}, drill: skip}\n";
    let drctl = Drctl::with(&[
        ("runbooks/db.yaml", &runbook("db", &inner)),
        ("runbooks/shop.yaml", &runbook("shop", &(noting("fence", "fence", 0, "") + inside))),
    ]);
    drctl.write_program("note", "#!/bin/sh\necho $1 >> log\nexit $2\n");
    let begun = drctl.run("failover shop --reason x --confirm shop:west --accept-unfenced");
    let mut words = begun.stdout.split_whitespace();
    let inside = words.rfind(|word| word.starts_with("db-")).unwrap().to_owned();
    ask(&drctl, &format!("approve {inside} --confirm db:west --accept-unfenced"), 0);
    let stuck = ask(&drctl, "unwind latest --reason stop", 6).stdout;
    for words in ["stuck: fence is not taken back", "has promoted meanwhile", "drctl abort shop-"] {
        assert!(stuck.contains(words), "{stuck}");
    }
    ask(&drctl, "abort latest --reason hold", 4);
    assert_eq!(std::fs::read_to_string(drctl.path("log")).unwrap(), "fence\nfence-db\npromote-db\n");
}
