//! The runtime with a provider that keeps account of what it is asked.

#![expect(
    clippy::unwrap_used,
    reason = "a test may fail; the exceptions for tests do not reach functions beside them"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use drctl::engine::input::{Consents, Control, Observation, Request};
use drctl::journal::MemoryJournal;
use drctl::model::action::{Action, ActionName};
use drctl::model::run::{Failure, FailureClass, Identity, Intent, Operation, RunStatus};
use drctl::plan::{self, Choices};
use drctl::ports::{
    Append, AttemptContext, BoxFuture, Journal as _, NewRecord, Polled, Provider, Started, StreamName,
};
use drctl::runtime::{Runtime, Stop, SystemClock, Time};
use serde_json::{Map, Value, json};

use crate::support::runtime::{Counting, NoSecrets, Silent, new_run};

/// Node, whether the event source is enabled by the attempt, and what was read before.
type Start = (String, Value, Option<Value>);

/// Does everything at once, but for programs, which fail.
#[derive(Default)]
struct Accountant {
    starts: Mutex<Vec<Start>>,
    /// While it performs `a` the whole process stands still, and here somebody asks for an abort.
    stands_still: Option<Arc<MemoryJournal>>,
}

/// What somebody asks.
fn asked(control: Control) -> Request {
    let (by, reason) = (Identity::asserted("ann"), Some("test".to_owned()));
    Request { id: "one".to_owned(), by, from: "elsewhere".to_owned(), reason, control }
}

impl Provider for Accountant {
    fn prepare<'a>(
        &'a self,
        action: &'a Action,
        _: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        Box::pin(async move { Ok(Some(json!({"read for": action.parameters()["mapping_id"]}))) })
    }
    fn start<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(async move {
            if action.name() == ActionName::CommandRun {
                return Err(Failure::new(FailureClass::Permanent, "no"));
            }
            let mapping = action.parameters()["mapping_id"].clone();
            let start = (context.node.to_string(), mapping, context.prepared.clone());
            self.starts.lock().unwrap().push(start);
            if let Some(journal) = self.stands_still.as_ref().filter(|_| context.node.as_str() == "a") {
                journal.submit(&context.run, &asked(Control::Abort)).await.unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1_500));
            }
            Ok(Started::Done(Map::new()))
        })
    }
    fn poll<'a>(
        &'a self,
        _: &'a Action,
        _: &'a AttemptContext,
        _: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        Box::pin(async { Ok(Polled::Done(Map::new())) })
    }
    fn observe<'a>(
        &'a self,
        _: &'a Action,
        _: &'a AttemptContext,
        _: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        Box::pin(async { Observation::NotApplied })
    }
}

#[tokio::test]
async fn no_effect_is_begun_under_a_lease_that_is_not_good() {
    let text = "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {name: pay}\n\
         sites: {a: {role: active}, b: {role: standby}}\nworkflows:\n  failover:\n    steps:\n      \
         - {id: a, uses: aws.lambda.set_event_source, retry: {attempts: 1}, drill: skip, \
         with: {region: us-east-1, mapping_id: x, enabled: false}}\n";
    for killed in [false, true] {
        let journal = Arc::new(MemoryJournal::new());
        let accountant = Arc::new(Accountant::default());
        let runtime = of(Arc::clone(&journal), &accountant);
        let driver = runtime.create(planned(text), new_run(text)).await.unwrap();
        if killed {
            journal.kill_holder();
        }
        let (_, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
        assert_eq!(accountant.starts.lock().unwrap().is_empty(), killed);
        assert_eq!(state.status == RunStatus::Succeeded, !killed, "{:?}", state.cause);
    }
}

/// A runbook whose steps are requests, one after the other.
fn requests(steps: &[&str]) -> String {
    let call = "uses: http.request, drill: skip, with: {url: \"https://a.example/\", method: POST, idempotent: true}";
    let steps =
        steps.iter().fold(String::new(), |text, step| text + &format!("      - {{{step}, {call}}}\n"));
    format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: pay}}\n\
         sites: {{a: {{role: active}}, b: {{role: standby}}}}\nworkflows:\n  failover:\n    steps:\n{steps}"
    )
}

#[tokio::test]
async fn what_was_asked_while_the_process_stood_still_comes_before_what_would_follow() {
    let text = requests(&["id: a", "id: b"]);
    let journal = Arc::new(MemoryJournal::new());
    let stands_still = Some(Arc::clone(&journal));
    let accountant = Arc::new(Accountant { stands_still, ..Accountant::default() });
    let driver = of(Arc::clone(&journal), &accountant).create(planned(&text), new_run(&text)).await.unwrap();
    let (_, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    let started: Vec<_> = accountant.starts.lock().unwrap().iter().map(|start| start.0.clone()).collect();
    assert_eq!((started, state.status), (vec!["a".to_owned()], RunStatus::Aborted), "{:?}", state.cause);
}

#[tokio::test]
async fn an_abort_comes_before_an_approval_that_waits_beside_it() {
    let text = requests(&["id: b, approval: {quorum: 1}"]);
    let (journal, accountant) = (Arc::new(MemoryJournal::new()), Arc::new(Accountant::default()));
    let runtime = of(Arc::clone(&journal), &accountant);
    let driver = runtime.create(planned(&text), new_run(&text)).await.unwrap();
    let (_, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    assert_eq!(state.status, RunStatus::AwaitingApproval);
    let run = &state.created.run;
    let approve = Control::Approve { node: None, consents: Consents::default() };
    journal.submit(run, &asked(approve)).await.unwrap();
    journal.submit(run, &Request { id: "two".to_owned(), ..asked(Control::Abort) }).await.unwrap();
    let driver = runtime.take_over(run, BTreeMap::new()).await.unwrap();
    let (_, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    assert_eq!((accountant.starts.lock().unwrap().len(), state.status), (0, RunStatus::Aborted));
}

fn planned(text: &str) -> plan::Plan {
    let (runbook, found) = drctl::compile::compile(text, jiff::civil::date(2026, 11, 21));
    let choices = Choices {
        operation: Operation::Failover,
        mode: None,
        intent: Intent::Simulate,
        from: None,
        to: None,
        unready: BTreeMap::new(),
        parameters: BTreeMap::new(),
    };
    assert!(runbook.is_some(), "{found:?}");
    plan::bind(&runbook.unwrap(), &choices).unwrap()
}

fn of(journal: Arc<MemoryJournal>, accountant: &Arc<Accountant>) -> Runtime {
    Runtime {
        journal,
        provider: Arc::clone(accountant) as Arc<dyn Provider>,
        time: Time::System(SystemClock::real()),
        secrets: Arc::new(NoSecrets),
        ids: Arc::new(Counting::default()),
        holder: "test".to_owned(),
        host: "here".to_owned(),
        traces: None,
        operator: None,
    }
}

#[tokio::test]
async fn an_action_that_makes_up_for_another_has_read_what_it_needs_itself() {
    let set = "uses: aws.lambda.set_event_source, drill: skip, with: {region: us-east-1";
    let back =
        "uses: aws.lambda.set_event_source, with: {region: us-east-1, mapping_id: back, enabled: true}";
    let text = format!(
        "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {{name: pay}}\n\
         sites: {{a: {{role: active}}, b: {{role: standby}}}}\nworkflows:\n  failover:\n    steps:\n\
         \x20     - {{id: a, {set}, mapping_id: forth, enabled: false}}, undo: {{{back}}}}}\n\
         \x20     - {{id: z, uses: command.run, with: {{argv: [x]}}, on_failure: unwind, drill: skip}}\n"
    );
    let accountant = Arc::new(Accountant::default());
    let runtime = of(Arc::new(MemoryJournal::new()), &accountant);
    let driver = runtime.create(planned(&text), new_run(&text)).await.unwrap();
    let (_, state) = driver.drive(&Silent, Stop::AtPerson).await.unwrap();
    assert_eq!(state.status, RunStatus::Unwound, "{:?}", state.cause);
    let read = |mapping: &str| Some(json!({"read for": mapping}));
    let start = |mapping: &str| ("a".to_owned(), json!(mapping), read(mapping));
    assert_eq!(*accountant.starts.lock().unwrap(), [start("forth"), start("back")]);
}

#[tokio::test]
async fn a_lease_under_which_nobody_drives_is_given_back() {
    let journal = Arc::new(MemoryJournal::new());
    let runtime = of(Arc::clone(&journal), &Arc::new(Accountant::default()));
    let nobody = drctl::model::id::RunId::new("pay-99999999").unwrap();
    let error = runtime.take_over(&nobody, BTreeMap::new()).await.map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("no run"), "{error}");
    let lease = journal.lease(&nobody).await.unwrap().unwrap();
    assert_eq!((lease.token, lease.holder), (1, None), "of a run that could not be loaded");
    // Somebody appends under its driver, so that it cannot go on.
    let text = "apiVersion: drctl/v1\nkind: Runbook\nmetadata: {name: pay}\n\
         sites: {a: {role: active}, b: {role: standby}}\nworkflows:\n  failover:\n    steps:\n      \
         - {id: a, uses: command.run, with: {argv: [x]}, drill: skip}\n";
    let driver = runtime.create(planned(text), new_run(text)).await.unwrap().open().await.unwrap();
    let run = driver.state().created.run.clone();
    let strange = NewRecord { kind: "noted", version: 1, body: "{}".to_owned() };
    let stream = Some(StreamName::run(&run));
    let append = Append { stream, token: Some(1), records: vec![strange], ..Append::default() };
    journal.append(vec![append]).await.unwrap();
    driver.drive(&Silent, Stop::AtPerson).await.map(|_| ()).unwrap_err();
    assert_eq!(journal.lease(&run).await.unwrap().unwrap().holder, None, "of a driver that could not go on");
}
