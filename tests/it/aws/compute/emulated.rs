//! ECS with its autoscaling, against moto.

use drctl::engine::input::Observation;
use drctl::model::run::FailureClass;
use serde_json::{Value, json};

use crate::aws::attempts::Attempt;
use crate::aws::client::Caller;
use crate::aws::estate::Estate;
use crate::aws::faults::Faults;

const ECS: &str = "AmazonEC2ContainerServiceV20141113";

/// A service of two tasks, kept between two and four by autoscaling.
async fn service(moto: &Caller) {
    let region = "us-west-2";
    let call = async |operation: &str, body: Value| {
        moto.json("ecs", region, &format!("{ECS}.{operation}"), &body).await;
    };
    call("CreateCluster", json!({"clusterName": "c"})).await;
    let container = json!({"name": "web", "image": "web", "memory": 128, "cpu": 128});
    call("RegisterTaskDefinition", json!({"family": "web", "containerDefinitions": [container]})).await;
    let body = json!({
        "cluster": "c",
        "serviceName": "s",
        "taskDefinition": "web",
        "desiredCount": 0,
        "launchType": "EC2",
    });
    call("CreateService", body).await;
    // moto runs tasks when their number is changed, not when the service is made.
    call("UpdateService", json!({"cluster": "c", "service": "s", "desiredCount": 2})).await;
    let body = json!({
        "ServiceNamespace": "ecs",
        "ResourceId": "service/c/s",
        "ScalableDimension": "ecs:service:DesiredCount",
        "MinCapacity": 2,
        "MaxCapacity": 4,
    });
    let target = "AnyScaleFrontendService.RegisterScalableTarget";
    moto.json("application-autoscaling", region, target, &body).await;
}

async fn limits(moto: &Caller) -> (u64, u64) {
    let target = "AnyScaleFrontendService.DescribeScalableTargets";
    let body = json!({"ServiceNamespace": "ecs", "ResourceIds": ["service/c/s"]});
    let found = moto.json("application-autoscaling", "us-west-2", target, &body).await;
    let target = &found["ScalableTargets"][0];
    (target["MinCapacity"].as_u64().unwrap(), target["MaxCapacity"].as_u64().unwrap())
}

fn count(caller: &Caller, service: &str, desired: u32) -> Attempt {
    let with = json!({"region": "us-west-2", "cluster": "c", "service": service, "desired": desired});
    Attempt::new(caller, "aws.ecs.set_desired_count", with)
}

#[tokio::test]
async fn a_service_grows_with_its_limits_and_goes_back() {
    let estate = Estate::up().await;
    service(&estate.moto).await;
    let mut attempt = count(&estate.moto, "s", 6);
    let outputs = attempt.perform().await.unwrap();
    assert_eq!((&outputs["running"], &outputs["desired"]), (&json!(6), &json!(6)));
    assert_eq!(outputs["previous"], json!({"desired": 2, "autoscaling": {"min": 2, "max": 4}}));
    assert_eq!(limits(&estate.moto).await, (6, 6));
    assert_eq!(attempt.applied().await["running"], json!(6));
    attempt.undo().await.unwrap();
    assert_eq!(limits(&estate.moto).await, (2, 4));
    assert_eq!(attempt.applied().await["running"], json!(2));
}

#[tokio::test]
async fn writers_go_to_zero_and_autoscaling_leaves_them_there() {
    let estate = Estate::up().await;
    service(&estate.moto).await;
    let mut attempt = count(&estate.moto, "s", 0);
    assert_eq!(attempt.perform().await.unwrap()["running"], json!(0));
    assert_eq!(limits(&estate.moto).await, (0, 4));
}

#[tokio::test]
async fn a_lost_reply_of_ecs_is_observed_and_nothing_is_repeated() {
    let estate = Estate::up().await;
    service(&estate.moto).await;
    let faults = Faults::before(&estate.moto).await;
    faults.set(Faults::lost_answer("ecs", "UpdateService")).await;
    let mut attempt = count(&faults.caller(), "s", 6);
    attempt.prepare().await.unwrap();
    assert_eq!(attempt.observe(None).await, Observation::NotApplied);
    assert_eq!(attempt.start().await.unwrap_err().class, FailureClass::InDoubt);
    assert_eq!(attempt.applied().await["desired"], json!(6));
}

#[tokio::test]
async fn a_service_that_is_not_there_is_refused() {
    let estate = Estate::up().await;
    service(&estate.moto).await;
    let failure = count(&estate.moto, "nobody", 1).perform().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(
        failure.message.contains("service `nobody` of cluster `c` in us-west-2 is not there"),
        "{failure}"
    );
    let mut limited = count(&estate.moto, "s", 6);
    let with = json!({
        "region": "us-west-2", "cluster": "c", "service": "s", "desired": 6, "autoscaling_max": 5,
    });
    limited.action = crate::support::attempt::action("aws.ecs.set_desired_count", with);
    let failure = limited.perform().await.unwrap_err();
    assert!(failure.message.contains("not between the autoscaling limits"), "{failure}");
}

#[tokio::test]
async fn a_group_of_moto_is_resized() {
    let estate = Estate::up().await;
    let moto = &estate.moto;
    let call = async |service: &str, version: &str, action: &str, parameters: &[(&str, &str)]| {
        moto.query(service, "us-west-2", version, action, parameters).await
    };
    let configuration =
        [("LaunchConfigurationName", "web"), ("ImageId", "ami-12c6146b"), ("InstanceType", "t3.micro")];
    call("autoscaling", "2011-01-01", "CreateLaunchConfiguration", &configuration).await;
    let group = [
        ("AutoScalingGroupName", "g"),
        ("LaunchConfigurationName", "web"),
        ("MinSize", "0"),
        ("MaxSize", "2"),
        ("DesiredCapacity", "1"),
        ("AvailabilityZones.member.1", "us-west-2a"),
    ];
    call("autoscaling", "2011-01-01", "CreateAutoScalingGroup", &group).await;
    let with = json!({"region": "us-west-2", "group": "g", "min": 2, "max": 6, "desired": 3});
    let mut attempt = Attempt::new(moto, "aws.autoscaling.set_capacity", with);
    let outputs = attempt.perform().await.unwrap();
    assert_eq!(outputs["in_service"], json!(3));
    assert_eq!(outputs["previous"], json!({"min": 0, "max": 2, "desired": 1}));
    attempt.undo().await.unwrap();
    assert_eq!(attempt.applied().await["desired"], json!(1));
}
