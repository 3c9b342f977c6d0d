//! Steps of the components that send users to a site, and of those that say whether it serves.

use serde_json::{Map, Value, json};

use super::part::{Direction, Part, Side};
use super::stages::Stage;
use crate::model::component::{HttpEndpoint, RoutingControls, WeightedRecords};
use crate::model::runbook::Strategy;

pub(super) fn routing_controls(routing: &RoutingControls, part: &mut Part<'_>) {
    for serving in routing.controls.keys() {
        let state = |site| if site == serving { "on" } else { "off" };
        let states: Map<String, Value> =
            routing.controls.iter().map(|(site, control)| (control.clone(), state(site).into())).collect();
        part.keep(serving, "controls", Value::Object(states));
    }
    let with =
        json!({"cluster_endpoints": routing.cluster_endpoints, "controls": part.kept(Side::To, "controls")});
    part.step(
        Stage::Shift,
        "shift",
        json!({"name": "send the users to the new site", "uses": "aws.arc.set_routing_controls",
               "with": with, "undo": "auto", "retry": {"attempts": 5, "backoff": "2s"}, "drill": "skip"}),
    );
}

pub(super) fn weighted_records(records: &WeightedRecords, part: &mut Part<'_>) {
    let mut with =
        json!({"zone_id": records.zone_id, "name": records.name, "record_type": records.record_type});
    let retry = json!({"attempts": 5, "backoff": "5s", "max_backoff": "30s"});
    let staged = json!([5, 25, 50, 100]);
    if let Some(pause) = records.stage_pause.filter(|_| part.is_active_active()) {
        with["stage_pause"] = pause.to_string().into();
    }
    let step = match (part.is_active_active(), part.direction) {
        (false, _) => {
            for serving in records.weights.keys() {
                let weight = |site, weight: &u8| if site == serving { *weight } else { 0 };
                let weights: Map<String, Value> = (records.weights.iter())
                    .map(|(site, own)| (site.to_string(), weight(site, own).into()))
                    .collect();
                part.keep(serving, "weights", Value::Object(weights));
            }
            with["weights"] = part.kept(Side::To, "weights");
            json!({"name": "send the users to the new site", "uses": "aws.route53.set_weights", "with": with})
        }
        (true, Direction::Failover) => {
            with["site"] = "{{ from.name }}".into();
            with["stages"] = staged;
            json!({"name": "take the users away from the site", "uses": "aws.route53.drain_site", "with": with,
                   "ungraceful": {"with": {"stages": [100]}}})
        }
        (true, Direction::Failback) => {
            with["weights"] = json!(records.weights);
            with["stages"] = staged;
            json!({"name": "give the site its users back", "uses": "aws.route53.set_weights", "with": with})
        }
    };
    let mut step = step;
    step["undo"] = "auto".into();
    step["retry"] = retry;
    step["drill"] = "skip".into();
    part.step(Stage::Shift, "shift", step);
}

pub(super) fn http_endpoint(endpoint: &HttpEndpoint, part: &mut Part<'_>) {
    let look = |part: &mut Part<'_>, side: Side| {
        let mut with = json!({"url": part.at(side, "url", &endpoint.url)});
        if let Some(latency) = endpoint.max_latency {
            with["max_latency"] = latency.to_string().into();
        }
        with
    };
    let check = |name: &str, with: &Value| {
        json!({"name": name, "uses": "http.check", "with": with,
               "retry": {"attempts": 10, "backoff": "3s", "max_backoff": "15s"}})
    };
    let everywhere = part.is_active_active() && part.direction == Direction::Failover;
    if everywhere {
        let each = look(part, Side::Item);
        let mut healthy = check("are the others healthy?", &each);
        healthy["for_each"] = "{{ survivors }}".into();
        healthy["min_success"] = 1.into();
        healthy["retry"] = json!({"attempts": 3, "backoff": "1s"});
        part.step(Stage::Assess, "ready", healthy);
        let mut serving = check("users are served by the others", &each);
        serving["for_each"] = "{{ survivors }}".into();
        part.step(Stage::Validate, "validate", serving);
        return;
    }
    let to = look(part, Side::To);
    // Where nothing runs yet, nothing can answer.
    if part.setting.strategy == Strategy::WarmStandby {
        part.step(Stage::Assess, "ready", check("is the standby healthy?", &to));
    }
    let mut verify = check("the new site answers", &to);
    verify["verify"] =
        json!([{"uses": "http.check", "with": to, "within": "2m", "every": "2s", "consecutive": 3}]);
    part.step(Stage::Verify, "verify", verify);
    let public = endpoint.public_url.as_ref().map_or(to, |url| json!({"url": url}));
    part.step(Stage::Validate, "validate", check("users are served", &public));
}
