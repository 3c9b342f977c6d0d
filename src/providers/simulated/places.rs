//! Which site or region an action talks to, told from its parameters. Knows no faults and changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::action::{Action, ApiHome};
use crate::model::id::SiteName;
use crate::model::values::Site;

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// At a site of the runbook.
    Site(SiteName),
    /// In a region without a site of its own.
    Region(String),
    /// Anywhere else.
    Outside,
}

impl Place {
    pub(super) fn site(&self) -> Option<&SiteName> {
        match self {
            Self::Site(site) => Some(site),
            Self::Region(_) | Self::Outside => None,
        }
    }
}

/// Where the answer to an action comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of these must answer; empty: nobody in particular.
    All(Vec<Place>),
    /// One of these must answer.
    Any(Vec<Place>),
}

/// Rank of a text that must be there alone: a plain word, such as `start`, may stand in any text.
const WHOLE: u8 = 0;

/// Shortest text that counts when it is only contained in another.
const SHORTEST: usize = 3;

/// The sites of a runbook, by everything that gives them away.
#[derive(Debug, Clone)]
pub(super) struct Places {
    sites: BTreeMap<SiteName, Site>,
    signs: Vec<Sign>,
}

/// A text that gives a site away, and how much it is worth.
#[derive(Debug, Clone)]
struct Sign {
    site: SiteName,
    text: String,
    rank: u8,
}

impl Places {
    pub(super) fn new(sites: BTreeMap<SiteName, Site>) -> Self {
        let mut signs = Vec::new();
        for (name, site) in &sites {
            let mut add = |text: &str, rank| {
                signs.push(Sign { site: name.clone(), text: text.to_owned(), rank });
            };
            add(name.as_str(), 1);
            if let Some(region) = &site.region {
                add(region, 2);
            }
            if let Some(url) = &site.url {
                add(url, 3);
                add(authority(url), 3);
            }
            for value in site.values.values() {
                strings(value, &mut |text| add(text, if is_plain(text) { WHOLE } else { 3 }));
            }
        }
        Self { sites, signs }
    }

    /// Region of a site.
    pub(super) fn region(&self, site: &SiteName) -> Option<&str> {
        self.sites.get(site).and_then(|site| site.region.as_deref())
    }

    /// The place of a region: the site that is in it, where that is a single one.
    pub(super) fn in_region(&self, region: &str) -> Place {
        let mut here = self.sites.iter().filter(|(_, site)| site.region.as_deref() == Some(region));
        match (here.next(), here.next()) {
            (Some((name, _)), None) => Place::Site(name.clone()),
            _ if region == "global" => Place::Outside,
            _ => Place::Region(region.to_owned()),
        }
    }

    /// The site that texts give away; outside when none or more than one does so equally well.
    pub(super) fn of_texts<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Place {
        let mut best: Option<(u8, usize)> = None;
        let mut found: Vec<&SiteName> = Vec::new();
        for text in texts {
            for sign in &self.signs {
                let rank = match sign.text == text {
                    true => 10,
                    false if sign.rank != WHOLE && contains(text, &sign.text) => sign.rank,
                    false => continue,
                };
                let worth = Some((rank, sign.text.len()));
                if worth > best {
                    (best, found) = (worth, vec![&sign.site]);
                } else if worth == best && !found.contains(&&sign.site) {
                    found.push(&sign.site);
                }
            }
        }
        match found.as_slice() {
            [site] => Place::Site((*site).clone()),
            _ => Place::Outside,
        }
    }

    /// The one site that texts speak of; outside when they speak of none or of several.
    fn of_all<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Place {
        let mut places: Vec<Place> = texts.into_iter().map(|text| self.of_texts([text])).collect();
        places.retain(|place| *place != Place::Outside);
        places.dedup();
        match places.as_slice() {
            [place] => place.clone(),
            _ => Place::Outside,
        }
    }

    /// Where the answer to an action comes from.
    pub(super) fn reach(&self, action: &Action, from: Option<&SiteName>) -> Reach {
        let one = |text: &str| Reach::All(vec![self.of_texts([text])]);
        match action {
            Action::HttpRequest(it) => one(&it.url),
            Action::HttpCheck(it) => {
                let addresses = it.addresses.iter().map(|address| self.of_texts([address.as_str()]));
                Reach::All(std::iter::once(self.of_texts([it.url.as_str()])).chain(addresses).collect())
            }
            Action::DnsUpdate(it) => one(&it.server),
            Action::PostgresCheckReplication(it) => one(&it.standby),
            Action::PostgresFence(it) => one(&it.primary),
            Action::PostgresPromote(it) => one(&it.standby),
            Action::PostgresRejoin(it) => {
                // A rewind reads from the primary that is followed afterwards.
                let standby = self.of_texts([it.standby.as_str()]);
                let source = from.cloned().map(Place::Site).filter(|source| *source != standby);
                Reach::All(std::iter::once(standby).chain(source).collect())
            }
            Action::AwsRdsCreateReadReplica(it) => {
                Reach::All(vec![self.in_region(&it.region), self.of_texts([it.source_arn.as_str()])])
            }
            Action::PostgresQuery(it) => one(&it.connection),
            Action::PostgresHeartbeat(it) => one(&it.connection),
            Action::KubernetesScale(it) => self.cluster(&it.context, it.kubeconfig.as_deref()),
            Action::KubernetesWaitReady(it) => self.cluster(&it.context, it.kubeconfig.as_deref()),
            Action::KubernetesPatch(it) => self.cluster(&it.context, it.kubeconfig.as_deref()),
            Action::KubernetesSuspendCronjobs(it) => self.cluster(&it.context, it.kubeconfig.as_deref()),
            Action::CommandRun(it) => {
                // A program runs here, but one that speaks of a single site has its work to do there.
                let mut texts: Vec<&str> = it.argv.iter().map(String::as_str).collect();
                texts.extend(it.env.values().map(String::as_str).chain(it.cwd.as_deref()));
                Reach::All(vec![self.of_all(texts)])
            }
            Action::AwsArcSetRoutingControls(it) => {
                Reach::Any(it.cluster_endpoints.iter().map(|it| self.in_region(&it.region)).collect())
            }
            Action::AwsRdsCopySnapshot(it) => {
                Reach::All(vec![self.in_region(&it.region), self.in_region(&it.source_region)])
            }
            Action::AwsRdsSwitchoverGlobalCluster(_)
            | Action::GcpSqlSwitchover(_)
            | Action::AzureSqlFailover(crate::model::action::azure::SqlFailover {
                mode: crate::model::action::azure::SqlFailoverMode::Planned,
                ..
            }) => {
                let source = from.cloned().map(Place::Site);
                Reach::All(self.home(action).into_iter().chain(source).collect())
            }
            other => Reach::All(self.home(other).into_iter().collect()),
        }
    }

    fn cluster(&self, context: &str, kubeconfig: Option<&str>) -> Reach {
        Reach::All(vec![self.of_texts([context].into_iter().chain(kubeconfig))])
    }

    /// Where the API of an action lives, as its spec says.
    fn home(&self, action: &Action) -> Option<Place> {
        match action.name().spec().home {
            ApiHome::Local => None,
            ApiHome::Region(region) => Some(self.in_region(region)),
            ApiHome::Parameter(name) => {
                let parameters = action.parameters();
                parameters.get(name).and_then(Value::as_str).map(|region| self.in_region(region))
            }
        }
    }
}

/// Name of a database server without anything secret: host, port and database of a connection string.
pub(super) fn server(connection: &str) -> String {
    if connection.contains("://") {
        return authority(connection).to_owned();
    }
    let parts: Vec<&str> = connection
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| ["host", "hostaddr", "port", "dbname"].contains(key))
        .map(|(_, value)| value)
        .collect();
    if parts.is_empty() { "postgres".to_owned() } else { parts.join(":") }
}

/// Host and port of a URL, without user and password.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// Says whether a text contains another as a whole word. A region also counts when the letter of a zone
/// follows.
fn contains(text: &str, part: &str) -> bool {
    if part.len() < SHORTEST {
        return false;
    }
    text.match_indices(part).any(|(at, _)| {
        let before = text.get(..at).and_then(|rest| rest.chars().next_back());
        let mut after = text.get(at + part.len()..).unwrap_or_default().chars();
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let next = after.next();
        let zone = part.ends_with(|c: char| c.is_ascii_digit())
            && next.is_some_and(|c| c.is_ascii_lowercase())
            && !is_word(after.next());
        !is_word(before) && (!is_word(next) || zone)
    })
}

fn is_plain(text: &str) -> bool {
    text.chars().all(char::is_alphanumeric)
}

fn strings(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) if text.len() >= SHORTEST => take(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, take)),
        Value::Object(fields) => fields.values().for_each(|item| strings(item, take)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places() -> Places {
        let sites = json!({
            "east": {"role": "active", "region": "us-east-1", "url": "https://east.example.com",
                     "values": {"db": "postgres://app@db:5432/app"}},
            "west": {"role": "standby", "region": "us-west-2", "url": "https://west.example.com/base",
                     "values": {"db": "postgres://app@db-2:5432/app", "cluster": ["prod-west"], "stop": ["ssh", "pay"]}},
        });
        Places::new(serde_json::from_value(sites).unwrap())
    }

    #[test]
    fn texts_give_their_site_away() {
        let places = places();
        for (text, site) in [
            ("us-east-1", Some("east")),
            ("us-east-1a", Some("east")),
            ("arn:aws:rds:us-west-2:1:db:east-copy", Some("west")),
            ("https://west.example.com/base/health", Some("west")),
            ("https://west.example.com/other", Some("west")),
            ("postgres://app@db-2:5432/app", Some("west")),
            ("postgres://app@db:5432/app?x=1", Some("east")),
            ("prod-west", Some("west")),
            ("host=db.east.example.com dbname=pay", Some("east")),
            ("pay", Some("west")),
            ("https://app.example.com", None),
            ("northeastern", None),
            ("eastward", None),
        ] {
            let expected = site.map(|site| SiteName::new(site).unwrap());
            assert_eq!(places.of_texts([text]).site().cloned(), expected, "{text}");
        }
        assert_eq!(places.of_all(["east", "west"]), Place::Outside);
        assert_eq!(places.in_region("eu-west-1"), Place::Region("eu-west-1".to_owned()));
    }

    #[test]
    fn a_server_is_named_without_its_password() {
        for (connection, name) in [
            ("postgres://app:hunter2@db:5432/app", "db:5432"),
            ("host=db port=5432 user=app password=hunter2 dbname=app", "db:5432:app"),
            ("password=hunter2", "postgres"),
        ] {
            assert_eq!(server(connection), name);
        }
    }
}
