//! The actions of `aws.backup`, against a fake that the vendor's SDK agrees with: no emulator has these jobs.

use drctl::engine::input::Observation;
use drctl::model::run::FailureClass;
use drctl::ports::{Polled, Provider as _, Started};
use serde_json::{Value, json};

use crate::aws::attempts::Attempt;
use crate::aws::estate::certify;
use crate::aws::fake::backup::{FakeBackup, RESOURCE, ROLE, ago, vault};

mod policy;

const HOUR: i64 = 3_600;

fn attempt(fake: &FakeBackup, name: &str, with: Value, more: &Value) -> Attempt {
    let mut with = with;
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Attempt::new(&fake.fake.caller(), name, with)
}

fn find(fake: &FakeBackup, more: impl Into<Value>) -> Attempt {
    let with = json!({"region": "us-west-2", "vault": "dr", "resource_arn": RESOURCE});
    attempt(fake, "aws.backup.find_recovery_point", with, &more.into())
}

fn backup(fake: &FakeBackup) -> Attempt {
    let with = json!({
        "region": "us-east-1", "vault": "main", "resource_arn": RESOURCE, "iam_role_arn": ROLE,
        "start_window": "1h", "delete_after_days": 7, "tags": {"run": "1"},
    });
    attempt(fake, "aws.backup.start_backup", with, &json!({}))
}

fn copy(fake: &FakeBackup, point: &str) -> Attempt {
    let with = json!({
        "region": "us-east-1", "source_vault": "main", "recovery_point_arn": point,
        "destination_vault_arn": vault("us-west-2", "dr"), "iam_role_arn": ROLE,
    });
    attempt(fake, "aws.backup.copy_recovery_point", with, &json!({}))
}

fn restore(fake: &FakeBackup, point: &str) -> Attempt {
    let with = json!({
        "region": "us-west-2", "vault": "dr", "recovery_point_arn": point, "iam_role_arn": ROLE,
        "resource_type": "RDS", "metadata": {"DBInstanceIdentifier": "payments-restored"},
    });
    attempt(fake, "aws.backup.restore", with, &json!({}))
}

fn handle(started: Started) -> Value {
    match started {
        Started::Handle(handle) => handle,
        Started::Done(outputs) => panic!("done at once: {outputs:?}"),
    }
}

fn seconds(at: &Value) -> i64 {
    at.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second()
}

#[test]
fn the_fake_satisfies_the_vendors_own_sdk() {
    let fake = FakeBackup::start();
    policy::nightly(&fake);
    certify("certify_backup.py", &fake.fake.caller());
}

#[tokio::test]
async fn the_newest_usable_point_is_found_beyond_the_first_page() {
    let fake = FakeBackup::start();
    fake.point("us-west-2", "dr", "old", 30 * HOUR, json!({}));
    fake.point(
        "us-west-2",
        "dr",
        "partial",
        2 * HOUR,
        json!({"Status": "PARTIAL", "StatusMessage": "disk 2"}),
    );
    fake.point("us-west-2", "dr", "plain", 3 * HOUR, json!({"IsEncrypted": false}));
    let cold = json!({"CalculatedLifecycle": {"MoveToColdStorageAt": ago(HOUR)}});
    fake.point("us-west-2", "dr", "cold", 4 * HOUR, cold);
    let good = fake.point("us-west-2", "dr", "good", 5 * HOUR, json!({}));
    let outputs = find(&fake, json!({"require_encrypted": true, "max_age": "6h"})).perform().await.unwrap();
    assert_eq!((&outputs["recovery_point_arn"], &outputs["resource_type"]), (&json!(good), &json!("RDS")));
    assert!((seconds(&outputs["recovery_point_at"]) - ago(5 * HOUR)).abs() < 60, "{outputs:?}");
    let rejected = outputs["rejected"].to_string();
    for why in ["PARTIAL (disk 2)", "not encrypted", "cold storage"] {
        assert!(rejected.contains(why), "{rejected}");
    }
    let lenient =
        find(&fake, json!({"allow_cold": true, "require_encrypted": true})).perform().await.unwrap();
    assert!(lenient["recovery_point_arn"].as_str().unwrap().ends_with(":cold"));
    let before = jiff::Timestamp::from_second(ago(6 * HOUR)).unwrap().to_string();
    let older = find(&fake, json!({"before": before})).perform().await.unwrap();
    assert!(older["recovery_point_arn"].as_str().unwrap().ends_with(":old"));
    let other_key = json!({"kms_key_arn": "arn:aws:kms:us-west-2:111122223333:key/2"});
    for (more, what) in [
        (json!({"require_encrypted": true, "max_age": "4h"}), "allowed are 4h"),
        (other_key, "no usable recovery point"),
    ] {
        let failure = find(&fake, more).perform().await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Transient);
        assert!(failure.message.contains(what), "{failure}");
    }
    let nobody = find(&fake, json!({"resource_arn": "arn:aws:rds:us-east-1:111122223333:db:nobody"}));
    let failure = { nobody }.perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent, "{failure}");
    let failure = find(&fake, json!({"vault": "nobody"})).perform().await.unwrap_err();
    assert!(failure.message.contains("Backup vault does not exist"), "{failure}");
}

#[tokio::test]
async fn a_backup_is_copied_out_of_its_region_and_restored_after_its_loss() {
    let fake = FakeBackup::start();
    let mut first = backup(&fake);
    let made = first.perform().await.unwrap();
    assert!(first.lines[1].contains("is RUNNING, 50.0% done"), "{:?}", first.lines);
    let mut second = copy(&fake, made["recovery_point_arn"].as_str().unwrap());
    second.context.idempotency_key = "copy".to_owned();
    let copied = second.perform().await.unwrap();
    assert_eq!(copied["recovery_point_at"], made["recovery_point_at"], "a copy keeps the original's date");
    assert_eq!(second.undo().await.unwrap_err().class, FailureClass::Permanent);

    fake.fake.lose_region("us-east-1");
    let found = find(&fake, json!({})).perform().await.unwrap();
    assert_eq!(found["recovery_point_arn"], copied["recovery_point_arn"]);
    let mut third = restore(&fake, found["recovery_point_arn"].as_str().unwrap());
    third.context.idempotency_key = "restore".to_owned();
    let restored = third.perform().await.unwrap();
    assert_eq!(restored["resource_arn"], "arn:aws:rds:us-west-2:111122223333:db:payments-restored");
    assert_eq!(restored["recovery_point_at"], made["recovery_point_at"]);
    let metadata = fake.world.lock().unwrap().restored.clone();
    assert_eq!(metadata, json!({"DBInstanceIdentifier": "payments-restored", "MultiAZ": "false"}));

    let failure = copy(&fake, made["recovery_point_arn"].as_str().unwrap()).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable);
    assert!(failure.message.starts_with("unreachable us-east-1: backup"), "{failure}");
}

#[tokio::test]
async fn a_vault_that_cannot_be_read_to_its_end_is_not_judged() {
    let fake = FakeBackup::start();
    for at in 0..101 {
        fake.point("us-west-2", "dr", &format!("p{at}"), HOUR, json!({"Status": "PARTIAL"}));
    }
    let failure = find(&fake, json!({})).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("more recovery points"), "{failure}");
}

#[tokio::test]
async fn a_point_in_the_vault_of_another_account_is_described_there() {
    let fake = FakeBackup::start();
    let point = fake.point("us-west-2", "dr", "good", HOUR, json!({}));
    fake.change(|world| world.owner = Some("444455556666"));
    let failure = restore(&fake, &point).perform().await.unwrap_err();
    assert!(failure.message.contains("Backup vault does not exist"), "{failure}");
    let with = json!({
        "region": "us-west-2", "vault": "dr", "recovery_point_arn": point, "iam_role_arn": ROLE,
        "resource_type": "RDS", "metadata": {"DBInstanceIdentifier": "payments-restored"},
        "vault_account_id": "444455556666",
    });
    attempt(&fake, "aws.backup.restore", with, &json!({})).perform().await.unwrap();
}

#[tokio::test]
async fn a_job_whose_id_was_lost_is_found_by_the_same_token() {
    let fake = FakeBackup::start();
    let point = fake.point("us-west-2", "dr", "good", HOUR, json!({}));
    let mut attempt = restore(&fake, &point);
    fake.fake.lose_answer("PUT /restore-jobs");
    assert_eq!(attempt.start().await.unwrap_err().class, FailureClass::InDoubt);
    assert!(matches!(attempt.observe(None).await, Observation::Unknown(_)));
    let first = handle(attempt.start().await.unwrap());
    assert_eq!(first["job_id"], "restore-jobs-1", "the job of the lost answer");
    // A new driver goes on with the journaled handle, at the same job.
    assert_eq!(attempt.observe(Some(&first)).await, Observation::InProgress(first.clone()));
    let mut resumed = restore(&fake, &point);
    resumed.follow(&first).await.unwrap();
    assert!(matches!(resumed.observe(Some(&first)).await, Observation::Applied(_)));
    // A failed job must be started anew: another generation is another token.
    resumed.context.idempotency_key = "next generation".to_owned();
    assert_eq!(handle(resumed.start().await.unwrap())["job_id"], "restore-jobs-2");
}

#[tokio::test]
async fn a_job_that_fails_or_is_done_in_part_says_why() {
    let fake = FakeBackup::start();
    let point = fake.point("us-west-2", "dr", "good", HOUR, json!({}));
    for (state, why) in [("FAILED", "Insufficient privileges"), ("ABORTED", "by hand"), ("PARTIAL", "disk 2")]
    {
        fake.change(|world| world.ends = Some((state, why)));
        let mut attempt = restore(&fake, &point);
        attempt.context.idempotency_key = state.to_owned();
        let failure = attempt.perform().await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(failure.message.contains(&format!("ended as {state}: {why}")), "{failure}");
    }
}

#[tokio::test]
async fn what_cannot_be_copied_or_restored_is_refused_before_a_job_begins() {
    let fake = FakeBackup::start();
    let cold = fake.point("us-east-1", "main", "cold", HOUR, json!({"StorageClass": "COLD"}));
    let failure = copy(&fake, &cold).perform().await.unwrap_err();
    assert!(failure.message.contains("cold storage and cannot be copied"), "{failure}");
    let expired = fake.point("us-west-2", "dr", "gone", HOUR, json!({"Status": "EXPIRED"}));
    let failure = restore(&fake, &expired).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.ends_with("is EXPIRED"), "{failure}");
    assert_eq!(fake.fake.count("PUT /copy-jobs") + fake.fake.count("PUT /restore-jobs"), 0);
}

#[tokio::test]
async fn a_poll_that_nobody_answers_does_not_lose_the_job() {
    let fake = FakeBackup::start();
    let mut attempt = backup(&fake);
    let job = handle(attempt.start().await.unwrap());
    // It is not listed at once.
    fake.fake.refuse_once("GET /backup-jobs/", 400, "ResourceNotFoundException");
    let polled = attempt.provider.poll(&attempt.action, &attempt.context, &job).await.unwrap();
    let Polled::Pending(Some(line)) = polled else { panic!("{polled:?}") };
    assert_eq!(line, "job backup-jobs-1 is not listed yet");
    fake.fake.lose_answer("GET /backup-jobs/backup-jobs-1");
    let polled = attempt.provider.poll(&attempt.action, &attempt.context, &job).await.unwrap();
    let Polled::Pending(Some(line)) = polled else { panic!("{polled:?}") };
    assert!(line.starts_with("unreachable us-east-1: backup does not answer"), "{line}");
    let made = attempt.follow(&job).await.unwrap();
    assert_eq!((&made["backup_job_id"], fake.fake.count("PUT /backup-jobs")), (&job["job_id"], 1));
}

#[tokio::test]
async fn a_green_backup_without_its_copy_is_a_gap() {
    let fake = FakeBackup::start();
    let good = fake.point("us-east-1", "main", "good", 5 * HOUR, json!({}));
    let bad = fake.point("us-east-1", "main", "bad", 4 * HOUR, json!({}));
    let copied = |point: &str, state: &str, message: &str| {
        json!({
            "State": state, "SourceRecoveryPointArn": point, "StatusMessage": message,
            "SourceBackupVaultArn": vault("us-east-1", "main"), "CreationDate": ago(HOUR),
        })
    };
    fake.past("c-1", "copy-jobs", copied(&good, "COMPLETED", ""));
    let check =
        |more: Value| attempt(&fake, "aws.backup.check_copies", json!({"region": "us-east-1"}), &more);
    let outputs = check(json!({"max_age": "6h"})).perform().await.unwrap();
    assert_eq!((&outputs["completed"], &outputs["failed"]), (&json!(1), &json!([])));
    assert!(
        (seconds(&outputs["newest_at"]) - ago(5 * HOUR)).abs() < 60,
        "the original's date, not the copy's"
    );
    let failure = check(json!({"max_age": "3h"})).perform().await.unwrap_err();
    assert!(failure.message.contains("allowed are 3h"), "{failure}");

    fake.past("c-2", "copy-jobs", copied(&bad, "FAILED", "KMS key not accessible"));
    fake.past("c-3", "copy-jobs", copied(&bad, "RUNNING", ""));
    let failure = check(json!({})).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient);
    assert!(failure.message.contains("1 copies failed") && failure.message.contains("KMS key"), "{failure}");
    let outputs = check(json!({"max_failed": 1})).perform().await.unwrap();
    assert_eq!((&outputs["running"], &outputs["completed"]), (&json!(1), &json!(1)));
    // One that was repeated with success is no gap any more; one that failed after that is.
    let mut again = copied(&bad, "COMPLETED", "");
    again["CreationDate"] = json!(ago(HOUR / 2));
    fake.past("c-4", "copy-jobs", again.clone());
    assert_eq!(check(json!({})).perform().await.unwrap()["failed"], json!([]));
    again["CreationDate"] = json!(ago(2 * HOUR));
    fake.past("c-4", "copy-jobs", again);
    assert!(check(json!({})).perform().await.unwrap_err().message.contains("1 copies failed"));

    let done = |age: i64, point: &str| {
        let at = ago(age);
        json!({"State": "COMPLETED", "RecoveryPointArn": point, "CompletionDate": at})
    };
    fake.past("b-1", "backup-jobs", done(3 * HOUR, "arn:lonely"));
    fake.past("b-2", "backup-jobs", done(HOUR, "arn:young"));
    fake.past("b-3", "backup-jobs", done(3 * HOUR, &good));
    let failure = check(json!({"resource_arn": RESOURCE, "max_failed": 1})).perform().await.unwrap_err();
    assert!(failure.message.contains("arn:lonely was not copied"), "{failure}");
    assert!(!failure.message.contains("young"), "{failure}");
}

#[tokio::test]
async fn vaults_and_points_are_looked_at_before_a_job_begins() {
    let fake = FakeBackup::start();
    let point = fake.point("us-east-1", "main", "one", HOUR, json!({}));
    let partial = fake.point("us-east-1", "main", "two", HOUR, json!({"Status": "PARTIAL"}));
    let seen = backup(&fake).ask().await.unwrap();
    assert!(seen.found[0].contains("vault `main` in us-east-1 is there, encrypted with"), "{seen:?}");
    let seen = copy(&fake, &point).ask().await.unwrap();
    assert!(seen.found.join(" ").contains("vault `dr` in us-west-2 is there"), "{seen:?}");
    let failure = copy(&fake, &partial).ask().await.unwrap_err();
    assert!(failure.message.contains("is PARTIAL"), "{failure}");
    let nobody =
        json!({"vault": "nobody", "region": "us-east-1", "resource_arn": RESOURCE, "iam_role_arn": ROLE});
    let nobody = attempt(&fake, "aws.backup.start_backup", nobody, &json!({}));
    let failure = nobody.ask().await.unwrap_err();
    assert!(failure.message.contains("there is no vault `nobody` in us-east-1"), "{failure}");
    for job in ["PUT /backup-jobs", "PUT /copy-jobs", "PUT /restore-jobs"] {
        assert_eq!(fake.fake.count(job), 0, "{job}");
    }
}
