//! Route 53 in one account, and one zone of it, for one attempt. Must never ask for anything outside the
//! budget of the account.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_route53::Client;

use super::batch::{Change, Size};
use super::changes::{Reach, Receipt};
use super::desk::{Account, Zone};
use super::looks::{self, Records};
use super::{orders, permanent, protection};
use crate::model::run::Failure;
use crate::ports::AttemptContext;
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Asked;
use crate::providers::aws::place::{Place, partition_of};
use crate::providers::excerpt;

/// Route 53 in one account.
pub(super) struct Session<'a> {
    pub(super) aws: &'a Aws,
    pub(super) client: Client,
    pub(super) place: Place,
    pub(super) context: &'a AttemptContext,
    pub(super) account: Arc<Account>,
    /// The zone that is worked on; one without an id where there is none.
    pub(super) zone: Arc<Zone>,
}

impl<'a> Session<'a> {
    /// Opens a session for what is in no zone.
    ///
    /// # Errors
    /// When the account is not clear, or there are no credentials.
    pub(super) async fn open(
        aws: &'a Aws,
        account: Option<&String>,
        context: &'a AttemptContext,
    ) -> Result<Self, Failure> {
        Self::of_zone(aws, account, "", context).await
    }

    /// Opens a session for a zone.
    ///
    /// # Errors
    /// The same, and when the id cannot be that of a zone.
    pub(super) async fn in_zone(
        aws: &'a Aws,
        account: Option<&String>,
        zone: &str,
        context: &'a AttemptContext,
    ) -> Result<Self, Failure> {
        let id = zone.trim_start_matches('/').trim_start_matches("hostedzone/");
        if id.is_empty() || id.len() > 32 || !id.bytes().all(|c| c.is_ascii_alphanumeric()) {
            let shown = excerpt::head(zone, 40);
            return Err(permanent(format!("`{shown}` is not the id of a hosted zone such as Z0123456789")));
        }
        Self::of_zone(aws, account, id, context).await
    }

    async fn of_zone(
        aws: &'a Aws,
        account: Option<&String>,
        zone: &str,
        context: &'a AttemptContext,
    ) -> Result<Self, Failure> {
        let place = Place::global(home(context), account, context)?;
        let client = Client::new(&aws.sdk("route53", &place, context).await?);
        let account = aws.route53().account(place.account.as_ref());
        let zone = account.zone(zone);
        Ok(Self { aws, client, place, context, account, zone })
    }

    /// Names a question.
    pub(super) fn read(&self, operation: &'static str) -> Asked {
        self.aws.read("route53", operation, &self.place, self.context)
    }

    /// Names an order.
    pub(super) fn change(&self, operation: &'static str) -> Asked {
        self.aws.change("route53", operation, &self.place, self.context)
    }

    /// All records with these names, and perhaps others.
    pub(super) async fn look(&self, names: BTreeSet<String>) -> Result<Arc<Records>, Failure> {
        let asked = self.read("ListResourceRecordSets");
        let found = looks::look(&self.account, &self.zone, &self.client, &asked, names).await;
        found.map_err(|error| match error.code() {
            Some("NoSuchHostedZone") => permanent(format!("there is no hosted zone {}", self.zone.id)),
            _ => asked.failure(error),
        })
    }

    /// Has records changed, all together or not at all.
    pub(super) async fn order(&self, changes: Vec<Change>, remark: &str) -> Result<Receipt, Failure> {
        let asked = self.change("ChangeResourceRecordSets");
        let sent = orders::order(&self.account, &self.zone, &self.client, &asked, changes, remark).await;
        sent.map_err(|error| asked.failure(error))
    }

    /// How far a change has come.
    pub(super) async fn reach(&self, id: &str) -> Result<Reach, Failure> {
        let asked = self.read("GetChange");
        self.account.reach(&self.client, &asked, id).await.map_err(|error| asked.failure(error))
    }

    /// Refuses changes that Route 53 would refuse.
    ///
    /// # Errors
    /// Permanent, when they are too many for one batch, or one of them is protected.
    pub(super) async fn check(&self, changes: &[Change]) -> Result<(), Failure> {
        let size = Size::of(changes);
        if !size.fits() {
            return Err(permanent(format!(
                "{size} are too many for one change, where an upsert counts twice (1000 records, 32000 \
                 characters): spread them over several steps"
            )));
        }
        let keys: Vec<_> = changes.iter().map(|change| change.record.key()).collect();
        match protection::protected(self, keys.iter()).await? {
            Some(key) => Err(permanent(format!(
                "{key} is protected: Route 53 refuses every change of it until its record protection is deleted"
            ))),
            None => Ok(()),
        }
    }
}

/// The region whose control plane serves the partition of the sites.
fn home(context: &AttemptContext) -> &'static str {
    let regions = context.sites.values().filter_map(|site| site.region.as_deref());
    // A site of another kind may have any name for its region.
    let homes = regions.map(|region| partition_of(region).home);
    homes.max_by_key(|home| *home != "us-east-1").unwrap_or("us-east-1")
}
