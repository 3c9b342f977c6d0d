//! Steps of the components that say whether a site serves.

use serde_json::{Value, json};

use super::part::{Direction, Part, Side};
use super::stages::Stage;
use crate::model::component::{Alarms, HttpEndpoint};
use crate::model::runbook::Strategy;

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
        // Each of them gets a share of the users, so each must be well: a second loss is told here.
        healthy["retry"] = json!({"attempts": 3, "backoff": "1s"});
        part.step(Stage::Assess, "ready", healthy);
        let mut serving = check("users are served by the others", &each);
        serving["for_each"] = "{{ survivors }}".into();
        part.step(Stage::Validate, "validate", serving);
        return;
    }
    let to = look(part, Side::To);
    // What says that a site serves is no measure of one that only waits: its data takes no writes yet.
    if let Some(url) = &endpoint.standby_url
        && part.setting.strategy == Strategy::WarmStandby
    {
        let with = json!({"url": part.at(Side::To, "standby_url", url)});
        part.step(Stage::Assess, "ready", check("is the standby healthy?", &with));
    }
    let mut verify = check("the new site answers", &to);
    verify["verify"] =
        json!([{"uses": "http.check", "with": to, "within": "2m", "every": "2s", "consecutive": 3}]);
    part.step(Stage::Verify, "verify", verify);
    let public = endpoint.public_url.as_ref().map_or(to, |url| json!({"url": url}));
    part.step(Stage::Validate, "validate", check("users are served", &public));
}

pub(super) fn alarms(alarms: &Alarms, part: &mut Part<'_>) {
    let everywhere = part.is_active_active() && part.direction == Direction::Failover;
    let (side, stage) = if everywhere { (Side::Item, Stage::Validate) } else { (Side::To, Stage::Verify) };
    let with = json!({"region": side.region(), "names": part.at(side, "names", &alarms.names),
                      "allow_insufficient_data": true});
    let mut quiet = json!({"name": "no alarm rings", "uses": "aws.cloudwatch.check_alarms", "with": with,
                           "retry": {"attempts": 10, "backoff": "5s", "max_backoff": "15s"}});
    if everywhere {
        quiet["for_each"] = "{{ survivors }}".into();
    }
    part.step(stage, "quiet", quiet);
}
