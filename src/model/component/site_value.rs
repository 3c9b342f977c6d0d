//! A value that differs by site.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::id::SiteName;

/// A value for each site, by its name; or one text for all, a template that may read `site`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SiteValue {
    /// One text for all sites.
    One(String),
    /// A value for each.
    Each(BTreeMap<SiteName, Value>),
}

impl JsonSchema for SiteValue {
    fn schema_name() -> Cow<'static, str> {
        "SiteValue".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A value for each site, by its name; or one template that may read `site`.",
            "anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": true}]
        })
    }
}
