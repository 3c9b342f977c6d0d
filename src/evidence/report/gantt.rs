//! The steps of a run as bars over time, as SVG. Draws what was measured; colours come from the page.

use std::fmt::Write as _;

use super::picture::{LETTER, Scale, escape, lanes, short, wide};
use super::work::{self, Work};
use super::{Report, words};
use crate::model::time::{Duration, Timestamp};

/// Most bars; of more, the longest are drawn.
const BARS: usize = 120;
/// Width of the column of names, of the bars, and of the whole picture.
const NAMES: f64 = 240.0;
const WIDTH: f64 = 1_000.0;
const RIGHT: f64 = 90.0;
const ROW: f64 = 24.0;
/// Height of a lane of labels above the bars.
const LANE: f64 = 16.0;
/// Letters of a name.
const NAME: usize = 34;

/// Draws the bars; `None`: no step has begun.
pub(super) fn draw(report: &Report) -> Option<String> {
    let mut all = work::all(&report.run.steps);
    all.retain(is_drawn);
    let steps = longest(&all, report.as_of);
    let first = steps.iter().filter_map(|step| step.started_at).min()?;
    let zero = zero(report);
    let last = steps.iter().filter_map(|step| step.ended_at).max().unwrap_or(report.as_of);
    let points = [
        ("point of no return", report.run.clock.pnr_at, "pnr"),
        ("shifted", report.run.clock.shifted_at, "shifted"),
        ("healthy", report.run.clock.healthy_at, "healthy"),
    ];
    let from = first.min(zero);
    let passed = points.iter().filter_map(|(name, at, class)| Some(((*name).to_owned(), (*at)?, *class)));
    let mut marks: Vec<(String, Timestamp, &str)> = passed.collect();
    let span = last.since(from);
    let end = objective(report, zero).filter(|(_, at)| at.since(from).as_millis() <= 2 * span.as_millis());
    let to = end.as_ref().map_or(last, |(_, at)| last.max(*at)).max(from.plus(Duration::from_millis(1)));
    marks.extend(end.map(|(name, at)| (name, at, "objective")));
    marks.sort_by_key(|(_, at, _)| *at);
    let scale = Scale::new(from, to, NAMES, WIDTH - NAMES - RIGHT);
    Some(picture(report, &steps, scale, &marks, zero))
}

fn zero(report: &Report) -> Timestamp {
    let passed = report.clock.iter().find_map(|point| Some((point.at?, point.after_ms?)));
    let clock = &report.run.clock;
    passed.map_or(clock.declared_at, |(at, after)| Timestamp::from_millis(at.as_millis() - after))
}

/// When the recovery time objective is used up.
fn objective(report: &Report, zero: Timestamp) -> Option<(String, Timestamp)> {
    let objective = Duration::from_millis(report.run.rto.objective_ms?);
    Some((format!("RTO {objective}"), zero.plus(objective)))
}

/// Checks at the start that held are many and say nothing.
fn is_drawn(step: &Work<'_>) -> bool {
    step.started_at.is_some() && !(step.step.id.starts_with("start/") && step.status == "succeeded")
}

fn longest<'a>(all: &[Work<'a>], as_of: Timestamp) -> Vec<Work<'a>> {
    let long = |step: &Work<'_>| {
        let end = step.ended_at.unwrap_or(as_of);
        step.started_at.map_or(Duration::ZERO, |start| end.since(start))
    };
    let mut by_length: Vec<usize> = (0..all.len()).collect();
    by_length.sort_by_key(|index| std::cmp::Reverse(all.get(*index).map(long)));
    by_length.truncate(BARS);
    by_length.sort_unstable();
    let mut steps: Vec<Work<'_>> =
        by_length.into_iter().filter_map(|index| all.get(index).copied()).collect();
    steps.sort_by_key(|step| step.started_at);
    steps
}

fn picture(
    report: &Report,
    steps: &[Work<'_>],
    scale: Scale,
    marks: &[(String, Timestamp, &str)],
    zero: Timestamp,
) -> String {
    let places: Vec<(f64, f64)> = marks.iter().map(|(name, at, _)| label(scale.x(*at), name)).collect();
    let lanes = lanes(&places);
    let top =
        f64::from(u32::try_from(lanes.iter().max().map_or(0, |lane| lane + 1)).unwrap_or(1)) * LANE + 20.0;
    let rows = f64::from(u32::try_from(steps.len()).unwrap_or(u32::MAX));
    let bottom = top + rows * ROW;
    let mut svg = format!(
        "<svg class=\"picture gantt\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"Steps over time\">",
        bottom + 8.0
    );
    // Writing into a string cannot fail.
    for (x, text) in scale.ticks(zero) {
        let _ = write!(
            svg,
            "<line class=\"tick\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"axis\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            top - 4.0
        );
    }
    for (row, step) in (0_u32..).zip(steps) {
        bar(&mut svg, step, scale, top + f64::from(row) * ROW, report.as_of);
    }
    for (((name, at, class), (place, _)), lane) in marks.iter().zip(&places).zip(&lanes) {
        let x = scale.x(*at);
        let y = f64::from(u32::try_from(*lane).unwrap_or(0)) * LANE + 12.0;
        let _ = write!(
            svg,
            "<line class=\"mark {class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\"/>\
             <text class=\"mark {class}\" x=\"{place:.1}\" y=\"{y:.1}\">{}</text>",
            y + 3.0,
            escape(name)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Where a label begins that belongs to a place, and how wide it is; it stays inside of the picture.
pub(super) fn label(x: f64, name: &str) -> (f64, f64) {
    let width = wide(name);
    ((x - width / 2.0).min(WIDTH - width).max(0.0), width)
}

fn bar(svg: &mut String, step: &Work<'_>, scale: Scale, y: f64, as_of: Timestamp) {
    let Some(start) = step.started_at else { return };
    let end = step.ended_at.unwrap_or(as_of);
    let (from, to) = (scale.x(start), scale.x(end));
    let took = end.since(start);
    let name = format!("{}{}", step.step.id, step.suffix());
    let title = format!("{name}: {}, {took}, from {start}", words(step.status));
    let after = if step.attempts > 1 { format!("{took}, {} tries", step.attempts) } else { took.to_string() };
    // A text that does not fit behind its bar stands before it.
    let behind = to + LETTER + wide(&after) <= WIDTH;
    let (x, anchor) = if behind { (to + LETTER, "start") } else { (from - LETTER, "end") };
    let _ = write!(
        svg,
        "<g><title>{}</title><text class=\"name\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <rect class=\"bar {}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" rx=\"2\"/>\
         <text class=\"took\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{after}</text></g>",
        escape(&title),
        NAMES - 10.0,
        y + 16.0,
        escape(&short(&name, NAME)),
        step.colour(),
        y + 5.0,
        (to - from).max(2.0),
        y + 16.0,
    );
}
