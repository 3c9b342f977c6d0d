//! The runbook as its author wrote it, typed. Blocks that this version cannot run are typed all the same,
//! so that the compiler can refuse them by name instead of ignoring them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::action::ActionName;
pub use super::drill::{Attestation, Boundary, Drill, DrillLevel, DrillSuccess};
use super::id::{ServiceName, SiteName};
use super::run::words;
use super::schedule::Missed;
use super::step::Step;
use super::time::Duration;
use super::trigger::Trigger;
use super::values::{Objectives, Parameter, Secret, Site};

words! {
    /// Version of the runbook language.
    ApiVersion {
        /// The first.
        V1 = "drctl/v1",
    }
}

words! {
    /// Kind of document.
    Kind {
        /// One service.
        Runbook = "Runbook",
    }
}

words! {
    /// How the standby is kept.
    Strategy {
        /// Nothing runs there; data comes from backups.
        BackupRestore = "backup_restore",
        /// Data is replicated, compute starts from zero.
        PilotLight = "pilot_light",
        /// A smaller copy runs all the time.
        WarmStandby = "warm_standby",
        /// Every site serves.
        ActiveActive = "active_active",
    }
}

/// One service's recovery, as authored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Runbook {
    /// Version of the language.
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    /// Kind of document.
    pub kind: Kind,
    /// Name, owner, labels.
    pub metadata: Metadata,
    /// How the standby is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// What the business asked for.
    #[serde(default)]
    pub objectives: Objectives,
    /// Places the service can run.
    #[serde(default)]
    pub sites: BTreeMap<SiteName, Site>,
    /// Where the data may go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residency: Option<Residency>,
    /// Values the caller gives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    /// What the recovery path needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// Values that are never stored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Secret>,
    /// How the recovery point is read: before the fence, at the fence and after promotion.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery_point: Vec<RecoveryPoint>,
    /// Declared parts of the service, from which steps are derived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Map<String, Value>>,
    /// The steps.
    #[serde(default)]
    pub workflows: Workflows,
    /// How the service is rehearsed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drill>,
    /// What starts a run from outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<Trigger>,
    /// Findings the author accepts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Accept>,
}

/// What a runbook is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Name of the service.
    pub name: ServiceName,
    /// Title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Team that answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What the runbook is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels, for selection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Where the data may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Residency {
    /// Jurisdictions allowed, in capitals or not; a site without one is refused.
    pub allow: Vec<String>,
}

impl Residency {
    /// Whether the data may be at a site.
    #[must_use]
    pub fn allows(&self, site: &Site) -> bool {
        let own = site.jurisdiction.as_deref().map(str::trim);
        own.is_some_and(|own| self.allow.iter().any(|allowed| allowed.trim().eq_ignore_ascii_case(own)))
    }
}

/// Something the recovery path needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// What it is, such as `image_registry` or `sso`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The site it lives in, or `outside`.
    pub site: SiteName,
}

/// A read-only action whose result says how far the standby's data reaches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecoveryPoint {
    /// The action; must give `lag_ms` or `recovery_point_at`.
    pub uses: ActionName,
    /// Its parameters; may hold templates.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
}

/// The steps of each direction.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workflows {
    /// Steps of a failover and of a switchover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failover: Option<Workflow>,
    /// Steps of a failback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback: Option<Workflow>,
}

/// A list of steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// The steps; each waits for the one before it unless it says `needs`.
    pub steps: Vec<Step>,
}

/// When a drill runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Cron expression of five fields, such as `0 3 * * SUN`, in civil time of the time zone.
    pub cron: String,
    /// IANA time zone, such as Europe/Berlin; default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Longest delay of a fire; how long each waits is drawn from the service and the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Duration>,
    /// When nothing must begin: `2026-12-20/2027-01-05`, `2026-12-24`, `Mon-Fri 08:00-18:00`, `Sat,Sun`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blackout: Vec<String>,
    /// What becomes of a fire that was missed: `skip` (default) or `run_once`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
}

/// A finding the author accepts, with a reason and an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// Code of the finding, such as `DR0402`.
    #[schemars(regex(pattern = "^DR[0-9]{4}$"))]
    pub code: String,
    /// Why it is accepted.
    pub reason: String,
    /// Day on which the acceptance ends, such as `2027-01-01`.
    pub until: String,
}
