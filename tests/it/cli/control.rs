//! What is asked of a run that nobody drives: by a process that cannot take it over nothing is asked, and
//! what the journal does not keep can be given again.

use super::json;
use crate::support::binary::{Drctl, Output};

/// Waits at its gate; the promotion needs a secret of the environment.
const GATE: &str = r"apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
secrets: {pager: {from: env, name: PAGER_TOKEN}}
sites: {east: {role: active, provider: on_premises}, west: {role: standby, provider: on_premises}}
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: command.run, with: {argv: [./effect, fence]}, drill: skip,
         undo: {uses: command.run, with: {argv: [./effect, unfence]}}}
      - {id: promote, phase: promote, uses: command.run, drill: skip,
         with: {argv: [./effect, promote], env: {TOKEN: '{{ secrets.pager }}'}}}
      - {id: look, phase: validate, uses: command.run, with: {argv: [./effect, look]}, drill: skip}
";

const TOKEN: [(&str, &str); 1] = [("PAGER_TOKEN", "t0ken")];
const APPROVE: &str = "approve latest --confirm pay:west --accept-loss unmeasured --as alice";

/// A folder with a run that waits at its gate, and nobody drives.
fn waiting(text: &str, more: &str) -> Drctl {
    let drctl = Drctl::with(&[("runbooks/pay.yaml", text)]);
    drctl.write_program("effect", "#!/bin/sh\necho \"$1\" >> effects\n");
    let waits = drctl.run_with(&TOKEN, &format!("failover pay --reason lost {more}"));
    assert_eq!(waits.code, 6, "{}{}", waits.stdout, waits.stderr);
    drctl
}

fn sensitive() -> Drctl {
    let text = GATE
        .replace("secrets:", "parameters: {word: {type: string, required: true, sensitive: true}}\nsecrets:");
    waiting(&text, "--set word=hunter2")
}

fn effects(drctl: &Drctl) -> String {
    std::fs::read_to_string(drctl.path("effects")).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many requests the run has answered.
fn answers(drctl: &Drctl) -> usize {
    let events = drctl.run("runs events latest -o json").stdout;
    events.lines().filter(|line| line.contains("\"request_answered\"")).count()
}

fn asked_nothing(output: &Output, code: i32) {
    assert_eq!(output.code, code, "{}{}", output.stdout, output.stderr);
    assert!(output.stderr.contains("nothing was asked of pay-"), "{}", output.stderr);
}

#[test]
fn an_approval_that_failed_is_not_carried_out_later() {
    let drctl = waiting(GATE, "");
    asked_nothing(&drctl.run(APPROVE), 7);
    let held = drctl.run_with(&TOKEN, "abort latest --reason stop --as bob");
    assert_eq!(json(&drctl, "runs show latest -o json")["status"], "aborted", "{}", held.stderr);
    assert_eq!((effects(&drctl).as_str(), answers(&drctl)), ("fence", 1));
}

#[test]
fn an_abort_that_failed_is_not_carried_out_later() {
    let drctl = waiting(GATE, "");
    asked_nothing(&drctl.run("abort latest --reason stop --as bob"), 7);
    let done = drctl.run_with(&TOKEN, APPROVE);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!((effects(&drctl).as_str(), answers(&drctl)), ("fence promote look", 1));
}

#[test]
fn a_pause_is_not_ended_by_a_resume_that_failed() {
    let drctl = waiting(GATE, "");
    let paused = drctl.run_with(&TOKEN, "pause latest");
    assert_eq!(paused.code, 6, "{}{}", paused.stdout, paused.stderr);
    asked_nothing(&drctl.run("resume latest"), 7);
    let approved = drctl.run_with(&TOKEN, APPROVE);
    assert_eq!((effects(&drctl).as_str(), answers(&drctl)), ("fence", 2), "{}", approved.stderr);
}

#[test]
fn an_empty_name_is_no_run() {
    let drctl = waiting(GATE, "");
    for words in [
        &["abort", "", "--reason", "x"][..],
        &["done", "", "promote", "--reason", "x"],
        &["resume", ""],
        &["approve", " "],
        &["runs", "show", ""],
        &["drill", "abort", "", "--reason", "x"],
    ] {
        let refused = drctl.run_words(words);
        assert_eq!(refused.code, 2, "{words:?} {}", refused.stderr);
        assert!(refused.stderr.contains("the name of the run is empty"), "{words:?} {}", refused.stderr);
        assert!(refused.stderr.contains("a unique beginning"), "{words:?} {}", refused.stderr);
    }
    assert_eq!(answers(&drctl), 0);
}

#[test]
fn what_is_sensitive_can_be_given_to_whatever_takes_a_run_over() {
    let drctl = sensitive();
    let refused = drctl.run_with(&TOKEN, APPROVE);
    asked_nothing(&refused, 2);
    assert!(refused.stderr.contains("give it again with --set word="), "{}", refused.stderr);
    asked_nothing(&drctl.run_with(&TOKEN, &format!("{APPROVE} --set word=other")), 2);
    let done = drctl.run_with(&TOKEN, &format!("{APPROVE} --set word=hunter2"));
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!(effects(&drctl), "fence promote look");

    let drctl = sensitive();
    let aborted = drctl.run_with(&TOKEN, "abort latest --reason stop --set word=hunter2");
    assert_eq!(json(&drctl, "runs show latest -o json")["status"], "aborted", "{}", aborted.stderr);
    let verbs = "start pause abort unwind retry skip done approve deny mode resume";
    let drill = ["drill abort", "drill attest", "drill cleanup"];
    for verb in verbs.split(' ').chain(drill) {
        let help = drctl.run(&format!("{verb} --help")).stdout;
        assert!(help.contains("--set <NAME=VALUE>"), "{verb}\n{help}");
    }
}
