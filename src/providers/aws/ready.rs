//! What is fetched before the first step of a run. Must never hold up a run because of the site that is lost.

use std::collections::{BTreeMap, BTreeSet};

use super::clients::Aws;
use super::place::Place;
use crate::model::id::SiteName;
use crate::model::run::Failure;
use crate::model::values::Site;

/// Fetches the credentials of every account the sites are in: later their source may be gone.
///
/// # Errors
/// When those for the site that is recovered into cannot be had. Those of other sites are tried again by the
/// steps that need them.
pub(super) async fn fetch_credentials(
    aws: &Aws,
    sites: &BTreeMap<SiteName, Site>,
    to: Option<&SiteName>,
) -> Result<(), Failure> {
    let here = |site: &Site| site.provider.as_deref().is_none_or(|provider| provider == "aws");
    let account_of = |site: &Site| site.account.clone();
    let needed: BTreeSet<Option<String>> = match to.and_then(|to| sites.get(to)) {
        Some(site) => BTreeSet::from([account_of(site)]),
        None => sites.values().filter(|site| here(site)).map(account_of).collect(),
    };
    let others = sites.values().filter(|site| here(site)).map(account_of);
    let others: BTreeSet<_> = others.filter(|account| !needed.contains(account)).collect();
    let regions = aws.sts_regions(None, sites, to);
    for account in needed {
        aws.credentials(&place(account, &regions), &regions).await?;
    }
    for account in others {
        let _ = aws.credentials(&place(account, &regions), &regions).await;
    }
    Ok(())
}

fn place(account: Option<String>, regions: &[String]) -> Place {
    Place { account, region: regions.first().cloned().unwrap_or_default() }
}
