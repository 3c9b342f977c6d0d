//! The names that expressions read and whose values a plan knows before a run. Holds no secret.

use serde_json::{Map, Value};

use super::node::Plan;
use crate::model::id::SiteName;

impl Plan {
    /// What is known before a run: parameters that may be stored, sites, and which of them the run is about.
    #[must_use]
    pub fn names(&self) -> Map<String, Value> {
        let site = |name: &SiteName| {
            let site = self.sites.get(name).and_then(|site| serde_json::to_value(site).ok());
            let mut site = site.unwrap_or_default();
            if let Value::Object(fields) = &mut site {
                fields.insert("name".to_owned(), name.as_str().into());
            }
            site
        };
        let params = self.parameters.iter().map(|(name, value)| (name.clone(), value.clone()));
        let sites = self.sites.keys().map(|name| (name.to_string(), site(name)));
        let stays = |name: &&SiteName| Some(*name) != self.from.as_ref() && !self.absent.contains(*name);
        let survivors = self.sites.keys().filter(stays).map(site);
        [
            ("params", Value::Object(params.collect())),
            ("sites", Value::Object(sites.collect())),
            ("from", self.from.as_ref().map_or(Value::Null, site)),
            ("to", self.to.as_ref().map_or(Value::Null, site)),
            ("survivors", Value::Array(survivors.collect())),
            ("mode", self.mode.as_str().into()),
            ("intent", self.intent.as_str().into()),
            ("operation", self.operation.as_str().into()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}
