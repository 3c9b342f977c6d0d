//! Commands on a journal in PostgreSQL.

use crate::support::binary::Drctl;
use crate::support::postgres::PostgresAlone;

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
