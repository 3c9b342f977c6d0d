//! What stands red is decided: too early, refused, or a run. Each thing once.

use super::ASKED;
use super::event::{Calm, Refusal, TriggerEvent, Waiting};
use super::facts::{Answer, Answered, Facts, Step, Watch};
use super::record::{Red, TriggerRecord};
use crate::model::run::Intent;
use crate::model::time::Timestamp;
use crate::model::trigger::{HowToStart, Trigger};

/// What a decision of a trigger is about.
pub(super) struct Standing<'r> {
    /// Its name: of an incident, or of the first one of several.
    pub(super) episode: String,
    /// What is red.
    pub(super) reds: Vec<&'r Red>,
    /// How many signals are.
    pub(super) red: usize,
    /// Since when enough of them are.
    pub(super) since: Option<Timestamp>,
}

/// What a trigger has to decide about: each incident, or all signals together.
pub(super) fn standing<'r>(trigger: &Trigger, record: &'r TriggerRecord) -> Vec<Standing<'r>> {
    let own = || record.red.iter().filter(|red| red.trigger == trigger.name.as_str());
    if !trigger.is_quorum() {
        let one = |red: &'r Red| Standing {
            episode: red.episode(),
            reds: vec![red],
            red: 1,
            since: Some(red.since),
        };
        return own().map(one).collect();
    }
    let mut reds: Vec<&Red> = own().collect();
    reds.sort_by_key(|red| (red.since, red.episode()));
    let Some(first) = reds.first() else { return Vec::new() };
    let mut signals: Vec<(&str, Timestamp)> = Vec::new();
    for red in &reds {
        if !signals.iter().any(|(signal, _)| *signal == red.signal) {
            signals.push((&red.signal, red.since));
        }
    }
    // They are in order: enough of them are red since the last of the first few is.
    let since = signals.get(trigger.quorum().saturating_sub(1)).map(|(_, since)| *since);
    // What was decided stays decided while enough of them are red, whichever was the first.
    let decided = record.decided.get(trigger.name.as_str()).and_then(|decided| decided.first());
    let episode = decided.cloned().unwrap_or_else(|| first.episode());
    vec![Standing { episode, red: signals.len(), since, reds }]
}

/// What follows from the state of one trigger. Nothing: nothing does before the time returned.
pub(super) fn judge(
    watch: &Watch,
    trigger: &Trigger,
    record: &TriggerRecord,
    facts: &Facts,
) -> Result<Option<Timestamp>, Step> {
    let mut next: Option<Timestamp> = None;
    for standing in standing(trigger, record) {
        let decided = record.decided.get(trigger.name.as_str());
        if decided.is_some_and(|decided| decided.contains(&standing.episode)) {
            continue;
        }
        let due = standing.since.map(|since| since.plus(trigger.dwell()));
        match due {
            Some(due) if due <= facts.now => {
                return Err(decided_now(watch, trigger, record, facts, &standing));
            }
            due => {
                wait(trigger, record, &standing, due)?;
                next = [next, due].into_iter().flatten().min();
            }
        }
    }
    Ok(next)
}

/// Records once for what a trigger waits.
fn wait(
    trigger: &Trigger,
    record: &TriggerRecord,
    standing: &Standing<'_>,
    until: Option<Timestamp>,
) -> Result<(), Step> {
    let reason = if until.is_some() { Waiting::Dwell } else { Waiting::Quorum };
    let known = record.waiting.get(trigger.name.as_str()).and_then(|all| all.get(&standing.episode));
    if known == Some(&(reason, standing.red)) {
        return Ok(());
    }
    Err(Step::Record(vec![TriggerEvent::Waiting {
        trigger: trigger.name.to_string(),
        episode: standing.episode.clone(),
        reason,
        red: standing.red,
        of: trigger.quorum(),
        until,
    }]))
}

fn decided_now(
    watch: &Watch,
    trigger: &Trigger,
    record: &TriggerRecord,
    facts: &Facts,
    standing: &Standing<'_>,
) -> Step {
    let (name, episode) = (trigger.name.to_string(), standing.episode.clone());
    let refused = |reason: Refusal, detail: String| TriggerEvent::Refused {
        trigger: name.clone(),
        episode: episode.clone(),
        reason,
        detail,
    };
    if let Some((reason, detail)) = hindrance(trigger, record, facts) {
        return Step::Record(vec![refused(reason, detail)]);
    }
    let asked = asked(facts, standing);
    if !asked.missing.is_empty() {
        return Step::Ask(asked.missing);
    }
    if !asked.resolved.is_empty() {
        let green = asked.resolved.iter().map(|red| TriggerEvent::Green {
            webhook: red.webhook.clone(),
            incident: red.incident.clone(),
            why: Calm::FoundResolved,
            source: None,
        });
        let all = asked.resolved.len() == standing.reds.len();
        let refused =
            all.then(|| refused(Refusal::IncidentResolved, "the sender says that it is over".to_owned()));
        return Step::Record(refused.into_iter().chain(green).collect());
    }
    let unconfirmed = |red: &&&Red| red.old && !asked.open.contains(&&***red);
    if let Some(red) = standing.reds.iter().find(unconfirmed) {
        let detail = format!("{} was delivered long after it happened", red.incident);
        return Step::Record(vec![refused(Refusal::TooOld, detail)]);
    }
    let instead = instead(&asked, standing).filter(|_| trigger.how() == HowToStart::Immediate);
    let how = if instead.is_some() { HowToStart::Staged } else { trigger.how() };
    let is_shadow = trigger.shadow;
    let (trigger, episode) = (name.clone(), episode.clone());
    if is_shadow {
        let detail = match &instead {
            Some(why) => format!("staged, not started: {why}"),
            None => format!("{how}"),
        };
        return Step::Record(vec![TriggerEvent::WouldHave { trigger, episode, how, detail }]);
    }
    let key = format!("trigger/{}/{episode}", watch.service);
    Step::Record(vec![TriggerEvent::Fired { trigger, episode, key, how, instead }])
}

/// Why a run that would start by itself waits for a person instead.
fn instead(asked: &Asked<'_>, standing: &Standing<'_>) -> Option<String> {
    if let Some(answered) = asked.unknown.first() {
        let why = answered.why.as_deref().unwrap_or("it did not answer");
        return Some(format!("{} could not be asked about: {why}", answered.incident));
    }
    let old = standing.reds.iter().find(|red| red.old)?;
    Some(format!("{} was delivered long after it happened", old.incident))
}

/// What the senders said of the incidents.
struct Asked<'r> {
    missing: Vec<(String, String)>,
    open: Vec<&'r Red>,
    resolved: Vec<&'r Red>,
    unknown: Vec<&'r Answered>,
}

fn asked<'r>(facts: &'r Facts, standing: &Standing<'r>) -> Asked<'r> {
    let (missing, open) = (Vec::new(), Vec::new());
    let mut asked = Asked { missing, open, resolved: Vec::new(), unknown: Vec::new() };
    let can_be = |red: &&&Red| facts.hooks.get(&red.webhook).is_some_and(|hook| hook.asks);
    for red in standing.reds.iter().filter(can_be).take(ASKED) {
        let of = |it: &&Answered| it.webhook == red.webhook && it.incident == red.incident;
        match facts.answers.iter().find(of) {
            None => asked.missing.push((red.webhook.clone(), red.incident.clone())),
            Some(it) => match it.answer {
                Answer::Open => asked.open.push(red),
                Answer::Resolved => asked.resolved.push(red),
                Answer::Unknown => asked.unknown.push(it),
            },
        }
    }
    asked
}

/// What keeps a trigger from acting at all.
fn hindrance(trigger: &Trigger, record: &TriggerRecord, facts: &Facts) -> Option<(Refusal, String)> {
    if let Some(stopped) = &facts.stopped {
        return Some((Refusal::Stopped, stopped.clone()));
    }
    if let (Some(cooldown), Some(fired)) = (trigger.cooldown, record.fired.get(trigger.name.as_str()))
        && facts.now.since(*fired) < cooldown
    {
        let ago = facts.now.since(*fired);
        return Some((Refusal::Cooldown, format!("it fired {ago} ago; at least {cooldown} lie between two")));
    }
    let in_progress =
        facts.runs.iter().find(|line| line.intent == Intent::Real && !line.status.is_terminal())?;
    Some((Refusal::RunInProgress, format!("{} is {}", in_progress.run, in_progress.status)))
}
