//! Steps of managed databases of Azure and Google Cloud. What was primary follows the new one by itself.

use serde_json::{Value, json};

use super::data::{LAG, assess_replication, wait_until_in_sync};
use super::part::{Direction, Part, Side, reading};
use super::stages::Stage;
use crate::model::component::{CloudSqlReplica, FailoverGroup, FlexibleServer};
use crate::model::time::Duration;

/// A database whose replica is promoted by one call, planned or forced.
struct Exchange<'a> {
    check: &'static str,
    /// What names the replica.
    follows: &'a Value,
    max_lag: Option<Duration>,
    /// Action and parameters of a planned exchange.
    planned: (&'static str, Value),
    /// Action and parameters when the source is lost.
    forced: (&'static str, Value),
}

impl Exchange<'_> {
    fn steps(self, part: &mut Part<'_>) -> Value {
        if part.direction == Direction::Failback {
            wait_until_in_sync(part, self.check, self.follows, &[]);
        }
        let max_lag = part.rpo_or(self.max_lag, LAG);
        assess_replication(part, self.check, self.follows, &max_lag);
        let ((uses, with), (forced, forced_with)) = (self.planned, self.forced);
        part.step(
            Stage::Promote,
            "promote",
            json!({"name": "make the replica the primary", "uses": uses, "with": with,
                   "ungraceful": {"uses": forced, "with": forced_with},
                   "reversibility": {"class": "irreversible",
                                     "reason": "the other site takes writes from here on; the way back is a failback"},
                   "timeout": "20m", "deadline": "30m", "retry": {"attempts": 2, "backoff": "15s"},
                   "drill": "skip"}),
        );
        reading(self.check, self.follows)
    }
}

/// The same mapping and more keys.
fn and(base: &Value, more: Value) -> Value {
    let mut all = base.clone();
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
    all
}

pub(super) fn failover_group(group: &FailoverGroup, part: &mut Part<'_>) -> Value {
    let mut follows = json!({"subscription_id": group.subscription_id, "region": Side::To.region(),
                             "resource_group": part.at(Side::To, "resource_group", &group.resource_group),
                             "failover_group": group.failover_group});
    if let Some(server) = &group.server {
        follows["server"] = part.at(Side::To, "server", server);
    }
    Exchange {
        check: "azure.sql.check_replication",
        follows: &follows,
        max_lag: group.max_lag,
        planned: ("azure.sql.failover", and(&follows, json!({"mode": "planned"}))),
        forced: ("azure.sql.failover", and(&follows, json!({"mode": "forced"}))),
    }
    .steps(part)
}

pub(super) fn flexible_server(server: &FlexibleServer, part: &mut Part<'_>) -> Value {
    let follows = json!({"subscription_id": server.subscription_id, "region": Side::To.region(),
                         "resource_group": part.at(Side::To, "resource_group", &server.resource_group),
                         "server": part.at(Side::To, "server", &server.server)});
    let promote = |option| and(&follows, json!({"mode": "switchover", "option": option}));
    Exchange {
        check: "azure.postgres.check_replication",
        follows: &follows,
        max_lag: server.max_lag,
        planned: ("azure.postgres.promote", promote("planned")),
        forced: ("azure.postgres.promote", promote("forced")),
    }
    .steps(part)
}

pub(super) fn cloud_sql(replica: &CloudSqlReplica, part: &mut Part<'_>) -> Value {
    let follows = json!({"project": replica.project, "region": Side::To.region(),
                         "instance": part.at(Side::To, "instance", &replica.instance)});
    Exchange {
        check: "gcp.sql.check_replication",
        follows: &follows,
        max_lag: replica.max_lag,
        planned: ("gcp.sql.switchover", follows.clone()),
        forced: ("gcp.sql.promote", and(&follows, json!({"replica_failover": true}))),
    }
    .steps(part)
}
