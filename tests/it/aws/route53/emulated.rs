//! Against moto and ministack, as far as they are faithful: moto for inversion and what is applied,
//! ministack for changes that are pending and batches that are refused.

use std::sync::Arc;

use drctl::engine::input::Observation;
use drctl::model::run::FailureClass;
use drctl::ports::{AttemptContext, CancelSwitch, Polled, Provider as _, Started};
use drctl::providers::aws::AwsProvider;
use drctl::runtime::SystemClock;
use serde_json::{Map, Value, json};

use super::{all, handle, under_way};
use crate::aws::client::{Caller, Said, said};
use crate::aws::estate::{Estate, provider, settings};
use crate::aws::faults::Faults;
use crate::support::attempt::{action, context};

async fn rest(caller: &Caller, method: &str, path: &str, body: &str) -> Said {
    let path = format!("/2013-04-01/{path}");
    let request = caller.request(method.parse().unwrap(), &path, "route53", "us-east-1");
    let said = said(request.header("content-type", "text/xml").body(body.to_owned())).await;
    assert!(said.status < 300, "{path}: {} {}", said.status, said.text);
    said
}

async fn zone(caller: &Caller) -> String {
    let name = "<Name>example.com</Name><CallerReference>1</CallerReference>";
    let body = format!("<CreateHostedZoneRequest>{name}</CreateHostedZoneRequest>");
    let made = rest(caller, "POST", "hostedzone", &body).await;
    made.element("Id").unwrap().trim_start_matches("/hostedzone/").to_owned()
}

fn weighted(zone: &str) -> Value {
    let record = |set: &str, weight: u32| {
        json!({
            "action": "create", "name": "www.example.com", "record_type": "A", "set_identifier": set,
            "weight": weight, "ttl": "5s", "values": ["192.0.2.1"],
        })
    };
    json!({"zone_id": zone, "wait_ttl": false, "changes": [record("east", 100), record("west", 100)]})
}

/// From prepare to the end, with looks at once after each other.
async fn perform(
    provider: &AwsProvider,
    name: &str,
    with: Value,
    context: &mut AttemptContext,
) -> Map<String, Value> {
    let action = action(name, with);
    context.prepared = provider.prepare(&action, context).await.unwrap();
    let handle = match provider.start(&action, context).await.unwrap() {
        Started::Done(outputs) => return outputs,
        Started::Handle(handle) => handle,
    };
    follow(provider, &action, context, &handle).await
}

async fn follow(
    provider: &AwsProvider,
    action: &drctl::model::action::Action,
    context: &AttemptContext,
    handle: &Value,
) -> Map<String, Value> {
    for _ in 0..2_000 {
        match provider.poll(action, context, handle).await.unwrap() {
            Polled::Done(outputs) => return outputs,
            Polled::Pending(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
    panic!("not over");
}

/// A provider on a clock that runs a hundred times as fast: nobody waits for a TTL.
fn hasty(caller: &Caller) -> AwsProvider {
    let now = drctl::model::time::Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    AwsProvider::new(settings(caller), Arc::new(SystemClock::faster_from(now, 100)))
}

async fn drains(caller: &Caller) {
    let (provider, zone) = (hasty(caller), zone(caller).await);
    let (mut made, _switch) = context();
    let outputs = perform(&provider, "aws.route53.change_records", weighted(&zone), &mut made).await;
    assert!(outputs["change_id"].is_string(), "{outputs:?}");
    let with = json!({
        "zone_id": zone, "name": "www.example.com", "record_type": "A", "site": "east", "stages": [50, 100],
    });
    let (mut drained, _switch) = context();
    drained.idempotency_key.push_str("/drain");
    let outputs = perform(&provider, "aws.route53.drain_site", with.clone(), &mut drained).await;
    assert_eq!(outputs["weights"], json!({"east": 0, "west": 100}));
    assert_eq!(outputs["change_ids"].as_array().unwrap().len(), 2);
    let listed = rest(caller, "GET", &format!("hostedzone/{zone}/rrset"), "").await;
    assert!(listed.text.contains("<Weight>0</Weight>"), "{}", listed.text);
    drained.direction = drctl::engine::input::Direction::Undo;
    drained.idempotency_key.push_str("/undo");
    let action = action("aws.route53.drain_site", with);
    let handle = handle(provider.start(&action, &drained).await.unwrap());
    let outputs = follow(&provider, &action, &drained, &handle).await;
    assert_eq!(outputs["weights"], json!({"east": 100, "west": 100}));
    let listed = rest(caller, "GET", &format!("hostedzone/{zone}/rrset"), "").await;
    assert!(!listed.text.contains("<Weight>0</Weight>"), "{}", listed.text);
}

#[tokio::test]
async fn a_drain_on_moto() {
    drains(&Estate::up().await.moto).await;
}

#[tokio::test]
async fn a_drain_on_ministack_whose_changes_are_pending_first() {
    drains(&Estate::up().await.ministack).await;
}

#[tokio::test]
async fn a_health_check_is_inverted_on_moto() {
    let estate = Estate::up().await;
    let caller = &estate.moto;
    let config = "<Type>HTTPS</Type><FullyQualifiedDomainName>east.example.com</FullyQualifiedDomainName>\
                  <Port>443</Port><RequestInterval>30</RequestInterval><FailureThreshold>3</FailureThreshold>";
    let body = format!(
        "<CreateHealthCheckRequest><CallerReference>1</CallerReference><HealthCheckConfig>{config}\
         </HealthCheckConfig></CreateHealthCheckRequest>"
    );
    let id = rest(caller, "POST", "healthcheck", &body).await.element("Id").unwrap().to_owned();
    let (provider, (mut context, _switch)) = (provider(caller), context());
    let with = json!({"health_check_id": id, "healthy": false});
    let outputs = perform(&provider, "aws.route53.set_health_check", with, &mut context).await;
    assert_eq!((&outputs["inverted"], &outputs["status"]), (&json!(true), &json!("unhealthy")));
    let found = rest(caller, "GET", &format!("healthcheck/{id}"), "").await;
    assert_eq!(found.element("Inverted"), Some("true"));
    assert_ne!(found.element("Disabled"), Some("true"));
}

#[tokio::test]
async fn a_record_that_exists_fails_only_its_own_step_on_ministack() {
    let estate = Estate::up().await;
    let zone = zone(&estate.ministack).await;
    let create = |name: String, value: &str| {
        let change = json!({
            "action": "create", "name": name, "record_type": "A", "ttl": "5s", "values": [value],
        });
        action("aws.route53.change_records", json!({"zone_id": zone, "changes": [change]}))
    };
    let provider = provider(&estate.ministack);
    let steps: Vec<_> =
        (0..6).map(|n| (create(format!("r{n}.example.com"), "192.0.2.1"), context())).collect();
    let earlier = create("r2.example.com".to_owned(), "192.0.2.2");
    handle(provider.start(&earlier, &steps[2].1.0).await.unwrap());
    let started = all(steps.iter().map(|(action, (context, _))| provider.start(action, context))).await;
    for (at, started) in started.into_iter().enumerate() {
        assert_eq!(started.is_err(), at == 2, "{at}: {started:?}");
        if let Err(failure) = started {
            assert_eq!(failure.class, FailureClass::Permanent);
            assert!(failure.message.contains("InvalidChangeBatch"), "{failure}");
        }
    }
}

#[tokio::test]
async fn throttling_and_a_lost_answer_on_the_way_to_moto() {
    let estate = Estate::up().await;
    let zone = zone(&estate.moto).await;
    let faults = Faults::before(&estate.moto).await;
    let provider = hasty(&faults.caller());
    let (mut made, _switch): (AttemptContext, CancelSwitch) = context();
    perform(&provider, "aws.route53.change_records", weighted(&zone), &mut made).await;
    let change = json!({"name": "a.example.com", "record_type": "A", "ttl": "5s", "values": ["192.0.2.1"]});
    let action = action("aws.route53.change_records", json!({"zone_id": zone, "changes": [change]}));
    let (mut context, _switch) = context();
    context.prepared = provider.prepare(&action, &context).await.unwrap();
    assert_eq!(provider.observe(&action, &context, None).await, Observation::NotApplied);
    // The proxy does not know the operation by the path the SDK uses; the next request is the one.
    let throttled = json!({
        "service": "route53", "times": 2, "error": {"code": "Throttling", "message": "Rate exceeded"},
    });
    let lost = json!({"service": "route53", "times": 1, "response": {"abort_frac": 0.3}});
    faults.set(json!([throttled, lost])).await;
    let failure = provider.start(&action, &context).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt, "{failure}");
    let fired = faults.fired().await;
    assert_eq!(fired.as_array().unwrap().len(), 3, "{fired}");
    let handle = under_way(provider.observe(&action, &context, None).await);
    assert_eq!(handle["change_id"], Value::Null);
    follow(&provider, &action, &context, &handle).await;
}
