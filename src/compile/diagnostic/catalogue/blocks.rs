//! Entries about parameters, secrets, sites, objectives, times, approvals, and blocks this version does not
//! run.

use super::{Entry, error, notice, warning};

pub(crate) const BROKEN_PARAMETER: Entry = error(
    "a parameter that contradicts itself",
    "The default does not fit the type, the range or the list of values; the smallest value is above the \
     largest; or a required parameter has a default.",
    "tasks: {type: integer, default: \"12\"}",
    "tasks: {type: integer, default: 12}",
);

pub(crate) const BROKEN_SECRET: Entry = error(
    "a secret whose source is not complete",
    "`from: env` needs `name`, `from: file` needs `path`, `from: command` needs `argv`, and the other two \
     must be left out.",
    "pager: {from: env, path: /run/pager}",
    "pager: {from: env, name: PAGERDUTY_TOKEN}",
);

pub(crate) const BROKEN_SITES: Entry = error(
    "sites that cannot be failed over between",
    "A failover needs a site to leave and a site to go to: at least two, one of them active and one \
     standby (active_active: at least two active). Known providers are written `aws`, `azure`, `gcp`, and \
     their regions as they write them, `us-east-1`: otherwise nobody notices that two sites are in one. A \
     dependency names one of them or `outside`.",
    "sites: {east: {role: active}}",
    "sites: {east: {role: active}, west: {role: standby}}",
);

pub(crate) const BROKEN_OBJECTIVES: Entry = error(
    "objectives that contradict each other",
    "The maximum tolerable downtime cannot be shorter than the recovery time objective.",
    "objectives: {rto: 4h, mtd: 1h}",
    "objectives: {rto: 1h, mtd: 4h}",
);

pub(crate) const BROKEN_TIMES: Entry = error(
    "times that contradict each other",
    "One attempt (`timeout`) or the expected duration (`estimate`) is longer than the whole step may take \
     (`deadline`), a check looks less often (`every`) than the time it has (`within`), or a pause is \
     longer than the longest pause.",
    "timeout: 10m\ndeadline: 5m",
    "timeout: 2m\ndeadline: 10m",
);

pub(crate) const BROKEN_ACCEPTANCE: Entry = error(
    "an `accept` entry that cannot hold",
    "The code does not exist, cannot be accepted or is accepted twice, the reason is empty, or `until` is not a \
     day.",
    "accept: [{code: DR0203, reason: later, until: soon}]",
    "accept: [{code: DR0601, reason: first drill in March, until: \"2027-03-31\"}]",
);

pub(crate) const EXPIRED_ACCEPTANCE: Entry = notice(
    "an acceptance that has ended",
    "The day until which the finding was accepted has passed: it counts again. Put the finding right, or \
     decide again and give a new day.",
    "accept: [{code: DR0601, reason: first drill in March, until: \"2020-03-31\"}]",
    "accept: [{code: DR0601, reason: first drill in March, until: \"2027-03-31\"}]",
);

pub(crate) const IDLE_ACCEPTANCE: Entry = warning(
    "an acceptance of nothing",
    "The runbook has no finding of that code. An acceptance that is not needed would hide the finding \
     when it comes back.",
    "accept: [{code: DR0601, reason: old site, until: \"2027-03-31\"}]   # no such finding",
    "accept: []",
);

pub(crate) const BROKEN_APPROVAL: Entry = error(
    "an approval that cannot end as written",
    "`on_expiry` says what follows when the approval is not given in time; without `expires` there is no \
     such time.",
    "approval: {quorum: 2, on_expiry: deny}",
    "approval: {quorum: 2, expires: 30m, on_expiry: deny}",
);

pub(crate) const BROKEN_COMPONENT: Entry = error(
    "A component cannot be made into steps",
    "A declared component needs a strategy it can be a part of, a value for every site in each field that \
     differs by site, names that are free and not reserved, and numbers that add up: `standby` and \
     `enough` are at most `active`, `active` is at most `max`, and weights are of sites that serve. A `stop` \
     that fences does something. An own step beside components needs a place: a `phase`, or `before` or \
     `after` with the id of a step or stage.",
    "sites: {east: {role: active}, west: {role: standby}}\n\
     components: [{id: queue, kind: aws.lambda.event_source, mapping_id: {east: 6b2f}}]",
    "sites: {east: {role: active}, west: {role: standby}}\n\
     components: [{id: queue, kind: aws.lambda.event_source, mapping_id: {east: 6b2f, west: 7c3a}}]",
);

pub(crate) const PLACEHOLDER: Entry = notice(
    "a value that is still to be filled in",
    "`drctl init` writes TODO where only the owner of a service knows the value. The runbook can be \
     planned and simulated like this; a real run that would hand such a value to a provider is refused.",
    "cluster: {east: TODO-app-east, west: TODO-app-west}",
    "cluster: {east: shop-prod, west: shop-dr}",
);

pub(crate) const BROKEN_ADDRESS: Entry = error(
    "an address that nothing can be sent to",
    "What is asked over HTTP has an absolute address: https:// or http://, and a host. With another \
     text the step fails on the bad day. Of a template only its beginning can be judged. A connection string \
     of PostgreSQL is `name=value …` or a postgresql:// address, and names a host; files of services and of \
     passwords are not looked at.",
    "public_url: shop.example.com",
    "public_url: \"https://shop.example.com/health\"",
);

pub(crate) const FLEET_NOT_HERE: Entry = error(
    "a fleet where the runbook of one service is expected",
    "`drctl failover`, `switchover`, `failback`, `plan`, `check` and `validate` take a fleet. Comparisons and child \
     runs are about one service.",
    "kind: Fleet",
    "kind: Runbook",
);
