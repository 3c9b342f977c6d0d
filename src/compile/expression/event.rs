//! Checks the conditions of triggers: syntax, tools, and each name of the event. A mistyped name would be
//! found out on the bad day, by a run that does not start.

use super::fault::Fault;
use super::names::Name;
use super::policy::sound;
use crate::compile::diagnostic::Code;
use crate::compile::reporter::Reporter;
use crate::model::trigger::{EVENT_FIELDS, INCIDENT_FIELDS, SERVICE_FIELDS};

const ROOTS: [&str; 2] = ["event", "incident"];

/// Checks one condition over an event.
pub(in crate::compile) fn event(text: &str, pointer: &str, reporter: &mut Reporter<'_>) {
    let Some((_, found)) = sound(text, false, pointer, reporter) else { return };
    for (at, fault) in found.names.iter().filter_map(|name| Some((name.at, unknown(name)?))) {
        reporter.within(fault.code, pointer, text, at, fault.message).help = fault.help;
    }
}

/// What is wrong with a name that is read.
fn unknown(name: &Name<'_>) -> Option<Fault> {
    let root = name.path.first()?;
    let (what, fields) = match *root {
        "event" => ("an event has no", EVENT_FIELDS),
        "incident" => ("an incident has no", INCIDENT_FIELDS),
        _ => {
            let what = format!("a trigger reads {}; there is no", ROOTS.join(" and "));
            return Some(Fault::unknown(&what, root, ROOTS.into_iter(), ""));
        }
    };
    let field = name.path.get(1)?;
    if !fields.contains(field) {
        return Some(Fault::unknown(what, field, fields.iter().copied(), ""));
    }
    let Some(deeper) = name.path.get(2) else {
        let whole = *root == "incident" && *field == "service" && !name.computed && !name.guarded;
        let fault =
            Fault::new(Code::BrokenExpression, "`incident.service` has an id and a name, and is neither");
        return whole.then(|| fault.help("write `incident.service.id` or `incident.service.name`"));
    };
    match (*root, *field) {
        ("incident", "service") if !SERVICE_FIELDS.contains(deeper) => {
            Some(Fault::unknown("`incident.service` has no", deeper, SERVICE_FIELDS.iter().copied(), ""))
        }
        ("incident", "service") | ("event", "labels" | "details") => None,
        _ => {
            let none = std::iter::empty();
            let fault =
                Fault::unknown(&format!("`{root}.{field}` is no object: it has no"), deeper, none, "");
            Some(fault.help(format!("write `{root}.{field}`")))
        }
    }
}
