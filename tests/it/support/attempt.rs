//! Contexts of attempts, as the runtime makes them.

use std::time::Duration;

use drctl::engine::input::Direction;
use drctl::model::action::{Action, ActionName};
use drctl::model::id::{NodeAddress, RunId, ServiceName};
use drctl::model::run::{Intent, Mode};
use drctl::model::time::Timestamp;
use drctl::ports::{AttemptContext, CancelSwitch};
use serde_json::Value;

/// A first attempt of the node `work` with a minute left, and what gives it up.
pub(crate) fn context() -> (AttemptContext, CancelSwitch) {
    let (switch, cancelled) = CancelSwitch::new();
    let now = Timestamp::from_millis(jiff::Timestamp::now().as_millisecond());
    let context = AttemptContext {
        run: RunId::new("payments-abcdefgh").unwrap(),
        service: ServiceName::new("payments").unwrap(),
        node: NodeAddress::typed("work"),
        attempt: 1,
        direction: Direction::Do,
        idempotency_key: format!("payments-abcdefgh/work/do/{}", std::process::id()),
        fencing_token: 7,
        deadline: now.plus(drctl::model::time::Duration::from_secs(60)),
        mode: Mode::Ungraceful,
        intent: Intent::Real,
        from: None,
        to: None,
        sites: std::sync::Arc::default(),
        prepared: None,
        began: None,
        sensitive: false,
        cancelled,
    };
    (context, switch)
}

/// An action with its parameters.
pub(crate) fn action(name: &str, with: Value) -> Action {
    Action::new(name.parse::<ActionName>().unwrap(), with).unwrap()
}

/// Looks every few milliseconds until something is true, for at most ten seconds.
pub(crate) async fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if is_true() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not true within ten seconds: {what}");
}
