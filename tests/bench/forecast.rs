//! How many runs of a plan the forecast lives in a second, on one core.

use std::time::Instant;

use drctl::forecast::{self, Conditions, Question};
use drctl::model::run::{Intent, Operation};
use drctl::plan::{self, Choices, History, PlanIndex};
use serde_json::{Value, json};

use crate::shapes::compiled;

const RUNS: u32 = 10_000;

/// Ten thousand failovers of the warm standby, with what each step is worth.
pub(crate) fn forecast() -> Value {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/runbooks/warm-standby.yaml")).unwrap();
    let choices = Choices {
        operation: Operation::Failover,
        mode: None,
        intent: Intent::Simulate,
        from: None,
        to: None,
        unready: std::collections::BTreeMap::new(),
        parameters: std::collections::BTreeMap::new(),
    };
    let plan = plan::bind(&compiled(&text), &choices).unwrap();
    let index = PlanIndex::new(&plan).unwrap();
    let scenarios = [Conditions::healthy(plan.nodes.len())];
    let history = History::default();
    let question = Question {
        plan: &plan,
        index: &index,
        scenarios: &scenarios,
        history: &history,
        runs: RUNS,
        seed: 1,
    };
    let begun = Instant::now();
    let report = forecast::study(&question);
    let seconds = begun.elapsed().as_secs_f64();
    json!({
        "nodes": plan.nodes.len(),
        "runs": RUNS,
        "seconds": seconds,
        "runs_per_second": f64::from(RUNS) / seconds,
        "p95_ms": report.scenarios[0].recovery_time.p95_ms,
    })
}
