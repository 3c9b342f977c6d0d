//! The state machine of one run, pure: `decide` says what became true, `apply` folds it, `commands` says
//! what must be in
//! flight. Never does I/O, reads a clock or draws a random number.

mod apply;
mod apply_node;
mod approval;
mod attempt;
mod check;
mod child;
mod clean;
pub mod clock;
pub mod command;
pub mod context;
mod control;
mod decide;
mod detail;
mod doubt;
pub mod drill;
pub mod event;
mod handover;
pub mod input;
mod left;
mod moved;
pub mod overrides;
mod perhaps;
pub mod readings;
mod ready;
mod remedy;
pub mod schedule;
pub mod service;
pub mod state;
mod status;
mod takeover;
mod transition;
pub mod trigger;
mod unwind;
mod wake;

pub use apply::apply;
pub use approval::{consent_flag, why_unfenced};
pub use attempt::call_of;
pub use child::{Kept, begun, ended_as, fell_short, kept};
pub use clean::{Blemish, blemishes, is_clean, is_unconfirmed};
pub use command::commands;
pub use decide::{decide, idempotency_key};
pub use handover::{Hold, contested, in_the_way, is_handed_over, is_made_real, returning};
pub use left::left_behind;
pub use moved::is_taken_back;
pub use perhaps::{Doubtful, is_half_done, perhaps, perhaps_for_good};
pub use remedy::{Remedy, is_unasked_fence, refusal, remedies};
pub use state::{IndexedPlan, RunState};
pub use status::{about_to, why_in_doubt};
pub use takeover::{Takeover, handed_over, keep_all, keep_nothing, takeover};
pub use unwind::{applied, passed};
pub use wake::next_wake;

/// Version of the state that checkpoints hold; another version ignores them.
pub const STATE_FORMAT: u32 = 8;
