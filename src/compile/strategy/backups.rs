//! Steps of data that is brought back from backups, and of the backups a service must have.

use serde_json::{Value, json};

use super::part::{Part, Side, reading};
use super::stages::Stage;
use crate::model::component::{AutomatedBackup, BackupResource, Protection};
use crate::model::time::Duration;

/// Oldest copy a planned move may use, where nobody says.
const AGE: Duration = Duration::from_secs(86_400);

pub(super) fn backup_resource(resource: &BackupResource, part: &mut Part<'_>) -> Value {
    let vault = part.at(Side::To, "vault", &resource.vault);
    let source = part.at(Side::From, "resource_arn", &resource.resource_arn);
    let mut newest = json!({"region": Side::To.region(), "vault": vault, "resource_arn": source});
    if resource.require_encrypted {
        newest["require_encrypted"] = true.into();
    }
    let max_age = part.rpo_or(resource.max_age, AGE);
    let mut limited = newest.clone();
    limited["max_age"] = max_age.into();
    part.step(
        Stage::Assess,
        "copy",
        json!({"name": "newest usable copy", "uses": "aws.backup.find_recovery_point", "with": limited,
               "ungraceful": {"uses": "aws.backup.find_recovery_point", "with": newest}}),
    );
    let copy = format!("{{{{ steps['{}'].outputs.recovery_point_arn }}}}", part.step_id("copy"));
    let mut with = json!({"region": Side::To.region(), "vault": vault, "recovery_point_arn": copy,
                          "iam_role_arn": resource.role_arn, "resource_type": resource.resource_type});
    if let Some(metadata) = &resource.metadata {
        with["metadata"] = part.at(Side::To, "metadata", metadata);
    }
    part.step(
        Stage::Restore,
        "restore",
        json!({"name": "restore the copy", "uses": "aws.backup.restore", "with": with, "timeout": "4h",
               "retry": {"attempts": 2, "backoff": "30s"}, "drill": "skip"}),
    );
    reading("aws.backup.find_recovery_point", &newest)
}

pub(super) fn automated_backup(backup: &AutomatedBackup, part: &mut Part<'_>) -> Value {
    let source = part.at(Side::To, "backups", &backup.backups);
    let newest = json!({"region": Side::To.region(), "kind": "automated_backups", "identifier": source});
    let max_age = part.rpo_or(backup.max_age, AGE);
    let mut limited = newest.clone();
    limited["max_lag"] = max_age.into();
    part.step(
        Stage::Assess,
        "copy",
        json!({"name": "newest restorable time", "uses": "aws.rds.check_replication", "with": limited,
               "ungraceful": {"uses": "aws.rds.check_replication", "with": newest}}),
    );
    let mut with = json!({"region": Side::To.region(), "source_kind": "automated_backups", "source": source,
                          "identifier": part.at(Side::To, "instance", &backup.instance)});
    if let Some(settings) = &backup.settings {
        with["settings"] = part.at(Side::To, "settings", settings);
    }
    part.step(
        Stage::Restore,
        "restore",
        json!({"name": "restore the backups", "uses": "aws.rds.restore_to_point_in_time", "with": with,
               "timeout": "4h", "retry": {"attempts": 2, "backoff": "30s"}, "drill": "skip"}),
    );
    reading("aws.rds.check_replication", &newest)
}

pub(super) fn protection(protection: &Protection, part: &mut Part<'_>) {
    if !part.is_active_active() {
        let max_age = protection.max_age.unwrap_or(AGE).to_string();
        let with = json!({"region": Side::From.region(), "max_age": max_age,
                          "resource_arn": part.at(Side::From, "resource_arn", &protection.resource_arn)});
        // The jobs are listed in the region they ran in, which may be the one that is lost.
        part.step(
            Stage::Assess,
            "backups",
            json!({"name": "backups are recent", "uses": "aws.backup.check_copies", "with": with,
                   "ungraceful": "skip", "on_failure": "continue"}),
        );
        let mut with = json!({"region": Side::To.region(),
                              "vault": part.at(Side::To, "vault", &protection.vault),
                              "resource_arn": part.at(Side::To, "resource_arn", &protection.resource_arn),
                              "iam_role_arn": protection.role_arn});
        if let Some(days) = protection.delete_after_days {
            with["delete_after_days"] = days.into();
        }
        part.step(
            Stage::Cleanup,
            "backup",
            json!({"name": "a first backup in the new site", "uses": "aws.backup.start_backup", "with": with,
                   "on_failure": "continue", "timeout": "4h", "drill": "skip"}),
        );
    }
}
