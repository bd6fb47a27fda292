//! What is explored: a small world, a script of runs, and the faults that may happen.

use std::str::FromStr;

use drover_api::common::{
    Direction, MachineRef, PlanRef, RecoveryPointChoice, RecoveryPointType, RunKind, SitePair,
    SourceStop, Unfenced,
};
use drover_api::value::Duration;
use drover_api::{
    BetweenPhases, Commit, DataSync, DecisionAction, FailbackLocation, MachineRunSpec,
    OnStopTimeout, RecoveryRunSpec, RunDecisionSpec, RunGroup, RunLimits, RunRef, SourceRule,
    Synchronization,
};
use drover_engine::decide::Shape;

/// The digest of every run of the model.
pub const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Which machine is in which group; groups are a chain.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// The group of each machine.
    pub groups: &'static [usize],
}

pub const TWO_IN_A_CHAIN: Layout = Layout { groups: &[0, 1] };
pub const THREE_IN_TWO_GROUPS: Layout = Layout { groups: &[0, 0, 1] };

/// One run of a script.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    pub kind: RunKind,
    pub direction: Direction,
    pub source_stop: SourceStop,
    pub unfenced: Unfenced,
    pub synchronization: Option<Synchronization>,
}

pub const PLANNED: Script = Script {
    kind: RunKind::PlannedFailover,
    direction: Direction::ToSecondary,
    source_stop: SourceStop::Required,
    unfenced: Unfenced::Refuse,
    synchronization: None,
};
pub const UNPLANNED: Script = Script {
    kind: RunKind::UnplannedFailover,
    source_stop: SourceStop::Attempt,
    ..PLANNED
};
pub const UNPLANNED_SKIP: Script = Script {
    source_stop: SourceStop::Skip,
    ..UNPLANNED
};
/// Data flows back to where the machines came from.
pub const REPROTECT: Script = Script {
    kind: RunKind::Reprotect,
    ..HOME
};
pub const HOME: Script = Script {
    direction: Direction::ToPrimary,
    ..PLANNED
};
pub const HOME_WITH_SYNC: Script = Script {
    synchronization: Some(Synchronization {
        data_sync: DataSync::DeltaBeforeFailover,
        between_phases: BetweenPhases::Hold,
    }),
    ..HOME
};

/// What may happen besides the script.
#[allow(clippy::struct_excessive_bools)] // Each switches one kind of fault; they mean nothing together.
#[derive(Clone, Debug)]
pub struct Faults {
    /// Writes that guests may still make.
    pub writes: u8,
    /// Starts that may still fail.
    pub failed_starts: u8,
    /// Times that a site may be lost: cut off, its machines running on.
    pub partitions: u8,
    /// Times that a site may lose power; its machines start by themselves when it returns.
    pub power_losses: u8,
    /// Snapshots that a second process may take and act on at any later time.
    pub stale_snapshots: u8,
    /// Times that a guest may be too slow, so that its deadline passes.
    pub deadlines: bool,
    /// Whether a fence can be confirmed.
    pub fences: bool,
    /// What people may decide, each at most once.
    pub decisions: &'static [DecisionAction],
    /// Whether the declaration may change its mind once.
    pub changed_mind: bool,
    /// Whether fabrics refuse older epochs. Switched off only to see the checks fail.
    pub enforced: bool,
    /// What the replicator does wrong. Only to see the checks fail.
    pub replicator: Replicator,
    /// Whether what is asked takes time, so that everything else can happen in between.
    pub slow: bool,
}

/// What a replicator may do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicator {
    Honest,
    /// It reports data as sent that was not.
    Lies,
    /// It never ends what it began.
    Hangs,
}

impl Faults {
    pub const NONE: Self = Self {
        writes: 0,
        failed_starts: 0,
        partitions: 0,
        power_losses: 0,
        stale_snapshots: 0,
        deadlines: false,
        fences: true,
        decisions: &[DecisionAction::Commit],
        changed_mind: false,
        enforced: true,
        replicator: Replicator::Honest,
        slow: false,
    };
}

pub fn parse<T: FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a valid name")
}

/// The compiled run of a script at an epoch.
pub fn shape(layout: Layout, script: Script, epoch: u64) -> Shape {
    let groups = layout.groups.iter().max().map_or(0, |last| last + 1);
    let name = |group: usize| parse(&format!("g{group}"));
    let spec = RecoveryRunSpec {
        plan_ref: PlanRef {
            name: parse("plan"),
        },
        number: 1,
        kind: script.kind,
        direction: script.direction,
        sites: SitePair {
            primary: parse("one"),
            secondary: parse("two"),
        },
        request_id: None,
        intent: None,
        epoch,
        digest: DIGEST.into(),
        groups: (0..groups)
            .map(|group| RunGroup {
                name: name(group),
                depends_on: if group == 0 {
                    vec![]
                } else {
                    vec![name(group - 1)]
                },
                wave: u32::try_from(group).unwrap_or_default() + 1,
                machines: 1,
                before: vec![],
                after: vec![],
            })
            .collect(),
        machines: u32::try_from(layout.groups.len()).unwrap_or_default(),
        source: SourceRule {
            stop: script.source_stop,
            unfenced: script.unfenced,
            stop_timeout: Duration::from_mins(5),
            on_stop_timeout: OnStopTimeout::Halt,
        },
        recovery_point: RecoveryPointChoice::of(RecoveryPointType::Latest),
        max_data_loss: None,
        commit: Commit::default(),
        synchronization: script.synchronization,
        approvals: None,
        commits: false,
        location: FailbackLocation::default(),
        limits: RunLimits {
            stops: 100,
            starts: 100,
        },
        forecast: None,
        objectives: None,
        revision: None,
    };
    let machines: Vec<MachineRunSpec> = layout
        .groups
        .iter()
        .enumerate()
        .map(|(index, group)| MachineRunSpec {
            run: parse("plan-1"),
            group: name(*group),
            machine: MachineRef {
                protection_group: parse("pg"),
                name: parse(&format!("m{index}")),
            },
            consistency_group: false,
            nics: vec![],
            target_settings: None,
        })
        .collect();
    Shape::of(spec, &machines)
}

/// A decision of the model.
pub fn decision(action: DecisionAction) -> RunDecisionSpec {
    RunDecisionSpec {
        run_ref: RunRef {
            name: parse("plan-1"),
            uid: "1".into(),
        },
        action,
        step: None,
        recovery_point: (action == DecisionAction::ChangePoint)
            .then(|| RecoveryPointChoice::of(RecoveryPointType::Latest)),
        digest: DIGEST.into(),
        by: "operator".into(),
        reason: None,
    }
}
