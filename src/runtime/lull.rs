//! Notices that this process could do nothing for a while: it was stopped, or the machine was suspended.

use std::time::Duration;

/// When the process last did something, by a clock that counts suspension as well.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awake(Duration);

impl Awake {
    /// Now.
    pub(super) fn now() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let (seconds, nanos) = (u64::try_from(now.tv_sec), u32::try_from(now.tv_nsec));
        Self(Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default()))
    }

    /// Says whether more than so much has passed since it was asked last.
    pub(super) fn was_away(&mut self, most: Duration) -> bool {
        let before = std::mem::replace(self, Self::now());
        self.0.saturating_sub(before.0) > most
    }
}
