//! Values of components that differ by site, kept where templates can read them. Never hides an author's own.

use serde_json::{Map, Value};

use super::declared::{self, Declared};
use super::part;
use crate::compile::reporter::Reporter;
use crate::compile::tree::Places;

/// Lays what templates read into the sites, beside the author's own values.
pub(super) fn keep(
    fields: &mut Map<String, Value>,
    declared: &Declared,
    values: Map<String, Value>,
    reporter: &mut Reporter<'_>,
) {
    let span_of = |key: &str| {
        let entry = declared.entries.iter().find(|entry| part::key(&entry.id) == key);
        entry.map_or(declared.span, |entry| entry.span)
    };
    for (site, added) in values {
        let Some(Value::Object(site_fields)) = fields.get_mut("sites").and_then(|sites| sites.get_mut(&site))
        else {
            continue;
        };
        let own = site_fields.entry("values").or_insert_with(|| Value::Object(Map::new()));
        let (Value::Object(own), Value::Object(added)) = (own, added) else { continue };
        for (key, value) in added {
            if own.contains_key(&key) {
                declared::taken(&site, &key, reporter);
            } else {
                let span = span_of(&key);
                reporter.places_mut().put(&["sites", &site, "values", &key], Places::leaf(span), span);
                own.insert(key, value);
            }
        }
    }
}
