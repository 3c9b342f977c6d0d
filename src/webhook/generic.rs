//! A webhook of any sender: drctl's own form of an event, signed with HMAC-SHA256 over the time and the raw
//! body, so that an old delivery cannot be sent again.

use serde_json::Value;

use super::bounded::{cut, details, digest, labels, object, text, time};
use super::{Delivery, Error, Headers, Key, SIGNED_WITHIN};
use crate::model::time::Timestamp;
use crate::model::trigger::{Event, Incident, IncidentService, SignalStatus};

const SIGNATURE: &str = "x-drctl-signature";
const TIME: &str = "x-drctl-timestamp";
const DELIVERY: &str = "x-drctl-delivery";

/// Whether any active secret signed the body, just now.
///
/// # Errors
/// When none did, or it was long ago.
pub(super) fn prove(keys: &[Key], headers: &Headers, body: &[u8], now: Timestamp) -> Result<(), Error> {
    let stamp = headers.get(TIME).ok_or(Error::Unproved("there is no X-Drctl-Timestamp"))?;
    let signature = headers.get(SIGNATURE).ok_or(Error::Unproved("there is no X-Drctl-Signature"))?;
    let seconds = stamp.parse::<u32>().ok();
    let seconds = seconds.ok_or(Error::Unproved("X-Drctl-Timestamp is no time in seconds since 1970"))?;
    let signed = [stamp.as_bytes(), b".", body].concat();
    let signatures = signature.split(',').filter_map(|one| one.trim().strip_prefix("v1=")).take(20);
    let matches = signatures.fold(false, |found, signature| {
        keys.iter().fold(found, |found, key| found | key.signed(&signed, signature))
    });
    if !matches {
        return Err(Error::Unproved("no active secret signed this time and body"));
    }
    let at = Timestamp::from_millis(i64::from(seconds) * 1_000);
    if now.since(at) > SIGNED_WITHIN || at.since(now) > SIGNED_WITHIN {
        return Err(Error::Unproved("it was signed more than 5 minutes from now; look at both clocks"));
    }
    Ok(())
}

/// Reads a delivery.
///
/// # Errors
/// When it is no event.
pub(super) fn read(headers: &Headers, body: &[u8]) -> Result<Delivery, Error> {
    let document = object(body)?;
    let kind = text(document.get("type")).ok_or_else(|| Error::malformed("it has no `type`"))?;
    let word = text(document.get("status"));
    let status = match word.as_deref() {
        None => SignalStatus::Other,
        Some(word) => word.parse().map_err(|_| {
            let words: Vec<_> = SignalStatus::ALL.iter().map(|word| word.as_str()).collect();
            Error::malformed(format!("`status` is none of {}", words.join(", ")))
        })?,
    };
    let id = text(document.get("id")).unwrap_or_else(|| digest(body));
    let title = text(document.get("title"));
    let incident = text(document.get("incident")).map(|id| Incident {
        id,
        status: word,
        title: title.clone(),
        priority: text(document.get("priority")),
        url: text(document.get("url")),
        service: IncidentService { id: None, name: text(document.get("service")) },
        ..Incident::default()
    });
    if incident.is_none() && matches!(status, SignalStatus::Firing | SignalStatus::Resolved) {
        return Err(Error::malformed("what fires or is resolved is an `incident`: name it"));
    }
    let delivery = headers.get(DELIVERY).map(cut).filter(|id| !id.is_empty());
    let event = Event {
        severity: text(document.get("severity")),
        occurred_at: time(document.get("occurred_at")),
        began_at: time(document.get("began_at")),
        labels: labels(document.get("labels")),
        details: document.get("details").map_or(Value::Null, details),
        id,
        kind,
        status,
        title,
        incident,
    };
    Ok(Delivery { id: delivery.unwrap_or_else(|| event.id.clone()), events: vec![event], left_out: 0 })
}
