//! How much one address may ask for. Never keeps a webhook or a person out for long: the burst is ten times
//! the rate.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::config::ServerSection;

/// Addresses that are remembered before old ones are forgotten.
const REMEMBERED: usize = 10_000;

/// Counts requests by address.
pub(super) struct Limits {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
}

impl Limits {
    pub(super) fn new(section: &ServerSection) -> Self {
        let rate = NonZeroU32::new(section.requests_per_second).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(9));
        Self { by_address: RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)) }
    }

    /// Says whether an address may ask now.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        if self.by_address.len() > REMEMBERED {
            self.by_address.retain_recent();
        }
        self.by_address.check_key(&address).is_ok()
    }
}
