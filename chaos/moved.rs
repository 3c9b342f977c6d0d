//! Somebody moves a service while a run of it is planned: the run is not begun by what was true before.

use drctl::engine::service::ServiceEvent;
use drctl::model::run::{Identity, Operation};
use drctl::ports::{Append, Journal, NewRecord, StreamName};
use drctl::providers::simulated::Scenario;
use drctl::runtime::service_record_and_head;

use crate::case::block_on;
use crate::world::{Crash, World, plan_of, root};

#[test]
fn a_run_planned_by_an_old_service_record_is_refused_and_nothing_is_started() {
    let (plan, text) = plan_of(&root().join("runbooks/warm-standby.yaml"), Operation::Failover).unwrap();
    block_on(async {
        let (service, site) = (plan.runbook.name.clone(), plan.to.clone().unwrap());
        let mut world = World::new(plan, text, Scenario::healthy());
        let (_, head) = service_record_and_head(&world.journal, &service).await.unwrap();
        world.service_head = Some(head);

        let (by, reason) = (Identity::asserted("bob"), "moved by hand".to_owned());
        let event = ServiceEvent::Set { site: site.clone(), by, reason };
        let body = serde_json::to_string(&event).unwrap();
        let records = vec![NewRecord { kind: event.kind(), version: 1, body }];
        let stream = Some(StreamName::service(&service));
        world.journal.append(vec![Append { stream, records, ..Append::default() }]).await.unwrap();

        assert!(world.live(Crash::Never).await.0.is_none(), "it began by a record that is old");
        assert!(world.events().await.is_empty() && world.estate.snapshot().ledger().iter().count() == 0);

        let (record, head) = service_record_and_head(&world.journal, &service).await.unwrap();
        assert_eq!((record.active, head), (Some(site), 1));
        world.service_head = Some(head);
        let state = world.live(Crash::Never).await.0.unwrap();
        assert!(state.status.is_terminal(), "{}", state.status);
    });
}
