//! A first runbook: the declared form with everything in it, and marks where only its owner knows the value.
//! Made of the components' schemas, so that a new kind needs nothing here.

mod sample;
mod write;

use serde_json::{Map, Value, json};

use crate::model::component::{ComponentKind, ComponentRole};
use crate::model::id::{ServiceName, SiteName};
use crate::model::runbook::Strategy;
use crate::model::time::Duration;
use crate::model::values::Objectives;

pub use write::scaffold;

/// Word that marks a value which only the owner of a service knows.
pub const MARK: &str = "TODO";

/// What a first runbook is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Name of the service.
    pub name: ServiceName,
    /// Team that answers for it.
    pub owner: Option<String>,
    /// How the standby is kept.
    pub strategy: Strategy,
    /// What the business asked for.
    pub objectives: Objectives,
    /// Provider of the sites, such as `aws`.
    pub provider: String,
    /// Regions of the sites, the one the service runs in first; their names as well.
    pub sites: [SiteName; 2],
    /// The parts, each kind once.
    pub components: Vec<ComponentKind>,
    /// Direct address of a site's health, with `{site}` where its name goes.
    pub health: String,
    /// Address users have.
    pub public_url: Option<String>,
}

impl Wanted {
    /// Objectives that fit a strategy, until the business says its own.
    #[must_use]
    pub const fn usual(strategy: Strategy) -> Objectives {
        let (rto, rpo) = match strategy {
            Strategy::BackupRestore => (4 * 3600, 3600),
            Strategy::PilotLight => (3600, 300),
            Strategy::WarmStandby => (900, 60),
            Strategy::ActiveActive => (1800, 60),
        };
        Objectives { rto: Some(Duration::from_secs(rto)), rpo: Some(Duration::from_secs(rpo)), mtd: None }
    }

    /// Kinds of a role that can be a part of a strategy.
    pub fn kinds(strategy: Strategy, role: ComponentRole) -> impl Iterator<Item = ComponentKind> {
        let kinds = ComponentKind::ALL.iter().copied();
        kinds.filter(move |kind| kind.role() == role && kind.fits(strategy))
    }

    /// The provider that most likely runs the sites of some kinds.
    #[must_use]
    pub fn provider_of(kinds: &[ComponentKind]) -> &'static str {
        let family = |kind: &ComponentKind| match kind.as_str().split('.').next() {
            Some("aws") => Some("aws"),
            Some("azure") => Some("azure"),
            Some("gcp") => Some("gcp"),
            _ => None,
        };
        kinds.iter().find_map(family).unwrap_or("on_premises")
    }
}

/// The id a component of a kind gets: what it is for, and a number where there are several of a role.
fn id(kinds: &[ComponentKind], at: usize) -> String {
    let word = |role: ComponentRole| match role {
        ComponentRole::Data => "database",
        ComponentRole::Compute => "app",
        ComponentRole::Queue => "consumers",
        ComponentRole::Path => "link",
        ComponentRole::Backup => "backups",
        ComponentRole::Traffic => "traffic",
        ComponentRole::Health => "health",
    };
    let Some(role) = kinds.get(at).map(|kind| kind.role()) else { return String::new() };
    let before = kinds.iter().take(at).filter(|kind| kind.role() == role).count();
    if before == 0 { word(role).to_owned() } else { format!("{}-{}", word(role), before + 1) }
}

/// The fields of a component that have to be given, in the order of its schema.
fn required(kind: ComponentKind, wanted: &Wanted, component: &str) -> Map<String, Value> {
    let schema = kind.schema();
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names = names.chain(sample::together(kind).iter().copied());
    let sampler = sample::Sampler { wanted, schema: &schema, component };
    let mut fields = Map::new();
    for name in names.filter(|name| !matches!(*name, "id" | "kind")) {
        fields.insert(name.to_owned(), sampler.field(name));
    }
    if kind == ComponentKind::HttpEndpoint {
        fields.insert("url".to_owned(), json!(wanted.health.replace("{site}", "{{ site.name }}")));
        if let Some(public) = &wanted.public_url {
            fields.insert("public_url".to_owned(), json!(public));
        }
    }
    fields
}
