//! `aws.arc.set_routing_controls`: all states at once, through whichever of the cluster's endpoints answers.
//! Must never send a change again after a lost answer without looking first, nor break a safety rule unasked.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Outputs, permanent};
use crate::engine::input::{Direction, Observation};
use crate::model::action::aws::arc::{ClusterEndpoint, ControlState, SetRoutingControls};
use crate::model::run::{Failure, FailureClass};
use crate::ports::AttemptContext;
use crate::providers::aws::call::Call;
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Asked;
use crate::providers::aws::place::Place;

const SERVICE: &str = "route53-recovery-cluster";
/// How long one endpoint may take: there are four others.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// State by ARN of the control, as the service spells it.
type States = BTreeMap<String, String>;

/// Reads the states before the change.
pub(super) async fn prepare(
    aws: &Aws,
    it: &SetRoutingControls,
    context: &AttemptContext,
) -> Result<Value, Failure> {
    let states = read(aws, it, context).await?;
    Ok(json!({"states": states}))
}

/// Sets the states.
pub(super) async fn start(
    aws: &Aws,
    it: &SetRoutingControls,
    context: &AttemptContext,
) -> Result<Outputs, Failure> {
    let wanted = wanted(it, context)?;
    let mut tried = Tried::default();
    for endpoint in rotation(it, context)? {
        let place = place(it, endpoint, context)?;
        // A change that may have been made elsewhere shows here: then there is nothing left to do.
        if tried.doubtful && states(aws, it, endpoint, &place, context).await.is_ok_and(|seen| seen == wanted)
        {
            return Ok(outputs(Some(endpoint), &wanted, context));
        }
        let asked = aws.change(SERVICE, "UpdateRoutingControlStates", &place, context);
        let call = call("UpdateRoutingControlStates", endpoint, &order(it, &wanted));
        let Err(error) = aws.try_call(&call, &place, context).await? else {
            return Ok(outputs(Some(endpoint), &wanted, context));
        };
        let code = error.code().unwrap_or_default().to_owned();
        let failure = asked.failure(error);
        match code.as_str() {
            "ConflictException" => {
                let message = format!("a safety rule refuses the change: {}", failure.message);
                return Err(Failure::new(FailureClass::Refused, message));
            }
            "EndpointTemporarilyUnavailableException" => {
                tried.add(Failure::new(FailureClass::Transient, failure.message));
            }
            _ if failure.class == FailureClass::Permanent => return Err(failure),
            _ => tried.add(failure),
        }
    }
    Err(tried.failure(it.cluster_endpoints.len()))
}

/// Looks whether the states are as wanted.
pub(super) async fn observe(aws: &Aws, it: &SetRoutingControls, context: &AttemptContext) -> Observation {
    let look = async { Ok::<_, Failure>((wanted(it, context)?, read(aws, it, context).await?)) };
    match look.await {
        Ok((wanted, seen)) if seen == wanted => Observation::Applied(outputs(None, &wanted, context)),
        Ok(_) => Observation::NotApplied,
        Err(failure) => Observation::Unknown(failure.message),
    }
}

/// What the endpoints tried so far have come to.
#[derive(Default)]
struct Tried {
    doubtful: bool,
    failures: Vec<Failure>,
}

impl Tried {
    fn add(&mut self, failure: Failure) {
        self.doubtful |= failure.class == FailureClass::InDoubt;
        self.failures.push(failure);
    }

    /// The gravest failure speaks for all: doubt first, then throttling, which the service may have timed.
    fn failure(self, endpoints: usize) -> Failure {
        let gravity = |failure: &Failure| match failure.class {
            FailureClass::InDoubt => 3,
            FailureClass::Throttled => 2,
            FailureClass::Unreachable => 1,
            _ => 0,
        };
        let Some(mut gravest) = self.failures.into_iter().max_by_key(gravity) else {
            return permanent("no cluster endpoint is named; nothing was sent");
        };
        gravest.message = format!("none of {endpoints} cluster endpoints answered well: {}", gravest.message);
        gravest
    }
}

fn place(
    it: &SetRoutingControls,
    endpoint: &ClusterEndpoint,
    context: &AttemptContext,
) -> Result<Place, Failure> {
    Place::global(&endpoint.region, it.account.as_ref(), context)
}

/// The endpoints, another one first at each attempt.
fn rotation<'a>(
    it: &'a SetRoutingControls,
    context: &AttemptContext,
) -> Result<impl Iterator<Item = &'a ClusterEndpoint>, Failure> {
    let endpoints = &it.cluster_endpoints;
    if it.controls.is_empty() || endpoints.is_empty() {
        return Err(permanent("`cluster_endpoints` and `controls` must not be empty; nothing was sent"));
    }
    for ClusterEndpoint { url, .. } in endpoints {
        let local = url.starts_with("http://127.0.0.1:");
        if !local && !url.starts_with("https://") {
            return Err(permanent("a cluster endpoint's address must begin with https://; nothing was sent"));
        }
    }
    let first = context.attempt.saturating_sub(1) as usize % endpoints.len();
    Ok(endpoints.iter().cycle().skip(first).take(endpoints.len()))
}

fn spelled(state: ControlState) -> &'static str {
    match state {
        ControlState::On => "On",
        ControlState::Off => "Off",
    }
}

fn wanted(it: &SetRoutingControls, context: &AttemptContext) -> Result<States, Failure> {
    match context.direction {
        Direction::Do => {
            Ok(it.controls.iter().map(|(arn, state)| (arn.clone(), spelled(*state).to_owned())).collect())
        }
        Direction::Undo => before(context)
            .ok_or_else(|| permanent("the states before the change are not recorded; set them by hand")),
    }
}

fn before(context: &AttemptContext) -> Option<States> {
    serde_json::from_value(context.prepared.as_ref()?["states"].clone()).ok()
}

fn call(operation: &str, endpoint: &ClusterEndpoint, body: &Value) -> Call {
    Call::json(SERVICE, "1.0", &format!("ToggleCustomerAPI.{operation}"), body)
        .at(&endpoint.url)
        .within(PATIENCE)
}

fn order(it: &SetRoutingControls, wanted: &States) -> Value {
    let entries: Vec<_> = wanted
        .iter()
        .map(|(arn, state)| json!({"RoutingControlArn": arn, "RoutingControlState": state}))
        .collect();
    let mut order = json!({"UpdateRoutingControlStateEntries": entries});
    if !it.safety_rules_to_override.is_empty() {
        order["SafetyRulesToOverride"] = json!(it.safety_rules_to_override);
    }
    order
}

/// The states, from the first endpoint that gives all of them.
async fn read(aws: &Aws, it: &SetRoutingControls, context: &AttemptContext) -> Result<States, Failure> {
    let mut tried = Tried::default();
    for endpoint in rotation(it, context)? {
        let place = place(it, endpoint, context)?;
        match states(aws, it, endpoint, &place, context).await {
            Ok(states) => return Ok(states),
            Err(failure) if failure.class == FailureClass::Permanent => return Err(failure),
            Err(failure) => tried.add(failure),
        }
    }
    Err(tried.failure(it.cluster_endpoints.len()))
}

async fn states(
    aws: &Aws,
    it: &SetRoutingControls,
    endpoint: &ClusterEndpoint,
    place: &Place,
    context: &AttemptContext,
) -> Result<States, Failure> {
    let asked: Asked = aws.read(SERVICE, "GetRoutingControlState", place, context);
    let mut states = States::new();
    for arn in it.controls.keys() {
        let call = call("GetRoutingControlState", endpoint, &json!({"RoutingControlArn": arn}));
        let found = aws.call(&call, &asked, place, context).await?.json();
        let found = found.map_err(|error| asked.failure(error))?;
        let state = found["RoutingControlState"].as_str().unwrap_or_default();
        states.insert(arn.clone(), state.to_owned());
    }
    Ok(states)
}

fn outputs(endpoint: Option<&ClusterEndpoint>, wanted: &States, context: &AttemptContext) -> Outputs {
    let before = before(context);
    let already = before.as_ref().is_some_and(|before| before == wanted);
    [
        ("endpoint".to_owned(), json!(endpoint.map(|endpoint| &endpoint.url))),
        ("previous".to_owned(), json!(before)),
        ("already".to_owned(), json!(already)),
    ]
    .into_iter()
    .collect()
}
