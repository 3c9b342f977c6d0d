//! A forecast as a picture: for each scenario its histogram with the objective, and its tornado. Plain SVG
//! without scripts, fonts or anything from elsewhere.

use std::fmt::Write as _;

use super::super::counted::Histogram;
use super::super::report::{Forecast, Report, Tornado};
use super::{percent, shown};

/// Width of a picture, in its own units.
pub(super) const WIDTH: f64 = 760.0;
/// Space at both sides.
pub(super) const MARGIN: f64 = 30.0;
/// Height of the bars of a histogram.
pub(super) const HEIGHT: f64 = 170.0;
/// Height of one bar of a tornado.
const ROW: f64 = 22.0;
/// Space for the names of steps.
const NAMES: f64 = 190.0;

/// Draws all scenarios one below the other.
#[must_use]
pub fn svg(report: &Report) -> String {
    let mut body = String::new();
    let mut top = 0.0;
    for scenario in &report.scenarios {
        let (drawn, height) = scenario_picture(report, scenario, top);
        body.push_str(&drawn);
        top += height;
    }
    page(&body, top, &format!("Forecast of a {} of {}", report.operation, report.service))
}

/// What was drawn as a picture of such a height.
pub(super) fn page(body: &str, top: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {top}\" width=\"{WIDTH}\" height=\"{top}\" role=\"img\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\"><title>{}</title>\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>{body}</svg>\n",
        escape(title)
    )
}

/// Draws one scenario; returns it with its height.
pub(super) fn scenario_picture(report: &Report, it: &Forecast, top: f64) -> (String, f64) {
    let mut out = String::new();
    let mut y = top + 24.0;
    let of = |time: Option<u64>| time.map_or_else(|| "never".to_owned(), shown);
    let times = &it.recovery_time;
    text(&mut out, MARGIN, y, "start", "#111827", &format!("Scenario {}", it.name));
    y += 17.0;
    let miss = it.misses_rto.map_or_else(String::new, |share| {
        format!(" · misses the RTO in {} of the runs", percent(share.probability))
    });
    let told =
        format!("p50 {} · p95 {} · p99 {}{miss}", of(times.p50_ms), of(times.p95_ms), of(times.p99_ms));
    text(&mut out, MARGIN, y, "start", "#4b5563", &told);
    y += 14.0;
    if let Some(histogram) = &it.histogram {
        draw_histogram(&mut out, histogram, report.objectives.rto_ms, times.p95_ms, y);
        y += HEIGHT + 66.0;
    }
    if let Some(median) = it.tornado.median_ms.filter(|_| !it.tornado.bars.is_empty()) {
        y += draw_tornado(&mut out, &it.tornado, median, y);
    }
    (out, y - top + 16.0)
}

pub(super) fn draw_histogram(
    out: &mut String,
    histogram: &Histogram,
    rto: Option<u64>,
    p95: Option<u64>,
    top: f64,
) {
    let bars = histogram.counts.len();
    let end = histogram.from_ms + histogram.width_ms * bars as u64;
    // The objective is shown as long as it is not so far away that nothing else could be seen.
    let span = number(end - histogram.from_ms);
    let near = rto.filter(|rto| number(*rto) <= number(end) + span * 0.6 && *rto >= histogram.from_ms);
    let last = near.map_or(end, |rto| end.max(rto + rto / 50));
    let wide = WIDTH - 2.0 * MARGIN;
    let x = |time: u64| {
        MARGIN + number(time - histogram.from_ms) / number(last - histogram.from_ms).max(1.0) * wide
    };
    let most = histogram.counts.iter().copied().max().unwrap_or(1).max(1);
    let bottom = top + 18.0 + HEIGHT;
    for (place, count) in histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let from = histogram.from_ms + histogram.width_ms * place as u64;
        let (left, right) = (x(from), x(from + histogram.width_ms));
        let high = f64::from(*count) / f64::from(most) * HEIGHT;
        let late = rto.is_some_and(|rto| from + histogram.width_ms / 2 > rto);
        let colour = if late { "#dc2626" } else { "#2563eb" };
        let _ = write!(
            out,
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{high:.1}\" fill=\"{colour}\"><title>{} to {}: {count} runs</title></rect>",
            bottom - high,
            (right - left - 0.6).max(0.4),
            shown(from),
            shown(from + histogram.width_ms)
        );
    }
    rule(out, (MARGIN, bottom), (WIDTH - MARGIN, bottom), "#9ca3af", "");
    for part in 0..=4_u64 {
        let time = histogram.from_ms + (last - histogram.from_ms) * part / 4;
        let anchor = match part {
            0 => "start",
            4 => "end",
            _ => "middle",
        };
        text(out, x(time), bottom + 16.0, anchor, "#4b5563", &shown(time));
    }
    if let Some(p95) = p95.filter(|p95| *p95 <= last) {
        rule(out, (x(p95), top + 14.0), (x(p95), bottom), "#6b7280", "2 3");
        text(out, x(p95) - 4.0, top + 12.0, "end", "#6b7280", "p95");
    }
    if let Some(rto) = near {
        rule(out, (x(rto), top + 4.0), (x(rto), bottom), "#b91c1c", "6 3");
        text(out, x(rto) - 4.0, top + 26.0, "end", "#b91c1c", &format!("RTO {}", shown(rto)));
    }
}

fn draw_tornado(out: &mut String, tornado: &Tornado, median: u64, top: f64) -> f64 {
    let low = tornado.bars.iter().map(|bar| bar.low_ms).min().unwrap_or(median).min(median);
    let high = tornado.bars.iter().map(|bar| bar.high_ms).max().unwrap_or(median).max(median);
    let wide = WIDTH - 2.0 * MARGIN - NAMES - 130.0;
    let x = |time: u64| MARGIN + NAMES + number(time - low) / number(high - low).max(1.0) * wide;
    let head = format!("One step at its p5 and p95, the others at their median ({} in all)", shown(median));
    text(out, MARGIN, top, "start", "#111827", &head);
    let mut y = top + 10.0;
    for bar in &tornado.bars {
        let name: String = if bar.step.chars().count() > 28 {
            bar.step.chars().take(27).chain(['…']).collect()
        } else {
            bar.step.clone()
        };
        text(out, MARGIN + NAMES - 8.0, y + 14.0, "end", "#374151", &name);
        for (from, to, colour) in [
            (bar.low_ms, bar.high_ms.min(median), "#60a5fa"),
            (bar.low_ms.max(median), bar.high_ms, "#f59e0b"),
        ] {
            let width = (x(to.max(from)) - x(from)).max(0.0);
            let _ = write!(
                out,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{colour}\"/>",
                x(from),
                y + 3.0,
                ROW - 7.0
            );
        }
        let ends = format!("{} … {}", shown(bar.low_ms), shown(bar.high_ms));
        text(out, WIDTH - MARGIN, y + 14.0, "end", "#4b5563", &ends);
        y += ROW;
    }
    rule(out, (x(median), top + 8.0), (x(median), y), "#374151", "");
    y - top + 10.0
}

pub(super) fn text(out: &mut String, x: f64, y: f64, anchor: &str, colour: &str, words: &str) {
    let words = escape(words);
    let _ = write!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{words}</text>"
    );
}

fn rule(out: &mut String, from: (f64, f64), to: (f64, f64), colour: &str, dashes: &str) {
    let _ = write!(
        out,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" stroke-dasharray=\"{dashes}\"/>",
        from.0, from.1, to.0, to.1
    );
}

#[expect(clippy::cast_precision_loss, reason = "places of a picture")]
fn number(millis: u64) -> f64 {
    millis as f64
}

/// Text that means nothing to a reader of markup.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Markup cannot hold them at all.
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
