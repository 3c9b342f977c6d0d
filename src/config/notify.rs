//! `[[notify]]` of `drctl.toml`: who is told what. Says what is wrong with an entry; resolves no secret.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::notice::{NoticeKind, TargetKind};
use crate::model::time::Duration;
use crate::model::values::{Secret, SecretSourceKind};

/// Longest name of a target.
const NAME_CHARS: usize = 64;

/// A target of notifications. `url` may be an address or, like every secret, a reference: `env:NAME` or
/// `file:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotifySection {
    /// Name of the target, of a-z, 0-9 and `-`; what it was told is kept in the journal under it.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"))]
    pub name: String,
    /// Kind of target.
    pub kind: TargetKind,
    /// Kinds of notice it gets; default: all.
    #[serde(default)]
    pub events: Vec<NoticeKind>,
    /// Services it hears of, `*` standing for any letters; default: all.
    #[serde(default)]
    pub services: Vec<String>,
    /// Or those whose runbook carries all these labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Whether it hears of drills; default: yes.
    #[serde(default)]
    pub drills: Option<bool>,
    /// How long after the fact a notice is tried; default 2h.
    #[serde(default)]
    pub give_up_after: Option<Duration>,
    /// Words in place of the built-in ones, by kind of notice.
    #[serde(default)]
    pub templates: BTreeMap<NoticeKind, TemplateSection>,
    /// Address: of the webhook (`slack`, `webhook`), of the API in place of the usual one (`pagerduty`,
    /// `pagerduty_notes`).
    #[serde(default)]
    pub url: Option<String>,
    /// Integration key of the service (`pagerduty`), as a reference.
    #[serde(default)]
    pub routing_key: Option<String>,
    /// API token (`pagerduty_notes`), as a reference.
    #[serde(default)]
    pub token: Option<String>,
    /// Mail address of the PagerDuty user in whose name notes are written (`pagerduty_notes`).
    #[serde(default)]
    pub user: Option<String>,
    /// Key the body is signed with (`webhook`), as a reference.
    #[serde(default)]
    pub secret: Option<String>,
    /// Mail server (`smtp`); default: localhost.
    #[serde(default)]
    pub host: Option<String>,
    /// Its port (`smtp`); default: 587 with STARTTLS, 465 with TLS, 25 without.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection to it is protected (`smtp`); default: `starttls`, and `none` on localhost.
    #[serde(default)]
    pub tls: Option<MailProtection>,
    /// Name to sign on with (`smtp`).
    #[serde(default)]
    pub username: Option<String>,
    /// Password (`smtp`), as a reference.
    #[serde(default)]
    pub password: Option<String>,
    /// Sender (`smtp`).
    #[serde(default)]
    pub mail_from: Option<String>,
    /// Recipients (`smtp`).
    #[serde(default)]
    pub mail_to: Vec<String>,
}

/// Words in place of the built-in ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TemplateSection {
    /// Template of the title, one line.
    pub title: Option<String>,
    /// Template of the text.
    pub text: Option<String>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailProtection {
    /// By STARTTLS; a server that does not offer it gets no mail.
    Starttls,
    /// By TLS from the start.
    Tls,
    /// By nothing: only on this machine.
    None,
}

impl NotifySection {
    /// Its secrets, by what they are for. A `url` that is an address is none.
    #[must_use]
    pub fn secrets(&self) -> BTreeMap<String, Secret> {
        let given = self.given().into_iter().filter_map(|(key, value)| Some((key, reference(value?)?)));
        given.map(|(key, secret)| (key.to_owned(), secret)).collect()
    }

    /// The `url`, where it is an address.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        self.url.clone().filter(|url| reference(url).is_none())
    }

    fn given(&self) -> [(&'static str, Option<&String>); 5] {
        [
            ("url", self.url.as_ref()),
            ("routing_key", self.routing_key.as_ref()),
            ("token", self.token.as_ref()),
            ("secret", self.secret.as_ref()),
            ("password", self.password.as_ref()),
        ]
    }

    /// What is wrong with the entry, for its author.
    fn wrong(&self) -> Option<String> {
        let letters = self.name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
        if self.name.is_empty() || self.name.len() > NAME_CHARS || !letters {
            return Some(format!("a name is made of a-z, 0-9 and `-`, {NAME_CHARS} at most"));
        }
        for (key, value) in self.given() {
            if key != "url" && value.is_some_and(|value| reference(value).is_none()) {
                return Some(format!("`{key}` is a secret: write where it is, `env:NAME` or `file:PATH`"));
            }
        }
        if self.events.contains(&NoticeKind::Test) {
            return Some("`test` is sent by `drctl notify test` alone: leave it out of `events`".to_owned());
        }
        self.keys()
    }

    /// Keys that the kind needs and that are missing, or that mean nothing to it.
    fn keys(&self) -> Option<String> {
        let (needed, allowed): (&[&str], &[&str]) = match self.kind {
            TargetKind::Pagerduty => (&["routing_key"], &["url"]),
            TargetKind::PagerdutyNotes => (&["token", "user"], &["url"]),
            TargetKind::Slack => (&["url"], &[]),
            TargetKind::Webhook => (&["url"], &["secret"]),
            TargetKind::Smtp => (&["mail_from", "mail_to"], &["host", "port", "tls", "username", "password"]),
        };
        let mut there: Vec<&str> =
            self.given().iter().filter(|(_, value)| value.is_some()).map(|(key, _)| *key).collect();
        for (key, given) in [
            ("user", self.user.is_some()),
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("tls", self.tls.is_some()),
            ("username", self.username.is_some()),
            ("mail_from", self.mail_from.is_some()),
            ("mail_to", !self.mail_to.is_empty()),
        ] {
            if given {
                there.push(key);
            }
        }
        if let Some(missing) = needed.iter().find(|key| !there.contains(key)) {
            return Some(format!("kind `{}` needs `{missing}`", self.kind));
        }
        let strange = there.iter().find(|key| !needed.contains(key) && !allowed.contains(key));
        strange.map(|key| format!("`{key}` means nothing to kind `{}`", self.kind))
    }
}

/// What is wrong with the entries, for their author.
///
/// # Errors
/// What and where.
pub(super) fn check(sections: &[NotifySection]) -> Result<(), String> {
    for (at, section) in sections.iter().enumerate() {
        let name = &section.name;
        if let Some(wrong) = section.wrong() {
            return Err(format!("[[notify]] `{name}`: {wrong}"));
        }
        if sections.iter().take(at).any(|other| other.name == *name) {
            return Err(format!("[[notify]] `{name}`: the name is given twice"));
        }
    }
    Ok(())
}

/// The secret that a reference names.
#[must_use]
pub(super) fn reference(text: &str) -> Option<Secret> {
    let secret = |from| Secret { from, name: None, path: None, argv: Vec::new() };
    match text.split_once(':')? {
        ("env", name) => Some(Secret { name: Some(name.to_owned()), ..secret(SecretSourceKind::Env) }),
        ("file", path) => {
            let path = path.strip_prefix("//").unwrap_or(path);
            Some(Secret { path: Some(path.to_owned()), ..secret(SecretSourceKind::File) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        notify: Vec<NotifySection>,
    }

    fn checked(text: &str) -> Result<Vec<NotifySection>, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        check(&file.notify).map(|()| file.notify)
    }

    #[test]
    fn secrets_are_named_and_never_written() {
        let entry = "[[notify]]\nname = 'chat'\nkind = 'slack'\n";
        let secret = checked(&format!("{entry}url = 'env:HOOK'\n")).unwrap().remove(0);
        assert_eq!(secret.secrets()["url"].name.as_deref(), Some("HOOK"));
        assert_eq!(secret.address(), None);
        let plain = checked(&format!("{entry}url = 'https://example.com/hook'\n")).unwrap().remove(0);
        assert!(plain.secrets().is_empty() && plain.address().is_some());
        let key = "[[notify]]\nname = 'pd'\nkind = 'pagerduty'\nrouting_key = 'R0123'\n";
        let error = checked(key).unwrap_err();
        assert!(error.contains("`env:NAME` or `file:PATH`") && !error.contains("R0123"), "{error}");
    }

    #[test]
    fn what_an_entry_must_have_and_must_not_have_is_said() {
        for (rest, what) in [
            ("kind = 'slack'", "needs `url`"),
            ("kind = 'pagerduty_notes'\ntoken = 'env:T'", "needs `user`"),
            ("kind = 'smtp'\nmail_from = 'a@example.com'", "needs `mail_to`"),
            ("kind = 'slack'\nurl = 'env:U'\nport = 25", "`port` means nothing"),
            ("kind = 'slack'\nurl = 'env:U'\nevents = ['test']", "leave it out"),
            ("kind = 'slack'\nurl = 'env:U'\nevents = ['end']", "unknown variant"),
            ("kind = 'slack'\nurl = 'env:U'\nchannel = 'x'", "unknown field"),
            ("kind = 'slack'\nurl = 'env:U'\ntemplates.ended.body = 'x'", "unknown field"),
            ("kind = 'teams'\nurl = 'env:U'", "unknown variant"),
        ] {
            let error = checked(&format!("[[notify]]\nname = 'a'\n{rest}\n")).unwrap_err();
            assert!(error.contains(what), "{rest}: {error}");
        }
        let twice = "[[notify]]\nname = 'a'\nkind = 'slack'\nurl = 'env:U'\n".repeat(2);
        assert!(checked(&twice).unwrap_err().contains("given twice"));
        let name = "[[notify]]\nname = 'On call'\nkind = 'slack'\nurl = 'env:U'\n";
        assert!(checked(name).unwrap_err().contains("a-z"));
    }
}
