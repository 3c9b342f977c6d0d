//! `DR07xx`: objectives that this runbook cannot meet, or cannot show to be met. Works with estimates only.

use serde_json::{Map, Value};

use super::call;
use super::scene::Scene;
use super::thing::thing;
use crate::compile::diagnostic::Code;
use crate::compile::graph::Graph;
use crate::compile::outline::{Entry, Outline};
use crate::compile::reporter::Reporter;
use crate::model::action::{ActionName, ApiHome, Role};
use crate::model::run::Phase;
use crate::model::runbook::{Runbook, Strategy};
use crate::model::step::{ForEach, Step, Variant};
use crate::model::time::Duration;

/// Checks the readings of the recovery point.
pub(super) fn blocks(runbook: &Runbook, scenes: &[Scene<'_>], reporter: &mut Reporter<'_>) {
    for (at, reading) in runbook.recovery_point.iter().enumerate() {
        let pointer = format!("/recovery_point/{at}");
        for scene in scenes {
            let with = scene.render(&reading.with, None);
            let region = match reading.uses.spec().home {
                ApiHome::Parameter(key) => with.get(key).and_then(Value::as_str),
                ApiHome::Region(region) => Some(region),
                ApiHome::Local => None,
            };
            let asks = |key: &&str| {
                let text = reading.with.get(*key).and_then(Value::as_str);
                text.is_some_and(|text| scene.leads_there(text, None))
            };
            let gone = region.is_some() && region == scene.region;
            let address = ["connection", "standby"].into_iter().find(asks);
            if !gone && address.is_none() {
                continue;
            }
            let message = format!("how much data is lost cannot be read once `{}` is gone", scene.lost);
            let key = address.map_or_else(|| "uses".to_owned(), |key| format!("with/{key}"));
            reporter
                .value(Code::ReadingAsksLostSite, &format!("{pointer}/{key}"), message)
                .help("read it in the site recovered into");
            break;
        }
    }
}

/// Checks the failover against the objectives.
pub(super) fn workflow(
    runbook: &Runbook,
    (scenes, follow): (&[Scene<'_>], Option<&(Duration, String)>),
    outline: &Outline<'_>,
    graph: &Graph,
    reporter: &mut Reporter<'_>,
) {
    recovery_time(runbook, (scenes, follow), outline, graph, reporter);
    data_loss(runbook, outline, reporter);
    elsewhere(runbook, scenes, outline, reporter);
}

/// A reading of a database that nobody promotes tells nothing about the one that is.
fn elsewhere(runbook: &Runbook, scenes: &[Scene<'_>], outline: &Outline<'_>, reporter: &mut Reporter<'_>) {
    // One that asks the lost site is told so.
    if reporter.has_any(Code::ReadingAsksLostSite) {
        return;
    }
    // The same server may be reached by several ports.
    let host = |thing: String| thing.rsplit_once(':').map_or(thing.clone(), |(host, _)| host.to_owned());
    let family = |thing: &str| thing.split(' ').next().unwrap_or_default().to_owned();
    for (at, reading) in runbook.recovery_point.iter().enumerate() {
        for scene in scenes {
            let Some(read) = thing(reading.uses, &scene.render(&reading.with, None)).map(host) else {
                continue;
            };
            let promoted = outline.leaves().filter(|(_, entry)| entry.role() == Role::Promote);
            let promoted = promoted.map(|(_, entry)| {
                let items = scene.items(entry.step.for_each.as_ref());
                let each = items.iter().map(|item| scene.render(&entry.step.with, item.as_ref()));
                each.map(|with| thing(entry.step.uses?, &with).map(host)).collect::<Option<Vec<_>>>()
            });
            // Where one of them cannot be told, it may well be the one that is read.
            let Some(promoted) = promoted.collect::<Option<Vec<_>>>().map(|all| all.concat()) else {
                continue;
            };
            let of_family: Vec<_> = promoted.iter().filter(|it| family(it) == family(&read)).collect();
            let Some(first) = of_family.first().filter(|_| !promoted.contains(&read)) else { continue };
            let name = |thing: &str| thing.split_once(' ').map_or(thing, |(_, name)| name).to_owned();
            let message = format!(
                "how much data is lost is read from `{}`, but the recovery promotes `{}`",
                name(&read),
                name(first)
            );
            reporter
                .value(Code::ReadingElsewhere, &format!("/recovery_point/{at}/with"), message)
                .help("read it from the database that is promoted in the site recovered into");
            break;
        }
    }
}

fn recovery_time(
    runbook: &Runbook,
    (scenes, follow): (&[Scene<'_>], Option<&(Duration, String)>),
    outline: &Outline<'_>,
    graph: &Graph,
    reporter: &mut Reporter<'_>,
) {
    let Some(rto) = runbook.objectives.rto else { return };
    let skipped = |index: usize| {
        !scenes.is_empty() && scenes.iter().all(|scene| call::is_left_out(outline, index, scene))
    };
    let own: Vec<Duration> = (outline.entries.iter().enumerate())
        .map(|(index, entry)| if skipped(index) { Duration::ZERO } else { estimate(entry) })
        .collect();
    let total = graph.longest(&own);
    if total > rto {
        let slowest = (outline.entries.iter().zip(&own)).max_by_key(|(_, time)| **time);
        let (id, time) = slowest.map_or(("", Duration::ZERO), |(entry, time)| (entry.id(), *time));
        let message = format!("the steps take {total} by their estimates, more than the RTO of {rto}");
        reporter
            .value(Code::BeyondRto, "/objectives/rto", message)
            .help(format!("`{id}` takes the longest, {time}; `drctl plan` shows the critical path"));
        return;
    }
    if let Some((time, pointer)) = follow
        && total.plus(*time) > rto
    {
        let message = format!(
            "users follow only {time} later (health checks and TTL): with {total} for the steps that is beyond the \
             RTO of {rto}"
        );
        reporter
            .value(Code::TtlBeyondRto, pointer, message)
            .help("lower the TTL and the health checks' interval or threshold long before the bad day");
        return;
    }
    let ttl = outline
        .leaves()
        .filter_map(|(index, entry)| Some((longest_ttl(entry.step)?, index, entry)))
        .max_by_key(|found| found.0);
    if let Some((ttl, index, entry)) = ttl
        && total.plus(ttl) > rto
    {
        let message = format!(
            "users follow `{}` only {ttl} later (TTL): with {total} for the steps that is beyond the RTO of {rto}",
            entry.id()
        );
        let pointer = format!("{}/with", outline.pointer(index));
        let key = if entry.step.with.contains_key("ttl") { "ttl" } else { "changes" };
        reporter
            .value(Code::TtlBeyondRto, &format!("{pointer}/{key}"), message)
            .help("lower the TTL of the records long before the bad day");
    }
}

/// Time of one step in a failover without the source; what follows the recovery takes none of it.
fn estimate(entry: &Entry<'_>) -> Duration {
    let step = entry.step;
    let later = matches!(entry.phase, Some(Phase::Commit | Phase::Cleanup | Phase::Reprotect));
    let Some(action) = step.uses.filter(|_| !later) else { return Duration::ZERO };
    let action = match &step.ungraceful {
        Some(Variant::Skip) => return Duration::ZERO,
        Some(Variant::Other(other)) => other.uses.unwrap_or(action),
        Some(Variant::Run) | None => action,
    };
    let waits = (action == ActionName::WaitFor).then(|| duration(step.with.get("duration"))).flatten();
    let one = step.estimate.or(waits).unwrap_or(action.spec().estimate);
    let items = match &step.for_each {
        Some(ForEach::Items(items)) => items.len() as u64,
        Some(ForEach::Expression(_)) | None => 1,
    };
    let width = step.max_parallel.map_or(items, u64::from).max(1);
    Duration::from_millis(one.as_millis().saturating_mul(items.div_ceil(width).max(1)))
}

fn duration(value: Option<&Value>) -> Option<Duration> {
    value?.as_str()?.parse().ok()
}

fn longest_ttl(step: &Step) -> Option<Duration> {
    let ttl = |fields: &Map<String, Value>| duration(fields.get("ttl"));
    match step.uses? {
        ActionName::DnsUpdate | ActionName::GcpDnsChange | ActionName::AzureDnsSetRecord => ttl(&step.with),
        ActionName::AwsRoute53ChangeRecords => {
            let changes = step.with.get("changes")?.as_array()?;
            changes.iter().filter_map(Value::as_object).filter_map(ttl).max()
        }
        _ => None,
    }
}

fn data_loss(runbook: &Runbook, outline: &Outline<'_>, reporter: &mut Reporter<'_>) {
    let Some(rpo) = runbook.objectives.rpo else { return };
    let moves_data = outline.leaves().any(|(_, entry)| {
        entry.changes()
            && (entry.role() == Role::Promote || matches!(entry.phase, Some(Phase::Promote | Phase::Restore)))
    });
    if moves_data && runbook.recovery_point.is_empty() {
        let message = format!(
            "nothing reads how much data would be lost: an RPO of {rpo} can never be shown to be met"
        );
        reporter
            .value(Code::RpoUnmeasured, "/objectives/rpo", message)
            .help("add `recovery_point` with an action that reads it, such as `postgres.heartbeat`");
    }
    if runbook.strategy != Some(Strategy::BackupRestore) {
        return;
    }
    for (index, entry) in outline.leaves() {
        if let Some((key, age)) = oldest_backup(entry).filter(|(_, age)| *age > rpo) {
            let message =
                format!("`{}` is content with backups {age} old, more than the RPO of {rpo}", entry.id());
            let pointer = format!("{}/with/{key}", outline.pointer(index));
            reporter
                .value(Code::BackupsBeyondRpo, &pointer, message)
                .help("back up more often, or say honestly what may be lost");
        }
    }
}

/// The oldest backup a step is content with, where it says so.
fn oldest_backup(entry: &Entry<'_>) -> Option<(String, Duration)> {
    let with = &entry.step.with;
    match entry.step.uses? {
        ActionName::AwsBackupFindRecoveryPoint | ActionName::AwsBackupCheckCopies => {
            Some(("max_age".to_owned(), duration(with.get("max_age"))?))
        }
        ActionName::AwsBackupCheckPolicy => {
            let rules = with.get("rules")?.as_array()?;
            // The most frequent rule is the one that counts.
            let found = rules.iter().enumerate().filter_map(|(at, rule)| {
                let hours = match rule.get("period")?.as_str()? {
                    "daily" => 24,
                    "weekly" => 24 * 7,
                    "monthly" => 24 * 31,
                    _ => 24 * 366,
                };
                Some((Duration::from_secs(hours * 3_600), at))
            });
            let (age, at) = found.min()?;
            Some((format!("rules/{at}/period"), age))
        }
        _ => None,
    }
}
