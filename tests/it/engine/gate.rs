//! Fence, readings, consents and the point of no return.

use std::sync::Arc;

use drctl::engine::clock::data_loss;
use drctl::engine::input::{Consents, Control, Observation};
use drctl::engine::readings::KnownReading;
use drctl::model::run::{FailureClass, Mode, NodeStatus, RunStatus};
use drctl::model::time::Duration;
use serde_json::json;

use super::script::{Script, approve, skip};

const STEPS: &str = "
- {id: fence, phase: fence, uses: aws.rds.fence, with: {region: us-east-1, kind: instance, identifier: db, method: stop}}
- {id: promote, phase: promote, uses: postgres.promote, with: {standby: x}}
- {id: shift, phase: shift, uses: command.run, with: {argv: [shift]}}
- {id: check, phase: validate, uses: http.check, with: {url: 'https://x'}}
";
const RPO: &str = "
objectives: {rpo: 60s}
recovery_point: [{uses: postgres.heartbeat, with: {connection: x}}]
";

fn to_gate(mode: Mode, consents: Consents, lag_ms: u64) -> Script {
    let mut script = Script::with_consents(STEPS, RPO, mode, consents);
    script.done("rpo/before-fence", json!({"lag_ms": lag_ms}));
    script.prepared("fence");
    match mode {
        Mode::Graceful => script.ok("fence"),
        Mode::Ungraceful => script.fail("fence", FailureClass::Unreachable),
    }
    script.done("rpo/at-fence", json!({"lag_ms": lag_ms}));
    script
}

fn confirmed() -> Consents {
    Consents { confirm: Some("pay:west".to_owned()), ..Consents::default() }
}

#[test]
fn a_confirmed_gate_opens_by_itself_when_nothing_else_is_to_be_accepted() {
    let mut script = to_gate(Mode::Graceful, confirmed(), 2_000);
    assert_eq!(script.in_flight(), ["promote:start"]);
    script.ok("promote");
    script.done("rpo/after-promotion", json!({"lag_ms": 0}));
    script.ok("shift");
    script.ok("check");
    assert_eq!(script.run(), RunStatus::Succeeded);
    insta::assert_snapshot!(script.transcript);
}

#[test]
fn every_consent_is_asked_for_by_name() {
    let mut script = to_gate(Mode::Ungraceful, Consents::default(), 90_000);
    assert_eq!(script.run(), RunStatus::AwaitingApproval);
    assert!(script.in_flight().is_empty());
    let refused = script.ask(approve(confirmed())).unwrap();
    // The source may still accept writes: what is asked for leaves time to answer.
    assert_eq!(refused, "the gate needs --accept-loss \"4m\" --accept-unfenced");
    let too_little = Consents { accept_loss: Some(Duration::from_secs(89)), ..Consents::default() };
    assert!(script.ask(approve(too_little)).is_some());
    let unfenced = Consents { accept_unfenced: true, ..Consents::default() };
    assert_eq!(script.ask(approve(unfenced)).unwrap(), "the gate needs --accept-loss \"4m\"");
    let enough = Consents { accept_loss: Some(Duration::from_secs(90)), ..Consents::default() };
    assert_eq!(script.ask(approve(enough)), None);
    assert_eq!(script.in_flight(), ["promote:start"]);
}

#[test]
fn behind_an_unconfirmed_fence_the_loss_grows_until_the_promotion() {
    let mut script = to_gate(Mode::Ungraceful, confirmed(), 2_000);
    script.wait("45s");
    let unfenced = Consents { accept_unfenced: true, ..Consents::default() };
    assert_eq!(script.ask(approve(unfenced.clone())), None, "47 s are within 60 s");
    script.ok("promote");
    script.done("rpo/after-promotion", json!({"lag_ms": 48_000}));
    assert_eq!(data_loss(&script.plan, &script.state), Some(Duration::from_secs(48)));

    let mut script = to_gate(Mode::Ungraceful, confirmed(), 2_000);
    script.wait("70s");
    assert_eq!(script.ask(approve(unfenced)).unwrap(), "the gate needs --accept-loss \"4m\"");
    // A confirmed fence ended the writes, however long the gate is waited for.
    let mut script = to_gate(Mode::Graceful, Consents::default(), 2_000);
    script.wait("70s");
    assert_eq!(script.ask(approve(confirmed())), None);
    assert_eq!(data_loss(&script.plan, &script.state), Some(Duration::from_secs(2)));
}

#[test]
fn an_unmeasured_loss_is_accepted_by_name_only() {
    let consents = Consents { accept_loss: Some(Duration::from_secs(999)), ..confirmed() };
    let mut script = Script::with_consents(STEPS, RPO, Mode::Graceful, consents);
    script.fail("rpo/before-fence", FailureClass::Unreachable);
    script.prepared("fence");
    script.ok("fence");
    script.fail("rpo/at-fence", FailureClass::Unreachable);
    assert_eq!(script.run(), RunStatus::AwaitingApproval);
    let unmeasured = Consents { accept_unmeasured_loss: true, ..Consents::default() };
    assert_eq!(script.ask(approve(unmeasured)), None);
    assert_eq!(script.in_flight(), ["promote:start"]);
}

#[test]
fn an_unreachable_fence_fails_a_graceful_run() {
    let mut script = Script::with_consents(STEPS, RPO, Mode::Graceful, confirmed());
    script.done("rpo/before-fence", json!({"lag_ms": 0}));
    script.prepared("fence");
    script.fail("fence", FailureClass::Unreachable);
    assert_eq!((script.status("fence"), script.run()), (NodeStatus::Failed, RunStatus::Paused));
}

#[test]
fn a_skipped_fence_blocks_promotion_until_it_is_overridden() {
    let mut script = Script::with_consents(STEPS, "", Mode::Graceful, confirmed());
    script.prepared("fence");
    script.fail("fence", FailureClass::Permanent);
    let refused = script.ask(skip("fence", false)).unwrap();
    assert!(
        refused.contains("must not begin without `fence`") && refused.contains("--override"),
        "{refused}"
    );
    assert_eq!(script.ask(skip("fence", true)), None);
    // That it may be left out does not say that anybody takes both sides writing.
    assert_eq!(script.ask(approve(confirmed())).unwrap(), "the gate needs --accept-unfenced");
    let unfenced = Consents { accept_unfenced: true, ..Consents::default() };
    assert_eq!(script.ask(approve(unfenced)), None);
    assert_eq!(script.in_flight(), ["promote:start"]);
    script.ok("promote");
    script.ok("shift");
    script.ok("check");
    assert_eq!(script.run(), RunStatus::SucceededWithWarnings);
}

#[test]
fn what_fenced_nothing_is_accepted_by_name() {
    let promote = "\n- {id: promote, phase: promote, uses: postgres.promote, with: {standby: x}}\n";
    let look = "\n- {id: fence, phase: fence, uses: http.check, with: {url: 'https://x'}}";
    let target = "\n- {id: fence, phase: fence, uses: aws.rds.fence, with: {region: us-west-2, kind: instance, identifier: db, method: stop}}";
    let nothing = "\n- {id: fence, phase: fence, for_each: [], uses: command.run, with: {argv: [stop]}}";
    for (fence, done) in [("", false), (look, true), (target, true), (nothing, false)] {
        let steps = format!("{fence}{promote}");
        let mut script = Script::with_consents(&steps, "", Mode::Graceful, confirmed());
        if fence == target {
            script.prepared("fence");
        }
        if done {
            script.ok("fence");
        }
        assert_eq!(script.run(), RunStatus::AwaitingApproval, "{fence}");
        let refused = script.ask(approve(confirmed())).unwrap();
        assert_eq!(refused, "the gate needs --accept-unfenced", "{fence}");
        let unfenced = Consents { accept_unfenced: true, ..Consents::default() };
        assert_eq!(script.ask(approve(unfenced)), None);
        assert_eq!(script.in_flight(), ["promote:start"], "{fence}");
    }
}

#[test]
fn nobody_skips_or_marks_the_gate() {
    let mut script = to_gate(Mode::Graceful, Consents::default(), 0);
    assert!(script.ask(skip("gate/point-of-no-return", true)).unwrap().contains("cannot be skipped"));
    assert!(
        script.ask(super::script::by_hand("gate/point-of-no-return")).unwrap().contains("approved, not done")
    );
    assert_eq!(script.run(), RunStatus::AwaitingApproval);
}

/// What was read on the way to the gate says how much a promotion would lose. Without one nothing is lost.
#[test]
fn a_run_that_ends_without_a_move_has_lost_nothing() {
    let loss = |script: &Script| {
        let view = drctl::evidence::view(&script.plan, &script.state, None, script.now);
        (view.rpo.data_loss_ms, view.rpo.not_moved)
    };
    let mut script = to_gate(Mode::Graceful, Consents::default(), 42_000);
    assert_eq!(loss(&script), (Some(42_000), false));
    assert_eq!(script.ask(Control::Abort), None);
    assert_eq!((script.run(), loss(&script)), (RunStatus::Aborted, (None, true)));
    // What began may have moved it.
    let confirmed = Consents { confirm: Some("pay:west".to_owned()), ..Consents::default() };
    let mut script = to_gate(Mode::Graceful, confirmed, 42_000);
    script.fail("promote", FailureClass::Permanent);
    assert_eq!(script.ask(Control::Abort), None);
    assert_eq!((script.run(), loss(&script)), (RunStatus::Aborted, (Some(42_000), false)));
}

/// A run whose source answers nothing, and what was read before it, some seconds before it began.
fn deaf(consents: Consents, before: u64) -> Script {
    let mut script = Script::with_consents(STEPS, RPO, Mode::Ungraceful, consents);
    let mut created = (*script.state.created).clone();
    created.earlier = vec![KnownReading {
        number: 1,
        at: script.now.minus(Duration::from_secs(before)),
        source: "postgres.heartbeat".to_owned(),
        from: created.from.clone(),
        to: created.to.clone(),
        lag: Some(Duration::from_secs(2)),
        recovery_point_at: None,
    }];
    script.state.created = Arc::new(created);
    script.fail("rpo/before-fence", FailureClass::Permanent);
    script.prepared("fence");
    script.fail("fence", FailureClass::Unreachable);
    script
}

#[test]
fn where_nothing_can_be_read_the_last_reading_before_the_run_tells_the_loss() {
    let mut script = deaf(confirmed(), 300);
    script.fail("rpo/at-fence", FailureClass::Permanent);
    assert_eq!(script.run(), RunStatus::AwaitingApproval);
    let asked = drctl::evidence::needs_person(&script.plan, &script.state).remove(0).text;
    let told = "(nothing could be read in this run; by the last reading, 5m before it)";
    assert!(asked.contains("accept the loss of") && asked.contains(told), "{asked}");
    let view = drctl::evidence::view(&script.plan, &script.state, None, script.now);
    assert!(view.rpo.by_earlier && view.rpo.data_loss_ms.unwrap() >= 302_000, "{:?}", view.rpo);
    assert_eq!(view.rpo.readings[0].when, "before-the-run");
}

#[test]
fn who_accepts_any_loss_accepts_one_told_by_an_earlier_reading() {
    let consents = Consents { accept_unmeasured_loss: true, accept_unfenced: true, ..confirmed() };
    let mut script = deaf(consents, 300);
    script.fail("rpo/at-fence", FailureClass::Permanent);
    assert_eq!(script.in_flight(), ["promote:start"]);
}

#[test]
fn what_the_run_reads_itself_counts_more_than_what_was_read_before() {
    let mut script = deaf(confirmed(), 300);
    assert!(data_loss(&script.plan, &script.state).unwrap() >= Duration::from_secs(302));
    script.done("rpo/at-fence", json!({"lag_ms": 1_000}));
    let view = drctl::evidence::view(&script.plan, &script.state, None, script.now);
    assert!(!view.rpo.by_earlier && view.rpo.data_loss_ms.unwrap() < 60_000, "{:?}", view.rpo);
}

/// Nobody would be asked whether the old primary may still accept writes: the run stops, and a person looks.
#[test]
fn without_a_gate_nothing_is_promoted_behind_an_unconfirmed_fence() {
    let asking = |steps: &str| Script::with_consents(steps, "", Mode::Ungraceful, Consents::default());
    let steps = "
- {id: fence, uses: command.run, phase: fence, timeout: 1m, with: {argv: [stop]}}
- id: promote
  uses: command.run
  phase: promote
  needs: [fence]
  with: {argv: [promote]}
  reversibility: {class: compensable, reason: a copy}
";
    let mut script = asking(steps);
    script.fail("fence", FailureClass::Unreachable);
    assert_eq!((script.status("fence"), script.status("promote")), (NodeStatus::Failed, NodeStatus::Pending));
    assert_eq!(script.run(), RunStatus::Paused);

    let mut script = asking(steps);
    script.take_over(2);
    while script.run() != RunStatus::Stuck {
        script.observe("fence", Observation::Unknown("ended while nobody watched".to_owned()));
        if script.run() != RunStatus::Stuck {
            script.wait_for_wake();
        }
    }
    assert_eq!(script.status("promote"), NodeStatus::Pending);
    assert_eq!(script.run(), RunStatus::Stuck);

    // Its way out is said; a gate behind the promotion changes nothing; who accepts it beforehand goes on.
    let late = format!(
        "{steps}- {{id: wipe, uses: command.run, phase: commit, needs: [promote], with: {{argv: [wipe]}},\n   \
                        reversibility: {{class: irreversible, reason: it wipes}}}}\n"
    );
    for text in [steps, &late] {
        let mut script = asking(text);
        script.fail("fence", FailureClass::Unreachable);
        assert_eq!((script.status("fence"), script.run()), (NodeStatus::Failed, RunStatus::Paused));
        let needed = drctl::evidence::needs_person(&script.plan, &script.state);
        assert!(needed[0].text.contains("no gate of this plan asks"), "{}", needed[0].text);
        assert!(needed[0].command.contains("drctl skip") && needed[0].command.contains("--override"));
        let consents = Consents { accept_unfenced: true, ..Consents::default() };
        let mut script = Script::with_consents(text, "", Mode::Ungraceful, consents);
        script.fail("fence", FailureClass::Unreachable);
        assert_eq!(script.in_flight(), vec!["promote:start".to_owned()]);
    }

    // What is restored is used by nobody before users are sent there.
    let restore = steps.replace("phase: promote", "phase: restore");
    let shift = "- {id: shift, uses: command.run, phase: shift, needs: [promote], with: {argv: [shift]}}\n";
    for (text, expected) in [(restore.clone(), NodeStatus::Succeeded), (restore + shift, NodeStatus::Failed)]
    {
        let mut script = asking(&text);
        script.fail("fence", FailureClass::Unreachable);
        assert_eq!(script.status("fence"), expected, "{text}");
    }

    // Where nothing becomes writable, a lost source holds nobody up.
    let mut script = asking(&steps.replace("phase: promote", "phase: scale"));
    script.fail("fence", FailureClass::Unreachable);
    assert_eq!(
        (script.status("fence"), script.in_flight()),
        (NodeStatus::Succeeded, vec!["promote:start".to_owned()])
    );
}

#[test]
fn an_approval_ends_the_pause_that_a_refusal_made_and_no_other() {
    let deny = || Control::Deny { node: None };
    let mut script = to_gate(Mode::Graceful, Consents::default(), 2_000);
    assert_eq!(script.ask(deny()), None);
    assert_eq!(script.run(), RunStatus::Paused);
    assert!(script.ask(approve(Consents::default())).is_some(), "the confirmation is missing");
    assert_eq!(script.run(), RunStatus::Paused);
    assert_eq!(script.ask(approve(confirmed())), None);
    assert_eq!((script.run(), script.in_flight()), (RunStatus::Running, vec!["promote:start".to_owned()]));

    for pause_first in [true, false] {
        let mut script = to_gate(Mode::Graceful, Consents::default(), 2_000);
        if pause_first {
            assert_eq!(script.ask(Control::Pause), None);
            assert_eq!(script.ask(deny()), None);
        } else {
            assert_eq!(script.ask(deny()), None);
            assert_eq!(script.ask(Control::Resume), None);
            assert_eq!(script.ask(Control::Pause), None);
        }
        assert_eq!(script.ask(approve(confirmed())), None);
        assert_eq!((script.run(), script.in_flight()), (RunStatus::Paused, Vec::new()), "{pause_first}");
    }
}
