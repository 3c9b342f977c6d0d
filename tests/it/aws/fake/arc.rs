//! Routing controls with their five endpoints, told apart by the region that signs, and Region switch, whose
//! executions move on with each look.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Fake, Request, Response};

/// Regions of the five endpoints.
pub(crate) const REGIONS: [&str; 5] =
    ["us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2"];
/// The rule that keeps one control on.
pub(crate) const RULE: &str =
    "arn:aws:route53-recovery-control::111122223333:controlpanel/p/safetyrule/one-on";
/// The one plan.
pub(crate) const PLAN: &str = "arn:aws:arc-region-switch::111122223333:plan/payments:abc123";

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) controls: BTreeMap<String, String>,
    /// Regions whose endpoint is temporarily unavailable.
    pub(crate) unavailable: Vec<&'static str>,
    /// Executions, newest first.
    pub(crate) executions: Vec<Value>,
    tokens: BTreeMap<String, String>,
    looks: BTreeMap<String, usize>,
    /// States an execution goes through.
    pub(crate) course: Vec<&'static str>,
}

/// A fake and a hand on its world.
pub(crate) struct FakeArc {
    pub(crate) fake: Fake,
    pub(crate) world: Arc<Mutex<World>>,
}

impl FakeArc {
    /// Starts one whose east is on and west off.
    pub(crate) fn start() -> Self {
        let controls = [("east", "On"), ("west", "Off")].map(|(name, state)| (arn(name), state.to_owned()));
        let course = vec!["pending", "inProgress", "pendingManualApproval", "completed"];
        let world = World { controls: controls.into(), course, ..World::default() };
        let world = Arc::new(Mutex::new(world));
        let served = Arc::clone(&world);
        let fake = Fake::start(Box::new(move |request| served.lock().unwrap().serve(request)));
        Self { fake, world }
    }

    /// The five endpoints.
    pub(crate) fn endpoints(&self) -> Value {
        let url = self.fake.caller().endpoint;
        REGIONS.iter().map(|region| json!({"region": region, "url": url})).collect()
    }

    /// Changes the world.
    pub(crate) fn change(&self, how: impl FnOnce(&mut World)) {
        how(&mut self.world.lock().unwrap());
    }

    /// State of a control.
    pub(crate) fn state(&self, name: &str) -> String {
        self.world.lock().unwrap().controls[&arn(name)].clone()
    }
}

/// ARN of a control.
pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:route53-recovery-control::111122223333:controlpanel/p/routingcontrol/{name}")
}

fn said(value: &Value) -> Response {
    (200, value.to_string())
}

fn refused(status: u16, code: &str, message: &str) -> Response {
    (status, json!({"__type": code, "message": message}).to_string())
}

impl World {
    fn serve(&mut self, it: &Request) -> Response {
        if self.unavailable.contains(&it.region.as_str()) {
            return refused(503, "EndpointTemporarilyUnavailableException", "try another endpoint");
        }
        match it.action.as_str() {
            "GetRoutingControlState" => {
                let arn = it.json["RoutingControlArn"].as_str().unwrap();
                match self.controls.get(arn) {
                    Some(state) => said(&json!({"RoutingControlArn": arn, "RoutingControlState": state})),
                    None => refused(404, "ResourceNotFoundException", "no such routing control"),
                }
            }
            "UpdateRoutingControlStates" => self.update(&it.json),
            "StartPlanExecution" => self.execute(&it.json),
            "ListPlanExecutions" => said(&json!({"items": self.executions})),
            "GetPlanExecution" => self.look(&it.json),
            other => refused(400, "UnknownOperationException", other),
        }
    }

    fn update(&mut self, order: &Value) -> Response {
        let mut after = self.controls.clone();
        for entry in order["UpdateRoutingControlStateEntries"].as_array().unwrap() {
            let arn = entry["RoutingControlArn"].as_str().unwrap();
            if !after.contains_key(arn) {
                return refused(404, "ResourceNotFoundException", "no such routing control");
            }
            after.insert(arn.to_owned(), entry["RoutingControlState"].as_str().unwrap().to_owned());
        }
        let overridden =
            order["SafetyRulesToOverride"].as_array().is_some_and(|rules| rules.contains(&json!(RULE)));
        if !overridden && after.values().all(|state| state == "Off") {
            return refused(409, "ConflictException", "Safety rule one-on would be violated");
        }
        self.controls = after;
        said(&json!({}))
    }

    fn execute(&mut self, order: &Value) -> Response {
        let token = order["clientToken"].as_str().unwrap().to_owned();
        if order["planArn"] != PLAN {
            return refused(404, "ResourceNotFoundException", "no such plan");
        }
        let id = match self.tokens.get(&token) {
            Some(id) => id.clone(),
            None if self.executions.iter().any(|it| it["executionState"] == "inProgress") => {
                return refused(400, "IllegalStateException", "an execution is in progress");
            }
            None => {
                let id = format!("us-west-2/{:016}", self.executions.len() + 1);
                self.tokens.insert(token, id.clone());
                let execution = json!({
                    "planArn": PLAN,
                    "executionId": id,
                    "comment": order["comment"],
                    "startTime": 1_790_000_000,
                    "mode": order["mode"],
                    "recoveryExecutionId": order["recoveryExecutionId"],
                    "executionState": self.course[0],
                    "executionAction": order["action"],
                    "executionRegion": order["targetRegion"],
                });
                self.executions.insert(0, execution);
                id
            }
        };
        said(
            &json!({"executionId": id, "plan": PLAN, "planVersion": "1", "activateRegion": order["targetRegion"]}),
        )
    }

    fn look(&mut self, order: &Value) -> Response {
        let id = order["executionId"].as_str().unwrap();
        let Some(execution) = self.executions.iter_mut().find(|it| it["executionId"] == id) else {
            return refused(404, "ResourceNotFoundException", "no such execution");
        };
        let looks = self.looks.entry(id.to_owned()).or_default();
        let state = self.course[(*looks).min(self.course.len() - 1)];
        *looks += 1;
        execution["executionState"] = json!(state);
        let mut shown = execution.clone();
        let status = if state == "failed" { "failed" } else { "running" };
        shown["stepStates"] = json!([{"name": "promote", "status": status}]);
        said(&shown)
    }
}
