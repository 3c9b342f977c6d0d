//! One possible loss: a site that is gone, and what templates then read. Knows sites, not actions.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::model::action::ActionName;
use crate::model::action::meaning::{self, Aim};
use crate::model::expression::{self, Context, Expression};
use crate::model::id::SiteName;
use crate::model::region;
use crate::model::run::Mode;
use crate::model::runbook::{Runbook, Strategy};
use crate::model::step::ForEach;
use crate::model::values::{Site, SiteRole};

/// Most items of a fanned-out step that are looked at.
const ITEMS: usize = 20;
/// Most pairs of sites that are looked at.
const PAIRS: usize = 24;
/// Most different templates that are evaluated, over all scenes: a text made to cost time costs little.
const EVALUATIONS: u32 = 20_000;

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
    /// Names of the other sites.
    others: Vec<String>,
    /// Strings that only the other sites have.
    foreign: Vec<String>,
    /// The same names, but what the lost site says of itself is something else.
    shaken: Context,
    /// The same names, but what the other sites say of themselves is something else.
    stirred: Context,
    /// The same names in a switchover, while nothing is lost.
    planned: Context,
    /// Evaluations that are left.
    budget: Rc<Cell<u32>>,
    /// What templates without an item have become.
    seen: RefCell<HashMap<String, Option<Value>>>,
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
    let budget = Rc::new(Cell::new(EVALUATIONS));
    let mut scenes = Vec::new();
    for (lost, site) in runbook.sites.iter().filter(is_lost) {
        if every {
            scenes.push(Scene::new(runbook, (lost, site), None, &budget));
            continue;
        }
        let moved = site.role == SiteRole::Standby;
        let targets = runbook
            .sites
            .iter()
            .filter(|(name, other)| *name != lost && (moved || other.role == SiteRole::Standby));
        let left = PAIRS.saturating_sub(scenes.len());
        let pairs = targets.take(left).map(|to| Scene::new(runbook, (lost, site), Some(to), &budget));
        scenes.extend(pairs);
    }
    scenes.truncate(PAIRS);
    scenes
}

impl<'r> Scene<'r> {
    fn new(
        runbook: &'r Runbook,
        (lost, site): (&'r SiteName, &'r Site),
        to: Option<(&'r SiteName, &'r Site)>,
        budget: &Rc<Cell<u32>>,
    ) -> Self {
        let others = || runbook.sites.iter().filter(move |(name, _)| *name != lost);
        let shared = others().any(|(_, other)| is_same_region(site, other));
        let mut foreign = Vec::new();
        others().for_each(|(name, other)| strings(&described(name, other), &mut foreign));
        let mut own = Vec::new();
        strings(&json!({"url": site.url, "values": site.values}), &mut own);
        let all_own = own.clone();
        own.retain(|text| text.len() >= 6 && !foreign.contains(text));
        foreign.retain(|text| text.len() >= 6 && !all_own.contains(text));
        let plain = names(runbook, (lost, described(lost, site)), to);
        let context = Context::new(&plain);
        let planned = context.with("mode", &json!("graceful")).with("operation", &json!("switchover"));
        Self {
            lost,
            site,
            region: site.region.as_deref().filter(|_| !shared),
            own,
            others: others().map(|(name, _)| name.to_string()).collect(),
            foreign,
            context,
            planned,
            stirred: Context::new(&stirred(plain, lost)),
            shaken: Context::new(&names(runbook, (lost, shaken(described(lost, site))), to)),
            budget: Rc::clone(budget),
            seen: RefCell::default(),
        }
    }

    /// The value of parameters while the site is gone; what cannot be known before the run is null.
    pub(super) fn render(&self, with: &Map<String, Value>, item: Option<&Value>) -> Map<String, Value> {
        let context = item.map(|item| self.context.with("item", item));
        with.iter().map(|(key, field)| (key.clone(), self.soft(field, context.as_ref()))).collect()
    }

    /// Where users are sent by a call: to the site that is left, to another one, or nobody can tell.
    pub(super) fn sends_to(&self, action: ActionName, with: &Map<String, Value>) -> Aim {
        let place = |context: &Context| {
            let with = with.iter().map(|(key, field)| (key.clone(), self.within(field, context)));
            meaning::destination(action, &with.collect())
        };
        let Some(usual) = place(&self.context) else { return Aim::Unknown };
        let mut said = Vec::new();
        strings(&usual, &mut said);
        let names = |some: &[String]| said.iter().any(|text| some.contains(text));
        let (lost, others) = (self.lost.as_str(), &self.others);
        let changes = |context: &Context| place(context).is_some_and(|place| place != usual);
        let from = names(&self.own) || said.iter().any(|text| text == lost) || changes(&self.shaken);
        let elsewhere = names(&self.foreign) || names(others) || changes(&self.stirred);
        match (from, elsewhere) {
            (true, false) => Aim::From,
            (false, true) => Aim::Elsewhere,
            (true, true) | (false, false) => Aim::Unknown,
        }
    }

    fn within(&self, value: &Value, context: &Context) -> Value {
        match value {
            Value::String(text) if expression::is_template(text) => {
                if is_costly(text) || !self.spend() {
                    return Value::Null;
                }
                expression::render(value, context).unwrap_or_default()
            }
            Value::Array(items) => items.iter().map(|item| self.within(item, context)).collect(),
            Value::Object(fields) => {
                let within = |(key, field): (&String, &Value)| (key.clone(), self.within(field, context));
                Value::Object(fields.iter().map(within).collect())
            }
            other => other.clone(),
        }
    }

    /// Whether a text leads to the site that is gone: it reads what that site says of itself, or is that.
    /// Of an address, only the server counts: a question about the lost site may well be asked elsewhere.
    pub(super) fn leads_there(&self, text: &str, item: Option<&Value>) -> bool {
        let of_item = item.map(|item| self.context.with("item", item));
        let Some(value) = self.evaluate(text, of_item.as_ref()) else { return false };
        let plain = value.as_str().unwrap_or_default();
        if self.own.iter().any(|own| begins_with(plain, own)) {
            return true;
        }
        // A choice by the lost site's name may choose another one.
        let chooses = text.contains(" if ") || is_costly(text);
        if !expression::is_template(text) || chooses || !self.spend() {
            return false;
        }
        let shaken = item.map_or_else(|| self.shaken.clone(), |item| self.shaken.with("item", item));
        match expression::render(&Value::from(text), &shaken) {
            Ok(other) => other.as_str().is_none_or(|other| server(other) != server(plain)),
            Err(_) => true,
        }
    }

    /// Whether a condition is certainly false while the site is gone.
    pub(super) fn is_never(&self, when: &Expression) -> bool {
        !is_costly(when.as_str()) && self.spend() && when.is_true(&self.context).is_ok_and(|truth| !truth)
    }

    /// Whether a condition is certainly false in a run of this mode: a switchover, or a failover while the
    /// site is gone.
    pub(super) fn is_never_in(&self, when: &Expression, mode: Mode) -> bool {
        let context = match mode {
            Mode::Ungraceful => &self.context,
            Mode::Graceful => &self.planned,
        };
        !is_costly(when.as_str()) && self.spend() && when.is_true(context).is_ok_and(|truth| !truth)
    }

    /// The items of a fanned-out step, as far as they are known; one `None` where it is not fanned out.
    pub(super) fn items(&self, for_each: Option<&ForEach>) -> Vec<Option<Value>> {
        self.known_items(for_each).unwrap_or_default()
    }

    /// The same; nothing where the list is not known before the run.
    pub(super) fn known_items(&self, for_each: Option<&ForEach>) -> Option<Vec<Option<Value>>> {
        let list = match for_each {
            None => return Some(vec![None]),
            Some(ForEach::Items(items)) => {
                items.iter().take(ITEMS).map(|item| self.soft(item, None)).collect::<Vec<_>>()
            }
            Some(ForEach::Expression(list)) if is_costly(list.as_str()) || !self.spend() => return None,
            Some(ForEach::Expression(list)) => list.evaluate(&self.context).ok()?.as_array()?.clone(),
        };
        Some(list.into_iter().take(ITEMS).map(Some).collect())
    }

    /// Takes one evaluation off the budget.
    fn spend(&self) -> bool {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1));
        left > 0
    }

    /// What a text becomes; nothing where that is not known before the run.
    fn evaluate(&self, text: &str, of_item: Option<&Context>) -> Option<Value> {
        if !expression::is_template(text) {
            return Some(text.into());
        }
        if of_item.is_none()
            && let Some(known) = self.seen.borrow().get(text)
        {
            return known.clone();
        }
        if is_costly(text) || !self.spend() {
            return None;
        }
        let value = expression::render(&Value::from(text), of_item.unwrap_or(&self.context)).ok();
        if of_item.is_none() {
            self.seen.borrow_mut().insert(text.to_owned(), value.clone());
        }
        value
    }

    fn soft(&self, value: &Value, of_item: Option<&Context>) -> Value {
        match value {
            Value::String(text) => self.evaluate(text, of_item).unwrap_or_default(),
            Value::Array(items) => items.iter().map(|item| self.soft(item, of_item)).collect(),
            Value::Object(fields) => {
                let soft = |(key, field): (&String, &Value)| (key.clone(), self.soft(field, of_item));
                Value::Object(fields.iter().map(soft).collect())
            }
            other => other.clone(),
        }
    }

    /// Whether the site that is gone is in a cloud.
    pub(super) fn is_at(&self, cloud: &str) -> bool {
        region::cloud(self.site) == Some(cloud)
    }

    /// Whether a site is gone as well, because it fails together with the lost one.
    pub(super) fn takes_along(&self, name: &SiteName, site: &Site) -> bool {
        name == self.lost || shared_domain(self.site, site).is_some()
    }
}

/// What makes two sites fail together: an explicit domain decides; else provider and region do.
pub(super) fn shared_domain(one: &Site, other: &Site) -> Option<&'static str> {
    match (&one.failure_domain, &other.failure_domain) {
        (Some(one), Some(other)) => is_same(one, other).then_some("failure_domain"),
        _ => is_same_region(one, other).then_some("region"),
    }
}

fn is_same_region(one: &Site, other: &Site) -> bool {
    let regions = one.region.as_ref().zip(other.region.as_ref());
    regions.is_some_and(|(region, other)| is_same(region, other)) && may_be_one_provider(one, other)
}

/// A provider that is missing or misspelt must not make two sites of one region look apart.
fn may_be_one_provider(one: &Site, other: &Site) -> bool {
    let (Some(own), Some(others)) = (&one.provider, &other.provider) else { return true };
    let cloud = region::cloud(one);
    is_same(own, others) || (cloud.is_some() && cloud == region::cloud(other))
}

/// Whether two words are the same but for case and the sign between their parts.
fn is_same(one: &str, other: &str) -> bool {
    let usual = |text: &str| -> String {
        let joins = |c: char| if c.is_whitespace() || c == '_' { '-' } else { c };
        text.trim().chars().flat_map(char::to_lowercase).map(joins).collect()
    };
    usual(one) == usual(other)
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

/// The same names with other texts for all sites but one, whose names stay.
fn stirred(mut names: Value, lost: &SiteName) -> Value {
    let other = |value: &mut Value| *value = shaken(value.take());
    for key in ["to", "survivors"] {
        names.get_mut(key).into_iter().for_each(other);
    }
    let sites = names.get_mut("sites").and_then(Value::as_object_mut).into_iter().flatten();
    sites.filter(|(name, _)| name.as_str() != lost.as_str()).for_each(|(_, site)| other(site));
    names
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

/// Loops may take all the time there is; what they give is left unknown.
fn is_costly(text: &str) -> bool {
    text.contains("{%") || text.contains("range(")
}

/// The server of an address, or the whole text where it is none.
fn server(text: &str) -> &str {
    let rest = text.split_once("://").map(|(_, rest)| rest);
    rest.map_or(text, |rest| rest.split(['/', '?', '#']).next().unwrap_or(rest))
}

/// Whether a text begins with another one, which ends there as a word or address does.
fn begins_with(text: &str, start: &str) -> bool {
    let rest = text.strip_prefix(start);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-' || c == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runbook() -> Runbook {
        let sites = json!({
            "east": {"role": "active", "provider": "aws", "region": "us-east-1", "url": "https://east.example.com",
                     "values": {"db": "host=pg-east", "schema": "shared-name"}},
            "west": {"role": "standby", "provider": "aws", "region": "us-west-2", "url": "https://west.example.com",
                     "values": {"db": "host=pg-west", "schema": "shared-name"}}
        });
        let runbook =
            json!({"apiVersion": "drctl/v1", "kind": "Runbook", "metadata": {"name": "x"}, "sites": sites});
        serde_json::from_value(runbook).unwrap()
    }

    #[test]
    fn a_text_leads_to_the_lost_site_by_its_server_only() {
        let runbook = runbook();
        let scenes = scenes(&runbook, None);
        let leads = |text: &str| scenes[0].leads_there(text, None);
        for text in [
            "{{ from.url }}/health",
            "{{ sites.east.values.db }} dbname=x",
            "https://east.example.com/health",
            "https://{{ from.name }}.example.com",
            "host=pg-east dbname=x",
        ] {
            assert!(leads(text), "{text}");
        }
        for text in [
            "{{ to.url }}/health",
            "https://status.example.com/{{ from.name }}",
            "https://east.example.com.au/",
            "host=pg-east-2",
            "shared-name",
            "{{ from.url if mode == 'graceful' else to.url }}",
            "{{ steps.x.outputs.url }}",
        ] {
            assert!(!leads(text), "{text}");
        }
    }

    #[test]
    fn either_site_can_be_the_lost_one() {
        let runbook = runbook();
        let lost = |assumed: Option<&str>| {
            let assumed = assumed.map(|name| SiteName::new(name).unwrap());
            let scenes = scenes(&runbook, assumed.as_ref());
            scenes.iter().map(|scene| (scene.lost.to_string(), scene.region)).collect::<Vec<_>>()
        };
        assert_eq!(lost(None), [("east".to_owned(), Some("us-east-1"))]);
        assert_eq!(lost(Some("west")), [("west".to_owned(), Some("us-west-2"))]);
        assert_eq!(lost(Some("north")), lost(None));
    }

    #[test]
    fn a_text_made_to_cost_time_is_left_unknown() {
        let runbook = runbook();
        let scenes = scenes(&runbook, None);
        let with = json!({"a": "{% for x in range(9) %}x{% endfor %}", "b": "{{ to.region }}", "c": 1});
        let rendered = scenes[0].render(with.as_object().unwrap(), None);
        assert_eq!(Value::Object(rendered), json!({"a": null, "b": "us-west-2", "c": 1}));
    }
}
