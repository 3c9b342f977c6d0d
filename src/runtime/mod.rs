//! The shell around the engine: loads runs, drives them, dispatches attempts. Knows ports only: no SQL,
//! HTTP or SDK type.

mod children;
mod clock;
mod create;
mod dispatch;
mod driver;
mod evidence;
mod facts;
mod history;
mod intake;
mod load;
mod lull;
mod outputs;
mod readiness;
mod readings;
mod recording;
mod redact;
mod scheduler;
mod service;
mod stop_switch;
mod task;
mod trigger;

pub use clock::{SystemClock, Time, VirtualClock};
pub use create::{NewRun, Runtime};
pub use driver::{Driver, Follower, Recorded, Silent, SimulatedOperator, Stop};
pub use evidence::{Told, tell, told};
pub use history::history;
pub use intake::{Answer, Delivered, Intake, Webhook};
pub use load::{Loaded, load, load_plan};
pub use readiness::{last_readiness, record_readiness};
pub use readings::{Known, known_readings, record_readings};
pub use redact::Redactor;
pub use scheduler::{
    Behind, Launch, LaunchError, Scheduled, Scheduler, Turn, opened_run, schedule_record, take_out,
};
pub use service::{service_record, service_record_and_head};
pub use stop_switch::{StopSwitch, Turned, stop_switch, turn_stop_switch};
pub use trigger::{Act, HookUse, Looked, Processor, trigger_record, withdraw};

use crate::model::id::RunId;
use crate::model::time::Timestamp;
use crate::ports::{JournalError, SecretError};

/// Why a run could not be created, loaded or driven on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal refused, is damaged or cannot be reached.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A secret the run needs could not be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What the run needs from the start, such as credentials, cannot be had.
    #[error("{0}")]
    NotReady(String),
    /// What is stored about the run cannot be used.
    #[error("run {run} cannot be loaded: {message}")]
    Unusable {
        /// The run.
        run: RunId,
        /// Why.
        message: String,
    },
    /// What was recorded about the run was dropped, as a person asked for.
    #[error("run {run} was pruned{}: what it did is gone, its summary is left", on(*.at))]
    Pruned {
        /// The run.
        run: RunId,
        /// When, where the journal says so.
        at: Option<Timestamp>,
    },
    /// A sensitive parameter has to be given again.
    #[error("parameter `{0}` is sensitive and not stored: give it again with --set {0}=…")]
    ParameterMissing(String),
    /// A sensitive parameter is not what the run was started with.
    #[error("parameter `{0}` is not the value the run was started with")]
    ParameterChanged(String),
    /// The plan cannot be run.
    #[error("the plan cannot be run: {0}")]
    Plan(String),
}

fn on(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!(" on {at}"))
}
