//! The alarms of CloudWatch, as SNS delivers them: directly, or as an event of `EventBridge`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::bounded::{details, object, text, time};
use super::sns::{Envelope, SnsKind};
use super::{Delivery, Error};
use crate::model::time::Timestamp;
use crate::model::trigger::{Event, Incident, IncidentService, SignalStatus};

/// What is read of an alarm, in whichever form it came.
struct Alarm {
    name: String,
    arn: Option<String>,
    state: String,
    reason: Option<String>,
    since: Option<Timestamp>,
    account: Option<String>,
    region: Option<String>,
}

/// Reads a delivery. What SNS sends about the subscription itself is a test of the connection.
pub(super) fn read(envelope: &Envelope) -> Delivery {
    let event = match envelope.kind {
        SnsKind::Notification => notification(envelope),
        SnsKind::SubscriptionConfirmation => plain(envelope, "subscription.confirmation", SignalStatus::Test),
        SnsKind::UnsubscribeConfirmation => plain(envelope, "subscription.ended", SignalStatus::Other),
    };
    Delivery { id: envelope.id.clone(), events: vec![event], left_out: 0 }
}

fn plain(envelope: &Envelope, kind: &str, status: SignalStatus) -> Event {
    Event {
        id: envelope.id.clone(),
        kind: kind.to_owned(),
        status,
        incident: None,
        severity: None,
        title: None,
        occurred_at: Some(envelope.at),
        began_at: None,
        labels: BTreeMap::from([("topic".to_owned(), envelope.topic.clone())]),
        details: Value::Null,
    }
}

/// A topic may carry more than alarms: what is none is an event of another type, and no error.
fn notification(envelope: &Envelope) -> Event {
    let read: Result<_, Error> = object(envelope.message.as_bytes());
    let Some((message, alarm)) = read.ok().and_then(|message| alarm(&message).map(|alarm| (message, alarm)))
    else {
        return plain(envelope, "notification", SignalStatus::Other);
    };
    let (status, word) = match alarm.state.as_str() {
        "ALARM" => (SignalStatus::Firing, "alarm"),
        "OK" => (SignalStatus::Resolved, "ok"),
        "INSUFFICIENT_DATA" => (SignalStatus::Other, "insufficient_data"),
        _ => (SignalStatus::Other, "other"),
    };
    let mut labels = BTreeMap::from([("alarm".to_owned(), alarm.name.clone())]);
    labels.insert("topic".to_owned(), envelope.topic.clone());
    labels.extend(alarm.account.map(|account| ("account".to_owned(), account)));
    labels.extend(alarm.region.map(|region| ("region".to_owned(), region)));
    Event {
        kind: format!("alarm.{word}"),
        status,
        title: Some(alarm.name.clone()),
        began_at: alarm.since,
        labels,
        details: details(&Value::Object(message)),
        incident: Some(Incident {
            id: alarm.arn.unwrap_or_else(|| alarm.name.clone()),
            status: Some(alarm.state),
            title: alarm.reason.or(Some(alarm.name)),
            service: IncidentService::default(),
            ..Incident::default()
        }),
        ..plain(envelope, "", status)
    }
}

fn alarm(message: &Map<String, Value>) -> Option<Alarm> {
    if let Some(detail) = message.get("detail").and_then(Value::as_object) {
        let state = detail.get("state")?;
        return Some(Alarm {
            name: text(detail.get("alarmName"))?,
            arn: message.get("resources").and_then(|all| text(all.get(0))),
            state: text(state.get("value"))?,
            reason: text(state.get("reason")),
            since: time(state.get("timestamp")).or_else(|| time(message.get("time"))),
            account: text(message.get("account")),
            region: text(message.get("region")),
        });
    }
    let arn = text(message.get("AlarmArn"));
    // `Region` of a message is a name for people, such as "US East (N. Virginia)".
    let region = arn.as_deref().and_then(|arn| arn.split(':').nth(3)).map(str::to_owned);
    Some(Alarm {
        name: text(message.get("AlarmName"))?,
        arn,
        state: text(message.get("NewStateValue"))?,
        reason: text(message.get("NewStateReason")),
        since: time(message.get("StateChangeTime")),
        account: text(message.get("AWSAccountId")),
        region,
    })
}
