//! A rehearsal: it touches nothing but what it made.

use drover_world::{Disk, Effect, Power};

use super::MachineStep::{Ensure, Rest};
use super::{Case, MachineStep, StepName, wait};
use crate::decide::point;
use crate::decide::view::{done_in_movement, failed_now};
use crate::decide::wait::WaitReason;

impl Case<'_> {
    pub(super) fn drilling(&self) -> MachineStep {
        if self.group.enter_released.is_none() {
            return wait(WaitReason::Release);
        }
        let enter = &self.view.journal.enter;
        if done_in_movement(enter, self.record) || failed_now(enter, self.record) {
            return Rest;
        }
        let site = self.shape.target();
        let Some(seen) = self.view.sight.drill.seen() else {
            return wait(WaitReason::Site { site });
        };
        match seen.power {
            Power::Healthy => self.done(StepName::Enter),
            Power::Starting => wait(WaitReason::Healthy),
            Power::Stopping => wait(WaitReason::Shutdown),
            Power::StartFailed => self.failed(
                StepName::Enter,
                "the machine did not become healthy in the drill",
            ),
            Power::Off if seen.disk == Disk::Whole => Ensure(Effect::DrillStarted { site }),
            Power::Off => wait(WaitReason::WholeDisk { site }),
            Power::Absent if self.view.journal.point.is_some() => {
                Ensure(Effect::DrillMaterialized { site })
            }
            Power::Absent => match point::chosen_point(self.run, self.index) {
                Some(chosen) => {
                    let mut journal = self.view.journal.clone();
                    journal.point = Some(chosen);
                    MachineStep::Record(Box::new(journal))
                }
                None => wait(WaitReason::RecoveryPoint),
            },
        }
    }

    pub(super) fn clean_up(&self) -> MachineStep {
        let site = self.shape.target();
        match self.view.sight.drill.seen() {
            None => wait(WaitReason::Site { site }),
            Some(seen) if seen.power == Power::Absent && seen.epoch >= self.record.epoch => {
                self.done(StepName::CleanUp)
            }
            Some(_) => Ensure(Effect::DrillRemoved { site }),
        }
    }
}
