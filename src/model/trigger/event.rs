//! What a monitoring system reported, in one form for every sender. Everything in it comes from outside: it
//! is bounded where it is read, and nothing here trusts it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rule::TriggerSource;
use crate::model::expression::{self, Context, Expression};
use crate::model::run::words;
use crate::model::time::Timestamp;

words! {
    /// What an event says about the state of its incident.
    SignalStatus {
        /// Something is wrong.
        Firing = "firing",
        /// Something is wrong, and somebody looks at it.
        Acknowledged = "acknowledged",
        /// It is over.
        Resolved = "resolved",
        /// A trial of the connection: never starts anything.
        Test = "test",
        /// Something else happened to it.
        Other = "other",
    }
}

/// One thing that was reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What tells it from every other of its webhook: a repetition has the same.
    pub id: String,
    /// What the sender calls it, such as `incident.triggered`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it says about the incident.
    pub status: SignalStatus,
    /// The incident; absent: it is about none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
    /// How bad it is, in the sender's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// When it happened; absent where the sender tells only how things are now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// When the incident began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What else was said, shortened.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

/// What an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// What the sender knows it by.
    pub id: String,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Its status, in the sender's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its priority, such as `P1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Its urgency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<String>,
    /// Where people look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The service it is about, as the sender knows it.
    #[serde(default)]
    pub service: IncidentService,
}

/// A service, as the sender knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentService {
    /// Id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Event {
    /// Whether a condition holds for it. A label that is named and not there is `none`, so that a condition
    /// over labels is false for what lacks them.
    ///
    /// # Errors
    /// When the condition cannot be worked out.
    pub fn fits(
        &self,
        when: &Expression,
        source: TriggerSource,
        webhook: &str,
    ) -> Result<bool, expression::Error> {
        let read = when.check()?;
        let labels = read.iter().filter_map(|name| name.strip_prefix("event.labels."));
        let named = labels.map(|name| name.split('.').next().unwrap_or(name));
        when.is_true(&self.names(source, webhook, named))
    }

    /// The names an expression reads. Those that the sender did not fill are `none`.
    fn names<'n>(
        &self,
        source: TriggerSource,
        webhook: &str,
        named: impl Iterator<Item = &'n str>,
    ) -> Context {
        let mut labels: BTreeMap<&str, Option<&str>> = named.map(|name| (name, None)).collect();
        labels.extend(self.labels.iter().map(|(name, value)| (name.as_str(), Some(value.as_str()))));
        let incident = self.incident.clone().unwrap_or_default();
        let id = self.incident.as_ref().map(|incident| &incident.id);
        Context::new(&json!({
            "event": {
                "id": self.id,
                "type": self.kind,
                "source": source.as_str(),
                "webhook": webhook,
                "status": self.status.as_str(),
                "severity": self.severity,
                "title": self.title,
                "occurred_at": self.occurred_at.map(|at| at.to_string()),
                "labels": labels,
                "details": self.details,
            },
            "incident": {
                "id": id,
                "number": incident.number,
                "status": incident.status,
                "title": incident.title,
                "priority": incident.priority,
                "urgency": incident.urgency,
                "url": incident.url,
                "service": {"id": incident.service.id, "name": incident.service.name},
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::trigger::{EVENT_FIELDS, INCIDENT_FIELDS, SERVICE_FIELDS};

    #[test]
    fn every_field_that_a_condition_may_read_is_there_even_when_nobody_filled_it() {
        let event = Event {
            id: "1".to_owned(),
            kind: "x".to_owned(),
            status: SignalStatus::Other,
            incident: None,
            severity: None,
            title: None,
            occurred_at: None,
            began_at: None,
            labels: BTreeMap::new(),
            details: Value::Null,
        };
        let names = event.names(TriggerSource::Webhook, "w", std::iter::empty());
        let fields = |root: &str, fields: &[&str]| {
            fields.iter().map(|field| format!("{root}.{field}")).collect::<Vec<_>>()
        };
        let all = [
            fields("event", EVENT_FIELDS),
            fields("incident", INCIDENT_FIELDS),
            fields("incident.service", SERVICE_FIELDS),
        ];
        for name in all.concat() {
            assert!(Expression::new(name.as_str()).evaluate(&names).is_ok(), "{name}");
        }
        let fits = |text: &str| event.fits(&Expression::new(text), TriggerSource::Webhook, "w");
        assert_eq!(fits("incident.priority == 'P1'"), Ok(false));
        assert_eq!(fits("event.labels.team == 'a' or not event.labels.env"), Ok(true));
        assert_eq!(fits("event.labels['team-x'] | default('') == 'a'"), Ok(false));
        assert_eq!(fits("'team' in event.labels"), Ok(false));
        assert!(fits("event.details.x.y == 1").is_err());
    }
}
