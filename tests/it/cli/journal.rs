//! `drctl journal`: verify, backup, export, prune.

use super::{json, runbook, session, simulated};
use crate::support::binary::Drctl;

#[test]
fn a_journal_is_verified_copied_and_exported() {
    let (drctl, run) = simulated();
    insta::assert_snapshot!(session(
        &drctl,
        &[
            &["journal", "verify"],
            &["journal", "prune", "--older-than", "1y"],
            &["journal", "prune", "--older-than", "1y", "--reason", "retention"],
            &["journal", "prune", "--older-than", "1y", "--reason", "retention", "--yes"],
        ]
    ));
    assert_eq!(drctl.run("journal backup copy.db").code, 0);
    assert_eq!(drctl.run("journal backup copy.db").code, 2, "a backup overwrites nothing");
    let copied = json(&drctl, &format!("runs show {run} -o json --journal copy.db"));
    assert_eq!(copied, json(&drctl, &format!("runs show {run} -o json")));

    let all = drctl.run("journal export").stdout;
    let positions: Vec<_> = all
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["position"].as_u64().unwrap())
        .collect();
    assert_eq!(positions, (1..=positions.len() as u64).collect::<Vec<_>>());
    let own = drctl.run(&format!("journal export --run {run}")).stdout;
    assert!(
        own.lines().count() < positions.len()
            && own.lines().all(|line| line.contains(&run) || line.contains("\"run/"))
    );
}

/// What was dropped on purpose is not damaged.
/// A name stands for a whole copy; nothing of what it was made of is left beside it.
#[test]
fn a_copy_has_its_name_once_it_is_whole() {
    let (drctl, _) = simulated();
    let beside = |file: &str| {
        let names = std::fs::read_dir(drctl.path("")).unwrap().map(|it| it.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(file)).count()
    };
    let copied = drctl.run("journal copy .drctl/journal.db copy.db");
    assert_eq!((copied.code, beside("copy")), (0, 1), "{}", copied.stderr);
    assert_eq!(drctl.run("journal backup saved.db").code, 0);
    assert_eq!(beside("saved"), 1, "one file, whole in itself");
    // A damaged journal has no copy, nor a part of one.
    let database = rusqlite::Connection::open(drctl.path(".drctl/journal.db")).unwrap();
    database.execute("update event set body = body || ' ' where sequence = 2", []).unwrap();
    drop(database);
    for line in ["journal copy .drctl/journal.db half.db", "journal backup half.db"] {
        let refused = drctl.run(line);
        assert_ne!(refused.code, 0, "{line}: {}", refused.stdout);
        assert_eq!(beside("half"), 0, "{line}");
    }
}

#[test]
fn a_pruned_run_is_said_to_be_pruned() {
    let drctl = super::moves::real();
    assert_eq!(drctl.run("failover pay --reason drill --accept-loss unmeasured").code, 0);
    let run = json(&drctl, "runs list -o json")[0]["id"].as_str().unwrap().to_owned();
    let pruned = drctl.run("journal prune --older-than 1ms --reason retention --yes");
    assert_eq!(pruned.code, 0, "{}", pruned.stderr);
    for command in ["runs show", "runs report", "runs events", "runs watch", "resume"] {
        let output = drctl.run(&format!("{command} {run}"));
        assert_eq!(output.code, 2, "{command}: {}", output.stderr);
        let told = format!("run {run} was pruned on 2");
        assert!(output.stderr.contains(&told) && !output.stderr.contains("damaged"), "{}", output.stderr);
    }
    assert_eq!(json(&drctl, "runs list -o json")[0]["status"], "succeeded");
    assert_eq!((drctl.run("journal verify").code, drctl.run(&format!("runs verify {run}")).code), (0, 0));
}

#[test]
fn damage_has_an_exit_code_of_its_own() {
    let (drctl, run) = simulated();
    // One letter of a recorded fact, changed behind drctl's back.
    let database = rusqlite::Connection::open(drctl.path(".drctl/journal.db")).unwrap();
    let changed = database
        .execute("update event set body = replace(body, 'east', 'aest') where position = 1", [])
        .unwrap();
    assert_eq!(changed, 1);
    drop(database);
    let verified = drctl.run("journal verify");
    assert_eq!(verified.code, 12, "{}{}", verified.stdout, verified.stderr);
    assert!(verified.stdout.contains("DAMAGED") && verified.stdout.contains(&run), "{}", verified.stdout);
    let shown = drctl.run(&format!("runs verify {run} -o json"));
    assert_eq!(shown.code, 12, "{}", shown.stdout);
    assert_eq!(shown.stdout, "");
    let error: serde_json::Value = serde_json::from_str(&shown.stderr).unwrap();
    assert_eq!(error["error"]["reason"], "journal_damaged");
}

/// Two journals would drive one run.
#[test]
fn a_run_that_is_driven_is_not_copied_unasked() {
    let work = "      - {id: work, uses: command.run, with: {argv: [sleep, '20']}, drill: run}\n";
    let drctl = Drctl::with(&[("runbooks/pay.yaml", &runbook("pay", work))]);
    let mut driver = drctl.spawn("failover pay --yes --confirm pay:west --reason x");
    let running = || drctl.run("runs list").stdout.contains("running");
    while !running() {
        assert!(driver.try_wait().unwrap().is_none());
    }
    let refused = drctl.run("journal copy .drctl/journal.db copy.db");
    assert_eq!(refused.code, 8, "{}", refused.stderr);
    for words in ["is being driven", "--while-driven", "drctl journal backup"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert!(!drctl.path("copy.db").exists());
    assert_eq!(drctl.run("journal backup saved.db").code, 0, "a copy to keep is no journal to drive");
    let copied = drctl.run("journal copy --while-driven .drctl/journal.db copy.db");
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    assert!(copied.stderr.contains("is being driven in the old journal"), "{}", copied.stderr);
    driver.kill().unwrap();
    driver.wait().unwrap();
    assert_eq!(drctl.run("journal copy .drctl/journal.db after.db").code, 0);
}
