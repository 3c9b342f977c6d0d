//! Taking back what was applied.

use drctl::engine::command::Command;
use drctl::engine::commands;
use drctl::engine::input::{Consents, Control, Direction, Input, Observation};
use drctl::model::id::NodeAddress;
use drctl::model::run::{Failure, FailureClass, Mode, NodeStatus, RunStatus};
use serde_json::Map;

use super::script::{Script, approve, by_hand, retry, skip};

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
    let left = "may have changed something, look at it: d; without a way back, left as it is: c";
    assert_eq!(script.state.cause.as_deref(), Some(left));
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

/// A step that another action makes up for, and a step that fails after it.
fn made_up_for(undo: &str, more: &str) -> Script {
    let steps = format!(
        "- {{id: a, uses: command.run, with: {{argv: [a]}}, timeout: 1m, undo: {{{undo}}}{more}}}\n\
         - {{id: z, needs: [a], uses: command.run, with: {{argv: [z]}}, timeout: 12h}}"
    );
    Script::new(&steps, "", Mode::Graceful)
}

/// What is said of its last step, which failed.
const Z: &str = "may have changed something, look at it: z";

const OBSERVABLE: &str = "uses: command.run, with: {argv: [undo-a]}";
const ASK: &str = "uses: http.request, with: {method: POST, url: 'https://x'}";
const IDEMPOTENT: &str = "uses: http.request, with: {method: POST, url: 'https://x', idempotent: true}";

impl Script {
    /// The first step is done, the second one failed, and everything is taken back.
    fn taking_back(mut self) -> Self {
        self.ok("a");
        self.fail("z", FailureClass::Permanent);
        assert_eq!(self.ask(Control::Unwind), None);
        assert_eq!((self.run(), self.in_flight()), (RunStatus::Unwinding, vec!["a:start".to_owned()]));
        self
    }

    fn undo_key(&self) -> String {
        match commands(&self.plan, &self.state, self.now).as_slice() {
            [Command::Start { direction: Direction::Undo, key, .. }] => key.clone(),
            other => panic!("an undo is to be started: {other:?}"),
        }
    }
}

#[test]
fn an_undo_has_all_the_retries_of_its_step() {
    let mut script = made_up_for(OBSERVABLE, ", retry: {attempts: 2, backoff: 1s}, deadline: 5m");
    script.fail("a", FailureClass::Transient);
    script.wait_for_wake();
    script.ok("a");
    // Long after: neither the failures nor the deadline of the effect count against taking it back.
    script.wait("10m");
    script.fail("z", FailureClass::Permanent);
    assert_eq!(script.ask(Control::Unwind), None);
    let first = script.undo_key();
    script.fail("a", FailureClass::Transient);
    assert_eq!((script.run(), script.status("a")), (RunStatus::Unwinding, NodeStatus::Retrying));
    script.wait_for_wake();
    assert_ne!(script.undo_key(), first, "a known failure is not asked for again");
    script.fail("a", FailureClass::Transient);
    assert_eq!((script.run(), script.status("a")), (RunStatus::Stuck, NodeStatus::UndoFailed));
    assert!(script.state.cause.as_deref().unwrap().starts_with("undo of a failed"));
}

#[test]
fn a_throttled_undo_is_tried_again_however_long_ago_the_effect_was() {
    let mut script = made_up_for(OBSERVABLE, "");
    script.ok("a");
    script.wait("2h");
    script.fail("z", FailureClass::Permanent);
    assert_eq!(script.ask(Control::Unwind), None);
    script.fail("a", FailureClass::Throttled);
    assert_eq!(script.status("a"), NodeStatus::Retrying);
}

#[test]
fn an_undo_in_doubt_is_observed() {
    for (observation, status) in [
        (Observation::Applied(Map::new()), NodeStatus::Undone),
        (Observation::NotApplied, NodeStatus::UndoFailed),
        (Observation::InProgress(serde_json::json!({"pid": 1})), NodeStatus::Running),
    ] {
        let mut script = made_up_for(OBSERVABLE, "").taking_back();
        script.wait("1m");
        assert_eq!(
            (script.status("a"), script.in_flight()),
            (NodeStatus::InDoubt, vec!["a:observe".to_owned()])
        );
        script.observe("a", observation);
        assert_eq!(script.status("a"), status);
    }
}

#[test]
fn an_undo_that_may_be_repeated_is_sent_again_under_its_key_as_often_as_an_effect() {
    let mut script = made_up_for(IDEMPOTENT, ", retry: {attempts: 4, backoff: 1s}");
    for _ in 0..3 {
        script.fail("a", FailureClass::Transient);
        script.wait_for_wake();
    }
    let mut script = script.taking_back();
    let key = script.undo_key();
    for _ in 0..3 {
        script.fail("a", FailureClass::InDoubt);
        assert_eq!(script.undo_key(), key);
    }
    script.fail("a", FailureClass::InDoubt);
    assert_eq!((script.run(), script.status("a")), (RunStatus::Stuck, NodeStatus::InDoubt));
    assert_eq!(script.ask(retry("a")), None);
    script.fail("a", FailureClass::InDoubt);
    assert_eq!(
        script.status("a"),
        NodeStatus::Running,
        "asked again by a person, it has all its sends again"
    );
    script.ok("a");
    assert_eq!((script.run(), script.status("a")), (RunStatus::Unwound, NodeStatus::Undone));
}

/// Only a person can tell what came of the undo.
fn doubtful() -> Script {
    let mut script = made_up_for(ASK, "").taking_back();
    script.fail("a", FailureClass::InDoubt);
    assert_eq!((script.run(), script.status("a")), (RunStatus::Stuck, NodeStatus::InDoubt));
    script
}

#[test]
fn an_undo_nobody_can_tell_about_is_repeated_or_settled_by_a_person() {
    let mut script = doubtful();
    assert_eq!(script.ask(retry("a")), None);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::Unwinding, vec!["a:start".to_owned()]));
    script.undo_key();
    script.ok("a");
    assert_eq!((script.run(), script.status("a")), (RunStatus::Unwound, NodeStatus::Undone));

    let mut script = doubtful();
    assert_eq!(script.ask(by_hand("a")), None);
    assert_eq!((script.run(), script.status("a")), (RunStatus::Unwound, NodeStatus::Undone));
    assert_eq!(script.state.cause.as_deref(), Some(Z), "nothing is left of it");

    let mut script = doubtful();
    assert_eq!(script.ask(skip("a", false)), None);
    assert_eq!((script.run(), script.status("a")), (RunStatus::Unwound, NodeStatus::Skipped));
    assert_eq!(script.state.cause, Some(format!("{Z}; without a way back, left as it is: a")));

    let mut script = doubtful();
    assert_eq!(script.ask(Control::Abort), None);
    assert_eq!(script.run(), RunStatus::Aborted);
}

#[test]
fn a_failed_undo_can_be_done_by_hand_or_left() {
    let failed = || {
        let mut script = made_up_for(OBSERVABLE, "").taking_back();
        script.fail("a", FailureClass::Permanent);
        assert_eq!((script.run(), script.status("a")), (RunStatus::Stuck, NodeStatus::UndoFailed));
        script
    };
    let mut script = failed();
    assert_eq!(script.ask(by_hand("a")), None);
    assert_eq!((script.run(), script.status("a")), (RunStatus::Unwound, NodeStatus::Undone));
    let mut script = failed();
    assert_eq!(script.ask(skip("a", false)), None);
    assert_eq!(script.run(), RunStatus::Unwound);
    assert_eq!(script.state.cause, Some(format!("{Z}; without a way back, left as it is: a")));
    let mut script = failed();
    assert_eq!(script.ask(Control::Abort), None);
    assert_eq!(script.run(), RunStatus::Aborted);
}

#[test]
fn an_undo_done_by_hand_between_two_attempts_is_not_an_effect_done_by_hand() {
    let mut script = made_up_for(OBSERVABLE, ", retry: {attempts: 3, backoff: 1h}").taking_back();
    script.fail("a", FailureClass::Transient);
    assert_eq!(script.ask(by_hand("a")), None);
    assert_eq!((script.run(), script.status("a")), (RunStatus::Unwound, NodeStatus::Undone));
}

#[test]
fn an_abort_ends_the_retries_of_an_undo() {
    let steps = "- {id: a, uses: command.run, with: {argv: [a]}, retry: {attempts: 3, backoff: 1h}, \
                 undo: {uses: command.run, with: {argv: [u]}}}\n- {id: z, uses: wait.for, with: {duration: 1d}}";
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.ok("a");
    assert_eq!(script.ask(Control::Unwind), None);
    script.fail("a", FailureClass::Transient);
    assert_eq!((script.run(), script.status("a")), (RunStatus::Unwinding, NodeStatus::Retrying));
    assert_eq!(script.ask(Control::Abort), None);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::Aborted, Vec::<String>::new()));
}

#[test]
fn leaving_out_the_undo_of_a_fence_is_no_risk_to_safety() {
    let steps = "
- {id: fence, phase: fence, uses: command.run, with: {argv: [a]}, undo: {uses: command.run, with: {argv: [u]}}}
- {id: promote, phase: promote, uses: postgres.promote, with: {standby: x}}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.ok("fence");
    script.fail("promote", FailureClass::Permanent);
    assert_eq!(script.ask(Control::Unwind), None);
    script.fail("fence", FailureClass::Permanent);
    assert_eq!(script.ask(skip("fence", false)), None);
    assert_eq!(script.run(), RunStatus::Unwound);
}

#[test]
fn what_was_refused_before_it_was_applied_is_not_behind_the_point_of_no_return() {
    let steps = "- {id: promote, phase: promote, uses: postgres.promote, with: {standby: x}, \
                 retry: {attempts: 2, backoff: 1m}}";
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.fail("promote", FailureClass::Transient);
    assert_eq!(script.status("promote"), NodeStatus::Retrying);
    assert_eq!(script.ask(Control::Unwind), None);
    assert_eq!((script.run(), script.state.cause.clone()), (RunStatus::Unwound, None));
}

#[test]
fn an_effect_is_taken_back_in_the_mode_it_was_applied_in() {
    let steps = "
- {id: a, uses: aws.lambda.set_event_source, with: {region: us-east-1, mapping_id: m, enabled: false}, undo: auto, ungraceful: skip}
- {id: z, needs: [a], uses: command.run, with: {argv: [z]}}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.prepared("a");
    script.ok("a");
    script.fail("z", FailureClass::Permanent);
    assert_eq!(script.ask(Control::Mode(Mode::Ungraceful)), None);
    assert_eq!(script.ask(Control::Unwind), None);
    let undo = script.state.node(script.node("a")).current.clone().unwrap();
    assert_eq!((undo.direction, undo.mode), (Direction::Undo, Mode::Graceful));
}

#[test]
fn what_undo_needs_is_read_again_after_a_failure_and_never_after_the_effect() {
    let steps = "- {id: a, uses: aws.lambda.set_event_source, \
                 with: {region: us-east-1, mapping_id: m, enabled: false}, undo: auto, retry: {attempts: 2, backoff: 1s}}";
    let mut script = Script::new(steps, "", Mode::Graceful);
    let node = script.node("a");
    let failure = Failure::new(FailureClass::Transient, "no answer");
    script.input(Input::Prepared { node, result: Err(failure) }).unwrap();
    script.wait_for_wake();
    assert_eq!(script.in_flight(), ["a:prepare"]);
    script.prepared("a");
    script.fail("a", FailureClass::InDoubt);
    script.fail("a", FailureClass::Permanent);
    assert_eq!(script.ask(retry("a")), None);
    let after = Ok(Some(serde_json::json!({"after": 1})));
    script.input(Input::Prepared { node, result: after }).unwrap();
    let kept = script.state.node(node).prepared.clone();
    assert_eq!(kept, Some(serde_json::json!({"before": 1})), "the first try may have been applied");
}

#[test]
fn the_policy_of_a_step_does_not_change_what_people_want() {
    for (policy, control, ended) in
        [("abort", Control::Unwind, RunStatus::Unwound), ("unwind", Control::Abort, RunStatus::Aborted)]
    {
        let steps = format!(
            "- {{id: a, uses: command.run, with: {{argv: [a]}}, undo: {{uses: command.run, with: {{argv: [u]}}}}}}\n\
             - {{id: z, uses: command.run, with: {{argv: [z]}}, on_failure: {policy}}}"
        );
        let mut script = Script::new(&steps, "", Mode::Graceful);
        script.ok("a");
        assert_eq!(script.ask(control), None);
        script.fail("z", FailureClass::Permanent);
        if ended == RunStatus::Unwound {
            script.ok("a");
        }
        assert_eq!(script.run(), ended);
    }
}

#[test]
fn enough_successes_do_not_end_an_undo() {
    let steps = "
- {id: fan, for_each: [p, q, s], max_parallel: 2, min_success: 2, stragglers: cancel,
   uses: command.run, with: {argv: ['{{ item }}']}, retry: {attempts: 2, backoff: 1h},
   undo: {uses: command.run, with: {argv: [u]}}}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    assert_eq!(script.ask(Control::Pause), None);
    script.ok("fan[p]");
    assert_eq!(script.ask(Control::Unwind), None);
    script.fail("fan[p]", FailureClass::Transient);
    assert_eq!(script.ask(skip("fan[s]", false)), None);
    script.ok("fan[q]");
    assert_eq!(script.status("fan[p]"), NodeStatus::Retrying);
}

/// A fence with a way back, a promotion by hand behind the gate, and a step after it.
fn promoted_by_hand(more: &str) -> Script {
    let steps = [
        "- {id: fence, phase: fence, uses: command.run, with: {argv: [a]}, undo: {uses: command.run, with: {argv: [u]}}}",
        "- {id: promote, phase: promote, uses: manual.task, with: {instructions: promote west}}",
        &format!("- {{id: scale, phase: scale, uses: command.run, with: {{argv: [s]}}{more}}}"),
    ]
    .join("\n");
    let mut script = Script::new(&steps, "", Mode::Graceful);
    script.ok("fence");
    assert_eq!(script.status("promote"), NodeStatus::AwaitingApproval);
    script
}

#[test]
fn a_promotion_done_by_hand_is_behind_the_point_of_no_return() {
    let mut script = promoted_by_hand("");
    assert_eq!(script.ask(by_hand("promote")), None);
    script.fail("scale", FailureClass::Permanent);
    let refused = script.ask(Control::Unwind).unwrap();
    assert!(refused.contains("point of no return is behind: `promote`"), "{refused}");
    let ways = drctl::evidence::ways_out(&script.plan, &script.state);
    assert_eq!((ways.passed.as_deref(), ways.undo.as_deref()), (Some("promote"), None));
    let told: Vec<_> = ways.applied.iter().map(|held| (held.step.as_str(), held.undo)).collect();
    assert_eq!(told, [("fence", true), ("promote", false)]);

    let mut script = promoted_by_hand(", on_failure: unwind");
    assert_eq!(script.ask(by_hand("promote")), None);
    script.fail("scale", FailureClass::Permanent);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::Paused, Vec::<String>::new()));
}

#[test]
fn a_promotion_that_a_person_was_asked_to_do_may_have_begun() {
    let mut script = promoted_by_hand("");
    let refused = script.ask(Control::Unwind).unwrap();
    assert!(refused.contains("may be behind: a person was asked to do `promote`"), "{refused}");
    let ways = drctl::evidence::ways_out(&script.plan, &script.state);
    assert_eq!((ways.perhaps_passed.as_deref(), ways.undo.as_deref()), (Some("promote"), None));
    assert!(ways.text().contains("The point of no return may be behind"), "{}", ways.text());
    // The way that the refusal names, once it is known that nobody has begun.
    assert_eq!(script.ask(Control::Pause), None);
    assert_eq!(script.ask(skip("promote", true)), None);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::Paused, Vec::<String>::new()));
    assert_eq!(script.ask(Control::Unwind), None);
    assert_eq!(script.in_flight(), ["fence:start"]);
    script.ok("fence");
    assert_eq!((script.run(), script.status("fence")), (RunStatus::Unwound, NodeStatus::Undone));
}

/// Work by hand that can be taken back, by hand and by a program, and a step after it.
const BY_HAND: &str = "
- {id: plug, phase: fence, uses: manual.task, with: {instructions: pull the plug}, undo: {uses: manual.task, with: {instructions: put the plug back}}}
- {id: route, needs: [plug], phase: fence, uses: manual.task, with: {instructions: change the route}, undo: {uses: command.run, with: {argv: [u]}}}
- {id: call, needs: [route], phase: fence, uses: manual.task, with: {instructions: call the team}}
- {id: z, needs: [call], uses: command.run, with: {argv: [z]}}
";

fn done_by_hand(mut script: Script) -> Script {
    for node in ["plug", "route", "call"] {
        assert_eq!(script.ask(by_hand(node)), None);
    }
    script.fail("z", FailureClass::Permanent);
    let ways = drctl::evidence::ways_out(&script.plan, &script.state);
    let told: Vec<_> = ways.applied.iter().map(|held| (held.step.as_str(), held.undo)).collect();
    assert_eq!(told, [("plug", true), ("route", true), ("call", false)]);
    assert!(ways.undo.is_some());
    assert_eq!(script.ask(Control::Unwind), None);
    assert_eq!(script.in_flight(), ["route:start"]);
    script.ok("route");
    script
}

#[test]
fn what_was_done_by_hand_is_taken_back_and_by_hand_where_its_undo_says_so() {
    let mut script = done_by_hand(Script::real(BY_HAND));
    // A person is asked; nothing is sent to anybody.
    assert_eq!((script.run(), script.in_flight()), (RunStatus::AwaitingApproval, Vec::<String>::new()));
    assert_eq!(script.state.cause.as_deref(), Some("plug is to be taken back by hand"));
    let needed = drctl::evidence::needs_person(&script.plan, &script.state);
    let told: Vec<_> = needed.iter().map(|needed| (needed.kind, needed.text.as_str())).collect();
    assert_eq!(told, [("manual", "to be taken back by hand: put the plug back")]);
    assert!(script.ask(approve(Consents::default())).unwrap().contains("nothing waits"));
    let named = Control::Approve { node: Some(NodeAddress::typed("plug")), consents: Consents::default() };
    assert!(script.ask(named).unwrap().contains("taken back by hand; say `drctl done`"));
    // Another driver finds it as it was.
    script.take_over(2);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::AwaitingApproval, Vec::<String>::new()));
    assert_eq!(script.ask(by_hand("plug")), None);
    assert_eq!((script.run(), script.status("plug")), (RunStatus::Unwound, NodeStatus::Undone));
    assert_eq!(script.status("route"), NodeStatus::Undone);
    let left = "may have changed something, look at it: z; marked done by hand, left as it is: call";
    assert_eq!(script.state.cause.as_deref(), Some(left));
}

#[test]
fn an_undo_by_hand_is_left_out_or_held_by_a_person() {
    let mut script = done_by_hand(Script::real(BY_HAND));
    assert_eq!(script.ask(skip("plug", false)), None);
    assert_eq!((script.run(), script.status("plug")), (RunStatus::Unwound, NodeStatus::Skipped));
    assert!(script.state.cause.as_deref().unwrap().ends_with("without a way back, left as it is: plug"));
    let mut script = done_by_hand(Script::real(BY_HAND));
    assert_eq!(script.ask(Control::Abort), None);
    assert_eq!((script.run(), script.status("plug")), (RunStatus::Aborted, NodeStatus::Cancelled));
}

#[test]
fn an_undo_by_hand_is_answered_by_the_simulated_estate() {
    let mut script = done_by_hand(Script::new(BY_HAND, "", Mode::Graceful));
    assert_eq!(script.in_flight(), ["plug:start"]);
    script.ok("plug");
    assert_eq!((script.run(), script.status("plug")), (RunStatus::Unwound, NodeStatus::Undone));
}

#[test]
fn an_effect_in_doubt_that_a_person_marked_done_is_taken_back() {
    let mut script = made_up_for(ASK, "");
    script.fail("a", FailureClass::Permanent);
    assert_eq!(script.ask(by_hand("a")), None);
    script.fail("z", FailureClass::Permanent);
    assert_eq!(script.ask(Control::Unwind), None);
    assert_eq!(script.in_flight(), ["a:start"]);
    script.undo_key();
    script.ok("a");
    assert_eq!((script.run(), script.status("a")), (RunStatus::Unwound, NodeStatus::Undone));
}

#[test]
fn what_may_be_there_is_named_and_never_called_nothing() {
    let mut script = made_up_for(OBSERVABLE, "");
    script.fail("a", FailureClass::Permanent);
    let ways = drctl::evidence::ways_out(&script.plan, &script.state).text();
    assert!(!ways.contains("has changed nothing yet"), "{ways}");
    assert!(ways.contains("May have changed something") && ways.contains("a  failed"), "{ways}");
    assert_eq!(script.ask(Control::Unwind), None);
    assert_eq!(script.run(), RunStatus::Unwound);
    assert_eq!(script.state.cause.as_deref(), Some("may have changed something, look at it: a"));

    let mut script = Script::real(BY_HAND);
    let ways = drctl::evidence::ways_out(&script.plan, &script.state).text();
    assert!(ways.contains("plug  asked of a person"), "{ways}");
    assert_eq!(script.ask(Control::Unwind), None);
    assert_eq!(script.run(), RunStatus::Unwound);
    assert_eq!(script.state.cause.as_deref(), Some("may have changed something, look at it: plug"));
}
