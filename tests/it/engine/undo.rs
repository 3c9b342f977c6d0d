//! Taking back what was applied.

use drctl::engine::input::Control;
use drctl::model::run::{FailureClass, Mode, NodeStatus, RunStatus};

use super::script::{Script, retry, skip};

const STEPS: &str = "
- {id: a, uses: command.run, with: {argv: [a]}, undo: {uses: command.run, with: {argv: [undo-a]}}}
- {id: b, needs: [a], uses: command.run, with: {argv: [b]}, undo: {uses: command.run, with: {argv: [undo-b]}}}
- {id: c, needs: [a], uses: command.run, with: {argv: [c]}}
- {id: d, needs: [b, c], uses: command.run, with: {argv: [d]}, undo: {uses: command.run, with: {argv: [undo-d]}}, on_failure: unwind}
";

fn to_d() -> Script {
    let mut script = Script::new(STEPS, "", Mode::Graceful);
    script.ok("a");
    script.ok("b");
    script.ok("c");
    script
}

#[test]
fn what_was_applied_is_taken_back_in_reverse() {
    let mut script = to_d();
    script.fail("d", FailureClass::Permanent);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::Unwinding, vec!["b:start".to_owned()]));
    script.ok("b");
    assert_eq!(script.in_flight(), ["a:start"]);
    script.ok("a");
    assert_eq!((script.run(), script.status("a")), (RunStatus::Unwound, NodeStatus::Undone));
    assert_eq!(script.state.cause.as_deref(), Some("without a way back, left as it is: c"));
    insta::assert_snapshot!(script.transcript);
}

#[test]
fn an_undo_that_fails_needs_a_person() {
    let mut script = to_d();
    script.ok("d");
    let mut script = to_d();
    assert_eq!(script.ask(Control::Unwind), None);
    assert_eq!(script.in_flight(), ["d:start"], "an effect under way ends before it is taken back");
    script.ok("d");
    assert_eq!(script.in_flight(), ["d:start"]);
    script.fail("d", FailureClass::Permanent);
    assert_eq!((script.run(), script.status("d")), (RunStatus::Stuck, NodeStatus::UndoFailed));
    assert_eq!(script.ask(retry("d")), None);
    assert_eq!(script.in_flight(), ["d:start"]);
    script.fail("d", FailureClass::Permanent);
    assert_eq!(script.ask(skip("d", false)), None);
    assert_eq!(script.in_flight(), ["b:start"]);
}

#[test]
fn past_the_point_of_no_return_nothing_is_taken_back() {
    let steps = "
- {id: fence, phase: fence, uses: command.run, with: {argv: [a]}, undo: {uses: command.run, with: {argv: [u]}}}
- {id: promote, phase: promote, uses: postgres.promote, with: {standby: x}}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.ok("fence");
    assert_eq!(script.in_flight(), ["promote:start"]);
    let refused = script.ask(Control::Unwind).unwrap();
    assert!(
        refused.contains("point of no return is behind") && refused.contains("drctl failback"),
        "{refused}"
    );
}
