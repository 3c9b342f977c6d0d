//! Writes a first runbook as commented YAML. Knows no kind of component.

use std::fmt::Write;

use serde_json::Value;

use super::{MARK, Wanted, id, required};
use crate::compile::diagnostic::Code;
use crate::model::component::{ComponentKind, ComponentRole};
use crate::model::runbook::Strategy;
use crate::model::time::Duration;

/// Characters of a line with several values.
const WIDTH: usize = 100;

/// What stops the old site from writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fence {
    /// The data's own steps.
    Data,
    /// Stopping what runs the service: it is said to write.
    Compute,
    /// A person, on the way out.
    ByHand,
    /// A person, on the way out and on the way back.
    AlwaysByHand,
}

/// The text of a first runbook: with the least beside the components that makes it compile.
#[must_use]
pub fn scaffold(wanted: &Wanted) -> String {
    let all = [Fence::Data, Fence::Compute, Fence::ByHand, Fence::AlwaysByHand];
    let judged = all.into_iter().map(|fence| {
        let text = text(wanted, fence);
        let (runbook, findings) = crate::compile::compile(&text, jiff::civil::Date::MIN);
        let findings = findings.iter().filter(|finding| finding.code != Code::Placeholder).count();
        (runbook.is_none(), findings, text)
    });
    // Of equally good ones the first, which says least.
    let best = judged.min_by_key(|(broken, findings, _)| (*broken, *findings));
    best.map_or_else(String::new, |(_, _, text)| text)
}

fn text(wanted: &Wanted, fence: Fence) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let _ = head(&mut out, wanted)
        .and_then(|()| components(&mut out, wanted, fence))
        .and_then(|()| by_hand(&mut out, wanted, fence));
    out
}

fn by_hand(out: &mut String, wanted: &Wanted, fence: Fence) -> std::fmt::Result {
    let returns = wanted.strategy != Strategy::BackupRestore;
    let operations: &[&str] = match fence {
        Fence::Data | Fence::Compute => &[],
        Fence::AlwaysByHand if returns => &["failover", "failback"],
        Fence::ByHand | Fence::AlwaysByHand => &["failover"],
    };
    if operations.is_empty() && returns {
        return Ok(());
    }
    writeln!(out, "workflows:")?;
    if !returns {
        way_back(out, wanted)?;
    }
    if operations.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "  # No part above stops the old site from writing: a person does, until there is an action for it."
    )?;
    for operation in operations {
        writeln!(out, "  {operation}:\n    steps:")?;
        writeln!(out, "      - id: fence\n        phase: fence\n        uses: manual.task")?;
        let task = |verb: &str| {
            scalar(&format!("{MARK}: {verb} {} in {{{{ from.name }}}} from accepting writes", wanted.name))
        };
        let back = task("no longer keep");
        writeln!(out, "        with: {{instructions: {}}}", task("stop"))?;
        writeln!(
            out,
            "        undo: {{uses: manual.task, with: {{instructions: {back}}}}}\n        drill: skip"
        )?;
    }
    Ok(())
}

/// From backups no way back is derived: what is restored has another name than before.
fn way_back(out: &mut String, wanted: &Wanted) -> std::fmt::Result {
    let name = &wanted.name;
    let task = |text: &str| scalar(&format!("{MARK}: {text}"));
    let stop = task(&format!("stop {name} in {{{{ from.name }}}}"));
    let start = task(&format!("start {name} in {{{{ from.name }}}} again"));
    let copy = task("back up once more, copy it to {{ to.name }}, restore it there and move the users");
    writeln!(out, "  # The way back is not derived from backups: write it here, step by step.")?;
    writeln!(
        out,
        "  failback:\n    steps:\n      - id: stop\n        phase: fence\n        uses: manual.task"
    )?;
    writeln!(out, "        with: {{instructions: {stop}}}")?;
    writeln!(
        out,
        "        undo: {{uses: manual.task, with: {{instructions: {start}}}}}\n        drill: skip"
    )?;
    writeln!(out, "      - id: return\n        phase: restore\n        uses: manual.task")?;
    writeln!(out, "        with: {{instructions: {copy}}}\n        drill: skip")
}

fn head(out: &mut String, wanted: &Wanted) -> std::fmt::Result {
    let (name, strategy) = (&wanted.name, wanted.strategy);
    let file = format!("{name}.yaml");
    let from = if strategy == Strategy::ActiveActive {
        format!(" --from {}", wanted.sites[0])
    } else {
        String::new()
    };
    writeln!(out, "# {name}: {}.", meaning(strategy))?;
    writeln!(out, "# Replace every {MARK}; what each means is beside it. Then:")?;
    writeln!(out, "#   drctl validate {file}")?;
    writeln!(out, "#   drctl plan {file}{from}    # the steps that follow from this")?;
    writeln!(out, "#   drctl failover {file}{from} --simulate")?;
    writeln!(out, "apiVersion: drctl/v1\nkind: Runbook\nmetadata:\n  name: {}", scalar(name.as_str()))?;
    match &wanted.owner {
        Some(owner) => writeln!(out, "  owner: {}", scalar(owner))?,
        None => writeln!(out, "  owner: {MARK}-team # who answers for the service")?,
    }
    writeln!(out, "strategy: {strategy}")?;
    let time = |name: &str, time: Option<Duration>| time.map(|time| format!("{name}: {}", compact(time)));
    let objectives = wanted.objectives;
    let all = [time("rto", objectives.rto), time("rpo", objectives.rpo), time("mtd", objectives.mtd)];
    let all: Vec<String> = all.into_iter().flatten().collect();
    writeln!(
        out,
        "objectives: {{{}}} # targets; a run reports what it measured beside them",
        all.join(", ")
    )?;
    writeln!(out, "sites:")?;
    for (at, site) in wanted.sites.iter().enumerate() {
        let role = if at == 0 || strategy == Strategy::ActiveActive { "active" } else { "standby" };
        let (site, provider) = (scalar(site.as_str()), scalar(&wanted.provider));
        writeln!(out, "  {site}: {{role: {role}, provider: {provider}, region: {site}}}")?;
    }
    Ok(())
}

const fn meaning(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::BackupRestore => "nothing runs in the other site; its data comes from backups",
        Strategy::PilotLight => "data is replicated to the other site, where compute starts from zero",
        Strategy::WarmStandby => "a smaller copy runs in the other site all the time",
        Strategy::ActiveActive => "both sites serve",
    }
}

fn components(out: &mut String, wanted: &Wanted, fence: Fence) -> std::fmt::Result {
    writeln!(out, "components:")?;
    let kinds = &wanted.components;
    for (at, kind) in kinds.iter().enumerate() {
        let id = id(kinds, at);
        writeln!(out, "  # {}", kind.summary())?;
        writeln!(out, "  - id: {id}\n    kind: {kind}")?;
        if let Some(database) = needs(wanted, *kind) {
            writeln!(out, "    needs: [{database}]")?;
        }
        fields(out, wanted, *kind, &id, fence)?;
    }
    Ok(())
}

/// The component that a part of the same phase comes after.
fn needs(wanted: &Wanted, kind: ComponentKind) -> Option<String> {
    let same = kind.role() == ComponentRole::Compute;
    let at = wanted.components.iter().position(|other| *other == kind)?;
    let first = wanted.components.iter().position(|other| other.role() == ComponentRole::Compute)?;
    (same && first < at).then(|| id(&wanted.components, first))
}

fn fields(
    out: &mut String,
    wanted: &Wanted,
    kind: ComponentKind,
    id: &str,
    fence: Fence,
) -> std::fmt::Result {
    let schema = kind.schema();
    let mut given = required(kind, wanted, id);
    if fence == Fence::Compute && schema["properties"].get("writes").is_some() {
        given.insert("writes".to_owned(), Value::Bool(true));
    }
    for (name, value) in &given {
        let meaning = description(&schema, name);
        let meaning = if flow(value).contains(MARK) { format!("{MARK}: {meaning}") } else { meaning };
        let line = format!("    {name}: {}", flow(value));
        match value {
            Value::Object(each) if line.len() > WIDTH => {
                writeln!(out, "    {name}: # {meaning}")?;
                for (key, value) in each {
                    writeln!(out, "      {}: {}", scalar(key), flow(value))?;
                }
            }
            Value::Array(items) if line.len() > WIDTH => {
                writeln!(out, "    {name}: # {meaning}")?;
                for item in items {
                    writeln!(out, "      - {}", flow(item))?;
                }
            }
            _ => writeln!(out, "{line} # {meaning}")?,
        }
    }
    let properties = schema["properties"].as_object();
    let common = ["id", "kind", "needs", "sites"];
    for name in properties.into_iter().flat_map(|properties| properties.keys()) {
        if !given.contains_key(name) && !common.contains(&name.as_str()) {
            writeln!(out, "    # {name}: {}", description(&schema, name))?;
        }
    }
    Ok(())
}

/// What a field means, on one line.
fn description(schema: &Value, name: &str) -> String {
    let field = &schema["properties"][name];
    let target = field["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/"));
    let shared = target.and_then(|target| schema["$defs"][target]["description"].as_str());
    let text = field["description"].as_str().or(shared).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value on one line.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A text as YAML: plain where nobody could read it as something else.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    if begins && text.chars().all(plain) && !word { text.to_owned() } else { Value::from(text).to_string() }
}

/// A length of time without spaces.
fn compact(time: Duration) -> String {
    time.to_string().replace(' ', "")
}
