//! How the machines of a run, or of its groups, stand in one step.

use drover_api::{RunRecord, StepRecord, StepState};

use super::Draft;
use crate::decide::view::{MachineView, done_in_movement, failed_now};
use crate::decide::wait::WaitReason;

/// How the machines of a group, or of the whole run, stand in one step.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) pending: usize,
    pub(super) failed: usize,
}

impl Draft<'_> {
    pub(super) fn tally(
        &self,
        machines: impl Iterator<Item = usize>,
        step: fn(&drover_api::MachineRunStatus) -> &StepRecord,
    ) -> Tally {
        let mut tally = Tally::default();
        for index in machines {
            let step = step(self.view.machines[index].journal);
            match step.state {
                StepState::Done => {}
                StepState::Failed if failed_now(step, &self.record) => tally.failed += 1,
                StepState::Failed | StepState::Pending => tally.pending += 1,
            }
        }
        tally
    }

    pub(super) fn by_group(
        &self,
        state: impl Fn(&Self, &MachineView<'_>) -> StepState,
    ) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.view.shape.machines.len()];
        for (index, machine) in self.view.machines.iter().enumerate() {
            let tally = &mut tallies[self.view.shape.group_of[index]];
            match state(self, machine) {
                StepState::Done => {}
                StepState::Failed => tally.failed += 1,
                StepState::Pending => tally.pending += 1,
            }
        }
        tallies
    }

    pub(super) fn wait_for_machines(&mut self, pending: usize) {
        self.wait(WaitReason::Machines {
            pending,
            phase: self.record.phase,
        });
    }
}

/// How a step of the present movement stands.
pub(super) fn moved(step: &StepRecord, record: &RunRecord) -> StepState {
    if done_in_movement(step, record) {
        StepState::Done
    } else if failed_now(step, record) {
        StepState::Failed
    } else {
        StepState::Pending
    }
}
