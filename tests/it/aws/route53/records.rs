//! Records and failover roles: what was there is put back, what cannot work is refused, what was stranded
//! is sent again.

use drctl::engine::input::{Direction, Observation};
use drctl::model::action::Action;
use drctl::model::run::FailureClass;
use drctl::model::time::Duration;
use drctl::ports::Provider as _;
use serde_json::{Value, json};

use super::{Scene, applied, handle};
use crate::aws::estate::certify;
use crate::aws::fake::route53::Check;
use crate::support::attempt::action;

fn change(changes: &Value) -> Action {
    action("aws.route53.change_records", json!({"zone_id": "/hostedzone/Z1", "changes": changes}))
}

fn upsert(name: &str, value: &str) -> Value {
    json!({"name": name, "record_type": "A", "values": [value], "ttl": "20s"})
}

fn swap() -> Action {
    let with = json!({
        "zone_id": "Z1", "name": "www.example.com", "record_type": "A", "primary": "west", "secondary": "east",
    });
    action("aws.route53.set_failover", with)
}

fn with_roles() -> Scene {
    let scene = Scene::new();
    scene.fake.failover("www.example.com", "east", "PRIMARY");
    scene.fake.failover("www.example.com", "west", "SECONDARY");
    scene
}

fn value(scene: &Scene, name: &str) -> Option<String> {
    scene.fake.field(name, "", "ResourceRecords/0/Value")
}

#[tokio::test]
async fn records_are_changed_and_put_back_as_they_were() {
    let scene = Scene::new();
    scene.fake.address("a.example.com", "192.0.2.1");
    scene.fake.address("gone.example.com", "192.0.2.3");
    let mut gone = upsert("gone.example.com", "192.0.2.3");
    gone["action"] = json!("delete");
    gone["ttl"] = json!("30s");
    let action =
        change(&json!([upsert("A.example.com.", "192.0.2.2"), upsert("new.example.com", "192.0.2.4"), gone]));
    let mut step = scene.step(&action);
    let began = scene.clock.state_now();
    let outputs = step.perform().await.unwrap();
    assert_eq!(outputs["change_id"], "C1");
    assert_eq!(outputs["previous_ttl_ms"], 30_000);
    assert_eq!(outputs["previous"]["a.example.com A"]["values"], json!(["192.0.2.1"]));
    assert_eq!(value(&scene, "a.example.com").as_deref(), Some("192.0.2.2"));
    assert_eq!(value(&scene, "gone.example.com"), None);
    // Pending for one look, then the TTL of the old answers.
    assert!(scene.clock.state_now().since(began) >= Duration::from_secs(30));
    assert_eq!(
        scene.step(&action).observe(None).await,
        Observation::Applied(
            [("change_id", Value::Null), ("previous", Value::Null), ("previous_ttl_ms", Value::Null)]
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect()
        )
    );
    step.undo().await.unwrap();
    assert_eq!(value(&scene, "a.example.com").as_deref(), Some("192.0.2.1"));
    assert_eq!(value(&scene, "gone.example.com").as_deref(), Some("192.0.2.3"));
    assert_eq!(value(&scene, "new.example.com"), None);
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 2);
    // Taking back what is back changes nothing.
    step.undo().await.unwrap();
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 2);
}

#[tokio::test]
async fn what_was_deleted_at_once_is_put_back_at_once() {
    let scene = Scene::new();
    let name = |n: usize| format!("n{n}.example.com");
    let deletions: Vec<Value> = (0..600)
        .map(|n| {
            scene.fake.address(&name(n), "192.0.2.1");
            let mut change = upsert(&name(n), "192.0.2.1");
            (change["action"], change["ttl"]) = (json!("delete"), json!("30s"));
            change
        })
        .collect();
    let action = change(&json!(deletions));
    let mut step = scene.step(&action);
    step.perform().await.unwrap();
    assert_eq!(value(&scene, &name(599)), None);
    step.undo().await.unwrap();
    assert_eq!(value(&scene, &name(599)).as_deref(), Some("192.0.2.1"));
    assert_eq!(scene.fake.world().applied, [600, 600]);
}

#[tokio::test]
async fn what_route_53_would_refuse_is_refused_before() {
    let scene = Scene::new();
    scene.fake.address("a.example.com", "192.0.2.1");
    scene.fake.world().protected.insert(("b.example.com".to_owned(), "A".to_owned()));
    let many: Vec<Value> = (0..501).map(|n| upsert(&format!("n{n}.example.com"), "192.0.2.2")).collect();
    let verb = |verb: &str, name: &str| {
        let mut change = upsert(name, "192.0.2.2");
        change["action"] = json!(verb);
        json!([change])
    };
    let mut odd = upsert("a.example.com", "192.0.2.2");
    odd["weight"] = json!(5);
    let bare = json!([{"name": "a.example.com", "record_type": "A", "ttl": "20s"}]);
    for (changes, said) in [
        (verb("create", "a.example.com"), "a.example.com A exists already"),
        (verb("delete", "a.example.com"), "has other values"),
        (verb("delete", "c.example.com"), "does not exist"),
        (verb("upsert", "b.example.com"), "b.example.com A is protected"),
        (json!(many), "1002 records"),
        (json!([odd]), "`set_identifier` goes with"),
        (bare, "either `values` or `alias`"),
        (json!([upsert("a.example.com", "1"), upsert("A.EXAMPLE.com.", "2")]), "changed twice"),
    ] {
        let action = change(&changes);
        let failure = scene.step(&action).prepare().await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent);
        assert!(failure.message.contains(said), "{failure}");
    }
    for (zone, said) in [("Z404", "no hosted zone Z404"), ("../x", "not the id of a hosted zone")] {
        let with = json!({"zone_id": zone, "changes": [upsert("a.example.com", "192.0.2.2")]});
        let action = action("aws.route53.change_records", with);
        let failure = scene.step(&action).prepare().await.unwrap_err();
        assert!(failure.message.contains(said), "{failure}");
    }
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 0);
}

#[tokio::test]
async fn a_stranded_change_is_sent_again() {
    let mut scene = Scene::new();
    let action = change(&json!([upsert("a.example.com", "192.0.2.2")]));
    let mut step = scene.step(&action);
    step.prepare().await.unwrap();
    let handle = handle(step.start().await.unwrap());
    // The control plane that accepted it is lost, and the one that takes over has never seen it.
    scene.fake.world().strand();
    let (outputs, lines) = step.follow(&handle).await.unwrap();
    assert_eq!(outputs["change_id"], "C2");
    assert!(
        lines.iter().any(|line| line.contains("does not know change C1 any more: sent again as C2")),
        "{lines:?}"
    );
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 2);
    // One that stays pending for minutes is sent again as well, also by another process.
    scene.fake.world().pending = 1_000;
    let other = change(&json!([upsert("b.example.com", "192.0.2.2")]));
    let mut step = scene.step(&other);
    step.prepare().await.unwrap();
    let handle = super::handle(step.start().await.unwrap());
    let context = step.context.clone();
    scene.restart();
    scene.clock.advance(400);
    scene.fake.world().pending = 1;
    let mut step = scene.step(&other);
    step.context = context;
    let (_, lines) = step.follow(&handle).await.unwrap();
    assert!(lines[0].contains("change C3 is PENDING for 6 min: sent again as C4"), "{lines:?}");
}

#[tokio::test]
async fn records_that_are_as_wanted_may_still_be_on_their_way_to_the_servers() {
    let scene = Scene::new();
    scene.fake.address("a.example.com", "192.0.2.2");
    let mut wanted = upsert("a.example.com", "192.0.2.2");
    wanted["ttl"] = json!("30s");
    let action = change(&json!([wanted]));
    let began = scene.clock.state_now();
    let mut step = scene.step(&action);
    let outputs = step.perform().await.unwrap();
    assert_eq!(outputs["change_id"], Value::Null);
    // What was listed may have been sent just now: a minute until every server has it, then its TTL.
    assert!(scene.clock.state_now().since(began) >= Duration::from_secs(90));
    let seen = super::under_way(step.observe(None).await);
    assert_eq!(seen["already"], json!(true));
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 0);
}

#[tokio::test]
async fn what_somebody_else_has_changed_since_is_neither_sent_again_nor_taken_back() {
    let scene = Scene::new();
    scene.fake.address("a.example.com", "192.0.2.1");
    let action = change(&json!([upsert("a.example.com", "192.0.2.2")]));
    let mut step = scene.step(&action);
    step.prepare().await.unwrap();
    let handle = handle(step.start().await.unwrap());
    scene.fake.world().strand();
    scene.fake.address("a.example.com", "192.0.2.77");
    let failure = step.follow(&handle).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("a.example.com A is 192.0.2.77; it was not sent again"), "{failure}");
    let failure = step.undo().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    assert!(failure.message.contains("a.example.com A is 192.0.2.77; nothing was taken back"), "{failure}");
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 1);
}

#[tokio::test]
async fn a_look_that_fails_gives_nothing_up() {
    let scene = Scene::new();
    let action = change(&json!([upsert("a.example.com", "192.0.2.2")]));
    let mut step = scene.step(&action);
    step.prepare().await.unwrap();
    let handle = handle(step.start().await.unwrap());
    scene.fake.fake.lose_region("us-east-1");
    scene.clock.advance(10);
    let looked =
        drctl::ports::Provider::poll(&scene.provider, &action, &step.context, &handle).await.unwrap();
    let drctl::ports::Polled::Pending(Some(line)) = looked else { panic!("{looked:?}") };
    assert!(line.starts_with("unreachable us-east-1: route53 does not answer GetChange"), "{line}");
}

#[tokio::test]
async fn a_lost_us_east_1_is_named() {
    let scene = Scene::new();
    scene.fake.fake.lose_region("us-east-1");
    let action = change(&json!([upsert("a.example.com", "192.0.2.2")]));
    let failure = scene.step(&action).prepare().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable);
    assert!(failure.message.starts_with("unreachable us-east-1: route53"), "{failure}");
}

#[tokio::test]
async fn the_secondary_becomes_primary_and_back() {
    let scene = with_roles();
    let role = |set: &str| scene.fake.field("www.example.com", set, "Failover").unwrap();
    let action = swap();
    let mut step = scene.step(&action);
    let outputs = step.perform().await.unwrap();
    assert_eq!((role("west"), role("east")), ("PRIMARY".to_owned(), "SECONDARY".to_owned()));
    assert_eq!(outputs["previous_primary"], "east");
    assert_eq!((&outputs["already"], &outputs["previous_ttl_ms"]), (&json!(false), &json!(30_000)));
    assert_eq!(scene.fake.field("www.example.com", "west", "HealthCheckId").as_deref(), Some("check-west"));
    let already = scene.step(&action).perform().await.unwrap();
    assert_eq!(already["already"], json!(true));
    assert_eq!(applied(scene.step(&action).observe(None).await)["already"], json!(true));
    step.undo().await.unwrap();
    assert_eq!((role("west"), role("east")), ("SECONDARY".to_owned(), "PRIMARY".to_owned()));
    assert_eq!(scene.step(&action).observe(None).await, Observation::NotApplied);
}

#[tokio::test]
async fn a_role_is_never_written_over_what_somebody_else_changed() {
    let scene = with_roles();
    let action = swap();
    let mut step = scene.step(&action);
    step.prepare().await.unwrap();
    let other = "<Name>www.example.com</Name><Type>A</Type><SetIdentifier>west</SetIdentifier>\
                 <Failover>SECONDARY</Failover><TTL>5</TTL><ResourceRecords><ResourceRecord>\
                 <Value>192.0.2.77</Value></ResourceRecord></ResourceRecords>";
    scene.fake.put(other);
    let failure = step.start().await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("do not match"), "{failure}");
    // Without a health check a primary would answer for ever.
    let failure = scene.step(&action).prepare().await.unwrap_err();
    assert!(failure.message.contains("cannot be primary without a health check"), "{failure}");
}

#[tokio::test]
async fn an_undo_without_a_record_of_before_changes_nothing() {
    let scene = with_roles();
    for action in [swap(), change(&json!([upsert("www.example.com", "192.0.2.2")]))] {
        let mut step = scene.step(&action);
        step.context.direction = Direction::Undo;
        let failure = step.start().await.unwrap_err();
        assert!(failure.message.contains("not recorded"), "{failure}");
    }
    assert_eq!(scene.fake.count("ChangeResourceRecordSets"), 0);
}

#[tokio::test]
async fn a_change_is_looked_at_once() {
    let scene = Scene::new();
    let changed = change(&json!([upsert("a.example.com", "192.0.2.2")]));
    handle(scene.step(&changed).start().await.unwrap());
    let check = |id: &str| action("aws.route53.check_change", json!({"change_id": id}));
    let looks = async |id| {
        let action = check(id);
        let started = scene.step(&action).start().await;
        started.map(|started| match started {
            drctl::ports::Started::Done(outputs) => outputs,
            drctl::ports::Started::Handle(handle) => panic!("{handle}"),
        })
    };
    assert_eq!(looks("/change/C1").await.unwrap()["insync"], json!(false));
    let outputs = looks("C1").await.unwrap();
    assert_eq!((&outputs["status"], &outputs["insync"]), (&json!("INSYNC"), &json!(true)));
    assert!(outputs["submitted_at"].as_str().unwrap().starts_with("2027-"), "{outputs:?}");
    let failure = looks("C9").await.unwrap_err();
    assert!(failure.message.contains("knows no change C9"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fake_satisfies_the_vendors_own_sdk() {
    let scene = Scene::new();
    let check = Check { version: 4, inverted: false, up: true, kind: "HTTPS", threshold: 2 };
    scene.fake.world().checks.insert("east".to_owned(), check);
    certify("certify_route53.py", &scene.fake.fake.caller());
}

#[tokio::test]
async fn records_are_looked_at_and_left_alone() {
    let scene = Scene::new();
    scene.fake.address("a.example.com", "192.0.2.1");
    scene.fake.world().protected.insert(("b.example.com".to_owned(), "A".to_owned()));
    let action = change(&json!([upsert("a.example.com", "192.0.2.2")]));
    let step = scene.step(&action);
    let seen = scene.provider.precheck(&action, &step.context).await.unwrap();
    assert!(seen.found[0].contains("in a state for it"), "{seen:?}");
    // The fake has no IAM.
    assert!(seen.unknown[0].contains("permissions were not checked"), "{seen:?}");
    let action = change(&json!([upsert("b.example.com", "192.0.2.2")]));
    let failure = scene.provider.precheck(&action, &step.context).await.unwrap_err();
    assert!(failure.message.contains("b.example.com A is protected"), "{failure}");
    assert!(scene.fake.world().applied.is_empty());
}
