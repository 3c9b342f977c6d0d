//! Who serves is seen by all: over HTTP, in metrics, on the command line, and beside each run.

use std::time::Duration;

use drctl::ports::JournalAdmin as _;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::estate::{Node, nodes, service, until};
use super::target::Target;
use super::witness::Witness;
use super::{TOKEN, configuration};
use crate::support::binary::Drctl;
use crate::support::postgres::PostgresAlone;
use crate::support::served::Served;

const SERVICES: usize = 12;

fn of<'v>(listed: &'v Value, name: &str) -> &'v Value {
    let nodes = listed["nodes"].as_array().unwrap();
    nodes.iter().find(|node| node["name"] == name).unwrap_or_else(|| panic!("no {name}: {listed:#}"))
}

async fn metric(node: &Node, line: &str) -> bool {
    let response = node.served().request(Method::GET, "/metrics", "").send().await.unwrap();
    response.text().await.unwrap().lines().any(|found| found == line)
}

/// A run is driven by somebody, who is a node of this name.
fn is_driven_by(view: &Value, name: &str) -> bool {
    view["driver"].as_str().is_some_and(|driver| driver.starts_with(&format!("{name} (")))
}

#[tokio::test]
async fn a_lost_node_is_seen_and_its_runs_pass_to_the_others_in_time() {
    let server = PostgresAlone::start();
    server.server.run("create database listed").await;
    let target = Target::open(Duration::from_millis(800), Duration::ZERO, 0);
    let witness = Witness::begin(&server.server.url("listed")).await;
    let mut nodes = nodes(3, &[&server.server], "listed?lease_ttl=2s", "");
    for node in &mut nodes {
        for n in 0..SERVICES {
            let name = format!("shop{n}");
            node.folder.write(&format!("runbooks/{name}.yaml"), &service(&name, target.url(), 10));
        }
        node.start();
    }
    let mut runs = Vec::new();
    for n in 0..SERVICES {
        runs.push(nodes[0].begin(&format!("shop{n}")).await);
    }
    let listed = nodes[1].get("/api/v1/nodes").await;
    assert_eq!(listed["nodes"].as_array().unwrap().len(), 3, "{listed:#}");
    let first = of(&listed, "n0");
    assert_eq!((&first["driving"], &first["up"]), (&SERVICES.into(), &true.into()), "{listed:#}");
    assert_eq!(first["version"], env!("CARGO_PKG_VERSION"));
    assert!(first["address"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{listed:#}");
    let view = nodes[2].get(&format!("/api/v1/runs/{}", runs[0])).await;
    assert!(is_driven_by(&view, "n0"), "{view:#}");
    until("metrics show the nodes", Duration::from_secs(10), || async {
        metric(&nodes[1], "drctl_node_up{node=\"n0\"} 1").await
            && metric(&nodes[1], &format!("drctl_node_leases{{node=\"n0\"}} {SERVICES}")).await
    })
    .await;
    nodes[0].served.take().unwrap().kill9();
    until("the others share its runs", Duration::from_secs(10), || async {
        let listed = nodes[1].get("/api/v1/nodes").await;
        let (one, two) = (of(&listed, "n1")["driving"].as_u64(), of(&listed, "n2")["driving"].as_u64());
        of(&listed, "n0")["up"] == false
            && one.zip(two).is_some_and(|(one, two)| one + two == SERVICES as u64)
    })
    .await;
    let listed = nodes[1].get("/api/v1/nodes").await;
    let takeovers = listed["takeovers"].as_array().unwrap();
    assert_eq!(takeovers.len(), SERVICES, "{listed:#}");
    for passed in takeovers {
        assert_eq!((&passed["from"], &passed["token"]), (&"n0".into(), &2.into()), "{passed:#}");
        let after: drctl::model::time::Duration = passed["after"].as_str().unwrap().parse().unwrap();
        assert!(after.as_millis() <= 1_000, "{passed:#}");
    }
    for name in ["n1", "n2"] {
        let drives = of(&listed, name)["driving"].as_u64().unwrap();
        assert!((3..=9).contains(&drives), "the work is not spread: {listed:#}");
    }
    until("metrics show the loss", Duration::from_secs(10), || async {
        metric(&nodes[1], "drctl_node_up{node=\"n0\"} 0").await
            && metric(&nodes[1], "drctl_node_leases{node=\"n0\"} 0").await
    })
    .await;
    let shown = nodes[1].folder.run_with(&[("DRCTL_JOURNAL", &server.server.url("listed"))], "journal nodes");
    assert!(
        shown.code == 0 && shown.stdout.contains("lost") && shown.stdout.contains("n0 → n"),
        "{}",
        shown.stdout
    );
    let line = format!("runs show {}", runs[0]);
    let shown = nodes[1].folder.run_with(&[("DRCTL_JOURNAL", &server.server.url("listed"))], &line);
    assert!(shown.stdout.contains("n1 (pid") || shown.stdout.contains("n2 (pid"), "{}", shown.stdout);
    assert_eq!(witness.journal.verify().await.unwrap().damage, Vec::<String>::new());
}

#[tokio::test]
async fn a_node_that_has_no_room_leaves_runs_to_the_others_and_one_that_ends_gives_all_back() {
    let server = PostgresAlone::start();
    server.server.run("create database room").await;
    let target = Target::open(Duration::from_secs(2), Duration::ZERO, 0);
    let mut nodes: Vec<_> =
        (0..2).map(|n| Node::new(&format!("n{n}"), &[&server.server], "room?lease_ttl=30s", "")).collect();
    let small = configuration("n0", "").replace("max_runs = 300", "max_runs = 2");
    nodes[0].folder.write("drctl.toml", &small);
    for node in &mut nodes {
        for n in 0..6 {
            node.folder
                .write(&format!("runbooks/shop{n}.yaml"), &service(&format!("shop{n}"), target.url(), 8));
        }
        node.start();
    }
    for n in 0..6 {
        nodes[0].begin(&format!("shop{n}")).await;
    }
    until("four are left to the other", Duration::from_secs(5), || async {
        let listed = nodes[1].get("/api/v1/nodes").await;
        of(&listed, "n0")["driving"] == 2 && of(&listed, "n1")["driving"] == 4
    })
    .await;
    // It gives back what it drives: nobody waits for its lease of 30 s.
    assert_eq!(nodes[0].served.take().unwrap().terminate(), Some(0));
    until("all are taken up", Duration::from_secs(5), || async {
        let listed = nodes[1].get("/api/v1/nodes").await;
        listed["nodes"].as_array().unwrap().len() == 1 && of(&listed, "n1")["driving"] == 6
    })
    .await;
    let listed = nodes[1].get("/api/v1/nodes").await;
    assert_eq!(listed["takeovers"], serde_json::json!([]), "nobody was lost: {listed:#}");
}

#[tokio::test]
async fn a_journal_of_one_machine_has_one_node() {
    let drctl = Drctl::with(&[("drctl.toml", &configuration("alone", ""))]);
    let served = Served::start(&drctl);
    let (status, listed) = served.get("/api/v1/nodes", TOKEN).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(listed["nodes"].as_array().unwrap().len(), 1, "{listed:#}");
    let alone = of(&listed, "alone");
    assert_eq!((&alone["up"], &alone["driving"]), (&true.into(), &0.into()));
}

#[tokio::test]
async fn a_name_that_several_nodes_have_is_told() {
    let server = PostgresAlone::start();
    server.server.run("create database doubled").await;
    let mut nodes = nodes(2, &[&server.server], "doubled?lease_ttl=2s", "");
    let text = std::fs::read_to_string(nodes[1].folder.path("drctl.toml")).unwrap();
    nodes[0].start();
    let listed = nodes[0].listed();
    assert!(listed.contains("n0") && !listed.contains("several nodes"), "{listed}");
    nodes[1].folder.write("drctl.toml", &text.replace("\"n1\"", "\"n0\""));
    nodes[1].start();
    until("both are known", Duration::from_secs(10), || async {
        let listed = nodes[0].listed();
        listed.contains("several nodes are called n0") && listed.contains("set `node` under `[server]`")
    })
    .await;
    // The one that is lost and comes back under its name is no other.
    assert_eq!(nodes[1].served.take().unwrap().terminate(), Some(0));
    nodes[1].start();
    assert_eq!(nodes[0].served.take().unwrap().terminate(), Some(0));
    let listed = nodes[1].listed();
    assert!(listed.contains("n0") && !listed.contains("several nodes"), "{listed}");
}
