//! The providers against real processes, a real HTTP server and real PostgreSQL servers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail; the exceptions for tests do not reach functions beside them"
)]

mod command;
mod http;
mod postgres;
mod postgres_tls;
mod router;
