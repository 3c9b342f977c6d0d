//! What can be told of capacity, functions and automations before their actions. Must never run anything to
//! find out.

use serde_json::{Value, json};

use super::session::Session;
use super::{permanent, shown, text};
use crate::model::action::Action;
use crate::model::action::aws::compute::{Invoke, RunAutomation};
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, Precheck};
use crate::providers::aws::call::{Call, segment};
use crate::providers::aws::clients::Aws;
use crate::providers::aws::group::prechecked;

/// Looks at what an action needs. `prepared`: what the action itself looks at before its effect.
///
/// # Errors
/// When the action would not work.
pub(super) async fn check(
    aws: &Aws,
    action: &Action,
    context: &AttemptContext,
    prepared: Result<Option<Value>, Failure>,
) -> Result<Precheck, Failure> {
    match action {
        Action::AwsLambdaInvoke(it) => function(aws, it, context).await,
        Action::AwsSsmRunAutomation(it) => document(aws, it, context).await,
        Action::AwsAutoscalingSetCapacity(_) => {
            let headroom = prepared.as_ref().ok().and_then(Option::as_ref).map(|it| it["headroom"].clone());
            let mut seen = prechecked(prepared)?;
            told(headroom.unwrap_or_default(), &mut seen);
            Ok(seen)
        }
        _ => prechecked(prepared),
    }
}

/// What the region has room for. No instances are needed where nothing was asked.
fn told(headroom: Value, seen: &mut Precheck) {
    let Value::Object(headroom) = headroom else { return };
    for (key, what) in
        [("free_addresses", "free addresses of the subnets"), ("free_vcpus", "vCPUs left of the quota")]
    {
        match headroom.get(key).and_then(Value::as_f64) {
            Some(free) => seen.found.push(format!("{free} {what} are enough")),
            None => seen.unknown.push(format!("the {what} could not be looked at")),
        }
    }
    seen.unknown
        .push("whether AWS has instances of this type left: only a reservation guarantees that".to_owned());
}

async fn function(aws: &Aws, it: &Invoke, context: &AttemptContext) -> Result<Precheck, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context)?;
    let asked = session.read("lambda", "GetFunctionConfiguration");
    let path = format!("/2015-03-31/functions/{}/configuration", segment(&it.function));
    let mut call = Call::rest("lambda", http::Method::GET, &path);
    if let Some(qualifier) = &it.qualifier {
        call = call.parameter("Qualifier", qualifier);
    }
    let mut seen = Precheck::default();
    let name = shown(&it.function);
    match session.json_if_there(&call, &asked, "ResourceNotFoundException").await {
        Ok(Some(found)) => match text(&found, "State") {
            // Old functions and emulators tell none.
            "" | "Active" => seen.found.push(format!("function `{name}` is there")),
            state @ ("Inactive" | "Pending") => {
                let what = format!("function `{name}` is {state}: its first answer will be late");
                seen.warnings.push(what);
            }
            state => {
                let why = shown(text(&found, "StateReason"));
                return Err(permanent(format!("function `{name}` is {}: {why}", shown(state))));
            }
        },
        Ok(None) => {
            return Err(permanent(format!("there is no function `{name}` in {}", session.place.region)));
        }
        Err(failure) => not_seen(&mut seen, &format!("function `{name}`"), failure)?,
    }
    Ok(seen)
}

async fn document(aws: &Aws, it: &RunAutomation, context: &AttemptContext) -> Result<Precheck, Failure> {
    let session = Session::open(aws, &it.region, it.account.as_ref(), context)?;
    let asked = session.read("ssm", "DescribeDocument");
    let mut body = json!({"Name": it.document});
    if let Some(version) = &it.document_version {
        body["DocumentVersion"] = json!(version);
    }
    let call = Call::json("ssm", "1.1", "AmazonSSM.DescribeDocument", &body);
    let mut seen = Precheck::default();
    let name = shown(&it.document);
    match session.json_if_there(&call, &asked, "InvalidDocument").await {
        Ok(Some(found)) => {
            let found = &found["Document"];
            let (status, kind) = (text(found, "Status"), text(found, "DocumentType"));
            if status != "Active" || !kind.starts_with("Automation") {
                let (status, kind) = (shown(status), shown(kind));
                let what = format!(
                    "document `{name}` is {status} and of type {kind}: it must be an active automation"
                );
                return Err(permanent(what));
            }
            let given = |name: &str| it.parameters.contains_key(name);
            let none = Vec::new();
            let missing =
                found["Parameters"].as_array().unwrap_or(&none).iter().find(|parameter| {
                    parameter.get("DefaultValue").is_none() && !given(text(parameter, "Name"))
                });
            if let Some(parameter) = missing {
                let parameter = shown(text(parameter, "Name"));
                return Err(permanent(format!("document `{name}` needs its parameter `{parameter}`")));
            }
            seen.found.push(format!("document `{name}` is an active automation"));
        }
        Ok(None) => {
            return Err(permanent(format!("there is no document `{name}` in {}", session.place.region)));
        }
        Err(failure) => not_seen(&mut seen, &format!("document `{name}`"), failure)?,
    }
    Ok(seen)
}

/// Not being allowed to look is no reason why the action would not work; nobody answering is.
fn not_seen(seen: &mut Precheck, what: &str, failure: Failure) -> Result<(), Failure> {
    if failure.class == FailureClass::Unreachable {
        return Err(failure);
    }
    seen.unknown.push(format!("{what} could not be looked at: {}", failure.message));
    Ok(())
}
