//! Compares who must agree before a step.

use super::change::{Change, Topic, Weight};
use crate::model::policy::{Approval, NotBy, OnExpiry};

/// Compares the approval of one step.
pub(super) fn approvals(id: &str, old: Option<&Approval>, new: Option<&Approval>) -> Vec<Change> {
    let change = |message: String| Change::of(Topic::Approval, id, message);
    match (old, new) {
        (None, None) => Vec::new(),
        (Some(old), None) => {
            vec![change(format!("nobody has to agree any more (was {})", asked(old))).removed().worse()]
        }
        (None, Some(new)) => vec![change(format!("{} must agree", asked(new))).added().better()],
        (Some(old), Some(new)) => both(&change, old, new),
    }
}

fn both(change: &dyn Fn(String) -> Change, old: &Approval, new: &Approval) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.quorum != new.quorum {
        let weight = if new.quorum < old.quorum { Weight::Worse } else { Weight::Better };
        let message = format!("{} must agree (was {})", people(new.quorum), people(old.quorum));
        changes.push(change(message).weighing(weight).values(old.quorum, new.quorum));
    }
    changes.extend(roles(change, &old.roles, &new.roles));
    if old.on_expiry != new.on_expiry {
        let message = format!("when nobody answers: {} (was {})", new.on_expiry, old.on_expiry);
        let weight = match (old.on_expiry, new.on_expiry) {
            (_, OnExpiry::Proceed) => Weight::Worse,
            (OnExpiry::Proceed, _) => Weight::Better,
            (_, OnExpiry::Hold | OnExpiry::Deny | OnExpiry::Escalate) => Weight::Neutral,
        };
        changes.push(change(message).weighing(weight).values(old.on_expiry, new.on_expiry));
    }
    let excludes = |approval: &Approval| approval.not_by.contains(&NotBy::Starter);
    match (excludes(old), excludes(new)) {
        (true, false) => {
            changes.push(change("whoever started the run may agree to it as well".to_owned()).worse());
        }
        (false, true) => {
            changes.push(change("whoever started the run may no longer agree to it".to_owned()).better());
        }
        (true, true) | (false, false) => {}
    }
    if old.expires != new.expires {
        let time = |approval: &Approval| approval.expires.map_or("never".to_owned(), |time| time.to_string());
        let message = format!("expires after {} (was {})", time(new), time(old));
        changes.push(change(message).values(old.expires, new.expires));
    }
    changes
}

/// More roles mean that more people may agree; no role means anyone.
fn roles(change: &dyn Fn(String) -> Change, old: &[String], new: &[String]) -> Option<Change> {
    let only = |left: &[String], right: &[String]| -> Vec<String> {
        left.iter().filter(|role| !right.contains(role)).cloned().collect()
    };
    let (lost, gained) = (only(old, new), only(new, old));
    let named = |roles: &[String]| if roles.is_empty() { "anyone".to_owned() } else { roles.join(", ") };
    let message = format!("{} may agree (was {})", named(new), named(old));
    let weight = match (lost.is_empty(), gained.is_empty(), old.is_empty(), new.is_empty()) {
        (true, true, _, _) => return None,
        (_, _, _, true) => Weight::Worse,
        (_, _, true, _) => Weight::Better,
        (_, false, _, _) => Weight::Worse,
        (false, true, _, _) => Weight::Neutral,
    };
    Some(change(message).weighing(weight).values(old, new))
}

fn asked(approval: &Approval) -> String {
    let roles =
        if approval.roles.is_empty() { String::new() } else { format!(" of {}", approval.roles.join(", ")) };
    format!("{}{roles}", people(approval.quorum))
}

fn people(count: u32) -> String {
    if count == 1 { "one person".to_owned() } else { format!("{count} people") }
}
