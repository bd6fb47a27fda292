//! What one machine of a run does now: a file for each movement.

mod back;
mod data;
mod drill;
mod enter;
mod leave;

use drover_api::common::{RunKind, SiteRole, SourceStop};
use drover_api::{
    GroupRecord, LeftProof, MachineRunStatus, RunPhase, RunRecord, StepRecord, StepState,
};
use drover_world::{Effect, ErrorClass, Instance, Observed, Power};
use jiff::Timestamp;

use super::view::{MachineView, RunView, Shape, failed_now};
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
        ErrorClass::Retryable if view.now < failure.retry_at => wait(failure.retry()),
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
            view: run.machines.machine(index),
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

/// Whether this was seen after a release. What was seen before says nothing final about what is: a
/// machine may have come or gone since.
fn seen_since(seen: &Observed<Instance>, released: Option<Timestamp>) -> bool {
    match seen {
        Observed::Seen { at, .. } => released.is_some_and(|released| *at >= released),
        Observed::Unknown { .. } => false,
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
