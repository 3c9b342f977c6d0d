//! The webhooks of a configuration: who sends them, and the references of the secrets they are proved with.
//! Never holds a secret's value.

use schemars::JsonSchema;
use serde::Deserialize;

/// A webhook that deliveries arrive at, as `POST /webhooks/<kind>/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSection {
    /// Who sends.
    pub kind: WebhookKind,
    /// Secrets the sender signs with, for `pagerduty` and `webhook`: any of them is enough, so that one can
    /// be replaced by another.
    #[serde(default)]
    pub secrets: Vec<SecretReference>,
    /// Bearer tokens the sender shows, for `alertmanager`.
    #[serde(default)]
    pub tokens: Vec<SecretReference>,
    /// User and password the sender shows, for `alertmanager`.
    #[serde(default)]
    pub basic: Option<BasicSection>,
    /// ARNs of the topics that are believed, for `cloudwatch`.
    #[serde(default)]
    pub topics: Vec<String>,
    /// What happened longer ago than this when it is delivered starts nothing by itself; default `1h`.
    #[serde(default)]
    pub max_age: Option<String>,
    /// Token of PagerDuty's REST API: with it an incident is asked about before anything is done.
    #[serde(default)]
    pub api_token: Option<SecretReference>,
    /// Address of PagerDuty's REST API; default `https://api.pagerduty.com`.
    #[serde(default)]
    pub api_url: Option<String>,
    /// E-mail address of the PagerDuty user in whose name notes are written to incidents; without it none
    /// are.
    #[serde(default)]
    pub notes_from: Option<String>,
}

/// Who sends to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebhookKind {
    /// PagerDuty's V3 webhook.
    Pagerduty,
    /// Prometheus Alertmanager.
    Alertmanager,
    /// CloudWatch alarms, as Amazon SNS delivers them.
    Cloudwatch,
    /// Any sender that signs.
    Webhook,
}

impl WebhookKind {
    /// The word it is written with.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pagerduty => "pagerduty",
            Self::Alertmanager => "alertmanager",
            Self::Cloudwatch => "cloudwatch",
            Self::Webhook => "webhook",
        }
    }
}

/// User and password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicSection {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretReference,
}

/// Where a secret comes from: `{env = "NAME"}`, `{file = "PATH"}` or `{command = ["PROGRAM", "…"]}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct SecretReference {
    /// Name of an environment variable.
    pub env: Option<String>,
    /// Path of a file.
    pub file: Option<String>,
    /// Program and arguments that print it.
    pub command: Option<Vec<String>>,
}

impl WebhookSection {
    /// What is wrong with the section of a name.
    #[must_use]
    pub fn problem(&self, name: &str) -> Option<String> {
        let shape = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(shape) {
            return Some("its name has other characters than a-z, 0-9 and `-`".to_owned());
        }
        let kind = self.kind;
        let (signs, pager) = match kind {
            WebhookKind::Pagerduty => (true, true),
            WebhookKind::Webhook => (true, false),
            WebhookKind::Alertmanager | WebhookKind::Cloudwatch => (false, false),
        };
        let shows = kind == WebhookKind::Alertmanager;
        let topics = kind == WebhookKind::Cloudwatch;
        let fields = [
            ("secrets", !self.secrets.is_empty(), signs),
            ("tokens", !self.tokens.is_empty(), shows),
            ("basic", self.basic.is_some(), shows),
            ("topics", !self.topics.is_empty(), topics),
            ("api_token", self.api_token.is_some(), pager),
            ("api_url", self.api_url.is_some(), pager),
            ("notes_from", self.notes_from.is_some(), pager),
        ];
        if let Some((field, ..)) = fields.iter().find(|(_, given, may)| *given && !may) {
            return Some(format!("a webhook of kind {} has no `{field}`", kind.as_str()));
        }
        let missing = match kind {
            WebhookKind::Pagerduty | WebhookKind::Webhook if self.secrets.is_empty() => "`secrets`",
            WebhookKind::Alertmanager if self.tokens.is_empty() && self.basic.is_none() => {
                "`tokens` or `basic`"
            }
            WebhookKind::Cloudwatch if self.topics.is_empty() => "`topics`",
            _ if self.notes_from.is_some() && self.api_token.is_none() => "`api_token` beside `notes_from`",
            _ => "",
        };
        if !missing.is_empty() {
            return Some(format!("it needs {missing}: anybody could send to it"));
        }
        if self.api_url.as_ref().is_some_and(|url| !url.starts_with("https://") && !is_loopback(url)) {
            return Some("`api_url` must begin with https://: a token is sent there".to_owned());
        }
        let one = |secret: &SecretReference| {
            let given = [secret.env.is_some(), secret.file.is_some(), secret.command.is_some()];
            given.into_iter().filter(|given| *given).count() == 1
        };
        let all = self.secrets.iter().chain(&self.tokens).chain(&self.api_token);
        let mut all = all.chain(self.basic.as_ref().map(|basic| &basic.password));
        (!all.all(one)).then(|| "each secret has one of `env`, `file` and `command`".to_owned())
    }
}

/// An address on this machine, for tests and for proxies.
pub(super) fn is_loopback(url: &str) -> bool {
    url.starts_with("http://127.0.0.1:") || url.starts_with("http://localhost:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Option<String> {
        toml::from_str::<WebhookSection>(text).unwrap().problem("main")
    }

    #[test]
    fn a_webhook_that_anybody_could_send_to_is_refused() {
        for sound in [
            "kind = 'pagerduty'\nsecrets = [{env = 'A'}, {file = '/b'}]\napi_token = {command = ['x']}\nnotes_from = 'a@b'",
            "kind = 'alertmanager'\ntokens = [{env = 'A'}]",
            "kind = 'alertmanager'\nbasic = {user = 'am', password = {env = 'A'}}",
            "kind = 'cloudwatch'\ntopics = ['arn:aws:sns:us-east-1:123456789012:dr']",
            "kind = 'webhook'\nsecrets = [{env = 'A'}]\nmax_age = '10m'",
            "kind = 'pagerduty'\nsecrets = [{env = 'A'}]\napi_url = 'http://127.0.0.1:1'",
        ] {
            assert_eq!(problem(sound), None, "{sound}");
        }
        for (broken, words) in [
            ("kind = 'pagerduty'", "needs `secrets`"),
            ("kind = 'alertmanager'", "`tokens` or `basic`"),
            ("kind = 'cloudwatch'", "`topics`"),
            ("kind = 'webhook'", "needs `secrets`"),
            ("kind = 'webhook'\nsecrets = [{}]", "one of `env`"),
            ("kind = 'webhook'\nsecrets = [{env = 'A', file = 'b'}]", "one of `env`"),
            ("kind = 'webhook'\nsecrets = [{env = 'A'}]\napi_token = {env = 'B'}", "has no `api_token`"),
            ("kind = 'pagerduty'\nsecrets = [{env = 'A'}]\ntopics = ['x']", "has no `topics`"),
            ("kind = 'pagerduty'\nsecrets = [{env = 'A'}]\nnotes_from = 'a@b'", "`api_token` beside"),
            ("kind = 'pagerduty'\nsecrets = [{env = 'A'}]\napi_url = 'http://x'", "https://"),
        ] {
            assert!(problem(broken).is_some_and(|found| found.contains(words)), "{broken}");
        }
        assert!(toml::from_str::<WebhookSection>("kind = 'pagerduty'\nsecret = 'hunter2'").is_err());
        let sound = "kind = 'webhook'\nsecrets = [{env = 'A'}]";
        assert!(toml::from_str::<WebhookSection>(sound).unwrap().problem("Main/x").is_some());
    }
}
