//! Compares how long the recovery is expected to take, by the estimates of the plans.

use super::change::{Change, Topic, Weight, grown};
use super::pairs::Pairs;
use super::view::View;
use crate::model::time::Duration;

/// Steps of the path that are named.
const NAMED: usize = 3;

/// The difference in the expected recovery time, with the steps that make it.
pub(super) fn path(old: &View<'_>, new: &View<'_>, pairs: &Pairs) -> Option<Change> {
    let (before, now) = (old.estimate, new.estimate);
    if before == now {
        return None;
    }
    let (word, by) =
        if now > before { ("longer", now.minus(before)) } else { ("shorter", before.minus(now)) };
    let objective = match new.plan.objectives.rto {
        Some(rto) if now > rto && before <= rto => {
            format!("; the RTO of {rto} is exceeded by {}", now.minus(rto))
        }
        Some(rto) if now <= rto && before > rto => format!("; within the RTO of {rto}"),
        Some(_) | None => String::new(),
    };
    let why = why(old, new, pairs);
    let message = format!("the expected recovery takes {now} (was {before}), {by} {word}{objective}{why}");
    // Within the objective a second more is no danger: else every new check would count as one.
    let weight = match new.plan.objectives.rto {
        Some(rto) if now <= rto && before <= rto => Weight::Neutral,
        Some(_) => grown(&before, &now),
        None if now > before => Weight::Worse,
        None => Weight::Neutral,
    };
    Some(
        Change::new(Topic::CriticalPath, None, message)
            .weighing(weight)
            .values(before.as_millis(), now.as_millis()),
    )
}

/// The steps whose own estimates differ most in the direction of the whole.
fn why(old: &View<'_>, new: &View<'_>, pairs: &Pairs) -> String {
    let longer = new.estimate > old.estimate;
    let critical = if longer { &new.critical } else { &old.critical };
    let differs = |id: &&str| -> Option<(Duration, String)> {
        let estimate = |view: &View<'_>, at: Option<usize>| {
            at.and_then(|at| view.unit(at)).map_or(Duration::ZERO, |unit| unit.main.estimate)
        };
        let (left, right) = if longer {
            let right = new.by_id.get(*id).copied();
            (pairs.both.iter().find(|(_, new)| Some(*new) == right).map(|(old, _)| *old), right)
        } else {
            let left = old.by_id.get(*id).copied();
            (left, left.and_then(|left| pairs.new_of(left)))
        };
        let (before, now) = (estimate(old, left), estimate(new, right));
        let (more, sign) = if longer { (now.minus(before), "+") } else { (before.minus(now), "-") };
        (more > Duration::ZERO).then(|| (more, format!("{id} {sign}{more}")))
    };
    let mut parts: Vec<_> = critical.iter().filter_map(differs).collect();
    parts.sort_by_key(|(more, _)| std::cmp::Reverse(*more));
    let parts: Vec<String> = parts.into_iter().take(NAMED).map(|(_, text)| text).collect();
    if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) }
}
