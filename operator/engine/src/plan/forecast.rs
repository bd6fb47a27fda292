//! What is to be expected of a run, against what is aimed at (PL-5, PL-11).

use drover_api::common::{Direction, RecoveryPointType, SourceStop};
use drover_api::value::Duration;
use drover_api::{EstimateSource, Profile, ReplicationPolicySpec, Replicator, SanMode};
use drover_world::Estimate;
use serde::Serialize;

use super::{Failover, Intent, Protection, Resolved};

/// What is to be expected of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// Time from the start of the run to the service being back. People are not in it: manual steps
    /// count as nothing, and neither do guards that the run waits for before it starts.
    pub rto: RtoForecast,
    /// Data loss measured in time.
    pub rpo: LossForecast,
    /// The same loss against `maxDataLoss`, above which the run is held (FO-4); where one is declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_data_loss: Option<LossForecast>,
}

/// Expected time until the service is back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtoForecast {
    /// Expected, against the declared objective.
    #[serde(flatten)]
    pub expected: Measured,
    /// The declared objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<Duration>,
    /// Where the estimates come from; nothing where no machine is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<EstimateSource>,
    /// Machines whose figures come from recorded runs.
    pub recorded: usize,
    /// Machines whose figures are the fabric's.
    pub fabric: usize,
}

/// Expected data loss of the machine that loses most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LossForecast {
    /// When replication keeps its interval; nothing where it depends on the point that is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Measured>,
    /// When it is as late as it may be before an alarm is raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst: Option<Measured>,
    /// What it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Duration>,
}

/// A value, and how it compares with what is aimed at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// The value.
    pub value: Duration,
    /// How it compares, where something is aimed at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<Against>,
}

/// How a value compares with what is aimed at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(
    tag = "verdict",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Against {
    /// It keeps it.
    Meets {
        /// What is left.
        by: Duration,
    },
    /// It does not.
    Misses {
        /// What is too much.
        by: Duration,
    },
}

impl Measured {
    /// A value against a limit.
    pub fn new(value: Duration, limit: Option<&Duration>) -> Self {
        let (own, against) = (value.as_millis(), limit.map(Duration::as_millis));
        let against = against.map(|limit| {
            let by = Duration::from_millis(limit.abs_diff(own));
            if own <= limit {
                Against::Meets { by }
            } else {
                Against::Misses { by }
            }
        });
        Self { value, against }
    }

    /// Whether something is aimed at and not kept.
    pub fn misses(&self) -> bool {
        matches!(self.against, Some(Against::Misses { .. }))
    }
}

/// Data loss of one machine, measured in time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// When replication keeps its interval.
    pub expected: Duration,
    /// When it is as late as it may be before an alarm is raised.
    pub worst: Duration,
}

impl Loss {
    const NONE: Self = Self {
        expected: Duration::ZERO,
        worst: Duration::ZERO,
    };
}

/// The loss to be expected of the machines of one protection group; nothing where it depends on the
/// point that a person names.
pub(super) fn loss(
    resolved: &Resolved<'_>,
    protection: &Protection<'_>,
    intent: Intent,
) -> Option<Loss> {
    let Failover::Unplanned {
        source_stop,
        recovery_point,
    } = intent.failover
    else {
        return Some(Loss::NONE);
    };
    if is_synchronous(&protection.policy.replicator) {
        return Some(Loss::NONE);
    }
    match recovery_point {
        RecoveryPointType::Time | RecoveryPointType::Named => None,
        // Without the source stopped and its latest data sent the run does not go on (FO-3).
        RecoveryPointType::Latest if source_stop == SourceStop::Required => Some(Loss::NONE),
        RecoveryPointType::Latest | RecoveryPointType::LatestProcessed => {
            Some(lag(resolved, protection, intent.direction()).0)
        }
        RecoveryPointType::LatestAppConsistent => {
            let (lag, every) = lag(resolved, protection, intent.direction());
            Some(Loss {
                expected: every.clone().max(lag.expected),
                worst: sum(&every, &lag.worst),
            })
        }
    }
}

/// How late replication is, and how often it makes an application-consistent point. On the way home
/// that is what the failback policy says, or its fixed values (FB-7).
fn lag(
    resolved: &Resolved<'_>,
    protection: &Protection<'_>,
    direction: Direction,
) -> (Loss, Duration) {
    let policy = match direction {
        Direction::ToSecondary => Some(protection.policy),
        Direction::ToPrimary => resolved.way_back_policy,
    };
    policy.map_or_else(
        || (unknown_interval(FIXED_THRESHOLD), FIXED_APP_CONSISTENT),
        |policy| {
            (
                of_policy(policy),
                policy.recovery_points.app_consistent_every.clone(),
            )
        },
    )
}

/// RPO threshold of the way back without a failback policy (FB-7).
const FIXED_THRESHOLD: Duration = Duration::from_mins(15);
/// How often the way back makes application-consistent points without a failback policy (FB-7).
const FIXED_APP_CONSISTENT: Duration = Duration::from_mins(60);

fn of_policy(policy: &ReplicationPolicySpec) -> Loss {
    let threshold = policy.rpo_threshold.clone();
    match &policy.interval {
        Some(interval) => Loss {
            expected: interval.clone(),
            worst: interval.clone().max(threshold),
        },
        None => unknown_interval(threshold),
    }
}

/// What a replicator does by itself is not known here; later than the threshold is an alarm.
fn unknown_interval(threshold: Duration) -> Loss {
    Loss {
        expected: threshold.clone(),
        worst: threshold,
    }
}

/// Whether a write is at the other side before it is answered.
fn is_synchronous(replicator: &Replicator) -> bool {
    match replicator {
        Replicator::SanArray(san) => san.mode == SanMode::Synchronous,
        Replicator::Simulator(simulator) => simulator.profile == Some(Profile::HyperVSan),
        _ => false,
    }
}

fn sum(one: &Duration, other: &Duration) -> Duration {
    Duration::from_millis(one.as_millis().saturating_add(other.as_millis()))
}

/// The forecast of a run that takes so long.
pub(super) fn of(
    resolved: &Resolved<'_>,
    intent: Intent,
    makespan: Duration,
    maximum: Option<&Duration>,
) -> Forecast {
    let objectives = resolved.plan.objectives.as_ref();
    let rto = objectives.and_then(|objectives| objectives.rto.as_ref());
    let rpo = objectives.and_then(|objectives| objectives.rpo.as_ref());
    let losses: Option<Vec<Loss>> = resolved
        .protection
        .values()
        .map(|protection| loss(resolved, protection, intent))
        .collect();
    Forecast {
        rto: rto_forecast(resolved, makespan, rto),
        rpo: loss_forecast(losses.as_deref(), rpo),
        max_data_loss: maximum.map(|maximum| loss_forecast(losses.as_deref(), Some(maximum))),
    }
}

fn rto_forecast(
    resolved: &Resolved<'_>,
    makespan: Duration,
    objective: Option<&Duration>,
) -> RtoForecast {
    let machines = resolved.groups.iter().flat_map(|group| &group.machines);
    let (mut recorded, mut fabric) = (0, 0);
    for machine in machines {
        match machine.estimate {
            Estimate::Recorded(_) => recorded += 1,
            Estimate::Fabric(_) => fabric += 1,
        }
    }
    let source = match (recorded, fabric) {
        (0, 0) => None,
        (0, _) => Some(EstimateSource::Fabric),
        (_, 0) => Some(EstimateSource::Recorded),
        _ => Some(EstimateSource::Mixed),
    };
    RtoForecast {
        expected: Measured::new(makespan, objective),
        objective: objective.cloned(),
        source,
        recorded,
        fabric,
    }
}

/// The largest losses against a limit. Nothing is said where one of them is not known.
fn loss_forecast(losses: Option<&[Loss]>, limit: Option<&Duration>) -> LossForecast {
    let largest = |of: fn(&Loss) -> &Duration| {
        let largest = losses?.iter().map(of).max()?;
        Some(Measured::new(largest.clone(), limit))
    };
    LossForecast {
        expected: largest(|loss| &loss.expected),
        worst: largest(|loss| &loss.worst),
        limit: limit.cloned(),
    }
}
