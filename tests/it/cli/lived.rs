//! A journal as an earlier drctl has left it, with most kinds of facts: it opens, verifies and tells the same
//! for ever. `DRCTL_BLESS=1` writes the next one where a new kind of fact has none yet; those that are
//! there are never written again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::json;
use crate::support::binary::{Drctl, blesses};

/// How many there are. Raised with every kind of fact that none of them holds.
const LIVED: u32 = 1;

const PAY: &str = r#"apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
objectives: {rto: 15m}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: command.run, with: {argv: ["true"], idempotent: true}, drill: skip}
      - id: grow
        phase: scale
        uses: command.run
        with: {argv: ["true"], idempotent: true}
        undo: {uses: command.run, with: {argv: ["true"], idempotent: true}}
        drill: {boundary: trusted}
      - {id: shift, phase: shift, uses: command.run, with: {argv: ["true"], idempotent: true}, drill: skip}
      - {id: works, phase: validate, uses: wait.for, with: {duration: 1ms}}
      - {id: agree, phase: commit, uses: approval.request, drill: skip,
         with: {expires: 1h, roles: [operator]}}
drill:
  level: isolated
  boundary: {sites: [west]}
  inject:
    - id: break
      uses: command.run
      with: {argv: ["true"], idempotent: true}
      undo: {uses: command.run, with: {argv: ["true"], idempotent: true}}
      drill: {boundary: trusted}
  attestation: {}
  schedule: {cron: "30 2 * * SUN", timezone: Europe/Berlin, blackout: ["2027-04-01/2027-04-10"]}
"#;

fn fixture(number: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/journal/lived-{number}.db"))
}

fn drctl() -> Drctl {
    Drctl::with(&[("runbooks/pay.yaml", PAY), ("drctl.toml", "[roles]\noperator = [\"alice\"]\n")])
}

/// Lives through all of it, and keeps the journal.
fn live(to: &Path) {
    let drctl = drctl();
    let newest = || json(&drctl, "runs list -o json")[0]["id"].as_str().unwrap().to_owned();
    for (line, code) in [
        ("drill pay --reason first", 6),
        ("drill attest latest --pass --notes fine", 0),
        ("schedule run --now 2027-03-28T01:00:20Z", 6),
        ("drill attest latest --fail --notes slow", 4),
        ("schedule run --now 2027-04-04T00:30:20Z", 0),
        ("failover pay --stage --reason outage --confirm pay:west --accept-loss unmeasured", 6),
        ("start latest", 6),
        ("approve latest", 0),
        ("runs finding add latest slow --owner bob --due 2099-01-31", 0),
        ("runs finding close latest 1 --reason done", 0),
        ("stop-all on --reason audit", 0),
        ("stop-all off --reason over", 0),
        ("service set pay east --reason back", 0),
        ("check pay", 0),
        ("drill pay --level simulate", 0),
    ] {
        let line = line.replace("latest", &if line.contains("latest") { newest() } else { String::new() });
        let output = drctl.run(&line);
        assert_eq!(output.code, code, "{line}: {}{}", output.stdout, output.stderr);
    }
    let backup = drctl.run("journal backup lived.db");
    assert_eq!(backup.code, 0, "{}", backup.stderr);
    std::fs::copy(drctl.path("lived.db"), to).unwrap();
}

#[test]
fn a_journal_that_was_lived_opens_verifies_and_tells_the_same_for_ever() {
    let newest = fixture(LIVED);
    if blesses() && !newest.exists() {
        live(&newest);
    }
    for number in 1..=LIVED {
        let drctl = drctl();
        std::fs::create_dir_all(drctl.path(".drctl")).unwrap();
        std::fs::copy(fixture(number), drctl.path(".drctl/journal.db")).unwrap();
        let verified = drctl.run("journal verify");
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
        let (mut told, mut kinds) = (String::new(), BTreeSet::new());
        let all = json(&drctl, "runs list --limit 0 --simulated -o json");
        let all = [all, json(&drctl, "runs list --limit 0 -o json")];
        for run in all.iter().flat_map(|runs| runs.as_array().unwrap()) {
            let id = run["id"].as_str().unwrap();
            let shown = json(&drctl, &format!("runs show {id} -o json"));
            let line = [
                &run["intent"],
                &run["operation"],
                &shown["status"],
                &shown["clock"]["healthy_at"],
                &shown["clean"],
            ];
            told += &line.map(|field| field.to_string().replace('"', "")).join(" ");
            told.push('\n');
            for line in [format!("runs report {id}"), format!("replay {id}"), format!("runs verify {id}")] {
                let output = drctl.run(&line);
                assert_eq!(output.code, 0, "{line}: {}{}", output.stdout, output.stderr);
            }
            let events = drctl.run(&format!("runs events {id} -o json")).stdout;
            for kind in events.split("\"type\":").skip(1) {
                kinds.insert(kind.trim_start().split('"').nth(1).unwrap_or_default().to_owned());
            }
        }
        let kinds = kinds.into_iter().collect::<Vec<_>>().join(" ");
        let schedule = json(&drctl, "schedule list -o json")["schedules"][0]["last"].to_string();
        let service = json(&drctl, "service show pay -o json")["active"].to_string();
        insta::assert_snapshot!(format!("lived-{number}"), format!("{told}{kinds}\n{schedule}\n{service}\n"));
    }
}
