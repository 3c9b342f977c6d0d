//! What the actions of `aws.backup` need. Source of the resource types: AWS's service authorization reference
//! for AWS Backup. Must never narrow a recovery point by anything but its whole ARN.

use serde_json::Value;

use super::need::{Asking, Condition, Wide};
use crate::model::action::ActionName;

/// The role is handed to AWS Backup and to nobody else.
const TO_BACKUP: Condition = ("StringEquals", "iam:PassedToService", "backup.amazonaws.com");

/// Adds what a call needs.
pub(super) fn add(asking: &mut Asking<'_>) {
    match asking.call.action {
        ActionName::AwsBackupFindRecoveryPoint => {
            let vault = vault(asking, asking.text("vault"));
            asking.on("backup:ListRecoveryPointsByBackupVault", [vault]);
        }
        ActionName::AwsBackupStartBackup => {
            let vault = vault(asking, asking.text("vault"));
            asking.anywhere(&["backup:DescribeBackupJob"]);
            asking.on("backup:StartBackupJob", [vault]);
            if asking.has("tags") {
                asking.wide("backup:TagResource", ["*".to_owned()], Wide::GivenByAws);
            }
            role(asking);
        }
        ActionName::AwsBackupCopyRecoveryPoint => {
            asking.anywhere(&["backup:DescribeCopyJob"]);
            point(asking, &["backup:DescribeRecoveryPoint", "backup:StartCopyJob"]);
            role(asking);
        }
        ActionName::AwsBackupRestore => {
            asking.anywhere(&["backup:DescribeRestoreJob"]);
            point(
                asking,
                &[
                    "backup:DescribeRecoveryPoint",
                    "backup:GetRecoveryPointRestoreMetadata",
                    "backup:StartRestoreJob",
                ],
            );
            role(asking);
        }
        ActionName::AwsBackupCheckCopies => {
            asking.anywhere(&["backup:ListBackupJobs", "backup:ListCopyJobs"]);
            asking.wide("backup:DescribeRecoveryPoint", ["*".to_owned()], Wide::Search);
        }
        ActionName::AwsBackupCheckPolicy => policy(asking),
        _ => {}
    }
}

/// Plans have ids that AWS gives out. Vaults of other accounts are looked at with the credentials of those.
fn policy(asking: &mut Asking<'_>) {
    asking.anywhere(&["backup:ListBackupPlans"]);
    let plans = asking.arn("backup", "backup-plan:", None);
    for permission in ["backup:GetBackupPlan", "backup:GetBackupSelection", "backup:ListBackupSelections"] {
        asking.wide(permission, [plans.clone()], Wide::GivenByAws);
    }
    let rules = asking.call.with.get("rules").and_then(Value::as_array);
    let mut vaults = Vec::new();
    for rule in rules.into_iter().flatten() {
        let name = rule.get("vault").and_then(Value::as_str);
        vaults.push(vault(asking, name.filter(|name| !name.contains(['{', '*']))));
        let copies = rule.get("copies").and_then(Value::as_array).into_iter().flatten();
        let arns = copies.filter_map(|copy| copy.get("vault_arn")?.as_str());
        vaults.extend(arns.map(|arn| if arn.starts_with("arn:") { arn } else { "*" }.to_owned()));
    }
    if vaults.is_empty() {
        vaults.push("*".to_owned());
    }
    for permission in ["backup:DescribeBackupVault", "backup:ListRecoveryPointsByBackupVault"] {
        for vault in &vaults {
            asking.in_account_of(permission, vault);
        }
    }
}

fn vault(asking: &Asking<'_>, name: Option<&str>) -> String {
    asking.arn("backup", "backup-vault:", name)
}

/// A recovery point has the ARN of a snapshot of its own service: only a whole ARN narrows it.
fn point(asking: &mut Asking<'_>, permissions: &[&'static str]) {
    let arn = asking.text("recovery_point_arn").filter(|arn| arn.starts_with("arn:")).map(str::to_owned);
    for permission in permissions {
        asking.on(permission, [arn.clone().unwrap_or_else(|| "*".to_owned())]);
    }
}

fn role(asking: &mut Asking<'_>) {
    let role = asking.arn_in("iam", "", "role/", asking.text("iam_role_arn"));
    asking.only_if("iam:PassRole", [role], TO_BACKUP);
}
