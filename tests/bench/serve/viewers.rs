//! A thousand people who watch a fleet while it moves: what that costs the server, and whether anybody misses
//! an event or sees one twice.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Served, TOKEN};
use crate::shapes::{ms, round};

const VIEWERS: usize = 1_000;
const MEMBERS: usize = 9;

fn runbook(name: &str) -> String {
    let mut text = format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: {name}}}\n\
         sites: {{east: {{role: active}}, west: {{role: standby}}}}\nworkflows:\n  failover:\n    steps:\n"
    );
    for step in 0..20 {
        let with = format!("{{url: \"https://x.example/{step}\", method: POST, idempotent: true}}");
        writeln!(
            text,
            "      - {{id: s{step}, uses: http.request, with: {with}, estimate: 20s, drill: skip}}"
        )
        .unwrap();
    }
    text
}

/// 1,000 viewers of a fleet of nine services, every third of whom loses the connection after each few events.
pub(crate) async fn viewers(folder: &Path) -> Value {
    let folder = folder.join("viewers");
    std::fs::create_dir_all(folder.join("runbooks")).unwrap();
    let names: Vec<String> = (0..MEMBERS).map(|at| format!("svc-{at}")).collect();
    let mut fleet = String::from("apiVersion: drctl/v1\nkind: Fleet\nmetadata: {name: whole}\nmembers:\n");
    for name in &names {
        std::fs::write(folder.join(format!("runbooks/{name}.yaml")), runbook(name)).unwrap();
        writeln!(fleet, "  - {{id: {name}, runbook: {name}}}").unwrap();
    }
    std::fs::write(folder.join("runbooks/whole.yaml"), fleet).unwrap();
    let server = Arc::new(Served::start(&folder, "", true));
    let before = server.memory_mib("VmRSS:");
    let wanted = json!({"runbook": "whole", "operation": "failover", "simulate": {"times": 20}});
    let started: Value = server.post("/api/v1/runs", &wanted).send().await.unwrap().json().await.unwrap();
    let fleet = started["run"]["id"].as_str().unwrap_or_else(|| panic!("{started:#}")).to_owned();
    let runs = members(&server, &fleet).await;
    let (start, processor) = (Instant::now(), server.processor_s());
    let mut watching = tokio::task::JoinSet::new();
    for viewer in 0..VIEWERS {
        let (server, run) = (Arc::clone(&server), runs[viewer % runs.len()].clone());
        let breaks = (viewer % 3 == 0).then_some(3 + viewer % 7);
        watching.spawn(async move { (run.clone(), watch(&server, &run, breaks).await) });
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let during = server.memory_mib("VmRSS:");
    let seen = watching.join_all().await;
    let took = ms(start);
    let (mut wrong, mut events, mut connections) = (0, 0, 0);
    for (run, (ids, opened)) in &seen {
        let page = server.get(&format!("/api/v1/runs/{run}")).await;
        assert_eq!(page["status"], "succeeded", "{run}");
        let all: Vec<u64> = (1..=ids.len() as u64).collect();
        let longest = seen.iter().filter(|other| other.0 == *run).map(|other| other.1.0.len()).max();
        wrong += usize::from(*ids != all || Some(ids.len()) != longest);
        (events, connections) = (events + ids.len(), connections + opened);
    }
    json!({
        "viewers": VIEWERS, "runs": runs.len(), "events_seen": events, "connections": connections,
        "viewers_that_missed_or_doubled": wrong, "seconds": round(took / 1_000.0),
        "processor_share": round((server.processor_s() - processor) / took * 1_000.0),
        "memory_before_mib": before, "memory_during_mib": during, "peak_memory_mib": server.memory_mib("VmHWM:"),
        "kib_a_viewer": round((during - before) * 1_024.0 / VIEWERS as f64),
    })
}

/// The fleet and its members, once all of them are under way.
async fn members(server: &Served, fleet: &str) -> Vec<String> {
    for _ in 0..600 {
        let page = server.get("/api/v1/runs?children=true&simulated=true&limit=100").await;
        let runs = page["runs"].as_array().unwrap();
        if runs.len() == MEMBERS + 1 {
            return runs.iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the members of {fleet} do not begin")
}

/// Watches a run to its end: the ids that were seen, and how many connections it took.
async fn watch(server: &Served, run: &str, breaks: Option<usize>) -> (Vec<u64>, usize) {
    let (mut ids, mut opened): (Vec<u64>, usize) = (Vec::new(), 0);
    loop {
        opened += 1;
        let mut request = server.client.get(format!("{}/api/v1/runs/{run}/events", server.base));
        request = request.bearer_auth(TOKEN).header("accept", "text/event-stream");
        if let Some(last) = ids.last() {
            request = request.header("last-event-id", last.to_string());
        }
        let mut response = request.send().await.unwrap();
        let (mut text, mut here) = (String::new(), 0);
        while breaks.is_none_or(|most| here < most) {
            let Some(chunk) = response.chunk().await.unwrap() else { return (ids, opened) };
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let Some(id) = field("id: ").filter(|_| breaks.is_none_or(|most| here < most)) else {
                    continue;
                };
                ids.push(id.parse().unwrap());
                here += 1;
                if field("event: ") == Some("status_changed") && event.contains("\"succeeded\"") {
                    return (ids, opened);
                }
            }
        }
    }
}
