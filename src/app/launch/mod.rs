//! From a request to a run: finds the runbook, asks the service record and the policy, plans, and creates the
//! run. The same for everyone who may ask: a person at a terminal, a schedule, a webhook, the API.

pub(crate) mod afar;
pub(crate) mod board;
pub(crate) mod check;
pub(crate) mod drill;
pub(crate) mod estate;
pub(crate) mod files;
mod handover;
pub(crate) mod inbox;
mod incident;
pub(crate) mod interrupt;
pub(crate) mod members;
pub(crate) mod outlook;
pub(crate) mod plannable;
pub(crate) mod planned;
pub(crate) mod policy;
pub(crate) mod promote;
pub(crate) mod promoted;
pub(crate) mod quarantine;
pub(crate) mod route;
pub(crate) mod sampler;
pub(crate) mod schedule;
pub(crate) mod shelf;
pub(crate) mod source;
mod start;
pub(crate) mod takeover;
pub(crate) mod trigger;
pub(crate) mod unfilled;
mod wanted;
pub(crate) mod warnings;

pub(crate) use start::{Began, start};
pub(crate) use wanted::{Binding, BrokenGlass, Wanted};

use crate::model::time::Duration;

/// How long a staged run waits to be started, unless something else is asked for.
pub(crate) const STAGED_FOR: Duration = Duration::from_secs(4 * 3600);
