//! What happens when nobody knows what came of an attempt.

use drctl::engine::command::Command;
use drctl::engine::commands;
use drctl::engine::event::{Applied, FenceResult};
use drctl::engine::input::{AttemptKey, Control, Input, Observation};
use drctl::model::id::NodeAddress;
use drctl::model::run::{Failure, FailureClass, Mode, NodeStatus, RunStatus};
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
fn while_an_earlier_send_may_have_been_applied_no_failure_of_a_later_one_changes_the_key() {
    let retries = IDEMPOTENT.replace("}}", "}, retry: {attempts: 9, backoff: 1s, jitter: false}}");
    for class in [FailureClass::Unreachable, FailureClass::Throttled, FailureClass::Transient] {
        let mut script = Script::new(&retries, "", Mode::Graceful);
        script.fail("a", FailureClass::InDoubt);
        script.fail("a", class);
        assert_eq!(script.status("a"), NodeStatus::Retrying, "{class:?}");
        script.wait("1m");
        let node = script.state.node(script.node("a"));
        let sent = (node.attempts, node.current.as_ref().map(|attempt| attempt.generation));
        assert_eq!((node.status, sent), (NodeStatus::Running, (3, Some(0))), "{class:?}");
    }
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
    let attempt = AttemptKey { node, attempt: 1 };
    assert!(script.input(Input::AttemptEnded { attempt, result: Ok(Map::new()) }).is_err());
    assert!(
        script
            .input(Input::TookOver {
                token: 1,
                holder: "x".to_owned(),
                host: "here".to_owned(),
                traces: None,
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

/// The key of the only start that must be in flight.
fn key(script: &Script) -> String {
    match commands(&script.plan, &script.state, script.now).as_slice() {
        [Command::Start { key, .. }] => key.clone(),
        other => panic!("one start is expected: {other:?}"),
    }
}

#[test]
fn what_a_person_sends_again_in_doubt_keeps_its_key() {
    let mut script = Script::new(IDEMPOTENT, "", Mode::Graceful);
    let first = key(&script);
    for _ in 0..3 {
        script.fail("a", FailureClass::InDoubt);
    }
    assert_eq!(script.run(), RunStatus::Stuck);
    assert_eq!(script.ask(retry("a")), None);
    assert_eq!(key(&script), first);
}

#[test]
fn a_second_send_that_is_known_to_have_failed_settles_no_doubt_about_the_first() {
    let steps = "- {id: a, uses: http.request, with: {method: POST, url: 'https://x', idempotent: true}, \
                 retry: {attempts: 2, backoff: 1s}, undo: {uses: command.run, with: {argv: [u]}}}";
    let mut script = Script::new(steps, "", Mode::Graceful);
    let first = key(&script);
    script.fail("a", FailureClass::InDoubt);
    script.fail("a", FailureClass::Transient);
    script.wait_for_wake();
    assert_eq!(key(&script), first, "another key would apply it a second time");
    script.fail("a", FailureClass::Permanent);
    assert_eq!(script.ask(Control::Unwind), None);
    assert_eq!(script.in_flight(), ["a:start"], "what may be there is taken back");
}

#[test]
fn what_still_goes_on_is_followed_when_a_person_wants_it_again() {
    let steps = "- {id: a, uses: command.run, with: {argv: [a]}, timeout: 1m, deadline: 2m}";
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.wait("3m");
    script.observe("a", Observation::InProgress(json!({"pid": 7})));
    assert_eq!((script.status("a"), script.run()), (NodeStatus::InDoubt, RunStatus::Stuck));
    assert_eq!(script.ask(retry("a")), None);
    assert_eq!(script.in_flight(), ["a:observe"], "nothing is started beside it");
    script.observe("a", Observation::InProgress(json!({"pid": 7})));
    assert_eq!(script.in_flight(), ["a:poll"]);
    script.ok("a");
    assert_eq!(script.run(), RunStatus::SucceededWithWarnings);
}

#[test]
fn what_a_person_wants_again_begins_when_it_is_not_there_and_when_nobody_can_tell() {
    for observation in [Observation::NotApplied, Observation::Unknown("no answer".to_owned())] {
        let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
        script.take_over(2);
        for _ in 0..3 {
            script.observe("a", Observation::Unknown("no answer".to_owned()));
            script.wait("2s");
        }
        assert_eq!(script.run(), RunStatus::Stuck);
        assert_eq!(script.ask(retry("a")), None);
        assert_eq!(script.in_flight(), ["a:observe"]);
        script.observe("a", observation);
        assert_eq!(script.in_flight(), ["a:start"]);
    }
}

#[test]
fn what_is_not_there_does_not_begin_again_once_the_run_is_to_end() {
    for control in [Control::Pause, Control::Unwind, Control::Abort] {
        let mut script = Script::new("- {id: a, uses: command.run, with: {argv: [a]}}", "", Mode::Graceful);
        script.take_over(2);
        assert_eq!(script.ask(control), None);
        script.observe("a", Observation::NotApplied);
        assert!(script.in_flight().is_empty(), "{}", script.run());
    }
}

const TWO: &str = "
- {id: a, uses: command.run, with: {argv: [a]}}
- {id: b, uses: command.run, with: {argv: [b]}}
";

/// The second step is looked at before it begins.
fn looking() -> Script {
    let mut script = Script::new(TWO, "", Mode::Graceful);
    assert_eq!(script.ask(Control::Adopt), None);
    script.ok("a");
    assert_eq!(script.in_flight(), ["b:observe"]);
    script
}

#[test]
fn what_somebody_else_is_doing_is_followed_and_not_begun_beside_it() {
    let mut script = looking();
    let attempt = AttemptKey { node: script.node("b"), attempt: 1 };
    let observation = Observation::InProgress(json!({"pid": 7}));
    script.input(Input::Observed { attempt, observation }).unwrap();
    assert_eq!(script.in_flight(), ["b:poll"]);
    script.ok("b");
    assert_eq!(script.run(), RunStatus::SucceededWithWarnings);
}

#[test]
fn a_look_that_comes_too_late_begins_nothing() {
    for control in [by_hand("b"), super::script::skip("b", false), Control::Unwind] {
        let mut script = looking();
        let attempt = AttemptKey { node: script.node("b"), attempt: 1 };
        assert_eq!(script.ask(control), None);
        let late = Input::Observed { attempt, observation: Observation::Unknown("given up".to_owned()) };
        assert!(script.input(late).is_err());
        assert!(script.in_flight().is_empty());
    }
}

#[test]
fn an_accepted_operation_that_fails_for_good_may_be_there_and_is_looked_at_before_it_is_begun_again() {
    let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
    let attempt = AttemptKey { node: script.node("a"), attempt: 1 };
    script.input(Input::HandleReturned { attempt, handle: json!({"job": 7}) }).unwrap();
    script.fail("a", FailureClass::Permanent);
    let node = script.node("a");
    assert_eq!((script.status("a"), script.state.node(node).applied), (NodeStatus::Failed, Applied::Unknown));
    let refusal = script.ask(Control::Unwind).expect("a promotion that may have happened is not taken back");
    assert!(refusal.contains("point of no return"), "{refusal}");
    assert_eq!(script.ask(retry("a")), None);
    assert_eq!((script.in_flight(), script.state.node(node).generation), (vec!["a:observe".to_owned()], 0));
    let attempt = AttemptKey { node, attempt: 2 };
    script.input(Input::Observed { attempt, observation: Observation::NotApplied }).unwrap();
    assert_eq!(script.in_flight(), ["a:start"]);
    assert_eq!(script.state.node(node).generation, 1, "known not to be there: another intent");
}

#[test]
fn that_nothing_is_to_be_seen_is_believed_once_the_effect_would_have_shown_since_the_doubt() {
    let step = "- {id: a, uses: aws.rds.failover_cluster, with: {region: us-east-1, cluster: c}, retry: {attempts: 2}}";
    let mut script = Script::new(step, "", Mode::Graceful);
    script.prepared("a");
    script.wait("45s");
    script.fail("a", FailureClass::InDoubt);
    script.observe("a", Observation::NotApplied);
    assert_eq!((script.status("a"), script.in_flight()), (NodeStatus::InDoubt, Vec::<String>::new()));
    script.wait_for_wake();
    script.observe("a", Observation::NotApplied);
    assert_eq!(script.status("a"), NodeStatus::Retrying);
}

#[test]
fn a_source_that_answers_with_errors_only_cannot_be_fenced_and_does_not_hold_up_the_failover() {
    let steps = "- {id: a, uses: postgres.fence, phase: fence, timeout: 1m, with: {primary: x, method: read_only}, undo: auto}";
    for class in [FailureClass::Transient, FailureClass::Throttled] {
        let mut script = Script::new(steps, "", Mode::Ungraceful);
        for _ in 0..60 {
            if script.in_flight() == ["a:prepare"] {
                script.prepared("a");
            }
            if script.status("a") == NodeStatus::Running {
                script.fail("a", class);
            }
            if script.status("a") != NodeStatus::Succeeded {
                script.wait("5s");
            }
        }
        let fence = script.state.node(script.node("a")).fence.clone();
        assert!(matches!(fence, Some(FenceResult::Unconfirmed(_))), "{class:?}: {fence:?}");
    }
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.prepared("a");
    script.fail("a", FailureClass::Transient);
    assert_eq!(script.status("a"), NodeStatus::Failed, "a planned move must know");
}

/// What only its driver was lost over is not out of reach: sent again, the fence may well be confirmed.
#[test]
fn a_fence_whose_driver_was_lost_is_sent_again_where_that_is_harmless() {
    let step = |more: &str| {
        format!("- {{id: a, uses: command.run, phase: fence, timeout: 1m, with: {{argv: [f]{more}}}}}")
    };
    let nobody_knows = || Observation::Unknown("ended while nobody watched".to_owned());
    let unconfirmed = |script: &Script| {
        let fence = script.state.node(script.node("a")).fence.clone();
        matches!(fence, Some(FenceResult::Unconfirmed(_)))
    };
    let mut script = Script::new(&step(", idempotent: true"), "", Mode::Ungraceful);
    script.take_over(2);
    script.observe("a", nobody_knows());
    assert_eq!((script.in_flight(), unconfirmed(&script)), (vec!["a:start".to_owned()], false));
    script.fail("a", FailureClass::InDoubt);
    script.observe("a", nobody_knows());
    assert!(unconfirmed(&script), "its own silence holds nobody up");

    let mut script = Script::new(&step(""), "", Mode::Ungraceful);
    script.take_over(2);
    script.observe("a", nobody_knows());
    assert!(unconfirmed(&script), "once more might do harm");
}

/// A failure that is known is one, whoever saw it: as for a driver that was not lost.
#[test]
fn an_attempt_that_failed_while_nobody_watched_has_failed() {
    let step = "- {id: a, uses: command.run, phase: fence, timeout: 1m, with: {argv: [f]}, \
                retry: {attempts: 2, backoff: 1s, jitter: false}}";
    for class in [FailureClass::Permanent, FailureClass::Transient] {
        for mode in [Mode::Ungraceful, Mode::Graceful] {
            let mut live = Script::new(step, "", mode);
            live.fail("a", class);
            let mut lost = Script::new(step, "", mode);
            lost.take_over(2);
            lost.observe("a", Observation::Failed(Failure::new(class, "it broke")));
            let seen = |script: &Script| {
                let node = script.state.node(script.node("a"));
                (node.status, node.failures, node.generation, node.applied, node.fence.clone(), script.run())
            };
            assert_eq!(seen(&lost), seen(&live), "{class:?} {mode}");
            assert_eq!(lost.state.node(lost.node("a")).fence, None, "{class:?} {mode}");
        }
    }
    // What a person wants once more is begun once more.
    let mut script = Script::new("- {id: a, uses: command.run, with: {argv: [f]}}", "", Mode::Graceful);
    script.take_over(2);
    for _ in 0..3 {
        script.observe("a", Observation::Unknown("no answer".to_owned()));
        script.wait("2s");
    }
    assert_eq!((script.run(), script.ask(retry("a"))), (RunStatus::Stuck, None));
    script.observe("a", Observation::Failed(Failure::new(FailureClass::Permanent, "exit code 4")));
    assert_eq!(script.in_flight(), ["a:start"]);
}

/// Nothing is said to have been looked at that nobody has looked at.
#[test]
fn what_is_taken_for_not_begun_says_on_what_ground() {
    let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
    script.take_over(2);
    script.observe("a", Observation::NeverBegan("its program left no trace".to_owned()));
    assert_eq!((script.status("a"), script.in_flight()), (NodeStatus::Running, vec!["a:start".to_owned()]));
    assert!(
        script.transcript.contains("a: taken for not begun: its program left no trace"),
        "{}",
        script.transcript
    );
    assert!(!script.transcript.contains("observed"), "{}", script.transcript);
    script.take_over(3);
    script.observe("a", Observation::NotApplied);
    assert!(script.transcript.contains("a: observed: it is not there"), "{}", script.transcript);
}

const PROGRAM: &str = "- {id: a, uses: command.run, timeout: 1m, with: {argv: [p], idempotent: true}MORE}";

/// A program that ended while nobody watched, or was stopped by its timeout.
fn unseen() -> Observation {
    Observation::Unknown("its exit status is not known".to_owned())
}

#[test]
fn a_program_that_is_looked_at_and_may_be_repeated_is_not_begun_for_ever() {
    for (retry, sends) in [("", 3), (", retry: {attempts: 2}", 3), (", retry: {attempts: 5}", 5)] {
        let mut script = Script::new(&PROGRAM.replace("MORE", retry), "", Mode::Graceful);
        for _ in 0..sends {
            assert_eq!((script.run(), script.in_flight()), (RunStatus::Running, vec!["a:start".to_owned()]));
            script.fail("a", FailureClass::InDoubt);
            script.observe("a", unseen());
        }
        assert_eq!((script.status("a"), script.run()), (NodeStatus::InDoubt, RunStatus::Stuck), "{retry}");
        assert_eq!(script.state.node(script.node("a")).attempts, sends, "{retry}");
    }
    // Nor once the time of the step is over: the attempt would have none.
    let mut script = Script::new(&PROGRAM.replace("MORE", ", deadline: 90s"), "", Mode::Graceful);
    script.fail("a", FailureClass::InDoubt);
    script.wait("2m");
    script.observe("a", unseen());
    assert_eq!((script.run(), script.in_flight()), (RunStatus::Stuck, vec![]));
}

#[test]
fn what_lost_drivers_sent_is_not_held_against_an_action() {
    let request =
        "- {id: a, uses: http.request, with: {url: \"https://a.example\", method: POST, idempotent: true}}";
    for (step, looked_at) in [(request, false), (&PROGRAM.replace("MORE", ""), true)] {
        let mut script = Script::new(step, "", Mode::Graceful);
        for token in 2..8 {
            script.take_over(token);
            if looked_at {
                script.observe("a", unseen());
            }
            assert_eq!((script.run(), script.in_flight()), (RunStatus::Running, vec!["a:start".to_owned()]));
        }
        // What nobody answered while a driver was there is the action's own, also with a lost one between.
        for time in 1..=3 {
            if time == 3 {
                script.take_over(8);
                if looked_at {
                    script.observe("a", unseen());
                }
            }
            assert_eq!((script.run(), script.in_flight()), (RunStatus::Running, vec!["a:start".to_owned()]));
            script.fail("a", FailureClass::InDoubt);
            if looked_at {
                script.observe("a", unseen());
            }
        }
        assert_eq!((script.status("a"), script.run()), (NodeStatus::InDoubt, RunStatus::Stuck), "{step}");
    }
}

#[test]
fn nothing_goes_on_beside_what_was_not_looked_at_yet() {
    let mut script = Script::new(&PROGRAM.replace("MORE", ""), "", Mode::Graceful);
    script.take_over(2);
    let skip = || Control::Skip { node: NodeAddress::typed("a"), override_safety: true };
    for control in [by_hand("a"), skip()] {
        assert!(script.ask(control).unwrap().contains("being looked at"));
    }
    script.observe("a", Observation::InProgress(json!({"process": {}})));
    assert!(script.ask(skip()).unwrap().contains("under way"));

    let mut script = Script::new(OBSERVABLE, "", Mode::Graceful);
    script.take_over(2);
    script.observe("a", unseen());
    assert_eq!(script.ask(by_hand("a")), None, "it was looked at, and a person knows better");
}

#[test]
fn what_cannot_be_taken_back_is_not_begun_once_more_for_that() {
    for (undo, in_flight) in
        [("", "a:observe"), (", undo: {uses: command.run, with: {argv: [u]}}", "a:start")]
    {
        let mut script = Script::new(&PROGRAM.replace("MORE", undo), "", Mode::Graceful);
        script.take_over(2);
        assert_eq!(script.ask(Control::Unwind), None);
        script.observe("a", unseen());
        script.wait("2s");
        assert_eq!(script.in_flight(), [in_flight], "{undo}");
    }
}
