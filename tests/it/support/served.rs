//! Runs `drctl serve` in a folder of its own and speaks to it.

use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::Duration;

use reqwest::{Method, StatusCode};
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
}

impl Served {
    /// Starts it in a folder, and waits until it listens.
    pub(crate) fn start(drctl: &Drctl) -> Self {
        let mut child = drctl.spawn_talking("serve --listen 127.0.0.1:0");
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
        // Nobody reads on, but a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        // A connection that the server has closed after a refusal must not be used again.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = client.build().unwrap();
        Self { child, address, client }
    }

    /// A request with a token.
    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("http://{}{path}", self.address));
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

    /// Ends it without a word.
    pub(crate) fn kill9(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to end, and returns its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let id = i32::try_from(self.child.id()).unwrap();
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(id).unwrap(),
            rustix::process::Signal::TERM,
        )
        .unwrap();
        self.child.wait().unwrap().code()
    }
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
