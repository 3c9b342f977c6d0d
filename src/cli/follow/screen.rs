//! The picture of a run on a terminal, as lines. Pure: the same run, time and width give the same picture.

use crate::engine::event::FenceResult;
use crate::engine::{IndexedPlan, RunState, clock};
use crate::evidence::needs_person;
use crate::model::run::{NodeStatus, RunStatus};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{CheckPurpose, NodeIndex, NodeKind};

/// Renders a run. `progress` gives the last line heard of a node; at most `height` lines come back.
#[must_use]
pub(crate) fn render(
    plan: &IndexedPlan,
    state: &RunState,
    progress: &dyn Fn(NodeIndex) -> Option<String>,
    now: Timestamp,
    size: (usize, usize),
) -> Vec<String> {
    let (width, height) = size;
    let mut lines = vec![head(state), clocks(plan, state, now)];
    let people: Vec<_> = needs_person(plan, state)
        .into_iter()
        .flat_map(|needed| {
            let step = needed.step.map_or_else(String::new, |step| format!("{step}: "));
            [format!("\x1b[1;33mneeds you\x1b[0m  {step}{}", needed.text), format!("  $ {}", needed.command)]
        })
        .collect();
    let room = height.saturating_sub(lines.len() + people.len() + 1).max(3);
    lines.extend(steps(plan, state, progress, now, room));
    lines.extend(people);
    lines.into_iter().map(|line| cut(&line, width)).collect()
}

fn head(state: &RunState) -> String {
    let created = &state.created;
    let from = created.from.as_ref().map_or("?", |site| site.as_str());
    let to = created.to.as_ref().map_or("others", |site| site.as_str());
    let colour = match state.status {
        RunStatus::Succeeded => "32",
        RunStatus::SucceededWithWarnings
        | RunStatus::Paused
        | RunStatus::AwaitingApproval
        | RunStatus::Staged => "33",
        RunStatus::Failed | RunStatus::Aborted | RunStatus::Stuck | RunStatus::Expired => "31",
        _ => "36",
    };
    let simulated = if created.intent == crate::model::run::Intent::Simulate { "  [simulated]" } else { "" };
    format!(
        "\x1b[1m{}\x1b[0m  {} {}  {from} → {to}  {}  \x1b[1;{colour}m{}\x1b[0m{simulated}",
        created.service, state.mode, created.operation, created.run, state.status
    )
}

fn clocks(plan: &IndexedPlan, state: &RunState, now: Timestamp) -> String {
    let whole = |duration: Duration| Duration::from_secs(duration.as_millis() / 1_000).to_string();
    let elapsed = state.elapsed(now);
    let rto = match plan.plan.objectives.rto {
        Some(objective) => {
            let forecast = match clock::forecast(plan, state, now) {
                Some((forecast, _)) if state.clock.healthy_at.is_none() => {
                    let colour = if forecast > objective { "31" } else { "32" };
                    format!("  forecast \x1b[{colour}m{}\x1b[0m", whole(forecast))
                }
                Some(_) | None => String::new(),
            };
            format!("RTO {} {} of {}{forecast}", bar(elapsed, objective), whole(elapsed), whole(objective))
        }
        None => format!("elapsed {}", whole(elapsed)),
    };
    let loss = clock::data_loss(plan, state).map_or_else(|| "?".to_owned(), |loss| loss.to_string());
    let rpo = plan.plan.objectives.rpo.map_or_else(String::new, |rpo| format!("   RPO {loss} of {rpo}"));
    let gate = match (plan.index.gate, state.clock.pnr_at) {
        (None, _) => "",
        (Some(_), None) => "   PNR ahead",
        (Some(_), Some(_)) => "   \x1b[31mPNR passed\x1b[0m",
    };
    format!("{rto}{rpo}{gate}")
}

fn bar(elapsed: Duration, objective: Duration) -> String {
    const CELLS: u64 = 16;
    let used = (elapsed.as_millis() * CELLS / objective.as_millis().max(1)).min(CELLS);
    let cells: String = (0..CELLS).map(|cell| if cell < used { '█' } else { '░' }).collect();
    let colour = if used >= CELLS {
        "31"
    } else if used * 4 >= CELLS * 3 {
        "33"
    } else {
        "32"
    };
    format!("\x1b[{colour}m{cells}\x1b[0m")
}

/// Steps as lines. Where there is not room for all, those that are over and those far ahead are counted,
/// not shown.
fn steps(
    plan: &IndexedPlan,
    state: &RunState,
    progress: &dyn Fn(NodeIndex) -> Option<String>,
    now: Timestamp,
    room: usize,
) -> Vec<String> {
    let shown: Vec<NodeIndex> = (0..)
        .zip(&plan.plan.nodes)
        .filter(|(_, node)| is_shown(&node.kind))
        .map(|(index, _)| index)
        .collect();
    let first_open =
        shown.iter().position(|index| !state.node(*index).status.is_settled()).unwrap_or(shown.len());
    let start =
        if shown.len() <= room { 0 } else { first_open.saturating_sub(room / 3).min(shown.len() - room) };
    let mut lines = Vec::new();
    if start > 0 {
        lines.push(format!("  \x1b[32m✓\x1b[0m {start} earlier steps"));
    }
    let end = (start + room).min(shown.len());
    lines.extend(
        shown.iter().take(end).skip(start).filter_map(|index| step(plan, state, *index, progress, now)),
    );
    if end < shown.len() {
        lines.push(format!("  · {} more steps", shown.len() - end));
    }
    lines
}

fn is_shown(kind: &NodeKind) -> bool {
    !matches!(
        kind,
        NodeKind::Check { purpose: CheckPurpose::Start | CheckPurpose::Ready, .. } | NodeKind::Group { .. }
    )
}

fn step(
    plan: &IndexedPlan,
    state: &RunState,
    index: NodeIndex,
    progress: &dyn Fn(NodeIndex) -> Option<String>,
    now: Timestamp,
) -> Option<String> {
    let node = plan.plan.nodes.get(index as usize)?;
    let it = state.node(index);
    let mark = match it.status {
        NodeStatus::Succeeded if matches!(it.fence, Some(FenceResult::Unconfirmed(_))) => "\x1b[33m!\x1b[0m",
        NodeStatus::Succeeded | NodeStatus::MarkedDone => "\x1b[32m✓\x1b[0m",
        NodeStatus::Running | NodeStatus::Ready => "\x1b[36m▸\x1b[0m",
        NodeStatus::Waiting | NodeStatus::Retrying => "\x1b[36m…\x1b[0m",
        NodeStatus::AwaitingApproval => "\x1b[1;33m?\x1b[0m",
        NodeStatus::InDoubt => "\x1b[1;33m~\x1b[0m",
        NodeStatus::Failed | NodeStatus::UndoFailed => "\x1b[31m✗\x1b[0m",
        NodeStatus::FailedIgnored | NodeStatus::TimedOut => "\x1b[33m✗\x1b[0m",
        NodeStatus::Skipped | NodeStatus::Cancelled => "-",
        NodeStatus::Undone => "↩",
        NodeStatus::Pending => "·",
    };
    let phase = node.phase.map_or("", crate::model::run::Phase::as_str);
    let detail = detail(state, index, progress, now, node.estimate);
    Some(format!("  {mark} {phase:<9} {:<34} {detail}", node.address.as_str()))
}

fn detail(
    state: &RunState,
    index: NodeIndex,
    progress: &dyn Fn(NodeIndex) -> Option<String>,
    now: Timestamp,
    estimate: Duration,
) -> String {
    let it = state.node(index);
    let took = |end: Timestamp| it.started_at.map_or_else(String::new, |start| short(end.since(start)));
    match it.status {
        NodeStatus::Pending => format!("\x1b[2m~{}\x1b[0m", short(estimate)),
        NodeStatus::Running | NodeStatus::Ready | NodeStatus::Waiting => {
            let line = progress(index).map_or_else(String::new, |line| format!("  {line}"));
            format!("{} of ~{}{line}", took(now), short(estimate))
        }
        NodeStatus::Succeeded => match &it.fence {
            Some(FenceResult::Unconfirmed(why)) => {
                format!("{}  \x1b[33mfence unconfirmed: {why}\x1b[0m", took(it.ended_at.unwrap_or(now)))
            }
            Some(FenceResult::Confirmed) | None => took(it.ended_at.unwrap_or(now)),
        },
        status => {
            let failure =
                it.failure.as_ref().map_or_else(String::new, |failure| format!("  {}", failure.message));
            format!("{}{failure}", status.as_str().replace('_', " "))
        }
    }
}

fn short(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1_000 => format!("{millis}ms"),
        millis => Duration::from_secs(millis / 1_000).to_string(),
    }
}

/// Cuts a line to a width, not counting escape sequences.
fn cut(line: &str, width: usize) -> String {
    let mut out = String::new();
    let (mut seen, mut escape) = (0, false);
    for letter in line.chars().map(|letter| if letter == '\n' { ' ' } else { letter }) {
        match (escape, letter) {
            (_, '\x1b') => escape = true,
            (true, 'm') => escape = false,
            (true, _) => {}
            (false, _) if seen >= width => continue,
            (false, _) => seen += 1,
        }
        out.push(letter);
    }
    out
}
