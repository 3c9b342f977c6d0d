//! The shipped runbooks, word for word, carried out by the built drctl on the emulated estate. What became of
//! the estate is asked with the vendor's own SDK.

use serde_json::{Value, json};

use super::estate::root;
use super::stage::Stage;

/// Each step of a run that neither succeeded nor is left out in this mode.
fn not_succeeded(run: &Value) -> Vec<(String, String)> {
    let steps = run["steps"].as_array().unwrap();
    assert!(steps.len() > 8, "{run}");
    let step =
        |step: &Value| (step["id"].as_str().unwrap().to_owned(), step["status"].as_str().unwrap().to_owned());
    steps.iter().map(step).filter(|(_, status)| status != "succeeded" && status != "skipped").collect()
}

/// A run that did everything, and whose users are served.
fn whole(run: &Value) {
    assert_eq!(run["status"], "succeeded", "{run}");
    assert_eq!(not_succeeded(run), [], "{run}");
    assert_eq!(run["rto"]["verdict"], "met", "{run}");
}

/// Tasks that run, and the least that autoscaling keeps.
fn tasks(stage: &Stage, region: &str, cluster: &str, service: &str) -> Value {
    stage.ask(&format!(
        "[client('ecs', '{region}').describe_services(cluster='{cluster}', services=['{service}'])\
         ['services'][0]['runningCount'], client('application-autoscaling', '{region}')\
         .describe_scalable_targets(ServiceNamespace='ecs', ResourceIds=['service/{cluster}/{service}'])\
         ['ScalableTargets'][0]['MinCapacity']]"
    ))
}

/// What a database follows, its state, how long its backups are kept, and its security groups.
fn database(stage: &Stage, region: &str, name: &str) -> Value {
    stage.ask(&format!(
        "[(it.get('ReadReplicaSourceDBInstanceIdentifier'), it['DBInstanceStatus'], \
         it['BackupRetentionPeriod'], [g['VpcSecurityGroupId'] for g in it['VpcSecurityGroups']]) \
         for it in client('rds', '{region}').describe_db_instances(DBInstanceIdentifier='{name}')\
         ['DBInstances']][0]"
    ))
}

fn consumers(stage: &Stage, region: &str, id: &str) -> Value {
    stage.ask(&format!("client('lambda', '{region}').get_event_source_mapping(UUID='{id}')['State']"))
}

/// Size, most, and how many instances are in service.
fn instances(stage: &Stage, region: &str, group: &str) -> Value {
    stage.ask(&format!(
        "[(it['DesiredCapacity'], it['MaxSize'], len(it['Instances'])) for it in \
         client('autoscaling', '{region}').describe_auto_scaling_groups(\
         AutoScalingGroupNames=['{group}'])['AutoScalingGroups']][0]"
    ))
}

#[test]
fn warm_standby_moves_payments() {
    let stage = Stage::of("warm-standby");
    let ended = stage.failover("warm-standby", &["--confirm", "payments:west", "--accept-loss", "5m"]);
    assert!(ended.is_well(), "{}", ended.all());
    let run = ended.json();
    whole(&run);
    let west = database(&stage, "us-west-2", "payments-db-west");
    assert_eq!((&west[0], &west[1], &west[2]), (&Value::Null, &json!("available"), &json!(7)));
    let east = database(&stage, "us-east-1", "payments-db-east");
    assert_eq!(east[3], json!(["sg-0e1a57000000000ee"]));
    assert_eq!(tasks(&stage, "us-west-2", "pay-west", "payments-api"), json!([12, 12]));
    assert_eq!(consumers(&stage, "us-east-1", "6b2f0f0e-0001-4e57-8000-00000000ea57"), "Disabled");
    assert_eq!(consumers(&stage, "us-west-2", "6b2f0f0e-0002-4e57-8000-00000000e570"), "Enabled");
}

#[test]
fn pilot_light_moves_orders() {
    let stage = Stage::of("pilot-light");
    let ended = stage.failover("pilot-light", &["--confirm", "orders:dublin"]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    whole(&ended.json());
    let dublin = database(&stage, "eu-west-1", "orders-db-dublin");
    assert_eq!((&dublin[0], &dublin[2]), (&Value::Null, &json!(14)));
    let frankfurt = database(&stage, "eu-central-1", "orders-db-frankfurt");
    assert_eq!(frankfurt[3], json!(["sg-0f4a0000000000001"]));
    for (group, size) in [("orders-web", 6), ("orders-api", 8), ("orders-worker", 4)] {
        assert_eq!(instances(&stage, "eu-west-1", group), json!([size, 2 * size, size]));
    }
    let inverted = stage.ask(
        "[client('route53', 'us-east-1').get_health_check(HealthCheckId=id)['HealthCheck']\
         ['HealthCheckConfig'].get('Inverted') for id in ('11111111-aaaa-4aaa-8aaa-000000000001', \
         '11111111-aaaa-4aaa-8aaa-000000000002')]",
    );
    assert_eq!(inverted, json!([true, false]));
}

#[test]
fn backup_restore_brings_reports_back_once_somebody_has_agreed() {
    let stage = Stage::of("backup-restore");
    let ended = stage.failover("backup-restore", &["--confirm", "reports:oregon"]);
    assert_eq!(ended.json()["cause"], "owner", "{}", ended.all());
    let refused = stage.drctl(&["approve", "latest", "owner"]);
    assert!(refused.stderr.contains("needs one of the roles data-owner"), "{}", refused.all());
    let nothing = "len(client('rds', 'us-west-2').describe_db_instances()['DBInstances'])";
    assert_eq!(stage.ask(nothing), json!(0));
    let agreed = stage.drctl(&["approve", "latest", "owner", "--as", "dana", "-o", "json"]);
    assert_eq!(agreed.code, 0, "{}", agreed.all());
    let run = stage.drctl(&["runs", "show", "latest", "-o", "json"]).json();
    whole(&run);
    assert_eq!(run["rpo"]["verdict"], "met", "{run}");
    let oregon = database(&stage, "us-west-2", "reports-db-oregon");
    assert_eq!((&oregon[0], &oregon[1]), (&Value::Null, &json!("available")));
    assert_eq!(instances(&stage, "us-east-2", "reports-web"), json!([0, 8, 0]));
    assert_eq!(instances(&stage, "us-west-2", "reports-web"), json!([4, 8, 4]));
    let record = "[it['ResourceRecords'][0]['Value'] for it in client('route53', 'us-east-1')\
                  .list_resource_record_sets(HostedZoneId='Z0REPORTS')['ResourceRecordSets'] \
                  if it['Type'] == 'CNAME']";
    assert_eq!(stage.ask(record), json!(["reports-oregon-2222.us-west-2.elb.amazonaws.com"]));
    let backups = "len([it for it in client('backup', 'us-west-2').list_recovery_points_by_backup_vault(\
                   BackupVaultName='reports-oregon', ByResourceArn='arn:aws:rds:us-west-2:111122223333:db:\
                   reports-db-oregon')['RecoveryPoints']])";
    assert_eq!(stage.ask(backups), json!(1), "the new database is backed up at once");
}

fn weights(stage: &Stage) -> Value {
    stage.ask(
        "{it['SetIdentifier']: it['Weight'] for it in client('route53', 'us-east-1')\
         .list_resource_record_sets(HostedZoneId='Z0CATALOG')['ResourceRecordSets'] if it['Type'] == 'A'}",
    )
}

#[test]
fn active_active_takes_the_users_of_the_lost_site_away() {
    let stage = Stage::of("active-active");
    assert_eq!(weights(&stage), json!({"oregon": 100, "dublin": 100, "tokyo": 100}));
    let ended = stage.failover("active-active", &["--from", "oregon"]);
    assert_eq!(ended.code, 0, "{}", ended.all());
    whole(&ended.json());
    let after = weights(&stage);
    assert_eq!((&after["oregon"], &after["dublin"]), (&json!(0), &after["tokyo"]), "{after}");
    assert_eq!(tasks(&stage, "eu-west-1", "catalog-dublin", "catalog"), json!([30, 30]));
    assert_eq!(tasks(&stage, "ap-northeast-1", "catalog-tokyo", "catalog"), json!([30, 30]));
    assert_eq!(consumers(&stage, "us-west-2", "7c3f0f0e-0001-4e57-8000-000000000001"), "Disabled");
    assert_eq!(consumers(&stage, "eu-west-1", "7c3f0f0e-0002-4e57-8000-000000000002"), "Enabled");
}

fn writer(stage: &Stage) -> Value {
    stage.ask(
        "[it['DBClusterArn'].split(':')[-1] for it in client('rds', 'us-west-2')\
         .describe_global_clusters(GlobalClusterIdentifier='bookings')['GlobalClusters'][0]\
         ['GlobalClusterMembers'] if it['IsWriter']]",
    )
}

#[test]
fn an_aurora_global_database_goes_over_and_comes_back() {
    let stage = Stage::of("warm-standby-aurora");
    assert_eq!(writer(&stage), json!(["bookings-east"]));
    let over = ["--confirm", "bookings:west", "--accept-loss", "5m"];
    let ended = stage.failover("warm-standby-aurora", &over);
    assert!(ended.is_well(), "{}", ended.all());
    whole(&ended.json());
    assert_eq!(writer(&stage), json!(["bookings-west"]));
    assert_eq!(tasks(&stage, "us-east-1", "bookings-east", "bookings-api"), json!([0, 0]));
    assert_eq!(tasks(&stage, "us-west-2", "bookings-west", "bookings-api"), json!([12, 12]));
    let words = ["failback", "warm-standby-aurora", "--reason", "region is back", "--yes", "-o", "json"];
    let back = ["--confirm", "bookings:east", "--accept-loss", "5m"];
    let ended = stage.drctl(&[&words[..], &back].concat());
    assert!(ended.is_well(), "{}", ended.all());
    whole(&ended.json());
    assert_eq!(writer(&stage), json!(["bookings-east"]));
    assert_eq!(tasks(&stage, "us-east-1", "bookings-east", "bookings-api"), json!([12, 12]));
    assert_eq!(tasks(&stage, "us-west-2", "bookings-west", "bookings-api"), json!([3, 3]));
}

/// `tests/estate.sh` in a folder of its own, which it leaves taken down.
struct Script(tempfile::TempDir);

impl Script {
    fn run(&self, verb: &str, more: &[&str]) -> (bool, String) {
        let output = std::process::Command::new("bash")
            .arg(root().join("tests/estate.sh"))
            .arg(verb)
            .arg(self.0.path())
            .args(more)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.run("down", &[]);
    }
}

#[test]
fn the_script_brings_the_whole_estate_up_and_takes_it_down() {
    let script = Script(tempfile::tempdir().unwrap());
    assert_eq!(script.run("status", &[]), (false, "it is not up\n".to_owned()));
    // What an estate that is no more has left.
    std::fs::create_dir(script.0.path().join("journal.db.holders")).unwrap();
    std::fs::write(script.0.path().join("journal.db"), "of another estate").unwrap();
    let (up, said) = script.run("up", &[]);
    assert!(up && said.contains("an emulated AWS estate is up"), "{said}");
    assert!(script.run("up", &[]).1.contains("it is up already"));
    let (_, said) = script.run("status", &[]);
    let every = "pilot-light, warm-standby, warm-standby-aurora, backup-restore, active-active";
    assert!(said.contains(every), "{said}");
    assert_eq!(script.run("lose", &["us-east-1"]), (true, "us-east-1 is lost\n".to_owned()));

    let check = "cd \"$1\" && . ./env && \"$2\" failover warm-standby --reason x --yes -o json";
    let output = std::process::Command::new("bash")
        .args(["-c", check, "bash"])
        .arg(script.0.path())
        .arg(env!("CARGO_BIN_EXE_drctl"))
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["cause"], "gate/point-of-no-return", "{run}");

    let text = std::fs::read_to_string(script.0.path().join("estate.json")).unwrap();
    let pid = serde_json::from_str::<Value>(&text).unwrap()["pid"].to_string();
    assert_eq!(script.run("down", &[]), (true, "it is down\n".to_owned()));
    assert!(!std::path::Path::new("/proc").join(pid).exists());
    assert!(!script.0.path().join("estate.json").exists());
}
