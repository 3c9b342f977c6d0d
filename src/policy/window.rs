//! Whether a planned move or a drill may begin now. A failover always may.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{ToSpan, Zoned};

use super::{Finding, select};
use crate::compile::{Code, Severity};
use crate::model::governance::{Day, OpenTime, Policy, Window, WindowOperation};
use crate::model::run::{Intent, Operation};
use crate::model::runbook::Runbook;
use crate::model::time::Timestamp;

/// How far the next opening is looked for, in days.
const AHEAD: i32 = 400;

/// What is to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// What is done to the service.
    pub operation: Operation,
    /// Why.
    pub intent: Intent,
    /// When.
    pub at: Timestamp,
}

/// What the windows say to a beginning.
#[must_use]
pub fn window(policy: &Policy, runbook: &Runbook, begin: Begin) -> Vec<Finding> {
    let Some(operation) = bound(begin) else { return Vec::new() };
    let fits = |window: &&Window| {
        select::service(&window.select, runbook)
            && (window.operations.is_empty() || window.operations.contains(&operation))
    };
    policy.windows.iter().filter(fits).filter_map(|window| closed(window, operation, begin.at)).collect()
}

/// The part of windows a beginning is bound by.
const fn bound(begin: Begin) -> Option<WindowOperation> {
    match (begin.intent, begin.operation) {
        (Intent::Drill, _) => Some(WindowOperation::Drill),
        (Intent::Real, Operation::Switchover) => Some(WindowOperation::Switchover),
        (Intent::Real, Operation::Failback) => Some(WindowOperation::Failback),
        (Intent::Real, Operation::Failover) | (Intent::Simulate | Intent::Check, _) => None,
    }
}

fn closed(window: &Window, operation: WindowOperation, at: Timestamp) -> Option<Finding> {
    let rule = format!("windows {}", window.id);
    let finding = |message: String| Finding::new(Code::OutsideWindow, Severity::Error, rule, message);
    let Ok(zone) = TimeZoneDatabase::bundled().get(&window.timezone) else {
        // The compiler refuses such a policy; one that comes from elsewhere closes.
        return Some(finding(format!("the window `{}` has no time zone", window.id)));
    };
    let now = at.to_jiff().to_zoned(zone.clone());
    if is_open(window, &now) {
        return None;
    }
    let local = now.strftime("%a %Y-%m-%d %H:%M");
    let message =
        format!("no {operation} may begin now: it is {local} in {} ({})", window.timezone, window.id);
    let next = opening(window, &now, &zone).map_or_else(
        || format!("the window does not open within {AHEAD} days"),
        |open| format!("the window opens {}", open.strftime("%a %Y-%m-%d %H:%M %Z")),
    );
    Some(finding(message).help(next))
}

fn is_open(window: &Window, now: &Zoned) -> bool {
    let (day, time) = (now.date(), now.time());
    !blacked_out(window, day)
        && (window.allow.is_empty() || window.allow.iter().any(|open| holds(open, day, time)))
}

/// Says whether a time of day lies between `from` and `to`, perhaps of the day before.
fn holds(open: &OpenTime, day: Date, time: Time) -> bool {
    let (Some(from), Some(to)) = (clock(&open.from), clock(&open.to)) else { return false };
    let on =
        |day: Date| open.days.is_empty() || open.days.iter().any(|known| weekday(*known) == day.weekday());
    if from < to {
        return on(day) && from <= time && time < to;
    }
    let yesterday = day.yesterday().is_ok_and(on);
    (on(day) && from <= time) || (yesterday && time < to)
}

fn blacked_out(window: &Window, day: Date) -> bool {
    window.blackout.iter().filter_map(|range| days(range)).any(|(first, last)| first <= day && day <= last)
}

/// The next time the window opens.
fn opening(window: &Window, now: &Zoned, zone: &TimeZone) -> Option<Zoned> {
    let mut starts: Vec<Time> = window.allow.iter().filter_map(|open| clock(&open.from)).collect();
    // A blackout ends at midnight, perhaps within a night that is open.
    starts.push(Time::midnight());
    starts.sort_unstable();
    (0..AHEAD).find_map(|ahead| {
        let day = now.date().checked_add(ahead.days()).ok()?;
        let at = |time: &Time| day.to_datetime(*time).to_zoned(zone.clone()).ok();
        starts.iter().filter_map(at).find(|start| start > now && is_open(window, start))
    })
}

fn clock(text: &str) -> Option<Time> {
    Time::strptime("%H:%M", text).ok()
}

fn days(range: &str) -> Option<(Date, Date)> {
    let (first, last) = range.split_once('/')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

const fn weekday(day: Day) -> Weekday {
    match day {
        Day::Mon => Weekday::Monday,
        Day::Tue => Weekday::Tuesday,
        Day::Wed => Weekday::Wednesday,
        Day::Thu => Weekday::Thursday,
        Day::Fri => Weekday::Friday,
        Day::Sat => Weekday::Saturday,
        Day::Sun => Weekday::Sunday,
    }
}
