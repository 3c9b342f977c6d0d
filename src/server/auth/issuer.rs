//! One identity provider: its keys, read again and again, believed for a time when it is down. An unknown key
//! makes them be read once more, and not more often than every half a minute, whoever asks.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration as Wait;

use axum::http::StatusCode;
use serde::Deserialize;

use super::gatekeeper::refused;
use super::kept::{Kept, Place};
use super::{Grant, Who};
use crate::app::now;
use crate::config::OidcSection;
use crate::model::time::{Duration, Timestamp};
use crate::oidc::{self, Keys, Person, Rules};
use crate::ports::IdentityProvider;
use crate::server::problem::Problem;

/// The shortest time between two reads because of tokens.
const AT_MOST: Duration = Duration::from_secs(30);
/// How long a provider that could not be read is left alone.
const AGAIN: Wait = Wait::from_mins(1);

/// An identity provider.
pub(super) struct Issuer {
    rules: Rules,
    section: OidcSection,
    provider: Arc<dyn IdentityProvider>,
    place: Place,
    keys: Mutex<Option<Arc<Read>>>,
    /// When they were last read because of a token. One request reads, the others wait for it.
    asked: tokio::sync::Mutex<Option<Timestamp>>,
}

/// Keys, and when they were read.
struct Read {
    at: Timestamp,
    keys: Keys,
}

/// What is needed of the document with which discovery begins.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    /// Takes what is kept of its keys, and begins to read them.
    pub(super) fn begin(
        section: &OidcSection,
        state: &Path,
        provider: &Arc<dyn IdentityProvider>,
    ) -> Arc<Self> {
        let place = Place::new(state, &section.issuer);
        let kept = place.read(&section.issuer).unwrap_or_else(|error| {
            tracing::warn!(issuer = section.issuer, %error, "the kept keys cannot be read");
            None
        });
        // A time that has not come would make them good for too long.
        let kept = kept.filter(|kept| kept.at <= now().plus(AT_MOST));
        let read =
            kept.and_then(|kept| Some(Read { at: kept.at, keys: Keys::read(kept.keys.as_bytes()).ok()? }));
        let issuer = Arc::new(Self {
            rules: Rules {
                issuer: section.issuer.clone(),
                audience: section.audience.clone(),
                leeway: section.leeway,
                name_claim: section.name_claim.clone(),
                groups_claim: section.groups_claim.clone(),
            },
            section: section.clone(),
            provider: Arc::clone(provider),
            place,
            keys: Mutex::new(read.map(Arc::new)),
            asked: tokio::sync::Mutex::default(),
        });
        tokio::spawn(keep_reading(Arc::downgrade(&issuer)));
        issuer
    }

    /// Says whether it is the issuer of a name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.rules.issuer == name
    }

    /// Proves a token.
    ///
    /// # Errors
    /// When it is not believed, or there are no keys that are still believed.
    pub(super) async fn admit(&self, token: &str) -> Result<Who, Problem> {
        let known = self.believed();
        let proved = match &known {
            Some(read) => oidc::prove(token, &read.keys, &self.rules, now()),
            None => Err(oidc::Error::UnknownKey),
        };
        let proved = match proved {
            Err(oidc::Error::UnknownKey) => {
                self.read_once_more(known.map(|read| read.at)).await;
                let read = self.believed().ok_or_else(|| self.unreachable())?;
                oidc::prove(token, &read.keys, &self.rules, now())
            }
            other => other,
        };
        proved.map(|person| self.who(person)).map_err(|error| refused(&error.to_string()))
    }

    fn who(&self, person: Person) -> Who {
        let grants = self.section.grants.iter().filter(|grant| person.groups.contains(&grant.group));
        let grants = grants.map(|grant| Grant { roles: grant.roles.clone(), scope: grant.scope() }).collect();
        let proved_by = Some(format!("{} {}", self.rules.issuer, person.subject));
        Who { name: person.name, grants, proved_by }
    }

    /// The keys, as long as they are believed.
    fn believed(&self) -> Option<Arc<Read>> {
        let read = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        (now() <= read.at.plus(self.section.keys_for)).then_some(read)
    }

    fn unreachable(&self) -> Problem {
        let what = format!("the keys of {} could not be read", self.rules.issuer);
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "identity_provider_unreachable", what)
            .help("use a token of drctl (`drctl token create`), or the command line on the journal")
    }

    /// Reads the keys because of a token, unless that was done just now, or they are newer than those that
    /// were not enough.
    async fn read_once_more(&self, known: Option<Timestamp>) {
        let mut asked = self.asked.lock().await;
        let newer = self.believed().map(|read| read.at) != known;
        if newer || asked.is_some_and(|at| now() < at.plus(AT_MOST)) {
            return;
        }
        *asked = Some(now());
        tracing::info!(issuer = self.rules.issuer, "a token has an unknown key: the keys are read again");
        if let Err(error) = self.read().await {
            tracing::warn!(issuer = self.rules.issuer, error, "its keys cannot be read");
        }
    }

    async fn read(&self) -> Result<(), String> {
        let address = match &self.section.keys_url {
            Some(address) => address.clone(),
            None => self.discover().await?,
        };
        let bytes = self.provider.document(&address).await.map_err(|error| error.message)?;
        let keys = Keys::read(&bytes).map_err(|error| error.to_string())?;
        let at = now();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let kept = Kept { issuer: self.rules.issuer.clone(), at, keys: text };
        // Kept before they are believed: whoever was let in once is let in after a restart.
        let written = self.place.write(&kept);
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Read { at, keys }));
        written.map_err(|error| format!("they are not kept for a restart: {error}"))
    }

    async fn discover(&self) -> Result<String, String> {
        let issuer = &self.rules.issuer;
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let bytes = self.provider.document(&address).await.map_err(|error| error.message)?;
        let found: Discovery =
            serde_json::from_slice(&bytes).map_err(|_| "its discovery document cannot be read".to_owned())?;
        if found.issuer != *issuer {
            return Err("its discovery document is that of another issuer".to_owned());
        }
        // As for addresses in the configuration: what is read on the way can be changed on the way.
        if !found.jwks_uri.starts_with("https://") && issuer.starts_with("https://") {
            return Err("its keys do not lie at an https address".to_owned());
        }
        Ok(found.jwks_uri)
    }
}

/// Reads the keys for as long as anybody needs them.
async fn keep_reading(issuer: Weak<Issuer>) {
    let mut was_down = false;
    loop {
        let pause = {
            let Some(issuer) = issuer.upgrade() else { return };
            // Tokens that came first wait for this read.
            let reading = issuer.asked.lock().await;
            let read = issuer.read().await;
            drop(reading);
            match read {
                Ok(()) => {
                    if was_down {
                        tracing::info!(issuer = issuer.rules.issuer, "its keys can be read again");
                    }
                    was_down = false;
                    issuer.section.refresh_every.to_std()
                }
                Err(error) => {
                    was_down = true;
                    tracing::warn!(issuer = issuer.rules.issuer, error, "its keys cannot be read");
                    AGAIN
                }
            }
        };
        tokio::time::sleep(pause).await;
    }
}
