//! The boundary of an isolated drill: asked when it is planned, and again before every effect with every
//! value known.

use std::collections::BTreeMap;
use std::sync::Arc;

use drctl::journal::MemoryJournal;
use drctl::model::action::{Action, ActionName, Effect, traits};
use drctl::model::drill::{Boundary, DrillLevel};
use drctl::model::id::SiteName;
use drctl::model::run::{Mode, RunStatus};
use drctl::model::values::Site;
use drctl::plan::bind_drill;
use drctl::plan::drill::boundary::outside;
use serde_json::{Value, json};
use tokio_postgres::config::Host;

use crate::simulated::sample;

use super::world::{PAY, World, at, drill, drive, new, runbook, runtime};

#[test]
fn what_is_known_to_lie_outside_is_refused_when_the_drill_is_planned() {
    for (from, to, expected) in [
        ("hosts: [west, drill]", "hosts: [drill]", "`grow` (http.request) is outside"),
        (
            "method: DELETE, url: \"https://drill/seed\"",
            "method: DELETE, url: \"https://pay/seed\"",
            "`cleanup/sweep`",
        ),
        (
            "method: POST, url: \"https://drill/broken\"",
            "method: POST, url: \"https://pay/broken\"",
            "`inject/break`",
        ),
        (
            "with: {method: DELETE, url: \"https://west/grown\"",
            "with: {method: DELETE, url: \"https://pay/grown\"",
            "`grow`",
        ),
    ] {
        assert!(PAY.contains(from), "{from}");
        let problems = bind_drill(&runbook(&PAY.replace(from, to)), &at(DrillLevel::Isolated)).unwrap_err();
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.contains(expected)), "{to}: {told:?}");
    }
}

#[tokio::test]
async fn what_is_found_to_lie_outside_is_not_done() {
    // Where the address comes from the run itself, only the last look can tell.
    let text = PAY.replace(
        "url: \"https://west/grown\", observe",
        "url: \"https://{{ 'we' ~ 'st' if run.token > 99 else 'east' }}/grown\", observe",
    );
    assert_ne!(text, PAY);
    let world = World::new();
    let runtime = runtime(Arc::new(MemoryJournal::new()), &world);
    let state = drive(runtime.create(drill(&text, DrillLevel::Isolated), new()).await.unwrap()).await;
    assert_eq!(state.status, RunStatus::Failed);
    let cause = state.cause.unwrap();
    assert!(cause.contains("outside the boundary") && cause.contains("`east`"), "{cause}");
    assert_eq!(world.called("https://east"), 0);
    assert_eq!(world.left(), [""; 0]);
}

/// The plan of an isolated drill of `PAY` with another text for the drill of a step.
fn changed(from: &str, to: &str) -> Result<drctl::plan::Plan, String> {
    assert!(PAY.contains(from), "{from}");
    let told = |problems: Vec<drctl::plan::Problem>| problems.iter().map(ToString::to_string).collect();
    bind_drill(&loose(&PAY.replace(from, to)), &at(DrillLevel::Isolated)).map_err(told)
}

/// A runbook as it is read, also where the compiler would refuse it.
fn loose(text: &str) -> drctl::model::runbook::Runbook {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn what_a_drill_says_holds_in_ungraceful_mode_too() {
    let step = "{id: restore, phase: restore, uses: http.request,";
    let ungraceful = format!("{step} ungraceful: {{with: {{url: \"https://prod/force\", body: force}}}},");
    let plan = changed(step, &ungraceful).unwrap();
    let node = plan.nodes.iter().find(|node| node.address.as_str() == "restore").unwrap();
    for mode in [Mode::Graceful, Mode::Ungraceful] {
        assert_eq!(node.call(mode).unwrap().with["url"], "https://drill/data", "{mode}");
    }
    assert_eq!(node.call(Mode::Ungraceful).unwrap().with["body"], "force");
    let other = format!("{step} ungraceful: {{uses: http.check, with: {{url: \"https://prod/\"}}}},");
    let why = changed(step, &other).unwrap_err();
    assert!(why.contains("says nothing of http.check, its ungraceful action"), "{why}");
}

#[test]
fn the_real_undo_of_what_cannot_be_checked_takes_back_no_drill() {
    let seed =
        "{id: seed, uses: http.request, with: {method: POST, url: \"https://west/seed\", idempotent: true},
         drill: {isolated: {with: {url: \"https://drill/seed\"}}, live: run}}";
    let with = |undo: &str| {
        format!(
            "{{id: seed, uses: command.run, with: {{argv: [seed]}}, undo: {{uses: command.run, with: {{argv: \
             [unseed]}}}}, drill: {{isolated: {{with: {{argv: [seed, drill]}}, {undo} boundary: trusted}}, \
             live: run}}}}"
        )
    };
    let why = changed(seed, &with("")).unwrap_err();
    assert!(why.contains("taken back as for real, by command.run"), "{why}");
    let own = "undo: {uses: command.run, with: {argv: [unseed, drill]}},";
    assert!(changed(seed, &with(own)).is_ok());
}

/// Wherever the driver might go must lie inside.
#[test]
fn no_server_that_a_connection_may_lead_to_slips_through() {
    let boundary: Boundary = serde_json::from_value(json!({"databases": ["drill/*"]})).unwrap();
    let hosts =
        ["host=drill", "host=prod", "host = 'prod'", "host=drill,prod", "hostaddr=10.0.0.1", "user=u"];
    let mut refused = 0;
    for one in hosts {
        for other in hosts {
            let connection = format!("{one} dbname=pay {other}");
            let config: tokio_postgres::Config = connection.parse().unwrap();
            let is_drill = |host: &Host| matches!(host, Host::Tcp(name) if name == "drill");
            let inside = config.get_hosts().iter().all(is_drill)
                && config.get_hostaddrs().is_empty()
                && !config.get_hosts().is_empty();
            let query = action(
                "postgres.query",
                json!({"connection": connection, "sql": "delete from x", "write": true}),
            );
            let found = outside(&boundary, &sites(), &query, false);
            assert_eq!(found.is_none(), inside, "{connection}: {found:?}");
            refused += usize::from(found.is_some());
        }
    }
    assert!(refused > 20);
}

fn sites() -> BTreeMap<SiteName, Site> {
    let sites = json!({
        "east": {"role": "active", "region": "us-east-1"},
        "west": {"role": "standby", "region": "us-west-2"},
    });
    serde_json::from_value(sites).unwrap()
}

fn action(name: &str, with: Value) -> Action {
    let name: ActionName = name.parse().unwrap();
    Action::new(name, with).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// No action that changes something slips through a boundary that allows nothing; what people do is theirs.
#[test]
fn a_boundary_that_allows_nothing_lets_nothing_through() {
    let nothing = Boundary::default();
    let mut looked = 0;
    for &name in ActionName::ALL {
        for with in [sample::minimal(name), sample::complete(name)] {
            let action = action(name.as_str(), with.clone());
            let written = action.parameters().as_object().cloned().unwrap();
            // A query reads only where its text shows it, and that of the samples shows nothing.
            let free = traits::effect(name, &written) == Effect::Read && name != ActionName::PostgresQuery;
            let inside = outside(&nothing, &sites(), &action, false).is_none();
            assert_eq!(inside, free || name == ActionName::ManualTask, "{name} {with}");
            looked += usize::from(!free);
        }
    }
    assert!(looked > 80, "only {looked} looked at");
}

/// Of each action: what lies inside, and each parameter that leads outside when it is another one.
#[test]
fn every_parameter_that_says_where_an_action_works_counts() {
    let boundary: Boundary = serde_json::from_value(json!({
        "sites": ["west"], "accounts": ["sub", "111122223333"],
        "names": ["drill-*", "rtb-drill", "arn:aws:arc:*:routingcontrol/drill/*", "arn:aws:*:plan/drill:*"],
    }))
    .unwrap();
    let azure = |more: Value| {
        let mut with = json!({"subscription_id": "sub", "resource_group": "rg", "region": "us-west-2"});
        with.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        with
    };
    let aws = |more: Value| {
        let mut with = json!({"region": "us-west-2", "account": "111122223333"});
        with.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        with
    };
    let bare = |mut with: Value| {
        with.as_object_mut().unwrap().remove("region");
        with
    };
    let control = "arn:aws:arc:1:routingcontrol/drill/one";
    let cases = [
        (
            "azure.sql.failover",
            azure(json!({"failover_group": "drill-fg", "mode": "planned"})),
            vec!["failover_group"],
        ),
        (
            "azure.postgres.promote",
            azure(json!({"server": "drill-pg", "mode": "standalone", "option": "planned"})),
            vec!["server"],
        ),
        (
            "azure.traffic_manager.set_endpoint",
            bare(azure(json!({"profile": "p", "endpoint_type": "external", "endpoint": "drill-west"}))),
            vec!["endpoint"],
        ),
        (
            "azure.dns.set_record",
            bare(azure(
                json!({"zone": "z", "name": "drill-pay", "record_type": "A", "values": ["10.0.0.1"]}),
            )),
            vec!["name"],
        ),
        (
            "azure.vmss.set_capacity",
            azure(json!({"scale_set": "drill-web", "capacity": 2})),
            vec!["scale_set"],
        ),
        (
            "azure.site_recovery.failover",
            azure(json!({"vault": "v", "plan": "drill-plan", "operation": "test"})),
            vec!["plan"],
        ),
        (
            "aws.arc.start_region_switch",
            aws(
                json!({"plan_arn": "arn:aws:arc-region-switch::1:plan/drill:1", "target_region": "us-west-2",
                "action": "activate", "mode": "graceful"}),
            ),
            vec!["plan_arn"],
        ),
        (
            "aws.backup.start_backup",
            aws(
                json!({"vault": "drill-v", "resource_arn": "arn:aws:rds:x:1:db:drill-db", "iam_role_arn": "arn"}),
            ),
            vec!["vault", "resource_arn"],
        ),
        (
            "aws.backup.copy_recovery_point",
            aws(json!({"source_vault": "v", "recovery_point_arn": "arn", "iam_role_arn": "arn",
                "destination_vault_arn": "arn:aws:backup:x:1:backup-vault:drill-v"})),
            vec!["destination_vault_arn"],
        ),
        (
            "aws.lambda.set_event_source",
            aws(json!({"mapping_id": "drill-1", "function": "drill-f", "enabled": true})),
            vec!["mapping_id"],
        ),
        (
            "network.switch_route",
            json!({"method": "aws_route", "to": "eni-1", "region": "us-west-2", "route_table_ids": ["rtb-drill"],
                "destinations": ["10.0.0.0/8"]}),
            vec!["region"],
        ),
    ];
    for (name, with, own) in cases {
        assert_eq!(outside(&boundary, &sites(), &action(name, with.clone()), false), None, "{name}");
        let everywhere = ["region", "account", "subscription_id"];
        for key in own.iter().chain(&everywhere).filter(|key| with.get(**key).is_some()) {
            let mut other = with.clone();
            other[*key] = if *key == "region" { json!("us-east-1") } else { json!("pay-1") };
            let complaint = outside(&boundary, &sites(), &action(name, other), true);
            assert!(complaint.is_some(), "{name}: another {key} is not noticed");
        }
    }
    let controls = |arn: &str| {
        let endpoints = json!([{"url": "https://x", "region": "us-west-2"}]);
        action(
            "aws.arc.set_routing_controls",
            json!({"cluster_endpoints": endpoints, "controls": {arn: "on"}}),
        )
    };
    assert_eq!(outside(&boundary, &sites(), &controls(control), false), None);
    let other = outside(&boundary, &sites(), &controls("arn:aws:arc:1:routingcontrol/pay/one"), true);
    assert!(other.unwrap().contains("routingcontrol/pay/one"));
}

/// What drctl cannot see into is refused, and what a parameter leaves open is, too.
#[test]
fn what_says_too_little_is_refused_unless_somebody_answers_for_it() {
    let boundary: Boundary =
        serde_json::from_value(json!({"sites": ["west"], "names": ["drill-*"]})).unwrap();
    let restore = |metadata: Value| {
        json!({"region": "us-west-2", "vault": "v", "recovery_point_arn": "arn", "iam_role_arn": "arn",
            "resource_type": "EFS", "metadata": metadata})
    };
    let named = action("aws.backup.restore", restore(json!({"CreationToken": "drill-files"})));
    assert_eq!(outside(&boundary, &sites(), &named, false), None);
    for (name, with) in [
        ("aws.lambda.invoke", json!({"region": "us-west-2", "function": "drill-f"})),
        ("aws.ssm.run_automation", json!({"region": "us-west-2", "document": "drill-doc"})),
        ("aws.backup.restore", restore(json!({}))),
        (
            "aws.backup.restore",
            restore(json!({"CreationToken": "drill-x", "newFileSystem": "false", "file-system-id": "fs-1"})),
        ),
        ("network.switch_route", json!({"method": "command", "to": "a", "switch_command": ["x"]})),
        ("network.switch_route", json!({"method": "aws_route", "to": "a", "region": "us-west-2"})),
    ] {
        let action = action(name, with.clone());
        let complaint = outside(&boundary, &sites(), &action, false).unwrap_or_default();
        assert!(complaint.contains("cannot be checked"), "{name} {with}: {complaint}");
        assert_eq!(outside(&boundary, &sites(), &action, true), None, "{name} {with}");
    }
}
