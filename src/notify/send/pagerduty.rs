//! PagerDuty, Events API v2: one alert for each run, triggered by what needs people, acknowledged when the
//! run goes on, resolved when it has ended well. Contract: developer.pagerduty.com, "Events API v2 Overview".

use reqwest::Client;
use serde_json::{Value, json};

use super::{Answer, Values, http, value};
use crate::model::notice::{NoticeKind, Severity};
use crate::notify::message::{Ending, Notice};

/// Where events are taken; accounts of the EU region have an address of their own.
const EVENTS: &str = "https://events.pagerduty.com/v2/enqueue";
/// Longest summary that is taken, in characters.
const SUMMARY_CHARS: usize = 1_024;

/// Sends alerts.
pub struct PagerdutyDesk {
    /// What sends.
    pub client: Client,
    /// Address in place of the usual one.
    pub url: Option<String>,
}

impl PagerdutyDesk {
    pub(super) async fn send(&self, notice: &Notice, values: &Values) -> Answer {
        let made = || {
            let url = http::address(value(values, "url", Some(self.url.as_deref().unwrap_or(EVENTS)))?)?;
            Ok((url, body(notice, value(values, "routing_key", None)?)))
        };
        match made() {
            Ok((url, body)) => http::exchange(self.client.post(url).json(&body)).await,
            Err(answer) => answer,
        }
    }
}

/// What an event does to the alert of its run.
fn action(notice: &Notice) -> &'static str {
    match (notice.kind, notice.ending) {
        (_, Some(Ending::Settled)) => "resolve",
        (NoticeKind::Resumed, _) => "acknowledge",
        (NoticeKind::Forecast, _) if notice.about.recovered => "acknowledge",
        _ => "trigger",
    }
}

fn body(notice: &Notice, routing_key: &str) -> Value {
    let action = action(notice);
    let mut body = json!({"routing_key": routing_key, "event_action": action, "dedup_key": notice.thread});
    if action == "trigger" {
        let severity = match notice.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        };
        body["payload"] = json!({
            "summary": notice.title.chars().take(SUMMARY_CHARS).collect::<String>(),
            "source": format!("drctl/{}", notice.service),
            "severity": severity,
            "timestamp": notice.at,
            "component": notice.service,
            "group": notice.operation,
            "class": notice.kind,
            "custom_details": {
                "text": notice.text,
                "commands": notice.commands,
                "run": notice.run,
                "status": notice.status,
                "notice": notice.id,
            },
        });
        body["client"] = json!("drctl");
    }
    body
}
