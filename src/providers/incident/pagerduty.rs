//! PagerDuty's REST API, version 2: whether an incident stands, and notes to it.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use serde_json::{Value, json};

use super::{Shared, body, failed, wrong};
use crate::ports::{BoxFuture, IncidentState, Incidents, Notes, OutsideError};

/// Longest note, in characters; PagerDuty takes more, people read less.
const NOTE: usize = 2_000;

/// An account of PagerDuty.
pub struct PagerDuty {
    base: String,
    token: String,
    /// Address of the person whose name stands beside notes.
    from: Option<String>,
    client: Shared,
}

impl PagerDuty {
    /// Makes a client of an API such as `https://api.pagerduty.com`, with a token; notes need `from`, the
    /// address of a user of the account.
    #[must_use]
    pub fn new(base: &str, token: String, from: Option<String>) -> Self {
        Self { base: base.trim_end_matches('/').to_owned(), token, from, client: Shared::default() }
    }

    fn authorization(&self) -> Result<HeaderValue, OutsideError> {
        let value = HeaderValue::from_str(&format!("Token token={}", self.token));
        let mut value = value.map_err(|_| wrong("the API token has characters that no header has"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn address(&self, incident: &str, rest: &str) -> String {
        let incident = utf8_percent_encode(incident, NON_ALPHANUMERIC);
        format!("{}/incidents/{incident}{rest}", self.base)
    }

    async fn ask(&self, incident: &str) -> Result<IncidentState, OutsideError> {
        let request = self.client.get()?.get(self.address(incident, ""));
        let request = request
            .header(AUTHORIZATION, self.authorization()?)
            .header(ACCEPT, "application/vnd.pagerduty+json;version=2");
        let answer = request.send().await.map_err(|error| failed("PagerDuty did not answer", error))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(wrong(format!("PagerDuty answered {}", status.as_u16())));
        }
        let answer: Value = serde_json::from_slice(&body(answer).await?)
            .map_err(|_| wrong("PagerDuty answered something that is no JSON"))?;
        match answer.pointer("/incident/status").and_then(Value::as_str) {
            Some("triggered" | "acknowledged") => Ok(IncidentState::Open),
            Some("resolved") => Ok(IncidentState::Resolved),
            Some(_) | None => Err(wrong("PagerDuty's answer has no status of the incident")),
        }
    }

    async fn tell(&self, incident: &str, text: &str) -> Result<(), OutsideError> {
        let from = self.from.as_deref().ok_or_else(|| wrong("`notes_from` is not configured"))?;
        let from = HeaderValue::from_str(from).map_err(|_| wrong("`notes_from` is no e-mail address"))?;
        let text: String = text.chars().take(NOTE).collect();
        let request = self.client.get()?.post(self.address(incident, "/notes"));
        let request = request
            .header(AUTHORIZATION, self.authorization()?)
            .header(ACCEPT, "application/vnd.pagerduty+json;version=2")
            .header("From", from)
            .json(&json!({ "note": { "content": text } }));
        let answer = request.send().await.map_err(|error| failed("PagerDuty did not answer", error))?;
        let status = answer.status();
        if status.is_success() {
            Ok(())
        } else {
            Err(wrong(format!("PagerDuty answered {}", status.as_u16())))
        }
    }
}

impl Incidents for PagerDuty {
    fn state<'a>(&'a self, incident: &'a str) -> BoxFuture<'a, Result<IncidentState, OutsideError>> {
        Box::pin(self.ask(incident))
    }
}

impl Notes for PagerDuty {
    fn note<'a>(&'a self, incident: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), OutsideError>> {
        Box::pin(self.tell(incident, text))
    }
}

impl std::fmt::Debug for PagerDuty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PagerDuty").field("base", &self.base).finish_non_exhaustive()
    }
}
