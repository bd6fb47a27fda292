//! How the machines of a run, or of its groups, stand in one step.

use drover_api::StepState;

use super::Draft;
use crate::decide::standing::Standing;
use crate::decide::wait::WaitReason;

/// How the machines of a group, or of the whole run, stand in one step.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) pending: usize,
    pub(super) failed: usize,
}

impl Tally {
    fn add(&mut self, state: StepState) {
        match state {
            StepState::Done => {}
            StepState::Failed => self.failed += 1,
            StepState::Pending => self.pending += 1,
        }
    }
}

impl Draft<'_> {
    pub(super) fn tally(&self, step: impl Fn(&Standing) -> StepState) -> Tally {
        let mut tally = Tally::default();
        for standing in self.standings.iter() {
            tally.add(step(standing));
        }
        tally
    }

    pub(super) fn by_group(&self, step: impl Fn(&Standing) -> StepState) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); self.view.shape.machines.len()];
        for (standing, group) in self.standings.iter().zip(&self.view.shape.group_of) {
            tallies[*group].add(step(standing));
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
