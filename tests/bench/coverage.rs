//! What was exercised, out of thousands of runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use drctl::app;
use drctl::evidence::coverage::{Window, coverage};
use drctl::model::time::Timestamp;
use serde_json::{Value, json};

use crate::shapes::{Nothing, bound, compiled, journal, ms, one_run, round, runbook_text, runtime};

const RUNS: usize = 3_000;

/// Coverage of a service with 3,000 real runs of ten steps.
pub(crate) async fn covered(folder: &Path) -> Value {
    let text = runbook_text(10, false);
    let (runbook, plan) = (compiled(&text), bound(&text));
    let journal = journal(folder, "coverage");
    let runtime = runtime(Arc::clone(&journal), Arc::new(Nothing));
    for _ in 0..RUNS {
        one_run(&runtime, plan.clone(), &text).await;
    }
    let window = Window { since: Timestamp::from_millis(0), until: Timestamp::from_millis(i64::MAX) };
    let service = &runbook.metadata.name;
    let measure = async |most: usize| {
        let start = Instant::now();
        let history = app::newest(journal.as_ref(), service, window.since, most).await.unwrap();
        let loaded = ms(start);
        let start = Instant::now();
        let found = coverage(&runbook, &history.past(), window);
        assert_eq!(found.percent, Some(100));
        json!({"loaded": history.runs.len(), "load_ms": round(loaded), "count_ms": round(ms(start))})
    };
    json!({"runs": RUNS, "bounded": measure(app::LOADED).await, "all": measure(RUNS).await})
}
