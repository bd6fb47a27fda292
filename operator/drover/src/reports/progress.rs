//! How far a run is, group by group, from its record and the journals of its machines.

use std::fmt::Write as _;

use drover_api::common::RunKind;
use drover_api::{
    GroupRecord, MachineRun, MachineRunStatus, RecoveryRun, RunPhase, RunRecord, StepRecord,
    StepState,
};
use serde::Serialize;

use super::words;

/// Where a machine stands in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Its group was not released yet.
    Waiting,
    /// Its data is copied back while it runs.
    Synchronizing,
    /// It leaves the source.
    Leaving,
    /// It left the source.
    Left,
    /// It starts at the target.
    Entering,
    /// It is healthy at the target.
    Healthy,
    /// It stops at the target.
    Withdrawing,
    /// It runs at the target no more.
    Withdrawn,
    /// It starts at the source again.
    Returning,
    /// It is back at the source.
    Returned,
    /// It is final at the target.
    Committed,
    /// It replicates in the other direction.
    Reversed,
    /// What a drill made of it is gone.
    CleanedUp,
    /// It failed.
    Failed,
}

impl Standing {
    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Synchronizing => "synchronising",
            Self::Leaving => "leaving",
            Self::Left => "left",
            Self::Entering => "starting",
            Self::Healthy => "healthy",
            Self::Withdrawing => "stopping",
            Self::Withdrawn => "stopped",
            Self::Returning => "returning",
            Self::Returned => "back",
            Self::Committed => "committed",
            Self::Reversed => "protected",
            Self::CleanedUp => "cleaned up",
            Self::Failed => "failed",
        }
    }
}

/// A failure that stands: one from before the last resume does not.
pub fn failure<'j>(
    journal: &'j MachineRunStatus,
    record: &RunRecord,
) -> Option<(&'static str, &'j StepRecord)> {
    steps(journal)
        .into_iter()
        .rev()
        .find(|(_, step)| step.state == StepState::Failed && step.epoch >= record.epoch)
}

/// The durable steps of a machine, in the order in which they can happen.
pub fn steps(journal: &MachineRunStatus) -> [(&'static str, &StepRecord); 8] {
    [
        ("synchronize", &journal.synchronize),
        ("leave", &journal.leave),
        ("enter", &journal.enter),
        ("withdraw", &journal.withdraw),
        ("return", &journal.back),
        ("commit", &journal.commit),
        ("reverse", &journal.reverse),
        ("cleanUp", &journal.clean_up),
    ]
}

/// Where a machine stands.
pub fn standing(
    run: &RecoveryRun,
    group: Option<&GroupRecord>,
    journal: &MachineRunStatus,
) -> Standing {
    let (record, nothing) = (record(run), GroupRecord::default());
    let group = group.unwrap_or(&nothing);
    if failure(journal, &record).is_some() {
        return Standing::Failed;
    }
    let done = |step: &StepRecord| step.state == StepState::Done;
    // An outcome of a movement that was given up says nothing of the present one.
    let moved = |step: &StepRecord| done(step) && step.epoch >= record.movement_epoch;
    let started = moved(&journal.enter);
    match record.phase {
        _ if done(&journal.clean_up) => Standing::CleanedUp,
        _ if done(&journal.reverse) => Standing::Reversed,
        _ if done(&journal.commit) => Standing::Committed,
        _ if moved(&journal.back) => Standing::Returned,
        RunPhase::Returning if group.return_released.is_some() => Standing::Returning,
        _ if moved(&journal.withdraw) && !started => Standing::Withdrawn,
        RunPhase::Rebuilding | RunPhase::Withdrawing if group.withdraw_released.is_some() => {
            Standing::Withdrawing
        }
        _ if started => Standing::Healthy,
        RunPhase::Synchronizing => Standing::Synchronizing,
        _ if group.enter_released.is_some() => Standing::Entering,
        _ if done(&journal.leave) => Standing::Left,
        _ if group.leave_released.is_some() => Standing::Leaving,
        _ => Standing::Waiting,
    }
}

/// The record of a run.
pub fn record(run: &RecoveryRun) -> RunRecord {
    run.status
        .as_ref()
        .map(|status| status.record.clone())
        .unwrap_or_default()
}

/// How far a group is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupProgress {
    /// Its name.
    pub name: String,
    /// Its wave.
    pub wave: u32,
    /// Its machines.
    pub machines: u32,
    /// Of them, those that left the source.
    pub left: usize,
    /// Of them, those that are healthy at the target, or were until a drill was cleaned up.
    pub healthy: usize,
    /// Of them, those that failed.
    pub failed: usize,
    /// Where most of those that are not done stand.
    pub standing: Standing,
}

/// How far each group is, in the order of the plan.
pub fn groups(run: &RecoveryRun, machines: &[MachineRun]) -> Vec<GroupProgress> {
    let record = record(run);
    let none = MachineRunStatus::default();
    let groups = run.spec.groups.iter().enumerate();
    groups
        .map(|(position, group)| {
            let released = record.groups.get(position);
            let own = machines
                .iter()
                .filter(|machine| machine.spec.group == group.name);
            let journals = own.map(|machine| machine.status.as_ref().unwrap_or(&none));
            let mut progress = GroupProgress {
                name: group.name.to_string(),
                wave: group.wave,
                machines: group.machines,
                left: 0,
                healthy: 0,
                failed: 0,
                standing: Standing::Waiting,
            };
            let mut least: Option<Standing> = None;
            for journal in journals {
                let stands = standing(run, released, journal);
                progress.left += usize::from(journal.leave.state == StepState::Done);
                progress.healthy += usize::from(is_up(stands) || stood(stands, journal));
                progress.failed += usize::from(stands == Standing::Failed);
                least = Some(least.map_or(stands, |least| least.min(stands)));
            }
            progress.standing = match least.unwrap_or(Standing::Waiting) {
                // All that could start did: the group waits for what failed.
                least if progress.failed > 0 && is_up(least) => Standing::Failed,
                least => least,
            };
            progress
        })
        .collect()
}

/// Whether a machine runs at the target.
pub fn is_up(standing: Standing) -> bool {
    matches!(
        standing,
        Standing::Healthy | Standing::Committed | Standing::Reversed
    )
}

/// Whether a machine of a drill was healthy before what the drill made was removed, as it should be.
fn stood(standing: Standing, journal: &MachineRunStatus) -> bool {
    standing == Standing::CleanedUp && journal.enter.state == StepState::Done
}

/// Whether machines were released to start at the target in the present movement.
pub fn entered(run: &RecoveryRun) -> bool {
    record(run)
        .groups
        .iter()
        .any(|group| group.enter_released.is_some())
}

/// Whether a run moves machines for good.
pub fn is_failover(run: &RecoveryRun) -> bool {
    matches!(
        run.spec.kind,
        RunKind::PlannedFailover | RunKind::UnplannedFailover
    )
}

/// `Entering: 2 of 12 machines healthy, 1 failed`.
pub fn in_one_line(run: &RecoveryRun) -> String {
    let phase = run.phase();
    let counts = run
        .status
        .as_ref()
        .map(|status| status.machines)
        .unwrap_or_default();
    let all = words::machines(run.spec.machines);
    let mut line = match phase {
        RunPhase::Leaving | RunPhase::Synchronizing | RunPhase::AwaitingCompleteSync => {
            format!("{phase:?}: {} of {all} left the source", counts.left)
        }
        RunPhase::Pending => format!("{phase:?}: {all}"),
        _ => format!("{phase:?}: {} of {all} healthy", counts.healthy),
    };
    if counts.failed > 0 {
        let _ = write!(line, ", {} failed", counts.failed);
    }
    line
}
