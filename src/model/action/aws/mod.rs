//! Actions on Amazon Web Services, one module per group of services.

pub mod arc;
pub mod backup;
pub mod compute;
pub mod rds;
mod rds_copies;
pub mod route53;
