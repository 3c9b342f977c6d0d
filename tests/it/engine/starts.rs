//! Whatever people ask, however often the driver dies and whatever gets no answer: one start at a time, no
//! effect twice, nothing that nobody wants any more.

use drctl::engine::event::Event;
use drctl::engine::input::{Consents, Control, Input, Request};
use drctl::engine::{apply, decide, next_wake};
use drctl::model::id::NodeAddress;
use drctl::model::run::{FailureClass, Identity, Mode};
use drctl::model::time::Duration;
use proptest::prelude::*;
use serde_json::Map;

use super::outside::{Landing, Outside};
use super::script::Script;

const STEPS: &str = "
- id: program
  uses: command.run
  with: {argv: [a]}
  deadline: 4m
  timeout: 1m
  retry: {attempts: 2}
  undo: {uses: command.run, with: {argv: [u]}}
- id: together
  parallel:
    - id: again
      uses: http.request
      with: {method: POST, url: 'https://x', idempotent: true}
      retry: {attempts: 3}
      undo: {uses: http.request, with: {method: POST, url: 'https://x', idempotent: true}}
    - id: blind
      uses: http.request
      with: {method: POST, url: 'https://x'}
      retry: {attempts: 2}
      undo: {uses: http.request, with: {method: POST, url: 'https://x'}}
    - id: prepared
      uses: aws.lambda.set_event_source
      with: {region: us-east-1, mapping_id: m, enabled: false}
      retry: {attempts: 2}
      undo: auto
      ungraceful: skip
- id: fan
  for_each: [p, q, r]
  min_success: 1
  stragglers: cancel
  uses: command.run
  with: {argv: ['{{ item }}'], idempotent: true}
  retry: {attempts: 2}
  undo: {uses: command.run, with: {argv: [u], idempotent: true}}
- id: other
  uses: http.request
  with: {method: POST, url: 'https://x', idempotent: true}
  ungraceful: {with: {url: 'https://y'}}
  retry: {attempts: 2}
  undo: {uses: command.run, with: {argv: [u]}}
  on_failure: unwind
- id: last
  uses: command.run
  with: {argv: [z]}
  retry: {attempts: 2}
  on_failure: abort
";

#[derive(Debug, Clone)]
enum Move {
    Land(u8, Landing),
    Unwatched(bool),
    Ask(u8, u8),
    /// The driver dies, perhaps before it has begun what it has just written down.
    Crash(u8, bool),
    Wait(u32),
    Wake,
}

fn landing() -> impl Strategy<Value = Landing> {
    prop_oneof![
        4 => Just(Landing::Good),
        2 => (0..FailureClass::ALL.len()).prop_map(|class| Landing::Failed(FailureClass::ALL[class])),
        2 => any::<bool>().prop_map(Landing::Silent),
        1 => Just(Landing::Handle),
        1 => Just(Landing::Blind),
        1 => any::<bool>().prop_map(Landing::Foreign),
    ]
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        8 => (any::<u8>(), landing()).prop_map(|(node, landing)| Move::Land(node, landing)),
        1 => any::<bool>().prop_map(Move::Unwatched),
        3 => (0_u8..16, any::<u8>()).prop_map(|(what, node)| Move::Ask(what, node)),
        1 => (any::<u8>(), any::<bool>()).prop_map(|(fate, early)| Move::Crash(fate, early)),
        1 => (0_u32..100_000).prop_map(Move::Wait),
        2 => Just(Move::Wake),
    ];
    prop::collection::vec(one, 1..100)
}

fn control(what: u8, node: NodeAddress) -> Control {
    match what {
        0 => Control::Pause,
        1 | 2 => Control::Resume,
        3 => Control::Abort,
        4 | 5 => Control::Unwind,
        6 => Control::Mode(Mode::Ungraceful),
        7..=10 => Control::Retry { node },
        11 => Control::Skip { node, override_safety: true },
        12 | 13 => Control::Done { node, outputs: Map::new() },
        14 => Control::Adopt,
        _ => Control::Approve { node: None, consents: Consents::default() },
    }
}

/// Half of what people ask speaks of what waits for them.
fn address(script: &Script, pick: u8) -> NodeAddress {
    let state = &script.state;
    let waits = |node: &u32| state.node(*node).person_needed || state.failed.contains(node);
    let waiting: Vec<_> = state.active.union(&state.failed).copied().filter(waits).collect();
    let count = script.plan.plan.nodes.len();
    let number = match waiting.get(usize::from(pick / 2) % waiting.len().max(1)) {
        Some(node) if pick.is_multiple_of(2) => *node as usize,
        Some(_) | None => usize::from(pick) % count,
    };
    script.plan.plan.nodes[number].address.clone()
}

struct Game {
    script: Script,
    outside: Outside,
    token: u64,
    number: u32,
}

impl Game {
    fn feed(&mut self, input: Input) -> Vec<Event> {
        let Ok(events) = decide(&self.script.plan, &self.script.state, input, self.script.now) else {
            return Vec::new();
        };
        for event in &events {
            apply(&self.script.plan, &mut self.script.state, event, self.script.now);
        }
        events
    }

    fn play(&mut self, step: &Move) -> Result<(), String> {
        self.number += 1;
        let before = self.script.state.clone();
        let mut asked = None;
        let input = match step {
            Move::Land(pick, landing) => self.outside.land(&self.script, *pick, *landing),
            Move::Unwatched(applied) => {
                self.outside.end_unwatched(*applied);
                None
            }
            Move::Ask(what, pick) => {
                let control = control(*what, address(&self.script, *pick));
                asked = Some(control.clone());
                Some(Input::Request(Request {
                    id: format!("r{}", self.number),
                    by: Identity::asserted("ann"),
                    from: "test".to_owned(),
                    reason: Some("because".to_owned()),
                    control,
                }))
            }
            Move::Crash(fate, _) => {
                self.outside.crash(&self.script, *fate);
                self.token += 1;
                let (holder, host) = ("x".to_owned(), "here".to_owned());
                Some(Input::TookOver { token: self.token, holder, host, traces: None, skew: Duration::ZERO })
            }
            Move::Wait(millis) => {
                self.script.now = self.script.now.plus(Duration::from_millis(u64::from(*millis)));
                Some(Input::Tick)
            }
            Move::Wake => {
                if let Some(wake) = next_wake(&self.script.plan, &self.script.state, self.script.now) {
                    self.script.now = self.script.now.max(wake);
                }
                Some(Input::Tick)
            }
        };
        let events = input.map(|input| self.feed(input)).unwrap_or_default();
        self.outside.heard(&before, asked.as_ref(), &self.script, &events)
    }
}

fn play_all(moves: &[Move]) -> Result<(), String> {
    let script = Script::new(STEPS, "", Mode::Graceful);
    let mut game = Game { script, outside: Outside::default(), token: 1, number: 0 };
    game.outside.reconcile(&game.script)?;
    for (number, step) in moves.iter().enumerate() {
        let at = |why| format!("move {number}: {why}");
        game.play(step).map_err(at)?;
        if !matches!(moves.get(number + 1), Some(Move::Crash(_, true))) {
            game.outside.reconcile(&game.script).map_err(at)?;
        }
        super::advice::refused(&game.script, &game.script.state).map_err(at)?;
        game.outside.check(&game.script).map_err(at)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_started_that_must_not_be(moves in moves()) {
        let played = play_all(&moves);
        prop_assert!(played.is_ok(), "{}", played.unwrap_err());
    }
}

#[test]
fn a_look_that_was_never_answered_says_nothing_of_an_undo() {
    use Landing::{Blind, Failed, Good, Silent};
    use Move::{Ask, Land};
    let in_doubt = Failed(FailureClass::InDoubt);
    let moves = [
        Land(0, Good),
        Land(42, Silent(false)),
        Land(2, Good),
        Land(55, Good),
        Land(2, in_doubt),
        Land(62, Good),
        Land(0, Silent(false)),
        Ask(14, 0),
        Land(0, Silent(false)),
        Land(0, Good),
        Land(39, Good),
        // One of three is enough; another one, which was being looked at, is marked done and taken back.
        Land(87, Good),
        Land(15, Good),
        Ask(12, 149),
        Land(12, Good),
        Ask(4, 0),
        Land(77, Good),
        Land(133, Blind),
        Land(19, Good),
    ];
    play_all(&moves).unwrap();
}
