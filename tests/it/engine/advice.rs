//! Whatever a person is advised to type is accepted when they type it.

use drctl::engine::event::Event;
use drctl::engine::input::{Consents, Control, Input, Observation, Request};
use drctl::engine::{RunState, decide};
use drctl::evidence::needs_person;
use drctl::model::id::NodeAddress;
use drctl::model::run::{FailureClass, Identity, Mode, RunStatus};
use serde_json::Map;

use super::script::{Script, retry};

/// Types everything that is advised in a state, each by itself, and says what was refused.
pub(crate) fn refused(script: &Script, state: &RunState) -> Result<(), String> {
    for needed in needs_person(&script.plan, state) {
        for typed in commands(&needed.command) {
            let Some(control) = control(typed) else { continue };
            let request = Request {
                id: "advised".to_owned(),
                by: Identity::asserted("zoe"),
                from: "test".to_owned(),
                reason: Some("because".to_owned()),
                control,
            };
            let events = decide(&script.plan, state, Input::Request(request), script.now);
            let events = events.map_err(|rejection| format!("{typed}: {rejection}"))?;
            let answer = events.iter().find_map(|event| match event {
                Event::RequestAnswered { refused, .. } => Some(refused.clone()),
                _ => None,
            });
            if let Some(Some(why)) = answer {
                return Err(format!(
                    "`{typed}` is advised while the run is {} and refused: {why}",
                    state.status
                ));
            }
        }
    }
    Ok(())
}

fn commands(advice: &str) -> impl Iterator<Item = &str> {
    let (best, others) = advice.split_once("   (or: ").unwrap_or((advice, ""));
    let others = others.strip_suffix(')').unwrap_or(others).split(", ").filter(|text| !text.is_empty());
    std::iter::once(best).chain(others)
}

/// What a command line asks for; `None`: it only shows something.
fn control(typed: &str) -> Option<Control> {
    // An address in brackets is quoted, for shells that would look for files of that name.
    let words: Vec<_> = typed.split_whitespace().map(|word| word.trim_matches('\'')).collect();
    let ["drctl", verb, _, rest @ ..] = words.as_slice() else { panic!("{typed}") };
    let node = || NodeAddress::typed(*rest.first().unwrap_or_else(|| panic!("{typed}")));
    Some(match *verb {
        "start" => Control::Start,
        "resume" => Control::Resume,
        "retry" => Control::Retry { node: node() },
        "skip" => Control::Skip { node: node(), override_safety: false },
        "done" => Control::Done { node: node(), outputs: Map::new() },
        "approve" => approve(rest),
        "runs" => return None,
        other => panic!("nobody knows {other}"),
    })
}

fn approve(words: &[&str]) -> Control {
    let mut consents = Consents::default();
    let after = |flag: &str| words.iter().position(|word| *word == flag).and_then(|at| words.get(at + 1));
    consents.confirm = after("--confirm").map(|text| (*text).to_owned());
    consents.accept_unfenced = words.contains(&"--accept-unfenced");
    for (at, _) in words.iter().enumerate().filter(|(_, word)| **word == "--accept-loss") {
        match words[at + 1..].join(" ").trim_start_matches('"').split('"').next() {
            Some(text) if text.starts_with("unmeasured") => consents.accept_unmeasured_loss = true,
            text => consents.accept_loss = Some(text.unwrap().parse().unwrap()),
        }
    }
    let node = words.first().filter(|word| !word.starts_with("--"));
    Control::Approve { node: node.map(|node| NodeAddress::typed(*node)), consents }
}

const STEPS: &str = "
- {id: a, uses: command.run, with: {argv: [a]}, undo: {uses: http.request, with: {method: POST, url: 'https://x'}}}
- id: both
  parallel:
    - {id: b, uses: command.run, with: {argv: [b]}, timeout: 1h}
    - {id: c, uses: http.request, with: {method: POST, url: 'https://x'}}
";

fn advice(script: &Script) -> Vec<(String, String)> {
    let needed = needs_person(&script.plan, &script.state).into_iter();
    needed.map(|needed| (needed.text, needed.command)).collect()
}

/// Both how the attempt was lost and why looking does not help stand where a person decides.
#[test]
fn a_doubt_says_where_it_comes_from() {
    let steps = "
- {id: a, uses: command.run, with: {argv: [a], observes: true}}
";
    let mut script = Script::new(steps, "", Mode::Graceful);
    script.fail("a", FailureClass::InDoubt);
    while script.run() != RunStatus::Stuck {
        script.observe("a", Observation::Unknown("the host does not answer".to_owned()));
        if script.run() != RunStatus::Stuck {
            script.wait_for_wake();
        }
    }
    let needed = needs_person(&script.plan, &script.state);
    let why = "it broke; the host does not answer";
    assert_eq!(needed[0].text, format!("nobody can tell whether it was applied: {why}"));
    assert_eq!(script.state.cause, Some(format!("nobody can tell what came of a: {why}")));
}

#[test]
fn a_failed_step_is_not_tried_again_once_the_run_is_to_end() {
    for (ask, word) in [(Control::Unwind, "unwind"), (Control::Abort, "abort")] {
        let mut script = Script::new(STEPS, "", Mode::Graceful);
        script.ok("a");
        script.fail("c", FailureClass::Permanent);
        assert_eq!(advice(&script)[0].1, "drctl retry pay-aaaaaaaa c");
        assert_eq!(script.ask(ask), None);
        assert_eq!(advice(&script), [], "{word}");
        let why = script.ask(retry("c")).unwrap();
        assert_eq!(why, format!("`c` is not tried again: the run was asked to {word}"));
        assert!(script.ask(Control::Resume).unwrap().contains(&format!("asked to {word}")));
    }
}

#[test]
fn an_undo_in_doubt_is_said_to_be_one() {
    let mut script = Script::new(STEPS, "", Mode::Graceful);
    script.ok("a");
    script.fail("c", FailureClass::InDoubt);
    let expected = "nobody can tell whether it was applied: it broke";
    assert_eq!(advice(&script)[0].0, expected);
    script.ok("b");
    assert_eq!(script.ask(Control::Unwind), None);
    // Nothing can look at it, and nothing begins it again.
    let done = "drctl done pay-aaaaaaaa c --reason \"…\"   (or: drctl skip pay-aaaaaaaa c --reason \"…\")";
    assert_eq!(advice(&script)[0].1, done);
    assert!(script.ask(retry("c")).is_some());
    assert_eq!(script.ask(super::script::by_hand("c")), None);
    script.fail("a", FailureClass::InDoubt);
    assert_eq!(script.run(), RunStatus::Stuck);
    assert_eq!(advice(&script)[0].0, "nobody can tell whether it was taken back: it broke");
    refused(&script, &script.state).unwrap();
}
