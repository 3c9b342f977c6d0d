//! Diagnostic logging to standard error. Never writes to standard output, never sees a secret: values are
//! masked before.

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
