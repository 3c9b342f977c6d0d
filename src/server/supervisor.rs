//! Tells the service manager (systemd) how the process is: ready, reading its configuration again, ending,
//! and alive as long as it does its work. Without a service manager nobody is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::AbortHandle;

use super::state::Server;
use crate::ports::{JournalAdmin, RunFilter};

/// How often what works says so.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// What an end may take beside letting runs go.
const BESIDE_DRAIN: Duration = Duration::from_secs(20);

/// When connections were last ready to be taken.
#[derive(Debug)]
pub(super) struct Pulse {
    begin: Instant,
    /// Milliseconds after the begin.
    last: AtomicU64,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { begin: Instant::now(), last: AtomicU64::new(0) }
    }

    /// Says that connections are taken.
    pub(super) fn beat(&self) {
        self.last.store(millis(self.begin.elapsed()), Ordering::Relaxed);
    }

    /// How long ago that was last said.
    fn age(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.begin.elapsed().saturating_sub(last)
    }
}

/// Says that requests are answered from now on.
pub(super) fn ready(address: &dyn std::fmt::Display) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("listens on {address}"))]);
}

/// Says that the process ends, and how long that may take.
pub(super) fn stopping(drain: Duration) {
    let most = u32::try_from((drain + BESIDE_DRAIN).as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(most),
        NotifyState::Status("lets its runs go"),
    ]);
}

/// Hears SIGHUP from now on: until then it ends the process.
pub(super) fn hangups() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Reads again who may use the server whenever SIGHUP says so.
pub(super) async fn reread(server: Arc<Server>, address: String, hangup: std::io::Result<Signal>) {
    let Ok(mut hangup) = hangup else { return };
    while hangup.recv().await.is_some() {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "the service manager is not told of a reload"),
        }
        match server.read_auth() {
            Ok(()) => tracing::info!("tokens and identity providers were read again"),
            Err(error) => {
                tracing::error!(error = %error.message, "tokens and identity providers stay as they were");
            }
        }
        ready(&address);
    }
}

/// Says again and again that the process is alive, where the service manager wants to hear it: connections
/// are taken, the journal answers, and nothing that goes on beside requests has broken off.
pub(super) async fn watch(server: Arc<Server>, tasks: Vec<AbortHandle>) {
    let Some(within) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    loop {
        tokio::time::sleep(within / 4).await;
        match sick(server.as_ref(), &tasks, within / 4).await {
            None => tell(&[NotifyState::Watchdog]),
            Some(what) => tracing::error!(what, "not well: the service manager is not told that all is"),
        }
    }
}

async fn sick(server: &Server, tasks: &[AbortHandle], within: Duration) -> Option<&'static str> {
    let ended = tasks.iter().any(AbortHandle::is_finished);
    match visible(ended, server.pulse.age(), within) {
        None => answers(server.session().journal.as_ref(), within).await.err(),
        sick => sick,
    }
}

/// What is wrong as far as that is seen without asking the journal.
fn visible(ended: bool, age: Duration, within: Duration) -> Option<&'static str> {
    if ended {
        return Some("a task that should go on has ended");
    }
    (age > within.max(2 * BEAT)).then_some("no connections are taken")
}

/// A journal that says that it cannot be reached answers: starting again would not bring it back.
async fn answers(journal: &dyn JournalAdmin, within: Duration) -> Result<(), &'static str> {
    let look = RunFilter { limit: 1, ..RunFilter::default() };
    let answer = tokio::time::timeout(within, journal.runs(&look)).await;
    answer.map(|_| ()).map_err(|_| "the journal does not answer")
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_work_is_not_alive() {
        let within = Duration::from_secs(15);
        assert_eq!(visible(false, Duration::from_secs(1), within), None);
        assert!(visible(true, Duration::ZERO, within).is_some());
        assert!(visible(false, Duration::from_secs(16), within).is_some());
        // A beat may come late by another.
        assert_eq!(visible(false, Duration::from_millis(1_500), Duration::from_millis(100)), None);
        let pulse = Pulse::new();
        pulse.beat();
        assert!(pulse.age() < Duration::from_secs(5));
    }
}
