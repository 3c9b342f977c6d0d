//! Notes on the PagerDuty incident that a run came from, by the REST API. Contract: developer.pagerduty.com,
//! "Create a note on an incident".

use reqwest::Client;
use serde_json::json;

use super::{Answer, Values, http, value};
use crate::notify::message::Notice;

/// Where the API is.
const API: &str = "https://api.pagerduty.com";
/// Longest note, in characters.
const NOTE_CHARS: usize = 20_000;

/// Writes notes.
pub struct NoteDesk {
    /// What sends.
    pub client: Client,
    /// Address of the API in place of the usual one.
    pub url: Option<String>,
    /// Mail address of the PagerDuty user in whose name notes are written.
    pub from: String,
}

impl NoteDesk {
    pub(super) async fn send(&self, notice: &Notice, values: &Values) -> Answer {
        let made = || {
            let base = value(values, "url", Some(self.url.as_deref().unwrap_or(API)))?;
            let mut url = http::address(base)?;
            let incident =
                notice.incident.as_deref().ok_or_else(|| Answer::Refused("no incident".to_owned()))?;
            url.path_segments_mut()
                .map_err(|()| Answer::Refused("its url cannot be used".to_owned()))?
                .pop_if_empty()
                .extend(["incidents", incident, "notes"]);
            Ok((url, value(values, "token", None)?))
        };
        let (url, token) = match made() {
            Ok(made) => made,
            Err(answer) => return answer,
        };
        let content: String = note(notice).chars().take(NOTE_CHARS).collect();
        let request = self
            .client
            .post(url)
            .header("Authorization", format!("Token token={token}"))
            .header("Accept", "application/vnd.pagerduty+json;version=2")
            .header("From", &self.from)
            .json(&json!({"note": {"content": content}}));
        http::exchange(request).await
    }
}

fn note(notice: &Notice) -> String {
    let mut text = notice.title.clone();
    if !notice.text.is_empty() {
        text = format!("{text}\n\n{}", notice.text);
    }
    if !notice.commands.is_empty() {
        text = format!("{text}\n\n{}", notice.commands.join("\n"));
    }
    format!("{text}\n\n{}", notice.at)
}
