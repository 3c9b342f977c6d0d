//! Entries about triggers.

use super::{Entry, error, warning};

pub(crate) const BROKEN_TRIGGER: Entry = error(
    "a trigger that does not say where it listens",
    "A trigger has either one condition, `on` with `when`, or several `signals` with a `quorum`. Names of \
     triggers and of the signals of one trigger are unique: what became of them is recorded by name.",
    "triggers: [{name: pager, start: {operation: failover}}]",
    "triggers: [{name: pager, on: pagerduty, when: \"incident.priority == 'P1'\", start: {operation: failover}}]",
);

pub(crate) const BROKEN_QUORUM: Entry = error(
    "a quorum that can never be reached, or that needs nobody",
    "The quorum is how many of the `signals` must be red together: at least one, at most all of them. A trigger \
     with a quorum that cannot be reached would be found out on the bad day.",
    "quorum: 3        # of two signals",
    "quorum: 2",
);

pub(crate) const BROKEN_START: Entry = error(
    "a trigger starts what cannot be run",
    "`start` names an operation that the runbook has steps for, a site of the runbook to move to, and a mode \
     that fits the operation: a switchover and a failback begin gracefully.",
    "start: {operation: failover, to: wset}",
    "start: {operation: failover, to: west}",
);

pub(crate) const START_WITHOUT_BOUNDS: Entry = error(
    "a run that starts by itself has no bounds",
    "`how: immediate` starts a run without a person. It needs `to`, so that a second start cannot lead back to \
     the site that was lost, and a `cooldown`, so that a flapping alarm cannot start run after run.",
    "start: {operation: failover, how: immediate}",
    "start: {operation: failover, to: west, how: immediate}\ncooldown: 1h",
);

pub(crate) const ONE_SOURCE_DECIDES: Entry = warning(
    "one source decides alone that a run starts",
    "A monitoring system that has lost its own connection reports every service as lost. What starts a run \
     without a person should have seen more than one source red, for some time: use `signals`, a `quorum` of \
     two or more, and a `dwell`. Or stage the run, which costs a person a minute.",
    "{name: pager, on: pagerduty, when: …, start: {operation: failover, to: west, how: immediate}, cooldown: 1h}",
    "{name: both, signals: [{name: pager, on: pagerduty, when: …}, {name: probes, on: alertmanager, when: …}], \
     quorum: 2, dwell: 3m, …}",
);

pub(crate) const SAME_SOURCE: Entry = warning(
    "two signals of a quorum come from the same source",
    "A quorum is worth as much as its signals are independent. Two conditions over the same webhook are red \
     together when that one system is wrong. Where two webhooks of a kind are meant, name them with `webhook`.",
    "signals: [{name: a, on: alertmanager, when: …}, {name: b, on: alertmanager, when: …}]",
    "signals: [{name: a, on: alertmanager, webhook: am-east, when: …}, {name: b, on: alertmanager, webhook: am-west, when: …}]",
);

pub(crate) const ANY_EVENT_STARTS: Entry = warning(
    "any event of a source is taken for the loss of the service",
    "Without `when`, everything that the source reports as wrong is meant, also what is about other services. \
     Name the service, the alarm or the label.",
    "{name: pager, on: pagerduty, start: {operation: failover}}",
    "{name: pager, on: pagerduty, when: \"incident.service.id == 'PABC123'\", start: {operation: failover}}",
);
