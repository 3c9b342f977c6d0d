//! Who a process is, beyond a number that is used again: pid, start time, boot. Must never take one process
//! for another.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// A process that can be recognised later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::providers) struct ProcessRecord {
    /// Its number; also that of its group.
    pub pid: u32,
    /// Start time in clock ticks since boot (field 22 of `/proc/PID/stat`); absent where there is no `/proc`.
    pub start: Option<u64>,
    /// The boot it belongs to.
    pub boot: Option<String>,
}

impl ProcessRecord {
    /// Records a live process, or one that has ended and was not waited for yet.
    pub(in crate::providers) fn of(pid: u32) -> Self {
        Self { pid, start: stat(pid).map(|stat| stat.start), boot: boot_id().map(str::to_owned) }
    }

    /// Records a child that was started after `before` and just now. Its start time is known without a look
    /// at `/proc`, which takes as long as all else that is done here, unless a clock tick may have ended.
    pub(in crate::providers) fn of_child(pid: u32, before: Uptime) -> Self {
        match before.tick_until(Uptime::now()) {
            Some(start) => Self { pid, start: Some(start), boot: boot_id().map(str::to_owned) },
            None => Self::of(pid),
        }
    }

    /// Says whether this very process still runs. One that has ended but was not waited for does not.
    pub(in crate::providers) fn is_alive(&self) -> bool {
        self.start.is_some()
            && self.is_of_this_boot()
            && stat(self.pid).is_some_and(|stat| Some(stat.start) == self.start && !stat.ended)
    }

    /// Says whether the host has been up since.
    pub(in crate::providers) fn is_of_this_boot(&self) -> bool {
        self.boot.as_deref() == boot_id()
    }
}

/// Time since boot, suspension included: the clock that the kernel takes start times from.
#[derive(Debug, Clone, Copy)]
pub(in crate::providers) struct Uptime {
    /// Nanoseconds; absent where the start times of processes are counted in another way.
    nanos: Option<u64>,
}

/// How far the kernel's reading of its clock may lie outside of two of ours.
const MARGIN_NANOS: u64 = 50_000;
/// A clock tick of `/proc/PID/stat`.
const TICK_NANOS: u64 = 10_000_000;

impl Uptime {
    /// Reads the clock.
    pub(in crate::providers) fn now() -> Self {
        Self { nanos: now_nanos() }
    }

    /// The clock tick of whatever happened between this and a later reading, unless there are two.
    fn tick_until(self, later: Self) -> Option<u64> {
        let first = self.nanos?.checked_sub(MARGIN_NANOS)? / TICK_NANOS;
        let last = later.nanos?.checked_add(MARGIN_NANOS)? / TICK_NANOS;
        (first == last).then_some(first)
    }
}

fn now_nanos() -> Option<u64> {
    if rustix::param::clock_ticks_per_second() != 1_000_000_000 / TICK_NANOS {
        return None;
    }
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).ok()?.checked_mul(1_000_000_000)?;
    seconds.checked_add(u64::try_from(now.tv_nsec).ok()?)
}

/// Identity of the present boot of this host, from `/proc/sys/kernel/random/boot_id`.
pub(in crate::providers) fn boot_id() -> Option<&'static str> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read =
        || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|text| text.trim().to_owned());
    BOOT.get_or_init(read).as_deref()
}

/// Names a folder as no other folder of any machine is named, nor this one after a restart: traces are
/// written without a sync, so that a restart leaves nothing to conclude from. Absent where that cannot be
/// told.
pub(in crate::providers) fn place_of(folder: &Path) -> Option<String> {
    let (boot, found) = (boot_id()?, std::fs::metadata(folder).ok()?);
    Some(format!("{boot}/{:x}/{:x}", found.dev(), found.ino()))
}

/// What a process number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::providers) enum Presence {
    /// No process has it.
    Gone,
    /// A process that has ended and was not waited for by its parent yet.
    Ended,
    /// A running process.
    Alive,
}

/// Looks what a process number stands for.
pub(in crate::providers) fn presence(pid: u32) -> Presence {
    match stat(pid) {
        None => Presence::Gone,
        Some(stat) if stat.ended => Presence::Ended,
        Some(_) => Presence::Alive,
    }
}

/// What is used of `/proc/PID/stat`.
pub(super) struct Stat {
    pub(super) ended: bool,
    pub(super) group: u32,
    start: u64,
}

pub(super) fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything, also parentheses.
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    let start = fields.nth(16)?.parse().ok()?;
    Some(Stat { ended: matches!(state, "Z" | "X" | "x"), group, start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test starts programs")]
    fn the_start_of_a_child_is_the_one_the_kernel_says() {
        let mut without_looking = 0;
        for _ in 0..50 {
            let before = Uptime::now();
            let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
            without_looking += usize::from(before.tick_until(Uptime::now()).is_some());
            let record = ProcessRecord::of_child(child.id(), before);
            // A child that has ended is there until it is waited for.
            assert_eq!(record, ProcessRecord::of(child.id()));
            child.wait().unwrap();
        }
        assert!(without_looking > 0);
    }

    #[test]
    fn a_start_near_the_end_of_a_tick_is_not_guessed() {
        let at = |nanos| Uptime { nanos: Some(nanos) };
        assert_eq!(at(70_500_000).tick_until(at(71_000_000)), Some(7));
        assert_eq!(at(79_500_000).tick_until(at(79_990_000)), None, "too near to the end");
        assert_eq!(at(70_010_000).tick_until(at(70_500_000)), None, "too near to the beginning");
        assert_eq!(at(78_000_000).tick_until(at(92_000_000)), None);
        assert_eq!(Uptime { nanos: None }.tick_until(at(1)), None);
    }

    #[test]
    fn each_folder_has_a_name_of_its_own() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert!(place_of(one.path()).is_some());
        assert_eq!(place_of(one.path()), place_of(&one.path().join(".")));
        assert_ne!(place_of(one.path()), place_of(other.path()));
        assert_eq!(place_of(&one.path().join("none")), None);
    }

    #[test]
    fn a_process_is_recognised_and_another_with_its_number_is_not() {
        let own = ProcessRecord::of(std::process::id());
        assert!(own.is_alive());
        assert!(!ProcessRecord { start: own.start.map(|start| start + 1), ..own.clone() }.is_alive());
        assert!(!ProcessRecord { boot: Some("another".to_owned()), ..own.clone() }.is_alive());
        assert!(!ProcessRecord { pid: u32::MAX, ..own }.is_alive());
    }
}
