//! What happens when nobody knows what came of an attempt.

use drctl::engine::input::{Input, Observation};
use drctl::model::run::{FailureClass, Mode, NodeStatus, RunStatus};
use serde_json::{Map, json};

use super::script::{Script, by_hand, retry};

const OBSERVABLE: &str = "- {id: a, uses: postgres.promote, with: {standby: x}, timeout: 1m}";
const ASK: &str = "- {id: a, uses: http.request, with: {method: POST, url: 'https://x'}}";
const IDEMPOTENT: &str =
    "- {id: a, uses: http.request, with: {method: POST, url: 'https://x', idempotent: true}}";

#[test]
fn an_attempt_of_a_lost_driver_is_observed_and_not_repeated_when_it_was_applied() {
    let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
    script.take_over(2);
    assert_eq!((script.status("a"), script.in_flight()), (NodeStatus::InDoubt, vec!["a:observe".to_owned()]));
    script.observe("a", Observation::Applied(Map::from_iter([("timeline".to_owned(), json!(2))])));
    assert_eq!(script.run(), RunStatus::Succeeded);
    assert_eq!(script.state.node(script.node("a")).attempts, 1);
}

#[test]
fn an_attempt_that_was_not_applied_begins_anew_without_using_up_an_attempt() {
    let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
    for token in 2..6 {
        script.take_over(token);
        script.observe("a", Observation::NotApplied);
        assert_eq!(
            (script.status("a"), script.in_flight()),
            (NodeStatus::Running, vec!["a:start".to_owned()])
        );
    }
    let node = script.state.node(script.node("a"));
    assert_eq!(
        (node.attempts, node.failures, node.generation),
        (5, 0, 4),
        "a known outcome raises the generation"
    );
}

#[test]
fn an_operation_under_way_is_followed_by_its_handle() {
    let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
    script.take_over(2);
    script.observe("a", Observation::InProgress(json!({"job": 7})));
    assert_eq!(script.in_flight(), ["a:poll"]);
    script.ok("a");
    assert_eq!(script.run(), RunStatus::Succeeded);
}

#[test]
fn an_operation_that_was_followed_and_came_to_nothing_begins_anew_without_using_up_an_attempt() {
    let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
    script.take_over(2);
    script.observe("a", Observation::InProgress(json!({"job": 7})));
    script.fail("a", FailureClass::InDoubt);
    script.observe("a", Observation::NotApplied);
    assert_eq!((script.status("a"), script.in_flight()), (NodeStatus::Running, vec!["a:start".to_owned()]));
    // The second attempt is this driver's own.
    script.fail("a", FailureClass::InDoubt);
    script.observe("a", Observation::NotApplied);
    assert_eq!(script.status("a"), NodeStatus::Failed);
}

#[test]
fn a_timed_out_mutation_is_observed_and_never_retried_directly() {
    let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
    script.wait("1m");
    assert_eq!((script.status("a"), script.in_flight()), (NodeStatus::InDoubt, vec!["a:observe".to_owned()]));
    script.observe("a", Observation::NotApplied);
    assert_eq!(
        (script.status("a"), script.run()),
        (NodeStatus::Failed, RunStatus::Paused),
        "one attempt was allowed"
    );
}

#[test]
fn an_idempotent_action_is_sent_again_under_the_same_key() {
    let mut script = Script::new(IDEMPOTENT, "", Mode::Graceful);
    script.fail("a", FailureClass::InDoubt);
    let node = script.state.node(script.node("a"));
    assert_eq!((node.status, node.attempts, node.generation), (NodeStatus::Running, 2, 0));
    assert_eq!(node.current.as_ref().unwrap().generation, 0);
}

#[test]
fn what_nobody_can_tell_a_person_decides() {
    let mut script = Script::new(ASK, "", Mode::Graceful);
    script.fail("a", FailureClass::InDoubt);
    assert_eq!((script.status("a"), script.run()), (NodeStatus::InDoubt, RunStatus::Stuck));
    assert!(script.in_flight().is_empty());
    assert_eq!(script.ask(by_hand("a")), None);
    assert_eq!(script.run(), RunStatus::SucceededWithWarnings);

    let mut script = Script::new(ASK, "", Mode::Graceful);
    script.fail("a", FailureClass::InDoubt);
    assert_eq!(script.ask(retry("a")), None);
    assert_eq!(script.in_flight(), ["a:start"]);
}

#[test]
fn observations_that_cannot_tell_are_repeated_then_a_person_is_asked() {
    let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
    script.take_over(2);
    for _ in 0..2 {
        script.observe("a", Observation::Unknown("no answer".to_owned()));
        assert!(script.in_flight().is_empty());
        script.wait("2s");
        assert_eq!(script.in_flight(), ["a:observe"]);
    }
    script.observe("a", Observation::Unknown("no answer".to_owned()));
    assert_eq!(script.run(), RunStatus::Stuck);
}

#[test]
fn stale_reports_are_rejected() {
    let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
    script.ok("a");
    let node = script.node("a");
    let attempt = drctl::engine::input::AttemptKey { node, attempt: 1 };
    assert!(script.input(Input::AttemptEnded { attempt, result: Ok(Map::new()) }).is_err());
    assert!(
        script
            .input(Input::TookOver {
                token: 1,
                holder: "x".to_owned(),
                host: "here".to_owned(),
                skew: drctl::model::time::Duration::ZERO
            })
            .is_err()
    );
}

#[test]
fn an_idempotent_action_that_never_answers_is_not_sent_for_ever() {
    let mut script = Script::new(IDEMPOTENT, "", Mode::Graceful);
    for _ in 0..3 {
        assert_eq!(script.run(), RunStatus::Running);
        script.fail("a", FailureClass::InDoubt);
    }
    assert_eq!((script.status("a"), script.run()), (NodeStatus::InDoubt, RunStatus::Stuck));
    assert_eq!(script.state.node(script.node("a")).attempts, 3);
}
