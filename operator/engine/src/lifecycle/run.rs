//! The states of a run.

use drover_api::RunPhase;

use super::{Table, Transition};
use crate::invariant::Invariant as I;

/// What happens to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunEvent {
    /// The pair synchronises inside the run, in two phases: the first begins.
    SynchronizationBegun,
    /// The first phase is done and a person must say *complete*.
    SynchronizationHeld,
    /// Machines are asked to leave the source.
    LeaveBegun,
    /// All left, or in an unplanned run finally failed to.
    AllLeft,
    /// A drill or a run without a source to leave goes straight to the target.
    EnterBegun,
    /// All groups are healthy, or in an unplanned run finally failed.
    AllEntered,
    /// A commit was decided, or is due.
    CommitDecided,
    /// All machines are final.
    AllCommitted,
    /// An error that the run does not get over by itself.
    Failed,
    /// A person resumes a run that halted before it synchronised.
    ResumedInPending,
    /// A person resumes a halted synchronisation.
    ResumedInSynchronizing,
    /// A person resumes a run that halted while machines left.
    ResumedInLeaving,
    /// A person resumes a run that halted while machines started.
    ResumedInEntering,
    /// A person resumes a halted commit.
    ResumedInCommitting,
    /// A person resumes a halted stop at the target, to rebuild.
    ResumedInRebuilding,
    /// A person resumes a halted stop at the target, to cancel.
    ResumedInWithdrawing,
    /// A person resumes a halted return.
    ResumedInReturning,
    /// A person resumes a halted reprotect.
    ResumedInReprotecting,
    /// Another recovery point was chosen.
    PointChanged,
    /// All machines stopped at the target, to be rebuilt.
    AllWithdrawnToRebuild,
    /// A cancel was decided after machines started at the target.
    CancelDecidedAfterEntry,
    /// A cancel was decided, or the intent was withdrawn, before any machine started at the target.
    CancelDecidedBeforeEntry,
    /// A reprotect that nobody approved yet is not wanted any more.
    GivenUp,
    /// All machines stopped at the target, to go back.
    AllWithdrawn,
    /// All machines run at the source again.
    AllReturned,
    /// Replication is asked to reverse.
    ReverseBegun,
    /// All machines are protected in the other direction.
    AllReversed,
    /// All machines of a drill are healthy, or finally failed.
    AllStand,
    /// A drill is deleted, expired, or in the way of a real failover.
    CleanUpDue,
    /// Nothing that the drill made is left.
    AllCleanedUp,
}

use RunEvent as E;
use RunPhase as P;

const fn row(
    from: &'static [RunPhase],
    on: RunEvent,
    to: RunPhase,
    guards: &'static [I],
) -> Transition<RunPhase, RunEvent> {
    Transition {
        from,
        on,
        to,
        guards,
    }
}

/// The phases in which no machine was started at the target yet.
pub(crate) const BEFORE_ENTRY: &[RunPhase] = &[
    P::Pending,
    P::Synchronizing,
    P::AwaitingCompleteSync,
    P::Leaving,
];

/// The phases that a run can halt in.
const CAN_HALT: &[RunPhase] = &[
    P::Pending,
    P::Synchronizing,
    P::Leaving,
    P::Entering,
    P::Committing,
    P::Rebuilding,
    P::Withdrawing,
    P::Returning,
    P::Reprotecting,
];

/// The states of a run.
pub const RUN: Table<RunPhase, RunEvent> = Table {
    initial: P::Pending,
    rows: &[
        row(
            &[P::Pending],
            E::SynchronizationBegun,
            P::Synchronizing,
            &[I::WholeDisk],
        ),
        row(
            &[P::Synchronizing],
            E::SynchronizationHeld,
            P::AwaitingCompleteSync,
            &[],
        ),
        row(
            &[P::Pending, P::Synchronizing, P::AwaitingCompleteSync],
            E::LeaveBegun,
            P::Leaving,
            &[I::OrderKept],
        ),
        row(
            &[P::Leaving],
            E::AllLeft,
            P::Entering,
            &[I::SingleActive, I::ZeroLoss, I::OrderKept],
        ),
        row(&[P::Pending], E::EnterBegun, P::Entering, &[I::DrillApart]),
        row(
            &[P::Entering],
            E::AllEntered,
            P::CommitPending,
            &[I::OrderKept],
        ),
        row(
            &[P::CommitPending],
            E::CommitDecided,
            P::Committing,
            &[I::PointsKept],
        ),
        row(
            &[P::Committing],
            E::AllCommitted,
            P::Committed,
            &[I::NothingBackwards],
        ),
        row(CAN_HALT, E::Failed, P::Halted, &[]),
        row(
            &[P::Halted],
            E::ResumedInPending,
            P::Pending,
            &[I::AsReviewed],
        ),
        row(
            &[P::Halted],
            E::ResumedInSynchronizing,
            P::Synchronizing,
            &[I::AsReviewed],
        ),
        row(
            &[P::Halted],
            E::ResumedInLeaving,
            P::Leaving,
            &[I::AsReviewed],
        ),
        row(
            &[P::Halted],
            E::ResumedInEntering,
            P::Entering,
            &[I::AsReviewed],
        ),
        row(
            &[P::Halted],
            E::ResumedInCommitting,
            P::Committing,
            &[I::AsReviewed],
        ),
        row(
            &[P::Halted],
            E::ResumedInRebuilding,
            P::Rebuilding,
            &[I::AsReviewed],
        ),
        row(
            &[P::Halted],
            E::ResumedInWithdrawing,
            P::Withdrawing,
            &[I::AsReviewed],
        ),
        row(
            &[P::Halted],
            E::ResumedInReturning,
            P::Returning,
            &[I::AsReviewed],
        ),
        row(
            &[P::Halted],
            E::ResumedInReprotecting,
            P::Reprotecting,
            &[I::AsReviewed],
        ),
        row(
            &[P::CommitPending],
            E::PointChanged,
            P::Rebuilding,
            &[I::OrderKept, I::AsReviewed],
        ),
        row(
            &[P::Rebuilding],
            E::AllWithdrawnToRebuild,
            P::Entering,
            &[I::SingleActive],
        ),
        row(
            &[P::Entering, P::CommitPending, P::Rebuilding, P::Halted],
            E::CancelDecidedAfterEntry,
            P::Withdrawing,
            &[I::OrderKept, I::AsReviewed],
        ),
        row(
            &[
                P::Pending,
                P::Synchronizing,
                P::AwaitingCompleteSync,
                P::Leaving,
                P::Halted,
            ],
            E::CancelDecidedBeforeEntry,
            P::Returning,
            &[I::AsReviewed],
        ),
        row(
            &[P::Withdrawing],
            E::AllWithdrawn,
            P::Returning,
            &[I::SingleActive],
        ),
        row(
            &[P::Returning],
            E::AllReturned,
            P::Cancelled,
            &[I::SingleActive, I::OrderKept],
        ),
        row(
            &[P::Pending, P::Reprotecting, P::Halted],
            E::GivenUp,
            P::Cancelled,
            &[I::AsReviewed, I::WholeDisk],
        ),
        row(
            &[P::Pending],
            E::ReverseBegun,
            P::Reprotecting,
            &[I::NothingBackwards],
        ),
        row(&[P::Reprotecting], E::AllReversed, P::Protected, &[]),
        row(&[P::Entering], E::AllStand, P::Standing, &[I::DrillApart]),
        row(
            &[P::Pending, P::Entering, P::Standing],
            E::CleanUpDue,
            P::CleaningUp,
            &[I::DrillApart],
        ),
        row(
            &[P::CleaningUp],
            E::AllCleanedUp,
            P::CleanedUp,
            &[I::DrillApart],
        ),
    ],
};

/// The event by which a halted run goes on in the phase that it halted in.
pub(crate) fn resumed_in(phase: RunPhase) -> Option<RunEvent> {
    let event = match phase {
        P::Pending => E::ResumedInPending,
        P::Synchronizing => E::ResumedInSynchronizing,
        P::Leaving => E::ResumedInLeaving,
        P::Entering => E::ResumedInEntering,
        P::Committing => E::ResumedInCommitting,
        P::Rebuilding => E::ResumedInRebuilding,
        P::Withdrawing => E::ResumedInWithdrawing,
        P::Returning => E::ResumedInReturning,
        P::Reprotecting => E::ResumedInReprotecting,
        _ => return None,
    };
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_can_halt_can_be_resumed_where_it_was() {
        // SPEC: FO-2, FO-7
        for phase in CAN_HALT {
            let event = resumed_in(*phase).expect("a way back");
            assert_eq!(RUN.next(P::Halted, event), Some(*phase));
        }
    }

    #[test]
    fn nothing_is_cancelled_after_it_was_committed() {
        // SPEC: SA-6
        for phase in [P::Committing, P::Committed] {
            assert_eq!(RUN.next(phase, E::CancelDecidedAfterEntry), None);
            assert_eq!(RUN.next(phase, E::CancelDecidedBeforeEntry), None);
        }
    }
}
