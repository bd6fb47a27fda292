//! How one machine stands in a run, in a few bytes: what a look at ten thousand of them costs.
//!
//! A run is looked at often and few of its machines change between two looks. So whoever keeps a run also
//! keeps the standings of its machines, makes those anew of which something changed, and all of them when
//! the epochs of the record did.

use drover_api::common::RunKind;
use drover_api::{RunPhase, RunRecord, StepRecord, StepState};
use drover_world::{LinkState, Power};

use super::view::{MachineView, Machines, Shape, done_in_movement, failed_now};

/// How one machine stands in each step of a run. It follows from the machine's view and from the epochs of
/// the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub(super) synchronize: StepState,
    pub(super) leave: StepState,
    /// Out of the way of what it depends on: it left, finally failed to, or is off at the source and held
    /// there.
    pub(super) off: StepState,
    pub(super) enter: StepState,
    pub(super) withdraw: StepState,
    pub(super) back: StepState,
    pub(super) commit: StepState,
    pub(super) reverse: StepState,
    pub(super) clean_up: StepState,
    /// Whether its changes travel to the target.
    pub(super) replicates: bool,
    /// Whether nothing is there at the target that a copy could begin with.
    pub(super) full_copy: bool,
    /// Whether its copy at the source may serve although the machine left it.
    pub(super) stale_copy: bool,
}

impl Standing {
    /// How a machine stands.
    pub fn of(shape: &Shape, record: &RunRecord, machine: &MachineView<'_>) -> Self {
        let journal = machine.journal;
        let target = machine.sight.target.seen();
        let source = machine.sight.source.seen();
        let link = machine.sight.link.seen();
        let leave = kept(&journal.leave, record);
        let held = source.is_some_and(|seen| {
            let off = matches!(seen.power, Power::Off | Power::StartFailed);
            off && seen.epoch == record.epoch
        });
        let drill = shape.spec.kind == RunKind::TestFailover;
        // Who never left is not started anywhere else.
        let stayed = !drill && failed_now(&journal.leave, record);
        Self {
            synchronize: kept(&journal.synchronize, record),
            leave,
            off: match leave {
                StepState::Pending if held => StepState::Done,
                state => state,
            },
            enter: match moved(&journal.enter, record) {
                StepState::Pending if stayed => StepState::Failed,
                state => state,
            },
            withdraw: moved(&journal.withdraw, record),
            back: moved(&journal.back, record),
            commit: kept(&journal.commit, record),
            reverse: kept(&journal.reverse, record),
            clean_up: kept(&journal.clean_up, record),
            replicates: link.is_some_and(|link| {
                link.towards == shape.target() && link.state == LinkState::Replicating
            }),
            full_copy: target.is_some_and(|seen| seen.power == Power::Absent),
            stale_copy: !drill
                && source.is_some_and(|seen| seen.may_serve() && seen.epoch <= record.epoch),
        }
    }

    /// How all machines stand.
    pub fn all(shape: &Shape, record: &RunRecord, machines: &dyn Machines) -> Vec<Self> {
        let positions = 0..machines.count();
        let of = |position| Self::of(shape, record, &machines.machine(position));
        positions.map(of).collect()
    }

    /// How it stands in the step that a phase waits for; nothing in a phase that waits for no machine.
    pub(super) fn in_phase(&self, phase: RunPhase) -> Option<StepState> {
        match phase {
            RunPhase::Synchronizing => Some(self.synchronize),
            RunPhase::Leaving => Some(self.leave),
            RunPhase::Entering => Some(self.enter),
            RunPhase::Rebuilding | RunPhase::Withdrawing => Some(self.withdraw),
            RunPhase::Returning => Some(self.back),
            RunPhase::Committing => Some(self.commit),
            RunPhase::Reprotecting => Some(self.reverse),
            RunPhase::CleaningUp => Some(self.clean_up),
            RunPhase::Pending
            | RunPhase::AwaitingCompleteSync
            | RunPhase::CommitPending
            | RunPhase::Halted
            | RunPhase::Committed
            | RunPhase::Cancelled
            | RunPhase::Protected
            | RunPhase::Standing
            | RunPhase::CleanedUp => None,
        }
    }

    /// How many left the source, run at the target, and failed.
    pub fn counts(standings: &[Self]) -> (u32, u32, u32) {
        standings
            .iter()
            .fold((0, 0, 0), |(left, entered, failed), of| {
                let steps = [of.leave, of.enter, of.back, of.synchronize];
                (
                    left + u32::from(of.leave == StepState::Done),
                    entered + u32::from(of.enter == StepState::Done),
                    failed + u32::from(steps.contains(&StepState::Failed)),
                )
            })
    }
}

/// How a step stands whose outcome counts whatever moved since; only a failure is void after a resume.
fn kept(step: &StepRecord, record: &RunRecord) -> StepState {
    match step.state {
        StepState::Failed if !failed_now(step, record) => StepState::Pending,
        state => state,
    }
}

/// How a step of the present movement stands.
fn moved(step: &StepRecord, record: &RunRecord) -> StepState {
    if done_in_movement(step, record) {
        StepState::Done
    } else if failed_now(step, record) {
        StepState::Failed
    } else {
        StepState::Pending
    }
}
