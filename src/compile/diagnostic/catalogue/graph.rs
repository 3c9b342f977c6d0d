//! Entries about the graph of steps.

use super::{Entry, error, warning};

pub(crate) const DUPLICATE_ID: Entry = error(
    "two steps with one id",
    "Ids name steps in `needs`, in expressions, in the journal and on the command line. Two steps cannot \
     share one.",
    "- {id: check, uses: http.check}\n- {id: check, uses: dns.check}",
    "- {id: check-http, uses: http.check}\n- {id: check-dns, uses: dns.check}",
);

pub(crate) const UNKNOWN_NEED: Entry = error(
    "a need that does not exist",
    "`needs` names a step that is not in this workflow.",
    "needs: [fence-old]",
    "needs: [fence-old-primary]",
);

pub(crate) const CYCLE: Entry = error(
    "steps that wait for each other",
    "Each of the steps on the path waits for the next, and the last for the first: none would ever begin.",
    "- {id: a, needs: [b]}\n- {id: b, needs: [a]}",
    "- {id: a, needs: []}\n- {id: b, needs: [a]}",
);

pub(crate) const NOT_BEFORE: Entry = error(
    "a step is read before it has run",
    "The expression reads the status or an output of a step this one does not wait for, directly or \
     through other steps. Whether the value is there would be a matter of luck.",
    "- {id: report, needs: [], with: {message: \"{{ steps.assess.outputs.lag_ms }}\"}}",
    "- {id: report, needs: [assess], with: {message: \"{{ steps.assess.outputs.lag_ms }}\"}}",
);

pub(crate) const TOO_DEEP: Entry = error(
    "groups nested too deep, or too many members",
    "Groups may be nested eight deep, and a `for_each` may have 10,000 items. Beyond that nobody can \
     follow a run.",
    "parallel: [{id: a, parallel: [{id: b, parallel: [ … ]}]}]",
    "parallel: [{id: a, uses: http.check}, {id: b, uses: http.check}]",
);

pub(crate) const NOTHING_TO_DO: Entry = error(
    "nothing to run",
    "The runbook has no workflow, a workflow no step, a group no member, or a switch of routes nothing to switch by.",
    "workflows: {failover: {steps: []}}",
    "workflows: {failover: {steps: [{id: call, uses: manual.task, with: {instructions: Call the team}}]}}",
);

pub(crate) const REPEATED_NEED: Entry = warning(
    "a need named twice",
    "The same step is named twice in `needs`. It does no harm, but another step was probably meant.",
    "needs: [fence, fence]",
    "needs: [fence, freeze]",
);

pub(crate) const UNPLANNABLE: Entry = error(
    "an operation that cannot be planned",
    "`drctl validate` plans everything that a runbook can be asked to do, in each mode and to each site, with \
     stand-ins for parameters that only a run is given, and the failover of a fleet. What it finds \
     would keep \
     `drctl plan` and the run itself from beginning. What this build can only simulate is a note: such a \
     runbook can be planned and simulated, and a real run of it is refused.",
    "sites: {west: {role: standby}}   # and a step reads {{ to.values.db.host }}",
    "sites: {west: {role: standby, values: {db: {host: db.west.internal}}}}",
);
