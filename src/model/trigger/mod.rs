//! What starts runs from outside: the triggers of a runbook and the events they are about. Pure: knows no
//! sender's format and starts nothing.

mod event;
mod rule;

pub use event::{Event, Incident, IncidentService, SignalStatus};
pub use rule::{HowToStart, Listening, Signal, Trigger, TriggerSource, TriggerStart};

/// What an expression can read of `event`.
pub const EVENT_FIELDS: &[&str] =
    &["id", "type", "source", "webhook", "status", "severity", "title", "occurred_at", "labels", "details"];
/// What an expression can read of `incident`.
pub const INCIDENT_FIELDS: &[&str] =
    &["id", "number", "status", "title", "priority", "urgency", "url", "service"];
/// What an expression can read of `incident.service`.
pub const SERVICE_FIELDS: &[&str] = &["id", "name"];
