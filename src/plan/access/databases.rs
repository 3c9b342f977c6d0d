//! What the actions of `aws.rds` need. Source of the resource types: AWS's service authorization reference.

use super::need::{Asking, Wide};
use crate::model::action::ActionName;

/// Adds what a call needs.
pub(super) fn add(asking: &mut Asking<'_>) {
    match asking.call.action {
        ActionName::AwsRdsFence => fence(asking),
        ActionName::AwsRdsPromoteReadReplica => {
            let db = db(asking, asking.text("instance"));
            asking.on("rds:DescribeDBInstances", [db.clone()]);
            asking.on("rds:PromoteReadReplica", [db]);
        }
        ActionName::AwsRdsFailoverGlobalCluster => global(asking, "rds:FailoverGlobalCluster"),
        ActionName::AwsRdsSwitchoverGlobalCluster => global(asking, "rds:SwitchoverGlobalCluster"),
        ActionName::AwsRdsFailoverCluster => {
            let cluster = cluster(asking, asking.text("cluster"));
            asking.on("rds:DescribeDBClusters", [cluster.clone()]);
            asking.on("rds:FailoverDBCluster", [cluster]);
        }
        ActionName::AwsRdsRebootWithFailover => {
            let db = db(asking, asking.text("instance"));
            asking.on("rds:DescribeDBInstances", [db.clone()]);
            asking.on("rds:RebootDBInstance", [db]);
        }
        ActionName::AwsRdsRestoreFromSnapshot => from_snapshot(asking),
        ActionName::AwsRdsRestoreToPointInTime => to_point_in_time(asking),
        ActionName::AwsRdsCreateReadReplica => replica(asking),
        ActionName::AwsRdsCopySnapshot => copy(asking),
        ActionName::AwsRdsCheckReplication => replication(asking),
        _ => {}
    }
}

fn db(asking: &Asking<'_>, name: Option<&str>) -> String {
    asking.arn("rds", "db:", name)
}

fn cluster(asking: &Asking<'_>, name: Option<&str>) -> String {
    asking.arn("rds", "cluster:", name)
}

fn fence(asking: &mut Asking<'_>) {
    let name = asking.text("identifier");
    let quarantine = asking.may_be("method", "quarantine", "");
    if quarantine {
        asking.anywhere(&["ec2:DescribeSecurityGroups"]);
    }
    let ends = quarantine && asking.has("end_connections");
    if asking.may_be("kind", "instance", "") {
        let db = db(asking, name);
        asking.on("rds:DescribeDBInstances", [db.clone()]);
        if quarantine {
            asking.on("rds:ModifyDBInstance", [db.clone()]);
        }
        if ends {
            asking.on("rds:RebootDBInstance", [db.clone()]);
        }
        if asking.may_be("method", "stop", "") {
            asking.on("rds:StopDBInstance", [db.clone()]);
            if asking.undone {
                asking.on("rds:StartDBInstance", [db]);
            }
        }
    }
    if asking.may_be("kind", "cluster", "") {
        let cluster = cluster(asking, name);
        asking.on("rds:DescribeDBClusters", [cluster.clone()]);
        if quarantine {
            asking.on("rds:ModifyDBCluster", [cluster.clone()]);
        }
        if ends {
            // The writer of the moment is rebooted, whatever it is called.
            let any = db(asking, None);
            asking.wide("rds:DescribeDBInstances", [any.clone()], Wide::GivenByAws);
            asking.wide("rds:RebootDBInstance", [any], Wide::GivenByAws);
            // Whether others of its global database, if it has one, forward writes to it.
            let global = asking.arn_in("rds", "", "global-cluster:", None);
            asking.wide("rds:DescribeGlobalClusters", [global], Wide::GivenByAws);
        }
        if asking.may_be("method", "stop", "") {
            asking.on("rds:StopDBCluster", [cluster.clone()]);
            if asking.undone {
                asking.on("rds:StartDBCluster", [cluster]);
            }
        }
    }
}

fn global(asking: &mut Asking<'_>, order: &'static str) {
    let global = asking.arn_in("rds", "", "global-cluster:", asking.text("global_cluster"));
    let target = match asking.text("target") {
        Some(arn) => asking.arn("rds", "cluster:", Some(arn)),
        None => asking.arn_in("rds", "*", "cluster:", None),
    };
    asking.on("rds:DescribeGlobalClusters", [global.clone()]);
    let mut clusters = vec![target];
    if order == "rds:SwitchoverGlobalCluster" || asking.undone {
        // The writer of the moment takes part, and only AWS knows which cluster that is.
        clusters.push(asking.arn_in("rds", asking.from.unwrap_or("*"), "cluster:", None));
        asking.wide("rds:DescribeDBClusters", clusters.clone(), Wide::GivenByAws);
        clusters.push(global);
        asking.wide(order, clusters, Wide::GivenByAws);
    } else {
        asking.on("rds:DescribeDBClusters", clusters.clone());
        clusters.push(global);
        asking.on(order, clusters);
    }
}

/// Groups a new database belongs to; RDS checks those it chooses by itself too.
fn groups(asking: &Asking<'_>, parameters: &str) -> Vec<String> {
    vec![
        asking.arn("rds", parameters, asking.setting("parameter_group")),
        asking.arn("rds", "og:", asking.setting("option_group")),
        asking.arn("rds", "subgrp:", asking.setting("subnet_group")),
    ]
}

/// What is needed for the key that encrypts what is made.
fn key(asking: &mut Asking<'_>) {
    if !asking.has("kms_key_id") {
        return;
    }
    let name = asking.text("kms_key_id").filter(|name| !name.contains("alias/"));
    let key = asking.arn("kms", "key/", name);
    asking.on("kms:DescribeKey", [key.clone()]);
    // RDS makes the grant in the caller's name.
    asking.only_if("kms:CreateGrant", [key], ("Bool", "kms:GrantIsForAWSResource", "true"));
}

fn from_snapshot(asking: &mut Asking<'_>) {
    let (name, snapshot) = (asking.text("identifier"), asking.text("snapshot"));
    if asking.may_be("kind", "instance", "instance") {
        let (db, from) = (db(asking, name), asking.arn("rds", "snapshot:", snapshot));
        asking.on("rds:DescribeDBInstances", [db.clone()]);
        asking.on("rds:DescribeDBSnapshots", [from.clone()]);
        let mut resources = groups(asking, "pg:");
        resources.extend([db.clone(), from]);
        asking.on("rds:RestoreDBInstanceFromDBSnapshot", resources);
        asking.on("rds:AddTagsToResource", [db]);
    }
    if asking.may_be("kind", "cluster", "instance") {
        let from = asking.arn("rds", "cluster-snapshot:", snapshot);
        asking.on("rds:DescribeDBClusterSnapshots", [from.clone()]);
        new_cluster(asking, "rds:RestoreDBClusterFromSnapshot", Some(from));
    }
    key(asking);
}

fn to_point_in_time(asking: &mut Asking<'_>) {
    let (name, source) = (asking.text("identifier"), asking.text("source"));
    let is = |asking: &Asking<'_>, kind: &str| asking.may_be("source_kind", kind, "");
    if is(asking, "instance") || is(asking, "automated_backups") || is(asking, "instance_resource_id") {
        let made = db(asking, name);
        let mut resources = groups(asking, "pg:");
        asking.on("rds:DescribeDBInstances", [made.clone()]);
        if is(asking, "instance") {
            let source = db(asking, source);
            asking.on("rds:DescribeDBInstances", [source.clone()]);
            resources.push(source);
        }
        if is(asking, "automated_backups") || is(asking, "instance_resource_id") {
            let (backup, any) = (asking.arn("rds", "auto-backup:", None), db(asking, None));
            let backup = match source.filter(|source| source.starts_with("arn:")) {
                Some(arn) => arn.to_owned(),
                None => backup,
            };
            asking.wide("rds:DescribeDBInstanceAutomatedBackups", [backup.clone(), any], Wide::GivenByAws);
            resources.push(backup);
        }
        resources.push(made.clone());
        asking.on("rds:RestoreDBInstanceToPointInTime", resources);
        asking.on("rds:AddTagsToResource", [made]);
    }
    if is(asking, "cluster") || is(asking, "cluster_resource_id") {
        let source_cluster = is(asking, "cluster").then(|| cluster(asking, source));
        if let Some(source) = &source_cluster {
            asking.on("rds:DescribeDBClusters", [source.clone()]);
        }
        let mut from = source_cluster;
        if is(asking, "cluster_resource_id") {
            let backup = asking.arn("rds", "cluster-auto-backup:", None);
            let any = cluster(asking, None);
            let both = [backup.clone(), any];
            asking.wide("rds:DescribeDBClusterAutomatedBackups", both, Wide::GivenByAws);
            from = from.or(Some(backup));
        }
        new_cluster(asking, "rds:RestoreDBClusterToPointInTime", from);
    }
    key(asking);
}

fn new_cluster(asking: &mut Asking<'_>, order: &'static str, from: Option<String>) {
    let made = cluster(asking, asking.text("identifier"));
    asking.on("rds:DescribeDBClusters", [made.clone()]);
    let mut resources = groups(asking, "cluster-pg:");
    resources.extend(from);
    resources.push(made.clone());
    asking.on(order, resources);
    let mut tagged = vec![made.clone()];
    if asking.has("cluster_instances") {
        let names = asking.names("cluster_instances").unwrap_or_default();
        let mut instances: Vec<_> = names.iter().map(|name| db(asking, Some(name))).collect();
        if instances.is_empty() {
            instances.push(db(asking, None));
        }
        asking.on("rds:DescribeDBInstances", instances.clone());
        let mut resources = groups(asking, "pg:");
        resources.extend(instances.clone());
        resources.push(made);
        asking.on("rds:CreateDBInstance", resources);
        tagged.extend(instances);
    }
    asking.on("rds:AddTagsToResource", tagged);
}

fn replica(asking: &mut Asking<'_>) {
    let (made, source) = (db(asking, asking.text("instance")), asking.text("source_arn"));
    let source = match source {
        Some(arn) => db(asking, Some(arn)),
        None => asking.arn_in("rds", "*", "db:", None),
    };
    asking.on("rds:DescribeDBInstances", [made.clone(), source.clone()]);
    let mut resources = groups(asking, "pg:");
    resources.extend([made.clone(), source]);
    asking.on("rds:CreateDBInstanceReadReplica", resources);
    asking.on("rds:AddTagsToResource", [made.clone()]);
    if asking.has("backup_retention_days") {
        asking.on("rds:ModifyDBInstance", [made]);
    }
    key(asking);
}

fn copy(asking: &mut Asking<'_>) {
    for (kind, look, order, resource) in [
        ("instance", "rds:DescribeDBSnapshots", "rds:CopyDBSnapshot", "snapshot:"),
        ("cluster", "rds:DescribeDBClusterSnapshots", "rds:CopyDBClusterSnapshot", "cluster-snapshot:"),
    ] {
        if !asking.may_be("kind", kind, "instance") {
            continue;
        }
        let made = asking.arn("rds", resource, asking.text("snapshot"));
        let there = asking.text("source_region").unwrap_or("*");
        let source = asking.arn_in("rds", there, resource, asking.text("source_snapshot_arn"));
        asking.on(look, [made.clone(), source.clone()]);
        asking.on(order, [made.clone(), source]);
        asking.on("rds:AddTagsToResource", [made]);
    }
    key(asking);
}

fn replication(asking: &mut Asking<'_>) {
    let name = asking.text("identifier");
    if asking.may_be("kind", "read_replica", "") {
        let db = db(asking, name);
        asking.on("rds:DescribeDBInstances", [db]);
        asking.anywhere(&["cloudwatch:GetMetricData"]);
    }
    if asking.may_be("kind", "global_cluster", "") {
        let cluster = cluster(asking, name);
        let global = asking.arn_in("rds", "", "global-cluster:", asking.text("global_cluster"));
        asking.on("rds:DescribeDBClusters", [cluster]);
        asking.on("rds:DescribeGlobalClusters", [global]);
        asking.anywhere(&["cloudwatch:GetMetricData"]);
    }
    if asking.may_be("kind", "automated_backups", "") {
        let backup = asking.arn("rds", "auto-backup:", name.filter(|name| name.starts_with("arn:")));
        let any = db(asking, None);
        asking.wide("rds:DescribeDBInstanceAutomatedBackups", [backup, any], Wide::GivenByAws);
    }
}
