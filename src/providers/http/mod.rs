//! `http.request` and `http.check`. Must never follow a redirect, send a request twice, or show the query,
//! the user part or, where a secret is involved, the path of an address.

mod body;
mod check;
mod client;
mod request;
mod status;

use serde_json::Value;

use crate::engine::input::{Direction, Observation};
use crate::model::action::Action;
use crate::model::run::{Failure, FailureClass};
use crate::ports::{AttemptContext, BoxFuture, Polled, Provider, Started};

use check::Health;

/// Performs `http.request` and `http.check`. A `rustls` crypto provider must be installed before the first
/// call.
#[derive(Debug, Clone, Default)]
pub struct HttpProvider {
    client: client::Shared,
}

impl HttpProvider {
    /// Makes a provider; the connection machinery is set up at the first call.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    async fn perform(&self, action: &Action, context: &AttemptContext) -> Result<Started, Failure> {
        match action {
            Action::HttpRequest(_) if context.direction == Direction::Undo => {
                Err(permanent("an HTTP request has no undo of its own; give the step an `undo` action"))
            }
            Action::HttpRequest(request) => {
                request::send(&self.client, request, context).await.map(Started::Done)
            }
            Action::HttpCheck(check) => match check::look(&self.client, check, context).await? {
                Health::Healthy(outputs) => Ok(Started::Done(outputs)),
                Health::Unhealthy(why) => Err(Failure::new(FailureClass::Transient, why)),
                Health::NoAnswer(failure) => Err(failure),
            },
            other => Err(not_ours(other)),
        }
    }

    async fn look(&self, action: &Action, context: &AttemptContext) -> Observation {
        let check = match action {
            Action::HttpRequest(request) => match &request.observe {
                Some(check) => check,
                None => {
                    return Observation::Unknown(
                        "the request has no `observe` check; nobody can tell".to_owned(),
                    );
                }
            },
            Action::HttpCheck(check) => check,
            other => return Observation::Unknown(not_ours(other).message),
        };
        match check::look(&self.client, check, context).await {
            Ok(Health::Healthy(outputs)) => Observation::Applied(outputs),
            Ok(Health::Unhealthy(_)) => Observation::NotApplied,
            Ok(Health::NoAnswer(failure)) | Err(failure) => Observation::Unknown(failure.message),
        }
    }
}

impl Provider for HttpProvider {
    fn prepare<'a>(
        &'a self,
        _: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async { Ok(None) })
    }

    fn start<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(self.perform(action, context))
    }

    fn poll<'a>(
        &'a self,
        action: &'a Action,
        _: &'a AttemptContext,
        _: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(async move { Err(permanent(&format!("{} never goes on elsewhere", action.name()))) })
    }

    fn observe<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        _: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(self.look(action, context))
    }
}

fn permanent(message: &str) -> Failure {
    Failure::new(FailureClass::Permanent, message)
}

fn not_ours(action: &Action) -> Failure {
    permanent(&format!("{} is not an action of the http provider; nothing was done", action.name()))
}
