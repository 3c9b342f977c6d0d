//! What becomes of notices when targets and processes die: none is lost, none is sent twice without need, and
//! nobody waits for anybody else.

use std::collections::BTreeSet;
use std::sync::Arc;

use drctl::engine::event::Event;
use drctl::journal::MemoryJournal;
use drctl::model::notice::NoticeKind;
use drctl::model::run::RunStatus;
use drctl::model::time::Duration;
use drctl::notify::{Cursor, OutboxEvent, Settings, Transport, WebhookDesk, client};
use drctl::ports::{Clock, Journal, StreamName};
use drctl::runtime::VirtualClock;
use drctl::tail;

use super::story::{Opening, Running, Story, begin, target_with, told, webhook};
use crate::support::attempt::until;
use crate::support::desk::Desk;

/// A run with three notices: it begins, is stuck, and goes on.
async fn three(journal: &Arc<MemoryJournal>, run: &str) {
    let mut story = Story::open(journal, run, Opening::default()).await;
    story.becomes(1, RunStatus::Stuck, Some("nobody knows")).await;
    story.becomes(1, RunStatus::Running, None).await;
}

fn clock(seconds: u64) -> Arc<VirtualClock> {
    VirtualClock::starting_at(begin().plus(Duration::from_secs(seconds)))
}

fn ids(desk: &Desk) -> Vec<String> {
    desk.heard().iter().map(|heard| heard.header("x-drctl-notice").unwrap().to_owned()).collect()
}

fn three_ids(run: &str) -> Vec<String> {
    (1..=3).map(|sequence| format!("run/{run}/{sequence}")).collect()
}

#[tokio::test]
async fn a_restart_goes_on_where_the_last_process_ended() {
    let journal = Arc::new(MemoryJournal::new());
    let desk = Desk::open();
    three(&journal, "pay-aaaaaaaa").await;
    for (holder, run) in [("first", "pay-aaaaaaaa"), ("second", "pay-bbbbbbbb")] {
        if holder == "second" {
            three(&journal, run).await;
        }
        let targets = vec![webhook("hook", desk.url("/"))];
        Running::start(Arc::clone(&journal), clock(10), holder, targets).end().await;
    }
    assert_eq!(ids(&desk), [three_ids("pay-aaaaaaaa"), three_ids("pay-bbbbbbbb")].concat());
    let one = ["notify_claimed", "notify_sent"];
    assert_eq!(told(&journal, "hook").await[1..], one.repeat(6));
}

#[tokio::test]
async fn what_is_recorded_while_it_sends_is_sent_at_once() {
    let journal = Arc::new(MemoryJournal::new());
    let desk = Desk::open();
    let targets = vec![webhook("hook", desk.url("/"))];
    let running = Running::start(Arc::clone(&journal), clock(10), "one", targets);
    three(&journal, "pay-aaaaaaaa").await;
    until("three notices are sent", || desk.heard().len() == 3).await;
    running.end().await;
    assert_eq!(ids(&desk), three_ids("pay-aaaaaaaa"));
}

#[tokio::test]
async fn a_target_that_was_never_seen_is_not_told_the_past() {
    let journal = Arc::new(MemoryJournal::new());
    let desk = Desk::open();
    three(&journal, "pay-aaaaaaaa").await;
    let end = tail::end(journal.as_ref()).await.unwrap();
    assert_eq!(end, 3);
    let (switch, signal) = drctl::ports::CancelSwitch::new();
    let outbox = drctl::notify::Outbox {
        journal: Arc::clone(&journal) as Arc<dyn Journal>,
        clock: clock(10),
        holder: "one".to_owned(),
        begin: None,
        observer: Arc::new(drctl::notify::Unobserved),
        targets: vec![webhook("hook", desk.url("/"))],
    };
    let running = tokio::spawn(outbox.run(signal));
    let mut cursor = Cursor::default();
    while !cursor.began {
        cursor.refresh(journal.as_ref(), "hook").await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(cursor.position, 3);
    three(&journal, "pay-bbbbbbbb").await;
    switch.cancel();
    running.await.unwrap();
    assert_eq!(ids(&desk), three_ids("pay-bbbbbbbb"));
}

#[tokio::test]
async fn a_dead_target_delays_no_other_and_its_notices_come_later_in_order() {
    let journal = Arc::new(MemoryJournal::new());
    let (dead, alive) = (Desk::answering("500 Oops"), Desk::open());
    three(&journal, "pay-aaaaaaaa").await;
    let time = clock(10);
    let targets = vec![webhook("dead", dead.url("/")), webhook("alive", alive.url("/"))];
    let running = Running::start(Arc::clone(&journal), Arc::clone(&time) as Arc<dyn Clock>, "one", targets);
    until("the live target has everything", || alive.heard().len() == 3).await;
    until("the dead one is waited for", || time.sleepers() == 1).await;
    assert_eq!(dead.heard().len(), 1);
    dead.usually("200 OK");
    time.advance_to(time.next().unwrap());
    until("it is back", || dead.heard().len() == 4).await;
    running.end().await;
    let first = three_ids("pay-aaaaaaaa").remove(0);
    assert_eq!(ids(&dead), [vec![first], three_ids("pay-aaaaaaaa")].concat());
}

#[tokio::test]
async fn a_target_that_asks_for_time_gets_it() {
    let journal = Arc::new(MemoryJournal::new());
    let desk = Desk::open();
    desk.next(&["429 Slow\nretry-after: 90"]);
    three(&journal, "pay-aaaaaaaa").await;
    let time = clock(10);
    let targets = vec![webhook("hook", desk.url("/"))];
    let running = Running::start(Arc::clone(&journal), Arc::clone(&time) as Arc<dyn Clock>, "one", targets);
    until("it is left alone", || time.sleepers() == 1).await;
    assert_eq!(time.next(), Some(begin().plus(Duration::from_secs(100))));
    assert_eq!(desk.heard().len(), 1);
    time.advance_to(begin().plus(Duration::from_secs(100)));
    until("the rest is sent", || desk.heard().len() == 4).await;
    running.end().await;
}

#[tokio::test]
async fn a_target_that_stays_dead_is_given_up_and_the_journal_says_so() {
    let journal = Arc::new(MemoryJournal::new());
    let desk = Desk::answering("500 Oops");
    Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    let time = clock(10);
    let settings = Settings { give_up_after: Some(Duration::from_secs(60)), ..Settings::default() };
    let transport = WebhookDesk { client: client().unwrap(), url: Some(desk.url("/")) };
    let targets = vec![target_with("hook", Transport::Webhook(transport), &[], settings)];
    let running = Running::start(Arc::clone(&journal), Arc::clone(&time) as Arc<dyn Clock>, "one", targets);
    let mut kinds = Vec::new();
    for _ in 0..1_000 {
        kinds = told(&journal, "hook").await;
        if kinds.last().is_some_and(|kind| kind == "notify_given_up") {
            break;
        }
        if time.sleepers() == 1 {
            time.advance_to(time.next().unwrap());
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    running.end().await;
    assert_eq!(kinds.last().map(String::as_str), Some("notify_given_up"), "{kinds:?}");
    let records = journal.read(&StreamName::notify("hook"), 0, 100).await.unwrap();
    let given_up: OutboxEvent = serde_json::from_str(&records.last().unwrap().body).unwrap();
    let OutboxEvent::GivenUp { notice, kind, tries, why, .. } = given_up else { panic!() };
    assert_eq!((notice.as_str(), kind), ("run/pay-aaaaaaaa/1", NoticeKind::Started));
    assert_eq!((tries as usize, why.contains("500")), (desk.heard().len(), true));
    // Doubled pauses of a minute at most.
    assert!((5..=8).contains(&tries), "{tries}");
    assert!(time.now() < begin().plus(Duration::from_secs(61)), "{}", time.now());
}

#[tokio::test]
async fn what_nobody_was_there_to_send_in_time_is_given_up_unsent() {
    let journal = Arc::new(MemoryJournal::new());
    let desk = Desk::open();
    three(&journal, "pay-aaaaaaaa").await;
    let targets = vec![webhook("hook", desk.url("/"))];
    Running::start(Arc::clone(&journal), clock(3 * 3_600), "one", targets).end().await;
    assert!(desk.heard().is_empty());
    assert_eq!(told(&journal, "hook").await[1..], ["notify_given_up"].repeat(3));
}

#[tokio::test]
async fn two_processes_on_one_journal_send_each_notice_once() {
    let journal = Arc::new(MemoryJournal::new());
    let other = Arc::new(journal.another_holder());
    let desk = Desk::open();
    let hook = || vec![webhook("hook", desk.url("/"))];
    let first = Running::start(Arc::clone(&journal), clock(10), "first", hook());
    let second = Running::start(other, clock(10), "second", hook());
    for run in ["pay-aaaaaaaa", "pay-bbbbbbbb", "pay-cccccccc"] {
        three(&journal, run).await;
    }
    until("all are sent", || desk.heard().len() >= 9).await;
    first.end().await;
    second.end().await;
    let sent = ids(&desk);
    assert_eq!((sent.len(), sent.iter().collect::<BTreeSet<_>>().len()), (9, 9), "{sent:?}");
}

#[tokio::test]
async fn what_a_killed_process_had_claimed_is_sent_by_another_one() {
    let journal = Arc::new(MemoryJournal::new());
    let (silent, desk) = (Silent::open(), Desk::open());
    Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    let first = vec![webhook("hook", silent.url())];
    let killed = Running::start(Arc::clone(&journal), clock(10), "first", first);
    until("it is in the middle of a try", || silent.connected()).await;
    killed.kill();
    let other = Arc::new(journal.another_holder());
    // While the claim lasts, nobody else touches it.
    let second = vec![webhook("hook", desk.url("/"))];
    Running::start(Arc::clone(&other), clock(20), "second", second).end().await;
    assert!(desk.heard().is_empty());
    let third = vec![webhook("hook", desk.url("/"))];
    Running::start(other, clock(41), "third", third).end().await;
    assert_eq!(ids(&desk), ["run/pay-aaaaaaaa/1"]);
}

#[tokio::test]
async fn what_a_target_took_is_not_sent_again_because_somebody_else_recorded_meanwhile() {
    let journal = Arc::new(MemoryJournal::new());
    let desk = Silent::open();
    Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    let first = vec![webhook("hook", desk.url())];
    let running = Running::start(Arc::clone(&journal), clock(10), "first", first);
    until("it is in the middle of a try", || desk.connected()).await;
    // Another node, whose clock is ahead, takes the claim for over, and dies.
    let mut cursor = Cursor::default();
    cursor.refresh(journal.as_ref(), "hook").await.unwrap();
    let (position, until_then) = (cursor.tried.unwrap().0, clock(10).now());
    let claim =
        OutboxEvent::Claimed { position, by: "other".to_owned(), until: until_then, tries: 0, why: None };
    assert!(cursor.record(journal.as_ref(), "hook", &claim, until_then).await.unwrap());
    assert_eq!(desk.answer(), 1);
    running.end().await;
    assert_eq!(told(&journal, "hook").await.last().unwrap(), "notify_sent");
    assert!(desk.held.lock().unwrap().len() == 1 && desk.listener.accept().is_err(), "it was sent twice");
}

#[tokio::test]
async fn what_is_not_sent_at_the_end_is_left_to_the_next() {
    let journal = Arc::new(MemoryJournal::new());
    let desk = Desk::answering("500 Oops");
    Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    let hook = || vec![webhook("hook", desk.url("/"))];
    let first = Running::start(Arc::clone(&journal), clock(10), "first", hook());
    until("it was tried", || desk.heard().len() == 1).await;
    first.end().await;
    assert_eq!(told(&journal, "hook").await.last().unwrap(), "notify_released");
    desk.usually("200 OK");
    Running::start(Arc::clone(&journal), clock(11), "second", hook()).end().await;
    let records = journal.read(&StreamName::notify("hook"), 0, 100).await.unwrap();
    let sent: OutboxEvent = serde_json::from_str(&records.last().unwrap().body).unwrap();
    let OutboxEvent::Sent { tries, .. } = sent else { panic!("{sent:?}") };
    assert_eq!(tries as usize, desk.heard().len(), "the count goes on");
}

#[tokio::test]
async fn a_target_hears_only_what_it_asked_for() {
    let journal = Arc::new(MemoryJournal::new());
    let desk = Desk::open();
    three(&journal, "pay-aaaaaaaa").await;
    let target = |name: &str, settings: Settings| {
        let url = Some(desk.url(&format!("/{name}")));
        let transport = Transport::Webhook(WebhookDesk { client: client().unwrap(), url });
        target_with(name, transport, &[], settings)
    };
    let targets = vec![
        target("stuck", Settings { events: [NoticeKind::Stuck].into(), ..Settings::default() }),
        target("others", Settings { services: Some(vec!["sho*".to_owned()]), ..Settings::default() }),
    ];
    Running::start(Arc::clone(&journal), clock(10), "one", targets).end().await;
    let heard: Vec<_> =
        desk.heard().iter().map(|heard| heard.head.lines().next().unwrap().to_owned()).collect();
    assert_eq!(heard, ["POST /stuck HTTP/1.1"]);
}

#[tokio::test]
async fn many_records_without_a_notice_are_not_read_again() {
    let journal = Arc::new(MemoryJournal::new());
    let desk = Desk::open();
    let mut story = Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    let node = story.node("fence");
    for _ in 0..1_000 {
        story.tell(0, Event::NodeReady { node }).await;
    }
    let targets = vec![webhook("hook", desk.url("/"))];
    Running::start(Arc::clone(&journal), clock(1), "one", targets).end().await;
    assert_eq!(told(&journal, "hook").await.last().unwrap(), "notify_passed");
    let mut cursor = Cursor::default();
    cursor.refresh(journal.as_ref(), "hook").await.unwrap();
    assert!(cursor.position >= 1_001, "{cursor:?}");
}

/// A server that takes connections and never says a word.
struct Silent {
    listener: std::net::TcpListener,
    held: std::sync::Mutex<Vec<std::net::TcpStream>>,
}

impl Silent {
    fn open() -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self { listener, held: std::sync::Mutex::default() }
    }

    fn url(&self) -> String {
        format!("http://{}/", self.listener.local_addr().unwrap())
    }

    /// Takes what was sent on every connection; how many there are.
    fn answer(&self) -> usize {
        use std::io::Write as _;
        self.connected();
        let mut held = self.held.lock().unwrap();
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        held.iter_mut().for_each(|stream| stream.write_all(answer).unwrap());
        held.len()
    }

    fn connected(&self) -> bool {
        let mut held = self.held.lock().unwrap();
        held.extend(self.listener.accept().ok().map(|(stream, _)| stream));
        !held.is_empty()
    }
}
