//! Programs that failed, of which only they know how far they had come.

use drctl::engine::input::{Consents, Control, Direction, Observation};
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

#[test]
fn a_fence_is_not_opened_beside_a_promotion_that_failed_half_way() {
    let undo = ", on_failure: unwind, undo: {uses: command.run, with: {argv: [demote]}}";
    let mut script = promoted_by_program(undo);
    script.fail("promote", FailureClass::Permanent);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::Paused, Vec::<String>::new()));
    let refused = script.ask(Control::Unwind).unwrap();
    assert!(refused.contains("no undo of it runs before that is known"), "{refused}");
    // It is there after all: taken back before the fence is opened.
    let mut done = promoted_by_program(undo);
    done.fail("promote", FailureClass::Permanent);
    assert_eq!(done.ask(Control::Pause), None);
    assert_eq!(done.ask(by_hand("promote")), None);
    assert_eq!(done.ask(Control::Unwind), None);
    assert_eq!(done.in_flight(), ["promote:start"]);

    let mut bears = promoted_by_program(&format!("{undo}, undo_after_failure: true"));
    bears.fail("promote", FailureClass::Permanent);
    assert_eq!((bears.run(), bears.in_flight()), (RunStatus::Unwinding, vec!["promote:start".to_owned()]));
}

/// Two promotions and a fence under them.
fn two_promotions(first: &str) -> Script {
    let steps = format!(
        "{FENCE}\n\
         - {{id: one, needs: [fence], phase: promote, uses: command.run, with: {{argv: [one]}}{first}}}\n\
         - {{id: two, needs: [fence], phase: promote, uses: command.run, with: {{argv: [two]}}, on_failure: unwind}}"
    );
    let mut script = Script::new(&steps, "", Mode::Graceful);
    script.ok("fence");
    script
}

#[test]
fn what_a_person_left_out_is_not_forgotten() {
    for overridden in [false, true] {
        let mut script = two_promotions("");
        script.fail("one", FailureClass::Permanent);
        assert_eq!(script.ask(skip("one", overridden)), None);
        script.fail("two", FailureClass::Refused);
        // Nobody has asked for that: a policy does not open the fence.
        assert_eq!((script.run(), script.in_flight()), (RunStatus::Paused, Vec::<String>::new()));
        assert_eq!(script.ask(Control::Unwind).is_some(), !overridden, "only who says that it is nothing");
        if overridden {
            script.ok("fence");
            assert_eq!(script.run(), RunStatus::Unwound);
            assert_eq!(script.state.cause.as_deref(), Some("may have changed something, look at it: one"));
        }
    }
}

#[test]
fn the_way_out_that_is_named_leads_out() {
    let ways = |mut script: Script| {
        assert!(script.ask(Control::Unwind).unwrap().contains("--override"));
        assert_eq!(script.ask(skip("one", true)), None);
        assert_eq!(script.ask(Control::Unwind), None);
        assert_eq!(script.in_flight(), ["fence:start"]);
    };
    let mut ignored = two_promotions(", on_failure: continue");
    ignored.fail("one", FailureClass::Permanent);
    ignored.fail("two", FailureClass::Refused);
    assert_eq!(ignored.status("one"), NodeStatus::FailedIgnored);
    ways(ignored);
    let mut doubted = two_promotions("");
    doubted.fail("two", FailureClass::Refused);
    doubted.fail("one", FailureClass::InDoubt);
    for _ in 0..3 {
        doubted.observe("one", Observation::Unknown("nobody knows".to_owned()));
        if !doubted.state.node(doubted.node("one")).person_needed {
            doubted.wait_for_wake();
        }
    }
    assert_eq!(doubted.ask(skip("one", true)), None);
    assert_eq!(doubted.ask(Control::Unwind), None);
    assert_eq!(doubted.in_flight(), ["fence:start"]);
}

const MEMBERS: &str = "
- {id: fence, phase: fence, for_each: [p, q], uses: command.run, with: {argv: [f, '{{ item }}']}}
- {id: promote, phase: promote, needs: [fence], uses: command.run, with: {argv: [p]}}
";

#[test]
fn a_member_of_what_protects_is_left_out_only_with_an_override() {
    let mut script = Script::with_consents(
        MEMBERS,
        "",
        Mode::Graceful,
        Consents { confirm: Some("pay:west".to_owned()), ..Consents::default() },
    );
    script.ok("fence[q]");
    script.fail("fence[p]", FailureClass::Permanent);
    let refused = script.ask(skip("fence[p]", false)).unwrap();
    assert!(refused.contains("must not begin without `fence[p]`; add --override"), "{refused}");
    assert_eq!(script.ask(skip("fence[p]", true)), None);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::AwaitingApproval, Vec::<String>::new()));
    let needed = drctl::evidence::needs_person(&script.plan, &script.state);
    assert!(needed[0].command.contains("--accept-unfenced"), "{needed:?}");
}

#[test]
fn a_group_that_is_tried_again_needs_its_members() {
    let steps = "
- {id: fan, for_each: [p, q, s], min_success: 2, uses: command.run, with: {argv: ['{{ item }}']}}
- {id: after, needs: [fan], uses: command.run, with: {argv: [after]}}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    for node in ["fan[p]", "fan[q]"] {
        script.fail(node, FailureClass::Permanent);
    }
    script.ok("fan[s]");
    assert_eq!(script.status("fan"), NodeStatus::Failed);
    assert_eq!(script.ask(retry("fan")), None);
    assert_eq!(script.in_flight(), ["fan[p]:start", "fan[q]:start"]);
    script.ok("fan[p]");
    assert_eq!((script.status("fan"), script.status("fan[q]")), (NodeStatus::Succeeded, NodeStatus::Running));
    assert!(script.in_flight().contains(&"after:start".to_owned()));
}

#[test]
fn a_promotion_that_fails_while_all_is_taken_back_holds_that() {
    let steps = format!(
        "{FENCE}\n- {{id: promote, phase: promote, needs: [fence], uses: command.run, with: {{argv: [p]}}, \
         undo: {{uses: command.run, with: {{argv: [demote]}}}}}}"
    );
    let begun = || {
        let mut script = Script::new(&steps, "", Mode::Graceful);
        script.ok("fence");
        assert_eq!(script.ask(Control::Unwind), None);
        script.fail("promote", FailureClass::Permanent);
        assert_eq!((script.run(), script.in_flight()), (RunStatus::Stuck, Vec::<String>::new()));
        script
    };
    let mut done = begun();
    assert_eq!(done.ask(by_hand("promote")), None);
    assert_eq!(done.in_flight(), ["promote:start"]);
    let mut nothing = begun();
    assert_eq!(nothing.ask(skip("promote", true)), None);
    assert_eq!(nothing.in_flight(), ["fence:start"]);
}

#[test]
fn a_request_that_may_have_been_carried_out_is_asked_for_again_under_its_key() {
    let steps = "- {id: a, uses: http.request, with: {method: POST, url: 'https://x', idempotent: true}, retry: {attempts: 3, backoff: 1s}}";
    let mut script = Script::new(steps, "", Mode::Graceful);
    let key = |script: &Script| {
        let node = script.node("a") as usize;
        let plan = &script.plan.plan.nodes[node];
        drctl::engine::idempotency_key(
            &script.state,
            plan,
            Direction::Do,
            script.state.nodes[node].generation,
        )
    };
    let first = key(&script);
    script.fail("a", FailureClass::Transient);
    script.wait_for_wake();
    assert_eq!(key(&script), first, "a 5xx may have been carried out");
    script.fail("a", FailureClass::Throttled);
    script.wait_for_wake();
    script.fail("a", FailureClass::Permanent);
    assert_eq!(drctl::engine::applied(&script.plan, &script.state).len(), 1, "nobody knows");
}

#[test]
fn the_gate_asks_for_a_fence_whose_failure_was_passed_over() {
    let steps = "
- {id: one, phase: fence, uses: command.run, with: {argv: [one]}, on_failure: continue}
- {id: two, phase: fence, uses: command.run, with: {argv: [two]}}
- {id: promote, phase: promote, needs: [one, two], uses: command.run, with: {argv: [p]}}
";
    let consents = Consents { confirm: Some("pay:west".to_owned()), ..Consents::default() };
    let mut script = Script::with_consents(steps, "", Mode::Graceful, consents);
    script.fail("one", FailureClass::Permanent);
    script.ok("two");
    let refused = script.ask(skip("one", false)).unwrap();
    assert!(refused.contains("--override"), "{refused}");
    assert_eq!(script.ask(skip("one", true)), None);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::AwaitingApproval, Vec::<String>::new()));
    let needed = drctl::evidence::needs_person(&script.plan, &script.state);
    assert!(needed[0].command.contains("--accept-unfenced"), "{needed:?}");
}
