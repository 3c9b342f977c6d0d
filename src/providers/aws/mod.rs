//! `aws.*`: actions on Amazon Web Services, one folder for each group of services. Must never retry, guess an
//! account, show a secret, or pass on the SDK's own words in place of what happened.
//!
//! `docs/design/0006-aws.md` says how the parts fit together and how a group is added.

#![cfg_attr(
    not(feature = "aws"),
    expect(dead_code, reason = "a build with some of the groups makes some of the calls")
)]

mod call;
mod clients;
mod credentials;
mod failure;
mod group;
mod iam;
#[cfg(feature = "aws-rds")]
mod kms;
mod metrics;
mod place;
mod provider;
mod ready;
mod settings;
mod transport;
mod xml;

#[cfg(feature = "aws-arc")]
mod arc;
#[cfg(feature = "aws-backup")]
mod backup;
#[cfg(feature = "aws-compute")]
mod compute;
#[cfg(feature = "aws-rds")]
mod rds;
#[cfg(feature = "aws-route53")]
mod route53;

use serde_json::{Map, Value};

use crate::model::run::{Failure, FailureClass};
use crate::model::time::{Duration, Timestamp};

pub use provider::AwsProvider;
pub use settings::{Access, Keys, Settings};

/// Outputs of an action.
type Outputs = Map<String, Value>;

/// Whether an order is so young that a look may not know of it yet. Its handle says when it was sent.
fn is_young(handle: &Value, now: Timestamp, settle: Duration) -> bool {
    let at = serde_json::from_value::<Timestamp>(handle["at"].clone()).ok();
    at.is_some_and(|at| now.since(at) < settle)
}

fn permanent(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::Permanent, message)
}
