//! `aws.backup.check_policy`: expected schedules, retentions, keys and copies against those of a fake.

use drctl::model::run::FailureClass;
use serde_json::{Value, json};

use super::{HOUR, attempt};
use crate::aws::attempts::Attempt;
use crate::aws::fake::backup::{FakeBackup, RESOURCE, ROLE, vault};

const EAST_KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1";
const WEST_KEY: &str = "arn:aws:kms:us-west-2:111122223333:key/1";

fn selection(resources: &Value) -> Value {
    json!({"SelectionName": "databases", "IamRoleArn": ROLE, "Resources": resources})
}

fn rules() -> Value {
    json!([
        {
            "RuleName": "daily", "RuleId": "1", "TargetBackupVaultName": "main",
            "ScheduleExpression": "cron(0 5 ? * * *)", "Lifecycle": {"DeleteAfterDays": 35},
            "CopyActions": [{
                "DestinationBackupVaultArn": vault("us-west-2", "dr"), "Lifecycle": {"DeleteAfterDays": 90},
            }],
        },
        {
            "RuleName": "monthly", "RuleId": "2", "TargetBackupVaultName": "main",
            "ScheduleExpression": "cron(0 2 L * ? *)", "ScheduleExpressionTimezone": "Europe/Berlin",
            "Lifecycle": {"DeleteAfterDays": 365},
        },
    ])
}

/// A plan that backs the resource up every night, and one for something else.
pub(super) fn nightly(fake: &FakeBackup) {
    fake.plan("us-east-1", "nightly", &rules(), selection(&json!([RESOURCE])));
    fake.plan("us-east-1", "other", &json!([]), selection(&json!(["arn:aws:ec2:*:*:volume/*"])));
}

fn daily() -> Value {
    json!({
        "period": "daily", "schedule": "cron(0 5 * * ? *)", "retention_days": 35, "vault": "main",
        "kms_key_arn": EAST_KEY, "max_age": "26h",
        "copies": [{
            "vault_arn": vault("us-west-2", "dr"), "retention_days": 90, "kms_key_arn": WEST_KEY, "max_age": "26h",
        }],
    })
}

fn check(fake: &FakeBackup, rules: &Value) -> Attempt {
    let with = json!({"region": "us-east-1", "resource_arn": RESOURCE, "rules": rules});
    attempt(fake, "aws.backup.check_policy", with, &json!({}))
}

fn backed_up(fake: &FakeBackup) {
    fake.point("us-east-1", "main", "one", 5 * HOUR, json!({}));
    fake.point("us-west-2", "dr", "copy", 5 * HOUR, json!({}));
}

#[tokio::test]
async fn what_is_as_expected_passes_however_its_schedule_is_written() {
    let fake = FakeBackup::start();
    nightly(&fake);
    backed_up(&fake);
    let monthly = json!({
        "period": "monthly", "schedule": "cron(0 2 L * ? *)", "timezone": "Europe/Berlin", "retention_days": 365,
    });
    let outputs = check(&fake, &json!([daily(), monthly, {"period": "weekly"}])).perform().await.unwrap();
    assert_eq!(
        (&outputs["plans"], &outputs["differences"]),
        (&json!(["nightly"]), &json!([])),
        "{outputs:?}"
    );
    assert_eq!(outputs["unclear"], json!([]));
    let newest = outputs["newest"].as_object().unwrap();
    assert_eq!(newest.len(), 2, "{newest:?}");
    assert!(newest[&vault("us-west-2", "dr")].is_string(), "{newest:?}");
}

#[tokio::test]
async fn every_difference_is_told_with_its_place_and_what_to_do() {
    let fake = FakeBackup::start();
    nightly(&fake);
    fake.point("us-east-1", "main", "one", 5 * HOUR, json!({}));
    fake.point("us-west-2", "dr", "old", 50 * HOUR, json!({}));
    fake.point("us-west-2", "dr", "partial", HOUR, json!({"Status": "PARTIAL"}));
    let mut wrong = daily();
    wrong["retention_days"] = json!(30);
    wrong["kms_key_arn"] = json!("arn:aws:kms:us-east-1:111122223333:key/2");
    let nobody = "arn:aws:backup:eu-west-1:444455556666:backup-vault:nobody";
    wrong["copies"].as_array_mut().unwrap().push(json!({"vault_arn": nobody}));
    let yearly = json!({"period": "yearly", "schedule": "cron(0 5 1 1 ? *)"});
    let rules = json!([wrong, yearly]);
    let failure = check(&fake, &rules).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    for what in [
        "plan `nightly`, rule `daily` (daily): recovery points are kept 35 days, expected 30 days",
        "vault `main` is encrypted with arn:aws:kms:us-east-1:111122223333:key/1, expected",
        &format!("nothing is copied to {nobody}: add a copy action"),
        "copies in us-west-2, account 111122223333: the newest usable recovery point in vault `dr` is 2d 2h",
        "us-east-1: no rule makes a yearly backup at cron(0 5 1 1 ? *) Etc/UTC",
        "`monthly` is cron(0 2 L * ? *) Europe/Berlin",
        "not told: vault arn:aws:backup:eu-west-1:444455556666:backup-vault:nobody could not be looked at",
    ] {
        assert!(failure.message.contains(what), "{what}\n{failure}");
    }
    let with = json!({"region": "us-east-1", "resource_arn": RESOURCE, "rules": rules, "only_report": true});
    let listed = attempt(&fake, "aws.backup.check_policy", with, &json!({})).perform().await.unwrap();
    assert!(listed["differences"].as_array().unwrap().len() >= 5, "{listed:?}");
    // Credentials of another account than the vault's: it is not called as expected.
    assert!(listed["unclear"].to_string().contains("444455556666"), "{listed:?}");
}

#[tokio::test]
async fn a_resource_nobody_backs_up_is_the_first_thing_said() {
    let fake = FakeBackup::start();
    fake.plan("us-east-1", "other", &rules(), selection(&json!(["arn:aws:ec2:*:*:volume/*"])));
    let failure = check(&fake, &json!([{"period": "daily"}])).perform().await.unwrap_err();
    assert!(failure.message.contains("(1) us-east-1: no backup plan selects the resource"), "{failure}");
    let by_tags = json!({
        "SelectionName": "tagged", "IamRoleArn": ROLE, "Resources": ["*"],
        "Conditions": {"StringEquals": [{"ConditionKey": "aws:ResourceTag/backup", "ConditionValue": "yes"}]},
    });
    fake.plan("us-east-1", "tagged", &rules(), by_tags);
    let outputs = check(&fake, &json!([{"period": "daily"}])).perform().await.unwrap();
    assert_eq!(outputs["plans"], json!(["tagged"]));
    assert!(outputs["unclear"][0].as_str().unwrap().contains("plan `tagged` selects by tags"), "{outputs:?}");
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_not_as_expected() {
    let fake = FakeBackup::start();
    nightly(&fake);
    backed_up(&fake);
    fake.fake.lose_region("us-west-2");
    let failure = check(&fake, &json!([daily()])).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable, "{failure}");
    assert!(failure.message.contains("unreachable us-west-2"), "{failure}");
    let mut nonsense = daily();
    nonsense["schedule"] = json!("every day");
    let failure = check(&fake, &json!([nonsense])).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("`schedule` of the daily rule"), "{failure}");
}
