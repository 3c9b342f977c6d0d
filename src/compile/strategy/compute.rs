//! Steps of the components that run the service.

use serde_json::{Map, Value, json};

use super::part::{Direction, Part, Side};
use super::stages::Stage;
use crate::model::component::{
    AutoscalingGroup, Capacity, EcsService, InstanceGroup, NodeGroup, ProgramService, ScaleSet, SiteValue,
    Workload,
};

/// A component of any kind that has a size.
struct Sized<'a> {
    uses: &'static str,
    capacity: &'a Capacity,
    /// Name of the parameter that says how much is enough to go on.
    enough: &'static str,
    writes: bool,
}

pub(super) fn ecs(it: &EcsService, part: &mut Part<'_>) {
    let sized = Sized {
        uses: "aws.ecs.set_desired_count",
        capacity: &it.capacity,
        enough: "min_success",
        writes: it.writes,
    };
    sized.steps(part, &|part, side, size| {
        json!({"region": side.region(), "cluster": part.at(side, "cluster", &it.cluster),
               "service": part.at(side, "service", &it.service), "desired": size, "autoscaling_min": size})
    });
}

pub(super) fn autoscaling(it: &AutoscalingGroup, part: &mut Part<'_>) {
    let sized = Sized {
        uses: "aws.autoscaling.set_capacity",
        capacity: &it.capacity,
        enough: "min_success",
        writes: it.writes,
    };
    sized.steps(part, &|part, side, size| {
        json!({"region": side.region(), "group": part.at(side, "group", &it.group), "min": size,
               "max": it.max, "desired": size})
    });
}

pub(super) fn nodegroup(it: &NodeGroup, part: &mut Part<'_>) {
    let sized = Sized {
        uses: "aws.eks.scale_nodegroup",
        capacity: &it.capacity,
        enough: "min_success",
        writes: false,
    };
    sized.steps(part, &|part, side, size| {
        json!({"region": side.region(), "cluster": part.at(side, "cluster", &it.cluster),
               "nodegroup": part.at(side, "nodegroup", &it.nodegroup), "min": size, "max": it.max,
               "desired": size})
    });
}

pub(super) fn workload(it: &Workload, part: &mut Part<'_>) {
    let sized =
        Sized { uses: "kubernetes.scale", capacity: &it.capacity, enough: "min_ready", writes: it.writes };
    sized.steps(part, &|part, side, size| {
        let mut with = json!({"context": part.at(side, "context", &it.context), "namespace": it.namespace,
                              "kind": it.workload, "name": it.name, "replicas": size});
        given(&mut with, "kubeconfig", it.kubeconfig.as_ref());
        given(&mut with, "autoscaler", it.autoscaler.as_ref());
        with
    });
}

pub(super) fn scale_set(it: &ScaleSet, part: &mut Part<'_>) {
    let sized = Sized {
        uses: "azure.vmss.set_capacity",
        capacity: &it.capacity,
        enough: "min_success",
        writes: it.writes,
    };
    sized.steps(part, &|part, side, size| {
        let mut with = json!({"subscription_id": it.subscription_id, "region": side.region(),
                              "resource_group": part.at(side, "resource_group", &it.resource_group),
                              "scale_set": part.at(side, "scale_set", &it.scale_set), "capacity": size});
        given(&mut with, "autoscale_setting", it.autoscale_setting.as_ref());
        with
    });
}

pub(super) fn instance_group(it: &InstanceGroup, part: &mut Part<'_>) {
    let sized = Sized {
        uses: "gcp.compute.resize",
        capacity: &it.capacity,
        enough: "min_success",
        writes: it.writes,
    };
    sized.steps(part, &|part, side, size| {
        let mut with = json!({"project": it.project, "region": side.region(),
                              "group": part.at(side, "group", &it.group), "size": size});
        if let Some(zone) = &it.zone {
            with["zone"] = part.at(side, "zone", zone);
        }
        given(&mut with, "autoscaler", it.autoscaler.as_ref());
        with
    });
}

fn given(with: &mut Value, key: &str, value: Option<&String>) {
    if let Some(value) = value {
        with[key] = value.as_str().into();
    }
}

impl Sized<'_> {
    fn steps(&self, part: &mut Part<'_>, with: &dyn Fn(&mut Part<'_>, Side, &Value) -> Value) {
        let active = &self.capacity.active;
        let zero = Value::from(0);
        let own = self.capacity.standby.as_ref();
        let full = |part: &mut Part<'_>, side| self.at_least(with(part, side, active));
        let standby = own.unwrap_or(&zero);
        match (part.is_active_active(), part.direction) {
            (false, _) => {
                let grown = full(part, Side::To);
                self.grow(part, &grown);
                self.fence(part, with);
                let mut shrink =
                    self.resize("bring the other site back to a standby", &with(part, Side::From, standby));
                shrink["ungraceful"] = "skip".into();
                shrink["on_failure"] = "continue".into();
                part.step_on(Side::From, Stage::Cleanup, "shrink", shrink);
            }
            (true, Direction::Failover) => {
                let mut grow = self.resize("make the others larger", &full(part, Side::Item));
                grow["for_each"] = "{{ survivors }}".into();
                grow["min_success"] = "50%".into();
                grow["stragglers"] = "run".into();
                grow["undo"] = "auto".into();
                grow["drill"] = "run".into();
                part.step_on(Side::Item, Stage::Scale, "scale", grow);
                self.fence(part, with);
            }
            (true, Direction::Failback) => {
                // A site that serves its part of the users has no other size unless its author gives it.
                let grown = with(part, Side::To, own.unwrap_or(active));
                self.grow(part, &grown);
                let Some(usual) = own else { return };
                let mut shrink =
                    self.resize("bring the others back to their size", &with(part, Side::Item, usual));
                shrink["for_each"] = "{{ survivors | rejectattr('name', 'equalto', to.name) | list }}".into();
                shrink["on_failure"] = "continue".into();
                part.step_on(Side::Item, Stage::Cleanup, "shrink", shrink);
            }
        }
    }

    /// Adds how much is enough to go on.
    fn at_least(&self, mut with: Value) -> Value {
        if let Some(enough) = &self.capacity.enough {
            with[self.enough] = enough.clone();
        }
        with
    }

    fn resize(&self, name: &str, with: &Value) -> Value {
        json!({"name": name, "uses": self.uses, "with": with, "retry": {"attempts": 3, "backoff": "10s"},
               "drill": "skip"})
    }

    fn grow(&self, part: &mut Part<'_>, with: &Value) {
        let mut grow = self.resize("bring the target to full size", with);
        grow["undo"] = "auto".into();
        grow["drill"] = "run".into();
        part.step_on(Side::To, Stage::Scale, "scale", grow);
    }

    fn fence(&self, part: &mut Part<'_>, with: &dyn Fn(&mut Part<'_>, Side, &Value) -> Value) {
        if self.writes {
            let stopped = with(part, Side::From, &0.into());
            let mut fence = self.resize("stop the old site's writers", &stopped);
            fence["undo"] = "auto".into();
            part.step_on(Side::From, Stage::Fence, "fence", fence);
        }
    }
}

pub(super) fn program_service(it: &ProgramService, part: &mut Part<'_>) {
    let run = |part: &mut Part<'_>, side, start: bool| program(part, side, start, (&it.start, &it.stop));
    let returns = part.direction == Direction::Failback;
    if !part.is_active_active() || returns {
        let mut start = run(part, Side::To, true);
        start.insert("name".to_owned(), "start the service".into());
        start.insert("drill".to_owned(), "run".into());
        part.step_on(Side::To, Stage::Scale, "start", Value::Object(start));
    }
    if part.is_active_active() && returns {
        return;
    }
    let mut stop = run(part, Side::From, false);
    stop.insert("name".to_owned(), "stop the service in the old site".into());
    if it.writes {
        part.step_on(Side::From, Stage::Fence, "fence", Value::Object(stop));
    } else {
        stop.insert("ungraceful".to_owned(), "skip".into());
        stop.insert("on_failure".to_owned(), "continue".into());
        part.step_on(Side::From, Stage::Cleanup, "stop", Value::Object(stop));
    }
}

/// Runs one of two programs; the other one takes it back.
pub(super) fn program(
    part: &mut Part<'_>,
    side: Side,
    start: bool,
    (starts, stops): (&SiteValue, &SiteValue),
) -> Map<String, Value> {
    let starts = json!({"argv": part.at(side, "start", starts), "idempotent": true});
    let stops = json!({"argv": part.at(side, "stop", stops), "idempotent": true});
    let (with, back) = if start { (starts, stops) } else { (stops, starts) };
    let step = json!({"uses": "command.run", "with": with, "undo": {"uses": "command.run", "with": back}, "undo_after_failure": true,
                      "retry": {"attempts": 3, "backoff": "2s"}, "drill": "skip"});
    let Value::Object(step) = step else { return Map::new() };
    step
}
