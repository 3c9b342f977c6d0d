//! The names of components: unique, not reserved, and needs that name others and lead nowhere back.

use super::declared::Entry;
use super::part;
use super::stages::Stage;
use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::compile::suggest;

/// Words beside the ids of stages that mean something else in a plan.
const WORDS: [&str; 2] = ["gate", "rpo"];

/// Says whether all names hold, and reports those that do not.
pub(super) fn check(entries: &[Entry], reporter: &mut Reporter<'_>) -> bool {
    let mut sound = true;
    for (at, entry) in entries.iter().enumerate() {
        if entries.iter().take(at).any(|earlier| earlier.id == entry.id) {
            let message = format!("two components have the id `{}`", entry.id);
            reporter
                .value(Code::DuplicateId, &format!("/components/{at}/id"), message)
                .help("give one of them another id");
            sound = false;
        }
        let same =
            |earlier: &&Entry| earlier.id != entry.id && part::key(&earlier.id) == part::key(&entry.id);
        if let Some(earlier) = entries.iter().take(at).find(same) {
            let key = part::key(&entry.id);
            let message =
                format!("`{}` and `{}` would both keep their values under `{key}`", earlier.id, entry.id);
            reporter
                .value(Code::BrokenComponent, &format!("/components/{at}/id"), message)
                .help("give one of them another id: each would read the values of the other");
            sound = false;
        }
        let reserved = || Stage::ALL.iter().map(|stage| stage.id()).chain(WORDS);
        if reserved().any(|word| word == entry.id) {
            let message =
                format!("`{}` cannot be the id of a component: it is a word for something else", entry.id);
            reporter.value(Code::BrokenComponent, &format!("/components/{at}/id"), message).help(format!(
                "name it after what it is, such as `db`; reserved are {}",
                suggest::list(reserved())
            ));
            sound = false;
        }
        for (position, need) in entry.needs.iter().enumerate() {
            if *need == entry.id || !entries.iter().any(|other| other.id == *need) {
                let message = format!("`{}` needs `{need}`, which is no other component", entry.id);
                reporter
                    .value(Code::UnknownNeed, &format!("/components/{at}/needs/{position}"), message)
                    .help("a need is the id of another component");
                sound = false;
            }
        }
    }
    sound && acyclic(entries, reporter)
}

/// Reports each cycle once, where the need that closes it stands.
fn acyclic(entries: &[Entry], reporter: &mut Reporter<'_>) -> bool {
    let position = |id: &String| entries.iter().position(|entry| entry.id == *id);
    let mut done = vec![false; entries.len()];
    let mut sound = true;
    for begin in 0..entries.len() {
        // The way to a component, and how many needs of each were followed; too deep to recurse.
        let mut path: Vec<(usize, usize)> = vec![(begin, 0)];
        while let Some((at, followed)) = path.last_mut() {
            let (here, need) = (*at, *followed);
            *followed += 1;
            let next = entries.get(here).filter(|_| done.get(here) == Some(&false));
            let Some(next) = next.and_then(|entry| entry.needs.get(need)).and_then(position) else {
                if let Some(slot) = done.get_mut(here) {
                    *slot = true;
                }
                path.pop();
                continue;
            };
            let Some(first) = path.iter().position(|(at, _)| *at == next) else {
                path.push((next, 0));
                continue;
            };
            let cycle = path.iter().skip(first).map(|(at, _)| *at).chain([next]);
            let ids: Vec<_> =
                cycle.filter_map(|at| entries.get(at)).map(|entry| format!("`{}`", entry.id)).collect();
            let message = format!("these components wait for each other: {}", ids.join(" → "));
            reporter
                .value(Code::Cycle, &format!("/components/{here}/needs/{need}"), message)
                .help("take one of these needs away");
            sound = false;
        }
    }
    sound
}
