//! Starting programs, finding them again after a crash, and ending them with all they started. Shared by
//! `command.run` and by actions that call a program; must never decide what an exit status means.

mod environment;
mod files;
mod group;
mod identity;
mod program;
mod spawn;

pub(super) use environment::environment;
pub(super) use files::{AttemptFiles, RunFiles};
pub(super) use group::{signal_group, stop_group};
pub(super) use identity::{Presence, ProcessRecord, boot_id, find_by_key, left_its_traces_here, presence};
pub use program::ProgramRunner;
pub(super) use program::{ProgramEnd, unwritable};
pub(super) use rustix::process::Signal;
pub(super) use spawn::{Launch, why_not_started};
