//! The actions of `aws.route53`.

mod clock;
mod coalescing;
mod emulated;
mod health;
mod records;
mod weights;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use drctl::engine::input::{Direction, Observation};
use drctl::model::action::Action;
use drctl::model::run::Failure;
use drctl::model::time::Duration;
use drctl::ports::{AttemptContext, CancelSwitch, Clock as _, Polled, Provider as _, Started};
use drctl::providers::aws::{AwsProvider, Settings};
use serde_json::{Map, Value};

use self::clock::QuietClock;
use super::estate::settings;
use super::fake::route53::FakeRoute53;
use crate::support::attempt;

/// Most looks at an operation before a test gives up.
const LOOKS: usize = 200;

/// A fake, a clock they all go by, and a provider that talks to the fake.
struct Scene {
    clock: Arc<QuietClock>,
    fake: FakeRoute53,
    provider: AwsProvider,
}

impl Scene {
    fn new() -> Self {
        Self::with_rate(None)
    }

    /// With another rate of requests than the usual one.
    fn with_rate(rate: Option<u32>) -> Self {
        let clock = QuietClock::start();
        let fake = FakeRoute53::start(Arc::<QuietClock>::clone(&clock));
        let provider = Self::another(&fake, &clock, rate);
        Self { clock, fake, provider }
    }

    /// The same seen by another process.
    fn restart(&mut self) {
        self.provider = Self::another(&self.fake, &self.clock, None);
    }

    fn another(fake: &FakeRoute53, clock: &Arc<QuietClock>, rate: Option<u32>) -> AwsProvider {
        let settings = Settings { route53_requests_per_second: rate, ..settings(&fake.fake.caller()) };
        AwsProvider::new(settings, Arc::<QuietClock>::clone(clock))
    }

    /// A step under way.
    fn step<'a>(&'a self, action: &'a Action) -> Step<'a> {
        let (context, switch) = attempt::context();
        Step { provider: &self.provider, clock: &self.clock, action, context, switch }
    }
}

/// One step, driven as the runtime drives it.
struct Step<'a> {
    provider: &'a AwsProvider,
    clock: &'a QuietClock,
    action: &'a Action,
    context: AttemptContext,
    switch: CancelSwitch,
}

impl Step<'_> {
    async fn prepare(&mut self) -> Result<(), Failure> {
        self.context.prepared = self.provider.prepare(self.action, &self.context).await?;
        Ok(())
    }

    async fn start(&self) -> Result<Started, Failure> {
        self.provider.start(self.action, &self.context).await
    }

    async fn observe(&self, handle: Option<&Value>) -> Observation {
        self.provider.observe(self.action, &self.context, handle).await
    }

    /// From the first look to the outputs.
    async fn perform(&mut self) -> Result<Map<String, Value>, Failure> {
        self.prepare().await?;
        self.run().await.map(|(outputs, _)| outputs)
    }

    /// Takes it back.
    async fn undo(&mut self) -> Result<Map<String, Value>, Failure> {
        self.context.direction = Direction::Undo;
        self.context.attempt += 1;
        self.context.idempotency_key.push_str("/undo");
        self.run().await.map(|(outputs, _)| outputs)
    }

    async fn run(&self) -> Result<(Map<String, Value>, Vec<String>), Failure> {
        match self.start().await? {
            Started::Done(outputs) => {
                self.covered();
                Ok((outputs, Vec::new()))
            }
            Started::Handle(handle) => self.follow(&handle).await,
        }
    }

    /// Looks until it is over. The lines of progress come with the outputs.
    async fn follow(&self, handle: &Value) -> Result<(Map<String, Value>, Vec<String>), Failure> {
        let mut lines = Vec::new();
        for _ in 0..LOOKS {
            match self.provider.poll(self.action, &self.context, handle).await? {
                Polled::Done(outputs) => {
                    self.covered();
                    return Ok((outputs, lines));
                }
                Polled::Pending(line) => lines.extend(line),
            }
            self.clock.sleep_until(self.clock.now().plus(Duration::from_secs(5))).await;
        }
        panic!("not over after {LOOKS} looks: {lines:?}");
    }

    /// Everything asked of AWS must be among the permissions that are documented, and every output declared.
    fn covered(&self) {
        let (name, spec) = (self.action.name(), self.action.name().spec());
        let asked = self.provider.operations().into_iter();
        let more: Vec<_> = asked.filter(|asked| !spec.permissions.contains(&asked.as_str())).collect();
        assert!(more.is_empty(), "{name} asks for {more:?}, which its permissions do not name");
    }
}

/// The handle of an operation that is under way.
fn under_way(observation: Observation) -> Value {
    match observation {
        Observation::InProgress(handle) => handle,
        other => panic!("not under way: {other:?}"),
    }
}

/// The outputs of an effect that is there.
fn applied(observation: Observation) -> Map<String, Value> {
    match observation {
        Observation::Applied(outputs) => outputs,
        other => panic!("not applied: {other:?}"),
    }
}

/// The handle of what was started.
fn handle(started: Started) -> Value {
    match started {
        Started::Handle(handle) => handle,
        Started::Done(outputs) => panic!("over at once: {outputs:?}"),
    }
}

/// A future and what came of it.
type Running<F> = (Pin<Box<F>>, Option<<F as Future>::Output>);

/// Waits for all, which make progress together.
async fn all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<Running<F>> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|task| {
        for (future, output) in &mut futures {
            if output.is_none()
                && let Poll::Ready(ready) = future.as_mut().poll(task)
            {
                *output = Some(ready);
            }
        }
        if futures.iter().all(|(_, output)| output.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    futures.into_iter().filter_map(|(_, output)| output).collect()
}
