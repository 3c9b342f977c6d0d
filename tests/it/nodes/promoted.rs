//! The primary of the database is killed under a fleet of three nodes, and its synchronous standby takes
//! over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::estate::{nodes, service, until};
use super::target::Target;
use super::witness::Witness;
use crate::support::postgres::PostgresPair;

const SERVICES: usize = 30;
const STEPS: usize = 8;

#[tokio::test]
async fn a_fleet_of_three_nodes_outlives_the_primary_of_its_database() {
    let pair = PostgresPair::start().await;
    pair.primary.run("alter system set synchronous_standby_names = '*'").await;
    pair.primary.run("select pg_reload_conf()").await;
    let target = Target::open(Duration::from_millis(300), Duration::ZERO, 0);
    let both = format!("127.0.0.1:{},127.0.0.1:{}", pair.primary.port(), pair.standby.port());
    drop(Witness::begin(&format!("{}?lease_ttl=2s", pair.primary.url("postgres"))).await);
    let servers = [&pair.primary, &pair.standby];
    let mut nodes = nodes(3, &servers, "postgres?lease_ttl=2s", "schedules_every = \"1h\"");
    for node in &mut nodes {
        for n in 0..SERVICES {
            let name = format!("shop{n}");
            node.folder.write(&format!("runbooks/{name}.yaml"), &service(&name, target.url(), STEPS));
        }
        node.start();
    }
    let mut runs = BTreeMap::new();
    for n in 0..SERVICES {
        let name = format!("shop{n}");
        runs.insert(name.clone(), nodes[n % 3].begin(&name).await);
    }
    until("effects are under way", Duration::from_secs(20), || async { target.asked().len() > SERVICES * 2 })
        .await;
    pair.primary.kill9();
    pair.standby.promote().await;
    let promoted = Instant::now();
    let witness = Witness::look(&format!("postgres://postgres@{both}/postgres?lease_ttl=2s")).await;
    witness.until_all_ended("promoted", Duration::from_mins(1)).await;
    assert!(promoted.elapsed() < Duration::from_secs(45), "{:?}", promoted.elapsed());
    for name in runs.keys() {
        for step in 0..STEPS {
            assert_eq!(target.done(name, &format!("s{step}")), 1, "{name} s{step}");
        }
    }
    // What a run did before is known after: nothing that was acknowledged is missing.
    witness.check(&target.asked(), &runs).await;
}
