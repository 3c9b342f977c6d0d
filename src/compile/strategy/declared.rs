//! Reads the components of a document, typed, and says what is wrong with them where they stand.

use std::collections::BTreeSet;

use serde_json::Value;

use super::names;
use crate::compile::diagnostic::{Code, Span};
use crate::compile::reporter::Reporter;
use crate::compile::schema;
use crate::compile::suggest;
use crate::compile::tree::escape;
use crate::model::component::{Component, ComponentKind};
use crate::model::expression;
use crate::model::id::SiteName;
use crate::model::runbook::Strategy;
use crate::model::values::Objectives;

/// A component of the runbook.
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) component: Component,
    /// Ids of components whose steps of the same stage come first.
    pub(super) needs: Vec<String>,
    /// The sites it is in; absent: all.
    pub(super) sites: Option<Vec<SiteName>>,
    pub(super) span: Span,
}

/// The declared part of a runbook.
pub(super) struct Declared {
    pub(super) strategy: Strategy,
    pub(super) objectives: Objectives,
    pub(super) entries: Vec<Entry>,
    /// Where the components begin.
    pub(super) span: Span,
}

/// Reads the components; nothing when there are none, or when one is broken.
pub(super) fn read(document: &Value, reporter: &mut Reporter<'_>) -> Option<Declared> {
    let components = document.get("components")?.as_array().filter(|components| !components.is_empty())?;
    let sites = document.get("sites");
    if sites.is_none_or(|sites| sites.is_null() || sites.as_object().is_some_and(serde_json::Map::is_empty)) {
        let message = "components need `sites`: without them nobody knows where the service runs and may go";
        reporter.key(Code::BrokenComponent, "/components", message).help(
            "add `sites` with one of `role: active` and one of `role: standby`; with active_active all are \
             active",
        );
    }
    let sites: BTreeSet<&str> = sites.and_then(Value::as_object)?.keys().map(String::as_str).collect();
    if sites.is_empty() {
        return None;
    }
    let strategy = document.get("strategy").and_then(|word| serde_json::from_value(word.clone()).ok());
    let Some(strategy) = strategy else {
        if document.get("strategy").is_none() {
            let message = "components need a `strategy`, which says what becomes of them";
            reporter
                .key(Code::BrokenComponent, "/components", message)
                .help("one of backup_restore, pilot_light, warm_standby, active_active");
        }
        return None;
    };
    let entries: Vec<Entry> = components
        .iter()
        .enumerate()
        .filter_map(|(at, component)| entry(component, &format!("/components/{at}"), &sites, reporter))
        .collect();
    let mut sound = entries.len() == components.len();
    sound &= names::check(&entries, reporter);
    for (at, entry) in entries.iter().enumerate().filter(|(_, entry)| !entry.component.kind().fits(strategy))
    {
        let kind = entry.component.kind();
        let message = format!("`{kind}` cannot be a part of {strategy}");
        reporter
            .value(Code::BrokenComponent, &format!("/components/{at}/kind"), message)
            .help("see docs/reference/components.md for what goes with each strategy");
        sound = false;
    }
    let objectives = document.get("objectives").cloned().unwrap_or_default();
    let objectives = serde_json::from_value(objectives).unwrap_or_default();
    let span = reporter.place("/components");
    sound.then_some(Declared { strategy, objectives, entries, span })
}

fn entry(
    component: &Value,
    pointer: &str,
    sites: &BTreeSet<&str>,
    reporter: &mut Reporter<'_>,
) -> Option<Entry> {
    let Some(fields) = component.as_object() else {
        let message = "a component is a mapping with `id` and `kind`";
        reporter.value(Code::WrongType, pointer, message);
        return None;
    };
    let kind = kind(fields.get("kind"), pointer, reporter)?;
    let mut whole = component.clone();
    if !schema::validate_part(&mut whole, schema::component(kind), pointer, reporter) {
        return None;
    }
    let mut own = whole;
    let (id, needs, own_sites) = {
        let fields = own.as_object_mut()?;
        fields.remove("kind");
        let needs = fields.remove("needs").unwrap_or_else(|| Value::Array(Vec::new()));
        (fields.remove("id")?, needs, fields.remove("sites"))
    };
    let own_sites = match own_sites {
        Some(names) => Some(somewhere(names, pointer, sites, reporter)?),
        None => None,
    };
    let here = own_sites.as_ref().map(|names| names.iter().map(SiteName::as_str).collect());
    let sound = by_site((&id, &own), pointer, kind, here.as_ref().unwrap_or(sites), reporter);
    let component = match Component::new(kind, own) {
        Ok(component) => component,
        Err(error) => {
            reporter.value(Code::Malformed, pointer, error.to_string());
            return None;
        }
    };
    let span = reporter.place(pointer);
    let needs = serde_json::from_value(needs).ok()?;
    sound.then_some(Entry { id: id.as_str()?.to_owned(), component, needs, sites: own_sites, span })
}

fn kind(word: Option<&Value>, pointer: &str, reporter: &mut Reporter<'_>) -> Option<ComponentKind> {
    let words = || ComponentKind::ALL.iter().map(|kind| kind.as_str());
    let Some(word) = word.and_then(Value::as_str) else {
        reporter
            .key(Code::MissingKey, pointer, "a component needs a `kind`")
            .help(format!("one of {}", suggest::list(words())));
        return None;
    };
    let found = word.parse().ok();
    if found.is_none() {
        let shown: String = word.chars().take(60).collect();
        let help = match suggest::nearest(word, words()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of {}", suggest::list(words())),
        };
        let message = format!("there is no component kind `{shown}`");
        reporter.value(Code::UnknownWord, &format!("{pointer}/kind"), message).help(help);
    }
    found
}

/// The sites a component is in: some, all of them known.
fn somewhere(
    names: Value,
    pointer: &str,
    sites: &BTreeSet<&str>,
    reporter: &mut Reporter<'_>,
) -> Option<Vec<SiteName>> {
    let names: Vec<SiteName> = serde_json::from_value(names).ok()?;
    let mut sound = !names.is_empty();
    if !sound {
        reporter
            .value(Code::BrokenComponent, &format!("{pointer}/sites"), "the component is in no site")
            .help("name the sites it is in, or leave `sites` out: then it is in all of them");
    }
    for (at, name) in names.iter().enumerate().filter(|(_, name)| !sites.contains(name.as_str())) {
        let message = format!("`{name}` is no site of this runbook");
        let help = suggest::nearest(name.as_str(), sites.iter().copied());
        let help =
            help.map_or_else(|| "name one of the sites".to_owned(), |near| format!("did you mean `{near}`?"));
        reporter.value(Code::BrokenComponent, &format!("{pointer}/sites/{at}"), message).help(help);
        sound = false;
    }
    sound.then_some(names)
}

/// A field that differs by site says so for every site, and for no other.
fn by_site(
    (id, fields): (&Value, &Value),
    pointer: &str,
    kind: ComponentKind,
    sites: &BTreeSet<&str>,
    reporter: &mut Reporter<'_>,
) -> bool {
    let mut sound = true;
    let id = id.as_str().unwrap_or_default();
    for field in kind.fields_by_site() {
        let Some(given) = fields.get(&field).and_then(Value::as_object) else { continue };
        let at = format!("{pointer}/{field}");
        for name in given.keys().filter(|name| !sites.contains(name.as_str())) {
            let message = format!("`{field}` of `{id}` has a value for `{name}`, which is no site of it");
            let help = match suggest::nearest(name, sites.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its sites are: {}", suggest::list(sites.iter().copied())),
            };
            reporter.key(Code::BrokenComponent, &format!("{at}/{}", escape(name)), message).help(help);
            sound = false;
        }
        let instead = if kind.takes_one_for_all(&field) {
            format!(
                "write one `{field}` for all sites: its templates are rendered, and read what differs from \
                 `site.name` or `site.values`"
            )
        } else {
            "write what is the same in every run".to_owned()
        };
        for (site, value) in given {
            sound &= literal(value, &format!("{at}/{}", escape(site)), &instead, reporter);
        }
        let says = |site: &&&str| given.get(**site).is_some_and(|value| !value.is_null());
        let missing: Vec<&str> = sites.iter().filter(|site| !says(site)).copied().collect();
        if !missing.is_empty() {
            let message =
                format!("`{field}` of `{id}` has no value for {}", suggest::list(missing.iter().copied()));
            let lines: Vec<_> = missing.iter().map(|site| format!("{site}: VALUE")).collect();
            let help =
                format!("add `{}` below `{field}`: each site of the component has its own", lines.join(", "));
            reporter.key(Code::BrokenComponent, &at, message).help(help);
            sound = false;
        }
    }
    sound
}

/// What is written for one site is kept beside the site, where no template is rendered. `instead`: the help.
fn literal(value: &Value, pointer: &str, instead: &str, reporter: &mut Reporter<'_>) -> bool {
    match value {
        Value::String(text) if expression::is_template(text) => {
            let message = "a template is taken literally in a value that is written for each site";
            reporter.value(Code::DeadTemplate, pointer, message).help(instead);
            false
        }
        Value::Array(items) => items.iter().enumerate().fold(true, |sound, (at, item)| {
            literal(item, &format!("{pointer}/{at}"), instead, reporter) && sound
        }),
        Value::Object(fields) => fields.iter().fold(true, |sound, (key, item)| {
            literal(item, &format!("{pointer}/{}", escape(key)), instead, reporter) && sound
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// Reports that the author uses a name that a component needs for itself.
pub(super) fn taken(site: &str, key: &str, reporter: &mut Reporter<'_>) {
    let pointer = format!("/sites/{}/values/{}", escape(site), escape(key));
    let message = format!("`values.{key}` is what the component of that name keeps its own values under");
    reporter
        .key(Code::BrokenComponent, &pointer, message)
        .help("give the value or the component another name");
}
