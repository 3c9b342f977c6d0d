//! What a monitoring system reported, in one form for every sender. Everything in it comes from outside: it
//! is bounded where it is read, and nothing here trusts it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rule::TriggerSource;
use crate::model::expression::Context;
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
    /// The names an expression reads. Those that the sender did not fill are `none`, so that a condition can
    /// compare them.
    #[must_use]
    pub fn names(&self, source: TriggerSource, webhook: &str) -> Context {
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
                "labels": self.labels,
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
    use crate::model::expression::Expression;
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
        let names = event.names(TriggerSource::Webhook, "w");
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
        assert!(!Expression::new("incident.priority == 'P1'").is_true(&names).unwrap());
        assert!(!Expression::new("event.labels.team == 'a'").is_true(&names).unwrap());
        assert!(Expression::new("incident.prio == 'P1' or incident.prio.x").is_true(&names).is_err());
    }
}
