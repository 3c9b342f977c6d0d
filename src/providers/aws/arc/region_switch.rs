//! `aws.arc.start_region_switch`: runs a plan and follows it. Must never start a plan twice: executions are
//! listed before one is started, and each carries a mark of the intent it belongs to.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Outputs, is_young, permanent};
use crate::engine::input::Observation;
use crate::model::action::aws::arc::{RegionSwitchAction, StartRegionSwitch};
use crate::model::run::{Failure, FailureClass, Mode};
use crate::ports::{AttemptContext, Polled, Precheck, Started};
use crate::providers::aws::call::Call;
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Asked;
use crate::providers::aws::place::Place;
use crate::providers::excerpt;

const SERVICE: &str = "arc-region-switch";
/// Most characters of a comment.
const COMMENT: usize = 1_024;
/// Most pages of executions that are read; the newest come first.
const PAGES: usize = 20;

/// The service in one place, for one attempt.
struct Session<'a> {
    aws: &'a Aws,
    place: Place,
    context: &'a AttemptContext,
}

/// Looks whether the plan answers, and whether one of its executions is under way.
pub(super) async fn precheck(
    aws: &Aws,
    it: &StartRegionSwitch,
    context: &AttemptContext,
) -> Result<Precheck, Failure> {
    let session = Session::open(aws, it, context)?;
    let executions = session.executions(it).await?;
    let mut seen = Precheck::default();
    seen.found.push(format!("the plan is there, with {} executions so far", executions.len()));
    if let Some(active) = executions.iter().find(|execution| is_active(state(execution))) {
        let id = excerpt::head(text(active, "executionId"), 80);
        seen.warnings.push(format!("execution {id} of the plan is under way: another one is refused"));
    }
    Ok(seen)
}

pub(super) async fn start(
    aws: &Aws,
    it: &StartRegionSwitch,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = Session::open(aws, it, context)?;
    let executions = session.executions(it).await?;
    let mark = mark(context);
    if let Some(own) = own(&executions, &mark) {
        return Ok(Started::Handle(handle(own)));
    }
    if let Some(other) = executions.iter().find(|other| is_active(state(other))) {
        let id = excerpt::head(text(other, "executionId"), 80);
        let message = format!("execution {id} of the plan is {}; nothing was started", shown(state(other)));
        return Err(Failure::new(FailureClass::Refused, message));
    }
    let asked = session.aws.change(SERVICE, "StartPlanExecution", &session.place, context);
    let mut body = json!({
        "planArn": it.plan_arn,
        "targetRegion": it.target_region,
        "action": action(it.action),
        "mode": mode(it.mode),
        "comment": comment(it.comment.as_deref(), &mark),
        "clientToken": mark,
    });
    match (it.action, &it.recovery_execution_id) {
        (RegionSwitchAction::PostRecovery, Some(id)) => body["recoveryExecutionId"] = json!(id),
        (RegionSwitchAction::PostRecovery, None) => {
            return Err(permanent(
                "`post_recovery` needs `recovery_execution_id`, the execution that recovered; nothing was sent",
            ));
        }
        (RegionSwitchAction::Activate | RegionSwitchAction::Deactivate, Some(_)) => {
            return Err(permanent(
                "`recovery_execution_id` goes with `post_recovery` only; nothing was sent",
            ));
        }
        (RegionSwitchAction::Activate | RegionSwitchAction::Deactivate, None) => {}
    }
    if let Some(version) = &it.plan_version {
        body["latestVersion"] = json!(version);
    }
    let call = call("StartPlanExecution", &body);
    let answer = match aws.try_call(&call, &session.place, context).await? {
        Ok(answer) => answer,
        Err(error) => {
            let refused = error.code() == Some("IllegalStateException");
            let failure = asked.failure(error);
            return Err(if refused { Failure::new(FailureClass::Refused, failure.message) } else { failure });
        }
    };
    let started = answer.json().map_err(|error| asked.failure(error))?;
    match text(&started, "executionId") {
        "" => {
            let message = format!("{asked}: started, and the answer names no execution");
            Err(Failure::new(FailureClass::InDoubt, message))
        }
        id => Ok(Started::Handle(json!({"execution_id": id, "at": aws.now()}))),
    }
}

pub(super) async fn poll(
    aws: &Aws,
    it: &StartRegionSwitch,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    let session = Session::open(aws, it, context)?;
    let id = text(handle, "execution_id");
    let Some(found) = session.execution(it, id).await? else {
        if is_young(handle, aws.now(), StartRegionSwitch::SPEC.settle) {
            return Ok(Polled::Pending(Some(format!("execution {id} does not show yet"))));
        }
        return Err(none_such(id));
    };
    let state = state(&found);
    match meaning(state) {
        Meaning::Succeeded => Ok(Polled::Done(made(&found))),
        Meaning::Failed => {
            let step = step(&found, "failed").map(|name| format!(" at step {name}")).unwrap_or_default();
            Err(permanent(format!("execution {id} of the plan ended as {}{step}", shown(state))))
        }
        Meaning::Waits => {
            Ok(Polled::Pending(Some(format!("execution {id} waits for a person: {}", shown(state)))))
        }
        Meaning::Runs => {
            let step = step(&found, "running").map(|name| format!(" at step {name}")).unwrap_or_default();
            Ok(Polled::Pending(Some(format!("execution {id} is {}{step}", shown(state)))))
        }
    }
}

pub(super) async fn observe(
    aws: &Aws,
    it: &StartRegionSwitch,
    context: &AttemptContext,
    known: Option<&Value>,
) -> Observation {
    let look = async {
        let session = Session::open(aws, it, context)?;
        match known {
            Some(known) => {
                let id = text(known, "execution_id");
                session.execution(it, id).await?.ok_or_else(|| none_such(id)).map(Some)
            }
            None => Ok(own(&session.executions(it).await?, &mark(context)).cloned()),
        }
    };
    match look.await {
        Err::<_, Failure>(failure) => Observation::Unknown(failure.message),
        Ok(None) => Observation::NotApplied,
        Ok(Some(found)) => match meaning(state(&found)) {
            Meaning::Succeeded => Observation::Applied(made(&found)),
            // A failure too is told by following it.
            Meaning::Failed | Meaning::Waits | Meaning::Runs => Observation::InProgress(handle(&found)),
        },
    }
}

impl<'a> Session<'a> {
    fn open(aws: &'a Aws, it: &StartRegionSwitch, context: &'a AttemptContext) -> Result<Self, Failure> {
        Ok(Self { aws, place: Place::of(&it.region, it.account.as_ref(), context)?, context })
    }

    async fn ask(&self, call: &Call, asked: &Asked) -> Result<Value, Failure> {
        let answer = self.aws.call(call, asked, &self.place, self.context).await?;
        answer.json().map_err(|error| asked.failure(error))
    }

    /// All executions of the plan that are remembered.
    async fn executions(&self, it: &StartRegionSwitch) -> Result<Vec<Value>, Failure> {
        let asked = self.aws.read(SERVICE, "ListPlanExecutions", &self.place, self.context);
        let (mut all, mut next) = (Vec::new(), Value::Null);
        for _ in 0..PAGES {
            let mut body = json!({"planArn": it.plan_arn, "maxResults": 100});
            if next.is_string() {
                body["nextToken"] = next.take();
            }
            let mut page = self.ask(&call("ListPlanExecutions", &body), &asked).await?;
            if let Value::Array(items) = page["items"].take() {
                all.extend(items);
            }
            next = page["nextToken"].take();
            if !next.is_string() {
                break;
            }
        }
        Ok(all)
    }

    /// An execution, if the service knows it.
    async fn execution(&self, it: &StartRegionSwitch, id: &str) -> Result<Option<Value>, Failure> {
        let asked = self.aws.read(SERVICE, "GetPlanExecution", &self.place, self.context);
        let call = call("GetPlanExecution", &json!({"planArn": it.plan_arn, "executionId": id}));
        match self.aws.try_call(&call, &self.place, self.context).await? {
            Ok(answer) => answer.json().map(Some).map_err(|error| asked.failure(error)),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(asked.failure(error)),
        }
    }
}

fn none_such(id: &str) -> Failure {
    permanent(format!("the plan has no execution {}", excerpt::head(id, 80)))
}

fn call(operation: &str, body: &Value) -> Call {
    Call::json(SERVICE, "1.0", &format!("ArcRegionSwitch.{operation}"), body)
        .host("arc-region-switch.{region}.{dual_stack}")
}

/// What marks the executions of one intent: its key, which may be too long or hold what a token must not.
fn mark(context: &AttemptContext) -> String {
    let digest = Sha256::digest(context.idempotency_key.as_bytes());
    digest.iter().take(16).fold("drctl-".to_owned(), |mark, byte| mark + &format!("{byte:02x}"))
}

fn comment(own: Option<&str>, mark: &str) -> String {
    let Some(own) = own else { return mark.to_owned() };
    let room = COMMENT - mark.len() - 3;
    let own: String = own.chars().take(room / 4).collect();
    format!("{own} [{mark}]")
}

fn own<'a>(executions: &'a [Value], mark: &str) -> Option<&'a Value> {
    executions.iter().find(|execution| text(execution, "comment").contains(mark))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn state(execution: &Value) -> &str {
    text(execution, "executionState")
}

fn shown(state: &str) -> String {
    excerpt::head(state, 60)
}

/// Name of the first step in a state.
fn step(execution: &Value, state: &str) -> Option<String> {
    let steps = execution["stepStates"].as_array()?;
    let step = steps.iter().find(|step| text(step, "status") == state)?;
    Some(excerpt::head(text(step, "name"), 80))
}

fn action(action: RegionSwitchAction) -> &'static str {
    match action {
        RegionSwitchAction::Activate => "activate",
        RegionSwitchAction::Deactivate => "deactivate",
        RegionSwitchAction::PostRecovery => "postRecovery",
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Graceful => "graceful",
        Mode::Ungraceful => "ungraceful",
    }
}

enum Meaning {
    Succeeded,
    Failed,
    Waits,
    Runs,
}

fn meaning(state: &str) -> Meaning {
    match state {
        // In the last of them all steps are over, and the service watches the application's alarms.
        "completed" | "completedWithExceptions" | "completedMonitoringApplicationHealth" => {
            Meaning::Succeeded
        }
        "canceled" | "planExecutionTimedOut" | "failed" => Meaning::Failed,
        "pausedByFailedStep" | "pausedByOperator" | "pendingManualApproval" => Meaning::Waits,
        // Also a state that came later than this program.
        _ => Meaning::Runs,
    }
}

fn is_active(state: &str) -> bool {
    matches!(meaning(state), Meaning::Waits | Meaning::Runs)
}

fn handle(execution: &Value) -> Value {
    json!({"execution_id": text(execution, "executionId")})
}

fn made(execution: &Value) -> Outputs {
    let state = state(execution);
    [
        ("execution_id".to_owned(), json!(text(execution, "executionId"))),
        ("state".to_owned(), json!(state)),
        ("exceptions".to_owned(), json!(state == "completedWithExceptions")),
    ]
    .into_iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_keeps_its_mark_however_long_it_is() {
        let mark = "drctl-0123";
        assert_eq!(comment(None, mark), mark);
        assert_eq!(comment(Some("by hand"), mark), "by hand [drctl-0123]");
        let long = comment(Some(&"é".repeat(5_000)), mark);
        assert!(long.ends_with("[drctl-0123]") && long.len() <= COMMENT, "{}", long.len());
    }
}
