//! Gives each action of this group to the file that performs it. Must never try twice.

use serde_json::Value;

use super::{alarms, autoscaling, dynamodb, ecs, eks, event_source, lambda, permanent, s3, ssm};
use crate::engine::input::{Direction, Observation};
use crate::model::action::Action;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Precheck, Started};
use crate::providers::aws::clients::Aws;

pub(in crate::providers::aws) async fn precheck(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Precheck, Failure> {
    let prepared = prepare(aws, action, context).await;
    super::precheck::check(aws, action, context, prepared).await
}

fn not_ours(action: &Action) -> Failure {
    permanent(format!("{} is not an action on capacity or functions; nothing was done", action.name()))
}

pub(in crate::providers::aws) async fn prepare(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Option<Value>, Failure> {
    match action {
        Action::AwsAutoscalingSetCapacity(it) => autoscaling::prepare(aws, it, context).await.map(Some),
        Action::AwsEcsSetDesiredCount(it) => ecs::prepare(aws, it, context).await.map(Some),
        Action::AwsEksScaleNodegroup(it) => eks::prepare(aws, it, context).await.map(Some),
        Action::AwsLambdaSetEventSource(it) => event_source::prepare(aws, it, context).await.map(Some),
        _ => Ok(None),
    }
}

pub(in crate::providers::aws) async fn start(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    match (action, context.direction) {
        (Action::AwsAutoscalingSetCapacity(it), _) => autoscaling::start(aws, it, context).await,
        (Action::AwsEcsSetDesiredCount(it), _) => ecs::start(aws, it, context).await,
        (Action::AwsEksScaleNodegroup(it), _) => eks::start(aws, it, context).await,
        (Action::AwsLambdaInvoke(it), _) => lambda::start(aws, it, context).await,
        (Action::AwsLambdaSetEventSource(it), _) => event_source::start(aws, it, context).await,
        (Action::AwsSsmRunAutomation(_), Direction::Undo) => Err(permanent(
            "an automation cannot be taken back by itself; name one that does it under `undo` of the step",
        )),
        (Action::AwsSsmRunAutomation(it), Direction::Do) => ssm::start(aws, it, context).await,
        (Action::AwsCloudwatchCheckAlarms(it), _) => alarms::check(aws, it, context).await.map(Started::Done),
        (Action::AwsDynamodbCheckReplication(it), _) => {
            dynamodb::check(aws, it, context).await.map(Started::Done)
        }
        (Action::AwsS3CheckReplication(it), _) => s3::check(aws, it, context).await.map(Started::Done),
        (other, _) => Err(not_ours(other)),
    }
}

pub(in crate::providers::aws) async fn poll(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    match action {
        Action::AwsAutoscalingSetCapacity(it) => autoscaling::poll(aws, it, context, handle).await,
        Action::AwsEcsSetDesiredCount(it) => ecs::poll(aws, it, context).await,
        Action::AwsEksScaleNodegroup(it) => eks::poll(aws, it, context, handle).await,
        Action::AwsLambdaInvoke(it) => lambda::poll(aws, it, context).await,
        Action::AwsLambdaSetEventSource(it) => event_source::poll(aws, it, context, handle).await,
        Action::AwsSsmRunAutomation(it) => ssm::poll(aws, it, context, handle).await,
        other => Err(not_ours(other)),
    }
}

pub(in crate::providers::aws) async fn observe(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    handle: Option<&Value>,
) -> Observation {
    match action {
        Action::AwsAutoscalingSetCapacity(it) => autoscaling::observe(aws, it, context).await,
        Action::AwsEcsSetDesiredCount(it) => ecs::observe(aws, it, context).await,
        Action::AwsEksScaleNodegroup(it) => eks::observe(aws, it, context).await,
        Action::AwsLambdaInvoke(it) => lambda::observe(aws, it, context).await,
        Action::AwsLambdaSetEventSource(it) => event_source::observe(aws, it, context).await,
        Action::AwsSsmRunAutomation(it) => ssm::observe(aws, it, context, handle).await,
        Action::AwsCloudwatchCheckAlarms(_)
        | Action::AwsDynamodbCheckReplication(_)
        | Action::AwsS3CheckReplication(_) => Observation::NotApplied,
        other => Observation::Unknown(not_ours(other).message),
    }
}
