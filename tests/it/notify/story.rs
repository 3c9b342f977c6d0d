//! A run told fact by fact, and what notices are made of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use drctl::engine::event::{Event, ParentRun, RunCreated};
use drctl::engine::input::Consents;
use drctl::journal::MemoryJournal;
use drctl::model::id::{NodeAddress, RunId};
use drctl::model::run::{Identity, Intent, Mode, Operation, RunStatus};
use drctl::model::time::{Duration, Timestamp};
use drctl::model::values::{Secret, SecretSourceKind};
use drctl::notify::{
    Notice, Outbox, Sender, Settings, Target, Templates, Transport, Unobserved, WebhookDesk, client, tell,
};
use drctl::plan::{Choices, NodeIndex, Plan, bind};
use drctl::ports::{
    Append, BoxFuture, CancelSwitch, Clock, Journal, NewRecord, RunSummary, SecretError, SecretSource,
    StreamName,
};
use drctl::tail::{self, Tail};
use sha2::{Digest, Sha256};

/// A service with an approval, a reading and something that cannot be taken back.
const PAY: &str = r#"
apiVersion: drctl/v1
kind: Runbook
metadata: {name: pay}
objectives: {rto: 10m, rpo: 30s}
sites: {east: {role: active}, west: {role: standby}}
recovery_point:
  - {uses: postgres.check_replication, with: {standby: "host=west"}}
workflows:
  failover:
    steps:
      - {id: fence, phase: fence, uses: postgres.fence, with: {primary: "host=east", method: read_only}, drill: skip}
      - {id: ask, uses: approval.request, with: {message: "Is <east> really lost?"}}
      - {id: promote, phase: promote, uses: postgres.promote, with: {standby: "host=west"}, drill: skip}
      - {id: works, phase: validate, uses: http.check, with: {url: "https://west/ok"}}
"#;

/// When the story begins.
pub(crate) fn begin() -> Timestamp {
    "2026-11-21T03:00:00Z".parse().unwrap()
}

/// A run that is told.
pub(crate) struct Story {
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) run: RunId,
    plan: Plan,
    token: u64,
    at: Timestamp,
}

/// How a run begins.
#[derive(Clone)]
pub(crate) struct Opening {
    pub(crate) intent: Intent,
    pub(crate) staged: bool,
    pub(crate) child: bool,
    pub(crate) notes: BTreeMap<String, String>,
}

impl Default for Opening {
    fn default() -> Self {
        Self { intent: Intent::Real, staged: false, child: false, notes: BTreeMap::new() }
    }
}

impl Story {
    /// Begins a run on a journal.
    pub(crate) async fn open(journal: &Arc<MemoryJournal>, run: &str, opening: Opening) -> Self {
        let (runbook, found) = drctl::compile::compile(PAY, jiff::civil::date(2026, 11, 21));
        let choices = Choices {
            operation: Operation::Failover,
            mode: None,
            intent: if opening.intent == Intent::Simulate { Intent::Simulate } else { Intent::Real },
            from: None,
            to: None,
            unready: BTreeMap::new(),
            parameters: BTreeMap::new(),
        };
        let runbook = runbook.unwrap_or_else(|| panic!("{found:#?}"));
        let plan = bind(&runbook, &choices).unwrap_or_else(|problems| panic!("{problems:#?}"));
        let bytes = serde_json::to_vec(&plan).unwrap();
        let digest =
            Sha256::digest(&bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let run = RunId::new(run).unwrap();
        let token = journal.grant(&run).await.unwrap();
        let journal = Arc::clone(journal);
        let mut story = Self { journal, run: run.clone(), plan, token, at: begin() };
        let parent = ParentRun {
            run: RunId::new("fleet-aaaaaaaa").unwrap(),
            node: NodeAddress::typed("pay"),
            attempt: 1,
        };
        let created = RunCreated {
            run,
            service: story.plan.runbook.name.clone(),
            operation: Operation::Failover,
            intent: opening.intent,
            mode: Mode::Ungraceful,
            from: story.plan.from.clone(),
            to: story.plan.to.clone(),
            plan: digest.clone(),
            runbook: "r".repeat(64),
            reason: Some("east is gone".to_owned()),
            started_by: Identity::asserted("ann"),
            trigger: "test".to_owned(),
            incident_at: None,
            detected_at: None,
            declared_at: begin(),
            consents: Consents::default(),
            adopt: false,
            staged_until: opening.staged.then(|| begin().plus(Duration::from_secs(4 * 3_600))),
            version: "0".to_owned(),
            notes: opening.notes,
            earlier: Vec::new(),
            parent: opening.child.then_some(parent),
        };
        let summary = RunSummary {
            run: created.run.clone(),
            service: created.service.clone(),
            operation: created.operation,
            intent: created.intent,
            status: RunStatus::Running,
            from: None,
            to: None,
            created_at: begin(),
            ended_at: None,
            idempotency_key: None,
            locks_service: false,
            verdict: None,
            parent: None,
        };
        let blobs = vec![(digest, bytes.into())];
        story.append(Event::RunCreated(Box::new(created)), blobs, Some(summary)).await;
        story
    }

    /// Records a fact some seconds after the last one.
    pub(crate) async fn tell(&mut self, seconds: u64, event: Event) {
        self.at = self.at.plus(Duration::from_secs(seconds));
        self.append(event, Vec::new(), None).await;
    }

    /// Records a status.
    pub(crate) async fn becomes(&mut self, seconds: u64, status: RunStatus, cause: Option<&str>) {
        self.tell(seconds, Event::StatusChanged { status, cause: cause.map(str::to_owned) }).await;
    }

    /// The node of an address.
    pub(crate) fn node(&self, address: &str) -> NodeIndex {
        let at = self.plan.nodes.iter().position(|node| node.address.as_str() == address);
        let at = at.unwrap_or_else(|| panic!("{address} is none of {:?}", self.addresses()));
        NodeIndex::try_from(at).unwrap()
    }

    fn addresses(&self) -> Vec<&str> {
        self.plan.nodes.iter().map(|node| node.address.as_str()).collect()
    }

    async fn append(&mut self, event: Event, blobs: Vec<(String, Arc<[u8]>)>, summary: Option<RunSummary>) {
        let body = serde_json::to_string(&event).unwrap();
        let append = Append {
            stream: Some(StreamName::run(&self.run)),
            token: Some(self.token),
            at: Some(self.at),
            records: vec![NewRecord { kind: event.kind(), version: 1, body }],
            blobs,
            summary,
            ..Append::default()
        };
        self.journal.append(vec![append]).await.unwrap();
    }
}

/// The notices of everything in a journal, in the built-in words.
pub(crate) async fn notices(journal: &Arc<MemoryJournal>) -> Vec<Notice> {
    let templates = Templates::new(&BTreeMap::new()).unwrap();
    let mut notices = Vec::new();
    let mut tail = Tail::after(Arc::clone(journal) as Arc<dyn Journal>, 0);
    let mut take = |record: &drctl::ports::Record, fact: tail::Fact<'_>| {
        notices.extend(tell(record, &fact).map(|notice| templates.render(notice)));
    };
    while tail.advance(3, &mut take).await.unwrap() > 0 {}
    notices
}

/// Secrets that are their own names.
pub(crate) struct Named;

impl SecretSource for Named {
    fn resolve<'a>(
        &'a self,
        secrets: &'a BTreeMap<String, Secret>,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, SecretError>> {
        let values = secrets.iter().map(|(key, secret)| match &secret.name {
            Some(name) if name == "missing" => {
                Err(SecretError { name: key.clone(), message: "it is missing".to_owned() })
            }
            name => Ok((key.clone(), name.clone().unwrap_or_default())),
        });
        let values = values.collect();
        Box::pin(async move { values })
    }
}

/// A secret whose value is its name.
pub(crate) fn secret(name: &str) -> Secret {
    Secret { from: SecretSourceKind::Env, name: Some(name.to_owned()), path: None, argv: Vec::new() }
}

/// A target with secrets.
pub(crate) fn target(name: &str, transport: Transport, secrets: &[(&str, &str)]) -> Target {
    target_with(name, transport, secrets, Settings::default())
}

/// As [`target`], with settings.
pub(crate) fn target_with(
    name: &str,
    transport: Transport,
    secrets: &[(&str, &str)],
    settings: Settings,
) -> Target {
    let secrets = secrets.iter().map(|(key, name)| ((*key).to_owned(), secret(name))).collect();
    let sender = Sender { transport, secrets, source: Arc::new(Named) };
    Target::new(name, settings, sender).unwrap()
}

/// A target that takes JSON at an address.
pub(crate) fn webhook(name: &str, url: String) -> Target {
    target(name, Transport::Webhook(WebhookDesk { client: client().unwrap(), url: Some(url) }), &[])
}

/// An outbox under way.
pub(crate) struct Running {
    switch: CancelSwitch,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Begins to send from the beginning of the journal.
    pub(crate) fn start(
        journal: Arc<MemoryJournal>,
        clock: Arc<dyn Clock>,
        holder: &str,
        targets: Vec<Target>,
    ) -> Self {
        let (switch, signal) = CancelSwitch::new();
        let holder = holder.to_owned();
        let observer = Arc::new(Unobserved);
        let outbox = Outbox { journal, clock, holder, begin: Some(0), observer, targets };
        Self { switch, task: tokio::spawn(outbox.run(signal)) }
    }

    /// Tells it to end, and waits for that.
    pub(crate) async fn end(self) {
        self.switch.cancel();
        tokio::time::timeout(std::time::Duration::from_secs(10), self.task).await.unwrap().unwrap();
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(self) {
        self.task.abort();
    }
}

/// Kinds of the facts about a target, in order.
pub(crate) async fn told(journal: &MemoryJournal, target: &str) -> Vec<String> {
    let records = journal.read(&StreamName::notify(target), 0, 1_000).await.unwrap();
    records.into_iter().map(|record| record.kind).collect()
}
