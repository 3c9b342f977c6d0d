//! Traces: what is sent, who sends it, and what becomes of it when the collector is gone.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use drctl::engine::event::{Event, NodeSucceeded};
use drctl::engine::input::Direction;
use drctl::journal::MemoryJournal;
use drctl::model::id::NodeAddress;
use drctl::model::run::{Failure, FailureClass, RunStatus};
use drctl::model::time::Duration;
use drctl::ports::{CancelSwitch, Clock, Journal, trace};
use drctl::runtime::VirtualClock;
use drctl::telemetry::trace::{Exporter, Span, Spans, Tracer, encode};
use drctl::telemetry::{Exposition, Follower, Metrics};
use serde_json::Value;

use super::tool;
use crate::notify::story::{Named, Opening, Story, begin, secret};
use crate::support::attempt::until;
use crate::support::binary::Drctl;
use crate::support::desk::Desk;

fn took_over(token: u64, holder: &str) -> Event {
    Event::TookOver {
        token,
        holder: holder.to_owned(),
        host: "x".to_owned(),
        traces: None,
        skew: Duration::ZERO,
    }
}

fn attempt(story: &Story, node: &str, attempt: u32) -> Event {
    use drctl::engine::event::AttemptStarted;
    use drctl::engine::input::AttemptKey;
    Event::AttemptStarted(AttemptStarted {
        attempt: AttemptKey { node: story.node(node), attempt },
        direction: Direction::Do,
        generation: 0,
        mode: drctl::model::run::Mode::Ungraceful,
        deadline: begin().plus(Duration::from_secs(900)),
        prepared: None,
    })
}

fn succeeded(story: &Story, node: &str) -> Event {
    let outputs = serde_json::Map::from_iter([("password".to_owned(), "hunter2".into())]);
    Event::NodeSucceeded(NodeSucceeded { node: story.node(node), outputs, adopted: false, fence: None })
}

/// The first part of a run, up to where its driver is lost in the middle of a step.
async fn first_half(story: &mut Story) {
    story.tell(0, took_over(1, "one")).await;
    story.becomes(0, RunStatus::Running, None).await;
    story.tell(1, attempt(story, "fence", 1)).await;
    let failure = Failure::new(FailureClass::Transient, "no route\nto host");
    let node = story.node("fence");
    story.tell(2, Event::RetryScheduled { node, at: begin(), failure, counts: true }).await;
    story.tell(1, attempt(story, "fence", 2)).await;
    story.tell(1, succeeded(story, "fence")).await;
    story.tell(1, attempt(story, "promote", 1)).await;
}

async fn second_half(story: &mut Story) {
    story.tell(30, took_over(2, "two")).await;
    story.tell(1, succeeded(story, "promote")).await;
    story.becomes(1, RunStatus::Succeeded, None).await;
}

/// The spans that a process makes of everything behind a position.
async fn spans(journal: &Arc<MemoryJournal>, holder: &str, begin_at: u64) -> Vec<Span> {
    let out = Spans::new(Arc::new(Metrics::new()));
    let (switch, ended) = CancelSwitch::new();
    switch.cancel();
    let follower = Follower {
        journal: Arc::clone(journal) as Arc<dyn Journal>,
        clock: VirtualClock::starting_at(begin()) as Arc<dyn Clock>,
        metrics: Arc::new(Metrics::new()),
        tracer: Some(Tracer::new(Some(holder.to_owned()), out.clone())),
        begin: Some(begin_at),
    };
    follower.run(ended).await;
    out.pop(100)
}

/// What OpenTelemetry's own decoder makes of bytes.
fn decoded(bytes: &[u8]) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/telemetry/decode.py");
    let mut child = Command::new(tool("venv/bin/python"))
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_run_is_a_trace_that_others_can_read_and_holds_no_output() {
    let journal = Arc::new(MemoryJournal::new());
    let mut story = Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    first_half(&mut story).await;
    story.tell(1, succeeded(&story, "promote")).await;
    story.becomes(1, RunStatus::Succeeded, None).await;
    let spans = spans(&journal, "one", 0).await;
    let resource = BTreeMap::from([("service.name".to_owned(), "drctl".to_owned())]);
    let bytes = encode(&spans, &resource);
    assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"));
    let mut request = decoded(&bytes);
    let scope = &mut request["resourceSpans"][0]["scopeSpans"][0]["scope"];
    assert_eq!(scope["version"], env!("CARGO_PKG_VERSION"));
    scope["version"] = "this one".into();
    insta::assert_json_snapshot!(request);
}

#[tokio::test]
async fn who_takes_a_run_over_goes_on_in_its_trace() {
    let journal = Arc::new(MemoryJournal::new());
    let mut story = Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    first_half(&mut story).await;
    let first = spans(&journal, "one", 0).await;
    let position = drctl::tail::end(journal.as_ref()).await.unwrap();
    second_half(&mut story).await;
    let second = spans(&journal, "two", position).await;
    let names = |spans: &[Span]| spans.iter().map(|span| span.name.clone()).collect::<Vec<_>>();
    assert_eq!(
        (names(&first), names(&second)),
        (vec!["fence".to_owned()], vec!["promote".to_owned(), "failover pay".to_owned()])
    );
    let trace_id = trace::trace_id(&story.run);
    assert!(first.iter().chain(&second).all(|span| span.trace == trace_id));
    // The second process knows when the step began, although it was not there.
    assert_eq!(second[0].began, begin().plus(Duration::from_secs(6)));
    assert_eq!(
        (first[0].parent, second[1].id),
        (Some(trace::run_span(&story.run)), trace::run_span(&story.run))
    );
    // Nobody sends the spans of a run that others drive.
    assert_eq!(spans(&journal, "three", 0).await, []);
}

fn exporter(url: String) -> Exporter {
    Exporter {
        url,
        headers: BTreeMap::from([("x-token".to_owned(), secret("t0ken"))]),
        source: Arc::new(Named),
        resource: BTreeMap::new(),
    }
}

async fn some_spans() -> Vec<Span> {
    let journal = Arc::new(MemoryJournal::new());
    let mut story = Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    first_half(&mut story).await;
    spans(&journal, "one", 0).await
}

#[tokio::test]
async fn a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let collector = Desk::open();
    collector.next(&["503 Busy"]);
    let metrics = Arc::new(Metrics::new());
    let queue = Spans::new(Arc::clone(&metrics));
    some_spans().await.into_iter().for_each(|span| queue.push(span));
    let (switch, ended) = CancelSwitch::new();
    let running = tokio::spawn(exporter(collector.url("/v1/traces")).run(queue.clone(), ended));
    until("it is sent again", || collector.heard().len() == 2).await;
    let heard = collector.heard();
    assert_eq!(heard[0].body, heard[1].body);
    assert_eq!(
        (heard[0].header("content-type"), heard[0].header("x-token")),
        (Some("application/x-protobuf"), Some("t0ken"))
    );
    collector.usually("400 Bad");
    some_spans().await.into_iter().for_each(|span| queue.push(span));
    until("it is refused", || collector.heard().len() == 3).await;
    switch.cancel();
    running.await.unwrap();
    assert_eq!(collector.heard().len(), 3);
    assert!(metrics.render(Exposition::Prometheus).contains("drctl_trace_spans_dropped_total 1"));
}

#[tokio::test]
async fn spans_that_nobody_takes_have_an_end() {
    let metrics = Arc::new(Metrics::new());
    let queue = Spans::new(Arc::clone(&metrics));
    let span = some_spans().await.remove(0);
    (0..4_100).for_each(|_| queue.push(span.clone()));
    assert_eq!(queue.pop(10_000).len(), 4_096);
    assert!(metrics.render(Exposition::Prometheus).contains("drctl_trace_spans_dropped_total 4"));
}

#[test]
fn a_failover_at_the_terminal_sends_its_trace_and_hands_it_on() {
    let collector = Desk::open();
    let drctl = Drctl::with(&[(
        "pay.yaml",
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {name: pay}\n\
         sites: {east: {role: active}, west: {role: standby, provider: aws, region: us-west-2}}\n\
         workflows:\n  failover:\n    steps:\n\
         \x20     - {id: move, phase: shift, uses: command.run, drill: skip,\n\
         \x20        with: {argv: [/bin/sh, -c, \"echo $TRACEPARENT >trace\"], idempotent: true}}\n",
    )]);
    drctl.write("drctl.toml", &format!("[telemetry]\ntraces_url = '{}'\n", collector.url("/v1/traces")));
    let done = drctl.run("failover pay.yaml --reason lost --yes");
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    let mut all = Vec::new();
    for heard in collector.heard() {
        let request = decoded(&heard.body);
        all.extend(request["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone());
    }
    let step = all.iter().find(|span| span["name"] == "move").unwrap_or_else(|| panic!("{all:#?}"));
    let region = serde_json::json!({"key": "cloud.region", "value": {"stringValue": "us-west-2"}});
    assert!(step["attributes"].as_array().unwrap().contains(&region), "{step:#}");
    assert!(all.iter().any(|span| span["name"] == "failover pay"), "{all:#?}");
    // What the program was handed names this very span.
    let run: Value = serde_json::from_str(&drctl.run("runs list -o json").stdout).unwrap();
    let run = drctl::model::id::RunId::new(run[0]["id"].as_str().unwrap()).unwrap();
    let handed = std::fs::read_to_string(drctl.path("trace")).unwrap();
    let node = NodeAddress::typed("move");
    assert_eq!(handed.trim_end(), trace::traceparent(&run, &node, Direction::Do));
    let hex = handed.split('-').nth(2).unwrap().to_owned();
    let bytes =
        base64::Engine::decode(&base64::engine::general_purpose::STANDARD, step["spanId"].as_str().unwrap());
    let sent = bytes.unwrap().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert_eq!(sent, hex);
}
