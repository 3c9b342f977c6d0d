//! When a drill is to run: what cannot be read, and what would never run. Runs nothing itself.

use jiff::civil::Date;

use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::compile::schema::Gaps;
use crate::compile::suggest;
use crate::model::runbook::{Runbook, Schedule};
use crate::model::schedule::{InvalidCron, Problem, Timetable};

const SCHEDULE: &str = "/drill/schedule";

pub(super) fn check(runbook: &Runbook, gaps: &Gaps, today: Date, reporter: &mut Reporter<'_>) {
    let schedule = runbook.drill.as_ref().and_then(|drill| drill.schedule.as_ref());
    let Some(schedule) = schedule.filter(|_| !gaps.touches(SCHEDULE)) else { return };
    let problems = match Timetable::new(runbook.metadata.name.as_str(), schedule) {
        Ok(timetable) => timetable.problems(today),
        Err(problems) => problems,
    };
    for problem in problems {
        report(&problem, schedule, reporter);
    }
}

fn report(problem: &Problem, schedule: &Schedule, reporter: &mut Reporter<'_>) {
    let cron = format!("{SCHEDULE}/cron");
    match problem {
        Problem::Cron(InvalidCron { at, message, help, both_days }) => {
            let code = if *both_days { Code::BothDays } else { Code::BrokenCron };
            reporter.within(code, &cron, &schedule.cron, *at, message.as_str()).help(help.as_str());
        }
        Problem::Zone(name) => {
            let shown: String = name.chars().take(40).collect();
            let message = format!("there is no time zone `{shown}`");
            let zones = jiff::tz::TimeZoneDatabase::bundled();
            let known: Vec<String> = zones.available().map(|zone| zone.as_str().to_owned()).collect();
            let nearest = || suggest::nearest(&shown, known.iter().map(String::as_str));
            let help = match town(&shown, &known).or_else(nearest) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write it like Europe/Berlin or UTC".to_owned(),
            };
            reporter.value(Code::UnknownZone, &format!("{SCHEDULE}/timezone"), message).help(help);
        }
        Problem::Blackout(at, error) => {
            let pointer = format!("{SCHEDULE}/blackout/{at}");
            let help = "write it like 2026-12-20/2027-01-05, 2026-12-24, Mon-Fri 08:00-18:00, Sat,Sun or 22:00-06:00";
            reporter.value(Code::BrokenBlackout, &pointer, error.to_string()).help(help);
        }
        Problem::NeverFires => {
            let message = format!("`{}` names no day that ever comes", schedule.cron);
            reporter
                .value(Code::NeverFires, &cron, message)
                .help("`drctl schedule next` shows when it fires");
        }
        Problem::AlwaysBlackout => {
            let message = format!("every fire of `{}` lies in a blackout", schedule.cron);
            let help = "leave a time open, or move the schedule";
            reporter.key(Code::AlwaysBlackout, &format!("{SCHEDULE}/blackout"), message).help(help);
        }
        Problem::Jitter(apart) => {
            let jitter = schedule.jitter.unwrap_or_default();
            let message =
                format!("a delay of up to {jitter} reaches the next fire: two may be {apart} apart");
            let help = format!("keep it well below {apart}");
            reporter.value(Code::JitterTooLong, &format!("{SCHEDULE}/jitter"), message).help(help);
        }
    }
}

/// A zone that is called after a town.
fn town<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let of = |zone: &&String| zone.rsplit('/').next().is_some_and(|town| town.eq_ignore_ascii_case(name));
    known.iter().find(of).map(String::as_str)
}
