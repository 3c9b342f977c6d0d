//! `aws.ssm.run_automation`: starts an automation and follows it. Must never start it twice: the token is the
//! same for all sends of one intent.

use serde_json::{Map, Value, json};

use super::session::{self, Session};
use super::{Outputs, is_young, outputs, permanent, shown, text};
use crate::engine::input::Observation;
use crate::model::action::aws::compute::RunAutomation;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::call::Call;
use crate::providers::aws::clients::Aws;

pub(super) async fn start(
    aws: &Aws,
    it: &RunAutomation,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context)?;
    let mut body = Map::new();
    body.insert("DocumentName".to_owned(), json!(it.document));
    body.insert("ClientToken".to_owned(), json!(session::token(context)));
    if let Some(version) = &it.document_version {
        body.insert("DocumentVersion".to_owned(), json!(version));
    }
    if !it.parameters.is_empty() {
        body.insert("Parameters".to_owned(), json!(it.parameters));
    }
    if !it.tags.is_empty() {
        let tags: Vec<_> = it.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        body.insert("Tags".to_owned(), json!(tags));
    }
    let asked = session.change("ssm", "StartAutomationExecution");
    let call = Call::json("ssm", "1.1", "AmazonSSM.StartAutomationExecution", &Value::Object(body));
    let started = session.json(&call, &asked).await?;
    match text(&started, "AutomationExecutionId") {
        "" => {
            let message = format!("{asked}: started, and the answer names no execution");
            Err(Failure::new(FailureClass::InDoubt, message))
        }
        id => Ok(Started::Handle(json!({"execution_id": id, "at": aws.now()}))),
    }
}

pub(super) async fn poll(
    aws: &Aws,
    it: &RunAutomation,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context)?;
    let id = text(handle, "execution_id");
    let Some(found) = execution(&session, id).await? else {
        if is_young(handle, aws.now(), RunAutomation::SPEC.settle) {
            return Ok(Polled::Pending(Some(format!("automation {id} does not show yet"))));
        }
        return Err(none_such(id));
    };
    let status = text(&found, "AutomationExecutionStatus");
    match meaning(status) {
        Meaning::Succeeded => Ok(Polled::Done(made(id, &found, context))),
        Meaning::Failed => {
            let why = match (context.sensitive, text(&found, "FailureMessage")) {
                (true, _) | (_, "") => "no reason is given".to_owned(),
                (false, why) => shown(why),
            };
            Err(permanent(format!("automation {id} ended as {}: {why}", shown(status))))
        }
        Meaning::Waits => Ok(Polled::Pending(Some(format!("automation {id} waits for a person: {status}")))),
        Meaning::Runs => {
            let step = match text(&found, "CurrentStepName") {
                "" => String::new(),
                step => format!(" at step {}", shown(step)),
            };
            Ok(Polled::Pending(Some(format!("automation {id} is {}{step}", shown(status)))))
        }
    }
}

/// Without the execution's id nobody can tell; sending the same token again finds it.
pub(super) async fn observe(
    aws: &Aws,
    it: &RunAutomation,
    context: &AttemptContext,
    handle: Option<&Value>,
) -> Observation {
    let Some(handle) = handle else {
        return Observation::Unknown("the execution's id was lost; the same token finds it again".to_owned());
    };
    let look = async {
        let session = Session::open(aws, &it.region, it.account.as_ref(), context)?;
        let id = text(handle, "execution_id");
        execution(&session, id).await?.ok_or_else(|| none_such(id))
    };
    match look.await {
        Err(failure) => Observation::Unknown(failure.message),
        Ok(found) => match meaning(text(&found, "AutomationExecutionStatus")) {
            Meaning::Succeeded => Observation::Applied(made(text(handle, "execution_id"), &found, context)),
            // A failure too is told by following it.
            Meaning::Failed | Meaning::Waits | Meaning::Runs => Observation::InProgress(handle.clone()),
        },
    }
}

fn none_such(id: &str) -> Failure {
    permanent(format!("Systems Manager knows no execution {id}"))
}

async fn execution(session: &Session<'_>, id: &str) -> Result<Option<Value>, Failure> {
    let asked = session.read("ssm", "GetAutomationExecution");
    let body = json!({"AutomationExecutionId": id});
    let call = Call::json("ssm", "1.1", "AmazonSSM.GetAutomationExecution", &body);
    let found = session.json_if_there(&call, &asked, "AutomationExecutionNotFoundException").await?;
    Ok(found.map(|found| found["AutomationExecution"].clone()))
}

enum Meaning {
    Succeeded,
    Failed,
    Waits,
    Runs,
}

fn meaning(status: &str) -> Meaning {
    match status {
        "Success" | "CompletedWithSuccess" => Meaning::Succeeded,
        "TimedOut"
        | "Cancelled"
        | "Failed"
        | "Rejected"
        | "CompletedWithFailure"
        | "Exited"
        | "ChangeCalendarOverrideRejected" => Meaning::Failed,
        "PendingApproval" | "PendingChangeCalendarOverride" => Meaning::Waits,
        // Also a status that came later than this program.
        _ => Meaning::Runs,
    }
}

fn made(id: &str, found: &Value, context: &AttemptContext) -> Outputs {
    let produced = if context.sensitive { Value::Null } else { found["Outputs"].clone() };
    let status = text(found, "AutomationExecutionStatus");
    outputs(json!({"execution_id": id, "status": status, "outputs": produced}))
}
