//! Entries about the safe order of a recovery.

use super::{Entry, acceptable, warning};

pub(crate) const PROMOTE_BEFORE_FENCE: Entry = acceptable(
    "data is made writable before the old primary is fenced",
    "A step that promotes or restores data does not wait for any fence. For a while two sites accept \
     writes, and one side's are lost. Let it wait for a step of phase `fence`.",
    "- {id: promote, phase: promote, needs: []}\n- {id: fence, phase: fence}",
    "- {id: fence, phase: fence}\n- {id: promote, phase: promote, needs: [fence]}",
);

pub(crate) const SHIFT_BEFORE_PROMOTE: Entry = acceptable(
    "traffic moves before the data is writable",
    "A step that sends users to the new site does not wait for every promotion or restore. Users would \
     meet a database that refuses writes, or worse, an old copy.",
    "- {id: dns, phase: shift, needs: [fence]}",
    "- {id: dns, phase: shift, needs: [promote]}",
);

pub(crate) const SHIFT_BEFORE_VERIFY: Entry = acceptable(
    "traffic moves before the new site was verified",
    "The runbook has steps of phase `verify`, but a shift does not wait for one, or nothing waits for the \
     verification. A check that no one waits for protects no one.",
    "- {id: smoke, phase: verify}\n- {id: dns, phase: shift, needs: [promote]}",
    "- {id: smoke, phase: verify}\n- {id: dns, phase: shift, needs: [smoke]}",
);

pub(crate) const ENABLE_BEFORE_PROMOTE: Entry = acceptable(
    "consumers start before the data is writable",
    "A step of phase `enable` does not wait for any promotion. Consumers would fail, retry, and lose or \
     repeat work.",
    "- {id: workers, phase: enable, needs: [fence]}",
    "- {id: workers, phase: enable, needs: [promote]}",
);

pub(crate) const VALIDATE_BEFORE_SHIFT: Entry = acceptable(
    "the recovery is validated before traffic has moved",
    "A step of phase `validate` proves with a real transaction that users are served. Before the shift it \
     proves something else, and the recovery time it ends would be wrong.",
    "- {id: buy, phase: validate, needs: [promote]}",
    "- {id: buy, phase: validate, needs: [dns]}",
);

pub(crate) const IRREVERSIBLE_BEFORE_FENCE: Entry = acceptable(
    "something irreversible happens before the fence",
    "The step cannot be taken back and does not wait for the fence. Until the fence stands, an abort \
     should be able to leave things as they were.",
    "- {id: wipe, phase: freeze, reversibility: {class: irreversible, reason: deletes}}\n- {id: fence, \
     phase: fence}",
    "- {id: fence, phase: fence}\n- {id: wipe, phase: scale, reversibility: {class: irreversible, reason: \
     deletes}}",
);

pub(crate) const CHANGE_IN_READING_PHASE: Entry = warning(
    "a change in a phase that should only look",
    "The phases assess, decide, verify and validate look, decide and test. A step that changes the estate \
     there is easily overlooked when the order is reviewed.",
    "- {id: grow, phase: verify, uses: aws.ecs.set_desired_count}",
    "- {id: grow, phase: scale, uses: aws.ecs.set_desired_count}",
);

pub(crate) const MISSING_PHASE: Entry = acceptable(
    "a phase the strategy needs is missing",
    "Every strategy needs a fence and a move of capacity or traffic (`scale` or `shift`); all but \
     active_active need `promote` or `restore`. Without one of them the workflow is not a failover. \
     A service \
     without data needs neither fence nor promotion: its objectives have an `rto` and no `rpo`.",
    "strategy: warm_standby   # and no step of phase fence",
    "- {id: fence, phase: fence, uses: postgres.fence}",
);

pub(crate) const NO_VALIDATION: Entry = warning(
    "nothing validates the recovery",
    "Only a run that passed its validation has a recovery time. Without a step of phase `validate` no run \
     of this runbook can ever be shown to have met its objective.",
    "strategy: warm_standby   # and no step of phase validate",
    "- {id: buy, phase: validate, uses: http.check, with: {url: \"https://pay.example.com/health\"}}",
);

pub(crate) const FENCE_BEFORE_DRAIN: Entry = acceptable(
    "writers are fenced before traffic is drained",
    "With active_active the lost site is drained first, so that users leave it, and then fenced. A fence \
     before the drain turns its users' requests into errors.",
    "- {id: fence, phase: fence}\n- {id: drain, phase: shift}",
    "- {id: drain, phase: shift}\n- {id: fence, phase: fence}",
);

pub(crate) const WRONG_SITE_FENCED: Entry = acceptable(
    "the fence stops the site that the service moves to",
    "A step of phase `fence` works on a region or server of the target, so that the old primary goes on \
     writing and the new one is stopped. A fence is aimed at `from`.",
    "- {id: fence, phase: fence, uses: aws.rds.fence, with: {region: \"{{ to.region }}\"}}",
    "- {id: fence, phase: fence, uses: aws.rds.fence, with: {region: \"{{ from.region }}\"}}",
);

pub(crate) const OLD_SITE_STARTED: Entry = acceptable(
    "something is started at the site that the service leaves",
    "Before the recovery is over a step gives the old site capacity, or lets its consumers and schedules \
     work again. What was fenced writes once more, beside the new primary.",
    "- {id: workers, phase: enable, uses: aws.lambda.set_event_source, with: {region: \"{{ from.region \
     }}\", enabled: true}}",
    "- {id: workers, phase: enable, uses: aws.lambda.set_event_source, with: {region: \"{{ to.region }}\", \
     enabled: true}}",
);

pub(crate) const LEFT_OUT: Entry = acceptable(
    "a step that the recovery rests on is left out",
    "A fence, a promotion, a step of phase `scale`, `verify` or `shift` is skipped, only looks or has a \
     false condition in every run of a mode, as long as nobody gives a parameter, and no other step does it \
     then. The run would end as if it had moved the service. Two promotions of which each mode has one are \
     no finding.",
    "- {id: promote, phase: promote, ungraceful: skip}",
    "- {id: promote, phase: promote}",
);

pub(crate) const USERS_SENT_BACK: Entry = acceptable(
    "users are sent to the site that the service leaves",
    "A step that moves users reads where they go from the site that is left. They would stay with the old \
     primary, which is fenced, and the run would end as if they had moved.",
    "- {id: dns, phase: shift, uses: dns.update, with: {values: [\"{{ from.values.address }}\"]}}",
    "- {id: dns, phase: shift, uses: dns.update, with: {values: [\"{{ to.values.address }}\"]}}",
);
