//! A trigger as its author wrote it: where it listens, what it asks for, what it starts. Decides nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::expression::Expression;
use crate::model::id::{SiteName, StepId};
use crate::model::run::{Mode, Operation, words};
use crate::model::time::Duration;

words! {
    /// Where a trigger listens.
    TriggerSource {
        /// PagerDuty's V3 webhook.
        Pagerduty = "pagerduty",
        /// Prometheus Alertmanager.
        Alertmanager = "alertmanager",
        /// CloudWatch alarms, as Amazon SNS delivers them.
        Cloudwatch = "cloudwatch",
        /// A signed webhook of any sender.
        Webhook = "webhook",
    }
}

words! {
    /// What a trigger does.
    HowToStart {
        /// A person starts the run.
        Staged = "staged",
        /// The run starts at once; the gate before the point of no return still asks a person.
        Immediate = "immediate",
    }
}

/// What starts a run from outside: one condition (`on`, `when`), or several signals of which enough must
/// agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Its name, unique in the runbook.
    pub name: StepId,
    /// Where it listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<TriggerSource>,
    /// Only events of this webhook of the configuration; default: every one of that kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<StepId>,
    /// Condition over `event` and `incident`; default: everything that says that something is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// What is listened to, in place of `on`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<Signal>,
    /// How many of the signals must be red together; default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub quorum: Option<u32>,
    /// For how long they must be; default: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dwell: Option<Duration>,
    /// What it starts.
    pub start: TriggerStart,
    /// Shortest time between two starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Duration>,
    /// Only record what it would have done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shadow: bool,
}

/// One of several things a trigger listens to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Its name, unique in the trigger.
    pub name: StepId,
    /// Where it listens.
    pub on: TriggerSource,
    /// Only events of this webhook of the configuration; default: every one of that kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<StepId>,
    /// Condition over `event` and `incident`; default: everything that says that something is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
}

/// What a trigger starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TriggerStart {
    /// Operation.
    pub operation: Operation,
    /// Mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Site the service moves to; default: as for a run that is started by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<SiteName>,
    /// Staged (default) or immediate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub how: Option<HowToStart>,
}

/// One thing a trigger listens to, whichever way it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening<'t> {
    /// Name of the signal; empty for a trigger that listens to one thing.
    pub signal: &'t str,
    /// Where.
    pub on: TriggerSource,
    /// Only to this webhook.
    pub webhook: Option<&'t StepId>,
    /// For what.
    pub when: Option<&'t Expression>,
}

impl Trigger {
    /// What it listens to.
    #[must_use]
    pub fn listening(&self) -> Vec<Listening<'_>> {
        let one = self.on.map(|on| Listening {
            signal: "",
            on,
            webhook: self.webhook.as_ref(),
            when: self.when.as_ref(),
        });
        let several = self.signals.iter().map(|signal| Listening {
            signal: signal.name.as_str(),
            on: signal.on,
            webhook: signal.webhook.as_ref(),
            when: signal.when.as_ref(),
        });
        one.into_iter().chain(several).collect()
    }

    /// Whether several signals decide together; otherwise each incident is decided for itself.
    #[must_use]
    pub fn is_quorum(&self) -> bool {
        self.on.is_none()
    }

    /// How many signals must be red together.
    #[must_use]
    pub fn quorum(&self) -> usize {
        let all = self.listening().len();
        self.quorum.map_or(all, |quorum| usize::try_from(quorum).unwrap_or(usize::MAX)).max(1)
    }

    /// Staged, unless it says otherwise.
    #[must_use]
    pub fn how(&self) -> HowToStart {
        self.start.how.unwrap_or(HowToStart::Staged)
    }

    /// For how long the signals must be red.
    #[must_use]
    pub fn dwell(&self) -> Duration {
        self.dwell.unwrap_or(Duration::ZERO)
    }
}

impl Listening<'_> {
    /// Whether deliveries of a webhook are listened to.
    #[must_use]
    pub fn hears(&self, on: TriggerSource, webhook: &str) -> bool {
        self.on == on && self.webhook.is_none_or(|wanted| wanted.as_str() == webhook)
    }
}
