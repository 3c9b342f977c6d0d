//! Mail by SMTP: STARTTLS or TLS from the start, and neither only on this machine.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use sha2::{Digest, Sha256};

use super::{Answer, Values, WITHIN};
use crate::notify::Error;
use crate::notify::message::Notice;

type Relay = AsyncSmtpTransport<Tokio1Executor>;

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// By STARTTLS; a server that does not offer it gets no mail.
    StartTls,
    /// By TLS from the start.
    Tls,
    /// By nothing: only on this machine.
    None,
}

/// Sends mail.
pub struct Mail {
    host: String,
    port: Option<u16>,
    protection: Protection,
    username: Option<String>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// Makes a sender of mail.
    ///
    /// # Errors
    /// When an address is none, nobody is to get it, or it would leave this machine unprotected.
    pub fn new(
        host: impl Into<String>,
        port: Option<u16>,
        protection: Protection,
        username: Option<String>,
        (from, to): (&str, &[String]),
    ) -> Result<Self, Error> {
        let host = host.into();
        let here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if protection == Protection::None && !here {
            return Err(Error::Setting(format!("`tls = \"none\"` is only for this machine, not for {host}")));
        }
        let mailbox = |text: &str| {
            text.parse::<Mailbox>()
                .map_err(|error| Error::Setting(format!("`{text}` is no mail address: {error}")))
        };
        let to = to.iter().map(|text| mailbox(text)).collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(Error::Setting("`mail_to` names nobody".to_owned()));
        }
        Ok(Self { host, port, protection, username, from: mailbox(from)?, to })
    }

    pub(super) async fn send(&self, notice: &Notice, values: &Values) -> Answer {
        let message = match self.message(notice) {
            Ok(message) => message,
            Err(error) => return Answer::Refused(error.to_string()),
        };
        let relay = match self.relay(values.get("password")) {
            Ok(relay) => relay,
            Err(error) => return Answer::Refused(error.to_string()),
        };
        match relay.send(message).await {
            Ok(response) => Answer::Taken(response.message().collect::<Vec<_>>().join(" ")),
            Err(error) if error.is_permanent() => Answer::Refused(said(&error)),
            Err(error) => Answer::Later { why: said(&error), after: None },
        }
    }

    fn relay(&self, password: Option<&String>) -> Result<Relay, lettre::transport::smtp::Error> {
        let builder = match self.protection {
            Protection::StartTls => Relay::starttls_relay(&self.host)?,
            Protection::Tls => Relay::relay(&self.host)?,
            Protection::None => Relay::builder_dangerous(&self.host),
        };
        let builder = builder.timeout(Some(WITHIN));
        let builder = match self.port {
            Some(port) => builder.port(port),
            None => builder,
        };
        Ok(match (&self.username, password) {
            (Some(name), Some(password)) => {
                builder.credentials(Credentials::new(name.clone(), password.clone())).build()
            }
            _ => builder.build(),
        })
    }

    fn message(&self, notice: &Notice) -> Result<Message, lettre::error::Error> {
        let id = |text: &str| {
            let digest = Sha256::digest(text.as_bytes());
            let hex = digest.iter().take(16).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            format!("<{hex}@drctl>")
        };
        let thread = id(&notice.thread);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(&notice.title)
            .message_id(Some(id(&notice.id)))
            .in_reply_to(thread.clone())
            .references(thread)
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        builder.body(body(notice))
    }
}

/// An error with its causes.
fn said(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

fn body(notice: &Notice) -> String {
    let mut parts = vec![notice.text.clone()];
    if !notice.commands.is_empty() {
        let lines = notice.commands.iter();
        parts.push(lines.fold(String::new(), |text, command| text + "  " + command + "\n"));
    }
    let run = notice.run.as_deref().unwrap_or(&notice.service);
    parts.push(format!("{run}, {}, {}\n", notice.kind, notice.at));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}
