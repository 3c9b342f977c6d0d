//! What a component contributes to a workflow, collected. Knows sites and templates, not kinds.

use serde_json::{Map, Value, json};

use super::declared::Entry;
use super::stages::Stage;
use crate::compile::expression::{Kind, template};
use crate::model::component::{HttpEndpoint, SiteValue};
use crate::model::id::SiteName;
use crate::model::runbook::Strategy;
use crate::model::time::Duration;
use crate::model::values::Objectives;

/// The direction steps are derived for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Failover,
    Failback,
}

/// The site a step works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    From,
    To,
    /// Each of the sites that are left, one after the other.
    Item,
}

impl Side {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::From => "from",
            Self::To => "to",
            Self::Item => "item",
        }
    }

    pub(super) fn region(self) -> String {
        format!("{{{{ {}.region }}}}", self.word())
    }
}

/// A derived step.
pub(super) struct Member {
    pub(super) stage: Stage,
    pub(super) step: Value,
    /// Position of its component.
    pub(super) component: usize,
}

/// What all components of a runbook share.
pub(super) struct Setting<'a> {
    pub(super) strategy: Strategy,
    pub(super) objectives: &'a Objectives,
    /// Endpoints that say whether a site serves, with the ids of their components.
    pub(super) endpoints: Vec<(&'a str, &'a HttpEndpoint)>,
}

/// How far the data of a component reaches in the site it is moved to; the recovery point is read by it.
pub(super) fn reading(uses: &str, with: &Value) -> Value {
    json!({"uses": uses, "with": with})
}

/// One component at work on one direction.
pub(super) struct Part<'a> {
    pub(super) setting: &'a Setting<'a>,
    pub(super) direction: Direction,
    entry: &'a Entry,
    component: usize,
    members: &'a mut Vec<Member>,
    /// What becomes of `sites.<name>.values`.
    values: &'a mut Map<String, Value>,
}

impl<'a> Part<'a> {
    pub(super) fn new(
        setting: &'a Setting<'a>,
        direction: Direction,
        (component, entry): (usize, &'a Entry),
        members: &'a mut Vec<Member>,
        values: &'a mut Map<String, Value>,
    ) -> Self {
        Self { setting, direction, entry, component, members, values }
    }

    pub(super) fn is_active_active(&self) -> bool {
        self.setting.strategy == Strategy::ActiveActive
    }

    /// Adds a step; its id is that of the component and a verb.
    pub(super) fn step(&mut self, stage: Stage, verb: &str, mut step: Value) {
        step["id"] = self.step_id(verb).into();
        if stage == Stage::Shift && self.setting.strategy == Strategy::BackupRestore {
            into_a_copy(&mut step);
        }
        self.members.push(Member { stage, step, component: self.component });
    }

    /// Adds a step that works on one side: only where the component is there.
    pub(super) fn step_on(&mut self, side: Side, stage: Stage, verb: &str, mut step: Value) {
        if let Some(sites) = &self.entry.sites {
            let names: Vec<String> = sites.iter().map(|site| format!("'{site}'")).collect();
            let all = match step.get("for_each").and_then(Value::as_str) {
                Some(each) => each.trim_matches(['{', '}', ' ']).to_owned(),
                None => format!("[{}]", side.word()),
            };
            // A list without items is a step without nodes: nothing is rendered for a site it is not in.
            let here = format!("{{{{ {all} | selectattr('name', 'in', [{}]) | list }}}}", names.join(", "));
            step["for_each"] = here.into();
        }
        self.step(stage, verb, step);
    }

    pub(super) fn step_id(&self, verb: &str) -> String {
        format!("{}-{verb}", self.entry.id)
    }

    /// The value of a field at a side, as a template.
    pub(super) fn at(&mut self, side: Side, field: &str, value: &SiteValue) -> Value {
        match value {
            SiteValue::One(text) => Value::String(renamed(text, side)),
            SiteValue::List(items) => items.iter().map(|item| renamed_inside(item, side)).collect(),
            SiteValue::Each(sites) => {
                for (site, value) in sites {
                    self.keep(site, field, value.clone());
                }
                self.kept(side, field)
            }
        }
    }

    /// Keeps a value of a site where templates can read it.
    pub(super) fn keep(&mut self, site: &SiteName, field: &str, value: Value) {
        let key = self.key();
        let own = self.values.entry(site.as_str()).or_insert_with(|| json!({}));
        own[key][field] = value;
    }

    /// Reads a value that was kept.
    pub(super) fn kept(&self, side: Side, field: &str) -> Value {
        format!("{{{{ {}.values.{}.{field} }}}}", side.word(), self.key()).into()
    }

    fn key(&self) -> String {
        key(&self.entry.id)
    }

    /// The recovery point objective, or a default.
    pub(super) fn rpo_or(&self, own: Option<Duration>, default: Duration) -> String {
        own.or(self.setting.objectives.rpo).unwrap_or(default).to_string()
    }
}

/// The value of a field of another component, which keeps it itself.
pub(super) fn at_of(component: &str, side: Side, field: &str, value: &SiteValue) -> Value {
    match value {
        SiteValue::One(text) => Value::String(renamed(text, side)),
        SiteValue::List(items) => items.iter().map(|item| renamed_inside(item, side)).collect(),
        SiteValue::Each(_) => format!("{{{{ {}.values.{}.{field} }}}}", side.word(), key(component)).into(),
    }
}

/// Name under which the values of a component are kept.
pub(super) fn key(component: &str) -> String {
    let key = component.replace('-', "_");
    // A name in an expression must not begin with a digit.
    if key.starts_with(|first: char| first.is_ascii_digit()) { format!("c_{key}") } else { key }
}

/// What users write into a restored copy is nowhere else, so their way there is the point of no return.
fn into_a_copy(step: &mut Value) {
    step["reversibility"] = json!({
        "class": "irreversible",
        "reason": "users write into the restored copy; going back loses their work",
    });
    if let Some(fields) = step.as_object_mut() {
        fields.remove("undo");
    }
}

fn renamed_inside(value: &Value, side: Side) -> Value {
    match value {
        Value::String(text) => Value::String(renamed(text, side)),
        Value::Array(items) => items.iter().map(|item| renamed_inside(item, side)).collect(),
        other => other.clone(),
    }
}

/// Reads `site` as the site of a side, inside the tags of a template.
fn renamed(text: &str, side: Side) -> String {
    let mut renamed = String::with_capacity(text.len());
    let (mut at, mut after_dot) = (0, false);
    for token in template(text) {
        if token.kind == Kind::Word("site") && !after_dot {
            renamed.push_str(text.get(at..token.from).unwrap_or_default());
            renamed.push_str(side.word());
            at = token.to;
        }
        after_dot = token.kind == Kind::Sign('.');
    }
    renamed.push_str(text.get(at..).unwrap_or_default());
    renamed
}

#[cfg(test)]
mod tests {
    use super::{Side, renamed};

    #[test]
    fn site_is_read_as_a_side_and_nothing_else_is_touched() {
        for (text, to) in [
            ("https://{{ site.name }}.example.com/site", "https://{{ to.name }}.example.com/site"),
            ("{{ params.site ~ site.values['site'] }}", "{{ params.site ~ to.values['site'] }}"),
            ("plain site", "plain site"),
        ] {
            assert_eq!(renamed(text, Side::To), to);
        }
    }
}
