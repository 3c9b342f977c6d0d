//! Controls: pause, resume, abort, skip, approve, deny, mode, duplicates.

use drctl::engine::input::{Consents, Control, Input, Request};
use drctl::model::run::{FailureClass, Identity, Mode, NodeStatus, RunStatus};

use super::script::{Script, approve, by_hand, retry, skip};

const TWO: &str = "
- {id: a, uses: command.run, with: {argv: [a]}}
- {id: b, uses: command.run, with: {argv: [b]}, ungraceful: skip}
- {id: c, uses: command.run, with: {argv: [c]}}
";

#[test]
fn a_pause_lets_what_is_under_way_end_and_starts_nothing() {
    let mut script = Script::new(TWO, "", Mode::Graceful);
    assert_eq!(script.ask(Control::Pause), None);
    assert_eq!(script.run(), RunStatus::Pausing);
    script.ok("a");
    assert_eq!((script.run(), script.in_flight().len()), (RunStatus::Paused, 0));
    assert_eq!(script.ask(Control::Resume), None);
    assert_eq!(script.in_flight(), ["b:start"]);
    assert!(script.ask(Control::Resume).unwrap().contains("not paused"));
}

#[test]
fn an_abort_holds_everything_as_it_stands() {
    let mut script = Script::new(TWO, "", Mode::Graceful);
    assert!(script.ask_as("ann", Control::Abort, None).unwrap().contains("reason"));
    assert_eq!(script.ask(Control::Abort), None);
    assert_eq!(script.run(), RunStatus::Pausing, "an effect under way is waited for");
    let told = script.transcript.lines().last().unwrap();
    assert_eq!(told, "run: aborting, waits for a; reason: because");
    script.ok("a");
    assert_eq!((script.run(), script.status("b")), (RunStatus::Aborted, NodeStatus::Pending));
    assert_eq!(script.ask(Control::Resume).unwrap(), "the run is over: aborted");
}

/// What is waited for is told as it stands, not as it stood when the status changed.
#[test]
fn a_run_that_stops_says_what_it_waits_for() {
    let steps = "
- id: g
  parallel:
  - {id: a, uses: command.run, with: {argv: [a]}}
  - {id: b, uses: command.run, with: {argv: [b]}}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    let cause = |script: &Script| {
        drctl::evidence::view(&script.plan, &script.state, None, script.now).cause.unwrap_or_default()
    };
    script.fail("a", FailureClass::Permanent);
    assert_eq!(cause(&script), "pausing, waits for b; reason: a failed: it broke");
    script.ask(retry("a"));
    script.ask(Control::Abort);
    assert_eq!(cause(&script), "aborting, waits for a, b; reason: because");
    script.ok("a");
    assert_eq!(cause(&script), "aborting, waits for b; reason: because");
    script.ok("b");
    assert_eq!(cause(&script), "because");
}

#[test]
fn a_failed_step_is_retried_skipped_or_done_by_hand() {
    for (control, expected) in [
        (retry("a"), vec!["a:start".to_owned()]),
        (skip("a", false), vec!["b:start".to_owned()]),
        (by_hand("a"), vec!["b:start".to_owned()]),
    ] {
        let mut script = Script::new(TWO, "", Mode::Graceful);
        script.fail("a", FailureClass::Permanent);
        assert_eq!(script.run(), RunStatus::Paused);
        assert!(
            script.ask(Control::Resume).unwrap().contains("`a` failed: retry a, skip a, done a, or abort")
        );
        assert_eq!(script.ask(control), None);
        assert_eq!((script.in_flight(), script.run()), (expected, RunStatus::Running));
    }
}

#[test]
fn a_run_becomes_ungraceful_for_what_has_not_begun_and_never_graceful_again() {
    let mut script = Script::new(TWO, "", Mode::Graceful);
    assert_eq!(script.ask(Control::Mode(Mode::Ungraceful)), None);
    script.ok("a");
    assert_eq!((script.status("b"), script.in_flight()), (NodeStatus::Skipped, vec!["c:start".to_owned()]));
    assert!(script.ask(Control::Mode(Mode::Graceful)).unwrap().contains("cannot become graceful"));
}

#[test]
fn an_approval_needs_its_quorum_of_different_people() {
    let steps = "
- id: a
  uses: command.run
  with: {argv: [a]}
  approval: {quorum: 2, not_by: [starter]}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    assert_eq!(script.run(), RunStatus::AwaitingApproval);
    let yes = || approve(Consents::default());
    assert!(script.ask_as("starter", yes(), None).unwrap().contains("started the run"));
    let told = |script: &Script| drctl::evidence::needs_person(&script.plan, &script.state)[0].text.clone();
    let waits =
        "approval of a waits for approval of 2 people (0 so far), not by starter, who started the run";
    assert_eq!(told(&script), waits);
    assert_eq!(script.ask_as("ann", yes(), None), None);
    assert!(told(&script).contains("(1 so far)"));
    assert!(script.ask_as("ann", yes(), None).unwrap().contains("already approved"));
    assert_eq!(script.run(), RunStatus::AwaitingApproval);
    assert_eq!(script.ask_as("bob", yes(), None), None);
    assert_eq!(script.in_flight(), ["a:start"]);
}

#[test]
fn an_approval_is_not_passed_by_in_another_way() {
    let steps = "
- id: a
  uses: command.run
  with: {argv: [a]}
  approval: {quorum: 2, not_by: [starter]}
- {id: b, uses: approval.request, with: {not_by: [starter]}, needs: [a]}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    assert_eq!(script.run(), RunStatus::AwaitingApproval);
    // While it waits, before it does, and after it was denied.
    for denied in [false, true] {
        if denied {
            assert_eq!(script.ask_as("ann", Control::Deny { node: None }, None), None);
            assert_eq!(script.status("a/approval"), NodeStatus::Failed);
        }
        for (who, node) in [("starter", "a/approval"), ("ann", "a/approval"), ("starter", "b")] {
            let by_hand = script.ask_as(who, by_hand(node), Some("it is late")).unwrap();
            assert!(by_hand.contains("approve or deny it"), "{who} {node}: {by_hand}");
            let left_out = script.ask_as(who, skip(node, false), Some("it is late")).unwrap();
            assert!(left_out.contains("--override"), "{who} {node}: {left_out}");
        }
        for node in ["a/approval", "b"] {
            let own = script.ask_as("starter", skip(node, true), Some("it is late")).unwrap();
            assert!(own.contains("started the run"), "{node}: {own}");
        }
    }
    assert_eq!(script.in_flight(), Vec::<String>::new());
    // Who may decide may also leave it out, and that stands in the record.
    assert_eq!(script.ask_as("ann", skip("a/approval", true), Some("nobody else is awake")), None);
    assert_eq!(
        (script.status("a/approval"), script.in_flight()),
        (NodeStatus::Skipped, vec!["a:start".to_owned()])
    );
}

#[test]
fn who_begins_what_was_staged_does_not_approve_it() {
    let steps = "- {id: a, uses: approval.request, with: {not_by: [starter]}}";
    let mut script = Script::staged(steps);
    assert_eq!(script.ask_as("ann", Control::Start, None), None);
    assert_eq!(script.run(), RunStatus::AwaitingApproval);
    let yes = || approve(Consents::default());
    assert!(script.ask_as("ann", yes(), None).unwrap().contains("started the run"));
    assert_eq!(script.ask_as("bob", yes(), None), None);
    assert_eq!(script.run(), RunStatus::Succeeded);
}

#[test]
fn an_approval_ends_as_its_author_wants() {
    let step = |on_expiry: &str| {
        format!("- {{id: a, uses: approval.request, with: {{expires: 10m, on_expiry: {on_expiry}}}}}")
    };
    for (on_expiry, expected) in [
        ("hold", RunStatus::AwaitingApproval),
        ("deny", RunStatus::Paused),
        ("proceed", RunStatus::Succeeded),
    ] {
        let mut script = Script::new(&step(on_expiry), "", Mode::Graceful);
        script.wait("10m");
        assert_eq!(script.run(), expected, "{on_expiry}");
    }
    let mut script = Script::new(&step("hold"), "", Mode::Graceful);
    assert_eq!(script.ask(Control::Deny { node: None }), None);
    assert_eq!((script.status("a"), script.run()), (NodeStatus::Failed, RunStatus::Paused));
}

/// Nobody drove the run when the time ran out: the answer is the first thing that is heard of it again.
#[test]
fn an_answer_that_comes_too_late_brings_no_approval_back() {
    for (on_expiry, expected) in [
        ("deny", (NodeStatus::Failed, RunStatus::Paused)),
        ("proceed", (NodeStatus::Succeeded, RunStatus::Succeeded)),
    ] {
        for answer in [approve(Consents::default()), Control::Deny { node: None }] {
            let step = format!(
                "- {{id: a, uses: approval.request, with: {{expires: 10m, on_expiry: {on_expiry}}}}}"
            );
            let mut script = Script::new(&step, "", Mode::Graceful);
            script.now = script.now.plus("10m".parse().unwrap());
            let refused = script.ask(answer).unwrap();
            assert!(refused.starts_with("`a` could be answered until "), "{refused}");
            assert_eq!((script.status("a"), script.run()), expected, "{on_expiry}");
        }
    }
    let mut script = Script::new(
        "- {id: a, uses: approval.request, with: {expires: 10m, on_expiry: hold}}",
        "",
        Mode::Graceful,
    );
    script.now = script.now.plus("10m".parse().unwrap());
    assert_eq!(script.ask(approve(Consents::default())), None, "it is held until somebody answers");
}

#[test]
fn a_request_is_answered_once() {
    let mut script = Script::new(TWO, "", Mode::Graceful);
    let request = Request {
        id: "one".to_owned(),
        by: Identity::asserted("ann"),
        from: "test".to_owned(),
        reason: None,
        control: Control::Pause,
    };
    assert!(script.input(Input::Request(request.clone())).is_ok());
    assert!(script.input(Input::Request(request)).is_err());
}
