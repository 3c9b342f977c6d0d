//! When drills run, and what keeps them from running.

#![expect(clippy::unwrap_used, reason = "parts of tests")]

mod calendar;
mod crosscheck;
mod scheduler;
mod versions;
mod world;
