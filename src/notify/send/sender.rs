//! Sends to one target of any kind. Takes every secret out of what is said about it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Mail, NoteDesk, PagerdutyDesk, SHOWN, SlackDesk, Values, WITHIN, WebhookDesk};
use crate::model::notice::TargetKind;
use crate::model::time::{Duration, Timestamp};
use crate::model::values::Secret;
use crate::notify::message::Notice;
use crate::ports::SecretSource;

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The target took it, and said this.
    Taken(String),
    /// It may take it later.
    Later {
        /// What is in the way.
        why: String,
        /// When the target asked to be left alone: for how long.
        after: Option<Duration>,
    },
    /// It will not take it, whenever it is tried.
    Refused(String),
}

/// How notices reach a target.
pub enum Transport {
    /// As alerts.
    Pagerduty(PagerdutyDesk),
    /// As notes on an incident.
    PagerdutyNotes(NoteDesk),
    /// As messages in a channel.
    Slack(SlackDesk),
    /// As JSON.
    Webhook(WebhookDesk),
    /// As mail.
    Smtp(Mail),
}

/// Sends notices to one target.
pub struct Sender {
    /// How they reach it.
    pub transport: Transport,
    /// Where its secrets are, by what they are for.
    pub secrets: BTreeMap<String, Secret>,
    /// What reads them, for each notice anew: a secret may be changed at any time.
    pub source: Arc<dyn SecretSource>,
}

impl Sender {
    /// What kind of target it is.
    #[must_use]
    pub fn kind(&self) -> TargetKind {
        match self.transport {
            Transport::Pagerduty(_) => TargetKind::Pagerduty,
            Transport::PagerdutyNotes(_) => TargetKind::PagerdutyNotes,
            Transport::Slack(_) => TargetKind::Slack,
            Transport::Webhook(_) => TargetKind::Webhook,
            Transport::Smtp(_) => TargetKind::Smtp,
        }
    }

    /// Says whether there is a place for a notice: a note needs an incident.
    #[must_use]
    pub fn takes(&self, notice: &Notice) -> bool {
        match self.transport {
            Transport::PagerdutyNotes(_) => notice.incident.is_some(),
            Transport::Pagerduty(_) | Transport::Slack(_) | Transport::Webhook(_) | Transport::Smtp(_) => {
                true
            }
        }
    }

    /// Tries once. `now` is signed where the target wants a signature.
    pub async fn send(&self, notice: &Notice, now: Timestamp) -> Answer {
        let values = match self.source.resolve(&self.secrets).await {
            Ok(values) => values,
            Err(error) => return Answer::Later { why: error.to_string(), after: None },
        };
        let sent = async {
            match &self.transport {
                Transport::Pagerduty(desk) => desk.send(notice, &values).await,
                Transport::PagerdutyNotes(desk) => desk.send(notice, &values).await,
                Transport::Slack(desk) => desk.send(notice, &values).await,
                Transport::Webhook(desk) => desk.send(notice, &values, now).await,
                Transport::Smtp(mail) => mail.send(notice, &values).await,
            }
        };
        let answer = match tokio::time::timeout(WITHIN, sent).await {
            Ok(answer) => answer,
            Err(_) => later(&format!("no answer within {} s", WITHIN.as_secs())),
        };
        masked(answer, &values)
    }
}

/// Takes every secret out of what is said about a try.
fn masked(answer: Answer, values: &Values) -> Answer {
    let mask = |text: String| {
        let text = values.values().fold(text, |text, value| text.replace(value.as_str(), "***"));
        let text: String =
            text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        text.trim().chars().take(SHOWN).collect()
    };
    match answer {
        Answer::Taken(text) => Answer::Taken(mask(text)),
        Answer::Later { why, after } => Answer::Later { why: mask(why), after },
        Answer::Refused(text) => Answer::Refused(mask(text)),
    }
}

fn later(why: &str) -> Answer {
    Answer::Later { why: why.to_owned(), after: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_about_a_try_holds_no_secret_and_has_an_end() {
        let values = Values::from([("token".to_owned(), "s3cret".to_owned())]);
        let answer = masked(Answer::Refused(format!("bad s3cret\u{1b}{}", "x".repeat(900))), &values);
        let Answer::Refused(text) = answer else { panic!("{answer:?}") };
        assert!(text.starts_with("bad *** xxx") && text.chars().count() == SHOWN, "{text}");
    }
}
