//! The states of a drill. They never mix with those of a machine: a machine that is rehearsed is as
//! protected as before.

use drover_api::DrillPhase as P;

use super::{Table, Transition};
use crate::invariant::Invariant as I;

/// What happens to a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DrillEvent {
    /// Its run was compiled.
    Begun,
    /// All machines are healthy, or finally failed.
    AllStand,
    /// It was deleted, it expired, or a real failover needs its place (FO-1).
    CleanUpDue,
    /// Nothing that it made is left.
    AllCleanedUp,
}

/// The states of a drill.
pub const DRILL: Table<P, DrillEvent> = Table {
    initial: P::Pending,
    rows: &[
        Transition {
            from: &[P::Pending],
            on: DrillEvent::Begun,
            to: P::Starting,
            guards: &[I::DrillApart],
        },
        Transition {
            from: &[P::Starting],
            on: DrillEvent::AllStand,
            to: P::Standing,
            guards: &[I::DrillApart],
        },
        Transition {
            from: &[P::Pending, P::Starting, P::Standing],
            on: DrillEvent::CleanUpDue,
            to: P::CleaningUp,
            guards: &[I::DrillApart],
        },
        Transition {
            from: &[P::CleaningUp],
            on: DrillEvent::AllCleanedUp,
            to: P::CleanedUp,
            guards: &[I::DrillApart],
        },
    ],
};
