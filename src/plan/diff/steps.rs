//! Compares the steps of two plans one by one: which are gone or new, and what each has lost or won.

use serde_json::{Map, Value};

use super::approvals::approvals;
use super::change::{Change, Topic, Weight, grown};
use super::checks::checks;
use super::dangers::{early, revives};
use super::pairs::Pairs;
use super::view::{Unit, View};
use crate::model::action::{Doubt, traits};
use crate::model::policy::{MinSuccess, OnFailure};
use crate::model::run::{Mode, Phase};
use crate::plan::node::{Call, NodeKind, NodeVariant, PlannedUndo};

/// Characters of a value that are shown.
const SHOWN: usize = 48;

/// Every difference between the steps of two plans.
pub(super) fn steps(old: &View<'_>, new: &View<'_>, pairs: &Pairs) -> Vec<Change> {
    let mode = new.mode();
    let mut changes: Vec<Change> =
        pairs.removed.iter().filter_map(|at| old.unit(*at)).map(|unit| removed(unit, mode)).collect();
    changes.extend(pairs.added.iter().filter_map(|at| new.unit(*at)).flat_map(|unit| added(unit, new)));
    for (left, right) in &pairs.both {
        if let (Some(left), Some(right)) = (old.unit(*left), new.unit(*right)) {
            changes.extend(both((left, right), (old, new)));
        }
    }
    changes.extend(readings(old, new));
    changes
}

fn removed(unit: &Unit<'_>, mode: Mode) -> Change {
    let what = described(unit, mode);
    if unit.class().fence {
        return Change::of(Topic::Fence, unit.id, format!("the fence is gone: {what}")).removed().worse();
    }
    let change = Change::of(Topic::Step, unit.id, format!("the step is gone: {what}")).removed();
    if unit.protects() || unit.moves() { change.worse() } else { change }
}

fn added(unit: &Unit<'_>, view: &View<'_>) -> Vec<Change> {
    let mode = view.mode();
    let what = described(unit, mode);
    let mut changes = Vec::new();
    if unit.class().fence {
        changes.push(Change::of(Topic::Fence, unit.id, format!("a new fence: {what}")).added().better());
    } else {
        let weight = if unit.protects() { Weight::Better } else { Weight::Neutral };
        changes
            .push(Change::of(Topic::Step, unit.id, format!("a new step: {what}")).added().weighing(weight));
    }
    changes.extend(early(unit, view));
    changes.extend(revives(unit, view));
    if unit.is_irreversible() {
        let message = "a new step that cannot be taken back";
        changes.push(Change::of(Topic::Irreversible, unit.id, message).added().worse());
    }
    if doubt(unit, mode) == Some(Doubt::Ask) {
        let message = "a lost reply of the new step would need a person";
        changes.push(Change::of(Topic::Observe, unit.id, message).added().worse());
    }
    changes
}

/// What a unit does and where it stands.
fn described(unit: &Unit<'_>, mode: Mode) -> String {
    let phase = unit.main.phase.map_or_else(String::new, |phase| format!(" in {phase}"));
    match (unit.call(mode).or_else(|| unit.call(Mode::Graceful)), &unit.main.kind) {
        (Some(call), _) => format!("{}{phase}", call.action),
        (None, NodeKind::Approval { .. }) => format!("approval.request{phase}"),
        (None, _) => format!("a group{phase}"),
    }
}

fn both((old, new): (&Unit<'_>, &Unit<'_>), views: (&View<'_>, &View<'_>)) -> Vec<Change> {
    let (id, mode) = (new.id, views.1.mode());
    let mut changes = Vec::new();
    if old.id != new.id {
        changes.push(Change::of(Topic::Step, id, format!("was called {}", old.id)));
    }
    changes.extend(left_out(old, new, mode));
    changes.extend(action(old, new, mode));
    if !views.0.starts_at_source(old) {
        changes.extend(revives(new, views.1));
    }
    changes.extend(irreversible(old, new));
    changes.extend(undo(old, new, mode));
    changes.extend(observe(old, new, mode));
    changes.extend(checks(Topic::Precheck, id, &old.prechecks, &new.prechecks));
    changes.extend(checks(Topic::Verify, id, &old.verifies, &new.verifies));
    changes.extend(approvals(id, approval(old), approval(new)));
    changes.extend(retry(old, new));
    changes.extend(on_failure(old, new));
    changes.extend(members(old, new, mode));
    changes.extend(times(old, new));
    changes
}

/// The approval before a step, or the one that it is.
fn approval<'a>(unit: &Unit<'a>) -> Option<&'a crate::model::policy::Approval> {
    match &unit.main.kind {
        NodeKind::Approval { approval } => Some(approval),
        _ => unit.approval,
    }
}

fn left_out(old: &Unit<'_>, new: &Unit<'_>, mode: Mode) -> Option<Change> {
    let change = |message: String| Change::of(Topic::Condition, new.id, message);
    let grows = new.main.phase == Some(Phase::Scale);
    let loses = if new.protects() || new.moves() || grows { Weight::Worse } else { Weight::Neutral };
    match (old.is_skipped(mode), new.is_skipped(mode)) {
        (false, true) => return Some(change(format!("is left out of a run that is {mode}")).weighing(loses)),
        (true, false) => return Some(change(format!("is no longer left out of a run that is {mode}"))),
        (true, true) | (false, false) => {}
    }
    let (old_when, new_when) = (old.main.when.as_ref(), new.main.when.as_ref());
    match (old_when, new_when) {
        (None, Some(when)) => {
            Some(change(format!("runs only when `{}`", when.as_str())).added().weighing(loses))
        }
        (Some(when), None) => Some(change(format!("runs always (was: when `{}`)", when.as_str())).removed()),
        (Some(before), Some(now)) if before != now => {
            Some(change(format!("runs when `{}` (was: when `{}`)", now.as_str(), before.as_str())))
        }
        _ => None,
    }
}

fn action(old: &Unit<'_>, new: &Unit<'_>, mode: Mode) -> Vec<Change> {
    let id = new.id;
    let mut changes = Vec::new();
    if old.class().fence && !new.class().fence {
        changes.push(Change::of(Topic::Fence, id, "no longer fences").removed().worse());
    }
    if !old.class().fence && new.class().fence {
        changes.push(Change::of(Topic::Fence, id, "fences now").added().better());
    }
    if old.class().promote && !new.class().promote {
        changes.push(Change::of(Topic::Action, id, "no longer makes data writable").removed().worse());
    }
    if old.main.phase != new.main.phase {
        let named =
            |unit: &Unit<'_>| unit.main.phase.map_or("no phase".to_owned(), |phase| phase.to_string());
        let message = format!("is in {} (was {})", named(new), named(old));
        changes.push(Change::of(Topic::Action, id, message).values(old.main.phase, new.main.phase));
    }
    if let (Some(before), Some(now)) = (old.call(mode), new.call(mode)) {
        if before.action != now.action {
            let message = format!("uses {} (was {})", now.action, before.action);
            changes.push(Change::of(Topic::Action, id, message).values(before.action, now.action));
        }
        changes.extend(with((old, new), before, now));
    }
    changes
}

/// Parameters that differ; of calls that carry a secret only their names.
fn with((was, unit): (&Unit<'_>, &Unit<'_>), old: &Call, new: &Call) -> Option<Change> {
    let hides = old.sensitive || new.sensitive;
    let of = |with: &Map<String, Value>, key: &str| match with.get(key) {
        Some(value) if hides || value.is_object() || value.is_array() => String::new(),
        Some(value) => brief(value),
        None => "nothing".to_owned(),
    };
    let keys = old.with.keys().chain(new.with.keys().filter(|key| !old.with.contains_key(*key)));
    let differing = keys.filter(|key| old.with.get(*key) != new.with.get(*key));
    let said: Vec<String> = differing
        .map(|key| {
            let (before, now) = (of(&old.with, key), of(&new.with, key));
            if before.is_empty() || now.is_empty() {
                key.clone()
            } else {
                format!("{key} {now} (was {before})")
            }
        })
        .collect();
    let fences = was.class().fence && unit.class().fence;
    let weight = if weakens(unit, fences, old, new) { Weight::Worse } else { Weight::Neutral };
    (!said.is_empty()).then(|| {
        Change::of(Topic::Action, unit.id, format!("other parameters: {}", said.join(", "))).weighing(weight)
    })
}

/// Whether a call of the same action does less than before: a smaller target, fewer backups, connections that
/// live on, or a fence of something else.
fn weakens(unit: &Unit<'_>, fences: bool, old: &Call, new: &Call) -> bool {
    if old.action != new.action {
        return false;
    }
    let number = |call: &Call, key: &str| call.with.get(key).and_then(Value::as_f64);
    let less = |key: &str| number(old, key).zip(number(new, key)).is_some_and(|(was, is)| is < was);
    let smaller = unit.main.phase == Some(Phase::Scale)
        && ["desired", "min", "replicas", "capacity", "size", "min_success", "min_ready"]
            .iter()
            .any(|key| less(key));
    let ends = |call: &Call| call.with.get("end_connections") == Some(&Value::Bool(true));
    let aimed = |call: &Call| {
        ["region", "identifier", "connection", "primary"].map(|key| call.with.get(key).cloned())
    };
    smaller
        || less("backup_retention_days")
        || (ends(old) && !ends(new))
        || (fences && aimed(old) != aimed(new))
}

fn brief(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= SHOWN {
        return text;
    }
    text.chars().take(SHOWN - 3).chain("...".chars()).collect()
}

fn irreversible(old: &Unit<'_>, new: &Unit<'_>) -> Option<Change> {
    match (old.is_irreversible(), new.is_irreversible()) {
        (false, true) if old.is_played_down() => {
            let message = "is called irreversible, as its action is";
            Some(Change::of(Topic::Irreversible, new.id, message).added().better())
        }
        (false, true) if old.class().promote && new.class().promote => {
            let message = "makes data writable as before, and a gate stands before it now";
            Some(Change::of(Topic::Irreversible, new.id, message).added().better())
        }
        (false, true) => {
            let message = "cannot be taken back any more";
            Some(Change::of(Topic::Irreversible, new.id, message).added().worse())
        }
        (true, false) => {
            let change = |message: &str| Change::of(Topic::Irreversible, new.id, message).removed();
            Some(if new.is_played_down() {
                change("is called reversible although its action is not: no gate stands before it").worse()
            } else if new.class().promote {
                // Two primaries are as bad however the step is called: nobody is asked before any more.
                change("still makes data writable, but no gate stands before it any more").worse()
            } else {
                change("can be taken back now").better()
            })
        }
        (true, true) | (false, false) => {
            let (before, now) = (old.main.reversibility, new.main.reversibility);
            let message = format!("is {now} (was {before})");
            (before != now).then(|| {
                Change::of(Topic::Irreversible, new.id, message)
                    .weighing(grown(&before, &now))
                    .values(before, now)
            })
        }
    }
}

fn undo(old: &Unit<'_>, new: &Unit<'_>, mode: Mode) -> Option<Change> {
    let named = |undo: &PlannedUndo| match undo {
        PlannedUndo::Auto => "auto".to_owned(),
        PlannedUndo::Call(call) => call.action.to_string(),
    };
    match (&old.main.undo, &new.main.undo) {
        (Some(before), None) if new.changes(mode) => {
            let message = format!("can no longer be undone (was: undo {})", named(before));
            Some(Change::of(Topic::Undo, new.id, message).removed().worse())
        }
        (None, Some(now)) => {
            Some(Change::of(Topic::Undo, new.id, format!("can be undone: {}", named(now))).added().better())
        }
        (Some(before), Some(now)) if before != now => {
            let (before, now) = (named(before), named(now));
            let message = if before == now {
                format!("is undone with other parameters of {now}")
            } else {
                format!("is undone by {now} (was {before})")
            };
            Some(Change::of(Topic::Undo, new.id, message))
        }
        (Some(_), Some(_)) => {
            let (before, now) = (old.main.undo_after_failure, new.main.undo_after_failure);
            let told = |now: bool| if now { "is undone also" } else { "is no longer undone" };
            let change = Change::of(Topic::Undo, new.id, format!("{} after it failed half-way", told(now)));
            (before != now).then(|| if now { change.better() } else { change.worse() })
        }
        _ => None,
    }
}

/// How a lost reply would be resolved; `None` where nothing is changed.
fn doubt(unit: &Unit<'_>, mode: Mode) -> Option<Doubt> {
    let performed = matches!(unit.main.kind, NodeKind::Effect { .. });
    let call = unit.call(mode).filter(|_| performed && unit.changes(mode))?;
    let resent = traits::may_resend(call.action, &call.with);
    let observed = call.action != crate::model::action::ActionName::CommandRun
        || call.with.get("observes") == Some(&Value::Bool(true));
    Some(match traits::doubt(call.action, &call.with) {
        Doubt::Observable if !observed && !resent => Doubt::Ask,
        known => known,
    })
}

fn observe(old: &Unit<'_>, new: &Unit<'_>, mode: Mode) -> Option<Change> {
    let (before, now) = (doubt(old, mode)?, doubt(new, mode)?);
    let change = |message: &str| Change::of(Topic::Observe, new.id, message);
    match (before == Doubt::Ask, now == Doubt::Ask) {
        (false, true) => Some(
            change("a lost reply would need a person: nothing can tell whether it was applied")
                .removed()
                .worse(),
        ),
        (true, false) => Some(change("a lost reply needs no person any more").added().better()),
        (true, true) | (false, false) => None,
    }
}

fn retry(old: &Unit<'_>, new: &Unit<'_>) -> Option<Change> {
    let (before, now) = (old.main.retry.attempts, new.main.retry.attempts);
    if before == now {
        return (old.main.retry != new.main.retry)
            .then(|| Change::of(Topic::Retry, new.id, "waits otherwise between two attempts"));
    }
    let times = |count: u32| if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let change = Change::of(Topic::Retry, new.id, format!("is tried {} (was {})", times(now), times(before)));
    let change = if now == 1 { change.removed() } else { change };
    Some(change.weighing(grown(&now, &before)).values(before, now))
}

fn on_failure(old: &Unit<'_>, new: &Unit<'_>) -> Option<Change> {
    let (before, now) = (old.main.on_failure, new.main.on_failure);
    let message = format!("when it fails: {now} (was {before})");
    let weight = match (before, now) {
        (OnFailure::Continue, _) => Weight::Better,
        (_, OnFailure::Continue) => Weight::Worse,
        (_, OnFailure::Pause | OnFailure::Abort | OnFailure::Unwind) => Weight::Neutral,
    };
    (before != now)
        .then(|| Change::of(Topic::OnFailure, new.id, message).weighing(weight).values(before, now))
}

fn members(old: &Unit<'_>, new: &Unit<'_>, mode: Mode) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.items != new.items && old.items > 0 && new.items > 0 {
        let message = format!("is done for {} items (was {})", new.items, old.items);
        let weight = if new.protects() { grown(&new.items, &old.items) } else { Weight::Neutral };
        changes.push(Change::of(Topic::Step, new.id, message).weighing(weight).values(old.items, new.items));
    }
    let needed = |unit: &Unit<'_>| threshold(unit, mode);
    let (before, now) = (needed(old), needed(new));
    if before != now {
        // Of a hundred members, so that counts and percentages can be compared.
        let of = |min: Option<MinSuccess>| min.map_or(100, |min| min.of(100));
        let named = |min: Option<MinSuccess>| match min {
            None => "all".to_owned(),
            Some(MinSuccess::Count(count)) => count.to_string(),
            Some(MinSuccess::Percent(percent)) => format!("{percent} %"),
        };
        let message = format!("goes on once {} have succeeded (was {})", named(now), named(before));
        let weight = grown(&of(now), &of(before));
        changes.push(Change::of(Topic::MinSuccess, new.id, message).weighing(weight).values(before, now));
    }
    changes
}

fn threshold(unit: &Unit<'_>, mode: Mode) -> Option<MinSuccess> {
    let group = unit.group?;
    match (&group.kind, &group.ungraceful) {
        (_, Some(NodeVariant::MinSuccess(min))) if mode == Mode::Ungraceful => Some(*min),
        (NodeKind::Group { min_success, .. }, _) => *min_success,
        _ => None,
    }
}

fn times(old: &Unit<'_>, new: &Unit<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.main.timeout != new.main.timeout && old.call(Mode::Graceful).is_some() {
        let message = format!("one attempt may take {} (was {})", new.main.timeout, old.main.timeout);
        changes.push(Change::of(Topic::Times, new.id, message).values(old.main.timeout, new.main.timeout));
    }
    if old.main.deadline != new.main.deadline {
        let named =
            |unit: &Unit<'_>| unit.main.deadline.map_or("no deadline".to_owned(), |time| time.to_string());
        let message = format!("all attempts may take {} (was {})", named(new), named(old));
        changes.push(Change::of(Topic::Times, new.id, message).values(old.main.deadline, new.main.deadline));
    }
    changes
}

/// Readings of the recovery point that are gone or new.
fn readings(old: &View<'_>, new: &View<'_>) -> Vec<Change> {
    let points = |view: &View<'_>| -> Vec<String> {
        let readings = view.plan.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Reading { call, .. } => Some(format!("{} by {}", node.title, call.action)),
            _ => None,
        });
        readings.collect()
    };
    let (before, now) = (points(old), points(new));
    let gone = before.iter().filter(|point| !now.contains(point));
    let gone = gone.map(|point| {
        Change::new(Topic::RecoveryPoint, None, format!("no longer read: {point}")).removed().worse()
    });
    let come = now.iter().filter(|point| !before.contains(point));
    let come =
        come.map(|point| Change::new(Topic::RecoveryPoint, None, format!("read: {point}")).added().better());
    gone.chain(come).collect()
}
