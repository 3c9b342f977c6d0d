//! The forecast of a fleet for a terminal, as a picture and as a page, as those of one service.

use std::fmt::Write as _;

use super::super::counted::Share;
use super::super::fleet::{FleetForecast, FleetReport, MemberShare};
use super::html::{fact, page};
use super::svg::{HEIGHT, MARGIN, WIDTH, draw_histogram, escape};
use super::text::{bars, cut, line, paragraph, sure};
use super::{percent, shown, svg};

/// Most members that are named for people; JSON has all.
const NAMED: usize = 12;

fn of(time: Option<u64>) -> String {
    time.map_or_else(|| "never".to_owned(), shown)
}

/// How it is made up.
fn about(report: &FleetReport) -> String {
    let at_once = report.max_parallel.map_or_else(|| "all".to_owned(), |width| format!("at most {width}"));
    let may = report.tolerated.map_or_else(|| "any number".to_owned(), |most| most.to_string());
    format!("{} members, {at_once} at once; {may} may be in trouble", report.members)
}

/// Members that set the end, the most frequent first.
fn setting(it: &FleetForecast) -> impl Iterator<Item = &MemberShare> {
    it.members.iter().filter(|member| member.critical > 0.0).take(NAMED)
}

/// Members that get in trouble, the most frequent first.
fn troubled(it: &FleetForecast) -> Vec<&MemberShare> {
    let mut all: Vec<_> = it.members.iter().filter(|member| member.in_trouble > 0.0).collect();
    all.sort_by(|a, b| b.in_trouble.total_cmp(&a.in_trouble));
    all.truncate(NAMED);
    all
}

/// Members that miss their own RTO, the most frequent first, each with the RTO and how often.
fn late(it: &FleetForecast) -> Vec<(&MemberShare, u64, Share)> {
    let own = |member: &'_ MemberShare| Some((member.rto_ms?, member.misses_rto?));
    let all = it.members.iter().filter_map(|member| own(member).map(|(rto, share)| (member, rto, share)));
    let mut all: Vec<_> = all.filter(|(_, _, share)| share.probability > 0.0).collect();
    all.sort_by(|(_, _, a), (_, _, b)| b.probability.total_cmp(&a.probability));
    all.truncate(NAMED);
    all
}

/// Draws a forecast of a fleet for a terminal.
#[must_use]
pub fn fleet_text(report: &FleetReport) -> String {
    let mut out = String::new();
    line(&mut out, &format!("{} of the fleet {}, {}", report.operation, report.fleet, report.mode));
    line(&mut out, &about(report));
    line(&mut out, &format!("{} runs, seed {}; times count from the declaration", report.runs, report.seed));
    for it in &report.scenarios {
        out.push('\n');
        forecast(&mut out, report, it);
    }
    out.push('\n');
    let known =
        format!("durations of {} of {} members from earlier runs", report.with_history, report.members);
    paragraph(&mut out, &format!("{known}, of the others as their runbooks and actions expect"));
    for assumed in &report.assumptions {
        paragraph(&mut out, &format!("assumed: {assumed}"));
    }
    out
}

fn forecast(out: &mut String, report: &FleetReport, it: &FleetForecast) {
    line(out, &format!("Scenario {}", it.name));
    if let Some(description) = &it.description {
        paragraph(out, &format!("  {description}"));
    }
    let times = &it.recovery_time;
    let all = format!("p50 {}   p95 {}   p99 {}", of(times.p50_ms), of(times.p95_ms), of(times.p99_ms));
    line(out, &format!("  all recovered   {all}"));
    match (report.rto(), &it.misses_rto) {
        (Some(rto), Some(share)) => {
            line(out, &format!("  misses RTO {}   {}", shown(rto.as_millis()), sure(share)));
        }
        _ => line(out, "  no RTO is asked for of the whole"),
    }
    line(out, &format!("  not complete    {}", sure(&it.incomplete)));
    line(out, &format!("  stops early     {}", sure(&it.stops_early)));
    line(out, &format!("  recovered       {} of {} members in the mean", it.mean_recovered, report.members));
    for note in &it.notes {
        paragraph(out, &format!("  note: {note}"));
    }
    if let Some(histogram) = &it.histogram {
        out.push('\n');
        bars(out, histogram, report.objectives.rto_ms);
    }
    members(out, it);
}

fn members(out: &mut String, it: &FleetForecast) {
    let mut setting = setting(it).peekable();
    if setting.peek().is_some() {
        line(out, "");
        let head = ["on path", "last", "its p50", "its p95", "done p95"];
        line(out, &row("Who sets the end", &head.map(str::to_owned)));
    }
    for member in setting {
        let cells = [
            percent(member.critical),
            percent(member.last),
            of(member.takes_p50_ms),
            of(member.takes_p95_ms),
            of(member.done_p95_ms),
        ];
        line(out, &row(member.service.as_str(), &cells));
    }
    let late = late(it);
    if !late.is_empty() {
        line(out, "");
        line(out, "  Who misses its own RTO");
    }
    for (member, rto, share) in late {
        let rto = shown(rto);
        line(out, &format!("    {:>8}  {rto:>11}  {}", percent(share.probability), member.service));
    }
    let troubled = troubled(it);
    if !troubled.is_empty() {
        line(out, "");
        line(out, "  Who gets in trouble");
    }
    for member in troubled {
        line(out, &format!("    {:>8}  {}", percent(member.in_trouble), cut(member.service.as_str(), 60)));
    }
}

/// A row of the table of members: 80 columns, with room for times such as `23h 59m 59s`.
fn row(name: &str, cells: &[String; 5]) -> String {
    let [path, last, p50, p95, done] = cells;
    format!("  {:<24} {path:>8} {last:>8} {p50:>11} {p95:>11} {done:>11}", cut(name, 24))
}

/// Draws one scenario; returns it with its height.
fn picture(report: &FleetReport, it: &FleetForecast, top: f64) -> (String, f64) {
    let mut out = String::new();
    let mut y = top + 24.0;
    svg::text(&mut out, MARGIN, y, "start", "#111827", &format!("Scenario {}", it.name));
    y += 17.0;
    let times = &it.recovery_time;
    let miss = it.misses_rto.map_or_else(String::new, |share| {
        format!(" · misses the RTO in {} of the runs", percent(share.probability))
    });
    let told =
        format!("p50 {} · p95 {} · p99 {}{miss}", of(times.p50_ms), of(times.p95_ms), of(times.p99_ms));
    svg::text(&mut out, MARGIN, y, "start", "#4b5563", &told);
    y += 14.0;
    if let Some(histogram) = &it.histogram {
        draw_histogram(&mut out, histogram, report.objectives.rto_ms, times.p95_ms, y);
        y += HEIGHT + 66.0;
    }
    for member in setting(it) {
        let share = format!("{} on the critical path", percent(member.critical));
        svg::text(&mut out, MARGIN, y, "start", "#374151", member.service.as_str());
        svg::text(&mut out, WIDTH - MARGIN, y, "end", "#4b5563", &share);
        y += 18.0;
    }
    (out, y - top + 16.0)
}

fn title(report: &FleetReport) -> String {
    format!("Forecast of a {} of the fleet {}", report.operation, report.fleet)
}

/// Draws a forecast of a fleet as a picture.
#[must_use]
pub fn fleet_svg(report: &FleetReport) -> String {
    let (mut body, mut top) = (String::new(), 0.0);
    for it in &report.scenarios {
        let (drawn, height) = picture(report, it, top);
        body.push_str(&drawn);
        top += height;
    }
    svg::page(&body, top, &title(report))
}

/// Draws a forecast of a fleet as a page.
#[must_use]
pub fn fleet_html(report: &FleetReport) -> String {
    let title = escape(&title(report));
    let mut body = format!(
        "<h1>{title}</h1><p class=\"dim\">{}; {} mode, {} runs of each scenario, seed {}</p>",
        escape(&about(report)),
        report.mode,
        report.runs,
        report.seed
    );
    for it in &report.scenarios {
        draw(&mut body, report, it);
    }
    let _ = write!(
        body,
        "<p class=\"dim\">Durations of {} of {} members from earlier runs, of the others as their runbooks and actions expect.</p>",
        report.with_history, report.members
    );
    for assumed in &report.assumptions {
        let _ = write!(body, "<p class=\"dim\">Assumed: {}</p>", escape(assumed));
    }
    page(&title, &body)
}

fn draw(out: &mut String, report: &FleetReport, it: &FleetForecast) {
    let _ = write!(out, "<h2>Scenario {}</h2>", escape(&it.name));
    if let Some(description) = &it.description {
        let _ = write!(out, "<p class=\"dim\">{}</p>", escape(description));
    }
    out.push_str("<div class=\"facts\">");
    let times = &it.recovery_time;
    fact(out, "all recovered, p50", &of(times.p50_ms), false);
    fact(out, "p95", &of(times.p95_ms), false);
    fact(out, "p99", &of(times.p99_ms), false);
    if let (Some(rto), Some(share)) = (report.objectives.rto_ms, it.misses_rto) {
        let name = format!("misses the RTO of {}", shown(rto));
        fact(out, &name, &percent(share.probability), share.probability > 0.05);
    }
    for (name, share) in [("not complete", it.incomplete), ("stops early", it.stops_early)] {
        fact(out, name, &percent(share.probability), share.probability > 0.05);
    }
    out.push_str("</div>");
    let (drawn, height) = picture(report, it, 0.0);
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" height=\"{height:.0}\" \
         role=\"img\" aria-label=\"recovery times\" font-family=\"system-ui, sans-serif\" font-size=\"12\">{drawn}</svg>"
    );
    for note in &it.notes {
        let _ = write!(out, "<p class=\"dim\">Note: {}</p>", escape(note));
    }
    out.push_str(
        "<table><tr><th>Member</th><th class=\"n\">on the critical path</th><th class=\"n\">last</th>\
         <th class=\"n\">its p50</th><th class=\"n\">its p95</th><th class=\"n\">done, p95</th>\
         <th class=\"n\">own RTO</th><th class=\"n\">misses it</th><th class=\"n\">in trouble</th></tr>",
    );
    for member in &it.members {
        let cells = [
            percent(member.critical),
            percent(member.last),
            of(member.takes_p50_ms),
            of(member.takes_p95_ms),
            of(member.done_p95_ms),
            member.rto_ms.map_or_else(|| "–".to_owned(), shown),
            member.misses_rto.map_or_else(|| "–".to_owned(), |share| percent(share.probability)),
            percent(member.in_trouble),
        ];
        let _ = write!(out, "<tr><td>{}</td>", escape(member.service.as_str()));
        for cell in cells {
            let _ = write!(out, "<td class=\"n\">{cell}</td>");
        }
        out.push_str("</tr>");
    }
    out.push_str("</table>");
}
