//! What is asked of a run that nobody drives: by a process that cannot take it over nothing is asked, and
//! what the journal does not keep can be given again.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdout};
use std::time::{Duration, Instant};

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

fn with_word(text: &str) -> String {
    text.replace("secrets:", "parameters: {word: {type: string, required: true, sensitive: true}}\nsecrets:")
}

fn sensitive() -> Drctl {
    waiting(&with_word(GATE), "--set word=hunter2")
}

const CONSENTS: &str = "--confirm pay:west --accept-loss unmeasured --accept-unfenced";

/// A folder with a service whose promotion takes some seconds, and whose runs need a value that is not kept.
fn slow() -> Drctl {
    let text = with_word(GATE).replace("effect, promote]", "effect, promote, '4']");
    let drctl = Drctl::with(&[("runbooks/pay.yaml", &text)]);
    drctl.write_program("effect", "#!/bin/sh\necho \"$1\" >> effects\nsleep \"${2:-0}\"\n");
    drctl
}

/// Waits until something is so, for a minute at most.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_mins(1), "never: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn promotes(drctl: &Drctl) {
    let promotes =
        || std::fs::read_to_string(drctl.path("effects")).is_ok_and(|text| text.contains("promote"));
    until("the promotion begins", promotes);
}

fn until_it_succeeds(drctl: &Drctl) {
    let ended = || {
        json(drctl, "runs show latest -o json")["status"] == "succeeded_with_warnings"
            || json(drctl, "runs show latest -o json")["status"] == "succeeded"
    };
    until("the run succeeds", ended);
    assert_eq!(effects(drctl), "fence promote look");
}

/// Reads what a terminal shows until a text was there.
fn until_shown(terminal: &mut ChildStdout, text: &str) -> String {
    let (mut shown, mut some) = (String::new(), [0; 4_096]);
    while !shown.contains(text) {
        let read = terminal.read(&mut some).unwrap();
        assert!(read > 0, "{text} was never shown:\n{shown}");
        shown.push_str(&String::from_utf8_lossy(&some[..read]));
    }
    shown
}

/// A failover at a terminal, in the middle of its promotion.
fn at_terminal(drctl: &Drctl) -> Child {
    let line = format!("failover pay --reason lost --set word=hunter2 {CONSENTS} --as bob");
    let terminal = drctl.spawn_at_terminal(&TOKEN, &line);
    promotes(drctl);
    terminal
}

#[test]
fn a_run_in_the_background_has_all_that_it_was_started_with() {
    let drctl = slow();
    let mut terminal = at_terminal(&drctl);
    let (mut typed, mut shown) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    typed.write_all(b"\x03").unwrap();
    until_shown(&mut shown, "[b]ackground");
    typed.write_all(b"b\n").unwrap();
    let said = until_shown(&mut shown, "follows it");
    assert!(said.contains("goes on in the background (pid "), "{said}");
    // Said only when it is so.
    let driver = json(&drctl, "runs list -o json")[0]["driver"].clone();
    assert!(!driver.is_null(), "{said}");
    drop(typed);
    terminal.wait().unwrap();
    until_it_succeeds(&drctl);
}

#[test]
fn a_background_that_does_not_come_about_is_said() {
    let drctl = slow();
    let mut terminal = at_terminal(&drctl);
    let (mut typed, mut shown) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    // The new process cannot read its configuration.
    drctl.write(".config/drctl/config.toml", "nonsense = [");
    drctl.write("drctl.toml", "nonsense = [");
    typed.write_all(b"\x03").unwrap();
    until_shown(&mut shown, "[b]ackground");
    typed.write_all(b"b\n").unwrap();
    let said = until_shown(&mut shown, "--set word=");
    assert!(said.contains("ended before it went on: nobody drives"), "{said}");
    assert!(!said.contains("goes on in the background"), "{said}");
    drop(typed);
    assert_ne!(terminal.wait().unwrap().code(), Some(0));
}

#[test]
fn a_run_goes_on_when_its_terminal_is_gone() {
    let drctl = slow();
    let mut terminal = at_terminal(&drctl);
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    until_it_succeeds(&drctl);
    let drctl = slow();
    let line = format!("failover pay --reason lost --set word=hunter2 {CONSENTS}");
    let mut driver = drctl.spawn_with(&TOKEN, &line);
    promotes(&drctl);
    let pid = rustix::process::Pid::from_child(&driver);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    assert_eq!(driver.wait().unwrap().code(), Some(0));
    until_it_succeeds(&drctl);
}

/// What was refused because nobody drives the run is followed by what helps.
#[test]
fn a_refusal_names_what_the_run_waits_for() {
    let drctl = waiting(GATE, "");
    let refused = drctl.run_with(&TOKEN, "approve latest");
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(refused.stderr.contains("waits for: drctl approve pay-"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--confirm pay:west"), "{}", refused.stderr);
    assert_eq!(drctl.run_with(&TOKEN, "abort latest --reason over").code, 4);

    let staged = drctl.run_with(&TOKEN, "failover pay --reason lost --stage");
    assert_eq!(staged.code, 6, "{}", staged.stderr);
    let refused = drctl.run_with(&TOKEN, "retry latest promote");
    assert!(refused.stderr.contains("waits for: drctl start pay-"), "{}", refused.stderr);
    let locked = drctl.run_with(&TOKEN, "failover pay --reason lost");
    assert_eq!(locked.code, 8, "{}", locked.stderr);
    assert!(locked.stderr.contains("drctl start pay-"), "{}", locked.stderr);
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
