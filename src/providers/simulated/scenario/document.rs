//! Reads scenarios from YAML with limits, and says where and why one is wrong. Knows no estate.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_saphyr::{alias_limits, budget, options};

use super::{Fault, Rule, Scenario};
use crate::model::id::SiteName;
use crate::model::limits;
use crate::model::time::Duration;
use crate::model::values::Site;

/// Why a scenario cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// It is longer than anything sensible.
    #[error("the scenario has {bytes} bytes; at most {most} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The most that is read.
        most: usize,
    },
    /// It is not YAML.
    #[error("the scenario is not valid YAML: {0}")]
    Syntax(String),
    /// A part of it is not what the format wants.
    #[error("{path}: {message}")]
    Invalid {
        /// Where, like `rules[0].take`.
        path: String,
        /// Why, and what to write.
        message: String,
    },
}

/// Largest scenario text, in bytes.
const BYTES: usize = 256 * 1024;

pub(super) fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    if text.len() > BYTES {
        return Err(ScenarioError::TooLarge { bytes: text.len(), most: BYTES });
    }
    let options = options! {
        budget: budget! {
            max_nodes: limits::DOCUMENT_NODES,
            max_depth: limits::DOCUMENT_DEPTH,
            max_aliases: limits::DOCUMENT_ALIASES,
            max_documents: 1,
            max_total_scalar_bytes: 4 * BYTES,
        },
        alias_limits: alias_limits! { max_total_replayed_events: limits::DOCUMENT_REPLAYED },
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    let value: Value = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| ScenarioError::Syntax(clip(&error.to_string())))?;
    let Value::Object(fields) = &value else {
        return Err(invalid("document", "a scenario is a mapping with `apiVersion`, `kind`, `metadata`, …"));
    };
    each::<Fault>(fields, "faults")?;
    each::<Rule>(fields, "rules")?;
    let scenario: Scenario = typed(&value, "")?;
    check(&scenario)?;
    Ok(scenario)
}

/// Types the items of a list one by one, so that an error names the item.
fn each<T: DeserializeOwned>(fields: &Map<String, Value>, name: &str) -> Result<(), ScenarioError> {
    let Some(Value::Array(items)) = fields.get(name) else { return Ok(()) };
    for (index, item) in items.iter().enumerate() {
        typed::<T>(item, &format!("{name}[{index}]"))?;
    }
    Ok(())
}

fn typed<T: DeserializeOwned>(value: &Value, path: &str) -> Result<T, ScenarioError> {
    serde_json::from_value(value.clone()).map_err(|error| {
        let culprit = culprit::<T>(value);
        let parts: Vec<&str> = [path, culprit.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
        let path = if parts.is_empty() { "document".to_owned() } else { parts.join(".") };
        invalid(path, clip(&error.to_string()))
    })
}

/// The field without which the rest would do, or would lack only that field.
fn culprit<T: DeserializeOwned>(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return String::new() };
    let found = fields.keys().find(|key| {
        let mut rest = fields.clone();
        rest.shift_remove(*key);
        match serde_json::from_value::<T>(Value::Object(rest)) {
            Ok(_) => true,
            Err(error) => error.to_string().starts_with(&format!("missing field `{key}`")),
        }
    });
    found.cloned().unwrap_or_default()
}

fn check(scenario: &Scenario) -> Result<(), ScenarioError> {
    let people = &scenario.approvals;
    if people.never && people.after.is_some() {
        return Err(invalid("approvals", "`after` and `never: true` exclude each other"));
    }
    check_p95("approvals", "after", people.after, people.p95)?;
    for (index, fault) in scenario.faults.iter().enumerate() {
        let path = format!("faults[{index}]");
        if fault.site.is_some() == fault.region.is_some() {
            return Err(invalid(path, "name the place by `site` or by `region`, one of them"));
        }
        if fault.until.is_some_and(|until| until <= fault.at) {
            return Err(invalid(format!("{path}.until"), "must be later than `at`"));
        }
    }
    for (index, rule) in scenario.rules.iter().enumerate() {
        check_rule(rule, &format!("rules[{index}]"))?;
    }
    Ok(())
}

fn check_rule(rule: &Rule, path: &str) -> Result<(), ScenarioError> {
    let acts = rule.take.is_some() || rule.fail.is_some() || rule.reply_lost || rule.hang;
    if !acts && rule.outputs.is_empty() {
        let message = "says nothing: add `take`, `fail`, `reply_lost`, `hang` or `outputs`";
        return Err(invalid(path, message));
    }
    if rule.fail.is_some() && (rule.reply_lost || rule.hang || !rule.outputs.is_empty()) {
        return Err(invalid(path, "`fail` excludes `reply_lost`, `hang` and `outputs`"));
    }
    if rule.fail.is_none() && (rule.message.is_some() || rule.retry_after.is_some()) {
        return Err(invalid(path, "`message` and `retry_after` belong to `fail`"));
    }
    check_p95(path, "take", rule.take, rule.take_p95)?;
    if rule.times == Some(0) || rule.matching.attempt == Some(0) {
        return Err(invalid(path, "`times` and `attempt` count from 1"));
    }
    Ok(())
}

/// What one of twenty exceeds lies beyond what half of them exceed.
fn check_p95(
    path: &str,
    name: &str,
    middle: Option<Duration>,
    p95: Option<Duration>,
) -> Result<(), ScenarioError> {
    match (middle, p95) {
        (None, Some(_)) => Err(invalid(path, format!("the p95 stands beside `{name}`, which is missing"))),
        (Some(middle), Some(p95)) if p95 < middle => {
            Err(invalid(path, format!("the p95 ({p95}) is less than `{name}` ({middle})")))
        }
        (Some(_) | None, _) => Ok(()),
    }
}

pub(super) fn check_sites(
    scenario: &Scenario,
    sites: &BTreeMap<SiteName, Site>,
) -> Result<(), ScenarioError> {
    for (index, fault) in scenario.faults.iter().enumerate() {
        let Some(name) = &fault.site else { continue };
        if name != "from" && name != "to" && !sites.contains_key(name.as_str()) {
            let known: Vec<&str> = sites.keys().map(SiteName::as_str).collect();
            let message = format!("there is no site `{}`; use from, to or {}", clip(name), known.join(", "));
            return Err(invalid(format!("faults[{index}].site"), message));
        }
    }
    Ok(())
}

fn invalid(path: impl Into<String>, message: impl Into<String>) -> ScenarioError {
    ScenarioError::Invalid { path: path.into(), message: message.into() }
}

fn clip(text: &str) -> String {
    text.chars().take(limits::MESSAGE_CHARS).collect()
}
