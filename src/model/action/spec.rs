//! What is declared about an action, once, for everyone who asks.

use serde::Serialize;

use crate::model::policy::Reversibility;
use crate::model::run::words;
use crate::model::time::Duration;

words! {
    /// Whether an action changes anything.
    Effect {
        /// It only looks.
        Read = "read",
        /// It changes the estate.
        Mutate = "mutate",
    }
}

words! {
    /// Which part of a service an action depends on.
    Plane {
        /// Keeps working while things are on fire.
        Data = "data",
        /// Creates and changes things; the first to go in a regional event.
        Control = "control",
    }
}

words! {
    /// How doubt about an attempt is resolved.
    Doubt {
        /// Sending it again with the same key is harmless.
        Idempotent = "idempotent",
        /// `observe` tells whether it was applied.
        Observable = "observable",
        /// Only a person can tell.
        Ask = "ask",
    }
}

words! {
    /// What an action does in a drill unless its step says otherwise.
    DrillDefault {
        /// It runs.
        Run = "run",
        /// It is left out.
        Skip = "skip",
        /// The step must say.
        MustDeclare = "must_declare",
    }
}

words! {
    /// What an action means for the safety of a recovery.
    Role {
        /// Nothing in particular.
        Ordinary = "ordinary",
        /// Stops the old primary from accepting writes.
        Fence = "fence",
        /// Makes data writable, or brings it back.
        Promote = "promote",
        /// Sends users elsewhere.
        Shift = "shift",
        /// Tells how far the standby's data reaches.
        Reading = "reading",
    }
}

words! {
    /// Whether this build can perform the action on real systems.
    Adapter {
        /// It can.
        Real = "real",
        /// Only on the simulated estate so far; a real run is refused when it is planned.
        SimulatedOnly = "simulated_only",
    }
}

/// Where the API of an action lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiHome {
    /// On this machine, or wherever the step's own parameters point.
    Local,
    /// In the region named by a parameter.
    Parameter(&'static str),
    /// In one fixed region, whatever the step works on.
    Region(&'static str),
}

/// The spec of one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ActionSpec {
    /// One sentence for people.
    pub summary: &'static str,
    /// Whether it changes anything.
    pub effect: Effect,
    /// Which part of a service it depends on.
    pub plane: Plane,
    /// Where its API lives.
    pub home: ApiHome,
    /// What it takes to take the effect back.
    pub reversibility: Reversibility,
    /// How doubt is resolved.
    pub doubt: Doubt,
    /// What it does in a drill.
    pub drill: DrillDefault,
    /// What it means for safety.
    pub role: Role,
    /// Whether this build can do it for real.
    pub adapter: Adapter,
    /// Longest time of one attempt.
    pub timeout: Duration,
    /// Pause between two looks at a long operation.
    pub poll_interval: Duration,
    /// Expected duration.
    pub estimate: Duration,
    /// How long an applied effect may stay invisible to `observe`.
    pub settle: Duration,
    /// Whether it reads what is there first, so that `undo: auto` can restore it.
    pub prepares: bool,
    /// Whether it can tell beforehand if it could work, for `drctl check`.
    pub prechecks: bool,
    /// Permissions `drctl check` asks for beside those; without them it says what it could not look at.
    pub check_permissions: &'static [&'static str],
    /// Names and meanings of what it returns.
    pub outputs: &'static [(&'static str, &'static str)],
    /// Permissions it needs, in the words of its vendor: `rds:PromoteReadReplica`.
    pub permissions: &'static [&'static str],
}

/// A spec to start from: an ordinary idempotent read of half a minute.
pub const SPEC: ActionSpec = ActionSpec {
    summary: "",
    effect: Effect::Read,
    plane: Plane::Data,
    home: ApiHome::Local,
    reversibility: Reversibility::Reversible,
    doubt: Doubt::Idempotent,
    drill: DrillDefault::Run,
    role: Role::Ordinary,
    adapter: Adapter::Real,
    timeout: Duration::from_secs(30),
    poll_interval: Duration::from_secs(2),
    estimate: Duration::from_secs(1),
    settle: Duration::ZERO,
    prepares: false,
    prechecks: false,
    check_permissions: &[],
    outputs: &[],
    permissions: &[],
};

/// Outputs of a look at a replica.
const REPLICATION: &[(&str, &str)] = &[
    ("lag_ms", "how far the replica is behind, in milliseconds"),
    ("measured_at", "when that was measured"),
    ("recovery_point_at", "newest data the replica is known to have"),
    ("role", "role of the server now"),
];

/// A look at a replica of a managed database, in the region that a parameter names; only simulated so far.
pub(super) const REPLICA_READING: ActionSpec = ActionSpec {
    plane: Plane::Control,
    home: ApiHome::Parameter("region"),
    role: Role::Reading,
    adapter: Adapter::SimulatedOnly,
    estimate: Duration::from_secs(2),
    outputs: REPLICATION,
    ..SPEC
};
