//! What a run would do: order, waves, how long it takes and what it may lose (PL-5).
//!
//! Read in this order: [`PlanGraph`] is the order between groups, [`Intent`] what is asked for,
//! [`resolve()`] finds the machines behind the groups, [`schedule()`] lays their steps out in time, the
//! forecast compares the outcome with what is aimed at, and [`PlanReport`] is all of it as data. An
//! [`Outlook`] says whether a run would start at all.
//!
//! Nothing in here knows what is really running: that is an argument, or an assumption that the
//! report names. How a report is printed is not decided here.

mod actions;
mod error;
mod forecast;
mod graph;
mod intent;
mod note;
mod outlook;
mod places;
mod planner;
mod records;
mod report;
mod resolve;
mod rules;
mod schedule;

pub use actions::{DNS_CHANGE, HTTP_CALL, SCRIPT, expected_length};
pub use error::PlanError;
pub use forecast::{Against, Forecast, Loss, LossForecast, Measured, RtoForecast};
pub use graph::PlanGraph;
pub use intent::{Failover, Intent, Scope};
pub use note::{Note, Wait};
pub use outlook::{Authority, Outlook, Stays, Verdict, WhyHeld};
pub use places::{Balance, Places, wanted};
pub use planner::Planner;
pub use records::Records;
pub use report::{
    ActionReport, CriticalStep, GroupReport, MachineReport, Phase, PhaseReport, PlanReport, Span,
    StepReport,
};
pub use resolve::{Protection, Resolved, ResolvedGroup, ResolvedMachine, resolve};
pub use rules::{
    Refusal, limits, refusals, reprotect_refusals, reprotects_by_itself, synchronization,
};
pub use schedule::{
    CriticalItem, GroupTimes, GroupWork, Leave, MachineTimes, MachineWork, Millis, Schedule, Step,
    Times, WaitedFor, Work, schedule,
};

#[cfg(test)]
mod tests;
