//! One attempt of an action, as the engine makes it: prepare, start, looks until it is over.

use drctl::engine::input::{Direction, Observation};
use drctl::model::action::Action;
use drctl::model::run::Failure;
use drctl::ports::{AttemptContext, Polled, Precheck, Provider as _, Started};
use drctl::providers::aws::AwsProvider;
use serde_json::{Map, Value};

use super::client::Caller;
use super::estate::provider;
use crate::support::attempt::context;

/// Most looks at an operation before a test gives up.
const LOOKS: usize = 50;

/// A provider, an action and the context of its attempts.
pub(super) struct Attempt {
    pub(super) provider: AwsProvider,
    pub(super) action: Action,
    pub(super) context: AttemptContext,
    /// What was said on the way.
    pub(super) lines: Vec<String>,
    _switch: drctl::ports::CancelSwitch,
}

impl Attempt {
    /// An attempt at what a caller reaches.
    pub(super) fn new(caller: &Caller, name: &str, with: Value) -> Self {
        let (context, switch) = context();
        let action = crate::support::attempt::action(name, with);
        Self { provider: provider(caller), action, context, lines: Vec::new(), _switch: switch }
    }

    /// Reads what is there.
    pub(super) async fn prepare(&mut self) -> Result<(), Failure> {
        self.context.prepared = self.provider.prepare(&self.action, &self.context).await?;
        Ok(())
    }

    /// Makes one try.
    pub(super) async fn start(&mut self) -> Result<Started, Failure> {
        self.provider.start(&self.action, &self.context).await
    }

    /// Looks until it is over.
    pub(super) async fn follow(&mut self, handle: &Value) -> Result<Map<String, Value>, Failure> {
        for _ in 0..LOOKS {
            match self.provider.poll(&self.action, &self.context, handle).await? {
                Polled::Done(outputs) => return Ok(outputs),
                Polled::Pending(line) => self.lines.extend(line),
            }
        }
        panic!("not over after {LOOKS} looks: {:?}", self.lines);
    }

    /// All of it. What it asked of AWS must be among its permissions.
    pub(super) async fn perform(&mut self) -> Result<Map<String, Value>, Failure> {
        self.prepare().await?;
        let outputs = self.make().await?;
        self.covered();
        Ok(outputs)
    }

    /// What is told beforehand. What that asked of AWS must be among what is documented for it.
    pub(super) async fn ask(&self) -> Result<Precheck, Failure> {
        let seen = self.provider.precheck(&self.action, &self.context).await;
        let spec = self.action.name().spec();
        for asked in self.provider.operations() {
            let always = matches!(asked.as_str(), "iam:SimulatePrincipalPolicy" | "sts:GetCallerIdentity");
            let known = spec.permissions.iter().chain(spec.check_permissions).any(|known| *known == asked);
            assert!(always || known, "{} asks for {asked} beforehand", self.action.name());
        }
        seen
    }

    /// Takes the effect back.
    pub(super) async fn undo(&mut self) -> Result<Map<String, Value>, Failure> {
        self.context.direction = Direction::Undo;
        "payments-abcdefgh/work/undo/1".clone_into(&mut self.context.idempotency_key);
        let outputs = self.make().await?;
        self.covered();
        Ok(outputs)
    }

    async fn make(&mut self) -> Result<Map<String, Value>, Failure> {
        match self.start().await? {
            Started::Done(outputs) => Ok(outputs),
            Started::Handle(handle) => self.follow(&handle).await,
        }
    }

    /// Looks whether the effect is there.
    pub(super) async fn observe(&self, handle: Option<&Value>) -> Observation {
        let seen = self.provider.observe(&self.action, &self.context, handle).await;
        self.covered();
        seen
    }

    /// The handle of what is under way.
    pub(super) async fn under_way(&self) -> Value {
        match self.observe(None).await {
            Observation::InProgress(handle) => handle,
            other => panic!("not under way: {other:?}"),
        }
    }

    /// The outputs of an effect that is there.
    pub(super) async fn applied(&self) -> Map<String, Value> {
        match self.observe(None).await {
            Observation::Applied(outputs) => outputs,
            other => panic!("not applied: {other:?}"),
        }
    }

    fn covered(&self) {
        let permissions = self.action.name().spec().permissions;
        let asked = self.provider.operations();
        let more: Vec<_> = asked.iter().filter(|asked| !permissions.contains(&asked.as_str())).collect();
        assert!(
            more.is_empty(),
            "{} asks for {more:?}, which its permissions do not name",
            self.action.name()
        );
    }
}
