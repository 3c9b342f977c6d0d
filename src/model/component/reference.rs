//! The kinds of components as people read them. Never says anything the kinds do not.

use std::fmt::Write as _;

use super::{ComponentKind, ComponentRole, schema};
use crate::model::action::reference::fields;
use crate::model::runbook::Strategy;

/// Fields that every component has; the page says them once.
const COMMON: [&str; 4] = ["id", "kind", "needs", "sites"];

/// The reference page of all kinds, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Components\n\nGenerated from `src/model/component`; do not edit.\n\nA component is a part of a \
         service. drctl derives the steps from the strategy and the components, in the safe order; `drctl \
         plan RUNBOOK --expand` prints them as a runbook that compiles to the same plan. The guide is \
         [Declared runbooks](../guides/declared.md).\n\nEvery component has an `id` and a `kind`. `needs` \
         names components whose steps of the same phase come first. `sites` names the sites the component \
         is in, where it is not in all of them (compute and queue only). A field that takes a *value for \
         each site* is a mapping by the name of the site, or one value for all of them whose templates read \
         `site`. The values of a mapping are taken literally: what needs a template, such as a secret in a \
         connection string, is written once for all sites, and reads what differs from `site.values`:\n\n\
         ```yaml\nsites:\n  \
         east: {role: active, values: {pg: 10.1.0.5}}\n  \
         west: {role: standby, values: {pg: 10.2.0.5}}\n\
         components:\n  \
         - id: db\n    kind: postgres.server\n    \
         connection: \"host={{ site.values.pg }} dbname=shop user=dr password={{ secrets.pw }}\"\n\
         ```\n",
    );
    for &role in ComponentRole::ALL {
        let _ = write!(page, "\n## {role}\n\n{}.\n", meaning(role));
        for kind in ComponentKind::ALL.iter().filter(|kind| kind.role() == role) {
            describe(*kind, &mut page);
        }
    }
    page
}

const fn meaning(role: ComponentRole) -> &'static str {
    match role {
        ComponentRole::Data => "Holds data; one site has the writer, in `active_active` all of them",
        ComponentRole::Compute => "Runs the service",
        ComponentRole::Queue => {
            "Takes work in by itself: stopped with the old site, started once data is writable"
        }
        ComponentRole::Path => "Links sites",
        ComponentRole::Backup => "Keeps copies",
        ComponentRole::Traffic => "Sends users to a site",
        ComponentRole::Health => "Says whether a site serves",
    }
}

fn describe(kind: ComponentKind, page: &mut String) {
    let strategies: Vec<_> = Strategy::ALL.iter().filter(|strategy| kind.fits(**strategy)).collect();
    let strategies = if strategies.len() == Strategy::ALL.len() {
        "every strategy".to_owned()
    } else {
        strategies.iter().map(|strategy| format!("`{strategy}`")).collect::<Vec<_>>().join(", ")
    };
    let _ = write!(page, "\n### `{kind}`\n\n{} For {strategies}.\n\n", kind.summary());
    page.push_str("| field | value | meaning |\n|---|---|---|\n");
    let schema = kind.schema();
    let by_site = schema::by_site(&schema);
    for field in fields(&schema).iter().filter(|field| !COMMON.contains(&field.name.as_str())) {
        let value = if by_site.contains(&field.name) { "value for each site" } else { &field.kind };
        let required = if field.required { ", required" } else { "" };
        let _ = writeln!(page, "| `{}` | {value}{required} | {} |", field.name, field.description);
    }
}
