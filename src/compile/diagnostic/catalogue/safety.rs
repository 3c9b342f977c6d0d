//! Entries about safety, residency and secrets.

use super::{Entry, acceptable, error, warning};

pub(crate) const PROCEED_BEFORE_IRREVERSIBLE: Entry = error(
    "silence would lead to something irreversible",
    "An approval with `on_expiry: proceed` goes on when nobody answers. Something behind it cannot be \
     taken back; that must never happen because nobody looked.",
    "approval: {expires: 10m, on_expiry: proceed}   # before a promotion",
    "approval: {expires: 10m, on_expiry: hold}",
);

pub(crate) const DOUBT_NEEDS_PERSON: Entry = warning(
    "a lost reply would need a person",
    "The step changes something, can neither be observed nor safely repeated. When drctl or the network \
     dies in the middle, the run stops until a person says whether it was done.",
    "uses: command.run\nwith: {argv: [./promote.sh]}",
    "uses: command.run\nwith: {argv: [./promote.sh], observes: true}",
);

pub(crate) const MISSING_UNDO: Entry = warning(
    "`on_failure: unwind` without a way back",
    "When this step fails, everything applied so far is undone. A step that changes something and has no \
     `undo` would be left as it is; and so is one whose program failed half-way, unless \
     `undo_after_failure: true` says that its `undo` bears that.",
    "- {id: scale, uses: aws.ecs.set_desired_count, on_failure: unwind}",
    "- {id: scale, uses: aws.ecs.set_desired_count, on_failure: unwind, undo: auto}",
);

pub(crate) const CHECK_CHANGES: Entry = error(
    "a check that changes something",
    "`precheck`, `verify` and `recovery_point` are run again and again, before a run is even started. \
     They must only read.",
    "precheck: [{uses: postgres.query, with: {connection: c, sql: \"delete from t\", write: true}}]",
    "precheck: [{uses: postgres.query, with: {connection: c, sql: \"select 1\"}}]",
);

pub(crate) const NO_AUTOMATIC_UNDO: Entry = error(
    "`undo: auto` of an action that cannot restore",
    "`auto` works where the action records what it found, or where the program answers `undo` (`undoes: \
     true`). Elsewhere name the action that makes up for it.",
    "uses: http.request\nundo: auto",
    "uses: http.request\nundo: {uses: http.request, with: {method: POST, url: \
     \"https://ci.example.com/unfreeze\"}}",
);

pub(crate) const WEAKER_REVERSIBILITY: Entry = error(
    "an irreversible action is called reversible without a reason",
    "The step claims that its effect can be taken back more easily than the action says. The point of no \
     return depends on it, so a reason must stand beside it.",
    "reversibility: {class: reversible, reason: \"\"}",
    "reversibility: {class: reversible, reason: the replica is a throw-away copy}",
);

pub(crate) const NOT_A_READING: Entry = error(
    "a recovery point that cannot be read",
    "`recovery_point` needs an action that returns `lag_ms` or `recovery_point_at`; otherwise no data \
     loss can be measured.",
    "recovery_point: [{uses: http.check, with: {url: \"https://pay.example.com\"}}]",
    "recovery_point: [{uses: postgres.heartbeat, with: {connection: \"{{ to.values.db }}\"}}]",
);

pub(crate) const FAILURE_IGNORED: Entry = warning(
    "a failure is ignored that the recovery relies on",
    "A fence, a promotion, a restore, a growth, a verification or a move of users has \
     `on_failure: continue`. What follows relies on it \
     having happened: the run would go on to a promotion without a fence, or to users without a check. drctl \
     stops there, and nobody knows why.",
    "- {id: fence, phase: fence, uses: postgres.fence, on_failure: continue}",
    "- {id: fence, phase: fence, uses: postgres.fence}   # unconfirmed: accepted by name at the gate",
);

pub(crate) const UNDO_IRREVERSIBLE: Entry = warning(
    "an undo that cannot be taken back itself",
    "An unwind runs by itself, in reverse, before the point of no return. An undo with an irreversible action \
     would cross it without a gate.",
    "undo: {uses: postgres.promote, with: {standby: \"{{ from.values.db }}\"}}",
    "on_failure: pause   # and no undo: a person decides",
);

pub(crate) const UNWIND_BEYOND_RETURN: Entry = warning(
    "an unwind from a step that cannot be taken back",
    "When an irreversible step fails, it may have happened all the same. Unwinding then opens the fence of the \
     old primary beside a new one. Hold instead, and let a person look.",
    "- {id: promote, uses: postgres.promote, on_failure: unwind}",
    "- {id: promote, uses: postgres.promote}",
);

pub(crate) const STOP_WITHOUT_UNDO: Entry = warning(
    "something is stopped and never started again",
    "A step of phase `freeze` or `fence` has no `undo`. When the run is unwound before the point of no return, \
     the service goes on where it was, and this stays stopped.",
    "- {id: fence, phase: fence, uses: aws.ecs.set_desired_count, with: {desired: 0}}",
    "- {id: fence, phase: fence, uses: aws.ecs.set_desired_count, with: {desired: 0}, undo: auto}",
);

pub(crate) const ADVISORY_FENCE: Entry = warning(
    "a fence that clients can undo",
    "`method: read_only` makes new transactions read-only by default. A client that asks for a writing \
     transaction gets one. Stop the server or cut its address where that is possible.",
    "uses: postgres.fence\nwith: {primary: c, method: read_only}",
    "uses: postgres.fence\nwith: {primary: c, method: stop, stop_command: [pg_ctl, stop], start_command: [pg_ctl, start]}",
);

pub(crate) const CONNECTIONS_OUTLIVE: Entry = warning(
    "open connections outlive the fence",
    "Security groups are asked when a connection is made. Clients that are connected when the database is put \
     into quarantine may go on writing.",
    "uses: aws.rds.fence\nwith: {method: quarantine, quarantine_security_group_ids: [sg-0]}",
    "uses: aws.rds.fence\nwith: {method: quarantine, quarantine_security_group_ids: [sg-0], end_connections: true}",
);

pub(crate) const NO_BACKUPS_AFTERWARDS: Entry = warning(
    "the new primary has no backups",
    "A read replica has none of its own. Promoted with `backup_retention_days: 0` it is the only copy of the \
     data, on the very day on which things break.",
    "uses: aws.rds.promote_read_replica\nwith: {backup_retention_days: 0}",
    "uses: aws.rds.promote_read_replica\nwith: {backup_retention_days: 7}",
);

pub(crate) const OUTSIDE_RESIDENCY: Entry = error(
    "a site outside the allowed jurisdictions",
    "`residency.allow` says where the data may be. Failing over to this site would break it, or nobody \
     knows, because the site does not say its jurisdiction. Every move there is refused, whatever \
     is accepted: \
     where the data may be there after all, `residency.allow` says so.",
    "residency: {allow: [EU]}\nsites: {west: {role: standby, jurisdiction: US}}",
    "residency: {allow: [EU]}\nsites: {west: {role: standby, jurisdiction: EU}}",
);

pub(crate) const SECRET_IN_TEXT: Entry = acceptable(
    "a secret in clear text",
    "The value looks like a password or token. The text of a runbook is stored with every run and shown \
     to everyone who may read it. Declare it under `secrets` and read it with `{{ secrets.… }}`.",
    "headers: {authorization: Bearer abc123}",
    "headers: {authorization: \"Bearer {{ secrets.pager }}\"}",
);
