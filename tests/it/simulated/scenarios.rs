//! Scenarios: the format, its schema, the shipped files, and what rules do.

use std::path::{Path, PathBuf};
use std::time::Instant;

use drctl::engine::input::Observation;
use drctl::model::run::FailureClass;
use drctl::model::time::Duration;
use drctl::ports::{CancelSwitch, Provider};
use drctl::providers::simulated::{Scenario, ScenarioError};
use serde_json::json;

use super::world::{World, action};

/// A scenario with these further lines.
pub(crate) fn document(lines: &str) -> String {
    format!("apiVersion: drctl/v1\nkind: Scenario\nmetadata: {{name: test}}\n{lines}\n")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

#[test]
fn every_shipped_scenario_is_valid_and_named_like_its_file() {
    let schema = jsonschema::validator_for(&Scenario::schema()).unwrap();
    let sites = serde_json::from_value(json!({})).unwrap();
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(root().join("chaos/scenarios")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        scenario.check_sites(&sites).unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(scenario.metadata.name, stem);
        let value: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        let wrong: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{stem}: {wrong:?}");
        for rule in &scenario.rules {
            let pattern = rule.matching.action.as_deref().unwrap_or("*");
            let start = pattern.split('*').next().unwrap();
            let known = drctl::model::action::ActionName::ALL;
            assert!(known.iter().any(|name| name.as_str().starts_with(start)), "{stem}: {pattern}");
        }
        seen.push(stem.to_owned());
    }
    for name in [
        "region-loss",
        "slow-promotion",
        "reply-lost",
        "split-brain",
        "throttled-dns",
        "approver-absent",
        "capacity-shortage",
        "stale-replica",
    ] {
        assert!(seen.iter().any(|it| it == name), "{name} is missing");
    }
}

#[test]
fn the_schema_is_fresh() {
    let path = root().join("schemas/scenario.schema.json");
    let mut fresh = serde_json::to_string_pretty(&Scenario::schema()).unwrap();
    fresh.push('\n');
    #[expect(clippy::disallowed_methods, reason = "the switch that renews generated files")]
    let bless = std::env::var_os("DRCTL_BLESS").is_some();
    if bless {
        std::fs::write(&path, &fresh).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == fresh, "schemas/scenario.schema.json is stale: run the tests once with DRCTL_BLESS=1");
}

#[test]
fn a_wrong_scenario_says_where_and_why() {
    for (lines, path, message) in [
        ("sed: 7", "sed", "unknown field `sed`"),
        ("seed: -1", "seed", "invalid value"),
        ("faults: [{lose: all}]", "faults[0]", "by `site` or by `region`"),
        ("faults: [{site: from, region: x, lose: all}]", "faults[0]", "one of them"),
        ("faults: [{site: from, lose: all}, {site: to, lose: half}]", "faults[1].lose", "unknown variant"),
        ("faults: [{site: from, lose: all, at: 5m, until: 1m}]", "faults[0].until", "later than `at`"),
        ("rules: [{match: {}, take: 5 minutes}]", "rules[0].take", "is not a duration"),
        ("rules: [{match: {actoin: x}, hang: true}]", "rules[0].match", "unknown field `actoin`"),
        ("rules: [{take: 5s}]", "rules[0]", "missing field `match`"),
        ("rules: [{match: {}}]", "rules[0]", "says nothing"),
        ("rules: [{match: {}, fail: transient, hang: true}]", "rules[0]", "excludes"),
        ("rules: [{match: {}, hang: true, message: x}]", "rules[0]", "belong to `fail`"),
        ("rules: [{match: {}, hang: true, times: 0}]", "rules[0]", "count from 1"),
        ("capacity: {available: 0.6}", "capacity", "invalid type"),
        ("capacity: {available: 160%}", "capacity", "write it like 60%"),
        ("approvals: {after: 5s, never: true}", "approvals", "exclude each other"),
    ] {
        match Scenario::parse(&document(lines)) {
            Err(ScenarioError::Invalid { path: at, message: text }) => {
                assert_eq!(at, path, "{lines}: {text}");
                assert!(text.contains(message), "{lines}: {text}");
            }
            other => panic!("{lines}: {other:?}"),
        }
    }
    for text in ["[]", "", "a: [", "a: 1\na: 2", "kind: Scenario\nmetadata: {name: x}"] {
        assert!(Scenario::parse(text).is_err(), "{text}");
    }
    let stranger = Scenario::parse(&document("faults: [{site: north, lose: all}]")).unwrap();
    let sites = serde_json::from_value(json!({"east": {"role": "active"}})).unwrap();
    let error = stranger.check_sites(&sites).unwrap_err().to_string();
    assert_eq!(error, "faults[0].site: there is no site `north`; use from, to or east");
}

#[test]
fn hostile_text_is_refused_quickly() {
    let bomb = format!(
        "a: &a [x, x]\nb: &b [*a, *a]\n{}",
        (0..40).fold(String::new(), |mut text, n| {
            use std::fmt::Write as _;
            let before = if n == 0 { "b".to_owned() } else { format!("c{}", n - 1) };
            writeln!(text, "c{n}: &c{n} [*{before}, *{before}]").unwrap();
            text
        })
    );
    for text in ["[".repeat(100_000), "x".repeat(1 << 20), bomb, "\0".repeat(50)] {
        let start = Instant::now();
        assert!(Scenario::parse(&text).is_err());
        assert!(start.elapsed().as_secs() < 10, "took {:?}", start.elapsed());
    }
}

#[test]
fn approvals_come_after_a_while_or_never() {
    let delay = |lines: &str| Scenario::parse(&document(lines)).unwrap().approval_delay();
    assert_eq!(delay(""), Some(Duration::from_secs(30)));
    assert_eq!(delay("approvals: {after: 2m}"), Some(Duration::from_secs(120)));
    assert_eq!(delay("approvals: {never: true}"), None);
}

#[tokio::test]
async fn a_rule_sets_how_long_an_attempt_takes() {
    let world = World::under(
        r#"rules: [{match: {action: "aws.rds.promote_*", node: "promote*", attempt: 1}, take: 25m}]"#,
    );
    world.complete(&World::promote(), &world.context("promote[db]")).await.unwrap();
    assert_eq!(world.elapsed_secs(), 1_500);
    let world = World::under(r#"rules: [{match: {node: "other"}, take: 25m}]"#);
    world.complete(&World::promote(), &world.context("promote")).await.unwrap();
    assert!(world.elapsed_secs() <= 360);
}

#[tokio::test]
async fn a_rule_makes_attempts_fail_as_often_as_it_says() {
    let world = World::under(
        "rules: [{match: {action: \"aws.*\"}, fail: throttled, retry_after: 5s, times: 2, message: slow}]",
    );
    let promote = World::promote();
    for _ in 0..2 {
        let failure = world.complete(&promote, &world.context("promote")).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Throttled);
        assert_eq!(failure.retry_after, Some(Duration::from_secs(5)));
        assert_eq!(failure.message, "slow");
    }
    assert!(world.estate.snapshot().ledger().iter().next().is_none());
    world.complete(&promote, &world.context("promote")).await.unwrap();
    // Another node has failures of its own.
    assert!(world.complete(&promote, &world.context("other")).await.is_err());
    for (word, class) in [
        ("transient", FailureClass::Transient),
        ("permanent", FailureClass::Permanent),
        ("refused", FailureClass::Refused),
        ("unreachable", FailureClass::Unreachable),
    ] {
        let world = World::under(&format!("rules: [{{match: {{}}, fail: {word}}}]"));
        let failure = world.complete(&promote, &world.context("node")).await.unwrap_err();
        assert_eq!(failure.class, class);
    }
}

#[tokio::test]
async fn a_lost_reply_leaves_the_effect() {
    let world = World::under("rules: [{match: {}, times: 1, reply_lost: true}]");
    let short = action(
        "aws.arc.set_routing_controls",
        json!({
            "cluster_endpoints": [{"region": "eu-west-1", "url": "https://one.example"}],
            "controls": {"arn:a": "on"},
        }),
    );
    for (node, action) in [("promote", &World::promote()), ("controls", &short)] {
        let context = world.context(node);
        let failure = world.complete(action, &context).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::InDoubt);
        world.pass_secs(600);
        let observed = world.run(world.provider.observe(action, &context, None)).await;
        assert!(matches!(observed, Observation::Applied(_)), "{node}: {observed:?}");
    }
    let estate = world.estate.snapshot();
    assert!(estate.ledger().iter().all(|(_, effect)| effect.times == 1 && effect.doubles == 0));
    // Reading needs no doubt.
    let check = action("http.check", json!({"url": "https://west.example.com/"}));
    assert!(world.complete(&check, &world.context("check")).await.is_ok());
}

#[tokio::test]
async fn a_hanging_attempt_ends_when_it_is_given_up() {
    for (lines, applied) in [("hang: true", false), ("hang: true, reply_lost: true", true)] {
        let world = World::under(&format!("rules: [{{match: {{}}, {lines}}}]"));
        let (switch, cancelled) = CancelSwitch::new();
        let mut context = world.context("promote");
        context.cancelled = cancelled;
        let promote = World::promote();
        let start = world.provider.start(&promote, &context);
        tokio::pin!(start);
        for _ in 0..5 {
            tokio::select! {
                biased;
                result = &mut start => panic!("it answered: {result:?}"),
                () = tokio::task::yield_now() => {}
            }
            assert_eq!(world.clock.sleepers(), 1);
            world.clock.advance_to(world.clock.next().unwrap());
        }
        switch.cancel();
        let failure = start.await.unwrap_err();
        assert_eq!(failure.class, FailureClass::InDoubt);
        assert_eq!(world.clock.sleepers(), 0);
        let observed = world.run(world.provider.observe(&promote, &context, None)).await;
        assert_eq!(matches!(observed, Observation::Applied(_)), applied, "{observed:?}");
    }
}

#[tokio::test]
async fn a_rule_replaces_outputs() {
    let world = World::under(
        "rules: [{match: {action: postgres.check_replication}, times: 1, outputs: {lag_ms: 90000}}]",
    );
    let check = action("postgres.check_replication", json!({"standby": "host=db-west"}));
    for expected in [90_000, 0] {
        let outputs = world.complete(&check, &world.context("check")).await.unwrap();
        assert_eq!(outputs["lag_ms"], json!(expected));
        assert_eq!(outputs["streaming"], json!(true));
    }
}

#[tokio::test]
async fn a_shortage_brings_only_its_share() {
    let world = World::under("capacity: {available: 60%}");
    let scale = |min_success: u32| {
        action(
            "aws.ecs.set_desired_count",
            json!({
                "region": "us-west-2", "cluster": "c", "service": "web", "desired": 10,
                "min_success": min_success,
            }),
        )
    };
    let outputs = world.complete(&scale(6), &world.context("enough")).await.unwrap();
    assert_eq!((&outputs["running"], &outputs["desired"]), (&json!(6), &json!(10)));
    let context = world.context("more");
    let started = world.run(world.provider.start(&scale(7), &context)).await.unwrap();
    let drctl::ports::Started::Handle(handle) = started else { panic!("{started:?}") };
    world.pass_secs(3_600);
    let polled = world.run(world.provider.poll(&scale(7), &context, &handle)).await.unwrap();
    let drctl::ports::Polled::Pending(Some(line)) = polled else { panic!("{polled:?}") };
    assert_eq!(line, "starting tasks, 6 of 7, not enough capacity for the rest");
}
