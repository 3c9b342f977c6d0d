//! PagerDuty's V3 webhook: one event a request, signed with HMAC-SHA256 over the raw body by every secret
//! that is active. Nothing signed names a time: repetitions are found by their ids.

use serde_json::{Map, Value};

use super::bounded::{cut, details, digest, object, text, time};
use super::{Delivery, Error, Headers, Key};
use crate::model::trigger::{Event, Incident, IncidentService, SignalStatus};

const SIGNATURE: &str = "x-pagerduty-signature";
const DELIVERY: &str = "x-webhook-id";
/// Most signatures of one delivery that are looked at.
const SIGNATURES: usize = 20;

/// Whether any active secret signed the body.
///
/// # Errors
/// When none did.
pub(super) fn prove(keys: &[Key], headers: &Headers, body: &[u8]) -> Result<(), Error> {
    let mut given = headers.all(SIGNATURE).flat_map(|value| value.split(',')).peekable();
    if given.peek().is_none() {
        return Err(Error::Unproved("there is no X-PagerDuty-Signature"));
    }
    let signatures = given.filter_map(|one| one.trim().strip_prefix("v1=")).take(SIGNATURES);
    // Every pair is looked at: how long it takes says nothing about which secret it was.
    let matches = signatures.fold(false, |found, signature| {
        keys.iter().fold(found, |found, key| found | key.signed(body, signature))
    });
    if matches { Ok(()) } else { Err(Error::Unproved("no active secret signed this body")) }
}

/// Reads a delivery.
///
/// # Errors
/// When it is no event.
pub(super) fn read(headers: &Headers, body: &[u8]) -> Result<Delivery, Error> {
    let document = object(body)?;
    let event = document.get("event").and_then(Value::as_object);
    let event = event.ok_or_else(|| Error::malformed("it has no `event`"))?;
    let kind =
        text(event.get("event_type")).ok_or_else(|| Error::malformed("its event has no `event_type`"))?;
    let id = text(event.get("id")).unwrap_or_else(|| digest(body));
    let empty = Map::new();
    let data = event.get("data").and_then(Value::as_object).unwrap_or(&empty);
    let incident = incident(data);
    let event = Event {
        status: status(&kind, incident.as_ref()),
        title: incident.as_ref().and_then(|incident| incident.title.clone()),
        severity: incident.as_ref().and_then(|incident| incident.urgency.clone()),
        occurred_at: time(event.get("occurred_at")),
        began_at: time(data.get("created_at")).filter(|_| is_incident(data)),
        labels: std::collections::BTreeMap::new(),
        details: details(&Value::Object(data.clone())),
        id,
        kind,
        incident,
    };
    let id = headers.get(DELIVERY).map(cut).filter(|id| !id.is_empty());
    Ok(Delivery { id: id.unwrap_or_else(|| event.id.clone()), events: vec![event], left_out: 0 })
}

fn is_incident(data: &Map<String, Value>) -> bool {
    data.get("type").and_then(Value::as_str) == Some("incident")
}

/// The incident itself, or the one that something belongs to.
fn incident(data: &Map<String, Value>) -> Option<Incident> {
    let incident = if is_incident(data) { data } else { data.get("incident")?.as_object()? };
    let summary = |key: &str| {
        let value = incident.get(key)?;
        text(value.get("summary")).or_else(|| text(value.get("name")))
    };
    Some(Incident {
        id: text(incident.get("id"))?,
        number: incident.get("number").and_then(Value::as_u64),
        status: text(incident.get("status")),
        title: text(incident.get("title")).or_else(|| text(incident.get("summary"))),
        priority: summary("priority"),
        urgency: text(incident.get("urgency")),
        url: text(incident.get("html_url")),
        service: IncidentService {
            id: incident.get("service").and_then(|service| text(service.get("id"))),
            name: summary("service"),
        },
    })
}

fn status(kind: &str, incident: Option<&Incident>) -> SignalStatus {
    match kind {
        "pagey.ping" => SignalStatus::Test,
        "incident.triggered" | "incident.reopened" => SignalStatus::Firing,
        "incident.resolved" => SignalStatus::Resolved,
        kind if kind.starts_with("incident.") => {
            match incident.and_then(|incident| incident.status.as_deref()) {
                Some("triggered") => SignalStatus::Firing,
                Some("acknowledged") => SignalStatus::Acknowledged,
                // Late news of an incident that is over.
                Some("resolved") => SignalStatus::Resolved,
                _ => SignalStatus::Other,
            }
        }
        _ => SignalStatus::Other,
    }
}
