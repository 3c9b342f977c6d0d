//! What a person or a program reads about a run, made of its plan and state. Pure; shows no number that was
//! not measured.

pub mod coverage;
mod exercise;
mod facts;
mod line;
mod members;
mod people;
pub mod readiness;
mod report;
mod view;
mod ways_out;

pub use exercise::{Exercise, Millis, exercises, is_exercise};
pub use facts::{describe, is_news, node_of};
pub use line::first_line;
pub use members::{LeftView, MemberView, MembersView, MissedView};
pub use people::{PersonNeeded, needs_person};
pub use report::{
    Approval, Attestation, ClockPoint, Consent, Control, DrillFacts, Drive, Finding, Moment, NotEnforced,
    Override, PlanFacts, RENDERING, RecordFacts, Report, Row, TargetFacts, Tone, Touched, Trail, WARNINGS,
    Warning, report,
};
pub use view::{RunView, StepView, view};
pub use ways_out::{Held, WaysOut, ways_out};

pub use crate::engine::clock::verdict;
