//! drctl: a compiler in front of a replayable state machine.

pub mod app;
pub mod cli;
pub mod compile;
pub mod config;
pub mod dial;
pub mod engine;
pub mod evidence;
pub mod forecast;
pub mod journal;
pub mod model;
pub mod notify;
pub mod oidc;
pub mod plan;
pub mod policy;
pub mod ports;
pub mod providers;
pub mod runtime;
pub mod seal;
pub mod server;
pub mod tail;
pub mod telemetry;
pub mod webhook;
