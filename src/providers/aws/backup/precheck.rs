//! What can be told of vaults and recovery points before a job is started. Must never start one.

use super::permanent;
use super::session::Session;
use crate::model::action::Action;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, Precheck};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Error;
use crate::providers::excerpt;

/// Looks at what a job needs.
///
/// # Errors
/// When the job would not work.
pub(super) async fn check(aws: &Aws, action: &Action, context: &AttemptContext) -> Result<Precheck, Failure> {
    let mut seen = Precheck::default();
    match action {
        Action::AwsBackupStartBackup(it) => {
            let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
            vault(&session, &it.vault, &mut seen).await?;
        }
        Action::AwsBackupCopyRecoveryPoint(it) => {
            let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
            session.usable_point(&it.source_vault, None, &it.recovery_point_arn).await?;
            seen.found.push("the recovery point is complete".to_owned());
            let parts: Vec<&str> = it.destination_vault_arn.splitn(7, ':').collect();
            let [_, _, "backup", region, account, "backup-vault", name] = parts.as_slice() else {
                return Err(permanent("`destination_vault_arn` is not the ARN of a backup vault"));
            };
            let account = Some((*account).to_owned()).filter(|account| !account.is_empty());
            match Session::open(aws, region, account.as_ref(), context).await {
                Ok(there) => vault(&there, name, &mut seen).await?,
                Err(failure) => not_seen(&mut seen, "the vault copies go to", failure)?,
            }
        }
        Action::AwsBackupRestore(it) => {
            let session = Session::open(aws, &it.region, it.account.as_ref(), context).await?;
            session.usable_point(&it.vault, it.vault_account_id.as_ref(), &it.recovery_point_arn).await?;
            seen.found.push("the recovery point is complete".to_owned());
        }
        _ => {}
    }
    Ok(seen)
}

async fn vault(session: &Session<'_>, name: &str, seen: &mut Precheck) -> Result<(), Failure> {
    let asked = session.read("DescribeBackupVault");
    let sent = session.client.describe_backup_vault().backup_vault_name(name).send().await;
    let (name, region) = (excerpt::head(name, 80), &session.place.region);
    match sent.map_err(Error::from) {
        Ok(found) => {
            let key = excerpt::head(found.encryption_key_arn().unwrap_or("a key that is not shown"), 120);
            seen.found.push(format!("vault `{name}` in {region} is there, encrypted with {key}"));
            Ok(())
        }
        Err(error) if error.code() == Some("ResourceNotFoundException") => {
            Err(permanent(format!("there is no vault `{name}` in {region}: create it")))
        }
        Err(error) => not_seen(seen, &format!("vault `{name}` in {region}"), asked.failure(error)),
    }
}

/// Not being allowed to look is no reason why the job would not work; nobody answering is.
fn not_seen(seen: &mut Precheck, what: &str, failure: Failure) -> Result<(), Failure> {
    if failure.class == FailureClass::Unreachable {
        return Err(failure);
    }
    seen.unknown.push(format!("{what} could not be looked at: {}", failure.message));
    Ok(())
}
