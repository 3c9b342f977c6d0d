//! Compares what is looked at before and after a step.

use super::change::{Change, Topic, Weight};
use crate::model::expression::Expression;
use crate::model::time::Duration;
use crate::plan::node::{Call, Node, NodeKind};

/// A check as far as it can be compared.
struct Look<'a> {
    call: &'a Call,
    until: Option<&'a Expression>,
    within: Option<Duration>,
    consecutive: u32,
}

/// Compares the checks of one step that stand at the same side of it.
pub(super) fn checks(topic: Topic, id: &str, old: &[&Node], new: &[&Node]) -> Vec<Change> {
    let side = if topic == Topic::Verify { "after" } else { "before" };
    let mut left: Vec<Look<'_>> = old.iter().filter_map(|node| look(node)).collect();
    let mut changes = Vec::new();
    let mut added = Vec::new();
    for look in new.iter().filter_map(|node| look(node)) {
        let same = left.iter().position(|known| known.same(&look));
        let alike = same.or_else(|| left.iter().position(|known| known.call.action == look.call.action));
        match alike {
            Some(at) => {
                let known = left.remove(at);
                if same.is_none() {
                    changes.push(changed(topic, id, side, &known, &look));
                }
            }
            None => added.push(look),
        }
    }
    let removed = left.iter().map(|look| {
        Change::of(topic, id, format!("no longer looks {side} it: {} is gone", look.call.action))
            .removed()
            .worse()
    });
    changes.extend(removed);
    changes.extend(added.iter().map(|look| {
        Change::of(topic, id, format!("looks {side} it with {}", look.call.action)).added().better()
    }));
    changes
}

fn changed(topic: Topic, id: &str, side: &str, old: &Look<'_>, new: &Look<'_>) -> Change {
    let action = new.call.action;
    if let (Some(until), None) = (old.until, new.until) {
        let message = format!("{action} {side} it no longer needs `{}`", until.as_str());
        return Change::of(topic, id, message).worse();
    }
    if old.consecutive != new.consecutive {
        let message = format!(
            "{action} {side} it must succeed {} times in a row (was {})",
            new.consecutive, old.consecutive
        );
        let weight = if new.consecutive < old.consecutive { Weight::Worse } else { Weight::Better };
        return Change::of(topic, id, message).weighing(weight).values(old.consecutive, new.consecutive);
    }
    let what = if old.until != new.until {
        "waits for something else"
    } else if old.call != new.call {
        "looks at something else"
    } else {
        "has another time"
    };
    Change::of(topic, id, format!("{action} {side} it {what}"))
}

impl Look<'_> {
    fn same(&self, other: &Self) -> bool {
        self.call == other.call
            && self.until == other.until
            && self.within == other.within
            && self.consecutive == other.consecutive
    }
}

fn look(node: &Node) -> Option<Look<'_>> {
    let NodeKind::Check { call, until, within, consecutive, .. } = &node.kind else { return None };
    Some(Look { call, until: until.as_ref(), within: *within, consecutive: *consecutive })
}
