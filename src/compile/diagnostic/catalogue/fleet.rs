//! Entries about fleets.

use super::{Entry, error};

pub(crate) const UNCLEAR_MEMBER: Entry = error(
    "a member that is neither one service nor a selection",
    "A member of a fleet names one service with `runbook`, or stands for all that carry some labels with \
     `select`: one of the two.",
    "members: [{needs: [identity]}]",
    "members: [{runbook: identity}, {select: {labels: {tier: \"2\"}}, needs: [identity]}]",
);

pub(crate) const UNKNOWN_MEMBER: Entry = error(
    "a member without a runbook",
    "`runbook` names a service of which there is no sound runbook in the runbook folders or beside the fleet. On \
     the bad day it would be missing.",
    "members: [{runbook: paymets}]",
    "members: [{runbook: payments}]",
);

pub(crate) const EMPTY_SELECTION: Entry = error(
    "a selection that matches nothing",
    "No runbook carries all of these labels, apart from those that other members name. Whoever wrote the \
     selection expected some.",
    "members: [{select: {labels: {teir: \"1\"}}}]",
    "members: [{select: {labels: {tier: \"1\"}}}]",
);

pub(crate) const DUPLICATE_MEMBER: Entry = error(
    "a member twice",
    "Two members have one name, or two selections stand for the same service. A service is moved once; which \
     needs and parameters count would be a matter of luck. A service that a member names is left out of \
     selections.",
    "members: [{runbook: payments}, {runbook: payments, needs: [identity]}]",
    "members: [{runbook: identity}, {runbook: payments, needs: [identity]}]",
);

pub(crate) const RUNS_ITSELF: Entry = error(
    "a run that would run itself",
    "The runbook of a member runs, directly or through others, the one it was begun by, or has the name of the \
     fleet. Such a run would never end.",
    "metadata: {name: payments}\nmembers: [{runbook: payments}]",
    "metadata: {name: evacuate-east}\nmembers: [{runbook: payments}]",
);

pub(crate) const MISPLACED_MEMBER: Entry = error(
    "a member that goes where its service has no site",
    "`from` and `to` of a member name sites of its runbook, and two different ones. On the bad day the whole fleet \
     would be refused for it.",
    "members: [{runbook: payments, from: east, to: wset}]",
    "members: [{runbook: payments, from: east, to: west}]",
);

pub(crate) const BROKEN_MEMBER: Entry = error(
    "values of a member that its runbook cannot take",
    "`with` of a member gives values to parameters of its runbook: to those that are declared there, of their type \
     and range, and to every required one. Members take no values from the command line.",
    "members: [{runbook: payments, with: {tasks: many}}]",
    "members: [{runbook: payments, with: {tasks: 20}}]",
);

pub(crate) const SENSITIVE_MEMBER: Entry = error(
    "a member that needs a value nobody can hand it",
    "The value of a sensitive parameter is stored nowhere, so that a fleet has none for the runs of its members, \
     and a resume would have none either. A secret is read by each run where it is kept.",
    "# in the runbook of the member:\nparameters: {pin: {type: string, required: true, sensitive: true}}",
    "# in the runbook of the member:\nsecrets: {pin: {from: file, path: /run/secrets/pin}}",
);

pub(crate) const AMBIGUOUS_MEMBER: Entry = error(
    "a member with two runbooks",
    "Two files among the runbook folders and beside the fleet are about one service: that of a member, or one whose \
     runbook a member runs. Which of them would move it is a matter of luck.",
    "# payments.yaml and old/payments.yaml:\nmetadata: {name: payments}",
    "# old/payments.yaml:\nmetadata: {name: payments-old}",
);
