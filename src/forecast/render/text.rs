//! A forecast for a terminal: at most 80 columns, the answer first. Uses no colour.

use std::fmt::Write as _;

use super::super::counted::{Histogram, Share};
use super::super::report::{Forecast, Report};
use super::super::spread::Basis;
use super::{percent, shown};
use crate::model::run::ClockStart;

/// Columns there are.
const WIDTH: usize = 80;
/// Columns of the longest bar.
const BAR: usize = 44;
/// Most lines of a histogram.
const LINES: usize = 16;
/// Most characters of a step's name.
const NAME: usize = 30;

/// Draws a forecast.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let way = match (&report.from, &report.to) {
        (Some(from), Some(to)) => format!(" from {from} to {to}"),
        (Some(from), None) => format!(" from {from}"),
        (None, Some(to)) => format!(" to {to}"),
        (None, None) => String::new(),
    };
    line(&mut out, &format!("{} of {}{way}, {}", report.operation, report.service, report.mode));
    let since = match report.clock_start {
        ClockStart::Interruption => "the first step that touches the service",
        ClockStart::Incident | ClockStart::Declaration => "the declaration",
    };
    line(&mut out, &format!("{} runs, seed {}; times count from {since}", report.runs, report.seed));
    for scenario in &report.scenarios {
        out.push('\n');
        forecast(&mut out, report, scenario);
    }
    out.push('\n');
    durations(&mut out, report);
    if !report.validated {
        paragraph(
            &mut out,
            "note: the plan validates nothing; the times are to its last step of recovery, and no run of it has an achieved recovery time",
        );
    }
    for assumed in &report.assumptions {
        paragraph(&mut out, &format!("assumed: {assumed}"));
    }
    out
}

fn forecast(out: &mut String, report: &Report, it: &Forecast) {
    line(out, &format!("Scenario {}", it.name));
    if let Some(description) = &it.description {
        paragraph(out, &format!("  {description}"));
    }
    let of = |time: Option<u64>| time.map_or_else(|| "never".to_owned(), shown);
    let times = &it.recovery_time;
    line(
        out,
        &format!(
            "  recovery time   p50 {}   p95 {}   p99 {}",
            of(times.p50_ms),
            of(times.p95_ms),
            of(times.p99_ms)
        ),
    );
    match (report.rto(), &it.misses_rto) {
        (Some(rto), Some(share)) => {
            line(out, &format!("  misses RTO {}   {}", shown(rto.as_millis()), sure(share)));
        }
        _ => line(out, "  no RTO is asked for"),
    }
    line(out, &format!("  gets stuck      {}", sure(&it.stuck)));
    let lost = match (it.data_loss.basis, it.data_loss.p50_ms, it.data_loss.p95_ms) {
        (Some(Basis::Scenario), Some(p50), _) => format!("{}, as the scenario says", shown(p50)),
        (Some(_), Some(p50), Some(p95)) => {
            format!("p50 {}   p95 {}   ({} runs)", shown(p50), shown(p95), it.data_loss.samples)
        }
        _ => "not known: no run of the service has measured it".to_owned(),
    };
    line(out, &format!("  data loss       {lost}"));
    for stop in &it.stops {
        line(out, &format!("    {:>8}  stops at {}: {}", percent(stop.share), cut(&stop.node, 36), stop.why));
    }
    for note in &it.notes {
        paragraph(out, &format!("  note: {note}"));
    }
    if let Some(histogram) = &it.histogram {
        out.push('\n');
        bars(out, histogram, report.objectives.rto_ms);
    }
    worth(out, it);
    tornado(out, it);
}

pub(super) fn sure(share: &Share) -> String {
    format!("{} (95 %: {} to {})", percent(share.probability), percent(share.low), percent(share.high))
}

pub(super) fn bars(out: &mut String, histogram: &Histogram, rto: Option<u64>) {
    let each = histogram.counts.len().div_ceil(LINES).max(1);
    let sums: Vec<u32> = histogram.counts.chunks(each).map(|chunk| chunk.iter().sum()).collect();
    let most = sums.iter().copied().max().unwrap_or(1).max(1) as usize;
    let width = histogram.width_ms * each as u64;
    let mut marked = false;
    for (from, count) in (0_u64..).map(|bar| histogram.from_ms + bar * width).zip(&sums) {
        if let Some(rto) = rto.filter(|rto| *rto <= from && !marked) {
            line(out, &format!("  {:>12} {}", shown(rto), "- - - RTO ".to_owned() + &"- ".repeat(12)));
            marked = true;
        }
        marked |= rto.is_some_and(|rto| rto <= from);
        let bar = "#".repeat((*count as usize * BAR).div_ceil(most));
        line(out, &format!("  {:>12} |{bar:<BAR$} {count}", shown(from)));
    }
    if histogram.beyond > 0 {
        line(out, &format!("  {:>12}  {} runs take longer", "", histogram.beyond));
    }
}

fn worth(out: &mut String, it: &Forecast) {
    if it.steps.is_empty() {
        return;
    }
    out.push('\n');
    line(
        out,
        &format!(
            "  {:<NAME$} {:>8} {:>9} {:>20}",
            "WHAT TO SHORTEN", "CRITICAL", "MEAN", "HALVED GAINS p50/p95"
        ),
    );
    for step in it.steps.iter().filter(|step| step.halved.is_some()) {
        let halved = step.halved.map_or_else(String::new, |halved| {
            let p95 = halved.p95_gain_ms.map_or_else(|| "-".to_owned(), shown);
            format!("{} / {p95}", shown(halved.p50_gain_ms))
        });
        line(
            out,
            &format!(
                "  {:<NAME$} {:>8} {:>9} {halved:>20}",
                cut(&step.step, NAME),
                percent(step.critical),
                shown(step.spent_ms)
            ),
        );
    }
    let rest = it.steps.iter().filter(|step| step.halved.is_none()).count();
    if rest > 0 {
        line(out, &format!("  and {rest} more, worth less; JSON lists them"));
    }
}

fn tornado(out: &mut String, it: &Forecast) {
    let (Some(median), Some(first)) = (it.tornado.median_ms, it.tornado.bars.first()) else { return };
    out.push('\n');
    let widest =
        it.tornado.bars.iter().fold((first.low_ms, first.high_ms), |(low, high), bar| {
            (low.min(bar.low_ms), high.max(bar.high_ms))
        });
    line(
        out,
        &format!("  ONE STEP AT ITS p5 AND p95, THE OTHERS AT THEIR MEDIAN ({} in all)", shown(median)),
    );
    let columns = 24_u64;
    let place = |time: u64| {
        let span = (widest.1 - widest.0).max(1);
        usize::try_from((time.clamp(widest.0, widest.1) - widest.0) * columns / span).unwrap_or(0)
    };
    for bar in &it.tornado.bars {
        let (low, middle, high) = (place(bar.low_ms), place(median), place(bar.high_ms));
        let drawn: String = (0..=place(widest.1))
            .map(|at| match at {
                at if at == middle => '|',
                at if at >= low && at <= high => '=',
                _ => ' ',
            })
            .collect();
        let ends = format!("{} .. {}", shown(bar.low_ms), shown(bar.high_ms));
        line(out, &format!("  {:<24} {drawn} {ends}", cut(&bar.step, 24)));
    }
}

fn durations(out: &mut String, report: &Report) {
    let count = |basis: Basis| report.durations.iter().filter(|it| it.basis == basis).count();
    let measured = count(Basis::History);
    line(
        out,
        &format!(
            "Durations: {measured} nodes from history ({} earlier runs), {} from estimates",
            report.history_runs,
            count(Basis::Estimate)
        ),
    );
    let shown_ones = report.durations.iter().filter(|it| it.basis == Basis::History);
    for it in shown_ones {
        line(
            out,
            &format!(
                "  {:<36} p50 {:>9}  p95 {:>9}  n {}",
                cut(&it.node, 36),
                shown(it.takes.p50_ms),
                shown(it.takes.p95_ms),
                it.samples
            ),
        );
    }
    if measured == 0 {
        paragraph(
            out,
            "  Nothing was measured yet: run a drill, and the forecast rests on more than what authors expect. \
             One in twenty of what is only estimated is taken to last half as long again.",
        );
    }
}

pub(super) fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{}", cut(text.trim_end(), WIDTH));
}

/// Breaks a text at spaces.
pub(super) fn paragraph(out: &mut String, text: &str) {
    let indent = text.len() - text.trim_start().len();
    let mut current = " ".repeat(indent);
    for word in text.split_whitespace() {
        let length = current.chars().count() + 1 + word.chars().count();
        if length > WIDTH && current.trim_start() != "" {
            line(out, &current);
            current = " ".repeat(indent + 2);
        }
        if !current.trim().is_empty() {
            current.push(' ');
        }
        current.push_str(word);
    }
    line(out, &current);
}

pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}
