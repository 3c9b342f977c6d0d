//! Starting programs, finding them again after a crash, and ending them with all they started. Shared by
//! `command.run` and by actions that call a program; must never decide what an exit status means.

mod environment;
mod files;
mod folder;
mod group;
mod identity;
mod notes;
mod outputs;
mod program;
mod search;
mod spawn;
mod writers;

pub(super) use environment::environment;
pub(super) use files::{AttemptFiles, RunFiles};
pub(super) use folder::{RunFolder, RunFolders};
pub(super) use group::{signal_group, stop_group};
pub(super) use identity::{Presence, ProcessRecord, Uptime, boot_id, presence};
pub(super) use notes::{Begun, Noted};
pub(super) use outputs::{Outputs, Printed, STDERR, STDOUT};
pub use program::ProgramRunner;
pub(super) use program::{ProgramEnd, unwritable};
pub(super) use rustix::process::Signal;
pub(super) use search::{Search, find_by_key};
pub(super) use spawn::{Launch, why_not_started};
