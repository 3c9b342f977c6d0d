//! Fences: quarantine and stop, their undo, groups that let somebody in, connections that live on.

use drctl::engine::input::{Direction, Observation};
use drctl::model::action::Action;
use drctl::model::run::FailureClass;
use drctl::ports::{AttemptContext, Provider as _};
use drctl::providers::aws::{AwsProvider, Settings};
use drctl::runtime::SystemClock;
use serde_json::{Value, json};

use super::{applied, follow, perform, under_way};
use crate::aws::client::Caller;
use crate::aws::estate::{Estate, settings};
use crate::aws::fake::rds::FakeRds;
use crate::support::attempt::{action, context};

fn quarantine(group: &str, end_connections: bool) -> Action {
    let with = json!({
        "region": "us-east-1",
        "kind": "instance",
        "identifier": "payments-east",
        "method": "quarantine",
        // That one is named twice is no reason to wait for ever.
        "quarantine_security_group_ids": [group, group],
        "end_connections": end_connections,
    });
    action("aws.rds.fence", with)
}

fn stop() -> Action {
    let with =
        json!({"region": "us-east-1", "kind": "instance", "identifier": "payments-east", "method": "stop"});
    action("aws.rds.fence", with)
}

/// RDS is the fake, EC2 is moto, which knows security groups well.
fn provider(rds: &FakeRds, ec2: &Caller) -> AwsProvider {
    let endpoints = [("rds".to_owned(), rds.fake.caller().endpoint)].into();
    let settings = Settings { endpoints, ..settings(ec2) };
    AwsProvider::new(settings, std::sync::Arc::new(SystemClock::real()))
}

/// A security group of a new VPC; one that lets somebody in, or nobody.
async fn group(ec2: &Caller, lets_in: bool) -> String {
    let call = |action: &'static str, parameters: Vec<(&'static str, String)>| async move {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ec2.query("ec2", "us-east-1", "2016-11-15", action, &parameters).await
    };
    let vpc = call("CreateVpc", vec![("CidrBlock", "10.0.0.0/16".to_owned())]).await;
    let vpc = vpc.element("vpcId").unwrap().to_owned();
    let name = ("GroupName", "quarantine".to_owned());
    let parameters = vec![name, ("GroupDescription", "nobody".to_owned()), ("VpcId", vpc)];
    let made = call("CreateSecurityGroup", parameters).await;
    let group = made.element("groupId").unwrap().to_owned();
    if lets_in {
        let rule = vec![
            ("GroupId", group.clone()),
            ("IpPermissions.1.IpProtocol", "tcp".to_owned()),
            ("IpPermissions.1.FromPort", "5432".to_owned()),
            ("IpPermissions.1.ToPort", "5432".to_owned()),
            ("IpPermissions.1.IpRanges.1.CidrIp", "10.0.0.0/8".to_owned()),
        ];
        call("AuthorizeSecurityGroupIngress", rule).await;
    }
    group
}

fn groups(rds: &FakeRds) -> Value {
    rds.field("us-east-1", "instance", "payments-east", "VpcSecurityGroups/VpcSecurityGroupMembership")[0]
        ["VpcSecurityGroupId"]
        .clone()
}

fn undoing(context: &AttemptContext) -> AttemptContext {
    let idempotency_key = format!("{}/undo", context.idempotency_key);
    AttemptContext { direction: Direction::Undo, idempotency_key, ..context.clone() }
}

#[tokio::test]
async fn a_quarantine_is_confirmed_once_connections_made_before_are_ended() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.instance("us-east-1", "payments-east", json!({}));
    let provider = provider(&rds, &estate.moto);
    let group = group(&estate.moto, false).await;
    let fence = quarantine(&group, true);
    let (mut context, _switch) = context();
    assert_eq!(provider.observe(&fence, &context, None).await, Observation::NotApplied);

    let (outputs, lines) = perform(&provider, &fence, &mut context).await.unwrap();
    assert_eq!(outputs["confirmed"], json!(true));
    assert_eq!(outputs["previous_security_group_ids"], json!(["sg-open"]));
    assert_eq!(groups(&rds), json!(group));
    assert_eq!((rds.fake.count("ModifyDBInstance"), rds.fake.count("RebootDBInstance")), (1, 1));
    assert!(lines.iter().any(|line| line.contains("ending its connections")), "{lines:?}");

    // Its undo gives back the groups it had, and reboots nothing.
    let undo = undoing(&context);
    let started = provider.start(&fence, &undo).await.unwrap();
    let drctl::ports::Started::Handle(handle) = started else { panic!("over at once: {started:?}") };
    follow(&provider, &fence, &undo, &handle).await.unwrap();
    assert_eq!(groups(&rds), json!("sg-open"));
    assert_eq!(rds.fake.count("RebootDBInstance"), 1);
    applied(provider.observe(&fence, &undo, None).await);
    assert_eq!(provider.observe(&fence, &context, None).await, Observation::NotApplied);
}

#[tokio::test]
async fn groups_that_somebody_else_has_set_since_are_not_taken_back() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.instance("us-east-1", "payments-east", json!({}));
    let provider = provider(&rds, &estate.moto);
    let fence = quarantine(&group(&estate.moto, false).await, false);
    let (mut context, _switch) = context();
    perform(&provider, &fence, &mut context).await.unwrap();
    let list = "VpcSecurityGroups/VpcSecurityGroupMembership";
    let other = json!({list: [{"VpcSecurityGroupId": "sg-other", "Status": "active"}]});
    rds.change("us-east-1", "instance", "payments-east", other, &[]);
    let failure = provider.start(&fence, &undoing(&context)).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("is in sg-other"), "{failure}");
    assert_eq!(rds.fake.count("ModifyDBInstance"), 1);
}

#[tokio::test]
async fn a_quarantine_leaves_to_the_maintenance_window_what_waits_for_it() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    let pending = json!({"DBInstanceClass": "db.r6g.xlarge"});
    let fields = json!({"DBInstanceClass": "db.r6g.large", "PendingModifiedValues": pending});
    rds.instance("us-east-1", "payments-east", fields);
    let provider = provider(&rds, &estate.moto);
    let fence = quarantine(&group(&estate.moto, false).await, false);
    let (mut context, _switch) = context();
    perform(&provider, &fence, &mut context).await.unwrap();
    assert_eq!(rds.field("us-east-1", "instance", "payments-east", "DBInstanceClass"), "db.r6g.large");
}

#[tokio::test]
async fn a_quarantine_that_leaves_connections_alive_is_not_confirmed() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.instance("us-east-1", "payments-east", json!({}));
    let provider = provider(&rds, &estate.moto);
    let fence = quarantine(&group(&estate.moto, false).await, false);
    let (mut context, _switch) = context();
    let (outputs, _) = perform(&provider, &fence, &mut context).await.unwrap();
    assert_eq!(outputs["confirmed"], json!(false));
    assert!(outputs["reason"].as_str().unwrap().contains("end_connections"), "{outputs:?}");
    assert_eq!(rds.fake.count("RebootDBInstance"), 0);
}

#[tokio::test]
async fn a_reboot_that_does_not_show_yet_ends_no_connection() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.instance("us-east-1", "payments-east", json!({}));
    rds.reboots_late();
    let provider = provider(&rds, &estate.moto);
    let fence = quarantine(&group(&estate.moto, false).await, true);
    let (mut context, _switch) = context();
    let (outputs, lines) = perform(&provider, &fence, &mut context).await.unwrap();
    assert_eq!(outputs["confirmed"], json!(true));
    assert!(lines.iter().any(|line| line.contains("does not show yet")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("is rebooting")), "{lines:?}");
    assert_eq!(rds.fake.count("RebootDBInstance"), 1);
}

#[tokio::test]
async fn what_may_still_serve_old_connections_is_not_confirmed() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.instance("us-east-1", "payments-east", json!({}));
    let provider = provider(&rds, &estate.moto);
    let group = group(&estate.moto, false).await;
    let fence = quarantine(&group, true);
    let (mut context, _switch) = context();
    context.prepared = provider.prepare(&fence, &context).await.unwrap();
    let list = "VpcSecurityGroups/VpcSecurityGroupMembership";
    let full = json!({
        "DBInstanceStatus": "storage-full",
        list: [{"VpcSecurityGroupId": group, "Status": "active"}],
    });
    rds.change("us-east-1", "instance", "payments-east", full, &[]);
    let handle = under_way(provider.observe(&fence, &context, None).await);
    let (outputs, _) = follow(&provider, &fence, &context, &handle).await.unwrap();
    assert_eq!(outputs["confirmed"], json!(false));
    assert!(outputs["reason"].as_str().unwrap().contains("storage-full"), "{outputs:?}");
}

#[tokio::test]
async fn ways_around_the_quarantine_of_a_cluster_leave_it_unconfirmed() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    let east = rds.cluster("us-east-1", "payments", &["one", "two"]);
    let west = rds.cluster("us-west-2", "payments-west", &["three"]);
    rds.global("world", &[&east, &west]);
    rds.instance("us-east-1", "one", json!({"DBClusterIdentifier": "payments"}));
    let provider = provider(&rds, &estate.moto);
    let group = group(&estate.moto, false).await;
    let list = "VpcSecurityGroups/VpcSecurityGroupMembership";
    let fenced = json!({list: [{"VpcSecurityGroupId": group, "Status": "active"}]});
    rds.change("us-east-1", "cluster", "payments", fenced, &[]);
    let with = json!({
        "region": "us-east-1", "kind": "cluster", "identifier": "payments", "method": "quarantine",
        "quarantine_security_group_ids": [group], "end_connections": true,
    });
    let fence = action("aws.rds.fence", with);
    let off = json!({
        "HttpEndpointEnabled": null, "LocalWriteForwardingStatus": null, "GlobalClusterIdentifier": null,
    });
    let forwarding = |status: &str| {
        let members = json!([
            {"DBClusterArn": east, "IsWriter": true},
            {"DBClusterArn": west, "IsWriter": false, "GlobalWriteForwardingStatus": status},
        ]);
        json!({"GlobalClusterMembers/GlobalClusterMember": members})
    };
    let mut reboots = 0;
    for (fields, writes, what) in [
        (json!({}), "disabled", None),
        (json!({"HttpEndpointEnabled": true}), "disabled", Some("Data API")),
        (json!({"LocalWriteForwardingStatus": "enabled"}), "disabled", Some("readers forward")),
        (json!({"GlobalClusterIdentifier": "world"}), "disabled", None),
        (json!({"GlobalClusterIdentifier": "world"}), "enabled", Some("payments-west may forward")),
        (json!({"GlobalClusterIdentifier": "gone"}), "disabled", Some("cannot be read")),
    ] {
        rds.change("us-east-1", "cluster", "payments", off.clone(), &[]);
        rds.change("us-east-1", "cluster", "payments", fields.clone(), &[]);
        rds.change("", "global", "world", forwarding(writes), &[]);
        let (mut context, _switch) = context();
        context.idempotency_key = format!("payments-abcdefgh/fence/{reboots}");
        let (outputs, _) = perform(&provider, &fence, &mut context).await.unwrap();
        assert_eq!(outputs["confirmed"], json!(what.is_none()), "{fields}: {outputs:?}");
        let reason = outputs["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(what.unwrap_or_default()), "{fields}: {reason}");
        reboots += 1;
    }
    assert_eq!(rds.fake.count("RebootDBInstance"), reboots);
    // Without a writer nobody's connections could be ended.
    let readers = json!([{"DBInstanceIdentifier": "one", "IsClusterWriter": false}]);
    let without_writer =
        json!({"GlobalClusterIdentifier": null, "DBClusterMembers/DBClusterMember": readers});
    rds.change("us-east-1", "cluster", "payments", without_writer, &[]);
    let (mut context, _switch) = context();
    let (outputs, _) = perform(&provider, &fence, &mut context).await.unwrap();
    assert!(outputs["reason"].as_str().unwrap().contains("no writer"), "{outputs:?}");
}

#[tokio::test]
async fn a_group_that_lets_somebody_in_fences_nothing() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.instance("us-east-1", "payments-east", json!({}));
    let provider = provider(&rds, &estate.moto);
    let (mut context, _switch) = context();
    let open = quarantine(&group(&estate.moto, true).await, true);
    let failure = perform(&provider, &open, &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("1 inbound rules"), "{failure}");
    let missing = quarantine("sg-0123456789abcdef0", true);
    let failure = perform(&provider, &missing, &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent, "{failure}");
    assert_eq!(rds.fake.count("ModifyDBInstance"), 0);
}

#[tokio::test]
async fn a_change_of_groups_whose_answer_was_lost_is_followed_and_not_repeated() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.instance("us-east-1", "payments-east", json!({}));
    let provider = provider(&rds, &estate.moto);
    let fence = quarantine(&group(&estate.moto, false).await, true);
    let (mut context, _switch) = context();
    context.prepared = provider.prepare(&fence, &context).await.unwrap();
    rds.fake.lose_answer("ModifyDBInstance");
    let failure = provider.start(&fence, &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt);
    let handle = under_way(provider.observe(&fence, &context, None).await);
    let (outputs, _) = follow(&provider, &fence, &context, &handle).await.unwrap();
    assert_eq!(outputs["confirmed"], json!(true));
    assert_eq!(rds.fake.count("ModifyDBInstance"), 1);
}

#[tokio::test]
async fn a_stopped_instance_is_fenced_and_started_again_by_the_undo() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.instance("us-east-1", "payments-east", json!({}));
    let provider = provider(&rds, &estate.moto);
    let (mut context, _switch) = context();
    let (outputs, lines) = perform(&provider, &stop(), &mut context).await.unwrap();
    assert_eq!((&outputs["confirmed"], &outputs["method"]), (&json!(true), &json!("stop")));
    assert!(outputs["reason"].as_str().unwrap().contains("seven days"), "{outputs:?}");
    assert!(lines.iter().all(|line| line.contains("stopping")), "{lines:?}");
    // Stopping it again is not an error.
    let (again, _) = perform(&provider, &stop(), &mut context.clone()).await.unwrap();
    assert_eq!(again["confirmed"], json!(true));
    assert_eq!(rds.fake.count("StopDBInstance"), 1);
    let undo = undoing(&context);
    assert_eq!(provider.observe(&stop(), &undo, None).await, Observation::NotApplied);
    let started = provider.start(&stop(), &undo).await.unwrap();
    let drctl::ports::Started::Handle(handle) = started else { panic!("over at once: {started:?}") };
    follow(&provider, &stop(), &undo, &handle).await.unwrap();
    assert_eq!(rds.field("us-east-1", "instance", "payments-east", "DBInstanceStatus"), "available");
}

#[tokio::test]
async fn the_undo_does_not_start_what_did_not_run_before() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.instance("us-east-1", "payments-east", json!({"DBInstanceStatus": "stopped"}));
    let provider = provider(&rds, &estate.moto);
    let (mut context, _switch) = context();
    perform(&provider, &stop(), &mut context).await.unwrap();
    let undo = undoing(&context);
    applied(provider.observe(&stop(), &undo, None).await);
    let started = provider.start(&stop(), &undo).await.unwrap();
    assert!(matches!(started, drctl::ports::Started::Done(_)), "{started:?}");
    assert_eq!(rds.field("us-east-1", "instance", "payments-east", "DBInstanceStatus"), "stopped");
    assert_eq!((rds.fake.count("StopDBInstance"), rds.fake.count("StartDBInstance")), (0, 0));
}

#[tokio::test]
async fn what_rds_does_not_stop_is_refused_before_anything_is_sent() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    let replicas = "ReadReplicaDBInstanceIdentifiers/ReadReplicaDBInstanceIdentifier";
    rds.instance("us-east-1", "payments-east", json!({replicas: ["payments-west"]}));
    let provider = provider(&rds, &estate.moto);
    let (mut context, _switch) = context();
    let failure = perform(&provider, &stop(), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("read replicas") && failure.message.contains("quarantine"), "{failure}");
    assert_eq!(rds.fake.count("StopDBInstance"), 0);
}

#[tokio::test]
async fn the_fence_of_a_lost_region_is_unreachable() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.fake.lose_region("us-east-1");
    let provider = provider(&rds, &estate.moto);
    let (mut context, _switch) = context();
    let failure = perform(&provider, &stop(), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable);
    assert!(failure.message.starts_with("unreachable us-east-1"), "{failure}");
}

#[tokio::test]
async fn a_cluster_is_quarantined_and_its_writers_connections_ended() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.cluster("us-east-1", "payments", &["one", "two"]);
    let list = "VpcSecurityGroups/VpcSecurityGroupMembership";
    let open = json!({list: [{"VpcSecurityGroupId": "sg-open", "Status": "active"}]});
    rds.change("us-east-1", "cluster", "payments", open, &[]);
    rds.instance("us-east-1", "one", json!({"DBClusterIdentifier": "payments"}));
    let provider = provider(&rds, &estate.moto);
    let mut with = json!({
        "region": "us-east-1",
        "kind": "cluster",
        "identifier": "payments",
        "method": "quarantine",
        "quarantine_security_group_ids": [group(&estate.moto, false).await],
        "end_connections": true,
    });
    let (mut context, _switch) = context();
    let fence = action("aws.rds.fence", with.clone());
    let (outputs, lines) = perform(&provider, &fence, &mut context).await.unwrap();
    assert_eq!(outputs["confirmed"], json!(true));
    assert!(lines.iter().any(|line| line.contains("one is in quarantine")), "{lines:?}");
    assert_eq!((rds.fake.count("ModifyDBCluster"), rds.fake.count("RebootDBInstance")), (1, 1));
    // Its instances have no groups of their own.
    with["kind"] = json!("instance");
    with["identifier"] = json!("one");
    let failure = perform(&provider, &action("aws.rds.fence", with), &mut context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("belongs to cluster `payments`"), "{failure}");
}

#[tokio::test]
async fn a_member_of_a_global_database_is_not_stopped() {
    let (rds, estate) = (FakeRds::start(), Estate::up().await);
    rds.cluster("us-east-1", "payments", &["one"]);
    rds.change("us-east-1", "cluster", "payments", json!({"GlobalClusterIdentifier": "world"}), &[]);
    let with = json!({"region": "us-east-1", "kind": "cluster", "identifier": "payments", "method": "stop"});
    let (mut context, _switch) = context();
    let provider = provider(&rds, &estate.moto);
    let failure = perform(&provider, &action("aws.rds.fence", with.clone()), &mut context).await.unwrap_err();
    assert!(failure.message.contains("global database"), "{failure}");
    rds.change("us-east-1", "cluster", "payments", json!({"GlobalClusterIdentifier": null}), &[]);
    let (outputs, _) = perform(&provider, &action("aws.rds.fence", with), &mut context).await.unwrap();
    assert_eq!(outputs["confirmed"], json!(true));
    assert_eq!(rds.fake.count("StopDBCluster"), 1);
}
