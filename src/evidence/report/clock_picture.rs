//! The split clock as a line with its points and stretches, as SVG. A stretch that was not achieved is drawn
//! as such.

use std::fmt::Write as _;

use super::gantt::label;
use super::picture::{Scale, escape, lanes, wide};
use super::{Report, span};
use crate::model::time::{Duration, Timestamp};

const WIDTH: f64 = 1_000.0;
const MARGIN: f64 = 20.0;
const LANE: f64 = 18.0;

/// A stretch of the clock below its line.
struct Stretch {
    name: String,
    class: &'static str,
    from: Timestamp,
    to: Timestamp,
}

/// Draws the clock.
pub(super) fn draw(report: &Report) -> String {
    let mut points: Vec<(&str, Timestamp, i64)> =
        report.clock.iter().filter_map(|point| Some((point.point, point.at?, point.after_ms?))).collect();
    points.sort_by_key(|(_, at, _)| *at);
    let zero =
        points.first().map_or(report.as_of, |(_, at, after)| Timestamp::from_millis(at.as_millis() - after));
    let first = points.first().map_or(zero, |(_, at, _)| *at).min(zero);
    let last = points.last().map_or(report.as_of, |(_, at, _)| *at);
    let last = if report.over { last } else { last.max(report.as_of) };
    let stretches = stretches(report, zero, last);
    // An objective far beyond what happened would press everything else together.
    let room = first.plus(Duration::from_millis(2 * last.since(first).as_millis()));
    let near = stretches.iter().map(|stretch| stretch.to).filter(|to| *to <= room);
    let to = near.max().unwrap_or(last).max(last).max(first.plus(Duration::from_millis(1)));
    let scale = Scale::new(first, to, MARGIN, WIDTH - 2.0 * MARGIN);
    let places: Vec<(f64, f64)> = points.iter().map(|(name, at, _)| label(scale.x(*at), name)).collect();
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|one, other| {
        let place = |index: &usize| places.get(*index).map_or(0.0, |(x, _)| *x);
        place(one).total_cmp(&place(other))
    });
    let sorted: Vec<(f64, f64)> = order.iter().filter_map(|index| places.get(*index).copied()).collect();
    let found = lanes(&sorted);
    let depth = found.iter().max().map_or(1, |lane| lane + 1);
    let line = number(depth) * LANE + 14.0;
    let height = line + 14.0 + number(stretches.len()) * 30.0;
    let mut svg = format!(
        "<svg class=\"picture clock\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"The clock of \
         the run\"><line class=\"base\" x1=\"{MARGIN}\" x2=\"{:.1}\" y1=\"{line:.1}\" y2=\"{line:.1}\"/>",
        WIDTH - MARGIN
    );
    for (index, lane) in order.iter().zip(&found) {
        let (Some((name, at, _)), Some((x, _))) = (points.get(*index), places.get(*index)) else { continue };
        let y = line - 10.0 - number(*lane) * LANE;
        let at = scale.x(*at);
        // Writing into a string cannot fail.
        let _ = write!(
            svg,
            "<line class=\"stem\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{line:.1}\"/>\
             <circle class=\"point\" cx=\"{at:.1}\" cy=\"{line:.1}\" r=\"4\"/>\
             <text class=\"name\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            y + 3.0,
            escape(name)
        );
    }
    for (row, stretch) in stretches.iter().enumerate() {
        draw_stretch(&mut svg, stretch, scale, line + 18.0 + number(row) * 30.0);
    }
    svg.push_str("</svg>");
    svg
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn draw_stretch(svg: &mut String, stretch: &Stretch, scale: Scale, y: f64) {
    let (from, to) = (scale.x(stretch.from), scale.x(stretch.to));
    let width = (to - from).max(2.0);
    // A name wider than its stretch begins with it, as far left as it takes to end inside.
    let beyond = stretch.to > scale.end();
    let name = if beyond { format!("{}, beyond the picture", stretch.name) } else { stretch.name.clone() };
    let x = from.min(WIDTH - MARGIN - wide(&name)).max(MARGIN);
    let _ = write!(
        svg,
        "<rect class=\"stretch {}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"8\" rx=\"2\"/>\
         <text class=\"took\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
        stretch.class,
        y + 21.0,
        escape(&name)
    );
}

fn stretches(report: &Report, zero: Timestamp, last: Timestamp) -> Vec<Stretch> {
    let clock = &report.run.clock;
    let total = report.verdicts.iter().find(|row| row.what == "total recovery time");
    let validated = total.is_some_and(|row| !row.measured.starts_with("no recovery time"));
    let end = clock.healthy_at.filter(|_| validated);
    let name = total.map_or_else(String::new, |row| row.measured.clone());
    let mut stretches = vec![Stretch {
        name: if end.is_some() { format!("total recovery time {name}") } else { name },
        class: if end.is_some() { "total" } else { "none" },
        from: zero,
        to: end.unwrap_or(last),
    }];
    if let Some(started) = clock.started_at {
        let took = Duration::from_millis(report.run.rto.execution_ms);
        stretches.push(Stretch {
            name: format!("execution {took}"),
            class: "execution",
            from: started,
            to: started.plus(took),
        });
    }
    if let Some(objective) = report.run.rto.objective_ms {
        stretches.push(Stretch {
            name: format!("objective {}", span(objective)),
            class: "objective",
            from: zero,
            to: zero.plus(Duration::from_millis(objective)),
        });
    }
    stretches
}
