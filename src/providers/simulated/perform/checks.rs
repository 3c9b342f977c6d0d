//! Looks at endpoints, alarms, replicated stores and network paths, and the actions that only talk to drctl
//! itself.

use serde_json::{Map, Value, json};

use super::super::places::Place;
use super::data::within;
use super::{Act, Scene, unhealthy};
use crate::model::action::aws::compute;
use crate::model::action::{Plane, core, http, network};
use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};

/// Round trip and latency of everything that answers, in milliseconds.
const LATENCY_MS: u64 = 40;

pub(super) fn assert_that(it: &core::AssertThat) -> Act<'_> {
    Act::look(move |_| match &it.condition {
        Value::Bool(false) | Value::Null => {
            let message = it.message.clone().unwrap_or_else(|| "the condition does not hold".to_owned());
            Err(Failure::new(FailureClass::Permanent, message))
        }
        Value::Bool(true) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            Ok(json!({}))
        }
    })
}

pub(super) fn runbook(it: &core::RunbookRun) -> Act<'_> {
    Act::plain("running", move |scene| {
        let id = scene.view.id("run");
        let run = format!("{}-{}", it.runbook, id.get(..8).unwrap_or(&id));
        // The runtime begins real runs of its own for this; here nothing takes time.
        json!({
            "run": run, "status": "succeeded", "verdict": "met", "recovery_time_ms": 0, "rto_ms": 0,
            "data_loss_ms": 0, "rpo_ms": 0
        })
    })
}

pub(super) fn http_request(it: &http::Request) -> Act<'_> {
    Act::plain("asking", move |_| {
        json!({
            "status": status(&it.expect),
            "json": {"status": "ok"},
            "body": "{\"status\":\"ok\"}",
        })
    })
}

pub(super) fn http_check(it: &http::Check) -> Act<'_> {
    Act::look(move |_| {
        let max = it.max_latency.map_or(u64::MAX, Duration::as_millis);
        if max < LATENCY_MS {
            return Err(unhealthy(format!("it took {LATENCY_MS} ms, allowed are {max} ms")));
        }
        let mut body = json!({"status": "ok"});
        for (pointer, value) in &it.json {
            put(&mut body, pointer, value.clone());
        }
        Ok(json!({"status": status(&it.expect), "latency_ms": LATENCY_MS, "json": body}))
    })
}

fn status(expected: &[u16]) -> u16 {
    expected.first().copied().unwrap_or(200)
}

/// Puts a value where a JSON pointer points, making objects on the way.
fn put(body: &mut Value, pointer: &str, value: Value) {
    let mut place = body;
    for part in pointer.split('/').skip(1) {
        let key = part.replace("~1", "/").replace("~0", "~");
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Some(fields) = place.as_object_mut() else { return };
        place = fields.entry(key).or_insert(Value::Null);
    }
    *place = value;
}

pub(super) fn alarms(it: &compute::CheckAlarms) -> Act<'_> {
    Act::plain("looking", move |_| json!({"ok": it.names.len().max(1), "alarming": [], "insufficient": []}))
}

/// Lag of a store that replicates between two regions, and when it was measured.
fn replicated(scene: &Scene<'_>, source: &Place, target: &Place) -> (Duration, Timestamp) {
    let cut = scene.view.faults.cut_since(source.site(), target.site(), scene.at);
    (scene.view.faults.scenario.replication.lag, cut.unwrap_or(scene.at))
}

pub(super) fn dynamodb(it: &compute::DynamodbCheckReplication) -> Act<'_> {
    Act::look(move |scene| {
        let places = scene.view.faults.places;
        let ends = (places.in_region(&it.source_region), places.in_region(&it.region));
        let (lag, measured_at) = replicated(scene, &ends.0, &ends.1);
        within(lag, it.max_lag, scene.at.since(measured_at), it.max_metric_age)?;
        Ok(json!({
            "lag_ms": lag.as_millis(),
            "measured_at": measured_at,
            "recovery_point_at": measured_at.minus(lag),
            "status": "ACTIVE",
            "consistency": "EVENTUAL",
        }))
    })
}

pub(super) fn s3(it: &compute::S3CheckReplication) -> Act<'_> {
    Act::look(move |scene| {
        let source = scene.view.source().map_or(Place::Outside, Place::Site);
        let target = scene.view.faults.to.cloned().map_or(Place::Outside, Place::Site);
        let (lag, measured_at) = replicated(scene, &source, &target);
        within(lag, it.max_lag, scene.at.since(measured_at), it.max_metric_age)?;
        Ok(json!({
            "lag_ms": lag.as_millis(),
            "measured_at": measured_at,
            "recovery_point_at": measured_at.minus(lag),
            "pending_operations": 0,
            "pending_bytes": 0,
            "failed_operations": 0,
        }))
    })
}

pub(super) fn path(it: &network::CheckPath) -> Act<'_> {
    Act::look(move |scene| {
        let faults = &scene.view.faults;
        let mut paths = Map::new();
        let mut healthy = 0_usize;
        for path in &it.paths {
            let place = faults.places.of_texts([path.address.as_str()]);
            let max = path.max_latency.or(it.max_latency).map_or(u64::MAX, Duration::as_millis);
            let answers = faults.answers(&place, Plane::Data, scene.at);
            let good = answers && LATENCY_MS <= max;
            healthy += usize::from(good);
            let (latency, loss) = if answers { (json!(LATENCY_MS), 0) } else { (Value::Null, 100) };
            let found = json!({"healthy": good, "latency_ms": latency, "loss_percent": loss});
            paths.insert(path.name.clone(), found);
        }
        let needed = it.min_healthy.map_or(it.paths.len(), |needed| needed as usize);
        if healthy < needed {
            return Err(unhealthy(format!("{healthy} of {needed} paths are healthy")));
        }
        Ok(json!({"paths": paths, "healthy": healthy, "latency_ms": LATENCY_MS, "loss_percent": 0}))
    })
}
