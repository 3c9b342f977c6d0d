//! What is told before an action on a database: against a fake that the vendor's SDK agrees with. Nothing may
//! be changed by asking.

use std::collections::BTreeSet;
use std::sync::Arc;

use drctl::model::run::{Failure, FailureClass};
use drctl::model::time::Timestamp;
use drctl::ports::{Precheck, Provider as _};
use serde_json::{Value, json};

use crate::aws::estate::provider;
use crate::aws::fake::rds::FakeRds;
use crate::support::attempt::{action, context};
use crate::support::binary::Drctl;

const REPLICA: &str = "arn:aws:rds:us-west-2:111122223333:db:replica";
const SOURCE: &str = "arn:aws:rds:us-east-1:111122223333:db:payments-east";
/// Orders a precheck must never send.
const ORDERS: [&str; 9] = [
    "PromoteReadReplica",
    "RebootDBInstance",
    "ModifyDBInstance",
    "ModifyDBCluster",
    "StopDBInstance",
    "FailoverGlobalCluster",
    "SwitchoverGlobalCluster",
    "RestoreDBInstanceFromDBSnapshot",
    "CreateDBInstanceReadReplica",
];

/// Maintenance, quotas, a key and permissions, beside whatever databases there are.
pub(super) fn surroundings(rds: &FakeRds) {
    let mut world = rds.world.lock().unwrap();
    let details = json!([{
        "Action": "system-update", "ForcedApplyDate": "2026-12-01T04:00:00Z", "Description": "New OS",
    }]);
    world.maintenance.insert(REPLICA.to_owned(), details);
    world.quota = Some((3, 40));
    world.denied = Some(vec!["rds:StopDBInstance".to_owned()]);
    world.key = Some("Enabled");
}

async fn ask(rds: &FakeRds, name: &str, with: Value) -> Result<Precheck, Failure> {
    let (mut context, _switch) = context();
    let sites = json!({
        "east": {"role": "active", "provider": "aws", "region": "us-east-1"},
        "west": {"role": "standby", "provider": "aws", "region": "us-west-2"},
    });
    context.sites = Arc::new(serde_json::from_value(sites).unwrap());
    let (provider, action) = (provider(&rds.fake.caller()), action(name, with));
    let seen = provider.precheck(&action, &context).await;
    for order in ORDERS {
        assert_eq!(rds.fake.count(order), 0, "{order} was sent");
    }
    let spec = action.name().spec();
    let known: BTreeSet<&str> = [spec.permissions, spec.check_permissions].concat().into_iter().collect();
    for asked in provider.operations() {
        let always = matches!(asked.as_str(), "iam:SimulatePrincipalPolicy" | "sts:GetCallerIdentity");
        assert!(always || known.contains(asked.as_str()), "{name} asks for {asked}");
    }
    seen
}

fn promote() -> Value {
    json!({"region": "us-west-2", "instance": "replica", "backup_retention_days": 7})
}

fn restore(more: &Value) -> Value {
    let mut with = json!({"region": "us-west-2", "snapshot": "nightly", "identifier": "pay-west"});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

/// The daily window around a time, some minutes before and after.
fn window(at: jiff::Timestamp) -> String {
    let time = |at: jiff::Timestamp| at.strftime("%H:%M").to_string();
    let (begin, end) = (at - jiff::SignedDuration::from_mins(10), at + jiff::SignedDuration::from_mins(20));
    format!("{}-{}", time(begin), time(end))
}

#[tokio::test]
async fn a_replica_is_asked_about_its_state_its_backups_and_its_maintenance() {
    let rds = FakeRds::start();
    surroundings(&rds);
    let now = jiff::Timestamp::now();
    let open = window(now);
    let fields = json!({"ReadReplicaSourceDBInstanceIdentifier": SOURCE, "PreferredBackupWindow": open});
    rds.instance("us-west-2", "replica", fields);
    let seen = ask(&rds, "aws.rds.promote_read_replica", promote()).await.unwrap();
    let (found, warnings) = (seen.found.join("\n"), seen.warnings.join("\n"));
    assert!(found.contains(&format!("west: `replica` is a replica of {SOURCE}")), "{found}");
    assert!(found.contains("west: instance `replica` is available"), "{found}");
    assert!(found.contains("permissions are allowed, by IAM's simulation"), "{found}");
    assert!(
        warnings.contains(&format!("the backup window of `replica`, {open} UTC, is open now")),
        "{warnings}"
    );
    let pending = "maintenance of `replica` is pending: system-update, forced at 2026-12-01T04:00:00";
    assert!(warnings.contains(pending), "{warnings}");
    assert_eq!(seen.unknown, [""; 0]);
    let closed = window(now + jiff::SignedDuration::from_hours(12));
    let fields = json!({"PreferredBackupWindow": closed, "DBInstanceStatus": "backing-up"});
    rds.change("us-west-2", "instance", "replica", fields, &[]);
    let seen = ask(&rds, "aws.rds.promote_read_replica", promote()).await.unwrap();
    let warnings = seen.warnings.join("\n");
    assert!(!warnings.contains("backup window") && warnings.contains("`backing-up` now"), "{warnings}");
    rds.change("us-west-2", "instance", "replica", json!({"DBInstanceStatus": "failed"}), &[]);
    let failure = ask(&rds, "aws.rds.promote_read_replica", promote()).await.unwrap_err();
    assert!(failure.message.starts_with("west: instance `replica` is `failed`"), "{failure}");
    let nobody = json!({"region": "us-west-2", "instance": "nobody", "backup_retention_days": 7});
    let failure = ask(&rds, "aws.rds.promote_read_replica", nobody).await.unwrap_err();
    assert!(failure.message.contains("there is no instance `nobody` in us-west-2"), "{failure}");
}

#[tokio::test]
async fn what_iam_refuses_is_named_and_its_silence_is_no_permission() {
    let rds = FakeRds::start();
    surroundings(&rds);
    rds.instance("us-west-2", "replica", json!({"ReadReplicaSourceDBInstanceIdentifier": SOURCE}));
    rds.world.lock().unwrap().denied = Some(vec!["rds:PromoteReadReplica".to_owned()]);
    let failure = ask(&rds, "aws.rds.promote_read_replica", promote()).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    // The account is not known, so that no whole name could be asked about.
    assert!(failure.message.contains("rds:PromoteReadReplica"), "{failure}");
    assert!(failure.message.contains("to arn:aws:iam::111122223333:role/dr"), "{failure}");
    rds.world.lock().unwrap().denied = None;
    let seen = ask(&rds, "aws.rds.promote_read_replica", promote()).await.unwrap();
    assert!(
        seen.unknown[0].starts_with("west: permissions were not checked: iam SimulatePrincipalPolicy"),
        "{seen:?}"
    );
    assert!(!seen.found.join("").contains("allowed"), "{seen:?}");
}

#[tokio::test]
async fn a_restore_needs_a_free_name_a_key_a_group_and_room() {
    let rds = FakeRds::start();
    surroundings(&rds);
    rds.snapshot("us-west-2", "nightly", "2026-11-20T03:00:00Z");
    let name = "aws.rds.restore_from_snapshot";
    let group = json!({"settings": {"subnet_group": "private"}, "kms_key_id": "key-1"});
    let seen = ask(&rds, name, restore(&group)).await.unwrap();
    let found = seen.found.join("\n");
    for what in
        ["reaches to 2026-11-20T03:00:00", "KMS key `key-1` is enabled", "subnet group `private`", "3 of 40"]
    {
        assert!(found.contains(what), "{what}: {found}");
    }
    rds.world.lock().unwrap().key = Some("PendingDeletion");
    let cases = [
        (json!({"kms_key_id": "key-1"}), "KMS key `key-1` in us-west-2 is PendingDeletion: enable it"),
        (json!({"kms_key_id": "key-2"}), "there is no KMS key `key-2`"),
        (json!({"settings": {"subnet_group": "nobody"}}), "there is no subnet group `nobody`"),
        (json!({"snapshot": "weekly"}), "there is no snapshot `weekly`"),
    ];
    for (more, what) in cases {
        let failure = ask(&rds, name, restore(&more)).await.unwrap_err();
        assert!(failure.message.contains(what), "{what}: {failure}");
    }
    rds.world.lock().unwrap().quota = Some((40, 40));
    let failure = ask(&rds, name, restore(&json!({}))).await.unwrap_err();
    assert!(
        failure.message.contains("us-west-2 has 40 of 40 DBInstances, and 1 more are needed"),
        "{failure}"
    );
    rds.instance("us-west-2", "pay-west", json!({}));
    let failure = ask(&rds, name, restore(&json!({}))).await.unwrap_err();
    assert!(failure.message.contains("`pay-west` exists in us-west-2 already"), "{failure}");
}

#[tokio::test]
async fn a_global_target_must_be_a_member_and_in_service() {
    let rds = FakeRds::start();
    surroundings(&rds);
    let east = rds.cluster("us-east-1", "pay-east", &["e1"]);
    let west = rds.cluster("us-west-2", "pay-west", &[]);
    let other = rds.cluster("us-west-2", "other", &["o1"]);
    rds.global("pay", &[&east, &west]);
    let with = |target: &str| json!({"region": "us-west-2", "global_cluster": "pay", "target": target, "allow_data_loss": true});
    let seen = ask(&rds, "aws.rds.failover_global_cluster", with(&west)).await.unwrap();
    assert!(seen.found[0].contains("is a member of global cluster `pay`"), "{seen:?}");
    assert!(seen.warnings[0].contains("cluster `pay-west` has no instance"), "{seen:?}");
    let failure = ask(&rds, "aws.rds.failover_global_cluster", with(&other)).await.unwrap_err();
    assert!(failure.message.contains("`target` is not a member of global cluster `pay`"), "{failure}");
}

const RUNBOOK: &str = include_str!("../../../fixtures/aws/restore.yaml");

fn checked(rds: &FakeRds) -> Drctl {
    let later = "
      - id: promote
        phase: promote
        uses: aws.rds.promote_read_replica
        with:
          region: \"{{ to.region }}\"
          instance: \"{{ steps.restore.outputs.arn }}\"
          backup_retention_days: 7
        drill: skip
";
    let drctl = Drctl::with(&[("runbooks/pay.yaml", &format!("{}{later}", RUNBOOK.trim_end()))]);
    let endpoint = rds.fake.caller().endpoint;
    drctl.write("drctl.toml", &format!("[aws]\nendpoint_url = \"{endpoint}\"\n"));
    let keys = "[default]\naws_access_key_id = 111122223333\naws_secret_access_key = not-checked\n";
    drctl.write(".aws/credentials", keys);
    drctl
}

#[test]
fn drctl_check_asks_every_step_changes_nothing_and_claims_nothing() {
    let rds = FakeRds::start();
    surroundings(&rds);
    rds.world.lock().unwrap().denied = Some(Vec::new());
    rds.instance("us-east-1", "pay-east", json!({}));
    rds.snapshot("us-west-2", "nightly", "2026-11-20T03:00:00Z");
    let drctl = checked(&rds);
    let output = drctl.run("check pay");
    assert_eq!(output.code, 0, "{}{}", output.stdout, output.stderr);
    let promote = "promote: not checked, its parameters are known only in the run";
    for what in [
        "ok  fence",
        "ok  restore",
        "?   promote",
        promote,
        "ready for a failover: 2 things could not be checked",
    ] {
        assert!(output.stdout.contains(what), "{what}\n{}", output.stdout);
    }
    for order in ORDERS {
        assert_eq!(rds.fake.count(order), 0, "{order} was sent");
    }
    // A lost source cannot be fenced, which does not stop an ungraceful run.
    rds.fake.lose_region("us-east-1");
    rds.instance("us-west-2", "pay-west", json!({}));
    let output = drctl.run("check pay -o json");
    let result: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, &result["ready"]), (7, &json!(false)), "{result}");
    let check = |id: &str| {
        let all = result["checks"].as_array().unwrap();
        all.iter().find(|check| check["id"] == id).unwrap().clone()
    };
    assert!(
        check("ready/fence")["outputs"]["warnings"][0].as_str().unwrap().contains("unreachable us-east-1")
    );
    let why = check("ready/restore")["failure"]["message"].as_str().unwrap().to_owned();
    assert!(why.contains("west: `pay-west` exists in us-west-2 already"), "{why}");
    let _: Timestamp = serde_json::from_value(check("ready/restore")["ended_at"].clone()).unwrap();
}
