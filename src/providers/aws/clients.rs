//! Access to AWS, by account and region: credentials, SDK clients, signed calls. Must never retry, and sets
//! nothing up before it is needed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use aws_types::region::Region;

use super::call::{self, Answer, Call, Signed};
use super::credentials::{Keeper, Source};
use super::failure::{Asked, Error};
use super::place::{self, Place};
use super::settings::Settings;
use super::transport::Transport;
use crate::model::id::SiteName;
use crate::model::run::Failure;
use crate::model::values::Site;
use crate::ports::{AttemptContext, Clock};

/// Longest time of one SDK operation.
const OPERATION: Duration = Duration::from_secs(30);

/// What every group of actions works with.
pub(super) struct Aws {
    settings: Settings,
    transport: Transport,
    clock: Arc<dyn Clock>,
    keepers: Mutex<HashMap<Option<String>, Arc<Keeper>>>,
    /// Every operation that was asked for, as permissions name it.
    operations: Mutex<BTreeSet<String>>,
    /// What this process has done. Only ever saves a repetition that would be harmless.
    notes: Mutex<BTreeMap<String, crate::model::time::Timestamp>>,
    #[cfg(feature = "aws-route53")]
    route53: super::route53::Desk,
}

impl Aws {
    pub(super) fn new(settings: Settings, clock: Arc<dyn Clock>) -> Self {
        Self {
            #[cfg(feature = "aws-route53")]
            route53: super::route53::Desk::new(Arc::clone(&clock), settings.route53_requests_per_second),
            settings,
            transport: Transport::default(),
            clock,
            keepers: Mutex::default(),
            operations: Mutex::default(),
            notes: Mutex::default(),
        }
    }

    /// What all attempts at Route 53 share.
    #[cfg(feature = "aws-route53")]
    pub(super) fn route53(&self) -> &super::route53::Desk {
        &self.route53
    }

    /// The role that is assumed to get into an account, as configured.
    pub(super) fn role_of(&self, account: Option<&str>) -> Option<&str> {
        self.settings.accounts.get(account?)?.role_arn.as_deref()
    }

    /// The time now.
    pub(super) fn now(&self) -> crate::model::time::Timestamp {
        self.clock.now()
    }

    /// Operations asked for so far, such as `rds:PromoteReadReplica`.
    pub(super) fn operations(&self) -> BTreeSet<String> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that something was done.
    pub(super) fn note(&self, what: String) {
        let now = self.now();
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_insert(now);
    }

    /// When this process noted something first.
    pub(super) fn noted_at(&self, what: &str) -> Option<crate::model::time::Timestamp> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).get(what).copied()
    }

    /// Names a question that changes nothing. `service` is its prefix in permissions.
    pub(super) fn read(
        &self,
        service: &'static str,
        operation: &'static str,
        place: &Place,
        context: &AttemptContext,
    ) -> Asked {
        self.asked(service, operation, place, context, false)
    }

    /// Names an order that changes something: a lost answer to it is doubtful.
    pub(super) fn change(
        &self,
        service: &'static str,
        operation: &'static str,
        place: &Place,
        context: &AttemptContext,
    ) -> Asked {
        self.asked(service, operation, place, context, true)
    }

    fn asked(
        &self,
        service: &'static str,
        operation: &'static str,
        place: &Place,
        context: &AttemptContext,
        changes: bool,
    ) -> Asked {
        let permission = format!("{service}:{operation}");
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).insert(permission);
        let (region, expired) = (place.region.clone(), self.keeper(place).expired());
        Asked { service, operation, region, changes, sensitive: context.sensitive, expired }
    }

    /// Credentials for a place, fetched once and kept.
    ///
    /// # Errors
    /// When there are none, nobody gives them out, or they belong to another account.
    pub(super) async fn credentials(
        &self,
        place: &Place,
        regions: &[String],
    ) -> Result<Credentials, Failure> {
        let keeper = self.keeper(place);
        let source =
            Source { settings: &self.settings, transport: &self.transport, regions, now: self.system_time() };
        keeper.get(&source).await
    }

    fn keeper(&self, place: &Place) -> Arc<Keeper> {
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Keeper::new(place.account.clone()));
        Arc::clone(keepers.entry(place.account.clone()).or_insert_with(new))
    }

    /// Regions whose STS is asked for a place, best first: the one configured, the one recovered into, the
    /// place's own, those of the other sites.
    pub(super) fn sts_regions(
        &self,
        place: Option<&Place>,
        sites: &BTreeMap<SiteName, Site>,
        to: Option<&SiteName>,
    ) -> Vec<String> {
        let to = to.and_then(|to| sites.get(to)?.region.as_ref());
        let wanted = self.settings.sts_region.iter().chain(to).chain(place.map(|place| &place.region));
        let mut regions: Vec<String> = Vec::new();
        for region in wanted.chain(sites.values().filter_map(|site| site.region.as_ref())) {
            if !regions.contains(region) && place::is_region(region) {
                regions.push(region.clone());
            }
        }
        regions
    }

    async fn credentials_for(&self, place: &Place, context: &AttemptContext) -> Result<Credentials, Failure> {
        let regions = self.sts_regions(Some(place), &context.sites, context.to.as_ref());
        self.credentials(place, &regions).await
    }

    /// Configuration of an SDK client for a service in a place.
    ///
    /// # Errors
    /// When there are no credentials.
    pub(super) async fn sdk(
        &self,
        service: &'static str,
        place: &Place,
        context: &AttemptContext,
    ) -> Result<SdkConfig, Failure> {
        let credentials = self.credentials_for(place, context).await?;
        let timeouts = TimeoutConfig::builder().operation_timeout(OPERATION).build();
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(place.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            // The keeper is the cache; a second one would hold on to credentials that were replaced.
            .identity_cache(IdentityCache::no_cache())
            // One try: retries belong to the engine, which journals them.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            // It gives up on an answer that takes more than five seconds to begin; the limit above is ours.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .sleep_impl(TokioSleep::new())
            .time_source(PortTime(Arc::clone(&self.clock)))
            .http_client(self.transport.for_sdk());
        if let Ok(name) = AppName::new("drctl") {
            config = config.app_name(name);
        }
        if let Some(endpoint) = self.settings.endpoint_of(service, &place.region) {
            config = config.endpoint_url(endpoint);
        }
        Ok(config.build())
    }

    /// Makes a signed call without an SDK.
    ///
    /// # Errors
    /// When there are no credentials, or as `asked` says what the service answered.
    pub(super) async fn call(
        &self,
        call: &Call,
        asked: &Asked,
        place: &Place,
        context: &AttemptContext,
    ) -> Result<Answer, Failure> {
        self.try_call(call, place, context).await?.map_err(|error| asked.failure(error))
    }

    /// The same, for those who look at the service's code themselves.
    ///
    /// # Errors
    /// When there are no credentials.
    pub(super) async fn try_call(
        &self,
        call: &Call,
        place: &Place,
        context: &AttemptContext,
    ) -> Result<Result<Answer, Error>, Failure> {
        let with = Signed {
            region: &place.region,
            credentials: Some(self.credentials_for(place, context).await?),
            now: self.system_time(),
            endpoint: self.settings.endpoint_of(call.service(), &place.region),
        };
        Ok(call::send(&self.transport, call, with).await)
    }

    /// Signs a call into its address, so that another service can make it. The address is as good as
    /// credentials for this one call: it must never be shown.
    ///
    /// # Errors
    /// When there are no credentials.
    pub(super) async fn presigned(
        &self,
        call: &Call,
        place: &Place,
        context: &AttemptContext,
    ) -> Result<String, Failure> {
        let with = Signed {
            region: &place.region,
            credentials: Some(self.credentials_for(place, context).await?),
            now: self.system_time(),
            endpoint: self.settings.endpoint_of(call.service(), &place.region),
        };
        call::presigned(call, with).ok_or_else(|| super::permanent("an address could not be signed"))
    }

    fn system_time(&self) -> SystemTime {
        system_time(self.clock.as_ref())
    }
}

fn system_time(clock: &dyn Clock) -> SystemTime {
    let millis = u64::try_from(clock.now().as_millis()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

/// The port's clock, as the SDK signs by it.
struct PortTime(Arc<dyn Clock>);

impl std::fmt::Debug for PortTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PortTime")
    }
}

impl TimeSource for PortTime {
    fn now(&self) -> SystemTime {
        system_time(self.0.as_ref())
    }
}
