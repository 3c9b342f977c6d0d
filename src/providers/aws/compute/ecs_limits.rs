//! Limits Application Auto Scaling keeps for an ECS service: without raising them, it undoes what was set.
//! Must never make a service scaled that was not.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::session::Session;
use super::{number, permanent};
use crate::model::action::aws::compute::SetDesiredCount;
use crate::model::run::Failure;
use crate::providers::aws::call::Call;

/// Prefix of the service's operations.
const SERVICE: &str = "application-autoscaling";
const DIMENSION: &str = "ecs:service:DesiredCount";

/// Smallest and largest number of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Limits {
    pub(super) min: u32,
    pub(super) max: u32,
}

impl Limits {
    /// The limits an action wants in place of those that are there.
    ///
    /// # Errors
    /// Permanent, when they exclude the number of tasks asked for.
    pub(super) fn wanted(self, it: &SetDesiredCount) -> Result<Self, Failure> {
        let min = it.autoscaling_min.unwrap_or(it.desired);
        let max = it.autoscaling_max.unwrap_or_else(|| self.max.max(it.desired));
        if min <= it.desired && it.desired <= max {
            return Ok(Self { min, max });
        }
        let what = format!("`desired` {} is not between the autoscaling limits {min} and {max}", it.desired);
        Err(permanent(format!("{what}; nothing was sent")))
    }
}

fn resource(it: &SetDesiredCount) -> String {
    let cluster = it.cluster.rsplit('/').next().unwrap_or_default();
    let service = it.service.rsplit('/').next().unwrap_or_default();
    format!("service/{cluster}/{service}")
}

/// The limits of a service; nothing where nothing scales it.
pub(super) async fn of(session: &Session<'_>, it: &SetDesiredCount) -> Result<Option<Limits>, Failure> {
    let asked = session.read(SERVICE, "DescribeScalableTargets");
    let body = json!({
        "ServiceNamespace": "ecs",
        "ResourceIds": [resource(it)],
        "ScalableDimension": DIMENSION,
    });
    let call = Call::json(SERVICE, "1.1", "AnyScaleFrontendService.DescribeScalableTargets", &body);
    let found = session.json(&call, &asked).await?;
    let target = &found["ScalableTargets"][0];
    Ok(number(target, "MinCapacity").zip(number(target, "MaxCapacity")).map(|(min, max)| Limits { min, max }))
}

/// Sets the limits of a service that has some.
pub(super) async fn set(session: &Session<'_>, it: &SetDesiredCount, limits: Limits) -> Result<(), Failure> {
    let asked = session.change(SERVICE, "RegisterScalableTarget");
    let body: Value = json!({
        "ServiceNamespace": "ecs",
        "ResourceId": resource(it),
        "ScalableDimension": DIMENSION,
        "MinCapacity": limits.min,
        "MaxCapacity": limits.max,
    });
    let call = Call::json(SERVICE, "1.1", "AnyScaleFrontendService.RegisterScalableTarget", &body);
    session.json(&call, &asked).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(with: Value) -> SetDesiredCount {
        let Value::Object(with) = with else { panic!("no object: {with}") };
        let mut all = json!({"region": "us-west-2", "cluster": "c", "service": "s", "desired": 6});
        all.as_object_mut().unwrap().extend(with);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn limits_always_allow_what_is_asked_for() {
        let there = Limits { min: 1, max: 4 };
        assert_eq!(there.wanted(&action(json!({}))).unwrap(), Limits { min: 6, max: 6 });
        assert_eq!(
            Limits { max: 20, ..there }.wanted(&action(json!({}))).unwrap(),
            Limits { min: 6, max: 20 }
        );
        let own = action(json!({"autoscaling_min": 2, "autoscaling_max": 9}));
        assert_eq!(there.wanted(&own).unwrap(), Limits { min: 2, max: 9 });
        assert!(there.wanted(&action(json!({"autoscaling_max": 5}))).is_err());
        assert!(there.wanted(&action(json!({"autoscaling_min": 7}))).is_err());
    }

    #[test]
    fn arns_and_names_mean_the_same_service() {
        let by_arn = json!({
            "cluster": "arn:aws:ecs:us-west-2:111122223333:cluster/c",
            "service": "arn:aws:ecs:us-west-2:111122223333:service/c/s",
        });
        assert_eq!(resource(&action(by_arn)), "service/c/s");
        assert_eq!(resource(&action(json!({}))), "service/c/s");
    }
}
