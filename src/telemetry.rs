//! What drctl tells about itself: logging to standard error, metrics, traces. Never writes to standard
//! output, never sees a secret: values are masked before.

mod exposition;
mod follower;
mod measure;
mod metrics;
mod timed_journal;
pub mod trace;
mod watched;

pub use exposition::Exposition;
pub use follower::Follower;
pub use metrics::Metrics;
pub use timed_journal::TimedJournal;

use tracing_subscriber::EnvFilter;

/// How much is logged, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Errors, or more with each `-v`, as lines for people.
    Command {
        /// How often `-v` was given.
        verbose: u8,
    },
    /// Of a process that stays: what it does, as lines of JSON where no person reads along.
    Server {
        /// How often `-v` was given.
        verbose: u8,
    },
}

/// Starts logging. `DRCTL_LOG` overrides how much is logged with a filter.
pub fn start(manner: Manner) {
    let verbose = match manner {
        Manner::Command { verbose } => verbose,
        Manner::Server { verbose } => verbose.saturating_add(1),
    };
    let level = match verbose {
        0 => "error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = crate::config::environment("DRCTL_LOG").unwrap_or_else(|| format!("drctl={level}"));
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("drctl=error"));
    let person = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(person);
    // A second start, as in tests, changes nothing.
    let _ = match manner {
        Manner::Server { .. } if !person => lines.json().flatten_event(true).try_init(),
        Manner::Command { .. } | Manner::Server { .. } => lines.try_init(),
    };
}
