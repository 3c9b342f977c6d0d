//! What the actions of `aws.route53` and `aws.arc` need. Source of the resource types: AWS's service
//! authorization reference.

use super::need::{Asking, Wide};
use crate::model::action::ActionName;

/// Adds what a call needs.
pub(super) fn add(asking: &mut Asking<'_>) {
    match asking.call.action {
        ActionName::AwsRoute53ChangeRecords
        | ActionName::AwsRoute53SetFailover
        | ActionName::AwsRoute53DrainSite
        | ActionName::AwsRoute53SetWeights => {
            let zone = asking.global("hostedzone", zone(asking.text("zone_id")));
            asking.on("route53:ListResourceRecordSets", [zone.clone()]);
            asking.on("route53:ChangeResourceRecordSets", [zone]);
            // Newer than the reference: on what it can be narrowed is not known.
            asking.anywhere(&["route53:ListResourceRecordSetProtections"]);
            changes(asking);
        }
        ActionName::AwsRoute53SetHealthCheck => {
            let check = asking.global("healthcheck", asking.text("health_check_id"));
            for permission in
                ["route53:GetHealthCheck", "route53:GetHealthCheckStatus", "route53:UpdateHealthCheck"]
            {
                asking.on(permission, [check.clone()]);
            }
        }
        ActionName::AwsRoute53CheckChange => changes(asking),
        ActionName::AwsArcSetRoutingControls => {
            let controls = asking.names("controls").unwrap_or_default();
            let mut arns: Vec<String> = controls.into_iter().map(str::to_owned).collect();
            if arns.is_empty() {
                arns.push(asking.arn_in("route53-recovery-control", "", "controlpanel/", None));
            }
            asking.on("route53-recovery-cluster:GetRoutingControlState", arns.clone());
            asking.on("route53-recovery-cluster:UpdateRoutingControlStates", arns);
        }
        ActionName::AwsArcStartRegionSwitch => {
            let plan = asking.arn_in("arc-region-switch", "", "plan/", asking.text("plan_arn"));
            for permission in [
                "arc-region-switch:GetPlanExecution",
                "arc-region-switch:ListPlanExecutions",
                "arc-region-switch:StartPlanExecution",
            ] {
                asking.on(permission, [plan.clone()]);
            }
        }
        _ => {}
    }
}

/// Ids of changes are given out with the change.
fn changes(asking: &mut Asking<'_>) {
    let change = asking.global("change", None);
    asking.wide("route53:GetChange", [change], Wide::GivenByAws);
}

/// The API takes a zone with its prefix too.
fn zone(id: Option<&str>) -> Option<&str> {
    id.map(|id| id.strip_prefix("/hostedzone/").unwrap_or(id))
}
