//! Ends a program together with everything it started. Must never signal a group that is not a recorded
//! program's own.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// Pause between two looks at a group that is ending.
const LOOK: Duration = Duration::from_millis(10);

/// Sends a signal to a program's group; a group that is gone is no error.
pub(in crate::providers) fn signal_group(pid: u32, signal: Signal) {
    if let Some(group) = group_of(pid) {
        let _ = kill_process_group(group, signal);
    }
}

/// Sends SIGTERM to a program's group, and SIGKILL when something of it is left after `grace`.
pub(in crate::providers) async fn stop_group(pid: u32, grace: Duration) {
    signal_group(pid, Signal::TERM);
    let gone = async {
        while lives(pid) {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(grace, gone).await.is_err() {
        signal_group(pid, Signal::KILL);
    }
}

/// Says whether anything of a program's group is left, also what has ended and was not waited for.
fn lives(pid: u32) -> bool {
    group_of(pid).is_some_and(|group| test_kill_process_group(group).is_ok())
}

/// Numbers 0 and 1 would mean the own group and everything.
fn group_of(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(Pid::from_raw)
}
