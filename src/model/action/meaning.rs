//! What a call means for who may write and where users are. Judges by action and parameters, never by ids;
//! what only the author can know counts as the author says.

use serde_json::{Map, Value};

use super::{ActionName, ApiHome, Effect, Role, traits};
use crate::model::policy::Reversibility;
use crate::model::program;
use crate::model::run::Phase;
use crate::model::values::Site;

/// Shorter values of a site, such as a port, say nothing about where a call goes.
const TELLING: usize = 6;

/// Parameters that say which server or cluster an action works on. What a program or a request does with a
/// name of the other side, nobody can tell.
const ADDRESSES: [&str; 5] = ["connection", "primary", "standby", "context", "kubeconfig"];

/// What a call does to writers and users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It looks, waits, tells somebody or leaves a mark, or is a program that does nothing.
    Looks,
    /// It makes a copy.
    Copies,
    /// It stops something that writes.
    Stops,
    /// It starts something that takes work by itself, and so writes.
    Consumes,
    /// It gives capacity.
    Grows,
    /// It makes data writable, or brings it back.
    Promotes,
    /// It sends users elsewhere.
    Shifts,
    /// Whatever its author says it does.
    Other,
}

/// Which side of a recovery a call works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The site the service leaves.
    From,
    /// Another site.
    Elsewhere,
    /// Nothing tells.
    Unknown,
}

/// What a call means; parameters that are still templates count as not known.
#[must_use]
pub fn meaning(action: ActionName, with: &Map<String, Value>) -> Meaning {
    if traits::effect(action, with) == Effect::Read || is_idle(action, with) {
        return Meaning::Looks;
    }
    if let Some(dial) = dial(action) {
        return dial.meaning(with);
    }
    match action {
        ActionName::ApprovalRequest
        | ActionName::WaitFor
        | ActionName::AssertThat
        | ActionName::NotifySend
        | ActionName::PostgresHeartbeat => Meaning::Looks,
        ActionName::AwsBackupStartBackup
        | ActionName::AwsBackupCopyRecoveryPoint
        | ActionName::AwsRdsCopySnapshot
        | ActionName::AwsRdsCreateReadReplica => Meaning::Copies,
        other => match other.spec().role {
            Role::Fence => Meaning::Stops,
            Role::Promote => Meaning::Promotes,
            Role::Shift => Meaning::Shifts,
            Role::Reading | Role::Ordinary => Meaning::Other,
        },
    }
}

/// Whether all that a call would do is to run a program that does nothing.
fn is_idle(action: ActionName, with: &Map<String, Value>) -> bool {
    match action {
        ActionName::CommandRun => program::does_nothing(with),
        ActionName::PostgresFence => {
            with.get("method").and_then(Value::as_str) == Some("stop")
                && with.get("stop_command").is_some_and(program::line_does_nothing)
        }
        _ => false,
    }
}

/// Whether an action finds out about something, or lets somebody do so; waiting and telling do not.
#[must_use]
pub const fn asks(action: ActionName) -> bool {
    !matches!(action, ActionName::WaitFor | ActionName::NotifySend)
}

/// Where a call sends users: what its parameters say of the place, once they are rendered. Nothing where
/// the call only takes users away.
#[must_use]
pub fn destination(action: ActionName, with: &Map<String, Value>) -> Option<Value> {
    let chosen = |key: &str, is: &dyn Fn(&Value) -> bool| {
        let states = with.get(key)?.as_object()?.iter();
        Some(states.filter(|(_, state)| is(state)).map(|(name, _)| Value::from(name.as_str())).collect())
    };
    let where_on = |flag: &str, key: &str| {
        let on = with.get(flag).is_none_or(|on| *on != Value::Bool(false));
        with.get(key).filter(|_| on).cloned()
    };
    match action {
        ActionName::DnsUpdate | ActionName::AzureDnsSetRecord | ActionName::GcpDnsChange => {
            with.get("values").cloned()
        }
        ActionName::AwsRoute53ChangeRecords => {
            let changes = with.get("changes")?.as_array()?.iter();
            let serves = changes.filter(|change| !sends_nobody(change));
            let leads = |change: &Value| {
                let values = change.get("values").filter(|values| **values != Value::Array(Vec::new()));
                values.or_else(|| change.get("alias")).cloned()
            };
            Some(serves.filter_map(leads).collect())
        }
        ActionName::AwsRoute53SetWeights => {
            chosen("weights", &|weight| weight.as_u64().is_some_and(|weight| weight > 0))
        }
        ActionName::AwsArcSetRoutingControls => chosen("controls", &|state| *state == "on"),
        ActionName::AwsRoute53SetFailover => with.get("primary").cloned(),
        ActionName::AzureTrafficManagerSetEndpoint => where_on("enabled", "endpoint"),
        ActionName::AwsRoute53SetHealthCheck => where_on("healthy", "health_check_id"),
        _ => None,
    }
}

/// Whether a change of a record takes users away, or keeps it for the time after.
fn sends_nobody(change: &Value) -> bool {
    let is = |key: &str, word: &str| {
        change.get(key).and_then(Value::as_str).is_some_and(|own| own.eq_ignore_ascii_case(word))
    };
    is("action", "delete") || is("failover", "secondary") || change.get("weight").is_some_and(|it| *it == 0)
}

/// Whether an action can start something, given the right parameters.
#[must_use]
pub fn can_start(action: ActionName) -> bool {
    dial(action).is_some()
}

/// Whether a call of a phase stops the old primary from accepting writes, wherever it is aimed at.
#[must_use]
pub fn fences(phase: Option<Phase>, action: ActionName, with: &Map<String, Value>) -> bool {
    match meaning(action, with) {
        Meaning::Stops => phase == Some(Phase::Fence) || action.spec().role == Role::Fence,
        // By hand, by a program, by a request: its author knows what it does.
        Meaning::Other => phase == Some(Phase::Fence),
        Meaning::Looks
        | Meaning::Copies
        | Meaning::Consumes
        | Meaning::Grows
        | Meaning::Promotes
        | Meaning::Shifts => false,
    }
}

/// Whether a promotion takes the writer away from the old primary itself, in one operation of its vendor.
///
/// Source: the vendors' manuals on Aurora global databases and clusters, Azure SQL failover groups, and
/// switchover and zonal failover of Cloud SQL.
#[must_use]
pub fn fences_itself(action: ActionName) -> bool {
    matches!(
        action,
        ActionName::AwsRdsFailoverGlobalCluster
            | ActionName::AwsRdsSwitchoverGlobalCluster
            | ActionName::AwsRdsFailoverCluster
            | ActionName::AwsRdsRebootWithFailover
            | ActionName::AzureSqlFailover
            | ActionName::GcpSqlSwitchover
            | ActionName::GcpSqlFailover
    )
}

/// Whether an action makes something new from a backup.
#[must_use]
pub const fn restores(action: ActionName) -> bool {
    matches!(
        action,
        ActionName::AwsRdsRestoreFromSnapshot
            | ActionName::AwsRdsRestoreToPointInTime
            | ActionName::AwsBackupRestore
    )
}

/// How far what a call of a phase does can be taken back, where its author does not say. A promotion by a
/// program, a request or a person is for good, as one by an action is, unless something is declared that
/// takes it back. The run of another runbook has a gate of its own.
#[must_use]
pub fn reversibility(
    phase: Option<Phase>,
    action: ActionName,
    with: &Map<String, Value>,
    has_undo: bool,
) -> Reversibility {
    let own = action.spec().reversibility;
    let promotes = phase == Some(Phase::Promote)
        && action != ActionName::RunbookRun
        && dial(action).is_none()
        && meaning(action, with) == Meaning::Other;
    match own {
        _ if traits::effect(action, with) == Effect::Read => Reversibility::Reversible,
        Reversibility::Compensable if promotes && !has_undo => Reversibility::Irreversible,
        Reversibility::Reversible | Reversibility::Compensable | Reversibility::Irreversible => own,
    }
}

/// Which side a call works on, by its region, else by what only one side has.
pub fn aim<'s>(
    action: ActionName,
    with: &Map<String, Value>,
    from: &Site,
    others: impl Iterator<Item = &'s Site> + Clone,
) -> Aim {
    if let ApiHome::Parameter(key) = action.spec().home
        && let Some(region) = with.get(key).and_then(Value::as_str)
    {
        let of = |site: &Site| site.region.as_deref() == Some(region);
        return match (of(from), others.clone().any(of)) {
            (true, false) => Aim::From,
            (false, true) => Aim::Elsewhere,
            (true, true) | (false, false) => Aim::Unknown,
        };
    }
    let (mut own, mut foreign) = (Vec::new(), Vec::new());
    addresses_of(from, &mut own);
    others.for_each(|site| addresses_of(site, &mut foreign));
    let given: Vec<&str> = ADDRESSES.iter().filter_map(|key| with.get(*key)?.as_str()).collect();
    let names = |some: &[&str], rest: &[&str]| {
        (some.iter().filter(|text| text.len() >= TELLING && !rest.contains(text)))
            .any(|text| given.iter().any(|given| given.contains(text)))
    };
    match (names(&own, &foreign), names(&foreign, &own)) {
        (true, false) => Aim::From,
        (false, true) => Aim::Elsewhere,
        (true, true) | (false, false) => Aim::Unknown,
    }
}

/// The parameter that decides whether an action starts or stops something.
enum Dial {
    /// Starts when true.
    On(&'static str),
    /// Stops when true.
    Off(&'static str),
    /// Stops when 0.
    Size(&'static str),
}

impl Dial {
    fn meaning(&self, with: &Map<String, Value>) -> Meaning {
        let flag = |key: &str| with.get(key).and_then(Value::as_bool);
        let known = match self {
            Self::On(key) => flag(key).map(|on| if on { Meaning::Consumes } else { Meaning::Stops }),
            Self::Off(key) => flag(key).map(|off| if off { Meaning::Stops } else { Meaning::Consumes }),
            Self::Size(key) => with
                .get(*key)
                .and_then(Value::as_u64)
                .map(|size| if size == 0 { Meaning::Stops } else { Meaning::Grows }),
        };
        known.unwrap_or(Meaning::Other)
    }
}

fn dial(action: ActionName) -> Option<Dial> {
    Some(match action {
        ActionName::AwsLambdaSetEventSource => Dial::On("enabled"),
        ActionName::KubernetesSuspendCronjobs => Dial::Off("suspend"),
        ActionName::AwsAutoscalingSetCapacity
        | ActionName::AwsEcsSetDesiredCount
        | ActionName::AwsEksScaleNodegroup => Dial::Size("desired"),
        ActionName::KubernetesScale => Dial::Size("replicas"),
        ActionName::AzureVmssSetCapacity => Dial::Size("capacity"),
        ActionName::GcpComputeResize => Dial::Size("size"),
        _ => return None,
    })
}

/// What a site says of where it is: its address, and values that look like one. Words of a command do not.
fn addresses_of<'s>(site: &'s Site, found: &mut Vec<&'s str>) {
    found.extend(site.url.as_deref());
    for value in site.values.values() {
        match value {
            Value::String(text) => found.push(text),
            Value::Object(fields) => found.extend(fields.values().filter_map(Value::as_str)),
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: &Value) -> &Map<String, Value> {
        value.as_object().unwrap()
    }

    #[test]
    fn parameters_decide_what_a_call_means() {
        for (action, with, expected, fence) in [
            ("postgres.fence", json!({}), Meaning::Stops, true),
            ("postgres.fence", json!({"method": "stop", "stop_command": ["./stop"]}), Meaning::Stops, true),
            ("postgres.fence", json!({"method": "stop", "stop_command": ["true"]}), Meaning::Looks, false),
            (
                "postgres.fence",
                json!({"method": "read_only", "stop_command": ["true"]}),
                Meaning::Stops,
                true,
            ),
            ("aws.ecs.set_desired_count", json!({"desired": 0}), Meaning::Stops, true),
            ("aws.ecs.set_desired_count", json!({"desired": 4}), Meaning::Grows, false),
            ("aws.ecs.set_desired_count", json!({"desired": "{{ params.n }}"}), Meaning::Other, true),
            ("aws.lambda.set_event_source", json!({"enabled": true}), Meaning::Consumes, false),
            ("aws.lambda.set_event_source", json!({"enabled": false}), Meaning::Stops, true),
            ("kubernetes.suspend_cronjobs", json!({"suspend": false}), Meaning::Consumes, false),
            ("http.check", json!({}), Meaning::Looks, false),
            ("http.request", json!({"method": "GET"}), Meaning::Looks, false),
            ("http.request", json!({"method": "POST"}), Meaning::Other, true),
            ("notify.send", json!({}), Meaning::Looks, false),
            ("manual.task", json!({}), Meaning::Other, true),
            ("command.run", json!({}), Meaning::Other, true),
            ("command.run", json!({"argv": ["./stop"]}), Meaning::Other, true),
            ("command.run", json!({"argv": ["/bin/true"]}), Meaning::Looks, false),
            ("command.run", json!({"argv": ["sh", "-c", ": later"]}), Meaning::Looks, false),
            ("aws.rds.copy_snapshot", json!({}), Meaning::Copies, false),
            ("postgres.promote", json!({}), Meaning::Promotes, false),
            ("dns.update", json!({}), Meaning::Shifts, false),
        ] {
            let name: ActionName = action.parse().unwrap();
            assert_eq!(meaning(name, map(&with)), expected, "{action} {with}");
            assert_eq!(fences(Some(Phase::Fence), name, map(&with)), fence, "{action} {with}");
        }
        assert!(fences(None, ActionName::PostgresFence, &Map::new()));
        assert!(!fences(Some(Phase::Freeze), ActionName::CommandRun, &Map::new()));
    }

    #[test]
    fn where_users_are_sent_is_said_by_what_is_on() {
        for (action, with, expected) in [
            ("dns.update", json!({"values": ["192.0.2.1"]}), json!(["192.0.2.1"])),
            ("aws.route53.set_weights", json!({"weights": {"east": 0, "west": 7}}), json!(["west"])),
            ("aws.arc.set_routing_controls", json!({"controls": {"e": "off", "w": "on"}}), json!(["w"])),
            ("aws.route53.set_failover", json!({"primary": "w", "secondary": "e"}), json!("w")),
            ("aws.route53.set_health_check", json!({"health_check_id": "w", "healthy": true}), json!("w")),
            (
                "aws.route53.change_records",
                json!({"changes": [{"name": "x", "values": ["w"]}]}),
                json!([["w"]]),
            ),
            (
                "aws.route53.change_records",
                json!({"changes": [
                    {"name": "x", "values": ["e"], "action": "delete"},
                    {"name": "x", "values": ["e"], "weight": 0},
                    {"name": "x", "values": ["e"], "failover": "secondary"},
                    {"name": "x", "alias": {"name": "w"}},
                ]}),
                json!([{"name": "w"}]),
            ),
        ] {
            let name: ActionName = action.parse().unwrap();
            assert_eq!(destination(name, map(&with)), Some(expected), "{action} {with}");
        }
        let leaves = json!({"health_check_id": "e", "healthy": false});
        assert_eq!(destination(ActionName::AwsRoute53SetHealthCheck, map(&leaves)), None);
        assert_eq!(destination(ActionName::AwsRoute53DrainSite, map(&json!({"site": "e"}))), None);
        assert!(!asks(ActionName::WaitFor) && asks(ActionName::HttpCheck));
    }

    #[test]
    fn a_call_is_aimed_by_its_region_or_by_what_only_one_side_has() {
        let site = |region: &str, host: &str| -> Site {
            serde_json::from_value(json!({"role": "active", "region": region, "values": {"host": host}}))
                .unwrap()
        };
        let (east, west) = (site("us-east-1", "db.east.internal"), site("us-west-2", "db.west.internal"));
        for (action, with, expected) in [
            ("aws.rds.fence", json!({"region": "us-east-1"}), Aim::From),
            ("aws.rds.fence", json!({"region": "us-west-2"}), Aim::Elsewhere),
            ("aws.rds.fence", json!({"region": "eu-west-1"}), Aim::Unknown),
            ("postgres.fence", json!({"connection": "host=db.east.internal"}), Aim::From),
            ("postgres.fence", json!({"connection": "host=db.west.internal"}), Aim::Elsewhere),
            ("postgres.fence", json!({"connection": "host=other"}), Aim::Unknown),
            ("command.run", json!({"argv": ["ssh", "db.west.internal"]}), Aim::Unknown),
        ] {
            let name: ActionName = action.parse().unwrap();
            assert_eq!(aim(name, map(&with), &east, [&west].into_iter()), expected, "{action} {with}");
        }
    }
}
