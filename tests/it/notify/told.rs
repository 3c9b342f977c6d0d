//! Which facts are worth a notice, and what it says.

use std::fmt::Write as _;
use std::sync::Arc;

use drctl::engine::event::{Event, MissingConsent, Reading, Want};
use drctl::engine::readings::{
    KnownReading, ReadingChange, Readings, ReadingsEvent, ServiceReadings, Silence,
};
use drctl::engine::schedule::{Refusal, ScheduleEvent};
use drctl::journal::MemoryJournal;
use drctl::model::id::ServiceName;
use drctl::model::notice::{NoticeKind, Severity};
use drctl::model::readiness::{Readiness, ReadinessChanged, ReasonKept};
use drctl::model::run::{Failure, FailureClass, Identity, Intent, RunStatus};
use drctl::model::time::Duration;
use drctl::notify::Notice;
use drctl::plan::ReadingPoint;
use drctl::ports::{Append, Journal, NewRecord, StreamName};

use super::story::{Opening, Story, begin, notices};

fn journal() -> Arc<MemoryJournal> {
    Arc::new(MemoryJournal::new())
}

fn kinds(notices: &[Notice]) -> Vec<NoticeKind> {
    notices.iter().map(|notice| notice.kind).collect()
}

/// Something of everything.
async fn whole(story: &mut Story) {
    let rto = Duration::from_secs(600);
    let (fence, promote) = (story.node("fence"), story.node("promote"));
    let reading = |lag: u64| {
        Event::ReadingTaken(Reading {
            node: fence,
            point: ReadingPoint::BeforeFence,
            source: "postgres.check_replication".to_owned(),
            lag: Some(Duration::from_secs(lag)),
            recovery_point_at: None,
        })
    };
    story
        .tell(
            1,
            Event::TookOver {
                token: 1,
                holder: "ann".into(),
                host: "x".into(),
                traces: None,
                skew: Duration::ZERO,
            },
        )
        .await;
    story.becomes(0, RunStatus::Running, None).await;
    story.tell(1, reading(12)).await;
    story.tell(1, reading(45)).await;
    story.tell(1, reading(50)).await;
    let node = story.node("ask");
    let message = Some("Is <east> really lost?".to_owned());
    story.tell(1, Event::ApprovalRequested { node, expires_at: None, message }).await;
    story.becomes(0, RunStatus::AwaitingApproval, Some("ask")).await;
    story.tell(295, Event::BurnReached { percent: 50, elapsed: Duration::from_secs(300) }).await;
    story.becomes(1, RunStatus::Running, None).await;
    let missing = vec![
        MissingConsent::Confirm("pay:west".to_owned()),
        MissingConsent::AcceptLoss(Duration::from_secs(50)),
    ];
    story.tell(1, Event::GateReached { missing: missing.clone() }).await;
    // Asked again with another loss: nobody has to be told twice.
    story.tell(1, Event::GateReached { missing }).await;
    let breached = Duration::from_secs(780);
    story.tell(10, Event::ForecastBreached { forecast: breached, objective: rto, node: Some(promote) }).await;
    story.tell(10, Event::ForecastRecovered { forecast: Duration::from_secs(590) }).await;
    let failure = Failure::new(FailureClass::Permanent, "no such server");
    let failed = Event::NodeFailed { node: promote, failure, applied: drctl::engine::event::Applied::No };
    story.tell(200, failed).await;
    story.becomes(0, RunStatus::Pausing, Some("pausing, waits for fence")).await;
    story.becomes(2, RunStatus::Paused, Some("promote failed: no such server")).await;
    story.becomes(60, RunStatus::Running, None).await;
    story.tell(1, Event::BurnReached { percent: 100, elapsed: rto }).await;
    story.becomes(5, RunStatus::SucceededWithWarnings, None).await;
}

#[tokio::test]
async fn a_run_is_told_where_people_need_to_know() {
    let journal = journal();
    whole(&mut Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await).await;
    let mut text = String::new();
    for notice in notices(&journal).await {
        let Notice { kind, severity, title, text: body, commands, .. } = notice;
        let _ = writeln!(text, "== {kind} ({severity}): {title}\n{body}");
        for command in commands {
            let _ = writeln!(text, "$ {command}");
        }
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn nobody_is_told_of_simulated_runs_and_checks() {
    for intent in [Intent::Simulate, Intent::Check] {
        let journal = journal();
        let opening = Opening { intent, ..Opening::default() };
        whole(&mut Story::open(&journal, "pay-aaaaaaaa", opening).await).await;
        assert_eq!(notices(&journal).await, [], "{intent}");
    }
}

#[tokio::test]
async fn a_drill_is_marked_and_never_critical() {
    let journal = journal();
    let opening = Opening { intent: Intent::Drill, ..Opening::default() };
    whole(&mut Story::open(&journal, "pay-aaaaaaaa", opening).await).await;
    let notices = notices(&journal).await;
    assert_eq!(notices.len(), 11);
    for notice in notices {
        assert!(notice.title.starts_with("[drill] pay: "), "{}", notice.title);
        assert!(notice.severity < Severity::Critical, "{}", notice.title);
    }
}

#[tokio::test]
async fn of_a_run_within_another_only_what_waits_is_told() {
    let journal = journal();
    let opening = Opening { child: true, ..Opening::default() };
    whole(&mut Story::open(&journal, "pay-aaaaaaaa", opening).await).await;
    let told = kinds(&notices(&journal).await);
    assert_eq!(told, [NoticeKind::Approval, NoticeKind::Approval, NoticeKind::Stuck]);
}

#[tokio::test]
async fn a_staged_run_asks_to_be_started() {
    let journal = journal();
    let opening = Opening { staged: true, ..Opening::default() };
    let mut story = Story::open(&journal, "pay-aaaaaaaa", opening).await;
    story.tell(5, Event::RunStarted { by: Identity::asserted("bob") }).await;
    story.becomes(1, RunStatus::Expired, Some("nobody started it in time")).await;
    let told = notices(&journal).await;
    assert_eq!(kinds(&told), [NoticeKind::Staged, NoticeKind::Started, NoticeKind::Ended]);
    assert_eq!(told[0].commands, ["drctl start pay-aaaaaaaa"]);
    assert!(told[0].text.contains("expires at 2026-11-21T07:00:00"), "{}", told[0].text);
    assert!(told[1].text.contains("bob"), "{}", told[1].text);
}

#[tokio::test]
async fn a_pause_that_somebody_asked_for_is_no_trouble() {
    let journal = journal();
    let mut story = Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    let pause = Event::WantChanged { want: Want::Pause, by: None, reason: None };
    story.tell(1, pause).await;
    story.becomes(1, RunStatus::Paused, None).await;
    assert_eq!(kinds(&notices(&journal).await), [NoticeKind::Started]);
}

#[tokio::test]
async fn a_drill_that_was_refused_is_told_with_its_reason() {
    let journal = journal();
    let event = ScheduleEvent::Refused {
        fire: begin(),
        reason: Refusal::GuardRed,
        detail: "the error rate is 4 %".to_owned(),
        count: 3,
    };
    let append = Append {
        stream: Some(StreamName::schedule(&ServiceName::new("pay").unwrap())),
        at: Some(begin()),
        records: vec![NewRecord {
            kind: event.kind(),
            version: 1,
            body: serde_json::to_string(&event).unwrap(),
        }],
        ..Append::default()
    };
    journal.append(vec![append]).await.unwrap();
    let told = notices(&journal).await.remove(0);
    assert_eq!((told.kind, told.service.as_str()), (NoticeKind::DrillRefused, "pay"));
    assert!(told.title.contains("03:00:00") && told.title.ends_with("guard red"), "{}", told.title);
    assert_eq!(told.text, "the error rate is 4 % (3 fires in a row)");
}

async fn record(journal: &MemoryJournal, stream: StreamName, kind: &'static str, body: String) {
    let records = vec![NewRecord { kind, version: 1, body }];
    let append = Append { stream: Some(stream), at: Some(begin()), records, ..Append::default() };
    journal.append(vec![append]).await.unwrap();
}

#[tokio::test]
async fn what_a_server_reads_between_runs_is_told_when_it_changes() {
    let (journal, pay) = (journal(), ServiceName::new("pay").unwrap());
    let reading = KnownReading {
        number: 1,
        at: begin(),
        source: "postgres.heartbeat".to_owned(),
        from: None,
        to: None,
        lag: Some(Duration::from_secs(90)),
        recovery_point_at: None,
    };
    let mut known = ServiceReadings::default();
    known.last = vec![reading];
    let why = "the password of hunter2 is wrong".to_owned();
    let mut silent = known.clone();
    silent.silent = Some(Silence { since: begin(), why });
    let objective = Some(Duration::from_secs(60));
    for (change, readings) in [
        (ReadingChange::Behind, known.clone()),
        (ReadingChange::CaughtUp, known.clone()),
        (ReadingChange::Silent, silent),
        (ReadingChange::Heard, known),
    ] {
        let event = ReadingsEvent::Changed { service: pay.clone(), change, readings, objective };
        record(&journal, StreamName::readings(), event.kind(), serde_json::to_string(&event).unwrap()).await;
    }
    let kept = serde_json::to_string(&ReadingsEvent::Kept { services: Readings::default() }).unwrap();
    record(&journal, StreamName::readings(), "readings_kept", kept).await;
    let told = notices(&journal).await;
    let words: Vec<_> = told.iter().map(|it| (it.severity, it.ending.is_some(), it.title.as_str())).collect();
    let expected = [
        (Severity::Critical, false, "pay: data is 1m 30s behind, the RPO is 1m"),
        (Severity::Info, true, "pay: data is within the RPO of 1m again"),
        (Severity::Warning, false, "pay: nobody can tell how far the data is behind"),
        (Severity::Info, true, "pay: its data is read again"),
    ];
    assert_eq!(words, expected);
    assert!(told[2].text.contains("the data was 1m 30s behind"), "{}", told[2].text);
    assert!(told.iter().all(|notice| notice.kind == NoticeKind::Rpo && notice.thread == "drctl/rpo/pay"));
}

#[tokio::test]
async fn a_service_that_is_not_ready_any_more_is_told_and_so_is_its_return() {
    let (journal, pay) = (journal(), ServiceName::new("pay").unwrap());
    let (ready, drill, act) = (Readiness::Ready, Readiness::NeedsDrill, Readiness::ActionRequired);
    let steps =
        [(None, act), (Some(act), drill), (Some(drill), ready), (Some(ready), drill), (Some(drill), act)];
    for (from, to) in steps {
        let reason = ReasonKept {
            code: "stale".to_owned(),
            text: "the last drill is 120 days old".to_owned(),
            command: Some("drctl drill pay".to_owned()),
        };
        let changed = ReadinessChanged { from, to, reasons: vec![reason] };
        let body = serde_json::to_string(&changed).unwrap();
        record(&journal, StreamName::readiness(&pay), "readiness_changed", body).await;
    }
    let told = notices(&journal).await;
    let words: Vec<_> = told.iter().map(|it| (it.kind, it.severity, it.title.as_str())).collect();
    let kind = NoticeKind::Readiness;
    let expected = [
        (kind, Severity::Info, "pay: ready for a failover again"),
        (kind, Severity::Warning, "pay: its readiness is now: needs drill"),
        (kind, Severity::Warning, "pay: its readiness is now: action required"),
    ];
    assert_eq!(words, expected, "who looks for the first time has nothing to tell");
    assert_eq!(told[1].commands, ["drctl drill pay", "drctl status pay"]);
    assert_eq!(told[1].text, "the last drill is 120 days old");
}

#[tokio::test]
async fn a_run_that_cannot_be_read_keeps_nobody_from_hearing_of_the_others() {
    let journal = journal();
    let stray = Append {
        stream: Some(StreamName::typed("run/broken-aaaaaaaa")),
        token: Some(journal.grant(&drctl::model::id::RunId::new("broken-aaaaaaaa").unwrap()).await.unwrap()),
        records: vec![NewRecord { kind: "node_ready", version: 1, body: "{}".to_owned() }],
        ..Append::default()
    };
    journal.append(vec![stray]).await.unwrap();
    let mut story = Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    story.becomes(1, RunStatus::Failed, Some("gone")).await;
    assert_eq!(kinds(&notices(&journal).await), [NoticeKind::Started, NoticeKind::Ended]);
}
