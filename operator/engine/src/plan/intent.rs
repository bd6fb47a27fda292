//! What is asked for.

use drover_api::common::{
    Direction, FailoverType, RecoveryPointType, RunKind, SiteRole, SourceStop,
};
use serde::Serialize;

/// What is asked for: where machines should go, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Where to.
    pub to: SiteRole,
    /// How.
    pub failover: Failover,
    /// Which machines.
    pub scope: Scope,
}

/// Planned or unplanned, with what each leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(
    tag = "type",
    rename_all = "PascalCase",
    rename_all_fields = "camelCase"
)]
pub enum Failover {
    /// The source is stopped and its last changes are sent; nothing is lost (FO-2).
    Planned,
    /// It works with the source lost (FO-3).
    Unplanned {
        /// What is done about the source.
        source_stop: SourceStop,
        /// How the recovery point is chosen (FO-4).
        recovery_point: RecoveryPointType,
    },
}

/// Which machines of a plan a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Scope {
    /// All but those that an override keeps at the source.
    Plan,
    /// Only those that an override sends to the target, while the plan stays where it is (PL-6).
    Overrides,
    /// All that are at the source, whatever is declared: to rehearse them, or to protect them.
    Present,
}

impl Intent {
    /// A planned failover of the plan.
    pub fn planned(to: SiteRole) -> Self {
        Self {
            to,
            failover: Failover::Planned,
            scope: Scope::Plan,
        }
    }

    /// An unplanned failover of the plan to the latest recovery points.
    pub fn unplanned(to: SiteRole, source_stop: SourceStop) -> Self {
        Self {
            to,
            failover: Failover::Unplanned {
                source_stop,
                recovery_point: RecoveryPointType::Latest,
            },
            scope: Scope::Plan,
        }
    }

    /// The direction (FO-10).
    pub fn direction(&self) -> Direction {
        Direction::towards(self.to)
    }

    /// The site that machines leave.
    pub fn from(&self) -> SiteRole {
        self.to.other()
    }
}

impl Failover {
    /// Planned or unplanned.
    pub fn kind(&self) -> FailoverType {
        match self {
            Self::Planned => FailoverType::Planned,
            Self::Unplanned { .. } => FailoverType::Unplanned,
        }
    }

    /// The kind of the run, by which actions take part in it.
    pub fn run_kind(&self) -> RunKind {
        match self {
            Self::Planned => RunKind::PlannedFailover,
            Self::Unplanned { .. } => RunKind::UnplannedFailover,
        }
    }

    /// What is done about the source; a planned failover always stops it.
    pub fn source_stop(&self) -> SourceStop {
        match self {
            Self::Planned => SourceStop::Required,
            Self::Unplanned { source_stop, .. } => *source_stop,
        }
    }
}
