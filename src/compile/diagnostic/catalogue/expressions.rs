//! Entries about expressions and templates.

use super::{Entry, error};

pub(crate) const BROKEN_EXPRESSION: Entry = error(
    "an expression that cannot be read",
    "Expressions and `{{ }}` templates are minijinja. This one is not complete, or uses a filter, test or \
     function that does not exist. At run time it would stop the recovery.",
    "when: params.tasks >",
    "when: params.tasks > 3",
);

pub(crate) const UNKNOWN_NAME: Entry = error(
    "an unknown name in an expression",
    "The parameter, site, secret, step, output or field is not declared. Reading it would fail at run \
     time. A name with `-` is read as a subtraction in an expression: the step `fence-db` is read as \
     `steps.fence_db`, or as `steps['fence-db']`.",
    "with: {zone_id: \"{{ params.zone }}\"}",
    "parameters: {zone: {type: string, required: true}}",
);

pub(crate) const NAME_NOT_HERE: Entry = error(
    "a name that cannot be read at this place",
    "`result` exists only in `until` and `outputs`, `item` only in steps with `for_each`, `secrets` only \
     inside `with`, and `for_each` is worked out when the plan is made, before any step has run.",
    "when: \"secrets.token == 'x'\"",
    "with: {headers: {authorization: \"Bearer {{ secrets.token }}\"}}",
);

pub(crate) const UNGUARDED_OUTPUT: Entry = error(
    "an output that may be absent",
    "The step may be skipped or its failure ignored; then it has no outputs and the expression would fail \
     in the middle of a recovery. Say what holds in that case.",
    "with: {message: \"lag {{ steps.assess.outputs.lag_ms }}\"}   # assess has `on_failure: continue`",
    "with: {message: \"lag {{ steps.assess.outputs.lag_ms | default('unknown') }}\"}",
);

pub(crate) const UNCHECKABLE_NAME: Entry = error(
    "a name that can only be worked out at run time",
    "Every name is checked before the bad day. `steps[x]`, `params[x]` and `secrets[x]` with a computed \
     `x` cannot be.",
    "when: \"steps[params.which].status == 'succeeded'\"",
    "when: \"steps['fence-db'].status == 'succeeded'\"",
);

pub(crate) const DEAD_TEMPLATE: Entry = error(
    "a template where none is rendered",
    "The text looks like a template, but this place is taken literally: sites, parameter defaults, \
     secret sources and what a component has for each site are known before anything is rendered. A \
     component's field that is written once for all sites may hold templates.",
    "sites: {east: {role: active, url: \"https://{{ params.host }}\"}}",
    "sites: {east: {role: active, url: \"https://east.example.com\"}}",
);
