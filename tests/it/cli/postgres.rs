//! Commands on a journal in PostgreSQL.

use drctl::journal::{HolderFacts, OpenMode, PostgresJournal, PostgresUrl};

use crate::support::binary::Drctl;
use crate::support::postgres::{PostgresAlone, PostgresPair};

const RUNBOOK: &str = "\
apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay, title: Payments, owner: team}
sites:
  east: {role: active, provider: on_premises}
  west: {role: standby, provider: on_premises}
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: command.run, with: {argv: [/bin/true], idempotent: true}}
      - {id: promote, phase: promote, uses: command.run, with: {argv: [/bin/true], idempotent: true}}
      - {id: check, phase: validate, uses: command.run, with: {argv: [/bin/true], idempotent: true}}
";

#[test]
fn a_run_its_evidence_and_its_upkeep_on_postgres() {
    let alone = PostgresAlone::start();
    let drctl = Drctl::with(&[("runbooks/pay.yaml", RUNBOOK)]);
    let url = alone.server.url("postgres").replace("postgres@", "postgres:hunter2@");
    let run = |line: &str| {
        let output = drctl.run_with(&[("DRCTL_JOURNAL", &url)], line);
        let said = output.stdout + &output.stderr;
        assert!(!said.contains("hunter2"), "`{line}` shows the password: {said}");
        (output.code, said)
    };
    let ok = |line: &str| {
        let (code, said) = run(line);
        assert_eq!(code, 0, "{line}: {said}");
        said
    };
    let expect = |line: &str, text: &str| {
        let said = ok(line);
        assert!(said.contains(text), "{line}: {said}");
    };
    let none = run("runs list");
    assert!(none.0 == 10 && none.1.contains("there is no journal here"), "{none:?}");
    expect("doctor", "the first command that writes makes it");
    let still = run("runs list");
    assert!(still.1.contains("there is no journal here"), "the doctor has made one: {still:?}");
    ok("failover pay --yes --confirm pay:west --accept-loss unmeasured --reason test");
    expect("runs list", "succeeded");
    expect("service show pay", "west");
    assert!(run("status").1.contains("quarantined since"), "it has no history");
    expect("journal verify", "sound");
    // The server of the tests runs without fsync, and that is said.
    let (_, doctor) = run("doctor");
    assert!(doctor.contains("NOT DURABLE") && doctor.contains("one round trip each"), "{doctor}");
    ok("journal backup saved.db");
    let saved = drctl.run("journal verify --journal saved.db");
    let verified = ok("journal verify");
    assert_eq!(saved.stdout, verified);
    expect(&format!("journal copy {url} sqlite:moved.db"), "copied and verified");
    let again = run(&format!("journal copy {url} sqlite:moved.db"));
    assert!(again.0 != 0 && again.1.contains("has records already"), "{again:?}");
    expect("journal prune --older-than 0d --reason old --yes", "pruned: 1 runs");
    expect("journal verify", "pruned");
    let typed = drctl.run("runs list --journal postgre://ann:hunter2@h/d");
    assert!(typed.code != 0 && !typed.stderr.contains("hunter2"), "{}", typed.stderr);
}

#[tokio::test]
async fn a_copy_into_postgres_that_is_killed_is_no_journal() {
    let alone = PostgresAlone::start();
    let drctl = Drctl::with(&[("runbooks/pay.yaml", RUNBOOK)]);
    let ok = |line: &str| {
        let output = drctl.run(line);
        assert_eq!(output.code, 0, "{line}: {}", output.stderr);
        output.stdout
    };
    ok("failover pay --yes --confirm pay:west --accept-loss unmeasured --reason test");
    let url = alone.server.url("postgres");
    let (line, server) = (format!("journal copy .drctl/journal.db {url}"), &alone.server);
    drop(PostgresJournal::open(&PostgresUrl::new(&url, None), HolderFacts::here("x"), OpenMode::ReadWrite));
    // It gets no further than behind the records: the list of runs cannot be written.
    let held = server.client().await;
    held.batch_execute("begin; lock table drctl.run in exclusive mode").await.unwrap();
    let mut child = drctl.spawn(&line);
    while server.number("select count(*) from drctl.event").await == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    held.batch_execute("rollback").await.unwrap();
    while server.number("select count(*) from pg_locks where locktype = 'advisory'").await > 0 {}
    for line in ["journal verify", "journal backup saved.db", "runs list", "doctor", "stop-all on --reason x"]
    {
        let refused = drctl.run(&format!("--journal {url} {line}"));
        let said = refused.stdout + &refused.stderr;
        assert!(refused.code != 0 && said.contains("copy that was not finished"), "{line}: {said}");
    }
    let onward = drctl.run(&format!("journal copy {url} onward.db"));
    assert!(onward.code == 10 && onward.stderr.contains("part of a journal"), "{}", onward.stderr);
    assert!(ok(&line).contains("copied and verified"));
    assert_eq!(ok("journal verify"), ok(&format!("--journal {url} journal verify")));
}

#[tokio::test]
async fn a_database_that_cannot_be_the_journal_is_told_as_what_it_is() {
    let pair = PostgresPair::start().await;
    pair.primary.run("create role ann login password 'hunter2'").await;
    pair.primary.run("create database other").await;
    let (mut lines, drctl) = (Vec::new(), Drctl::with(&[("runbooks/pay.yaml", RUNBOOK)]));
    let ours = pair.primary.url("postgres");
    let (other, standby) = (pair.primary.url("other"), pair.standby.url("postgres"));
    let told = |line: &str| {
        let output = drctl.run(line);
        assert!(!output.stderr.contains("hunter2"), "{line}: {}", output.stderr);
        (output.code, output.stdout + &output.stderr)
    };
    // An application has had the name before.
    let (client, connection) = tokio_postgres::connect(&other, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("create schema drctl; create table drctl.format(name text)").await.unwrap();
    assert_eq!(told(&format!("--journal {ours} stop-all on --reason x")).0, 0);
    lines.push((format!("--journal {other} journal verify"), 10, "is no journal's, but of something else"));
    lines.push((format!("--journal {other} stop-all on --reason x"), 10, "name another database"));
    pair.primary.run("create database taken").await;
    let taken = pair.primary.url("taken");
    let (client, connection) = tokio_postgres::connect(&taken, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("create schema drctl; create table drctl.orders(name text)").await.unwrap();
    lines.push((format!("--journal {taken} journal verify"), 10, "but of something else"));
    lines.push((format!("--journal {taken} stop-all on --reason x"), 10, "but of something else"));
    lines.push((format!("--journal {standby} stop-all on --reason x"), 10, "name the primary"));
    let torn = ours.replace("postgres@", "postgres:x/hunter2@");
    lines.push((format!("--journal {torn} journal verify"), 10, "%2F"));
    lines.push((format!("journal copy none.db {ours}"), 10, "the journal to copy: "));
    lines.push((format!("journal copy {ours} {other}"), 10, "the new journal: "));
    lines.push((format!("journal copy {ours} {ours}"), 7, "has records already"));
    lines.push((format!("journal copy {ours} copy.db"), 0, "1 record in 1 stream\n"));
    lines.push(("journal copy memory: half.db".to_owned(), 10, "the journal to copy: "));
    for (line, code, word) in lines {
        let (found, said) = told(&line);
        assert!(found == code && said.contains(word), "{line}: {found} {said}");
        assert!(!said.contains("--break-glass") || line.contains("stop-all"), "{line}: {said}");
    }
    assert!(!drctl.path("half.db").exists() && !drctl.path("half.db-wal").exists(), "half a copy is left");
    let words = drctl.run_words(&["--journal", "host=a password=hunter2", "journal", "verify"]);
    assert!(words.code == 2 && !words.stderr.contains("hunter2"), "{}", words.stderr);
}

#[tokio::test]
async fn the_doctor_changes_no_format_and_does_not_wait_for_a_standby_for_ever() {
    let alone = PostgresAlone::start();
    let (server, drctl) = (&alone.server, Drctl::new());
    let doctor = || {
        let output = drctl.run(&format!("--journal {} doctor", server.url("postgres")));
        (output.code, output.stdout + &output.stderr)
    };
    let stop = drctl.run(&format!("--journal {} stop-all on --reason x", server.url("postgres")));
    assert_eq!(stop.code, 0, "{}", stop.stderr);
    server.run("update drctl.format set version = 2").await;
    let (code, said) = doctor();
    assert!(code == 0 && said.contains("its format is older"), "{code}: {said}");
    assert_eq!(server.number("select version::bigint from drctl.format").await, 2);
    server.run("update drctl.format set version = 3").await;
    server.run("alter system set synchronous_standby_names = 'away'").await;
    server.run("select pg_reload_conf()").await;
    // Whoever cannot wait for that goes on with a journal of his own, as where there is no server at all.
    drctl.write("runbooks/pay.yaml", RUNBOOK);
    let line = "failover pay --yes --confirm pay:west --accept-loss unmeasured --reason x --break-glass";
    let glass = drctl.run(&format!("--journal {} {line}", server.url("postgres")));
    assert!(glass.code == 0 && glass.stderr.contains("BREAK GLASS"), "{}{}", glass.stdout, glass.stderr);
    // Twice: what the first has left on the server is in nobody's way.
    for _ in 0..2 {
        let (code, said) = doctor();
        assert!(code == 10 && said.contains("is a synchronous standby away?"), "{code}: {said}");
    }
}
