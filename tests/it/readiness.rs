//! What was exercised of a service and how ready that makes it: from histories that were really recorded.

#![expect(clippy::unwrap_used, reason = "parts of tests")]

mod covered;
mod judged;
mod kept;
mod recorded;
