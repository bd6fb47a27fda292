//! What must hold whatever happens, by name.
//!
//! The names are used in transition tables, in assertions, by the checker of compiled runs and by the
//! model checker, so that one word means one thing everywhere.

use serde::Serialize;

/// What must hold whatever happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Invariant {
    /// A machine is never running for production at two sites.
    SingleActive,
    /// A planned failover never starts a target that misses an acknowledged write of the source.
    ZeroLoss,
    /// A disk that is being written by synchronisation is never booted.
    WholeDisk,
    /// No step on a fabric takes effect twice, none is skipped, over any crashes.
    EffectOnce,
    /// No machine starts before what it depends on is healthy, or in an unplanned run has finally
    /// failed and that is recorded; none stops before its dependents.
    OrderKept,
    /// Recovery points are removed by retention or commit, by nothing else.
    PointsKept,
    /// A drill never touches production networks, machines or replication.
    DrillApart,
    /// What runs is what was compiled; a stale executor is refused by epoch.
    AsReviewed,
    /// No byte is replicated towards the old source before commit.
    NothingBackwards,
    /// Once faults end, every run reaches a final state or names who must act.
    Settles,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::SingleActive,
        Self::ZeroLoss,
        Self::WholeDisk,
        Self::EffectOnce,
        Self::OrderKept,
        Self::PointsKept,
        Self::DrillApart,
        Self::AsReviewed,
        Self::NothingBackwards,
        Self::Settles,
    ];

    /// The name that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::SingleActive => "single_active",
            Self::ZeroLoss => "zero_loss",
            Self::WholeDisk => "whole_disk",
            Self::EffectOnce => "effect_once",
            Self::OrderKept => "order_kept",
            Self::PointsKept => "points_kept",
            Self::DrillApart => "drill_apart",
            Self::AsReviewed => "as_reviewed",
            Self::NothingBackwards => "nothing_backwards",
            Self::Settles => "settles",
        }
    }
}
