//! Entries about drills.

use super::{Entry, error, warning};

pub(crate) const DRILL_TOUCHES_USERS: Entry = warning(
    "a drill would stop the service or move its users",
    "`drill: run` on a fence or a shift makes every drill an outage. Leave the step out, or let it work on \
     something that is there for drills.",
    "- {id: dns, phase: shift, uses: aws.route53.set_weights, drill: run}",
    "- {id: dns, phase: shift, uses: aws.route53.set_weights, drill: skip}",
);

pub(crate) const DRILL_UNDECLARED: Entry = warning(
    "what the step does in a drill is not said",
    "The action changes something and does not say how it behaves in a drill. Drills refuse to run such a \
     step: with a `drill` block of level isolated or live, this is an error. What a group says counts for \
     its members where it is `run`, `skip` or `boundary`; a threshold says nothing about them.",
    "- {id: promote, uses: postgres.promote}",
    "- {id: promote, uses: postgres.promote, drill: skip}",
);

pub(crate) const BROKEN_DRILL: Entry = error(
    "the `drill` block cannot work as it is",
    "An isolated drill needs a boundary, whose sites exist; a live drill needs `workflows.failback`, because it \
     ends with the service where it was. A step whose ungraceful mode is another action says what it does in \
     a drill with `uses`: parameters alone would leave that action as it is for real.",
    "drill: {level: isolated}",
    "drill: {level: isolated, boundary: {sites: [west], names: [\"drill-*\"]}}",
);

pub(crate) const DRILL_UNBOUNDED: Entry = error(
    "an isolated drill cannot check what the step touches",
    "Before every effect of an isolated drill the boundary is asked. What a program does is not known to \
     drctl, so that it is refused, unless its author answers for it; the record of the drill then says that \
     the boundary was not enforced there. The same holds for what takes the effect back: where a drill does \
     its own, the `undo` of the real step would take back the real one.",
    "- {id: seed, uses: command.run, with: {argv: [seed]}, drill: run}",
    "- {id: seed, uses: command.run, with: {argv: [seed]}, drill: {boundary: trusted}}",
);

pub(crate) const DRILL_LEAVES_BEHIND: Entry = warning(
    "a drill would leave something behind",
    "The step changes something in an isolated drill and has no `undo`, and `drill.cleanup` has no step that \
     could take it away. A drill that is planned like this is refused.",
    "- {id: restore, uses: aws.rds.restore_from_snapshot, drill: run}",
    "- {id: restore, uses: aws.rds.restore_from_snapshot, drill: run}\n# and: drill: {cleanup: [{id: delete, uses: …}]}",
);
