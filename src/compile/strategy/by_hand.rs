//! The same thing by hand: commands to paste when drctl itself cannot. Made of the parameters of a derived
//! step, whose templates the plan fills in; never of a secret.

use serde_json::Value;

/// The commands that do what an action does; nothing where no single command does it.
pub(super) fn commands(uses: &str, with: &Value) -> Option<String> {
    [plain, aws_data, aws, cloud].into_iter().find_map(|family| family(uses, with))
}

/// Programs, HTTP, DNS and PostgreSQL.
fn plain(uses: &str, with: &Value) -> Option<String> {
    Some(match uses {
        "command.run" => list(with.get("argv")?, " "),
        "http.check" => format!("curl --fail --show-error {}", text(with, "url")),
        "dns.check" => format!("dig +short {} {}", text(with, "name"), text(with, "record_type")),
        "dns.update" => format!(
            "nsupdate <<'END'\nserver {}\nzone {}\nupdate delete {name} {kind}\nupdate add {name} 60 {kind} {}\nsend\nEND",
            text(with, "server"),
            text(with, "zone"),
            list(with.get("values")?, " "),
            name = text(with, "name"),
            kind = text(with, "record_type"),
        ),
        "postgres.promote" => format!("psql '{}' -c 'select pg_promote()'", text(with, "standby")),
        "postgres.fence" => list(with.get("stop_command")?, " "),
        "postgres.rejoin" => {
            format!("{}\n{}", list(with.get("rewind_command")?, " "), list(with.get("start_command")?, " "))
        }
        "postgres.check_replication" => format!(
            "psql '{}' -c 'select pg_is_in_recovery(), now() - pg_last_xact_replay_timestamp()'",
            text(with, "standby")
        ),
        _ => return None,
    })
}

/// Databases and backups of AWS.
fn aws_data(uses: &str, with: &Value) -> Option<String> {
    Some(match uses {
        "aws.rds.promote_read_replica" => in_region(
            with,
            &format!(
                "rds promote-read-replica --db-instance-identifier {} --backup-retention-period {}",
                text(with, "instance"),
                text(with, "backup_retention_days")
            ),
        ),
        "aws.rds.fence" => in_region(
            with,
            &format!(
                "rds modify-db-instance --db-instance-identifier {} --apply-immediately --vpc-security-group-ids {}",
                text(with, "identifier"),
                list(with.get("quarantine_security_group_ids")?, " ")
            ),
        ),
        "aws.rds.switchover_global_cluster" => in_region(
            with,
            &format!(
                "rds switchover-global-cluster --global-cluster-identifier {} --target-db-cluster-identifier {}",
                text(with, "global_cluster"),
                text(with, "target")
            ),
        ),
        "aws.rds.failover_global_cluster" => in_region(
            with,
            &format!(
                "rds failover-global-cluster --allow-data-loss --global-cluster-identifier {} --target-db-cluster-identifier {}",
                text(with, "global_cluster"),
                text(with, "target")
            ),
        ),
        "aws.backup.find_recovery_point" => in_region(
            with,
            &format!(
                "backup list-recovery-points-by-backup-vault --backup-vault-name {} --by-resource-arn {}",
                text(with, "vault"),
                text(with, "resource_arn")
            ),
        ),
        _ => return None,
    })
}

/// Capacity, consumers and alarms of AWS.
fn aws(uses: &str, with: &Value) -> Option<String> {
    Some(match uses {
        "aws.ecs.set_desired_count" => in_region(
            with,
            &format!(
                "ecs update-service --cluster {} --service {} --desired-count {}",
                text(with, "cluster"),
                text(with, "service"),
                text(with, "desired")
            ),
        ),
        "aws.autoscaling.set_capacity" => in_region(
            with,
            &format!(
                "autoscaling update-auto-scaling-group --auto-scaling-group-name {} --min-size {} --max-size {} \
             --desired-capacity {}",
                text(with, "group"),
                text(with, "min"),
                text(with, "max"),
                text(with, "desired")
            ),
        ),
        "aws.eks.scale_nodegroup" => in_region(
            with,
            &format!(
                "eks update-nodegroup-config --cluster-name {} --nodegroup-name {} --scaling-config \
             minSize={},maxSize={},desiredSize={}",
                text(with, "cluster"),
                text(with, "nodegroup"),
                text(with, "min"),
                text(with, "max"),
                text(with, "desired")
            ),
        ),
        "aws.lambda.set_event_source" => in_region(
            with,
            &format!(
                "lambda update-event-source-mapping --uuid {} {}",
                text(with, "mapping_id"),
                flag(with.get("enabled")?, "--enabled", "--no-enabled")
            ),
        ),
        "aws.cloudwatch.check_alarms" => in_region(
            with,
            &format!("cloudwatch describe-alarms --alarm-names {}", list(with.get("names")?, " ")),
        ),
        _ => return None,
    })
}

/// Kubernetes, Azure and Google Cloud.
fn cloud(uses: &str, with: &Value) -> Option<String> {
    Some(match uses {
        "kubernetes.scale" => format!(
            "kubectl --context {} --namespace {} scale {}/{} --replicas {}",
            text(with, "context"),
            text(with, "namespace"),
            text(with, "kind"),
            text(with, "name"),
            text(with, "replicas")
        ),
        "azure.vmss.set_capacity" => format!(
            "az vmss scale --resource-group {} --name {} --new-capacity {}",
            text(with, "resource_group"),
            text(with, "scale_set"),
            text(with, "capacity")
        ),
        "azure.sql.failover" => format!(
            "az sql failover-group set-primary --resource-group {} --server {} --name {}",
            text(with, "resource_group"),
            text(with, "server"),
            text(with, "failover_group")
        ),
        "azure.traffic_manager.set_endpoint" => format!(
            "az network traffic-manager endpoint update --resource-group {} --profile-name {} --name {} --type \
             {}Endpoints --endpoint-status {}",
            text(with, "resource_group"),
            text(with, "profile"),
            text(with, "endpoint"),
            text(with, "endpoint_type"),
            flag(with.get("enabled")?, "Enabled", "Disabled")
        ),
        "gcp.sql.promote" => format!(
            "gcloud sql instances promote-replica {} --failover --project {}",
            text(with, "instance"),
            text(with, "project")
        ),
        "gcp.sql.switchover" => {
            format!(
                "gcloud sql instances switchover {} --project {}",
                text(with, "instance"),
                text(with, "project")
            )
        }
        "gcp.compute.resize" => format!(
            "gcloud compute instance-groups managed resize {} --size {} --region {} --project {}",
            text(with, "group"),
            text(with, "size"),
            text(with, "region"),
            text(with, "project")
        ),
        _ => return None,
    })
}

fn in_region(with: &Value, command: &str) -> String {
    format!("aws --region {} {command}", text(with, "region"))
}

fn text(with: &Value, key: &str) -> String {
    with.get(key).map(word).unwrap_or_default()
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The items of a list, written down or made by a template.
fn list(value: &Value, between: &str) -> String {
    match value {
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(between),
        Value::String(template) => {
            let inner = template.trim_matches(['{', '}', ' ']);
            format!("{{{{ {inner} | join('{between}') }}}}")
        }
        other => other.to_string(),
    }
}

fn flag<'a>(value: &Value, on: &'a str, off: &'a str) -> &'a str {
    if value.as_bool() == Some(true) { on } else { off }
}
