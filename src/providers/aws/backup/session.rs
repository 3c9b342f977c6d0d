//! AWS Backup in one place, for one attempt. Must never change anything by itself.

use aws_sdk_backup::Client;
use aws_sdk_backup::operation::describe_recovery_point::DescribeRecoveryPointOutput;
use aws_sdk_backup::primitives::DateTime;
use aws_sdk_backup::types::{RecoveryPointStatus, StorageClass};

use super::permanent;
use crate::model::run::Failure;
use crate::model::time::Timestamp;
use crate::ports::AttemptContext;
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Asked;
use crate::providers::aws::place::Place;
use crate::providers::excerpt;

/// A session.
pub(super) struct Session<'a> {
    pub(super) aws: &'a Aws,
    pub(super) client: Client,
    pub(super) place: Place,
    pub(super) context: &'a AttemptContext,
}

impl<'a> Session<'a> {
    /// Opens a session in the place an action names.
    ///
    /// # Errors
    /// When the region or account makes no sense, or there are no credentials.
    pub(super) async fn open(
        aws: &'a Aws,
        region: &str,
        account: Option<&String>,
        context: &'a AttemptContext,
    ) -> Result<Self, Failure> {
        let place = Place::of(region, account, context)?;
        let config = aws.sdk("backup", &place, context).await?;
        Ok(Self { aws, client: Client::new(&config), place, context })
    }

    /// Names a question.
    pub(super) fn read(&self, operation: &'static str) -> Asked {
        self.aws.read("backup", operation, &self.place, self.context)
    }

    /// Names an order.
    pub(super) fn change(&self, operation: &'static str) -> Asked {
        self.aws.change("backup", operation, &self.place, self.context)
    }

    /// A recovery point, which must be there and usable. `owner`: the vault's account, where it is shared.
    ///
    /// # Errors
    /// Permanent, when it cannot be used, and says why.
    pub(super) async fn usable_point(
        &self,
        vault: &str,
        owner: Option<&String>,
        arn: &str,
    ) -> Result<DescribeRecoveryPointOutput, Failure> {
        let asked = self.read("DescribeRecoveryPoint");
        let order = self.client.describe_recovery_point().backup_vault_name(vault).recovery_point_arn(arn);
        let order = order.set_backup_vault_account_id(owner.cloned());
        let found = order.send().await.map_err(|error| asked.failure(error))?;
        if is_usable(found.status()) {
            return Ok(found);
        }
        let status = found.status().map_or("without a status", RecoveryPointStatus::as_str);
        let why = found.status_message().map(|why| format!(": {}", excerpt::head(why, 200)));
        Err(permanent(format!("recovery point {arn} is {status}{}", why.unwrap_or_default())))
    }
}

/// Whether a recovery point in this state can be restored; a continuous one is `AVAILABLE`.
pub(super) fn is_usable(status: Option<&RecoveryPointStatus>) -> bool {
    matches!(status, Some(RecoveryPointStatus::Completed | RecoveryPointStatus::Available))
}

/// Whether a recovery point lies in cold storage.
pub(super) fn is_cold(found: &DescribeRecoveryPointOutput) -> bool {
    matches!(found.storage_class(), Some(StorageClass::Cold))
}

/// A time of the service.
pub(super) fn time(at: Option<&DateTime>) -> Option<Timestamp> {
    Some(Timestamp::from_millis(at?.to_millis().ok()?))
}
