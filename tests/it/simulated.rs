//! The simulated provider: every action of the catalogue, scenarios, lost sites, lost replies, durability.

#![expect(clippy::unwrap_used, clippy::panic, reason = "parts of tests")]

pub(crate) mod sample;
mod scenarios;
mod world;

use drctl::engine::input::{Direction, Observation};
use drctl::model::action::{Action, ActionName, Doubt, Effect, traits};
use drctl::model::id::SiteName;
use drctl::model::run::FailureClass;
use drctl::ports::{Polled, Provider, Started};
use drctl::providers::simulated::{EstateStore, Scenario};
use serde_json::{Map, Value, json};

use world::{World, action};

/// The parameters a scenario's author would have written.
fn written(action: &Action) -> Map<String, Value> {
    let Value::Object(mut with) = action.parameters() else { return Map::new() };
    with.retain(|_, value| !value.is_null());
    with
}

fn assert_outputs(name: ActionName, outputs: &Map<String, Value>) {
    for (output, _) in name.spec().outputs.iter().filter(|(output, _)| *output != "…") {
        let value = outputs.get(*output).unwrap_or_else(|| panic!("{name}: no `{output}` in {outputs:?}"));
        // What was there before may be nothing; everything else is known.
        assert!(!value.is_null() || output.starts_with("previous"), "{name}: `{output}` is null");
        if output.ends_with("_ms") {
            assert!(value.as_u64().is_some(), "{name}: `{output}` is {value}");
        }
        if output.ends_with("_at") {
            let text = value.as_str().unwrap_or_default();
            assert!(text.parse::<drctl::model::time::Timestamp>().is_ok(), "{name}: `{output}` is {value}");
        }
    }
}

#[tokio::test]
async fn every_action_runs_is_observed_and_taken_back() {
    for &name in ActionName::ALL {
        for with in [sample::minimal(name), sample::complete(name)] {
            let action = Action::new(name, with.clone()).unwrap_or_else(|error| panic!("{error}: {with}"));
            let world = World::new(Scenario::healthy());
            let mut context = world.context("node");
            let before = world.estate.snapshot();
            context.prepared = world.run(world.provider.prepare(&action, &context)).await.unwrap();
            assert_eq!(context.prepared.is_some(), name.spec().prepares, "{name}");

            let outputs = world.complete(&action, &context).await.unwrap_or_else(|it| panic!("{name}: {it}"));
            assert_outputs(name, &outputs);

            let mutates = traits::effect(name, &written(&action)) == Effect::Mutate;
            let estate = world.estate.snapshot();
            assert_eq!(estate.ledger().iter().count(), usize::from(mutates), "{name}");
            if !mutates {
                continue;
            }
            let (key, effect) = estate.ledger().iter().next().unwrap();
            assert_eq!((key, effect.times, effect.doubles), ("key-node", 1, 0), "{name}");
            let observed = world.run(world.provider.observe(&action, &context, None)).await;
            match traits::doubt(name, &written(&action)) {
                Doubt::Ask => assert!(matches!(observed, Observation::Unknown(_)), "{name}: {observed:?}"),
                Doubt::Idempotent | Doubt::Observable => {
                    assert_eq!(observed, Observation::Applied(outputs), "{name}");
                }
            }
            if name.spec().prepares {
                let undo = world.undo("node", context.prepared.clone());
                let there = world.run(world.provider.observe(&action, &undo, None)).await;
                assert_eq!(there, Observation::NotApplied, "{name}");
                world.complete(&action, &undo).await.unwrap_or_else(|it| panic!("{name}: undo: {it}"));
                let restored = world.estate.snapshot();
                assert_ne!(before, restored);
                let prepared = world.run(world.provider.prepare(&action, &world.context("later"))).await;
                assert_eq!(prepared.unwrap(), context.prepared, "{name}: undo does not restore");
            }
        }
    }
}

#[tokio::test]
async fn an_effect_is_not_applied_before_it_was_asked_for() {
    for &name in ActionName::ALL {
        let action = Action::new(name, sample::minimal(name)).unwrap();
        let world = World::new(Scenario::healthy());
        let observed = world.run(world.provider.observe(&action, &world.context("node"), None)).await;
        let expected = match traits::doubt(name, &written(&action)) {
            Doubt::Ask => matches!(observed, Observation::Unknown(_)),
            Doubt::Idempotent | Doubt::Observable => observed == Observation::NotApplied,
        };
        assert!(expected, "{name}: {observed:?}");
        assert_eq!(world.estate.snapshot().ledger().iter().count(), 0, "{name}");
    }
}

#[tokio::test]
async fn a_long_operation_is_followed_and_takes_about_its_estimate() {
    let world = World::new(Scenario::healthy());
    let promote = World::promote();
    let context = world.context("promote");
    let started = world.run(world.provider.start(&promote, &context)).await.unwrap();
    let Started::Handle(handle) = started else { panic!("{started:?}") };
    assert_eq!(world.elapsed_secs(), 0);
    world.pass_secs(100);
    let polled = world.run(world.provider.poll(&promote, &context, &handle)).await.unwrap();
    let Polled::Pending(Some(line)) = polled else { panic!("{polled:?}") };
    assert!(line.starts_with("promoting, ") && line.ends_with(" %"), "{line}");
    assert!(matches!(
        world.run(world.provider.observe(&promote, &context, None)).await,
        Observation::InProgress(_)
    ));
    let outputs = world.complete(&promote, &context).await.unwrap();
    assert_eq!(outputs["already"], json!(false));
    assert!((240..=460).contains(&world.elapsed_secs()), "{} s", world.elapsed_secs());
}

#[tokio::test]
async fn the_same_seed_gives_the_same_durations() {
    async fn times(seed: u64) -> Vec<u64> {
        let scenario = Scenario { seed, ..Scenario::healthy() };
        let mut times = Vec::new();
        for node in ["a", "b", "c"] {
            let world = World::new(scenario.clone());
            world.complete(&World::promote(), &world.context(node)).await.unwrap();
            times.push(world.elapsed_millis());
        }
        times
    }
    let (first, again, other) = (times(7).await, times(7).await, times(8).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert_ne!(first[0], first[1]);
}

#[tokio::test]
async fn a_lost_site_does_not_answer_and_the_others_do() {
    let world = World::under("faults: [{at: 0s, site: from, lose: all}]");
    let unreachable = [
        action(
            "aws.rds.fence",
            json!({"region": "us-east-1", "kind": "instance", "identifier": "db",
                                       "method": "stop"}),
        ),
        action(
            "postgres.fence",
            json!({"primary": "postgres://app:hunter2@db-east:5432/app",
                                        "method": "read_only"}),
        ),
        action("http.check", json!({"url": "https://east.example.com/health"})),
        action("aws.route53.check_change", json!({"change_id": "C1"})),
        action("command.run", json!({"argv": ["./stop", "db-east"]})),
        action(
            "postgres.rejoin",
            json!({"standby": "host=db-west", "data_directory": "/d",
                                         "rewind_command": ["w"], "start_command": ["s"]}),
        ),
        action(
            "aws.rds.create_read_replica",
            json!({"region": "us-west-2", "instance": "copy",
                                                     "source_arn": "arn:aws:rds:us-east-1:1:db:db"}),
        ),
    ];
    for lost in &unreachable {
        let start = world.elapsed_secs();
        let failure = world.complete(lost, &world.context("node")).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Unreachable, "{}: {failure}", lost.name());
        assert!((3..=7).contains(&(world.elapsed_secs() - start)));
        let observed = world.run(world.provider.observe(lost, &world.context("node"), None)).await;
        match lost.name() {
            // Only its source is lost: where the effect would be, there is somebody to ask.
            ActionName::PostgresRejoin | ActionName::AwsRdsCreateReadReplica => {
                assert_eq!(observed, Observation::NotApplied);
            }
            _ => assert!(matches!(observed, Observation::Unknown(_)), "{observed:?}"),
        }
    }
    let reachable = [
        World::promote(),
        action("http.check", json!({"url": "https://west.example.com/health"})),
        action("http.check", json!({"url": "https://elsewhere.example.net/"})),
        action("command.run", json!({"argv": ["./compare", "db-east", "db-west"]})),
        action(
            "aws.arc.set_routing_controls",
            json!({"controls": {"arn:a": "on"}, "cluster_endpoints": [
            {"region": "us-east-1", "url": "https://one.example"},
            {"region": "eu-west-1", "url": "https://two.example"}]}),
        ),
    ];
    for (index, alive) in reachable.iter().enumerate() {
        let outputs = world.complete(alive, &world.context(&format!("alive-{index}"))).await;
        let outputs = outputs.unwrap_or_else(|failure| panic!("{}: {failure}", alive.name()));
        if alive.name() == ActionName::AwsArcSetRoutingControls {
            assert_eq!(outputs["endpoint"], json!("https://two.example"));
        }
    }
    let stored = serde_json::to_string(&world.estate.snapshot()).unwrap();
    assert!(!stored.contains("hunter2"), "a password lies in the estate");
}

#[tokio::test]
async fn what_is_lost_follows_the_plane_and_comes_back() {
    let check = action("http.check", json!({"url": "https://east.example.com/"}));
    let fence = action(
        "aws.rds.fence",
        json!({"region": "us-east-1", "kind": "instance", "identifier": "db", "method": "stop"}),
    );
    for (lose, data, control) in
        [("control_plane", true, false), ("data_plane", false, true), ("network", false, false)]
    {
        let world =
            World::under(&format!("faults: [{{at: 10s, region: us-east-1, lose: {lose}, until: 20m}}]"));
        assert!(world.complete(&check, &world.context("early")).await.is_ok());
        world.pass_secs(15);
        assert_eq!(world.complete(&check, &world.context("check")).await.is_ok(), data, "{lose}");
        assert_eq!(world.complete(&fence, &world.context("fence")).await.is_ok(), control, "{lose}");
        world.pass_secs(1_200);
        assert!(world.complete(&check, &world.context("late")).await.is_ok());
    }
}

#[tokio::test]
async fn a_replica_is_as_far_as_it_was_when_its_source_was_lost() {
    let reading = |name: &str, with: Value| action(name, with);
    let rds = reading(
        "aws.rds.check_replication",
        json!({"region": "us-west-2", "kind": "read_replica", "identifier": "db"}),
    );
    let heartbeat = reading("postgres.heartbeat", json!({"connection": "host=db-west dbname=app"}));
    let world = World::under("replication: {lag: 90s}\nfaults: [{at: 60s, site: from, lose: all}]");
    let at = |outputs: &Map<String, Value>| {
        let point: drctl::model::time::Timestamp =
            serde_json::from_value(outputs["recovery_point_at"].clone()).unwrap();
        point.as_millis() - world.start.as_millis()
    };
    world.pass_secs(30);
    let before = world.complete(&rds, &world.context("before")).await.unwrap();
    assert_eq!(before["lag_ms"], json!(90_000));
    assert_eq!(before["status"], json!("replicating"));
    world.pass_secs(600);
    for (node, action) in [("rds", &rds), ("heartbeat", &heartbeat)] {
        let outputs = world.complete(action, &world.context(node)).await.unwrap();
        // The run began at 30 s, so the loss is at 90 s, less the lag.
        assert_eq!(at(&outputs), 0, "{node}");
    }
    let strict = reading(
        "aws.rds.check_replication",
        json!({"region": "us-west-2", "kind": "read_replica", "identifier": "db", "max_metric_age": "5m"}),
    );
    let failure = world.complete(&strict, &world.context("strict")).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient, "{failure}");
}

#[tokio::test]
async fn a_switchover_loses_nothing() {
    let world = World::under("replication: {lag: 30s}");
    let fence = action(
        "postgres.fence",
        json!({"primary": "host=db-east", "method": "stop", "stop_command": ["stop"]}),
    );
    let check = action("postgres.check_replication", json!({"standby": "host=db-west"}));
    let lag = |outputs: Map<String, Value>| outputs["lag_ms"].clone();
    assert_eq!(lag(world.complete(&check, &world.context("before")).await.unwrap()), json!(30_000));
    world.complete(&fence, &world.context("fence")).await.unwrap();
    world.pass_secs(3);
    assert_eq!(lag(world.complete(&check, &world.context("after")).await.unwrap()), json!(0));
    let promote = action("postgres.promote", json!({"standby": "host=db-west"}));
    world.complete(&promote, &world.context("promote")).await.unwrap();
    let query = action(
        "postgres.query",
        json!({"connection": "host=db-west", "sql": "select pg_is_in_recovery() as standby, 1 as one"}),
    );
    let rows = world.complete(&query, &world.context("query")).await.unwrap();
    assert_eq!(rows["rows"], json!([{"standby": false, "one": 1}]));
    assert_eq!(world.estate.snapshot().unfenced_primaries(), ["db-west"]);
    let rejoin = action(
        "postgres.rejoin",
        json!({"data_directory": "/d", "rewind_command": ["w"], "start_command": ["s"],
               "standby": "host=db-east"}),
    );
    world.complete(&rejoin, &world.context("rejoin")).await.unwrap();
    let estate = world.estate.snapshot();
    assert_eq!(estate.databases()["db-east"].source.as_ref().map(SiteName::as_str), Some("west"));
}

#[tokio::test]
async fn an_unconfirmed_fence_leaves_two_primaries() {
    let world = World::under("faults: [{site: from, lose: control_plane}]");
    let fence = action(
        "aws.rds.fence",
        json!({"region": "us-east-1", "kind": "instance", "identifier": "db", "method": "stop"}),
    );
    assert!(world.complete(&fence, &world.context("fence")).await.is_err());
    world.complete(&World::promote(), &world.context("promote")).await.unwrap();
    let primaries = ["aws.rds/us-east-1/db", "aws.rds/us-west-2/db"];
    assert_eq!(world.estate.snapshot().unfenced_primaries(), primaries);
}

#[tokio::test]
async fn sending_again_doubles_only_what_is_not_idempotent() {
    let world = World::new(Scenario::healthy());
    let scale = action(
        "aws.autoscaling.set_capacity",
        json!({"region": "us-west-2", "group": "web", "min": 4, "max": 8, "desired": 8}),
    );
    let context = world.context("scale");
    let first = world.complete(&scale, &context).await.unwrap();
    assert_eq!(first["previous"], json!({"min": 2, "max": 2, "desired": 2}));
    assert_eq!(world.complete(&scale, &context).await.unwrap(), first);
    let record = action(
        "dns.update",
        json!({"server": "ns1", "zone": "example.com", "name": "app.example.com", "record_type": "A",
               "values": ["198.51.100.7"]}),
    );
    let context = world.context("record");
    world.complete(&record, &context).await.unwrap();
    assert!(world.estate.snapshot().ledger().doubles().is_empty());
    world.complete(&record, &context).await.unwrap();
    let estate = world.estate.snapshot();
    let doubles: Vec<_> = estate.ledger().doubles().iter().map(|(key, it)| (*key, it.times)).collect();
    assert_eq!(doubles, [("key-record", 2)]);
    assert_eq!(estate.ledger().get("key-scale").unwrap().times, 2);
}

#[tokio::test]
async fn a_record_that_is_not_as_expected_is_left_alone() {
    let world = World::new(Scenario::healthy());
    let change = |values: Value, expect: Value| {
        action(
            "dns.update",
            json!({"server": "ns1", "zone": "example.com", "name": "app.example.com", "record_type": "A",
                   "values": values, "expect": expect}),
        )
    };
    let right = change(json!(["198.51.100.7"]), json!(["192.0.2.7"]));
    let outputs = world.complete(&right, &world.context("right")).await.unwrap();
    assert_eq!(outputs["previous"], json!(["192.0.2.7"]));
    let wrong = change(json!(["198.51.100.9"]), json!(["192.0.2.7"]));
    let failure = world.complete(&wrong, &world.context("wrong")).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(world.estate.snapshot().ledger().get("key-wrong").is_none());
    let check = |expect: &str| {
        let with = json!({"name": "app.example.com", "record_type": "A", "expect": [expect],
                          "resolvers": ["192.0.2.53"]});
        action("dns.check", with)
    };
    assert!(world.complete(&check("198.51.100.9"), &world.context("old")).await.is_err());
    // Caches keep the old answer for its TTL of a minute.
    world.complete(&check("198.51.100.7"), &world.context("new")).await.unwrap();
    assert!((60..=70).contains(&world.elapsed_secs()), "{} s", world.elapsed_secs());
}

#[tokio::test]
async fn an_estate_in_a_file_outlives_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("estate.json");
    let world = World::with(Scenario::healthy(), EstateStore::open(&path).unwrap());
    let promote = World::promote();
    let context = world.context("promote");
    let started = world.run(world.provider.start(&promote, &context)).await.unwrap();
    let Started::Handle(handle) = started else { panic!("{started:?}") };
    let expected = world.estate.snapshot();
    drop(world);

    let world = World::with(Scenario::healthy(), EstateStore::open(&path).unwrap());
    assert_eq!(world.estate.snapshot(), expected);
    let observed = world.run(world.provider.observe(&promote, &context, None)).await;
    assert_eq!(observed, Observation::InProgress(handle.clone()));
    world.pass_secs(600);
    let polled = world.run(world.provider.poll(&promote, &context, &handle)).await.unwrap();
    assert!(matches!(polled, Polled::Done(_)), "{polled:?}");
    assert_eq!(EstateStore::open(&path).unwrap().snapshot(), world.estate.snapshot());

    std::fs::write(&path, "{}").unwrap();
    let error = EstateStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("estate.json") && error.contains("delete it"), "{error}");
}

#[tokio::test]
async fn direction_is_kept_apart_in_the_ledger() {
    let world = World::new(Scenario::healthy());
    let check = action("aws.route53.set_health_check", json!({"health_check_id": "H", "healthy": false}));
    let mut context = world.context("drain");
    context.prepared = world.run(world.provider.prepare(&check, &context)).await.unwrap();
    world.complete(&check, &context).await.unwrap();
    world.complete(&check, &world.undo("drain", context.prepared.clone())).await.unwrap();
    let estate = world.estate.snapshot();
    for direction in [Direction::Do, Direction::Undo] {
        assert_eq!(estate.ledger().of_node(&context.run, &context.node, direction).count(), 1);
    }
    assert_eq!(estate.settings()["aws.route53/health_check/H/inverted"].value, json!(false));
    let blind = world.undo("other", None);
    let failure = world.complete(&check, &blind).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
}

#[tokio::test]
async fn a_driver_that_was_replaced_changes_nothing() {
    let world = World::new(Scenario::healthy());
    let mut newer = world.context("first");
    newer.fencing_token = 2;
    world.complete(&World::promote(), &newer).await.unwrap();
    let failure = world.complete(&World::promote(), &world.context("second")).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(world.estate.snapshot().ledger().get("key-second").is_none());
}
