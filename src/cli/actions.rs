//! `drctl actions`: the catalogue of actions, or everything about one.

use std::fmt::Write;

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use super::table::Table;
use super::table::Yield::{Drop, Wrap};
use super::{Error, Global, exit, output};
use crate::model::action::reference::{self, family};
use crate::model::action::{ActionName, Adapter, ApiHome, Effect};

/// Arguments of `actions`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// Action such as postgres.promote, or a family such as aws.rds; absent: all of them.
    name: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When there is no such action or family.
pub(crate) fn run(global: &Global, arguments: &Arguments) -> Result<u8, Error> {
    let Some(name) = &arguments.name else {
        return list(global, ActionName::ALL);
    };
    if let Ok(action) = name.parse::<ActionName>() {
        output::print(global.output, &Described::of(action), || describe(action))?;
        return Ok(exit::SUCCESS);
    }
    let family: Vec<_> = ActionName::ALL.iter().copied().filter(|action| is_of(*action, name)).collect();
    if family.is_empty() {
        return Err(Error::new(exit::USAGE, format!("there is no action or family `{name}`"))
            .help("`drctl actions` lists them all"));
    }
    list(global, &family)
}

fn is_of(action: ActionName, family: &str) -> bool {
    action.as_str().strip_prefix(family).is_some_and(|rest| rest.starts_with('.'))
}

fn list(global: &Global, actions: &[ActionName]) -> Result<u8, Error> {
    let described: Vec<_> = actions.iter().copied().map(Described::of).collect();
    output::print(global.output, &described, || table(actions))?;
    Ok(exit::SUCCESS)
}

fn table(actions: &[ActionName]) -> String {
    let mut table = Table::new(&["ACTION", "EFFECT", "PLANE", "TAKEN BACK", "REAL", "WHAT IT DOES"]);
    let mut last = "";
    for action in actions {
        let spec = action.spec();
        if !last.is_empty() && last != family(*action) {
            table.row([""]);
        }
        last = family(*action);
        let real = if spec.adapter == Adapter::Real { "yes" } else { "simulated" };
        table.row([
            action.as_str(),
            spec.effect.as_str(),
            spec.plane.as_str(),
            if spec.effect == Effect::Read { "-" } else { spec.reversibility.as_str() },
            real,
            spec.summary,
        ]);
    }
    table.fit("", output::width(), &[Drop(2), Drop(3), Drop(1), Wrap(5)])
}

#[derive(Debug, Serialize)]
struct Described {
    name: &'static str,
    spec: Value,
    parameters: Value,
}

impl Described {
    fn of(action: ActionName) -> Self {
        let mut spec = serde_json::to_value(action.spec()).unwrap_or_default();
        let outputs =
            action.spec().outputs.iter().map(|(name, text)| json!({"name": name, "description": text}));
        spec["outputs"] = outputs.collect();
        Self { name: action.as_str(), spec, parameters: reference::schema(action) }
    }
}

fn describe(action: ActionName) -> String {
    let spec = action.spec();
    let mut text = format!("{action}\n  {}\n\n", spec.summary);
    let home = match spec.home {
        ApiHome::Local => "here, or where its parameters point".to_owned(),
        ApiHome::Parameter(name) => format!("in the region of its parameter `{name}`"),
        ApiHome::Region(region) => format!("in {region}, whatever it works on"),
    };
    let real = match spec.adapter {
        Adapter::Real => "real systems and the simulated estate",
        Adapter::SimulatedOnly => "the simulated estate only; a real plan that uses it is refused",
    };
    let mut facts = Table::default();
    facts.row(["effect", spec.effect.as_str()]);
    facts.row(["plane", spec.plane.as_str()]);
    facts.row(["API", &home]);
    facts.row(["taken back", spec.reversibility.as_str()]);
    facts.row(["in doubt", spec.doubt.as_str()]);
    facts.row(["in a drill", &spec.drill.as_str().replace('_', " ")]);
    facts.row(["role", spec.role.as_str()]);
    facts.row(["works on", real]);
    facts.row(["timeout", &spec.timeout.to_string()]);
    facts.row(["estimate", &spec.estimate.to_string()]);
    text.push_str(&facts.fit("  ", output::width(), &[Wrap(1)]));
    let fields = reference::parameters(action);
    if fields.is_empty() {
        text.push_str("\nIt takes no parameters.\n");
    } else {
        let mut table = Table::new(&["PARAMETER", "TYPE", "REQUIRED", "MEANING"]);
        for field in fields {
            let required = if field.required { "yes" } else { "" };
            table.row([field.name.as_str(), &field.kind, required, &field.description]);
        }
        let _ = write!(text, "\n{}", table.fit("  ", output::width(), &[Wrap(3)]));
    }
    if !spec.outputs.is_empty() {
        let mut table = Table::new(&["OUTPUT", "MEANING"]);
        for (name, meaning) in spec.outputs {
            table.row([*name, *meaning]);
        }
        let _ = write!(text, "\n{}", table.fit("  ", output::width(), &[Wrap(1)]));
    }
    if !spec.permissions.is_empty() {
        let mut table = Table::new(&["PERMISSION"]);
        for name in spec.permissions {
            table.row([*name]);
        }
        for name in spec.check_permissions {
            table.row([&format!("{name} (for `drctl check` only)")]);
        }
        let _ = write!(text, "\n{}", table.render("  "));
    }
    text
}
