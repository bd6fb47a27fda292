//! Starting at the target, and keeping the stale copy down.

use drover_api::{LeftProof, StepRecord, StepState};
use drover_world::{Disk, Effect, Instance, Power};

use super::MachineStep::{Ensure, Rest};
use super::{Case, MachineStep, StepName, seen_since, wait};
use crate::decide::point;
use crate::decide::view::{done_in_movement, failed_now};
use crate::decide::wait::WaitReason;

impl Case<'_> {
    pub(super) fn entering(&self) -> MachineStep {
        if self.view.journal.leave.state != StepState::Done {
            return self.leave_again();
        }
        if self.group.enter_released.is_none() {
            return wait(WaitReason::Release);
        }
        let enter = &self.view.journal.enter;
        if done_in_movement(enter, self.record) || failed_now(enter, self.record) {
            return self.hold_stale_copy();
        }
        self.enter()
    }

    /// A machine whose leaving was taken back because the source ran again.
    pub(super) fn leave_again(&self) -> MachineStep {
        if failed_now(&self.view.journal.leave, self.record) {
            return Rest;
        }
        self.leave()
    }

    pub(super) fn enter(&self) -> MachineStep {
        if let Some(step) = self.source_serves_again() {
            return step;
        }
        let target = self.shape.target();
        let Some(seen) = self.view.sight.target.seen() else {
            return wait(WaitReason::Site { site: target });
        };
        if seen.epoch > self.record.epoch {
            return wait(WaitReason::NewerEpoch { seen: seen.epoch });
        }
        if seen
            .made_at
            .is_some_and(|made| made >= self.record.movement_epoch)
        {
            return self.start(seen);
        }
        match seen.power {
            Power::Absent | Power::Off | Power::StartFailed => self.materialize(seen),
            _ if !seen_since(&self.view.sight.target, self.group.enter_released) => {
                wait(WaitReason::Look { site: target })
            }
            Power::Starting | Power::Healthy | Power::Stopping => self.failed(
                StepName::Enter,
                "a machine that this run did not make runs at the target",
            ),
        }
    }

    pub(super) fn materialize(&self, seen: &Instance) -> MachineStep {
        let target = self.shape.target();
        if self.shape.planned() {
            if seen.disk == Disk::HalfWritten {
                return wait(WaitReason::WholeDisk { site: target });
            }
            return Ensure(Effect::Materialized { site: target });
        }
        let point = self.view.journal.point.as_ref();
        if point.is_some_and(|point| point.epoch >= self.record.movement_epoch) {
            return Ensure(Effect::Materialized { site: target });
        }
        match point::chosen_point(self.run, self.index) {
            Some(chosen) => {
                let mut journal = self.view.journal.clone();
                journal.point = Some(chosen);
                MachineStep::Record(Box::new(journal))
            }
            None => wait(WaitReason::RecoveryPoint),
        }
    }

    /// The machine stands at the target, made by this movement.
    pub(super) fn start(&self, seen: &Instance) -> MachineStep {
        let target = self.shape.target();
        match seen.power {
            Power::Healthy => self.done(StepName::Enter),
            Power::Starting => wait(WaitReason::Healthy),
            Power::StartFailed if seen.epoch == self.record.epoch => {
                self.failed(StepName::Enter, "the machine did not become healthy")
            }
            Power::Off | Power::StartFailed if seen.disk == Disk::Whole => {
                Ensure(Effect::Started { site: target })
            }
            Power::Off | Power::StartFailed => wait(WaitReason::WholeDisk { site: target }),
            Power::Stopping => wait(WaitReason::Shutdown),
            // It was made and is gone: somebody removed it. Make it again.
            Power::Absent => Ensure(Effect::Materialized { site: target }),
        }
    }

    /// The source runs although the machine left it: its copy is stopped and held before anything else
    /// happens (FO-8). What a planned run proved is then void and proven again.
    pub(super) fn source_serves_again(&self) -> Option<MachineStep> {
        let seen = self.view.sight.source.seen()?;
        if !seen.may_serve() || self.view.journal.left == Some(LeftProof::AcceptedSplitBrain) {
            return None;
        }
        if seen.epoch > self.record.epoch {
            return Some(wait(WaitReason::NewerEpoch { seen: seen.epoch }));
        }
        if self.view.journal.left == Some(LeftProof::Synced) && self.shape.planned() {
            let mut journal = self.view.journal.clone();
            journal.leave = StepRecord::default();
            journal.left = None;
            return Some(MachineStep::Record(Box::new(journal)));
        }
        Some(Ensure(Effect::Stopped {
            site: self.shape.source(),
        }))
    }

    /// After the start: a stale copy that comes back with its site is stopped and held.
    pub(super) fn hold_stale_copy(&self) -> MachineStep {
        let Some(seen) = self.view.sight.source.seen() else {
            return Rest;
        };
        if seen.may_serve() && seen.epoch <= self.record.epoch {
            return Ensure(Effect::Stopped {
                site: self.shape.source(),
            });
        }
        Rest
    }
}
