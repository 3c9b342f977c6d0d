//! The same thing by hand: commands to paste when drctl itself cannot. Made of the parameters a plan is bound
//! to; what is known only during a run stays in as a template, and never holds a secret.

use serde_json::{Map, Value};

use crate::model::action::ActionName;
use crate::model::shell;

type Fields = Map<String, Value>;

/// The commands that do what an action does, one after the other; nothing where no command does it.
pub(super) fn commands(action: ActionName, with: &Fields) -> Option<Vec<String>> {
    let uses = action.as_str();
    if let Some(commands) = lists(uses, with) {
        return Some(commands);
    }
    let families = [plain, aws_data, aws, azure, cloud];
    let words = families.into_iter().find_map(|family| family(uses, with))?;
    Some(vec![shell::command(&words, &[])])
}

/// Programs that are given as lists of words, and what takes more than one program.
fn lists(uses: &str, with: &Fields) -> Option<Vec<String>> {
    Some(match uses {
        "command.run" => vec![program(with)?],
        "postgres.query" if with.get("values").is_none_or(|values| *values == Value::Array(Vec::new())) => {
            let words = ["psql".to_owned(), text(with, "connection")?, "-c".to_owned(), text(with, "sql")?];
            let writes = with.get("write").and_then(Value::as_bool) == Some(true);
            let reads_only = ("PGOPTIONS", "-c default_transaction_read_only=on");
            vec![shell::command(&words, if writes { &[] } else { std::slice::from_ref(&reads_only) })]
        }
        "postgres.fence" if text(with, "method")? == "stop" => {
            vec![alone(&list(with, "stop_command")?, &[])]
        }
        "postgres.rejoin" => ["rewind_command", "start_command"]
            .into_iter()
            .map(|key| Some(alone(&list(with, key)?, &[])))
            .collect::<Option<_>>()?,
        "dns.update" => {
            let (name, kind) = (text(with, "name")?, text(with, "record_type")?);
            let ttl = ttl(with);
            let mut lines = vec![
                format!("server {}", server(&text(with, "server")?)),
                format!("zone {}", text(with, "zone")?),
                format!("update delete {name} {kind}"),
            ];
            lines.extend(
                list(with, "values")?.iter().map(|value| format!("update add {name} {ttl} {kind} {value}")),
            );
            lines.push("send".to_owned());
            let said = [vec!["printf".to_owned(), r"%s\n".to_owned()], lines].concat();
            let said: Vec<_> = said.iter().map(|line| shell::word(line)).collect();
            vec![format!("{} | nsupdate", said.join(" "))]
        }
        _ => return None,
    })
}

/// `command.run` as drctl would start it: its words, its environment, its folder, its input.
fn program(with: &Fields) -> Option<String> {
    let mut words = list(with, "argv")?;
    if with.get("shell").and_then(Value::as_bool) == Some(true) {
        words = vec!["/bin/sh".to_owned(), "-c".to_owned(), words.join(" ")];
    }
    let environment: Vec<(String, String)> = match with.get("env") {
        Some(Value::Object(all)) => all.iter().map(|(name, value)| (name.clone(), said(value))).collect(),
        _ => Vec::new(),
    };
    let environment: Vec<_> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let input = with.get("stdin").filter(|input| !input.is_null());
    let mut line = match input {
        Some(_) => shell::command(&words, &environment),
        None => alone(&words, &environment),
    };
    if let Some(folder) = text(with, "cwd") {
        let rooted = ["/", "./", "../"].iter().any(|start| folder.starts_with(start))
            || [".", ".."].contains(&folder.as_str());
        // Else a shell may look elsewhere, or take it for an option.
        let folder = if rooted { folder } else { format!("./{folder}") };
        line = format!("(cd {} && {line})", shell::word(&folder));
    }
    Some(match input {
        Some(input) => format!("printf %s {} | {line}", shell::word(&input.to_string())),
        None => line,
    })
}

/// A program without input: one that reads, as `ssh` does, would swallow the next line that is pasted.
fn alone(words: &[String], environment: &[(&str, &str)]) -> String {
    format!("{} </dev/null", shell::command(words, environment))
}

/// A server as `nsupdate` reads it: its port stands apart.
fn server(address: &str) -> String {
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => (host, port),
        _ => return address.to_owned(),
    };
    format!("{} {port}", host.trim_start_matches('[').trim_end_matches(']'))
}

/// Seconds that a record is kept.
fn ttl(with: &Fields) -> u64 {
    let given = with
        .get("ttl")
        .and_then(|ttl| serde_json::from_value::<crate::model::time::Duration>(ttl.clone()).ok());
    given.map_or(60, |ttl| ttl.to_std().as_secs())
}

/// HTTP, DNS and PostgreSQL.
fn plain(uses: &str, with: &Fields) -> Option<Vec<String>> {
    let psql = |key: &str, sql: &str| Some(words(&["psql", &text(with, key)?, "-c", sql]));
    Some(match uses {
        "http.check" => words(&["curl", "--fail", "--show-error", &text(with, "url")?]),
        "dns.check" => words(&["dig", "+short", &text(with, "name")?, &text(with, "record_type")?]),
        "postgres.promote" => psql("standby", "select pg_promote()")?,
        "postgres.check_replication" => {
            psql("standby", "select pg_is_in_recovery(), now() - pg_last_xact_replay_timestamp()")?
        }
        _ => return None,
    })
}

/// Databases and backups of AWS.
fn aws_data(uses: &str, with: &Fields) -> Option<Vec<String>> {
    let global =
        ["--global-cluster-identifier", "global_cluster", "--target-db-cluster-identifier", "target"];
    match uses {
        "aws.rds.promote_read_replica" => in_region(
            with,
            "rds promote-read-replica",
            &["--db-instance-identifier", "instance", "--backup-retention-period", "backup_retention_days"],
        ),
        "aws.rds.fence" => {
            let command = "rds modify-db-instance --apply-immediately";
            let mut words = in_region(with, command, &["--db-instance-identifier", "identifier"])?;
            words.push("--vpc-security-group-ids".to_owned());
            words.extend(list(with, "quarantine_security_group_ids")?);
            Some(words)
        }
        "aws.rds.switchover_global_cluster" => in_region(with, "rds switchover-global-cluster", &global),
        "aws.rds.failover_global_cluster" => {
            in_region(with, "rds failover-global-cluster --allow-data-loss", &global)
        }
        "aws.backup.find_recovery_point" => in_region(
            with,
            "backup list-recovery-points-by-backup-vault",
            &["--backup-vault-name", "vault", "--by-resource-arn", "resource_arn"],
        ),
        _ => None,
    }
}

/// Capacity, consumers and alarms of AWS.
fn aws(uses: &str, with: &Fields) -> Option<Vec<String>> {
    match uses {
        "aws.ecs.set_desired_count" => in_region(
            with,
            "ecs update-service",
            &["--cluster", "cluster", "--service", "service", "--desired-count", "desired"],
        ),
        "aws.autoscaling.set_capacity" => in_region(
            with,
            "autoscaling update-auto-scaling-group",
            &[
                "--auto-scaling-group-name",
                "group",
                "--min-size",
                "min",
                "--max-size",
                "max",
                "--desired-capacity",
                "desired",
            ],
        ),
        "aws.eks.scale_nodegroup" => {
            let named = ["--cluster-name", "cluster", "--nodegroup-name", "nodegroup"];
            let mut words = in_region(with, "eks update-nodegroup-config", &named)?;
            let sizes = [("minSize", "min"), ("maxSize", "max"), ("desiredSize", "desired")];
            let sizes =
                sizes.into_iter().filter_map(|(size, key)| Some(format!("{size}={}", text(with, key)?)));
            words.extend(["--scaling-config".to_owned(), sizes.collect::<Vec<_>>().join(",")]);
            Some(words)
        }
        "aws.lambda.set_event_source" => {
            let mut words = in_region(with, "lambda update-event-source-mapping", &["--uuid", "mapping_id"])?;
            words.push(if is_on(with)? { "--enabled" } else { "--no-enabled" }.to_owned());
            Some(words)
        }
        "aws.cloudwatch.check_alarms" => {
            let mut words = in_region(with, "cloudwatch describe-alarms --alarm-names", &[])?;
            words.extend(list(with, "names")?);
            Some(words)
        }
        _ => None,
    }
}

/// Azure, each command in the subscription of its site.
fn azure(uses: &str, with: &Fields) -> Option<Vec<String>> {
    let flagged = |command: &str, pairs: &[&str]| {
        let place = ["--subscription", "subscription_id", "--resource-group", "resource_group"];
        flagged(with, command, &[&place, pairs].concat())
    };
    Some(match uses {
        "azure.vmss.set_capacity" => {
            flagged("az vmss scale", &["--name", "scale_set", "--new-capacity", "capacity"])
        }
        "azure.sql.failover" => {
            flagged("az sql failover-group set-primary", &["--server", "server", "--name", "failover_group"])
        }
        "azure.traffic_manager.set_endpoint" => {
            let pairs = ["--profile-name", "profile", "--name", "endpoint"];
            let command = flagged("az network traffic-manager endpoint update", &pairs);
            let kind = format!("{}Endpoints", text(with, "endpoint_type")?);
            let status = if is_on(with)? { "Enabled" } else { "Disabled" };
            [command, words(&["--type", &kind, "--endpoint-status", status])].concat()
        }
        _ => return None,
    })
}

/// Kubernetes and Google Cloud.
fn cloud(uses: &str, with: &Fields) -> Option<Vec<String>> {
    let project = || flags(with, &["--project", "project"]);
    Some(match uses {
        "kubernetes.scale" => {
            let pairs = [
                "--kubeconfig",
                "kubeconfig",
                "--context",
                "context",
                "--namespace",
                "namespace",
                "--replicas",
                "replicas",
            ];
            let what = format!("{}/{}", text(with, "kind")?, text(with, "name")?);
            [flagged(with, "kubectl scale", &pairs), vec![what]].concat()
        }
        "gcp.sql.promote" => {
            let instance = text(with, "instance")?;
            let command = ["gcloud", "sql", "instances", "promote-replica", &instance, "--failover"];
            [words(&command), project()].concat()
        }
        "gcp.sql.switchover" => {
            let instance = text(with, "instance")?;
            [words(&["gcloud", "sql", "instances", "switchover", &instance]), project()].concat()
        }
        "gcp.compute.resize" => {
            let group = text(with, "group")?;
            let command = words(&["gcloud", "compute", "instance-groups", "managed", "resize", &group]);
            [command, flags(with, &["--size", "size", "--region", "region"]), project()].concat()
        }
        _ => return None,
    })
}

/// A command of the AWS command line, with pairs of flags and fields.
fn in_region(with: &Fields, command: &str, pairs: &[&str]) -> Option<Vec<String>> {
    let region = words(&["aws", "--region", &text(with, "region")?]);
    Some([region, flagged(with, command, pairs)].concat())
}

/// A command with pairs of flags and fields.
fn flagged(with: &Fields, command: &str, pairs: &[&str]) -> Vec<String> {
    let command = command.split(' ').map(str::to_owned).collect();
    [command, flags(with, pairs)].concat()
}

/// Flags with the values of fields; without those nobody gave, which have a default.
fn flags(with: &Fields, pairs: &[&str]) -> Vec<String> {
    let pairs = pairs.chunks_exact(2).filter_map(|pair| Some([pair[0].to_owned(), text(with, pair[1])?]));
    pairs.flatten().collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn is_on(with: &Fields) -> Option<bool> {
    with.get("enabled").and_then(Value::as_bool)
}

fn text(with: &Fields, key: &str) -> Option<String> {
    with.get(key).filter(|value| !value.is_null()).map(said)
}

fn said(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The items of a list; of one that a template makes during the run, the template.
fn list(with: &Fields, key: &str) -> Option<Vec<String>> {
    let items = match with.get(key)? {
        Value::Array(items) => items.iter().map(said).collect(),
        Value::String(template) => vec![template.clone()],
        _ => return None,
    };
    Some(items).filter(|items: &Vec<String>| !items.is_empty())
}
