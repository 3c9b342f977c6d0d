//! Slack, by an incoming webhook: a message of blocks. Contract: docs.slack.dev, "Sending messages using
//! incoming webhooks" and "Block Kit".

use reqwest::Client;
use serde_json::{Value, json};

use super::{Answer, Values, http, value};
use crate::model::notice::Severity;
use crate::notify::message::Notice;

/// Longest text of a header block, in characters.
const HEADER_CHARS: usize = 150;
/// Longest text of a section block, in characters, with room for what escaping adds.
const SECTION_CHARS: usize = 2_900;

/// Sends messages.
pub struct SlackDesk {
    /// What sends.
    pub client: Client,
    /// Address, where it is no secret.
    pub url: Option<String>,
}

impl SlackDesk {
    pub(super) async fn send(&self, notice: &Notice, values: &Values) -> Answer {
        match value(values, "url", self.url.as_deref()).and_then(http::address) {
            Ok(url) => http::exchange(self.client.post(url).json(&message(notice))).await,
            Err(answer) => answer,
        }
    }
}

fn message(notice: &Notice) -> Value {
    let sign = match notice.severity {
        Severity::Info => ":information_source:",
        Severity::Warning => ":warning:",
        Severity::Critical => ":rotating_light:",
    };
    let header: String = format!("{sign} {}", notice.title).chars().take(HEADER_CHARS).collect();
    let mut blocks =
        vec![json!({"type": "header", "text": {"type": "plain_text", "text": header, "emoji": true}})];
    let section = |text: &str| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
    if !notice.text.is_empty() {
        blocks.push(section(&escaped(&notice.text)));
    }
    if !notice.commands.is_empty() {
        blocks.push(section(&format!("```{}```", escaped(&notice.commands.join("\n")))));
    }
    let run = notice.run.as_deref().unwrap_or(&notice.service);
    let context = escaped(&format!("{run} · {} · {}", notice.kind, notice.at));
    blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]}));
    json!({"text": escaped(&notice.title), "blocks": blocks})
}

/// A text in which nothing is a link, a mention or the end of a block of code.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '`' => out.push('\''),
            letter => out.push(letter),
        }
        if out.len() >= SECTION_CHARS {
            out.push('…');
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_in_a_text_is_a_mention_a_link_or_the_end_of_code() {
        assert_eq!(escaped("<!here> a & `b`"), "&lt;!here&gt; a &amp; 'b'");
        assert!(escaped(&"<".repeat(5_000)).len() < 3_000);
    }
}
