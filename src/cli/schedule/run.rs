//! `drctl schedule run`: looks at every schedule once, starts what is due, follows it to its end. What the
//! system's cron or a timer calls every few minutes; several at once do no harm.

use std::fmt::Write;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;

use super::gone::{Gone, gone, say_gone};
use crate::app::launch::board::unscheduled::{self, Left};
use crate::app::launch::board::{Board, Entry, utc};
use crate::app::launch::schedule::Launcher;
use crate::app::launch::source::Broken;
use crate::cli::notices::Notices;
use crate::cli::output::Terminal;
use crate::cli::session::{self, Session};
use crate::cli::{Error, Format, Global, exit, output};
use crate::engine::schedule::{Refusal, ScheduleEvent};
use crate::model::drill::DrillLevel;
use crate::model::id::ServiceName;
use crate::model::run::{RunStatus, Verdict};
use crate::model::time::{Duration, Timestamp};
use crate::ports::Clock as _;
use crate::runtime::{Behind, Scheduled, Scheduler, Silent, SystemClock, Turn};

/// Codes from the gravest on: of several results the command ends with the first of these that there is.
const GRAVEST: [u8; 11] = [
    exit::DAMAGED,
    exit::UNREACHABLE,
    exit::BUG,
    exit::INVALID,
    exit::FAILED,
    exit::UNWOUND,
    exit::NEEDS_PERSON,
    exit::OBJECTIVE_MISSED,
    exit::REFUSED,
    exit::HELD,
    exit::USAGE,
];

/// Arguments of `schedule run`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// How far back missed fires are looked for.
    #[arg(long, value_name = "DURATION", default_value = "7d")]
    within: Duration,
    /// Only say what would be done; policy and guards are asked all the same.
    #[arg(long)]
    dry_run: bool,
    /// Pretend that it is this time.
    #[arg(long, value_name = "TIME", hide = true)]
    now: Option<Timestamp>,
}

/// What came of all of them.
#[derive(Debug, Serialize)]
struct Report {
    dry_run: bool,
    schedules: Vec<Line>,
    /// Services whose schedule was found to be taken out, which was recorded now.
    taken_out: Vec<ServiceName>,
    /// Services the journal knows a schedule of, and of which there is no runbook any more.
    gone: Vec<String>,
    /// There is no runbook at all.
    all_gone: bool,
    /// Drills that are not over, that nobody drives, and whose schedule is not there any more.
    left: Vec<Left>,
    broken: Vec<Broken>,
}

/// What came of one.
#[derive(Debug, Serialize)]
struct Line {
    service: String,
    #[serde(flatten)]
    what: What,
    recorded: Vec<ScheduleEvent>,
    next: Option<Timestamp>,
    #[serde(skip)]
    code: u8,
}

/// The last thing that came of a schedule.
#[derive(Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum What {
    /// Nothing is due; of an earlier drill that is not over, the run.
    NothingDue { open: Option<String> },
    /// Its drill would begin.
    WouldBegin { fire: Timestamp },
    /// Its drill is under way or waits for a person.
    UnderWay { fire: Option<Timestamp>, run: Option<String>, status: Option<String> },
    /// Its drill is over.
    Ended { fire: Timestamp, run: String, status: String, verdict: Option<Verdict> },
    /// The fire was refused.
    Refused { fire: Timestamp, reason: Refusal, detail: String },
    /// The clock is behind fires that were decided, if any were: it was ahead then, or is not set now.
    Clock { ahead: Option<Timestamp>, set_back: bool },
    /// Another version of the schedule is in force, that of `instead`: this one waits, at least until then.
    Behind { instead: String, place: Option<String>, until: Timestamp },
    /// It could not be looked at.
    Error { message: String },
}

/// Runs the command.
///
/// # Errors
/// When the configuration or the journal cannot be used.
pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let session = Arc::new(Session::open(global)?);
    let clock = arguments.now.map_or_else(SystemClock::real, |now| SystemClock::faster_from(now, 1));
    let board = Board::read(&session.config)?;
    let taken_out = if arguments.dry_run {
        Vec::new()
    } else {
        session::block_on(unscheduled::record(&session, &board, clock.now()))?
    };
    let left = session::block_on(unscheduled::left(&session, &board))?;
    let Board { entries, broken } = board;
    let mut wanted = Vec::new();
    let mut sources = std::collections::BTreeMap::new();
    for (service, Entry { source, scheduled }) in entries {
        let level = source.runbook.drill.as_ref().map(|drill| drill.level);
        wanted.push((scheduled, level == Some(DrillLevel::Check)));
        sources.insert(service, source);
    }
    let scheduler = Arc::new(Scheduler {
        journal: session.journal.clone(),
        clock: Arc::new(clock),
        launch: Arc::new(Launcher { session: Arc::clone(&session), follower: Arc::new(Silent), sources }),
        within: arguments.within,
    });
    let lines = session::block_on(async {
        let notices = if arguments.dry_run { Notices::default() } else { Notices::from_now(&session).await };
        let lines = look(&scheduler, wanted, arguments.dry_run).await;
        notices.end().await;
        lines
    })?;
    let Gone { services: gone, all: all_gone } = session::block_on(gone(&session, &session.config))?;
    let report =
        Report { dry_run: arguments.dry_run, schedules: lines, taken_out, gone, all_gone, left, broken };
    let board = Board { broken: report.broken.clone(), ..Board::default() };
    if global.output == Format::Text {
        board.say_broken(&Terminal);
        for service in &report.taken_out {
            output::say(&format!(
                "{service}: its schedule was taken out; once it is back it counts from then"
            ));
        }
        say_gone(&report.gone);
        if report.all_gone {
            let folders = session.config.runbooks.iter().map(|folder| session.config.shown(folder));
            let folders: Vec<_> = folders.map(|folder| folder.display().to_string()).collect();
            output::say(&format!(
                "\x1b[31merror\x1b[0m: no runbook at all is in {}: see that the folder is there, and that it is the right one",
                folders.join(", ")
            ));
        }
        say_left(&report.left);
    }
    output::print(global.output, &report, || render(&report))?;
    Ok(code(&report))
}

/// The gravest of all that came of it.
fn code(report: &Report) -> u8 {
    let mut codes: Vec<u8> = report.schedules.iter().map(|line| line.code).collect();
    if report.all_gone || !report.broken.is_empty() {
        codes.push(exit::INVALID);
    }
    if !report.left.is_empty() {
        codes.push(exit::NEEDS_PERSON);
    }
    GRAVEST.into_iter().find(|code| codes.contains(code)).unwrap_or(exit::SUCCESS)
}

fn say_left(left: &[Left]) {
    for Left { service, run, status } in left {
        output::say(&format!(
            "\x1b[31m{service}\x1b[0m: its drill {run} is {status}, nobody drives it, and its schedule is not there any more: \
             `drctl resume {run}` goes on with it and takes back what it has changed"
        ));
    }
}

/// Looks at all of them at once, those that only check marked so: a drill of hours must not keep another from
/// its time.
async fn look(
    scheduler: &Arc<Scheduler>,
    wanted: Vec<(Scheduled, bool)>,
    dry: bool,
) -> Result<Vec<Line>, Error> {
    let mut looks = JoinSet::new();
    for (schedule, only_checks) in wanted {
        let scheduler = Arc::clone(scheduler);
        looks.spawn(async move {
            let turn = if dry { scheduler.preview(&schedule).await } else { scheduler.turn(&schedule).await };
            line(&schedule.service, turn.map_err(Error::from), dry, only_checks)
        });
    }
    let mut lines = Vec::new();
    while let Some(joined) = looks.join_next().await {
        lines.push(joined.map_err(|error| Error::new(exit::BUG, error.to_string()))?);
    }
    lines.sort_by(|one, other| one.service.cmp(&other.service));
    Ok(lines)
}

fn line(service: &ServiceName, turn: Result<Turn, Error>, dry: bool, only_checks: bool) -> Line {
    let service = service.to_string();
    match turn {
        Err(Error { code, message, .. }) => {
            Line { service, what: What::Error { message }, recorded: Vec::new(), next: None, code }
        }
        Ok(turn) => {
            let (what, code) = what(&turn, dry, only_checks);
            Line { service, what, recorded: turn.recorded, next: turn.next, code }
        }
    }
}

fn what(turn: &Turn, dry: bool, only_checks: bool) -> (What, u8) {
    let told = turn.recorded.iter().rev().find_map(|event| match event {
        ScheduleEvent::Ended { fire, run, status, verdict } => {
            // Checks all run, whatever comes of one of them: that one failed is a warning, and not ready.
            let code = match status {
                RunStatus::SucceededWithWarnings if only_checks => exit::REFUSED,
                status => exit::of_status(*status, || verdict.unwrap_or(Verdict::NotMeasured)),
            };
            let (fire, run, status, verdict) = (*fire, run.to_string(), status.to_string(), *verdict);
            Some((What::Ended { fire, run, status, verdict }, code))
        }
        ScheduleEvent::Refused { fire, reason, detail, .. } => {
            let (fire, reason, detail) = (*fire, *reason, detail.clone());
            Some((What::Refused { fire, reason, detail }, code_of(reason)))
        }
        ScheduleEvent::Fired { .. }
        | ScheduleEvent::Seen { .. }
        | ScheduleEvent::Unseen { .. }
        | ScheduleEvent::SetBack { .. } => None,
    });
    let fire = turn.order.as_ref().map(|order| order.fire);
    match (told, fire) {
        // What was refused before the fire that is due is no answer to what became of that.
        (Some((What::Refused { fire: refused, .. }, _)), Some(fire)) if refused < fire => begun(turn, dry),
        (Some(told), _) => told,
        (None, Some(_)) => begun(turn, dry),
        // One that nobody scheduled and that is over now is told of by its own record.
        (None, None) if turn.gone_on.is_some() && (dry || turn.open.is_some()) => begun(turn, dry),
        (None, None) => {
            if let Some((ahead, set_back)) = clock(turn) {
                return (What::Clock { ahead, set_back }, exit::REFUSED);
            }
            if let Some(Behind { schedule: instead, place, until }) = turn.behind.clone() {
                let place = place.map(|place| format!("{}:{}", place.host, place.path));
                return (What::Behind { instead, place, until }, exit::SUCCESS);
            }
            let open = turn.open.as_ref().map(|line| line.run.to_string());
            (What::NothingDue { open }, exit::SUCCESS)
        }
    }
}

/// Up to when fires were decided that a wrong clock has not reached, and whether it decides from now on.
fn clock(turn: &Turn) -> Option<(Option<Timestamp>, bool)> {
    let set_back = turn.recorded.iter().find_map(|event| match event {
        ScheduleEvent::SetBack { ahead, .. } => Some((Some(*ahead), true)),
        ScheduleEvent::Seen { .. }
        | ScheduleEvent::Unseen { .. }
        | ScheduleEvent::Fired { .. }
        | ScheduleEvent::Refused { .. }
        | ScheduleEvent::Ended { .. } => None,
    });
    set_back.or(turn.unset.then_some((turn.ahead, false)))
}

/// A drill that this call has begun or gone on with, and that is not over.
fn begun(turn: &Turn, dry: bool) -> (What, u8) {
    let fire = turn.order.as_ref().map(|order| order.fire);
    if let Some(fire) = fire.filter(|_| dry) {
        return (What::WouldBegin { fire }, exit::SUCCESS);
    }
    let open = turn.open.as_ref();
    let run = open.map(|line| &line.run).or(turn.gone_on.as_ref()).map(ToString::to_string);
    let status = open.map(|line| line.status.to_string());
    // Where somebody else drives it, it is in good hands.
    let code = if dry || open.is_some_and(|line| line.driven) { exit::SUCCESS } else { exit::NEEDS_PERSON };
    (What::UnderWay { fire, run, status }, code)
}

/// What was asked for is no failure; what somebody should look at is.
const fn code_of(reason: Refusal) -> u8 {
    match reason {
        Refusal::Blackout | Refusal::Stopped => exit::SUCCESS,
        Refusal::GuardRed | Refusal::Policy | Refusal::Missed => exit::REFUSED,
        Refusal::Overlap | Refusal::RealRunInProgress => exit::HELD,
        Refusal::NotStarted => exit::INVALID,
    }
}

fn wrong_clock(ahead: Option<Timestamp>, set_back: bool) -> String {
    let decided = |by: &str| {
        ahead.map_or_else(String::new, |ahead| format!("drills up to {} were decided {by}; ", utc(ahead)))
    };
    if set_back {
        let decided = decided("by it");
        format!("\x1b[33mthe clock was ahead\x1b[0m: {decided}from now on they run by the clock as it is")
    } else {
        let decided = decided("before");
        format!("\x1b[31mthe clock is not set\x1b[0m: {decided}nothing runs until it is")
    }
}

fn render(report: &Report) -> String {
    if report.schedules.is_empty() {
        return "no runbook in the configured folders has a drill schedule".to_owned();
    }
    let mut text = String::new();
    for line in &report.schedules {
        let told = match &line.what {
            What::NothingDue { open } => {
                let next = line.next.map_or_else(|| "never".to_owned(), utc);
                let open = open.as_ref().map_or_else(String::new, |run| format!("; {run} is not over"));
                format!("nothing is due; next {next}{open}")
            }
            What::WouldBegin { fire } => format!("would begin the drill of {}", utc(*fire)),
            What::UnderWay { run, status, .. } => {
                let run = run.as_deref().unwrap_or("its drill");
                let status = status.as_deref().unwrap_or("not over");
                format!("{run} is {status}")
            }
            What::Ended { fire, run, status, verdict } => {
                let verdict = verdict.map_or_else(String::new, |verdict| format!(", objectives {verdict}"));
                format!("drill {run} of {}: {status}{verdict}", utc(*fire))
            }
            What::Refused { fire, reason, detail } => {
                format!("\x1b[33mrefused\x1b[0m ({reason}) the drill of {}: {detail}", utc(*fire))
            }
            What::Clock { ahead, set_back } => wrong_clock(*ahead, *set_back),
            What::Behind { instead, place, until } => {
                let place = place.as_ref().map_or_else(String::new, |place| format!(", seen at {place}"));
                let until = utc(*until);
                format!(
                    "\x1b[33mbehind\x1b[0m: a newer version of its schedule is in force ({instead}{place}); this one waits for \
                     it, or is set again from {until} on"
                )
            }
            What::Error { message } => format!("\x1b[31merror\x1b[0m: {message}"),
        };
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}: {told}", line.service);
    }
    text
}
