//! What an estate is like, apart from when it became so, and what it was like before anybody changed it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use drctl::engine::input::{Direction, Observation};
use drctl::model::action::Action;
use drctl::model::run::Failure;
use drctl::ports::{AttemptContext, BoxFuture, Polled, Provider, Started};
use drctl::providers::simulated::{Change, Estate, EstateStore, SimulatedProvider};
use serde_json::Value;

/// Everything in an estate by kind and name, without times.
pub(crate) type Facts = BTreeMap<String, String>;

/// What an estate is like.
pub(crate) fn facts(estate: &Estate) -> Facts {
    let databases = estate.databases().iter().map(|(name, it)| {
        let (fenced, stands) = (it.fenced_at.is_some(), it.recovery_point.is_some());
        let follows = it.source.as_ref().map_or("nobody", |site| site.as_str());
        let text = format!("{} following {follows}, fenced {fenced}, standing still {stands}", it.role);
        (format!("database {name}"), text)
    });
    let sizes =
        estate.capacities().iter().map(|(name, it)| (format!("size {name}"), format!("{:?}", it.size)));
    let settings = estate.settings().iter();
    let settings =
        settings.map(|(name, it)| (format!("setting {name}"), format!("{}, {}", it.value, it.ttl)));
    databases.chain(sizes).chain(settings).collect()
}

/// What a change is about, named as in [`Facts`].
pub(crate) fn touched(change: &Change) -> Vec<String> {
    match change {
        Change::Nothing | Change::BackUp { .. } => Vec::new(),
        Change::Fence { database, .. }
        | Change::Release { database }
        | Change::Promote { database, .. }
        | Change::Follow { database, .. }
        | Change::Restore { database, .. } => vec![format!("database {database}")],
        Change::Scale { group, .. } => vec![format!("size {group}")],
        Change::Set { settings } => settings.iter().map(|it| format!("setting {}", it.name)).collect(),
    }
}

/// The estate as it was found: each fact as it was when it was first seen.
#[derive(Clone, Default)]
pub(crate) struct Found(Arc<Mutex<Facts>>);

impl Found {
    pub(crate) fn facts(&self) -> Facts {
        self.0.lock().unwrap().clone()
    }

    fn see(&self, estate: &EstateStore) {
        let mut found = self.0.lock().unwrap();
        for (name, fact) in facts(&estate.snapshot()) {
            found.entry(name).or_insert(fact);
        }
    }
}

/// A provider that looks at what an attempt is about before the attempt is made: nothing is in the simulated
/// estate until it is first mentioned, and a look mentions it.
pub(crate) struct Watched {
    pub(crate) provider: SimulatedProvider,
    pub(crate) estate: EstateStore,
    pub(crate) found: Found,
}

impl Provider for Watched {
    fn prepare<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Option<Value>, Failure>> {
        self.provider.prepare(action, context)
    }
    fn start<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
    ) -> BoxFuture<'a, Result<Started, Failure>> {
        Box::pin(async move {
            if context.direction == Direction::Do {
                self.provider.observe(action, context, None).await;
                self.found.see(&self.estate);
            }
            self.provider.start(action, context).await
        })
    }
    fn poll<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: &'a Value,
    ) -> BoxFuture<'a, Result<Polled, Failure>> {
        self.provider.poll(action, context, handle)
    }
    fn observe<'a>(
        &'a self,
        action: &'a Action,
        context: &'a AttemptContext,
        handle: Option<&'a Value>,
    ) -> BoxFuture<'a, Observation> {
        self.provider.observe(action, context, handle)
    }
}
