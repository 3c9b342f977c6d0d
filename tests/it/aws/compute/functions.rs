//! Lambda functions and their event sources, against ministack, which runs them.

use drctl::engine::input::Observation;
use drctl::model::run::FailureClass;
use drctl::ports::Provider as _;
use serde_json::{Value, json};

use crate::aws::attempts::Attempt;
use crate::aws::client::{Caller, said};
use crate::aws::estate::{Estate, python};
use crate::aws::fake::Fake;
use crate::aws::faults::Faults;

/// What the function does with what it receives.
const CODE: &str = r#"
STATE = {"done": False, "runs": 0}

def handler(event, context):
    if event.get("observe"):
        return {"state": "applied" if event["observe"] == "yes" else "not_applied"}
    if event.get("fail"):
        raise ValueError("no such ledger")
    return {"echo": event}
"#;

/// The code as a zip archive in base64, which Python's own tools make.
fn archive() -> String {
    let program = "import base64, io, sys, zipfile\n\
        out = io.BytesIO()\n\
        with zipfile.ZipFile(out, 'w') as archive: archive.writestr('main.py', sys.argv[1])\n\
        print(base64.b64encode(out.getvalue()).decode())";
    let made = std::process::Command::new(python("python")).args(["-c", program, CODE]).output().unwrap();
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

async fn rest(caller: &Caller, path: &str, body: Value) -> Value {
    let request = caller.request(reqwest::Method::POST, path, "lambda", "us-west-2");
    let answer = said(request.header("content-type", "application/json").body(body.to_string())).await;
    assert!(answer.status < 300, "{} {}", answer.status, answer.text);
    answer.json()
}

async fn function(caller: &Caller) {
    let body = json!({
        "FunctionName": "ledger",
        "Runtime": "python3.11",
        "Role": format!("arn:aws:iam::{}:role/lambda", caller.account),
        "Handler": "main.handler",
        "Code": {"ZipFile": archive()},
    });
    rest(caller, "/2015-03-31/functions", body).await;
}

fn invoke(caller: &Caller, more: Value) -> Attempt {
    let Value::Object(more) = more else { panic!("no object: {more}") };
    let mut with = json!({"region": "us-west-2", "function": "ledger"});
    with.as_object_mut().unwrap().extend(more);
    Attempt::new(caller, "aws.lambda.invoke", with)
}

#[tokio::test]
async fn a_function_runs_and_its_answer_is_kept() {
    let estate = Estate::up().await;
    function(&estate.ministack).await;
    let outputs = invoke(&estate.ministack, json!({"payload": {"a": 1}})).perform().await.unwrap();
    assert_eq!(outputs["json"], json!({"echo": {"a": 1}}));
    assert_eq!(outputs["status"], json!(200));
    let mut secret = invoke(&estate.ministack, json!({"payload": {"a": 1}}));
    secret.context.sensitive = true;
    assert!(!secret.perform().await.unwrap().contains_key("json"));
    let mut undo = invoke(&estate.ministack, json!({"undo": {"back": true}}));
    assert_eq!(undo.undo().await.unwrap()["json"], json!({"echo": {"back": true}}));
    let failure = invoke(&estate.ministack, json!({})).undo().await.unwrap_err();
    assert!(failure.message.contains("no `undo` payload"), "{failure}");
}

#[tokio::test]
async fn a_function_that_fails_says_why_and_may_have_done_part_of_its_work() {
    let estate = Estate::up().await;
    function(&estate.ministack).await;
    for (more, class) in [
        (json!({}), FailureClass::InDoubt),
        (json!({"idempotent": true}), FailureClass::InDoubt),
        (json!({"observe": {"observe": "no"}}), FailureClass::InDoubt),
    ] {
        let mut with = json!({"payload": {"fail": true}});
        with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let failure = invoke(&estate.ministack, with).perform().await.unwrap_err();
        assert_eq!(failure.class, class, "{failure}");
        assert!(failure.message.contains("no such ledger"), "{failure}");
    }
    let mut nobody = invoke(&estate.ministack, json!({}));
    nobody.action = crate::support::attempt::action(
        "aws.lambda.invoke",
        json!({"region": "us-west-2", "function": "nobody"}),
    );
    assert_eq!(nobody.perform().await.unwrap_err().class, FailureClass::Permanent);
}

#[tokio::test]
async fn a_function_tells_itself_whether_its_effect_is_there() {
    let estate = Estate::up().await;
    function(&estate.ministack).await;
    let faults = Faults::before(&estate.ministack).await;
    faults.set(Faults::lost_answer("lambda", "Invoke")).await;
    let mut attempt = invoke(&faults.caller(), json!({"observe": {"observe": "yes"}}));
    assert_eq!(attempt.start().await.unwrap_err().class, FailureClass::InDoubt);
    assert_eq!(attempt.applied().await["json"], json!({"state": "applied"}));
    let not = invoke(&estate.ministack, json!({"observe": {"observe": "no"}}));
    assert_eq!(not.observe(None).await, Observation::NotApplied);
    let silent = invoke(&estate.ministack, json!({}));
    assert!(matches!(silent.observe(None).await, Observation::Unknown(_)));
}

#[tokio::test]
async fn an_event_source_is_disabled_and_enabled_again() {
    let estate = Estate::up().await;
    let caller = &estate.moto;
    let role = format!("arn:aws:iam::{}:role/lambda", caller.account);
    let roles = [("RoleName", "lambda"), ("AssumeRolePolicyDocument", "{}")];
    caller.query("iam", "us-east-1", "2010-05-08", "CreateRole", &roles).await;
    let body = json!({
        "FunctionName": "ledger", "Runtime": "python3.11", "Role": role, "Handler": "main.handler",
        "Code": {"ZipFile": archive()},
    });
    rest(caller, "/2015-03-31/functions", body).await;
    let queue = format!("arn:aws:sqs:us-west-2:{}:orders", caller.account);
    caller.query("sqs", "us-west-2", "2012-11-05", "CreateQueue", &[("QueueName", "orders")]).await;
    let body = json!({"FunctionName": "ledger", "EventSourceArn": queue, "Enabled": true});
    let made = rest(caller, "/2015-03-31/event-source-mappings", body).await;

    let with =
        json!({"region": "us-west-2", "function": "ledger", "event_source_arn": queue, "enabled": false});
    let mut attempt = Attempt::new(caller, "aws.lambda.set_event_source", with);
    let outputs = attempt.perform().await.unwrap();
    assert_eq!((&outputs["mapping_id"], &outputs["state"]), (&made["UUID"], &json!("Disabled")));
    assert_eq!(outputs["previous_enabled"], json!(true));
    assert_eq!(attempt.applied().await["state"], json!("Disabled"));
    assert_eq!(attempt.undo().await.unwrap()["state"], json!("Enabled"));

    let faults = Faults::before(caller).await;
    faults.set(Faults::lost_answer("lambda", "UpdateEventSourceMapping")).await;
    let with = json!({"region": "us-west-2", "mapping_id": made["UUID"], "enabled": false});
    let mut attempt = Attempt::new(&faults.caller(), "aws.lambda.set_event_source", with);
    attempt.prepare().await.unwrap();
    assert_eq!(attempt.observe(None).await, Observation::NotApplied);
    assert_eq!(attempt.start().await.unwrap_err().class, FailureClass::InDoubt);
    assert_eq!(attempt.applied().await["state"], json!("Disabled"));
    // A look that still shows what was there before the order is nobody's doing.
    let path = format!("/2015-03-31/event-source-mappings/{}", made["UUID"].as_str().unwrap());
    let with = json!({"region": "us-west-2", "mapping_id": made["UUID"], "enabled": true});
    let mut attempt = Attempt::new(caller, "aws.lambda.set_event_source", with);
    let Ok(drctl::ports::Started::Handle(handle)) = attempt.start().await else { panic!("no handle") };
    let request = caller.request("PUT".parse().unwrap(), &path, "lambda", "us-west-2");
    let body = json!({"Enabled": false}).to_string();
    let said = said(request.header("content-type", "application/json").body(body)).await;
    assert!(said.status < 300, "{}", said.text);
    let polled = attempt.provider.poll(&attempt.action, &attempt.context, &handle).await.unwrap();
    assert!(format!("{polled:?}").contains("is Disabled"), "{polled:?}");
    let failure = attempt.follow(&json!({"mapping_id": made["UUID"]})).await.unwrap_err();
    assert!(failure.message.contains("set back by somebody else"), "{failure}");
    let neither = json!({"region": "us-west-2", "function": "ledger", "enabled": false});
    let failure = Attempt::new(caller, "aws.lambda.set_event_source", neither).perform().await.unwrap_err();
    assert!(failure.message.contains("give `mapping_id`"), "{failure}");
}

#[tokio::test]
async fn a_function_is_looked_for_and_not_run() {
    let estate = Estate::up().await;
    function(&estate.ministack).await;
    let seen = invoke(&estate.ministack, json!({"payload": {"a": 1}})).ask().await.unwrap();
    // Just made, it may still be pending.
    let told = [seen.found.join(""), seen.warnings.join("")].concat();
    assert!(told.contains("function `ledger` is"), "{seen:?}");
    let failure = invoke(&estate.ministack, json!({"function": "nobody"})).ask().await.unwrap_err();
    assert!(failure.message.contains("there is no function `nobody` in us-west-2"), "{failure}");
}

#[tokio::test]
async fn a_mapping_that_is_being_updated_is_not_recorded_as_either() {
    let fake = Fake::start(Box::new(|_| (200, json!({"UUID": "m-1", "State": "Updating"}).to_string())));
    let with = json!({"region": "us-west-2", "mapping_id": "m-1", "enabled": false});
    let mut attempt = Attempt::new(&fake.caller(), "aws.lambda.set_event_source", with);
    let failure = attempt.prepare().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient);
    assert!(failure.message.contains("m-1 is Updating"), "{failure}");
}
