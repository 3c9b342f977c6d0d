//! What AWS is asked for and what is documented are the same, and the policies of the shipped runbooks are
//! policies. That an action asks for no more than its own permissions is checked wherever one is performed.

use std::collections::BTreeSet;
use std::path::Path;

use drctl::model::action::ActionName;
use serde_json::Value;

use super::estate::{Estate, root};
use crate::support::binary::Drctl;

/// Needed for a call drctl makes, and asked for by AWS itself in the caller's name.
const IMPLIED: [&str; 5] = [
    "backup:TagResource",
    "iam:PassRole",
    "kms:CreateGrant",
    "rds:AddTagsToResource",
    "ssm:AddTagsToResource",
];

/// Folders of `src/providers/aws`, and the services whose operations are called there.
const GROUPS: [(&str, &[&str]); 5] = [
    ("arc", &["arc-region-switch", "route53-recovery-cluster"]),
    ("backup", &["backup"]),
    (
        "compute",
        &[
            "application-autoscaling",
            "autoscaling",
            "cloudwatch",
            "dynamodb",
            "ec2",
            "ecs",
            "eks",
            "lambda",
            "servicequotas",
            "ssm",
        ],
    ),
    ("rds", &["cloudwatch", "ec2", "rds"]),
    ("route53", &["route53"]),
];

fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            text += &std::fs::read_to_string(path).unwrap();
        }
    }
    text
}

/// Every text in quotes.
fn literals(source: &str) -> BTreeSet<&str> {
    source.lines().flat_map(|line| line.split('"').skip(1).step_by(2)).collect()
}

/// The operations that are named where a question or an order begins.
fn asked(source: &str) -> BTreeSet<&str> {
    let starts = [".read(", ".change("].into_iter().flat_map(|begin| source.split(begin).skip(1));
    let named = starts.filter_map(|rest| {
        let arguments = rest.split(')').next()?;
        arguments.split('"').skip(1).step_by(2).last()
    });
    named.filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase())).collect()
}

fn documented() -> BTreeSet<&'static str> {
    let of = |action: &ActionName| [action.spec().permissions, action.spec().check_permissions].concat();
    ActionName::ALL.iter().flat_map(of).collect()
}

#[test]
fn every_operation_the_code_names_is_documented_and_the_other_way_round() {
    let folder = root().join("src/providers/aws");
    let documented = documented();
    let metrics = std::fs::read_to_string(folder.join("metrics.rs")).unwrap();
    for (group, services) in GROUPS {
        let mut source = sources(&folder.join(group));
        if services.contains(&"cloudwatch") {
            source += &metrics;
        }
        let asked = asked(&source);
        assert!(asked.len() > 1, "{group}: {asked:?}");
        for operation in asked {
            let known =
                services.iter().any(|service| documented.contains(format!("{service}:{operation}").as_str()));
            assert!(known, "{group} asks for {operation}, which no action of it documents");
        }
    }
    let all = sources(&folder);
    let literals = literals(&all);
    for permission in documented.iter().filter(|permission| !IMPLIED.contains(permission)) {
        let operation = permission.split(':').nth(1).unwrap();
        assert!(literals.contains(operation), "nothing asks for {permission}, which is documented");
    }
    for implied in IMPLIED {
        assert!(documented.contains(implied), "{implied} is an exception for nothing");
    }
}

/// The policies of the shipped runbooks, by name.
fn policies() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (name, more) in [
        ("active-active", "--from tokyo"),
        ("backup-restore", ""),
        ("pilot-light", ""),
        ("pilot-light", "--operation failback"),
        ("warm-standby", ""),
    ] {
        let drctl = Drctl::new();
        let runbook = root().join(format!("runbooks/{name}.yaml"));
        let output = drctl.run(&format!("plan {} --iam {more}", runbook.display()));
        assert_eq!(output.code, 0, "{name}: {}", output.stderr);
        let policy = serde_json::from_str(&output.stdout).unwrap();
        all.push((format!("{name}{}", all.len()), policy));
    }
    all
}

#[tokio::test]
async fn the_policies_of_the_shipped_runbooks_are_taken_by_iam() {
    let estate = Estate::up().await;
    for (name, policy) in policies() {
        let statements = policy["Statement"].as_array().unwrap();
        let sids: BTreeSet<_> = statements.iter().map(|statement| statement["Sid"].as_str()).collect();
        assert_eq!(sids.len(), statements.len(), "{name}");
        for statement in statements {
            let everything = statement["Resource"] == serde_json::json!(["*"]);
            let reason = statement["Sid"] == "NoResourceLevel";
            let deferred = statement["Sid"].as_str().unwrap().starts_with("Backup");
            assert!(!everything || reason || deferred, "{name}: {statement}");
        }
        let parameters = [("PolicyName", name.as_str()), ("PolicyDocument", &policy.to_string())];
        // Anything but success fails the test: a document that is none is refused as malformed.
        let made = estate.moto.query("iam", "us-east-1", "2010-05-08", "CreatePolicy", &parameters).await;
        assert!(made.element("Arn").is_some(), "{}", made.text);
    }
}

/// Asks an evaluator of policies that is not ours.
async fn decision(caller: &super::client::Caller, policy: &Value, permission: &str, on: &str) -> String {
    let text = policy.to_string();
    let parameters = [
        ("PolicyInputList.member.1", text.as_str()),
        ("ActionNames.member.1", permission),
        ("ResourceArns.member.1", on),
    ];
    let said = caller.query("iam", "us-east-1", "2010-05-08", "SimulateCustomPolicy", &parameters).await;
    said.element("EvalDecision").unwrap().to_owned()
}

#[tokio::test]
async fn a_policy_allows_what_its_runbook_does_and_nothing_beside() {
    let estate = Estate::up().await;
    let (name, policy) = policies().swap_remove(2);
    assert!(name.starts_with("pilot-light"));
    // The account the sites of the runbook name.
    let arn = |region: &str, name: &str| format!("arn:aws:rds:{region}:111122223333:db:{name}");
    let (old, new) = (arn("eu-central-1", "orders-db-frankfurt"), arn("eu-west-1", "orders-db-dublin"));
    let check = "arn:aws:route53:::healthcheck/11111111-aaaa-4aaa-8aaa-000000000001".to_owned();
    for (permission, on, expected) in [
        ("rds:PromoteReadReplica", &new, "allowed"),
        ("rds:ModifyDBInstance", &old, "allowed"),
        ("rds:DescribeDBInstances", &new, "allowed"),
        ("route53:UpdateHealthCheck", &check, "allowed"),
        ("rds:PromoteReadReplica", &old, "implicitDeny"),
        ("rds:ModifyDBInstance", &new, "implicitDeny"),
        ("rds:DeleteDBInstance", &old, "implicitDeny"),
        ("rds:StopDBInstance", &old, "implicitDeny"),
    ] {
        assert_eq!(decision(&estate.ministack, &policy, permission, on).await, expected, "{permission} {on}");
    }
}
