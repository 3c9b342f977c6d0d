//! Entries about what the declared parts of a service add up to.

use super::{Entry, acceptable, warning};

pub(crate) const NOTHING_RUNS_THERE: Entry = acceptable(
    "nothing would run the service where it moves to",
    "Every compute component is restricted by `sites`, and none is in a site the service may have to run \
     in: the site to move to, or all that are left of an active-active estate. Users would be sent to a \
     site where nothing was started.",
    "components:\n  - {id: web, kind: aws.ecs.service, sites: [east]}   # the only compute; west is the \
     standby",
    "components:\n  - {id: web, kind: aws.ecs.service, sites: [east]}\n  - {id: web-west, kind: \
     gcp.compute.instance_group, sites: [west]}",
);

pub(crate) const SAME_ADDRESS: Entry = warning(
    "one health address for several sites",
    "`url` is the direct address of each site, which a move of traffic does not change. With the same \
     address for two sites nobody knows which one answers: before the move the old site says that the new \
     one is healthy. The address users have belongs into `public_url`.",
    "- {id: health, kind: http.endpoint, url: \"https://shop.example.com/health\"}",
    "- {id: health, kind: http.endpoint, url: \"https://{{ site.name }}.shop.example.com/health\", \
     public_url: \"https://shop.example.com/health\"}",
);

pub(crate) const NO_WAY_BACK: Entry = warning(
    "the way back is not derived",
    "From data that is brought back from backups no failback is derived: what was restored has another \
     name and ARN than before, and the old resource is still there. `drctl failback` has nothing to run \
     until `workflows.failback` is written by hand: a last backup of the site that is left, its copy in \
     the site returned to, the restore, and the move of the users.",
    "components: [{id: db, kind: aws.backup.resource}]   # and no workflows.failback",
    "workflows:\n  failback:\n    steps:\n      - {id: final, phase: reprotect, uses: \
     aws.backup.start_backup}\n      - {id: copy, phase: reprotect, uses: \
     aws.backup.copy_recovery_point}\n      - {id: restore, phase: restore, uses: aws.backup.restore}",
);

pub(crate) const EQUAL_TARGETS: Entry = warning(
    "no target is better than the others",
    "The service could move to several sites, and neither `capacity` nor `cost_weight` says which comes \
     first. A failover without `--to SITE` is refused then: at night somebody has to decide what the \
     runbook could have said.",
    "sites:\n  a: {role: active}\n  b: {role: standby}\n  c: {role: standby}",
    "sites:\n  a: {role: active}\n  b: {role: standby, cost_weight: 1}\n  c: {role: standby, cost_weight: 2}",
);

pub(crate) const NO_TRAFFIC: Entry = warning(
    "nothing sends the users to the new site",
    "No component sends users to a site, and no own step is of phase `shift`: the recovery would end with \
     a service that runs where nobody looks for it. Without such a step the service record does not move \
     either, unless data is promoted or restored.",
    "components: [{id: db, kind: postgres.server}, {id: web, kind: command.service}]",
    "components:\n  - {id: db, kind: postgres.server}\n  - {id: web, kind: command.service}\n  - {id: \
     users, kind: dns.record}   # or an own step of phase shift",
);

pub(crate) const STANDBY_LEFT_BEHIND: Entry = warning(
    "a standby that follows nobody after a move",
    "The database has standbys in more than one other site. The derived failover stops the primary and promotes \
     one of them; the others still follow the server that was stopped, and keep the data of that \
     moment. A second failover to one of them would lose every write since the first. Who the \
     new primary is, and how a standby is made to follow it, \
     only an own \
     step can say.",
    "components: [{id: db, kind: postgres.server}]   # in three sites",
    "workflows:\n  failover:\n    steps:\n      - id: follow\n        phase: reprotect\n        for_each: \"{{ survivors \
     | rejectattr('name', 'equalto', to.name) | list }}\"\n        uses: command.run\n        with: {argv: [./follow, \"{{ \
     item.name }}\", \"{{ to.name }}\"], idempotent: true}",
);

pub(crate) const SAME_THING: Entry = acceptable(
    "one thing in two sites",
    "Two sites call the same database server, group, queue, record or program theirs. The fence of the site \
     that is left stops what is promoted in the other one, what was stopped is started again, or users are \
     sent to where they were. Names that are unique within a region only, such as that of an ECS \
     service, may \
     be the same in two regions.",
    "- {id: db, kind: postgres.server, connection: {east: host=db.internal, west: host=db.internal}}",
    "- {id: db, kind: postgres.server, connection: {east: host=db.east.internal, west: host=db.west.internal}}",
);
