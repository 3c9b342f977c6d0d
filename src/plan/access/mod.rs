//! What a plan needs to be allowed by AWS: permissions, and the resources they are needed on. Must never
//! allow more than a call can need, nor narrow what the plan does not know.

mod backups;
mod capacity;
mod databases;
mod need;
mod policy;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::action::ActionName;
use crate::model::id::SiteName;
use crate::model::values::Site;

use super::node::{Call, Node, NodeKind, NodeVariant, Plan, PlannedUndo};
pub use need::{Condition, Need, Wide};
pub use policy::{AccountPolicy, policies};

use need::Asking;

/// What a call needs to be allowed, in every account it works in. `undone`: its effect may also be taken back
/// by the action itself.
#[must_use]
pub fn needs(
    sites: &BTreeMap<SiteName, Site>,
    from: Option<&SiteName>,
    call: &Call,
    undone: bool,
) -> Vec<Need> {
    let mut asking = Asking::of(sites, from, call, undone);
    let name = call.action.as_str();
    match name.strip_prefix("aws.").and_then(|rest| rest.split('.').next()) {
        Some("rds") => databases::add(&mut asking),
        Some("backup") => backups::add(&mut asking),
        Some("route53" | "arc") => traffic::add(&mut asking),
        Some(_) => capacity::add(&mut asking),
        None => {}
    }
    asking.needs
}

/// The account a call works in, where that is known.
pub(super) fn account(
    sites: &BTreeMap<SiteName, Site>,
    from: Option<&SiteName>,
    call: &Call,
) -> Option<String> {
    Asking::of(sites, from, call, false).account
}

/// Permissions that are of use to `drctl check` alone; what it may not look at, it says.
#[must_use]
pub fn of_checks(plan: &Plan) -> Vec<&'static str> {
    let all = calls(plan).into_iter().map(|(_, call, _)| call.action.spec());
    let asked: Vec<_> = all.filter(|spec| spec.prechecks).collect();
    let mut names: BTreeSet<&'static str> =
        asked.iter().flat_map(|spec| spec.check_permissions.iter().copied()).collect();
    if !asked.is_empty() {
        names.insert("iam:SimulatePrincipalPolicy");
    }
    names.into_iter().collect()
}

/// Every call a plan may make, in either mode, with whether the action itself may take its effect back.
fn calls(plan: &Plan) -> Vec<(&Node, &Call, bool)> {
    let mut all = Vec::new();
    for node in &plan.nodes {
        let undone = matches!(node.undo, Some(PlannedUndo::Auto));
        match &node.kind {
            NodeKind::Effect { call }
            | NodeKind::Check { call, .. }
            | NodeKind::Reading { call, .. }
            | NodeKind::Manual { call }
            | NodeKind::Wait { call }
            | NodeKind::Assert { call } => all.push((node, call, undone)),
            NodeKind::Approval { .. } | NodeKind::Gate | NodeKind::Group { .. } => {}
        }
        if let Some(NodeVariant::Call(call)) = &node.ungraceful {
            all.push((node, call, undone));
        }
        if let Some(PlannedUndo::Call(call)) = &node.undo {
            all.push((node, call, false));
        }
    }
    all.retain(|(_, call, _)| is_aws(call.action));
    all
}

pub(super) fn is_aws(action: ActionName) -> bool {
    action.as_str().starts_with("aws.")
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::model::action::reference;

    fn plan(sites: &Value) -> Plan {
        let plan = json!({
            "format": 1, "runbook": {"name": "pay", "digest": ""}, "operation": "failover",
            "mode": "graceful", "intent": "real", "from": "east", "to": "west", "sites": sites,
            "objectives": {}, "parameters": {}, "nodes": [],
        });
        serde_json::from_value(plan).unwrap()
    }

    fn estate() -> Plan {
        let account = "111122223333";
        plan(&json!({
            "east": {"role": "active", "provider": "aws", "region": "us-east-1", "account": account},
            "west": {"role": "standby", "provider": "aws", "region": "us-west-2", "account": account},
        }))
    }

    fn call(action: &str, with: Value) -> Call {
        let Value::Object(with) = with else { panic!("no object: {with}") };
        Call { action: action.parse().unwrap(), with, deferred: false, sensitive: false, child: None }
    }

    fn needs_in(plan: &Plan, call: &Call, undone: bool) -> Vec<Need> {
        needs(&plan.sites, plan.from.as_ref(), call, undone)
    }

    fn resources(needs: &[Need], permission: &str) -> Vec<String> {
        let of = needs.iter().filter(|need| need.permission == permission);
        of.flat_map(|need| need.resources.iter().cloned()).collect()
    }

    #[test]
    fn what_is_asked_for_is_what_the_catalogue_lists() {
        let aws = ActionName::ALL.iter().filter(|action| is_aws(**action));
        for &action in aws {
            let all: Map<String, Value> = reference::parameters(action)
                .into_iter()
                .map(|parameter| (parameter.name, json!("{{ steps.found.outputs.it }}")))
                .collect();
            let mut asked: BTreeSet<&str> = BTreeSet::new();
            for with in [Value::Object(all), json!({})] {
                let found = needs_in(&estate(), &call(action.as_str(), with), true);
                asked.extend(found.iter().map(|need| need.permission));
            }
            let listed: BTreeSet<&str> = action.spec().permissions.iter().copied().collect();
            assert_eq!(asked, listed, "{action}");
        }
    }

    #[test]
    fn a_fence_is_allowed_what_its_kind_and_method_need() {
        let with = json!({
            "region": "us-east-1", "kind": "instance", "identifier": "pay-east", "method": "quarantine",
            "quarantine_security_group_ids": ["sg-1"],
        });
        let found = needs_in(&estate(), &call("aws.rds.fence", with.clone()), true);
        let asked: BTreeSet<&str> = found.iter().map(|need| need.permission).collect();
        let expected = ["ec2:DescribeSecurityGroups", "rds:DescribeDBInstances", "rds:ModifyDBInstance"];
        assert_eq!(asked, BTreeSet::from(expected));
        let db = "arn:aws:rds:us-east-1:111122223333:db:pay-east";
        assert_eq!(resources(&found, "rds:ModifyDBInstance"), [db]);
        let mut stop = with;
        stop["method"] = json!("stop");
        for (undone, may_start) in [(false, 0), (true, 1)] {
            let found = needs_in(&estate(), &call("aws.rds.fence", stop.clone()), undone);
            assert_eq!(resources(&found, "rds:StopDBInstance"), [db]);
            assert_eq!(resources(&found, "rds:StartDBInstance").len(), may_start);
            assert!(resources(&found, "rds:ModifyDBInstance").is_empty());
        }
    }

    #[test]
    fn what_is_not_known_is_not_narrowed_and_a_pattern_is_no_name() {
        let found = |instance: &str| {
            let with = json!({"region": "us-west-2", "instance": instance, "backup_retention_days": 7});
            let needs = needs_in(&estate(), &call("aws.rds.promote_read_replica", with), false);
            let need = needs.into_iter().find(|need| need.permission == "rds:PromoteReadReplica").unwrap();
            (need.resources.into_iter().next().unwrap(), need.wide)
        };
        let arn = |name: &str| format!("arn:aws:rds:us-west-2:111122223333:db:{name}");
        assert_eq!(found("pay-west"), (arn("pay-west"), None));
        for odd in ["{{ steps.x.outputs.y }}", "pay-*", "${aws:username}", ""] {
            assert_eq!(found(odd), (arn("*"), Some(Wide::NotKnown)), "{odd}");
        }
    }

    #[test]
    fn each_account_gets_its_own_policy_and_the_same_plan_the_same_text() {
        let two = json!({
            "east": {"role": "active", "provider": "aws", "region": "us-east-1", "account": "111122223333"},
            "west": {"role": "standby", "provider": "aws", "region": "us-west-2", "account": "444455556666"},
        });
        let mut plan = plan(&two);
        let node = |address: &str, region: &str| {
            json!({
                "address": address, "title": address, "timeout": "1m", "estimate": "1s", "on_failure": "pause",
                "reversibility": "irreversible", "kind": {"effect": {"call": {
                    "action": "aws.rds.promote_read_replica",
                    "with": {"region": region, "instance": address, "backup_retention_days": 7},
                }}},
            })
        };
        for (address, region) in [("b", "us-west-2"), ("a", "us-west-2"), ("c", "us-east-1")] {
            plan.nodes.push(serde_json::from_value(node(address, region)).unwrap());
        }
        let all = policies(&plan);
        let accounts: Vec<_> = all.iter().map(|policy| policy.account.as_deref()).collect();
        assert_eq!(accounts, [Some("111122223333"), Some("444455556666")]);
        let west = &all[1].document["Statement"];
        let arns = ["a", "b"].map(|name| format!("arn:aws:rds:us-west-2:444455556666:db:{name}"));
        assert_eq!(west.as_array().unwrap().len(), 1, "{west}");
        assert_eq!(west[0]["Resource"], json!(arns));
        plan.nodes.reverse();
        assert_eq!(policies(&plan), all);
    }
}
