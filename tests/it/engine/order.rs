//! Needs, groups, conditions, checks, waits.

use drctl::model::run::{FailureClass, Mode, NodeStatus, RunStatus};
use serde_json::json;

use super::script::Script;

const CHAIN: &str = "
- {id: a, uses: command.run, with: {argv: [a]}, outputs: {n: result.n + 1}}
- {id: b, uses: command.run, with: {argv: [b]}, when: steps.a.outputs.n == 2}
- {id: c, uses: command.run, with: {argv: [c]}, when: steps.a.outputs.n == 3}
- {id: d, uses: wait.for, with: {duration: 30s}}
- {id: e, uses: assert.that, with: {condition: '{{ steps.a.outputs.n > 1 }}'}}
";

#[test]
fn steps_follow_each_other_and_conditions_leave_some_out() {
    let mut script = Script::new(CHAIN, "", Mode::Graceful);
    assert_eq!(script.in_flight(), ["a:start"]);
    script.done("a", json!({"n": 1}));
    assert_eq!(script.in_flight(), ["b:start"]);
    script.ok("b");
    assert_eq!((script.status("c"), script.status("d")), (NodeStatus::Skipped, NodeStatus::Waiting));
    assert!(script.in_flight().is_empty());
    script.wait("29s");
    assert_eq!(script.run(), RunStatus::Running);
    script.wait("1s");
    assert_eq!(script.run(), RunStatus::Succeeded);
    insta::assert_snapshot!(script.transcript);
}

#[test]
fn a_group_starts_together_and_is_over_when_enough_have_succeeded() {
    let steps = "
- id: fan
  for_each: [a, b, c, d, e]
  max_parallel: 2
  min_success: 60%
  stragglers: cancel
  uses: command.run
  with: {argv: ['{{ item }}']}
- {id: after, uses: command.run, with: {argv: [x]}}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    assert_eq!(script.in_flight(), ["fan[a]:start", "fan[b]:start"]);
    script.fail("fan[a]", FailureClass::Permanent);
    assert_eq!(script.status("fan[a]"), NodeStatus::FailedIgnored);
    assert_eq!(script.in_flight(), ["fan[b]:start", "fan[c]:start"]);
    script.ok("fan[b]");
    script.ok("fan[c]");
    assert_eq!(script.status("fan"), NodeStatus::Pending);
    script.ok("fan[d]");
    assert_eq!((script.status("fan"), script.status("after")), (NodeStatus::Succeeded, NodeStatus::Running));
    script.ok("after");
    assert_eq!(script.run(), RunStatus::Running, "an effect under way is never dropped");
    script.ok("fan[e]");
    assert_eq!(script.run(), RunStatus::SucceededWithWarnings);
}

#[test]
fn a_group_that_cannot_reach_its_threshold_fails() {
    let steps = "
- {id: fan, for_each: [a, b, c], min_success: 2, uses: command.run, with: {argv: ['{{ item }}']}}
- {id: after, uses: command.run, with: {argv: [x]}}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.fail("fan[a]", FailureClass::Permanent);
    script.fail("fan[b]", FailureClass::Permanent);
    assert_eq!(script.status("fan"), NodeStatus::Failed);
    script.ok("fan[c]");
    assert_eq!(script.run(), RunStatus::Paused);
    assert!(script.state.cause.as_deref().unwrap().contains("only 1 of 3 can still succeed, 2 must"));
}

#[test]
fn checks_look_until_they_hold_often_enough() {
    let steps = "
- id: a
  uses: command.run
  with: {argv: [a]}
  verify: [{uses: http.check, with: {url: 'https://x'}, until: result.status == 200, within: 1m, every: 5s, consecutive: 2}]
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.ok("a");
    let verify = "a/verify-1";
    script.done(verify, json!({"status": 500}));
    assert_eq!(script.status(verify), NodeStatus::Waiting);
    script.wait("5s");
    script.done(verify, json!({"status": 200}));
    script.wait("5s");
    script.done(verify, json!({"status": 200}));
    assert_eq!(script.run(), RunStatus::Succeeded);

    let mut script = Script::new(steps, "", Mode::Graceful);
    script.ok("a");
    for _ in 0..12 {
        script.fail(verify, FailureClass::Transient);
        script.wait("5s");
    }
    script.fail(verify, FailureClass::Transient);
    assert_eq!((script.status(verify), script.run()), (NodeStatus::Failed, RunStatus::Paused));
}

#[test]
fn attempts_are_retried_with_growing_pauses_and_throttling_uses_none_up() {
    let steps = "
- id: a
  uses: http.request
  with: {method: POST, url: 'https://x', idempotent: true}
  retry: {attempts: 3, backoff: 2s, max_backoff: 3s, jitter: false}
  deadline: 10m
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.fail("a", FailureClass::Transient);
    script.wait("1999ms");
    assert_eq!(script.status("a"), NodeStatus::Retrying);
    script.wait("1ms");
    for _ in 0..5 {
        script.fail("a", FailureClass::Throttled);
        script.wait_for_wake();
    }
    script.fail("a", FailureClass::Transient);
    script.wait("2999ms");
    assert_eq!(script.status("a"), NodeStatus::Retrying);
    script.wait("1ms");
    script.fail("a", FailureClass::Transient);
    assert_eq!((script.status("a"), script.run()), (NodeStatus::Failed, RunStatus::Paused));
}

#[test]
fn the_objective_is_reported_before_it_is_missed() {
    let steps = "
- {id: a, phase: promote, uses: command.run, with: {argv: [a]}, estimate: 4m, timeout: 1h,
   undo: {uses: command.run, with: {argv: [back]}}}
- {id: b, phase: validate, uses: command.run, with: {argv: [b]}, estimate: 2m}
";
    let mut script = Script::new(steps, "objectives: {rto: 10m, rpo: 60s}", Mode::Graceful);
    for _ in 0..3 {
        script.wait_for_wake();
    }
    insta::assert_snapshot!(script.transcript, @r"
    driven by driver-1, fencing token 1
    a: started
    run is running
    50 % of the RTO used up after 5m
    75 % of the RTO used up after 7m 30s
    FORECAST: recovery in 10m 1ms, the RTO is 10m: it will be missed
    ");
    script.ok("a");
    script.wait("1m");
    script.ok("b");
    assert_eq!(script.run(), RunStatus::Succeeded);
    assert_eq!(drctl::evidence::verdict(&script.plan, &script.state).as_str(), "partial");
}
