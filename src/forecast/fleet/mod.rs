//! Says how a fleet will go: every member's plan is lived as in its own forecast, and all of them together by
//! the rules of the fleet. Pure, as all of a forecast.

mod crew;
mod report;
mod study;

pub use report::{FleetForecast, FleetReport, MemberShare};
pub use study::{FleetQuestion, Member, fleet_study};
