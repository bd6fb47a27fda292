//! Steps that only move data: synchronising back, committing, reversing.

use drover_world::{Effect, Link, LinkState};

use super::MachineStep::Ensure;
use super::{Case, Held, MachineStep, StepName, wait};
use crate::decide::view::done_in_movement;
use crate::decide::wait::WaitReason;

impl Case<'_> {
    pub(super) fn synchronize(&self) -> MachineStep {
        let target = self.shape.target();
        let Some(link) = self.view.sight.link.seen() else {
            return wait(WaitReason::Replicator);
        };
        if link.towards == target && link.state == LinkState::Replicating {
            return self.done(StepName::Synchronize);
        }
        // The old disk must be off and stay off before a byte is written into it (FB-5).
        match self.held(&self.view.sight.target, target) {
            Held::Yes => Ensure(Effect::SyncedBack { towards: target }),
            Held::Not(step) => step,
        }
    }

    pub(super) fn commit(&self) -> MachineStep {
        if !done_in_movement(&self.view.journal.enter, self.record) {
            // It failed in an unplanned run: its points are what is left of it.
            return self.done(StepName::Commit);
        }
        let Some(link) = self.view.sight.link.seen() else {
            return wait(WaitReason::Replicator);
        };
        if link
            .committed
            .is_some_and(|epoch| epoch >= self.shape.spec.epoch)
        {
            return self.done(StepName::Commit);
        }
        Ensure(Effect::Committed {
            left: self.shape.source(),
        })
    }

    /// Whether the failover that made the machine where it runs was committed.
    fn committed(&self, link: &Link) -> bool {
        let made = self.view.sight.source.seen().and_then(|seen| seen.made_at);
        made.is_none_or(|made| link.committed.is_some_and(|epoch| epoch >= made))
    }

    pub(super) fn reverse(&self) -> MachineStep {
        let towards = self.shape.target();
        match self.held(&self.view.sight.target, towards) {
            Held::Not(step) => return step,
            Held::Yes => {}
        }
        let Some(link) = self.view.sight.link.seen() else {
            return wait(WaitReason::Replicator);
        };
        if link.towards == towards && link.state == LinkState::Replicating {
            return self.done(StepName::Reverse);
        }
        // The person who approved the run did so knowing that this commits the failover (SA-11).
        if self.shape.spec.commits && !self.committed(link) {
            return Ensure(Effect::Committed { left: towards });
        }
        Ensure(Effect::Reversed { towards })
    }
}
