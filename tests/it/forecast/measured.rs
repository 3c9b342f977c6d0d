//! What earlier runs took.

use std::collections::BTreeMap;
use std::sync::Arc;

use drctl::journal::MemoryJournal;
use drctl::model::id::{NodeAddress, ServiceName};
use drctl::model::run::{Intent, Operation};
use drctl::model::time::Duration;
use drctl::plan::Plan;
use drctl::providers::simulated::Scenario;
use drctl::runtime;

use super::world::{Counting, bound, compiled, lived, runbook};

const STEPS: &str = "- {id: quick, uses: command.run, with: {argv: [quick]}, drill: skip, timeout: 1h}\n\
    - {id: slow, uses: command.run, with: {argv: [slow]}, drill: skip, timeout: 1h, retry: {attempts: 3}}\n\
    - {id: ask, uses: approval.request, with: {message: go}}\n\
    - {id: check, uses: http.check, with: {url: \"https://b.example\"}, phase: validate}";

fn plan(text: &str, intent: Intent) -> Plan {
    let mut plan = bound(&compiled(text), Operation::Failover, None, Intent::Simulate);
    plan.intent = intent;
    plan
}

fn scenario(seconds: u64, more: &str) -> Scenario {
    let text = format!(
        "apiVersion: drctl/v1\nkind: Scenario\nmetadata: {{name: s}}\napprovals: {{after: 45s}}\nrules:\n{more}\
         \x20 - {{match: {{node: slow}}, take: {seconds}s}}\n  - {{match: {{node: quick}}, take: 1s}}\n"
    );
    Scenario::parse(&text).unwrap()
}

fn took(plan: &Plan, history: &drctl::plan::History) -> BTreeMap<String, (u32, u64, u64)> {
    let of = |(address, it): (NodeAddress, drctl::plan::Measured)| {
        (address.to_string(), (it.samples, it.p50.as_millis(), it.p95.as_millis()))
    };
    history.of(plan).into_iter().map(of).collect()
}

#[tokio::test]
async fn only_real_runs_and_attempts_that_succeeded_count() {
    let text = runbook(STEPS);
    let journal = Arc::new(MemoryJournal::new());
    let ids = Arc::new(Counting(0.into()));
    for seconds in [100, 300, 200] {
        lived(
            Arc::clone(&journal),
            Arc::clone(&ids),
            plan(&text, Intent::Real),
            &text,
            &scenario(seconds, ""),
        )
        .await;
    }
    // The first attempt fails after a minute: what the second took counts, without that and the pause.
    let fails = "  - {match: {node: slow, attempt: 1}, take: 60s, fail: transient}\n";
    let real = plan(&text, Intent::Real);
    lived(Arc::clone(&journal), Arc::clone(&ids), real.clone(), &text, &scenario(400, fails)).await;
    // What nobody heard of took as long as somebody needed to look.
    let lost = "  - {match: {node: slow}, take: 1s, reply_lost: true, hang: true}\n";
    lived(Arc::clone(&journal), Arc::clone(&ids), real.clone(), &text, &scenario(1, lost)).await;
    let simulated = plan(&text, Intent::Simulate);
    lived(Arc::clone(&journal), Arc::clone(&ids), simulated, &text, &scenario(9_999, "")).await;

    let service = ServiceName::new("shop").unwrap();
    let history = runtime::history(journal.as_ref(), &service).await.unwrap();
    let took = took(&real, &history);
    assert_eq!(took["slow"], (4, 200_000, 400_000));
    assert_eq!(took["quick"].1, 1_000);
    assert_eq!((took["ask"].1, took["ask"].2), (45_000, 45_000));
    assert_eq!(took.len(), 4, "{took:?}");
    assert_eq!(history.runs, 5);

    // What does something else now, or goes the other way, was never measured.
    let other = text.replace(
        "uses: command.run, with: {argv: [slow]}",
        "uses: http.request, with: {method: POST, url: \"https://x.example\"}",
    );
    let other = plan(&other, Intent::Real);
    assert!(!history.of(&other).contains_key(&NodeAddress::typed("slow")));
    let back = Plan { operation: Operation::Failback, ..real.clone() };
    assert!(history.of(&back).is_empty());
    let none = runtime::history(journal.as_ref(), &ServiceName::new("other").unwrap()).await.unwrap();
    assert_eq!(none, drctl::plan::History::default());
    assert_eq!(
        Duration::from_secs(1),
        took.get("quick").map_or(Duration::ZERO, |it| Duration::from_millis(it.1))
    );
}

#[tokio::test]
async fn what_a_drill_did_in_place_of_a_step_is_no_history_of_the_step() {
    let text = runbook(STEPS);
    let journal = Arc::new(MemoryJournal::new());
    let ids = Arc::new(Counting(0.into()));
    let live = async |plan: &Plan, seconds| {
        let (journal, ids) = (Arc::clone(&journal), Arc::clone(&ids));
        lived(journal, ids, plan.clone(), &text, &scenario(seconds, "")).await;
    };
    let real = plan(&text, Intent::Real);
    live(&real, 3_000).await;
    let other = text.replace("argv: [slow]", "argv: [slow, \"--drill\"]");
    let replaced = plan(&other, Intent::Drill);
    live(&replaced, 1).await;
    let service = ServiceName::new("shop").unwrap();
    let history = runtime::history(journal.as_ref(), &service).await.unwrap();
    assert_eq!(took(&real, &history)["slow"], (1, 3_000_000, 3_000_000));
    // The same step with the same parameters was measured in the drill as well.
    assert_eq!(took(&real, &history)["quick"].0, 2);
    // Nor does the real step say how long the drill takes.
    let mut drill = replaced.clone();
    drill.drill = Some(drctl::plan::DrillPlan {
        level: drctl::model::drill::DrillLevel::Isolated,
        boundary: None,
        credentials: None,
        returns: false,
        attestation: None,
    });
    assert_eq!(took(&drill, &history)["slow"], (1, 1_000, 1_000));
    // A drill that ran the step as it is counts.
    live(&plan(&text, Intent::Drill), 1_000).await;
    let history = runtime::history(journal.as_ref(), &service).await.unwrap();
    assert_eq!(took(&real, &history)["slow"], (2, 1_000_000, 3_000_000));
}
