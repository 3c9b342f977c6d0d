//! What every run of a test needs and no test is about: a follower without a word, no secrets, ids in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use drctl::engine::input::Consents;
use drctl::engine::{IndexedPlan, RunState};
use drctl::model::run::Identity;
use drctl::plan::NodeIndex;
use drctl::ports::{BoxFuture, IdSource, SecretError, SecretSource};
use drctl::runtime::{Follower, NewRun, Recorded};

/// Follows without a word.
pub(crate) struct Silent;

impl Follower for Silent {
    fn recorded(&self, _: &IndexedPlan, _: &RunState, _: &[Recorded]) {}
    fn progress(&self, _: &IndexedPlan, _: NodeIndex, _: &str) {}
}

/// Ids that count upwards.
#[derive(Default)]
pub(crate) struct Counting(AtomicU32);

impl IdSource for Counting {
    fn suffix(&self) -> String {
        format!("{:08}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Has none.
pub(crate) struct NoSecrets;

impl SecretSource for NoSecrets {
    fn resolve<'a>(
        &'a self,
        _: &'a BTreeMap<String, drctl::model::values::Secret>,
    ) -> BoxFuture<'a, Result<BTreeMap<String, String>, SecretError>> {
        Box::pin(async { Ok(BTreeMap::new()) })
    }
}

/// A run of a text, by `test`, with nothing chosen.
pub(crate) fn new_run(text: &str) -> NewRun {
    NewRun {
        runbook: text.to_owned(),
        reason: None,
        started_by: Identity::asserted("test"),
        trigger: "test".to_owned(),
        incident_at: None,
        detected_at: None,
        consents: Consents::default(),
        adopt: false,
        staged_for: None,
        idempotency_key: None,
        service_head: None,
        sensitive: BTreeMap::new(),
        notes: BTreeMap::new(),
    }
}
