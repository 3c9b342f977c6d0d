//! What performs actions, and tells beforehand whether they could. One try a call: retries belong to the
//! engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::BoxFuture;
use crate::engine::input::{Direction, Observation};
use crate::model::action::{Action, ActionName};
use crate::model::id::{NodeAddress, RunId, ServiceName, SiteName};
use crate::model::run::{Failure, Intent, Mode};
use crate::model::time::Timestamp;
use crate::model::values::Site;
use crate::plan::Plan;

/// Performs the actions of one or more families. One try each: retries belong to the engine.
pub trait Provider: Send + Sync {
    /// Fetches what must not be looked for once a site is lost, such as credentials. Called when a driver
    /// takes up a run, before any step; the actions are those of its plan.
    fn make_ready<'a>(
        &'a self,
        _actions: &'a [ActionName],
        _sites: &'a Arc<BTreeMap<SiteName, Site>>,
        _to: Option<&'a SiteName>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    /// Another provider of this kind for the actions of a run that a node of the caller's run begins; `None`:
    /// this one serves them as well.
    ///
    /// # Errors
    /// When there can be none.
    fn of_child(&self, _child: &ChildOf<'_>) -> Result<Option<Arc<dyn Provider>>, Failure> {
        Ok(None)
    }

    /// Looks whether the action could work now: what it needs exists, is allowed and in a state for it.
    /// Changes nothing, and says what it could not look at.
    ///
    /// A failure says why the action would not work.
    fn precheck<'a>(
        &'a self,
        action: &'a Action,
        _context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Precheck, Failure>> {
        let why = format!("{} cannot tell beforehand whether it will work", action.name());
        Box::pin(async { Ok(Precheck { unknown: vec![why], ..Precheck::default() }) })
    }

    /// Reads what `undo` will need. Changes nothing.
    fn prepare<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>>;

    /// Makes one try. A long operation returns a handle as soon as it is known.
    fn start<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>>;

    /// Looks at a long operation once.
    fn poll<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>>;

    /// Looks whether the effect of the attempt is already true. Changes nothing.
    fn observe<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation>;
}

/// A run that a node of another one begins.
#[derive(Debug, Clone, Copy)]
pub struct ChildOf<'a> {
    /// Its id.
    pub run: &'a RunId,
    /// Its plan.
    pub plan: &'a Plan,
    /// When the run around it began.
    pub began: Timestamp,
}

/// Where the driver of an attempt was when it began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Began {
    /// Name of its machine.
    pub host: String,
    /// The folder in which programs leave their traces, as no other folder of any machine is named, nor this
    /// one after a restart of the machine: that there are none says something only there. Absent: nobody can
    /// tell.
    pub traces: Option<String>,
}

/// What a provider knows about the attempt it makes.
#[derive(Debug, Clone)]
pub struct AttemptContext {
    /// The run.
    pub run: RunId,
    /// The service.
    pub service: ServiceName,
    /// The node.
    pub node: NodeAddress,
    /// Number of the attempt.
    pub attempt: u32,
    /// Apply or take back.
    pub direction: Direction,
    /// The same for all sends of one intent; different after a known outcome.
    pub idempotency_key: String,
    /// Rises with each grant of the run's lease.
    pub fencing_token: u64,
    /// When the attempt runs out of time.
    pub deadline: Timestamp,
    /// Mode of the run.
    pub mode: Mode,
    /// Intent of the run.
    pub intent: Intent,
    /// Site the service leaves.
    pub from: Option<SiteName>,
    /// Site it moves to.
    pub to: Option<SiteName>,
    /// The sites of the plan.
    pub sites: Arc<BTreeMap<SiteName, Site>>,
    /// What `prepare` read before the effect.
    pub prepared: Option<Value>,
    /// Where its driver was when the attempt began; absent: it has not begun before.
    pub began: Option<Began>,
    /// A secret went into the parameters: keep no output unless the step asks for it.
    pub sensitive: bool,
    /// Told when the attempt is to be given up.
    pub cancelled: CancelSignal,
}

/// Tells an attempt that it is to be given up.
#[derive(Debug, Clone)]
pub struct CancelSignal(tokio::sync::watch::Receiver<bool>);

/// The sending half of a [`CancelSignal`].
#[derive(Debug)]
pub struct CancelSwitch(tokio::sync::watch::Sender<bool>);

impl CancelSwitch {
    /// Makes a connected pair.
    #[must_use]
    pub fn new() -> (Self, CancelSignal) {
        let (sender, receiver) = tokio::sync::watch::channel(false);
        (Self(sender), CancelSignal(receiver))
    }

    /// Tells the attempt to give up.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl CancelSignal {
    /// Says whether it is to be given up.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the attempt is to be given up; for ever when it never is.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|cancelled| *cancelled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq)]
pub enum Started {
    /// It is done; these are the outputs.
    Done(Map<String, Value>),
    /// It goes on elsewhere; this finds it again.
    Handle(Value),
}

/// What was seen of what an action needs, in sentences for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Precheck {
    /// What is as it must be.
    pub found: Vec<String>,
    /// What may become a hindrance.
    pub warnings: Vec<String>,
    /// What could not be looked at, and why.
    pub unknown: Vec<String>,
}

impl Precheck {
    /// The outputs of a node that asked.
    #[must_use]
    pub fn outputs(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) | Err(_) => Map::new(),
        }
    }
}

/// What one look at a long operation showed.
#[derive(Debug, Clone, PartialEq)]
pub enum Polled {
    /// It goes on; with a line for people.
    Pending(Option<String>),
    /// It is done; these are the outputs.
    Done(Map<String, Value>),
}
