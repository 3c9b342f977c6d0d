//! Actions of `aws.route53`: records, weights, health checks. Must never call a change done before every
//! server has it, send more requests than the account's budget, or let one step fail for the record of
//! another.

mod actions;
mod batch;
mod budget;
mod change_records;
mod changes;
mod check_change;
mod desk;
mod failover;
mod follow;
mod goal;
mod health;
mod looks;
mod names;
mod orders;
mod protection;
mod queue;
mod record;
mod session;
mod stages;
mod weights;

use super::{Outputs, permanent};

pub(super) use actions::{observe, poll, precheck, prepare, start};
pub(super) use desk::Desk;
