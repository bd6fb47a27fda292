//! What each phase of a run releases, and when it is over.

use drover_api::common::RunKind;
use drover_api::{BetweenPhases, CommitPolicy, DataSync, RunPhase, StepState};

use super::tally::Tally;
use super::{Draft, empty_group};
use crate::decide::action::{self, Side};
use crate::decide::machine::elapsed;
use crate::decide::point;
use crate::decide::standing::Standing;
use crate::decide::view::Around;
use crate::decide::wait::WaitReason;
use crate::lifecycle::RunEvent;

impl Draft<'_> {
    pub(super) fn advance(&mut self) {
        self.stand();
        match self.record.phase {
            RunPhase::Pending => self.pending(),
            RunPhase::Synchronizing => self.synchronizing(),
            RunPhase::AwaitingCompleteSync => self.wait(WaitReason::CompleteSync),
            RunPhase::Leaving => self.leaving(),
            RunPhase::Entering => self.entering(),
            RunPhase::CommitPending => self.commit_pending(),
            RunPhase::Committing => {
                self.all(|standing| standing.commit, RunEvent::AllCommitted);
            }
            RunPhase::Rebuilding => self.withdrawing(RunEvent::AllWithdrawnToRebuild),
            RunPhase::Withdrawing => self.withdrawing(RunEvent::AllWithdrawn),
            RunPhase::Returning => self.returning(),
            RunPhase::Reprotecting => {
                self.all(|standing| standing.reverse, RunEvent::AllReversed);
            }
            RunPhase::CleaningUp => {
                self.all(|standing| standing.clean_up, RunEvent::AllCleanedUp);
            }
            RunPhase::Halted => self.wait(WaitReason::Resume),
            RunPhase::Committed
            | RunPhase::Cancelled
            | RunPhase::Protected
            | RunPhase::Standing
            | RunPhase::CleanedUp => {}
        }
    }

    pub(super) fn pending(&mut self) {
        let needed = self.view.shape.spec.approvals.unwrap_or(0);
        let given = u32::try_from(self.record.approved_by.len()).unwrap_or(u32::MAX);
        if given < needed {
            self.wait(WaitReason::Approvals {
                missing: needed - given,
            });
            return;
        }
        match self.view.shape.spec.kind {
            RunKind::Reprotect => {
                self.go(RunEvent::ReverseBegun);
            }
            RunKind::TestFailover => {
                self.go(RunEvent::EnterBegun);
            }
            RunKind::UnplannedFailover => {
                self.go(RunEvent::LeaveBegun);
            }
            RunKind::PlannedFailover => self.begin_planned(),
        }
    }

    /// A planned run begins only when every machine has finished its initial replication, where the
    /// pair keeps one (FO-2).
    pub(super) fn begin_planned(&mut self) {
        if let Some(synchronization) = self.view.shape.spec.synchronization {
            let event = match synchronization.data_sync {
                DataSync::DeltaBeforeFailover => RunEvent::SynchronizationBegun,
                DataSync::FullDuringFailover => RunEvent::LeaveBegun,
            };
            self.go(event);
            return;
        }
        let standings = self.standings.iter();
        let missing = standings.filter(|standing| !standing.replicates).count();
        if missing > 0 {
            self.wait(WaitReason::InitialReplication { machines: missing });
        } else {
            self.go(RunEvent::LeaveBegun);
        }
    }

    pub(super) fn synchronizing(&mut self) {
        let tally = self.tally(|standing| standing.synchronize);
        if tally.failed > 0 {
            self.halt(format!(
                "{} machines could not be synchronised",
                tally.failed
            ));
        } else if tally.pending > 0 {
            self.wait_for_machines(tally.pending);
        } else {
            let hold = self
                .view
                .shape
                .spec
                .synchronization
                .is_some_and(|synchronization| {
                    synchronization.between_phases == BetweenPhases::Hold
                });
            let event = if hold {
                RunEvent::SynchronizationHeld
            } else {
                RunEvent::LeaveBegun
            };
            self.go(event);
            self.turn();
        }
    }

    /// Machines leave in reverse order: a group when all that depend on it are off. Their last changes
    /// travel meanwhile (PL-3).
    pub(super) fn leaving(&mut self) {
        let shape = self.view.shape;
        let tallies: Vec<Tally> = self.by_group(|standing| standing.leave);
        let running: Vec<Tally> = self.by_group(|standing| standing.off);
        for group in 0..tallies.len() {
            let free = shape.dependents[group]
                .iter()
                .all(|other| running[*other].pending == 0);
            if free && self.record.groups[group].leave_released.is_none() {
                self.record.groups[group].leave_released = Some(self.view.now);
            }
        }
        let pending: usize = tallies.iter().map(|tally| tally.pending).sum();
        let failed: usize = tallies.iter().map(|tally| tally.failed).sum();
        if shape.planned() && failed > 0 {
            self.halt(format!("{failed} machines could not leave the source"));
        } else if pending > 0 {
            self.wait_for_machines(pending);
        } else if self.loss_is_acceptable() {
            self.go(RunEvent::AllLeft);
        }
    }

    /// What a start would lose is within what is declared, or a person accepted it (FO-4, SA-8).
    pub(super) fn loss_is_acceptable(&mut self) -> bool {
        let spec = &self.view.shape.spec;
        let Some(allowed) = &spec.max_data_loss else {
            return true;
        };
        if self.view.shape.planned() || self.record.accepted.data_loss {
            return true;
        }
        let worst = (0..self.view.machines.count())
            .filter(|index| self.view.machines.machine(*index).journal.left.is_some())
            .map(|index| point::loss(self.view, index))
            .collect::<Option<Vec<_>>>();
        let Some(losses) = worst else {
            self.wait(WaitReason::RecoveryPoint);
            return false;
        };
        let worst = losses
            .into_iter()
            .max()
            .map_or(0, |loss| loss.time.as_secs());
        if worst <= allowed.as_std().as_secs() {
            return true;
        }
        self.wait(WaitReason::DataLoss {
            seconds: worst,
            allowed: allowed.as_std().as_secs(),
        });
        false
    }

    /// Groups start in order: actions before, machines, actions after (PL-1, PL-4).
    pub(super) fn entering(&mut self) {
        let shape = self.view.shape;
        let tallies: Vec<Tally> = self.by_group(|standing| standing.enter);
        if shape.planned() {
            let failed: usize = tallies.iter().map(|tally| tally.failed).sum();
            if failed > 0 {
                self.halt(format!(
                    "{failed} machines did not become healthy at the target"
                ));
                return;
            }
        }
        let mut settled = vec![false; tallies.len()];
        // The list may name a group before those that it depends on, so one pass is not enough; each
        // pass settles a group or is the last.
        loop {
            let mut changed = false;
            for group in 0..tallies.len() {
                let ready = shape.dependencies[group]
                    .iter()
                    .all(|needed| settled[*needed]);
                if settled[group] || !ready {
                    continue;
                }
                match self.enter_group(group, tallies[group]) {
                    Side::Done => {
                        settled[group] = true;
                        changed = true;
                    }
                    Side::Failed(_) if !shape.planned() => {
                        settled[group] = true;
                        changed = true;
                    }
                    Side::Failed(reason) => {
                        self.halt(reason);
                        return;
                    }
                    Side::Waiting => {}
                }
            }
            if !changed {
                break;
            }
            self.waits.clear();
            self.actions.clear();
        }
        if settled.iter().all(|settled| *settled) {
            let drill = shape.spec.kind == RunKind::TestFailover;
            self.go(if drill {
                RunEvent::AllStand
            } else {
                RunEvent::AllEntered
            });
        } else {
            let pending = tallies.iter().map(|tally| tally.pending).sum();
            self.wait_for_machines(pending);
        }
    }

    pub(super) fn enter_group(&mut self, group: usize, tally: Tally) -> Side {
        let before = action::advance(self, group, Around::Before);
        match before {
            Side::Waiting => return Side::Waiting,
            Side::Failed(reason) if self.view.shape.planned() => return Side::Failed(reason),
            Side::Done | Side::Failed(_) => {}
        }
        if self.record.groups[group].enter_released.is_none() {
            self.record.groups[group].enter_released = Some(self.view.now);
        }
        if tally.pending > 0 {
            return Side::Waiting;
        }
        action::advance(self, group, Around::After)
    }

    pub(super) fn commit_pending(&mut self) {
        if self.view.intent_withdrawn {
            self.wait(WaitReason::ChangedMind);
            return;
        }
        let commit = &self.view.shape.spec.commit;
        if commit.policy == CommitPolicy::Manual {
            self.wait(WaitReason::Commit);
            return;
        }
        let soak = commit
            .soak
            .as_ref()
            .map(drover_api::value::Duration::as_std)
            .unwrap_or_default();
        let since = self.record.since.unwrap_or(self.view.now);
        if elapsed(since, self.view.now) >= soak {
            self.go(RunEvent::CommitDecided);
            return;
        }
        let until = since.checked_add(soak).unwrap_or(jiff::Timestamp::MAX);
        self.wait(WaitReason::Soak { until });
    }

    /// Machines stop at the target in reverse order, to be rebuilt or to go back.
    pub(super) fn withdrawing(&mut self, done: RunEvent) {
        let shape = self.view.shape;
        let tallies: Vec<Tally> = self.by_group(|standing| standing.withdraw);
        for group in 0..tallies.len() {
            let free = shape.dependents[group]
                .iter()
                .all(|other| tallies[*other].pending == 0);
            if free && self.record.groups[group].withdraw_released.is_none() {
                self.record.groups[group].withdraw_released = Some(self.view.now);
            }
        }
        if self.settle_movement(&tallies, done) && done == RunEvent::AllWithdrawnToRebuild {
            self.turn();
            for (group, spec) in self.record.groups.iter_mut().zip(&shape.spec.groups) {
                group.enter_released = None;
                let fresh = empty_group(spec);
                group.before = fresh.before;
                group.after = fresh.after;
            }
        }
    }

    /// Machines start again at the source, in order.
    pub(super) fn returning(&mut self) {
        let shape = self.view.shape;
        let tallies: Vec<Tally> = self.by_group(|standing| standing.back);
        for group in 0..tallies.len() {
            let ready = shape.dependencies[group]
                .iter()
                .all(|other| tallies[*other].pending == 0 && tallies[*other].failed == 0);
            if ready && self.record.groups[group].return_released.is_none() {
                self.record.groups[group].return_released = Some(self.view.now);
            }
        }
        self.settle_movement(&tallies, RunEvent::AllReturned);
    }

    pub(super) fn settle_movement(&mut self, tallies: &[Tally], done: RunEvent) -> bool {
        let pending: usize = tallies.iter().map(|tally| tally.pending).sum();
        let failed: usize = tallies.iter().map(|tally| tally.failed).sum();
        if failed > 0 {
            self.halt(format!("{failed} machines could not go back"));
        } else if pending > 0 {
            self.wait_for_machines(pending);
        } else {
            return self.go(done);
        }
        false
    }

    /// All machines do one step, in no order.
    pub(super) fn all(&mut self, step: fn(&Standing) -> StepState, done: RunEvent) {
        let tally = self.tally(step);
        if tally.failed > 0 {
            self.halt(format!("{} machines failed", tally.failed));
        }
        if tally.pending > 0 || tally.failed > 0 {
            self.wait_for_machines(tally.pending + tally.failed);
        } else {
            self.go(done);
        }
    }
}
