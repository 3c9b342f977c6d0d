//! How long this machine let its programs wait, as its kernel counts it: what is judged by the clock is
//! judged by a machine that does its work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::strikes::clock;

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Notes how long programs had to wait, from now on.
pub(super) struct Machine {
    /// Times in seconds since 1970, and the seconds that some program had waited by then.
    seen: Arc<Mutex<Vec<(f64, f64)>>>,
    end: Arc<AtomicBool>,
}

impl Machine {
    /// Begins to look. On a machine that does not count this, nobody ever waits.
    pub(super) fn watch() -> Self {
        let (seen, end) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (into, ended) = (Arc::clone(&seen), Arc::clone(&end));
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let waited = ["cpu", "io"].into_iter().filter_map(waited).sum();
                into.lock().unwrap().push((clock(), waited));
                std::thread::sleep(LOOK);
            }
        });
        Self { seen, end }
    }

    /// For how many seconds between two times some program could not do its work.
    pub(super) fn stalled(&self, from: f64, to: f64) -> f64 {
        let seen = self.seen.lock().unwrap();
        let before = seen.iter().rev().find(|(at, _)| *at <= from).or(seen.first());
        let after = seen.iter().find(|(at, _)| *at >= to).or(seen.last());
        before.zip(after).map_or(0.0, |((_, before), (_, after))| (after - before).clamp(0.0, to - from))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
    }
}

/// The seconds that at least one program has waited for this, since the machine was started.
fn waited(what: &str) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/pressure/{what}")).ok()?;
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let total = some.split_whitespace().find_map(|word| word.strip_prefix("total="))?;
    Some(Duration::from_micros(total.parse().ok()?).as_secs_f64())
}
