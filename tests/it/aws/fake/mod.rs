//! Fakes of our own for what no emulator does faithfully: changes that take time, refusals by state, lost
//! answers, lost regions. Time passes with looks, not with seconds: each look at a thing moves it one state
//! on. Python's official SDK talks to them too (`certify_*.py`), so that they are not only our own opinion.

#[cfg(feature = "aws-arc")]
pub(crate) mod arc;
#[cfg(feature = "aws-backup")]
pub(crate) mod backup;
#[cfg(feature = "aws-compute")]
pub(crate) mod capacity;
pub(crate) mod rds;
#[cfg(feature = "aws-route53")]
pub(crate) mod route53;
mod server;
mod xml;

pub(crate) use server::{Fake, Request, Response};
