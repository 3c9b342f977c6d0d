//! Entries about objectives that cannot be met, or not be shown to be met.

use super::{Entry, warning};

pub(crate) const BEYOND_RTO: Entry = warning(
    "the steps take longer than the RTO",
    "By their estimates, the steps that wait for each other take longer than the recovery time objective, \
     even when nothing fails and nobody is asked. Do more at the same time, prepare more beforehand, or ask \
     the business for another objective. `estimate` on a step corrects what the action assumes.",
    "objectives: {rto: 15m}\n# …\n- {id: restore, uses: aws.backup.restore, estimate: 2h}",
    "objectives: {rto: 4h}",
);

pub(crate) const TTL_BEYOND_RTO: Entry = warning(
    "the TTL of the records is not in the budget",
    "Resolvers keep the old answer as long as its TTL says. The steps and the TTL together take longer than \
     the RTO: the run is over in time, and the users are not back.",
    "objectives: {rto: 10m}\n# …\nchanges: [{name: pay.example.com, record_type: CNAME, ttl: 1h}]",
    "changes: [{name: pay.example.com, record_type: CNAME, ttl: 60s}]",
);

pub(crate) const RPO_UNMEASURED: Entry = warning(
    "nobody reads how much data would be lost",
    "There is an RPO, and the failover promotes or restores data, but no `recovery_point` says how to read \
     how far it reaches. The loss of a run is then unknown: it must be accepted as such at the gate, and no \
     run can be shown to have met the RPO.",
    "objectives: {rpo: 60s}   # and no recovery_point",
    "recovery_point: [{uses: postgres.heartbeat, with: {connection: \"{{ to.values.db }}\"}}]",
);

pub(crate) const READING_ASKS_LOST_SITE: Entry = warning(
    "the recovery point is read in the site that is lost",
    "How far the data reaches must be read where it is after the loss. A reading that asks the lost site is \
     there in every drill and missing on the day it counts.",
    "recovery_point: [{uses: postgres.heartbeat, with: {connection: \"{{ from.values.db }}\"}}]",
    "recovery_point: [{uses: postgres.heartbeat, with: {connection: \"{{ to.values.db }}\"}}]",
);

pub(crate) const BACKUPS_BEYOND_RPO: Entry = warning(
    "backups may be older than the RPO",
    "With backup_restore the data loss is the age of the backup. A step is content with one older than the \
     objective, or with a schedule that makes them more rarely.",
    "objectives: {rpo: 4h}\n# …\n- {id: newest, uses: aws.backup.find_recovery_point, with: {max_age: 26h}}",
    "objectives: {rpo: 26h}",
);

pub(crate) const READING_ELSEWHERE: Entry = warning(
    "the recovery point of another database is read",
    "A reading tells how far a standby's data reaches. This one asks a server that the recovery does not promote: \
     the loss that is shown, asked about at the gate and compared with the RPO would be that of something else.",
    "recovery_point: [{uses: postgres.heartbeat, with: {connection: host=reports.west}}]   # and host=db.west is promoted",
    "recovery_point: [{uses: postgres.heartbeat, with: {connection: \"{{ to.values.db }}\"}}]",
);
