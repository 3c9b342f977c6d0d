//! What reaches no real system.

use std::path::PathBuf;

use drctl::engine::input::Observation;
use drctl::model::action::{ActionName, Adapter};
use drctl::model::run::FailureClass;
use drctl::ports::Provider as _;
use drctl::providers::Router;
use serde_json::json;

use crate::support::attempt::{action, context};

fn router() -> Router {
    Router::real(PathBuf::from("/nonexistent/runs"), PathBuf::from("/nonexistent/drctl"))
}

#[tokio::test]
async fn actions_of_the_engine_are_never_performed() {
    let (context, _switch) = context();
    for (name, with) in [
        ("wait.for", json!({"duration": "1s"})),
        ("assert.that", json!({"condition": true})),
        ("manual.task", json!({"instructions": "pull the plug"})),
        ("approval.request", json!({})),
    ] {
        let failure = router().start(&action(name, with), &context).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent, "{name}");
        assert!(failure.message.contains(name) && failure.message.contains("engine"), "{failure}");
    }
}

#[tokio::test]
async fn an_action_without_an_adapter_says_so_in_every_call() {
    let (context, _switch) = context();
    let action = action("notify.send", json!({"channel": "ops", "message": "hello"}));
    let router = router();
    let failures = [
        router.precheck(&action, &context).await.unwrap_err(),
        router.prepare(&action, &context).await.unwrap_err(),
        router.start(&action, &context).await.unwrap_err(),
        router.poll(&action, &context, &json!({})).await.unwrap_err(),
    ];
    for failure in failures {
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(failure.message.contains("notify.send cannot be performed for real"), "{failure}");
    }
    assert!(matches!(router.observe(&action, &context, None).await, Observation::Unknown(_)));
}

#[test]
fn the_real_families_are_those_with_a_provider() {
    let families = [
        "approval",
        "manual",
        "wait",
        "assert",
        "runbook",
        "command",
        "http",
        "postgres",
        "aws.route53",
        "aws.rds",
        "aws.arc",
        "aws.backup",
        "aws.autoscaling",
        "aws.ecs",
        "aws.eks",
        "aws.lambda",
        "aws.ssm",
        "aws.cloudwatch",
        "aws.dynamodb",
        "aws.s3",
    ];
    for name in ActionName::ALL {
        let family = match name.as_str().split('.').next().unwrap() {
            // One group of services after the other.
            "aws" => name.as_str().rsplit_once('.').unwrap().0,
            family => family,
        };
        let real = name.spec().adapter == Adapter::Real;
        assert_eq!(
            real,
            families.contains(&family),
            "{name}: declared real without a provider, or the reverse"
        );
    }
}
