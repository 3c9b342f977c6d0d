//! The binary as a server: deliveries, viewers, and runs started over HTTP. The client runs on the same
//! machine and takes its part of it.

mod deliveries;
mod starts;
mod viewers;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::floor;
use crate::shapes::round;

pub(crate) use deliveries::deliveries;
pub(crate) use starts::starts;
pub(crate) use viewers::viewers;

/// A token of everybody's rights.
const TOKEN: &str = "drctl_bench";

/// A server in a folder of its own.
struct Served {
    child: Child,
    base: String,
    client: reqwest::Client,
}

impl Served {
    /// Starts it with a configuration beside what it needs anyway. `reuse`: connections are used again.
    fn start(folder: &Path, more: &str, reuse: bool) -> Self {
        let sha256 = drctl::journal::record::hex(&drctl::journal::record::digest(TOKEN.as_bytes()));
        let text = format!(
            "[server]\nrequests_per_second = 100000\nreadings_every = \"0s\"\nreadiness_every = \"0s\"\n\
             [[auth.tokens]]\nname = \"bench\"\nroles = [\"admin\"]\nsha256 = \"{sha256}\"\n{more}"
        );
        std::fs::write(folder.join("drctl.toml"), text).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_drctl"))
            .args(["--local", "serve", "--listen", "127.0.0.1:0"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let told: Value = serde_json::from_str(&line).ok()?;
                (told["message"] == "listening").then(|| told["address"].as_str().unwrap().to_owned())
            })
            .unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let client = reqwest::Client::builder();
        let client = if reuse { client } else { client.pool_max_idle_per_host(0) };
        Self { child, base: format!("http://{address}"), client: client.build().unwrap() }
    }

    async fn get(&self, path: &str) -> Value {
        let asked = self.client.get(format!("{}{path}", self.base)).bearer_auth(TOKEN);
        asked.send().await.unwrap().json().await.unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).bearer_auth(TOKEN).json(body)
    }

    /// A figure of the process from `/proc/<pid>/status`, in MiB.
    fn memory_mib(&self, name: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0 kB");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(f64::NAN);
        round(kib / 1_024.0)
    }

    /// Processor time that the process has taken so far, in seconds.
    fn processor_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        // utime and stime, in hundredths of a second.
        let ticks: f64 =
            fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().unwrap()).sum();
        ticks / 100.0
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Median, 99th percentile and worst of some times.
fn spread(mut times: Vec<f64>) -> Value {
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len() - 1)).copied().unwrap();
    let (p99, worst) = (at(99), at(100));
    json!({"median_ms": round(floor::median(times)), "p99_ms": round(p99), "worst_ms": round(worst)})
}
