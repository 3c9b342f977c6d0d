//! Metrics: what facts do to them, their names, and the rules and the dashboard that read them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use drctl::engine::event::{ClockMark, Event, NodeSucceeded, Reading};
use drctl::engine::readings::{KnownReading, Look, Readings};
use drctl::evidence::readiness::Readiness;
use drctl::journal::MemoryJournal;
use drctl::model::id::ServiceName;
use drctl::model::run::{Failure, FailureClass, Intent, RunStatus};
use drctl::model::time::{Duration, Timestamp};
use drctl::plan::ReadingPoint;
use drctl::ports::{CancelSwitch, Clock, Journal, JournalAdmin, Node};
use drctl::runtime::VirtualClock;
use drctl::telemetry::{Exposition, Follower, Metrics, TimedJournal};

use super::tool;
use crate::notify::story::{Opening, Story, begin};

/// Half a recovery: a step, a retry, a reading, and then it waits.
async fn half(story: &mut Story) {
    let fence = story.node("fence");
    story
        .tell(
            0,
            Event::TookOver {
                token: 2,
                holder: "b".into(),
                host: "x".into(),
                traces: None,
                skew: Duration::ZERO,
            },
        )
        .await;
    story.becomes(0, RunStatus::Running, None).await;
    story.tell(1, Event::NodeReady { node: fence }).await;
    story.tell(0, started(story, "fence")).await;
    let failure = Failure::new(FailureClass::Transient, "no route");
    let again = Event::RetryScheduled { node: fence, at: begin(), failure, counts: true };
    story.tell(2, again).await;
    let done = NodeSucceeded { node: fence, outputs: serde_json::Map::new(), adopted: false, fence: None };
    story.tell(3, Event::NodeSucceeded(done)).await;
    let reading = Reading {
        node: fence,
        point: ReadingPoint::AtFence,
        source: "s".to_owned(),
        lag: Some(Duration::from_secs(12)),
        recovery_point_at: None,
    };
    story.tell(0, Event::ReadingTaken(reading)).await;
    story.becomes(294, RunStatus::AwaitingApproval, Some("ask")).await;
}

fn started(story: &Story, node: &str) -> Event {
    use drctl::engine::event::AttemptStarted;
    use drctl::engine::input::{AttemptKey, Direction};
    Event::AttemptStarted(AttemptStarted {
        attempt: AttemptKey { node: story.node(node), attempt: 1 },
        direction: Direction::Do,
        generation: 0,
        mode: drctl::model::run::Mode::Ungraceful,
        deadline: begin().plus(Duration::from_secs(900)),
        prepared: None,
    })
}

/// Follows a journal from its beginning to its end.
async fn follow(journal: &Arc<MemoryJournal>, at: u64) -> Arc<Metrics> {
    let metrics = Arc::new(Metrics::new());
    let (switch, ended) = CancelSwitch::new();
    switch.cancel();
    let follower = Follower {
        journal: Arc::clone(journal) as Arc<dyn Journal>,
        clock: VirtualClock::starting_at(begin().plus(Duration::from_secs(at))) as Arc<dyn Clock>,
        metrics: Arc::clone(&metrics),
        tracer: None,
        begin: Some(0),
    };
    follower.run(ended).await;
    metrics
}

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|it| it == *line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn an_open_run_is_measured_as_it_goes() {
    let journal = Arc::new(MemoryJournal::new());
    half(&mut Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await).await;
    let text = follow(&journal, 300).await.render(Exposition::Prometheus);
    has(
        &text,
        &[
            "drctl_runs_started_total{operation=\"failover\",intent=\"real\"} 1",
            "drctl_run_takeovers_total{intent=\"real\"} 1",
            "drctl_runs_open{status=\"awaiting_approval\",intent=\"real\"} 1",
            "drctl_runs_waiting_for_person 1",
            "drctl_run_rto_burn_ratio{service=\"pay\",intent=\"real\"} 0.5",
            "drctl_step_duration_seconds_sum{action=\"postgres.fence\",outcome=\"succeeded\"} 5.0",
            "drctl_step_retries_total{action=\"postgres.fence\",class=\"transient\"} 1",
            "drctl_recovery_point_lag_seconds{service=\"pay\",point=\"at-fence\"} 12.0",
            "drctl_objective_seconds{service=\"pay\",objective=\"rpo\"} 30.0",
        ],
    );
}

#[tokio::test]
async fn a_run_that_is_over_is_counted_once_and_open_no_more() {
    let journal = Arc::new(MemoryJournal::new());
    let mut story = Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    half(&mut story).await;
    story.tell(60, Event::ClockMarked { mark: ClockMark::Healthy }).await;
    story.becomes(1, RunStatus::Succeeded, None).await;
    let text = follow(&journal, 400).await.render(Exposition::Prometheus);
    let ended = "drctl_runs_ended_total{operation=\"failover\",intent=\"real\",status=\"succeeded\",verdict=\"met\"} 1";
    has(
        &text,
        &[
            ended,
            "drctl_run_recovery_time_seconds_sum{operation=\"failover\",intent=\"real\"} 360.0",
            "drctl_runs_waiting_for_person 0",
        ],
    );
    assert!(!text.contains("drctl_runs_open{") && !text.contains("drctl_run_rto_burn_ratio{"), "{text}");
    assert!(!text.contains("pay-aaaaaaaa"), "no label is the id of a run");
}

#[tokio::test]
async fn simulated_runs_are_not_measured() {
    let journal = Arc::new(MemoryJournal::new());
    let opening = Opening { intent: Intent::Simulate, ..Opening::default() };
    half(&mut Story::open(&journal, "pay-aaaaaaaa", opening).await).await;
    let text = follow(&journal, 300).await.render(Exposition::Prometheus);
    assert!(!text.contains("pay") && !text.contains("drctl_runs_started_total{"), "{text}");
}

#[tokio::test]
async fn appends_are_timed_and_those_that_are_refused_told_apart() {
    let metrics = Arc::new(Metrics::new());
    let journal = Arc::new(MemoryJournal::new());
    let timed = TimedJournal::new(Arc::clone(&journal) as Arc<dyn JournalAdmin>, Arc::clone(&metrics));
    let run = drctl::model::id::RunId::new("pay-aaaaaaaa").unwrap();
    let append = |token| drctl::ports::Append {
        stream: Some(drctl::ports::StreamName::run(&run)),
        token,
        ..drctl::ports::Append::default()
    };
    let token = timed.grant(&run).await.unwrap();
    timed.append(vec![append(Some(token))]).await.unwrap();
    timed.append(vec![append(Some(token + 1))]).await.unwrap_err();
    let text = metrics.render(Exposition::Prometheus);
    has(
        &text,
        &[
            "drctl_journal_append_duration_seconds_count{outcome=\"ok\"} 1",
            "drctl_journal_append_duration_seconds_count{outcome=\"refused\"} 1",
            "drctl_journal_appends_waiting 0",
        ],
    );
}

/// Metrics with a value in every family.
async fn all() -> Arc<Metrics> {
    let journal = Arc::new(MemoryJournal::new());
    let mut story = Story::open(&journal, "pay-aaaaaaaa", Opening::default()).await;
    half(&mut story).await;
    let attempt = drctl::engine::input::AttemptKey { node: story.node("fence"), attempt: 1 };
    story.tell(1, Event::AttemptInDoubt { attempt, why: "lost".to_owned() }).await;
    let mut other = Story::open(&journal, "pay-bbbbbbbb", Opening::default()).await;
    half(&mut other).await;
    other.tell(60, Event::ClockMarked { mark: ClockMark::Healthy }).await;
    other.becomes(1, RunStatus::Succeeded, None).await;
    let fired = drctl::engine::schedule::ScheduleEvent::Fired {
        fire: begin(),
        key: "k".into(),
        late: false,
        place: None,
    };
    let told = [
        ("schedule/pay", fired.kind(), serde_json::to_string(&fired).unwrap()),
        ("notify/chat", "notify_sent", "{}".to_owned()),
        ("notify/chat", "notify_given_up", "{}".to_owned()),
        ("journal", "prune_requested", "{}".to_owned()),
    ];
    for (stream, kind, body) in told {
        let append = drctl::ports::Append {
            stream: Some(drctl::ports::StreamName::typed(stream)),
            records: vec![drctl::ports::NewRecord { kind, version: 1, body }],
            ..drctl::ports::Append::default()
        };
        journal.append(vec![append]).await.unwrap();
    }
    let metrics = follow(&journal, 300).await;
    metrics.ready("pay", Readiness::NeedsDrill);
    metrics.readings(&watched(), &BTreeMap::from([(ServiceName::new("pay").unwrap(), None)]));
    metrics.stopped(false);
    let text = || "n1".to_owned();
    metrics.nodes(&[Node {
        id: text(),
        name: text(),
        address: text(),
        version: text(),
        host: text(),
        pid: 1,
        since: begin(),
        seen: begin(),
        up: true,
        driving: 3,
        takeovers: 1,
    }]);
    metrics.append_begun();
    metrics.append_answered(std::time::Duration::from_millis(2), true);
    metrics.notices_waiting("chat", 3);
    metrics.notice_failed("chat");
    metrics
}

/// A service that was read once.
fn watched() -> Readings {
    let at = Timestamp::from_millis(1_000);
    let reading = KnownReading {
        number: 1,
        at,
        source: "postgres.heartbeat".to_owned(),
        from: None,
        to: None,
        lag: Some(Duration::from_secs(3)),
        recovery_point_at: None,
    };
    let mut readings = Readings::default();
    let look = Look { at, read: vec![reading], failed: None, objective: None };
    readings.look(&ServiceName::new("pay").unwrap(), &look);
    readings
}

fn promtool(words: &[&str], stdin: &str) -> String {
    let found = PathBuf::from("promtool");
    let on_path = Command::new(&found).arg("--version").output().is_ok();
    let mut child = Command::new(if on_path { found } else { tool("promtool") })
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {words:?}: {said}\n{stdin}");
    said.into_owned()
}

#[tokio::test]
async fn promtool_has_nothing_to_say_against_the_metrics() {
    let text = all().await.render(Exposition::Prometheus);
    assert_eq!(promtool(&["check", "metrics"], &text), "");
    let open = all().await.render(Exposition::OpenMetrics);
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE drctl_runs_started counter"), "{open}");
}

fn operations(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations").join(name)
}

/// Names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("drctl_")).map(str::to_owned).collect()
}

#[tokio::test]
async fn rules_and_dashboard_read_metrics_that_there_are() {
    let rules = operations("alerts.yml");
    let said = promtool(&["check", "rules", rules.to_str().unwrap()], "");
    assert!(said.contains("SUCCESS: 19 rules found"), "{said}");
    let rendered = all().await.render(Exposition::Prometheus);
    let samples = rendered.lines().filter(|line| !line.starts_with('#'));
    let there: BTreeSet<_> = samples.flat_map(|line| named(line.split(['{', ' ']).next().unwrap())).collect();
    let dashboard = std::fs::read_to_string(operations("grafana-dashboard.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&dashboard).unwrap();
    let expressions: Vec<&str> = document["panels"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(expressions.len() > 20);
    for (place, text) in
        [("alerts.yml", std::fs::read_to_string(rules).unwrap()), ("the dashboard", expressions.join("\n"))]
    {
        let wrong: Vec<_> = named(&text).difference(&there).cloned().collect();
        assert!(wrong.is_empty(), "{place} reads {wrong:?}, and there are {there:?}");
    }
    // And what is shown in the documentation is there as well.
    let page = std::fs::read_to_string(operations("monitoring.md")).unwrap();
    let families: BTreeSet<_> = rendered
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned))
        .collect();
    let told: BTreeSet<_> = named(&page).intersection(&families).cloned().collect();
    let silent: Vec<_> = families.difference(&told).collect();
    assert!(silent.is_empty(), "docs/operations/monitoring.md says nothing about {silent:?}");
}
