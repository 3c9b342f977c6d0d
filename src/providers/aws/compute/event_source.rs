//! `aws.lambda.set_event_source`: whether a function consumes from a queue or stream. Must never take a
//! mapping for stopped that still polls.

use serde_json::{Value, json};

use super::session::Session;
use super::{Outputs, is_young, outputs, permanent, shown, text, unhealthy};
use crate::engine::input::{Direction, Observation};
use crate::model::action::aws::compute::SetEventSource;
use crate::model::run::Failure;
use crate::ports::{AttemptContext, Polled, Started};
use crate::providers::aws::call::{Call, segment};
use crate::providers::aws::clients::Aws;

const PATH: &str = "/2015-03-31/event-source-mappings/";

/// A mapping as it is.
struct Mapping {
    id: String,
    state: String,
}

pub(super) async fn prepare(
    aws: &Aws,
    it: &SetEventSource,
    context: &AttemptContext,
) -> Result<Value, Failure> {
    let session = open(aws, it, context)?;
    let found = find(&session, it).await?;
    let enabled = match found.state.as_str() {
        // Either may be behind it, and an undo has to know which.
        "Updating" => return Err(unhealthy(format!("event source mapping {} is Updating", found.id))),
        state => matches!(state, "Enabled" | "Enabling" | "Creating"),
    };
    Ok(json!({"mapping_id": found.id, "enabled": enabled}))
}

pub(super) async fn start(
    aws: &Aws,
    it: &SetEventSource,
    context: &AttemptContext,
) -> Result<Started, Failure> {
    let session = open(aws, it, context)?;
    let enabled = wanted(it, context)?;
    let id = id(&session, it).await?;
    let asked = session.change("lambda", "UpdateEventSourceMapping");
    let path = format!("{PATH}{}", segment(&id));
    let call = Call::rest("lambda", http::Method::PUT, &path).content(&json!({"Enabled": enabled}));
    session.json(&call, &asked).await?;
    Ok(Started::Handle(json!({"mapping_id": id, "at": aws.now()})))
}

pub(super) async fn poll(
    aws: &Aws,
    it: &SetEventSource,
    context: &AttemptContext,
    handle: &Value,
) -> Result<Polled, Failure> {
    let session = open(aws, it, context)?;
    let (id, enabled) = (text(handle, "mapping_id"), wanted(it, context)?);
    let found = by_id(&session, id).await?;
    if found.state == name(enabled) {
        return Ok(Polled::Done(made(&found, context)));
    }
    if found.state == name(!enabled) && !is_young(handle, aws.now(), SetEventSource::SPEC.settle) {
        let what = format!("event source mapping {id} was set back by somebody else meanwhile");
        return Err(permanent(what));
    }
    Ok(Polled::Pending(Some(format!("event source mapping {id} is {}", shown(&found.state)))))
}

pub(super) async fn observe(aws: &Aws, it: &SetEventSource, context: &AttemptContext) -> Observation {
    let look = async {
        let session = open(aws, it, context)?;
        let id = id(&session, it).await?;
        Ok::<_, Failure>((wanted(it, context)?, by_id(&session, &id).await?))
    };
    let under_way = |enabled| if enabled { "Enabling" } else { "Disabling" };
    match look.await {
        Err(failure) => Observation::Unknown(failure.message),
        Ok((enabled, found)) if found.state == name(enabled) => Observation::Applied(made(&found, context)),
        Ok((enabled, found)) if found.state == under_way(enabled) || found.state == "Updating" => {
            Observation::InProgress(json!({"mapping_id": found.id}))
        }
        Ok(_) => Observation::NotApplied,
    }
}

fn open<'a>(aws: &'a Aws, it: &SetEventSource, context: &'a AttemptContext) -> Result<Session<'a>, Failure> {
    Session::open(aws, &it.region, it.account.as_ref(), context)
}

fn name(enabled: bool) -> &'static str {
    if enabled { "Enabled" } else { "Disabled" }
}

fn wanted(it: &SetEventSource, context: &AttemptContext) -> Result<bool, Failure> {
    let before = || context.prepared.as_ref().and_then(|prepared| prepared["enabled"].as_bool());
    match context.direction {
        Direction::Do => Ok(it.enabled),
        Direction::Undo => before().ok_or_else(|| {
            permanent("whether the mapping was enabled before is not recorded; set it by hand")
        }),
    }
}

/// The mapping's id: that of the parameters, the one `prepare` found, or the one found now.
async fn id(session: &Session<'_>, it: &SetEventSource) -> Result<String, Failure> {
    let found = session.context.prepared.as_ref().map(|prepared| text(prepared, "mapping_id"));
    match (&it.mapping_id, found) {
        (Some(id), _) => Ok(id.clone()),
        (None, Some(id)) if !id.is_empty() => Ok(id.to_owned()),
        (None, _) => Ok(find(session, it).await?.id),
    }
}

async fn find(session: &Session<'_>, it: &SetEventSource) -> Result<Mapping, Failure> {
    let (function, source) = match (&it.mapping_id, &it.function, &it.event_source_arn) {
        (Some(id), _, _) => return by_id(session, id).await,
        (None, Some(function), Some(source)) => (function, source),
        _ => {
            return Err(permanent(
                "give `mapping_id`, or `function` and `event_source_arn`; nothing was sent",
            ));
        }
    };
    let asked = session.read("lambda", "ListEventSourceMappings");
    let call = Call::rest("lambda", http::Method::GET, PATH)
        .parameter("FunctionName", function)
        .parameter("EventSourceArn", source);
    let found = session.json(&call, &asked).await?;
    let none = Vec::new();
    match found["EventSourceMappings"].as_array().unwrap_or(&none).as_slice() {
        [one] => Ok(mapping(one)),
        [] => Err(permanent(format!("function `{function}` has no event source mapping of {source}"))),
        several => Err(permanent(format!(
            "function `{function}` has {} event source mappings of {source}: name one with `mapping_id`",
            several.len()
        ))),
    }
}

async fn by_id(session: &Session<'_>, id: &str) -> Result<Mapping, Failure> {
    let asked = session.read("lambda", "GetEventSourceMapping");
    let call = Call::rest("lambda", http::Method::GET, &format!("{PATH}{}", segment(id)));
    Ok(mapping(&session.json(&call, &asked).await?))
}

fn mapping(found: &Value) -> Mapping {
    Mapping { id: text(found, "UUID").to_owned(), state: text(found, "State").to_owned() }
}

fn made(found: &Mapping, context: &AttemptContext) -> Outputs {
    let before = context.prepared.as_ref().map(|prepared| prepared["enabled"].clone());
    outputs(json!({"mapping_id": found.id, "state": found.state, "previous_enabled": before}))
}
