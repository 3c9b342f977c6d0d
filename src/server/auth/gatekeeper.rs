//! Knows the tokens and the identity providers, and lets in who is known. Shows no token to anybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};
use ring::digest::{SHA256, digest};

use super::issuer::Issuer;
use super::{Grant, Need, Who};
use crate::app::{Error, exit, now};
use crate::config::{Config, TokenEntry};
use crate::journal::record::unhex;
use crate::model::time::Timestamp;
use crate::oidc;
use crate::ports::IdentityProvider;
use crate::server::problem::Problem;

/// Knows the tokens and the identity providers.
pub(in crate::server) struct Gatekeeper {
    tokens: Vec<Known>,
    /// The tokens as the configuration names them.
    entries: Vec<TokenEntry>,
    issuers: Vec<Arc<Issuer>>,
    /// The name of a person by their other names.
    people: BTreeMap<String, String>,
}

struct Known {
    name: String,
    grants: Vec<Grant>,
    sha256: [u8; 32],
    expires: Option<Timestamp>,
}

impl Gatekeeper {
    /// Makes it, and begins to read the keys of the identity providers.
    ///
    /// # Errors
    /// When a token in the configuration cannot be one.
    pub(in crate::server) fn new(
        config: &Config,
        provider: &Arc<dyn IdentityProvider>,
    ) -> Result<Self, Error> {
        let tokens = Self::tokens(config)?;
        let issuers = config.auth.oidc.iter();
        let issuers = issuers.map(|section| Issuer::begin(section, &config.state, provider)).collect();
        let people = config.auth.people.iter();
        let others = people.flat_map(|(person, names)| names.iter().map(move |name| (name, person)));
        let people = others.map(|(name, person)| (name.clone(), person.clone())).collect();
        Ok(Self { tokens, entries: config.auth.tokens.clone(), issuers, people })
    }

    /// Says what is wrong with the tokens of a configuration, and reads nothing else.
    ///
    /// # Errors
    /// When one cannot be one.
    pub(in crate::server) fn check(config: &Config) -> Result<(), Error> {
        Self::tokens(config).map(|_| ())
    }

    /// The tokens that are let in now, as the configuration names them.
    pub(in crate::server) fn entries(&self) -> &[TokenEntry] {
        &self.entries
    }

    fn tokens(config: &Config) -> Result<Vec<Known>, Error> {
        let known = |entry: &TokenEntry| {
            let sha256 = unhex(&entry.sha256.to_ascii_lowercase()).ok_or_else(|| {
                let message = format!("token of {}: sha256 is not 64 hexadecimal digits", entry.name);
                Error::new(exit::USAGE, message).help("`drctl token create` prints what to write")
            })?;
            let mut roles = entry.roles.clone();
            roles.extend(config.roles_of(&entry.name));
            let grants = vec![Grant { roles, scope: entry.scope() }];
            Ok(Known { name: entry.name.clone(), grants, sha256, expires: entry.expires })
        };
        config.auth.tokens.iter().map(known).collect()
    }

    /// Who asks, by what a request says of itself, if they may.
    ///
    /// # Errors
    /// When the token is missing, not believed, over, or gives less than what is needed.
    pub(in crate::server) async fn admit(&self, headers: &HeaderMap, need: Need) -> Result<Who, Problem> {
        let token = bearer(headers).ok_or_else(|| {
            refused("this needs a token")
                .help("send `Authorization: Bearer …`; `drctl token create` makes one")
        })?;
        let mut who = match self.known(token) {
            Some(known) if known.expires.is_some_and(|at| at <= now()) => {
                return Err(refused("this token has expired"));
            }
            Some(known) => Who { name: known.name.clone(), grants: known.grants.clone(), proved_by: None },
            None if oidc::is_like(token) && !self.issuers.is_empty() => self.proved(token).await?,
            None => return Err(refused("this token is not known")),
        };
        if let Some(person) = self.people.get(&who.name) {
            who.name.clone_from(person);
        }
        if need.somewhere {
            who.demand_somewhere(need.right)?;
        } else {
            who.demand(need.right, None)?;
        }
        Ok(who)
    }

    fn known(&self, token: &str) -> Option<&Known> {
        let sha256 = digest(&SHA256, token.as_bytes());
        // Digests are compared: how long that takes says nothing about any token.
        self.tokens.iter().find(|known| known.sha256 == sha256.as_ref())
    }

    async fn proved(&self, token: &str) -> Result<Who, Problem> {
        let unproved = |error: oidc::Error| refused(&error.to_string());
        let presented = oidc::Presented::read(token).map_err(unproved)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.is(&presented.issuer));
        issuer.ok_or_else(|| unproved(oidc::Error::Issuer))?.admit(token).await
    }
}

pub(super) fn refused(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "not_authenticated", detail)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
