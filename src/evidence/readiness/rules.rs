//! The rules: what each fact makes of a service, in words, with the command that helps.

use super::facts::{Definition, Facts, MadeReal, OpenFinding, OpenRun};
use super::{Readiness, Reason};
use crate::engine::schedule::{Last, Refusal, ScheduleRecord};
use crate::evidence::{Exercise, first_line};
use crate::model::drill::DrillLevel;
use crate::model::run::{Intent, RunStatus, Verdict};
use crate::model::time::{Duration, Timestamp};

/// Red checks that are named; the others are counted.
const NAMED: usize = 3;

/// All reasons, in the order of the rules.
pub(super) fn reasons(facts: &Facts<'_>) -> Vec<Reason> {
    let mut reasons = definition(facts);
    reasons.extend(facts.open.iter().filter_map(open));
    // Before the quarantine that came of it, whose command is no help then.
    reasons.extend(facts.made_real.and_then(|drill| made_real(facts, drill)));
    reasons.extend(facts.quarantined.iter().map(|(site, run)| {
        let text = format!("{site} is quarantined since {run} left it: the service cannot go there");
        Reason::of("quarantined", Readiness::ActionRequired, text)
            .help(format!("drctl service set {} --reprotected {site} --reason \"…\"", facts.service))
    }));
    reasons.extend(facts.unreadable.iter().map(|(run, why)| {
        Reason::of("unreadable", Readiness::ActionRequired, format!("{run} cannot be read: {why}"))
            .help(format!("drctl runs verify {run}"))
    }));
    reasons.extend(last(facts));
    reasons.extend(check(facts));
    reasons.extend(facts.findings.iter().filter(|finding| finding.overdue > 0).map(overdue));
    reasons.extend(shown(facts));
    reasons.extend(facts.schedule.and_then(|schedule| scheduled(facts, schedule)));
    reasons.extend(facts.demands.iter().map(|demand| {
        let text = format!("the policy is not kept: {demand}");
        Reason::of("policy", Readiness::NeedsDrill, text).help(drill(facts))
    }));
    reasons
}

impl Reason {
    fn of(code: &'static str, makes: Readiness, text: impl Into<String>) -> Self {
        Self { code, makes, text: text.into(), command: None, waits: false }
    }

    fn help(self, command: impl Into<String>) -> Self {
        Self { command: Some(command.into()), ..self }
    }
}

fn definition(facts: &Facts<'_>) -> Vec<Reason> {
    match &facts.definition {
        Definition::Sound { .. } => Vec::new(),
        Definition::Broken { path } => vec![
            Reason::of("does_not_compile", Readiness::ActionRequired, "the runbook does not compile")
                .help(format!("drctl validate {path}")),
        ],
        Definition::Twice { paths } => {
            let text = format!("several runbooks are about it: {}", paths.join(", "));
            vec![Reason::of("defined_twice", Readiness::ActionRequired, text)]
        }
    }
}

fn open(run: &OpenRun) -> Option<Reason> {
    if run.intent == Intent::Check {
        return None;
    }
    let id = &run.run;
    let name = if run.intent == Intent::Drill { "the drill" } else { "the run" };
    let cause = run.cause.as_ref().map_or_else(String::new, |cause| format!(": {cause}"));
    let (code, makes, text, command) = match run.status {
        RunStatus::AwaitingAttestation => (
            "awaiting_attestation",
            Readiness::NeedsVerification,
            format!("{name} {id} waits for somebody to say whether it has passed"),
            Some(format!("drctl drill attest {id} --pass")),
        ),
        RunStatus::CleanupIncomplete => (
            "cleanup_incomplete",
            Readiness::ActionRequired,
            format!("{name} {id} is not cleaned up{cause}"),
            Some(format!("drctl drill cleanup {id}")),
        ),
        status if status.needs_person() => (
            "needs_person",
            Readiness::ActionRequired,
            format!("{name} {id} is {}{cause}", words(status.as_str())),
            run.command.clone().or_else(|| Some(format!("drctl runs show {id}"))),
        ),
        status if !run.driven => (
            "no_driver",
            Readiness::ActionRequired,
            format!("{name} {id} is {}, but nobody drives it", words(status.as_str())),
            Some(format!("drctl resume {id}")),
        ),
        status => {
            let text = format!("{name} {id} is {}", words(status.as_str()));
            let command = Some(format!("drctl runs watch {id}"));
            return Some(Reason { command, ..Reason::of("under_way", Readiness::Ready, text) });
        }
    };
    Some(Reason { command, waits: true, ..Reason::of(code, makes, text) })
}

/// What the newest run means that did not succeed.
fn last(facts: &Facts<'_>) -> Option<Reason> {
    let last = facts.last.filter(|last| !last.succeeded())?;
    let (run, status) = (&last.run, words(last.status.as_str()));
    let ago = ago(last.ended_at, facts.now);
    let cause = last.cause.as_ref().map_or_else(String::new, |cause| format!(": {cause}"));
    let report = format!("drctl runs report {run}");
    if let Some(guard) = &last.red_guard {
        let text = format!("the last drill, {run} {ago}, was not begun: {guard}");
        return Some(Reason::of("drill_not_begun", Readiness::NeedsDrill, text).help(drill(facts)));
    }
    let drilled = last.intent == Intent::Drill;
    Some(match (drilled, last.status) {
        (true, RunStatus::Failed) => {
            let text = format!("the last drill, {run} {ago}, has failed{cause}");
            Reason::of("drill_failed", Readiness::ActionRequired, text).help(report)
        }
        (true, _) if last.promoted => return None,
        (true, _) => {
            let text = format!("the last drill, {run} {ago}, was {status} and showed nothing{cause}");
            Reason::of("drill_cut", Readiness::NeedsVerification, text).help(drill(facts))
        }
        (false, RunStatus::Unwound) => {
            let text = format!("the last real run, {run} {ago}, was taken back{cause}");
            Reason::of("run_unwound", Readiness::NeedsVerification, text).help(report)
        }
        (false, _) => {
            let between = last.left_between.as_ref().map_or_else(String::new, |step| {
                format!("; `{step}` was or may have been done, and the users were not moved")
            });
            let text = format!("the last real run, {run} {ago}, {status}{cause}{between}");
            Reason::of("run_failed", Readiness::ActionRequired, text).help(report)
        }
    })
}

/// What stands for a real run that never came, until another exercise has shown where things are.
fn made_real(facts: &Facts<'_>, drill: &MadeReal) -> Option<Reason> {
    if facts.shown.is_some_and(|shown| shown.ended_at > drill.at) {
        return None;
    }
    let (run, ago) = (&drill.run, ago(drill.at, facts.now));
    let what = match drill.stands.as_slice() {
        [] => "it has moved the service".to_owned(),
        [one] => format!("its {one} still stands"),
        steps => format!("its {} still stand", steps.join(", ")),
    };
    let text = format!("the drill {run} was made real {ago}, and no real run has gone on from it: {what}");
    let help = format!("drctl {} {} --reason \"…\"", drill.operation, facts.service);
    Some(Reason::of("made_real_without_run", Readiness::ActionRequired, text).help(help))
}

/// A red check counts until the next one, or until the recovery was shown after it.
fn check(facts: &Facts<'_>) -> Option<Reason> {
    let check = facts.check.filter(|check| !check.red.is_empty())?;
    if facts.shown.is_some_and(|shown| shown.ended_at > check.at) {
        return None;
    }
    let mut red: Vec<&str> = check.red.iter().map(String::as_str).take(NAMED).collect();
    let more = format!("{} more", check.red.len().saturating_sub(NAMED));
    if check.red.len() > NAMED {
        red.push(&more);
    }
    let text = format!("the last check, {}, was red: {}", ago(check.at, facts.now), red.join("; "));
    let help = format!("drctl check {}", facts.service);
    Some(Reason::of("check_red", Readiness::ActionRequired, text).help(help))
}

fn overdue(finding: &OpenFinding) -> Reason {
    let OpenFinding { run, id, text, owner, overdue } = finding;
    let (text, owner) = (first_line(text), first_line(owner));
    let days = if *overdue == 1 { "day" } else { "days" };
    let text = format!("finding {id} of {run} is {overdue} {days} overdue ({owner}): {text}");
    Reason::of("finding_overdue", Readiness::ActionRequired, text)
        .help(format!("drctl runs finding close {run} {id} --reason \"…\""))
}

/// What the last recovery that was shown is worth today.
fn shown(facts: &Facts<'_>) -> Vec<Reason> {
    let Definition::Sound { digest, freshness, .. } = &facts.definition else { return Vec::new() };
    let Some(shown) = facts.shown else { return vec![never(facts)] };
    let (run, what) = (&shown.run, name(shown));
    let age = facts.now.since(shown.ended_at);
    let mut reasons = Vec::new();
    let add = |code, makes, text: String| Reason::of(code, makes, text).help(drill(facts));
    if age > *freshness {
        let text = format!("{what} was {} ago, which is more than {}", days(age), days(*freshness));
        reasons.push(add("stale", Readiness::NeedsDrill, text));
    }
    if shown.digest != *digest {
        let text = format!("the runbook has changed since {what} {}", ago(shown.ended_at, facts.now));
        reasons.push(add("runbook_changed", Readiness::NeedsVerification, text));
    }
    if let Some(doubt) = &shown.doubted {
        let command = Some(format!("drctl runs report {run}"));
        let text = format!("{what} does not count: {doubt}");
        reasons.push(Reason { command, ..Reason::of("attested_failed", Readiness::ActionRequired, text) });
    } else if !shown.validated {
        let text = format!("{what} passed no validation: it has no recovery time");
        reasons.push(add("not_validated", Readiness::NeedsVerification, text));
    }
    if let Some(why) = &shown.not_clean {
        let text = format!("{what} did not succeed by itself: {why}");
        let command = Some(format!("drctl runs report {run}"));
        reasons.push(Reason { command, ..Reason::of("not_clean", Readiness::NeedsVerification, text) });
    }
    reasons.extend(measured(shown, &what));
    reasons.extend(elsewhere(facts, shown, &what));
    reasons
}

/// Whether what was shown is the move that a failover would make now. While a site is quarantined that is the
/// graver thing to say.
fn elsewhere(facts: &Facts<'_>, shown: &Exercise, what: &str) -> Option<Reason> {
    if !facts.quarantined.is_empty() {
        return None;
    }
    if let (Some(from), Some(active)) = (&shown.from, facts.active)
        && from != active
    {
        let text =
            format!("{what} left {from}; the service is in {active}, and no move from there was shown");
        return Some(Reason::of("other_direction", Readiness::NeedsDrill, text).help(drill(facts)));
    }
    match (facts.target?, &shown.to) {
        (Err(why), _) => {
            let text = format!("a failover cannot be planned without saying more: {why}");
            let help = format!("drctl plan {} --operation failover", facts.service);
            Some(Reason::of("no_route", Readiness::NeedsVerification, text).help(help))
        }
        (Ok(target), Some(to)) if target != to => {
            let text = format!("{what} went to {to}; a failover would go to {target}, which was not shown");
            Some(Reason::of("other_target", Readiness::NeedsDrill, text).help(drill(facts)))
        }
        (Ok(_), Some(_) | None) => None,
    }
}

/// What a schedule did not do that it was there for, until something better is shown.
fn scheduled(facts: &Facts<'_>, schedule: &ScheduleRecord) -> Option<Reason> {
    let help = "drctl schedule list";
    if let Some(ahead) = schedule.ahead.and(schedule.decided_ahead(facts.now)) {
        let text = format!(
            "drills were scheduled up to {ahead} by a clock that was ahead, or that of this machine is behind"
        );
        return Some(Reason::of("schedule_clock", Readiness::NeedsVerification, text).help(help));
    }
    let Some(Last::Refused { fire, reason, detail, in_a_row }) = &schedule.last else { return None };
    match reason {
        Refusal::GuardRed | Refusal::Policy | Refusal::Missed | Refusal::NotStarted | Refusal::Overlap => {}
        Refusal::Blackout | Refusal::Stopped | Refusal::RealRunInProgress => return None,
    }
    if facts.shown.is_some_and(|shown| shown.ended_at > *fire) {
        return None;
    }
    let times = if *in_a_row > 1 { format!(", the last of {in_a_row} in a row") } else { String::new() };
    let detail = first_line(detail);
    let text = format!("the scheduled drill of {fire} did not take place ({reason}{times}): {detail}");
    Some(Reason::of("schedule_refused", Readiness::NeedsDrill, text).help(help))
}

fn measured(shown: &Exercise, what: &str) -> Option<Reason> {
    let report = format!("drctl runs report {}", shown.run);
    match shown.verdict {
        Verdict::Partial => {
            let missing = match (shown.recovery_time, shown.data_loss) {
                (None, _) => "its recovery time was not measured",
                (_, None) => "its data loss was not measured",
                _ => "not all was measured",
            };
            let text = format!("{what} is only partial: {missing}");
            Some(Reason::of("partial", Readiness::NeedsVerification, text).help(report))
        }
        Verdict::Missed => {
            let text = format!("{what} missed an objective");
            Some(Reason::of("objective_missed", Readiness::ActionRequired, text).help(report))
        }
        Verdict::Met | Verdict::NotMeasured | Verdict::NotValidated => None,
    }
}

fn never(facts: &Facts<'_>) -> Reason {
    let reason = if let Some(run) = facts.pruned {
        let text =
            format!("the last exercise, {run}, was pruned from the journal: nobody can say what it showed");
        Reason::of("pruned", Readiness::NeedsVerification, text)
    } else if let Some(run) = facts.hollow {
        let text = format!(
            "the last exercise, {run}, performed no step: everything was left out, and nothing shown"
        );
        Reason::of("showed_nothing", Readiness::NeedsDrill, text)
    } else {
        let text = "no failover, switchover or drill of one has ever succeeded";
        Reason::of("never_exercised", Readiness::NeedsDrill, text)
    };
    reason.help(drill(facts))
}

/// The drill that helps.
fn drill(facts: &Facts<'_>) -> String {
    let (said, bounded) = match &facts.definition {
        Definition::Sound { level, bounded, .. } => (*level, *bounded),
        Definition::Broken { .. } | Definition::Twice { .. } => (None, true),
    };
    let level = match said {
        Some(level @ (DrillLevel::Isolated | DrillLevel::Live)) => level,
        // A drill of that level would be refused: this says what to write first.
        Some(DrillLevel::Check | DrillLevel::Simulate) | None if !bounded => {
            return "drctl explain DR0603".to_owned();
        }
        Some(DrillLevel::Check | DrillLevel::Simulate) | None => DrillLevel::Isolated,
    };
    format!("drctl drill {} --level {level} --reason \"…\"", facts.service)
}

/// What a run is called in a sentence.
fn name(exercise: &Exercise) -> String {
    let run = &exercise.run;
    match (exercise.intent, exercise.level) {
        (Intent::Drill, Some(level)) => format!("the {level} drill {run}"),
        (Intent::Drill, None) => format!("the drill {run}"),
        (Intent::Real | Intent::Check | Intent::Simulate, _) => format!("the {} {run}", exercise.operation),
    }
}

fn words(word: &str) -> String {
    word.replace('_', " ")
}

fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", age(at, now))
}

/// How old something is, in the one unit that matters.
#[must_use]
pub fn age(at: Timestamp, now: Timestamp) -> String {
    days(now.since(at))
}

/// A duration as people say it: whole days above two of them, else hours, minutes or seconds.
fn days(duration: Duration) -> String {
    let seconds = duration.as_millis() / 1_000;
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}
