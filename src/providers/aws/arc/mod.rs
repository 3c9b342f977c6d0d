//! Actions of `aws.arc`: routing controls and Region switch, by signed calls without an SDK. Must never break
//! a safety rule that was not named.

mod actions;
mod region_switch;
mod routing;

use super::{Outputs, is_young, permanent};

pub(super) use actions::{observe, poll, precheck, prepare, start};
