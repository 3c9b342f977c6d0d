//! Adapters that perform actions on real systems, one family each. They make one try and classify what went
//! wrong; they must never retry, journal, or print what may be a secret, and they know neither each other nor
//! the runtime.
//!
//! `child` and `excerpt` are the ground they share: starting programs and finding them again, and cutting
//! untrusted text to a size and shape that is safe to show.

mod child;
mod excerpt;
mod router;
mod unavailable;

#[cfg(feature = "aws-base")]
pub mod aws;
pub mod command;
pub mod http;
pub mod identity;
pub mod incident;
pub mod postgres;
pub mod secret;
pub mod simulated;

#[cfg(feature = "aws-base")]
pub use aws::AwsProvider;
pub use child::ProgramRunner;
pub use command::CommandProvider;
pub use http::HttpProvider;
pub use postgres::PostgresProvider;
pub use router::Router;
pub use unavailable::{CANNOT, UnavailableProvider};
