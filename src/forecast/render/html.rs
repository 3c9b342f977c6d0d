//! A forecast as a page that stands alone: no script, nothing from elsewhere, good on paper.

use std::fmt::Write as _;

use super::super::report::{Forecast, Report};
use super::super::spread::Basis;
use super::svg::{escape, scenario_picture};
use super::{percent, shown};

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;color:#111827;max-width:820px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #e5e7eb}\
.dim{color:#4b5563}table{border-collapse:collapse;width:100%;margin:.8rem 0;font-size:.9rem}\
th{text-align:left;color:#4b5563;font-weight:600}\
td,th{padding:.25rem .6rem .25rem 0;border-bottom:1px solid #f3f4f6}\
.n{text-align:right;font-variant-numeric:tabular-nums}\
.facts{display:flex;flex-wrap:wrap;gap:1.5rem;margin:1rem 0}\
.fact b{display:block;font-size:1.3rem}.bad{color:#b91c1c}svg{max-width:100%;height:auto}\
@media(max-width:600px){table{display:block;overflow-x:auto}}\
@media print{body{margin:0}h2{break-after:avoid}table,svg{break-inside:avoid}}";

/// Draws a forecast.
#[must_use]
pub fn html(report: &Report) -> String {
    let title = escape(&format!("Forecast of a {} of {}", report.operation, report.service));
    let mut body = format!("<h1>{title}</h1>");
    let way = [("from", &report.from), ("to", &report.to)];
    let way: String =
        way.iter().filter_map(|(word, site)| Some(format!("{word} {} ", site.as_ref()?))).collect();
    let _ = write!(
        body,
        "<p class=\"dim\">{}{} mode, {} runs of each scenario, seed {}, runbook {}</p>",
        escape(&way),
        report.mode,
        report.runs,
        report.seed,
        escape(report.runbook_digest.get(..12).unwrap_or_default())
    );
    for scenario in &report.scenarios {
        draw(&mut body, report, scenario);
    }
    durations(&mut body, report);
    page(&title, &body)
}

/// A page that needs nothing else; title and body are markup.
pub(super) fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"icon\" href=\"data:,\"><style>{STYLE}</style></head>\
         <body>{body}</body></html>\n"
    )
}

fn draw(out: &mut String, report: &Report, it: &Forecast) {
    let _ = write!(out, "<h2>Scenario {}</h2>", escape(&it.name));
    if let Some(description) = &it.description {
        let _ = write!(out, "<p class=\"dim\">{}</p>", escape(description));
    }
    out.push_str("<div class=\"facts\">");
    let of = |time: Option<u64>| time.map_or_else(|| "never".to_owned(), shown);
    let times = &it.recovery_time;
    fact(out, "recovery time, p50", &of(times.p50_ms), false);
    fact(out, "p95", &of(times.p95_ms), false);
    fact(out, "p99", &of(times.p99_ms), false);
    if let (Some(rto), Some(share)) = (report.objectives.rto_ms, it.misses_rto) {
        fact(
            out,
            &format!("misses the RTO of {}", shown(rto)),
            &percent(share.probability),
            share.probability > 0.05,
        );
    }
    fact(out, "gets stuck", &percent(it.stuck.probability), it.stuck.probability > 0.05);
    let lost = match (it.data_loss.basis, it.data_loss.p95_ms) {
        (Some(Basis::Scenario), Some(p95)) => format!("{} (scenario)", shown(p95)),
        (Some(_), Some(p95)) => format!("{} (n = {})", shown(p95), it.data_loss.samples),
        _ => "not known".to_owned(),
    };
    fact(out, "data loss, p95", &lost, false);
    out.push_str("</div>");
    let (picture, height) = scenario_picture(report, it, 0.0);
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {height:.0}\" width=\"760\" height=\"{height:.0}\" role=\"img\" \
         aria-label=\"recovery times\" font-family=\"system-ui, sans-serif\" font-size=\"12\">{picture}</svg>"
    );
    if !it.stops.is_empty() {
        out.push_str("<table><tr><th>Where runs stop</th><th>why</th><th class=\"n\">share</th></tr>");
        for stop in &it.stops {
            let (node, why) = (escape(&stop.node), escape(stop.why));
            let _ = write!(
                out,
                "<tr><td>{node}</td><td>{why}</td><td class=\"n\">{}</td></tr>",
                percent(stop.share)
            );
        }
        out.push_str("</table>");
    }
    for note in &it.notes {
        let _ = write!(out, "<p class=\"dim\">Note: {}</p>", escape(note));
    }
    steps(out, it);
}

pub(super) fn fact(out: &mut String, name: &str, value: &str, bad: bool) {
    let class = if bad { "fact bad" } else { "fact" };
    let _ = write!(out, "<div class=\"{class}\"><b>{}</b>{}</div>", escape(value), escape(name));
}

fn steps(out: &mut String, it: &Forecast) {
    if it.steps.is_empty() {
        return;
    }
    out.push_str(
        "<table><tr><th>What to shorten</th><th class=\"n\">on the critical path</th><th class=\"n\">mean time there</th>\
         <th class=\"n\">halved: p50 gains</th><th class=\"n\">p95 gains</th></tr>",
    );
    for step in &it.steps {
        let gain = |gain: Option<u64>| gain.map_or_else(|| "–".to_owned(), shown);
        let _ = write!(
            out,
            "<tr><td title=\"{}\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&step.title),
            escape(&step.step),
            percent(step.critical),
            shown(step.spent_ms),
            gain(step.halved.map(|it| it.p50_gain_ms)),
            gain(step.halved.and_then(|it| it.p95_gain_ms))
        );
    }
    out.push_str("</table>");
}

fn durations(out: &mut String, report: &Report) {
    let _ = write!(
        out,
        "<h2>Durations</h2><p class=\"dim\">From {} earlier runs where it says history. One in twenty of what is only \
         estimated is taken to last half as long again. Of a check that was never measured, the duration is that of one look.</p>",
        report.history_runs
    );
    out.push_str(
        "<table><tr><th>Step or check</th><th>known from</th><th class=\"n\">n</th><th class=\"n\">p50</th><th class=\"n\">p95</th></tr>",
    );
    for it in &report.durations {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&it.node),
            it.basis,
            it.samples,
            shown(it.takes.p50_ms),
            shown(it.takes.p95_ms)
        );
    }
    out.push_str("</table>");
    if !report.validated {
        out.push_str(
            "<p class=\"bad\">The plan validates nothing: no run of it has an achieved recovery time.</p>",
        );
    }
    for assumed in &report.assumptions {
        let _ = write!(out, "<p class=\"dim\">Assumed: {}</p>", escape(assumed));
    }
}
