//! Nodes on one database, each with a folder and a network of its own.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{TOKEN, configuration};
use crate::support::binary::Drctl;
use crate::support::faulty::{Faulty, Weather};
use crate::support::postgres::PostgresServer;
use crate::support::served::{Served, answer};

/// A process that serves, what lies between it and the database, and where it lives.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) folder: Drctl,
    pub(super) served: Option<Served>,
    networks: Vec<Faulty>,
    url: String,
}

impl Node {
    /// Makes one; it serves not yet. `database`: with options, after the `/`.
    pub(super) fn new(name: &str, servers: &[&PostgresServer], database: &str, more: &str) -> Self {
        let folder = Drctl::with(&[("drctl.toml", &configuration(name, more))]);
        let networks: Vec<_> = servers.iter().map(|server| Faulty::before(server.port())).collect();
        let hosts: Vec<_> = networks.iter().map(|network| format!("127.0.0.1:{}", network.port())).collect();
        let url = format!("postgres://postgres@{}/{database}&application_name={name}", hosts.join(","));
        Self { name: name.to_owned(), folder, served: None, networks, url }
    }

    /// Begins to serve.
    pub(super) fn start(&mut self) {
        self.served = Some(Served::start_with(&self.folder, &[("DRCTL_JOURNAL", &self.url)]));
    }

    /// What serves.
    pub(super) fn served(&self) -> &Served {
        self.served.as_ref().unwrap()
    }

    /// Changes what its networks do.
    pub(super) fn turn(&self, weather: Weather) {
        self.networks.iter().for_each(|network| network.turn(weather));
    }

    /// What `drctl journal nodes` shows of its journal.
    pub(super) fn listed(&self) -> String {
        self.folder.run(&format!("--journal {} journal nodes", self.url)).stdout
    }

    /// Reads something.
    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.served().get(path, TOKEN).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body:#}");
        body
    }

    /// Starts a real run and returns its id; the same key starts it once.
    pub(super) async fn begin(&self, service: &str) -> String {
        let body = json!({"runbook": service, "operation": "failover", "reason": "test"});
        let request = self.served().request(Method::POST, "/api/v1/runs", TOKEN);
        let request = request.header("idempotency-key", format!("start-{service}")).json(&body);
        let (status, said) = answer(request).await;
        assert!(matches!(status, StatusCode::CREATED | StatusCode::OK), "{}: {service}: {said:#}", self.name);
        said["run"]["id"].as_str().unwrap().to_owned()
    }
}

/// Nodes on one database.
pub(super) fn nodes(count: usize, servers: &[&PostgresServer], database: &str, more: &str) -> Vec<Node> {
    (0..count).map(|n| Node::new(&format!("n{n}"), servers, database, more)).collect()
}

/// A service whose steps are asked of a target that checks fencing tokens.
pub(super) fn service(name: &str, target: &str, steps: usize) -> String {
    let mut text = format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: {name}}}\n\
         sites:\n  east: {{role: active}}\n  west: {{role: standby}}\nworkflows:\n  failover:\n    steps:\n"
    );
    for step in 0..steps {
        let with = format!("{{url: \"{target}/{name}/s{step}\", method: POST, idempotent: true}}");
        writeln!(text, "      - {{id: s{step}, uses: http.request, with: {with}, drill: skip}}").unwrap();
    }
    text
}

/// Waits until something is so.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, within: Duration, is: impl Fn() -> F) {
    let began = Instant::now();
    while !is().await {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
