//! Steps of the components that send users to a site. Plain records are in `dns`.

use serde_json::{Map, Value, json};

use super::part::{Direction, Part, Side, at_of};
use super::stages::Stage;
use crate::model::component::{
    FailoverRecord, HealthChecks, RoutingControls, SiteValue, TrafficManager, WeightedRecords,
};

/// Shares of a site's users that a planned move reaches one after the other, in percent.
const STAGES: [u16; 3] = [5, 25, 50];

pub(super) fn routing_controls(routing: &RoutingControls, part: &mut Part<'_>) {
    for serving in routing.controls.sites() {
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
    match (part.is_active_active(), part.direction) {
        (false, _) => {
            for serving in records.weights.sites() {
                let weights = weights(records, |site, own| if site == serving.as_str() { own } else { 0 });
                part.keep(serving, "weights", weights);
            }
            let name = "send the users to the new site";
            let step =
                change(records, name, "aws.route53.set_weights", "weights", part.kept(Side::To, "weights"));
            part.step(Stage::Shift, "shift", step);
        }
        (true, Direction::Failover) => drain(records, part),
        (true, Direction::Failback) => readmit(records, part),
    }
}

/// The weight of every site.
fn weights(records: &WeightedRecords, weight: impl Fn(&str, u8) -> u8) -> Value {
    let weights = records.weights.iter();
    let weights = weights.map(|(site, own)| (site.to_string(), weight(site.as_str(), *own).into()));
    Value::Object(weights.collect())
}

/// The others share the site's weight in proportion: at once when the site is lost, else step by step for as
/// long as they stay healthy.
fn drain(records: &WeightedRecords, part: &mut Part<'_>) {
    let name = "take the users away from the site";
    let drain = |stages: Value| {
        let mut step = change(records, name, "aws.route53.drain_site", "site", "{{ from.name }}".into());
        step["with"]["stages"] = stages;
        step
    };
    if part.setting.endpoints.is_empty() {
        let mut only = drain(json!([5, 25, 50, 100]));
        if let Some(pause) = records.stage_pause {
            only["with"]["stage_pause"] = pause.to_string().into();
        }
        only["ungraceful"] = json!({"with": {"stages": [100]}});
        return part.step(Stage::Shift, "shift", only);
    }
    let (mut needs, mut gone) = (Vec::new(), 0);
    for stage in STAGES {
        // A stage takes its part of what the one before has left.
        let mut step = drain(json!([(stage - gone) * 100 / (100 - gone)]));
        step["name"] = format!("take {stage} % of the users away from the site").into();
        step["ungraceful"] = "skip".into();
        needs = held(part, step, stage, (Side::Item, Some("{{ survivors }}")), &needs);
        gone = stage;
    }
    let mut last = drain(json!([100]));
    last["needs"] = json!(needs);
    part.step(Stage::Shift, "shift", last);
}

/// The site gets its users back step by step, for as long as it stays healthy.
fn readmit(records: &WeightedRecords, part: &mut Part<'_>) {
    let name = "give the site its users back";
    let uses = "aws.route53.set_weights";
    if part.setting.endpoints.is_empty() {
        let all = weights(records, |_, own| own);
        let mut only = change(records, name, uses, "weights", all);
        only["with"]["stages"] = json!([5, 25, 50, 100]);
        if let Some(pause) = records.stage_pause {
            only["with"]["stage_pause"] = pause.to_string().into();
        }
        return part.step(Stage::Shift, "shift", only);
    }
    let mut needs = Vec::new();
    for stage in STAGES {
        let field = format!("weights_{stage}");
        for back in records.weights.sites() {
            part.keep(back, &field, readmitting(records, back.as_str(), stage));
        }
        let mut step = change(records, name, uses, "weights", part.kept(Side::To, &field));
        step["name"] = format!("give the site {stage} % of its users back").into();
        needs = held(part, step, stage, (Side::To, None), &needs);
    }
    let mut last = change(records, name, uses, "weights", weights(records, |_, own| own));
    last["needs"] = json!(needs);
    part.step(Stage::Shift, "shift", last);
}

/// The weights with which a site has so many percent of the users that its own weight stands for; the others
/// share the rest as ever. They fill the whole range of weights, so that small ones can be told apart too.
fn readmitting(records: &WeightedRecords, back: &str, stage: u16) -> Value {
    let (stage, all) = (u64::from(stage), records.weights.iter());
    let sum: u64 = all.map(|(_, own)| u64::from(*own)).sum();
    let own: u64 =
        records.weights.iter().filter(|(site, _)| site.as_str() == back).map(|(_, it)| u64::from(*it)).sum();
    let part = |site: &str, weight: u8| {
        let of_all = if site == back { stage * (sum - own) } else { 100 * sum - stage * own };
        u64::from(weight) * of_all
    };
    let largest =
        records.weights.iter().map(|(site, own)| part(site.as_str(), *own)).max().unwrap_or(1).max(1);
    weights(records, |site, own| {
        let scaled = (part(site, own) * u64::from(u8::MAX) + largest / 2) / largest;
        // Who has a weight keeps one; where nobody else has any, the site has all users at once.
        u8::try_from(scaled).unwrap_or(u8::MAX).max(u8::from(own > 0))
    })
}

/// Adds a stage and the checks that hold it; returns what the next one waits for.
fn held(
    part: &mut Part<'_>,
    mut step: Value,
    stage: u16,
    (side, each): (Side, Option<&str>),
    needs: &[String],
) -> Vec<String> {
    let verb = format!("stage-{stage}");
    if !needs.is_empty() {
        step["needs"] = json!(needs);
    }
    let skips = step.get("ungraceful").cloned();
    part.step(Stage::Shift, &verb, step);
    let waits = part.step_id(&verb);
    let endpoints: Vec<(String, SiteValue)> = part
        .setting
        .endpoints
        .iter()
        .map(|(id, endpoint)| ((*id).to_owned(), endpoint.url.clone()))
        .collect();
    let mut holds = Vec::new();
    for (id, url) in endpoints {
        let with = json!({"url": at_of(&id, side, "url", &url)});
        let mut hold = json!({
            "name": format!("{id} stays healthy"), "uses": "http.check", "with": with, "needs": [waits],
            "verify": [{"uses": "http.check", "with": with, "within": "5m", "every": "10s", "consecutive": 6}],
        });
        if let Some(each) = each {
            hold["for_each"] = each.into();
        }
        if let Some(skips) = &skips {
            hold["ungraceful"] = skips.clone();
        }
        let verb = format!("hold-{stage}-{id}");
        holds.push(part.step_id(&verb));
        part.step(Stage::Shift, &verb, hold);
    }
    holds
}

fn change(records: &WeightedRecords, name: &str, uses: &str, key: &str, value: Value) -> Value {
    let mut step = json!({
        "name": name, "uses": uses,
        "with": {"zone_id": records.zone_id, "name": records.name, "record_type": records.record_type},
        "undo": "auto", "retry": {"attempts": 5, "backoff": "5s", "max_backoff": "30s"}, "drill": "skip",
    });
    step["with"][key] = value;
    step
}

pub(super) fn failover_record(record: &FailoverRecord, part: &mut Part<'_>) {
    let set = |part: &mut Part<'_>, side: Side| match &record.set_identifier {
        Some(identifier) => part.at(side, "set_identifier", identifier),
        None => format!("{{{{ {}.name }}}}", side.word()).into(),
    };
    let with = json!({"zone_id": record.zone_id, "name": record.name, "record_type": record.record_type,
                      "primary": set(part, Side::To), "secondary": set(part, Side::From)});
    part.step(
        Stage::Shift,
        "shift",
        json!({"name": "send the users to the new site", "uses": "aws.route53.set_failover", "with": with,
               "undo": "auto", "retry": {"attempts": 5, "backoff": "5s", "max_backoff": "30s"},
               "drill": "skip"}),
    );
}

pub(super) fn traffic_manager(profile: &TrafficManager, part: &mut Part<'_>) {
    exchange(part, &|part, side, serves| {
        json!({"uses": "azure.traffic_manager.set_endpoint",
               "with": {"subscription_id": profile.subscription_id, "resource_group": profile.resource_group,
                        "profile": profile.profile, "endpoint_type": profile.endpoint_type,
                        "endpoint": part.at(side, "endpoint", &profile.endpoint), "enabled": serves}})
    });
}

pub(super) fn health_checks(checks: &HealthChecks, part: &mut Part<'_>) {
    exchange(part, &|part, side, serves| {
        json!({"uses": "aws.route53.set_health_check",
               "with": {"health_check_id": part.at(side, "health_check_id", &checks.health_check_id),
                        "healthy": serves}})
    });
}

/// The new site first, then the old one, so that users always have somewhere to go.
fn exchange(part: &mut Part<'_>, set: &dyn Fn(&mut Part<'_>, Side, bool) -> Value) {
    let set = |part: &mut Part<'_>, name: &str, side: Side, serves: bool| {
        let mut step = set(part, side, serves);
        step["name"] = name.into();
        step["undo"] = "auto".into();
        step["drill"] = "skip".into();
        step["retry"] = json!({"attempts": 5, "backoff": "5s", "max_backoff": "30s"});
        step
    };
    let returns = part.direction == Direction::Failback;
    let enters = !part.is_active_active() || returns;
    if enters {
        let shift = set(part, "send users to the new site", Side::To, true);
        part.step(Stage::Shift, "shift", shift);
    }
    if !(part.is_active_active() && returns) {
        let mut leave = set(part, "send no users to the old site", Side::From, false);
        if enters {
            leave["needs"] = json!([part.step_id("shift")]);
        }
        part.step(Stage::Shift, "leave", leave);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(of: &[u8]) -> WeightedRecords {
        let weights: Map<String, Value> =
            of.iter().enumerate().map(|(at, weight)| (format!("s{at}"), (*weight).into())).collect();
        serde_json::from_value(
            json!({"zone_id": "Z", "name": "x.example.com", "record_type": "A", "weights": weights}),
        )
        .unwrap()
    }

    /// The part of all users that a site has.
    fn share(weights: &Value, site: &str) -> f64 {
        let sum: f64 = weights.as_object().unwrap().values().map(|it| it.as_f64().unwrap()).sum();
        weights[site].as_f64().unwrap() / sum
    }

    proptest! {
        #[test]
        fn a_site_gets_so_many_percent_of_its_users_back(of in prop::collection::vec(1_u8.., 2..5)) {
            let records = records(&of);
            let full = weights(&records, |_, own| own);
            for stage in STAGES {
                let staged = readmitting(&records, "s0", stage);
                let wanted = share(&full, "s0") * f64::from(stage) / 100.0;
                let found = share(&staged, "s0");
                prop_assert!((found - wanted).abs() < 0.012, "{of:?} at {stage}: {staged} {found} {wanted}");
                // The others keep their proportions.
                let rest = 1.0 - found;
                for site in (1..of.len()).map(|at| format!("s{at}")) {
                    let wanted = share(&full, &site) / (1.0 - share(&full, "s0"));
                    let found = share(&staged, &site) / rest;
                    prop_assert!((found - wanted).abs() < 0.02, "{of:?} at {stage}: {staged} {site}");
                }
            }
        }
    }

    #[test]
    fn whoever_has_no_weight_gets_none_and_one_alone_has_everybody() {
        let staged = readmitting(&records(&[1, 0, 1]), "s0", 50);
        assert_eq!(staged, json!({"s0": 85, "s1": 0, "s2": 255}));
        assert_eq!(readmitting(&records(&[7, 0]), "s0", 5), json!({"s0": 1, "s1": 0}));
        assert_eq!(readmitting(&records(&[0, 7]), "s0", 5), json!({"s0": 0, "s1": 255}));
    }
}
