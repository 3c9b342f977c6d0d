//! RDS as its reference says it behaves. Things have a future: each describe call shows them, then moves them
//! one state on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::xml::{answer, refusal};
use super::{Fake, Request, Response};

/// Key of a thing: region, kind, identifier.
type Key = (String, &'static str, String);

/// A thing and what becomes of it.
#[derive(Debug, Default)]
struct Thing {
    shown: Value,
    future: VecDeque<Value>,
}

/// All of it. Global clusters are in a region without a name.
#[derive(Debug, Default)]
pub(crate) struct World {
    things: BTreeMap<Key, Thing>,
    /// Restores take no time.
    at_once: bool,
    /// Maintenance that waits, by ARN.
    pub(crate) maintenance: BTreeMap<String, Value>,
    /// Instances there are and there may be.
    pub(crate) quota: Option<(u32, u32)>,
    /// Permissions IAM refuses, or nothing where it does not answer.
    pub(crate) denied: Option<Vec<String>>,
    /// State of the KMS key `key-1`.
    pub(crate) key: Option<&'static str>,
    /// An accepted reboot does not show at the first looks.
    reboots_late: bool,
}

/// A fake RDS and a hand on its world.
pub(crate) struct FakeRds {
    pub(crate) fake: Fake,
    pub(crate) world: Arc<Mutex<World>>,
}

impl FakeRds {
    /// Starts an empty one.
    pub(crate) fn start() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let served = Arc::clone(&world);
        let fake = Fake::start(Box::new(move |request| served.lock().unwrap().serve(request)));
        Self { fake, world }
    }

    /// Puts an instance there, available, with further fields.
    pub(crate) fn instance(&self, region: &str, name: &str, fields: Value) {
        let mut shown = json!({
            "DBInstanceIdentifier": name,
            "DBInstanceStatus": "available",
            "DBInstanceArn": format!("arn:aws:rds:{region}:111122223333:db:{name}"),
            "Engine": "postgres",
            "BackupRetentionPeriod": 7,
            "Endpoint": {"Address": format!("{name}.{region}.rds.example"), "Port": 5432},
            "VpcSecurityGroups/VpcSecurityGroupMembership":
                [{"VpcSecurityGroupId": "sg-open", "Status": "active"}],
        });
        merge(&mut shown, fields);
        self.put(region, "instance", name, shown);
    }

    /// Puts a cluster there, available, whose first instance is the writer.
    pub(crate) fn cluster(&self, region: &str, name: &str, instances: &[&str]) -> String {
        let arn = format!("arn:aws:rds:{region}:111122223333:cluster:{name}");
        let members = instances
            .iter()
            .enumerate()
            .map(|(at, instance)| json!({"DBInstanceIdentifier": instance, "IsClusterWriter": at == 0}));
        let shown = json!({
            "DBClusterIdentifier": name,
            "Status": "available",
            "DBClusterArn": arn,
            "Engine": "aurora-postgresql",
            "DBClusterMembers/DBClusterMember": members.collect::<Vec<_>>(),
        });
        self.put(region, "cluster", name, shown);
        arn
    }

    /// Puts a global cluster there; the first member is the writer.
    pub(crate) fn global(&self, name: &str, members: &[&str]) {
        let members = members.iter().enumerate().map(|(at, arn)| {
            json!({"DBClusterArn": arn, "IsWriter": at == 0, "SynchronizationStatus": "connected"})
        });
        let shown = json!({
            "GlobalClusterIdentifier": name,
            "Status": "available",
            "GlobalClusterMembers/GlobalClusterMember": members.collect::<Vec<_>>(),
        });
        self.put("", "global", name, shown);
    }

    /// Puts a snapshot there.
    pub(crate) fn snapshot(&self, region: &str, name: &str, taken: &str) -> String {
        let arn = format!("arn:aws:rds:{region}:111122223333:snapshot:{name}");
        let shown = json!({
            "DBSnapshotIdentifier": name,
            "DBSnapshotArn": arn,
            "Status": "available",
            "Engine": "postgres",
            "SnapshotCreateTime": taken,
            "OriginalSnapshotCreateTime": taken,
        });
        self.put(region, "snapshot", name, shown);
        arn
    }

    /// Puts a cluster snapshot there.
    pub(crate) fn cluster_snapshot(&self, region: &str, name: &str, taken: &str) {
        let shown = json!({
            "DBClusterSnapshotIdentifier": name,
            "DBClusterSnapshotArn": format!("arn:aws:rds:{region}:111122223333:cluster-snapshot:{name}"),
            "Status": "available",
            "Engine": "aurora-postgresql",
            "SnapshotCreateTime": taken,
        });
        self.put(region, "cluster snapshot", name, shown);
    }

    /// Restores take no time from now on.
    pub(crate) fn restores_at_once(&self) {
        self.world.lock().unwrap().at_once = true;
    }

    /// Reboots show only after some looks from now on.
    pub(crate) fn reboots_late(&self) {
        self.world.lock().unwrap().reboots_late = true;
    }

    /// Changes what is shown of a thing, and what becomes of it afterwards.
    pub(crate) fn change(&self, region: &str, kind: &'static str, name: &str, now: Value, future: &[Value]) {
        let mut world = self.world.lock().unwrap();
        let thing = world.things.get_mut(&(region.to_owned(), kind, name.to_owned())).unwrap();
        merge(&mut thing.shown, now);
        thing.future = future.iter().cloned().collect();
    }

    /// A field of a thing.
    pub(crate) fn field(&self, region: &str, kind: &'static str, name: &str, field: &str) -> Value {
        let world = self.world.lock().unwrap();
        let thing = world.things.get(&(region.to_owned(), kind, name.to_owned()));
        thing.map_or(Value::Null, |thing| thing.shown[field].clone())
    }

    fn put(&self, region: &str, kind: &'static str, name: &str, shown: Value) {
        let thing = Thing { shown, future: VecDeque::new() };
        self.world.lock().unwrap().things.insert((region.to_owned(), kind, name.to_owned()), thing);
    }
}

/// Puts fields over others; `null` takes one away.
fn merge(shown: &mut Value, fields: Value) {
    let (Value::Object(shown), Value::Object(fields)) = (shown, fields) else { return };
    for (name, value) in fields {
        shown.insert(name, value);
    }
}

impl World {
    fn serve(&mut self, it: &Request) -> Response {
        match it.action.as_str() {
            "DescribeDBInstances" => self.describe(it, "instance", "DBInstance"),
            "DescribeDBClusters" => self.describe(it, "cluster", "DBCluster"),
            "DescribeDBSnapshots" => self.describe(it, "snapshot", "DBSnapshot"),
            "DescribeGlobalClusters" => self.describe(it, "global", "GlobalCluster"),
            "PromoteReadReplica" => self.promote(it),
            "RebootDBInstance" => self.reboot(it),
            "ModifyDBInstance" | "ModifyDBCluster" => self.modify(it),
            "StopDBInstance" | "StopDBCluster" => self.stop(it),
            "StartDBInstance" => self.start(it),
            "CreateDBInstance" => self.create(it),
            "DescribeDBClusterSnapshots" => self.describe(it, "cluster snapshot", "DBClusterSnapshot"),
            "RestoreDBClusterFromSnapshot" => self.restore_cluster(it),
            "FailoverDBCluster" => self.fail_over_cluster(it),
            "FailoverGlobalCluster" | "SwitchoverGlobalCluster" => self.move_global(it),
            "CreateDBInstanceReadReplica" => self.replicate(it),
            "RestoreDBInstanceFromDBSnapshot" => self.restore(it),
            "CopyDBSnapshot" => self.copy_snapshot(it),
            other => self.around(other, it),
        }
    }

    /// What is asked beside the databases themselves: maintenance, quotas, groups, keys, permissions.
    fn around(&self, action: &str, it: &Request) -> Response {
        match action {
            "DescribePendingMaintenanceActions" => {
                let arn = it.get("ResourceIdentifier");
                let of = self.maintenance.get(arn).map(|details| {
                    let list = "PendingMaintenanceActionDetails/PendingMaintenanceAction";
                    json!({"ResourceIdentifier": arn, list: details})
                });
                let list = "PendingMaintenanceActions/ResourcePendingMaintenanceActions";
                answer(action, &json!({list: of.into_iter().collect::<Vec<_>>()}))
            }
            "DescribeAccountAttributes" => {
                let quota = self
                    .quota
                    .map(|(used, max)| json!({"AccountQuotaName": "DBInstances", "Used": used, "Max": max}));
                answer(action, &json!({"AccountQuotas/AccountQuota": quota.into_iter().collect::<Vec<_>>()}))
            }
            "DescribeDBSubnetGroups" if it.get("DBSubnetGroupName") == "private" => {
                answer(action, &json!({"DBSubnetGroups/DBSubnetGroup": [{"DBSubnetGroupName": "private"}]}))
            }
            "DescribeDBSubnetGroups" => refusal("DBSubnetGroupNotFoundFault", "no such group"),
            "DescribeKey" => match self.key.filter(|_| it.json["KeyId"] == "key-1") {
                Some(state) => {
                    (200, json!({"KeyMetadata": {"KeyId": "key-1", "KeyState": state}}).to_string())
                }
                None => (400, json!({"__type": "NotFoundException", "message": "no such key"}).to_string()),
            },
            "GetCallerIdentity" => {
                let arn = "arn:aws:sts::111122223333:assumed-role/dr/drctl";
                answer(action, &json!({"UserId": "x", "Account": "111122223333", "Arn": arn}))
            }
            "SimulatePrincipalPolicy" => self.simulate(it),
            other => refusal("InvalidAction", &format!("this fake has no {other}")),
        }
    }

    fn simulate(&self, it: &Request) -> Response {
        let Some(denied) = &self.denied else { return refusal("AccessDenied", "not for you") };
        if it.get("PolicySourceArn") != "arn:aws:iam::111122223333:role/dr" {
            return refusal("NoSuchEntity", "no such role");
        }
        let results: Vec<_> = it
            .list("ActionNames.member")
            .into_iter()
            .map(|name| {
                let decision = if denied.contains(&name) { "implicitDeny" } else { "allowed" };
                let resource = it.get("ResourceArns.member.1");
                json!({"EvalActionName": name, "EvalResourceName": resource, "EvalDecision": decision})
            })
            .collect();
        answer(&it.action, &json!({"EvaluationResults/member": results, "IsTruncated": false}))
    }

    fn describe(&mut self, it: &Request, kind: &'static str, element: &str) -> Response {
        let name = it.get(&format!("{element}Identifier"));
        let (region, name) = located(it, kind, name);
        // The members of this one list are not called what they are.
        let member = if kind == "global" { "GlobalClusterMember" } else { element };
        let list = format!("{element}s/{member}");
        if name.is_empty() {
            let all = self.things.iter_mut().filter(|(key, _)| key.0 == region && key.1 == kind);
            let all: Vec<_> = all.map(|(_, thing)| thing.look()).collect();
            return answer(&it.action, &json!({list: all}));
        }
        match self.things.get_mut(&(region, kind, name.clone())) {
            Some(thing) => answer(&it.action, &json!({list: [thing.look()]})),
            None => not_found(kind, &name),
        }
    }

    fn instance(&mut self, it: &Request) -> Result<&mut Thing, Response> {
        let (kind, name) = match it.get("DBInstanceIdentifier") {
            "" => ("cluster", it.get("DBClusterIdentifier")),
            name => ("instance", name),
        };
        let (region, name) = located(it, kind, name);
        let key = (region, kind, name);
        self.things.get_mut(&key).ok_or_else(|| not_found(kind, &key.2))
    }

    fn promote(&mut self, it: &Request) -> Response {
        let thing = match self.instance(it) {
            Ok(thing) => thing,
            Err(refusal) => return refusal,
        };
        if thing.shown["ReadReplicaSourceDBInstanceIdentifier"].is_null() {
            return refusal("InvalidDBInstanceState", "DB Instance is not a read replica.");
        }
        if let Some(refusal) = thing.busy() {
            return refusal;
        }
        let days = it.get("BackupRetentionPeriod").parse().unwrap_or(0);
        thing.future = [
            json!({"DBInstanceStatus": "modifying"}),
            json!({"DBInstanceStatus": "rebooting"}),
            json!({
                "DBInstanceStatus": "backing-up",
                "ReadReplicaSourceDBInstanceIdentifier": null,
                "BackupRetentionPeriod": days,
                "StatusInfos/DBInstanceStatusInfo": null,
            }),
            json!({"DBInstanceStatus": "available"}),
        ]
        .into();
        answer(&it.action, &json!({"DBInstance": thing.shown}))
    }

    fn reboot(&mut self, it: &Request) -> Response {
        let reboots_late = self.reboots_late;
        let thing = match self.instance(it) {
            Ok(thing) => thing,
            Err(refusal) => return refusal,
        };
        if let Some(refusal) = thing.busy() {
            return refusal;
        }
        let forced = it.get("ForceFailover") == "true";
        if forced && thing.shown["MultiAZ"] != json!(true) {
            return refusal("InvalidParameterCombination", "A failover needs a Multi-AZ instance.");
        }
        let (zone, other) =
            (thing.shown["AvailabilityZone"].clone(), thing.shown["SecondaryAvailabilityZone"].clone());
        let after = if forced {
            json!({"DBInstanceStatus": "available", "AvailabilityZone": other, "SecondaryAvailabilityZone": zone})
        } else {
            json!({"DBInstanceStatus": "available"})
        };
        if reboots_late {
            let rebooting = json!({"DBInstanceStatus": "rebooting"});
            thing.future = [json!({}), rebooting, json!({}), after].into();
            return answer(&it.action, &json!({"DBInstance": thing.shown}));
        }
        merge(&mut thing.shown, json!({"DBInstanceStatus": "rebooting"}));
        thing.future = [json!({}), after].into();
        answer(&it.action, &json!({"DBInstance": thing.shown}))
    }

    fn modify(&mut self, it: &Request) -> Response {
        let groups = it.list("VpcSecurityGroupIds");
        let days: Option<u32> = it.get("BackupRetentionPeriod").parse().ok();
        let thing = match self.instance(it) {
            Ok(thing) => thing,
            Err(refusal) => return refusal,
        };
        if let Some(refusal) = thing.busy() {
            return refusal;
        }
        let at_once = it.get("ApplyImmediately") == "true";
        let is_instance = thing.shown.get("DBInstanceStatus").is_some();
        if !at_once && (days.is_some() || !is_instance) {
            return refusal("InvalidParameterValue", "This fake knows no maintenance window.");
        }
        // What waits for the maintenance window is done as well.
        if at_once && let Some(class) = thing.shown["PendingModifiedValues"]["DBInstanceClass"].as_str() {
            let class = class.to_owned();
            merge(&mut thing.shown, json!({"DBInstanceClass": class, "PendingModifiedValues": null}));
        }
        let memberships = |status: &str| -> Vec<Value> {
            groups.iter().map(|id| json!({"VpcSecurityGroupId": id, "Status": status})).collect()
        };
        let list = "VpcSecurityGroups/VpcSecurityGroupMembership";
        let mut after = thing.status("available");
        if !groups.is_empty() {
            merge(&mut thing.shown, json!({list: memberships("adding")}));
            merge(&mut after, json!({list: memberships("active")}));
        }
        if let Some(days) = days {
            merge(&mut after, json!({"BackupRetentionPeriod": days}));
        }
        let now = thing.status("modifying");
        merge(&mut thing.shown, now);
        thing.future = [json!({}), after].into();
        thing.answered(it)
    }

    fn stop(&mut self, it: &Request) -> Response {
        let thing = match self.instance(it) {
            Ok(thing) => thing,
            Err(refusal) => return refusal,
        };
        if let Some(refusal) = thing.busy() {
            return refusal;
        }
        let now = thing.status("stopping");
        merge(&mut thing.shown, now);
        thing.future = [json!({}), thing.status("stopped")].into();
        thing.answered(it)
    }

    fn start(&mut self, it: &Request) -> Response {
        let thing = match self.instance(it) {
            Ok(thing) => thing,
            Err(refusal) => return refusal,
        };
        if thing.shown["DBInstanceStatus"] != "stopped" {
            return refusal("InvalidDBInstanceState", "Instance is not in stopped state.");
        }
        merge(&mut thing.shown, json!({"DBInstanceStatus": "starting"}));
        thing.future = [json!({}), json!({"DBInstanceStatus": "available"})].into();
        answer(&it.action, &json!({"DBInstance": thing.shown}))
    }

    fn fail_over_cluster(&mut self, it: &Request) -> Response {
        let (region, name) = located(it, "cluster", it.get("DBClusterIdentifier"));
        let Some(thing) = self.things.get_mut(&(region, "cluster", name.clone())) else {
            return not_found("cluster", &name);
        };
        if thing.shown["Status"] != "available" {
            return refusal("InvalidDBClusterStateFault", "Cluster is not available.");
        }
        let list = "DBClusterMembers/DBClusterMember";
        let mut members = thing.shown[list].as_array().cloned().unwrap_or_default();
        let next = members.iter().find(|member| member["IsClusterWriter"] == json!(false));
        let target = match it.get("TargetDBInstanceIdentifier") {
            "" => next.map(|member| member["DBInstanceIdentifier"].clone()).unwrap_or_default(),
            target => json!(target),
        };
        for member in &mut members {
            member["IsClusterWriter"] = json!(member["DBInstanceIdentifier"] == target);
        }
        merge(&mut thing.shown, json!({"Status": "failing-over"}));
        thing.future = [json!({}), json!({list: members, "Status": "available"})].into();
        answer(&it.action, &json!({"DBCluster": thing.shown}))
    }

    fn move_global(&mut self, it: &Request) -> Response {
        let name = it.get("GlobalClusterIdentifier").to_owned();
        let Some(thing) = self.things.get_mut(&(String::new(), "global", name.clone())) else {
            return not_found("global", &name);
        };
        let list = "GlobalClusterMembers/GlobalClusterMember";
        let mut members = thing.shown[list].as_array().cloned().unwrap_or_default();
        let target = json!(it.get("TargetDbClusterIdentifier"));
        let loses = it.get("AllowDataLoss") == "true";
        let Some(member) = members.iter().find(|member| member["DBClusterArn"] == target) else {
            return refusal("DBClusterNotFoundFault", "The target is not a member.");
        };
        if member["IsWriter"] == json!(true) || thing.shown["Status"] != "available" {
            return refusal("InvalidGlobalClusterStateFault", "Cluster is not in a valid state.");
        }
        let from = members.iter().find(|member| member["IsWriter"] == json!(true));
        let from = from.map(|member| member["DBClusterArn"].clone()).unwrap_or_default();
        for member in &mut members {
            member["IsWriter"] = json!(member["DBClusterArn"] == target);
        }
        let status = if loses { "failing-over" } else { "switching-over" };
        let state = |status: &str| {
            let ends =
                json!({"FromDbClusterArn": from, "ToDbClusterArn": target, "IsDataLossAllowed": loses});
            let mut state = json!({"Status": status});
            merge(&mut state, ends);
            state
        };
        thing.future = [
            json!({"Status": status, "FailoverState": state("pending")}),
            json!({"Status": status, "FailoverState": state(status)}),
            json!({"Status": status, list: members}),
            json!({"Status": "available", "FailoverState": null}),
        ]
        .into();
        answer(&it.action, &json!({"GlobalCluster": thing.shown}))
    }

    fn replicate(&mut self, it: &Request) -> Response {
        let name = it.get("DBInstanceIdentifier").to_owned();
        let source = it.get("SourceDBInstanceIdentifier").to_owned();
        let key = (it.region.clone(), "instance", name.clone());
        if self.things.contains_key(&key) {
            return refusal("DBInstanceAlreadyExists", "DB instance already exists");
        }
        let infos = "StatusInfos/DBInstanceStatusInfo";
        let info =
            |status: &str| json!([{"StatusType": "read replication", "Normal": true, "Status": status}]);
        let future = [
            json!({"DBInstanceStatus": "creating"}),
            json!({"DBInstanceStatus": "available", infos: info("connecting")}),
            json!({infos: info("replicating")}),
        ];
        let shown = self.make(it, &name, &future);
        merge(
            &mut self.things.get_mut(&key).unwrap().shown,
            json!({
                "ReadReplicaSourceDBInstanceIdentifier": source, "BackupRetentionPeriod": 0,
            }),
        );
        answer(&it.action, &json!({"DBInstance": shown}))
    }

    fn restore_cluster(&mut self, it: &Request) -> Response {
        let (name, snapshot) = (it.get("DBClusterIdentifier"), it.get("SnapshotIdentifier"));
        let (region, source) = located(it, "cluster snapshot", snapshot);
        if !self.things.contains_key(&(region, "cluster snapshot", source.clone())) {
            return not_found("cluster snapshot", &source);
        }
        if it.get("Engine").is_empty() {
            return refusal("InvalidParameterValue", "Engine is needed.");
        }
        let key = (it.region.clone(), "cluster", name.to_owned());
        if self.things.contains_key(&key) {
            return refusal("DBClusterAlreadyExistsFault", "DB Cluster already exists");
        }
        let shown = json!({
            "DBClusterIdentifier": name,
            "Status": "creating",
            "DBClusterArn": format!("arn:aws:rds:{}:111122223333:cluster:{name}", it.region),
            "Engine": it.get("Engine"),
            "Endpoint": format!("{name}.{}.rds.example", it.region),
            "Port": 5432,
            "TagList/Tag": tags(it),
        });
        let mut thing =
            Thing { shown: shown.clone(), future: [json!({}), json!({"Status": "available"})].into() };
        if self.at_once {
            thing.shown["Status"] = json!("available");
        }
        self.things.insert(key, thing);
        answer(&it.action, &json!({"DBCluster": shown}))
    }

    fn create(&mut self, it: &Request) -> Response {
        let name = it.get("DBInstanceIdentifier").to_owned();
        let key = (it.region.clone(), "instance", name.clone());
        if self.things.contains_key(&key) {
            return refusal("DBInstanceAlreadyExists", "DB instance already exists");
        }
        let future = [json!({"DBInstanceStatus": "creating"}), json!({"DBInstanceStatus": "available"})];
        let shown = self.make(it, &name, &future);
        let mut more = json!({"DBClusterIdentifier": it.get("DBClusterIdentifier")});
        if self.at_once {
            more["DBInstanceStatus"] = json!("available");
        }
        merge(&mut self.things.get_mut(&key).unwrap().shown, more);
        answer(&it.action, &json!({"DBInstance": shown}))
    }

    fn restore(&mut self, it: &Request) -> Response {
        let name = it.get("DBInstanceIdentifier").to_owned();
        let snapshot = it.get("DBSnapshotIdentifier").to_owned();
        if !self.things.contains_key(&(it.region.clone(), "snapshot", snapshot.clone())) {
            return not_found("snapshot", &snapshot);
        }
        if self.things.contains_key(&(it.region.clone(), "instance", name.clone())) {
            return refusal("DBInstanceAlreadyExists", "DB instance already exists");
        }
        let future = [
            json!({"DBInstanceStatus": "creating"}),
            json!({"DBInstanceStatus": "modifying"}),
            json!({"DBInstanceStatus": "available"}),
        ];
        let shown = self.make(it, &name, &future);
        if self.at_once {
            let key = (it.region.clone(), "instance", name);
            self.things.get_mut(&key).unwrap().shown["DBInstanceStatus"] = json!("available");
        }
        answer(&it.action, &json!({"DBInstance": shown}))
    }

    /// Makes an instance that is being created.
    fn make(&mut self, it: &Request, name: &str, future: &[Value]) -> Value {
        let region = &it.region;
        let shown = json!({
            "DBInstanceIdentifier": name,
            "DBInstanceStatus": "creating",
            "DBInstanceArn": format!("arn:aws:rds:{region}:111122223333:db:{name}"),
            "Engine": "postgres",
            "BackupRetentionPeriod": 7,
            "Endpoint": {"Address": format!("{name}.{region}.rds.example"), "Port": 5432},
            "TagList/Tag": tags(it),
        });
        let thing = Thing { shown: shown.clone(), future: future.iter().cloned().collect() };
        self.things.insert((region.clone(), "instance", name.to_owned()), thing);
        shown
    }

    fn copy_snapshot(&mut self, it: &Request) -> Response {
        let (region, source) = located(it, "snapshot", it.get("SourceDBSnapshotIdentifier"));
        let Some(source) = self.things.get(&(region.clone(), "snapshot", source.clone())) else {
            return not_found("snapshot", &source);
        };
        if region != it.region && it.get("PreSignedUrl").is_empty() {
            return refusal("InvalidParameterCombination", "PreSignedUrl is needed between regions.");
        }
        let name = it.get("TargetDBSnapshotIdentifier").to_owned();
        let mut shown = source.shown.clone();
        merge(
            &mut shown,
            json!({
                "DBSnapshotIdentifier": name,
                "DBSnapshotArn": format!("arn:aws:rds:{}:111122223333:snapshot:{name}", it.region),
                "Status": "creating",
                "SnapshotCreateTime": "2026-11-21T12:00:00Z",
                "PercentProgress": 0,
                "TagList/Tag": tags(it),
            }),
        );
        let key = (it.region.clone(), "snapshot", name);
        if self.things.contains_key(&key) {
            return refusal("DBSnapshotAlreadyExists", "Snapshot already exists.");
        }
        let future = [json!({"PercentProgress": 40}), json!({"Status": "available", "PercentProgress": 100})];
        self.things.insert(key, Thing { shown: shown.clone(), future: future.into() });
        answer(&it.action, &json!({"DBSnapshot": shown}))
    }
}

impl Thing {
    /// A status, under the name it has for this kind of thing.
    fn status(&self, status: &str) -> Value {
        let name = if self.shown.get("DBInstanceStatus").is_some() { "DBInstanceStatus" } else { "Status" };
        json!({name: status})
    }

    /// The answer to an order about it.
    fn answered(&self, it: &Request) -> Response {
        let name = if self.shown.get("DBInstanceStatus").is_some() { "DBInstance" } else { "DBCluster" };
        answer(&it.action, &json!({name: self.shown}))
    }

    /// Shows it as it is, and moves it on.
    fn look(&mut self) -> Value {
        let shown = self.shown.clone();
        if let Some(next) = self.future.pop_front() {
            merge(&mut self.shown, next);
        }
        shown
    }

    /// What an instance that is not available answers to every order.
    fn busy(&self) -> Option<Response> {
        let status = self.shown.get("DBInstanceStatus").or_else(|| self.shown.get("Status"));
        let status = status.and_then(Value::as_str).unwrap_or("unknown");
        (status != "available").then(|| {
            refusal("InvalidDBInstanceState", &format!("Instance is not in available state, but {status}."))
        })
    }
}

/// Region and name; an ARN says both.
fn located(it: &Request, kind: &str, name: &str) -> (String, String) {
    let region = match name.strip_prefix("arn:aws:rds:").and_then(|rest| rest.split(':').next()) {
        _ if kind == "global" => "",
        Some(region) => region,
        None => &it.region,
    };
    (region.to_owned(), name.rsplit(':').next().unwrap_or_default().to_owned())
}

fn tags(it: &Request) -> Vec<Value> {
    let keys = (1..).map_while(|at| {
        let (key, value) = (format!("Tags.Tag.{at}.Key"), format!("Tags.Tag.{at}.Value"));
        it.parameters.get(&key).map(|key| json!({"Key": key, "Value": it.get(&value)}))
    });
    keys.collect()
}

fn not_found(kind: &str, name: &str) -> Response {
    let code = match kind {
        "instance" => "DBInstanceNotFound",
        "cluster" => "DBClusterNotFoundFault",
        "snapshot" => "DBSnapshotNotFound",
        "cluster snapshot" => "DBClusterSnapshotNotFoundFault",
        _ => "GlobalClusterNotFoundFault",
    };
    refusal(code, &format!("{name} not found"))
}
