//! Runs `drctl serve` in a folder of its own and speaks to it.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::binary::Drctl;

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that runs.
pub(crate) struct Served {
    child: Child,
    /// Address and port.
    address: String,
    client: reqwest::Client,
    /// What it has logged since.
    log: Arc<Mutex<String>>,
}

impl Served {
    /// Starts it in a folder, and waits until it listens.
    pub(crate) fn start(drctl: &Drctl) -> Self {
        Self::start_as(drctl, "127.0.0.1:0", &[])
    }

    /// As [`Served::start`], with more in its environment.
    pub(crate) fn start_with(drctl: &Drctl, environment: &[(&str, &str)]) -> Self {
        Self::start_as(drctl, "127.0.0.1:0", environment)
    }

    /// Starts it at an address.
    pub(crate) fn start_at(drctl: &Drctl, address: &str) -> Self {
        Self::start_as(drctl, address, &[])
    }

    fn start_as(drctl: &Drctl, address: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = drctl.spawn_talking(environment, &format!("serve --listen {address}"));
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said:?}")).unwrap();
            let told: Value = serde_json::from_str(&line).unwrap_or_default();
            if told["message"] == "listening" {
                break told["address"].as_str().unwrap().to_owned();
            }
            said.push(line);
        };
        // Whoever looks for a fault may want to read on; else nobody does, but a full pipe would stop it.
        let shown = super::switch("DRCTL_TEST_LOG").is_some();
        let log = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if shown {
                    tell(&line);
                }
                into.lock().unwrap().extend([&line, "\n"]);
            }
        });
        // A connection that the server has closed after a refusal must not be used again.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = client.build().unwrap();
        Self { child, address, client, log }
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it has logged since it listens.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Address and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A request with a token.
    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, self.url(path));
        if token.is_empty() { request } else { request.bearer_auth(token) }
    }

    /// Reads something.
    pub(crate) async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path, token)).await
    }

    /// Asks for something.
    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path, token).json(body)).await
    }

    /// Waits until a run fulfils a condition.
    pub(crate) async fn run_until(&self, run: &str, token: &str, is: impl Fn(&Value) -> bool) -> Value {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (status, view) = self.get(&format!("/api/v1/runs/{run}"), token).await;
            assert_eq!(status, StatusCode::OK, "{view}");
            if is(&view) {
                return view;
            }
            assert!(tokio::time::Instant::now() < until, "still {}: {view:#}", view["status"]);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, is: impl AsyncFn() -> bool) {
        let until = tokio::time::Instant::now() + PATIENCE;
        while !is().await {
            assert!(tokio::time::Instant::now() < until, "it never came");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Tells it to read its configuration again.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Ends it without a word.
    pub(crate) fn kill9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to end, and returns its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().unwrap().code()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

#[expect(clippy::print_stderr, reason = "for whoever looks for a fault")]
fn tell(line: &str) {
    eprintln!("{line}");
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body of an answer; what is no JSON is null.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.timeout(PATIENCE).send().await.unwrap();
    let status = response.status();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
}
