//! A simulated world with a virtual clock that jumps whenever something waits.

use std::future::Future;
use std::sync::Arc;

use drctl::engine::input::Direction;
use drctl::model::action::Action;
use drctl::model::id::{NodeAddress, RunId, ServiceName, SiteName};
use drctl::model::run::{Failure, Intent, Mode};
use drctl::model::time::{Duration, Timestamp};
use drctl::ports::{AttemptContext, Began, CancelSwitch, Clock, Polled, Provider, Started};
use drctl::providers::simulated::{EstateStore, Scenario, SimulatedProvider};
use drctl::runtime::VirtualClock;
use serde_json::{Map, Value, json};

pub(crate) struct World {
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) start: Timestamp,
    pub(crate) estate: EstateStore,
    pub(crate) provider: SimulatedProvider,
}

pub(crate) fn action(name: &str, with: Value) -> Action {
    Action::new(name.parse().unwrap(), with).unwrap()
}

fn site(name: &str) -> SiteName {
    SiteName::new(name).unwrap()
}

impl World {
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self::with(scenario, EstateStore::in_memory())
    }

    /// A world under a scenario with these further lines.
    pub(crate) fn under(lines: &str) -> Self {
        Self::new(Scenario::parse(&super::scenarios::document(lines)).unwrap())
    }

    pub(crate) fn with(scenario: Scenario, estate: EstateStore) -> Self {
        let start: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        let clock = VirtualClock::starting_at(start);
        let sites = serde_json::from_value(json!({
            "east": {"role": "active", "region": "us-east-1", "url": "https://east.example.com",
                     "values": {"db": "db-east"}},
            "west": {"role": "standby", "region": "us-west-2", "url": "https://west.example.com",
                     "values": {"db": "db-west"}},
        }));
        let provider = SimulatedProvider::new(
            sites.unwrap(),
            Some(site("east")),
            Some(site("west")),
            scenario,
            estate.clone(),
            Arc::clone(&clock) as Arc<dyn Clock>,
        );
        Self { clock, start, estate, provider }
    }

    pub(crate) fn promote() -> Action {
        let with = json!({"region": "us-west-2", "instance": "db", "backup_retention_days": 7});
        action("aws.rds.promote_read_replica", with)
    }

    pub(crate) fn context(&self, node: &str) -> AttemptContext {
        let (switch, cancelled) = CancelSwitch::new();
        drop(switch);
        AttemptContext {
            run: RunId::new("shop-abcdefgh").unwrap(),
            service: ServiceName::new("shop").unwrap(),
            node: NodeAddress::typed(node),
            attempt: 1,
            began: Some(Began { host: "test".to_owned(), traces: None }),
            direction: Direction::Do,
            idempotency_key: format!("key-{node}"),
            fencing_token: 1,
            deadline: self.clock.now().plus(Duration::from_secs(3_600)),
            mode: Mode::Ungraceful,
            intent: Intent::Simulate,
            from: Some(site("east")),
            to: Some(site("west")),
            sites: Arc::default(),
            prepared: None,
            sensitive: false,
            cancelled,
        }
    }

    pub(crate) fn undo(&self, node: &str, prepared: Option<Value>) -> AttemptContext {
        let idempotency_key = format!("undo-{node}");
        AttemptContext { direction: Direction::Undo, idempotency_key, prepared, ..self.context(node) }
    }

    /// Runs something to its end, jumping from one wake-up to the next. It may wait in one place at a time
    /// only.
    pub(crate) async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                () = tokio::task::yield_now() => {}
            }
            assert!(self.clock.sleepers() <= 1, "{} sleepers for one attempt", self.clock.sleepers());
            if let Some(next) = self.clock.next() {
                self.clock.advance_to(next);
            }
        }
    }

    /// Starts an action and follows it to its end, as the dispatcher does; gives up after a simulated day.
    pub(crate) async fn complete(
        &self,
        action: &Action,
        context: &AttemptContext,
    ) -> Result<Map<String, Value>, Failure> {
        let handle = match self.run(self.provider.start(action, context)).await? {
            Started::Done(outputs) => return Ok(outputs),
            Started::Handle(handle) => handle,
        };
        let end = self.clock.now().plus(Duration::from_secs(86_400));
        while self.clock.now() < end {
            if let Polled::Done(outputs) = self.run(self.provider.poll(action, context, &handle)).await? {
                return Ok(outputs);
            }
            self.clock.advance_to(self.clock.now().plus(action.name().spec().poll_interval));
        }
        panic!("{} never ends", action.name());
    }

    pub(crate) fn pass_secs(&self, seconds: u64) {
        self.clock.advance_to(self.clock.now().plus(Duration::from_secs(seconds)));
    }

    pub(crate) fn elapsed_millis(&self) -> u64 {
        self.clock.now().since(self.start).as_millis()
    }

    pub(crate) fn elapsed_secs(&self) -> u64 {
        self.elapsed_millis() / 1_000
    }
}
