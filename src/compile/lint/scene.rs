//! One possible loss: a site that is gone, and what templates then read. Knows sites, not actions.

use serde_json::{Map, Value, json};

use crate::model::expression::{self, Context, Expression};
use crate::model::id::SiteName;
use crate::model::runbook::{Runbook, Strategy};
use crate::model::step::ForEach;
use crate::model::values::{Site, SiteRole};

/// Most items of a fanned-out step that are looked at.
const ITEMS: usize = 20;

/// A site is lost, and the service moves to another one.
pub(super) struct Scene<'r> {
    /// Name of the site that is gone.
    pub(super) lost: &'r SiteName,
    /// The site that is gone.
    pub(super) site: &'r Site,
    /// Its region, where it goes with the site: no site that is left is in it.
    pub(super) region: Option<&'r str>,
    /// Strings that only the site that is gone has.
    own: Vec<String>,
    context: Context,
    /// The same names, but what the lost site says of itself is something else.
    shaken: Context,
}

/// The scenes of a runbook: each site that may be lost, with each site the service may then move to.
pub(super) fn scenes<'r>(runbook: &'r Runbook, assumed: Option<&SiteName>) -> Vec<Scene<'r>> {
    // A site of another runbook that is validated along is none of this one's.
    let assumed = assumed.filter(|assumed| runbook.sites.contains_key(*assumed));
    let every = runbook.strategy == Some(Strategy::ActiveActive);
    let is_lost = |(name, site): &(&SiteName, &Site)| match assumed {
        Some(assumed) => *name == assumed,
        None => site.role == SiteRole::Active,
    };
    let mut scenes = Vec::new();
    for (lost, site) in runbook.sites.iter().filter(is_lost) {
        if every {
            scenes.push(Scene::new(runbook, (lost, site), None));
            continue;
        }
        let moved = site.role == SiteRole::Standby;
        let targets = runbook
            .sites
            .iter()
            .filter(|(name, other)| *name != lost && (moved || other.role == SiteRole::Standby));
        scenes.extend(targets.map(|to| Scene::new(runbook, (lost, site), Some(to))));
    }
    scenes
}

impl<'r> Scene<'r> {
    fn new(
        runbook: &'r Runbook,
        (lost, site): (&'r SiteName, &'r Site),
        to: Option<(&'r SiteName, &'r Site)>,
    ) -> Self {
        let others = || runbook.sites.iter().filter(move |(name, _)| *name != lost);
        let shared = others().any(|(_, other)| is_same_region(site, other));
        let mut foreign = Vec::new();
        others().for_each(|(_, other)| strings(&described(lost, other), &mut foreign));
        let mut own = Vec::new();
        strings(&json!({"url": site.url, "values": site.values}), &mut own);
        own.retain(|text| text.len() >= 6 && !foreign.contains(text));
        Self {
            lost,
            site,
            region: site.region.as_deref().filter(|_| !shared),
            own,
            context: Context::new(&names(runbook, (lost, described(lost, site)), to)),
            shaken: Context::new(&names(runbook, (lost, shaken(described(lost, site))), to)),
        }
    }

    /// The value of parameters while the site is gone; what cannot be known before the run is null.
    pub(super) fn render(&self, with: &Map<String, Value>, item: Option<&Value>) -> Map<String, Value> {
        let context = item.map(|item| self.context.with("item", item));
        soft_map(with, context.as_ref().unwrap_or(&self.context))
    }

    /// Whether a text leads to the site that is gone: it reads what that site says of itself, or is that.
    pub(super) fn leads_there(&self, text: &str, item: Option<&Value>) -> bool {
        let render = |context: &Context| {
            let context = item.map_or_else(|| context.clone(), |item| context.with("item", item));
            expression::render(&Value::from(text), &context).ok()
        };
        let Some(value) = render(&self.context) else { return false };
        let plain = value.as_str().unwrap_or_default();
        if self.own.iter().any(|own| plain.starts_with(own.as_str())) {
            return true;
        }
        // A choice by the lost site's name may choose another one.
        let chooses = text.contains(" if ") || text.contains("{%");
        expression::is_template(text) && !chooses && render(&self.shaken) != Some(value)
    }

    /// Whether a condition is certainly false while the site is gone.
    pub(super) fn is_never(&self, when: &Expression) -> bool {
        when.is_true(&self.context).is_ok_and(|truth| !truth)
    }

    /// The items of a fanned-out step, as far as they are known; one `None` where it is not fanned out.
    pub(super) fn items(&self, for_each: Option<&ForEach>) -> Vec<Option<Value>> {
        let list = match for_each {
            None => return vec![None],
            Some(ForEach::Items(items)) => {
                Some(items.iter().map(|item| soft(item, &self.context)).collect::<Vec<_>>())
            }
            Some(ForEach::Expression(list)) => {
                list.evaluate(&self.context).ok().and_then(|list| list.as_array().cloned())
            }
        };
        list.unwrap_or_default().into_iter().take(ITEMS).map(Some).collect()
    }

    /// Whether a site is gone as well, because it fails together with the lost one.
    pub(super) fn takes_along(&self, name: &SiteName, site: &Site) -> bool {
        name == self.lost || shared_domain(self.site, site).is_some()
    }
}

/// What makes two sites fail together: an explicit domain decides; else provider and region do.
pub(super) fn shared_domain(one: &Site, other: &Site) -> Option<&'static str> {
    match (&one.failure_domain, &other.failure_domain) {
        (Some(one), Some(other)) => (one == other).then_some("failure_domain"),
        _ => is_same_region(one, other).then_some("region"),
    }
}

fn is_same_region(one: &Site, other: &Site) -> bool {
    one.region.is_some() && one.region == other.region && one.provider == other.provider
}

fn names(runbook: &Runbook, (lost, from): (&SiteName, Value), to: Option<(&SiteName, &Site)>) -> Value {
    let defaults = runbook.parameters.iter().filter(|(_, parameter)| !parameter.sensitive);
    let params: Map<String, Value> =
        defaults.filter_map(|(name, parameter)| Some((name.clone(), parameter.default.clone()?))).collect();
    let sites: Map<String, Value> = (runbook.sites.iter())
        .map(|(name, site)| {
            let value = if name == lost { from.clone() } else { described(name, site) };
            (name.to_string(), value)
        })
        .collect();
    let survivors: Vec<Value> = (runbook.sites.iter())
        .filter(|(name, _)| *name != lost)
        .map(|(name, site)| described(name, site))
        .collect();
    let mut names = json!({
        "params": params, "sites": sites, "from": from, "survivors": survivors,
        "mode": "ungraceful", "intent": "real", "operation": "failover"
    });
    if let Some((name, site)) = to {
        names["to"] = described(name, site);
    }
    names
}

fn described(name: &SiteName, site: &Site) -> Value {
    let mut described = serde_json::to_value(site).unwrap_or_default();
    if let Value::Object(fields) = &mut described {
        fields.insert("name".to_owned(), json!(name));
    }
    described
}

/// The same shape with other texts.
fn shaken(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text + "\u{2205}"),
        Value::Array(items) => items.into_iter().map(shaken).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, field)| (key, shaken(field))).collect(),
        other => other,
    }
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn soft_map(fields: &Map<String, Value>, context: &Context) -> Map<String, Value> {
    fields.iter().map(|(key, field)| (key.clone(), soft(field, context))).collect()
}

fn soft(value: &Value, context: &Context) -> Value {
    match value {
        Value::String(_) => expression::render(value, context).unwrap_or_default(),
        Value::Array(items) => items.iter().map(|item| soft(item, context)).collect(),
        Value::Object(fields) => Value::Object(soft_map(fields, context)),
        other => other.clone(),
    }
}
