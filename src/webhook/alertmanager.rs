//! Prometheus Alertmanager's webhook, version 4: a group of alerts as they are now. It signs nothing: a
//! bearer token or a password proves the sender.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::bounded::{details, digest, labels, object, text, time};
use super::{Delivery, EVENTS, Error, Headers, Key};
use crate::model::trigger::{Event, Incident, IncidentService, SignalStatus};

/// Whether the sender knows a token or a password.
///
/// # Errors
/// When it does not.
pub(super) fn prove(tokens: &[Key], passwords: &[(String, Key)], headers: &Headers) -> Result<(), Error> {
    let given = headers.get("authorization").ok_or(Error::Unproved("there is no Authorization header"))?;
    let (scheme, rest) = given.split_once(' ').unwrap_or((given, ""));
    let rest = rest.trim();
    let proved = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => tokens.iter().fold(false, |found, token| found | token.is(rest)),
        "basic" => {
            let text = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let (user, password) = text.as_deref().and_then(|text| text.split_once(':')).unwrap_or(("", ""));
            // All of them are looked at: how long it takes says nothing about which one it was.
            let matches = passwords.iter().filter(|(name, known)| {
                let (right, named) = (known.is(password), name == user);
                right && named
            });
            matches.count() > 0
        }
        _ => false,
    };
    if proved { Ok(()) } else { Err(Error::Unproved("the token or password is not the one configured")) }
}

/// Reads a delivery.
///
/// # Errors
/// When it is no group of alerts.
pub(super) fn read(body: &[u8]) -> Result<Delivery, Error> {
    let document = object(body)?;
    match text(document.get("version")).as_deref() {
        Some("4") => {}
        _ => return Err(Error::malformed("it is no Alertmanager webhook of version 4")),
    }
    let alerts = document.get("alerts").and_then(Value::as_array);
    let alerts = alerts.ok_or_else(|| Error::malformed("it has no `alerts`"))?;
    let events: Vec<Event> = alerts
        .iter()
        .filter_map(Value::as_object)
        .take(EVENTS)
        .map(|alert| event(alert, &document))
        .collect();
    let left_out = alerts.len() - events.len();
    Ok(Delivery { id: digest(body), events, left_out })
}

fn event(alert: &Map<String, Value>, document: &Map<String, Value>) -> Event {
    let labels = labels(alert.get("labels"));
    let annotations = super::bounded::labels(alert.get("annotations"));
    let began_at = time(alert.get("startsAt"));
    let name = labels.get("alertname").cloned();
    let own = text(alert.get("fingerprint"));
    let fingerprint =
        own.unwrap_or_else(|| digest(serde_json::to_string(&labels).unwrap_or_default().as_bytes()));
    let (status, word) = match text(alert.get("status")).as_deref() {
        Some("firing") => (SignalStatus::Firing, "firing"),
        Some("resolved") => (SignalStatus::Resolved, "resolved"),
        _ => (SignalStatus::Other, "other"),
    };
    let began = began_at.map_or_else(String::new, |at| at.to_string());
    let title = annotations.get("summary").or(annotations.get("description")).cloned().or(name);
    let mut kept = Map::new();
    kept.insert("annotations".to_owned(), serde_json::json!(annotations));
    for key in ["receiver", "groupKey", "externalURL"] {
        kept.extend(text(document.get(key)).map(|value| (key.to_owned(), Value::String(value))));
    }
    Event {
        // The same alert is reported again and again: what is new is its state.
        id: format!("{fingerprint}/{began}/{word}"),
        kind: format!("alert.{word}"),
        status,
        severity: labels.get("severity").cloned(),
        title: title.clone(),
        // It tells how things are now, however long ago they began.
        occurred_at: None,
        began_at,
        details: details(&Value::Object(kept)),
        incident: Some(Incident {
            id: fingerprint,
            status: Some(word.to_owned()),
            title,
            url: text(alert.get("generatorURL")),
            service: IncidentService { id: None, name: labels.get("service").cloned() },
            ..Incident::default()
        }),
        labels,
    }
}
