//! Sends each action to the provider of its family. Must never perform anything itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use super::child::ProgramRunner;
use super::{CommandProvider, HttpProvider, PostgresProvider, UnavailableProvider};
use crate::engine::input::Observation;
use crate::model::action::{Action, ActionName, Adapter};
use crate::model::id::SiteName;
use crate::model::run::{Failure, FailureClass};
use crate::model::values::Site;
use crate::ports::{AttemptContext, BoxFuture, Polled, Precheck, Provider, Started};

/// Dispatches actions by family. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    command: Arc<dyn Provider>,
    http: Arc<dyn Provider>,
    postgres: Arc<dyn Provider>,
    aws: Arc<dyn Provider>,
    unavailable: Arc<dyn Provider>,
}

/// Where an action goes.
enum Route<'a> {
    To(&'a dyn Provider),
    Engine,
}

impl Router {
    /// Makes a router over the given providers.
    #[must_use]
    pub fn new(command: CommandProvider, http: HttpProvider, postgres: PostgresProvider) -> Self {
        Self {
            aws: Arc::new(UnavailableProvider),
            command: Arc::new(command),
            http: Arc::new(http),
            postgres: Arc::new(postgres),
            unavailable: Arc::new(UnavailableProvider),
        }
    }

    /// Adds the provider of `aws.*`, which a build may be without.
    #[must_use]
    pub fn with_aws(self, aws: Arc<dyn Provider>) -> Self {
        Self { aws, ..self }
    }

    /// Makes a router over the real providers: files of runs go to `run_directory` (`<state>/runs`),
    /// `executable` is drctl itself, which supervises commands.
    #[must_use]
    pub fn real(run_directory: PathBuf, executable: PathBuf) -> Self {
        let programs = ProgramRunner::new(run_directory.clone());
        Self::new(
            CommandProvider::new(run_directory, executable),
            HttpProvider::new(),
            PostgresProvider::new(programs),
        )
    }

    fn route(&self, action: &Action) -> Route<'_> {
        if action.name().adapter() == Adapter::SimulatedOnly {
            return Route::To(&*self.unavailable);
        }
        match action {
            Action::ApprovalRequest(_)
            | Action::ManualTask(_)
            | Action::WaitFor(_)
            | Action::AssertThat(_) => Route::Engine,
            Action::CommandRun(_) => Route::To(&*self.command),
            Action::HttpRequest(_) | Action::HttpCheck(_) => Route::To(&*self.http),
            Action::PostgresCheckReplication(_)
            | Action::PostgresFence(_)
            | Action::PostgresPromote(_)
            | Action::PostgresRejoin(_)
            | Action::PostgresQuery(_)
            | Action::PostgresHeartbeat(_) => Route::To(&*self.postgres),
            _ if action.name().as_str().starts_with("aws.") => Route::To(&*self.aws),
            // Declared real without a provider: a test over the catalogue fails, and a run is told the truth.
            _ => Route::To(&*self.unavailable),
        }
    }
}

/// What is said when an action of the engine reaches a provider.
fn misrouted(action: &Action) -> Failure {
    let message = format!(
        "{} is performed by the engine and never sent to a provider; nothing was done",
        action.name()
    );
    Failure::new(FailureClass::Permanent, message)
}

impl Provider for Router {
    fn make_ready<'a>(
        &'a self,
        actions: &'a [ActionName],
        sites: &'a Arc<BTreeMap<SiteName, Site>>,
        to: Option<&'a SiteName>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        self.aws.make_ready(actions, sites, to)
    }

    fn precheck<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Precheck, Failure>> {
        match self.route(action) {
            Route::To(provider) => provider.precheck(action, context),
            Route::Engine => Box::pin(async move { Err(misrouted(action)) }),
        }
    }

    fn prepare<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        match self.route(action) {
            Route::To(provider) => provider.prepare(action, context),
            Route::Engine => Box::pin(async move { Err(misrouted(action)) }),
        }
    }

    fn start<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        match self.route(action) {
            Route::To(provider) => provider.start(action, context),
            Route::Engine => Box::pin(async move { Err(misrouted(action)) }),
        }
    }

    fn poll<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        match self.route(action) {
            Route::To(provider) => provider.poll(action, context, handle),
            Route::Engine => Box::pin(async move { Err(misrouted(action)) }),
        }
    }

    fn observe<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        match self.route(action) {
            Route::To(provider) => provider.observe(action, context, handle),
            Route::Engine => Box::pin(async move { Observation::Unknown(misrouted(action).message) }),
        }
    }
}
