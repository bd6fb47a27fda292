//! What one machine of a run does now.

use drover_api::common::{RunKind, SiteRole, SourceStop, Unfenced};
use drover_api::{
    GroupRecord, LeftProof, MachineRunStatus, RunPhase, RunRecord, StepRecord, StepState,
};
use drover_world::{Disk, Effect, ErrorClass, Instance, LinkState, Observed, Power};
use jiff::Timestamp;

use super::point;
use super::view::{MachineView, RunView, Shape, done_in_movement, failed_now};
use super::wait::{Wait, WaitReason};

/// What one machine does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineStep {
    /// This should be so; the fabric is asked, again and again, until it is seen to be.
    Ensure(Effect),
    /// An outcome is reached: this is the journal to write.
    Record(Box<MachineRunStatus>),
    /// It does not go on now.
    Wait(Wait),
    /// It is done for this phase.
    Rest,
}

use MachineStep::{Ensure, Rest};

fn wait(reason: WaitReason) -> MachineStep {
    MachineStep::Wait(reason.into())
}

/// What the machine at this position does now. Limits are not looked at: see [`super::admitted`].
pub fn machine(view: &RunView<'_>, index: usize) -> MachineStep {
    let case = Case::new(view, index);
    let step = case.step();
    let Ensure(effect) = step else {
        return step;
    };
    let failure = case
        .view
        .failure
        .filter(|failure| failure.effect == effect && failure.epoch == case.record.epoch);
    let Some(failure) = failure else {
        return step;
    };
    match failure.error.class {
        ErrorClass::Retryable if view.now < failure.retry_at => wait(WaitReason::Retry {
            at: failure.retry_at,
        }),
        ErrorClass::Retryable => step,
        ErrorClass::Terminal | ErrorClass::Unsupported => {
            case.refused(effect, &failure.error.message)
        }
    }
}

/// One machine and everything around it.
struct Case<'a> {
    run: &'a RunView<'a>,
    shape: &'a Shape,
    record: &'a RunRecord,
    group: &'a GroupRecord,
    view: MachineView<'a>,
    index: usize,
}

/// The durable steps of a journal.
#[derive(Clone, Copy)]
enum StepName {
    Synchronize,
    Leave,
    Enter,
    Withdraw,
    Commit,
    Return,
    Reverse,
    CleanUp,
}

fn step_of(journal: &mut MachineRunStatus, step: StepName) -> &mut StepRecord {
    match step {
        StepName::Synchronize => &mut journal.synchronize,
        StepName::Leave => &mut journal.leave,
        StepName::Enter => &mut journal.enter,
        StepName::Withdraw => &mut journal.withdraw,
        StepName::Commit => &mut journal.commit,
        StepName::Return => &mut journal.back,
        StepName::Reverse => &mut journal.reverse,
        StepName::CleanUp => &mut journal.clean_up,
    }
}

/// What stands until the run has written its first record: nothing is released.
const UNRELEASED: &GroupRecord = &GroupRecord {
    leave_released: None,
    enter_released: None,
    withdraw_released: None,
    return_released: None,
    before: Vec::new(),
    after: Vec::new(),
};

impl<'a> Case<'a> {
    fn new(run: &'a RunView<'a>, index: usize) -> Self {
        let shape = run.shape;
        let group = run
            .record
            .groups
            .get(shape.group_of[index])
            .unwrap_or(UNRELEASED);
        Self {
            run,
            shape,
            record: run.record,
            group,
            view: run.machines[index],
            index,
        }
    }

    fn step(&self) -> MachineStep {
        let journal = self.view.journal;
        match self.record.phase {
            RunPhase::Synchronizing => self.unless_settled(&journal.synchronize, Self::synchronize),
            RunPhase::Leaving => self.leaving(),
            RunPhase::Entering if self.shape.spec.kind == RunKind::TestFailover => self.drilling(),
            RunPhase::Entering => self.entering(),
            RunPhase::Rebuilding | RunPhase::Withdrawing => self.withdrawing(),
            RunPhase::Returning => self.returning(),
            RunPhase::Committing => self.unless_settled(&journal.commit, Self::commit),
            RunPhase::Reprotecting => self.unless_settled(&journal.reverse, Self::reverse),
            RunPhase::CleaningUp => self.unless_settled(&journal.clean_up, Self::clean_up),
            RunPhase::CommitPending => self.hold_stale_copy(),
            RunPhase::Pending
            | RunPhase::AwaitingCompleteSync
            | RunPhase::Committed
            | RunPhase::Halted
            | RunPhase::Cancelled
            | RunPhase::Protected
            | RunPhase::Standing
            | RunPhase::CleanedUp => Rest,
        }
    }

    fn unless_settled(&self, step: &StepRecord, go: impl Fn(&Self) -> MachineStep) -> MachineStep {
        let settled = step.state == StepState::Done || failed_now(step, self.record);
        if settled { Rest } else { go(self) }
    }

    // ---- synchronise within a failback (FB-3) ----

    fn synchronize(&self) -> MachineStep {
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

    // ---- leave the source (FO-2, FO-3) ----

    fn leaving(&self) -> MachineStep {
        if self.group.leave_released.is_none() {
            return wait(WaitReason::Release);
        }
        self.unless_settled(&self.view.journal.leave, Self::leave)
    }

    fn leave(&self) -> MachineStep {
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
    fn leave_for_sure(&self) -> MachineStep {
        let source = self.shape.source();
        let seen = self.view.sight.source.seen();
        if seen.is_some_and(|seen| seen.power == Power::Absent) {
            return self.failed(StepName::Leave, "the machine is not at the source any more");
        }
        match self.held(&self.view.sight.source, source) {
            Held::Not(_) if self.stopping() && self.overdue(1) => {
                self.failed(StepName::Leave, "the guest did not shut down in time")
            }
            Held::Not(step) => step,
            Held::Yes => self.final_sync(),
        }
    }

    fn final_sync(&self) -> MachineStep {
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
    fn leave_if_possible(&self) -> MachineStep {
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

    fn leave_without_stop(&self) -> MachineStep {
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

    fn stopping(&self) -> bool {
        self.view
            .sight
            .source
            .seen()
            .is_some_and(|seen| seen.power == Power::Stopping)
    }

    /// Whether so many times the stop timeout is over since the release.
    fn overdue(&self, times: u32) -> bool {
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

    // ---- start at the target (FO-2..FO-5) ----

    fn entering(&self) -> MachineStep {
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
    fn leave_again(&self) -> MachineStep {
        if failed_now(&self.view.journal.leave, self.record) {
            return Rest;
        }
        self.leave()
    }

    fn enter(&self) -> MachineStep {
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
            Power::Starting | Power::Healthy | Power::Stopping => self.failed(
                StepName::Enter,
                "a machine that this run did not make runs at the target",
            ),
        }
    }

    fn materialize(&self, seen: &Instance) -> MachineStep {
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
    fn start(&self, seen: &Instance) -> MachineStep {
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
    fn source_serves_again(&self) -> Option<MachineStep> {
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
    fn hold_stale_copy(&self) -> MachineStep {
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

    // ---- go back (FO-5, FO-6) ----

    fn withdrawing(&self) -> MachineStep {
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

    fn returning(&self) -> MachineStep {
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
            Power::Absent => self.failed(StepName::Return, "the machine is not at the source"),
            Power::StartFailed if seen.epoch == self.record.epoch => self.failed(
                StepName::Return,
                "the machine did not become healthy at the source",
            ),
            Power::Stopping => wait(WaitReason::Shutdown),
            Power::Starting if seen.epoch == self.record.epoch => wait(WaitReason::Healthy),
            _ => Ensure(Effect::Started { site: source }),
        }
    }

    // ---- commit, reprotect, drill ----

    fn commit(&self) -> MachineStep {
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

    fn reverse(&self) -> MachineStep {
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
        Ensure(Effect::Reversed { towards })
    }

    fn drilling(&self) -> MachineStep {
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

    fn clean_up(&self) -> MachineStep {
        let site = self.shape.target();
        match self.view.sight.drill.seen() {
            None => wait(WaitReason::Site { site }),
            Some(seen) if seen.power == Power::Absent => self.done(StepName::CleanUp),
            Some(_) => Ensure(Effect::DrillRemoved { site }),
        }
    }

    // ---- helpers ----

    /// Whether the machine is off at a site and held there at the run's epoch, so that nobody with an
    /// older one can start it.
    fn held(&self, seen: &Observed<Instance>, site: SiteRole) -> Held {
        let Some(seen) = seen.seen() else {
            return Held::Not(wait(WaitReason::Site { site }));
        };
        if seen.epoch > self.record.epoch {
            return Held::Not(wait(WaitReason::NewerEpoch { seen: seen.epoch }));
        }
        let off = matches!(seen.power, Power::Absent | Power::Off | Power::StartFailed);
        if off && seen.epoch == self.record.epoch {
            return Held::Yes;
        }
        Held::Not(Ensure(Effect::Stopped { site }))
    }

    fn outcome(&self, step: StepName, state: StepState, error: Option<&str>) -> MachineRunStatus {
        let mut journal = self.view.journal.clone();
        *step_of(&mut journal, step) = StepRecord {
            state,
            epoch: self.record.epoch,
            at: Some(self.run.now),
            error: error.map(str::to_owned),
        };
        journal
    }

    fn done(&self, step: StepName) -> MachineStep {
        MachineStep::Record(Box::new(self.outcome(step, StepState::Done, None)))
    }

    fn failed(&self, step: StepName, error: &str) -> MachineStep {
        MachineStep::Record(Box::new(self.outcome(step, StepState::Failed, Some(error))))
    }

    fn left(&self, proof: LeftProof) -> MachineStep {
        let mut journal = self.outcome(StepName::Leave, StepState::Done, None);
        journal.left = Some(proof);
        MachineStep::Record(Box::new(journal))
    }

    /// The fabric refused for good what was asked.
    fn refused(&self, effect: Effect, message: &str) -> MachineStep {
        let step = match effect {
            // No run asks for these; protection does.
            Effect::Related { .. }
            | Effect::Seeded { .. }
            | Effect::Finalized { .. }
            | Effect::Resynchronized { .. }
            | Effect::Unrelated { .. } => return Rest,
            // Whoever cannot be fenced needs a person's word; that is no failure of the machine.
            Effect::Fenced { .. } => return wait(WaitReason::Fence),
            Effect::FinalSync { .. } if !self.leave_must_be_synced() => {
                return self.left(LeftProof::Stopped);
            }
            Effect::Stopped { site } if site == self.shape.source() => match self.record.phase {
                RunPhase::Leaving | RunPhase::Entering if !self.leave_must_be_synced() => {
                    return self.leave_without_stop();
                }
                _ => StepName::Leave,
            },
            Effect::SyncedBack { .. } => StepName::Synchronize,
            Effect::FinalSync { .. } => StepName::Leave,
            Effect::Materialized { .. }
            | Effect::DrillMaterialized { .. }
            | Effect::DrillStarted { .. } => StepName::Enter,
            Effect::Started { site } if site == self.shape.target() => StepName::Enter,
            Effect::Started { .. } => StepName::Return,
            Effect::Stopped { .. } => match self.record.phase {
                RunPhase::Reprotecting => StepName::Reverse,
                RunPhase::Synchronizing => StepName::Synchronize,
                _ => StepName::Withdraw,
            },
            Effect::Committed { .. } => StepName::Commit,
            Effect::Reversed { .. } => StepName::Reverse,
            Effect::DrillRemoved { .. } => StepName::CleanUp,
        };
        self.failed(step, message)
    }

    fn leave_must_be_synced(&self) -> bool {
        self.shape.planned() || self.shape.spec.source.stop == SourceStop::Required
    }
}

/// Whether a machine is off and held.
enum Held {
    Yes,
    Not(MachineStep),
}

/// Time between two instants; none where the clock went backwards.
pub(crate) fn elapsed(from: Timestamp, to: Timestamp) -> std::time::Duration {
    std::time::Duration::try_from(to.duration_since(from)).unwrap_or_default()
}
