//! Steps of the links between sites.

use serde_json::{Value, json};

use super::part::Part;
use super::stages::Stage;
use crate::model::component::{Link, Way};

pub(super) fn link(link: &Link, part: &mut Part<'_>) {
    let way = |way: &Way| {
        let mut path = json!({"name": way.name, "address": way.address});
        if let Some(source) = &way.source {
            path["source"] = source.as_str().into();
        }
        path
    };
    let mut with = json!({"paths": [way(&link.primary), way(&link.standby)], "min_healthy": 1});
    if let Some(latency) = link.max_latency {
        with["max_latency"] = latency.to_string().into();
    }
    if let Some(loss) = link.max_loss_percent {
        with["max_loss_percent"] = loss.into();
    }
    part.step(
        Stage::Assess,
        "paths",
        json!({"name": "a path to the other side works", "uses": "network.check_path", "with": with,
               "retry": {"attempts": 3, "backoff": "2s"}}),
    );
    part.step(
        Stage::Scale,
        "path",
        json!({"name": "use the path that works", "uses": "network.switch_route",
               "with": switch(link, &part.step_id("paths")), "undo": "auto",
               "retry": {"attempts": 3, "backoff": "5s"}, "drill": "skip"}),
    );
}

/// The primary path while it works, else the other one.
fn switch(link: &Link, check: &str) -> Value {
    let route = |way: &Way| way.route.clone().unwrap_or_else(|| way.name.clone());
    let (primary, standby) = (route(&link.primary), route(&link.standby));
    let works = format!("steps['{check}'].outputs.paths['{}'].healthy", link.primary.name);
    let mut with = json!({"method": link.method,
                          "to": format!("{{{{ '{primary}' if {works} else '{standby}' }}}}")});
    for (key, list) in [
        ("switch_command", &link.switch_command),
        ("current_command", &link.current_command),
        ("route_table_ids", &link.route_table_ids),
        ("destinations", &link.destinations),
    ] {
        if !list.is_empty() {
            with[key] = json!(list);
        }
    }
    if let Some(region) = &link.region {
        with["region"] = region.as_str().into();
    }
    with
}
