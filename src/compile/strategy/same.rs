//! One thing that two sites call theirs: a fence would stop what is promoted, and users would move nowhere.
//! Compares names, and takes a region into account only where a name is one of a region.

use serde_json::{Map, Value, json};

use super::declared::{Declared, Entry};
use crate::compile::diagnostic::Code;
use crate::compile::placeholder::holds_placeholder;
use crate::compile::reporter::Reporter;
use crate::compile::tree::escape;
use crate::model::component::{Component, EachSite, SiteValue};
use crate::model::connection;
use crate::model::expression::{self, Context};
use crate::model::program::line_does_nothing;

/// How far a name is unique.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Everywhere.
    World,
    /// Within a region of an account.
    Region,
}

/// Names that together say which thing is meant, the telling one first.
struct Identity<'c> {
    scope: Scope,
    fields: Vec<(&'static str, Of<'c>)>,
}

enum Of<'c> {
    Value(&'c SiteValue),
    /// A connection string, of which only the server counts.
    Server(&'c SiteValue),
    Each(&'c EachSite<String>),
}

/// Reports every component that is one thing in two sites.
pub(super) fn check(document: &Value, declared: &Declared, reporter: &mut Reporter<'_>) {
    let Some(sites) = document.get("sites").and_then(Value::as_object) else { return };
    for (at, entry) in declared.entries.iter().enumerate() {
        let found = identities(&entry.component).into_iter().find_map(|identity| {
            let (one, other) = twins(&identity, entry, sites)?;
            Some((identity, one, other))
        });
        let Some((identity, one, other)) = found else { continue };
        let Some((field, of)) = identity.fields.first() else { continue };
        let of_site = match of {
            Of::Value(SiteValue::Each(_)) | Of::Server(SiteValue::Each(_)) | Of::Each(_) => {
                format!("/{}", escape(other))
            }
            Of::Value(_) | Of::Server(_) => String::new(),
        };
        let message =
            format!("`{}` is one and the same in `{one}` and `{other}`, by its `{field}`", entry.id);
        let help = if *field == "start" {
            "give each site its own program; else what was stopped in the site that is left is started again \
             where the other one should serve"
        } else {
            "name each site's own; else what is stopped in the site that is left is what should serve in the \
             other one"
        };
        reporter.value(Code::SameThing, &format!("/components/{at}/{field}{of_site}"), message).help(help);
    }
}

fn one<'c>(scope: Scope, fields: Vec<(&'static str, Of<'c>)>) -> Vec<Identity<'c>> {
    vec![Identity { scope, fields }]
}

/// Programs that stop and start something. One that starts the same in both sites starts again what was
/// stopped, whatever stops it.
fn programs<'c>(stop: &'c SiteValue, start: &'c SiteValue) -> Vec<Identity<'c>> {
    let scope = Scope::World;
    vec![
        Identity { scope, fields: vec![("stop", Of::Value(stop)), ("start", Of::Value(start))] },
        Identity { scope, fields: vec![("start", Of::Value(start))] },
    ]
}

fn identities(component: &Component) -> Vec<Identity<'_>> {
    use Of::{Each, Server, Value as By};
    let (world, region) = (Scope::World, Scope::Region);
    match component {
        Component::PostgresServer(it) => vec![
            Identity { scope: world, fields: vec![("connection", Server(&it.connection))] },
            Identity { scope: world, fields: vec![("stop", By(&it.stop))] },
            Identity { scope: world, fields: vec![("start", By(&it.start))] },
        ],
        Component::ReadReplica(it) => one(region, vec![("instance", By(&it.instance))]),
        Component::GlobalCluster(it) => one(world, vec![("cluster_arn", By(&it.cluster_arn))]),
        Component::AutomatedBackup(it) => one(world, vec![("backups", By(&it.backups))]),
        Component::FailoverGroup(it) => match &it.server {
            Some(server) => one(world, vec![("server", By(server))]),
            None => Vec::new(),
        },
        Component::FlexibleServer(it) => one(world, vec![("server", By(&it.server))]),
        Component::CloudSqlReplica(it) => one(world, vec![("instance", By(&it.instance))]),
        Component::EcsService(it) => {
            one(region, vec![("cluster", By(&it.cluster)), ("service", By(&it.service))])
        }
        Component::AutoscalingGroup(it) => one(region, vec![("group", By(&it.group))]),
        Component::NodeGroup(it) => {
            one(region, vec![("cluster", By(&it.cluster)), ("nodegroup", By(&it.nodegroup))])
        }
        Component::Workload(it) => one(world, vec![("context", By(&it.context))]),
        Component::ScaleSet(it) => {
            one(world, vec![("scale_set", By(&it.scale_set)), ("resource_group", By(&it.resource_group))])
        }
        Component::InstanceGroup(it) => match &it.zone {
            Some(zone) => one(world, vec![("group", By(&it.group)), ("zone", By(zone))]),
            None => one(region, vec![("group", By(&it.group))]),
        },
        Component::ProgramService(it) => programs(&it.stop, &it.start),
        Component::ProgramScheduler(it) => programs(&it.stop, &it.start),
        Component::EventSource(it) => one(world, vec![("mapping_id", By(&it.mapping_id))]),
        Component::CronJobs(it) => one(world, vec![("context", By(&it.context))]),
        Component::RoutingControls(it) => one(world, vec![("controls", Each(&it.controls))]),
        Component::HealthChecks(it) => one(world, vec![("health_check_id", By(&it.health_check_id))]),
        Component::TrafficManager(it) => one(world, vec![("endpoint", By(&it.endpoint))]),
        Component::FailoverRecord(it) => match &it.set_identifier {
            Some(identifier) => one(world, vec![("set_identifier", By(identifier))]),
            None => Vec::new(),
        },
        Component::DnsRecord(it) => one(world, vec![("address", Each(&it.address))]),
        Component::AzureDnsRecord(it) => one(world, vec![("address", Each(&it.address))]),
        Component::CloudDnsRecord(it) => one(world, vec![("address", Each(&it.address))]),
        // One in all sites by their nature, named after the site, or judged by a rule of their own.
        Component::DistributedPostgres(_)
        | Component::GlobalTable(_)
        | Component::BackupResource(_)
        | Component::Protection(_)
        | Component::WeightedRecords(_)
        | Component::Link(_)
        | Component::HttpEndpoint(_)
        | Component::Alarms(_) => Vec::new(),
    }
}

/// The first two sites of a component in which it is the same.
fn twins<'s>(
    identity: &Identity<'_>,
    entry: &Entry,
    sites: &'s Map<String, Value>,
) -> Option<(&'s str, &'s str)> {
    let here =
        |name: &str| entry.sites.as_ref().is_none_or(|own| own.iter().any(|site| site.as_str() == name));
    let all: Vec<(&str, &Value, Vec<Value>)> =
        sites
            .iter()
            .filter(|(name, _)| here(name))
            .filter_map(|(name, site)| {
                let values = identity.fields.iter().map(|(_, of)| value(of, name, site));
                let values = values.collect::<Option<Vec<_>>>()?;
                // What is still to be filled in says nothing yet, and a program that does nothing does
                // it anywhere.
                (!values.iter().any(|value| holds_placeholder(value) || line_does_nothing(value)))
                    .then_some((name.as_str(), site, values))
            })
            .collect();
    all.iter().enumerate().find_map(|(at, (name, site, values))| {
        let (other, ..) = all.iter().take(at).find(|(_, others, same)| {
            same == values && (identity.scope == Scope::World || is_arn(values) || one_place(site, others))
        })?;
        Some((*other, *name))
    })
}

/// An ARN names its region itself.
fn is_arn(values: &[Value]) -> bool {
    values.iter().all(|value| value.as_str().is_some_and(|text| text.starts_with("arn:")))
}

fn one_place(one: &Value, other: &Value) -> bool {
    ["region", "account"].iter().all(|key| one.get(key) == other.get(key))
}

/// The value of a field at a site; nothing where that is not known before the run.
fn value(of: &Of<'_>, name: &str, site: &Value) -> Option<Value> {
    let at = |value: &SiteValue| match value {
        SiteValue::Each(each) => {
            let found = each.iter().find(|(own, _)| own.as_str() == name);
            found.map(|(_, value)| value.clone())
        }
        SiteValue::One(text) => rendered(&Value::from(text.as_str()), name, site),
        SiteValue::List(items) => items.iter().map(|item| rendered(item, name, site)).collect(),
    };
    match of {
        Of::Value(value) => at(value),
        Of::Server(value) => {
            let text = at(value)?;
            text.as_str().and_then(connection::server).map(Value::from).or(Some(text))
        }
        Of::Each(each) => {
            let found = each.iter().find(|(own, _)| own.as_str() == name);
            found.map(|(_, value)| value.as_str().into())
        }
    }
}

/// What a value for all sites becomes at one of them.
pub(super) fn rendered(value: &Value, name: &str, site: &Value) -> Option<Value> {
    let Some(text) = value.as_str() else { return Some(value.clone()) };
    if !text.contains("site") || !expression::is_template(text) {
        return Some(text.into());
    }
    let mut site = site.clone();
    site.as_object_mut()?.insert("name".to_owned(), name.into());
    expression::render(value, &Context::new(&json!({"site": site}))).ok()
}
