//! What each kind of target is sent, byte by byte where it matters, and what its answers mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use drctl::engine::event::Event;
use drctl::journal::MemoryJournal;
use drctl::model::run::{Identity, RunStatus};
use drctl::model::time::{Duration, Timestamp};
use drctl::notify::{
    Answer, INCIDENT, NoteDesk, Notice, PagerdutyDesk, SlackDesk, Target, Transport, WebhookDesk, client,
};
use serde_json::{Value, json};

use super::story::{Opening, Story, notices, target, webhook};
use crate::support::desk::Desk;

/// A run that waits, goes on and ends.
async fn story() -> Vec<Notice> {
    let journal = Arc::new(MemoryJournal::new());
    let notes = BTreeMap::from([(INCIDENT.to_owned(), "PT4KHLK".to_owned())]);
    let opening = Opening { staged: true, notes, ..Opening::default() };
    let mut story = Story::open(&journal, "pay-aaaaaaaa", opening).await;
    story.tell(5, Event::RunStarted { by: Identity::asserted("bob") }).await;
    let node = story.node("ask");
    let message = Some("Is <east> & `all` really lost?".to_owned());
    story.tell(1, Event::ApprovalRequested { node, expires_at: None, message }).await;
    story.becomes(1, RunStatus::Stuck, Some("nobody knows")).await;
    story.becomes(1, RunStatus::Running, None).await;
    story.becomes(1, RunStatus::Succeeded, None).await;
    notices(&journal).await
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_700_000_000_123)
}

async fn send_all(target: &Target, notices: Vec<Notice>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for notice in notices {
        answers.push(target.sender().send(&notice, now()).await);
    }
    answers
}

#[tokio::test]
async fn one_alert_of_a_run_is_triggered_acknowledged_and_resolved() {
    let desk = Desk::answering("202 Accepted");
    let transport = PagerdutyDesk { client: client().unwrap(), url: Some(desk.url("/v2/enqueue")) };
    let pagerduty = target("oncall", Transport::Pagerduty(transport), &[("routing_key", "R0KEY")]);
    let answers = send_all(&pagerduty, story().await).await;
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Taken(_))), "{answers:?}");
    let heard: Vec<Value> = desk.heard().iter().map(super::super::support::desk::Heard::json).collect();
    let actions: Vec<_> = heard.iter().map(|event| event["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "trigger", "trigger", "trigger", "acknowledge", "resolve"]);
    for event in &heard {
        assert_eq!(
            (&event["dedup_key"], &event["routing_key"]),
            (&json!("drctl/pay-aaaaaaaa"), &json!("R0KEY"))
        );
    }
    let payload = &heard[2]["payload"];
    assert_eq!(payload["severity"], "critical");
    assert_eq!(payload["summary"], "pay: ask waits for a person");
    let commands = &payload["custom_details"]["commands"];
    assert_eq!(commands[0], "drctl approve pay-aaaaaaaa ask");
    assert_eq!(
        heard[5],
        json!({"routing_key": "R0KEY", "event_action": "resolve", "dedup_key": "drctl/pay-aaaaaaaa"})
    );
}

#[tokio::test]
async fn a_note_goes_to_the_incident_of_the_run_and_nowhere_without_one() {
    let desk = Desk::answering("201 Created");
    let transport =
        NoteDesk { client: client().unwrap(), url: Some(desk.url("/")), from: "ann@example.com".into() };
    let notes = target("notes", Transport::PagerdutyNotes(transport), &[("token", "t0ken")]);
    let story = story().await;
    assert!(story.iter().all(|notice| notes.sender().takes(notice)));
    assert!(!notes.sender().takes(&Notice { incident: None, ..story[0].clone() }));
    // What comes from outside is a name, never a way to another place.
    let strange = Notice { incident: Some("../x y".to_owned()), ..story[0].clone() };
    send_all(&notes, vec![story[2].clone(), strange]).await;
    let heard = desk.heard();
    assert!(heard[0].head.starts_with("POST /incidents/PT4KHLK/notes HTTP/1.1"), "{}", heard[0].head);
    assert!(heard[1].head.starts_with("POST /incidents/..%2Fx%20y/notes HTTP/1.1"), "{}", heard[1].head);
    assert_eq!(heard[0].header("authorization"), Some("Token token=t0ken"));
    assert_eq!(heard[0].header("from"), Some("ann@example.com"));
    let content = heard[0].json()["note"]["content"].as_str().unwrap().to_owned();
    assert!(content.contains("drctl approve pay-aaaaaaaa ask"), "{content}");
}

#[tokio::test]
async fn slack_is_sent_blocks_in_which_nothing_is_taken_for_markup() {
    let desk = Desk::open();
    let slack = Transport::Slack(SlackDesk { client: client().unwrap(), url: None });
    let hook = desk.url("/services/T0/B0/s3cret");
    let slack = target("chat", slack, &[("url", hook.as_str())]);
    send_all(&slack, vec![story().await.remove(2)]).await;
    let heard = &desk.heard()[0];
    assert!(heard.head.starts_with("POST /services/T0/B0/s3cret HTTP/1.1"));
    insta::assert_json_snapshot!(heard.json());
}

#[tokio::test]
async fn a_webhook_is_signed_over_its_time_and_body() {
    let desk = Desk::open();
    let transport = WebhookDesk { client: client().unwrap(), url: Some(desk.url("/hook?x=1")) };
    let hook = target("hook", Transport::Webhook(transport), &[("secret", "k3y")]);
    send_all(&hook, vec![story().await.remove(2)]).await;
    let heard = &desk.heard()[0];
    let stamp = heard.header("x-drctl-timestamp").unwrap();
    assert_eq!(stamp, "1700000000");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"k3y");
    let signed = [stamp.as_bytes(), b".", &heard.body].concat();
    let tag = ring::hmac::sign(&key, &signed);
    let hex = tag.as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert_eq!(heard.header("x-drctl-signature"), Some(format!("v1={hex}").as_str()));
    let body = heard.json();
    assert_eq!((&body["version"], &body["notice"]["kind"]), (&json!(1), &json!("approval")));
    assert_eq!(body["notice"]["id"], heard.header("x-drctl-notice").unwrap());
}

#[tokio::test]
async fn answers_decide_whether_a_notice_is_tried_again() {
    let notice = story().await.remove(0);
    for (status, again) in [
        ("500 Oops", Some(None)),
        ("429 Slow\nretry-after: 30", Some(Some(30))),
        ("503 Busy\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT", Some(None)),
        ("408 Late", Some(None)),
        ("400 invalid_payload", None),
        ("404 no_service", None),
        ("302 Found\nlocation: /elsewhere", None),
    ] {
        let desk = Desk::answering(status);
        let hook = webhook("hook", desk.url("/"));
        let answer = hook.sender().send(&notice, now()).await;
        match (&answer, again) {
            (Answer::Later { why, after }, Some(asked)) => {
                assert_eq!(*after, asked.map(Duration::from_secs), "{status}");
                assert!(why.contains(&status[..3]), "{why}");
            }
            (Answer::Refused(why), None) => assert!(why.contains(&status[..3]), "{why}"),
            _ => panic!("{status}: {answer:?}"),
        }
        assert_eq!(desk.heard().len(), 1, "one try is one request");
    }
}

#[tokio::test]
async fn what_is_in_the_way_is_said_without_the_secret() {
    drop(Desk::open());
    let notice = story().await.remove(0);
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("http://127.0.0.1:{port}/services/s3cret");
    let slack = |url: &str| {
        let transport = Transport::Slack(SlackDesk { client: client().unwrap(), url: None });
        target("chat", transport, &[("url", url)])
    };
    let Answer::Later { why, .. } = slack(&address).sender().send(&notice, now()).await else { panic!() };
    assert!(!why.contains("s3cret") && why.contains("efused"), "{why}");
    let Answer::Refused(why) = slack("not-an-address-s3cret").sender().send(&notice, now()).await else {
        panic!()
    };
    assert!(!why.contains("s3cret"), "{why}");
    // A secret that is missing now may be there later.
    let Answer::Later { why, .. } = slack("missing").sender().send(&notice, now()).await else { panic!() };
    assert!(why.contains("`url`") && why.contains("missing"), "{why}");
}
