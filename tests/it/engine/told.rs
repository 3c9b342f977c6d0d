//! Facts as they are told to people: each line says what it is about and what was learned.

use drctl::engine::event::Event;
use drctl::engine::input::{AttemptKey, Control, Observation};
use drctl::evidence::describe;
use drctl::model::run::{FailureClass, Mode};
use serde_json::json;

use super::script::{Script, retry};

const STEPS: &str = "
- {id: a, uses: command.run, with: {argv: [a], observes: true}, retry: {attempts: 3, backoff: 4s, jitter: false}}
- id: b
  uses: command.run
  with: {argv: [b]}
  verify: [{uses: http.check, with: {url: 'http://b'}, within: 1m, every: 5s, consecutive: 2}]
";

#[test]
fn a_retry_says_why_and_when() {
    let mut script = Script::new(STEPS, "", Mode::Graceful);
    script.transcript.clear();
    script.fail("a", FailureClass::Transient);
    script.wait_for_wake();
    script.ok("a");
    script.ok("b");
    script.fail("b/verify-1", FailureClass::Unreachable);
    script.wait_for_wake();
    script.ok("b/verify-1");
    script.wait_for_wake();
    script.ok("b/verify-1");
    insta::assert_snapshot!(script.transcript);
}

/// Every kind of fact about a node, and every answer to a request.
#[test]
fn every_line_names_what_it_is_about() {
    let mut script = Script::new(STEPS, "", Mode::Graceful);
    script.ask_as("bob", Control::Resume, Some("in a hurry\nindeed"));
    script.ask_as("bob", Control::Pause, Some("let me look"));
    script.ask(Control::Resume);
    script.fail("a", FailureClass::InDoubt);
    script.observe("a", Observation::Unknown("no\nanswer".to_owned()));
    script.wait_for_wake();
    script.observe("a", Observation::InProgress(json!({"pid": 7})));
    script.done("a", json!({"exit_code": 0}));
    script.fail("b", FailureClass::Permanent);
    script.ask(retry("b"));
    script.ok("b");
    script.ok("b/verify-1");
    script.wait_for_wake();
    script.ok("b/verify-1");
    let node = script.node("a");
    let attempt = AttemptKey { node, attempt: 1 };
    let mut told = script.every_fact.clone();
    let outputs = json!({"lag_ms": 3}).as_object().unwrap().clone();
    for event in [
        Event::NodeReady { node },
        Event::HandleReturned { attempt, handle: json!({"job": "j-1", "region": "west"}) },
        Event::Observed { attempt, observation: Observation::Applied(outputs), deadline: None },
    ] {
        told = told + &describe(&script.plan, &event) + "\n";
    }
    insta::assert_snapshot!(told);
}
