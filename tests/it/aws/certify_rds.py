"""Talks to the tests' fake of RDS with the vendor's SDK: names, forms, waiters and error classes must be its own."""

from vendor import client, refused


def wait_for(rds, name):
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=name, WaiterConfig={"Delay": 0, "MaxAttempts": 9})


east, west = client("rds", "us-east-1"), client("rds", "us-west-2")
errors = west.exceptions


def instance(rds, name):
    return rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]


def promotion():
    west.promote_read_replica(DBInstanceIdentifier="replica", BackupRetentionPeriod=3)
    assert instance(west, "replica")["ReadReplicaSourceDBInstanceIdentifier"]
    refused(errors.InvalidDBInstanceStateFault, west.promote_read_replica, DBInstanceIdentifier="replica")
    wait_for(west, "replica")
    found = instance(west, "replica")
    assert "ReadReplicaSourceDBInstanceIdentifier" not in found, found
    assert found["BackupRetentionPeriod"] == 3 and found["Endpoint"]["Port"] == 5432
    refused(errors.InvalidDBInstanceStateFault, west.promote_read_replica, DBInstanceIdentifier="replica")
    refused(errors.DBInstanceNotFoundFault, west.promote_read_replica, DBInstanceIdentifier="nobody")


def reboot():
    west.reboot_db_instance(DBInstanceIdentifier="pair", ForceFailover=True)
    assert instance(west, "pair")["DBInstanceStatus"] == "rebooting"
    wait_for(west, "pair")
    assert instance(west, "pair")["AvailabilityZone"] == "us-west-2b"


def groups():
    west.modify_db_instance(DBInstanceIdentifier="pair", VpcSecurityGroupIds=["sg-1", "sg-2"], ApplyImmediately=True)
    assert [group["Status"] for group in instance(west, "pair")["VpcSecurityGroups"]] == ["adding", "adding"]
    wait_for(west, "pair")
    assert [group["VpcSecurityGroupId"] for group in instance(west, "pair")["VpcSecurityGroups"]] == ["sg-1", "sg-2"]


def stop_and_start():
    west.stop_db_instance(DBInstanceIdentifier="pair")
    refused(errors.InvalidDBInstanceStateFault, west.stop_db_instance, DBInstanceIdentifier="pair")
    while instance(west, "pair")["DBInstanceStatus"] != "stopped":
        pass
    west.start_db_instance(DBInstanceIdentifier="pair")
    wait_for(west, "pair")


def cluster():
    east.failover_db_cluster(DBClusterIdentifier="payments-east", TargetDBInstanceIdentifier="east-2")
    found = {}
    while found.get("Status") != "available":
        found = east.describe_db_clusters(DBClusterIdentifier="payments-east")["DBClusters"][0]
    writers = [m["DBInstanceIdentifier"] for m in found["DBClusterMembers"] if m["IsClusterWriter"]]
    assert writers == ["east-2"], writers


def global_cluster():
    def found():
        return west.describe_global_clusters(GlobalClusterIdentifier="payments")["GlobalClusters"][0]

    target = next(m["DBClusterArn"] for m in found()["GlobalClusterMembers"] if not m["IsWriter"])
    order = {"GlobalClusterIdentifier": "payments", "TargetDbClusterIdentifier": target}
    west.failover_global_cluster(**order, AllowDataLoss=True)
    states = []
    while True:
        seen = found()
        states.append(seen.get("FailoverState", {}).get("Status"))
        if seen["Status"] == "available" and any(m["IsWriter"] and m["DBClusterArn"] == target for m in seen["GlobalClusterMembers"]):
            break
    assert "pending" in states and "failing-over" in states, states
    refused(errors.InvalidGlobalClusterStateFault, west.switchover_global_cluster, **order)
    order["TargetDbClusterIdentifier"] = "arn:aws:rds:us-west-2:1:cluster:other"
    refused(errors.DBClusterNotFoundFault, west.switchover_global_cluster, **order)


def copies():
    arn = east.describe_db_snapshots(DBSnapshotIdentifier="nightly")["DBSnapshots"][0]["DBSnapshotArn"]
    copy = {"SourceDBSnapshotIdentifier": arn, "TargetDBSnapshotIdentifier": "copy", "SourceRegion": "us-east-1"}
    west.copy_db_snapshot(**copy, Tags=[{"Key": "a", "Value": "b"}])
    refused(errors.DBSnapshotAlreadyExistsFault, west.copy_db_snapshot, **copy)
    west.get_waiter("db_snapshot_available").wait(DBSnapshotIdentifier="copy", WaiterConfig={"Delay": 0, "MaxAttempts": 9})
    found = west.describe_db_snapshots(DBSnapshotIdentifier="copy")["DBSnapshots"][0]
    assert found["TagList"] == [{"Key": "a", "Value": "b"}] and found["PercentProgress"] == 100
    assert found["OriginalSnapshotCreateTime"] < found["SnapshotCreateTime"]

    restore = {"DBInstanceIdentifier": "restored", "DBSnapshotIdentifier": "copy"}
    west.restore_db_instance_from_db_snapshot(**restore)
    refused(errors.DBInstanceAlreadyExistsFault, west.restore_db_instance_from_db_snapshot, **restore)
    wait_for(west, "restored")
    source = instance(west, "restored")["DBInstanceArn"]
    east.create_db_instance_read_replica(
        DBInstanceIdentifier="follower", SourceDBInstanceIdentifier=source, SourceRegion="us-west-2"
    )
    wait_for(east, "follower")
    infos = instance(east, "follower")["StatusInfos"]
    assert infos[0]["StatusType"] == "read replication", infos


def around():
    replica = "arn:aws:rds:us-west-2:111122223333:db:replica"
    found = west.describe_pending_maintenance_actions(ResourceIdentifier=replica)["PendingMaintenanceActions"]
    details = found[0]["PendingMaintenanceActionDetails"][0]
    assert (found[0]["ResourceIdentifier"], details["Action"]) == (replica, "system-update"), found
    assert details["ForcedApplyDate"].year == 2026, details
    assert west.describe_pending_maintenance_actions(ResourceIdentifier="arn:x")["PendingMaintenanceActions"] == []
    assert west.describe_account_attributes()["AccountQuotas"] == [{"AccountQuotaName": "DBInstances", "Used": 3, "Max": 40}]
    assert west.describe_db_subnet_groups(DBSubnetGroupName="private")["DBSubnetGroups"]
    refused(errors.DBSubnetGroupNotFoundFault, west.describe_db_subnet_groups, DBSubnetGroupName="nobody")
    kms = client("kms", "us-west-2")
    assert kms.describe_key(KeyId="key-1")["KeyMetadata"]["KeyState"] == "Enabled"
    refused(kms.exceptions.NotFoundException, kms.describe_key, KeyId="key-2")
    assert client("sts", "us-west-2").get_caller_identity()["Arn"].endswith(":assumed-role/dr/drctl")
    simulated = client("iam", "us-east-1").simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::111122223333:role/dr",
        ActionNames=["rds:PromoteReadReplica", "rds:StopDBInstance"],
        ResourceArns=[replica],
    )["EvaluationResults"]
    decisions = {it["EvalActionName"]: it["EvalDecision"] for it in simulated}
    assert decisions == {"rds:PromoteReadReplica": "allowed", "rds:StopDBInstance": "implicitDeny"}, decisions


for part in (around, promotion, reboot, groups, stop_and_start, cluster, global_cluster, copies):
    part()
print("certified")
