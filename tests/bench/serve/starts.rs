//! 200 runs of ten programs each, started over HTTP at once, beside the same work done in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drctl::providers::command::CommandProvider;
use serde_json::{Value, json};

use super::{Served, spread};
use crate::shapes::{journal, ms, one_run, round, runbook_text, runtime, services};

const RUNS: usize = 200;
const STEPS: usize = 10;

/// Starts them, and waits until the last is over.
pub(crate) async fn starts(folder: &Path) -> Value {
    let folder = folder.join("starts");
    std::fs::create_dir_all(folder.join("runbooks")).unwrap();
    let services = services(RUNS, &runbook_text(STEPS, false));
    for (plan, text) in &services {
        std::fs::write(folder.join(format!("runbooks/{}.yaml", plan.runbook.name)), text).unwrap();
    }
    let server = Arc::new(Served::start(&folder, "", true));
    let start = Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for (plan, _) in &services {
        let wanted =
            json!({"runbook": plan.runbook.name.as_str(), "operation": "failover", "reason": "bench"});
        let server = Arc::clone(&server);
        asked.spawn(async move {
            let start = Instant::now();
            let answered = server.post("/api/v1/runs", &wanted).send().await.unwrap();
            assert_eq!(answered.status().as_u16(), 201);
            ms(start)
        });
    }
    let answers = asked.join_all().await;
    let mut ended = 0;
    while ended < RUNS {
        let page = server.get("/api/v1/runs?limit=500").await;
        let runs = page["runs"].as_array().unwrap().iter();
        ended =
            runs.filter(|run| run["status"].as_str().is_some_and(|it| it.starts_with("succeeded"))).count();
        assert!(start.elapsed() < Duration::from_mins(5), "{ended} of {RUNS} ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let whole = ms(start);
    let (memory, processor) = (server.memory_mib("VmHWM:"), server.processor_s());
    drop(server);
    let here = in_process(&folder, services).await;
    json!({
        "runs": RUNS, "steps": STEPS, "answers": spread(answers), "ms": round(whole), "in_process_ms": round(here),
        "ratio": round(whole / here), "steps_per_second": ((RUNS * STEPS) as f64 / whole * 1_000.0).round(),
        "peak_memory_mib": memory, "processor_s": processor,
    })
}

/// The same runs, driven by this process.
async fn in_process(folder: &Path, services: Vec<(drctl::plan::Plan, String)>) -> f64 {
    let journal = journal(folder, "in-process");
    let provider = CommandProvider::new(folder.join("runs"), std::env::current_exe().unwrap());
    let runtime = runtime(journal, Arc::new(provider));
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for (plan, text) in services {
        let runtime = runtime.clone();
        tasks.spawn(async move { one_run(&runtime, plan, &text).await });
    }
    tasks.join_all().await;
    ms(start)
}
