//! One permission and the resources it is needed on, made from the parameters of a call. Must never take a
//! template for a name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::node::Call;
use crate::model::expression::has_template;
use crate::model::id::SiteName;
use crate::model::values::Site;

/// Something that must be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Twelve digits; absent: whatever account the credentials belong to.
    pub account: Option<String>,
    /// The permission, such as `rds:PromoteReadReplica`.
    pub permission: &'static str,
    /// ARNs it is needed on, with `*` where a part is not known; `*` alone: everything.
    pub resources: BTreeSet<String>,
    /// Why a resource is wider than one thing.
    pub wide: Option<Wide>,
    /// What else must be true of the request.
    pub condition: Option<Condition>,
}

/// Why a permission is asked for on more than one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wide {
    /// IAM knows no resources for it.
    NoResources,
    /// Ids that AWS gives out, so that nobody knows them beforehand.
    GivenByAws,
    /// The name is found during the run, or chosen by AWS where the step does not say.
    NotKnown,
    /// What is looked through has no one name.
    Search,
}

/// A further condition of a statement: operator, key, value.
pub type Condition = (&'static str, &'static str, &'static str);

/// A call whose needs are being gathered.
pub(super) struct Asking<'a> {
    pub(super) call: &'a Call,
    pub(super) undone: bool,
    pub(super) needs: Vec<Need>,
    with: &'a Map<String, Value>,
    pub(super) account: Option<String>,
    partition: &'static str,
    /// Region of the site that is left, where its writer may still be.
    pub(super) from: Option<&'a str>,
}

impl<'a> Asking<'a> {
    pub(super) fn of(
        sites: &'a BTreeMap<SiteName, Site>,
        from: Option<&SiteName>,
        call: &'a Call,
        undone: bool,
    ) -> Self {
        let regions = || sites.values().filter_map(|site| site.region.as_deref());
        let from = from.and_then(|from| sites.get(from)?.region.as_deref());
        let mut asking = Self {
            call,
            undone,
            needs: Vec::new(),
            with: &call.with,
            account: None,
            partition: partition(regions()),
            from,
        };
        asking.account = asking.account(sites);
        asking
    }

    /// The account a call works in, chosen as the provider chooses it.
    fn account(&self, sites: &BTreeMap<SiteName, Site>) -> Option<String> {
        if self.with.contains_key("account") {
            return self.text("account").map(str::to_owned);
        }
        let region = self.text("region");
        let there = |site: &&Site| match (self.with.contains_key("region"), region) {
            (true, Some(region)) => site.region.as_deref() == Some(region),
            (true, None) | (false, _) => true,
        };
        let accounts: BTreeSet<&str> =
            sites.values().filter(there).filter_map(|site| site.account.as_deref()).collect();
        match accounts.len() {
            1 => accounts.first().map(|account| (*account).to_owned()),
            _ => None,
        }
    }

    /// A text parameter whose value is known, and holds nothing that IAM would read as a pattern.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.with.get(name).and_then(literal)
    }

    /// A text inside `settings`.
    pub(super) fn setting(&self, name: &str) -> Option<&'a str> {
        self.with.get("settings").and_then(|settings| literal(settings.get(name)?))
    }

    /// Whether a parameter, or a setting, is given at all.
    pub(super) fn has(&self, name: &str) -> bool {
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(flag) => !flag,
            Value::Number(_) | Value::String(_) => false,
        };
        self.with.get(name).is_some_and(|value| !empty(value))
    }

    /// Whether a parameter may have a value: also where that is not known yet.
    pub(super) fn may_be(&self, name: &str, value: &str, default: &str) -> bool {
        match self.with.get(name) {
            None | Some(Value::Null) => value == default,
            Some(given) if has_template(given) => true,
            Some(given) => given.as_str() == Some(value),
        }
    }

    /// The keys of a mapping, or the items of a list, where all are known.
    pub(super) fn names(&self, name: &str) -> Option<Vec<&'a str>> {
        match self.with.get(name)? {
            Value::Object(fields) => fields.keys().map(|key| plain(key)).collect(),
            Value::Array(items) => items.iter().map(literal).collect(),
            _ => None,
        }
    }

    /// ARN of something in the call's region and account. What is an ARN already stays one.
    pub(super) fn arn(&self, service: &str, kind: &str, name: Option<&str>) -> String {
        self.arn_in(service, self.text("region").unwrap_or("*"), kind, name)
    }

    /// The same in another region; empty for services that have none in their ARNs.
    pub(super) fn arn_in(&self, service: &str, region: &str, kind: &str, name: Option<&str>) -> String {
        match name {
            Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
            name => {
                let account = self.account.as_deref().unwrap_or("*");
                format!("arn:{}:{service}:{region}:{account}:{kind}{}", self.partition, name.unwrap_or("*"))
            }
        }
    }

    /// ARN of a thing of Route 53, which belongs to no region and no account.
    pub(super) fn global(&self, kind: &str, name: Option<&str>) -> String {
        format!("arn:{}:route53:::{kind}/{}", self.partition, name.unwrap_or("*"))
    }

    /// Needs a permission on named things.
    pub(super) fn on(&mut self, permission: &'static str, resources: impl IntoIterator<Item = String>) {
        let resources: BTreeSet<String> = resources.into_iter().collect();
        let wide = resources.iter().any(|arn| is_wide(arn)).then_some(Wide::NotKnown);
        self.push(permission, resources, wide, None);
    }

    /// Needs a permission on things that are wider than a name, for a reason.
    pub(super) fn wide(
        &mut self,
        permission: &'static str,
        resources: impl IntoIterator<Item = String>,
        why: Wide,
    ) {
        self.push(permission, resources.into_iter().collect(), Some(why), None);
    }

    /// Needs permissions for which IAM knows no resources.
    pub(super) fn anywhere(&mut self, permissions: &[&'static str]) {
        for permission in permissions {
            self.wide(permission, ["*".to_owned()], Wide::NoResources);
        }
    }

    /// Needs a permission on named things, under a condition.
    pub(super) fn only_if(
        &mut self,
        permission: &'static str,
        resources: impl IntoIterator<Item = String>,
        condition: Condition,
    ) {
        let resources: BTreeSet<String> = resources.into_iter().collect();
        let wide = resources.iter().any(|arn| is_wide(arn)).then_some(Wide::NotKnown);
        self.push(permission, resources, wide, Some(condition));
    }

    /// Needs a permission on a thing, of the account its ARN names.
    pub(super) fn in_account_of(&mut self, permission: &'static str, arn: &str) {
        self.on(permission, [arn.to_owned()]);
        let account = arn.split(':').nth(4).filter(|account| account.len() == 12);
        if let (Some(need), Some(account)) = (self.needs.last_mut(), account) {
            need.account = Some(account.to_owned());
        }
    }

    fn push(
        &mut self,
        permission: &'static str,
        resources: BTreeSet<String>,
        wide: Option<Wide>,
        condition: Option<Condition>,
    ) {
        self.needs.push(Need { account: self.account.clone(), permission, resources, wide, condition });
    }
}

/// Whether an ARN names more than one thing; that the account is not known is said elsewhere.
fn is_wide(arn: &str) -> bool {
    arn.splitn(6, ':').enumerate().any(|(at, part)| at != 4 && part.contains('*'))
}

fn literal(value: &Value) -> Option<&str> {
    plain(value.as_str().filter(|_| !has_template(value))?)
}

/// `*` and `?` are patterns of IAM, `${` begins one of its variables: none of them is part of a name.
fn plain(text: &str) -> Option<&str> {
    (!text.is_empty() && !text.contains(['*', '?', '$', '"', '\\'])).then_some(text)
}

fn partition<'a>(mut regions: impl Iterator<Item = &'a str>) -> &'static str {
    match regions.next() {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        Some(_) | None => "aws",
    }
}
