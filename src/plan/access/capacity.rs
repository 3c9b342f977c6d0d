//! What the actions on compute and replicated stores need. Source of the resource types: AWS's service
//! authorization reference.

use super::need::{Asking, Wide};
use crate::model::action::ActionName;
use crate::model::expression::has_template;

/// Adds what a call needs.
pub(super) fn add(asking: &mut Asking<'_>) {
    match asking.call.action {
        ActionName::AwsAutoscalingSetCapacity => {
            asking.anywhere(&[
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DescribeScalingActivities",
                "cloudwatch:GetMetricData",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeLaunchTemplateVersions",
                "ec2:DescribeSubnets",
                "servicequotas:GetServiceQuota",
            ]);
            // The middle part is an id; the name is unique in its region.
            let group =
                asking.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/", asking.text("group"));
            asking.wide("autoscaling:UpdateAutoScalingGroup", [group], Wide::GivenByAws);
        }
        ActionName::AwsEcsSetDesiredCount => ecs(asking),
        ActionName::AwsEksScaleNodegroup => {
            let cluster = asking.text("cluster").map_or("*", last);
            let nodes = asking.text("nodegroup").unwrap_or("*");
            let nodes = asking.arn("eks", "nodegroup/", Some(&format!("{cluster}/{nodes}/*")));
            let cluster = asking.arn("eks", "cluster/", Some(cluster));
            asking.anywhere(&["autoscaling:DescribeAutoScalingGroups"]);
            asking.wide("eks:DescribeNodegroup", [nodes.clone()], Wide::GivenByAws);
            asking.wide("eks:UpdateNodegroupConfig", [nodes.clone()], Wide::GivenByAws);
            asking.wide("eks:DescribeUpdate", [cluster, nodes], Wide::GivenByAws);
        }
        ActionName::AwsLambdaInvoke => {
            let name = asking.text("function").map(str::to_owned);
            let name = match asking.text("qualifier") {
                Some(qualifier) => name.map(|name| format!("{name}:{qualifier}")),
                None if asking.has("qualifier") => name.map(|name| format!("{name}:*")),
                None => name,
            };
            let function = asking.arn("lambda", "function:", name.as_deref());
            asking.on("lambda:InvokeFunction", [function]);
        }
        ActionName::AwsLambdaSetEventSource => {
            let mapping = asking.arn("lambda", "event-source-mapping:", asking.text("mapping_id"));
            if !asking.has("mapping_id") {
                asking.anywhere(&["lambda:ListEventSourceMappings"]);
            }
            let why = Wide::GivenByAws;
            if mapping.ends_with('*') {
                asking.wide("lambda:GetEventSourceMapping", [mapping.clone()], why);
                asking.wide("lambda:UpdateEventSourceMapping", [mapping], why);
            } else {
                asking.on("lambda:GetEventSourceMapping", [mapping.clone()]);
                asking.on("lambda:UpdateEventSourceMapping", [mapping]);
            }
        }
        ActionName::AwsSsmRunAutomation => automation(asking),
        ActionName::AwsCloudwatchCheckAlarms => {
            let mut alarms: Vec<String> = match asking.names("names") {
                Some(names) => {
                    names.iter().map(|name| asking.arn("cloudwatch", "alarm:", Some(name))).collect()
                }
                None if asking.has("names") => vec![asking.arn("cloudwatch", "alarm:", None)],
                None => Vec::new(),
            };
            if asking.has("prefix") {
                // A search by prefix is only allowed to those who may see every alarm.
                alarms = vec![asking.arn("cloudwatch", "alarm:", None)];
            }
            asking.wide("cloudwatch:DescribeAlarms", alarms, Wide::Search);
        }
        ActionName::AwsDynamodbCheckReplication => {
            asking.anywhere(&["cloudwatch:GetMetricData"]);
            let table = asking.arn("dynamodb", "table/", asking.text("table"));
            asking.on("dynamodb:DescribeTable", [table]);
        }
        ActionName::AwsS3CheckReplication => asking.anywhere(&["cloudwatch:GetMetricData"]),
        _ => {}
    }
}

fn ecs(asking: &mut Asking<'_>) {
    let cluster = asking.text("cluster").map_or("*", last);
    let service = asking.text("service").map_or("*", last);
    let service = asking.arn("ecs", "service/", Some(&format!("{cluster}/{service}")));
    asking.on("ecs:DescribeServices", [service.clone()]);
    asking.on("ecs:UpdateService", [service]);
    asking.anywhere(&["application-autoscaling:DescribeScalableTargets"]);
    let target = asking.arn("application-autoscaling", "scalable-target/", None);
    asking.wide("application-autoscaling:RegisterScalableTarget", [target], Wide::GivenByAws);
}

fn automation(asking: &mut Asking<'_>) {
    let document = asking.text("document").map(last);
    let version = asking.text("document_version").unwrap_or("*");
    let name = document.map(|name| format!("{name}:{version}"));
    let definition = asking.arn("ssm", "automation-definition/", name.as_deref());
    let executions = asking.arn("ssm", "automation-execution/", None);
    asking.on("ssm:StartAutomationExecution", [definition]);
    asking.wide("ssm:GetAutomationExecution", [executions.clone()], Wide::GivenByAws);
    if asking.has("tags") {
        asking.wide("ssm:AddTagsToResource", [executions], Wide::GivenByAws);
    }
    let Some(parameters) = asking.call.with.get("parameters") else { return };
    let role = parameters.get("AutomationAssumeRole");
    if role.is_some() || parameters.is_string() {
        let role = role.and_then(|role| role.get(0)?.as_str()).filter(|role| !has_template(&(*role).into()));
        let role = asking.arn_in("iam", "", "role/", role);
        asking.only_if("iam:PassRole", [role], ("StringEquals", "iam:PassedToService", "ssm.amazonaws.com"));
    }
}

/// The last part of an ARN or a path; a name stays as it is.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
