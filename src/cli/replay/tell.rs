//! Tells a recorded run: at a point, fact by fact, or in its own time. Performs nothing.

use serde_json::json;

use super::point::{Point, at};
use crate::app::Speed;
use crate::cli::table::short;
use crate::cli::{Error, Format, Global, follow as live, output};
use crate::engine::{RunState, clock};
use crate::evidence::{self, describe, first_line, is_news, needs_person};
use crate::model::run::NodeStatus;
use crate::model::time::{Duration, Timestamp};
use crate::ports::Clock;
use crate::runtime::SystemClock;
use crate::seal::{Entry, Retold};

/// Pause between two pictures.
const FRAME: Duration = Duration::from_millis(200);
/// Nodes under way that are named on a line.
const NAMED: usize = 4;

/// Shows a run as it was at a point.
///
/// # Errors
/// When the point lies outside of it.
pub(super) fn show(global: &Global, run: &Retold, point: Point) -> Result<(), Error> {
    let (state, last, now) = at(run, point)?;
    let view = evidence::view(&run.plan, &state, None, now);
    let event =
        last.map(|entry| json!({"type": entry.event.kind(), "text": describe(&run.plan, &entry.event)}));
    let data = json!({"sequence": state.sequence, "at": now, "event": event, "run": view});
    output::print(global.output, &data, || {
        let size = (output::width().min(200), usize::MAX);
        let lines = live::render_screen(&run.plan, &state, &|_| None, now, size);
        let told = last.map_or_else(String::new, |entry| line(run, &state, entry));
        format!("{told}\n\n{}", lines.join("\n"))
    })
}

fn line(run: &Retold, state: &RunState, entry: &Entry) -> String {
    let zero = state.clock_zero();
    let (sign, after) =
        if entry.at < zero { ("-", zero.since(entry.at)) } else { ("+", entry.at.since(zero)) };
    let text = first_line(&describe(&run.plan, &entry.event));
    format!("{:>5} {} {sign}{:<10} {text}", entry.sequence, entry.at, short(after))
}

/// Tells a run fact by fact; `step`: with where it stood after each.
///
/// # Errors
/// When standard output cannot be written.
pub(super) fn tell(global: &Global, run: &Retold, step: bool) -> Result<(), Error> {
    let mut state = run.begin();
    let mut next = run.entries.first();
    while let Some(entry) = next {
        match global.output {
            Format::Text => {
                output::line(&line(run, &state, entry))?;
                if step {
                    output::line(&format!("      {}", standing(run, &state, entry.at)))?;
                }
            }
            Format::Json | Format::Yaml => one(global, run, &state, entry, step)?,
        }
        next = run.advance(&mut state);
    }
    if global.output == Format::Text {
        let view = evidence::view(&run.plan, &state, None, state.last_at);
        output::line(&format!("\n{}", live::render_summary(&view).trim_end()))?;
    }
    Ok(())
}

/// One fact as a document of its own.
fn one(global: &Global, run: &Retold, state: &RunState, entry: &Entry, step: bool) -> Result<(), Error> {
    let mut told = json!({
        "sequence": entry.sequence,
        "at": entry.at,
        "event": {"type": entry.event.kind(), "text": describe(&run.plan, &entry.event)},
    });
    if step {
        let view = evidence::view(&run.plan, state, None, entry.at);
        // A view has only strings as keys.
        told["run"] = serde_json::to_value(view).unwrap_or_default();
    }
    match global.output {
        Format::Yaml => {
            let yaml = serde_saphyr::to_string(&told).unwrap_or_default();
            output::line(&format!("---\n{}", yaml.trim_end()))
        }
        Format::Text | Format::Json => output::line(&told.to_string()),
    }
}

/// Where a run stood, on one line.
fn standing(run: &Retold, state: &RunState, now: Timestamp) -> String {
    let nodes = &run.plan.plan.nodes;
    let done = |status: NodeStatus| matches!(status, NodeStatus::Succeeded | NodeStatus::MarkedDone);
    let done = state.nodes.iter().filter(|node| done(node.status)).count();
    let mut parts = vec![format!("{}, {done} of {} done", state.status, nodes.len())];
    let active: Vec<_> = state
        .active
        .iter()
        .filter_map(|node| {
            nodes.get(*node as usize).map(|it| format!("{} {}", it.address, state.node(*node).status))
        })
        .collect();
    if !active.is_empty() {
        let more = active.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named: Vec<_> = active.into_iter().take(NAMED).collect();
        parts.push(format!("now {}{more}", named.join(", ")));
    }
    if state.clock_runs() && state.clock.healthy_at.is_none() {
        parts.push(format!("elapsed {}", short(state.elapsed(now))));
        if let Some((forecast, _)) = clock::forecast(&run.plan, state, now) {
            parts.push(format!("forecast {}", short(forecast)));
        }
    }
    parts.extend(clock::data_loss(&run.plan, state).map(|loss| format!("data loss {loss}")));
    parts.extend(
        needs_person(&run.plan, state).first().map(|needed| format!("needs a person: {}", needed.kind)),
    );
    parts.join("; ")
}

/// Shows a run as it went.
///
/// # Errors
/// When standard output cannot be written.
pub(super) async fn follow(global: &Global, run: &Retold, speed: Speed) -> Result<(), Error> {
    let real = SystemClock::real();
    let mut state = run.begin();
    let (began, first) = (real.now(), state.last_at);
    let terminal = output::is_terminal() && global.output == Format::Text;
    let mut picture = live::Picture::default();
    let mut next = run.entries.first();
    loop {
        let passed = real.now().since(began).as_millis();
        let now = match speed {
            Speed::Times(factor) => {
                first.plus(Duration::from_millis(passed.saturating_mul(u64::from(factor))))
            }
            Speed::Max => Timestamp::from_millis(i64::MAX),
        };
        while let Some(entry) = next.filter(|entry| entry.at <= now) {
            if global.output != Format::Text {
                one(global, run, &state, entry, false)?;
            } else if !terminal && is_news(&run.plan, &entry.event) {
                output::say(&format!("{} {}", entry.at, describe(&run.plan, &entry.event)));
            }
            next = run.advance(&mut state);
        }
        if terminal {
            let (width, height) = live::size();
            let size = (width, height.saturating_sub(1));
            let shown = if next.is_some() { now } else { state.last_at };
            picture.show(&live::render_screen(&run.plan, &state, &|_| None, shown, size));
        }
        let Some(entry) = next else { break };
        let Speed::Times(factor) = speed else { continue };
        let wait = entry.at.since(now).as_millis().div_ceil(u64::from(factor));
        let wait = if terminal { wait.min(FRAME.as_millis()) } else { wait };
        real.sleep_until(real.now().plus(Duration::from_millis(wait))).await;
    }
    let view = evidence::view(&run.plan, &state, None, state.last_at);
    if global.output == Format::Text {
        output::line(live::render_summary(&view).trim_end())?;
    }
    Ok(())
}
