//! The actions of `aws.*` against emulators of AWS on 127.0.0.1, and against a fake of our own where the
//! emulators are unfaithful. Nothing here reaches AWS.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test may fail; the exceptions for tests do not reach functions beside them"
)]

mod access;
#[cfg(feature = "aws-arc")]
mod arc;
#[cfg(any(feature = "aws-compute", feature = "aws-arc", feature = "aws-backup"))]
mod attempts;
#[cfg(feature = "aws-backup")]
mod backup;
mod client;
#[cfg(feature = "aws-compute")]
mod compute;
#[cfg(feature = "aws-compute")]
mod drill;
mod estate;
mod fake;
mod faults;
#[cfg(feature = "aws-rds")]
mod killed;
#[cfg(all(
    feature = "aws-arc",
    feature = "aws-backup",
    feature = "aws-compute",
    feature = "aws-rds",
    feature = "aws-route53"
))]
mod outage;
#[cfg(feature = "aws")]
mod permissions;
#[cfg(feature = "aws-rds")]
mod rds;
#[cfg(all(
    feature = "aws-arc",
    feature = "aws-backup",
    feature = "aws-compute",
    feature = "aws-rds",
    feature = "aws-route53"
))]
mod recovered;
#[cfg(feature = "aws-route53")]
mod route53;
#[cfg(all(
    feature = "aws-arc",
    feature = "aws-backup",
    feature = "aws-compute",
    feature = "aws-rds",
    feature = "aws-route53"
))]
mod stage;
#[cfg(feature = "aws-rds")]
mod whole;
