//! Draws a comparison for people: lines for a terminal, a table for a pull request. Texts of a runbook are
//! untrusted.

use std::fmt::Write;

use super::change::{Change, Comparison, Sign, Weight};
use crate::model::run::{Mode, Operation};
use crate::plan::Case;
use crate::plan::render::plain;

/// Lines for people: `!` more dangerous, `+` new, `-` gone, `~` otherwise.
#[must_use]
pub fn text(comparison: &Comparison) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = lines(&mut out, comparison);
    out
}

/// A table in Markdown, for a comment on a pull request.
#[must_use]
pub fn markdown(comparison: &Comparison) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = table(&mut out, comparison);
    out
}

fn lines(out: &mut String, comparison: &Comparison) -> std::fmt::Result {
    for change in &comparison.changes {
        let subject = change.subject.as_deref().map_or(change.topic.as_str(), |subject| subject);
        let places = places(comparison, change);
        let places = if places.is_empty() { places } else { format!("  [{places}]") };
        writeln!(out, "{} {}: {}{places}", mark(change), plain(subject), plain(&change.message))?;
    }
    for skipped in &comparison.not_compared {
        writeln!(out, "? not compared: {}", plain(skipped))?;
    }
    writeln!(out, "{}", summary(comparison))
}

fn table(out: &mut String, comparison: &Comparison) -> std::fmt::Result {
    let cell = |text: &str| {
        plain(text).replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;").replace('`', "'")
    };
    writeln!(out, "**{}**", summary(comparison))?;
    if !comparison.changes.is_empty() {
        writeln!(out, "\n| | what | change | where |\n|---|---|---|---|")?;
    }
    for change in &comparison.changes {
        let subject = change.subject.as_deref().map_or(change.topic.as_str(), |subject| subject);
        let mark = match mark(change) {
            '!' => "⚠️",
            '+' => "+",
            '-' => "−",
            _ => "~",
        };
        let places = places(comparison, change);
        writeln!(out, "| {mark} | `{}` | {} | {places} |", cell(subject), cell(&change.message))?;
    }
    for skipped in &comparison.not_compared {
        writeln!(out, "\nNot compared: {}", cell(skipped))?;
    }
    Ok(())
}

/// `2 changes more dangerous, 1 safer, 3 others`.
fn summary(comparison: &Comparison) -> String {
    let (worse, better) = (comparison.count(Weight::Worse), comparison.count(Weight::Better));
    let others = comparison.count(Weight::Neutral);
    if comparison.changes.is_empty() {
        let limits = if comparison.not_compared.is_empty() { "" } else { " in what could be compared" };
        return format!("no change that matters for safety{limits}");
    }
    let many = |count: usize| if count == 1 { "1 change".to_owned() } else { format!("{count} changes") };
    format!("{}: {worse} more dangerous, {better} safer, {others} other", many(worse + better + others))
}

const fn mark(change: &Change) -> char {
    match (change.weight, change.sign) {
        (Weight::Worse, _) => '!',
        (_, Sign::Added) => '+',
        (_, Sign::Removed) => '-',
        (_, Sign::Changed) => '~',
    }
}

/// Where a change was seen; nothing where it was seen everywhere, or does not depend on the operation.
fn places(comparison: &Comparison, change: &Change) -> String {
    if change.cases.is_empty() || change.cases.len() == comparison.cases.len() {
        return String::new();
    }
    let mut places = Vec::new();
    for operation in Operation::ALL {
        let of = |cases: &[Case], mode: Option<Mode>| -> Vec<Case> {
            let is = |case: &&Case| case.operation == *operation && mode.is_none_or(|mode| case.mode == mode);
            cases.iter().filter(is).cloned().collect()
        };
        if !of(&change.cases, None).is_empty() && of(&change.cases, None) == of(&comparison.cases, None) {
            places.push(operation.to_string());
            continue;
        }
        for mode in Mode::ALL {
            let (seen, all) = (of(&change.cases, Some(*mode)), of(&comparison.cases, Some(*mode)));
            if !seen.is_empty() && seen == all {
                places.push(format!("{operation} {mode}"));
            } else {
                places.extend(seen.iter().map(|case| format!("{operation} {mode}{}", way(case))));
            }
        }
    }
    places.join(", ")
}

fn way(case: &Case) -> String {
    let from = case.from.as_ref().map_or_else(String::new, |from| format!(" from {from}"));
    let to = case.to.as_ref().map_or_else(String::new, |to| format!(" to {to}"));
    format!("{from}{to}")
}
