//! Steps of the components that run the service, and of those that take work in by themselves.

use serde_json::{Value, json};

use super::part::{Direction, Part, Side};
use super::stages::Stage;
use crate::model::component::{AutoscalingGroup, Capacity, EcsService, EventSource};

/// A component of any kind that has a size.
struct Sized<'a> {
    uses: &'static str,
    capacity: &'a Capacity,
    writes: bool,
}

pub(super) fn ecs(service: &EcsService, part: &mut Part<'_>) {
    let sized =
        Sized { uses: "aws.ecs.set_desired_count", capacity: &service.capacity, writes: service.writes };
    sized.steps(part, &|part, side, size| {
        json!({"region": side.region(), "cluster": part.at(side, "cluster", &service.cluster),
               "service": part.at(side, "service", &service.service), "desired": size,
               "autoscaling_min": size})
    });
}

pub(super) fn autoscaling(group: &AutoscalingGroup, part: &mut Part<'_>) {
    let sized =
        Sized { uses: "aws.autoscaling.set_capacity", capacity: &group.capacity, writes: group.writes };
    sized.steps(part, &|part, side, size| {
        json!({"region": side.region(), "group": part.at(side, "group", &group.group), "min": size,
               "max": group.max, "desired": size})
    });
}

impl Sized<'_> {
    fn steps(&self, part: &mut Part<'_>, with: &dyn Fn(&mut Part<'_>, Side, &Value) -> Value) {
        let active = &self.capacity.active;
        let zero = Value::from(0);
        let standby = self.capacity.standby.as_ref().unwrap_or(&zero);
        match (part.is_active_active(), part.direction) {
            (false, _) => {
                let grown = with(part, Side::To, active);
                self.grow(part, &grown);
                self.fence(part, with);
                let mut shrink =
                    self.resize("bring the other site back to a standby", &with(part, Side::From, standby));
                shrink["ungraceful"] = "skip".into();
                shrink["on_failure"] = "continue".into();
                part.step(Stage::Cleanup, "shrink", shrink);
            }
            (true, Direction::Failover) => {
                let mut grow = self.resize("make the others larger", &with(part, Side::Item, active));
                grow["for_each"] = "{{ survivors }}".into();
                grow["min_success"] = "50%".into();
                grow["stragglers"] = "run".into();
                grow["undo"] = "auto".into();
                grow["drill"] = "run".into();
                part.step(Stage::Scale, "scale", grow);
                self.fence(part, with);
            }
            (true, Direction::Failback) => {
                let grown = with(part, Side::To, standby);
                self.grow(part, &grown);
                let mut shrink =
                    self.resize("bring the others back to their size", &with(part, Side::Item, standby));
                shrink["for_each"] = "{{ survivors | rejectattr('name', 'equalto', to.name) | list }}".into();
                shrink["on_failure"] = "continue".into();
                part.step(Stage::Cleanup, "shrink", shrink);
            }
        }
    }

    fn resize(&self, name: &str, with: &Value) -> Value {
        json!({"name": name, "uses": self.uses, "with": with, "retry": {"attempts": 3, "backoff": "10s"},
               "drill": "skip"})
    }

    fn grow(&self, part: &mut Part<'_>, with: &Value) {
        let mut grow = self.resize("bring the target to full size", with);
        grow["undo"] = "auto".into();
        grow["drill"] = "run".into();
        part.step(Stage::Scale, "scale", grow);
    }

    fn fence(&self, part: &mut Part<'_>, with: &dyn Fn(&mut Part<'_>, Side, &Value) -> Value) {
        if self.writes {
            let stopped = with(part, Side::From, &0.into());
            let mut fence = self.resize("stop the old site's writers", &stopped);
            fence["undo"] = "auto".into();
            part.step(Stage::Fence, "fence", fence);
        }
    }
}

pub(super) fn event_source(source: &EventSource, part: &mut Part<'_>) {
    let set = |part: &mut Part<'_>, name: &str, side: Side, enabled: bool| {
        json!({"name": name, "uses": "aws.lambda.set_event_source", "undo": "auto", "drill": "skip",
               "with": {"region": side.region(), "enabled": enabled,
                        "mapping_id": part.at(side, "mapping_id", &source.mapping_id)}})
    };
    let returns = part.direction == Direction::Failback;
    if !(part.is_active_active() && returns) {
        let stop = set(part, "stop the old site's consumers", Side::From, false);
        part.step(Stage::Fence, "fence", stop);
    }
    // Where every site serves, the others consume already.
    if !part.is_active_active() || returns {
        let start = set(part, "start the consumers", Side::To, true);
        part.step(Stage::Enable, "enable", start);
    }
}
