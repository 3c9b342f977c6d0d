//! Credentials of one account: fetched once, kept for the whole run, renewed in good time. Must never be
//! shown, and must belong to the account the action works in.

use std::time::{Duration, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_types::region::Region;
use tokio::sync::Mutex;

use super::call::{self, Call, Signed};
use super::failure::{Asked, Error, Expired};
use super::settings::{Access, Settings};
use super::transport::Transport;
use super::{permanent, xml};
use crate::model::run::{Failure, FailureClass};
use crate::providers::excerpt;

/// Credentials that last less than this are renewed; where that fails, the old ones serve to their end.
const RENEW: Duration = Duration::from_mins(10);
/// Pause after a renewal that failed: nobody should wait for one at every call.
const PAUSE: Duration = Duration::from_mins(1);
/// Longest time a renewal may take while the old ones still serve.
const RENEWAL: Duration = Duration::from_secs(5);
/// How long an assumed role lasts: the longest that a role which assumes another one gets.
const SESSION: &str = "3600";
/// Version of the STS API.
const STS: &str = "2011-06-15";

/// What it takes to fetch credentials.
pub(super) struct Source<'a> {
    pub(super) settings: &'a Settings,
    pub(super) transport: &'a Transport,
    /// Regions whose STS may be asked, best first.
    pub(super) regions: &'a [String],
    pub(super) now: SystemTime,
}

/// Keeps the credentials of one account.
#[derive(Debug)]
pub(super) struct Keeper {
    account: Option<String>,
    kept: Mutex<Kept>,
    expired: Expired,
}

/// What is kept.
#[derive(Debug, Default)]
struct Kept {
    credentials: Option<Credentials>,
    /// When they could not be renewed last.
    failed_at: Option<SystemTime>,
}

impl Keeper {
    pub(super) fn new(account: Option<String>) -> Self {
        Self { account, kept: Mutex::default(), expired: Expired::default() }
    }

    /// What is told when a service says that these credentials are over.
    pub(super) fn expired(&self) -> Expired {
        self.expired.clone()
    }

    /// The credentials, fetched where there are none or they end soon.
    ///
    /// # Errors
    /// Permanent when there are none to be had, unreachable when nobody gives them out, refused when they
    /// belong to another account.
    pub(super) async fn get(&self, source: &Source<'_>) -> Result<Credentials, Failure> {
        let mut kept = self.kept.lock().await;
        let lasts = |credentials: &Credentials, time: Duration| {
            credentials.expiry().is_none_or(|end| end > source.now + time)
        };
        // Keys without an end tell that it has come by nothing else.
        if self.expired.take() {
            *kept = Kept::default();
        }
        let Some(old) = kept.credentials.clone().filter(|old| lasts(old, Duration::ZERO)) else {
            let fresh = self.fetch(source).await?;
            *kept = Kept { credentials: Some(fresh.clone()), failed_at: None };
            return Ok(fresh);
        };
        let paused = kept.failed_at.is_some_and(|at| source.now < at + PAUSE);
        if lasts(&old, RENEW) || paused {
            return Ok(old);
        }
        // A lost region must not take away credentials that still work, nor the time they still last.
        if let Ok(Ok(fresh)) = tokio::time::timeout(RENEWAL, self.fetch(source)).await {
            *kept = Kept { credentials: Some(fresh.clone()), failed_at: None };
            return Ok(fresh);
        }
        kept.failed_at = Some(source.now);
        Ok(old)
    }

    async fn fetch(&self, source: &Source<'_>) -> Result<Credentials, Failure> {
        let nothing = Access::default();
        let access = self.account.as_ref().and_then(|account| source.settings.accounts.get(account));
        let access = access.unwrap_or(&nothing);
        if let (Some(account), Some(role)) = (&self.account, &access.role_arn)
            && role.split(':').nth(4) != Some(account)
        {
            let role = excerpt::head(role, 120);
            return Err(permanent(format!("`role_arn` of account {account} is of another account: {role}")));
        }
        let session = access.session_name.as_deref().unwrap_or("drctl");
        match (&access.role_arn, &access.web_identity_token_file) {
            (Some(role), Some(file)) => {
                let token = std::fs::read_to_string(file)
                    .map_err(|error| permanent(format!("web identity token {}: {error}", file.display())))?;
                let parameters = [
                    ("RoleArn", role.as_str()),
                    ("RoleSessionName", session),
                    ("WebIdentityToken", token.trim()),
                ];
                let call = Call::query("sts", STS, "AssumeRoleWithWebIdentity", &parameters);
                assumed(source, "AssumeRoleWithWebIdentity", &call, None).await
            }
            (Some(role), None) => {
                let own = base(source, access).await?;
                let mut parameters = vec![
                    ("RoleArn", role.as_str()),
                    ("RoleSessionName", session),
                    ("DurationSeconds", SESSION),
                ];
                parameters.extend(access.external_id.as_deref().map(|id| ("ExternalId", id)));
                let call = Call::query("sts", STS, "AssumeRole", &parameters);
                assumed(source, "AssumeRole", &call, Some(own)).await
            }
            (None, Some(_)) => Err(permanent("`web_identity_token_file` needs a `role_arn` beside it")),
            (None, None) => {
                let own = base(source, access).await?;
                self.check_owner(source, &own).await?;
                Ok(own)
            }
        }
    }

    /// Asks whose the credentials are, where that matters.
    async fn check_owner(&self, source: &Source<'_>, credentials: &Credentials) -> Result<(), Failure> {
        let Some(account) = &self.account else { return Ok(()) };
        let call = Call::query("sts", STS, "GetCallerIdentity", &[]);
        let (answer, asked) = ask(source, "GetCallerIdentity", &call, Some(credentials)).await?;
        let read = answer.text().and_then(xml::parse).map_err(|error| asked.failure(error))?;
        let owner = xml::text(read.root_element(), "GetCallerIdentityResult/Account").unwrap_or("unknown");
        if owner == account {
            return Ok(());
        }
        let owner = excerpt::head(owner, 20);
        let message = format!(
            "the credentials belong to account {owner}, and the action works in account {account}: nothing was \
             done; say in drctl.toml, [aws.accounts.{account}], how to get there"
        );
        Err(Failure::new(FailureClass::Refused, message))
    }
}

/// Credentials of the profile, the environment or the machine, without any role of ours.
async fn base(source: &Source<'_>, access: &Access) -> Result<Credentials, Failure> {
    if let Some(keys) = &source.settings.keys {
        return Ok(Credentials::new(&keys.id, &keys.secret, keys.token.clone(), None, "drctl"));
    }
    let region = source.regions.first().map(|region| Region::new(region.clone()));
    let config = ProviderConfig::without_region()
        .with_region(region)
        .with_http_client(source.transport.for_sdk())
        .with_sleep_impl(TokioSleep::new());
    let profile = access.profile.as_ref().or(source.settings.profile.as_ref());
    let found = match profile {
        // The chain would take the keys of the environment first, whatever profile is named.
        Some(name) => {
            let named = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(name);
            named.build().provide_credentials().await
        }
        None if source.settings.only_named => {
            return Err(permanent(
                "the credentials of this drill name neither a profile nor a way into the account: nothing else \
                 is used in their place; add `profile` to them in drctl.toml",
            ));
        }
        None => {
            DefaultCredentialsChain::builder().configure(config).build().await.provide_credentials().await
        }
    };
    found.map_err(|error| no_credentials(&error, profile))
}

fn no_credentials(error: &CredentialsError, profile: Option<&String>) -> Failure {
    let of =
        profile.map_or_else(String::new, |profile| format!(" of profile `{}`", excerpt::head(profile, 60)));
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let why = excerpt::head(&cause.to_string(), 200);
    match error {
        // What the SDK adds is a list of all it has tried.
        CredentialsError::CredentialsNotLoaded(_) => permanent(format!(
            "no AWS credentials{of} were found: set AWS_PROFILE, or run `aws configure` or `aws sso login`"
        )),
        CredentialsError::ProviderTimedOut(_) => {
            let message = format!("AWS credentials{of} did not come in time ({why})");
            Failure::new(FailureClass::Unreachable, message)
        }
        _ => permanent(format!("AWS credentials{of} cannot be used: {why}")),
    }
}

/// Calls STS for temporary credentials.
async fn assumed(
    source: &Source<'_>,
    operation: &'static str,
    call: &Call,
    own: Option<Credentials>,
) -> Result<Credentials, Failure> {
    let (answer, asked) = ask(source, operation, call, own.as_ref()).await?;
    let text = answer.text().map_err(|error| asked.failure(error))?;
    credentials_in(text, operation)
        .ok_or_else(|| asked.failure(Error::Unreadable("no credentials in the answer".to_owned())))
}

fn credentials_in(text: &str, operation: &str) -> Option<Credentials> {
    let document = xml::parse(text).ok()?;
    let found = xml::at(document.root_element(), &format!("{operation}Result/Credentials"))?;
    let end: jiff::Timestamp = xml::text(found, "Expiration")?.parse().ok()?;
    let (id, secret) = (xml::text(found, "AccessKeyId")?, xml::text(found, "SecretAccessKey")?);
    let token = xml::text(found, "SessionToken")?.to_owned();
    Some(Credentials::new(id, secret, Some(token), Some(end.into()), "drctl"))
}

/// Asks the regional STS of one region after the other until one answers.
async fn ask(
    source: &Source<'_>,
    operation: &'static str,
    call: &Call,
    credentials: Option<&Credentials>,
) -> Result<(call::Answer, Asked), Failure> {
    let mut last = permanent("no region is known whose STS could be asked");
    for region in source.regions {
        let asked = Asked {
            service: "sts",
            operation,
            region: region.clone(),
            changes: false,
            sensitive: false,
            expired: Expired::default(),
        };
        let with = Signed {
            region,
            credentials: credentials.cloned(),
            now: source.now,
            endpoint: source.settings.endpoint_of("sts", region),
        };
        match call::send(source.transport, call, with).await {
            Ok(answer) => return Ok((answer, asked)),
            Err(error) => {
                let answered = error.code().is_some();
                last = asked.failure(error);
                if answered && last.class == FailureClass::Permanent {
                    return Err(last);
                }
            }
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_credentials_are_read_with_their_end() {
        let text = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
                    <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                    <Expiration>2026-11-21T10:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
        let found = credentials_in(text, "AssumeRole").unwrap();
        assert_eq!((found.access_key_id(), found.session_token()), ("ASIA1", Some("t")));
        assert_eq!(found.expiry(), Some(SystemTime::UNIX_EPOCH + Duration::from_hours(498_682)));
        assert!(credentials_in("<AssumeRoleResponse/>", "AssumeRole").is_none());
        assert!(credentials_in(text, "AssumeRoleWithWebIdentity").is_none());
    }
}
