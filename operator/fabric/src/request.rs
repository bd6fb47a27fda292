//! To whom an effect is said, and as what.

use drover_api::common::SiteRole;
use drover_world::Effect;

use crate::{LinkGoal, SiteGoal};

/// An effect as a driver is asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A site is asked.
    Site(SiteRole, SiteGoal),
    /// What replicates the machine is asked.
    Link(LinkGoal),
    /// What replicates the machine is asked to make it.
    Make {
        /// Where.
        site: SiteRole,
        /// Whether for a drill.
        drill: bool,
    },
}

impl Request {
    /// The request for an effect.
    pub fn of(effect: Effect) -> Self {
        match effect {
            Effect::Stopped { site } => Self::Site(site, SiteGoal::Stopped),
            Effect::Fenced { site } => Self::Site(site, SiteGoal::Fenced),
            Effect::Started { site } => Self::Site(site, SiteGoal::Started),
            Effect::DrillStarted { site } => Self::Site(site, SiteGoal::DrillStarted),
            Effect::DrillRemoved { site } => Self::Site(site, SiteGoal::DrillRemoved),
            Effect::Materialized { site } => Self::Make { site, drill: false },
            Effect::DrillMaterialized { site } => Self::Make { site, drill: true },
            Effect::Related { towards } => Self::Link(LinkGoal::Related { towards }),
            Effect::Seeded { towards } => Self::Link(LinkGoal::Seeded { towards }),
            Effect::Finalized { towards } => Self::Link(LinkGoal::Finalized { towards }),
            Effect::Resynchronized { towards } => Self::Link(LinkGoal::Resynchronized { towards }),
            Effect::Unrelated { remove_replica } => {
                Self::Link(LinkGoal::Unrelated { remove_replica })
            }
            Effect::FinalSync { towards } => Self::Link(LinkGoal::FinalSync { towards }),
            Effect::SyncedBack { towards } => Self::Link(LinkGoal::SyncedBack { towards }),
            Effect::Committed { left } => Self::Link(LinkGoal::Committed { left }),
            Effect::Reversed { towards } => Self::Link(LinkGoal::Reversed { towards }),
        }
    }
}

/// The name of an effect, for the fabric's own log.
pub fn step_name(effect: Effect) -> &'static str {
    match effect {
        Effect::Related { .. } => "relate",
        Effect::Seeded { .. } => "seed",
        Effect::Finalized { .. } => "finalize",
        Effect::Resynchronized { .. } => "resynchronize",
        Effect::Unrelated { .. } => "unrelate",
        Effect::Stopped { .. } => "stop",
        Effect::Fenced { .. } => "fence",
        Effect::FinalSync { .. } => "final-sync",
        Effect::SyncedBack { .. } => "sync-back",
        Effect::Materialized { .. } => "materialize",
        Effect::Started { .. } => "start",
        Effect::Committed { .. } => "commit",
        Effect::Reversed { .. } => "reverse",
        Effect::DrillMaterialized { .. } => "drill-materialize",
        Effect::DrillStarted { .. } => "drill-start",
        Effect::DrillRemoved { .. } => "drill-remove",
    }
}
