//! Metrics and traces, made of recorded facts and checked with the programs of those who read them.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail; the exceptions for tests do not reach functions beside them"
)]

mod metrics;
mod traces;

use std::path::{Path, PathBuf};

/// Something that `tests/monitoring.sh` has put below target/monitoring.
fn tool(path: &str) -> PathBuf {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/monitoring").join(path);
    assert!(tool.exists(), "{} is missing: `bash tests/all.sh` puts it there", tool.display());
    tool
}
