//! Which account and region an action works in. Must never guess between two accounts.

use std::collections::BTreeSet;

use super::permanent;
use crate::model::run::Failure;
use crate::ports::AttemptContext;
use crate::providers::excerpt;

/// An account and a region of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Twelve digits; absent: whatever account the credentials belong to.
    pub(super) account: Option<String>,
    /// Name of the region.
    pub(super) region: String,
}

impl Place {
    /// The place a regional action works in.
    ///
    /// # Errors
    /// Permanent, when the region is none, or several accounts are possible.
    pub(super) fn of(
        region: &str,
        account: Option<&String>,
        context: &AttemptContext,
    ) -> Result<Self, Failure> {
        check_region(region)?;
        let sites = context.sites.values().filter(|site| site.region.as_deref() == Some(region));
        let accounts: BTreeSet<&str> = sites.filter_map(|site| site.account.as_deref()).collect();
        let account = chosen(account, &accounts, region)?;
        Ok(Self { account, region: region.to_owned() })
    }

    /// The place of an action of a service that has one API for all regions, which lives in `region`.
    ///
    /// # Errors
    /// Permanent, when several accounts are possible.
    pub(super) fn global(
        region: &str,
        account: Option<&String>,
        context: &AttemptContext,
    ) -> Result<Self, Failure> {
        let accounts: BTreeSet<&str> =
            context.sites.values().filter_map(|site| site.account.as_deref()).collect();
        let account = chosen(account, &accounts, "every region")?;
        Ok(Self { account, region: region.to_owned() })
    }
}

fn chosen(
    named: Option<&String>,
    possible: &BTreeSet<&str>,
    region: &str,
) -> Result<Option<String>, Failure> {
    let account = match (named, possible.len()) {
        (Some(named), _) => Some(named.clone()),
        (None, 0 | 1) => possible.first().map(|account| (*account).to_owned()),
        (None, _) => {
            let accounts: Vec<_> = possible.iter().map(|account| excerpt::head(account, 20)).collect();
            return Err(permanent(format!(
                "sites in {region} are in different accounts ({}): say which one with the action's parameter `account`",
                accounts.join(", ")
            )));
        }
    };
    match &account {
        Some(account) if account.len() != 12 || !account.bytes().all(|c| c.is_ascii_digit()) => {
            let shown = excerpt::head(account, 20);
            Err(permanent(format!("`{shown}` is not an AWS account: it must have twelve digits")))
        }
        _ => Ok(account),
    }
}

/// A region becomes part of a host name: nothing but a region may get there.
pub(super) fn is_region(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    (3..=5).contains(&parts.len())
        && region.len() <= 32
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric()))
        && region.bytes().all(|c| !c.is_ascii_uppercase())
        && parts.last().is_some_and(|last| last.bytes().all(|c| c.is_ascii_digit()))
}

fn check_region(region: &str) -> Result<(), Failure> {
    if is_region(region) {
        return Ok(());
    }
    let shown = excerpt::head(region, 40);
    Err(permanent(format!("`{shown}` is not an AWS region such as us-west-2; nothing was sent")))
}

/// Regions that share an identity and host names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Partition {
    /// What the names of its regions begin with.
    regions: &'static str,
    /// What the host names of its services end in.
    pub(super) domain: &'static str,
    /// What those end in that answer over IPv6 as well.
    pub(super) dual_stack: &'static str,
    /// The one host of Route 53.
    pub(super) route53: &'static str,
    /// Region of the control planes that are not regional.
    pub(super) home: &'static str,
}

/// The partitions, the one of all other regions last. Source: the vendor's SDK for Python.
static PARTITIONS: [Partition; 8] = [
    partition(
        "cn-",
        "amazonaws.com.cn",
        "api.amazonwebservices.com.cn",
        "route53.amazonaws.com.cn",
        "cn-northwest-1",
    ),
    partition("us-gov-", "amazonaws.com", "api.aws", "route53.us-gov.amazonaws.com", "us-gov-west-1"),
    partition("eusc-", "amazonaws.eu", "api.amazonwebservices.eu", "route53.amazonaws.eu", "eusc-de-east-1"),
    partition("us-iso-", "c2s.ic.gov", "api.aws.ic.gov", "route53.c2s.ic.gov", "us-iso-east-1"),
    partition("us-isob-", "sc2s.sgov.gov", "api.aws.scloud", "route53.sc2s.sgov.gov", "us-isob-east-1"),
    partition(
        "eu-isoe-",
        "cloud.adc-e.uk",
        "api.cloud-aws.adc-e.uk",
        "route53.cloud.adc-e.uk",
        "eu-isoe-west-1",
    ),
    partition(
        "us-isof-",
        "csp.hci.ic.gov",
        "api.aws.hci.ic.gov",
        "route53.csp.hci.ic.gov",
        "us-isof-south-1",
    ),
    partition("", "amazonaws.com", "api.aws", "route53.amazonaws.com", "us-east-1"),
];

const fn partition(
    regions: &'static str,
    domain: &'static str,
    dual_stack: &'static str,
    route53: &'static str,
    home: &'static str,
) -> Partition {
    Partition { regions, domain, dual_stack, route53, home }
}

/// The partition of a region.
pub(super) fn partition_of(region: &str) -> &'static Partition {
    let [.., last] = &PARTITIONS;
    PARTITIONS.iter().find(|partition| region.starts_with(partition.regions)).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regions_are_regions() {
        for region in ["us-east-1", "ap-southeast-2", "us-gov-west-1", "cn-north-1", "us-iso-east-1"] {
            assert!(check_region(region).is_ok(), "{region}");
        }
        for region in
            ["", "us-east-1.evil.example", "us-east-1/", "x@us-east-1", "US-EAST-1", "us-east", "us--1"]
        {
            assert!(check_region(region).is_err(), "{region}");
        }
    }

    #[test]
    fn every_partition_has_its_own_hosts() {
        for (region, domain, dual_stack, route53, home) in [
            ("us-west-2", "amazonaws.com", "api.aws", "route53.amazonaws.com", "us-east-1"),
            ("us-gov-east-1", "amazonaws.com", "api.aws", "route53.us-gov.amazonaws.com", "us-gov-west-1"),
            ("us-isob-east-1", "sc2s.sgov.gov", "api.aws.scloud", "route53.sc2s.sgov.gov", "us-isob-east-1"),
            ("us-iso-west-1", "c2s.ic.gov", "api.aws.ic.gov", "route53.c2s.ic.gov", "us-iso-east-1"),
            (
                "eusc-de-east-1",
                "amazonaws.eu",
                "api.amazonwebservices.eu",
                "route53.amazonaws.eu",
                "eusc-de-east-1",
            ),
        ] {
            let found = partition_of(region);
            assert_eq!((found.domain, found.dual_stack), (domain, dual_stack), "{region}");
            assert_eq!((found.route53, found.home), (route53, home), "{region}");
        }
        assert_eq!(partition_of("cn-north-1").domain, "amazonaws.com.cn");
    }

    #[test]
    fn two_possible_accounts_are_never_guessed_between() {
        let (one, two) = ("111122223333", "444455556666");
        let named = two.to_owned();
        let both = BTreeSet::from([one, two]);
        assert_eq!(chosen(None, &BTreeSet::from([one]), "us-east-1").unwrap().as_deref(), Some(one));
        assert_eq!(chosen(Some(&named), &BTreeSet::from([one]), "us-east-1").unwrap().as_deref(), Some(two));
        assert_eq!(chosen(None, &BTreeSet::new(), "us-east-1").unwrap(), None);
        assert_eq!(chosen(Some(&named), &both, "us-east-1").unwrap().as_deref(), Some(two));
        let failure = chosen(None, &both, "us-east-1").unwrap_err();
        assert!(failure.message.contains("`account`"), "{failure}");
        assert!(chosen(Some(&"12ab".to_owned()), &both, "us-east-1").is_err());
    }
}
