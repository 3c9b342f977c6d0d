//! What follows for a schedule from what is known now: nothing yet, a question, facts to record, or a drill
//! to start. Asked again after each of them, until nothing is left to do.

use super::event::{Refusal, ScheduleEvent};
use super::record::{Opened, ScheduleRecord};
use super::version::{Place, Version};
use super::{GRACE, MOST_DUE, is_unset};
use crate::model::id::RunId;
use crate::model::run::{Intent, RunStatus, Verdict};
use crate::model::schedule::{Fire, Missed, Timetable};
use crate::model::time::{Duration, Timestamp};

/// A run, as far as a schedule has to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// The run.
    pub run: RunId,
    /// Why it exists.
    pub intent: Intent,
    /// Where it stands.
    pub status: RunStatus,
    /// Its objectives against what was measured, once it is over.
    pub verdict: Option<Verdict>,
    /// Key it was started with.
    pub key: Option<String>,
    /// A process drives it now.
    pub driven: bool,
    /// A time has come at which it goes on without a person, such as the end of an approval.
    pub due: bool,
}

impl RunLine {
    /// Says whether a drill that nobody drives would go on by itself if somebody did.
    fn is_overdue(&self) -> bool {
        self.intent == Intent::Drill && self.due && !self.driven && !self.status.is_terminal()
    }
}

/// What policy and guards say to a fire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Why the policy does not let it begin.
    pub policy: Option<String>,
    /// Guards that are red, one line each.
    pub red: Vec<String>,
}

/// What is known when a schedule is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Where it is looked at.
    pub place: Place,
    /// The time.
    pub now: Timestamp,
    /// How far back missed fires are looked for.
    pub within: Duration,
    /// Who has halted all schedules, and why.
    pub stopped: Option<String>,
    /// Runs of the service that are not over, and the one of the fire that was let through last.
    pub runs: Vec<RunLine>,
    /// What policy and guards say, once they were asked about this fire.
    pub answers: Option<(Timestamp, Answers)>,
}

/// A drill that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The fire.
    pub fire: Timestamp,
    /// Key under which its run is started.
    pub key: String,
    /// It was missed, and runs late.
    pub late: bool,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing, until the next fire is due.
    Wait(Option<Timestamp>),
    /// Nothing: the clock is not set, for it is behind any possible time.
    Unset {
        /// Fires up to here were decided before, if any were.
        ahead: Option<Timestamp>,
    },
    /// Nothing: a newer version of the schedule is in force, and stays so at least until then.
    Behind {
        /// Until when.
        until: Timestamp,
    },
    /// Policy and guards must be asked about a fire.
    Ask(Order),
    /// These facts are recorded, and it is decided again.
    Record(Vec<ScheduleEvent>),
    /// The drill of the fire that was let through is started.
    Start(Order),
    /// The run of a fire is not over, and nobody drives it.
    GoOn(RunId),
}

/// Key of the run of a fire: the same for everybody who starts it.
#[must_use]
pub fn key(service: &str, fire: Timestamp) -> String {
    format!("schedule/{service}/{fire}")
}

/// Says what follows.
#[must_use]
pub fn decide(service: &str, table: &Timetable, record: &ScheduleRecord, facts: &Facts) -> Step {
    // First of all: what such a time decides or sets in force would be wrong once the clock is set.
    if is_unset(facts.now) {
        return Step::Unset { ahead: record.decided_ahead(facts.now) };
    }
    let schedule = table.summary();
    match record.version(&schedule, &facts.place, facts.now, passed(table, facts.now)) {
        Version::InForce => {}
        Version::Behind { until } => return behind(table, record, facts, until),
        Version::Sets { from } => {
            let place = Some(facts.place.clone());
            return Step::Record(vec![ScheduleEvent::Seen { schedule, from, place }]);
        }
    }
    if let Some(ahead) = record.settled.filter(|settled| *settled > facts.now.plus(GRACE)) {
        let from = facts.now.minus(GRACE.plus(table.jitter()));
        return Step::Record(vec![ScheduleEvent::SetBack { from, ahead }]);
    }
    match &record.opened {
        Some(opened) => of_opened(table, opened, facts, due(table, record, facts)),
        None => of_due(service, table, record, facts),
    }
}

/// The fires of this version are none of the schedule's now; what has begun is looked after all the same.
fn behind(table: &Timetable, record: &ScheduleRecord, facts: &Facts, until: Timestamp) -> Step {
    let step = match &record.opened {
        Some(opened) => of_opened(table, opened, facts, None),
        None => overdue(facts).unwrap_or(Step::Behind { until }),
    };
    match step {
        Step::Wait(_) => Step::Behind { until },
        step => step,
    }
}

/// A fire was let through. Its run is found by its key, so that a crash between the two is seen.
fn of_opened(table: &Timetable, opened: &Opened, facts: &Facts, due: Option<(Fire, u32)>) -> Step {
    let fire = opened.fire;
    let Some(line) = facts.runs.iter().find(|line| line.key.as_deref() == Some(&opened.key)) else {
        let order = Order { fire, key: opened.key.clone(), late: opened.late };
        return never_began(table, order, opened.at, facts);
    };
    if line.status.is_terminal() {
        let (run, status, verdict) = (line.run.clone(), line.status, line.verdict);
        return Step::Record(vec![ScheduleEvent::Ended { fire, run, status, verdict }]);
    }
    // Nobody was there when the time of what it waited for was up.
    if line.is_overdue() {
        return Step::GoOn(line.run.clone());
    }
    // Also one that only waits for a person: what it has not cleaned up would be in the way of the next.
    if let Some((due, count)) = due {
        let detail = format!("the drill {} is {}", line.run, line.status);
        return refused(due.at, Refusal::Overlap, detail, count);
    }
    if line.driven || line.status.needs_person() {
        return Step::Wait(next(table, facts.now));
    }
    Step::GoOn(line.run.clone())
}

/// Whoever let the fire through is gone before its run began, or is about to begin it. Both start it under
/// the same key, and it is one run.
fn never_began(table: &Timetable, order: Order, at: Timestamp, facts: &Facts) -> Step {
    let fire = order.fire;
    if facts.now.since(at) > GRACE {
        let detail = format!("it was let through at {at}, and its run never began");
        return refused(fire, Refusal::Missed, detail, 1);
    }
    match hindrance(table, facts.now, facts) {
        Some((reason, detail)) => refused(fire, reason, detail, 1),
        None => Step::Start(order),
    }
}

fn of_due(service: &str, table: &Timetable, record: &ScheduleRecord, facts: &Facts) -> Step {
    if let Some(step) = overdue(facts) {
        return step;
    }
    let Some((fire, count)) = due(table, record, facts) else {
        return Step::Wait(next(table, facts.now));
    };
    if count > 1 {
        // Only the newest is of use: the others are told of together.
        return earlier(table, record, facts, fire);
    }
    let lateness = facts.now.since(fire.begins);
    let late = lateness > GRACE;
    if late && table.missed() == Missed::Skip {
        let detail = format!("nobody looked for {lateness}; `missed: run_once` would run it now");
        return refused(fire.at, Refusal::Missed, detail, 1);
    }
    // One that is on time must be let through at its time as well as now.
    let begins = if late { facts.now } else { fire.begins };
    let hindered = hindrance(table, begins, facts).or_else(|| hindrance(table, facts.now, facts));
    if let Some((reason, detail)) = hindered {
        return refused(fire.at, reason, detail, 1);
    }
    let order = Order { fire: fire.at, key: key(service, fire.at), late };
    match &facts.answers {
        Some((asked, answers)) if *asked == fire.at => answered(order, facts, answers),
        Some(_) | None => Step::Ask(order),
    }
}

/// Goes on with a drill whose time has come and that nobody drives.
fn overdue(facts: &Facts) -> Option<Step> {
    let line = facts.runs.iter().find(|line| line.is_overdue())?;
    Some(Step::GoOn(line.run.clone()))
}

fn answered(order: Order, facts: &Facts, answers: &Answers) -> Step {
    if let Some(why) = &answers.policy {
        return refused(order.fire, Refusal::Policy, why.clone(), 1);
    }
    if !answers.red.is_empty() {
        return refused(order.fire, Refusal::GuardRed, answers.red.join("; "), 1);
    }
    let Order { fire, key, late } = order;
    let place = Some(facts.place.clone());
    Step::Record(vec![ScheduleEvent::Fired { fire, key, late, place }])
}

/// What keeps a drill from beginning at a time, but for policy and guards.
fn hindrance(table: &Timetable, at: Timestamp, facts: &Facts) -> Option<(Refusal, String)> {
    if let Some(stopped) = &facts.stopped {
        return Some((Refusal::Stopped, stopped.clone()));
    }
    if let Some(blackout) = table.blackout(at) {
        return Some((Refusal::Blackout, format!("{blackout} ({})", table.zone().name())));
    }
    let open = || facts.runs.iter().filter(|line| !line.status.is_terminal());
    let told = |line: &RunLine| format!("{} is {}", line.run, line.status);
    if let Some(line) = open().find(|line| line.intent == Intent::Real) {
        return Some((Refusal::RealRunInProgress, told(line)));
    }
    // A simulation or a check is in nobody's way, but for that of the schedule itself.
    let drill = |line: &&RunLine| line.intent == Intent::Drill;
    open().find(drill).map(|line| (Refusal::Overlap, told(line)))
}

/// The newest fire that is due and not decided, and how many there are.
fn due(table: &Timetable, record: &ScheduleRecord, facts: &Facts) -> Option<(Fire, u32)> {
    let all = all_due(table, record, facts);
    let last = *all.last()?;
    Some((last, u32::try_from(all.len()).unwrap_or(u32::MAX)))
}

fn all_due(table: &Timetable, record: &ScheduleRecord, facts: &Facts) -> Vec<Fire> {
    let back = facts.now.minus(facts.within.plus(table.jitter()));
    // What was decided by a clock that was ahead is not decided again once that time has come.
    let ahead = record.ahead.filter(|ahead| *ahead <= facts.now);
    let after = record.settled.max(ahead).map_or(back, |settled| settled.max(back));
    let is_due = |fire: &Fire| fire.begins <= facts.now;
    table.fires(after).take(MOST_DUE).take_while(is_due).collect()
}

/// The fires before the newest one.
fn earlier(table: &Timetable, record: &ScheduleRecord, facts: &Facts, newest: Fire) -> Step {
    let mut earlier = all_due(table, record, facts);
    earlier.retain(|fire| fire.at < newest.at);
    let last = earlier.last().map_or(newest.at, |fire| fire.at);
    let count = u32::try_from(earlier.len()).unwrap_or(u32::MAX);
    let detail = format!("nobody looked in time, and that of {} is due as well", newest.at);
    refused(last, Refusal::Missed, detail, count)
}

fn refused(fire: Timestamp, reason: Refusal, detail: String, count: u32) -> Step {
    Step::Record(vec![ScheduleEvent::Refused { fire, reason, detail, count }])
}

/// Up to where fires have begun too long ago to be on time. A delay may run for longer than that.
fn passed(table: &Timetable, now: Timestamp) -> Timestamp {
    let on_time = now.minus(GRACE);
    let from = on_time.minus(table.jitter());
    let begun = table.fires(from).take(MOST_DUE).take_while(|fire| fire.begins <= on_time);
    begun.last().map_or(from, |fire| fire.at)
}

/// When the next fire is due.
fn next(table: &Timetable, now: Timestamp) -> Option<Timestamp> {
    // The delay of a fire whose time has come may still run.
    table.fires(now.minus(table.jitter())).map(|fire| fire.begins).find(|begins| *begins > now)
}
