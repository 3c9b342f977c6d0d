//! `postgres.*` on a real primary and its standby.

use std::path::Path;

use drctl::engine::input::{Direction, Observation};
use drctl::model::run::{Failure, FailureClass};
use drctl::model::time::Timestamp;
use drctl::ports::{AttemptContext, Polled, Provider as _, Started};
use drctl::providers::{PostgresProvider, ProgramRunner};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::attempt::{action, context, until};
use crate::support::postgres::PostgresPair;

/// A provider over a folder of its own.
struct Fixture {
    folder: TempDir,
    pair: PostgresPair,
    context: AttemptContext,
    _switch: drctl::ports::CancelSwitch,
}

impl Fixture {
    async fn new() -> Self {
        let (context, switch) = context();
        Self {
            folder: tempfile::tempdir().unwrap(),
            pair: PostgresPair::start().await,
            context,
            _switch: switch,
        }
    }

    /// The attempt has this many seconds left.
    fn ends_in(&mut self, seconds: u64) {
        let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
        self.context.deadline = now.plus(drctl::model::time::Duration::from_secs(seconds));
    }

    fn provider(&self) -> PostgresProvider {
        PostgresProvider::new(ProgramRunner::new(self.folder.path().join("runs")))
    }

    async fn run(&self, name: &str, with: Value) -> Result<Map<String, Value>, Failure> {
        match self.provider().start(&action(name, with), &self.context).await? {
            Started::Done(outputs) => Ok(outputs),
            Started::Handle(handle) => panic!("still under way: {handle}"),
        }
    }

    async fn observe(&self, name: &str, with: Value) -> Observation {
        self.provider().observe(&action(name, with), &self.context, None).await
    }

    async fn prepare(&mut self, name: &str, with: Value) {
        self.context.prepared = self.provider().prepare(&action(name, with), &self.context).await.unwrap();
    }

    fn primary(&self) -> String {
        self.pair.primary.connection()
    }

    fn standby(&self) -> String {
        self.pair.standby.connection()
    }

    fn fence_by_stopping(&self) -> Value {
        json!({
            "primary": self.primary(), "method": "stop",
            "stop_command": self.pair.primary.stop_command(),
            "start_command": self.pair.primary.start_command(),
        })
    }

    fn rejoin(&self) -> Value {
        json!({
            "data_directory": self.pair.primary.data(),
            "rewind_command": self.pair.primary.rewind_command(&self.pair.standby),
            "start_command": self.pair.primary.start_command(),
            "standby": self.primary(),
        })
    }
}

#[tokio::test]
async fn an_idle_pair_has_no_lag_and_a_lost_primary_shows() {
    let fixture = Fixture::new().await;
    fixture.pair.primary.run("CREATE TABLE t (id int)").await;
    fixture.pair.wait_until_replayed().await;
    // Whatever the primary writes by itself meanwhile is replayed within the time allowed.
    let with = json!({"standby": fixture.standby(), "primary": fixture.primary(), "max_lag": "10s"});
    let outputs = fixture.run("postgres.check_replication", with.clone()).await.unwrap();
    assert_eq!((&outputs["in_recovery"], &outputs["streaming"]), (&json!(true), &json!(true)));
    assert_eq!(outputs["lag_ms"], 0, "an idle primary is no lag: {outputs:?}");
    assert_eq!(outputs["lag_bytes"], 0);

    let reversed = json!({"standby": fixture.primary(), "max_lag": "10s"});
    let failure = fixture.run("postgres.check_replication", reversed).await.unwrap_err();
    assert!(failure.message.contains("not a standby"), "{failure}");

    fixture.pair.primary.kill9();
    let strict = json!({"standby": fixture.standby(), "primary": fixture.primary(), "max_lag": "1ms"});
    let failure = loop {
        match fixture.run("postgres.check_replication", strict.clone()).await {
            Ok(outputs) => assert_eq!(outputs["streaming"], true, "the receiver has not noticed yet"),
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.class, FailureClass::Transient);
    assert!(failure.message.contains("receives nothing"), "{failure}");
}

#[tokio::test]
async fn a_standby_is_promoted_once_and_doubt_about_it_is_resolved_by_its_role() {
    let fixture = Fixture::new().await;
    let with = json!({"standby": fixture.standby()});
    assert_eq!(fixture.observe("postgres.promote", with.clone()).await, Observation::NotApplied);
    let write = json!({"connection": fixture.standby(), "sql": "CREATE TABLE t (id int)", "write": true});
    let failure = fixture.run("postgres.query", write.clone()).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent);
    assert!(failure.message.contains("25006") && failure.message.contains("still a standby"), "{failure}");

    fixture.pair.primary.kill9();
    let outputs = fixture.run("postgres.promote", with.clone()).await.unwrap();
    assert_eq!(Value::Object(outputs), json!({"timeline": 2, "already": false}));
    fixture.run("postgres.query", write).await.unwrap();
    let again = fixture.run("postgres.promote", with.clone()).await.unwrap();
    assert_eq!(Value::Object(again), json!({"timeline": 2, "already": true}));
    assert!(matches!(fixture.observe("postgres.promote", with.clone()).await, Observation::Applied(_)));

    let lost = json!({"standby": fixture.primary()});
    assert!(matches!(fixture.observe("postgres.promote", lost.clone()).await, Observation::Unknown(_)));
    let failure = fixture.run("postgres.promote", lost).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unreachable);
}

#[tokio::test]
async fn a_fence_by_stopping_is_confirmed_and_can_be_undone() {
    let mut fixture = Fixture::new().await;
    let with = fixture.fence_by_stopping();
    fixture.prepare("postgres.fence", with.clone()).await;
    assert_eq!(fixture.observe("postgres.fence", with.clone()).await, Observation::NotApplied);
    let outputs = fixture.run("postgres.fence", with.clone()).await.unwrap();
    assert_eq!(Value::Object(outputs.clone()), json!({"confirmed": true, "advisory": false}));
    assert_eq!(fixture.observe("postgres.fence", with.clone()).await, Observation::Applied(outputs));

    fixture.context.direction = Direction::Undo;
    fixture.context.attempt = 2;
    assert_eq!(fixture.observe("postgres.fence", with.clone()).await, Observation::NotApplied);
    fixture.run("postgres.fence", with.clone()).await.unwrap();
    fixture.pair.primary.run("CREATE TABLE back (id int)").await;
    assert!(matches!(fixture.observe("postgres.fence", with).await, Observation::Applied(_)));
}

#[tokio::test]
async fn a_dead_primary_cannot_be_fenced_and_a_standby_must_not_be() {
    let mut fixture = Fixture::new().await;
    let mut standby = fixture.fence_by_stopping();
    standby["primary"] = json!(fixture.standby());
    for method in ["stop", "read_only"] {
        standby["method"] = json!(method);
        let failure = fixture.run("postgres.fence", standby.clone()).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Refused, "{failure}");
    }
    fixture.pair.primary.number("SELECT 1::bigint").await;

    let no_command = json!({"primary": fixture.primary(), "method": "stop"});
    assert_eq!(
        fixture.run("postgres.fence", no_command.clone()).await.unwrap_err().class,
        FailureClass::Permanent
    );
    fixture.pair.primary.kill9();
    let mut failing = fixture.fence_by_stopping();
    failing["stop_command"] = json!(["/bin/sh", "-c", "echo no power; exit 1"]);
    let read_only = json!({"primary": fixture.primary(), "method": "read_only"});
    fixture.prepare("postgres.fence", failing.clone()).await;
    for with in [no_command, read_only, failing.clone()] {
        let failure = fixture.run("postgres.fence", with.clone()).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Unreachable, "{failure}");
        assert!(failure.message.contains("could not be fenced: not reachable"), "{failure}");
        assert_eq!(
            fixture.observe("postgres.fence", with).await,
            Observation::NotApplied,
            "never taken for fenced"
        );
    }
    let failure = fixture.run("postgres.fence", failing.clone()).await.unwrap_err();
    assert!(failure.message.contains("no power"), "{failure}");
    failing["stop_command"] = json!(["/bin/true"]);
    let outputs = fixture.run("postgres.fence", failing).await.unwrap();
    assert_eq!(outputs["confirmed"], true, "somebody with a key to the power has said so");
}

#[tokio::test]
async fn a_stop_command_that_lies_is_found_out() {
    let fixture = Fixture::new().await;
    let mut with = fixture.fence_by_stopping();
    with["stop_command"] = json!(["/bin/sh", "-c", "exit 3"]);
    let failure = fixture.run("postgres.fence", with.clone()).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::InDoubt, "{failure}");
    assert_eq!(fixture.observe("postgres.fence", with).await, Observation::NotApplied);
}

#[tokio::test]
async fn a_read_only_fence_is_advisory_ends_sessions_and_can_be_undone() {
    let mut fixture = Fixture::new().await;
    let with = json!({"primary": fixture.primary(), "method": "read_only"});
    let open = fixture.pair.primary.client().await;
    fixture.prepare("postgres.fence", with.clone()).await;
    let outputs = fixture.run("postgres.fence", with.clone()).await.unwrap();
    assert_eq!(Value::Object(outputs), json!({"confirmed": false, "advisory": true}));
    assert!(open.batch_execute("SELECT 1").await.is_err(), "the session was ended");
    let write = json!({"connection": fixture.primary(), "sql": "CREATE TABLE t (id int)", "write": true});
    let failure = fixture.run("postgres.query", write.clone()).await.unwrap_err();
    assert!(failure.message.contains("25006"), "{failure}");
    assert!(matches!(fixture.observe("postgres.fence", with.clone()).await, Observation::Applied(_)));

    fixture.context.direction = Direction::Undo;
    fixture.run("postgres.fence", with.clone()).await.unwrap();
    assert!(matches!(fixture.observe("postgres.fence", with).await, Observation::Applied(_)));
    fixture.context.direction = Direction::Do;
    fixture.run("postgres.query", write).await.unwrap();
}

#[tokio::test]
async fn an_old_primary_that_diverged_and_crashed_rejoins() {
    let fixture = Fixture::new().await;
    let (primary, standby) = (&fixture.pair.primary, &fixture.pair.standby);
    primary.run("CREATE TABLE t (id int)").await;
    fixture.pair.wait_until_replayed().await;
    primary.kill9();
    fixture.run("postgres.promote", json!({"standby": fixture.standby()})).await.unwrap();
    standby.run("INSERT INTO t SELECT generate_series(1, 10); CHECKPOINT").await;
    primary.start();
    primary.run("INSERT INTO t SELECT generate_series(1, 500)").await;

    let failure = fixture.run("postgres.rejoin", fixture.rejoin()).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused, "it runs as a primary: {failure}");
    assert_eq!(primary.number("SELECT count(*) FROM t").await, 500);
    primary.kill9();

    let mut failing = fixture.rejoin();
    failing["rewind_command"] = json!(["/bin/sh", "-c", "echo source is gone >&2; exit 1"]);
    let failure = fixture.run("postgres.rejoin", failing.clone()).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent, "{failure}");
    assert!(
        failure.message.contains("source is gone") && failure.message.contains("standby.signal"),
        "{failure}"
    );
    assert!(Path::new(primary.data()).join("standby.signal").exists());
    assert_eq!(fixture.observe("postgres.rejoin", failing).await, Observation::NotApplied);

    let outputs = fixture.run("postgres.rejoin", fixture.rejoin()).await.unwrap();
    assert_eq!(Value::Object(outputs.clone()), json!({"in_recovery": true, "streaming": true}));
    assert_eq!(primary.number("SELECT count(*) FROM t").await, 10, "what diverged is gone");
    assert_eq!(
        fixture.observe("postgres.rejoin", fixture.rejoin()).await,
        Observation::Applied(outputs.clone())
    );
    assert_eq!(
        fixture.run("postgres.rejoin", fixture.rejoin()).await.unwrap(),
        outputs,
        "a second time does nothing"
    );

    // A rewound server has replayed beyond what its receiver brought: on an idle pair that is no lag.
    let lag = json!({"standby": fixture.primary(), "primary": fixture.standby()});
    let begun = std::time::Instant::now();
    loop {
        let outputs = fixture.run("postgres.check_replication", lag.clone()).await.unwrap();
        if outputs["lag_ms"] == 0 {
            break;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{outputs:?}");
    }
}

#[tokio::test]
async fn a_rewind_that_ended_unwatched_is_not_done_again() {
    let fixture = Fixture::new().await;
    let (primary, standby) = (&fixture.pair.primary, &fixture.pair.standby);
    primary.run("CREATE TABLE t (id int)").await;
    fixture.pair.wait_until_replayed().await;
    primary.kill9();
    fixture.run("postgres.promote", json!({"standby": fixture.standby()})).await.unwrap();
    standby.run("INSERT INTO t SELECT generate_series(1, 10); CHECKPOINT").await;
    let rewind: Vec<String> = serde_json::from_value(fixture.rejoin()["rewind_command"].clone()).unwrap();
    // The killed server holds its directory until init has waited for it.
    until("the rewind succeeds", || {
        std::process::Command::new(&rewind[0]).args(&rewind[1..]).output().unwrap().status.success()
    })
    .await;

    let mut again = fixture.rejoin();
    again["rewind_command"] = json!(["/bin/sh", "-c", "echo a second rewind >&2; exit 1"]);
    fixture.run("postgres.rejoin", again).await.unwrap();
    standby.run("INSERT INTO t VALUES (11)").await;
    let begun = std::time::Instant::now();
    while primary.number("SELECT count(*) FROM t").await != 11 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "the rejoined server does not follow");
    }
}

#[tokio::test]
async fn a_rewind_that_was_cut_off_is_never_done_again() {
    let mut fixture = Fixture::new().await;
    fixture.pair.primary.kill9();
    fixture.run("postgres.promote", json!({"standby": fixture.standby()})).await.unwrap();
    let mut slow = fixture.rejoin();
    let begun = fixture.folder.path().join("begun");
    let pid = || std::fs::read_to_string(&begun).ok()?.trim().parse::<i32>().ok();
    slow["rewind_command"] =
        json!(["/bin/sh", "-c", format!("echo $$ > {}; exec sleep 600", begun.display())]);
    let cut_off = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        tokio::select! {
            outcome = fixture.run("postgres.rejoin", slow.clone()) => panic!("{outcome:?}"),
            () = until("the rewind has begun", || pid().is_some()) => {}
        }
    });
    cut_off.await.unwrap();
    let observed = fixture.observe("postgres.rejoin", slow.clone()).await;
    assert!(matches!(observed, Observation::InProgress(_)), "{observed:?}");
    let group = rustix::process::Pid::from_raw(pid().unwrap()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    while rustix::process::test_kill_process(group).is_ok() {
        tokio::task::yield_now().await;
    }

    fixture.context.attempt = 2;
    let failure = fixture.run("postgres.rejoin", fixture.rejoin()).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Permanent, "{failure}");
    assert!(failure.message.contains("pg_basebackup"), "{failure}");
}

#[tokio::test]
async fn a_primary_stopped_in_order_rejoins_without_loss() {
    let fixture = Fixture::new().await;
    fixture.pair.primary.run("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    fixture.pair.primary.stop();
    fixture.run("postgres.promote", json!({"standby": fixture.standby()})).await.unwrap();
    fixture.pair.standby.run("INSERT INTO t VALUES (2); CHECKPOINT").await;
    let outputs = fixture.run("postgres.rejoin", fixture.rejoin()).await.unwrap();
    assert_eq!(Value::Object(outputs), json!({"in_recovery": true, "streaming": true}));
    assert_eq!(fixture.pair.standby.number("SELECT count(*) FROM t").await, 2);
}

#[tokio::test]
async fn a_standby_that_receives_nothing_has_not_rejoined() {
    let mut fixture = Fixture::new().await;
    fixture.pair.primary.stop();
    fixture.run("postgres.promote", json!({"standby": fixture.standby()})).await.unwrap();
    fixture.pair.standby.run("CHECKPOINT").await;
    // Rewound in order, and told to follow a server that is not there.
    let mut lost = fixture.rejoin();
    let argv: Vec<String> = serde_json::from_value(lost["rewind_command"].clone()).unwrap();
    let elsewhere =
        r#""$@" && echo "primary_conninfo = 'host=127.0.0.1 port=1'" >> "$0"/postgresql.auto.conf"#;
    let shell = ["/bin/sh", "-c", elsewhere, fixture.pair.primary.data()].map(str::to_owned);
    lost["rewind_command"] = json!([&shell[..], &argv[..]].concat());

    fixture.ends_in(5);
    let failure = fixture.run("postgres.rejoin", lost.clone()).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Transient, "{failure}");
    assert!(failure.message.contains("receives nothing"), "{failure}");
    assert!(failure.message.contains("standby.signal"), "{failure}");
    assert_eq!(fixture.observe("postgres.rejoin", lost.clone()).await, Observation::NotApplied);
    fixture.ends_in(2);
    let failure = fixture.run("postgres.rejoin", lost.clone()).await.unwrap_err();
    assert!(failure.message.contains("receives nothing"), "a second attempt is no better: {failure}");

    // Told where its primary is, it follows, and the next attempt only has to wait for that.
    fixture.ends_in(60);
    let client = fixture.pair.primary.client().await;
    let conninfo = fixture.pair.standby.connection();
    client.execute(&format!("ALTER SYSTEM SET primary_conninfo = '{conninfo}'"), &[]).await.unwrap();
    client.execute("SELECT pg_reload_conf()", &[]).await.unwrap();
    let outputs = fixture.run("postgres.rejoin", lost).await.unwrap();
    assert_eq!(Value::Object(outputs), json!({"in_recovery": true, "streaming": true}));
}

#[tokio::test]
async fn a_rewind_that_outlives_drctl_is_followed_and_not_started_beside() {
    let (context, _switch) = context();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("PG_VERSION"), "15").unwrap();
    let script =
        format!("cd {}; echo >> begun; while [ ! -e go ]; do sleep 0.02; done", folder.path().display());
    let rejoin = action(
        "postgres.rejoin",
        json!({
            "data_directory": data,
            "rewind_command": ["/bin/sh", "-c", script],
            "start_command": ["/bin/false"],
            "standby": "host=127.0.0.1 port=1 user=u",
        }),
    );
    let provider = || PostgresProvider::new(ProgramRunner::new(folder.path().join("runs")));
    let first = provider();
    let mut attempt = first.start(&rejoin, &context);
    let begun = folder.path().join("begun");
    tokio::select! {
        outcome = &mut attempt => panic!("ended before the crash: {outcome:?}"),
        () = until("the rewind has begun", || begun.exists()) => {}
    }
    drop(attempt);
    let Observation::InProgress(handle) = provider().observe(&rejoin, &context, None).await else {
        panic!("the rewind lives");
    };
    assert!(matches!(provider().poll(&rejoin, &context, &handle).await, Ok(Polled::Pending(_))));
    std::fs::write(folder.path().join("go"), "").unwrap();
    let failure = loop {
        match provider().poll(&rejoin, &context, &handle).await {
            Ok(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.class, FailureClass::InDoubt);
    assert_eq!(provider().observe(&rejoin, &context, Some(&handle)).await, Observation::NotApplied);
}

#[tokio::test]
async fn heartbeats_written_on_the_primary_are_the_recovery_point_of_the_standby() {
    let fixture = Fixture::new().await;
    let read = json!({"connection": fixture.standby()});
    let failure = fixture.run("postgres.heartbeat", read.clone()).await.unwrap_err();
    assert!(failure.message.contains("42P01") && failure.message.contains("task: beat"), "{failure}");
    for _ in 0..2 {
        let beat = json!({"connection": fixture.primary(), "task": "beat"});
        fixture.run("postgres.heartbeat", beat).await.unwrap();
    }
    fixture.pair.wait_until_replayed().await;
    let outputs = fixture.run("postgres.heartbeat", read).await.unwrap();
    let at: Timestamp = outputs["recovery_point_at"].as_str().unwrap().parse().unwrap();
    let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    assert!(now.since(at).as_millis() < 60_000, "{outputs:?}");
    assert!(outputs["lag_ms"].as_u64().unwrap() < 60_000);
    let bad = json!({"connection": fixture.primary(), "table": "x; DROP TABLE y", "task": "beat"});
    assert_eq!(fixture.run("postgres.heartbeat", bad).await.unwrap_err().class, FailureClass::Permanent);
}

#[tokio::test]
async fn queries_return_rows_as_objects_and_bind_their_values() {
    let mut fixture = Fixture::new().await;
    let connection = fixture.primary();
    let query = |sql: &str, values: Value, write: bool| {
        let connection = &connection;
        json!({"connection": connection, "sql": sql, "values": values, "write": write})
    };
    let sql = "SELECT $1::int + 1 AS i, $2 || '!' AS t, 1.10::numeric AS n, true AS b, \
               '{\"a\": [1]}'::jsonb AS j, \
               '2026-11-21 10:00:00+00'::timestamptz AS at, '0/16B3748'::pg_lsn AS lsn, ARRAY[1,2] AS list, \
               NULL::int AS nothing, 0.5::float8 AS f -- a comment";
    let outputs = fixture.run("postgres.query", query(sql, json!([41, "a'b"]), false)).await.unwrap();
    let row = json!({"i": 42, "t": "a'b!", "n": "1.10", "b": true, "j": {"a": [1]},
                     "at": "2026-11-21 10:00:00+00",
                     "lsn": "0/16B3748", "list": "{1,2}", "nothing": null, "f": 0.5});
    assert_eq!(Value::Object(outputs), json!({"rows": [row], "row_count": 1}));

    let run = async |sql: &str, values: Value, write: bool| {
        fixture.run("postgres.query", query(sql, values, write)).await
    };
    let failure = run("CREATE TABLE t (id int, at timestamptz)", json!([]), false).await.unwrap_err();
    assert!(failure.message.contains("25006"), "a read changes nothing: {failure}");
    assert_eq!(
        run("CREATE TABLE t (id int, at timestamptz)", json!([]), true).await.unwrap()["row_count"],
        0
    );
    let inserted =
        run("INSERT INTO t VALUES ($1, $2), (2, NULL) RETURNING id, at;", json!([1, "2026-01-01"]), true)
            .await
            .unwrap();
    assert_eq!(inserted["rows"][0], json!({"id": 1, "at": "2026-01-01 00:00:00+00"}));
    assert_eq!(run("UPDATE t SET id = id + 1", json!([]), true).await.unwrap()["row_count"], 2);
    assert_eq!(run("CHECKPOINT", json!([]), true).await.unwrap()["row_count"], 0);
    let many = run("SELECT generate_series(1, 5000) AS n", json!([]), false).await.unwrap();
    assert_eq!((many["rows"].as_array().unwrap().len(), many.contains_key("drctl_note")), (1_000, true));
    for (sql, values) in [
        ("SELECT 1; SELECT 2", json!([])),
        ("SELECT $1", json!([])),
        ("SELEC 1", json!([])),
        ("SELECT $1::int", json!(["x"])),
    ] {
        let failure = run(sql, values, true).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::Permanent, "{sql}: {failure}");
    }

    fixture.context.sensitive = true;
    let secret =
        json!({"connection": fixture.primary(), "sql": "SELECT $1::text AS s", "values": ["hunter2"]});
    let outputs = fixture.run("postgres.query", secret).await.unwrap();
    assert_eq!(Value::Object(outputs), json!({"row_count": 1}));
    let secret = json!({"connection": fixture.primary(), "sql": "SELECT $1::int", "values": ["hunter2"]});
    let failure = fixture.run("postgres.query", secret).await.unwrap_err();
    assert!(!failure.message.contains("hunter2"), "{failure}");
}

#[tokio::test]
async fn a_write_whose_session_ends_is_in_doubt_and_a_read_is_not() {
    let fixture = Fixture::new().await;
    for (write, class) in [(true, FailureClass::InDoubt), (false, FailureClass::Transient)] {
        let with =
            json!({"connection": fixture.primary(), "sql": "SELECT pg_sleep(30)::text", "write": write});
        let end = async {
            let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE query LIKE '%pg_sleep(30)%' \
                       AND wait_event = 'PgSleep' AND pid <> pg_backend_pid()";
            while fixture.pair.primary.number(sql).await == 0 {}
        };
        let (outcome, ()) = tokio::join!(fixture.run("postgres.query", with), end);
        assert_eq!(outcome.unwrap_err().class, class);
    }
}

#[tokio::test]
async fn a_connection_string_never_shows() {
    let (context, _switch) = context();
    let folder = tempfile::tempdir().unwrap();
    let provider = PostgresProvider::new(ProgramRunner::new(folder.path().to_owned()));
    for (connection, shown) in [
        ("host=127.0.0.1 password=hunter2 hunter2 port=x", "connection string cannot be read"),
        ("host=127.0.0.1 unknown_hunter2=1", "connection string cannot be read"),
        ("password=hunter2", "names no host"),
        ("postgresql://u:hunter2@127.0.0.1:1/db", "127.0.0.1:1/db"),
        ("host=127.0.0.1 port=1 password=hunter2 sslmode=require user=u", "127.0.0.1:1/u"),
    ] {
        let check = action("postgres.query", json!({"connection": connection, "sql": "SELECT 1"}));
        let failure = provider.start(&check, &context).await.unwrap_err();
        assert!(failure.message.contains(shown) && !failure.message.contains("hunter2"), "{failure}");
    }
    let several = action("postgres.promote", json!({"standby": "host=a,b user=u"}));
    let failure = provider.start(&several, &context).await.unwrap_err();
    assert!(failure.message.contains("one host"), "{failure}");
}
