//! The actions of `aws.rds`.

mod certified;
mod copies;
mod emulated;
mod fence;
mod global;
mod moves;
mod precheck;
mod promote;

use std::time::Duration;

use drctl::engine::input::Observation;
use drctl::model::action::Action;
use drctl::model::run::Failure;
use drctl::ports::{AttemptContext, Polled, Provider as _, Started};
use drctl::providers::aws::AwsProvider;
use serde_json::{Map, Value};

/// Most looks at an operation before a test gives up.
const LOOKS: usize = 50;

/// Performs an action to its end: prepare, start, polls. The lines of progress come with the outputs.
async fn perform(
    provider: &AwsProvider,
    action: &Action,
    context: &mut AttemptContext,
) -> Result<(Map<String, Value>, Vec<String>), Failure> {
    context.prepared = provider.prepare(action, context).await?;
    match provider.start(action, context).await? {
        Started::Done(outputs) => Ok((outputs, Vec::new())),
        Started::Handle(handle) => follow(provider, action, context, &handle).await,
    }
}

/// Looks at an operation until it is over.
async fn follow(
    provider: &AwsProvider,
    action: &Action,
    context: &AttemptContext,
    handle: &Value,
) -> Result<(Map<String, Value>, Vec<String>), Failure> {
    let mut lines = Vec::new();
    for _ in 0..LOOKS {
        match provider.poll(action, context, handle).await? {
            Polled::Done(outputs) => {
                covered(provider, action);
                return Ok((outputs, lines));
            }
            Polled::Pending(line) => lines.extend(line),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("not over after {LOOKS} looks: {lines:?}");
}

/// Everything asked of AWS must be among the permissions that are documented.
fn covered(provider: &AwsProvider, action: &Action) {
    let permissions = action.name().spec().permissions;
    let more: Vec<_> =
        provider.operations().into_iter().filter(|asked| !permissions.contains(&asked.as_str())).collect();
    assert!(more.is_empty(), "{} asks for {more:?}, which its permissions do not name", action.name());
}

/// The handle of an operation that is under way.
fn under_way(observation: Observation) -> Value {
    match observation {
        Observation::InProgress(handle) => handle,
        other => panic!("not under way: {other:?}"),
    }
}

/// The outputs of an effect that is there.
fn applied(observation: Observation) -> Map<String, Value> {
    match observation {
        Observation::Applied(outputs) => outputs,
        other => panic!("not applied: {other:?}"),
    }
}
