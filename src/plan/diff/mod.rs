//! What differs between two versions of a runbook as far as safety goes. Compares bound plans; never guesses
//! at intentions.

mod approvals;
mod change;
mod checks;
mod dangers;
mod document;
mod drills;
mod fleet;
mod order;
mod pairs;
mod path;
mod render;
mod steps;
pub(in crate::plan) mod view;
mod whole;

pub use change::{Change, Comparison, Sign, Topic, Weight};
pub use fleet::fleets;
pub use render::{markdown, text};
pub use whole::{Chosen, runbooks};

use super::Plan;
use view::View;

/// Every difference between two plans that matters for safety, in the order of the plans.
#[must_use]
pub fn plans(old: &Plan, new: &Plan) -> Vec<Change> {
    let (old, new) = (View::new(old), View::new(new));
    let pairs = pairs::pairs(&old, &new);
    let mut changes = steps::steps(&old, &new, &pairs);
    changes.extend(order::order(&old, &new, &pairs));
    changes.extend(path::path(&old, &new, &pairs));
    changes
}
