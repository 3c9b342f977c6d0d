//! Every sender: what it proves itself with, what is read of it, and that nothing it sends breaks anything.

use drctl::model::trigger::{SignalStatus, TriggerSource};
use drctl::webhook::{BODY_BYTES, Door, EVENTS, Envelope, Error, Headers, Key, Letter, read_unproved};
use proptest::prelude::*;

use super::world::{CERTIFICATE, NEW, OLD, TOPIC, fixture, headers, paged, sign, time};

fn pager() -> Door {
    Door::Pagerduty(vec![Key::new(OLD), Key::new(NEW)])
}

fn refused(door: &Door, headers: &Headers, body: &[u8]) -> String {
    door.open(headers, body, time("2026-11-22T03:00:02Z")).unwrap_err().to_string()
}

fn proved(door: &Door, headers: &Headers, body: &[u8]) -> drctl::webhook::Delivery {
    match door.open(headers, body, time("2026-11-22T03:00:02Z")) {
        Ok(Letter::Proved(delivery)) => delivery,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pagerduty_is_proved_by_any_active_secret_and_by_nothing_else() {
    let body = fixture("pagerduty-triggered.json");
    for secret in [OLD, NEW] {
        assert_eq!(proved(&pager(), &paged(&body, "w-1", secret), &body).id, "w-1");
    }
    // During a rotation PagerDuty signs with every secret it has, one of which is not known here.
    let both = format!("v1={}, v1={}, v2=00", sign("unknown", &body), sign(NEW, &body));
    proved(&pager(), &headers(&[("x-pagerduty-signature", &both)]), &body);
    assert!(refused(&pager(), &paged(&body, "w-1", "wrong"), &body).contains("no active secret"));
    assert!(refused(&pager(), &Headers::default(), &body).contains("X-PagerDuty-Signature"));
    let other = [body.as_slice(), b" "].concat();
    assert!(refused(&pager(), &paged(&body, "w-1", NEW), &other).contains("no active secret"));
    let bare = sign(NEW, &body);
    assert!(refused(&pager(), &headers(&[("x-pagerduty-signature", &bare)]), &body).contains("no active"));
}

#[test]
fn what_pagerduty_says_is_read() {
    let read = |name: &str| read_unproved(TriggerSource::Pagerduty, &fixture(name)).unwrap().events.remove(0);
    let event = read("pagerduty-triggered.json");
    assert_eq!((event.kind.as_str(), event.status), ("incident.triggered", SignalStatus::Firing));
    let incident = event.incident.as_ref().unwrap();
    assert_eq!((incident.id.as_str(), incident.number), ("PGR0VU2", Some(2)));
    assert_eq!((incident.priority.as_deref(), incident.urgency.as_deref()), (Some("P1"), Some("high")));
    assert_eq!(incident.service.id.as_deref(), Some("PF9KMXH"));
    assert_eq!(incident.service.name.as_deref(), Some("Payments API"));
    assert_eq!(event.occurred_at, Some(time("2026-11-22T03:00:01.234Z")));
    assert_eq!(event.began_at, Some(time("2026-11-22T03:00:00Z")));
    for (name, status) in [
        ("pagerduty-acknowledged.json", SignalStatus::Acknowledged),
        ("pagerduty-resolved.json", SignalStatus::Resolved),
        ("pagerduty-reopened.json", SignalStatus::Firing),
        ("pagerduty-annotated.json", SignalStatus::Other),
        ("pagerduty-ping.json", SignalStatus::Test),
        ("pagerduty-unknown.json", SignalStatus::Other),
    ] {
        assert_eq!(read(name).status, status, "{name}");
    }
    // What belongs to an incident names it; a ping has none.
    assert_eq!(read("pagerduty-annotated.json").incident.unwrap().id, "PGR0VU2");
    assert_eq!(read("pagerduty-ping.json").incident, None);
}

#[test]
fn alertmanager_is_proved_by_a_token_or_a_password() {
    let passwords = vec![("am".to_owned(), Key::new("pass:word"))];
    let door = Door::Alertmanager { tokens: vec![Key::new("hunter2")], passwords };
    let body = fixture("alertmanager-firing.json");
    let with = |value: &str| headers(&[("Authorization", value)]);
    // `am:pass:word` in base64.
    for good in ["Bearer hunter2", "bearer hunter2", "Basic YW06cGFzczp3b3Jk"] {
        assert_eq!(proved(&door, &with(good), &body).events.len(), 2, "{good}");
    }
    for bad in ["Bearer hunter", "Bearer ", "hunter2", "Basic YW06d3Jvbmc=", "Basic %%%", "Digest x"] {
        assert!(refused(&door, &with(bad), &body).contains("not the one configured"), "{bad}");
    }
    assert!(refused(&door, &Headers::default(), &body).contains("no Authorization"));
    let nobody = Door::Alertmanager { tokens: Vec::new(), passwords: Vec::new() };
    assert!(nobody.open(&with("Bearer "), &body, time("2026-11-22T03:00:02Z")).is_err());
}

#[test]
fn what_alertmanager_says_is_read() {
    let read = |name: &str| read_unproved(TriggerSource::Alertmanager, &fixture(name)).unwrap();
    let firing = read("alertmanager-firing.json");
    let event = &firing.events[0];
    assert_eq!((event.kind.as_str(), event.status), ("alert.firing", SignalStatus::Firing));
    assert_eq!(event.labels["alertname"], "PaymentsDown");
    assert_eq!(event.severity.as_deref(), Some("critical"));
    assert_eq!(event.title.as_deref(), Some("payments does not answer its probes"));
    // How long it has been firing does not make the report old.
    assert_eq!((event.occurred_at, event.began_at), (None, Some(time("2026-11-22T02:59:50.123Z"))));
    let resolved = read("alertmanager-resolved.json");
    assert_eq!(resolved.events[0].status, SignalStatus::Resolved);
    let id = |event: &drctl::model::trigger::Event| event.incident.as_ref().unwrap().id.clone();
    assert_eq!(id(&resolved.events[0]), id(event));
    assert_ne!(resolved.events[0].id, event.id);
    assert_ne!(firing.events[1].id, event.id);
    let many = format!(
        r#"{{"version":"4","alerts":[{}]}}"#,
        vec![r#"{"status":"firing","labels":{}}"#; EVENTS + 3].join(",")
    );
    let many = read_unproved(TriggerSource::Alertmanager, many.as_bytes()).unwrap();
    assert_eq!((many.events.len(), many.left_out), (EVENTS, 3));
}

#[test]
fn sns_is_proved_by_its_certificate_in_both_versions() {
    let read = |name: &str| Envelope::read(&fixture(name)).unwrap();
    for name in ["sns-alarm.json", "sns-alarm-sha1.json", "sns-ok.json", "sns-confirm.json"] {
        read(name).prove(CERTIFICATE).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    for (field, value) in [("Message", "x"), ("MessageId", "x"), ("Timestamp", "2026-11-22T03:00:12.501Z")] {
        for name in ["sns-alarm.json", "sns-alarm-sha1.json"] {
            let mut document: serde_json::Value = serde_json::from_slice(&fixture(name)).unwrap();
            document[field] = value.into();
            let envelope = Envelope::read(document.to_string().as_bytes()).unwrap();
            assert!(envelope.prove(CERTIFICATE).is_err(), "{name} {field}");
        }
    }
    // The version names the algorithm: one signature does not serve as the other.
    let mut document: serde_json::Value = serde_json::from_slice(&fixture("sns-alarm.json")).unwrap();
    document["SignatureVersion"] = "1".into();
    assert!(Envelope::read(document.to_string().as_bytes()).unwrap().prove(CERTIFICATE).is_err());
    for broken in [&b"no pem"[..], b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b""] {
        assert!(read("sns-alarm.json").prove(broken).is_err());
    }
}

#[test]
fn sns_is_believed_only_about_its_own_addresses_and_configured_topics() {
    let mut document: serde_json::Value = serde_json::from_slice(&fixture("sns-alarm.json")).unwrap();
    document["SigningCertURL"] = "https://evil.example/SimpleNotificationService-1.pem".into();
    let error = Envelope::read(document.to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, Error::Unproved(_)), "{error}");
    let mut document: serde_json::Value = serde_json::from_slice(&fixture("sns-confirm.json")).unwrap();
    document["SubscribeURL"] = "http://169.254.169.254/latest/meta-data".into();
    let error = Envelope::read(document.to_string().as_bytes()).unwrap_err();
    assert!(matches!(error, Error::Unproved(_)), "{error}");
    let door = Door::Cloudwatch(vec!["arn:aws:sns:us-east-1:123456789012:other".to_owned()]);
    assert!(refused(&door, &Headers::default(), &fixture("sns-alarm.json")).contains("topic"));
    let door = Door::Cloudwatch(vec![TOPIC.to_owned()]);
    let letter = door.open(&Headers::default(), &fixture("sns-alarm.json"), time("2026-11-22T03:00:13Z"));
    assert!(matches!(letter, Ok(Letter::Sealed(_))), "{letter:?}");
}

#[test]
fn what_cloudwatch_says_is_read_in_both_forms() {
    let read =
        |name: &str| read_unproved(TriggerSource::Cloudwatch, &fixture(name)).unwrap().events.remove(0);
    let alarm = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:payments-5xx";
    for name in ["sns-alarm.json", "sns-eventbridge.json"] {
        let event = read(name);
        assert_eq!((event.kind.as_str(), event.status), ("alarm.alarm", SignalStatus::Firing), "{name}");
        assert_eq!(event.incident.unwrap().id, alarm, "{name}");
        assert_eq!(event.labels["alarm"], "payments-5xx", "{name}");
        assert_eq!(event.labels["region"], "us-east-1", "{name}");
        assert_eq!(event.began_at, Some(time("2026-11-22T03:00:12.123Z")), "{name}");
    }
    let over = read("sns-ok.json");
    assert_eq!((over.status, over.incident.unwrap().id.as_str()), (SignalStatus::Resolved, alarm));
    assert_eq!(read("sns-confirm.json").status, SignalStatus::Test);
}

#[test]
fn any_sender_signs_the_time_with_the_body() {
    let door = Door::Webhook(vec![Key::new("canary secret")]);
    let body = fixture("canary.json");
    let now = time("2026-11-22T03:00:02Z");
    let at = |seconds: i64, secret: &str| {
        let stamp = (now.as_millis() / 1_000 + seconds).to_string();
        let signed = [stamp.as_bytes(), b".", &body].concat();
        let signature = format!("v1={}", sign(secret, &signed));
        headers(&[("X-Drctl-Timestamp", &stamp), ("X-Drctl-Signature", &signature)])
    };
    for seconds in [-299, 0, 299] {
        assert_eq!(proved(&door, &at(seconds, "canary secret"), &body).id, "canary-17");
    }
    for seconds in [-301, 303] {
        assert!(refused(&door, &at(seconds, "canary secret"), &body).contains("5 minutes"));
    }
    assert!(refused(&door, &at(0, "wrong"), &body).contains("no active secret"));
    assert!(refused(&door, &at(-9_000, "wrong"), &body).contains("no active secret"));
    let signature = format!("v1={}", sign("canary secret", &body));
    let unsigned_time = headers(&[("x-drctl-timestamp", "1"), ("x-drctl-signature", &signature)]);
    assert!(refused(&door, &unsigned_time, &body).contains("no active secret"));
    let event = proved(&door, &at(0, "canary secret"), &body).events.remove(0);
    assert_eq!((event.status, event.severity.as_deref()), (SignalStatus::Firing, Some("critical")));
    assert_eq!(event.labels["region"], "us-east-1");
    assert_eq!(event.details["attempts"], 5);
    for (broken, words) in [
        (r#"{"status":"firing"}"#, "`type`"),
        (r#"{"type":"a","status":"firing"}"#, "`incident`"),
        (r#"{"type":"a","status":"on fire"}"#, "none of firing"),
    ] {
        let error = read_unproved(TriggerSource::Webhook, broken.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn hostile_bodies_are_refused_or_cut() {
    let body = vec![b' '; BODY_BYTES + 1];
    assert!(matches!(
        pager().open(&paged(&body, "x", NEW), &body, time("2026-11-22T03:00:02Z")),
        Err(Error::TooLarge)
    ));
    for source in TriggerSource::ALL {
        for broken in ["", "{", "[]", "null", "\"x\"", "{\"event\":3}", "\u{0}"] {
            assert!(read_unproved(*source, broken.as_bytes()).is_err(), "{source} {broken}");
        }
        let deep = "[".repeat(200_000);
        let error = read_unproved(*source, deep.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("nested deeper"), "{error}");
    }
    // Much of everything: what is kept stays small.
    let long = "x".repeat(100_000);
    let many: Vec<String> = (0..2_000).map(|at| format!("\"k{at}\":\"{at}\"")).collect();
    let text = format!(
        r#"{{"type":"{long}","status":"firing","incident":"{long}","labels":{{{}}},"details":{{"a":[{}],"b":"{long}"}}}}"#,
        many.join(","),
        vec!["1"; 5_000].join(",")
    );
    let event = read_unproved(TriggerSource::Webhook, text.as_bytes()).unwrap().events.remove(0);
    assert!(serde_json::to_string(&event).unwrap().len() < 20_000);
    assert_eq!(event.labels.len(), 40);
    assert_eq!(event.kind.len(), 500);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever bytes arrive, signed or not: an answer, and what is kept is bounded.
    #[test]
    fn no_bytes_break_a_door(
        body in proptest::collection::vec(any::<u8>(), 0..400),
        signed in any::<bool>(),
    ) {
        let now = time("2026-11-22T03:00:02Z");
        let doors = [pager(), Door::Cloudwatch(vec![TOPIC.to_owned()]), Door::Webhook(vec![Key::new("k")])];
        for door in doors {
            let secret = if signed { NEW } else { "wrong" };
            let _ = door.open(&paged(&body, "x", secret), &body, now);
        }
        for source in TriggerSource::ALL {
            let _ = read_unproved(*source, &body);
        }
    }

    /// A sound delivery with one part of it replaced by something else.
    #[test]
    fn no_change_of_a_delivery_breaks_its_reading(
        at in 0_usize..4_000,
        length in 0_usize..60,
        junk in prop_oneof!["[\\x00-\\x7f]{0,30}", "null", "\\{\\}", "\\[\\]", "1e400", "-1", "\"\\\\ud800\""],
    ) {
        let all = [
            ("pagerduty-triggered.json", TriggerSource::Pagerduty),
            ("alertmanager-firing.json", TriggerSource::Alertmanager),
            ("sns-alarm.json", TriggerSource::Cloudwatch),
            ("sns-eventbridge.json", TriggerSource::Cloudwatch),
            ("canary.json", TriggerSource::Webhook),
        ];
        for (name, source) in all {
            let mut body = fixture(name);
            let from = at % body.len();
            let to = (from + length).min(body.len());
            body.splice(from..to, junk.bytes());
            if let Ok(delivery) = read_unproved(source, &body) {
                prop_assert!(serde_json::to_string(&delivery.events).unwrap().len() < 64 * 1024);
            }
        }
    }
}
