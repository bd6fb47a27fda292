//! Going back: stopped at the target, to be rebuilt or to start again at the source.

use drover_world::{Disk, Effect, Power};

use super::MachineStep::{Ensure, Rest};
use super::{Case, Held, MachineStep, StepName, seen_since, wait};
use crate::decide::view::{done_in_movement, failed_now};
use crate::decide::wait::WaitReason;

impl Case<'_> {
    pub(super) fn withdrawing(&self) -> MachineStep {
        if self.group.withdraw_released.is_none() {
            return wait(WaitReason::Release);
        }
        let withdraw = &self.view.journal.withdraw;
        if done_in_movement(withdraw, self.record) || failed_now(withdraw, self.record) {
            return Rest;
        }
        // Nobody was ever told to start it, so no stale process can.
        if self.group.enter_released.is_none() {
            return self.done(StepName::Withdraw);
        }
        match self.held(&self.view.sight.target, self.shape.target()) {
            Held::Yes => self.done(StepName::Withdraw),
            Held::Not(step) => step,
        }
    }

    pub(super) fn returning(&self) -> MachineStep {
        if self.group.return_released.is_none() {
            return wait(WaitReason::Release);
        }
        let back = &self.view.journal.back;
        if done_in_movement(back, self.record) || failed_now(back, self.record) {
            return Rest;
        }
        let source = self.shape.source();
        let Some(seen) = self.view.sight.source.seen() else {
            return wait(WaitReason::Site { site: source });
        };
        if seen.epoch > self.record.epoch {
            return wait(WaitReason::NewerEpoch { seen: seen.epoch });
        }
        if seen.disk == Disk::HalfWritten {
            return self.failed(StepName::Return, "the disk at the source is half-written");
        }
        match seen.power {
            Power::Healthy if seen.epoch == self.record.epoch && !seen.fenced => {
                self.done(StepName::Return)
            }
            Power::Absent if !seen_since(&self.view.sight.source, self.group.return_released) => {
                wait(WaitReason::Look { site: source })
            }
            Power::Absent => self.failed(StepName::Return, "the machine is not at the source"),
            Power::StartFailed if seen.epoch == self.record.epoch => self.failed(
                StepName::Return,
                "the machine did not become healthy at the source",
            ),
            // A guest that does not listen would be stopping for ever: it is told to stay.
            Power::Stopping if !self.overdue(1) => wait(WaitReason::Shutdown),
            Power::Starting if seen.epoch == self.record.epoch => wait(WaitReason::Healthy),
            _ => Ensure(Effect::Started { site: source }),
        }
    }
}
