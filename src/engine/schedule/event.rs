//! Facts about a schedule, as its stream keeps them.

use serde::{Deserialize, Serialize};

use super::version::Place;
use crate::model::id::RunId;
use crate::model::run::{RunStatus, Verdict, words};
use crate::model::time::Timestamp;

words! {
    /// Why a fire did not become a drill. The words are stable: programs may rely on them.
    Refusal {
        /// It lies in a blackout of the schedule.
        Blackout = "blackout",
        /// A guard is red, or could not be asked.
        GuardRed = "guard_red",
        /// A drill of the service is not over.
        Overlap = "overlap",
        /// A person has halted all schedules (`drctl stop-all on`).
        Stopped = "stopped",
        /// The service is being moved for real.
        RealRunInProgress = "real_run_in_progress",
        /// The policy does not let a drill begin then.
        Policy = "policy",
        /// Nobody looked in time.
        Missed = "missed",
        /// The drill could not be planned or created.
        NotStarted = "not_started",
    }
}

/// A fact about a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleEvent {
    /// The schedule was seen for the first time, or its times have changed: what lay before is none of its.
    Seen {
        /// Its expression and zone.
        schedule: String,
        /// Fires up to here are none of its.
        from: Timestamp,
        /// Where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
    },
    /// The schedule was taken out: what lies between now and the next time it is seen is none of its.
    Unseen {
        /// Its expression and zone until now.
        schedule: String,
        /// Where that was seen.
        place: Place,
    },
    /// The clock has gone back behind fires that were decided: it was ahead then. Fires are decided by it
    /// from here on, but none of those again.
    SetBack {
        /// Fires up to here count as decided.
        from: Timestamp,
        /// Fires up to here were decided before.
        ahead: Timestamp,
    },
    /// A fire is to become a drill.
    Fired {
        /// The fire.
        fire: Timestamp,
        /// Key under which the run is started: whoever starts it, it is one run.
        key: String,
        /// It was missed, and runs late.
        late: bool,
        /// Where it was decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
    },
    /// A fire does not become a drill.
    Refused {
        /// The fire; of several, the last.
        fire: Timestamp,
        /// Why.
        reason: Refusal,
        /// The same for people.
        detail: String,
        /// How many fires it is about.
        count: u32,
    },
    /// The drill of a fire is over.
    Ended {
        /// The fire.
        fire: Timestamp,
        /// The run.
        run: RunId,
        /// How it ended.
        status: RunStatus,
        /// Its objectives against what was measured.
        verdict: Option<Verdict>,
    },
}

impl ScheduleEvent {
    /// The type under which the event is stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Seen { .. } => "schedule_seen",
            Self::Unseen { .. } => "schedule_unseen",
            Self::SetBack { .. } => "schedule_set_back",
            Self::Fired { .. } => "schedule_fired",
            Self::Refused { .. } => "schedule_refused",
            Self::Ended { .. } => "schedule_ended",
        }
    }
}
