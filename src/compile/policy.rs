//! Text to policy, with everything that is wrong with it at once. Pure: no clock, no file, no environment.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZoneDatabase;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::diagnostic::{Code, Diagnostic};
use super::document;
use super::expression;
use super::reporter::Reporter;
use super::schema::{self, Gaps, Shapes};
use crate::model::governance::{Policy, Selection, Window};

/// Longest time zone name that is looked up.
const ZONE_CHARS: usize = 64;

/// Compiles the text of a policy. The policy is there only when no finding is an error.
#[must_use]
pub fn policy(text: &str) -> (Option<Policy>, Vec<Diagnostic>) {
    let (document, findings) = document::read(text);
    let Some(document) = document else { return (None, findings) };
    let mut reporter = Reporter::new(text, document.places, findings);
    let policy = typed(document.value, &mut reporter);
    if let Some((policy, gaps)) = &policy {
        check(policy, gaps, &mut reporter);
    }
    let sound = !reporter.has_errors();
    (policy.map(|(policy, _)| policy).filter(|_| sound), reporter.finish())
}

/// JSON Schema (2020-12) of a policy file, as committed in `schemas/policy.schema.json`.
#[must_use]
pub fn policy_schema() -> Value {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Policy>().to_value();
    schema::tidy(&mut schema);
    schema["$id"] = "https://drctl.dev/schemas/policy.schema.json".into();
    schema
}

fn shapes() -> &'static Shapes {
    static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
        let mut schema =
            SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Policy>().to_value();
        schema::without_null(&mut schema);
        Shapes::new(&schema)
    });
    &SHAPES
}

fn typed(mut document: Value, reporter: &mut Reporter<'_>) -> Option<(Policy, Gaps)> {
    if !document.is_object() {
        let found = if document.is_null() { "is empty" } else { "is not a mapping" };
        let message = format!("the document {found}; a policy is a mapping");
        reporter
            .value(Code::WrongType, "", message)
            .help("begin with `apiVersion: drctl/v1` and `kind: Policy`");
        return None;
    }
    let (_, gaps) = schema::validate(&mut document, shapes(), reporter);
    match serde_json::from_value(document) {
        Ok(policy) => Some((policy, gaps)),
        Err(error) => {
            if !reporter.has_errors() {
                reporter.key(Code::Malformed, "", format!("the document cannot be taken over: {error}"));
            }
            None
        }
    }
}

fn check(policy: &Policy, gaps: &Gaps, reporter: &mut Reporter<'_>) {
    let windows = policy.windows.iter().map(|window| window.id.as_str());
    unique("windows", windows, reporter);
    unique("deny", policy.deny.iter().map(|rule| rule.id.as_str()), reporter);
    for (at, window) in policy.windows.iter().enumerate() {
        self::window(window, &format!("/windows/{at}"), gaps, reporter);
    }
    for (at, demand) in policy.approvals.iter().enumerate() {
        selection(&demand.select, &format!("/approvals/{at}/select"), reporter);
    }
    for (at, demand) in policy.drills.iter().enumerate() {
        selection(&demand.select, &format!("/drills/{at}/select"), reporter);
    }
    for (at, rule) in policy.deny.iter().enumerate() {
        let pointer = format!("/deny/{at}");
        selection(&rule.select, &format!("{pointer}/select"), reporter);
        expression::policy(rule.when.as_str(), false, &format!("{pointer}/when"), reporter);
        expression::policy(&rule.message, true, &format!("{pointer}/message"), reporter);
    }
    for (at, code) in policy.lints.iter().flat_map(|lints| &lints.required).enumerate() {
        required(code, &format!("/lints/required/{at}"), reporter);
    }
}

fn unique<'a>(list: &str, ids: impl Iterator<Item = &'a str>, reporter: &mut Reporter<'_>) {
    let mut seen = BTreeSet::new();
    for (at, id) in ids.enumerate() {
        if !seen.insert(id) {
            let message = format!("two of `{list}` have the id `{id}`");
            reporter
                .value(Code::BrokenPolicy, &format!("/{list}/{at}/id"), message)
                .help("give one of them another id");
        }
    }
}

fn selection(selection: &Selection, pointer: &str, reporter: &mut Reporter<'_>) {
    for (at, service) in selection.services.iter().enumerate() {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '*');
        if service.is_empty() || !service.chars().all(fits) {
            let message = format!("no service can be called `{service}`");
            reporter
                .value(Code::BrokenPolicy, &format!("{pointer}/services/{at}"), message)
                .help("names have small letters, digits and `-`; `*` stands for any of them");
        }
    }
}

fn window(window: &Window, pointer: &str, gaps: &Gaps, reporter: &mut Reporter<'_>) {
    selection(&window.select, &format!("{pointer}/select"), reporter);
    if !window.select.operations.is_empty() {
        let message = "`select.operations` has no meaning in a window";
        reporter
            .key(Code::BrokenPolicy, &format!("{pointer}/select/operations"), message)
            .help("use `operations` of the window: switchover, failback, drill");
    }
    let zone = &window.timezone;
    if zone.len() > ZONE_CHARS || TimeZoneDatabase::bundled().get(zone).is_err() {
        reporter
            .value(
                Code::BrokenPolicy,
                &format!("{pointer}/timezone"),
                format!("there is no time zone `{zone}`"),
            )
            .help("write it like Europe/Berlin or UTC");
    }
    let partial = gaps.touches(&format!("{pointer}/allow")) || gaps.touches(&format!("{pointer}/blackout"));
    if window.allow.is_empty() && window.blackout.is_empty() && !partial {
        let message = format!("the window `{}` says neither when it is open nor when it is not", window.id);
        reporter.key(Code::BrokenPolicy, pointer, message).help("add `allow` or `blackout`");
    }
    for (at, open) in window.allow.iter().enumerate() {
        for (key, time) in [("from", &open.from), ("to", &open.to)] {
            if clock_time(time).is_none() {
                let message = format!("`{time}` is not a time of day");
                reporter
                    .value(Code::BrokenPolicy, &format!("{pointer}/allow/{at}/{key}"), message)
                    .help("write it like 09:00, in quotes");
            }
        }
        if open.from == open.to {
            let message = "it begins when it ends";
            reporter
                .value(Code::BrokenPolicy, &format!("{pointer}/allow/{at}/to"), message)
                .help("for whole days say 00:00 to 23:59");
        }
    }
    for (at, range) in window.blackout.iter().enumerate() {
        if days(range).is_none() {
            let message = format!("`{range}` is not a range of days");
            reporter
                .value(Code::BrokenPolicy, &format!("{pointer}/blackout/{at}"), message)
                .help("write it like 2026-12-20/2027-01-05, the first day first");
        }
    }
}

/// A time of day such as `09:00`.
fn clock_time(text: &str) -> Option<Time> {
    (text.len() == 5).then(|| Time::strptime("%H:%M", text).ok()).flatten()
}

/// First and last day of a range such as `2026-12-20/2027-01-05`.
fn days(text: &str) -> Option<(Date, Date)> {
    let (first, last) = text.split_once('/')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

fn required(code: &str, pointer: &str, reporter: &mut Reporter<'_>) {
    // A group of rules may be required before this build has one of them.
    let group = matches!(code.as_bytes(), [b'D', b'R', b'0', b'1'..=b'9']);
    let known = group || (code.len() > 4 && Code::ALL.iter().any(|it| it.as_str().starts_with(code)));
    if !known {
        reporter
            .value(Code::BrokenPolicy, pointer, format!("no code begins with `{code}`"))
            .help("`drctl explain` lists all codes");
    }
}
