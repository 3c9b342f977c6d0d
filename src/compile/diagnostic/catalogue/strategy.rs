//! Entries about what a strategy needs beside the safe order.

use super::{Entry, warning};

pub(crate) const FIXED_BACKUP: Entry = warning(
    "one fixed backup is restored",
    "The restore names a backup in the text of the runbook. On the bad day it is as old as the text. Let a step \
     find the newest usable one, and read its output.",
    "- {id: restore, uses: aws.rds.restore_from_snapshot, with: {snapshot: pay-2024-01-01}}",
    "- {id: newest, uses: aws.backup.find_recovery_point}\n- {id: restore, uses: aws.backup.restore, with: \
     {recovery_point_arn: \"{{ steps.newest.outputs.recovery_point_arn }}\"}}",
);

pub(crate) const NO_RECOVERY_POINT: Entry = warning(
    "nothing looks for the newest backup",
    "With backup_restore the recovery begins with the question what can be restored: complete, encrypted as it \
     must be, in the region that is left, young enough. No step asks it.",
    "strategy: backup_restore   # and no step with aws.backup.find_recovery_point",
    "- {id: newest, phase: assess, uses: aws.backup.find_recovery_point}",
);

pub(crate) const NOTHING_ASSESSED: Entry = warning(
    "nothing looks at the target first",
    "A recovery begins by looking whether the site to move to can take over. Without a step of phase `assess` \
     or a `precheck`, the first to notice that it cannot is the promotion, behind the point of no return.",
    "steps:\n  - {id: fence, phase: fence, uses: postgres.fence}",
    "steps:\n  - {id: ready, phase: assess, uses: postgres.check_replication}\n  - {id: fence, phase: fence, uses: \
     postgres.fence}",
);

pub(crate) const NO_HEADROOM: Entry = warning(
    "nobody makes room for the lost site's users",
    "With active_active the other sites take the lost one's share. No step makes them larger, and none looks \
     whether there is room: the second site falls over a minute after the first.",
    "strategy: active_active   # and no step of phase scale",
    "- {id: grow, phase: scale, for_each: \"{{ survivors }}\", uses: aws.ecs.set_desired_count}",
);

pub(crate) const NO_DRAIN: Entry = warning(
    "nobody takes the users away from the lost site",
    "With active_active a site is left by moving its share of the users to the others. Without a step of phase \
     `shift` they stay until something else notices.",
    "strategy: active_active   # and no step of phase shift",
    "- {id: drain, phase: shift, uses: aws.route53.drain_site}",
);

pub(crate) const NOTHING_STARTED: Entry = warning(
    "nothing starts the compute of a pilot light",
    "In a pilot light only the data is alive; compute starts from zero. No step of phase `scale` starts it, so \
     that users would be sent to a site where nothing runs.",
    "strategy: pilot_light   # and no step of phase scale",
    "- {id: start, phase: scale, uses: aws.autoscaling.set_capacity}",
);

pub(crate) const NOT_VERIFIED: Entry = warning(
    "traffic moves to a site nobody has verified",
    "No step of phase `verify` and no `verify` on a step looks at the new site before users arrive there.",
    "- {id: promote, phase: promote}\n- {id: dns, phase: shift}",
    "- {id: promote, phase: promote}\n- {id: smoke, phase: verify, uses: http.check}\n- {id: dns, phase: shift}",
);

pub(crate) const RETURN_NOT_REBUILT: Entry = warning(
    "the old site takes over again without having been rebuilt",
    "After a failover the old primary holds writes that nobody else has, and lacks those made since. Before a \
     failback it must follow the present primary: rewound, replicated anew or restored, and caught up.",
    "failback: {steps: [{id: fence, phase: fence}, {id: promote, phase: promote}]}",
    "failback: {steps: [{id: rejoin, phase: reprotect}, {id: fence, phase: fence}, {id: promote, phase: promote}]}",
);

pub(crate) const SHIFT_BEFORE_SCALE: Entry = warning(
    "traffic moves before the capacity is there",
    "A shift does not wait for a step of phase `scale`. A standby that is smaller than the load falls over \
     under it, and takes the recovery along.",
    "- {id: grow, phase: scale, needs: [ready]}\n- {id: dns, phase: shift, needs: [smoke]}",
    "- {id: grow, phase: scale, needs: [ready]}\n- {id: dns, phase: shift, needs: [smoke, grow]}",
);
