//! Programs that failed, of which only they know how far they had come.

use drctl::engine::input::{Control, Observation};
use drctl::model::run::{FailureClass, Mode, NodeStatus, RunStatus};

use super::script::{Script, by_hand, retry, skip};

const FENCE: &str = "- {id: fence, phase: fence, uses: command.run, with: {argv: [a]}, undo: {uses: command.run, with: {argv: [u]}}}";

/// A fence with a way back, and a promotion by a program behind the gate.
fn promoted_by_program(more: &str) -> Script {
    let promote = format!(
        "- {{id: promote, phase: promote, uses: command.run, with: {{argv: [p]}}, retry: {{attempts: 2, backoff: 1s}}{more}}}"
    );
    let mut script = Script::new(&format!("{FENCE}\n{promote}"), "", Mode::Graceful);
    script.ok("fence");
    assert_eq!(script.in_flight(), ["promote:start"]);
    script
}

#[test]
fn a_promotion_that_failed_half_way_may_be_behind_the_point_of_no_return() {
    let mut script = promoted_by_program("");
    script.fail("promote", FailureClass::Transient);
    // That it could not even be started the second time says nothing of the first.
    script.wait_for_wake();
    script.fail("promote", FailureClass::Refused);
    let refused = script.ask(Control::Unwind).unwrap();
    assert!(refused.contains("may be behind: `promote` failed, only its own code knows"), "{refused}");
    let ways = drctl::evidence::ways_out(&script.plan, &script.state);
    assert_eq!((ways.perhaps_passed.as_deref(), ways.undo.as_deref()), (Some("promote"), None));
    assert!(ways.text().contains("The point of no return may be behind: `promote`"), "{}", ways.text());
    // The way that the refusal names, once it is known that nothing was done.
    assert_eq!(script.ask(Control::Pause), None);
    assert_eq!(script.ask(skip("promote", true)), None);
    assert_eq!(script.ask(Control::Unwind), None);
    assert_eq!(script.in_flight(), ["fence:start"]);
    script.ok("fence");
    assert_eq!((script.run(), script.status("fence")), (RunStatus::Unwound, NodeStatus::Undone));
}

#[test]
fn a_promotion_that_failed_half_way_and_is_done_is_behind_the_point_of_no_return() {
    let mut script = promoted_by_program("");
    script.fail("promote", FailureClass::Permanent);
    assert_eq!(script.ask(by_hand("promote")), None);
    assert_eq!(script.run(), RunStatus::SucceededWithWarnings);
}

#[test]
fn a_promotion_that_failed_half_way_unwinds_nothing_by_itself() {
    let mut script = promoted_by_program(", on_failure: unwind");
    script.fail("promote", FailureClass::Permanent);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::Paused, Vec::<String>::new()));
}

#[test]
fn a_promotion_that_could_not_be_started_is_not_behind_the_point_of_no_return() {
    for class in [FailureClass::Refused, FailureClass::Unreachable] {
        let mut script = promoted_by_program(", on_failure: unwind");
        script.fail("promote", class);
        if class == FailureClass::Unreachable {
            script.wait_for_wake();
            script.fail("promote", class);
        }
        assert_eq!(
            (script.run(), script.in_flight()),
            (RunStatus::Unwinding, vec!["fence:start".to_owned()])
        );
    }
}

#[test]
fn the_loss_of_a_promotion_that_failed_half_way_is_not_called_none() {
    let mut script = promoted_by_program("");
    assert!(!drctl::engine::clock::ended_unmoved(&script.plan, &script.state));
    script.fail("promote", FailureClass::Permanent);
    assert_eq!(script.ask(Control::Abort), None);
    assert_eq!(script.run(), RunStatus::Aborted);
    assert!(!drctl::engine::clock::ended_unmoved(&script.plan, &script.state), "it may have moved");
}

/// A step whose undo says that it bears that nothing was done, or does not.
fn taken_back(after_failure: &str) -> Script {
    let steps = format!(
        "{FENCE}\n- {{id: b, needs: [fence], uses: command.run, with: {{argv: [b]}}, \
         retry: {{attempts: 2, backoff: 1s}}, undo: {{uses: command.run, with: {{argv: [undo-b]}}}}, \
         on_failure: unwind{after_failure}}}"
    );
    let mut script = Script::new(&steps, "", Mode::Graceful);
    script.ok("fence");
    script
}

#[test]
fn what_failed_half_way_is_taken_back_where_its_undo_bears_that() {
    let mut script = taken_back(", undo_after_failure: true");
    script.fail("b", FailureClass::Transient);
    script.wait_for_wake();
    script.fail("b", FailureClass::Refused);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::Unwinding, vec!["b:start".to_owned()]));
    script.ok("b");
    assert_eq!(script.in_flight(), ["fence:start"]);
    script.ok("fence");
    assert_eq!((script.run(), script.state.cause.as_deref()), (RunStatus::Unwound, None));
    assert_eq!(script.status("b"), NodeStatus::Undone);
}

#[test]
fn what_failed_between_two_tries_is_taken_back_all_the_same() {
    let mut script = taken_back(", undo_after_failure: true");
    script.fail("b", FailureClass::Transient);
    assert_eq!(script.ask(Control::Unwind), None);
    assert_eq!(script.in_flight(), ["b:start"]);
}

#[test]
fn what_never_began_is_not_taken_back() {
    let mut script = taken_back(", undo_after_failure: true");
    script.fail("b", FailureClass::Refused);
    assert_eq!(script.in_flight(), ["fence:start"]);
    script.ok("fence");
    assert_eq!((script.run(), script.state.cause.as_deref()), (RunStatus::Unwound, None));
}

#[test]
fn what_was_looked_at_and_is_not_there_is_not_taken_back() {
    let mut script = taken_back(", undo_after_failure: true");
    script.fail("b", FailureClass::Transient);
    script.wait_for_wake();
    script.fail("b", FailureClass::InDoubt);
    script.observe("b", Observation::NotApplied);
    assert_eq!(script.in_flight(), ["fence:start"]);
}

#[test]
fn without_a_word_what_failed_half_way_is_named_and_left() {
    let mut script = taken_back("");
    script.fail("b", FailureClass::Permanent);
    assert_eq!(script.in_flight(), ["fence:start"]);
    script.ok("fence");
    assert_eq!(script.state.cause.as_deref(), Some("may have changed something, look at it: b"));
    // Done after all, nothing is open.
    let mut script = taken_back(", undo_after_failure: false");
    script.fail("b", FailureClass::Transient);
    assert_eq!(drctl::engine::perhaps(&script.plan, &script.state).len(), 1);
    script.wait_for_wake();
    script.ok("b");
    assert!(drctl::engine::perhaps(&script.plan, &script.state).is_empty());
    let mut script = promoted_by_program("");
    script.fail("promote", FailureClass::Permanent);
    assert_eq!(script.ask(retry("promote")), None);
    script.ok("promote");
    assert!(drctl::engine::perhaps(&script.plan, &script.state).is_empty());
}
