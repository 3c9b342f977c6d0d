//! Performs any action of the catalogue on a seeded model of the estate under a chaos scenario. It must never
//! touch a real system, and it only waits by the clock it was given: at most one sleep for each attempt at a
//! time.
//!
//! How it works: `places` tells which site an action talks to, the scenario's faults tell whether that site
//! answers, `perform` says what the action changes and returns, and the [`Estate`] keeps it, with a
//! [`Ledger`] of every effect by idempotency key. A long operation completes by the clock alone, whether or
//! not anybody polls it, so that a run can be killed and resumed at any moment.

mod attempt;
mod chance;
mod change;
mod estate;
mod faults;
mod ledger;
mod outlook;
mod perform;
mod places;
mod provider;
mod scenario;
mod store;

pub use change::{Before, Change, SettingChange};
pub use estate::{Capacity, Database, DatabaseRole, Estate, Setting, Size};
pub use ledger::{Effect, Ledger};
pub use outlook::{Outlook, outlook};
pub use provider::SimulatedProvider;
pub use scenario::{
    Approvals, Backups, CapacityShare, Fail, Fault, Lose, Match, Percent, Replication, Rule, Scenario,
    ScenarioApiVersion, ScenarioError, ScenarioKind, ScenarioMetadata,
};
pub use store::{Error, EstateStore};
