//! What decisions are made from: the compiled run, its record, the journals, what is seen, the time.

use std::collections::BTreeMap;

use drover_api::common::{RetrySchedule, RunKind, SiteRole};
use drover_api::{
    MachineRunSpec, MachineRunStatus, RecoveryRunSpec, RunDecisionSpec, RunRecord, StepRecord,
    StepState,
};
use drover_world::{Effect, ErrorClass, FabricError, Instance, Link, Observed};
use jiff::Timestamp;

use super::standing::Standing;
use super::wait::WaitReason;

/// What is seen of one machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sight {
    /// At the site that the run leaves.
    pub source: Observed<Instance>,
    /// At the site that the run goes to.
    pub target: Observed<Instance>,
    /// What a drill made at the target.
    pub drill: Observed<Instance>,
    /// How its data moves.
    pub link: Observed<Link>,
    /// Epoch of the confirmed fence of the source. It is confirmed on a way of its own, so it can be
    /// known while the site does not answer.
    pub fenced: Option<u64>,
}

/// The last failure of a request for a machine, as the asking process remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was asked.
    pub effect: Effect,
    /// The epoch that it was asked at. A failure of an older one says nothing any more.
    pub epoch: u64,
    /// What went wrong.
    pub error: FabricError,
    /// Requests that failed in a row.
    pub attempts: u32,
    /// When the last one did.
    pub at: Timestamp,
    /// When the next is due, for a recoverable one.
    pub retry_at: Timestamp,
}

impl Failure {
    /// A request, its epoch and what went wrong; so many failed in a row by now. A recoverable one is due
    /// again after the pause that the schedule has for that many (PR-5).
    pub fn of(
        (effect, epoch, error): (Effect, u64, FabricError),
        attempts: u32,
        at: Timestamp,
        retry: &RetrySchedule,
    ) -> Self {
        let nth = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let pause = match error.class {
            ErrorClass::Retryable => retry.pauses.get(nth).unwrap_or(&retry.then_every).as_std(),
            ErrorClass::Terminal | ErrorClass::Unsupported => std::time::Duration::ZERO,
        };
        Self {
            effect,
            epoch,
            error,
            attempts,
            at,
            retry_at: at.checked_add(pause).unwrap_or(Timestamp::MAX),
        }
    }

    /// The wait until the next request is due.
    pub(super) fn retry(&self) -> WaitReason {
        WaitReason::Retry {
            at: self.retry_at,
            error: self.error.message.clone(),
        }
    }
}

/// One machine of a run.
#[derive(Clone, Copy, Debug)]
pub struct MachineView<'a> {
    /// Its journal.
    pub journal: &'a MachineRunStatus,
    /// What is seen of it.
    pub sight: &'a Sight,
    /// The last failure, where the last request failed.
    pub failure: Option<&'a Failure>,
}

/// The machines of a run, wherever they are kept.
pub trait Machines: std::fmt::Debug {
    /// How many there are.
    fn count(&self) -> usize;
    /// The one at this position of the shape.
    fn machine(&self, position: usize) -> MachineView<'_>;
}

impl Machines for Vec<MachineView<'_>> {
    fn count(&self) -> usize {
        self.len()
    }

    fn machine(&self, position: usize) -> MachineView<'_> {
        self[position]
    }
}

/// What a machine uses of a site while it acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SiteUse {
    /// It stops there.
    Stop,
    /// It starts there.
    Start,
    /// It is copied from there in full.
    Copy,
}

/// How many machines may act at a site at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Those that stop.
    pub stops: u32,
    /// Those that start.
    pub starts: u32,
    /// Those that are copied in full.
    pub copies: u32,
}

impl Places {
    /// As many as one likes.
    pub const ANY: Self = Self {
        stops: u32::MAX,
        starts: u32::MAX,
        copies: u32::MAX,
    };

    /// Those for one use.
    pub fn of(&self, site_use: SiteUse) -> u32 {
        match site_use {
            SiteUse::Stop => self.stops,
            SiteUse::Start => self.starts,
            SiteUse::Copy => self.copies,
        }
    }
}

/// The places that both sites of a run have for it: what their limits leave that others do not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// At the site that the run leaves.
    pub source: Places,
    /// At the site that it goes to.
    pub target: Places,
    /// The side that is left.
    pub from: SiteRole,
}

impl Room {
    /// Sites without limits.
    pub fn any(from: SiteRole) -> Self {
        Self {
            source: Places::ANY,
            target: Places::ANY,
            from,
        }
    }

    /// At one side.
    pub(crate) fn at(&self, site: SiteRole) -> &Places {
        if site == self.from {
            &self.source
        } else {
            &self.target
        }
    }
}

/// A run as it was compiled, with what is derived from that once.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The compiled run.
    pub spec: RecoveryRunSpec,
    /// For each group, the groups that it depends on.
    pub dependencies: Vec<Vec<usize>>,
    /// For each group, the groups that depend on it.
    pub dependents: Vec<Vec<usize>>,
    /// For each group, its machines.
    pub machines: Vec<Vec<usize>>,
    /// For each machine, its group.
    pub group_of: Vec<usize>,
    /// Machines that share their recovery points (PR-7).
    pub consistency: Vec<Vec<usize>>,
    /// For each machine, its entry in `consistency`.
    pub consistency_of: Vec<Option<usize>>,
}

impl Shape {
    /// Derives the shape of a run from its compiled parts. Names that a compiled run cannot contain
    /// are left out; [`crate::verify`] finds them.
    pub fn of(spec: RecoveryRunSpec, machines: &[MachineRunSpec]) -> Self {
        let position: BTreeMap<&str, usize> = spec
            .groups
            .iter()
            .enumerate()
            .map(|(index, group)| (group.name.as_str(), index))
            .collect();
        let dependencies: Vec<Vec<usize>> = spec
            .groups
            .iter()
            .map(|group| {
                let found = |name: &drover_api::value::StepName| position.get(name.as_str());
                group.depends_on.iter().filter_map(found).copied().collect()
            })
            .collect();
        let mut dependents = vec![Vec::new(); spec.groups.len()];
        for (group, needed) in dependencies.iter().enumerate() {
            for needs in needed {
                dependents[*needs].push(group);
            }
        }
        let mut of_group = vec![Vec::new(); spec.groups.len()];
        let mut group_of = Vec::with_capacity(machines.len());
        for (index, machine) in machines.iter().enumerate() {
            let group = position
                .get(machine.group.as_str())
                .copied()
                .unwrap_or_default();
            of_group[group].push(index);
            group_of.push(group);
        }
        let (consistency, consistency_of) = consistency(machines);
        Self {
            dependencies,
            dependents,
            machines: of_group,
            group_of,
            consistency,
            consistency_of,
            spec,
        }
    }

    /// The side that machines leave.
    pub fn source(&self) -> SiteRole {
        self.spec.direction.source()
    }

    /// The side that machines go to.
    pub fn target(&self) -> SiteRole {
        self.spec.direction.target()
    }

    /// Whether nothing may be lost and an error halts the run.
    pub fn planned(&self) -> bool {
        self.spec.kind == RunKind::PlannedFailover
    }
}

fn consistency(machines: &[MachineRunSpec]) -> (Vec<Vec<usize>>, Vec<Option<usize>>) {
    let mut sets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, machine) in machines.iter().enumerate() {
        if machine.consistency_group {
            sets.entry(machine.machine.protection_group.as_str())
                .or_default()
                .push(index);
        }
    }
    let mut of = vec![None; machines.len()];
    let sets: Vec<Vec<usize>> = sets.into_values().collect();
    for (set, members) in sets.iter().enumerate() {
        for member in members {
            of[*member] = Some(set);
        }
    }
    (sets, of)
}

/// Everything that a decision about a run is made from.
#[derive(Clone, Copy, Debug)]
pub struct RunView<'a> {
    /// The compiled run.
    pub shape: &'a Shape,
    /// Its record.
    pub record: &'a RunRecord,
    /// Its machines, in the order of the shape.
    pub machines: &'a dyn Machines,
    /// How they stand, in the same order.
    pub standings: &'a [Standing],
    /// What the sites have room for.
    pub room: Room,
    /// Decisions about this run, oldest first.
    pub decisions: &'a [(&'a str, &'a RunDecisionSpec)],
    /// Whether nobody checked who took them.
    pub unauthenticated: bool,
    /// What came of actions that this process carried out.
    pub actions: &'a BTreeMap<ActionId, ActionReport>,
    /// Whether the declaration no longer wants what the run does (PL-8); for a drill, that it is to be
    /// cleaned up.
    pub intent_withdrawn: bool,
    /// Now.
    pub now: Timestamp,
}

/// One action of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId {
    /// Position of its group.
    pub group: usize,
    /// Before or after the group's machines.
    pub around: Around,
    /// Position among those.
    pub index: usize,
}

/// Before or after the machines of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Around {
    /// Before they start.
    Before,
    /// After they are healthy.
    After,
}

/// What came of one attempt of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionReport {
    /// The epoch of the record that began it. After a resume, or once machines are rebuilt, attempts are
    /// counted anew, and what came of an older one says nothing.
    pub epoch: u64,
    /// The attempt, counted from 1; the report of another is stale.
    pub attempt: u32,
    /// Nothing, or what went wrong.
    pub result: Result<(), String>,
}

/// Whether an outcome counts in the movement that is going on.
pub(crate) fn done_in_movement(step: &StepRecord, record: &RunRecord) -> bool {
    step.state == StepState::Done && step.epoch >= record.movement_epoch
}

/// Whether a failure stands: one that was reached before the last resume does not.
pub(crate) fn failed_now(step: &StepRecord, record: &RunRecord) -> bool {
    step.state == StepState::Failed && step.epoch >= record.epoch
}
