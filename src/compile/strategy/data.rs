//! Steps of the components that hold data.

use serde_json::{Value, json};

use super::part::{Direction, Part, Side, reading};
use super::stages::Stage;
use crate::model::component::{DistributedPostgres, GlobalCluster, GlobalTable, PostgresServer};
use crate::model::time::Duration;

/// Largest lag a planned move may begin with, where nobody says.
pub(super) const LAG: Duration = Duration::from_secs(60);
/// Lag at which a rebuilt standby counts as caught up, in milliseconds.
pub(super) const CAUGHT_UP: &str = "result.lag_ms < 5000";

pub(super) fn postgres(server: &PostgresServer, part: &mut Part<'_>) -> Value {
    let to = part.at(Side::To, "connection", &server.connection);
    let from = part.at(Side::From, "connection", &server.connection);
    let follows = json!({"standby": to, "primary": from});
    if part.direction == Direction::Failback {
        postgres_rejoin(server, part, Stage::Rebuild, Side::To);
    }
    let is_standby =
        json!({"uses": "postgres.check_replication", "with": {"standby": to}, "until": "result.in_recovery"});
    part.step(
        Stage::Assess,
        "standby",
        json!({"name": "the target is a standby", "uses": "postgres.check_replication", "with": {"standby": to},
               "verify": [is_standby]}),
    );
    let max_lag = part.rpo_or(None, LAG);
    let mut close = follows.clone();
    close["max_lag"] = max_lag.into();
    part.step(
        Stage::Assess,
        "close",
        json!({"name": "the standby is close behind", "uses": "postgres.check_replication", "with": close,
               "ungraceful": "skip", "retry": {"attempts": 10, "backoff": "2s", "max_backoff": "10s"}}),
    );
    let table = server.heartbeat_table.as_deref().unwrap_or("drctl_heartbeat");
    part.step(
        Stage::Freeze,
        "beat",
        json!({"name": "a last heartbeat on the primary", "uses": "postgres.heartbeat", "ungraceful": "skip",
               "with": {"connection": from, "task": "beat", "table": table}}),
    );
    let stop = part.at(Side::From, "stop", &server.stop);
    let start = part.at(Side::From, "start", &server.start);
    part.step(
        Stage::Fence,
        "fence",
        json!({"name": "stop the old primary", "uses": "postgres.fence", "undo": "auto", "drill": "skip",
               "with": {"primary": from, "method": "stop", "stop_command": stop, "start_command": start}}),
    );
    part.step(
        Stage::Promote,
        "promote",
        json!({"name": "promote the standby", "uses": "postgres.promote", "with": {"standby": to},
               "precheck": [is_standby], "retry": {"attempts": 2, "backoff": "1s"}, "drill": "skip"}),
    );
    // In a table of its own, so that it is not taken for a heartbeat of the old primary.
    part.step(
        Stage::Verify,
        "write",
        json!({"name": "the new primary accepts writes", "uses": "postgres.heartbeat",
               "with": {"connection": to, "task": "beat", "table": "drctl_write_proof"},
               "retry": {"attempts": 5, "backoff": "500ms", "max_backoff": "2s"}}),
    );
    if part.direction == Direction::Failback {
        postgres_rejoin(server, part, Stage::Protect, Side::From);
    }
    reading("postgres.heartbeat", &json!({"connection": to, "task": "read", "table": table}))
}

/// Makes a stopped server a standby of the other one, and waits until it follows.
fn postgres_rejoin(server: &PostgresServer, part: &mut Part<'_>, stage: Stage, side: Side) {
    let other = if side == Side::To { Side::From } else { Side::To };
    let (standby, primary) =
        (part.at(side, "connection", &server.connection), part.at(other, "connection", &server.connection));
    let (verb, settled) = match stage {
        Stage::Rebuild => ("rejoin", "settle"),
        _ => ("protect", "settle-again"),
    };
    // pg_rewind compares control files; a promoted server writes its timeline there with its next checkpoint.
    part.step(
        stage,
        settled,
        json!({"name": "checkpoint on the primary", "uses": "postgres.query", "timeout": "5m",
               "with": {"connection": primary, "sql": "checkpoint"}}),
    );
    let with = json!({
        "standby": standby,
        "data_directory": part.at(side, "data_directory", &server.data_directory),
        "rewind_command": part.at(side, "rewind", &server.rewind),
        "start_command": part.at(side, "start", &server.start),
    });
    let needs = [part.step_id(settled)];
    part.step(
        stage,
        verb,
        json!({"name": "make the stopped server a standby", "uses": "postgres.rejoin", "with": with,
               "needs": needs, "timeout": "10m", "drill": "skip",
               "reversibility": {"class": "compensable",
                                 "reason": "a new base backup makes up for a rewind that went wrong"}}),
    );
    let follows = json!({"standby": standby, "primary": primary});
    let needs = [part.step_id(verb)];
    let caught_up = format!("{verb}ed");
    part.step(
        stage,
        if stage == Stage::Rebuild { "in-sync" } else { &caught_up },
        json!({"name": "wait until it has caught up", "uses": "postgres.check_replication", "with": follows,
               "needs": needs,
               "verify": [{"uses": "postgres.check_replication", "with": follows, "within": "30m",
                           "every": "1s", "consecutive": 2,
                           "until": "result.streaming and (result.lag_ms | default(999999)) < 5000"}]}),
    );
}

/// Looks at replication; a source that is lost takes its metrics along, so no limit holds then.
pub(super) fn assess_replication(part: &mut Part<'_>, uses: &str, follows: &Value, max_lag: &str) {
    let mut limited = follows.clone();
    limited["max_lag"] = max_lag.into();
    limited["max_metric_age"] = "5m".into();
    part.step(
        Stage::Assess,
        "replication",
        json!({"name": "the standby follows", "uses": uses, "with": limited,
               "ungraceful": {"uses": uses, "with": follows}}),
    );
}

/// Before a return: the vendor makes a replica of the old primary by itself, which takes its time.
pub(super) fn wait_until_in_sync(part: &mut Part<'_>, uses: &str, follows: &Value, needs: &[String]) {
    part.step(
        Stage::Rebuild,
        "in-sync",
        json!({"name": "wait until the old site follows", "uses": uses, "with": follows, "needs": needs,
               "verify": [{"uses": uses, "with": follows, "until": CAUGHT_UP, "within": "2h", "every": "10s",
                           "consecutive": 3}]}),
    );
}

pub(super) fn global_cluster(global: &GlobalCluster, part: &mut Part<'_>) -> Value {
    let cluster = part.at(Side::To, "cluster", &global.cluster);
    let target = part.at(Side::To, "cluster_arn", &global.cluster_arn);
    let follows = json!({"region": Side::To.region(), "kind": "global_cluster", "identifier": cluster,
                         "global_cluster": global.global_cluster});
    if part.direction == Direction::Failback {
        wait_until_in_sync(part, "aws.rds.check_replication", &follows, &[]);
    }
    let max_lag = part.rpo_or(global.max_lag, LAG);
    assess_replication(part, "aws.rds.check_replication", &follows, &max_lag);
    let planned = json!({"region": Side::From.region(), "global_cluster": global.global_cluster,
                         "target": target});
    let unplanned = json!({"region": Side::To.region(), "global_cluster": global.global_cluster,
                           "target": target, "allow_data_loss": true});
    part.step(
        Stage::Promote,
        "promote",
        json!({"name": "make the other cluster the writer", "uses": "aws.rds.switchover_global_cluster",
               "with": planned,
               "ungraceful": {"uses": "aws.rds.failover_global_cluster", "with": unplanned},
               "reversibility": {"class": "irreversible",
                                 "reason": "the other region takes writes from here on; the way back is a failback"},
               "timeout": "20m", "deadline": "30m", "retry": {"attempts": 2, "backoff": "15s"},
               "drill": "skip"}),
    );
    reading("aws.rds.check_replication", &follows)
}

pub(super) fn global_table(table: &GlobalTable, part: &mut Part<'_>) -> Value {
    if part.direction == Direction::Failback {
        let others = "(survivors | rejectattr('name', 'equalto', to.name) | first).region";
        let with = json!({"region": Side::To.region(), "source_region": format!("{{{{ {others} }}}}"),
                          "table": table.table});
        part.step(
            Stage::Assess,
            "in-sync",
            json!({"name": "the table has caught up", "uses": "aws.dynamodb.check_replication", "with": with,
                   "verify": [{"uses": "aws.dynamodb.check_replication", "with": with, "until": CAUGHT_UP,
                               "within": "30m", "every": "5s", "consecutive": 3}]}),
        );
    }
    reading(
        "aws.dynamodb.check_replication",
        &json!({"region": "{{ survivors[0].region }}", "table": table.table,
               "source_region": "{{ (from if from is defined else to).region }}"}),
    )
}

pub(super) fn distributed_postgres(database: &DistributedPostgres, part: &mut Part<'_>) -> Value {
    let table = database.heartbeat_table.as_deref().unwrap_or("drctl_heartbeat");
    let (side, each) = match part.direction {
        Direction::Failover => (Side::Item, Some("{{ survivors }}")),
        Direction::Failback => (Side::To, None),
    };
    // In a table of its own, so that it is not taken for a heartbeat of the service.
    let mut write = json!({
        "name": "the database accepts writes", "uses": "postgres.heartbeat",
        "with": {"connection": part.at(side, "connection", &database.connection), "task": "beat",
                 "table": "drctl_write_proof"},
        "retry": {"attempts": 5, "backoff": "500ms", "max_backoff": "2s"},
    });
    if let Some(each) = each {
        write["for_each"] = each.into();
    }
    part.step(Stage::Verify, "write", write);
    let near = part.at(Side::Item, "connection", &database.connection);
    let near = near.as_str().unwrap_or_default().replace("item.", "survivors[0].");
    reading("postgres.heartbeat", &json!({"connection": near, "task": "read", "table": table}))
}
