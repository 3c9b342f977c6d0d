//! A plan as the rules of a policy read it: plain values with stable names. Holds no secret and no value of
//! a sensitive call.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::diff::view::{Unit, View};
use super::node::{NodeKind, Plan};
use crate::model::action::{Adapter, traits};
use crate::model::expression::Expression;
use crate::model::id::SiteName;
use crate::model::policy::{Approval, NotBy};
use crate::model::run::Mode;
use crate::model::runbook::Runbook;
use crate::model::time::Duration;
use crate::model::values::Site;

/// What `plan` is for a rule. The fields are listed in `model::governance`; what is not there is none.
#[must_use]
pub fn facts(runbook: &Runbook, plan: &Plan) -> Value {
    let view = View::new(plan);
    let chosen =
        |name: &Option<SiteName>| name.as_ref().and_then(|name| Some(site(name, plan.sites.get(name)?)));
    let steps: Vec<Value> = (0..).zip(&view.units).map(|(at, unit)| step(&view, at, unit)).collect();
    let whole = super::whole_tails(&plan.nodes, plan.mode).into_iter().max().unwrap_or_default();
    let readings = plan.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Reading { .. })).count();
    let objectives = plan.objectives;
    let dependencies = runbook.dependencies.iter();
    json!({
        "service": plan.runbook.name,
        "title": plan.runbook.title,
        "owner": plan.runbook.owner,
        "labels": runbook.metadata.labels,
        "strategy": plan.strategy,
        "operation": plan.operation,
        "mode": plan.mode,
        "intent": plan.intent,
        "from": chosen(&plan.from),
        "to": chosen(&plan.to),
        "sites": plan.sites.iter().map(|(name, it)| site(name, it)).collect::<Vec<_>>(),
        "objectives": {
            "rto": objectives.rto.map(seconds), "rpo": objectives.rpo.map(seconds), "mtd": objectives.mtd.map(seconds)
        },
        "residency": runbook.residency.as_ref().map(|residency| residency.allow.clone()),
        "estimate": seconds(view.estimate),
        "whole_estimate": seconds(whole),
        "steps": steps,
        "actions": plan.actions(),
        "point_of_no_return": view.point_of_no_return().and_then(|at| view.unit(at)).map(|unit| unit.id),
        "readings": readings,
        "secrets": plan.secrets.keys().collect::<Vec<_>>(),
        "parameters": plan.parameters,
        "dependencies": dependencies.map(|it| json!({"kind": it.kind, "name": it.name, "site": it.site}))
            .collect::<Vec<_>>(),
        "accepted": runbook.accept.iter().map(|accept| accept.code.clone()).collect::<BTreeSet<_>>(),
    })
}

fn site(name: &SiteName, site: &Site) -> Value {
    json!({
        "name": name, "role": site.role, "provider": site.provider, "region": site.region,
        "account": site.account, "jurisdiction": site.jurisdiction, "failure_domain": site.failure_domain,
        "url": site.url, "cost_weight": site.cost_weight,
    })
}

fn step(view: &View<'_>, at: usize, unit: &Unit<'_>) -> Value {
    let main = unit.main;
    // A step that is left out in this mode is described by what it would do.
    let call = unit.call(view.mode()).or_else(|| unit.call(Mode::Graceful));
    let spec = call.map(|call| call.action.spec());
    let own = match &main.kind {
        NodeKind::Approval { approval } => Some(approval),
        _ => unit.approval,
    };
    let with = call.filter(|call| !call.sensitive).map_or_else(Map::new, |call| call.with.clone());
    json!({
        "id": unit.id,
        "name": main.title,
        "phase": main.phase,
        "action": call.map(|call| call.action),
        "with": with,
        "role": spec.map(|spec| spec.role),
        "effect": call.map(|call| traits::effect(call.action, &call.with)),
        "plane": spec.map(|spec| spec.plane),
        "simulated_only": spec.is_some_and(|spec| spec.adapter == Adapter::SimulatedOnly),
        "reversibility": main.reversibility,
        "irreversible": unit.is_irreversible(),
        "undo": main.undo.is_some(),
        "doubt": call.map(|call| traits::doubt(call.action, &call.with)),
        "timeout": seconds(main.timeout),
        "deadline": main.deadline.map(seconds),
        "estimate": seconds(main.estimate),
        "attempts": main.retry.attempts,
        "on_failure": main.on_failure,
        "prechecks": unit.prechecks.len(),
        "verifies": unit.verifies.len(),
        "approval": own.map(approval),
        "when": main.when.as_ref().map(Expression::as_str),
        "skipped": unit.is_skipped(view.mode()),
        "before_gate": view.is_before_gate(at).unwrap_or(false),
        "items": unit.items,
        "needs": view.needs(unit),
    })
}

fn approval(approval: &Approval) -> Value {
    json!({
        "roles": approval.roles,
        "quorum": approval.quorum,
        "expires": approval.expires.map(seconds),
        "on_expiry": approval.on_expiry,
        "not_by_starter": approval.not_by.contains(&NotBy::Starter),
    })
}

/// Whole seconds where that is exact.
fn seconds(time: Duration) -> Value {
    let millis = time.as_millis();
    if millis.is_multiple_of(1000) {
        json!(millis / 1000)
    } else {
        #[expect(clippy::cast_precision_loss, reason = "a time of 285,000 years is exact to the millisecond")]
        let seconds = millis as f64 / 1000.0;
        json!(seconds)
    }
}
