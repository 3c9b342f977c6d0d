//! What an action touches, and whether that lies inside the boundary of a drill. Pure: knows only the action
//! and its parameters, never the estate.

use std::collections::BTreeMap;

use crate::model::action::{Action, Effect, traits};
use crate::model::drill::Boundary;
use crate::model::id::SiteName;
use crate::model::values::Site;

use super::databases::only_reads;
use super::touches::touches;

/// Something an action changes, or asks to change something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Touch {
    /// A region, in the provider's words.
    Region(String),
    /// An account, subscription or project.
    Account(String),
    /// A resource, by its whole name; what stands after its last `/` or `:` is its own name.
    Name(String),
    /// A host or a cluster.
    Host(String),
    /// A database, `host/name`.
    Database(String),
    /// Anything: what the action does is not known to drctl.
    Anything(&'static str),
}

/// Says what of an action lies outside a boundary; `None`: nothing, or it changes nothing. `trusted`: the
/// author answers for what cannot be checked. Never names a secret: only hosts, names, regions and accounts.
#[must_use]
pub fn outside(
    boundary: &Boundary,
    sites: &BTreeMap<SiteName, Site>,
    action: &Action,
    trusted: bool,
) -> Option<String> {
    if !may_change(action) {
        return None;
    }
    let found: Vec<String> =
        touches(action).into_iter().filter_map(|touch| complaint(boundary, sites, &touch, trusted)).collect();
    (!found.is_empty()).then(|| found.join("; "))
}

/// Says whether an action may change something. A query that is not to write is run in a read-only
/// transaction, which keeps no function from acting on the server.
fn may_change(action: &Action) -> bool {
    match action {
        Action::PostgresQuery(query) if !query.write => !only_reads(&query.sql),
        _ => action
            .parameters()
            .as_object()
            .is_some_and(|with| traits::effect(action.name(), with) == Effect::Mutate),
    }
}

/// Says whether the boundary is not enforced for an action although it may be performed.
#[must_use]
pub fn is_unenforced(action: &Action, trusted: bool) -> bool {
    trusted && touches(action).iter().any(|touch| matches!(touch, Touch::Anything(_)))
}

fn complaint(
    boundary: &Boundary,
    sites: &BTreeMap<SiteName, Site>,
    touch: &Touch,
    trusted: bool,
) -> Option<String> {
    let any = |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
    let (inside, what) = match touch {
        Touch::Region(region) => {
            let of = |name: &SiteName| sites.get(name).and_then(|site| site.region.as_deref());
            let inside = boundary.sites.iter().any(|name| of(name) == Some(region));
            (inside, format!("region `{region}` is that of no site in `sites`"))
        }
        Touch::Account(account) => {
            (boundary.accounts.contains(account), format!("account `{account}` is not in `accounts`"))
        }
        Touch::Name(name) => {
            let own = name.rsplit(['/', ':']).next().unwrap_or(name);
            let inside = any(&boundary.names, name) || any(&boundary.names, own);
            (inside, format!("`{name}` matches nothing in `names`"))
        }
        Touch::Host(host) => {
            (any(&boundary.hosts, host), format!("host `{host}` matches nothing in `hosts`"))
        }
        Touch::Database(database) => {
            let own = database.rsplit('/').next().unwrap_or(database);
            let inside = any(&boundary.databases, database) || any(&boundary.databases, own);
            (inside, format!("database `{database}` matches nothing in `databases`"))
        }
        Touch::Anything(why) => (trusted, format!("{why}, so that it cannot be checked")),
    };
    (!inside).then_some(what)
}

/// Whether a text fits a pattern in which `*` stands for anything, also nothing. Case does not count.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::ActionName;
    use serde_json::{Value, json};

    fn boundary() -> Boundary {
        serde_json::from_value(json!({
            "sites": ["west"], "accounts": ["111122223333"], "names": ["drill-*", "drill/*"],
            "hosts": ["*.drill.example.com"], "databases": ["*/drill_*"],
        }))
        .unwrap()
    }

    fn sites() -> BTreeMap<SiteName, Site> {
        serde_json::from_value(json!({
            "east": {"role": "active", "region": "us-east-1"},
            "west": {"role": "standby", "region": "us-west-2"},
        }))
        .unwrap()
    }

    fn complaint_of(name: &str, with: Value, trusted: bool) -> Option<String> {
        let action = Action::new(name.parse::<ActionName>().unwrap(), with).unwrap();
        outside(&boundary(), &sites(), &action, trusted)
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn each_family_is_held_to_the_boundary() {
        let inside = [
            ("http.request", json!({"method": "POST", "url": "https://ops.drill.example.com/x"})),
            ("http.request", json!({"method": "GET", "url": "https://pay.example.com/x"})),
            (
                "aws.ecs.set_desired_count",
                json!({"region": "us-west-2", "account": "111122223333",
                "cluster": "drill-c", "service": "drill-web", "desired": 2}),
            ),
            (
                "aws.rds.restore_from_snapshot",
                json!({"region": "us-west-2", "snapshot": "pay-1",
                "identifier": "drill-db"}),
            ),
            (
                "kubernetes.scale",
                json!({"context": "k.drill.example.com", "namespace": "drill",
                "kind": "deployment", "name": "web", "replicas": 2}),
            ),
            (
                "dns.update",
                json!({"server": "ns.drill.example.com", "zone": "example.com",
                "name": "drill-pay.example.com", "record_type": "A", "values": ["10.0.0.1"]}),
            ),
            ("postgres.promote", json!({"standby": "postgres://u:pw@db.drill.example.com/drill_pay"})),
            (
                "gcp.sql.promote",
                json!({"project": "111122223333", "region": "us-west-2", "instance": "drill-i",
                "replica_failover": true}),
            ),
            ("wait.for", json!({"duration": "1s"})),
        ];
        for (name, with) in inside {
            assert_eq!(complaint_of(name, with, false), None, "{name}");
        }
        let outside = [
            (
                "http.request",
                json!({"method": "POST", "url": "https://pay.example.com/x"}),
                "pay.example.com",
            ),
            (
                "aws.ecs.set_desired_count",
                json!({"region": "us-east-1", "cluster": "drill-c",
                "service": "drill-web", "desired": 2}),
                "us-east-1",
            ),
            (
                "aws.ecs.set_desired_count",
                json!({"region": "us-west-2", "account": "444455556666",
                "cluster": "drill-c", "service": "drill-web", "desired": 2}),
                "444455556666",
            ),
            (
                "aws.ecs.set_desired_count",
                json!({"region": "us-west-2", "cluster": "pay", "service": "web",
                "desired": 2}),
                "pay/web",
            ),
            (
                "aws.rds.restore_from_snapshot",
                json!({"region": "us-west-2", "snapshot": "drill-1",
                "identifier": "pay-db"}),
                "pay-db",
            ),
            (
                "kubernetes.scale",
                json!({"context": "k.drill.example.com", "namespace": "pay",
                "kind": "deployment", "name": "web", "replicas": 2}),
                "pay/web",
            ),
            (
                "dns.update",
                json!({"server": "ns.drill.example.com", "zone": "example.com",
                "name": "pay.example.com", "record_type": "A", "values": ["10.0.0.1"]}),
                "pay.example.com",
            ),
            (
                "postgres.promote",
                json!({"standby": "host=db.drill.example.com dbname=pay password=pw"}),
                "db.drill.example.com/pay",
            ),
            ("aws.route53.set_health_check", json!({"health_check_id": "hc-1", "healthy": true}), "hc-1"),
            (
                "gcp.sql.promote",
                json!({"project": "other", "region": "us-west-2", "instance": "drill-i",
                "replica_failover": true}),
                "other",
            ),
        ];
        for (name, with, expected) in outside {
            let complaint = complaint_of(name, with, true).unwrap_or_default();
            assert!(complaint.contains(expected) && !complaint.contains("pw"), "{name}: {complaint}");
        }
    }

    #[test]
    fn what_only_seems_to_read_or_to_lie_inside_is_held_to_the_boundary() {
        for (name, with, expected) in [
            (
                "postgres.query",
                json!({"connection": "postgres://prod/pay", "sql": "select pg_promote()"}),
                Some("prod/pay"),
            ),
            (
                "postgres.query",
                json!({"connection": "postgres://prod/pay", "sql": "select count(*) from x"}),
                None,
            ),
            (
                "postgres.query",
                json!({"connection": "postgres://prod/drill_x", "sql": "select pg_reload_conf()"}),
                None,
            ),
            (
                "http.request",
                json!({"method": "POST", "url": "https://a.drill.example.com/x",
                "headers": {"Host": "pay.example.com:443"}}),
                Some("`pay.example.com`"),
            ),
            (
                "http.request",
                json!({"method": "POST", "url": "https://a.drill.example.com/x",
                "headers": {"host": "b.drill.example.com"}}),
                None,
            ),
        ] {
            let complaint = complaint_of(name, with.clone(), false);
            assert_eq!(complaint.is_some(), expected.is_some(), "{with}: {complaint:?}");
            assert!(expected.is_none_or(|it| complaint.unwrap().contains(it)), "{with}");
        }
    }

    #[test]
    fn what_cannot_be_checked_is_refused_unless_somebody_answers_for_it() {
        let command = json!({"argv": ["seed"]});
        assert!(complaint_of("command.run", command.clone(), false).unwrap().contains("cannot be checked"));
        assert_eq!(complaint_of("command.run", command.clone(), true), None);
        let action = Action::new(ActionName::CommandRun, command).unwrap();
        assert!(is_unenforced(&action, true) && !is_unenforced(&action, false));
    }

    #[test]
    fn patterns() {
        for (pattern, text, fits) in [
            ("drill-*", "drill-db", true),
            ("drill-*", "pay-drill-db", false),
            ("*-drill", "pay-drill", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("Pay", "pay", true),
            ("pay", "pay2", false),
            ("*", "", true),
            ("aa*a", "aa", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
