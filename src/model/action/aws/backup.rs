//! Actions on AWS Backup: recovery points, copies and restores.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::spec::{ActionSpec, ApiHome, Doubt, DrillDefault, Effect, Plane, Role, SPEC};
use crate::model::policy::Reversibility;
use crate::model::run::words;
use crate::model::time::{Duration, Timestamp};

/// What every look at AWS Backup has in common.
const LOOK: ActionSpec = ActionSpec {
    plane: Plane::Control,
    home: ApiHome::Parameter("region"),
    timeout: Duration::from_secs(120),
    poll_interval: Duration::from_secs(5),
    estimate: Duration::from_secs(3),
    ..SPEC
};

/// What every AWS Backup job has in common: it takes an idempotency token, and its product can be deleted.
const JOB: ActionSpec = ActionSpec {
    prechecks: true,
    check_permissions: &["backup:DescribeBackupVault"],
    effect: Effect::Mutate,
    reversibility: Reversibility::Compensable,
    doubt: Doubt::Idempotent,
    drill: DrillDefault::MustDeclare,
    timeout: Duration::from_secs(14_400),
    poll_interval: Duration::from_secs(30),
    estimate: Duration::from_secs(1_800),
    settle: Duration::from_secs(30),
    ..LOOK
};

/// Parameters of `aws.backup.find_recovery_point`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindRecoveryPoint {
    /// Region of the vault, normally the one recovered into.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Name of the vault.
    pub vault: String,
    /// ARN of the resource that was backed up; copies keep the ARN of the original.
    pub resource_arn: String,
    /// Oldest age that is acceptable, counted from the creation of the original backup.
    pub max_age: Option<Duration>,
    /// Take only recovery points created before this time, such as the moment data was corrupted.
    pub before: Option<Timestamp>,
    /// Take only encrypted recovery points.
    #[serde(default)]
    pub require_encrypted: bool,
    /// Take only recovery points encrypted with the KMS key of this ARN.
    pub kms_key_arn: Option<String>,
    /// Take recovery points in cold storage too, which take hours to restore.
    #[serde(default)]
    pub allow_cold: bool,
    /// Account that owns the vault, where it is shared with this one.
    pub vault_account_id: Option<String>,
}

impl FindRecoveryPoint {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Finds the newest usable recovery point of a resource in a vault.",
        role: Role::Reading,
        outputs: &[
            ("recovery_point_arn", "ARN of the recovery point"),
            ("recovery_point_at", "when the original backup was made: how far the data reaches"),
            ("lag_ms", "its age"),
            ("resource_type", "type of the resource, as restore wants it"),
            ("encrypted", "whether it is encrypted"),
            ("rejected", "newer recovery points that were not usable, and why"),
        ],
        permissions: &["backup:ListRecoveryPointsByBackupVault"],
        ..LOOK
    };
}

/// Parameters of `aws.backup.start_backup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartBackup {
    /// Region of the resource and the vault.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Name of the vault.
    pub vault: String,
    /// ARN of the resource.
    pub resource_arn: String,
    /// ARN of the role AWS Backup uses.
    pub iam_role_arn: String,
    /// Days until the recovery point is deleted; default: the vault's rule, else never.
    #[schemars(range(min = 1))]
    pub delete_after_days: Option<u32>,
    /// Longest time until the job begins, in whole minutes; at least 1h.
    pub start_window: Option<Duration>,
    /// Longest time until the job is over, in whole minutes.
    pub complete_window: Option<Duration>,
    /// Options of the resource type, such as `WindowsVSS: enabled`.
    #[serde(default)]
    pub backup_options: BTreeMap<String, String>,
    /// Tags of the recovery point.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl StartBackup {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Backs a resource up now and waits until the recovery point is complete.",
        outputs: &[
            ("backup_job_id", "id of the job"),
            ("recovery_point_arn", "ARN of the recovery point"),
            ("recovery_point_at", "when it was made"),
        ],
        permissions: &[
            "backup:DescribeBackupJob",
            "backup:StartBackupJob",
            "backup:TagResource",
            "iam:PassRole",
        ],
        ..JOB
    };
}

/// Parameters of `aws.backup.copy_recovery_point`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyRecoveryPoint {
    /// Region of the source vault, whose API is called; without that region no copy can start.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Name of the source vault.
    pub source_vault: String,
    /// ARN of the recovery point.
    pub recovery_point_arn: String,
    /// ARN of the vault it is copied to.
    pub destination_vault_arn: String,
    /// ARN of the role AWS Backup uses.
    pub iam_role_arn: String,
    /// Days until the copy is deleted; default: never.
    #[schemars(range(min = 1))]
    pub delete_after_days: Option<u32>,
}

impl CopyRecoveryPoint {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Copies a recovery point to another vault; runs in the source region.",
        timeout: Duration::from_secs(28_800),
        outputs: &[
            ("copy_job_id", "id of the job"),
            ("recovery_point_arn", "ARN of the copy"),
            ("recovery_point_at", "when the original backup was made"),
        ],
        permissions: &[
            "backup:DescribeCopyJob",
            "backup:DescribeRecoveryPoint",
            "backup:StartCopyJob",
            "iam:PassRole",
        ],
        ..JOB
    };
}

/// Parameters of `aws.backup.restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// Region of the vault that holds the recovery point.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// Name of that vault.
    pub vault: String,
    /// ARN of the recovery point.
    pub recovery_point_arn: String,
    /// ARN of the role AWS Backup uses.
    pub iam_role_arn: String,
    /// Account that owns the vault, where it is shared with this one.
    pub vault_account_id: Option<String>,
    /// Type of the resource, such as `RDS`, `Aurora`, `EBS`, `EFS`, `DynamoDB`, `S3`.
    pub resource_type: String,
    /// Restore metadata in place of what the recovery point recorded: new names, subnet and security groups.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Give the new resource the tags of the old one.
    #[serde(default)]
    pub copy_source_tags: bool,
}

impl Restore {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Restores a recovery point into a new resource and waits until it is complete.",
        role: Role::Promote,
        outputs: &[
            ("restore_job_id", "id of the job"),
            ("resource_arn", "ARN of the new resource"),
            ("recovery_point_at", "when the original backup was made"),
        ],
        permissions: &[
            "backup:DescribeRecoveryPoint",
            "backup:DescribeRestoreJob",
            "backup:GetRecoveryPointRestoreMetadata",
            "backup:StartRestoreJob",
            "iam:PassRole",
        ],
        ..JOB
    };
}

/// Parameters of `aws.backup.check_copies`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckCopies {
    /// Region the copies start from, where their jobs are recorded.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// ARN of the resource; absent: every resource.
    pub resource_arn: Option<String>,
    /// ARN of the vault copies go to; absent: any.
    pub destination_vault_arn: Option<String>,
    /// How far back to look; default 24h.
    pub window: Option<Duration>,
    /// Oldest age the newest complete copy may have, counted from the creation of the original backup.
    pub max_age: Option<Duration>,
    /// Failed copies that are tolerated in the window; default 0.
    pub max_failed: Option<u32>,
}

impl CheckCopies {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Looks for backups whose copy failed or is missing: a gap that a green backup hides.",
        outputs: &[
            ("completed", "copies that are complete"),
            ("running", "copies under way"),
            ("failed", "copies that failed, with their messages"),
            ("newest_at", "creation of the newest original that has a complete copy"),
        ],
        permissions: &["backup:DescribeRecoveryPoint", "backup:ListBackupJobs", "backup:ListCopyJobs"],
        ..LOOK
    };
}

words! {
    /// How often a backup is made.
    BackupPeriod {
        /// Every day.
        Daily = "daily",
        /// Every week.
        Weekly = "weekly",
        /// Every month.
        Monthly = "monthly",
        /// Every year.
        Yearly = "yearly",
    }
}

/// A rule that a backup plan must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedRule {
    /// How often it backs up, at least.
    pub period: BackupPeriod,
    /// When exactly, as `cron(0 5 ? * * *)`; other expressions that mean the same times are as good.
    pub schedule: Option<String>,
    /// Time zone of `schedule`, such as `Europe/Berlin`; default `Etc/UTC`.
    pub timezone: Option<String>,
    /// Days until a recovery point is deleted; absent: not checked.
    #[schemars(range(min = 1))]
    pub retention_days: Option<u32>,
    /// Name of the vault recovery points go to; absent: any.
    pub vault: Option<String>,
    /// ARN of the KMS key that encrypts the vault; absent: not checked.
    pub kms_key_arn: Option<String>,
    /// Oldest age the newest recovery point in the vault may have; absent: not checked.
    pub max_age: Option<Duration>,
    /// Where copies must go, in other regions and accounts.
    #[serde(default)]
    pub copies: Vec<ExpectedCopy>,
}

/// A copy that a rule must make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedCopy {
    /// ARN of the vault, which names its region and account.
    pub vault_arn: String,
    /// Days until a copy is deleted; absent: not checked.
    #[schemars(range(min = 1))]
    pub retention_days: Option<u32>,
    /// ARN of the KMS key that encrypts the vault; absent: not checked.
    pub kms_key_arn: Option<String>,
    /// Oldest age the newest copy may have, counted from the creation of its original; absent: not checked.
    pub max_age: Option<Duration>,
}

/// Parameters of `aws.backup.check_policy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckPolicy {
    /// Region of the resource, where its backup plans are.
    pub region: String,
    /// Account it is in; default: that of the site with this region, else that of the credentials.
    pub account: Option<String>,
    /// ARN of the resource that must be backed up.
    pub resource_arn: String,
    /// Name of the backup plan; absent: any plan that selects the resource.
    pub plan: Option<String>,
    /// What its rules must be.
    #[schemars(length(min = 1))]
    pub rules: Vec<ExpectedRule>,
    /// Succeed whatever is found, and only list the differences.
    #[serde(default)]
    pub only_report: bool,
}

impl CheckPolicy {
    /// What is declared about the action.
    pub const SPEC: ActionSpec = ActionSpec {
        summary: "Compares schedule, retention, keys and copies of backups with what they must be.",
        outputs: &[
            ("plans", "backup plans that select the resource"),
            ("differences", "what is not as it must be, where, and what to do"),
            ("unclear", "what could not be told, and why"),
            ("newest", "newest usable recovery point by ARN of the vault, dated by its original"),
        ],
        permissions: &[
            "backup:DescribeBackupVault",
            "backup:GetBackupPlan",
            "backup:GetBackupSelection",
            "backup:ListBackupPlans",
            "backup:ListBackupSelections",
            "backup:ListRecoveryPointsByBackupVault",
        ],
        ..LOOK
    };
}
