//! From `kill -9` of the binary to the next effect of the process that takes over.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::floor;

const ROUNDS: usize = 15;

/// Kills a run of many short commands and resumes it at once: the time until the first effect under the new
/// fencing token, start-up of the process included.
pub(crate) fn kill() -> Value {
    let mut times = Vec::new();
    let mut starts = Vec::new();
    for round in 0..ROUNDS {
        let folder = tempfile::tempdir().unwrap();
        times.push(one(folder.path(), Duration::from_millis(20 + 10 * round as u64)));
        let start = Instant::now();
        drctl(folder.path(), &["--version"]).wait().unwrap();
        starts.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    let worst = times.iter().copied().fold(0.0, f64::max);
    json!({
        "kills": ROUNDS, "median_ms": floor::median(times), "worst_ms": worst,
        "version_ms": floor::median(starts),
    })
}

fn one(folder: &Path, after: Duration) -> f64 {
    std::fs::write(folder.join("pay.yaml"), runbook()).unwrap();
    let mut first = drctl(folder, &["failover", "pay.yaml", "--reason", "bench"]);
    wait(&folder.join("effects"), "1");
    sleep(after);
    let start = Instant::now();
    first.kill().unwrap();
    // Its locks are free once it is gone, not when the signal is sent.
    first.wait().unwrap();
    let mut second = drctl(folder, &["resume", "latest"]);
    wait(&folder.join("effects"), "2");
    let took = start.elapsed().as_secs_f64() * 1_000.0;
    second.kill().unwrap();
    second.wait().unwrap();
    took
}

/// Waits for an effect of the driver with that fencing token.
fn wait(path: &Path, token: &str) {
    let start = Instant::now();
    let is_there = || std::fs::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line == token));
    while !is_there() {
        assert!(start.elapsed() < Duration::from_secs(20), "no effect under token {token}");
        sleep(Duration::from_micros(200));
    }
}

fn drctl(folder: &Path, words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_drctl"))
        .arg("--local")
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn runbook() -> String {
    let steps = (0..2_000).map(|step| {
        format!(
            "      - {{id: s{step}, uses: command.run, with: {{argv: [/bin/sh, -c, 'echo $DRCTL_FENCING_TOKEN >> effects'], \
             idempotent: true}}, drill: run}}\n"
        )
    });
    let head = "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {name: pay}\nsites:\n  a: {role: active}\n  b: {role: standby}\n\
                workflows:\n  failover:\n    steps:\n";
    head.chars().chain(steps.collect::<String>().chars()).collect()
}
