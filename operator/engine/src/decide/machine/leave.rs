//! Leaving the source: stopped, its last changes sent, proven; or fenced; or its risk accepted.

use drover_api::common::{SourceStop, Unfenced};
use drover_api::{LeftProof, OnStopTimeout};
use drover_world::{Effect, Power};

use super::MachineStep::Ensure;
use super::{Case, Held, MachineStep, StepName, elapsed, seen_since, wait};
use crate::decide::wait::WaitReason;

impl Case<'_> {
    pub(super) fn leaving(&self) -> MachineStep {
        if self.group.leave_released.is_none() {
            return wait(WaitReason::Release);
        }
        self.unless_settled(&self.view.journal.leave, Self::leave)
    }

    pub(super) fn leave(&self) -> MachineStep {
        if self.shape.planned() {
            return self.leave_for_sure();
        }
        match self.shape.spec.source.stop {
            SourceStop::Required => self.leave_for_sure(),
            SourceStop::Attempt => self.leave_if_possible(),
            SourceStop::Skip => self.leave_without_stop(),
        }
    }

    /// Stop, send the last changes, prove that nothing is missing: or do not go on.
    pub(super) fn leave_for_sure(&self) -> MachineStep {
        let source = self.shape.source();
        let seen = self.view.sight.source.seen();
        if seen.is_some_and(|seen| seen.power == Power::Absent) {
            if !seen_since(&self.view.sight.source, self.group.leave_released) {
                return wait(WaitReason::Look { site: source });
            }
            return self.failed(StepName::Leave, "the machine is not at the source any more");
        }
        match self.held(&self.view.sight.source, source) {
            Held::Not(_) if self.stopping() && self.overdue(1) => self.does_not_listen(),
            Held::Not(step) => step,
            Held::Yes => self.final_sync(),
        }
    }

    /// What was acknowledged is on its disks, so cutting its power loses nothing of that.
    fn does_not_listen(&self) -> MachineStep {
        match self.shape.spec.source.on_stop_timeout {
            OnStopTimeout::Halt => {
                self.failed(StepName::Leave, "the guest did not shut down in time")
            }
            OnStopTimeout::Fence => Ensure(Effect::Fenced {
                site: self.shape.source(),
            }),
        }
    }

    pub(super) fn final_sync(&self) -> MachineStep {
        let Some(link) = self.view.sight.link.seen() else {
            return wait(WaitReason::Replicator);
        };
        if link.final_sync == Some(self.record.epoch) {
            return self.left(LeftProof::Synced);
        }
        Ensure(Effect::FinalSync {
            towards: self.shape.target(),
        })
    }

    /// Stop and send while that is possible; what cannot be stopped must be fenced, or its risk
    /// accepted by name.
    pub(super) fn leave_if_possible(&self) -> MachineStep {
        let source = self.shape.source();
        if self.view.sight.source.seen().is_none() {
            return self.leave_without_stop();
        }
        match self.held(&self.view.sight.source, source) {
            Held::Not(_) if self.overdue(1) => self.leave_without_stop(),
            Held::Not(step) => step,
            Held::Yes if self.overdue(2) => self.left(LeftProof::Stopped),
            Held::Yes => match self.final_sync() {
                MachineStep::Wait(_) => self.left(LeftProof::Stopped),
                step => step,
            },
        }
    }

    pub(super) fn leave_without_stop(&self) -> MachineStep {
        if self
            .view
            .sight
            .fenced
            .is_some_and(|epoch| epoch >= self.shape.spec.epoch)
        {
            return self.left(LeftProof::Fenced);
        }
        let accepted = self.shape.spec.source.unfenced == Unfenced::AcceptSplitBrain
            || self.record.accepted.split_brain;
        if accepted {
            return self.left(LeftProof::AcceptedSplitBrain);
        }
        Ensure(Effect::Fenced {
            site: self.shape.source(),
        })
    }

    pub(super) fn stopping(&self) -> bool {
        self.view
            .sight
            .source
            .seen()
            .is_some_and(|seen| seen.power == Power::Stopping)
    }

    /// Whether so many times the stop timeout is over since the release.
    pub(super) fn overdue(&self, times: u32) -> bool {
        let timeout = self
            .shape
            .spec
            .source
            .stop_timeout
            .as_std()
            .saturating_mul(times);
        let Some(released) = self.group.leave_released else {
            return false;
        };
        // A resume gives the guest its full time again.
        let begun = released.max(self.record.since.unwrap_or(released));
        elapsed(begun, self.run.now) >= timeout
    }
}
