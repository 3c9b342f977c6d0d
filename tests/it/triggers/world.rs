//! Webhooks with known secrets, a clock that stands still, a PagerDuty that says what the test says, and real
//! staged runs of a runbook that nobody performs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use drctl::engine::input::{Control, Request};
use drctl::engine::trigger::{Order, TriggerEvent, TriggerRecord, Watch, WithdrawOutcome};
use drctl::journal::MemoryJournal;
use drctl::model::id::{RunId, ServiceName};
use drctl::model::run::{Identity, Intent, RunStatus};
use drctl::model::runbook::Runbook;
use drctl::model::time::{Duration, Timestamp};
use drctl::model::trigger::{HowToStart, TriggerSource};
use drctl::plan::{Choices, bind};
use drctl::ports::{
    BoxFuture, Clock, IncidentState, Incidents, Journal, JournalError, Notes, OutsideError, RunFilter,
    Signers, StreamName,
};
use drctl::providers::UnavailableProvider;
use drctl::runtime::{
    self, Act, Answer, HookUse, Intake, LaunchError, Looked, NewRun, Processor, Runtime, Stop, SystemClock,
    Time, VirtualClock, Webhook, trigger_record, withdraw,
};
use drctl::webhook::{Door, Headers, Key};
use ring::hmac;

use crate::support::runtime::{Counting, NoSecrets, Silent, new_run};

pub(super) const OLD: &str = "old secret of the pager";
pub(super) const NEW: &str = "new secret of the pager";
pub(super) const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:dr-alarms";
pub(super) const CERTIFICATE: &[u8] = include_bytes!("../../fixtures/webhooks/sns-certificate.pem");

/// A service whose steps a person performs.
pub(super) const PAY: &str = r"
apiVersion: drctl/v1
kind: Runbook
metadata: {name: payments}
sites: {east: {role: active}, west: {role: standby}}
workflows:
  failover:
    steps:
      - {id: call, uses: manual.task, with: {instructions: Call the team}, drill: skip}
triggers:
";

/// Staged by one incident of PagerDuty.
pub(super) const PAGER: &str = "  - {name: pager, on: pagerduty, start: {operation: failover, to: west},
     when: \"incident.service.id == 'PF9KMXH' and incident.priority == 'P1'\"}\n";

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn fixture(name: &str) -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/webhooks").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(super) fn sign(secret: &str, text: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text);
    tag.as_ref().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

pub(super) fn headers(pairs: &[(&str, &str)]) -> Headers {
    Headers::new(pairs.iter().map(|(name, value)| (*name, value.as_bytes())))
}

/// The headers of a delivery of PagerDuty, signed with one secret.
pub(super) fn paged(body: &[u8], delivery: &str, secret: &str) -> Headers {
    let signature = format!("v1={}", sign(secret, body));
    headers(&[("X-PagerDuty-Signature", &signature), ("X-Webhook-Id", delivery)])
}

pub(super) fn runbook(triggers: &str) -> Runbook {
    let text = format!("{PAY}{triggers}");
    let (runbook, found) = drctl::compile::compile(&text, jiff::civil::date(2026, 11, 21));
    runbook.unwrap_or_else(|| panic!("{found:#?}"))
}

/// What PagerDuty and SNS say and are told.
#[derive(Default)]
pub(super) struct Outside {
    pub(super) state: Mutex<Option<IncidentState>>,
    pub(super) asked: Mutex<u32>,
    pub(super) notes: Mutex<Vec<String>>,
    pub(super) notes_fail: Mutex<bool>,
    pub(super) fetched: Mutex<Vec<String>>,
    pub(super) sns_gone: Mutex<bool>,
}

impl Incidents for Outside {
    fn state<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<IncidentState, OutsideError>> {
        Box::pin(async move {
            *self.asked.lock().unwrap() += 1;
            let state = *self.state.lock().unwrap();
            state.ok_or_else(|| OutsideError { message: "PagerDuty did not answer".to_owned() })
        })
    }
}

impl Notes for Outside {
    fn note<'a>(&'a self, incident: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), OutsideError>> {
        Box::pin(async move {
            if *self.notes_fail.lock().unwrap() {
                return Err(OutsideError { message: "PagerDuty answered 500".to_owned() });
            }
            self.notes.lock().unwrap().push(format!("{incident}: {text}"));
            Ok(())
        })
    }
}

impl Signers for Outside {
    fn certificate<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Vec<u8>, OutsideError>> {
        Box::pin(async move {
            if *self.sns_gone.lock().unwrap() {
                return Err(OutsideError { message: "SNS did not answer".to_owned() });
            }
            self.fetched.lock().unwrap().push(address.to_owned());
            Ok(CERTIFICATE.to_vec())
        })
    }

    fn confirm<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<(), OutsideError>> {
        Box::pin(async move {
            self.fetched.lock().unwrap().push(address.to_owned());
            Ok(())
        })
    }
}

/// Begins real runs.
pub(super) struct Acting {
    runtime: Runtime,
    text: Mutex<String>,
    pub(super) orders: Mutex<Vec<Order>>,
    /// The process dies: 1 before the run exists, 2 after.
    pub(super) dies: Mutex<u8>,
    pub(super) refuses: Mutex<bool>,
}

impl Act for Acting {
    fn launch<'a>(
        &'a self,
        _: &'a ServiceName,
        order: &'a Order,
    ) -> BoxFuture<'a, Result<RunId, LaunchError>> {
        Box::pin(async move {
            let gone = || LaunchError::Failed(runtime::Error::NotReady("the process is gone".to_owned()));
            if *self.refuses.lock().unwrap() {
                return Err(LaunchError::Refused("the service is at west already".to_owned()));
            }
            let dies = std::mem::take(&mut *self.dies.lock().unwrap());
            if dies == 1 {
                return Err(gone());
            }
            self.orders.lock().unwrap().push(order.clone());
            let text = self.text.lock().unwrap().clone();
            let choices = Choices {
                operation: order.start.operation,
                mode: order.start.mode,
                intent: Intent::Real,
                from: None,
                to: order.start.to.clone(),
                unready: BTreeMap::new(),
                parameters: BTreeMap::new(),
            };
            let found = drctl::compile::compile(&text, jiff::civil::date(2026, 11, 21)).0.unwrap();
            let plan = bind(&found, &choices).unwrap();
            let staged = order.how == HowToStart::Staged;
            let new = NewRun {
                reason: Some(order.reason.clone()),
                trigger: format!("trigger {}", order.trigger),
                incident_at: order.incident_at,
                detected_at: Some(order.detected_at),
                staged_for: staged.then_some(Duration::from_secs(4 * 3600)),
                idempotency_key: Some(order.key.clone()),
                ..new_run(&text)
            };
            let driver = self.runtime.create(plan, new).await.map_err(LaunchError::Failed)?;
            let run = match driver.drive(&Silent, Stop::AtPerson).await {
                Ok((_, state)) => state.created.run.clone(),
                Err(runtime::Error::Journal(JournalError::DuplicateStart { run })) => run,
                Err(error) => return Err(error.into()),
            };
            if dies == 2 { Err(gone()) } else { Ok(run) }
        })
    }

    fn withdraw<'a>(
        &'a self,
        run: &'a RunId,
        why: &'a str,
    ) -> BoxFuture<'a, Result<WithdrawOutcome, LaunchError>> {
        Box::pin(async move { Ok(withdraw(&self.runtime, &Silent, run, why).await?) })
    }
}

impl Acting {
    /// A person starts a staged run.
    pub(super) async fn start(&self, run: &RunId) {
        let request = Request {
            id: "start".to_owned(),
            by: Identity::asserted("ada"),
            from: "test".to_owned(),
            reason: None,
            control: Control::Start,
        };
        self.runtime.journal.submit(run, &request).await.unwrap();
        let driver = self.runtime.take_over(run, BTreeMap::new()).await.unwrap();
        driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    }
}

pub(super) struct World {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Arc<VirtualClock>,
    pub(super) outside: Arc<Outside>,
    pub(super) act: Arc<Acting>,
    pub(super) intake: Arc<Intake>,
    pub(super) processor: Arc<Processor>,
    pub(super) watch: Watch,
    asks: bool,
}

impl World {
    /// Triggers in the runbook of payments, at a time; PagerDuty cannot be asked.
    pub(super) fn new(triggers: &str, now: &str) -> Self {
        Self::on(Arc::new(MemoryJournal::new()), triggers, now, false)
    }

    /// The same, where PagerDuty can be asked and takes notes.
    pub(super) fn asking(triggers: &str, now: &str) -> Self {
        Self::on(Arc::new(MemoryJournal::new()), triggers, now, true)
    }

    pub(super) fn on(journal: Arc<dyn Journal>, triggers: &str, now: &str, asks: bool) -> Self {
        let clock = VirtualClock::starting_at(time(now));
        let outside = Arc::new(Outside::default());
        *outside.state.lock().unwrap() = Some(IncidentState::Open);
        let runtime = Runtime {
            journal: Arc::clone(&journal),
            provider: Arc::new(UnavailableProvider),
            time: Time::System(SystemClock::real()),
            secrets: Arc::new(NoSecrets),
            ids: Arc::new(Counting::default()),
            holder: "test".to_owned(),
            host: "here".to_owned(),
            traces: None,
            operator: None,
        };
        let act = Arc::new(Acting {
            runtime,
            text: Mutex::new(format!("{PAY}{triggers}")),
            orders: Mutex::default(),
            dies: Mutex::default(),
            refuses: Mutex::default(),
        });
        let runbook = runbook(triggers);
        let watch = Watch { service: runbook.metadata.name.clone(), triggers: runbook.triggers };
        let intake = intake(&journal, &outside);
        let processor = processor(&journal, &clock, &act, &outside, asks);
        Self { journal, clock, outside, act, intake, processor, watch, asks }
    }

    /// The process dies and another one begins, with nothing but the journal.
    pub(super) fn restart(&mut self) {
        self.intake = intake(&self.journal, &self.outside);
        self.processor = processor(&self.journal, &self.clock, &self.act, &self.outside, self.asks);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn at(&self, now: &str) {
        self.clock.advance_to(time(now));
    }

    pub(super) async fn look(&self) -> Looked {
        let looked = self.processor.look(std::slice::from_ref(&self.watch)).await;
        assert_eq!(looked.failed, BTreeMap::new());
        looked
    }

    /// A delivery of PagerDuty, with the name of its file as its id.
    pub(super) async fn pages(&self, name: &str) -> Answer {
        let body = fixture(name);
        self.intake.accept("pager", &paged(&body, name, NEW), &body, self.now()).await
    }

    /// A delivery of Alertmanager.
    pub(super) async fn alerts(&self, name: &str) -> Answer {
        let bearer = headers(&[("authorization", "Bearer hunter2")]);
        self.intake.accept("alerts", &bearer, &fixture(name), self.now()).await
    }

    /// A delivery of SNS.
    pub(super) async fn alarms(&self, name: &str) -> Answer {
        self.intake.accept("alarms", &Headers::default(), &fixture(name), self.now()).await
    }

    /// Every fact about the triggers, as its type and the word that matters.
    pub(super) async fn told(&self) -> Vec<String> {
        let stream = StreamName::trigger(&self.watch.service);
        let records = self.journal.read(&stream, 0, 1_000).await.unwrap();
        let events = records.iter().map(|record| {
            let event: TriggerEvent = serde_json::from_str(&record.body).unwrap();
            assert_eq!(record.kind, event.kind());
            event
        });
        events.filter_map(|event| word(&event)).collect()
    }

    pub(super) async fn record(&self) -> TriggerRecord {
        trigger_record(self.journal.as_ref(), &self.watch.service).await.unwrap()
    }

    /// The runs there are, oldest first, with their statuses.
    pub(super) async fn runs(&self) -> Vec<RunStatus> {
        let mut runs = self.journal.runs(&RunFilter::default()).await.unwrap();
        runs.reverse();
        runs.into_iter().map(|run| run.status).collect()
    }

    pub(super) async fn stop_all(&self, on: bool) {
        let turned = runtime::Turned { by: Identity::asserted("ada"), reason: "audit".to_owned() };
        runtime::turn_stop_switch(self.journal.as_ref(), on, &turned, self.now()).await.unwrap();
    }
}

fn word(event: &TriggerEvent) -> Option<String> {
    Some(match event {
        TriggerEvent::Watching { .. } | TriggerEvent::Passed { .. } => return None,
        TriggerEvent::Red { signal, .. } => format!("red {signal}").trim_end().to_owned(),
        TriggerEvent::Green { why, .. } => format!("green {why}"),
        TriggerEvent::Noted { reason, .. } => format!("noted {reason}"),
        TriggerEvent::Waiting { reason, red, of, .. } => format!("waiting {reason} {red}/{of}"),
        TriggerEvent::Refused { reason, .. } => format!("refused {reason}"),
        TriggerEvent::WouldHave { how, .. } => format!("would have {how}"),
        TriggerEvent::Fired { how, instead, .. } => {
            format!("fired {how}{}", if instead.is_some() { " instead" } else { "" })
        }
        TriggerEvent::Launched { how, .. } => format!("launched {how}"),
        TriggerEvent::Over { .. } => "over".to_owned(),
        TriggerEvent::Withdrawn { outcome, .. } => format!("withdrawn {outcome}"),
        TriggerEvent::NoteTried { outcome, .. } => format!("note {outcome}"),
    })
}

fn intake(journal: &Arc<dyn Journal>, outside: &Arc<Outside>) -> Arc<Intake> {
    let max_age = Duration::from_secs(3600);
    let webhook = |door: Door| Webhook { door, max_age };
    let passwords = vec![("am".to_owned(), Key::new("pass:word"))];
    let webhooks = BTreeMap::from([
        ("pager".to_owned(), webhook(Door::Pagerduty(vec![Key::new(OLD), Key::new(NEW)]))),
        ("alerts".to_owned(), webhook(Door::Alertmanager { tokens: vec![Key::new("hunter2")], passwords })),
        ("alarms".to_owned(), webhook(Door::Cloudwatch(vec![TOPIC.to_owned()]))),
        ("canary".to_owned(), webhook(Door::Webhook(vec![Key::new("canary secret")]))),
    ]);
    let signers: Arc<dyn Signers> = outside.clone();
    Arc::new(Intake::new(Arc::clone(journal), signers, webhooks))
}

fn processor(
    journal: &Arc<dyn Journal>,
    clock: &Arc<VirtualClock>,
    act: &Arc<Acting>,
    outside: &Arc<Outside>,
    asks: bool,
) -> Arc<Processor> {
    let plain = |source| HookUse { source, incidents: None, notes: None };
    let mut pager = plain(TriggerSource::Pagerduty);
    if asks {
        let (incidents, notes): (Arc<dyn Incidents>, Arc<dyn Notes>) = (outside.clone(), outside.clone());
        (pager.incidents, pager.notes) = (Some(incidents), Some(notes));
    }
    let hooks = BTreeMap::from([
        ("pager".to_owned(), pager),
        ("alerts".to_owned(), plain(TriggerSource::Alertmanager)),
        ("alarms".to_owned(), plain(TriggerSource::Cloudwatch)),
        ("canary".to_owned(), plain(TriggerSource::Webhook)),
    ]);
    let (act, clock): (Arc<dyn Act>, Arc<dyn Clock>) = (act.clone(), clock.clone());
    Arc::new(Processor::new(Arc::clone(journal), clock, act, hooks))
}
