//! Steps of the components that take work in by themselves: stopped with the old site's writers, started once
//! data is writable.

use serde_json::{Value, json};

use super::compute::program;
use super::part::{Direction, Part, Side};
use super::stages::Stage;
use crate::model::component::{CronJobs, EventSource, ProgramScheduler};

pub(super) fn event_source(it: &EventSource, part: &mut Part<'_>) {
    consumers(part, &|part, side, on| {
        json!({"uses": "aws.lambda.set_event_source", "undo": "auto", "drill": "skip",
               "with": {"region": side.region(), "enabled": on,
                        "mapping_id": part.at(side, "mapping_id", &it.mapping_id)}})
    });
}

pub(super) fn cronjobs(it: &CronJobs, part: &mut Part<'_>) {
    consumers(part, &|part, side, on| {
        let mut with = json!({"context": part.at(side, "context", &it.context), "namespace": it.namespace,
                              "suspend": !on});
        if let Some(kubeconfig) = &it.kubeconfig {
            with["kubeconfig"] = kubeconfig.as_str().into();
        }
        if !it.names.is_empty() {
            with["names"] = json!(it.names);
        }
        if !it.selector.is_empty() {
            with["selector"] = json!(it.selector);
        }
        if !on {
            with["wait_for_jobs"] = true.into();
        }
        json!({"uses": "kubernetes.suspend_cronjobs", "undo": "auto", "drill": "skip", "with": with})
    });
}

pub(super) fn scheduler(it: &ProgramScheduler, part: &mut Part<'_>) {
    consumers(part, &|part, side, on| Value::Object(program(part, side, on, (&it.start, &it.stop))));
}

fn consumers(part: &mut Part<'_>, set: &dyn Fn(&mut Part<'_>, Side, bool) -> Value) {
    let returns = part.direction == Direction::Failback;
    if !(part.is_active_active() && returns) {
        let mut stop = set(part, Side::From, false);
        stop["name"] = "stop the old site's consumers".into();
        part.step_on(Side::From, Stage::Fence, "fence", stop);
    }
    // Where every site serves, the others consume already.
    if !part.is_active_active() || returns {
        let mut start = set(part, Side::To, true);
        start["name"] = "start the consumers".into();
        part.step_on(Side::To, Stage::Enable, "enable", start);
    }
}
