//! Deliveries are kept once, before they are answered, whatever happens.

use std::sync::Arc;

use drctl::journal::{HolderFacts, OpenMode, SqliteJournal};
use drctl::model::time::Duration;
use drctl::ports::{Journal, StreamName};
use drctl::runtime::Delivered;

use super::world::{NEW, OLD, PAGER, World, fixture, headers, paged, time};

const NOW: &str = "2026-11-22T03:00:02Z";

async fn kept(journal: &dyn Journal, webhook: &str) -> Vec<Delivered> {
    let records = journal.read(&StreamName::webhook(webhook), 0, 1_000).await.unwrap();
    records.iter().map(|record| serde_json::from_str(&record.body).unwrap()).collect()
}

/// The status of every kind of delivery, and what is kept of it.
#[tokio::test]
async fn each_delivery_has_its_status() {
    let world = World::new(PAGER, NOW);
    let body = fixture("pagerduty-triggered.json");
    let now = world.now();
    let send = async |headers: drctl::webhook::Headers, body: &[u8]| {
        let answer = world.intake.accept("pager", &headers, body, now).await;
        (answer.status, answer.what)
    };
    assert_eq!(send(paged(&body, "w-1", OLD), &body).await, (202, "accepted"));
    // PagerDuty did not hear the answer: the same delivery, then the same event by another subscription.
    assert_eq!(send(paged(&body, "w-1", NEW), &body).await, (202, "duplicate"));
    assert_eq!(send(paged(&body, "w-2", NEW), &body).await, (202, "duplicate"));
    assert_eq!(send(paged(&body, "w-3", "wrong"), &body).await, (401, "unproved"));
    assert_eq!(send(headers(&[]), &body).await, (401, "unproved"));
    let large = vec![b'x'; 1024 * 1024];
    assert_eq!(send(paged(&large, "w-4", NEW), &large).await, (413, "too_large"));
    let broken = b"{\"event\":".to_vec();
    assert_eq!(send(paged(&broken, "w-5", NEW), &broken).await, (400, "malformed"));
    for (name, what) in [("pagerduty-unknown.json", "accepted"), ("pagerduty-ping.json", "accepted")] {
        let answer = world.pages(name).await;
        assert_eq!((answer.status, answer.what), (202, what), "{name}");
    }
    let answer = world.intake.accept("nobody", &headers(&[]), &body, now).await;
    assert_eq!((answer.status, answer.body()["status"].as_str()), (404, Some("unknown")));
    let kept = kept(world.journal.as_ref(), "pager").await;
    let ids: Vec<_> = kept.iter().map(|delivered| delivered.delivery.as_str()).collect();
    assert_eq!(ids, ["w-1", "pagerduty-unknown.json", "pagerduty-ping.json"]);
}

/// Older news of an incident is kept and marked; so is what was delivered long after it happened.
#[tokio::test]
async fn late_news_are_marked() {
    let world = World::new(PAGER, "2026-11-22T03:31:00Z");
    assert_eq!(world.pages("pagerduty-resolved.json").await.what, "accepted");
    assert_eq!(world.pages("pagerduty-triggered.json").await.what, "accepted");
    world.at("2026-11-22T05:00:01Z");
    assert_eq!(world.pages("pagerduty-reopened.json").await.what, "accepted");
    let kept = kept(world.journal.as_ref(), "pager").await;
    let marks: Vec<_> =
        kept.iter().map(|delivered| (delivered.events[0].stale, delivered.events[0].old)).collect();
    assert_eq!(marks, [(false, false), (true, false), (false, true)]);
}

/// Ids are known for 48 hours, also by a process that has just begun.
#[tokio::test]
async fn a_repetition_is_known_after_a_restart_and_for_two_days() {
    let mut world = World::new(PAGER, NOW);
    assert_eq!(world.pages("pagerduty-triggered.json").await.what, "accepted");
    world.restart();
    assert_eq!(world.pages("pagerduty-triggered.json").await.what, "duplicate");
    // Days of other deliveries lie between.
    for hour in 1..=47 {
        world.clock.advance_to(time(NOW).plus(Duration::from_secs(hour * 3600)));
        let text = format!(r#"{{"id":"e{hour}","type":"t"}}"#);
        let stamp = (world.now().as_millis() / 1_000).to_string();
        let signed = [stamp.as_bytes(), b".", text.as_bytes()].concat();
        let signature = format!("v1={}", super::world::sign("canary secret", &signed));
        let signed = headers(&[("x-drctl-timestamp", &stamp), ("x-drctl-signature", &signature)]);
        let answer = world.intake.accept("canary", &signed, text.as_bytes(), world.now()).await;
        assert_eq!(answer.what, "accepted");
    }
    world.clock.advance_to(time(NOW).plus(Duration::from_secs(48 * 3600)));
    world.restart();
    assert_eq!(world.pages("pagerduty-triggered.json").await.what, "duplicate");
    world.clock.advance_to(time(NOW).plus(Duration::from_secs(50 * 3600)));
    assert_eq!(world.pages("pagerduty-triggered.json").await.what, "accepted");
    // What was delivered long ago is not read again: the place is found by time.
    world.restart();
    assert_eq!(world.pages("pagerduty-triggered.json").await.what, "duplicate");
}

/// 50 at once, each three times, through two processes on one journal file: each is kept once, and what was
/// answered is there when the file is opened anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_are_kept_once_and_survive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let open = || {
        let facts = HolderFacts { name: "test".to_owned(), host: "here".to_owned() };
        let journal: Arc<dyn Journal> =
            Arc::new(SqliteJournal::open(&path, facts, OpenMode::ReadWrite).unwrap());
        journal
    };
    let worlds = [World::on(open(), PAGER, NOW, false), World::on(open(), PAGER, NOW, false)].map(Arc::new);
    let body = String::from_utf8(fixture("pagerduty-triggered.json")).unwrap();
    let mut sent = tokio::task::JoinSet::new();
    for at in 0..150 {
        let world = Arc::clone(&worlds[at % 2]);
        let body = body.replace("01BTJS7QZB5QGKAVQFSM0PDZ6A", &format!("event-{}", at % 50));
        sent.spawn(async move {
            let headers = paged(body.as_bytes(), &format!("w-{}", at % 50), NEW);
            world.intake.accept("pager", &headers, body.as_bytes(), world.now()).await
        });
    }
    let answers = sent.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 202), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.what == "accepted").count(), 50);
    drop(worlds);
    let kept = kept(open().as_ref(), "pager").await;
    assert_eq!(kept.len(), 50);
}

/// SNS: the certificate is fetched once, and not at all after a restart; where it cannot be had, SNS is told
/// to send again.
#[tokio::test]
async fn the_certificate_of_sns_is_kept() {
    let mut world = World::new(PAGER, "2026-11-22T03:00:13Z");
    *world.outside.sns_gone.lock().unwrap() = true;
    let answer = world.alarms("sns-alarm.json").await;
    assert_eq!((answer.status, answer.retry_after), (503, Some(5)));
    *world.outside.sns_gone.lock().unwrap() = false;
    assert_eq!(world.alarms("sns-alarm.json").await.what, "accepted");
    assert_eq!(world.alarms("sns-alarm.json").await.what, "duplicate");
    world.restart();
    *world.outside.sns_gone.lock().unwrap() = true;
    assert_eq!(world.alarms("sns-ok.json").await.what, "accepted");
    assert_eq!(world.outside.fetched.lock().unwrap().len(), 1);
    let mut forged: serde_json::Value = serde_json::from_slice(&fixture("sns-ok.json")).unwrap();
    forged["MessageId"] = "other".into();
    let forged = forged.to_string();
    let answer = world.intake.accept("alarms", &headers(&[]), forged.as_bytes(), world.now()).await;
    assert_eq!(answer.status, 401);
    // A subscription of a configured topic is confirmed, at the address that SNS signed.
    assert_eq!(world.alarms("sns-confirm.json").await.what, "accepted");
    let fetched = world.outside.fetched.lock().unwrap().clone();
    assert!(fetched[1].starts_with("https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription"));
}
