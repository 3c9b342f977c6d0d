//! What a configuration says about who may use the server: tokens, identity providers, and people with
//! several names.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::time::{Duration, Timestamp};

/// Longest time for which the keys of an issuer are believed without having been read again.
const LONGEST_KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Largest difference of clocks that is allowed for.
const LARGEST_LEEWAY: Duration = Duration::from_secs(300);

/// Who may use the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSection {
    /// Tokens; `drctl token create` makes one.
    pub tokens: Vec<TokenEntry>,
    /// Identity providers whose tokens are believed.
    pub oidc: Vec<OidcSection>,
    /// Other names that people have in tokens and at identity providers, by the name the journal shows:
    /// who started a run cannot approve it under another one.
    pub people: BTreeMap<String, Vec<String>>,
}

/// A bearer token, of which only the digest is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// Whose it is; the journal names it. Several tokens of one person have the same name.
    pub name: String,
    /// What it may do: viewer, operator, approver, admin, and roles that approvals ask for.
    pub roles: Vec<String>,
    /// SHA-256 of the token, in hex.
    pub sha256: String,
    /// From when on it is refused.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// Names of the services the roles count for; `*` stands for any characters. Default: all.
    #[serde(default)]
    pub services: Vec<String>,
    /// Labels of the services the roles count for. Default: all.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// An identity provider (OpenID Connect) whose tokens are believed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcSection {
    /// The issuer, exactly as tokens name it in `iss`: an https address.
    pub issuer: String,
    /// What tokens must name in `aud`: one of these.
    pub audience: Vec<String>,
    /// Where its keys are; default: as `<issuer>/.well-known/openid-configuration` says.
    #[serde(default)]
    pub keys_url: Option<String>,
    /// Claim with the name the journal shows; default `email`, which must be verified.
    #[serde(default = "default_name")]
    pub name_claim: String,
    /// Claim with the groups; dots lead into nested claims. Default `groups`.
    #[serde(default = "default_groups")]
    pub groups_claim: String,
    /// How far the clocks may be apart; default 30s, at most 5m.
    #[serde(default = "default_leeway")]
    pub leeway: Duration,
    /// How often its keys are read; default 1h.
    #[serde(default = "default_refresh")]
    pub refresh_every: Duration,
    /// How long its keys are believed after they were last read, also over a restart; default 7d, at most
    /// 30d.
    #[serde(default = "default_kept")]
    pub keys_for: Duration,
    /// What its groups may do.
    pub grants: Vec<OidcGrant>,
}

/// What a group of an identity provider may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcGrant {
    /// The group, exactly as tokens name it.
    pub group: String,
    /// What its members may do: viewer, operator, approver, admin, and roles that approvals ask for.
    pub roles: Vec<String>,
    /// Names of the services the roles count for; `*` stands for any characters. Default: all.
    #[serde(default)]
    pub services: Vec<String>,
    /// Labels of the services the roles count for. Default: all.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// The services that roles count for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Patterns of names; one must fit. None: all names.
    pub services: Vec<String>,
    /// Labels; all must be there.
    pub labels: BTreeMap<String, String>,
}

impl Scope {
    fn of(services: &[String], labels: &BTreeMap<String, String>) -> Option<Self> {
        let all = services.is_empty() && labels.is_empty();
        (!all).then(|| Self { services: services.to_vec(), labels: labels.clone() })
    }
}

impl TokenEntry {
    /// The services its roles count for; absent: all.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        Scope::of(&self.services, &self.labels)
    }
}

impl OidcGrant {
    /// The services its roles count for; absent: all.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        Scope::of(&self.services, &self.labels)
    }
}

impl AuthSection {
    /// What is wrong with the section.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let tokens = self.tokens.iter().find_map(|token| {
            let what = roles(&token.roles, token.scope().as_ref())?;
            Some(format!("auth.tokens, {}: {what}", token.name))
        });
        let mut issuers = BTreeSet::new();
        let mut oidc = self.oidc.iter().map(|section| {
            let twice = !issuers.insert(&section.issuer);
            let what = if twice { Some("the issuer is there twice".to_owned()) } else { section.problem() };
            what.map(|what| format!("auth.oidc, {}: {what}", section.issuer))
        });
        tokens.or_else(|| oidc.find_map(|problem| problem)).or_else(|| self.twins())
    }

    /// A name that would be that of two people.
    fn twins(&self) -> Option<String> {
        let mut owners = BTreeMap::new();
        for (person, names) in &self.people {
            for name in std::iter::once(person).chain(names) {
                match owners.insert(name, person) {
                    Some(other) if other != person => {
                        return Some(format!("auth.people: `{name}` is both {other} and {person}"));
                    }
                    Some(_) | None => {}
                }
            }
        }
        None
    }
}

impl OidcSection {
    fn problem(&self) -> Option<String> {
        let safe = |url: &str| url.starts_with("https://") || super::webhooks::is_loopback(url);
        if !safe(&self.issuer) || self.keys_url.as_deref().is_some_and(|url| !safe(url)) {
            return Some(
                "addresses must begin with https://: who can change the keys can be anybody".to_owned(),
            );
        }
        let empty = |texts: &[String]| texts.is_empty() || texts.iter().any(|text| text.trim().is_empty());
        if empty(&self.audience) {
            return Some("it needs `audience`: tokens made for other programs would be believed".to_owned());
        }
        if self.grants.is_empty() || self.grants.iter().any(|grant| grant.group.is_empty()) {
            return Some("it needs `grants` with a `group` each: nobody could do anything".to_owned());
        }
        if self.name_claim.is_empty() || self.groups_claim.is_empty() {
            return Some("a claim is empty".to_owned());
        }
        if self.leeway > LARGEST_LEEWAY {
            return Some("`leeway` is at most 5m".to_owned());
        }
        if self.keys_for > LONGEST_KEPT || self.keys_for < self.refresh_every {
            return Some("`keys_for` is at most 30d, and not shorter than `refresh_every`".to_owned());
        }
        if self.refresh_every < Duration::from_secs(60) {
            return Some("`refresh_every` is at least 1m".to_owned());
        }
        self.grants.iter().find_map(|grant| roles(&grant.roles, grant.scope().as_ref()))
    }
}

/// What is wrong with roles that count for a scope.
fn roles(roles: &[String], scope: Option<&Scope>) -> Option<String> {
    if roles.is_empty() {
        return Some("it needs `roles`".to_owned());
    }
    let looks = scope.is_some() && roles.iter().any(|role| role == "viewer");
    looks.then(|| {
        "the role viewer is not limited to services: whoever may look may look at everything; leave it out".to_owned()
    })
}

fn default_name() -> String {
    "email".to_owned()
}

fn default_groups() -> String {
    "groups".to_owned()
}

fn default_leeway() -> Duration {
    Duration::from_secs(30)
}

fn default_refresh() -> Duration {
    Duration::from_secs(3_600)
}

fn default_kept() -> Duration {
    Duration::from_secs(7 * 24 * 3_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = "[[oidc]]\nissuer = 'https://id.example'\naudience = ['drctl']\n\
        grants = [{group = 'dr', roles = ['operator'], services = ['pay-*']}]\n";

    fn problem(text: &str) -> Option<String> {
        toml::from_str::<AuthSection>(text).unwrap().problem()
    }

    #[test]
    fn an_issuer_that_would_let_in_too_many_is_refused() {
        assert_eq!(problem(SOUND), None);
        for (from, to, words) in [
            ("https://", "http://", "https://"),
            ("['drctl']", "[]", "`audience`"),
            ("['drctl']", "['']", "`audience`"),
            ("roles = ['operator']", "roles = []", "`roles`"),
            ("roles = ['operator']", "roles = ['viewer']", "viewer is not limited"),
            ("'dr'", "''", "`group`"),
            ("audience", "leeway = '1h'\naudience", "`leeway`"),
            ("audience", "keys_for = '90d'\naudience", "30d"),
            ("audience", "keys_for = '1m'\naudience", "refresh_every"),
            ("audience", "keys_url = 'http://id.example/keys'\naudience", "https://"),
        ] {
            let text = SOUND.replace(from, to);
            assert!(problem(&text).is_some_and(|found| found.contains(words)), "{text}");
        }
        assert!(problem(&SOUND.repeat(2)).unwrap().contains("twice"));
        assert!(toml::from_str::<AuthSection>(&SOUND.replace("audience", "audiences")).is_err());
    }

    #[test]
    fn a_name_belongs_to_one_person() {
        assert_eq!(problem("[people]\nann = ['ann@x', 'ann-ci']\nbob = ['bob@x']\n"), None);
        assert!(problem("[people]\nann = ['shared']\nbob = ['shared']\n").is_some());
        assert!(problem("[people]\nann = ['bob']\nbob = []\n").is_some());
    }
}
