//! Values that differ by site.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::id::SiteName;

/// Key that tells the fields of a schema that differ by site.
pub(super) const BY_SITE: &str = "x-by-site";

/// A value for each site, by its name; or one text or list for all, whose templates may read `site`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SiteValue {
    /// A value for each.
    Each(BTreeMap<SiteName, Value>),
    /// One text for all sites.
    One(String),
    /// One list for all sites.
    List(Vec<Value>),
}

impl JsonSchema for SiteValue {
    fn schema_name() -> Cow<'static, str> {
        "SiteValue".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": true},
                {"type": "object", "additionalProperties": true}
            ],
            "x-by-site": true
        })
    }
}

/// A value of one type for each site, by its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EachSite<T>(pub BTreeMap<SiteName, T>);

impl<T: JsonSchema> JsonSchema for EachSite<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("EachSite_{}", T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({"type": "object", "additionalProperties": value, "x-by-site": true})
    }
}

impl<T> EachSite<T> {
    /// The sites and their values.
    pub fn iter(&self) -> impl Iterator<Item = (&SiteName, &T)> {
        self.0.iter()
    }

    /// The sites.
    pub fn sites(&self) -> impl Iterator<Item = &SiteName> {
        self.0.keys()
    }
}
