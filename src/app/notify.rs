//! Makes the targets of notifications that a configuration names, and what sends to them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::{self, Config, MailProtection, NotifySection};
use crate::model::notice::TargetKind;
use crate::notify::{
    Mail, NoteDesk, Observer, Outbox, PagerdutyDesk, Protection, Sender, Settings, SlackDesk, Target,
    Transport, WebhookDesk, Wording, client, host_of,
};
use crate::ports::{Clock, IdSource, Journal, SecretSource};
use crate::providers::secret::Secrets;

use super::launch::shelf::Shelf;
use super::launch::source::Source;
use super::{Error, RandomIds, exit, host_name};

/// How long the name of a host is looked up.
const LOOK_UP: std::time::Duration = std::time::Duration::from_secs(5);

/// The targets of the configuration.
///
/// # Errors
/// When one cannot be used.
pub fn configured_targets(config: &Config) -> Result<Vec<Target>, Error> {
    let shelf = if config.notify.iter().any(|section| !section.labels.is_empty()) {
        Shelf::of(config, Path::new("."))?
    } else {
        Shelf::default()
    };
    let labelled = |labels: &BTreeMap<String, String>| {
        let carries = |source: &Source| {
            let own = &source.runbook.metadata.labels;
            labels.iter().all(|(name, value)| own.get(name) == Some(value))
        };
        let all = shelf.services().into_iter();
        let named = all.filter(|(_, _, source)| source.is_some_and(carries));
        named.map(|(name, _, _)| name.to_string()).collect()
    };
    targets(config, &labelled).map_err(|error| Error::new(exit::USAGE, error.to_string()))
}

/// Names of the services whose runbooks carry labels.
type Labelled<'a> = &'a dyn Fn(&BTreeMap<String, String>) -> Vec<String>;

/// Makes the targets of a configuration.
///
/// # Errors
/// When a setting or a template of one cannot be used; all others are not made either.
fn targets(config: &Config, labelled: Labelled<'_>) -> anyhow::Result<Vec<Target>> {
    config.notify.iter().map(|section| target(section, labelled)).collect()
}

fn target(section: &NotifySection, labelled: Labelled<'_>) -> anyhow::Result<Target> {
    // Every HTTP client needs one; an error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let made = || {
        let sender = Sender {
            transport: transport(section)?,
            secrets: section.secrets(),
            source: Arc::new(Secrets::new(config::environment)),
        };
        Ok::<_, anyhow::Error>(Target::new(section.name.clone(), settings(section, labelled), sender)?)
    };
    made().map_err(|error| anyhow::anyhow!("[[notify]] `{}`: {error}", section.name))
}

fn settings(section: &NotifySection, labelled: Labelled<'_>) -> Settings {
    let mut services = section.services.clone();
    if !section.labels.is_empty() {
        services.extend(labelled(&section.labels));
    }
    let all = section.services.is_empty() && section.labels.is_empty();
    let wording = section.templates.iter();
    Settings {
        events: section.events.iter().copied().collect(),
        services: (!all).then_some(services),
        without_drills: section.drills == Some(false),
        give_up_after: section.give_up_after,
        wording: wording
            .map(|(kind, own)| (*kind, Wording { title: own.title.clone(), text: own.text.clone() }))
            .collect(),
    }
}

fn transport(section: &NotifySection) -> anyhow::Result<Transport> {
    let url = section.address();
    let http = || client().map_err(anyhow::Error::msg);
    Ok(match section.kind {
        TargetKind::Pagerduty => Transport::Pagerduty(PagerdutyDesk { client: http()?, url }),
        TargetKind::PagerdutyNotes => {
            let from = section.user.clone().unwrap_or_default();
            Transport::PagerdutyNotes(NoteDesk { client: http()?, url, from })
        }
        TargetKind::Slack => Transport::Slack(SlackDesk { client: http()?, url }),
        TargetKind::Webhook => Transport::Webhook(WebhookDesk { client: http()?, url }),
        TargetKind::Smtp => {
            let host = section.host.clone().unwrap_or_else(|| "localhost".to_owned());
            let protection = match section.tls {
                Some(MailProtection::Starttls) => Protection::StartTls,
                Some(MailProtection::Tls) => Protection::Tls,
                Some(MailProtection::None) => Protection::None,
                None if matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1") => Protection::None,
                None => Protection::StartTls,
            };
            let addresses = (section.mail_from.as_deref().unwrap_or_default(), section.mail_to.as_slice());
            Transport::Smtp(Mail::new(host, section.port, protection, section.username.clone(), addresses)?)
        }
    })
}

/// What sends to targets from a journal. `begin`: where targets that were never seen begin; absent: at its
/// end.
#[must_use]
pub fn outbox(
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    begin: Option<u64>,
    observer: Arc<dyn Observer>,
    targets: Vec<Target>,
) -> Outbox {
    let holder = format!("{} (pid {}) {}", host_name(), std::process::id(), RandomIds.suffix());
    Outbox { journal, clock, holder, begin, observer, targets }
}

/// Where a target would send to, after its secrets were read and its host was looked up. Sends nothing.
///
/// # Errors
/// What keeps it from sending, for people; never a secret.
pub async fn reach(section: &NotifySection) -> Result<String, String> {
    let source = Secrets::new(config::environment);
    let values = source.resolve(&section.secrets()).await.map_err(|error| error.to_string())?;
    let (host, port) = match section.kind {
        TargetKind::Smtp => {
            let host = section.host.clone().unwrap_or_else(|| "localhost".to_owned());
            let here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1");
            let port = section.port.unwrap_or(match section.tls {
                Some(MailProtection::Tls) => 465,
                Some(MailProtection::None) => 25,
                None if here => 25,
                Some(MailProtection::Starttls) | None => 587,
            });
            (host, port)
        }
        kind => {
            let usual = match kind {
                TargetKind::PagerdutyNotes => "https://api.pagerduty.com",
                _ => "https://events.pagerduty.com",
            };
            let given = section.address().or_else(|| values.get("url").cloned());
            host_of(given.as_deref().unwrap_or(usual))?
        }
    };
    let looked = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((host.as_str(), port))).await;
    match looked.map(|found| found.map(|mut found| found.next())) {
        Ok(Ok(Some(_))) => Ok(format!("{host}:{port}")),
        Ok(Ok(None)) => Err(format!("{host} has no address")),
        Ok(Err(error)) => Err(format!("{host} cannot be looked up: {error}")),
        Err(_) => Err(format!("{host} cannot be looked up: no answer in time")),
    }
}
