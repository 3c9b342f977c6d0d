//! `drctl diff`.

use super::{PAY, session};
use crate::support::binary::Drctl;

/// The runbook of the other tests, and worse and other versions of it.
fn folder() -> Drctl {
    let mut worse = PAY.to_owned();
    for (from, to) in [
        (", idempotent: true", ""),
        ("        precheck: [{uses: postgres.check_replication, with: {standby: host=west}}]\n", ""),
        ("needs: [promote, scale]", "needs: [promote], on_failure: continue"),
        ("rto: 15m", "rto: 30m"),
    ] {
        assert!(worse.contains(from), "{from}");
        worse = worse.replace(from, to);
    }
    let longer = PAY.replace("metadata: {name: pay", "metadata: {name: pay, labels: {tier: '2'}");
    assert!(longer != PAY);
    Drctl::with(&[
        ("runbooks/pay.yaml", PAY),
        ("worse.yaml", &worse),
        ("label.yaml", &longer),
        ("broken.yaml", "kind: Runbook\n"),
        ("comment.yaml", &format!("# another comment\n{PAY}")),
    ])
}

#[test]
fn what_is_lost_is_said_and_fails_only_where_that_was_asked_for() {
    insta::assert_snapshot!(session(
        &folder(),
        &[
            &["diff", "pay", "worse.yaml"],
            &["diff", "pay", "worse.yaml", "--fail-on", "worse"],
            &["diff", "pay", "label.yaml", "--fail-on", "worse"],
            &["diff", "pay", "label.yaml", "--fail-on", "any"],
            &["diff", "pay", "comment.yaml", "--fail-on", "any"],
            &["diff", "pay", "worse.yaml", "--format", "markdown", "--operation", "failover"],
        ]
    ));
}

#[test]
fn programs_read_one_document() {
    let found = super::json(&folder(), "diff runbooks/pay.yaml worse.yaml -o json");
    assert_eq!(found["old"]["source"], "runbooks/pay.yaml");
    assert_ne!(found["old"]["digest"], found["new"]["digest"]);
    let lost = found["changes"].as_array().unwrap().iter().find(|it| it["topic"] == "observe").unwrap();
    let said = (&lost["weight"], &lost["sign"], &lost["subject"]);
    assert_eq!(said, (&"worse".into(), &"removed".into(), &"scale".into()));
    assert_eq!(lost["cases"][0]["operation"], "failover");
    assert!(found["worse"].as_u64().unwrap() >= 1);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    insta::assert_snapshot!(session(
        &folder(),
        &[
            &["diff", "pay", "broken.yaml"],
            &["diff", "-", "-"],
            &["diff", "pay", "nowhere.yaml"],
            &["diff", "pay", "label.yaml", "--from", "moon"],
            &["diff", "pay", "label.yaml", "--set", "tasks"],
        ]
    ));
}
