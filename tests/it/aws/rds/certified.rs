//! The fake as the vendor's own SDK for Python sees it.

use serde_json::json;

use crate::aws::estate::certify;
use crate::aws::fake::rds::FakeRds;

#[test]
fn the_fake_satisfies_the_vendors_own_sdk() {
    let rds = FakeRds::start();
    let source = "arn:aws:rds:us-east-1:111122223333:db:payments-east";
    rds.instance("us-west-2", "replica", json!({"ReadReplicaSourceDBInstanceIdentifier": source}));
    rds.instance("us-west-2", "pair", json!({"MultiAZ": true, "AvailabilityZone": "us-west-2a"}));
    let zone = json!({"SecondaryAvailabilityZone": "us-west-2b"});
    rds.change("us-west-2", "instance", "pair", zone, &[]);
    let east = rds.cluster("us-east-1", "payments-east", &["east-1", "east-2"]);
    let west = rds.cluster("us-west-2", "payments-west", &["west-1"]);
    rds.global("payments", &[&east, &west]);
    rds.snapshot("us-east-1", "nightly", "2026-11-20T03:00:00Z");
    super::precheck::surroundings(&rds);
    certify("certify_rds.py", &rds.fake.caller());
}
