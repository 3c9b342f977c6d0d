//! `aws.lambda.invoke`: runs a function and waits for its answer. Must never run it again to find out whether
//! it ran.

use std::time::Duration;

use serde_json::{Value, json};

use super::session::Session;
use super::{Outputs, permanent, shown, text, unhealthy};
use crate::engine::input::{Direction, Observation};
use crate::model::action::aws::compute::Invoke;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::call::{Call, segment};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::Asked;

/// Longest time a function may take.
const LONGEST: Duration = Duration::from_mins(15);
/// Time the answer has to arrive after that.
const ARRIVAL: Duration = Duration::from_secs(10);

/// What came back.
struct Answered {
    version: Option<String>,
    body: Value,
    /// Why the function failed, if it did.
    error: Option<String>,
}

pub(super) async fn start(aws: &Aws, it: &Invoke, context: &AttemptContext) -> Result<Started, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context)?;
    let payload = match (context.direction, &it.undo) {
        (Direction::Do, _) => it.payload.clone().unwrap_or_else(|| json!({})),
        (Direction::Undo, Some(undo)) => undo.clone(),
        (Direction::Undo, None) => {
            return Err(permanent(format!(
                "function `{}` has no `undo` payload; nothing was sent",
                it.function
            )));
        }
    };
    let asked = session.change("lambda", "InvokeFunction");
    let answered = invoke(&session, it, &payload, &asked).await?;
    match &answered.error {
        None => Ok(Started::Done(outputs(&answered, context))),
        Some(why) => Err(failed(it, why, context)),
    }
}

/// A function that failed may have done part of its work, which its undo has to take back.
fn failed(it: &Invoke, why: &str, context: &AttemptContext) -> Failure {
    let why = if context.sensitive { "an error that is not shown".to_owned() } else { shown(why) };
    let message = format!("function `{}` failed: {why}; it may have done part of its work", it.function);
    Failure::new(FailureClass::InDoubt, message)
}

/// Looks at what an earlier attempt left under way.
pub(super) async fn poll(aws: &Aws, it: &Invoke, context: &AttemptContext) -> Result<Polled, Failure> {
    match look(aws, it, context).await? {
        Observation::Applied(outputs) => Ok(Polled::Done(outputs)),
        Observation::InProgress(_) => {
            Ok(Polled::Pending(Some("the function says it is under way".to_owned())))
        }
        Observation::NotApplied | Observation::NeverBegan(_) => {
            Err(Failure::new(FailureClass::InDoubt, "the function says its work was not done after all"))
        }
        Observation::Failed(failure) => Err(failure),
        Observation::Unknown(why) => Err(unhealthy(why)),
    }
}

pub(super) async fn observe(aws: &Aws, it: &Invoke, context: &AttemptContext) -> Observation {
    look(aws, it, context).await.unwrap_or_else(|failure| Observation::Unknown(failure.message))
}

async fn look(aws: &Aws, it: &Invoke, context: &AttemptContext) -> Result<Observation, Failure> {
    let Some(payload) = &it.observe else {
        let what =
            format!("function `{}` has no `observe` payload: whether it ran is not known", it.function);
        return Ok(Observation::Unknown(what));
    };
    let session = Session::open(aws, &it.region, it.account.as_ref(), context)?;
    let asked = session.read("lambda", "InvokeFunction");
    let answered = invoke(&session, it, payload, &asked).await?;
    if let Some(why) = &answered.error {
        let why = if context.sensitive { String::new() } else { shown(why) };
        return Ok(Observation::Unknown(format!("function `{}` cannot tell: {why}", it.function)));
    }
    Ok(match (text(&answered.body, "state"), context.direction) {
        ("applied", Direction::Do) | ("not_applied", Direction::Undo) => {
            Observation::Applied(outputs(&answered, context))
        }
        ("not_applied", Direction::Do) | ("applied", Direction::Undo) => Observation::NotApplied,
        ("in_progress", _) => Observation::InProgress(json!({})),
        ("unknown", _) => Observation::Unknown("the function does not know".to_owned()),
        (other, _) => Observation::Unknown(format!(
            "function `{}` answered the question for its effect with state `{}`; it must be `applied`, \
             `not_applied`, `in_progress` or `unknown`",
            it.function,
            if context.sensitive { String::new() } else { shown(other) }
        )),
    })
}

async fn invoke(
    session: &Session<'_>,
    it: &Invoke,
    payload: &Value,
    asked: &Asked,
) -> Result<Answered, Failure> {
    let path = format!("/2015-03-31/functions/{}/invocations", segment(&it.function));
    let left = session.context.deadline.since(session.aws.now()).to_std();
    let mut call = Call::rest("lambda", http::Method::POST, &path)
        .content(payload)
        .header("x-amz-invocation-type", "RequestResponse")
        .within(left.min(LONGEST) + ARRIVAL);
    if let Some(qualifier) = &it.qualifier {
        call = call.parameter("Qualifier", qualifier);
    }
    let answer = session.ask(&call, asked).await?;
    let version = answer.header("x-amz-executed-version").map(str::to_owned);
    let error = answer.header("x-amz-function-error").map(str::to_owned);
    // A function may answer with anything; what is no JSON is kept as text.
    let body =
        answer.json().unwrap_or_else(|_| Value::String(String::from_utf8_lossy(answer.bytes()).into_owned()));
    let error = error.map(|kind| match (text(&body, "errorType"), text(&body, "errorMessage")) {
        ("", "") => kind,
        ("", message) => message.to_owned(),
        (kind, message) => format!("{kind}: {message}"),
    });
    Ok(Answered { version, body, error })
}

fn outputs(answered: &Answered, context: &AttemptContext) -> Outputs {
    let mut outputs = super::outputs(json!({"status": 200, "version": answered.version}));
    if !context.sensitive {
        outputs.insert("json".to_owned(), answered.body.clone());
    }
    outputs
}
