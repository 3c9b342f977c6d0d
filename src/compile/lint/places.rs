//! `DR0412`: providers and regions that nobody knows, so that nothing would be found to be lost with them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::compile::diagnostic::Code;
use crate::compile::outline::Outline;
use crate::compile::placeholder::holds_placeholder;
use crate::compile::reporter::Reporter;
use crate::compile::suggest;
use crate::compile::tree::escape;
use crate::model::action::{ActionName, ApiHome};
use crate::model::region;
use crate::model::runbook::Runbook;
use crate::model::step::{Step, Undo, Variant};
use crate::model::values::Site;

/// What is wrong with a word, and what to do.
type Fault = (String, String);

/// Checks the sites and the readings of the recovery point.
pub(super) fn blocks(runbook: &Runbook, reporter: &mut Reporter<'_>) {
    for (name, site) in &runbook.sites {
        let pointer = format!("/sites/{}", escape(name.as_str()));
        if let Some((key, (message, help))) = misplaced(name.as_str(), site) {
            match key {
                "" => reporter.key(Code::UnknownPlace, &pointer, message).help(help),
                key => reporter.value(Code::UnknownPlace, &format!("{pointer}/{key}"), message).help(help),
            };
        }
    }
    let sites = regions(runbook);
    for (at, reading) in runbook.recovery_point.iter().enumerate() {
        if let Some((key, (message, help))) =
            strange("the recovery point", reading.uses, &reading.with, &sites)
        {
            let pointer = format!("/recovery_point/{at}/with/{key}");
            reporter.value(Code::UnknownPlace, &pointer, message).help(help);
        }
    }
}

/// Checks the regions that steps name themselves.
pub(super) fn workflow(runbook: &Runbook, outline: &Outline<'_>, reporter: &mut Reporter<'_>) {
    let sites = regions(runbook);
    for (index, entry) in outline.leaves() {
        let pointer = outline.pointer(index);
        for (place, action, with) in calls(entry.step) {
            let what = format!("`{}`", entry.id());
            if let Some((key, (message, help))) = strange(&what, action, with, &sites) {
                let pointer = format!("{pointer}/{place}with/{key}");
                reporter.value(Code::UnknownPlace, &pointer, message).help(help);
            }
        }
    }
}

/// Regions of sites: those are told where they stand.
fn regions(runbook: &Runbook) -> BTreeSet<&str> {
    runbook.sites.values().filter_map(|site| site.region.as_deref()).collect()
}

/// What is wrong with the place of a site, and the key that says so.
fn misplaced(name: &str, site: &Site) -> Option<(&'static str, Fault)> {
    let open = |word: &Option<String>| word.as_deref().is_some_and(|word| holds_placeholder(&word.into()));
    if open(&site.provider) || open(&site.region) {
        return None;
    }
    let known = |word: &str| region::CLOUDS.contains(&word.trim().to_ascii_lowercase().as_str());
    let by_region = site.region.as_deref().and_then(region::cloud_of);
    let Some(provider) = site.provider.as_deref() else {
        let region = site.region.as_deref().filter(|_| by_region.is_none())?;
        // Any word may be the name of somebody's own hall: only a slip in a long one is told.
        let near = near_region(region, &region::CLOUDS)
            .filter(|near| region.len() > 6 && near.get(..3) == region.get(..3));
        if near.is_none() && region::of_zone(region).is_none() {
            return None;
        }
        return Some(("region", unknown_region(region, None, near)));
    };
    if !known(provider) {
        let near =
            || suggest::nearest(provider, region::CLOUDS).filter(|near| is_slip(provider, near, by_region));
        let cloud = region::meant(provider).or_else(near)?;
        let message = format!("`{name}` is at the provider `{provider}`, which nobody knows");
        let why = match by_region {
            Some(cloud) => format!("its region is one of `{cloud}`: "),
            None => String::new(),
        };
        let help = format!("{why}did you mean `{cloud}`? What is lost with a site is told by its provider");
        return Some(("provider", (message, help)));
    }
    let cloud = region::meant(provider)?;
    let Some(region) = site.region.as_deref() else {
        let message =
            format!("`{name}` is at {cloud} but names no region, so nobody knows what is lost with it");
        return Some(("", (message, "add `region`".to_owned())));
    };
    match by_region {
        Some(own) if own == cloud => None,
        Some(other) => {
            let message = format!("`{region}` is a region of {other}, but `{name}` is at {cloud}");
            Some(("region", (message, "correct the provider or the region".to_owned())))
        }
        None => Some(("region", unknown_region(region, Some(cloud), near_region(region, &[cloud])))),
    }
}

/// Whether a word may well be meant for a cloud. A name of three letters, such as that of another provider,
/// is so only where the region says the same; a product such as `azure-stack` is no cloud.
fn is_slip(provider: &str, cloud: &str, by_region: Option<&str>) -> bool {
    let word = provider.trim().to_ascii_lowercase();
    let goes_on = word.strip_prefix(cloud).is_some_and(|rest| rest.starts_with(['-', '_', ' ', '.']));
    !goes_on && (word.chars().count() > 3 || by_region == Some(cloud))
}

fn unknown_region(region: &str, cloud: Option<&str>, near: Option<&str>) -> Fault {
    let whose = cloud.map_or_else(|| "any cloud".to_owned(), str::to_owned);
    if let Some(whole) =
        region::of_zone(region).filter(|whole| cloud.is_none() || region::cloud_of(whole) == cloud)
    {
        let message = format!("`{region}` is a zone, and no region of {whose}");
        return (message, format!("write the region it is in, `{whole}`: that is what is lost as a whole"));
    }
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "correct it; where it is newer than this build, accept this with a reason".to_owned(),
    };
    (format!("`{region}` is no region of {whose} that is known here"), help)
}

fn near_region(region: &str, clouds: &[&str]) -> Option<&'static str> {
    let all = clouds.iter().flat_map(|cloud| region::regions(cloud));
    suggest::nearest(region, all.collect::<Vec<_>>())
}

/// A region, written out, that is none of the cloud whose action is called.
fn strange<'w>(
    what: &str,
    action: ActionName,
    with: &'w Map<String, Value>,
    sites: &BTreeSet<&str>,
) -> Option<(&'w str, Fault)> {
    let ApiHome::Parameter(key) = action.spec().home else { return None };
    let cloud = action.as_str().split('.').next().filter(|family| region::CLOUDS.contains(family))?;
    let (key, value) = with.get_key_value(key)?;
    let region = value.as_str().filter(|text| !text.contains("{{") && !text.contains("{%"))?;
    if holds_placeholder(value)
        || sites.contains(region)
        || region::regions(cloud).any(|known| known == region)
    {
        return None;
    }
    let (message, help) = unknown_region(region, Some(cloud), near_region(region, &[cloud]));
    Some((key.as_str(), (format!("{what} calls a region that nobody knows: {message}"), help)))
}

/// Every call of a step that names a region, with the place of its parameters.
fn calls(step: &Step) -> Vec<(String, ActionName, &Map<String, Value>)> {
    let mut found = Vec::new();
    if let Some(action) = step.uses {
        found.push((String::new(), action, &step.with));
    }
    if let Some(Variant::Other(other)) = &step.ungraceful
        && let Some(action) = other.uses.or(step.uses)
    {
        found.push(("ungraceful/".to_owned(), action, &other.with));
    }
    if let Some(Undo::Use(undo)) = &step.undo {
        found.push(("undo/".to_owned(), undo.uses, &undo.with));
    }
    for (key, checks) in [("precheck", &step.precheck), ("verify", &step.verify)] {
        for (at, check) in checks.iter().enumerate() {
            found.push((format!("{key}/{at}/"), check.uses, &check.with));
        }
    }
    found
}
