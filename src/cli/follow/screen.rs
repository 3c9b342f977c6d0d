//! The picture of a run on a terminal, as lines. Pure: the same run, time and width give the same picture.

use crate::cli::table::{cut, width as columns, wrap};
use crate::engine::event::FenceResult;
use crate::engine::{IndexedPlan, RunState, about_to, clock};
use crate::evidence::{first_line, needs_person};
use crate::model::run::{NodeStatus, RunStatus};
use crate::model::time::{Duration, Timestamp};
use crate::plan::{CheckPurpose, NodeIndex, NodeKind};

/// From this width on there is room for everything.
const WIDE: usize = 90;
/// Width of the column of names where there is room.
const ADDRESS: usize = 34;
/// Width of the longest state, `awaiting approval`.
const STATE: usize = 17;
/// Lines of what is asked of a person.
const TEXT_LINES: usize = 4;

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
    let mut lines = head(plan, state, width);
    lines.extend(clocks(plan, state, now, width));
    let people: Vec<_> = needs_person(plan, state)
        .into_iter()
        .flat_map(|needed| {
            let step = needed.step.map_or_else(String::new, |step| format!("{step}: "));
            let text = needed.text.lines().map(first_line).collect::<Vec<_>>().join(" ");
            let mut lines = wrap(&format!("\x1b[1;33mneeds you\x1b[0m  {step}{text}"), width, 11);
            lines.truncate(TEXT_LINES);
            lines.extend(typed(&needed.command, width));
            lines
        })
        .collect();
    let room = height.saturating_sub(lines.len() + people.len() + 1).max(3);
    lines.extend(steps(plan, state, progress, now, (width, room)));
    lines.extend(people);
    lines.into_iter().map(|line| cut(&line, width)).collect()
}

fn head(plan: &IndexedPlan, state: &RunState, width: usize) -> Vec<String> {
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
    let status = match state.status {
        RunStatus::Pausing => about_to(plan, state),
        status => status.to_string(),
    };
    let simulated = if created.intent == crate::model::run::Intent::Simulate { "  [simulated]" } else { "" };
    let status = format!("\x1b[1;{colour}m{}\x1b[0m{simulated}", first_line(&status));
    let name = format!("\x1b[1m{}\x1b[0m", created.service);
    let whole =
        format!("{name}  {} {}  {from} → {to}  {}  {status}", state.mode, created.operation, created.run);
    if columns(&whole) <= width {
        return vec![whole];
    }
    vec![
        format!("{name}  {} {}  {from} → {to}", state.mode, created.operation),
        format!("{}  {status}", created.run),
    ]
}

fn clocks(plan: &IndexedPlan, state: &RunState, now: Timestamp, width: usize) -> Vec<String> {
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
    let loss = match clock::data_loss(plan, state) {
        Some(loss) => loss.to_string(),
        None if clock::ended_unmoved(plan, state) => "none".to_owned(),
        None => "?".to_owned(),
    };
    let rpo = plan.plan.objectives.rpo.map(|rpo| format!("RPO {loss} of {rpo}"));
    let gate = match (plan.index.gate, state.clock.pnr_at) {
        (None, _) => None,
        (Some(_), None) => Some("PNR ahead".to_owned()),
        (Some(_), Some(_)) => Some("\x1b[31mPNR passed\x1b[0m".to_owned()),
    };
    let rest: Vec<_> = rpo.into_iter().chain(gate).collect();
    let rest = rest.join("   ");
    if rest.is_empty() {
        return vec![rto];
    }
    if columns(&rto) + 3 + columns(&rest) <= width {
        vec![format!("{rto}   {rest}")]
    } else {
        vec![rto, rest]
    }
}

/// A command over as many lines as it takes, each but the last ending in a backslash, so that it can be
/// copied and typed as it stands. Other ways stand below it.
fn typed(command: &str, width: usize) -> Vec<String> {
    let (command, others) =
        command.split_once("   (").map_or((command, None), |(best, more)| (best, Some(more)));
    let mut lines = wrap(&format!("  $ {command}"), width.saturating_sub(2), 6);
    let last = lines.len().saturating_sub(1);
    for line in lines.iter_mut().take(last) {
        line.push_str(" \\");
    }
    lines.extend(others.into_iter().flat_map(|others| wrap(&format!("    ({others}"), width, 5)));
    lines
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
    size: (usize, usize),
) -> Vec<String> {
    let (width, room) = size;
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
    let layout = Layout::of(plan, shown.get(start..end).unwrap_or_default(), width);
    lines.extend(
        shown
            .iter()
            .take(end)
            .skip(start)
            .filter_map(|index| step(plan, state, *index, progress, now, &layout)),
    );
    if end < shown.len() {
        lines.push(format!("  · {} more steps", shown.len() - end));
    }
    lines
}

/// What there is room for beside a step: its name stays whole, and so does its state.
struct Layout {
    phase: bool,
    address: usize,
}

impl Layout {
    fn of(plan: &IndexedPlan, shown: &[NodeIndex], width: usize) -> Self {
        let address =
            |index: &NodeIndex| plan.plan.nodes.get(*index as usize).map(|node| node.address.as_str());
        let longest = shown.iter().filter_map(address).map(|address| address.chars().count()).max();
        let longest = longest.unwrap_or(0);
        if width >= WIDE {
            return Self { phase: true, address: longest.max(ADDRESS) };
        }
        let phase = 4 + 10 + longest + 1 + STATE <= width;
        // One long name must not push the states of all others out of sight.
        Self { phase, address: longest.min(width.saturating_sub(4 + 1 + STATE)) }
    }
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
    layout: &Layout,
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
    let phase = if layout.phase { format!("{phase:<9} ") } else { String::new() };
    let expected = plan.index.expected.get(index as usize).copied().unwrap_or(node.estimate);
    let mut detail = detail(state, index, progress, now, expected);
    if let Some(p95) = clock::overdue(plan, state, index, now) {
        detail = format!("\x1b[33mstuck? past its p95 of {}\x1b[0m  {detail}", short(p95));
    }
    Some(format!("  {mark} {phase}{:<address$} {detail}", node.address.as_str(), address = layout.address))
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
                format!(
                    "{}  \x1b[33mfence unconfirmed: {}\x1b[0m",
                    took(it.ended_at.unwrap_or(now)),
                    first_line(why)
                )
            }
            Some(FenceResult::Confirmed) | None => took(it.ended_at.unwrap_or(now)),
        },
        status => {
            let failure = it
                .failure
                .as_ref()
                .map_or_else(String::new, |failure| format!("  {}", first_line(&failure.message)));
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

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::event::{Applied, Event, MissingConsent, RunCreated};
    use crate::model::id::RunId;
    use crate::model::run::{Failure, FailureClass, Identity, Intent, Mode, Operation};
    use crate::plan::{Choices, bind};

    const PAY: &str = include_str!("../../../tests/fixtures/cli/pay.yaml");

    /// A run that waits at its gate beside a step to which something happens.
    pub(crate) fn waiting(beside: impl FnOnce(NodeIndex) -> Event) -> (IndexedPlan, RunState, Timestamp) {
        let now: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        let (operation, intent) = (Operation::Failover, Intent::Simulate);
        let parameters = BTreeMap::new();
        let choices = Choices {
            operation,
            mode: None,
            intent,
            from: None,
            to: None,
            unready: BTreeMap::new(),
            parameters,
        };
        let (runbook, _) =
            crate::compile::compile(PAY, now.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date());
        let plan = IndexedPlan::new(bind(&runbook.unwrap(), &choices).unwrap()).unwrap();
        let created = RunCreated {
            run: RunId::new("pay-aaaaaaaa").unwrap(),
            service: plan.plan.runbook.name.clone(),
            operation,
            intent,
            mode: Mode::Ungraceful,
            from: plan.plan.from.clone(),
            to: plan.plan.to.clone(),
            plan: "0".to_owned(),
            runbook: "0".to_owned(),
            reason: None,
            started_by: Identity::asserted("starter"),
            trigger: "test".to_owned(),
            incident_at: None,
            detected_at: None,
            declared_at: now,
            consents: crate::engine::input::Consents::default(),
            adopt: false,
            staged_until: None,
            version: "0".to_owned(),
            notes: BTreeMap::new(),
            earlier: Vec::new(),
            parent: None,
        };
        let mut state = RunState::new(&plan, created, now);
        let gate = plan.index.gate.unwrap();
        let named = |name: &str| plan.plan.nodes.iter().position(|node| node.address.as_str() == name);
        let scale = NodeIndex::try_from(named("scale").unwrap()).unwrap();
        let missing = vec![
            MissingConsent::Confirm("pay:west".to_owned()),
            MissingConsent::AcceptUnmeasuredLoss,
            MissingConsent::AcceptUnfenced(vec!["fence".to_owned()]),
        ];
        for event in [
            Event::GateReached { missing },
            Event::ApprovalRequested { node: gate, expires_at: None, message: None },
            beside(scale),
        ] {
            crate::engine::apply(&plan, &mut state, &event, now);
        }
        state.status = RunStatus::AwaitingApproval;
        (plan, state, now)
    }

    #[test]
    fn a_narrow_terminal_keeps_steps_states_and_commands_whole() {
        let failure = Failure::new(FailureClass::Permanent, "it broke in a way\nthat takes two lines");
        let (plan, state, now) =
            waiting(|node| Event::NodeFailed { node, failure, applied: Applied::Unknown });
        for width in [60, 80, 200] {
            let lines = render(&plan, &state, &|_| None, now, (width, 60));
            let text = lines.join("\n");
            assert!(lines.iter().all(|line| columns(line) <= width), "{width}\n{text}");
            let of = |name: &str| lines.iter().find(|line| line.contains(name)).unwrap();
            assert!(of(" gate/point-of-no-return ").contains("awaiting approval"), "{width}\n{text}");
            assert!(of(" scale ").contains("failed"), "{width}\n{text}");
            assert!(of("pay-aaaaaaaa ").contains("awaiting_approval"), "{width}\n{text}");
            let typed = text.replace(" \\\n     ", "");
            let command =
                "drctl approve pay-aaaaaaaa --confirm pay:west --accept-loss unmeasured --accept-unfenced";
            assert!(typed.contains(command), "{width}\n{text}");
        }
    }
}
