//! What a configuration's webhooks become: an intake for what they deliver, and what triggers do with it.
//! Starts nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{self, Config, SecretReference, WebhookKind, WebhookSection};
use crate::engine::trigger::Watch;
use crate::model::runbook::Runbook;
use crate::model::time::Duration;
use crate::model::trigger::TriggerSource;
use crate::model::values::{Secret, SecretSourceKind};
use crate::ports::{Incidents, Journal, Notes, SecretSource};
use crate::providers::incident::{PagerDuty, SnsSigners};
use crate::providers::secret::Secrets;
use crate::runtime::{HookUse, Intake, Webhook};
use crate::webhook::{Door, Key};

/// Age at which what is delivered starts nothing by itself, unless the configuration says otherwise.
const MAX_AGE: Duration = Duration::from_secs(3600);
const PAGERDUTY: &str = "https://api.pagerduty.com";

/// What a configuration's webhooks become.
pub struct Hooks {
    /// Takes what they deliver.
    pub intake: Intake,
    /// What triggers use of them, by name.
    pub uses: BTreeMap<String, HookUse>,
}

/// Makes the intake of a configuration's webhooks. Their secrets are read now, once.
///
/// # Errors
/// When a secret cannot be read or a setting is no duration.
pub async fn hooks(config: &Config, journal: Arc<dyn Journal>) -> anyhow::Result<Hooks> {
    // Every HTTP client needs one; an error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (mut webhooks, mut uses) = (BTreeMap::new(), BTreeMap::new());
    for (name, section) in &config.webhooks {
        let (webhook, usable) = one(section)
            .await
            .map_err(|error| anyhow::anyhow!("the webhook `{name}` cannot be used: {error:#}"))?;
        webhooks.insert(name.clone(), webhook);
        uses.insert(name.clone(), usable);
    }
    let signers = Arc::new(SnsSigners::default());
    Ok(Hooks { intake: Intake::new(journal, signers, webhooks), uses })
}

/// Why a webhook cannot be used, if it cannot. Its secrets are read for that.
pub async fn webhook_problem(section: &WebhookSection) -> Option<String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    one(section).await.err().map(|error| format!("{error:#}"))
}

/// The services that have triggers.
#[must_use]
pub fn watches<'r>(runbooks: impl IntoIterator<Item = &'r Runbook>) -> Vec<Watch> {
    let with = runbooks.into_iter().filter(|runbook| !runbook.triggers.is_empty());
    with.map(|runbook| Watch { service: runbook.metadata.name.clone(), triggers: runbook.triggers.clone() })
        .collect()
}

/// The source of a kind.
#[must_use]
pub const fn source_of(kind: WebhookKind) -> TriggerSource {
    match kind {
        WebhookKind::Pagerduty => TriggerSource::Pagerduty,
        WebhookKind::Alertmanager => TriggerSource::Alertmanager,
        WebhookKind::Cloudwatch => TriggerSource::Cloudwatch,
        WebhookKind::Webhook => TriggerSource::Webhook,
    }
}

async fn one(section: &WebhookSection) -> anyhow::Result<(Webhook, HookUse)> {
    let max_age = section.max_age.as_ref().map_or(Ok(MAX_AGE), |text| text.parse())?;
    let door = match section.kind {
        WebhookKind::Pagerduty => Door::Pagerduty(keys(&section.secrets).await?),
        WebhookKind::Webhook => Door::Webhook(keys(&section.secrets).await?),
        WebhookKind::Cloudwatch => Door::Cloudwatch(section.topics.clone()),
        WebhookKind::Alertmanager => {
            let mut passwords = Vec::new();
            if let Some(basic) = &section.basic {
                passwords.push((basic.user.clone(), Key::new(&read(&basic.password).await?)));
            }
            Door::Alertmanager { tokens: keys(&section.tokens).await?, passwords }
        }
    };
    let mut used = HookUse { source: source_of(section.kind), incidents: None, notes: None };
    if let Some(token) = &section.api_token {
        let base = section.api_url.as_deref().unwrap_or(PAGERDUTY);
        let pager = Arc::new(PagerDuty::new(base, read(token).await?, section.notes_from.clone()));
        let notes: Arc<dyn Notes> = pager.clone();
        let incidents: Arc<dyn Incidents> = pager;
        used.notes = section.notes_from.is_some().then_some(notes);
        used.incidents = Some(incidents);
    }
    Ok((Webhook { door, max_age }, used))
}

async fn keys(references: &[SecretReference]) -> anyhow::Result<Vec<Key>> {
    let mut keys = Vec::with_capacity(references.len());
    for reference in references {
        keys.push(Key::new(&read(reference).await?));
    }
    Ok(keys)
}

async fn read(reference: &SecretReference) -> anyhow::Result<String> {
    let (from, name, path, argv) = match reference {
        SecretReference { env: Some(name), .. } => {
            (SecretSourceKind::Env, Some(name.clone()), None, Vec::new())
        }
        SecretReference { file: Some(path), .. } => {
            (SecretSourceKind::File, None, Some(path.clone()), Vec::new())
        }
        SecretReference { command, .. } => {
            (SecretSourceKind::Command, None, None, command.clone().unwrap_or_default())
        }
    };
    let what = name.clone().or_else(|| path.clone()).unwrap_or_else(|| "command".to_owned());
    let secrets = BTreeMap::from([(what, Secret { from, name, path, argv })]);
    let resolved = Secrets::new(config::environment).resolve(&secrets).await?;
    resolved.into_values().next().ok_or_else(|| anyhow::anyhow!("the secret is not there"))
}
