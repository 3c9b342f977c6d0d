//! Whatever is fed in whatever order: no panic, replay equals live, no step before its needs, one outcome
//! an attempt.

use drctl::engine::input::{AttemptKey, Consents, Control, Input, Observation, Request};
use drctl::engine::{RunState, apply, commands, decide, next_wake};
use drctl::model::id::NodeAddress;
use drctl::model::run::{Failure, FailureClass, Identity, Mode};
use drctl::model::time::Duration;
use drctl::plan::EdgeKind;
use proptest::prelude::*;
use serde_json::{Map, json};

use super::script::Script;

const STEPS: &str = "
- {id: a, uses: command.run, with: {argv: [a]}, retry: {attempts: 2}, undo: {uses: command.run, with: {argv: [u]}}}
- {id: fence, phase: fence, uses: aws.rds.fence, with: {region: us-east-1, kind: instance, identifier: db, method: stop}, undo: auto}
- {id: fan, for_each: [p, q, r], max_parallel: 2, min_success: 2, uses: command.run, with: {argv: ['{{ item }}']}}
- {id: ask, uses: approval.request, with: {expires: 5m, on_expiry: deny}, on_failure: unwind}
- {id: promote, phase: promote, uses: postgres.promote, with: {standby: x}, verify: [{uses: http.check, with: {url: 'https://x'}, within: 1m}]}
- {id: shift, phase: shift, uses: http.request, with: {method: POST, url: 'https://x'}, on_failure: continue}
- {id: done, phase: validate, uses: http.check, with: {url: 'https://x'}}
";

#[derive(Debug, Clone)]
enum Move {
    End(u8, u8, Option<u8>),
    Observe(u8, u8, u8),
    Prepare(u8, bool),
    Ask(u8, u8),
    TakeOver,
    Wait(u32),
    Wake,
}

fn end((node, attempt, class): (u8, u8, Option<u8>)) -> Move {
    Move::End(node, attempt, class)
}

fn observe((node, attempt, what): (u8, u8, u8)) -> Move {
    Move::Observe(node, attempt, what)
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (any::<u8>(), 0_u8..3, prop::option::weighted(0.3, 0_u8..7)).prop_map(end),
        2 => (any::<u8>(), 0_u8..3, 0_u8..4).prop_map(observe),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(node, good)| Move::Prepare(node, good)),
        3 => (0_u8..13, any::<u8>()).prop_map(|(what, node)| Move::Ask(what, node)),
        1 => Just(Move::TakeOver),
        2 => (0_u32..400_000).prop_map(Move::Wait),
        2 => Just(Move::Wake),
    ];
    prop::collection::vec(one, 1..120)
}

fn input(script: &Script, step: &Move, number: usize, token: &mut u64) -> Option<Input> {
    let count = u32::try_from(script.plan.plan.nodes.len()).unwrap();
    // Half of the reports speak of something in flight, so that runs get somewhere.
    let active: Vec<_> = script.state.active.iter().copied().collect();
    let pick = |node: u8| {
        if active.is_empty() || node.is_multiple_of(4) {
            u32::from(node) % count
        } else {
            active[usize::from(node) % active.len()]
        }
    };
    let key = |node: u8, attempt: u8| {
        let node = pick(node);
        let attempts = script.state.node(node).attempts;
        AttemptKey { node, attempt: attempts.saturating_sub(u32::from(attempt / 2)) }
    };
    Some(match step {
        Move::End(node, attempt, class) => {
            let class = class.map(|class| FailureClass::ALL[usize::from(class) % FailureClass::ALL.len()]);
            let result = class.map_or_else(|| Ok(Map::new()), |class| Err(Failure::new(class, "x")));
            Input::AttemptEnded { attempt: key(*node, *attempt), result }
        }
        Move::Observe(node, attempt, what) => {
            let observation = match what {
                0 => Observation::Applied(Map::new()),
                1 => Observation::NotApplied,
                2 => Observation::InProgress(json!(1)),
                _ => Observation::Unknown("x".to_owned()),
            };
            Input::Observed { attempt: key(*node, *attempt), observation }
        }
        Move::Prepare(node, good) => {
            let failure = Failure::new(FailureClass::Transient, "x");
            Input::Prepared {
                node: pick(*node),
                result: if *good { Ok(Some(json!(1))) } else { Err(failure) },
            }
        }
        Move::Ask(what, node) => {
            let address = script.plan.plan.nodes[(u32::from(*node) % count) as usize].address.clone();
            let by = Identity::asserted(if node % 2 == 0 { "ann" } else { "bob" });
            let (id, reason) = (format!("r{number}"), Some("x".to_owned()));
            Input::Request(Request {
                id,
                by,
                from: "test".to_owned(),
                reason,
                control: control(*what, address),
            })
        }
        Move::TakeOver => {
            *token += 1;
            Input::TookOver {
                token: *token,
                holder: "x".to_owned(),
                host: "here".to_owned(),
                traces: None,
                skew: Duration::ZERO,
            }
        }
        Move::Wait(_) | Move::Wake => return None,
    })
}

fn control(what: u8, node: NodeAddress) -> Control {
    let consents = Consents { accept_unfenced: true, ..Consents::default() };
    match what {
        0 => Control::Pause,
        1 | 2 => Control::Resume,
        3 => Control::Abort,
        4 => Control::Unwind,
        5 => Control::Mode(Mode::Ungraceful),
        6 | 7 => Control::Retry { node },
        8 => Control::Skip { node, override_safety: true },
        9 => Control::Done { node, outputs: Map::new() },
        10 | 11 => Control::Approve { node: None, consents },
        _ => Control::Deny { node: None },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_history_breaks_the_rules(moves in moves(), ungraceful in any::<bool>()) {
        let mode = if ungraceful { Mode::Ungraceful } else { Mode::Graceful };
        let mut script = Script::new(STEPS, "objectives: {rto: 30m}", mode);
        let mut token = 1;
        let mut folded = script.state.clone();
        for (number, step) in moves.iter().enumerate() {
            match step {
                Move::Wait(millis) => script.now = script.now.plus(Duration::from_millis(u64::from(*millis))),
                Move::Wake => {
                    if let Some(wake) = next_wake(&script.plan, &script.state, script.now) {
                        script.now = script.now.max(wake);
                    }
                }
                _ => {}
            }
            let input = input(&script, step, number, &mut token).unwrap_or(Input::Tick);
            let before = script.state.clone();
            let Ok(events) = decide(&script.plan, &script.state, input, script.now) else {
                prop_assert_eq!(&before, &script.state);
                continue;
            };
            for event in &events {
                check_start(&script, event)?;
                apply(&script.plan, &mut script.state, event, script.now);
                let stored = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
                prop_assert_eq!(event, &stored);
                apply(&script.plan, &mut folded, &stored, script.now);
            }
            prop_assert_eq!(&script.state, &folded);
            let advised = super::advice::refused(&script, &script.state);
            prop_assert!(advised.is_ok(), "{}", advised.unwrap_err());
            let copy: RunState = serde_json::from_slice(&serde_json::to_vec(&script.state).unwrap()).unwrap();
            prop_assert_eq!(&script.state, &copy);
            if script.state.status.is_terminal() {
                prop_assert!(commands(&script.plan, &script.state, script.now).is_empty());
            }
            // A wake that is due must be gone after one look, or the driver would spin.
            let mut looked = script.state.clone();
            for event in decide(&script.plan, &looked, Input::Tick, script.now).unwrap_or_default() {
                apply(&script.plan, &mut looked, &event, script.now);
            }
            let wake = next_wake(&script.plan, &looked, script.now);
            prop_assert!(wake.is_none_or(|wake| wake > script.now), "{wake:?} at {}", script.now);
        }
    }
}

fn check_start(script: &Script, event: &drctl::engine::event::Event) -> Result<(), TestCaseError> {
    use drctl::engine::event::Event;
    use drctl::engine::input::Direction;
    let Event::AttemptStarted(started) = event else { return Ok(()) };
    if started.direction == Direction::Undo {
        return Ok(());
    }
    for edge in &script.plan.plan.nodes[started.attempt.node as usize].needs {
        let need = script.state.node(edge.node);
        let waits = edge.kind != EdgeKind::Graceful || script.state.mode == Mode::Graceful;
        prop_assert!(!waits || need.status.is_settled(), "began before its need was over");
    }
    Ok(())
}
