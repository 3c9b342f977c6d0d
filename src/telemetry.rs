//! What drctl tells about itself: logging to standard error, metrics, traces. Never writes to standard
//! output, never sees a secret: values are masked before.

mod exposition;
mod follower;
mod measure;
mod metrics;
mod timed_journal;
pub mod trace;

pub use exposition::Exposition;
pub use follower::Follower;
pub use metrics::Metrics;
pub use timed_journal::TimedJournal;

use tracing_subscriber::EnvFilter;

/// Starts logging: warnings, or more with each `-v`. `DRCTL_LOG` overrides with a filter.
pub fn start(verbose: u8) {
    let level = match verbose {
        0 => "error",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = crate::config::environment("DRCTL_LOG").unwrap_or_else(|| format!("drctl={level}"));
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("drctl=error"));
    // A second start, as in tests, changes nothing.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
