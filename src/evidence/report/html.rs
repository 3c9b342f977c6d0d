//! A report as one HTML page: styles and pictures inside, no script, nothing fetched. Every text from outside
//! is escaped, and what would hide or turn around what stands beside it is made visible.

use std::sync::LazyLock;

use base64::Engine as _;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::plan::WARNINGS;
use super::{Report, clock_picture, gantt, markdown, picture, span, words, work};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
/// Most rows of a table; the JSON holds more.
const MOST_ROWS: usize = 1_000;
/// Longest note of a run that is shown, in characters.
const NOTE: usize = 200;

/// A step as a row of the table.
#[derive(Serialize)]
struct Step<'a> {
    id: &'a str,
    suffix: &'static str,
    name: &'a str,
    phase: &'a str,
    action: &'a str,
    status: String,
    colour: &'static str,
    attempts: u32,
    took: String,
    note: String,
}

pub(super) fn write(report: &Report) -> String {
    static PAGES: LazyLock<Environment<'static>> = LazyLock::new(pages);
    let rows = work::all(&report.run.steps);
    let steps = rows.iter().take(MOST_ROWS).map(|row| Step {
        id: &row.step.id,
        suffix: row.suffix(),
        name: &row.step.name,
        phase: row.step.phase.unwrap_or(""),
        action: row.action.unwrap_or(""),
        status: words(row.status),
        colour: row.colour(),
        attempts: row.attempts,
        took: row.took(),
        note: row.notes().join("; "),
    });
    let steps: Vec<Step<'_>> = steps.collect();
    let notes = report.run.notes.iter().filter(|(name, note)| *name != WARNINGS && note.len() < NOTE);
    let notes: Vec<(&String, &String)> = notes.collect();
    let missed = report.run.member_objectives.iter().flat_map(|members| &members.missed);
    let missed: Vec<(&String, &String, String)> =
        missed.map(|missed| (&missed.step, &missed.run, missed.text())).collect();
    let members: Vec<_> = (report.run.member_objectives.iter().flat_map(|members| &members.runs))
        .take(MOST_ROWS)
        .map(|member| (member, member.row()))
        .collect();
    let context = context! {
        report => data(report),
        steps => data(&steps),
        more_steps => rows.len().saturating_sub(MOST_ROWS),
        notes => data(&notes),
        missed => data(&missed),
        members => data(&members),
        allowed => data(&report.drill.as_ref().map(super::DrillFacts::allowed)),
        most => MOST_ROWS,
        style => Value::from_safe_string(STYLE.to_owned()),
        policy => Value::from_safe_string(policy()),
        clock => Value::from_safe_string(clock_picture::draw(report)),
        gantt => Value::from_safe_string(gantt::draw(report).unwrap_or_default()),
        tone => tone(report),
    };
    // The templates are part of the program, and a test renders them.
    PAGES.get_template("page.html").and_then(|page| page.render(context)).unwrap_or_else(|error| {
        format!("<!doctype html><title>report</title><p>{}</p>", picture::escape(&error.to_string()))
    })
}

fn pages() -> Environment<'static> {
    let mut pages = Environment::new();
    pages.set_auto_escape_callback(|_| AutoEscape::Html);
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        pages.set_syntax(syntax);
    }
    pages.add_filter("words", |word: String| words(&word));
    pages.add_filter("span", span);
    pages.add_filter("offset", markdown::offset);
    pages.add_filter("short", |text: String| text.chars().take(12).collect::<String>());
    pages.add_filter("clock", |at: String| at.get(..19).unwrap_or(&at).replace('T', " "));
    // A template that cannot be read is found by the first test that renders one.
    let _ = pages.add_template("page.html", PAGE);
    pages
}

/// Only the style of this very page is let in, and nothing else from anywhere.
fn policy() -> String {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
}

/// Data for the templates, with every letter visible.
fn data(value: &impl Serialize) -> Value {
    // What a report holds always has a JSON form.
    Value::from(Serde(visible(serde_json::to_value(value).unwrap_or_default())))
}

fn visible(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::String(text) => text.chars().map(picture::plain).collect::<String>().into(),
        serde_json::Value::Array(items) => items.into_iter().map(visible).collect(),
        serde_json::Value::Object(fields) => {
            let plain = |name: String| name.chars().map(picture::plain).collect::<String>();
            fields.into_iter().map(|(name, value)| (plain(name), visible(value))).collect()
        }
        other => other,
    }
}

/// The colour of the whole report.
fn tone(report: &Report) -> &'static str {
    match (report.run.status, report.run.objective_verdict.as_str()) {
        ("failed" | "aborted" | "expired", _) => "bad",
        _ if !report.over || matches!(report.run.intent, "simulate" | "check") => "open",
        ("succeeded", "met") => "good",
        (_, "missed") => "bad",
        ("succeeded" | "succeeded_with_warnings", _) => "warn",
        _ => "open",
    }
}
