//! Entries about the policy of those who answer for many services.

use super::{Entry, error, notice};

pub(crate) const TOO_FEW_AGREE: Entry = error(
    "fewer people agree than the policy wants",
    "The policy wants a number of people, perhaps of certain roles, to agree before the point of no return of \
     such a service. No approval that stands before it in this mode asks for as many.",
    "approval: {roles: [dba], quorum: 1}   # the policy: approvals: [{quorum: 2}]",
    "approval: {roles: [dba], quorum: 2}",
);

pub(crate) const OUTSIDE_WINDOW: Entry = error(
    "a planned move outside of its window",
    "The policy says when planned moves and drills of such a service may begin. Wait for the window that is \
     named. A failover never waits for one.",
    "drctl switchover payments --reason \"move\"   # on a Saturday",
    "drctl switchover payments --reason \"move\"   # in the window",
);

pub(crate) const REQUIRED_LINT: Entry = error(
    "a finding that may not be accepted",
    "The policy requires this rule: a finding of it may neither be accepted in the runbook nor be made less \
     of in the configuration. Put the finding right.",
    "accept: [{code: DR0502, reason: later, until: \"2027-03-31\"}]   # the policy: lints: {required: [DR0502]}",
    "accept: []",
);

pub(crate) const DRILL_STALE: Entry = notice(
    "the last exercise is too old",
    "The policy says how long ago the last drill or move of such a service that succeeded may be. What was \
     not exercised for long is not known to work.",
    "drctl switchover payments   # the last exercise was a year ago",
    "drctl failover payments --simulate   # and a drill, or a planned move",
);

pub(crate) const DENIED: Entry = error(
    "denied by a rule of the policy",
    "A rule of the policy (`deny`) is true of the plan. What it says is in the message.",
    "uses: command.run   # the policy: deny: [{id: no-programs, when: \"'command.run' in plan.actions\"}]",
    "uses: aws.ecs.set_desired_count",
);

pub(crate) const BROKEN_POLICY: Entry = error(
    "a policy that cannot hold",
    "A time zone, time, day or code of the policy does not exist, two of its parts have the same id, or a \
     window says neither when it is open nor when it is not.",
    "windows: [{id: office, timezone: Berlin, allow: [{from: \"09:00\", to: \"17:00\"}]}]",
    "windows: [{id: office, timezone: Europe/Berlin, allow: [{from: \"09:00\", to: \"17:00\"}]}]",
);

pub(crate) const POLICY_UNDECIDED: Entry = error(
    "a rule of the policy cannot be evaluated",
    "The expression of a rule reads something that this plan does not have, or is too long a calculation. \
     Nobody knows whether it denies the plan, so it does.",
    "when: plan.labels.tier == '1'   # of a service without that label",
    "when: plan.labels.tier is defined and plan.labels.tier == '1'",
);
