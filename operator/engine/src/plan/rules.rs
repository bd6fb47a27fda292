//! What the pairs under a plan allow, and how many machines may move at once.

use std::fmt;

use drover_api::common::{Direction, FailoverType, SiteRole};
use drover_api::value::GroupName;
use drover_api::{
    Purpose, RecoveryPlanSpec, ReprotectPolicy, RunLimits, SiteSpec, Synchronization,
};
use drover_world::{DirectionRules, NotReturning, PairRules, WayBack};
use serde::Serialize;

use super::{Intent, Protection, Resolved};

/// Why a pair cannot do what is asked for, whatever is observed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "refusal",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Refusal {
    /// The replicator does not work between these sites.
    NoSuchPair {
        /// The protection group.
        protection_group: GroupName,
        /// What its replicator says.
        message: String,
    },
    /// The pair does not support this type of failover in this direction.
    NotSupported {
        /// The protection group.
        protection_group: GroupName,
        /// What people call the pair.
        pair: &'static str,
        /// The type.
        failover: FailoverType,
        /// The direction.
        direction: Direction,
    },
    /// There is no way back to the primary site (FB-8).
    NoWayBack {
        /// The protection group.
        protection_group: GroupName,
        /// What people call the pair.
        pair: &'static str,
        /// Why.
        reason: NotReturning,
    },
    /// The protection is for a one-way move (PR-9).
    MigrationOnly {
        /// The protection group.
        protection_group: GroupName,
    },
    /// Data flows back inside the failback, and not before it (FB-0).
    WithinFailback {
        /// The protection group.
        protection_group: GroupName,
        /// What people call the pair.
        pair: &'static str,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPair {
                protection_group,
                message,
            } => write!(f, "{protection_group}: {message}"),
            Self::NotSupported {
                protection_group,
                pair,
                failover,
                direction,
            } => {
                let kind = match failover {
                    FailoverType::Planned => "planned",
                    FailoverType::Unplanned => "unplanned",
                };
                let target = direction.target().as_str();
                write!(
                    f,
                    "{protection_group}: {pair} supports no {kind} failover to the {target} site"
                )
            }
            Self::NoWayBack {
                protection_group,
                pair,
                reason,
            } => {
                let why = match reason {
                    NotReturning::OnlyAsVirtualMachine => {
                        "a physical server comes back as a virtual machine, at another site"
                    }
                    NotReturning::Unsupported => "the pair has no way back",
                };
                write!(f, "{protection_group}: {pair}: {why}")
            }
            Self::MigrationOnly { protection_group } => write!(
                f,
                "{protection_group}: its purpose is MigrationOnly, a one-way move"
            ),
            Self::WithinFailback {
                protection_group,
                pair,
            } => write!(
                f,
                "{protection_group}: {pair} synchronises within the failback and is not reprotected \
                 before: declare the other site"
            ),
        }
    }
}

/// What the pairs under a plan refuse of an intent, by protection group.
pub fn refusals(resolved: &Resolved<'_>, intent: Intent) -> Vec<Refusal> {
    resolved
        .protection
        .iter()
        .filter_map(|(name, protection)| refusal(name, protection, intent))
        .collect()
}

/// Why the machines of a plan cannot be protected towards this side, whatever is observed (FB-0, FB-1).
pub fn reprotect_refusals(resolved: &Resolved<'_>, towards: SiteRole) -> Vec<Refusal> {
    let refusal = |(name, protection): (&&GroupName, &Protection<'_>)| {
        let protection_group = (**name).clone();
        let direction = Direction::towards(towards);
        if direction == Direction::ToPrimary && protection.spec.purpose == Purpose::MigrationOnly {
            return Some(Refusal::MigrationOnly { protection_group });
        }
        let rules = *protection.rules.as_ref().ok()?;
        if let Err(reason) = in_direction(rules, direction) {
            return Some(Refusal::NoWayBack {
                protection_group,
                pair: rules.name,
                reason,
            });
        }
        // What is declared of the failover that led to the other side says how it ends.
        let came = in_direction(rules, Direction::towards(towards.other())).ok()?;
        (!came.reverses()).then_some(Refusal::WithinFailback {
            protection_group,
            pair: rules.name,
        })
    };
    resolved.protection.iter().filter_map(refusal).collect()
}

fn refusal(name: &GroupName, protection: &Protection<'_>, intent: Intent) -> Option<Refusal> {
    let protection_group = name.clone();
    let direction = intent.direction();
    if direction == Direction::ToPrimary && protection.spec.purpose == Purpose::MigrationOnly {
        return Some(Refusal::MigrationOnly { protection_group });
    }
    let rules = match &protection.rules {
        Ok(rules) => *rules,
        Err(no_pair) => {
            return Some(Refusal::NoSuchPair {
                protection_group,
                message: no_pair.to_string(),
            });
        }
    };
    let failover = intent.failover.kind();
    match in_direction(rules, direction) {
        Ok(rules) if supports(rules, failover) => None,
        Ok(_) => Some(Refusal::NotSupported {
            protection_group,
            pair: rules.name,
            failover,
            direction,
        }),
        Err(reason) => Some(Refusal::NoWayBack {
            protection_group,
            pair: rules.name,
            reason,
        }),
    }
}

fn in_direction(rules: &PairRules, direction: Direction) -> Result<&DirectionRules, NotReturning> {
    match direction {
        Direction::ToSecondary => Ok(&rules.to_secondary),
        Direction::ToPrimary => rules.to_primary.as_ref().map_err(|reason| *reason),
    }
}

fn supports(rules: &DirectionRules, failover: FailoverType) -> bool {
    match failover {
        FailoverType::Planned => rules.planned,
        FailoverType::Unplanned => rules.unplanned,
    }
}

/// The data synchronisation inside the run, where the way back needs it (FB-0, FB-3).
///
/// A pair that leaves the choice synchronises inside the run when the failback policy says how.
pub fn synchronization(resolved: &Resolved<'_>, direction: Direction) -> Option<Synchronization> {
    if direction == Direction::ToSecondary {
        return None;
    }
    let asked_for = resolved
        .failback
        .is_some_and(|failback| failback.data_sync.is_some());
    let within = resolved.protection.values().any(|protection| {
        let Ok(rules) = &protection.rules else {
            return false;
        };
        let out = &rules.to_secondary;
        out.ways_back.first() == Some(&WayBack::WithinFailback)
            || (asked_for && out.synchronizes_within_failback())
    });
    within.then(|| Synchronization {
        data_sync: resolved
            .failback
            .and_then(|failback| failback.data_sync)
            .unwrap_or_default(),
        between_phases: resolved
            .failback
            .and_then(|failback| failback.between_phases)
            .unwrap_or_default(),
    })
}

/// Whether replication reverses by itself once a failover of this type and direction is committed
/// (FO-9, FB-0). After an unplanned one, and after any to Azure, a person must ask for it.
pub fn reprotects_by_itself(
    resolved: &Resolved<'_>,
    failover: FailoverType,
    direction: Direction,
) -> bool {
    if failover == FailoverType::Unplanned {
        return false;
    }
    if direction == Direction::ToPrimary {
        let policy = resolved.failback.map(|failback| failback.reprotect);
        return policy.unwrap_or_default() == ReprotectPolicy::Automatic;
    }
    let within = synchronization(resolved, Direction::ToPrimary).is_some();
    let reverses = |protection: &Protection<'_>| {
        protection.spec.purpose != Purpose::MigrationOnly
            && protection.rules.as_ref().is_ok_and(|rules| {
                let first = rules.to_secondary.ways_back.first();
                !rules.into_azure && first == Some(&WayBack::AfterCommit)
            })
    };
    !within && resolved.protection.values().all(reverses)
}

/// How many machines of a plan may be stopping and starting at once (PL-2): what the plan says, and
/// never more than the sites allow.
pub fn limits(plan: &RecoveryPlanSpec, source: &SiteSpec, target: &SiteSpec) -> RunLimits {
    let of_plan = plan.concurrency.unwrap_or(u32::MAX);
    RunLimits {
        stops: of_plan.min(source.limits.concurrent_stops).max(1),
        starts: of_plan.min(target.limits.concurrent_starts).max(1),
    }
}
